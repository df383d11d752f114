//! How a text is matched: the match types of `catu` (CTA-5007-B §4.6.6) and `cath` (§4.6.10).

use ciborium::Value;
use sha2::{Digest as _, Sha256, Sha512_256};

use super::{Dialect, truth::Truth};
use crate::{
    cbor::{Item, Reader},
    ere::Ere,
    limits::MAX_CLAIMS,
};

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
    /// A POSIX extended regular expression, found anywhere in it.
    Regex {
        /// The expression.
        pattern: Ere,
        /// What its groups must have matched, in their order; `None` allows anything. Implementations read these
        /// elements differently, so they are judged only where the [`Dialect`] says so.
        captures: Vec<Option<String>>,
    },
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
    /// Reads a map of match types. All that it returns must hold; an empty map asks for nothing.
    pub(crate) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, &'static str> {
        let entries = reader.map().map_err(|_| "expected a map of match types")?;
        let mut matches: Vec<Self> = Vec::new();
        for _ in 0..entries {
            let must = Self::read(reader)?;
            if matches.iter().any(|have| have.key() == must.key()) {
                return Err("a match type stands twice");
            }
            matches.push(must);
        }
        Ok(matches)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        let kind = reader.next().map_err(|_| "a match type is cut short")?;
        let value = reader.next().map_err(|_| "a match's value is cut short")?;
        Ok(match (kind, value) {
            (Item::Integer(MATCH_EXACT), Item::Text(want)) => Self::Exact(want.into()),
            (Item::Integer(MATCH_PREFIX), Item::Text(want)) => Self::Prefix(want.into()),
            (Item::Integer(MATCH_SUFFIX), Item::Text(want)) => Self::Suffix(want.into()),
            (Item::Integer(MATCH_CONTAINS), Item::Text(want)) => Self::Contains(want.into()),
            (Item::Integer(MATCH_REGEX), Item::Array(length @ 1..=MAX_CLAIMS)) => {
                Self::read_regex(reader, length)?
            }
            (Item::Integer(MATCH_SHA256), Item::Bytes(hash)) => {
                Self::Sha256(hash.try_into().map_err(|_| "a SHA-256 value has 32 bytes")?)
            }
            (Item::Integer(MATCH_SHA512T256), Item::Bytes(hash)) => {
                Self::Sha512t256(hash.try_into().map_err(|_| "a SHA-512/256 value has 32 bytes")?)
            }
            _ => return Err("an unknown match type or a value of the wrong type"),
        })
    }

    fn read_regex(reader: &mut Reader<'_>, length: usize) -> Result<Self, &'static str> {
        let Ok(Item::Text(pattern)) = reader.next() else {
            return Err("a regular expression is text");
        };
        let pattern = Ere::parse(pattern)?;
        if length - 1 > pattern.groups() {
            return Err("a regular expression has fewer groups than are constrained");
        }
        let captures = (1..length)
            .map(|_| match reader.next() {
                Ok(Item::Text(want)) => Ok(Some(want.to_owned())),
                Ok(Item::Null) => Ok(None),
                _ => Err("what a group must match is text or null"),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self::Regex { pattern, captures })
    }

    /// The key in the match map.
    const fn key(&self) -> i128 {
        match self {
            Self::Exact(_) => MATCH_EXACT,
            Self::Prefix(_) => MATCH_PREFIX,
            Self::Suffix(_) => MATCH_SUFFIX,
            Self::Contains(_) => MATCH_CONTAINS,
            Self::Regex { .. } => MATCH_REGEX,
            Self::Sha256(_) => MATCH_SHA256,
            Self::Sha512t256(_) => MATCH_SHA512T256,
        }
    }

    /// The entry in a match map, for minting.
    pub(crate) fn entry(&self) -> (Value, Value) {
        let value = match self {
            Self::Exact(text) | Self::Prefix(text) | Self::Suffix(text) | Self::Contains(text) => {
                text.as_str().into()
            }
            Self::Regex { pattern, captures } => {
                let constraints = captures
                    .iter()
                    .map(|want| want.as_deref().map_or(Value::Null, Into::into));
                core::iter::once(pattern.as_str().into())
                    .chain(constraints)
                    .collect::<Vec<Value>>()
                    .into()
            }
            Self::Sha256(hash) | Self::Sha512t256(hash) => hash[..].into(),
        };
        // Every key of a match type is a small integer.
        ((self.key() as i64).into(), value)
    }

    /// Whether `text` is what this asks for, constraints on groups included.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Exact(want) => text == want,
            Self::Prefix(want) => text.starts_with(want.as_str()),
            Self::Suffix(want) => text.ends_with(want.as_str()),
            Self::Contains(want) => text.contains(want.as_str()),
            Self::Regex { pattern, captures } if captures.is_empty() => pattern.is_match(text),
            Self::Regex { pattern, captures } => pattern.captures(text).is_some_and(|groups| {
                let mut pairs = captures.iter().zip(groups);
                pairs.all(|(want, have)| want.is_none() || want.as_deref() == have)
            }),
            Self::Sha256(want) => Sha256::digest(text.as_bytes())[..] == want[..],
            Self::Sha512t256(want) => Sha512_256::digest(text.as_bytes())[..] == want[..],
        }
    }

    /// How many steps its regular expression has, where it is one.
    pub(crate) const fn steps(&self) -> usize {
        match self {
            Self::Regex { pattern, .. } => pattern.steps(),
            _ => 0,
        }
    }

    /// Judges `text`.
    pub(crate) fn judge(&self, text: &str, dialect: &Dialect) -> Truth {
        match self {
            Self::Regex { captures, .. } if !captures.is_empty() && !dialect.regex_captures => Truth::Unknown,
            _ => Truth::known(self.holds(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &Value) -> Result<Vec<Match>, &'static str> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        let mut reader = Reader::new(&bytes);
        let matches = Match::read_all(&mut reader)?;
        reader.end().unwrap();
        Ok(matches)
    }

    fn one(key: i64, value: impl Into<Value>) -> Result<Vec<Match>, &'static str> {
        read(&Value::Map(vec![(key.into(), value.into())]))
    }

    fn regex(elements: &[Value]) -> Result<Vec<Match>, &'static str> {
        one(4, elements.to_vec())
    }

    #[test]
    fn each_match_type_takes_its_own_kind_of_value() {
        for key in 0..=3 {
            assert!(one(key, "x").is_ok());
            assert!(one(key, b"x".as_slice()).is_err());
        }
        for key in [-1, -2] {
            assert!(one(key, [0; 32].as_slice()).is_ok());
            assert!(one(key, [0; 31].as_slice()).is_err());
            assert!(one(key, "x").is_err());
        }
        assert!(one(4, "x").is_err());
        assert!(one(5, "x").is_err());
        assert!(one(-3, [0; 32].as_slice()).is_err());
        assert!(read(&Value::Map(vec![("0".into(), "x".into())])).is_err());
        assert!(read(&Value::Array(vec![])).is_err());
        assert_eq!(read(&Value::Map(vec![])), Ok(vec![]));
    }

    #[test]
    fn a_match_type_stands_once() {
        let twice = Value::Map(vec![(0.into(), "x".into()), (0.into(), "y".into())]);
        assert_eq!(read(&twice), Err("a match type stands twice"));
    }

    #[test]
    fn a_regex_is_an_array_that_begins_with_a_valid_expression() {
        assert!(regex(&["^/live/".into()]).unwrap()[0].holds("/live/x"));
        assert!(regex(&[]).is_err());
        assert!(regex(&[r"\d".into()]).is_err());
        assert!(regex(&[1.into()]).is_err());
        assert!(regex(&["(a)".into(), "a".into(), "b".into()]).is_err());
        assert!(regex(&["(a)".into(), 1.into()]).is_err());
    }

    #[test]
    fn constraints_on_groups_are_judged_only_where_that_is_switched_on() {
        let dialect = |regex_captures| Dialect {
            regex_captures,
            ..Dialect::default()
        };
        let must = regex(&["^/(live|vod)/([a-z]+)/".into(), Value::Null, "news".into()]).unwrap();
        for (text, due) in [
            ("/vod/news/", Truth::Holds),
            ("/vod/sport/", Truth::Fails),
            ("/x/news/", Truth::Fails),
        ] {
            assert_eq!(must[0].judge(text, &dialect(true)), due, "{text}");
            assert_eq!(must[0].judge(text, &dialect(false)), Truth::Unknown);
        }
        let plain = regex(&["^/(live|vod)/".into()]).unwrap();
        assert_eq!(plain[0].judge("/vod/", &dialect(false)), Truth::Holds);
    }

    #[test]
    fn a_hash_is_of_the_text_and_sha_512_256_has_an_initial_value_of_its_own() {
        let sha256: [u8; 32] = Sha256::digest(b"/a").into();
        assert!(one(-1, sha256.as_slice()).unwrap()[0].holds("/a"));
        let truncated = &sha2::Sha512::digest(b"/a")[..32];
        assert!(!one(-2, truncated).unwrap()[0].holds("/a"));
        let own: [u8; 32] = Sha512_256::digest(b"/a").into();
        assert!(one(-2, own.as_slice()).unwrap()[0].holds("/a"));
    }

    fn any_match() -> impl Strategy<Value = Match> {
        prop_oneof![
            ".{0,9}".prop_map(Match::Exact),
            ".{0,9}".prop_map(Match::Prefix),
            ".{0,9}".prop_map(Match::Suffix),
            ".{0,9}".prop_map(Match::Contains),
            proptest::option::of("[a-z]{0,3}").prop_map(|want| Match::Regex {
                pattern: Ere::parse("^/([a-z]*)").unwrap(),
                captures: vec![want],
            }),
            any::<[u8; 32]>().prop_map(Match::Sha256),
            any::<[u8; 32]>().prop_map(Match::Sha512t256),
        ]
    }

    proptest! {
        #[test]
        fn what_is_minted_is_read_again(must in any_match()) {
            prop_assert_eq!(read(&Value::Map(vec![must.entry()])), Ok(vec![must]));
        }
    }
}
