//! Whether a claim holds, where not knowing is an answer of its own.

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
}
