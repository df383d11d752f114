//! The edge core as a Tokio service: for a PoP on one's own hardware, for local work, and as the reference that
//! the other platforms are compared with.
//!
//! It only translates: a request of axum's becomes the core's, the core's plan becomes requests to the origin,
//! and bodies stream through from one socket to the other. Who the client is, the socket and its TLS handshake say, or
//! a proxy that is trusted to ([`Trust`]). What is to be remembered between requests lies in this process's memory, so a single
//! use is single, and a limit is exact, within one process.

#![forbid(unsafe_code)]

mod client;
mod keys;
mod platform;

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::{ConnectInfo, State},
};
use http::{Request, Response, Uri, uri};
use selvedge_edge::{Body, Edge, Handled, Record, UnixMillis, Visit};
use selvedge_listen::Peer;

pub use client::{Facts, FieldName, Prefix, Trust};
pub use keys::KeyFile;
pub use platform::{ClientError, Native, OriginTls};

/// A point of presence: the core and its door to the world. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Pop(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Replaced as a whole when keys change; a request keeps the one that it began with.
    edge: RwLock<Arc<Edge>>,
    native: Native,
    scheme: uri::Scheme,
    trust: Trust,
}

impl Pop {
    /// `scheme` is what viewers use, which is not what arrives where TLS ends before this process. It is never
    /// taken from a request: a token may be for one scheme alone.
    pub fn new(edge: Edge, native: Native, scheme: uri::Scheme, trust: Trust) -> Self {
        Self(Arc::new(Inner {
            edge: RwLock::new(Arc::new(edge)),
            native,
            scheme,
            trust,
        }))
    }

    /// Goes on with another edge from the next request on. Connections to the origin and what the store remembers
    /// live on; requests under way end as they began.
    pub fn replace(&self, edge: Edge) {
        // Whoever held the lock and panicked had only copied or set a pointer.
        let mut current = self.0.edge.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(edge);
    }

    /// The edge as a router: every path of every method is the core's to judge.
    ///
    /// The other end of a connection is looked for in the requests' [`Peer`], which `selvedge_listen` tells, or in
    /// their [`ConnectInfo`] of a [`SocketAddr`]; without either, the client's address is unknown.
    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }

    fn edge(&self) -> Arc<Edge> {
        self.0.edge.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn handle(State(pop): State<Pop>, request: Request<axum::body::Body>) -> Response<axum::body::Body> {
    let (mut parts, _body) = request.into_parts();
    let head = parts.method == http::Method::HEAD;
    parts.uri = absolute(&parts.uri, parts.headers.get(http::header::HOST), &pop.0.scheme);
    let peer = parts.extensions.remove::<Peer>().or_else(|| {
        let connection = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        connection.map(|ConnectInfo(address)| Peer {
            address: *address,
            tls: None,
        })
    });
    let request = Request::from_parts(parts, ());
    let client = pop.0.trust.client(peer.as_ref(), request.headers());
    let visit = Visit {
        request: &request,
        context: &client,
        now: now(),
        random: random(),
    };
    let edge = pop.edge();
    let handled = edge.handle(&pop.0.native, &visit).await;
    log(&handled.record);
    respond(handled, head)
}

fn respond(handled: Handled<reqwest::Body>, head: bool) -> Response<axum::body::Body> {
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
    let of_field = || host.and_then(|host| uri::Authority::try_from(host.as_bytes()).ok());
    let authority = parts.authority.or_else(of_field);
    // Without a host there could be no scheme either, and none is not the operator's. This one is nobody's (RFC 6761
    // §6.4), so no token is for it.
    parts.authority = Some(authority.unwrap_or_else(|| uri::Authority::from_static("host.invalid")));
    parts.scheme = Some(scheme.clone());
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

fn random() -> Option<u64> {
    getrandom::u64().ok()
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
        iss,
        cti,
        onward,
        reason,
        claim,
        pace,
        origin,
        problem,
        fault,
        detail,
        ..
    } = record;
    tracing::info!(
        method, path, route, status, token, kid, iss, cti, onward, reason, claim, pace, origin, problem,
        fault, detail, "request"
    );
}
