//! Judging one request by one token, as an edge would.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use selvedge_token::{
    Authentic, Coordinates, FingerprintKind, Headers, KeySet, Label, MemoryStore, Minting, Place, Policy,
    Refusal, RenewalKind, Request, RequestContext, RequestUri, Standing, Store as _, StoreRequest,
    UnixMillis, UriError, Verifier,
};
use serde::Deserialize;

use super::{now, random};
use crate::failure::Failure;

/// A request, as a test or a person describes it. What is absent is not known.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// Unix seconds; the clock's where absent.
    pub(super) now: Option<f64>,
    pub(super) url: Option<String>,
    pub(super) method: Option<String>,
    pub(super) ip: Option<IpAddr>,
    pub(super) asn: Option<u32>,
    /// By names in lower case.
    pub(super) headers: BTreeMap<String, Lines>,
    pub(super) alpn: Option<String>,
    pub(super) tls: Option<bool>,
    pub(super) geo: Geo,
    /// Whether the token was presented before.
    pub(super) seen: Option<bool>,
    /// The TLS fingerprint by its type, such as {"2": "t13d…"}.
    pub(super) fingerprints: BTreeMap<String, String>,
    /// The number that is drawn for `catpor`.
    pub(super) random: Option<u64>,
}

/// The lines of a header field.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Lines {
    One(String),
    Many(Vec<String>),
}

/// Where the client is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Geo {
    pub(super) country: Option<String>,
    pub(super) subdivision: Option<String>,
    pub(super) lat: Option<f64>,
    pub(super) lon: Option<f64>,
    pub(super) alt: Option<f64>,
}

/// What an edge would have made of a request.
pub(super) struct Verdict {
    pub(super) problem: Option<Problem>,
    /// What the client sees.
    pub(super) status: u16,
    /// The `exp` of the renewed token that the client gets with it.
    pub(super) renewed_exp: Option<i64>,
    /// The token, where its signature verified.
    pub(super) authentic: Option<Authentic>,
}

/// Why a request is not let in.
#[derive(Debug)]
pub(super) enum Problem {
    TokenMissing,
    Url(UrlProblem),
    /// None of the keys can be used here.
    NoKey,
    Refused(Refusal),
}

/// Why a URL cannot be requested.
#[derive(Debug)]
pub(super) enum UrlProblem {
    NoScheme,
    Host,
    Uri(UriError),
}

