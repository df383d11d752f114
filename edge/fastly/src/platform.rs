//! The core's wants, answered by backends and by the store.

use std::io::Read as _;

use fastly::{
    Request,
    http::request::{PendingRequest, SendError, SendErrorCause},
};
use selvedge_edge::{Answer, Body, OriginRequest, OriginResponse, Plan, Platform, Read, Unanswered, Want};

use crate::store::{Asked, Document};

/// The backend's name. Its address, TLS, `Host` and time-outs are the service's to configure.
const BACKEND: &str = "origin";

/// The world of one request: the origin, or a shield before it, and the service's stores.
pub(crate) struct World;

/// A want on its way.
#[expect(
    clippy::large_enum_variant,
    reason = "a handful a request, each moved once: a box costs more"
)]
enum Started {
    Origin(Result<(PendingRequest, Read), Unanswered>),
    Store(Asked),
    Document(Document),
}

impl Platform for World {
    type Body = fastly::Body;

    async fn gather(&self, plan: Plan) -> Vec<Answer<fastly::Body>> {
        // Calls to the host block, so all are started before the first is waited for.
        let started: Vec<Started> = plan.wants.into_iter().map(start).collect();
        started
            .into_iter()
            .map(|started| match started {
                Started::Origin(started) => Answer::Origin(started.and_then(finish)),
                Started::Store(asked) => Answer::Store(asked.finish()),
                Started::Document(document) => Answer::Document(document.finish()),
            })
            .collect()
    }
}

fn start(want: Want) -> Started {
    match want {
        Want::Origin(request) => Started::Origin(send(request)),
        Want::Store(request) => Started::Store(Asked::start(request)),
        Want::Document { key, limit } => Started::Document(Document::start(&key, limit)),
        other => Started::Origin(Err(Unanswered::Unreachable(format!(
            "this edge has no answer to {other:?}"
        )))),
    }
}

fn send(request: OriginRequest) -> Result<(PendingRequest, Read), Unanswered> {
    let OriginRequest {
        method,
        target,
        headers,
        read,
    } = request;
    // Where it goes is the backend's to say; the URL needs some host, and its path and query are what counts.
    let mut outgoing = Request::new(method, format!("http://{BACKEND}{target}"));
    for (name, value) in &headers {
        outgoing.append_header(name, value);
    }
    // Past the read-through cache: concurrent misses there wait for one another, and a live playlist or an answer
    // that must not be stored would let them through one by one.
    outgoing.set_pass(true);
    let pending = outgoing.send_async(BACKEND).map_err(|error| unanswered(&error))?;
    Ok((pending, read))
}

fn finish((pending, read): (PendingRequest, Read)) -> Result<OriginResponse<fastly::Body>, Unanswered> {
    let response = pending.wait().map_err(|error| unanswered(&error))?;
    let (parts, body) = http::Response::from(response).into_parts();
    let body = match read {
        Read::Handle => Body::Upstream(body),
        Read::Bytes { limit } => Body::Bytes(bytes(body, limit)?),
    };
    Ok(OriginResponse {
        status: parts.status,
        headers: parts.headers,
        body,
    })
}

fn bytes(body: fastly::Body, limit: usize) -> Result<Vec<u8>, Unanswered> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    body.take(one_more)
        .read_to_end(&mut bytes)
        .map_err(|error| Unanswered::Unreachable(error.to_string()))?;
    if bytes.len() > limit {
        return Err(Unanswered::TooLarge);
    }
    Ok(bytes)
}

fn unanswered(error: &SendError) -> Unanswered {
    match error.root_cause() {
        SendErrorCause::DnsTimeout
        | SendErrorCause::ConnectionTimeout
        | SendErrorCause::HttpResponseTimeout => Unanswered::Timeout,
        cause => Unanswered::Unreachable(cause.to_string()),
    }
}
