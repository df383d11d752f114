//! The claims of CTA-5007-B §4.6 to §4.9, read once from an authenticated payload.

use sha2::{Digest as _, Sha256, Sha512_256};

use crate::{
    cbor::{Item, Reader},
    error::Refusal,
    label::Label,
    limits::MAX_CLAIMS,
    time::NumericDate,
    uri::{Component, RequestUri},
};

/// The claims that this version evaluates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// `iss`: who made the token.
    pub issuer: Option<String>,
    /// `aud`: whom it is for. `None` when the claim is absent, which is not the same as empty.
    pub audience: Option<Vec<String>>,
    /// `exp`: the first moment at which the token admits nothing more.
    pub expires: Option<NumericDate>,
    /// `nbf`: the first moment at which it admits anything.
    pub not_before: Option<NumericDate>,
    /// `cti`: the token's own identity.
    pub token_id: Option<Vec<u8>>,
    /// `catm`: the methods admitted.
    pub methods: Option<Vec<String>>,
    /// `catu`: what the request's URI must look like; every rule must hold.
    pub uri: Vec<UriRule>,
    /// The first restriction that is present and not evaluated here.
    pub(crate) unsupported: Option<Label>,
}

/// One entry of `catu`: a component and what it must match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UriRule {
    /// Which part of the URI.
    pub component: Component,
    /// What that part must look like.
    pub must: Match,
}

/// How a text is matched. Comparison is of bytes, after normalisation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Match {
    /// The whole text.
    Exact(String),
    /// Its beginning.
    Prefix(String),
    /// Its end.
    Suffix(String),
    /// Anywhere in it.
    Contains(String),
    /// The SHA-256 of its UTF-8 bytes.
    Sha256([u8; 32]),
    /// The SHA-512/256 (FIPS 180-4) of its UTF-8 bytes.
    Sha512t256([u8; 32]),
}

/// Keys of the match types.
const MATCH_EXACT: i128 = 0;
const MATCH_PREFIX: i128 = 1;
const MATCH_SUFFIX: i128 = 2;
const MATCH_CONTAINS: i128 = 3;
const MATCH_REGEX: i128 = 4;
const MATCH_SHA256: i128 = -1;
const MATCH_SHA512T256: i128 = -2;

impl Match {
    /// The key in the match map.
    pub(crate) const fn key(&self) -> i128 {
        match self {
            Self::Exact(_) => MATCH_EXACT,
            Self::Prefix(_) => MATCH_PREFIX,
            Self::Suffix(_) => MATCH_SUFFIX,
            Self::Contains(_) => MATCH_CONTAINS,
            Self::Sha256(_) => MATCH_SHA256,
            Self::Sha512t256(_) => MATCH_SHA512T256,
        }
    }

    /// Whether `text` is what this asks for.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Exact(want) => text == want,
            Self::Prefix(want) => text.starts_with(want.as_str()),
            Self::Suffix(want) => text.ends_with(want.as_str()),
            Self::Contains(want) => text.contains(want.as_str()),
            Self::Sha256(want) => Sha256::digest(text.as_bytes())[..] == want[..],
            Self::Sha512t256(want) => Sha512_256::digest(text.as_bytes())[..] == want[..],
        }
    }
}

impl UriRule {
    /// Whether the URI's component is what this rule asks for.
    pub fn holds(&self, uri: &RequestUri) -> bool {
        let text = uri.component(self.component);
        self.must.holds(&text)
            || (self.component == Component::Port
                && uri.has_default_port()
                && self.must == Match::Exact(String::new()))
    }
}

