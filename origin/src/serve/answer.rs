//! Answers: problem documents, conditional requests, ranges, cache headers.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    IF_RANGE, RANGE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::cmaf::Kind;

/// How long caches may keep an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Freshness {
    /// The bytes behind the URL never change.
    Immutable,
    /// A live playlist or MPD.
    Live,
    /// The multivariant playlist.
    Slow,
    /// Not at all.
    None,
}

impl Freshness {
    pub(super) fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Immutable => "public, max-age=31536000, immutable",
            Self::Live => "public, max-age=1",
            Self::Slow => "public, max-age=30",
            Self::None => "no-store",
        })
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut body = serde_json::json!({
            "type": format!("urn:selvedge:error:{}", self.slug()),
            "title": self.title(),
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        if let (Self::Faults { faults }, Some(body)) = (&self, body.as_object_mut()) {
            let fault =
                |(at, message): &(String, String)| serde_json::json!({ "at": at, "message": message });
            body.insert("faults".to_owned(), faults.iter().map(fault).collect());
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, Freshness::None.value());
        match self {
            Self::Method { allowed, .. } => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::NoCredentials { challenges } => {
                for challenge in challenges {
                    if let Ok(challenge) = HeaderValue::try_from(challenge) {
                        headers.append(WWW_AUTHENTICATE, challenge);
                    }
                }
            }
            Self::NotOperator => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Range { length } => {
                headers
                    .extend(HeaderValue::try_from(format!("bytes */{length}")).map(|v| (CONTENT_RANGE, v)));
            }
            _ => {}
        }
        response
    }
}

/// `Cache-Control` of an answer that may be kept for so many seconds, at least one.
pub(super) fn fresh_for(seconds: u32) -> HeaderValue {
    HeaderValue::try_from(format!("public, max-age={}", seconds.max(1)))
        .unwrap_or(HeaderValue::from_static("public, max-age=1"))
}

/// The media type of a track's objects.
pub(super) fn media_type(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Video) => "video/mp4",
        Some(Kind::Audio) => "audio/mp4",
        Some(Kind::Text | Kind::Event) | None => "application/mp4",
    }
}

/// Answers with a document or object: whole, a range of it, or "not modified".
pub(crate) fn object(
    request: &HeaderMap,
    body: Bytes,
    kind: &'static str,
    freshness: Freshness,
    name: &str,
) -> Response {
    // An object's bytes never change behind its name; a document's do, so they are hashed.
    let tag = match freshness {
        Freshness::Immutable => immutable_tag(name, body.len()),
        _ => entity_tag(&body),
    };
    tagged(request, body, kind, freshness, tag)
}

/// Answers with an object of a marked track, whose tag says nothing of what it is called.
pub(super) fn opaque_object(request: &HeaderMap, body: Bytes, kind: &'static str) -> Response {
    let tag = entity_tag(&body);
    tagged(request, body, kind, Freshness::Immutable, tag)
}

fn tagged(
    request: &HeaderMap,
    body: Bytes,
    kind: &'static str,
    freshness: Freshness,
    tag: String,
) -> Response {
    let asked = |name| request.get(name).and_then(|value| value.to_str().ok());
    let mut response = if asked(IF_NONE_MATCH).is_some_and(|tags| matches(tags, &tag)) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let total = body.len() as u64;
        let is_ranged = freshness == Freshness::Immutable && asked(IF_RANGE).is_none_or(|known| known == tag);
        let range = asked(RANGE)
            .filter(|_| is_ranged)
            .map_or(Ranged::Whole, |range| Ranged::parse(range, total));
        match range {
            Ranged::Whole => full(body, kind, total),
            Ranged::Outside => return Error::Range { length: total }.into_response(),
            Ranged::Part { first, last } => {
                let part = body.slice(first as usize..=last as usize);
                let length = part.len() as u64;
                let mut response = full(part, kind, length);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let value = HeaderValue::try_from(format!("bytes {first}-{last}/{total}"));
                response
                    .headers_mut()
                    .extend(value.map(|value| (CONTENT_RANGE, value)));
                response
            }
        }
    };
    let headers = response.headers_mut();
    if freshness == Freshness::Immutable {
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    headers.extend(HeaderValue::try_from(tag).map(|tag| (ETAG, tag)));
    headers.insert(CACHE_CONTROL, freshness.value());
    response
}

/// Answers with a small text that nobody may keep.
pub(crate) fn text(body: String, kind: &'static str) -> Response {
    let length = body.len() as u64;
    let mut response = full(Bytes::from(body), kind, length);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, Freshness::None.value());
    response
}

fn full(body: Bytes, kind: &'static str, length: u64) -> Response {
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

pub(super) fn entity_tag(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let short = digest
        .first_chunk::<8>()
        .map_or(0, |first| u64::from_be_bytes(*first));
    format!("\"{short:016x}\"")
}

/// The entity tag of an object whose bytes never change behind its name.
pub(super) fn immutable_tag(name: &str, length: usize) -> String {
    format!("\"{name}-{length}\"")
}

/// Whether a list of entity tags has this one.
pub(super) fn matches(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// What a `Range` header asks for (RFC 9110 §14.2). Several ranges are answered with the whole.
enum Ranged {
    Whole,
    Part { first: u64, last: u64 },
    Outside,
}

impl Ranged {
    fn parse(text: &str, total: u64) -> Self {
        let Some((first, last)) = text.strip_prefix("bytes=").and_then(|spec| spec.split_once('-')) else {
            return Self::Whole;
        };
        let number = |text: &str| text.trim().parse::<u64>().ok();
        match (
            first.trim().is_empty(),
            number(first),
            last.trim().is_empty(),
            number(last),
        ) {
            (false, Some(first), _, _) if first >= total => Self::Outside,
            (false, Some(first), true, _) => Self::Part {
                first,
                last: total - 1,
            },
            (false, Some(first), false, Some(last)) if last >= first => Self::Part {
                first,
                last: last.min(total - 1),
            },
            (true, _, false, Some(0)) => Self::Outside,
            (true, _, false, Some(suffix)) if total > 0 => Self::Part {
                first: total.saturating_sub(suffix),
                last: total - 1,
            },
            _ => Self::Whole,
        }
    }
}
