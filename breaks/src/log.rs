//! The break log of a channel: what was announced, what is on air, what was, as a pure function of what was heard.
//!
//! ```text
//!            out, in time                edge passes T_out               in, plan, overrun, programme end
//!   (none) ──────────────▶ Announced ─────────────────────▶ Open ─────────────────────────────────▶ Ended
//!     │  out, too late         │  cancel                      only T_in moves now, never before the edge
//!     ├──────────▶ Void        ├────────▶ Cancelled
//!     │  out of no length      │  edge passes T_out inside another break
//!     └──────────▶ Point       └────────▶ Nested
//! ```
//!
//! Time is the programme's own: the *edge* is the moment up to which media is published. What is written at an edge is
//! in no playlist before it, so a break that begins at the edge or later is known in time to all who read the playlist it
//! travels in, plus whatever lead the operator adds. A break that would begin before that is void for everybody, or moved
//! to the edge where it is late by no more than the operator allows.
//!
//! Breaks that overlap: the one that begins first stands, of two that begin together the outer, and the other is nested
//! in it. It comes into its own if the first one ends before it begins.

mod anchors;
mod entry;
mod exempt;
mod policy;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use anchors::Listed;
pub use entry::{Break, State};
use exempt::Spared;
pub use policy::Policy;

use crate::{
    airing::Sums,
    cue::{Ask, Cue, Source, When},
    document::{Faults, Version, parse},
    key::{BreakId, Key, Name},
    time::{Micros, UnixMicros},
};

/// The break log of a channel.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend("$id" = "urn:selvedge:schema:break-log:1")))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Always 1.
    version: Version,
    /// The channel.
    channel: String,
    /// The moment of the programme up to which media is published, in microseconds since 1970.
    #[serde(rename = "edge_us")]
    edge: UnixMicros,
    /// What breaks that are forgotten added to the numbers of each group of playlists.
    sums: BTreeMap<Name, Sums>,
    /// Cohorts that some breaks left with the programme: their numbers are their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    spared: BTreeMap<Name, Spared>,
    /// By begin, and of two that begin together the outer first.
    breaks: Vec<Break>,
    /// Ends that were heard before their begins.
    #[serde(default)]
    early_ends: Vec<EarlyEnd>,
}

/// An end that was heard before its begin.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct EarlyEnd {
    #[cfg_attr(test, schemars(with = "String"))]
    key: Key,
    #[serde(rename = "in_us")]
    at: UnixMicros,
}

/// A begin that was heard.
struct Begin<'a> {
    key: &'a Key,
    source: Source,
    /// When it is said to be; `None` is now.
    told: Option<UnixMicros>,
    length: Micros,
    auto_return: bool,
}

impl Log {
    /// Of a channel of which nothing was heard.
    pub fn new(channel: &str) -> Self {
        Self {
            version: Version,
            channel: channel.into(),
            edge: UnixMicros(i64::MIN),
            sums: BTreeMap::new(),
            spared: BTreeMap::new(),
            breaks: Vec::new(),
            early_ends: Vec::new(),
        }
    }

    /// Reads a log as it was serialised.
    ///
    /// # Errors
    /// [`Faults`] where it is none.
    pub fn read(json: &[u8]) -> Result<Self, Faults> {
        parse(json)
    }

    /// The log once media is published up to `edge`; an edge does not go back.
    #[must_use]
    pub fn tick(mut self, edge: UnixMicros, policy: &Policy) -> Self {
        self.edge = self.edge.max(edge);
        self.settle(policy);
        let kept = self.edge.less(KEPT);
        self.early_ends.retain(|end| end.at > kept);
        self
    }

