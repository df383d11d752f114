//! An origin's door for operators, from outside.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode, Url, header::CONTENT_TYPE, redirect::Policy};

use crate::failure::Failure;

/// The door of one origin.
pub(super) struct Door {
    client: Client,
    base: Url,
    token: Option<String>,
}

impl Door {
    /// Prepares to knock; nothing is sent yet.
    pub(super) fn open(origin: Option<String>) -> Result<Self, Failure> {
        let origin = origin.or_else(|| variable(ORIGIN)).ok_or_else(|| {
            Failure::configuration(
                "--origin",
                "say which, such as http://127.0.0.1:9090, or keep the files with --out",
            )
        })?;
        let wrong = || {
            let problem = format!("{origin:?} is no URL such as http://127.0.0.1:9090");
            Failure::configuration("--origin", problem)
        };
        let mut base = Url::parse(&origin).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(wrong());
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let token = variable(TOKEN);
        let is_here = base
            .host_str()
            .is_some_and(|host| matches!(host, "localhost" | "[::1]") || host.starts_with("127."));
        if token.is_some() && base.scheme() == "http" && !is_here {
            return Err(Failure::configuration(
                "--origin",
                "the token would go there in the clear: give an https URL",
            ));
        }
        // Whichever was installed first serves: an error means that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("selvedge/", env!("CARGO_PKG_VERSION")));
        if is_here {
            client = client.no_proxy();
        }
        let client = client
            .build()
            .map_err(|error| Failure::run("the HTTP client", error))?;
        Ok(Self { client, base, token })
    }

    pub(super) async fn put(
        &self,
        path: &str,
        kind: &'static str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, String), Failure> {
        let request = self
            .client
            .put(self.url(path)?)
            .header(CONTENT_TYPE, kind)
            .body(body);
        let (status, body) = self.send(path, request).await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    pub(super) async fn get(&self, path: &str) -> Result<(StatusCode, Vec<u8>), Failure> {
        self.send(path, self.client.get(self.url(path)?)).await
    }

    /// Why a request was refused.
    pub(super) fn refused(&self, what: &str, status: StatusCode, said: &str) -> Failure {
        match (status, &self.token) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => {
                Failure::configuration(TOKEN, format!("{status}: set it to the origin's admin_token"))
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(_)) => {
                Failure::configuration(TOKEN, format!("{status}: it is not the origin's admin_token"))
            }
            _ => {
                let said: String = said
                    .chars()
                    .filter(|letter| !letter.is_control())
                    .take(500)
                    .collect();
                Failure::run(what, format!("{status} {said}"))
            }
        }
    }

    async fn send(&self, what: &str, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Failure> {
        let failed = |error: reqwest::Error| Failure::run(what, error);
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Failure::run(what, "the answer is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        self.base.join(path).map_err(|error| Failure::run(path, error))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

const ORIGIN: &str = "SELVEDGE_ORIGIN";
const TOKEN: &str = "SELVEDGE_ADMIN_TOKEN";
/// For one file: segments are small.
const PATIENCE: Duration = Duration::from_secs(60);
const MAX_ANSWER: usize = 32 << 20;
