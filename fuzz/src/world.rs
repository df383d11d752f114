//! A request and what a platform knows of it, written as text, so that seeds can be read and mutations mean something.
//!
//! ```text
//! GET https://cdn.example/live/a.m4s?x=1 1795262400 203.0.113.7 64500 SE AB 59.3 18.0 10 h2 key t13d1516 7 0
//! name: value
//!
//! (the claims)
//! ```
//!
//! After method and URI: the moment in milliseconds, address, ASN, country, subdivision, latitude, longitude, altitude,
//! ALPN, the key of a client's certificate, the TLS fingerprint, the drawn number, and what the store answers.
//! What cannot be read is what the platform does not know.

use std::{borrow::Cow, net::IpAddr, str::FromStr};

use selvedge_token::{
    Coordinates, FingerprintKind, Headers, Place, Request, RequestContext, RequestUri, Standing, UnixMillis,
};

pub struct World<'i> {
    pub method: &'i str,
    pub uri: Option<RequestUri>,
    pub now: UnixMillis,
    fields: Vec<&'i str>,
    headers: Vec<(&'i str, &'i str)>,
}

impl<'i> World<'i> {
    /// Splits an input into the request and the claims that it is judged by.
    pub fn split(input: &'i [u8]) -> Option<(Self, &'i [u8])> {
        let end = input.windows(2).position(|pair| pair == b"\n\n")?;
        let mut lines = std::str::from_utf8(&input[..end]).ok()?.split('\n');
        let mut fields: Vec<&str> = lines.next()?.split(' ').collect();
        fields.resize(16, "-");
        let world = Self {
            method: fields[0],
            uri: parse_uri(fields[1]),
            now: UnixMillis(fields[2].parse().unwrap_or_default()),
            headers: lines.filter_map(|line| line.split_once(": ")).collect(),
            fields,
        };
        Some((world, &input[end + 2..]))
    }

    pub fn request<'r>(&'r self, token: &'r str) -> Request<'r> {
        Request {
            method: self.method,
            uri: self.uri.as_ref(),
            headers: self,
            token,
            context: self,
            random: self.parsed(13),
            place: Place::Own,
        }
    }

    /// What the store answers, whatever it is asked.
    pub fn standing(&self) -> Standing {
        match self.fields[14] {
            "0" => Standing::Clear,
            "1" => Standing::Held,
            _ => Standing::Unknown,
        }
    }

    fn text(&self, at: usize) -> Option<Cow<'_, str>> {
        Some(self.fields[at])
            .filter(|field| *field != "-")
            .map(Cow::Borrowed)
    }

    fn parsed<T: FromStr>(&self, at: usize) -> Option<T> {
        self.fields[at].parse().ok()
    }
}

/// Cuts a URI as a server does, without judging it: that is what is tried.
fn parse_uri(uri: &str) -> Option<RequestUri> {
    let (scheme, rest) = uri.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    RequestUri::parse(scheme, authority, path, query).ok()
}

impl Headers for World<'_> {
    fn combined(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers
            .as_slice()
            .combined(name)
            .map(|value| value.into_owned().into())
    }
}

impl RequestContext for World<'_> {
    fn address(&self) -> Option<IpAddr> {
        self.parsed(3)
    }

    fn asn(&self) -> Option<u32> {
        self.parsed(4)
    }

    fn country(&self) -> Option<Cow<'_, str>> {
        self.text(5)
    }

    fn subdivision(&self) -> Option<Cow<'_, str>> {
        self.text(6)
    }

    fn coordinates(&self) -> Option<Coordinates> {
        Some(Coordinates {
            latitude: self.parsed(7)?,
            longitude: self.parsed(8)?,
        })
    }

    fn altitude(&self) -> Option<f64> {
        self.parsed(9)
    }

    fn alpn(&self) -> Option<Cow<'_, [u8]>> {
        self.text(10).map(|field| Cow::Owned(field.as_bytes().to_vec()))
    }

    fn certificate_keys(&self) -> Option<Vec<Cow<'_, [u8]>>> {
        self.text(11)
            .map(|field| vec![Cow::Owned(field.as_bytes().to_vec())])
    }

    fn tls_fingerprint(&self, _kind: FingerprintKind) -> Option<Cow<'_, str>> {
        self.text(12)
    }
}
