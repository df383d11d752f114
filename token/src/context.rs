//! What claims may ask of a request.

use core::{fmt, net::IpAddr};
use std::borrow::Cow;

use crate::uri::RequestUri;

/// A request, as claims see it.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// The method, as sent.
    pub method: &'r str,
    /// The effective URI without the token; `None` where the recipient does not know it.
    pub uri: Option<&'r RequestUri>,
    /// The header fields, without any that carries the token.
    pub headers: &'r dyn Headers,
    /// The token's text as presented: a proof of possession names it (`ath`, RFC 9449 §4.2).
    pub token: &'r str,
    /// What the platform knows of the client and of its connection.
    pub context: &'r dyn RequestContext,
    /// A uniformly drawn number for this request alone, from a cryptographic source: the lot of `catpor`. `None`
    /// where there is no such source, which refuses tokens that need one.
    pub random: Option<u64>,
    /// Whether what is asked for stands at a path of its own.
    pub place: Place,
}

/// Whether what is asked for stands at a path that tokens name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Place {
    /// It does: all of `catu` is judged.
    #[default]
    Own,
    /// It belongs to whatever a token names, as an ad belongs to each channel that shows it: rules of `catu` for the path
    /// and its parts do not refuse it. All other rules and claims do.
    Shared,
}

impl<'r> Request<'r> {
    /// A request of which method and URI are known, and nothing else.
    pub const fn new(method: &'r str, uri: &'r RequestUri) -> Self {
        Self {
            method,
            uri: Some(uri),
            headers: &(),
            token: "",
            context: &(),
            random: None,
            place: Place::Own,
        }
    }
}

impl fmt::Debug for Request<'_> {
    /// Method and URI alone: headers may hold secrets, and so may the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

/// A request's header fields.
pub trait Headers {
    /// The value of a field: all its lines joined with `, ` (RFC 9110 §5.3). `name` is in lower case. `None`
    /// where the request has no such field, or where it holds what is no text.
    fn combined(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// No header fields.
impl Headers for () {
    fn combined(&self, _name: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Pairs of a name in lower case and a value, one for each line.
impl Headers for &[(&str, &str)] {
    fn combined(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut lines = self
            .iter()
            .filter(|(have, _)| *have == name)
            .map(|(_, value)| *value);
        let first = lines.next()?;
        Some(lines.fold(Cow::Borrowed(first), |joined, line| joined + ", " + line))
    }
}

/// What a platform knows of a request beyond its text: the one trait that an adapter implements.
///
/// Each answer is asked for only when a claim needs it. `None` means that the platform does not know, and a
/// claim that needed the answer then refuses: nothing is admitted for want of knowledge.
pub trait RequestContext {
    /// The client's address, as the platform vouches for it.
    fn address(&self) -> Option<IpAddr> {
        None
    }

    /// The number of the autonomous system that the client's address belongs to.
    fn asn(&self) -> Option<u32> {
        None
    }

    /// The client's country: ISO 3166-1 alpha-2, upper case.
    fn country(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// The subdivision: the part of its ISO 3166-2 code after the hyphen, upper case.
    fn subdivision(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Where the client is.
    fn coordinates(&self) -> Option<Coordinates> {
        None
    }

    /// The client's height above the WGS 84 ellipsoid, in metres.
    fn altitude(&self) -> Option<f64> {
        None
    }

    /// The protocol that TLS negotiated (RFC 7301); `None` also where the request did not come over TLS.
    fn alpn(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// The public keys of the client's certificate chain: each a DER `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    /// `None` where the platform cannot tell, empty where the client showed no certificate.
    fn certificate_keys(&self) -> Option<Vec<Cow<'_, [u8]>>> {
        None
    }

    /// A fingerprint of the client's TLS hello.
    fn tls_fingerprint(&self, kind: FingerprintKind) -> Option<Cow<'_, str>> {
        let _ = kind;
        None
    }
}

/// Nothing is known.
impl RequestContext for () {}

/// A place on the WGS 84 ellipsoid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
}

/// How a TLS fingerprint was made: the types of `cattprint`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum FingerprintKind {
    /// JA3 of the client's hello.
    Ja3 = 0,
    /// JA3 of the server's hello.
    Ja3s = 1,
    /// JA4 of the client's hello.
    Ja4 = 2,
    /// JA4 of the server's hello.
    Ja4s = 3,
    /// JA4 of the HTTP request.
    Ja4h = 4,
    /// JA4 of the latency.
    Ja4l = 5,
    /// JA4 of the certificate.
    Ja4x = 6,
    /// JA4 of SSH.
    Ja4ssh = 7,
    /// JA4 of the TCP hello.
    Ja4t = 8,
    /// JA4 of the TCP answer.
    Ja4ts = 9,
    /// JA4 of an active TCP scan.
    Ja4tscan = 10,
    /// JA4 of DHCP.
    Ja4d = 11,
    /// JA4 of DHCPv6.
    Ja4d6 = 12,
}

impl FingerprintKind {
    const ALL: [Self; 13] = [
        Self::Ja3,
        Self::Ja3s,
        Self::Ja4,
        Self::Ja4s,
        Self::Ja4h,
        Self::Ja4l,
        Self::Ja4x,
        Self::Ja4ssh,
        Self::Ja4t,
        Self::Ja4ts,
        Self::Ja4tscan,
        Self::Ja4d,
        Self::Ja4d6,
    ];

    /// The kind with this number in the claim.
    pub fn from_key(key: i128) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i128 == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_name_are_joined_in_order() {
        let headers: &[(&str, &str)] = &[("via", "a"), ("x", "y"), ("via", "b")];
        assert_eq!(headers.combined("via").unwrap(), "a, b");
        assert_eq!(headers.combined("absent"), None);
    }
}
