//! The core's wants, answered over HTTP.

use std::time::Duration;

use http::{Uri, header};
use reqwest::{Client, redirect};
use selvedge_edge::{Answer, Body, OriginRequest, OriginResponse, Plan, Platform, Read, Unanswered, Want};
use thiserror::Error;

/// How long the origin may take to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// How long the origin may be silent, before its headers and between two reads of a body. A part that a
/// player waits for is held for less.
const SILENCE: Duration = Duration::from_secs(20);

/// The world as this process sees it: one origin, or a shield before it.
#[derive(Clone, Debug)]
pub struct Native {
    client: Client,
    origin: String,
}

/// Why an origin cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OriginError {
    /// Not an absolute `http` or `https` URL without query.
    #[error("{url:?} is no origin: give an absolute URL such as http://127.0.0.1:8080")]
    Url {
        /// What was given.
        url: String,
    },
    /// The HTTP client cannot be set up, for want of trusted certificates for instance.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

impl Native {
    /// For the origin at `url`.
    ///
    /// # Errors
    /// The URL cannot be one of an origin.
    pub fn new(url: &str) -> Result<Self, OriginError> {
        let usable = url.parse::<Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some()
                && uri.query().is_none()
        });
        if !usable {
            return Err(OriginError::Url { url: url.into() });
        }
        // Fails only where a provider is installed already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIME)
            .read_timeout(SILENCE)
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            client,
            origin: url.trim_end_matches('/').to_owned(),
        })
    }

    async fn ask(&self, request: OriginRequest) -> Result<OriginResponse<reqwest::Body>, Unanswered> {
        let url = format!("{}{}", self.origin, request.target);
        let sent = self
            .client
            .request(request.method, url)
            .headers(request.headers)
            .send()
            .await;
        let mut response = sent.map_err(|error| unanswered(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match request.read {
            Read::Handle => Body::Upstream(response.into()),
            Read::Bytes { limit } => {
                let declared = headers
                    .get(header::CONTENT_LENGTH)
                    .and_then(|length| length.to_str().ok());
                if declared
                    .and_then(|length| length.parse().ok())
                    .is_some_and(|length: usize| length > limit)
                {
                    return Err(Unanswered::TooLarge);
                }
                let mut bytes = Vec::new();
                while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&error))? {
                    if bytes.len() + chunk.len() > limit {
                        return Err(Unanswered::TooLarge);
                    }
                    bytes.extend_from_slice(&chunk);
                }
                Body::Bytes(bytes)
            }
        };
        Ok(OriginResponse {
            status,
            headers,
            body,
        })
    }
}

impl Platform for Native {
    type Body = reqwest::Body;

    async fn gather(&self, plan: Plan) -> Vec<Answer<reqwest::Body>> {
        // Wants run side by side; each task's answer goes back to its own place.
        let asked: Vec<_> = plan
            .wants
            .into_iter()
            .map(|want| {
                let native = self.clone();
                tokio::spawn(async move {
                    match want {
                        Want::Origin(request) => Answer::Origin(native.ask(request).await),
                        other => Answer::Origin(Err(Unanswered::Unreachable(format!(
                            "this edge has no answer to {other:?}"
                        )))),
                    }
                })
            })
            .collect();
        let mut answers = Vec::with_capacity(asked.len());
        for task in asked {
            answers.push(
                task.await
                    .unwrap_or_else(|error| Answer::Origin(Err(Unanswered::Unreachable(error.to_string())))),
            );
        }
        answers
    }
}

fn unanswered(error: &reqwest::Error) -> Unanswered {
    if error.is_timeout() {
        return Unanswered::Timeout;
    }
    // reqwest says what it was doing; the reason lies at the end of the chain.
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    Unanswered::Unreachable(reason.to_string())
}
