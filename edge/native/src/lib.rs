//! The edge core as a Tokio service: for a PoP on one's own hardware, for local work, and as the reference that
//! the other platforms are compared with.
//!
//! It only translates: a request of axum's becomes the core's, the core's plan becomes requests to the origin,
//! and bodies stream through from one socket to the other.

#![forbid(unsafe_code)]

mod platform;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{Router, extract::State};
use http::{Request, Response, Uri, uri};
use selvedge_edge::{Body, Edge, Entropy, Record, UnixMillis, Visit};

pub use platform::Native;

/// The edge as a router: every path of every method is the core's to judge.
///
/// `scheme` is what viewers use, which is not what arrives where TLS ends before this process. It is never taken
/// from a request: a token may be for one scheme alone.
pub fn router(edge: Edge, native: Native, scheme: uri::Scheme) -> Router {
    Router::new()
        .fallback(handle)
        .with_state(Arc::new(Pop { edge, native, scheme }))
}

/// A point of presence: the core and its door to the world.
struct Pop {
    edge: Edge,
    native: Native,
    scheme: uri::Scheme,
}

async fn handle(
    State(pop): State<Arc<Pop>>,
    request: Request<axum::body::Body>,
) -> Response<axum::body::Body> {
    let (mut parts, _body) = request.into_parts();
    let head = parts.method == http::Method::HEAD;
    parts.uri = absolute(&parts.uri, parts.headers.get(http::header::HOST), &pop.scheme);
    let request = Request::from_parts(parts, ());
    let mut entropy = [0; 64];
    if let Err(error) = getrandom::fill(&mut entropy) {
        tracing::error!(%error, "the system has no randomness");
    }
    let visit = Visit {
        request: &request,
        context: &(),
        now: now(),
        entropy: Entropy::new(entropy),
    };
    let handled = pop.edge.handle(&pop.native, &visit).await;
    log(&handled.record);
    handled.response.map(|body| match body {
        // Of unknown length, or axum would declare a length of nought where the true one is not known.
        _ if head => axum::body::Body::from_stream(futures_util::stream::empty::<
            Result<Vec<u8>, std::convert::Infallible>,
        >()),
        Body::Empty => axum::body::Body::empty(),
        Body::Bytes(bytes) => bytes.into(),
        Body::Upstream(body) => axum::body::Body::new(body),
    })
}

/// HTTP/1.1 sends a path and a `Host`; the core judges the whole URI.
fn absolute(uri: &Uri, host: Option<&http::HeaderValue>, scheme: &uri::Scheme) -> Uri {
    let mut parts = uri.clone().into_parts();
    if parts.authority.is_none() {
        parts.authority = host.and_then(|host| uri::Authority::try_from(host.as_bytes()).ok());
    }
    parts.scheme = parts.authority.is_some().then(|| scheme.clone());
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn log(record: &Record) {
    let Record {
        method,
        path,
        route,
        status,
        token,
        kid,
        origin,
        problem,
        fault,
        detail,
        ..
    } = record;
    tracing::info!(
        method, path, route, status, token, kid, origin, problem, fault, detail, "request"
    );
}
