//! Between the runtime's requests and responses and the core's.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use selvedge_edge::Body;
use worker::{Headers, Request, Response, ResponseBody, ResponseBuilder};

use crate::platform::Upstream;

/// The core's form of a request.
///
/// # Errors
/// The URL is longer than `http` can hold. The runtime has parsed it, so it is well formed.
pub(crate) fn request(request: &Request) -> Result<http::Request<()>, http::Error> {
    let inner = request.inner();
    let mut converted = http::Request::builder()
        .method(Method::from_bytes(inner.method().as_bytes())?)
        .uri(inner.url())
        .body(())?;
    *converted.headers_mut() = header_map(request.headers());
    Ok(converted)
}

/// The runtime's form of a response.
pub(crate) fn response(response: http::Response<Body<Upstream>>) -> Response {
    let (parts, body) = response.into_parts();
    let body = match body {
        Body::Empty => ResponseBody::Empty,
        // The runtime accepts no body here, not even an empty one.
        _ if has_no_body(parts.status) => ResponseBody::Empty,
        Body::Bytes(bytes) => ResponseBody::Body(bytes),
        Body::Upstream(body) => body.into_inner(),
    };
    ResponseBuilder::new()
        .with_status(parts.status.as_u16())
        .with_headers(headers(&parts.headers))
        .body(body)
}

/// Fetch Standard §2.2.3, "null body status".
fn has_no_body(status: StatusCode) -> bool {
    matches!(status.as_u16(), 101 | 103 | 204 | 205 | 304)
}

/// The core's form of headers.
pub(crate) fn header_map(headers: &Headers) -> HeaderMap {
    headers
        .entries()
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(&bytes_of(&value)).ok()?))
        })
        .collect()
}

/// The runtime's form of headers.
pub(crate) fn headers(map: &HeaderMap) -> Headers {
    map.iter()
        .map(|(name, value)| (name.to_string(), text_of(value.as_bytes())))
        .collect()
}

/// JavaScript holds header values as byte strings: each character is one byte (WebIDL `ByteString`). The runtime
/// puts a character of no byte where a viewer's bytes were no text: it becomes one that spoils nothing beside it.
fn bytes_of(value: &str) -> Vec<u8> {
    value.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

fn text_of(value: &[u8]) -> String {
    value.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_header_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&text_of(&bytes)), bytes);
        assert_eq!(bytes_of("\u{fffd}, token"), b"?, token");
    }
}
