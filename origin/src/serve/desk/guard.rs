//! Who may see and change breaks: whoever has the token, or without one whoever sits at the machine.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::header::{FORWARDED, HOST, VIA};
use http::request::Parts;

use super::super::Origin;
use crate::Error;

/// Somebody who may see and change breaks.
pub(super) struct Operator;

impl FromRequestParts<Origin> for Operator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, origin: &Origin) -> Result<Self, Error> {
        let headers = &parts.headers;
        match &origin.0.config.admin_token {
            Some(token) => match token.is_sent(headers) {
                true => Ok(Self),
                false => Err(Error::NotOperator),
            },
            None => {
                let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
                let is_here = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
                match is_here && !is_passed_on(headers) && is_same_site(headers) {
                    true => Ok(Self),
                    false => Err(Error::NotHere),
                }
            }
        }
    }
}

/// Whether somebody else's request was passed on by a server on this machine.
pub(in super::super) fn is_passed_on(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED) || headers.contains_key(VIA) || headers.contains_key("x-forwarded-for")
}

/// Whether no page of another site can have sent it: browsers say which did, and by what name they got here.
fn is_same_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    let is_own = site.is_none_or(|site| site == b"same-origin" || site == b"none");
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    is_own && host.is_none_or(is_loopback_name)
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_site_is_told_apart() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
            headers.collect::<HeaderMap>()
        };
        for own in [
            &[][..],
            &[("host", "127.0.0.1:9090")],
            &[("host", "localhost:9090"), ("sec-fetch-site", "same-origin")],
            &[("host", "[::1]:9090"), ("sec-fetch-site", "none")],
        ] {
            assert!(is_same_site(&of(own)), "{own:?}");
        }
        for other in [
            &[("host", "evil.example:9090")][..],
            &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
            &[("host", "localhost.evil.example")],
        ] {
            assert!(!is_same_site(&of(other)), "{other:?}");
        }
        assert!(is_passed_on(&of(&[("x-forwarded-for", "192.0.2.1")])));
    }
}
