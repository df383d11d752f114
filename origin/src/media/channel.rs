//! A channel: its tracks in step, on one wall clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::breaks::Breaks;
use super::event::Events;
use super::place::{Placing, segment_name};
use super::segment::ClosedSegment;
use super::snapshot::{Counts, Snapshot, TrackView};
use super::tail::{Fed, Push, Tail};
use super::timeline::{Anchor, Epoch, Grid};
use super::track::{Measure, Place, SOURCE_PATIENCE_MS, Track};
use crate::cmaf::Init;
use crate::time::{UnixMillis, ticks_to_nanos};

/// What a channel needs of the configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Seconds that documents list.
    pub window_s: u32,
    /// Milliseconds for which an object stays after it left the window.
    pub retention_ms: i64,
    /// Seconds without media after which the channel has ended; 0 for never.
    pub end_after_silence_s: u32,
    /// Nominal segment duration in nanoseconds; 0 to find it.
    pub nominal: i64,
    /// Target duration in seconds; 0 to find it.
    pub target_duration_s: u32,
    /// Whether segments are shown part by part while they come in.
    pub low_latency: bool,
    /// `PART-TARGET` in milliseconds; 0 to find it.
    pub part_target_ms: u32,
    /// Bytes of media in memory.
    pub window_bytes: u64,
}

impl Settings {
    /// What documents list, in nanoseconds: at least three target durations (bis 6.2.2), or players would have no
    /// place to begin.
    pub(super) fn window(&self, grid: Option<Grid>) -> i64 {
        let least = 3 * Self::target(grid);
        (i64::from(self.window_s) * 1_000_000_000).max(least)
    }

    /// For how long an object stays after it left the window, in milliseconds: at least as long as the longest
    /// document that named it lasts, and a segment (bis 6.2.2).
    pub(super) fn retention(&self, grid: Option<Grid>) -> i64 {
        let least = (self.window(grid) + Self::target(grid)) / 1_000_000;
        self.retention_ms.max(least)
    }

    fn target(grid: Option<Grid>) -> i64 {
        grid.map_or(0, |grid| i64::from(grid.target_duration_s) * 1_000_000_000)
    }
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Listed, or waiting for the channel's grid.
    Taken,
    /// On another timeline than the one on air: kept until that falls silent.
    Standby,
    /// Cut off: held until the sender's next word.
    Held,
    /// Already there, or older than what is there.
    Duplicate,
    /// Cut off where nothing can be decoded, or in chunks longer than any segment may be.
    Dropped,
}

/// What a commit asks of the store.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// Objects to write: track, name in the track, and bytes.
    pub write: Vec<(String, String, Bytes)>,
    /// What became of the segment.
    pub verdict: Option<Verdict>,
    /// The encoder that leads the track now, when that changed.
    pub switched_to: Option<Arc<str>>,
}

impl Committed {
    /// Adds what another commit asks for.
    pub(super) fn append(&mut self, other: Self) {
        self.write.extend(other.write);
        self.switched_to = other.switched_to.or(self.switched_to.take());
    }

    /// Notes that another encoder leads the track from now on.
    fn switch(&mut self, counts: &mut Counts, push: &Push) {
        counts.switches += 1;
        self.switched_to = Some(Arc::clone(&push.source));
    }
}

/// What a sweep found.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Objects to write: track, name in the track, and bytes.
    pub write: Vec<(String, String, Bytes)>,
    /// Objects to delete, as track and name.
    pub gone: Vec<(String, String)>,
    /// The documents have changed.
    pub is_changed: bool,
}

/// A channel: its tracks in step, on one wall clock.
#[derive(Clone, Debug)]
pub struct Channel {
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) grid: Option<Grid>,
    pub(super) epochs: Vec<Epoch>,
    /// Discontinuities so far plus one: epochs past the window are forgotten.
    pub(super) opened_epochs: u32,
    pub(super) tracks: BTreeMap<String, Track>,
    pub(super) ended: Option<UnixMillis>,
    pub(super) updated: UnixMillis,
    pub(super) began: Option<UnixMillis>,
    pub(super) events: Events,
    pub(super) breaks: Breaks,
    /// When media came again after a silence as long as the window.
    pub(super) resumed: UnixMillis,
    /// Since when this process has kept the channel: it cannot tell what came before.
    pub(super) kept_since: Option<UnixMillis>,
}

