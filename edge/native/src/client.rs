//! Who asks: from the socket and its handshake, or from a proxy that the operator trusts.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use selvedge_edge::{Coordinates, FingerprintKind, RequestContext, certificate::keys_of_fields};
use selvedge_listen::{Peer, TlsFacts};
use serde::Deserialize;

/// Whom the operator trusts to say who the client is.
///
/// A header proves nothing: anybody may send one. So the header fields named here are read only from a peer whose
/// address is listed, and such a peer must overwrite what it was sent itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trust {
    /// Addresses and prefixes of proxies.
    pub proxies: Vec<Prefix>,
    /// The header fields in which these proxies tell more than an address.
    pub facts: Facts,
}

/// An address, or all that share its first bits: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Prefix(IpNet);

/// The names of the header fields in which a trusted proxy tells what it knows of a client. A fact without a name
/// is unknown, and a token whose claim asks for it is refused.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// Its country: ISO 3166-1 alpha-2.
    pub country: Option<FieldName>,
    /// The part of its ISO 3166-2 subdivision code after the hyphen.
    pub subdivision: Option<FieldName>,
    /// Its autonomous system: a number, with or without `AS` before it.
    pub asn: Option<FieldName>,
    /// Degrees north.
    pub latitude: Option<FieldName>,
    /// Degrees east.
    pub longitude: Option<FieldName>,
    /// The protocol that TLS negotiated (RFC 7301), such as `h2`; empty where it was none.
    pub alpn: Option<FieldName>,
    /// The JA3 hash of its TLS hello.
    pub ja3: Option<FieldName>,
    /// The JA4 fingerprint of its TLS hello.
    pub ja4: Option<FieldName>,
    /// Its certificate as in `Client-Cert` (RFC 9440).
    pub certificate: Option<FieldName>,
    /// The certificates above that one as in `Client-Cert-Chain` (RFC 9440).
    pub certificate_chain: Option<FieldName>,
}

/// The name of a header field.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct FieldName(HeaderName);

/// What is known of one request's client.
#[derive(Debug)]
pub(crate) struct Client<'r> {
    address: Option<IpAddr>,
    told: Told<'r>,
}

/// Where facts beside the address come from.
#[derive(Debug)]
enum Told<'r> {
    /// From nowhere.
    Nothing,
    /// From the handshake with the client itself.
    Handshake(&'r TlsFacts),
    /// From header fields of a proxy that is trusted.
    Proxy(&'r Facts, &'r HeaderMap),
}

impl Trust {
    /// The client of a request that came from `peer`, the other end of its connection. What a proxy's own handshake
    /// told is the proxy's, and nothing of the client's.
    pub(crate) fn client<'r>(&'r self, peer: Option<&'r Peer>, headers: &'r HeaderMap) -> Client<'r> {
        // A socket for both families shows an IPv4 peer as an IPv6 address.
        let address = peer.map(|peer| peer.address.ip().to_canonical());
        match address {
            Some(proxy) if self.is_proxy(proxy) => Client {
                address: self.forwarded(headers),
                told: Told::Proxy(&self.facts, headers),
            },
            _ => Client {
                address,
                told: peer
                    .and_then(|peer| peer.tls.as_deref())
                    .map_or(Told::Nothing, Told::Handshake),
            },
        }
    }

    /// The client's address from `X-Forwarded-For`. Each proxy appends whom it heard from, so the list is read from
    /// its end, and the first address that is no proxy's is the client's: what stands before it is the client's own
    /// invention. `None` where there is no such field, or something else than an address at that place.
    fn forwarded(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        let mut nearest = None;
        for line in lines.into_iter().rev() {
            for hop in line.to_str().ok()?.rsplit(',') {
                let hop = address(hop.trim())?;
                if !self.is_proxy(hop) {
                    return Some(hop);
                }
                nearest = Some(hop);
            }
        }
        // Proxies all the way: the farthest of them asks for itself.
        nearest
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|prefix| prefix.0.contains(&address))
    }
}

/// An address, which some proxies write with its port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.parse().ok();
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address: IpAddr = bare.or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

impl Client<'_> {
    /// A fact in words. A field that came twice is nobody's word: the client may have sent one of the two.
    fn fact(&self, name: impl Fn(&Facts) -> &Option<FieldName>) -> Option<&str> {
        let Told::Proxy(facts, headers) = self.told else {
            return None;
        };
        let mut lines = headers.get_all(&name(facts).as_ref()?.0).iter();
        let line = lines.next()?.to_str().ok()?.trim();
        (lines.next().is_none() && !line.is_empty()).then_some(line)
    }

    fn degrees(&self, name: impl Fn(&Facts) -> &Option<FieldName>, most: f64) -> Option<f64> {
        let degrees: f64 = self.fact(name)?.parse().ok()?;
        (degrees.abs() <= most).then_some(degrees)
    }
}

