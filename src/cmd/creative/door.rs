//! An origin's door for operators, as creatives go through it.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, header::CONTENT_TYPE};

use crate::cmd::http::{ADMIN_TOKEN, Answer, ORIGIN, client, door, send, shut, variable_of};
use crate::failure::Failure;

/// The door of one origin.
pub(super) struct Door {
    client: Client,
    base: String,
    token: Option<String>,
}

impl Door {
    /// Prepares to knock; nothing is sent yet.
    pub(super) fn open(origin: Option<String>) -> Result<Self, Failure> {
        let origin = origin.or_else(|| variable_of(ORIGIN)).ok_or_else(|| {
            Failure::configuration(
                "--origin",
                "say which, such as http://127.0.0.1:9090, or keep the files with --out",
            )
        })?;
        let token = variable_of(ADMIN_TOKEN);
        let base = door(&origin, token.is_some())?;
        Ok(Self {
            client: client(&base, PATIENCE)?,
            base,
            token,
        })
    }

    pub(super) async fn put(&self, path: &str, kind: &'static str, body: Vec<u8>) -> Result<Answer, Failure> {
        let request = self.request(Method::PUT, path);
        self.send(path, request.header(CONTENT_TYPE, kind).body(body))
            .await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(path, self.request(Method::GET, path)).await
    }

    /// Why a request was refused.
    pub(super) fn refused(&self, what: &str, answer: &Answer) -> Failure {
        match shut(answer, self.token.is_some()) {
            Some(why) => Failure::configuration(ADMIN_TOKEN, why),
            None => Failure::run(what, answer.complaint()),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}/{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, what: &str, request: RequestBuilder) -> Result<Answer, Failure> {
        send(request).await.map_err(|trouble| Failure::run(what, trouble))
    }
}

/// For one file: segments are small.
const PATIENCE: Duration = Duration::from_secs(60);
