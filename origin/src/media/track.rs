//! One track of a channel: what it lists, holds and remembers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::event::Inband;
use super::pair::Pairs;
use super::segment::{ClosedSegment, Entry};
use super::snapshot::{Counts, SourceView};
use super::tail::{Push, Tail};
use crate::cmaf::{Init, Kind};
use crate::time::{UnixMillis, ticks_to_nanos};

/// One track of a channel.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// Init segments in use, the current one last.
    pub(super) inits: Vec<Arc<Init>>,
    /// What the playlist lists.
    pub(super) entries: VecDeque<Entry>,
    /// Media of listed segments, by name.
    pub(super) media: BTreeMap<String, Bytes>,
    /// Objects past the window, and when they may go.
    pub(super) expired: VecDeque<Expired>,
    /// The newest segment's place, listed or not.
    pub(super) last: Option<Place>,
    /// The segment on air.
    pub(super) tail: Option<Tail>,
    /// A segment cut off with its connection before it was on air.
    pub(super) held: Option<(Push, ClosedSegment)>,
    /// Segments of another timeline than the one on air.
    pub(super) standby: VecDeque<(Push, ClosedSegment)>,
    /// The encoder that leads.
    pub(super) source: Option<Arc<str>>,
    /// The encoders that push it.
    pub(super) sources: BTreeMap<Arc<str>, SourceState>,
    /// A request that sends what another one leads, and when it last did.
    pub(super) twin: Option<(u64, UnixMillis)>,
    /// When media last came that was listed.
    pub(super) touched: UnixMillis,
    pub(super) counts: Counts,
    /// Segments that wait for the channel's grid, with their epochs.
    pub(super) pending: Vec<(u32, ClosedSegment)>,
    /// The init segment came again since the last media.
    pub(super) renewed: bool,
    pub(super) measure: Measure,
    pub(super) ended: bool,
    /// One more than the highest number that was listed.
    pub(super) next_number: u64,
    /// Streams of events in its segments, sorted.
    pub(super) inband: Vec<Inband>,
    /// Variant B beside its segments.
    pub(super) pairs: Pairs,
    /// When variant A, or any track without variants, was last heard.
    pub(super) heard_a: Option<UnixMillis>,
    /// Segments of variant B whose variant A has not come: what stands in for it if it never does.
    pub(super) stand_ins: VecDeque<(Push, ClosedSegment)>,
}

/// What is known of one encoder of a track.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct SourceState {
    /// Hash of the init segment that it sent last.
    pub(super) init: Option<u64>,
    /// When media last came from it.
    pub(super) heard: UnixMillis,
    /// Its newest segment was filler (`slat`), or broke off.
    pub(super) faulty: bool,
    /// Its newest segment was more than it may bring.
    pub(super) excessive: bool,
}

/// Where a track's newest segment stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Place {
    pub(super) epoch: u32,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) init: u64,
}

impl Place {
    /// The same place, counted in ticks of another timescale.
    pub(super) fn rescaled(self, from: u32, to: u32) -> Self {
        let scale = |ticks: u64| {
            let scaled =
                (u128::from(ticks) * u128::from(to) + u128::from(from / 2)) / u128::from(from.max(1));
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        if from == to {
            return self;
        }
        Self {
            start: scale(self.start),
            end: scale(self.end),
            ..self
        }
    }
}

/// An object that no document lists any more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Expired {
    pub(super) name: String,
    /// Hash of the init segment that it needs.
    #[serde(default)]
    pub(super) init: u64,
    pub(super) until: UnixMillis,
}

/// What is measured of a track's media.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Measure {
    /// Highest bits a second of one segment.
    pub(super) peak: u64,
    pub(super) bytes: u64,
    pub(super) nanos: u64,
    /// Sample duration in ticks as a fraction, of the first whole segment.
    pub(super) samples: u64,
    pub(super) ticks: u64,
}

impl Track {
    /// The newest init segment.
    pub fn init(&self) -> Option<&Arc<Init>> {
        self.inits.last()
    }

    /// Whether documents list this kind of track.
    pub fn is_listed(&self) -> bool {
        self.init()
            .is_some_and(|init| matches!(init.kind, Kind::Video | Kind::Audio | Kind::Text))
    }

    /// Whether all its media has left the window.
    pub(super) fn is_past(&self) -> bool {
        let had_media = self.last.is_some() || self.inits.is_empty();
        had_media
            && self.entries.is_empty()
            && self.pending.is_empty()
            && self.held.is_none()
            && self.tail.is_none()
    }

    /// Whether all its media is past retention.
    pub(super) fn is_over(&self) -> bool {
        self.is_past() && self.expired.is_empty()
    }

