//! Refusals and failures, as viewers see them (RFC 9457) and as operators read them.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use selvedge_token::{Answer as ConsequenceAnswer, Authentic, Class, UriError};
use serde_json::json;

use crate::{authorise::Refused, platform::Body, site::ConfigError};

/// Why a request is not answered with what it asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Problem {
    MethodNotAllowed,
    UrlTooLong,
    MalformedUrl(UriError),
    UnknownPath,
    TokenMissing,
    TokenRefused(Box<Refused>),
    /// The token is good, and its subject has as many streams as it may have.
    TooManyStreams(Arc<Authentic>),
    /// A variant, or what says which bit a segment carries, was asked for by its name.
    VariantNamed,
    /// Marked media was asked for without a mark.
    MarkMissing,
    /// The text says why, for the log alone.
    MarkUnusable(String),
    /// The tokens of one request have marks of several sessions.
    MarksMixed,
    /// A range of bytes goes beyond the segment that it begins in.
    RangeAcrossMarks,
    /// Nothing says which bit a segment carries.
    MarkUnplaced,
    /// The text says why, for the log alone.
    OriginUnreachable(String),
    OriginTimeout,
    /// The origin sent what a viewer may not get or what cannot be rewritten.
    OriginDocument(&'static str),
    Misconfigured(String),
}

/// Whose fault a problem is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Viewer,
    Operator,
    Origin,
}

impl Fault {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Origin => "origin",
        }
    }
}

impl Problem {
    /// The last part of the problem's type, stable for programs.
    pub(crate) const fn slug(&self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "method-not-allowed",
            Self::UrlTooLong => "url-too-long",
            Self::MalformedUrl(_) => "malformed-url",
            Self::UnknownPath => "unknown-path",
            Self::TokenMissing => "token-missing",
            Self::TokenRefused(refused) => match refused.refusal.class() {
                Class::Invalid => "token-invalid",
                Class::Expired => "token-expired",
                Class::NotYetValid => "token-not-yet-valid",
                Class::OutOfScope => "token-scope",
            },
            Self::TooManyStreams(_) => "too-many-streams",
            Self::VariantNamed => "variant-named",
            Self::MarkMissing => "mark-missing",
            Self::MarkUnusable(_) => "mark-unusable",
            Self::MarksMixed => "marks-mixed",
            Self::RangeAcrossMarks => "range-across-marks",
            Self::MarkUnplaced => "mark-unplaced",
            Self::OriginUnreachable(_) => "origin-unreachable",
            Self::OriginTimeout => "origin-timeout",
            Self::OriginDocument(_) => "origin-document",
            Self::Misconfigured(_) => "misconfigured",
        }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UrlTooLong => StatusCode::URI_TOO_LONG,
            Self::MalformedUrl(_) => StatusCode::BAD_REQUEST,
            Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::TokenMissing => StatusCode::UNAUTHORIZED,
            Self::TokenRefused(refused) => match refused.refusal.class() {
                Class::Invalid | Class::Expired | Class::NotYetValid => StatusCode::UNAUTHORIZED,
                Class::OutOfScope => StatusCode::FORBIDDEN,
            },
            Self::TooManyStreams(_)
            | Self::VariantNamed
            | Self::MarkMissing
            | Self::MarkUnusable(_)
            | Self::MarksMixed
            | Self::RangeAcrossMarks => StatusCode::FORBIDDEN,
            Self::OriginUnreachable(_) | Self::OriginDocument(_) | Self::MarkUnplaced => {
                StatusCode::BAD_GATEWAY
            }
            Self::OriginTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Misconfigured(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) const fn fault(&self) -> Fault {
        match self {
            Self::OriginUnreachable(_)
            | Self::OriginTimeout
            | Self::OriginDocument(_)
            | Self::MarkUnplaced => Fault::Origin,
            Self::Misconfigured(_) => Fault::Operator,
            _ => Fault::Viewer,
        }
    }

