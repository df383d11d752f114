//! What an operator decides of a channel's breaks.

use super::Break;
use crate::{
    key::Name,
    layout::Layout,
    rules::Restriction,
    structure::MAX_LENGTH,
    time::{Micros, UnixMicros},
};

/// What an operator decides of a channel's breaks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// How long a break is whose begin does not say.
    pub default_length: Micros,
    /// Shorter breaks are not made.
    pub min_length: Micros,
    /// Longer breaks end then.
    pub max_length: Micros,
    /// For how long a break goes on that neither ends by itself nor is ended, once its plan is over.
    pub max_overrun: Micros,
    /// A break that is to begin so long before the edge, or less, begins at the edge: at most one segment, lest viewers
    /// see the begin of what is replaced. Zero, and it is void.
    pub max_late: Micros,
    /// How much earlier than at its begin a break must be known. Zero where the knowledge is in the playlist itself.
    pub lead: Micros,
    /// Where the source's next segment begins: what is to begin now, or a little too late, begins there. `None` where
    /// that is not known, and it begins at the edge.
    pub boundary: Option<UnixMicros>,
    /// Viewers are shown segments in parts: one of which they were shown any is played to its end.
    pub keeps_parts: bool,
    /// A break whose length is known ends by itself, whatever its begin says.
    pub returns_on_plan: bool,
    /// A break may end before its plan is over.
    pub early_return: bool,
    /// The end of a programme or a network ends the break that is on air.
    pub ends_with_programme: bool,
    /// How breaks are laid out.
    pub layout: Layout,
    /// Cohorts that breaks leave with the programme.
    pub exempt: Vec<Name>,
    /// What a viewer may not do in a break.
    pub restrictions: Vec<Restriction>,
}

impl Policy {
    /// When a break ends that is asked to end at `end`.
    pub(super) fn allowed_end(&self, one: &Break, end: UnixMicros) -> UnixMicros {
        let end = end.min(one.out.plus(self.max_length)).max(one.out);
        if self.early_return { end } else { end.max(one.due) }
    }

    /// When a break that is on air ends that is asked to end at `end`, where media is published up to `edge`.
    pub(super) fn end_on_air(&self, one: &Break, end: UnixMicros, edge: UnixMicros) -> UnixMicros {
        let end = end.max(edge);
        if self.keeps_parts {
            one.whole(end, edge)
        } else {
            end
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            default_length: Micros::from_seconds(120),
            min_length: Micros::ZERO,
            max_length: MAX_LENGTH,
            max_overrun: Micros::from_seconds(120),
            max_late: Micros::from_seconds(2),
            lead: Micros::ZERO,
            boundary: None,
            keeps_parts: false,
            returns_on_plan: false,
            early_return: true,
            ends_with_programme: false,
            layout: Layout::default(),
            exempt: Vec::new(),
            restrictions: Vec::new(),
        }
    }
}