    /// Whether more media is expected.
    pub(super) fn is_running(&self) -> bool {
        self.is_listed() && !self.ended && !self.is_past()
    }

    /// Media of a listed segment, if it is in memory.
    pub fn media(&self, name: &str) -> Option<Bytes> {
        self.media.get(name).cloned()
    }

    /// The init segment of that name.
    pub fn init_named(&self, name: &str) -> Option<Bytes> {
        self.inits
            .iter()
            .find(|init| init.name() == name)
            .map(|init| init.bytes.clone())
    }

    /// Whether a segment of that name is listed or kept.
    pub fn keeps(&self, name: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.segment().is_some_and(|segment| segment.name == name))
            || self.expired.iter().any(|expired| expired.name == name)
    }

    /// The init segment that an encoder's media needs: the last that it sent, else the newest.
    pub fn init_from(&self, source: &str) -> Option<&Arc<Init>> {
        let hash = self.sources.get(source).and_then(|state| state.init);
        hash.and_then(|hash| self.inits.iter().find(|init| init.hash == hash))
            .or_else(|| self.init())
    }

    /// Where its newest media ends, in ticks.
    pub fn edge(&self) -> Option<u64> {
        let on_air = self.tail.as_ref().map(|tail| tail.segment.end());
        on_air.or_else(|| self.last.map(|last| last.end))
    }

    /// What is known of an encoder; `None` where there are too many to know.
    pub(super) fn source_state(&mut self, source: &Arc<str>) -> Option<&mut SourceState> {
        if !self.sources.contains_key(source) && self.sources.len() >= MAX_SOURCES {
            // The one that was silent for longest makes room.
            let oldest = self.sources.iter().min_by_key(|(_, state)| state.heard);
            let oldest = oldest.map(|(name, _)| Arc::clone(name))?;
            self.sources.remove(&oldest);
        }
        Some(self.sources.entry(Arc::clone(source)).or_default())
    }

    /// Notes that media came from an encoder, and whether it was worth less than it should be.
    pub(super) fn hear(&mut self, push: &Push, segment: &ClosedSegment, faulty: bool, now: UnixMillis) {
        if let Some(state) = self.source_state(&push.source) {
            state.heard = now;
            state.faulty = faulty;
        }
        // Encoders that cannot be told apart by name are told apart by sending one segment in two requests.
        let is_led_by_another = |tail: &Tail| tail.lead.is_some_and(|lead| lead != push.id);
        if self
            .tail
            .as_ref()
            .is_some_and(|tail| is_led_by_another(tail) && tail.is_of(segment))
        {
            self.twin = Some((push.id, now));
        }
    }

    /// Whether another encoder pushes the track as well, or another request of the same one the segment on air.
    pub(super) fn is_fed_by_another(&self, push: &Push, now: UnixMillis) -> bool {
        let since = UnixMillis(now.0.saturating_sub(SOURCE_PATIENCE_MS));
        let other = |(name, state): (&Arc<str>, &SourceState)| *name != push.source && state.heard >= since;
        let twin = self
            .twin
            .is_some_and(|(id, heard)| id != push.id && heard >= since);
        let lead = self.tail.as_ref().and_then(|tail| tail.lead);
        twin || lead.is_some_and(|lead| lead != push.id) || self.sources.iter().any(other)
    }

    /// Forgets when an encoder was last heard: it has said that it goes.
    pub(super) fn forget_source(&mut self, source: &Arc<str>) {
        self.twin = None;
        if let Some(state) = self.sources.get_mut(source) {
            state.heard = UnixMillis(0);
        }
    }

    /// The encoders of the track as operators see them.
    pub(super) fn sources(&self) -> Vec<SourceView> {
        let view = |(name, state): (&Arc<str>, &SourceState)| SourceView {
            name: Arc::clone(name),
            leads: self.source.as_ref() == Some(name),
            faulty: state.faulty,
            heard: state.heard,
        };
        self.sources.iter().map(view).collect()
    }

    /// Whether another encoder than `source`, without its faults, has been heard since `since`.
    pub(super) fn has_better_than(&self, source: &Arc<str>, since: UnixMillis) -> bool {
        let is_faulty = self.sources.get(source).is_some_and(|state| state.faulty);
        is_faulty
            && self
                .sources
                .iter()
                .any(|(name, state)| name != source && !state.faulty && state.heard >= since)
    }

    /// Wall time up to which viewers have media, in nanoseconds since 1970: the segment on air counts as far as it came.
    pub(super) fn shown_until(&self) -> Option<i64> {
        let on_air = self
            .tail
            .as_ref()
            .map(|tail| tail.wall.saturating_add(tail.segment.span()));
        on_air.max(self.entries.back().map(Entry::end))
    }

    /// The highest number so far.
    pub(super) fn highest(&self) -> Option<u64> {
        let on_air = self.tail.as_ref().map(|tail| tail.sequence.0);
        let listed = self.entries.back().map(|entry| entry.sequence().0);
        on_air.max(listed)
    }

    /// Lets the track's last place be where the segment on air ends so far.
    pub(super) fn follow_tail(&mut self) {
        let Some(tail) = &self.tail else { return };
        self.touched = self.touched.max(tail.touched);
        self.source = Some(Arc::clone(&tail.source));
        self.last = Some(Place {
            epoch: tail.epoch,
            start: tail.segment.start,
            end: tail.segment.end(),
            init: tail.segment.init.hash,
        });
    }

    /// Takes an init segment; says whether it is new.
    pub(super) fn set_init(&mut self, source: &Arc<str>, init: Arc<Init>) -> bool {
        self.renewed = self.last.is_some();
        if let Some(state) = self.source_state(source) {
            state.init = Some(init.hash);
        }
        if let Some(known) = self.inits.iter().position(|known| known.hash == init.hash) {
            // The newest stands last; the bytes behind a name stay those that came first.
            let known = self.inits.remove(known);
            self.inits.push(known);
            return false;
        }
        self.inits.push(init);
        true
    }

    /// Takes an init segment that media brings along, in front of the current one; says whether it is new.
    pub(super) fn keep_init(&mut self, init: &Arc<Init>) -> bool {
        let is_new = self.inits.iter().all(|known| known.hash != init.hash);
        if is_new {
            self.inits.insert(0, Arc::clone(init));
        }
        is_new
    }

    /// Bytes of media in memory.
    pub(super) fn bytes(&self) -> u64 {
        let pending = self.pending.iter().map(|(_, segment)| segment);
        let held = self.held.iter().chain(&self.standby).chain(&self.stand_ins);
        let held = held.map(|(_, segment)| segment);
        let on_air = self.tail.iter().map(|tail| &tail.segment);
        let coming: u64 = pending.chain(held).chain(on_air).map(ClosedSegment::length).sum();
        let listed: u64 = self.media.values().map(|data| data.len() as u64).sum();
        listed.saturating_add(coming).saturating_add(self.pairs.bytes())
    }

    /// Forgets init segments that nothing needs; returns their names.
    pub(super) fn drop_unused_inits(&mut self) -> Vec<String> {
        let mut dropped = Vec::new();
        let newest = self.init().map(|init| init.hash);
        let entries = &self.entries;
        let busy = |hash| {
            newest == Some(hash)
                || entries.iter().any(|entry| entry.init() == hash)
                || self.expired.iter().any(|expired| expired.init == hash)
                || self.pending.iter().any(|(_, segment)| segment.init.hash == hash)
                || self.tail.iter().any(|tail| tail.segment.init.hash == hash)
                || self.sources.values().any(|source| source.init == Some(hash))
                || self
                    .held
                    .iter()
                    .chain(&self.standby)
                    .any(|(_, segment)| segment.init.hash == hash)
        };
        self.inits.retain(|init| {
            let keep = busy(init.hash);
            if !keep {
                dropped.push(init.name());
            }
            keep
        });
        dropped
    }
}