impl Channel {
    /// A channel without media.
    pub fn new(name: &str, settings: Settings) -> Self {
        Self {
            name: name.to_owned(),
            settings,
            grid: None,
            epochs: Vec::new(),
            opened_epochs: 0,
            tracks: BTreeMap::new(),
            ended: None,
            updated: UnixMillis(0),
            began: None,
            events: Events::default(),
            breaks: Breaks::default(),
            resumed: UnixMillis(0),
            kept_since: None,
        }
    }

    /// The channel's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The track of that name.
    pub fn track(&self, name: &str) -> Option<&Track> {
        self.tracks.get(name)
    }

    /// Number of tracks.
    pub fn tracks(&self) -> usize {
        self.tracks.len()
    }

    /// Takes an init segment; says whether it is new and must be stored.
    pub fn set_init(&mut self, track: &str, source: &Arc<str>, init: Arc<Init>, now: UnixMillis) -> bool {
        self.began.get_or_insert(now);
        self.tracks
            .entry(track.to_owned())
            .or_default()
            .set_init(source, init)
    }

    /// Takes an encoder's word that it has no more media, of one track or of the channel. That ends nothing while
    /// another encoder goes on.
    pub fn leave(&mut self, track: Option<&str>, push: &Push, now: UnixMillis) -> Committed {
        let goes_on = |state: &Track| state.is_fed_by_another(push, now);
        let others = match track {
            Some(name) => self.tracks.get(name).is_some_and(goes_on),
            None => self.tracks.values().any(goes_on),
        };
        for (name, state) in &mut self.tracks {
            if track.is_none_or(|track| track == name) {
                state.forget_source(&push.source);
            }
        }
        if others {
            return Committed::default();
        }
        self.end(track, now)
    }

    /// Says that no more media will come: of one track, or of the channel.
    pub fn end(&mut self, track: Option<&str>, now: UnixMillis) -> Committed {
        let mut done = Committed::default();
        self.end_into(track, now, &mut done);
        done
    }

    fn end_into(&mut self, track: Option<&str>, now: UnixMillis, done: &mut Committed) {
        match track {
            Some(name) => {
                self.finish(name, now, done);
                if let Some(track) = self.tracks.get_mut(name) {
                    track.ended = true;
                }
                if self.tracks.values().any(Track::is_running) {
                    return;
                }
            }
            None => {
                self.finish_all(now, done);
                self.tracks.values_mut().for_each(|track| track.ended = true);
            }
        }
        self.ended.get_or_insert(now);
        self.establish_grid();
    }

    /// Takes a segment as far as it has come, so that it is on air before it ends.
    pub fn advance(
        &mut self,
        track: &str,
        push: &Push,
        segment: &ClosedSegment,
        now: UnixMillis,
    ) -> Committed {
        self.hear_a(track, now);
        let mut done = self.put_on_air(track, push, segment, now);
        self.pair_up(track, now, &mut done);
        done
    }

