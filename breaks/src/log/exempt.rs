//! Exempt cohorts: they stay with the programme in some breaks, and so have numbers of their own.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Break, Listed, Log, State, anchors};
use crate::{
    airing::{Airing, Sums},
    key::{BreakId, Name},
    rules::Restriction,
    slice::{Slice, Told},
};

/// What is known of a cohort that some breaks left with the programme, once the first of them are forgotten.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spared {
    /// What forgotten breaks that it was shown added to the numbers of each group of playlists.
    sums: BTreeMap<Name, Sums>,
    /// The last of them that ended: what follows it in an MPD is named by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Box<Break>>,
}

impl Log {
    /// What the playlists of a group need, for all cohorts: a break whose first segment behind it is in the window still
    /// is among its breaks, for that segment has a discontinuity of its own.
    pub fn told(&self, group: &Name, listed: &Listed) -> Told {
        let divided = self.divided(group, listed);
        let slice = Slice {
            before: divided.sums(self.counted(group), self.base(group)),
            breaks: divided.listed.iter().map(|one| one.airing(group)).collect(),
        };
        let own = self.cohorts().into_iter().filter_map(|cohort| {
            let before = divided.sums(self.shown(cohort, group), self.base_of(cohort, group));
            (before != slice.before).then(|| (cohort.clone(), before))
        });
        Told {
            before: own.collect(),
            exempt: exempt_from(divided.listed.iter().copied()),
            restrictions: restricting(divided.listed.iter().copied()),
            slice,
        }
    }

    /// What an MPD needs, for all cohorts: of the last break before its window as well that each of them was shown, for the
    /// Period behind a break is named by it and keeps its name.
    pub fn told_by_time(&self, listed: &Listed) -> Told {
        let Some(group) = Name::of(ANY_GROUP) else {
            return Told::default();
        };
        let coming = self.divided(&group, listed).listed;
        let first = coming.first().map(|first| &first.id);
        let earlier = self.aired().take_while(|one| Some(&one.id) != first);
        let earlier: Vec<&Break> = earlier.filter(|one| one.state == State::Ended).collect();
        let last_of = |cohort: &Name| {
            let shown = earlier.iter().rev().find(|one| !one.exempts(cohort)).copied();
            shown.or_else(|| self.spared.get(cohort)?.last.as_deref())
        };
        let own = self.cohorts().into_iter().filter_map(last_of);
        let mut told: Vec<&Break> = earlier.last().copied().into_iter().chain(own).collect();
        told.sort_by_key(|one| one.out);
        told.dedup_by(|one, other| one.id == other.id);
        told.extend(coming);
        Told {
            slice: Slice {
                before: Sums::default(),
                breaks: told.iter().map(|one| unanchored(one, &group)).collect(),
            },
            exempt: exempt_from(told.iter().copied()),
            restrictions: restricting(told.into_iter()),
            before: BTreeMap::new(),
        }
    }

    /// Breaks that are announced, and not to begin at once, leave these cohorts with the programme, and no others.
    pub(super) fn exempt(&mut self, cohorts: &[Name]) {
        let edge = self.edge;
        let is_coming = |one: &&mut Break| one.state == State::Announced && one.out > edge;
        for one in self.breaks.iter_mut().filter(is_coming) {
            if one.exempt != cohorts {
                one.exempt = cohorts.to_vec();
                one.revision += 1;
            }
        }
    }

    /// Whether a break that is to begin leaves others with the programme than these.
    pub fn exempts_others_than(&self, cohorts: &[Name]) -> bool {
        let is_coming = |one: &&Break| one.state == State::Announced && one.out > self.edge;
        let mut coming = self.breaks.iter().filter(is_coming);
        coming.any(|one| one.exempt != cohorts)
    }

    /// What is to be known of exempt cohorts once the breaks `gone` are forgotten, and `sums` is what they added.
    pub(super) fn spared_without(
        &self,
        gone: &BTreeSet<&BreakId>,
        sums: &BTreeMap<Name, Sums>,
    ) -> BTreeMap<Name, Spared> {
        let is_gone = |one: &&Break| gone.contains(&one.id);
        let spared = self.cohorts().into_iter().map(|cohort| {
            let own = sums.keys().map(|group| {
                let of_gone = self.shown(cohort, group).filter(|(one, _)| is_gone(one));
                let of_gone = of_gone.filter_map(|(_, sums)| sums);
                (
                    group.clone(),
                    of_gone.fold(self.base_of(cohort, group), Sums::plus),
                )
            });
            let ended = self
                .aired()
                .filter(is_gone)
                .filter(|one| one.state == State::Ended);
            let last = ended.filter(|one| !one.exempts(cohort)).last();
            let last = last.map(|one| {
                Box::new(Break {
                    anchors: BTreeMap::new(),
                    ..one.clone()
                })
            });
            let known = || self.spared.get(cohort)?.last.clone();
            let own = Spared {
                sums: own.collect(),
                last: last.or_else(known),
            };
            (cohort.clone(), own)
        });
        let is_exempt = |cohort: &Name| {
            let mut left = self.aired().filter(|one| !is_gone(one));
            left.any(|one| one.exempts(cohort))
        };
        spared
            .filter(|(cohort, own)| own.sums != *sums || is_exempt(cohort))
            .collect()
    }

    /// The breaks on air that a cohort is shown, and what each has added to its numbers.
    fn shown<'l>(
        &'l self,
        cohort: &'l Name,
        group: &'l Name,
    ) -> impl Iterator<Item = (&'l Break, Option<Sums>)> {
        anchors::counted(self.aired().filter(move |one| !one.exempts(cohort)), group)
    }

    /// What forgotten breaks added to the numbers of a cohort.
    fn base_of(&self, cohort: &Name, group: &Name) -> Sums {
        match self.spared.get(cohort) {
            Some(spared) => anchors::base(&spared.sums, group),
            None => self.base(group),
        }
    }

    /// The cohorts that were left with the programme in any break.
    fn cohorts(&self) -> BTreeSet<&Name> {
        let exempt = self.aired().flat_map(|one| &one.exempt);
        self.spared.keys().chain(exempt).collect()
    }
}

impl Break {
    /// Whether it leaves a cohort with the programme.
    pub fn exempts(&self, cohort: &Name) -> bool {
        self.exempt.contains(cohort)
    }
}

fn exempt_from<'l>(breaks: impl Iterator<Item = &'l Break>) -> BTreeMap<BreakId, Vec<Name>> {
    let exempting = breaks.filter(|one| !one.exempt.is_empty());
    exempting
        .map(|one| (one.id.clone(), one.exempt.clone()))
        .collect()
}

fn restricting<'l>(breaks: impl Iterator<Item = &'l Break>) -> BTreeMap<BreakId, Vec<Restriction>> {
    let restricting = breaks.filter(|one| !one.restrictions.is_empty());
    restricting
        .map(|one| (one.id.clone(), one.restrictions.clone()))
        .collect()
}

fn unanchored(one: &Break, group: &Name) -> Airing {
    Airing {
        anchor: None,
        ..one.airing(group)
    }
}

/// Where no numbers are told, no group is better than another.
const ANY_GROUP: &str = "any";
