//! Workers KV through Cloudflare's REST API, version 4.

use std::fmt;

use reqwest::{Client, StatusCode, header::CONTENT_TYPE};
use selvedge_breaks::Micros;
use serde_json::Value;

use super::{Held, PATIENCE, needed};
use crate::cmd::http::{Answer, Trouble, base, client, segment, send, unwanted, variable_of};
use crate::failure::Failure;

/// "Up to 60 seconds or more" until a change is seen where the key was read before
/// (<https://developers.cloudflare.com/kv/concepts/how-kv-works/>).
pub(super) const PROPAGATION: Micros = Micros::from_seconds(60);

const API: &str = "https://api.cloudflare.com/client/v4";

/// There is no such key, which is no fault; that there is no such namespace has another code.
const KEY_NOT_FOUND: u64 = 10_009;

/// A namespace of an account.
pub(in crate::cmd::breaks) struct Cloudflare {
    client: Client,
    base: String,
    account: String,
    namespace: String,
    token: String,
}

impl Cloudflare {
    pub(super) fn open(namespace: Option<String>) -> Result<Self, Failure> {
        let namespace = namespace
            .or_else(|| variable_of("CLOUDFLARE_KV_NAMESPACE_ID"))
            .ok_or_else(|| {
                Failure::configuration(
                    "--namespace",
                    "name the KV namespace by its id, or set CLOUDFLARE_KV_NAMESPACE_ID",
                )
            })?;
        let base = base("CLOUDFLARE_API_BASE_URL", API)?;
        Ok(Self {
            client: client(&base, PATIENCE)?,
            base,
            account: needed(
                "CLOUDFLARE_ACCOUNT_ID",
                "the id of the account that the namespace is in",
            )?,
            namespace,
            token: needed(
                "CLOUDFLARE_API_TOKEN",
                "a token with the permission Workers KV Storage: Edit",
            )?,
        })
    }

    fn url(&self, key: &str) -> String {
        format!(
            "{}/accounts/{}/storage/kv/namespaces/{}/values/{}",
            self.base,
            segment(&self.account),
            segment(&self.namespace),
            segment(key)
        )
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Held>, Trouble> {
        let answer = send(self.client.get(self.url(key)).bearer_auth(&self.token)).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(Held {
                json: answer.body,
                version: None,
            })),
            StatusCode::NOT_FOUND if is_missing_key(&answer) => Ok(None),
            _ => Err(unwanted(&answer)),
        }
    }

    pub(super) async fn write(&self, key: &str, json: &[u8]) -> Result<(), Trouble> {
        let request = self
            .client
            .put(self.url(key))
            .bearer_auth(&self.token)
            .header(CONTENT_TYPE, "application/json")
            .body(json.to_vec());
        let answer = send(request).await?;
        let succeeded = answer
            .json()
            .and_then(|json| json.get("success").and_then(Value::as_bool));
        if answer.status == StatusCode::OK && succeeded == Some(true) {
            Ok(())
        } else {
            Err(unwanted(&answer))
        }
    }
}

fn is_missing_key(answer: &Answer) -> bool {
    let json = answer.json();
    let errors = json.as_ref().and_then(|json| json.get("errors")?.as_array());
    errors.is_some_and(|errors| {
        errors
            .iter()
            .any(|error| error.get("code").and_then(Value::as_u64) == Some(KEY_NOT_FOUND))
    })
}

impl fmt::Display for Cloudflare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cloudflare KV {}", self.namespace)
    }
}

/// Without the token.
impl fmt::Debug for Cloudflare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
