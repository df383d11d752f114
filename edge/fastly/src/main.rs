//! The Selvedge edge on Fastly Compute.
//!
//! It only translates: the host's request becomes the core's, the core's plan becomes requests to a backend that
//! are all under way before the first is waited for, and an origin's body goes to the viewer as the host's handle,
//! unread, so that its bytes never enter WASM memory.
//!
//! The service configures it: the backend `origin`, the secret store `selvedge` with the key `CAT_KEYS` (a JWK
//! Set), and the config store `selvedge` with the key `SITE` (the site document; `{}` where there is none). The
//! log goes to the endpoint `selvedge`, failures to standard error as well.

#![forbid(unsafe_code)]

mod platform;

use std::{
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use fastly::{
    ConfigStore, Request, Response, SecretStore, config_store::OpenError, http::FramingHeadersMode,
    log::Endpoint,
};
use http::header;
use selvedge_edge::{Body, ConfigError, Edge, Handled, Record, UnixMillis, block_on, misconfigured};

use crate::platform::Origin;

/// The name of both stores and of the log endpoint.
const NAME: &str = "selvedge";

/// Answers a request. Whatever goes wrong is an answer of the core's too, never an error.
fn main() {
    let request = http::Request::from(Request::from_client()).map(|_body| ());
    let handled = handle(&request);
    log(&handled.record);
    respond(handled.response).send_to_client();
}

fn handle(request: &http::Request<()>) -> Handled<fastly::Body> {
    match edge() {
        Ok(edge) => block_on(edge.handle(&Origin, request, now())),
        Err(error) => misconfigured(&error),
    }
}

fn edge() -> Result<Edge, ConfigError> {
    Edge::new(&keys()?, site()?.as_deref().unwrap_or("{}"))
}

fn keys() -> Result<String, ConfigError> {
    let missing = || ConfigError::Missing("CAT_KEYS in the secret store `selvedge`");
    let store = SecretStore::open(NAME).map_err(|_| missing())?;
    let secret = store.try_get("CAT_KEYS").ok().flatten().ok_or_else(missing)?;
    let plain = secret.try_plaintext().map_err(|_| missing())?;
    String::from_utf8(plain.to_vec())
        .map_err(|_| ConfigError::NotText("CAT_KEYS in the secret store `selvedge`"))
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

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