impl Problem {
    /// The reason, as edges log it.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::TokenMissing => "token-missing",
            Self::Url(_) => "malformed-url",
            Self::NoKey => "unknown-key",
            Self::Refused(refusal) => refusal.code(),
        }
    }

    pub(super) const fn claim(&self) -> Option<Label> {
        match self {
            Self::Refused(refusal) => refusal.claim(),
            _ => None,
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::TokenMissing | Self::NoKey => 401,
            Self::Url(_) => 400,
            Self::Refused(refusal) => refusal.class().status(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TokenMissing => f.write_str("the request has no token"),
            Self::Url(UrlProblem::NoScheme) => {
                f.write_str("the URL has no scheme and host, such as https://cdn.example/")
            }
            Self::Url(UrlProblem::Host) => f.write_str("the URL's host is no name that the DNS could have"),
            Self::Url(UrlProblem::Uri(error)) => error.fmt(f),
            Self::NoKey => f.write_str("none of the keys can be used"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

/// What was seen before: as a case says, or else as it was asked.
#[derive(Default)]
pub(super) struct Memory(MemoryStore);

impl Memory {
    fn ask(&mut self, request: &StoreRequest, facts: &Facts) -> Standing {
        match (request, facts.seen) {
            (StoreRequest::Once { .. }, Some(true)) => Standing::Held,
            (StoreRequest::Once { .. }, Some(false)) => Standing::Clear,
            _ => self.0.ask(request, facts.moment()),
        }
    }
}

impl Facts {
    /// The moment of the request.
    pub(super) fn moment(&self) -> UnixMillis {
        // A cast of a float saturates.
        self.now
            .map_or_else(now, |seconds| UnixMillis((seconds * 1000.0) as i64))
    }

    /// The URI as an edge has it: prepared by the client, the token taken out. `None` where there is no URL.
    fn uri(&self) -> Result<Option<RequestUri>, UrlProblem> {
        self.url.as_deref().map(prepare).transpose()
    }
}

/// Judges a request. Without a usable key there is no verifier.
pub(super) fn judge(
    keys: Option<&KeySet>,
    policy: Policy,
    token: Option<&str>,
    facts: &Facts,
    memory: &mut Memory,
) -> Result<Verdict, Failure> {
    let mut verdict = Verdict {
        problem: None,
        status: 200,
        renewed_exp: None,
        authentic: None,
    };
    let draw = match facts.random {
        Some(random) => random,
        None => u64::from_ne_bytes(random()?),
    };
    let issuer = policy.issuers.first().cloned();
    let decided = decide(keys, policy, token, facts, draw, memory, &mut verdict.authentic);
    let signing = keys.zip(verdict.authentic.as_ref());
    match decided {
        Ok(()) => {
            if let Some((keys, authentic)) = signing {
                verdict.renewed_exp = renewed(keys, authentic, facts.moment());
                let terms = authentic.claims().renewal.as_ref();
                if let Some(terms) = terms.filter(|terms| terms.kind() == Some(RenewalKind::Redirect))
                    && verdict.renewed_exp.is_some()
                {
                    verdict.status = terms.redirect_status().unwrap_or(verdict.status);
                }
            }
        }
        Err(problem) => {
            verdict.status = problem.status();
            if let (Problem::Refused(refusal), Some((keys, authentic))) = (&problem, signing) {
                let minting = Minting {
                    issuer: issuer.as_deref(),
                    lifetime_seconds: Minting::DEFAULT_LIFETIME_SECONDS,
                    keys,
                    now: facts.moment(),
                };
                verdict.status = authentic
                    .consequence(refusal, &minting)
                    .map_or(verdict.status, |answer| answer.status);
            }
            verdict.problem = Some(problem);
        }
    }
    Ok(verdict)
}

/// The `exp` of the token that is handed over beside the answer, where one is due and a key may sign it.
fn renewed(keys: &KeySet, authentic: &Authentic, now: UnixMillis) -> Option<i64> {
    let renewal = authentic.renewal(now)?;
    renewal.sign(keys.signing(now)?).ok()?;
    renewal.expires()
}

fn decide(
    keys: Option<&KeySet>,
    policy: Policy,
    token: Option<&str>,
    facts: &Facts,
    draw: u64,
    memory: &mut Memory,
    known: &mut Option<Authentic>,
) -> Result<(), Problem> {
    let uri = facts.uri().map_err(Problem::Url)?;
    let token = token.ok_or(Problem::TokenMissing)?;
    let verifier = Verifier::new(keys.ok_or(Problem::NoKey)?.clone(), policy);
    let authentic = known.insert(verifier.authenticate(token).map_err(Problem::Refused)?);
    let request = Request {
        method: facts.method.as_deref().unwrap_or("GET"),
        uri: uri.as_ref(),
        headers: facts,
        token,
        context: facts,
        random: Some(draw),
        place: Place::Own,
    };
    let admission = verifier
        .admit(authentic, &request, facts.moment())
        .map_err(Problem::Refused)?;
    let standings: Vec<Standing> = admission
        .requests()
        .map(|request| memory.ask(request, facts))
        .collect();
    admission.settle(&standings).map(|_| ()).map_err(Problem::Refused)
}

/// Cuts a URL as a client sends it: no fragment, the host in the letters that the DNS has, other letters escaped;
/// then the token is taken out, as an edge does.
fn prepare(url: &str) -> Result<RequestUri, UrlProblem> {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let (scheme, rest) = url.split_once("://").ok_or(UrlProblem::NoScheme)?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(without_token(query))),
        None => (rest, None),
    };
    let path = if path.is_empty() { "/" } else { path };
    RequestUri::parse(
        scheme,
        &ascii_host(authority)?,
        &escape(path),
        query.as_deref().map(escape).as_deref(),
    )
    .map_err(UrlProblem::Uri)
}

fn ascii_host(authority: &str) -> Result<Cow<'_, str>, UrlProblem> {
    if authority.is_ascii() {
        return Ok(authority.into());
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let host = idna::domain_to_ascii(host).map_err(|_| UrlProblem::Host)?;
    Ok(match port {
        Some(port) => format!("{host}:{port}").into(),
        None => host.into(),
    })
}

/// A query without the parameters that carry a token, whatever the case of their names.
fn without_token(query: &str) -> String {
    query
        .split('&')
        .filter(|parameter| {
            let name = parameter.split_once('=').map_or(*parameter, |(name, _)| name);
            !name.eq_ignore_ascii_case("cat")
        })
        .collect::<Vec<_>>()
        .join("&")
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

impl Headers for Facts {
    fn combined(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, lines) = self
            .headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))?;
        Some(match lines {
            Lines::One(line) => line.into(),
            Lines::Many(lines) => lines.join(", ").into(),
        })
    }
}

