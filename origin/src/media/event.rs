//! What happens in a channel besides its media: splices, and whatever else encoders announce.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use selvedge_breaks::{
    Ask, Clock, Cue, Micros, Openers, Pts, Signal, Ticks, UnixMicros, When,
    scte35::{self, Section},
    signal::{Action, Time},
};

use super::channel::Channel;
use super::timeline::Epoch;
use super::track::Track;
use crate::cmaf::{Chunk, EventMessage, EventStart, Init};
use crate::time::{UnixMillis, ticks_to_nanos};

/// An event of a channel, from an `emsg` box (ISO/IEC 23009-1 5.10.3.3) or an event track (ISO/IEC 23001-18).
///
/// The same event comes with every rendition and every repetition: `(scheme, value, id)` is what it is known by.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Event {
    /// `schemeIdUri`.
    pub scheme: String,
    /// `value`.
    pub value: String,
    /// `id`, unique for scheme and value.
    pub id: u32,
    /// Ordinal of the epoch on whose timeline it was announced.
    pub epoch: u32,
    /// Wall time of its begin in nanoseconds since 1970.
    pub wall: i64,
    /// Duration in nanoseconds; `None` when it was not said.
    pub span: Option<i64>,
    /// `message_data`.
    #[serde(with = "base64")]
    pub message: Bytes,
    /// What it says of a break, where it is a SCTE-35 splice.
    pub splice: Option<Splice>,
}

/// Which end of a break a splice is (SCTE 35 9.7.3, 10.3.3).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Splice {
    /// A break begins.
    Out,
    /// A break ends.
    In,
    /// Something else that a splice information section may say.
    Other,
}

/// A message is written as base64.
mod base64 {
    use base64ct::{Base64, Encoding as _};
    use bytes::Bytes;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(message: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        Base64::encode_string(message).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        Base64::decode_vec(&text)
            .map(Bytes::from)
            .map_err(D::Error::custom)
    }
}

/// A stream of events in the segments of a track (ISO/IEC 23009-1 5.10.3.3): `emsg` boxes of one scheme and value.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Inband {
    /// `schemeIdUri`.
    pub scheme: String,
    /// `value`.
    pub value: String,
}

/// An event as a chunk announced it, on its own timeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Announced {
    /// Media time at which it begins, in nanoseconds.
    start: i64,
    /// By how much that is behind the decode time that segments are dated by, in nanoseconds.
    late: i64,
    message: EventMessage,
}

impl Announced {
    /// The events of a chunk, given its init segment.
    pub(super) fn of(chunk: &Chunk, init: &Init) -> impl Iterator<Item = Self> {
        let nanos = |ticks| ticks_to_nanos(ticks, init.timescale);
        let (presented, offset) = (nanos(chunk.presented()), nanos(chunk.fragment.first_offset));
        // A time of the presentation has the edit list in it already.
        let edited = nanos(init.edit.media_time);
        chunk.events.iter().map(move |message| Self {
            start: message.starts_at(presented),
            late: match message.start {
                EventStart::After(_) => offset,
                EventStart::At(_) => offset.saturating_sub(edited).max(0),
            },
            message: message.clone(),
        })
    }

    /// When it begins in playlists, in nanoseconds since 1970, with media time zero at `anchor`.
    pub(super) fn wall(&self, anchor: i64) -> i64 {
        anchor.saturating_add(self.start).saturating_sub(self.late)
    }

    /// What is the same in all repetitions.
    pub(super) fn identity(&self) -> impl Hash + '_ {
        let message = &self.message;
        (&message.scheme, &message.value, message.id, &message.data)
    }

    /// What it asks of a break log, where it is a splice; it is placed by its own time, for the section's may be of
    /// another clock.
    pub(super) fn cues(&self, at: UnixMicros, openers: Openers) -> Option<Vec<Cue>> {
        let message = &self.message;
        let section = Section::decode(&scte35::section(&message.scheme, &message.data)?).ok()?;
        let signals = Signal::read(&section, openers).ok()?;
        let clock = Clock {
            pts: Pts::default(),
            wall: at,
        };
        let told = message.lasts().filter(|span| *span > 0);
        let cue = |signal: &Signal| {
            let mut cue = signal.cue(clock)?;
            if !matches!(signal.time, Time::Gps(_)) {
                cue.at = When::At(at);
            }
            if let Ask::Out { planned, .. } = &mut cue.ask {
                *planned = planned.or(told.map(|span| Micros(span / 1_000)));
            }
            Some(cue)
        };
        Some(signals.iter().filter_map(cue).collect())
    }

    /// Media time at which it begins, in nanoseconds.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    fn place(&self, epoch: &Epoch) -> Event {
        let message = &self.message;
        let mut span = message.lasts().filter(|span| *span > 0);
        let splice = signals(&message.scheme, &message.data).map(|signals| {
            let leading = Signal::leading(&signals);
            // An encoder need not repeat what the section says.
            let told = leading
                .and_then(|signal| signal.duration)
                .filter(|told| *told > Ticks(0));
            let ticks = told.and_then(|Ticks(ticks)| i64::try_from(ticks).ok());
            span = span.or_else(|| ticks.map(|ticks| ticks_to_nanos(ticks, SPLICE_TIMESCALE)));
            match leading.map(|signal| signal.action) {
                Some(Action::Out) => Splice::Out,
                Some(Action::In) => Splice::In,
                _ => Splice::Other,
            }
        });
        Event {
            scheme: message.scheme.clone(),
            value: message.value.clone(),
            id: message.id,
            epoch: epoch.ordinal,
            wall: epoch.anchor.as_nanos().saturating_add(self.start),
            span,
            message: message.data.clone(),
            splice,
        }
    }
}