    pub(super) fn put_on_air(
        &mut self,
        track: &str,
        push: &Push,
        segment: &ClosedSegment,
        now: UnixMillis,
    ) -> Committed {
        let mut done = Committed::default();
        self.recall_standby(track, now, &mut done);
        let Some(target) = self.grid.and_then(|grid| grid.part_target_ms) else {
            return done;
        };
        let Some(state) = self.tracks.get_mut(track).filter(|state| state.is_listed()) else {
            return done;
        };
        state.hear(push, segment, segment.slate, now);
        // Of an encoder that brought too much nothing is shown before it can be told that it does so no more.
        let is_doubtful = state
            .sources
            .get(&push.source)
            .is_some_and(|source| source.excessive);
        if is_doubtful && segment.span() < PROBATION_NANOS {
            return done;
        }
        let is_on_air = self.is_on_air(track, push, segment, now);
        let Some(state) = self.tracks.get_mut(track) else {
            return done;
        };
        if let Some(tail) = state.tail.as_mut().filter(|_| is_on_air) {
            let ordinal = tail.epoch;
            if tail.feed(push, segment, now) == Fed::Switched {
                done.switch(&mut state.counts, push);
            }
            state.follow_tail();
            self.updated = now;
            self.announce(track, ordinal, &segment.events);
            return done;
        }
        if let Some(tail) = &state.tail {
            let is_led_by_another = tail.lead.is_some_and(|lead| lead != push.id);
            // The last chunk of the one before may still be under way on its own connection.
            if !tail.is_before(segment) || is_led_by_another && segment.spans.len() < 2 {
                return done;
            }
        }
        // Who came first leads, unless its last segment was worse than what another encoder sends.
        let patience = UnixMillis(now.0.saturating_sub(SOURCE_PATIENCE_MS));
        let is_early = segment.spans.len() < 2 && state.has_better_than(&push.source, patience);
        // A chunk that is longer than any segment may be is never on air.
        let first = segment.spans.first().map_or(0, |span| span.duration);
        let is_overlong = self
            .longest(track, segment)
            .is_some_and(|longest| first > longest);
        let placing = self.judge(track, push, segment, now);
        if is_overlong || is_early || matches!(placing, Placing::Standby | Placing::Duplicate) {
            return done;
        }
        self.finish(track, now, &mut done);
        if let Some(ordinal) = self.enter(track, push, placing, segment, now, &mut done) {
            self.open_tail(track, push, segment, (ordinal, target), now, &mut done);
        }
        done
    }

    /// Takes a segment that has come to its end.
    pub fn commit(&mut self, track: &str, push: &Push, segment: ClosedSegment, now: UnixMillis) -> Committed {
        self.hear_a(track, now);
        let mut done = self.close_segment(track, push, segment, now);
        self.pair_up(track, now, &mut done);
        done
    }

    pub(super) fn close_segment(
        &mut self,
        track: &str,
        push: &Push,
        segment: ClosedSegment,
        now: UnixMillis,
    ) -> Committed {
        let mut done = Committed::default();
        self.recall_standby(track, now, &mut done);
        let state = self.tracks.entry(track.to_owned()).or_default();
        state.hear(push, &segment, segment.slate || !segment.whole, now);
        if segment.whole
            && let Some(source) = state.source_state(&push.source)
        {
            source.excessive = false;
        }
        let is_on_air = self.is_on_air(track, push, &segment, now);
        let state = self.tracks.entry(track.to_owned()).or_default();
        if let Some(tail) = state.tail.as_mut().filter(|_| is_on_air) {
            let (ordinal, announced) = (tail.epoch, segment.events.clone());
            let led = tail.lead.is_none_or(|lead| lead == push.id);
            let (is_whole, is_last) = (segment.whole, segment.last);
            let fed = tail.feed(push, &segment, now);
            let is_complete = match (is_whole, led || fed == Fed::Switched) {
                (true, true) => {
                    tail.segment.whole = true;
                    true
                }
                (true, false) => {
                    tail.keep_spare(segment);
                    false
                }
                (false, true) => tail.break_off(now),
                (false, false) => false,
            };
            done.verdict = Some(match (led || fed == Fed::Switched, is_whole) {
                (true, true) => Verdict::Taken,
                (true, false) => Verdict::Held,
                (false, _) => Verdict::Duplicate,
            });
            state.counts.duplicates += u64::from(done.verdict == Some(Verdict::Duplicate));
            if fed == Fed::Switched {
                done.switch(&mut state.counts, push);
            }
            state.follow_tail();
            self.updated = now;
            self.announce(track, ordinal, &announced);
            if is_complete {
                self.finish(track, now, &mut done);
            }
            if is_last && is_whole {
                done.write.extend(self.leave(Some(track), push, now).write);
            }
            return done;
        }
        match state.held.take() {
            Some((held_by, held)) if held.start != segment.start => {
                self.commit_held(track, &held_by, held, now, &mut done);
            }
            _ => {}
        }
        done.verdict = Some(if segment.whole {
            self.commit_one(track, push, segment, now, &mut done)
        } else if segment.starts_with_sync() {
            if let Some(state) = self.tracks.get_mut(track) {
                state.held = Some((push.clone(), segment));
            }
            self.bound_memory();
            Verdict::Held
        } else {
            Verdict::Dropped
        });
        done
    }

