//! Where the standard leaves room, or has not come to an end yet: what a recipient accepts there.

use serde::{Deserialize, Serialize};

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
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
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

impl CompositeLabels {
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
