//! A look into a token, for people. Nothing here is checked, so nothing here may be trusted.

mod diagnostic;
mod words;

use core::fmt;

use ciborium::Value;

use crate::{
    cose::{Frame, Structure},
    error::Refusal,
    inspect::diagnostic::diagnostic,
    key::Algorithm,
    label::Label,
    limits::MAX_NESTING,
    time::UnixMillis,
    verify::decode,
};

/// What a token says of itself, unverified.
#[derive(Clone, Debug)]
pub struct Inspection {
    structure: Structure,
    alg: Option<i128>,
    kid: Option<Vec<u8>>,
    claims: Vec<(Value, Value)>,
}

/// One claim, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explained {
    /// Its key, in CBOR diagnostic notation.
    pub key: String,
    /// The standard's short name, where the key has one.
    pub name: Option<&'static str>,
    /// Its value, in CBOR diagnostic notation.
    pub value: String,
    /// A sentence: what the claim does, or what is wrong with its form.
    pub meaning: String,
    /// The sets of claims inside it: those of a composite, and those of a token that `catif` mints.
    pub inner: Vec<ExplainedSet>,
}

/// A set of claims inside a claim.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExplainedSet {
    /// What the set is for.
    pub title: String,
    /// Its claims.
    pub claims: Vec<Explained>,
}

/// Decodes a token without checking its signature. Of an encrypted token only the frame is seen.
///
/// # Errors
/// What keeps it from being read as a token at all.
pub fn inspect(token: &str) -> Result<Inspection, Refusal> {
    let bytes = decode(token)?;
    let frame = Frame::read(&bytes)?;
    Ok(Inspection {
        structure: frame.structure,
        alg: frame.alg,
        kid: frame.kid.map(Into::into),
        claims: match frame.structure {
            Structure::Encrypt0 => Vec::new(),
            _ => read_claims(frame.payload)?,
        },
    })
}

/// Reads a claims map into memory, whatever it holds.
pub(crate) fn read_claims(payload: &[u8]) -> Result<Vec<(Value, Value)>, Refusal> {
    match ciborium::de::from_reader_with_recursion_limit(payload, MAX_NESTING) {
        Ok(Value::Map(claims)) => Ok(claims),
        _ => Err(Refusal::Cbor {
            at: 0,
            what: "the payload is not a map",
        }),
    }
}

impl Inspection {
    /// The COSE message: its structure, algorithm and key, such as `COSE_Sign1, ES256, kid 'key-1'`.
    pub fn frame(&self) -> String {
        let structure = match self.structure {
            Structure::Mac0 => "COSE_Mac0",
            Structure::Sign1 => "COSE_Sign1",
            Structure::Encrypt0 => "COSE_Encrypt0",
        };
        let alg = match self.alg.map(|alg| Algorithm::from_cose_id(alg).ok_or(alg)) {
            Some(Ok(Algorithm::Hs256)) => ", HMAC 256/256".into(),
            Some(Ok(known)) => format!(", {known}"),
            Some(Err(other)) => format!(", alg {other}"),
            None => String::new(),
        };
        let kid = match &self.kid {
            Some(kid) => format!(", kid {}", diagnostic(&Value::Bytes(kid.clone()))),
            None => ", no kid".into(),
        };
        format!("{structure}{alg}{kid}")
    }

    /// The claims, as they are written; none of an encrypted token.
    pub fn claims(&self) -> &[(Value, Value)] {
        &self.claims
    }

    /// Whether only a recipient can read the claims.
    pub fn is_encrypted(&self) -> bool {
        self.structure == Structure::Encrypt0
    }

    /// The same token with the claims that a recipient found in it
    /// ([`Authentic::payload`](crate::Authentic::payload)).
    ///
    /// # Errors
    /// They are no map.
    pub fn with_claims(self, payload: &[u8]) -> Result<Self, Refusal> {
        Ok(Self {
            claims: read_claims(payload)?,
            ..self
        })
    }

    /// Each claim in words. With `now`, moments are also said as a distance from it.
    pub fn explain(&self, now: Option<UnixMillis>) -> Vec<Explained> {
        explain_claims(&self.claims, now)
    }
}

fn explain_claims(claims: &[(Value, Value)], now: Option<UnixMillis>) -> Vec<Explained> {
    claims
        .iter()
        .map(|(key, value)| {
            let label = match key {
                Value::Integer(label) => Some(Label((*label).into())),
                _ => None,
            };
            Explained {
                key: diagnostic(key),
                name: label.and_then(Label::name),
                value: diagnostic(value),
                meaning: words::meaning(label, value, now),
                inner: words::inner(label, value)
                    .into_iter()
                    .map(|(title, claims)| ExplainedSet {
                        title,
                        claims: explain_claims(claims, now),
                    })
                    .collect(),
            }
        })
        .collect()
}

impl fmt::Display for Inspection {
    /// One line for the frame and one for each claim: key, name, value, and what it means behind a `#`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.frame())?;
        self.explain(None)
            .iter()
            .try_for_each(|claim| write!(f, "\n{claim}"))
    }
}

impl fmt::Display for Explained {
    /// One line, and below it, indented, those of the claims inside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_indented(f, 0)
    }
}