impl Claims {
    /// Reads the claims map. Every claim that is known must be well formed; unknown ones are passed over.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(payload);
        let entries = reader.map()?;
        let mut claims = Self::default();
        // Compared by value: a second spelling of the same key must not slip through.
        let mut seen: Vec<Item<'_>> = Vec::with_capacity(entries);
        for _ in 0..entries {
            let start = reader.position();
            let key = reader.next()?;
            if seen.contains(&key) {
                return Err(Refusal::Cbor {
                    at: start,
                    what: "a claim stands twice",
                });
            }
            seen.push(key);
            match key {
                Item::Integer(label) => claims.read_claim(Label(label), &mut reader)?,
                Item::Text(_) => reader.skip()?,
                _ => {
                    return Err(Refusal::Cbor {
                        at: start,
                        what: "a claim's key is no integer and no text",
                    });
                }
            }
        }
        reader.end()?;
        Ok(claims)
    }

    fn read_claim(&mut self, label: Label, reader: &mut Reader<'_>) -> Result<(), Refusal> {
        let malformed = |what| Refusal::MalformedClaim { claim: label, what };
        match label.name() {
            Some("iss") => self.issuer = Some(text(reader).ok_or(malformed("expected text"))?),
            Some("sub") => drop(text(reader).ok_or(malformed("expected text"))?),
            Some("aud") => {
                let audience = texts(reader, OneOrMany::Either);
                self.audience = Some(audience.ok_or(malformed("expected text or a list of texts"))?);
            }
            Some("exp") => self.expires = Some(date(reader).ok_or(malformed("expected a number"))?),
            Some("nbf") => self.not_before = Some(date(reader).ok_or(malformed("expected a number"))?),
            Some("iat") => drop(date(reader).ok_or(malformed("expected a number"))?),
            Some("cti") => match reader.next()? {
                Item::Bytes(id) => self.token_id = Some(id.to_vec()),
                _ => return Err(malformed("expected bytes")),
            },
            Some("catv") => match reader.next()? {
                Item::Integer(1) => {}
                _ => return Err(malformed("only version 1 is known")),
            },
            Some("catm") => {
                let methods = texts(reader, OneOrMany::Many);
                self.methods = Some(methods.ok_or(malformed("expected a list of texts"))?);
            }
            Some("catu") => self.read_uri_rules(label, reader)?,
            // Neither decides acceptance, but a token whose author did not know what it says is not to be trusted.
            Some("catr") => check_renewal(reader).ok_or(malformed("expected a map with type and expadd"))?,
            Some("catif") if !matches!(reader.clone().next(), Ok(Item::Map(_))) => {
                return Err(malformed("expected a map"));
            }
            // No use is counted and none is limited: the same as absent.
            Some("catreplay") if matches!(reader.clone().next(), Ok(Item::Integer(0))) => reader.skip()?,
            _ => {
                if label.restricts_unevaluated() {
                    self.unsupported.get_or_insert(label);
                }
                reader.skip()?;
            }
        }
        Ok(())
    }

    fn read_uri_rules(&mut self, claim: Label, reader: &mut Reader<'_>) -> Result<(), Refusal> {
        let malformed = |what| Refusal::MalformedClaim { claim, what };
        let mut components = Vec::new();
        for _ in 0..reader.map().map_err(|_| malformed("expected a map"))? {
            let component = match reader.next()? {
                Item::Integer(key) => Component::from_key(key),
                _ => None,
            }
            .ok_or(malformed("an unknown component"))?;
            if components.contains(&component) {
                return Err(malformed("a component stands twice"));
            }
            components.push(component);
            let mut kinds = Vec::new();
            for _ in 0..reader.map().map_err(|_| malformed("expected a map of matches"))? {
                let Item::Integer(kind) = reader.next()? else {
                    return Err(malformed("a match type is no integer"));
                };
                if kinds.contains(&kind) {
                    return Err(malformed("a match type stands twice"));
                }
                kinds.push(kind);
                if kind == MATCH_REGEX {
                    self.unsupported.get_or_insert(claim);
                    reader.skip()?;
                    continue;
                }
                let must = match (kind, reader.next()?) {
                    (MATCH_EXACT, Item::Text(want)) => Match::Exact(want.into()),
                    (MATCH_PREFIX, Item::Text(want)) => Match::Prefix(want.into()),
                    (MATCH_SUFFIX, Item::Text(want)) => Match::Suffix(want.into()),
                    (MATCH_CONTAINS, Item::Text(want)) => Match::Contains(want.into()),
                    (MATCH_SHA256, Item::Bytes(hash)) => Match::Sha256(
                        hash.try_into()
                            .map_err(|_| malformed("a SHA-256 value has 32 bytes"))?,
                    ),
                    (MATCH_SHA512T256, Item::Bytes(hash)) => Match::Sha512t256(
                        hash.try_into()
                            .map_err(|_| malformed("a SHA-512/256 value has 32 bytes"))?,
                    ),
                    _ => return Err(malformed("an unknown match type or a value of the wrong type")),
                };
                self.uri.push(UriRule { component, must });
            }
        }
        Ok(())
    }
}

/// Whether a lone text may stand for a list of one.
#[derive(Clone, Copy, PartialEq)]
enum OneOrMany {
    Either,
    Many,
}

/// Passes over `catr`, which must be a map with its two mandatory entries, type (0) and expadd (1).
fn check_renewal(reader: &mut Reader<'_>) -> Option<()> {
    let mut mandatory = 0;
    for _ in 0..reader.map().ok()? {
        let key = reader.next().ok()?;
        mandatory += usize::from(matches!(key, Item::Integer(0 | 1)));
        reader.skip().ok()?;
    }
    (mandatory == 2).then_some(())
}

fn text(reader: &mut Reader<'_>) -> Option<String> {
    match reader.next() {
        Ok(Item::Text(text)) => Some(text.to_owned()),
        _ => None,
    }
}

fn texts(reader: &mut Reader<'_>, shape: OneOrMany) -> Option<Vec<String>> {
    match reader.next().ok()? {
        Item::Text(text) if shape == OneOrMany::Either => Some(vec![text.to_owned()]),
        Item::Array(length @ 1..=MAX_CLAIMS) => (0..length).map(|_| text(reader)).collect(),
        _ => None,
    }
}

fn date(reader: &mut Reader<'_>) -> Option<NumericDate> {
    match reader.next() {
        Ok(Item::Integer(seconds)) => Some(NumericDate::Integer(seconds)),
        Ok(Item::Float(seconds)) if seconds.is_finite() => Some(NumericDate::Float(seconds)),
        _ => None,
    }
}
