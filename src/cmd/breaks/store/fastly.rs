//! Fastly's KV Store through its REST API.

use std::fmt;

use reqwest::{Client, RequestBuilder, StatusCode, header::CONTENT_TYPE};
use selvedge_breaks::Micros;

use super::{Held, PATIENCE, needed};
use crate::cmd::http::{Trouble, base, client, segment, send, unwanted, variable_of};
use crate::failure::Failure;

/// Fastly says "eventually consistent" and no bound; reads of what has just changed take up to 300 ms
/// (<https://www.fastly.com/documentation/guides/concepts/edge-state/data-stores/>). Ours leaves room for many of them.
pub(super) const PROPAGATION: Micros = Micros::from_seconds(10);

const API: &str = "https://api.fastly.com";

/// A KV store.
pub(in crate::cmd::breaks) struct Fastly {
    client: Client,
    base: String,
    store: String,
    token: String,
}

impl Fastly {
    pub(super) fn open(store: Option<String>) -> Result<Self, Failure> {
        let store = store
            .or_else(|| variable_of("FASTLY_KV_STORE_ID"))
            .ok_or_else(|| {
                Failure::configuration(
                    "--store",
                    "name the KV store by its id, or set FASTLY_KV_STORE_ID",
                )
            })?;
        let base = base("FASTLY_API_ENDPOINT", API)?;
        Ok(Self {
            client: client(&base, PATIENCE)?,
            base,
            store,
            token: needed("FASTLY_API_TOKEN", "a token that may write to the KV store")?,
        })
    }

    fn store_url(&self) -> String {
        format!("{}/resources/stores/kv/{}", self.base, segment(&self.store))
    }

    fn url(&self, key: &str) -> String {
        format!("{}/keys/{}", self.store_url(), segment(key))
    }

    fn carrying(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("Fastly-Key", &self.token)
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Held>, Trouble> {
        let answer = send(self.carrying(self.client.get(self.url(key)))).await?;
        match answer.status {
            StatusCode::OK => {
                let version = answer.header("generation");
                Ok(Some(Held {
                    json: answer.body,
                    version,
                }))
            }
            StatusCode::NOT_FOUND => {
                // A store that is not there has no such key either, and a push to it must not pass for the first.
                let store = send(self.carrying(self.client.get(self.store_url()))).await?;
                match store.status {
                    StatusCode::OK => Ok(None),
                    _ => Err(unwanted(&store)),
                }
            }
            _ => Err(unwanted(&answer)),
        }
    }

    /// Writes over the generation that was read alone, or where there was none, where there is none still.
    pub(super) async fn write(
        &self,
        key: &str,
        was_there: bool,
        generation: Option<&str>,
        json: &[u8],
    ) -> Result<(), Trouble> {
        let mut url = self.url(key);
        if !was_there {
            url += "?add=true";
        }
        let mut request = self
            .carrying(self.client.put(url))
            .header(CONTENT_TYPE, "application/json")
            .body(json.to_vec());
        if let Some(generation) = generation {
            request = request.header("if-generation-match", generation);
        }
        let answer = send(request).await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            StatusCode::PRECONDITION_FAILED => Err(Trouble::Refused(
                "somebody else has changed the rules meanwhile (412): look at `selvedge breaks diff`"
                    .to_owned(),
            )),
            _ => Err(unwanted(&answer)),
        }
    }
}

impl fmt::Display for Fastly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fastly KV {}", self.store)
    }
}

/// Without the token.
impl fmt::Debug for Fastly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
