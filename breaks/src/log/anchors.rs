//! Where breaks stand in playlists, and what they add up to.

use super::{Log, State};
use crate::{
    airing::{Anchor, Return, Sums},
    key::{BreakId, Name},
    slice::Slice,
    time::UnixMicros,
};

impl Log {
    /// The programme is left for a break in the playlists of a group: `msn_out` is the first segment that is replaced,
    /// `dsn_before` the discontinuity sequence of the one before it. What is known already stays as it is.
    #[must_use]
    pub fn left(mut self, id: &BreakId, group: &Name, msn_out: u64, dsn_before: u64) -> Self {
        if let Some(one) = self
            .breaks
            .iter_mut()
            .find(|one| one.id == *id && one.state.is_aired())
        {
            one.anchors.entry(group.clone()).or_insert(Anchor {
                msn_out,
                dsn_before,
                back: None,
            });
        }
        self
    }

    /// The programme is on again: `msn_in` is the first segment behind the break, `dsn_in` its discontinuity sequence.
    #[must_use]
    pub fn rejoined(mut self, id: &BreakId, group: &Name, msn_in: u64, dsn_in: u64) -> Self {
        let found = self
            .breaks
            .iter_mut()
            .find(|one| one.id == *id && one.state.is_aired());
        if let Some(anchor) = found.and_then(|one| one.anchors.get_mut(group)) {
            anchor.back.get_or_insert(Return { msn_in, dsn_in });
        }
        self
    }

    /// What the breaks that are over before `moment` have added to the numbers of a group.
    pub fn sums_before(&self, group: &Name, moment: UnixMicros) -> Sums {
        let base = self.sums.get(group).copied().unwrap_or_default();
        let over = self
            .aired()
            .filter(|one| one.rejoin().is_some_and(|rejoin| rejoin < moment));
        over.filter_map(|one| one.sums(group)).fold(base, Sums::plus)
    }

    /// What the playlists of a group need whose first segment begins at `start`: a break whose first segment behind it
    /// may be the first of the window is among its breaks still, for that segment has a discontinuity of its own.
    pub fn slice(&self, group: &Name, start: UnixMicros) -> Slice {
        let mut slice = Slice {
            before: self.sums.get(group).copied().unwrap_or_default(),
            breaks: Vec::new(),
        };
        for one in self.aired() {
            let rejoin = one.rejoin().map(|rejoin| rejoin.plus(one.structure.tolerance));
            let is_past = one.state == State::Ended && rejoin.is_some_and(|rejoin| rejoin < start);
            match one.sums(group).filter(|_| is_past && slice.breaks.is_empty()) {
                Some(sums) => slice.before = slice.before.plus(sums),
                // Never listed in this group: nothing to be numbered by.
                None if is_past && !one.anchors.contains_key(group) => {}
                None => slice.breaks.push(one.airing(group)),
            }
        }
        slice
    }

    /// The log without what was over before `moment`, as far as no later one would be miscounted; the sums stay.
    #[must_use]
    pub fn forget(mut self, moment: UnixMicros) -> Self {
        let is_over = |one: &super::Break| match one.state {
            State::Announced | State::Open => false,
            State::Ended => {
                one.rejoin().is_some_and(|rejoin| rejoin < moment)
                    && one.anchors.values().all(|anchor| anchor.back.is_some())
            }
            State::Cancelled | State::Void | State::Nested | State::Point => one.out < moment,
        };
        let count = self.breaks.iter().take_while(|one| is_over(one)).count();
        for one in self.breaks.drain(..count) {
            for group in one.anchors.keys() {
                let sums = self.sums.entry(group.clone()).or_default();
                *sums = sums.plus(one.sums(group).unwrap_or_default());
            }
        }
        self
    }
}