    /// Takes note that a push brings more than it may. What viewers were shown of its segment stays, for nothing that
    /// was shown is taken back; no more of it is kept. The segments that follow of this encoder are on air once they
    /// have come for a second, until one was within bounds to its end.
    pub fn refuse(&mut self, track: &str, push: &Push, now: UnixMillis) -> Committed {
        let mut done = Committed::default();
        let Some(state) = self.tracks.get_mut(track) else {
            return done;
        };
        if let Some(source) = state.source_state(&push.source) {
            source.excessive = true;
            source.faulty = true;
        }
        let led = state.tail.as_mut().filter(|tail| tail.lead == Some(push.id));
        let Some(tail) = led else { return done };
        let is_complete = tail.break_off(now);
        state.follow_tail();
        if is_complete {
            self.finish(track, now, &mut done);
        }
        done
    }

    /// Lists what is held of segments that were cut off, for their senders may never say more.
    pub fn release(&mut self, now: UnixMillis) -> Committed {
        let mut done = Committed::default();
        self.finish_all(now, &mut done);
        self.list_held(now, &mut done);
        let names: Vec<String> = self.tracks.keys().cloned().collect();
        for name in names {
            if let Some(state) = self.tracks.get_mut(&name) {
                state.pairs.give_up_all();
            }
            self.follow_pairs(&name, now, &mut done);
        }
        done
    }

    /// Drops what is past its time.
    pub fn sweep(&mut self, now: UnixMillis) -> Swept {
        let mut swept = Swept::default();
        let names: Vec<String> = self.tracks.keys().cloned().collect();
        for name in &names {
            let mut done = Committed::default();
            self.recall_standby(name, now, &mut done);
            // Its sender is gone, and nobody else has more of it.
            let is_orphan = self.tracks.get(name).is_some_and(|state| {
                state.tail.as_ref().is_some_and(|tail| tail.lead.is_none()) && !self.is_alive(state, now)
            });
            if is_orphan {
                self.finish(name, now, &mut done);
            }
            self.follow_pairs(name, now, &mut done);
            swept.is_changed |= is_orphan || !done.write.is_empty();
            swept.write.extend(done.write);
        }
        let mut is_changed = self.expire_stale(now);
        is_changed |= self.expire_events(now);
        is_changed |= self.settle_asset(now);
        self.prune_epochs();
        // The sender said goodbye on some tracks, and the others died before they could.
        let silence = now.0.saturating_sub(self.updated.0);
        let is_abandoned = self.tracks.values().any(|track| track.is_listed() && track.ended)
            && silence > self.settings.window(self.grid) / 1_000_000;
        self.kept_since.get_or_insert(now);
        let bound = i64::from(self.settings.end_after_silence_s) * 1_000;
        let is_silent = bound > 0 && self.updated.0 != 0 && self.silence(now) >= bound;
        if self.ended.is_none() && (is_abandoned || is_silent) {
            swept.write.extend(self.end(None, now).write);
            is_changed = true;
        }
        let mut gone = Vec::new();
        for (name, track) in &mut self.tracks {
            while track.expired.front().is_some_and(|expired| expired.until <= now) {
                let Some(expired) = track.expired.pop_front() else {
                    break;
                };
                let beside = track.pairs.forget(&expired.name);
                gone.extend(beside.into_iter().map(|name_beside| (name.clone(), name_beside)));
                gone.push((name.clone(), expired.name));
            }
            gone.extend(
                track
                    .drop_unused_inits()
                    .into_iter()
                    .map(|init| (name.clone(), init)),
            );
        }
        self.tracks.retain(|name, track| {
            // Events and captions come when there are some: their init segments wait for them.
            let is_over = track.is_over() && (track.is_listed() || track.inits.is_empty());
            if is_over {
                tracing::info!(
                    channel = self.name,
                    track = name,
                    "no media any more: track dropped"
                );
                gone.extend(track.inits.iter().map(|init| (name.clone(), init.name())));
                is_changed = true;
            }
            !is_over
        });
        swept.gone = gone;
        swept.is_changed |= is_changed;
        swept
    }

