//! The origin's own API for breaks, at its door for operators.

use std::fmt;

use reqwest::{
    Client, Method, RequestBuilder, StatusCode,
    header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
};
use serde_json::Value;

use super::{Held, OriginPlace, PATIENCE};
use crate::cmd::http::{
    ADMIN_TOKEN, Answer, ORIGIN, Trouble, client, door, segment, send, shut, unwanted, variable_of,
};
use crate::failure::Failure;

const DEFAULT: &str = "http://127.0.0.1:8080";

/// The door of an origin.
pub(in crate::cmd::breaks) struct OriginApi {
    client: Client,
    base: String,
    token: Option<String>,
}

impl OriginApi {
    pub(in crate::cmd::breaks) fn open(place: &OriginPlace) -> Result<Self, Failure> {
        let url = place.origin.clone().or_else(|| variable_of(ORIGIN));
        let url = url.unwrap_or_else(|| DEFAULT.to_owned());
        let token = variable_of(ADMIN_TOKEN);
        let base = door(&url, token.is_some())?;
        Ok(Self {
            client: client(&base, PATIENCE)?,
            base,
            token,
        })
    }

    fn request(&self, method: Method, channel: &str, rest: &str) -> RequestBuilder {
        let url = format!("{}/channels/{}/breaks{rest}", self.base, segment(channel));
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(super) async fn rules(&self, channel: &str) -> Result<Option<Held>, Trouble> {
        let answer = send(self.request(Method::GET, channel, "/rules")).await?;
        match answer.status {
            StatusCode::OK => {
                let version = answer.header("etag");
                Ok(Some(Held {
                    json: answer.body,
                    version,
                }))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(&answer)),
        }
    }

    pub(super) async fn replace_rules(
        &self,
        channel: &str,
        version: Option<&str>,
        json: &[u8],
    ) -> Result<(), Trouble> {
        let mut request = self
            .request(Method::PUT, channel, "/rules")
            .header(CONTENT_TYPE, "application/json")
            .body(json.to_vec());
        request = match version {
            Some(version) => request.header(IF_MATCH, version),
            None => request.header(IF_NONE_MATCH, "*"),
        };
        let answer = send(request).await?;
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::PRECONDITION_FAILED => Err(Trouble::Refused(
                "somebody else has changed the rules meanwhile (412): look at `selvedge breaks diff`"
                    .to_owned(),
            )),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// The breaks of a channel, past and to come.
    pub(in crate::cmd::breaks) async fn breaks(&self, channel: &str) -> Result<Answer, Trouble> {
        self.wanted(self.request(Method::GET, channel, "")).await
    }

    /// Asks for a break.
    pub(in crate::cmd::breaks) async fn schedule(
        &self,
        channel: &str,
        wish: &Value,
    ) -> Result<Answer, Trouble> {
        let request = self.request(Method::POST, channel, "");
        self.wanted(
            request
                .header(CONTENT_TYPE, "application/json")
                .body(wish.to_string()),
        )
        .await
    }

    /// Moves a break, or gives it another length.
    pub(in crate::cmd::breaks) async fn alter(
        &self,
        channel: &str,
        id: &str,
        wish: &Value,
    ) -> Result<Answer, Trouble> {
        let request = self.request(Method::PATCH, channel, &format!("/{}", segment(id)));
        self.wanted(
            request
                .header(CONTENT_TYPE, "application/json")
                .body(wish.to_string()),
        )
        .await
    }

    /// Cancels a break, or ends one that is on air.
    pub(in crate::cmd::breaks) async fn cancel(&self, channel: &str, id: &str) -> Result<Answer, Trouble> {
        self.wanted(self.request(Method::DELETE, channel, &format!("/{}", segment(id))))
            .await
    }

    async fn wanted(&self, request: RequestBuilder) -> Result<Answer, Trouble> {
        let answer = send(request).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(self.refusal(&answer))
        }
    }

    fn refusal(&self, answer: &Answer) -> Trouble {
        shut(answer, self.token.is_some()).map_or_else(|| unwanted(answer), Trouble::Refused)
    }
}

impl fmt::Display for OriginApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the origin {}", self.base)
    }
}

/// Without the token.
impl fmt::Debug for OriginApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