    /// The log once `cue` is heard while media is published up to `edge`. The same once more changes nothing.
    #[must_use]
    pub fn hear(self, edge: UnixMicros, cue: &Cue, policy: &Policy) -> Self {
        let mut log = self.tick(edge, policy);
        let told = match cue.at {
            When::Now => None,
            When::At(moment) => Some(moment),
        };
        match cue.ask {
            Ask::Out {
                planned: Some(Micros(..=0)),
                ..
            } => log.point(cue, told),
            Ask::Out { planned, auto_return } => {
                let length = planned.unwrap_or(policy.default_length);
                if length >= policy.min_length {
                    log.begin(
                        &Begin {
                            key: &cue.key,
                            source: cue.source,
                            told,
                            length: length.min(policy.max_length),
                            // Without a length it cannot end by itself.
                            auto_return: planned.is_some() && (auto_return || policy.returns_on_plan),
                        },
                        policy,
                    );
                }
            }
            Ask::In => log.end(&cue.key, told, policy),
            Ask::Cancel => log.cancel(&cue.key, policy),
            Ask::ProgrammeEnd if policy.ends_with_programme => log.end_programme(told, policy),
            Ask::ProgrammeEnd => {}
            Ask::Exempt => log.exempt(&policy.exempt),
        }
        log.settle(policy);
        log
    }