impl RequestContext for Client<'_> {
    fn address(&self) -> Option<IpAddr> {
        self.address
    }

    fn asn(&self) -> Option<u32> {
        let asn = self.fact(|facts| &facts.asn)?;
        asn.strip_prefix("AS").unwrap_or(asn).parse().ok()
    }

    fn country(&self) -> Option<Cow<'_, str>> {
        let country = self.fact(|facts| &facts.country)?.to_ascii_uppercase();
        (country.len() == 2).then_some(Cow::Owned(country))
    }

    fn subdivision(&self) -> Option<Cow<'_, str>> {
        let subdivision = self.fact(|facts| &facts.subdivision)?;
        Some(Cow::Owned(subdivision.to_ascii_uppercase()))
    }

    fn coordinates(&self) -> Option<Coordinates> {
        Some(Coordinates {
            latitude: self.degrees(|facts| &facts.latitude, 90.0)?,
            longitude: self.degrees(|facts| &facts.longitude, 180.0)?,
        })
    }

    fn alpn(&self) -> Option<Cow<'_, [u8]>> {
        if let Told::Handshake(tls) = self.told {
            return tls.alpn.as_deref().map(Cow::Borrowed);
        }
        self.fact(|facts| &facts.alpn)
            .map(|alpn| Cow::Borrowed(alpn.as_bytes()))
    }

    fn certificate_keys(&self) -> Option<Vec<Cow<'_, [u8]>>> {
        if let Told::Handshake(tls) = self.told {
            let keys = tls.client_keys.as_ref()?;
            return Some(keys.iter().map(|key| Cow::Borrowed(key.as_slice())).collect());
        }
        let certificate = self.fact(|facts| &facts.certificate)?;
        let keys = keys_of_fields(certificate, self.fact(|facts| &facts.certificate_chain))?;
        Some(keys.into_iter().map(Cow::Owned).collect())
    }

    fn tls_fingerprint(&self, kind: FingerprintKind) -> Option<Cow<'_, str>> {
        let fingerprint = match kind {
            FingerprintKind::Ja3 => self.fact(|facts| &facts.ja3),
            FingerprintKind::Ja4 => self.fact(|facts| &facts.ja4),
            _ => None,
        };
        fingerprint.map(Cow::Borrowed)
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.parse().map(|address: IpAddr| address.to_canonical());
        address
            .map(IpNet::from)
            .or_else(|_| text.parse::<IpNet>().map(|net| net.trunc()))
            .map(Self)
            .map_err(|_| format!("{text:?} is neither an address nor a prefix such as 10.0.0.0/8"))
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for FieldName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        HeaderName::try_from(&text)
            .map(Self)
            .map_err(|_| format!("{text:?} is no name of a header field"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::HeaderValue;
    use selvedge_listen::Protocol;

    use super::*;

    fn trust() -> Trust {
        let name = |name: &str| Some(FieldName::try_from(name.to_owned()).unwrap());
        Trust {
            proxies: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            facts: Facts {
                country: name("X-Country"),
                asn: name("X-Asn"),
                latitude: name("X-Lat"),
                longitude: name("X-Lon"),
                alpn: name("X-Alpn"),
                ja4: name("X-Ja4"),
                ..Facts::default()
            },
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn peer_at(address: &str) -> Peer {
        Peer {
            address: address.parse().unwrap(),
            tls: None,
        }
    }

    fn seen_from(peer: &str, lines: &[(&'static str, &'static str)]) -> Option<String> {
        let headers = headers(lines);
        let trust = trust();
        let peer = peer_at(peer);
        let client = trust.client(Some(&peer), &headers);
        client.address().map(|address| address.to_string())
    }

    #[test]
    fn a_header_of_a_stranger_changes_nothing() {
        let claims = headers(&[("x-forwarded-for", "192.0.2.9"), ("x-country", "SE")]);
        let trust = trust();
        let peer = peer_at("203.0.113.5:9");
        let client = trust.client(Some(&peer), &claims);
        assert_eq!(client.address(), Some("203.0.113.5".parse().unwrap()));
        assert_eq!(client.country(), None);
    }

    #[test]
    fn behind_proxies_the_last_stranger_is_the_client() {
        let list = |value| [("x-forwarded-for", value)];
        let client = |value| seen_from("10.0.0.1:80", &list(value));
        assert_eq!(client("192.0.2.1").unwrap(), "192.0.2.1");
        assert_eq!(
            client("198.51.100.7, 192.0.2.1, 10.1.1.1").unwrap(),
            "192.0.2.1",
            "what a client wrote itself stands first"
        );
        assert_eq!(client("192.0.2.1:4711").unwrap(), "192.0.2.1");
        assert_eq!(client("[2001:db8::2]:443, 2001:db8::1").unwrap(), "2001:db8::2");
        assert_eq!(client("::ffff:192.0.2.1").unwrap(), "192.0.2.1");
        assert_eq!(client("10.9.9.9, 10.1.1.1").unwrap(), "10.9.9.9");
        assert_eq!(
            seen_from(
                "[::ffff:10.0.0.1]:80",
                &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.1.1.1")]
            )
            .unwrap(),
            "192.0.2.1",
            "lines count as one list"
        );
    }

    #[test]
    fn a_proxy_that_names_nobody_leaves_the_client_unknown() {
        assert_eq!(seen_from("10.0.0.1:80", &[]), None);
        for wrong in ["unknown", "192.0.2.1, _hidden", "192.0.2.1,", ""] {
            let list = [("x-forwarded-for", wrong)];
            assert_eq!(seen_from("10.0.0.1:80", &list), None, "{wrong}");
        }
        assert_eq!(trust().client(None, &HeaderMap::new()).address(), None);
    }

    #[test]
    fn a_proxy_tells_facts_and_only_what_makes_sense_counts() {
        let told = |lines: &[(&'static str, &'static str)], see: &dyn Fn(&Client<'_>)| {
            let (trust, headers) = (trust(), headers(lines));
            see(&trust.client(Some(&peer_at("10.0.0.1:80")), &headers));
        };
        told(
            &[
                ("x-country", "se"),
                ("x-asn", "AS64500"),
                ("x-lat", "59.33"),
                ("x-lon", "18.07"),
                ("x-alpn", "h2"),
                ("x-ja4", "t13d1516h2_8daaf6152771_02713d6af862"),
            ],
            &|client| {
                assert_eq!(client.country().unwrap(), "SE");
                assert_eq!(client.asn(), Some(64_500));
                let place = client.coordinates().unwrap();
                assert_eq!((place.latitude, place.longitude), (59.33, 18.07));
                assert_eq!(client.alpn().unwrap().as_ref(), b"h2");
                assert!(client.tls_fingerprint(FingerprintKind::Ja4).is_some());
                assert_eq!(client.tls_fingerprint(FingerprintKind::Ja3), None, "no name");
                assert_eq!(client.subdivision(), None);
                assert_eq!(client.certificate_keys(), None);
            },
        );
        told(
            &[
                ("x-country", "Sweden"),
                ("x-asn", "-1"),
                ("x-lat", "NaN"),
                ("x-lon", "181"),
                ("x-alpn", ""),
            ],
            &|client| {
                assert_eq!(client.country(), None);
                assert_eq!(client.asn(), None);
                assert_eq!(client.coordinates(), None);
                assert_eq!(client.alpn(), None);
            },
        );
        told(&[("x-country", "SE"), ("x-country", "NO")], &|client| {
            assert_eq!(client.country(), None, "one of the two may be the client's");
        });
    }

    #[test]
    fn a_handshake_tells_of_the_client_itself_and_a_proxys_of_the_proxy() {
        let handshake = |address: &str, keys: Option<Vec<Vec<u8>>>| Peer {
            address: address.parse().unwrap(),
            tls: Some(Arc::new(TlsFacts {
                protocol: Protocol::Tls13,
                alpn: Some(b"h2".to_vec()),
                client_certificates: Vec::new(),
                client_keys: keys,
            })),
        };
        let (trust, headers) = (trust(), headers(&[("x-alpn", "http/1.1")]));
        let direct = handshake("203.0.113.5:9", Some(vec![vec![1, 2]]));
        let client = trust.client(Some(&direct), &headers);
        assert_eq!(client.alpn().unwrap().as_ref(), b"h2");
        assert_eq!(client.certificate_keys().unwrap(), [vec![1, 2]]);
        assert_eq!(client.country(), None, "no handshake tells that");

        let not_asked = handshake("203.0.113.5:9", None);
        assert_eq!(trust.client(Some(&not_asked), &headers).certificate_keys(), None);
        let shown_none = handshake("203.0.113.5:9", Some(Vec::new()));
        let client = trust.client(Some(&shown_none), &headers);
        assert_eq!(client.certificate_keys().map(|keys| keys.len()), Some(0));

        let proxy = handshake("10.0.0.1:80", Some(vec![vec![1, 2]]));
        let client = trust.client(Some(&proxy), &headers);
        assert_eq!(client.alpn().unwrap().as_ref(), b"http/1.1");
        assert_eq!(client.certificate_keys(), None, "no field was named for it");
    }

    #[test]
    fn what_is_no_prefix_is_named() {
        let error = "10.0.0.0/33".parse::<Prefix>().unwrap_err();
        assert_eq!(
            error,
            r#""10.0.0.0/33" is neither an address nor a prefix such as 10.0.0.0/8"#
        );
        assert_eq!("10.1.2.3/8".parse::<Prefix>(), "10.0.0.0/8".parse::<Prefix>());
    }
}