/// What the section in the data of an event message says; `None` where there is none, nothing where that is encrypted.
pub(crate) fn signals(scheme: &str, data: &[u8]) -> Option<Vec<Signal>> {
    let section = Section::decode(&scte35::section(scheme, data)?).ok()?;
    Some(Signal::read(&section, Openers::default()).unwrap_or_default())
}

impl Event {
    /// Whether `other` says nothing that this does not: the same event, of another rendition or encoder.
    fn covers(&self, other: &Self) -> bool {
        self.message == other.message
            && (self.span == other.span || other.span.is_none())
            && self.wall.abs_diff(other.wall) < SAME_NANOS
    }

    /// When it is over, in nanoseconds since 1970. A break whose end was not told may last for hours.
    fn over(&self) -> i64 {
        let open = if self.splice == Some(Splice::Out) {
            OPEN_BREAK_NANOS
        } else {
            0
        };
        self.wall.saturating_add(self.span.unwrap_or(open))
    }
}

/// The events of a channel, by what they are known by.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    known: BTreeMap<(String, String, u32), Arc<Event>>,
    /// How often there was something new.
    told: u64,
}

impl Events {
    fn tell(&mut self, event: Event) {
        let key = (event.scheme.clone(), event.value.clone(), event.id);
        if self.known.get(&key).is_some_and(|known| known.covers(&event)) {
            return;
        }
        self.told += 1;
        self.known.insert(key, Arc::new(event));
        while self.known.len() > MAX_EVENTS {
            let first = self.known.iter().min_by_key(|(_, event)| event.wall);
            let Some(key) = first.map(|(key, _)| key.clone()) else {
                return;
            };
            self.known.remove(&key);
        }
    }

    /// Drops what was over before `start`, in nanoseconds since 1970; says whether anything was.
    fn expire(&mut self, start: i64) -> bool {
        let before = self.known.len();
        self.known.retain(|_, event| event.over() >= start);
        self.known.len() != before
    }

    /// All of them, by the time that they begin.
    pub(super) fn listed(&self) -> Vec<Arc<Event>> {
        let mut listed: Vec<_> = self.known.values().cloned().collect();
        listed.sort_by_key(|event| event.wall);
        listed
    }

    /// How many events, and new words on events, there have been.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    /// As they were before a restart.
    pub(super) fn restore(events: Vec<Event>, told: u64) -> Self {
        let key = |event: &Event| (event.scheme.clone(), event.value.clone(), event.id);
        let known = events.into_iter().map(|event| (key(&event), Arc::new(event)));
        Self {
            known: known.take(MAX_EVENTS).collect(),
            told,
        }
    }
}

impl Track {
    /// Takes note of the streams that a segment's events are of.
    fn note_inband(&mut self, announced: &[Announced]) {
        for Announced { message, .. } in announced {
            let is_known = |known: &Inband| known.scheme == message.scheme && known.value == message.value;
            if self.inband.len() < MAX_INBAND && !self.inband.iter().any(is_known) {
                self.inband.push(Inband {
                    scheme: message.scheme.clone(),
                    value: message.value.clone(),
                });
                // In one order on all tracks.
                self.inband.sort();
            }
        }
    }
}

impl Channel {
    /// Takes what a segment of a track, on the timeline of that epoch, announces.
    pub(super) fn announce(&mut self, track: &str, ordinal: u32, announced: &[Announced]) {
        // The samples of an event track are no boxes of its segments.
        if let Some(state) = self.tracks.get_mut(track).filter(|state| state.is_listed()) {
            state.note_inband(announced);
        }
        let Some(epoch) = self.epochs.iter().find(|epoch| epoch.ordinal == ordinal) else {
            return;
        };
        for one in announced {
            self.events.tell(one.place(epoch));
        }
    }

    /// Drops events that no listed segment is touched by any more; says whether there were any.
    pub(super) fn expire_events(&mut self, now: UnixMillis) -> bool {
        let first = self.tracks.values().filter_map(|track| track.entries.front());
        // Without a listed segment the window is all that is known.
        let window = now.as_nanos() - self.settings.window(self.grid);
        let start = first.map(|entry| entry.wall()).min().unwrap_or(window);
        self.events.expire(start)
    }
}

/// Ticks a second of SCTE 35.
const SPLICE_TIMESCALE: u32 = 90_000;
/// Two encoders' clocks may differ by so much, in nanoseconds.
const SAME_NANOS: u64 = 500_000_000;
const OPEN_BREAK_NANOS: i64 = 6 * 3_600_000_000_000;
/// Events of one channel.
const MAX_EVENTS: usize = 256;
/// Streams of events in one track.
const MAX_INBAND: usize = 8;
