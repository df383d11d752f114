//! Composite claims: sets of claims that are joined by `or`, `nor` and `and`.

use crate::{
    cbor::{Item, Reader},
    claims::{Claims, Reading, Scope, dialect::Kind, read_error, truth::Truth},
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
    /// Reads the claim's array of claim sets.
    pub(crate) fn read(
        label: Label,
        kind: Kind,
        reader: &mut Reader<'_>,
        reading: &mut Reading<'_>,
    ) -> Result<Self, Refusal> {
        let malformed = |what| Refusal::MalformedClaim { claim: label, what };
        if reading.level >= MAX_COMPOSITE_LEVELS {
            return Err(malformed("nested too deeply"));
        }
        let Item::Array(length @ 1..=MAX_CLAIMS) =
            reader.next().map_err(|error| malformed(read_error(error)))?
        else {
            return Err(malformed("expected a list of claim sets"));
        };
        reading.sets = reading
            .sets
            .checked_sub(length)
            .ok_or(malformed("too many claim sets in one token"))?;
        reading.level += 1;
        let sets = (0..length)
            .map(|_| Claims::read_set(reader, reading))
            .collect::<Result<_, _>>()?;
        reading.level -= 1;
        Ok(Self { label, kind, sets })
    }

    /// About how many bytes its sets take in memory.
    pub(crate) fn footprint(&self) -> usize {
        self.sets.iter().map(Claims::footprint).sum()
    }

    pub(crate) const fn label(&self) -> Label {
        self.label
    }

    /// Whether the composite holds. What cannot be judged of a set cannot be judged of the composite, unless another
    /// set decides: so it is carried to whatever composite stands around this one, and never admits there.
    pub(crate) fn judge(&self, scope: &Scope<'_>) -> Result<(), Refusal> {
        let sets = self.sets.iter().map(|set| Truth::of(&set.judge_nested(scope)));
        let truth = match self.kind {
            Kind::Or => Truth::any(sets),
            Kind::And => Truth::all(sets),
            Kind::Nor => Truth::any(sets).negated(),
        };
        truth.verdict(self.label)
    }
}