    /// Whether another log says the same of every break, whenever it came to know that, and wherever breaks stand in
    /// playlists.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let said = |one: &Break| Break {
            effective_from: UnixMicros::default(),
            revision: 0,
            anchors: BTreeMap::new(),
            ..one.clone()
        };
        let breaks = |log: &Self| log.breaks.iter().map(said).collect::<Vec<_>>();
        self.early_ends == other.early_ends && breaks(self) == breaks(other)
    }

    /// All breaks, by begin: cancelled, void and nested ones too.
    pub fn breaks(&self) -> &[Break] {
        &self.breaks
    }

    /// The channel.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The moment of the programme up to which media is published.
    pub const fn edge(&self) -> UnixMicros {
        self.edge
    }

    /// The breaks that are, were or will be on air, as far as is known: none overlaps another.
    pub fn aired(&self) -> impl Iterator<Item = &Break> {
        let breaks = self.breaks.iter().enumerate();
        breaks
            .filter(|(at, one)| {
                one.state.is_aired() && !(one.state == State::Announced && self.is_covered(*at))
            })
            .map(|(_, one)| one)
    }

    /// What is written now is known to all from here on.
    fn effective_from(&self, policy: &Policy) -> UnixMicros {
        self.edge.plus(policy.lead)
    }

    /// What begins now begins then.
    fn next_begin_now(&self, policy: &Policy) -> UnixMicros {
        let from = self.effective_from(policy);
        policy.boundary.map_or(from, |boundary| boundary.max(from))
    }

    fn point(&mut self, cue: &Cue, told: Option<UnixMicros>) {
        let out = told.unwrap_or(self.edge);
        let is_known = |one: &&Break| one.key == cue.key && near(one.signalled, out);
        if self.breaks.iter().find(is_known).is_none() {
            let point = Break::point(&self.channel, cue, out, self.edge);
            self.insert(point);
        }
    }

    fn begin(&mut self, begin: &Begin<'_>, policy: &Policy) {
        let (from, begins) = (self.effective_from(policy), self.next_begin_now(policy));
        let is_same = |one: &Break| {
            one.key == *begin.key
                && match (begin.told, one.state) {
                    (Some(told), _) => near(one.signalled, told),
                    (None, State::Open) => true,
                    (None, State::Announced) => one.out <= begins,
                    (None, State::Nested) => from < one.until(),
                    // Ended at this very edge: this is what ended it.
                    (None, State::Ended) => near(one.signalled, begins) || one.until() >= self.edge,
                    (None, _) => near(one.signalled, begins),
                }
        };
        if let Some(at) = self.breaks.iter().position(is_same) {
            return self.say_again(at, begin, policy);
        }
        let is_live = |one: &Break| one.key == *begin.key && one.state.is_live();
        let known = self.breaks.iter().position(is_live);
        if let Some((at, one)) = known.and_then(|at| self.breaks.get(at).map(|one| (at, one))) {
            match one.state {
                State::Announced => return self.announce(Some(at), begin, policy),
                // What is on air stays where it is; what begins once it is over is another of the same name.
                _ if begin.told.is_none_or(|told| told < one.until()) => return,
                _ => {}
            }
        }
        self.announce(None, begin, policy);
    }

    /// A begin that is known is said again: as it was, or with another length.
    fn say_again(&mut self, at: usize, begin: &Begin<'_>, policy: &Policy) {
        let edge = self.edge;
        let Some(one) = self.breaks.get_mut(at) else {
            return;
        };
        match one.state {
            State::Announced if one.told != begin.length || one.auto_return != begin.auto_return => {
                // Said now, it would move to now.
                let told = Some(one.signalled);
                self.announce(Some(at), &Begin { told, ..*begin }, policy);
            }
            State::Open if one.end.is_none() && one.told != begin.length => {
                one.told = begin.length;
                // Said of now, it is so long from now on.
                let since = begin.told.map_or(edge, |_| one.out);
                let latest = one.out.plus(policy.max_length);
                one.due = since.plus(begin.length).min(latest).max(edge);
                one.revision += 1;
            }
            _ => {}
        }
    }

    /// Announces a break, or moves one that was announced and is not on air.
    fn announce(&mut self, moved: Option<usize>, begin: &Begin<'_>, policy: &Policy) {
        let from = self.effective_from(policy);
        let signalled = begin.told.unwrap_or_else(|| self.next_begin_now(policy));
        let due = signalled.plus(begin.length);
        let is_late = signalled < from;
        let begins = if is_late {
            self.next_begin_now(policy)
        } else {
            signalled
        };
        let is_void = is_late && (from.since(signalled) > policy.max_late || due <= begins);
        // What is known of one that is announced stands, where the news is too late.
        let unchangeable = |one: &Break| is_void || one.out < from;
        if moved.and_then(|at| self.breaks.get(at)).is_some_and(unchangeable) {
            return;
        }
        let out = if is_void { signalled } else { begins };
        let before = moved.map(|at| self.breaks.remove(at));
        let end = before.as_ref().and_then(|one| one.end).filter(|end| *end > out);
        let planned = due.since(out);
        let one = Break {
            id: BreakId::new(&self.channel, out, begin.key),
            key: begin.key.clone(),
            source: begin.source,
            signalled,
            told: begin.length,
            out,
            planned,
            due,
            end,
            auto_return: begin.auto_return,
            state: if is_void { State::Void } else { State::Announced },
            revision: before.map_or(0, |one| one.revision) + 1,
            effective_from: from,
            structure: policy.layout.structure(planned),
            exempt: policy.exempt.clone(),
            restrictions: policy.restrictions.clone(),
            anchors: BTreeMap::new(),
        };
        let end = self.early_end(&one).map(|end| policy.allowed_end(&one, end));
        self.insert(Break {
            end: one.end.map(|end| policy.allowed_end(&one, end)).or(end),
            ..one
        });
    }

    /// The end of a break where that was heard before its begin.
    fn early_end(&mut self, one: &Break) -> Option<UnixMicros> {
        let is_of =
            |end: &EarlyEnd| one.state == State::Announced && end.key.is_of(&one.key) && end.at > one.out;
        let at = self.early_ends.iter().position(is_of)?;
        Some(self.early_ends.remove(at).at)
    }

    fn end(&mut self, key: &Key, told: Option<UnixMicros>, policy: &Policy) {
        let edge = self.edge;
        // Of several that it may end, the last that begins before it: what is over stays so.
        let found = (0..self.breaks.len())
            .rev()
            .find(|at| self.may_end(*at, key, told, policy));
        if let Some(one) = found.and_then(|at| self.breaks.get_mut(at)) {
            if one.state.is_live() {
                let end = policy.allowed_end(one, told.unwrap_or(edge));
                let end = policy.end_on_air(one, end, edge);
                return one.end_at(end);
            }
            // Of what was over within the hour it is a repetition; later, the key may have been given anew.
            if edge < one.until().plus(KEPT) {
                return;
            }
        }
        let early = told.filter(|told| *told > edge && *key != Key::Nameless);
        if let Some(at) = early.filter(|_| self.early_ends.len() < MAX_EARLY_ENDS) {
            let end = EarlyEnd { key: key.clone(), at };
            if !self.early_ends.contains(&end) {
                self.early_ends.push(end);
            }
        }
    }

    /// Whether the break there is one that an end of `key` may be of.
    fn may_end(&self, at: usize, key: &Key, told: Option<UnixMicros>, policy: &Policy) -> bool {
        self.breaks.get(at).is_some_and(|one| {
            // Without a name it is of the break that will be on air then.
            let latest = one.out.plus(policy.max_length);
            let is_elsewhere = told.is_some_and(|told| told > latest)
                || (one.state == State::Announced && self.is_covered(at));
            let is_hidden = *key == Key::Nameless && is_elsewhere;
            let is_then = match told {
                Some(told) => one.state.is_aired() && told > one.signalled,
                None => one.state == State::Open,
            };
            is_then && key.is_of(&one.key) && !is_hidden
        })
    }

    fn cancel(&mut self, key: &Key, policy: &Policy) {
        self.early_ends.retain(|end| !key.is_of(&end.key));
        let edge = self.edge;
        for one in self.breaks.iter_mut().filter(|one| key.is_of(&one.key)) {
            match one.state {
                State::Announced | State::Point => {
                    one.state = State::Cancelled;
                    one.revision += 1;
                }
                State::Open => one.end_at(policy.end_on_air(one, edge, edge)),
                State::Ended | State::Cancelled | State::Void | State::Nested => {}
            }
        }
    }

    /// A programme ends: so does the break that is on air, unless it would sooner.
    fn end_programme(&mut self, told: Option<UnixMicros>, policy: &Policy) {
        let edge = self.edge;
        for one in self.breaks.iter_mut().filter(|one| one.state == State::Open) {
            let end = policy.end_on_air(one, told.unwrap_or(edge), edge);
            let is_in_time = told.is_none_or(|told| told >= one.signalled);
            if is_in_time && one.t_in().is_none_or(|t_in| end < t_in) {
                one.end_at(end);
            }
        }
    }

    /// Brings each break to the state that it has at the edge, in order.
    fn settle(&mut self, policy: &Policy) {
        for at in 0..self.breaks.len() {
            let is_covered = self.is_covered(at);
            let next = self.next_begin(at);
            let edge = self.edge;
            let Some(one) = self.breaks.get_mut(at) else {
                return;
            };
            if one.out > edge {
                return;
            }
            if one.state == State::Announced {
                one.state = if is_covered { State::Nested } else { State::Open };
                one.revision += 1;
            }
            if one.state == State::Open {
                let end = one.t_in().unwrap_or_else(|| {
                    let latest = one.due.plus(policy.max_overrun);
                    let latest = latest.min(one.out.plus(policy.max_length)).max(one.due);
                    next.map_or(latest, |next| latest.min(next))
                });
                if end <= edge {
                    one.end_at(end);
                    one.state = State::Ended;
                }
            }
        }
    }

    /// Whether the break there, which is not on air, begins inside one that goes before it, or that is on air already.
    fn is_covered(&self, at: usize) -> bool {
        let Some(one) = self.breaks.get(at) else {
            return false;
        };
        let others = self.breaks.iter().enumerate().filter(|(index, _)| *index != at);
        let mut candidates = others.take_while(|(_, other)| other.out <= one.out);
        candidates.any(|(index, other)| {
            let goes_before = match other.state {
                State::Announced => index < at && !self.is_covered(index),
                state => state.is_aired(),
            };
            goes_before && one.out < other.until()
        })
    }

    /// When the first break begins that follows the one there once that is due: it ends an overrun.
    fn next_begin(&self, at: usize) -> Option<UnixMicros> {
        let (one, after) = self.breaks.get(at..)?.split_first()?;
        let mut next = after
            .iter()
            .filter(|next| next.state.is_aired() && next.out >= one.due);
        next.next().map(|next| next.out)
    }

    fn insert(&mut self, one: Break) {
        let order = |one: &Break| (one.out, one.key.is_inner());
        let at = self.breaks.partition_point(|other| order(other) <= order(&one));
        self.breaks.insert(at, one);
    }
}

/// The same moment, but for how it was rounded on its way.
fn near(one: UnixMicros, other: UnixMicros) -> bool {
    one.0.abs_diff(other.0) <= SAME.0.unsigned_abs()
}

/// Half a frame at 25 frames a second.
const SAME: Micros = Micros::from_millis(20);
/// Ends without a begin are kept for so long.
const KEPT: Micros = Micros::from_seconds(3600);
const MAX_EARLY_ENDS: usize = 64;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
