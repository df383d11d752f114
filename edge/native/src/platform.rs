//! The core's wants, answered over HTTP.

use std::{
    io::ErrorKind,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use reqwest::{Certificate, Client, ClientBuilder, Identity, redirect};
use selvedge_edge::{
    Answer, Body, MemoryStore, OriginRequest, OriginResponse, OriginUrl, Plan, Platform, Read, Standing,
    Store as _, StoreRequest, Unanswered, Want,
};

use crate::now;

/// How long the origin may take to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// How long the origin may be silent, before its headers and between two reads of a body. It holds a request for a
/// part for three target durations at most (RFC 8216bis §6.2.5.2), which is 30 s where segments last ten.
const SILENCE: Duration = Duration::from_secs(40);

/// The world as this process sees it: one origin, or a shield before it, and its own memory.
#[derive(Clone, Debug)]
pub struct Native {
    client: Client,
    origin: OriginUrl,
    store: Arc<Mutex<MemoryStore>>,
    documents: Option<PathBuf>,
}

/// How an origin at an `https` URL is known, and how the edge makes itself known to it.
#[derive(Clone, Debug, Default)]
pub struct OriginTls {
    /// The authorities that the origin's certificate must come from, in PEM: these and no others. `None` trusts those
    /// that the system trusts.
    pub authorities: Option<Vec<u8>>,
    /// The certificate that the edge shows where the origin asks for one, those above it, and its private key: one PEM
    /// text of all.
    pub identity: Option<Vec<u8>>,
}

/// Why the client of the origin cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// [`OriginTls::authorities`] cannot be used.
    #[error("the origin's authorities: {0}: certificates in PEM are needed")]
    Authorities(String),
    /// [`OriginTls::identity`] cannot be used.
    #[error("the certificate for the origin: {0}: a certificate and its private key in PEM are needed")]
    Identity(String),
    /// The HTTP client cannot be set up, for want of trusted certificates for instance.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

impl OriginTls {
    fn apply(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, ClientError> {
        if let Some(pem) = &self.authorities {
            let certificates = Certificate::from_pem_bundle(pem)
                .map_err(|error| ClientError::Authorities(innermost(&error).to_string()))?;
            if certificates.is_empty() {
                return Err(ClientError::Authorities(
                    "no certificate is in the file".to_owned(),
                ));
            }
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(pem) = &self.identity {
            let identity = Identity::from_pem(pem)
                .map_err(|error| ClientError::Identity(innermost(&error).to_string()))?;
            builder = builder.identity(identity);
        }
        Ok(builder)
    }
}

impl Native {
    /// For one origin, which is known by the authorities that the system trusts where its URL is `https`.
    ///
    /// # Errors
    /// The HTTP client cannot be set up, for want of trusted certificates for instance.
    pub fn new(origin: OriginUrl) -> Result<Self, ClientError> {
        Self::with_tls(origin, &OriginTls::default())
    }

    /// For one origin at an `https` URL with authorities of its own, or which asks edges for a certificate.
    ///
    /// # Errors
    /// [`ClientError`] names what cannot be used.
    pub fn with_tls(origin: OriginUrl, tls: &OriginTls) -> Result<Self, ClientError> {
        // Fails only where a provider is installed already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .connect_timeout(CONNECT_TIME)
            .read_timeout(SILENCE)
            .redirect(redirect::Policy::none())
            // An edge knows its origin: a proxy that is set for browsing has no place between them.
            .no_proxy()
            .tcp_nodelay(true);
        let client = tls.apply(builder)?.build()?;
        Ok(Self {
            client,
            origin,
            store: Arc::default(),
            documents: None,
        })
    }

    /// With a folder of documents that operators have put there: `<key>.json` for each. They are read each time.
    pub fn with_documents(mut self, folder: PathBuf) -> Self {
        self.documents = Some(folder);
        self
    }

    async fn document(&self, key: &str, limit: usize) -> Result<Option<Vec<u8>>, Unanswered> {
        let Some(folder) = &self.documents else {
            return Ok(None);
        };
        let path = folder.join(format!("{key}.json"));
        let unreadable =
            |error: std::io::Error| Unanswered::Unreachable(format!("{}: {error}", path.display()));
        let length = match tokio::fs::metadata(&path).await {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if usize::try_from(length).is_ok_and(|length| length <= limit) {
            return tokio::fs::read(&path).await.map(Some).map_err(unreadable);
        }
        Err(Unanswered::TooLarge)
    }

    /// Asks this process's memory. Each question is settled under the lock, so of two uses at once one is first.
    fn remember(&self, request: &StoreRequest) -> Standing {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.ask(request, now())
    }

    async fn ask(&self, request: OriginRequest) -> Result<OriginResponse<reqwest::Body>, Unanswered> {
        let url = self.origin.join(&request.target);
        let sent = self
            .client
            .request(request.method, url)
            .headers(request.headers)
            .send()
            .await;
        let mut response = sent.map_err(|error| unanswered(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if request.read.refuses(&headers) {
            return Err(Unanswered::TooLarge);
        }
        let body = match request.read {
            Read::Handle => Body::Upstream(response.into()),
            Read::Bytes { limit } => {
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
        let answers = plan.wants.into_iter().map(async |want| match want {
            Want::Origin(request) => Answer::Origin(self.ask(request).await),
            Want::Store(request) => Answer::Store(self.remember(&request)),
            Want::Document { key, limit } => Answer::Document(self.document(&key, limit).await),
            other => Answer::Origin(Err(Unanswered::Unreachable(format!(
                "this edge has no answer to {other:?}"
            )))),
        });
        join_all(answers).await
    }
}

fn unanswered(error: &reqwest::Error) -> Unanswered {
    if error.is_timeout() {
        return Unanswered::Timeout;
    }
    Unanswered::Unreachable(innermost(error).to_string())
}

/// reqwest says what it was doing; the reason lies at the end of the chain.
fn innermost(error: &reqwest::Error) -> &dyn std::error::Error {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason
}

#[cfg(test)]
mod tests {
    use selvedge_edge::StoreKey;

    use super::*;

    #[tokio::test]
    async fn documents_are_files_of_a_folder_as_they_are_now() {
        let folder = tempfile::tempdir().unwrap();
        let native = Native::new(OriginUrl::parse("http://127.0.0.1:1").unwrap()).unwrap();
        assert_eq!(native.document("schedules/c", 9).await, Ok(None), "no folder");
        let native = native.with_documents(folder.path().to_owned());
        assert_eq!(native.document("schedules/c", 9).await, Ok(None));
        std::fs::create_dir(folder.path().join("schedules")).unwrap();
        for text in ["{}", "[1,2,3]"] {
            std::fs::write(folder.path().join("schedules/c.json"), text).unwrap();
            assert_eq!(native.document("schedules/c", 9).await, Ok(Some(text.into())));
        }
        assert_eq!(native.document("schedules/c", 6).await, Err(Unanswered::TooLarge));
    }

    #[tokio::test]
    async fn of_many_uses_at_once_one_is_first() {
        let native = Native::new(OriginUrl::parse("http://127.0.0.1:1").unwrap()).unwrap();
        let once = StoreRequest::Once {
            key: StoreKey::new("test", &[b"a token"]),
            until: now().plus_seconds(60),
        };
        let plan = Plan {
            wants: vec![Want::Store(once); 3],
        };
        let clone = native.clone();
        let (here, there) = tokio::join!(native.gather(plan.clone()), clone.gather(plan));
        let standings: Vec<_> = here
            .into_iter()
            .chain(there)
            .map(|answer| match answer {
                Answer::Store(standing) => standing,
                other => panic!("{other:?}"),
            })
            .collect();
        let first = standings.iter().filter(|standing| **standing == Standing::Clear);
        assert_eq!((standings.len(), first.count()), (6, 1), "{standings:?}");
    }
}