impl Explained {
    fn write_indented(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let (key, value, meaning) = (&self.key, &self.value, &self.meaning);
        let name = self.name.unwrap_or("?");
        write!(
            f,
            "{:indent$}{key:>4} {name:<13} {value}  # {meaning}",
            "",
            indent = depth * 4
        )?;
        for set in &self.inner {
            write!(f, "\n{:indent$}{}", "", set.title, indent = depth * 4 + 5)?;
            for claim in &set.claims {
                f.write_str("\n")?;
                claim.write_indented(f, depth + 1)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Jwk, Minter, SigningKey};

    fn explained(label: i64, value: Value) -> Explained {
        explain_claims(&[(label.into(), value)], Some(UnixMillis::from_seconds(1000)))
            .pop()
            .unwrap()
    }

    fn says(label: i64, value: impl Into<Value>) -> String {
        explained(label, value.into()).meaning
    }

    fn map(entries: Vec<(i64, Value)>) -> Value {
        Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    fn list<V: Into<Value>>(items: Vec<V>) -> Value {
        Value::Array(items.into_iter().map(Into::into).collect())
    }

    #[test]
    fn moments_are_said_as_dates_and_as_distances() {
        assert_eq!(says(4, 4540), "expires 1970-01-01T01:15:40Z, in 59 min");
        assert_eq!(says(4, 940), "expired 1970-01-01T00:15:40Z, 60 s ago");
        assert_eq!(says(5, 1000), "admits nothing before 1970-01-01T00:16:40Z, now");
        assert_eq!(
            says(4, u64::MAX),
            "expires at 18446744073709551615, beyond every calendar"
        );
        assert_eq!(
            says(4, "soon"),
            "malformed: expected a number of seconds since 1970"
        );
    }

    #[test]
    fn restrictions_are_said_as_what_they_admit() {
        let prefix = map(vec![(3, map(vec![(1, "/live/news/".into())]))]);
        assert_eq!(says(312, prefix), r#"admits paths that begin with "/live/news/""#);
        assert_eq!(
            says(313, list(vec!["GET", "HEAD"])),
            "admits the methods GET and HEAD"
        );
        let prefix = Value::Tag(52, Box::new(Value::Array(vec![8.into(), Value::Bytes(vec![10])])));
        let address = Value::Tag(54, Box::new(Value::Bytes(vec![0; 16])));
        assert_eq!(
            says(311, Value::Array(vec![prefix, address, 64_500.into()])),
            "admits clients of 10.0.0.0/8, :: or AS64500"
        );
        assert_eq!(
            says(316, list(vec!["SE", "US-CA"])),
            "admits clients in SE or US-CA"
        );
        assert_eq!(
            says(308, 1),
            "may be used once: a second request with it is refused"
        );
    }

    #[test]
    fn renewal_is_said_with_its_carrier_and_times() {
        let terms = map(vec![(0, 2.into()), (1, 8.into()), (2, 4.into())]);
        assert_eq!(
            says(323, terms),
            "renewed by the edge in the header CTA-Common-Access-Token, 8 s at a time, from 4 s before it expires"
        );
    }

    #[test]
    fn sets_inside_a_claim_are_explained_below_it() {
        let set = map(vec![(316, list(vec!["SE"]))]);
        let claim = explained(41, Value::Array(vec![set.clone(), set]));
        assert_eq!(claim.inner.len(), 2);
        assert_eq!(
            claim.to_string().lines().last(),
            Some("     316 catgeoiso3166 [\"SE\"]  # admits clients in SE")
        );

        let inner = map(vec![
            (1, Value::Null),
            (312, map(vec![(1, map(vec![(0, "auth".into())]))])),
        ]);
        let location = Value::Map(vec![(
            "Location".into(),
            Value::Array(vec!["https://auth/?CAT=".into(), inner]),
        )]);
        let action = Value::Array(vec![307.into(), location, "k1".into()]);
        let claim = explained(322, map(vec![(4, action)]));
        assert_eq!(
            claim.meaning,
            r#"refused by exp: answers 307 with Location: "https://auth/?CAT=" and a token"#
        );
        assert_eq!(claim.inner.len(), 1);
        assert_eq!(claim.inner[0].claims[0].meaning, "filled in by the edge");
    }

    #[test]
    fn what_is_not_known_is_shown_as_such() {
        assert_eq!(
            says(70_001, true),
            "not a claim of the standard: recipients ignore it"
        );
        let text = explain_claims(&[("vendor\u{1b}[2J".into(), 1.into())], None);
        assert!(!text[0].to_string().contains('\u{1b}'), "{}", text[0]);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
            ".{0,12}".prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = prop_oneof![
                (-3_i64..9).prop_map(Value::from),
                "[a-z:]{0,6}".prop_map(Value::Text)
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::vec((key, inner.clone()), 0..4).prop_map(Value::Map),
                (0_u64..60, inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_of_every_claim_is_explained_in_one_line(
            label in prop_oneof![1_i64..9, 41_i64..46, Just(282), 300_i64..330],
            value in values(),
        ) {
            let said = says(label, value);
            prop_assert!(!said.is_empty() && !said.chars().any(char::is_control), "{:?}", said);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[A-Za-z0-9_-]{0,300}") {
            if let Ok(inspection) = inspect(&text) {
                let _ = inspection.to_string();
            }
        }

        #[test]
        fn a_minted_claim_comes_out_again(value in values()) {
            let key = SigningKey::from_jwk(&Jwk::symmetric("k", &[1; 32])).unwrap();
            if let Ok(token) = Minter::new().claim(70_001, value).mint(&key) {
                let inspection = inspect(&token).unwrap();
                prop_assert_eq!(inspection.claims().len(), 2);
            }
        }
    }
}
