//! Whether a claim holds, where not knowing is an answer of its own.

use crate::{dpop::ProofError, error::Refusal, label::Label};

/// The outcome of judging one claim by one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Truth {
    /// The request is what the claim admits.
    Holds,
    /// It is not.
    Fails,
    /// The recipient does not know what the claim asks for.
    Unknown,
}

impl Truth {
    /// From a fact that is known.
    pub(crate) const fn known(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }

    /// From the verdict on a set of claims. What is undecided of one of its claims leaves the set undecided.
    pub(crate) const fn of(verdict: &Result<(), Refusal>) -> Self {
        match verdict {
            Ok(()) => Self::Holds,
            Err(
                Refusal::Unanswerable { .. }
                | Refusal::UnsupportedClaim { .. }
                // A proof that is not understood says nothing of who sent it.
                | Refusal::Proof(ProofError::Unusable | ProofError::Algorithm | ProofError::Key),
            ) => Self::Unknown,
            Err(_) => Self::Fails,
        }
    }

    /// The verdict on a request by `claim`.
    pub(crate) const fn verdict(self, claim: Label) -> Result<(), Refusal> {
        match self {
            Self::Holds => Ok(()),
            Self::Fails => Err(Refusal::Restricted { claim }),
            Self::Unknown => Err(Refusal::Unanswerable { claim }),
        }
    }

    /// Whether it does not hold.
    pub(crate) const fn negated(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
            Self::Unknown => Self::Unknown,
        }
    }

    /// Whether all hold. One that fails decides, whatever is not known of the others.
    pub(crate) fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::Holds;
        for truth in truths {
            match truth {
                Self::Holds => {}
                Self::Fails => return Self::Fails,
                Self::Unknown => all = Self::Unknown,
            }
        }
        all
    }

    /// Whether any holds. One that does decides, whatever is not known of the others.
    pub(crate) fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Self::Fails;
        for truth in truths {
            match truth {
                Self::Holds => return Self::Holds,
                Self::Fails => {}
                Self::Unknown => any = Self::Unknown,
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, *};

    #[test]
    fn what_is_not_known_matters_only_where_nothing_else_decides() {
        assert_eq!(Truth::all([Unknown, Fails]), Fails);
        assert_eq!(Truth::all([Holds, Unknown]), Unknown);
        assert_eq!(Truth::any([Unknown, Holds]), Holds);
        assert_eq!(Truth::any([Fails, Unknown]), Unknown);
        assert_eq!((Truth::all([]), Truth::any([])), (Holds, Fails));
    }
}