impl RequestContext for Facts {
    fn address(&self) -> Option<IpAddr> {
        self.ip
    }

    fn asn(&self) -> Option<u32> {
        self.asn
    }

    fn country(&self) -> Option<Cow<'_, str>> {
        self.geo.country.as_deref().map(Into::into)
    }

    fn subdivision(&self) -> Option<Cow<'_, str>> {
        self.geo.subdivision.as_deref().map(Into::into)
    }

    fn coordinates(&self) -> Option<Coordinates> {
        Some(Coordinates {
            latitude: self.geo.lat?,
            longitude: self.geo.lon?,
        })
    }

    fn altitude(&self) -> Option<f64> {
        self.geo.alt
    }

    fn alpn(&self) -> Option<Cow<'_, [u8]>> {
        let over_tls = self.tls != Some(false);
        self.alpn
            .as_deref()
            .filter(|_| over_tls)
            .map(|protocol| protocol.as_bytes().into())
    }

    fn tls_fingerprint(&self, kind: FingerprintKind) -> Option<Cow<'_, str>> {
        let key = (kind as u8).to_string();
        self.fingerprints.get(&key).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(url: &str) -> RequestUri {
        prepare(url).unwrap()
    }

    #[test]
    fn a_url_is_prepared_as_client_and_edge_do() {
        assert_eq!(
            prepared("https://bücher.example/x"),
            RequestUri::parse("https", "xn--bcher-kva.example", "/x", None).unwrap()
        );
        assert_eq!(prepared("https://a/x#y").path(), "/x");
        assert_eq!(prepared("https://a").path(), "/");
        assert_eq!(prepared("https://a?q=1").query(), "q=1");
        assert_eq!(prepared("https://a/x?a=1&cat=TOKEN&CAT=2&b").query(), "a=1&b");
        assert_eq!(prepared("https://a/ä").path(), "/%C3%A4");
        assert!(prepare("/live/").is_err() && prepare("https://u@a/").is_err());
    }

    #[test]
    fn what_was_asked_before_is_held_unless_the_case_says_otherwise() {
        let mut memory = Memory::default();
        let facts = |seen| Facts {
            now: Some(0.0),
            seen,
            ..Facts::default()
        };
        let once = StoreRequest::Once {
            key: selvedge_token::StoreKey::new("t", &[]),
            until: UnixMillis(1),
        };
        assert_eq!(memory.ask(&once, &facts(None)), Standing::Clear);
        assert_eq!(memory.ask(&once, &facts(None)), Standing::Held);
        assert_eq!(memory.ask(&once, &facts(Some(false))), Standing::Clear);
        assert_eq!(memory.ask(&once, &facts(Some(true))), Standing::Held);
    }
}