    /// For the operator's log. It never holds a token.
    pub(crate) fn detail(&self) -> Option<String> {
        match self {
            Self::TokenRefused(refused) => Some(refused.refusal.to_string()),
            Self::MalformedUrl(error) => Some(error.to_string()),
            Self::OriginUnreachable(why) | Self::Misconfigured(why) | Self::MarkUnusable(why) => {
                Some(why.clone())
            }
            Self::MarkUnplaced => {
                Some("neither the origin nor the name of a segment says its position".into())
            }
            Self::OriginDocument(what) => Some(format!("the origin sent {what}")),
            _ => None,
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "Only GET, HEAD and OPTIONS are answered here",
            Self::UrlTooLong => "The URL is longer than 8192 bytes",
            Self::MalformedUrl(_) => "The URL cannot be read",
            Self::UnknownPath => "Nothing is served under this path",
            Self::TokenMissing => "A token is needed",
            Self::TokenRefused(refused) => match refused.refusal.class() {
                Class::Invalid => "The token is not valid",
                Class::Expired => "The token has expired",
                Class::NotYetValid => "The token is not valid yet",
                Class::OutOfScope => "The token does not cover this request",
            },
            Self::TooManyStreams(_) => "Too many streams are playing",
            Self::VariantNamed => "This is not for viewers",
            Self::MarkMissing => "A token for this session is needed",
            Self::MarkUnusable(_) => "The token's session cannot be served",
            Self::MarksMixed => "The tokens are of several sessions",
            Self::RangeAcrossMarks => "The range is not within one segment",
            Self::MarkUnplaced => "The origin's segment cannot be served",
            Self::OriginUnreachable(_) => "The origin cannot be reached",
            Self::OriginTimeout => "The origin did not answer in time",
            Self::OriginDocument(_) => "The origin's answer cannot be served",
            Self::Misconfigured(_) => "This edge is not configured",
        }
    }

    /// The viewer's answer. It says what to do next and nothing that helps to forge a token. Where the token
    /// itself says how such a refusal is to be answered, it is answered so.
    pub(crate) fn response<B>(&self) -> Response<Body<B>> {
        if let Self::TokenRefused(refused) = self
            && let Some(response) = refused.answer.as_ref().and_then(consequence)
        {
            return response;
        }
        let status = self.status();
        let body = json!({
            "type": format!("urn:selvedge:error:{}", self.slug()),
            "title": self.title(),
            "status": status.as_u16(),
        });
        let body = body.to_string().into_bytes();
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CONTENT_LENGTH, body.len().into());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("CAT"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
            }
            _ => {}
        }
        *response.body_mut() = Body::Bytes(body);
        response
    }
}

/// The answer that a refused token's `catif` asks for; `None` where it cannot be written.
fn consequence<B>(answer: &ConsequenceAnswer) -> Option<Response<Body<B>>> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::from_u16(answer.status).ok()?;
    let headers = response.headers_mut();
    for (name, value) in &answer.fields {
        headers.append(
            HeaderName::try_from(name.as_str()).ok()?,
            HeaderValue::try_from(value.as_str()).ok()?,
        );
    }
    // It may hold a token that was minted for this viewer.
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    Some(response)
}

/// The answer to a request whose URL is too long to be held as one.
pub fn too_long<B>() -> crate::Handled<B> {
    let problem = Problem::UrlTooLong;
    crate::Handled {
        response: problem.response(),
        record: crate::Record::of_problem(&problem),
    }
}

/// The answer of an edge whose configuration could not be read: 500 for everybody, with the reason for the
/// operator's log alone.
pub fn misconfigured<B>(error: &ConfigError) -> crate::Handled<B> {
    let problem = Problem::Misconfigured(error.to_string());
    let record = crate::Record::of_problem(&problem);
    crate::Handled {
        response: problem.response(),
        record,
    }
}
