//! The Selvedge edge on Fastly Compute.
//!
//! It only translates: the host's request becomes the core's, the core's plan becomes requests to a backend that
//! are all under way before the first is waited for, and an origin's body goes to the viewer as the host's handle,
//! unread, so that its bytes never enter WASM memory.
//!
//! The service configures it: the backend `origin`, the secret store `selvedge` with the key `CAT_KEYS` (a JWK
//! Set) and, for an origin that marks media and asks edges for it, `ORIGIN_TOKEN`, the config store `selvedge` with the key `SITE` (the site document; `{}` where there is none), and the KV
//! store `selvedge` for what is remembered between requests and for operators' documents (where there is none, nothing
//! is remembered, and there are no documents). The log goes to the endpoint `selvedge`, failures to standard error as
//! well.

#![forbid(unsafe_code)]

mod client;
mod platform;
mod store;

use std::{
    io::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fastly::{
    ConfigStore, Request, Response, SecretStore,
    config_store::OpenError,
    http::{FramingHeadersMode, serve::Serve},
    log::Endpoint,
};
use http::header;
use selvedge_edge::{
    Body, ConfigError, Edge, Handled, OriginToken, Record, UnixMillis, Visit, block_on, misconfigured,
};

use crate::{client::Client, platform::World};

/// The name of all stores and of the log endpoint.
pub(crate) const NAME: &str = "selvedge";

/// How many requests an instance answers, one after another. Keys are read and tokens are checked anew in each
/// instance, so the second request costs less; but whether the platform's 50 ms of computing are for a request or
/// for an instance is not written anywhere, and so many fit into them.
const MAX_REQUESTS: usize = 16;

/// How long an instance lives at most: for so long, a key that was withdrawn still counts there.
const MAX_LIFETIME: Duration = Duration::from_secs(5);

/// How long an instance waits for another request, because its memory is paid for meanwhile.
const MAX_IDLE: Duration = Duration::from_millis(250);

/// Answers requests. Whatever goes wrong is an answer of the core's too, never an error.
fn main() {
    let edge = edge();
    Serve::new()
        .with_max_requests(MAX_REQUESTS)
        .with_max_lifetime(MAX_LIFETIME)
        .with_timeout(MAX_IDLE)
        .run(|request| {
            let handled = handle(&edge, request);
            log(&handled.record);
            respond(handled.response).send_to_client();
        });
}

fn handle(edge: &Result<Edge, ConfigError>, request: Request) -> Handled<fastly::Body> {
    let edge = match edge {
        Ok(edge) => edge,
        Err(error) => return misconfigured(error),
    };
    let converted = http::Request::from(request.clone_without_body()).map(|_body| ());
    // The handle stays, for what is asked of the client later.
    let (handle, _body) = request.into_handles();
    let visit = Visit {
        request: &converted,
        context: &Client::of(handle),
        now: now(),
        random: getrandom::u64().ok(),
    };
    block_on(edge.handle(&World, &visit))
}

fn edge() -> Result<Edge, ConfigError> {
    let missing = ConfigError::Missing("CAT_KEYS in the secret store `selvedge`");
    let store = SecretStore::open(NAME).map_err(|_| missing.clone())?;
    let unreadable = ConfigError::NotText("CAT_KEYS in the secret store `selvedge`");
    let keys = secret(&store, "CAT_KEYS", unreadable)?.ok_or(missing)?;
    // One that cannot be read is not taken for none: whatever is marked would fail, and nobody would know why.
    let unreadable = ConfigError::NotText("ORIGIN_TOKEN in the secret store `selvedge`");
    let token = secret(&store, "ORIGIN_TOKEN", unreadable)?;
    let token = token.map(|token| OriginToken::parse(&token)).transpose()?;
    let edge = Edge::new(&keys, site()?.as_deref().unwrap_or("{}"))?;
    Ok(edge.with_origin_token(token))
}

/// A secret's text; `None` where there is none of that name, and `unreadable` where it cannot be read.
fn secret(store: &SecretStore, name: &str, unreadable: ConfigError) -> Result<Option<String>, ConfigError> {
    let Some(secret) = store.try_get(name).map_err(|_| unreadable.clone())? else {
        return Ok(None);
    };
    let plain = secret.try_plaintext().map_err(|_| unreadable.clone())?;
    String::from_utf8(plain.to_vec())
        .map(Some)
        .map_err(|_| unreadable)
}

/// `None` where there is none. One that cannot be read is not taken for none: it may restrict whose tokens count.
fn site() -> Result<Option<String>, ConfigError> {
    let store = match ConfigStore::try_open(NAME) {
        Ok(store) => store,
        Err(OpenError::ConfigStoreDoesNotExist) => return Ok(None),
        Err(error) => return Err(ConfigError::Site(error.to_string())),
    };
    store
        .try_get("SITE")
        .map_err(|error| ConfigError::Site(error.to_string()))
}

fn respond(response: http::Response<Body<fastly::Body>>) -> Response {
    let response = response.map(|body| match body {
        Body::Empty => fastly::Body::new(),
        Body::Bytes(bytes) => bytes.into(),
        Body::Upstream(body) => body,
    });
    let length_is_known = response.headers().contains_key(header::CONTENT_LENGTH);
    let mut response = Response::from(response);
    if length_is_known {
        // By itself the host would frame a streaming body as chunks, and say nothing of a HEAD's length.
        response.set_framing_headers_mode(FramingHeadersMode::ManuallyFromHeaders);
    }
    response
}

fn log(record: &Record) {
    let line = record.to_json();
    // A log that cannot be written must not keep the viewer from the answer.
    if let Ok(mut endpoint) = Endpoint::try_from_name(NAME) {
        let _ = endpoint.write_all(line.as_bytes());
    }
    if record.is_failure() {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