impl Measure {
    pub(super) fn add(&mut self, segment: &ClosedSegment) {
        let nanos = segment.span().max(1).unsigned_abs();
        let bytes = segment.length();
        if segment.whole {
            let rate = u128::from(bytes) * 8_000_000_000 / u128::from(nanos);
            // A sliver of a segment has a rate that says nothing.
            if self.samples == 0 || u128::from(nanos) * 4 >= u128::from(self.mean_span(segment)) {
                self.peak = self.peak.max(u64::try_from(rate).unwrap_or(u64::MAX));
            }
            if self.samples == 0 {
                (self.samples, self.ticks) = (segment.samples(), segment.duration);
            }
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.nanos = self.nanos.saturating_add(nanos);
    }

    fn mean_span(&self, segment: &ClosedSegment) -> u64 {
        ticks_to_nanos(self.ticks.cast_signed(), segment.init.timescale).unsigned_abs()
    }

    pub(super) fn average(&self) -> u64 {
        let rate = u128::from(self.bytes) * 8_000_000_000 / u128::from(self.nanos.max(1));
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

/// For how long an encoder counts as there after its last chunk, in milliseconds.
pub(super) const SOURCE_PATIENCE_MS: i64 = 5_000;
/// Encoders of one track whose init segments are told apart.
const MAX_SOURCES: usize = 16;
