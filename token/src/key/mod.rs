//! Keys. A key carries its algorithm: what a token says of itself never chooses how it is checked.

mod algorithm;
mod jwk;
#[cfg(feature = "ps256")]
mod rsa;
mod set;
mod signing;
mod verification;

use std::sync::Arc;

pub use algorithm::Algorithm;
pub use jwk::{Jwk, JwkSet};
pub use set::{KeySet, KeySetVersion};
pub use signing::SigningKey;
pub(crate) use verification::VerificationKey;

use crate::time::UnixMillis;

/// Whom a key speaks for, and when it is good. Judged at every admission, for a token may outlive its key.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct KeyBounds {
    /// The issuers that tokens of this key may name; `None`: any, or none at all.
    pub issuers: Option<Vec<String>>,
    /// The first moment at which the key is good, in Unix seconds.
    pub not_before: Option<i64>,
    /// The first moment at which it is good no longer, in Unix seconds.
    pub not_after: Option<i64>,
}

impl KeyBounds {
    /// Whether the key is good at `now`. There is no leeway.
    pub fn hold_at(&self, now: UnixMillis) -> bool {
        let seconds = now.0.div_euclid(1000);
        self.not_before.is_none_or(|first| first <= seconds) && self.not_after.is_none_or(|end| seconds < end)
    }

    /// Whether a token of this key may have `issuer` as its `iss`. A bound key seals no token without one.
    pub fn speak_for(&self, issuer: Option<&str>) -> bool {
        self.issuers
            .as_ref()
            .is_none_or(|issuers| issuer.is_some_and(|issuer| issuers.iter().any(|own| own == issuer)))
    }

    /// What holds where both hold: the bounds of a token that was sealed by one key inside of another's.
    #[cfg(feature = "encrypt")]
    pub(crate) fn intersect(&self, other: &Self) -> Self {
        Self {
            issuers: match (&self.issuers, &other.issuers) {
                (Some(ours), Some(theirs)) => Some(
                    ours.iter()
                        .filter(|issuer| theirs.contains(issuer))
                        .cloned()
                        .collect(),
                ),
                (ours, theirs) => ours.as_ref().or(theirs.as_ref()).cloned(),
            },
            not_before: self.not_before.max(other.not_before),
            not_after: match (self.not_after, other.not_after) {
                (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (ours, theirs) => ours.or(theirs),
            },
        }
    }
}

/// What a verdict keeps of the key that it rests on: two counts of references, no copy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeyIdentity {
    pub(crate) kid: Arc<str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) bounds: Arc<KeyBounds>,
}

impl KeyIdentity {
    pub(crate) fn of(jwk: &Jwk, algorithm: Algorithm) -> Result<Self, crate::error::KeyError> {
        Ok(Self {
            kid: jwk.kid.as_str().into(),
            algorithm,
            bounds: Arc::new(jwk.bounds()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_good_from_nbf_until_just_before_exp() {
        let bounds = KeyBounds {
            not_before: Some(10),
            not_after: Some(20),
            ..KeyBounds::default()
        };
        let at = |millis| bounds.hold_at(UnixMillis(millis));
        assert_eq!(
            [9_999, 10_000, 19_999, 20_000].map(at),
            [false, true, true, false]
        );
        assert!(KeyBounds::default().hold_at(UnixMillis(i64::MIN)));
    }

    #[test]
    fn a_bound_key_speaks_for_its_issuers_alone() {
        let bounds = KeyBounds {
            issuers: Some(vec!["a".into()]),
            ..KeyBounds::default()
        };
        assert!(bounds.speak_for(Some("a")));
        assert!(!bounds.speak_for(Some("b")) && !bounds.speak_for(None));
        assert!(KeyBounds::default().speak_for(None));
    }

    #[test]
    #[cfg(feature = "encrypt")]
    fn an_intersection_is_no_wider_than_either() {
        let one = KeyBounds {
            issuers: Some(vec!["a".into(), "b".into()]),
            not_before: Some(1),
            not_after: None,
        };
        let other = KeyBounds {
            issuers: Some(vec!["b".into(), "c".into()]),
            not_before: None,
            not_after: Some(9),
        };
        let both = KeyBounds {
            issuers: Some(vec!["b".into()]),
            not_before: Some(1),
            not_after: Some(9),
        };
        assert_eq!(one.intersect(&other), both);
        assert_eq!(one.intersect(&KeyBounds::default()), one);
    }
}