    /// Milliseconds for which this process has known the channel to be silent.
    fn silence(&self, now: UnixMillis) -> i64 {
        let kept_since = self.kept_since.unwrap_or(now);
        now.0.saturating_sub(self.updated.0.max(kept_since.0))
    }

    /// Whether nobody can want the channel any more: it has ended, and its window and retention are past; or
    /// no media ever came, or none for a day.
    pub fn is_over(&self, now: UnixMillis) -> bool {
        let patience = self.settings.window(self.grid) / 1_000_000;
        let had_media = |track: &Track| {
            track.last.is_some()
                || track.held.is_some()
                || track.tail.is_some()
                || !track.pending.is_empty()
                || !track.entries.is_empty()
        };
        let since = if self.tracks.values().any(had_media) {
            self.ended.map(|ended| ended.0.max(self.updated.0))
        } else {
            Some(self.began.unwrap_or_default().0)
        };
        let patience = patience.saturating_add(self.settings.retention(self.grid));
        since.is_some_and(|since| now.0.saturating_sub(since) >= patience)
            || self.silence(now) >= patience.max(DAY_MS)
    }

    /// The channel at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let used = |epoch: &&Epoch| {
            self.tracks
                .values()
                .any(|track| track.entries.iter().any(|entry| entry.epoch() == epoch.ordinal))
        };
        let listed = self
            .tracks
            .iter()
            .filter(|(_, track)| track.is_listed() && !track.is_past());
        let tracks = listed.map(|(name, track)| TrackView {
            name: name.clone(),
            inits: track.inits.clone(),
            entries: track.entries.iter().cloned().collect(),
            open: track.tail.as_ref().map(|tail| Arc::new(tail.view())),
            inband: track.inband.clone(),
            counts: Counts {
                bytes: track.bytes(),
                ..track.counts
            },
            sources: track.sources(),
            peak_bitrate: match (track.measure.peak, track.init()) {
                (0, Some(init)) => u64::from(init.max_bitrate.max(init.average_bitrate)),
                (peak, _) => peak,
            },
            average_bitrate: match (track.measure.bytes, track.init()) {
                (0, Some(init)) => u64::from(init.average_bitrate),
                _ => track.measure.average(),
            },
            frame_rate: frame_rate(track),
            ended: track.ended,
            marking: track.pairs.marking(),
            paired: track.pairs.told(),
        });
        Snapshot {
            channel: self.name.clone(),
            grid: self.grid,
            epochs: self.epochs.iter().filter(used).cloned().collect(),
            tracks: tracks.collect(),
            ended: self.ended.is_some(),
            updated: self.updated,
            began: self.began.unwrap_or_default(),
            window_s: u32::try_from(self.settings.window(self.grid) / 1_000_000_000).unwrap_or(u32::MAX),
            events: self.events.listed(),
            events_told: self.events.told(),
            breaks: self.breaks_view(),
        }
    }
    /// Takes a whole segment that was not on air while it came in.
    pub(super) fn commit_one(
        &mut self,
        track: &str,
        push: &Push,
        mut segment: ClosedSegment,
        now: UnixMillis,
        done: &mut Committed,
    ) -> Verdict {
        let placing = self.judge(track, push, &segment, now);
        let count = |channel: &mut Self, act: fn(&mut Counts)| {
            if let Some(state) = channel.tracks.get_mut(track) {
                act(&mut state.counts);
            }
        };
        match placing {
            Placing::Duplicate => {
                count(self, |counts| counts.duplicates += 1);
                if segment.last {
                    done.write.extend(self.leave(Some(track), push, now).write);
                }
                return Verdict::Duplicate;
            }
            Placing::Standby => {
                if let Some(state) = self.tracks.get_mut(track) {
                    state.counts.standby += 1;
                    state.standby.push_back((push.clone(), segment));
                    while state.standby.len() > MAX_STANDBY {
                        state.standby.pop_front();
                    }
                }
                return Verdict::Standby;
            }
            Placing::In(_) | Placing::Opens(_) => {}
        }
        let last = segment.last;
        if let Some(longest) = self
            .longest(track, &segment)
            .filter(|longest| segment.duration > *longest)
        {
            self.tell_overlong(track, segment.span());
            if segment.shorten(longest) == 0 {
                // Its slot is a gap as soon as the next one comes.
                if last {
                    done.write.extend(self.leave(Some(track), push, now).write);
                }
                return Verdict::Dropped;
            }
        }
        self.finish(track, now, done);
        let Some(ordinal) = self.enter(track, push, placing, &segment, now, done) else {
            return Verdict::Duplicate;
        };
        self.arrive(track, push, &segment, ordinal, now, done);
        let Some(epoch) = self.epochs.iter().find(|epoch| epoch.ordinal == ordinal) else {
            return Verdict::Duplicate;
        };
        let name = segment_name(epoch, segment.start);
        done.write.push((track.to_owned(), name.clone(), segment.data()));
        self.pair_whole(track, &name, &segment, &push.source, now, done);
        if let Some(state) = self.tracks.get_mut(track) {
            state.measure.add(&segment);
            state.pending.push((ordinal, segment));
            // Bounded for a track that never gets a grid (an event track pushed alone).
            if state.pending.len() > MAX_PENDING {
                state.expire_pending(
                    &self.epochs,
                    now.0.saturating_add(self.settings.retention(self.grid)),
                );
            }
        }
        self.establish_grid();
        self.bound_memory();
        if last {
            done.write.extend(self.leave(Some(track), push, now).write);
        }
        Verdict::Taken
    }

    /// Puts a segment on air with what has come of it.
    fn open_tail(
        &mut self,
        track: &str,
        push: &Push,
        segment: &ClosedSegment,
        (ordinal, part_target_ms): (u32, u32),
        now: UnixMillis,
        done: &mut Committed,
    ) {
        self.arrive(track, push, segment, ordinal, now, done);
        let Some(grid) = self.grid else { return };
        let Some((sequence, wall)) = self.number(grid, track, ordinal, segment) else {
            return;
        };
        let Some(epoch) = self.epochs.iter().find(|epoch| epoch.ordinal == ordinal) else {
            return;
        };
        let name = segment_name(epoch, segment.start);
        if let Some(state) = self.tracks.get_mut(track) {
            let place = (ordinal, sequence, wall);
            let targets = (part_target_ms, grid.target_duration_s);
            let mut tail = Tail::open(segment, push, place, name, targets, now);
            tail.feed(push, segment, now);
            state.tail = Some(tail);
            state.follow_tail();
        }
        self.bound_memory();
    }

    /// Takes the segment on air off the air: it is listed as far as it came.
    fn finish(&mut self, track: &str, now: UnixMillis, done: &mut Committed) {
        let Some(tail) = self.tracks.get_mut(track).and_then(|state| state.tail.take()) else {
            return;
        };
        let (ordinal, sequence, is_overlong) = (tail.epoch, tail.sequence, tail.is_overlong);
        let source = Arc::clone(&tail.source);
        let (segment, parting) = tail.finish(now);
        let Some(epoch) = self.epochs.iter().find(|epoch| epoch.ordinal == ordinal) else {
            return;
        };
        let name = segment_name(epoch, segment.start);
        let data = segment.data();
        done.write.push((track.to_owned(), name.clone(), data.clone()));
        self.pair_whole(track, &name, &segment, &source, now, done);
        if let Some(state) = self.tracks.get_mut(track) {
            state.measure.add(&segment);
        }
        if is_overlong {
            self.tell_overlong(track, segment.span());
        }
        if parting.is_overlong() {
            self.tell_overlong_part(track);
        }
        self.list_at(track, ordinal, sequence, &segment, parting.parts().to_vec(), data);
        self.bound_memory();
    }

    fn finish_all(&mut self, now: UnixMillis, done: &mut Committed) {
        let names: Vec<String> = self.tracks.keys().cloned().collect();
        for name in names {
            self.finish(&name, now, done);
        }
    }

    /// Puts on air what waits behind a timeline that has fallen silent.
    fn recall_standby(&mut self, track: &str, now: UnixMillis, done: &mut Committed) {
        let Some(state) = self.tracks.get(track) else {
            return;
        };
        if state.standby.is_empty() || self.is_alive(state, now) {
            return;
        }
        let waiting = match self.tracks.get_mut(track) {
            Some(state) => std::mem::take(&mut state.standby),
            None => return,
        };
        for (push, segment) in waiting {
            let state = self.tracks.get(track);
            let end = state.and_then(Track::shown_until);
            let epoch_on_air = state.and_then(|state| state.last).map(|last| last.epoch);
            let anchor = Anchor::of(&segment, now);
            // Where another track has begun with this encoder's timeline, all begin, so that numbers keep in step.
            let begun = self.epochs.last().filter(|epoch| {
                epoch_on_air.is_some_and(|on_air| on_air < epoch.ordinal)
                    && epoch.source.as_ref() == Some(&push.source)
                    && anchor.agrees_with(epoch, false) == Some(true)
            });
            let end = begun.and_then(|epoch| epoch.base).map(|base| base.wall).or(end);
            let begins = anchor.time().as_nanos().saturating_add(ticks_to_nanos(
                segment.start.cast_signed(),
                segment.init.timescale,
            ));
            // What viewers have seen already from the encoder that is gone they do not see again. A little rather
            // twice than missing: a hole of half a slot would be a gap.
            if end.is_none_or(|end| begins.saturating_add(segment.span() / 8 * 5) >= end) {
                self.commit_one(track, &push, segment, now, done);
            }
        }
    }

    /// Notes that media of a track has come.
    fn arrive(
        &mut self,
        track: &str,
        push: &Push,
        segment: &ClosedSegment,
        ordinal: u32,
        now: UnixMillis,
        done: &mut Committed,
    ) {
        if now.0.saturating_sub(self.updated.0) > self.settings.window(self.grid) / 1_000_000 {
            self.resumed = now;
        }
        self.updated = now;
        self.announce(track, ordinal, &segment.events);
        let Some(state) = self.tracks.get_mut(track) else {
            return;
        };
        // A body that was long under way may need an init segment that was dropped meanwhile.
        if state.keep_init(&segment.init) {
            let init = &segment.init;
            done.write
                .push((track.to_owned(), init.name(), init.bytes.clone()));
        }
        // What comes after an end begins again, but for the last words of a sender that just said goodbye.
        let is_last_word = state.last.is_some_and(|last| {
            last.epoch == ordinal && segment.start.saturating_sub(last.end) <= segment.duration / 2
        });
        match self.ended {
            Some(ended) if is_last_word && now.0 - ended.0 <= LAST_WORDS_MS => {}
            _ => {
                self.ended = None;
                state.ended = false;
            }
        }
        if state.source.as_ref().is_some_and(|source| *source != push.source) {
            done.switch(&mut state.counts, push);
        }
        state.source = Some(Arc::clone(&push.source));
        state.renewed = false;
        state.touched = now;
        state.last = Some(Place {
            epoch: ordinal,
            start: segment.start,
            end: segment.end(),
            init: segment.init.hash,
        });
    }
}

fn frame_rate(track: &Track) -> Option<(u64, u64)> {
    let init = track.init()?;
    let Measure { samples, ticks, .. } = track.measure;
    if init.width == 0 || samples == 0 || ticks == 0 {
        return None;
    }
    let (rate, per) = (samples.checked_mul(u64::from(init.timescale))?, ticks);
    let (mut a, mut b) = (rate, per);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if rate / per.max(1) > MAX_FRAME_RATE {
        return None;
    }
    // A ragged fraction is a variable frame rate, or a first segment that was cut unevenly.
    (per / a <= 1001).then_some((rate / a, per / a))
}

/// For so long a segment of an encoder that brought too much comes in unseen: its rate is known then.
const PROBATION_NANOS: i64 = 1_000_000_000;
/// A channel that was silent for so long is forgotten.
const DAY_MS: i64 = 86_400_000;
/// After the end of a channel its other tracks' last segments may still be under way.
const LAST_WORDS_MS: i64 = 10_000;
const MAX_PENDING: usize = 64;
/// Segments that wait behind a timeline that is on air.
const MAX_STANDBY: usize = 3;
/// More frames a second than this are a damaged timescale.
const MAX_FRAME_RATE: u64 = 1_000;
