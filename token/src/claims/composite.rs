//! Composite claims: sets of claims that are joined by `or`, `nor` and `and`.

use crate::{
    cbor::{Item, Reader},
    claims::{Claims, Dialect, Scope, dialect::Kind, read_error},
    error::Refusal,
    label::Label,
    limits::{MAX_CLAIMS, MAX_COMPOSITE_LEVELS},
};

/// One composite claim.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Composite {
    label: Label,
    kind: Kind,
    sets: Vec<Claims>,
}

impl Composite {
    /// Reads the claim's array of claim sets; `level` counts how deep this one stands.
    pub(crate) fn read(
        label: Label,
        kind: Kind,
        reader: &mut Reader<'_>,
        dialect: &Dialect,
        level: usize,
    ) -> Result<Self, Refusal> {
        let malformed = |what| Refusal::MalformedClaim { claim: label, what };
        if level >= MAX_COMPOSITE_LEVELS {
            return Err(malformed("nested too deeply"));
        }
        let Item::Array(length @ 1..=MAX_CLAIMS) =
            reader.next().map_err(|error| malformed(read_error(error)))?
        else {
            return Err(malformed("expected a list of claim sets"));
        };
        let sets = (0..length)
            .map(|_| Claims::read_set(reader, dialect, level + 1))
            .collect::<Result<_, _>>()?;
        Ok(Self { label, kind, sets })
    }

    pub(crate) const fn label(&self) -> Label {
        self.label
    }

    /// Whether the composite holds. A set that cannot be judged counts as failing where one has to hold, and as
    /// holding where none may: what is not known never admits.
    pub(crate) fn judge(&self, scope: &Scope<'_>) -> Result<(), Refusal> {
        let mut verdicts = self.sets.iter().map(|set| set.judge_nested(scope));
        let holds = match self.kind {
            Kind::Or => verdicts.any(|verdict| verdict.is_ok()),
            Kind::And => verdicts.all(|verdict| verdict.is_ok()),
            Kind::Nor => verdicts.all(|verdict| {
                verdict.is_err_and(|refusal| {
                    !matches!(
                        refusal,
                        Refusal::Unanswerable { .. } | Refusal::UnsupportedClaim { .. }
                    )
                })
            }),
        };
        if holds {
            Ok(())
        } else {
            Err(Refusal::Restricted { claim: self.label })
        }
    }
}
