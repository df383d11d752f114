//! Where breaks stand in playlists, and what they add up to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Break, Log, State};
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
        let over = self
            .counted(group)
            .filter(|(one, _)| one.rejoin().is_some_and(|rejoin| rejoin < moment));
        over.filter_map(|(_, sums)| sums)
            .fold(self.base(group), Sums::plus)
    }

    /// What the playlists of a group need, for those who are exempt from nothing ([`told`](Self::told)).
    pub fn slice(&self, group: &Name, listed: &Listed) -> Slice {
        self.told(group, listed).slice
    }

    /// The breaks that a window needs, and those behind it.
    pub(super) fn divided<'l>(&'l self, group: &'l Name, listed: &Listed) -> Divided<'l> {
        let mut divided = Divided::default();
        for (one, sums) in self.counted(group) {
            if one.out > listed.until {
                break;
            }
            let is_past = one.state == State::Ended && listed.is_behind(one, group);
            match sums.filter(|_| is_past && divided.listed.is_empty()) {
                Some(_) => {
                    divided.past.insert(&one.id);
                }
                // Never listed anywhere: nothing to be numbered by.
                None if is_past && !one.anchors.contains_key(group) => {}
                None => divided.listed.push(one),
            }
        }
        divided
    }

    /// The log without what was over before `moment`, as far as no later one would be miscounted; the sums stay. The last
    /// break that was on air stays too: what follows it in an MPD is named by it.
    #[must_use]
    pub fn forget(mut self, moment: UnixMicros) -> Self {
        let is_over = |one: &Break| match one.state {
            State::Announced | State::Open => false,
            State::Ended => {
                one.rejoin().is_some_and(|rejoin| rejoin < moment)
                    && one.anchors.values().all(|anchor| anchor.back.is_some())
            }
            State::Cancelled | State::Void | State::Nested | State::Point => one.out < moment,
        };
        let last = self.breaks.iter().rposition(|one| one.state.is_aired());
        let last = last.unwrap_or(self.breaks.len());
        let over = self.breaks.iter().take(last);
        let count = over.take_while(|one| is_over(one)).count();
        let gone: BTreeSet<&BreakId> = self.breaks.iter().take(count).map(|one| &one.id).collect();
        if gone.is_empty() {
            return self;
        }
        let anchored = self.breaks.iter().take(count).flat_map(|one| one.anchors.keys());
        let groups: BTreeSet<&Name> = self.sums.keys().chain(anchored).collect();
        let sums = groups.into_iter().map(|group| {
            let of_gone = self.counted(group).filter(|(one, _)| gone.contains(&one.id));
            let of_gone = of_gone.filter_map(|(_, sums)| sums);
            (group.clone(), of_gone.fold(self.base(group), Sums::plus))
        });
        let sums = sums.collect();
        self.spared = self.spared_without(&gone, &sums);
        self.sums = sums;
        self.breaks.drain(..count);
        self
    }

    /// What forgotten breaks added to the numbers of a group.
    pub(super) fn base(&self, group: &Name) -> Sums {
        base(&self.sums, group)
    }

    /// The breaks on air, and what each has added to the numbers of a group, where that is known.
    pub(super) fn counted<'l>(&'l self, asked: &'l Name) -> impl Iterator<Item = (&'l Break, Option<Sums>)> {
        counted(self.aired(), asked)
    }
}

/// Groups keep in step, so one that is new has what others have.
pub(super) fn base(sums: &BTreeMap<Name, Sums>, group: &Name) -> Sums {
    let own = sums.get(group);
    own.or_else(|| sums.values().next()).copied().unwrap_or_default()
}

/// What each of some breaks has added to the numbers of a group, where that is known. Where the next one begins with the
/// segment that one of them returns with, they have one discontinuity between them.
pub(super) fn counted<'l>(
    aired: impl Iterator<Item = &'l Break>,
    asked: &'l Name,
) -> impl Iterator<Item = (&'l Break, Option<Sums>)> {
    let mut aired = aired.peekable();
    std::iter::from_fn(move || {
        let one = aired.next()?;
        // Of a break that was never listed in a group, the others know.
        let known = one.sums(asked).map(|_| asked);
        let group = known.or_else(|| one.anchors.keys().find(|other| one.sums(other).is_some()));
        let mut sums = one.sums(group.unwrap_or(asked));
        let is_met = |next: &&Break| group.is_some_and(|group| one.is_met_by(next, group));
        let is_met = aired.peek().is_some_and(is_met);
        if let Some(sums) = sums.as_mut().filter(|_| is_met) {
            sums.dsn = sums.dsn.saturating_sub(1);
        }
        Some((one, sums))
    })
}

/// The breaks of a log as a window sees them.
#[derive(Debug, Default)]
pub(super) struct Divided<'l> {
    /// Behind it: nothing is left of them but their sums.
    past: BTreeSet<&'l BreakId>,
    /// In it, or to come.
    pub(super) listed: Vec<&'l Break>,
}

impl Divided<'_> {
    /// What those behind the window have added to the numbers.
    pub(super) fn sums<'b>(
        &self,
        counted: impl Iterator<Item = (&'b Break, Option<Sums>)>,
        base: Sums,
    ) -> Sums {
        let past = counted.filter(|(one, _)| self.past.contains(&one.id));
        past.filter_map(|(_, sums)| sums).fold(base, Sums::plus)
    }
}

/// What a playlist lists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listed {
    /// When its first segment begins.
    pub start: UnixMicros,
    /// That segment's media sequence number, in the playlist without breaks.
    pub first: Option<u64>,
    /// What begins later is not told in it yet.
    pub until: UnixMicros,
}

impl Listed {
    /// Whether the segment that the programme returned with from a break has left the window.
    fn is_behind(&self, one: &Break, group: &Name) -> bool {
        let back = one.anchors.get(group).and_then(|anchor| anchor.back);
        if let (Some(back), Some(first)) = (back, self.first) {
            return back.msn_in < first;
        }
        let rejoin = one.rejoin().map(|rejoin| rejoin.plus(one.structure.tolerance));
        rejoin.is_some_and(|rejoin| rejoin < self.start)
    }
}

impl Break {
    /// Whether another one begins with the segment that this one returns with.
    fn is_met_by(&self, next: &Self, group: &Name) -> bool {
        let plays = |one: &Self| match one.t_in() {
            Some(t_in) => one.structure.shape(t_in.since(one.out)).segments > 0,
            None => one.structure.places().next().is_some(),
        };
        let places = self.anchors.get(group).zip(next.anchors.get(group));
        let meets =
            places.is_some_and(|(anchor, next)| anchor.back.is_some_and(|back| back.msn_in == next.msn_out));
        meets && plays(self) && plays(next)
    }
}
