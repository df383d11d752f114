//! What Cloudflare knows of a client: `request.cf`, and the one header that it writes itself.

use std::{borrow::Cow, net::IpAddr};

use selvedge_edge::{Coordinates, FingerprintKind, RequestContext};
use worker::{Request, js_sys::Reflect, send::SendWrapper, wasm_bindgen::JsValue};

/// A request's client. Each fact is read from the runtime when it is asked for.
///
/// The runtime shows no public key of a client certificate, so `cattpk` is never answered.
pub(crate) struct Client {
    /// Cloudflare overwrites what a client sends under this name.
    address: Option<IpAddr>,
    https: bool,
    /// One isolate has one thread: nobody else will look.
    cf: SendWrapper<JsValue>,
}

impl Client {
    pub(crate) fn of(request: &Request) -> Self {
        let address = request.headers().get("CF-Connecting-IP").ok().flatten();
        Self {
            address: address.and_then(|address| address.parse().ok()),
            https: request.inner().url().starts_with("https:"),
            cf: SendWrapper::new(member(request.inner(), "cf")),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        text(&self.cf.0, name)
    }
}

impl RequestContext for Client {
    fn address(&self) -> Option<IpAddr> {
        self.address.map(|address| address.to_canonical())
    }

    fn asn(&self) -> Option<u32> {
        number(member(&self.cf.0, "asn").as_f64()?)
    }

    fn country(&self) -> Option<Cow<'_, str>> {
        self.text("country")
            .filter(|code| is_country(code))
            .map(Cow::Owned)
    }

    fn subdivision(&self) -> Option<Cow<'_, str>> {
        self.text("regionCode").map(Cow::Owned)
    }

    fn coordinates(&self) -> Option<Coordinates> {
        Some(Coordinates {
            latitude: degrees(&self.text("latitude")?, 90.0)?,
            longitude: degrees(&self.text("longitude")?, 180.0)?,
        })
    }

    fn alpn(&self) -> Option<Cow<'_, [u8]>> {
        // The runtime names the protocol and not how it was agreed on, which without TLS it was not.
        self.text("tlsVersion").filter(|_| self.https)?;
        alpn(&self.text("httpProtocol")?).map(Cow::Borrowed)
    }

    fn tls_fingerprint(&self, kind: FingerprintKind) -> Option<Cow<'_, str>> {
        let name = match kind {
            FingerprintKind::Ja3 => "ja3Hash",
            FingerprintKind::Ja4 => "ja4",
            _ => return None,
        };
        text(&member(&self.cf.0, "botManagement"), name).map(Cow::Owned)
    }
}

/// A member of an object; `undefined` where there is none, or no object.
fn member(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

/// A text that says something.
fn text(object: &JsValue, name: &str) -> Option<String> {
    member(object, name).as_string().filter(|text| !text.is_empty())
}

fn number(value: f64) -> Option<u32> {
    // `as` cuts off: what comes back unchanged was a number of this kind.
    let number = value as u32;
    (f64::from(number) == value).then_some(number)
}

/// `XX` stands for a country that is not known, `T1` for Tor, which is none.
fn is_country(code: &str) -> bool {
    code.len() == 2 && code != "XX" && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn degrees(text: &str, most: f64) -> Option<f64> {
    text.parse().ok().filter(|degrees: &f64| degrees.abs() <= most)
}

/// The identification sequence of a protocol (RFC 7301 §6) that the runtime names as HTTP does.
fn alpn(protocol: &str) -> Option<&'static [u8]> {
    match protocol {
        "HTTP/1.0" => Some(b"http/1.0"),
        "HTTP/1.1" => Some(b"http/1.1"),
        "HTTP/2" => Some(b"h2"),
        "HTTP/3" => Some(b"h3"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_has_its_name_in_tls() {
        assert_eq!(alpn("HTTP/2"), Some(b"h2".as_slice()));
        assert_eq!(alpn("HTTP/1.1"), Some(b"http/1.1".as_slice()));
        assert_eq!(alpn("HTTP/3"), Some(b"h3".as_slice()));
        assert_eq!(alpn("h2"), None);
    }

    #[test]
    fn what_is_no_place_is_unknown() {
        assert!(is_country("SE"));
        for none in ["XX", "T1", "", "se", "SWE"] {
            assert!(!is_country(none), "{none}");
        }
        assert_eq!(degrees("59.3293", 90.0), Some(59.3293));
        for none in ["", "NaN", "90.1", "inf"] {
            assert_eq!(degrees(none, 90.0), None, "{none}");
        }
    }

    #[test]
    fn a_number_that_is_none_of_a_network_is_unknown() {
        assert_eq!(number(64_500.0), Some(64_500));
        assert_eq!(number(4_294_967_295.0), Some(u32::MAX));
        for none in [-1.0, 1.5, 4_294_967_296.0, f64::NAN] {
            assert_eq!(number(none), None, "{none}");
        }
    }
}
