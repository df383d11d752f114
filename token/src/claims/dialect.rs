//! Where the standard leaves room, or has not come to an end yet: what a recipient accepts there.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::label::Label;

/// Choices that the standard leaves open. The default is the strictest of each.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dialect {
    /// The keys of the composite claims. `None`: a token with one of the keys in use for them is refused.
    pub composite: Option<CompositeLabels>,
    /// Whether a regular expression may constrain its capture groups, in the elements after the pattern.
    pub regex_captures: bool,
    /// Whether `cnf` may name its key's thumbprint by 3, as early tokens do, where the value is 32 bytes long.
    pub early_confirmation: bool,
}

/// The keys of the composite claims (draft-lemmons-cose-composite-claims), which are not assigned yet.
///
/// Read from a document they are [checked](Self::check).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct CompositeLabels {
    /// `or`: at least one set of claims holds.
    pub or: i64,
    /// `nor`: none holds.
    pub nor: i64,
    /// `and`: all hold.
    pub and: i64,
    /// `crit`: claims that must be present and understood, where the key is in use.
    #[serde(default)]
    pub crit: Option<i64>,
}

impl<'de> Deserialize<'de> for CompositeLabels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)?.check().map_err(D::Error::custom)
    }
}

impl Serialize for CompositeLabels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl CompositeLabels {
    /// These keys, if each means one thing: under another claim's key, that claim would not be judged any more.
    ///
    /// # Errors
    /// Two of them are the same, or one is the key of a claim of the standard. 324 may be one, which is `cattprint`
    /// where it is none.
    pub fn check(self) -> Result<Self, &'static str> {
        let keys = [Some(self.or), Some(self.nor), Some(self.and), self.crit];
        let mut keys = keys.into_iter().flatten();
        while let Some(key) = keys.next() {
            let label = Label(key.into());
            if label.name().is_some() && label != Label::CATTPRINT {
                return Err("the key of a composite claim is that of another claim: take one that is free");
            }
            if keys.clone().any(|other| other == key) {
                return Err("two composite claims have the same key: give each its own");
            }
        }
        Ok(self)
    }

    pub(crate) fn kind(self, label: Label) -> Option<Kind> {
        let is = |key: i64| label.0 == i128::from(key);
        Some(match () {
            () if is(self.or) => Kind::Or,
            () if is(self.nor) => Kind::Nor,
            () if is(self.and) => Kind::And,
            () => return None,
        })
    }

    pub(crate) fn is_crit(self, label: Label) -> bool {
        self.crit.is_some_and(|key| label.0 == i128::from(key))
    }
}

/// How the sets of a composite claim are joined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Or,
    Nor,
    And,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_means_one_thing() {
        let read = |text: &str| serde_json::from_str::<Dialect>(&format!(r#"{{"composite":{text}}}"#));
        for good in [
            r#"{"or":41,"nor":42,"and":43}"#,
            r#"{"or":324,"nor":325,"and":326,"crit":45}"#,
        ] {
            let dialect = read(good).unwrap();
            let written = serde_json::to_string(&dialect).unwrap();
            assert_eq!(serde_json::from_str::<Dialect>(&written).unwrap(), dialect);
        }
        for bad in [
            r#"{"or":42,"nor":42,"and":43}"#,
            r#"{"or":41,"nor":42,"and":43,"crit":43}"#,
            r#"{"or":4,"nor":42,"and":43}"#,
            r#"{"or":41,"nor":42,"and":43,"crit":312}"#,
            r#"{"or":41,"nor":42}"#,
            r#"{"or":41,"nor":42,"and":43,"xor":44}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
