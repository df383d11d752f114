//! One break of a log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    airing::{Airing, Anchor, Mode, Sums, rejoin, sums},
    cue::{Cue, Source},
    key::{BreakId, Key, Name},
    rules::Restriction,
    structure::Structure,
    time::{Micros, UnixMicros},
};

/// A break as the log has it.
///
/// Once it is on air, `end` and `due` alone may change, to what is not published yet, and anchors are added.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// What it is known by.
    pub id: BreakId,
    /// The event that it came from.
    #[cfg_attr(test, schemars(with = "String"))]
    pub key: Key,
    /// Where it was heard of, last that it was moved.
    #[serde(default)]
    pub source: Source,
    /// When the event said it would begin, in microseconds since 1970.
    #[serde(rename = "signalled_us")]
    pub signalled: UnixMicros,
    /// How long the event last said it would be.
    #[serde(rename = "told_us")]
    pub told: Micros,
    /// When it begins, in microseconds since 1970.
    #[serde(rename = "out_us")]
    pub out: UnixMicros,
    /// For how long, as it was planned when it went on air.
    #[serde(rename = "planned_us")]
    pub planned: Micros,
    /// When its plan is over, in microseconds since 1970.
    #[serde(rename = "due_us")]
    pub due: UnixMicros,
    /// When it ends, where that is certain, in microseconds since 1970.
    #[serde(default, rename = "end_us")]
    pub end: Option<UnixMicros>,
    /// It ends by itself when it is due.
    pub auto_return: bool,
    /// Where it stands.
    pub state: State,
    /// How often it has changed, from 1.
    pub revision: u32,
    /// Since which moment of the programme it is known to all; later than `out`, and it is void.
    #[serde(rename = "effective_from_us")]
    pub effective_from: UnixMicros,
    /// Its slots.
    pub structure: Structure,
    /// Cohorts that it leaves with the programme.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exempt: Vec<Name>,
    /// What a viewer may not do in it, as the rules said when it was announced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restrictions: Vec<Restriction>,
    /// Where it stands in the playlists of each group that share their numbers.
    #[serde(default)]
    pub anchors: BTreeMap<Name, Anchor>,
}

/// Where a break stands.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It will begin, and may be changed.
    Announced,
    /// It is on air.
    Open,
    /// It is over.
    Ended,
    /// It was called off before it began.
    Cancelled,
    /// It was known too late: the programme stays on air for everybody.
    Void,
    /// It lies inside another.
    Nested,
    /// Nothing is replaced: a point at which ads may be inserted into what is recorded.
    Point,
}

impl State {
    /// Whether it is announced or on air.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Announced | Self::Open)
    }

    /// Whether it will be, is or was on air.
    pub const fn is_aired(self) -> bool {
        matches!(self, Self::Announced | Self::Open | Self::Ended)
    }
}

impl Break {
    pub(super) fn point(channel: &str, cue: &Cue, out: UnixMicros, known: UnixMicros) -> Self {
        let key = &cue.key;
        Self {
            id: BreakId::new(channel, out, key),
            key: key.clone(),
            source: cue.source,
            signalled: out,
            told: Micros::ZERO,
            out,
            planned: Micros::ZERO,
            due: out,
            end: Some(out),
            auto_return: true,
            state: State::Point,
            revision: 1,
            effective_from: known,
            structure: Structure::default(),
            exempt: Vec::new(),
            restrictions: Vec::new(),
            anchors: BTreeMap::new(),
        }
    }

    /// When the programme goes on, as far as is known; `None` while that is open.
    pub fn t_in(&self) -> Option<UnixMicros> {
        self.end.or_else(|| self.auto_return.then_some(self.due))
    }

    /// When the programme goes on, or would by the plan.
    pub fn until(&self) -> UnixMicros {
        self.end.unwrap_or(self.due)
    }

    /// When the programme is on again: not later than [`t_in`](Self::t_in), and earlier where it resumes behind the last
    /// slot.
    pub fn rejoin(&self) -> Option<UnixMicros> {
        rejoin(&self.structure, self.out, self.t_in())
    }

    /// What it adds to the numbers of a group of playlists; nothing where it was not on air, `None` while that is not
    /// known.
    pub fn sums(&self, group: &Name) -> Option<Sums> {
        if !self.state.is_aired() {
            return Some(Sums::default());
        }
        let anchor = self.anchors.get(group)?;
        sums(&self.structure, *anchor, self.t_in()?.since(self.out))
    }

    /// As it stands in the playlists of a group.
    pub fn airing(&self, group: &Name) -> Airing {
        Airing {
            id: self.id.clone(),
            mode: Mode::Replace,
            out: self.out,
            planned: self.planned,
            t_in: self.t_in(),
            revision: self.revision,
            effective_from: self.effective_from,
            structure: self.structure.clone(),
            anchor: self.anchors.get(group).copied(),
        }
    }

    /// When it ends that is to end at `end`, where media is published up to `edge`: what viewers were shown of a
    /// segment of its slots in parts is not taken back, so that segment is played to its end.
    pub(super) fn whole(&self, end: UnixMicros, edge: UnixMicros) -> UnixMicros {
        let tolerance = self.structure.tolerance;
        let aired = edge.since(self.out).less(tolerance);
        let length = end.since(self.out);
        let begun = self.structure.places().take_while(|place| place.start < aired);
        let on_air = begun.last().filter(|place| place.end > aired);
        match on_air.filter(|place| length.plus(tolerance) < place.end) {
            // By its plan it would have been over before that segment's end, so that none of it was shown.
            Some(place)
                if self
                    .t_in()
                    .is_none_or(|t_in| self.out.plus(place.end) <= t_in.plus(tolerance)) =>
            {
                self.out.plus(place.end)
            }
            _ => end,
        }
    }

    pub(super) fn end_at(&mut self, end: UnixMicros) {
        if self.end != Some(end) {
            self.end = Some(end);
            self.revision += 1;
        }
    }
}
