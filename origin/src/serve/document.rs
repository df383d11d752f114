//! A document as it is sent: written once, compressed once, hashed once, whatever the number of viewers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::answer::{entity_tag, matches};
use super::cmsd;
use crate::observe::Held;
use crate::render::piece::{self, Piece};

/// A document, ready to be sent.
#[derive(Debug)]
pub(super) struct Document {
    pieces: Vec<Arc<Piece>>,
    kind: &'static str,
    cmsd: cmsd::Static,
    plain: OnceLock<Coded>,
    gzip: OnceLock<Coded>,
}

/// One encoding of a document, and what every answer with it says of it.
#[derive(Debug)]
struct Coded {
    body: Bytes,
    length: HeaderValue,
    tag: HeaderValue,
    /// What is said to those who did not wait.
    said: Option<HeaderValue>,
}

impl Document {
    /// A document of these pieces and of that media type.
    pub(super) fn new(pieces: Vec<Arc<Piece>>, kind: &'static str, cmsd: cmsd::Static) -> Self {
        Self {
            pieces,
            kind,
            cmsd,
            plain: OnceLock::new(),
            gzip: OnceLock::new(),
        }
    }

    /// A document of one piece.
    pub(super) fn of_text(text: String, kind: &'static str, cmsd: cmsd::Static) -> Self {
        Self::new(vec![Piece::new(text)], kind, cmsd)
    }

    /// Whether it is this text.
    pub(super) fn says(&self, text: &str) -> bool {
        matches!(&self.pieces[..], [only] if only.text() == text)
    }

    /// Answers a request. `held` is how long it waited for the document.
    pub(super) fn answer(
        &self,
        request: &HeaderMap,
        freshness: HeaderValue,
        held: Option<Duration>,
    ) -> Response {
        let mut response = self.answer_in(HeaderMap::new(), &Takes::of(request), freshness, held);
        if let Some(held) = held {
            response.extensions_mut().insert(Held(held));
        }
        response
    }

    /// The same, with the answer's headers in a map that has none: the request's own, where nobody reads it any more,
    /// has room for them.
    pub(super) fn answer_in(
        &self,
        mut headers: HeaderMap,
        takes: &Takes,
        freshness: HeaderValue,
        held: Option<Duration>,
    ) -> Response {
        let coded = if takes.gzip {
            self.gzip.get_or_init(|| self.coded(true))
        } else {
            self.plain.get_or_init(|| self.coded(false))
        };
        let is_known = takes.is_known(&coded.tag);
        headers.reserve(MOST_HEADERS);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(ETAG, coded.tag.clone());
        headers.insert(CACHE_CONTROL, freshness);
        let said = match held {
            Some(held) => self.cmsd.held(held),
            None => coded.said.clone(),
        };
        if let Some(said) = said {
            headers.insert(cmsd::STATIC, said);
        }
        let mut response = if is_known {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            headers.insert(CONTENT_LENGTH, coded.length.clone());
            if takes.gzip {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            Response::new(Body::from(coded.body.clone()))
        };
        *response.headers_mut() = headers;
        response
    }

    fn coded(&self, zipped: bool) -> Coded {
        let body = if zipped {
            piece::gzip(&self.pieces)
        } else {
            piece::plain(&self.pieces)
        };
        let tag = HeaderValue::try_from(entity_tag(&body));
        Coded {
            length: HeaderValue::from(body.len()),
            tag: tag.unwrap_or(HeaderValue::from_static("\"\"")),
            said: self.cmsd.value(),
            body,
        }
    }
}

/// What a request says of the answer that it takes.
#[derive(Debug)]
pub(super) struct Takes {
    gzip: bool,
    /// The versions that it has (`If-None-Match`).
    known: Option<HeaderValue>,
}

impl Takes {
    /// Of a request with these headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            gzip: takes_gzip(headers),
            known: headers.get(IF_NONE_MATCH).cloned(),
        }
    }

    fn is_known(&self, tag: &HeaderValue) -> bool {
        let (known, tag) = (self.known.as_ref().map(HeaderValue::to_str), tag.to_str());
        matches!((known, tag), (Some(Ok(known)), Ok(tag)) if matches(known, tag))
    }
}

/// Headers that a document's answer has, and those that every answer gets.
const MOST_HEADERS: usize = 10;

/// Whether a request takes gzip (RFC 9110 §12.5.3).
pub(super) fn takes_gzip(request: &HeaderMap) -> bool {
    let mut any = None;
    for value in request.get_all(ACCEPT_ENCODING) {
        for coding in value.to_str().unwrap_or_default().split(',') {
            let mut words = coding.split(';').map(str::trim);
            let name = words.next().unwrap_or_default();
            let refuses = words.any(|word| {
                let quality = word.strip_prefix("q=").or_else(|| word.strip_prefix("Q="));
                quality.is_some_and(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0))
            });
            if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                return !refuses;
            }
            if name == "*" {
                any = Some(!refuses);
            }
        }
    }
    any.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_alone_who_take_it() {
        let takes = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            takes_gzip(&headers)
        };
        for value in ["gzip", "br, gzip;q=0.5", "GZIP", "*", "br;q=0, *;q=0.1"] {
            assert!(takes(value), "{value}");
        }
        for value in ["", "br", "gzip;q=0", "gzip; q=0.0, *", "*;q=0"] {
            assert!(!takes(value), "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn each_encoding_has_a_tag_of_its_own_and_is_not_sent_twice() {
        let cmsd = cmsd::Static::new(cmsd::ObjectType::Manifest, Some(cmsd::Format::Hls), "o", true);
        let document = Document::of_text("#EXTM3U\n".to_owned(), "text/plain", cmsd);
        let ask = |headers: &[(http::HeaderName, &str)]| {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
                .collect();
            document.answer(&headers, HeaderValue::from_static("max-age=1"), None)
        };
        let tag = |response: &Response| response.headers()[ETAG].to_str().unwrap().to_owned();
        let plain = ask(&[]);
        let zipped = ask(&[(ACCEPT_ENCODING, "gzip")]);
        assert_eq!(zipped.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(plain.headers()[VARY], "accept-encoding");
        assert_eq!(plain.headers()[CONTENT_LENGTH], "8");
        assert_ne!(tag(&plain), tag(&zipped));
        let again = ask(&[(ACCEPT_ENCODING, "gzip"), (IF_NONE_MATCH, &tag(&zipped))]);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[CACHE_CONTROL], "max-age=1");
        let other = ask(&[(IF_NONE_MATCH, &tag(&zipped))]);
        assert_eq!(other.status(), StatusCode::OK);
    }
}
