//! `catu`: what the request's URI must look like (CTA-5007-B §4.6.10).

use sha2::{Digest as _, Sha256, Sha512_256};

use crate::{
    cbor::{Item, Reader},
    claims::read_error,
    uri::{Component, RequestUri},
};

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

    /// Reads the whole claim: every rule must hold.
    pub(crate) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, &'static str> {
        let mut rules = Vec::new();
        let mut components = Vec::new();
        for _ in 0..reader.map().map_err(read_error)? {
            let component = match reader.next().map_err(read_error)? {
                Item::Integer(key) => Component::from_key(key),
                _ => None,
            }
            .ok_or("an unknown component")?;
            if components.contains(&component) {
                return Err("a component stands twice");
            }
            components.push(component);
            let mut kinds = Vec::new();
            for _ in 0..reader.map().map_err(read_error)? {
                let Item::Integer(kind) = reader.next().map_err(read_error)? else {
                    return Err("a match type is no integer");
                };
                if kinds.contains(&kind) {
                    return Err("a match type stands twice");
                }
                kinds.push(kind);
                let must = match (kind, reader.next().map_err(read_error)?) {
                    (MATCH_EXACT, Item::Text(want)) => Match::Exact(want.into()),
                    (MATCH_PREFIX, Item::Text(want)) => Match::Prefix(want.into()),
                    (MATCH_SUFFIX, Item::Text(want)) => Match::Suffix(want.into()),
                    (MATCH_CONTAINS, Item::Text(want)) => Match::Contains(want.into()),
                    (MATCH_SHA256, Item::Bytes(hash)) => {
                        Match::Sha256(hash.try_into().map_err(|_| "a SHA-256 value has 32 bytes")?)
                    }
                    (MATCH_SHA512T256, Item::Bytes(hash)) => {
                        Match::Sha512t256(hash.try_into().map_err(|_| "a SHA-512/256 value has 32 bytes")?)
                    }
                    _ => return Err("an unknown match type or a value of the wrong type"),
                };
                rules.push(Self { component, must });
            }
        }
        Ok(rules)
    }
}
