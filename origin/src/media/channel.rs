//! A channel: its tracks in step, on one wall clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::segment::{ClosedSegment, Entry, Gap, MediaSequence, Segment};
use super::snapshot::{Snapshot, TrackView};
use super::timeline::{Anchor, Base, Epoch, Grid, MIN_NOMINAL_NANOS};
use super::track::{Expired, Measure, Place, Track};
use crate::cmaf::{Init, Kind};
use crate::time::UnixMillis;

/// What a channel needs of the configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Seconds that documents list.
    pub window_s: u32,
    /// Milliseconds for which an object stays after it left the window.
    pub retention_ms: i64,
    /// Nominal segment duration in nanoseconds; 0 to find it.
    pub nominal: i64,
    /// Target duration in seconds; 0 to find it.
    pub target_duration_s: u32,
    /// Bytes of media in memory.
    pub window_bytes: u64,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Listed, or waiting for the channel's grid.
    Taken,
    /// Cut off: held until the sender's next word.
    Held,
    /// Already there, or older than what is there.
    Duplicate,
    /// Cut off where nothing can be decoded.
    Dropped,
}

/// What a commit asks of the store.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// Objects to write: track, name in the track, and bytes.
    pub write: Vec<(String, String, Bytes)>,
    /// What became of the segment.
    pub verdict: Option<Verdict>,
}

/// What a sweep found.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Objects to delete, as track and name.
    pub gone: Vec<(String, String)>,
    /// The documents have changed.
    pub is_changed: bool,
}

/// A channel: its tracks in step, on one wall clock.
#[derive(Clone, Debug)]
pub struct Channel {
    name: String,
    settings: Settings,
    grid: Option<Grid>,
    epochs: Vec<Epoch>,
    /// Discontinuities so far plus one: epochs past the window are forgotten.
    opened_epochs: u32,
    tracks: BTreeMap<String, Track>,
    ended: Option<UnixMillis>,
    updated: UnixMillis,
    began: Option<UnixMillis>,
    /// When media came again after a silence as long as the window.
    resumed: UnixMillis,
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
            resumed: UnixMillis(0),
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
    pub fn set_init(&mut self, track: &str, init: Arc<Init>, now: UnixMillis) -> bool {
        self.began.get_or_insert(now);
        self.tracks.entry(track.to_owned()).or_default().set_init(init)
    }

    /// Says that no more media will come: of one track, or of the channel.
    pub fn end(&mut self, track: Option<&str>, now: UnixMillis) {
        match track {
            Some(name) => {
                if let Some(track) = self.tracks.get_mut(name) {
                    track.ended = true;
                }
                if self.tracks.values().any(Track::is_running) {
                    return;
                }
            }
            None => self.tracks.values_mut().for_each(|track| track.ended = true),
        }
        self.ended.get_or_insert(now);
        self.establish_grid();
    }

    /// Takes a segment that has come in.
    pub fn commit(&mut self, track: &str, segment: ClosedSegment, now: UnixMillis) -> Committed {
        let mut done = Committed::default();
        let state = self.tracks.entry(track.to_owned()).or_default();
        match state.held.take() {
            Some(held) if held.start != segment.start => {
                self.commit_one(track, held, now, &mut done);
            }
            _ => {}
        }
        let decodable = segment.parts.first().is_some_and(|part| part.independent);
        done.verdict = Some(if segment.whole {
            self.commit_one(track, segment, now, &mut done)
        } else if decodable {
            if let Some(state) = self.tracks.get_mut(track) {
                state.held = Some(segment);
            }
            self.bound_memory();
            Verdict::Held
        } else {
            Verdict::Dropped
        });
        done
    }

    /// Lists what is held of segments that were cut off, for their senders may never say more.
    pub fn release(&mut self, now: UnixMillis) -> Committed {
        let mut done = Committed::default();
        self.list_held(now, &mut done);
        done
    }

    /// Drops what is past its time.
    pub fn sweep(&mut self, now: UnixMillis) -> Swept {
        let mut is_changed = self.expire_stale(now);
        self.prune_epochs();
        // The sender said goodbye on some tracks, and the others died before they could.
        let silence = now.0.saturating_sub(self.updated.0);
        if self.ended.is_none()
            && self.tracks.values().any(|track| track.is_listed() && track.ended)
            && silence > i64::from(self.settings.window_s) * 1_000
        {
            self.end(None, now);
            is_changed = true;
        }
        let mut gone = Vec::new();
        for (name, track) in &mut self.tracks {
            while track.expired.front().is_some_and(|expired| expired.until <= now) {
                gone.extend(
                    track
                        .expired
                        .pop_front()
                        .map(|expired| (name.clone(), expired.name)),
                );
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
        Swept { gone, is_changed }
    }

    /// Whether nobody can want the channel any more: it has ended, and its window and retention are past; or
    /// no media ever came.
    pub fn is_over(&self, now: UnixMillis) -> bool {
        let patience = i64::from(self.settings.window_s).saturating_mul(1_000);
        let had_media = |track: &Track| {
            track.last.is_some()
                || track.held.is_some()
                || !track.pending.is_empty()
                || !track.entries.is_empty()
        };
        let since = if self.tracks.values().any(had_media) {
            self.ended.map(|ended| ended.0.max(self.updated.0))
        } else {
            Some(self.began.unwrap_or_default().0)
        };
        since.is_some_and(|since| {
            now.0.saturating_sub(since) >= patience.saturating_add(self.settings.retention_ms)
        })
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
        });
        Snapshot {
            channel: self.name.clone(),
            grid: self.grid,
            epochs: self.epochs.iter().filter(used).cloned().collect(),
            tracks: tracks.collect(),
            ended: self.ended.is_some(),
            updated: self.updated,
            began: self.began.unwrap_or_default(),
            window_s: self.settings.window_s,
        }
    }

    fn commit_one(
        &mut self,
        track: &str,
        segment: ClosedSegment,
        now: UnixMillis,
        done: &mut Committed,
    ) -> Verdict {
        let Some(ordinal) = self.place(track, &segment, now, done) else {
            return Verdict::Duplicate;
        };
        let Some(epoch) = self.epochs.iter().find(|epoch| epoch.ordinal == ordinal) else {
            return Verdict::Duplicate;
        };
        done.write.push((
            track.to_owned(),
            segment_name(epoch, segment.start),
            segment.data.clone(),
        ));
        if now.0.saturating_sub(self.updated.0) > i64::from(self.settings.window_s) * 1_000 {
            self.resumed = now;
        }
        self.updated = now;
        let last = segment.last;
        if let Some(state) = self.tracks.get_mut(track) {
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
            state.renewed = false;
            state.last = Some(Place {
                epoch: ordinal,
                start: segment.start,
                end: segment.end(),
                init: segment.init.hash,
            });
            state.measure.add(&segment);
            state.pending.push((ordinal, segment));
            // Bounded for a track that never gets a grid (an event track pushed alone).
            if state.pending.len() > MAX_PENDING {
                state.expire_pending(&self.epochs, now.0.saturating_add(self.settings.retention_ms));
            }
        }
        self.establish_grid();
        self.bound_memory();
        if last {
            self.end(Some(track), now);
        }
        Verdict::Taken
    }

    /// Chooses the epoch of a segment, opening one where needed; `None` for a duplicate.
    fn place(
        &mut self,
        track: &str,
        segment: &ClosedSegment,
        now: UnixMillis,
        done: &mut Committed,
    ) -> Option<u32> {
        let state = self.tracks.get(track)?;
        let anchor = Anchor::of(segment, now);
        let newest = self.epochs.last();
        let Some(last) = state.last else {
            return Some(match newest {
                Some(epoch) if joins(epoch, segment, anchor, now) => epoch.ordinal,
                _ => self.open_epoch(segment, anchor, now),
            });
        };
        let current = self.epochs.iter().find(|epoch| epoch.ordinal == last.epoch);
        let init_changed = segment.init.hash != last.init;
        let agrees = current.and_then(|epoch| anchor.agrees_with(epoch));
        let ahead = current.is_some_and(|epoch| {
            epoch.wall(segment.start, segment.init.timescale) > now.as_nanos().saturating_add(FUTURE_NANOS)
        });
        // Without a sender's clock, an object that is there already is told from a timeline that began again by
        // the init segment that comes before one.
        let is_known = current.is_some_and(|epoch| {
            state.keeps(&segment_name(epoch, segment.start))
                || state
                    .pending
                    .iter()
                    .any(|(ordinal, waiting)| *ordinal == epoch.ordinal && waiting.start == segment.start)
        });
        let contiguous =
            segment.start >= last.end && segment.start.saturating_sub(last.end) <= segment.duration / 2;
        let restarted = init_changed
            || current.is_none()
            || if segment.start < last.end {
                match agrees {
                    // The sender's clock says that this is old media: a late repeat, unless it is very late.
                    Some(true) => last.end - segment.start > segment.duration.saturating_mul(LATE_SEGMENTS),
                    Some(false) => segment.start <= last.start,
                    None if is_known && !state.renewed => false,
                    None => segment.start < last.start || state.renewed && segment.start == last.start,
                }
            } else {
                (state.renewed || !contiguous) && (agrees == Some(false) || ahead && agrees.is_none())
            };
        if !restarted {
            if segment.start < last.end && segment.start.abs_diff(last.end) > segment.duration / 8 {
                return None;
            }
            // Another track opened an epoch on the same clock: follow it from its first segment on.
            let follow = newest.filter(|newest| {
                newest.ordinal > last.epoch
                    && current.is_some_and(|epoch| epoch.anchor == newest.anchor)
                    && newest.base.is_none_or(|base| {
                        newest.wall(segment.start, segment.init.timescale)
                            > base.wall.saturating_sub(segment.span() / 2)
                    })
            });
            return Some(follow.map_or(last.epoch, |epoch| epoch.ordinal));
        }
        match newest {
            Some(epoch) if epoch.ordinal > last.epoch && joins(epoch, segment, anchor, now) => {
                Some(epoch.ordinal)
            }
            _ => {
                self.list_held(now, done);
                Some(self.open_epoch(segment, anchor, now))
            }
        }
    }

    /// Lists what other tracks hold of the epoch that ends now, so that all tracks leave it on one number.
    fn list_held(&mut self, now: UnixMillis, done: &mut Committed) {
        let names: Vec<String> = self.tracks.keys().cloned().collect();
        for name in names {
            let held = self.tracks.get_mut(&name).and_then(|track| track.held.take());
            if let Some(held) = held {
                self.commit_one(&name, held, now, done);
            }
        }
    }

    fn open_epoch(&mut self, segment: &ClosedSegment, anchor: Anchor, now: UnixMillis) -> u32 {
        let ordinal = self.opened_epochs;
        self.opened_epochs = self.opened_epochs.saturating_add(1);
        let time = anchor.time();
        let stem = match time.0.div_euclid(1000) {
            _ if time.0 == 0 => "0".to_owned(),
            second @ 0.. => second.to_string(),
            second => format!("n{}", second.unsigned_abs()),
        };
        let id = match self
            .epochs
            .iter()
            .filter(|epoch| epoch.id.split('.').next() == Some(&stem))
            .count()
        {
            0 => stem,
            _ => format!("{stem}.{ordinal}"),
        };
        let start = UnixMillis(0).plus_nanos(time.as_nanos().saturating_add(crate::time::ticks_to_nanos(
            segment.start.cast_signed(),
            segment.init.timescale,
        )));
        let period_start = match self.epochs.last() {
            None if time.0 >= 0 => time,
            None => UnixMillis(start.0.max(0)),
            Some(before) => {
                let end = self.end_of_epoch(before);
                UnixMillis(start.0.max(end.0).max(before.period_start.0.saturating_add(1)))
            }
        };
        tracing::info!(channel = self.name, epoch = id, anchor = %time, ordinal, "epoch opened");
        self.epochs.push(Epoch {
            ordinal,
            id,
            anchor: time,
            period_start,
            opened: now,
            base: None,
        });
        ordinal
    }

    /// Where the media of an epoch ends so far, a little before: a Period may begin there.
    fn end_of_epoch(&self, epoch: &Epoch) -> UnixMillis {
        let ends = self.tracks.values().flat_map(|track| {
            let of_epoch = track
                .entries
                .iter()
                .filter(|entry| entry.epoch() == epoch.ordinal);
            of_epoch
                .filter_map(Entry::segment)
                .map(|segment| segment.wall.saturating_add(segment.span / 2))
        });
        UnixMillis(0).plus_nanos(ends.max().unwrap_or(i64::MIN))
    }

    /// Finds the grid as soon as it can be known, and numbers what waited for it.
    fn establish_grid(&mut self) {
        if self.grid.is_none() {
            let Some(nominal) = self.find_nominal() else {
                return;
            };
            let nominal = nominal.max(MIN_NOMINAL_NANOS);
            let listed = self.tracks.values().filter(|track| track.is_listed());
            let longest = listed
                .flat_map(|track| &track.pending)
                .map(|(_, s)| s.span())
                .max()
                .unwrap_or(0);
            let rounded = |nanos: i64| {
                u32::try_from(nanos.saturating_add(500_000_000) / 1_000_000_000)
                    .unwrap_or(1)
                    .max(1)
            };
            let found = rounded(nominal / 5 * 6).max(rounded(longest));
            let target_duration_s = match self.settings.target_duration_s {
                0 => found,
                set => set,
            };
            self.grid = Some(Grid {
                nominal,
                target_duration_s,
            });
        }
        let Some(grid) = self.grid else { return };
        let mut waiting: Vec<(String, u32, ClosedSegment)> = Vec::new();
        for (name, track) in &mut self.tracks {
            waiting.extend(
                track
                    .pending
                    .drain(..)
                    .map(|(epoch, segment)| (name.clone(), epoch, segment)),
            );
        }
        // Video leads: the channel's first number is that of its first picture.
        waiting.sort_by_key(|(_, epoch, segment)| (*epoch, segment.init.kind));
        for (name, epoch, segment) in waiting {
            self.list(grid, &name, epoch, &segment);
        }
    }

    fn find_nominal(&self) -> Option<i64> {
        if self.settings.nominal > 0 {
            return Some(self.settings.nominal);
        }
        let mut found: Option<(bool, i64)> = None;
        let mut has_video = false;
        for track in self.tracks.values().filter(|track| track.is_listed()) {
            let is_video = track.init().is_some_and(|init| init.kind == Kind::Video);
            has_video |= is_video;
            let whole = track.pending.iter().filter(|(_, segment)| segment.whole);
            let longest = whole
                .clone()
                .map(|(_, segment)| segment.span())
                .max()
                .unwrap_or(0);
            // Senders on the DASH-IF grid number segments by wall time: time / number is the duration.
            for (ordinal, segment) in whole.clone() {
                let Some(epoch) = self.epochs.iter().find(|epoch| epoch.ordinal == *ordinal) else {
                    continue;
                };
                let Some(number) = segment.number.and_then(|number| i64::try_from(number).ok()) else {
                    continue;
                };
                if number < 1_000_000 {
                    continue;
                }
                let media = crate::time::ticks_to_nanos(segment.start.cast_signed(), segment.init.timescale);
                for start in [media, epoch.wall(segment.start, segment.init.timescale)] {
                    let grid = (start / number + 500_000) / 1_000_000 * 1_000_000;
                    let span = segment.span();
                    if grid > 0 && grid < span.saturating_mul(3) && grid > span / 4 * 3 {
                        return Some(grid);
                    }
                }
            }
            // Sound is cut to whole frames of its own, so pictures say how long a segment is; only when they
            // do not come, sound has to do.
            let enough = if is_video { 2 } else { 4 };
            if whole.count() >= enough || (self.ended.is_some() && longest > 0) {
                found = found.max(Some((is_video, longest)));
            }
        }
        if found.is_none() && !has_video {
            let audio = self
                .tracks
                .values()
                .filter(|track| track.is_listed() && track.pending.len() >= 2);
            let spans = audio
                .flat_map(|track| &track.pending)
                .filter(|(_, s)| s.whole)
                .map(|(_, s)| s.span());
            return spans.max();
        }
        found.map(|(_, longest)| longest)
    }

    /// Numbers a segment, fills the slots that were skipped, and lets the window move on.
    fn list(&mut self, grid: Grid, track: &str, ordinal: u32, segment: &ClosedSegment) {
        let highest = self
            .tracks
            .values()
            .filter_map(|t| t.entries.back())
            .map(|e| e.sequence().0)
            .max();
        let before = self.epochs.iter().rev().find_map(|epoch| epoch.base);
        let Some(epoch) = self.epochs.iter_mut().find(|epoch| epoch.ordinal == ordinal) else {
            return;
        };
        let Some(state) = self.tracks.get_mut(track) else {
            return;
        };
        let wall = epoch.wall(segment.start, segment.init.timescale);
        let base = *epoch.base.get_or_insert_with(|| Base {
            sequence: match (highest, before) {
                (Some(highest), Some(before)) => highest.saturating_add(1).max(
                    before
                        .sequence
                        .saturating_add(grid.slots(wall.saturating_sub(before.wall))),
                ),
                _ => grid.slots(wall),
            },
            wall,
        });
        let slot = base
            .sequence
            .saturating_add(grid.slots(wall.saturating_sub(base.wall)));
        let last = state
            .entries
            .back()
            .map(|entry| (entry.sequence().0, entry.epoch(), entry.wall(), entry.end()));
        let sequence = match last {
            // Of a track that went away and came back the numbers never fall.
            None => slot.max(state.next_number),
            Some((number, epoch, _, end))
                if epoch == ordinal && wall.saturating_sub(end) < grid.nominal / 2 =>
            {
                number.saturating_add(1)
            }
            Some((number, epoch, start, _)) if epoch == ordinal => {
                number.saturating_add(grid.slots(wall.saturating_sub(start)).max(1))
            }
            Some((number, _, _, _)) => slot.max(number.saturating_add(1)),
        };
        let init = segment.init.hash;
        if let Some((number, epoch, _, end)) = last
            && sequence > number.saturating_add(1)
        {
            let missing = sequence - number - 1;
            let listed = missing
                .min(grid.slots(i64::from(self.settings.window_s) * 1_000_000_000) + 1)
                .min(MAX_GAPS);
            let longest = i64::from(grid.target_duration_s) * 1_000_000_000;
            let hole = wall.saturating_sub(end) / i64::try_from(missing).unwrap_or(i64::MAX);
            let span = if hole > grid.nominal / 4 {
                hole.min(longest)
            } else {
                grid.nominal
            };
            let before = state.entries.back().map_or(init, Entry::init);
            for index in (0..listed).rev() {
                let back = i64::try_from(index + 1).unwrap_or(i64::MAX).saturating_mul(span);
                state.entries.push_back(Entry::Gap(Gap {
                    sequence: MediaSequence(sequence - 1 - index),
                    epoch,
                    wall: wall.saturating_sub(back),
                    span,
                    init: before,
                }));
            }
            if listed < missing {
                // The numbers jump: nothing before the jump may stay beside what comes after it.
                let first = sequence - listed;
                while state
                    .entries
                    .front()
                    .is_some_and(|entry| entry.sequence().0 < first)
                {
                    state.expire_front(self.updated.0 + self.settings.retention_ms);
                }
            }
            tracing::warn!(
                channel = self.name,
                track,
                missing,
                from = number + 1,
                "segments missing"
            );
        }
        if segment.span()
            > i64::from(grid.target_duration_s)
                .saturating_mul(1_000_000_000)
                .saturating_add(500_000_000)
        {
            tracing::warn!(
                channel = self.name,
                track,
                duration_ms = segment.span() / 1_000_000,
                target_duration_s = grid.target_duration_s,
                "segment is longer than the target duration, which stays: set `target_duration_s` for this encoder and push to a new channel"
            );
        }
        let name = segment_name(epoch, segment.start);
        state.next_number = sequence.saturating_add(1);
        state.media.insert(name.clone(), segment.data.clone());
        state.entries.push_back(Entry::Segment(Box::new(Segment {
            sequence: MediaSequence(sequence),
            epoch: ordinal,
            name,
            start: segment.start,
            duration: segment.duration,
            wall,
            span: segment.span(),
            length: segment.data.len() as u64,
            init,
            parts: segment.parts.clone(),
        })));
        self.slide(track);
    }

    /// Lets entries leave the window, and media leave memory.
    fn slide(&mut self, track: &str) {
        let window = i64::from(self.settings.window_s) * 1_000_000_000;
        let until = self.updated.0 + self.settings.retention_ms;
        if let Some(state) = self.tracks.get_mut(track) {
            let mut listed: i64 = state.entries.iter().map(Entry::span).fold(0, i64::saturating_add);
            // Segments that last next to nothing must not pile up: four to a slot are plenty.
            let most = self
                .grid
                .map_or(0, |grid| grid.slots(window).saturating_mul(4) + 64);
            while state.entries.len() as u64 > most
                && let Some(first) = state.entries.front()
            {
                listed = listed.saturating_sub(first.span());
                state.expire_front(until);
            }
            while let Some(first) = state.entries.front()
                && listed.saturating_sub(first.span()) >= window
            {
                listed -= first.span();
                state.expire_front(until);
            }
        }
        self.expire_stale(self.updated);
        self.prune_epochs();
    }

    /// Lets media leave memory, the oldest of the largest track first, until the rest is within bounds.
    fn bound_memory(&mut self) {
        let until = self.updated.0.saturating_add(self.settings.retention_ms);
        let mut bytes: u64 = self.tracks.values().map(Track::bytes).sum();
        while bytes > self.settings.window_bytes {
            let Some(largest) = self.tracks.values_mut().max_by_key(|track| track.bytes()) else {
                return;
            };
            let before = largest.bytes();
            let listed = largest.entries.iter().filter_map(Entry::segment);
            let oldest = listed
                .map(|segment| &segment.name)
                .find(|name| largest.media.contains_key(*name))
                .cloned();
            if let Some(oldest) = oldest {
                largest.media.remove(&oldest);
            } else if !largest.pending.is_empty() {
                largest.expire_pending(&self.epochs, until);
            } else {
                largest.held = None;
            }
            let freed = before.saturating_sub(largest.bytes());
            if freed == 0 {
                return;
            }
            bytes = bytes.saturating_sub(freed);
        }
    }

    /// Lets the entries of tracks that fell behind leave the window of the channel; says whether any did.
    fn expire_stale(&mut self, now: UnixMillis) -> bool {
        // After a silence all tracks are behind until each has had its next segment.
        if now.0.saturating_sub(self.resumed.0) < i64::from(self.settings.window_s) * 1_000 {
            return false;
        }
        let entries = || self.tracks.values().flat_map(|track| &track.entries);
        let Some(newest) = entries().map(Entry::epoch).max() else {
            return false;
        };
        let of_newest = entries().filter(|entry| entry.epoch() == newest);
        // One segment dated ahead must not end what the other tracks list.
        let edge = of_newest
            .map(Entry::end)
            .max()
            .unwrap_or(i64::MIN)
            .min(now.as_nanos());
        let oldest = edge.saturating_sub(i64::from(self.settings.window_s) * 1_000_000_000);
        let begin = self
            .epochs
            .iter()
            .find(|epoch| epoch.ordinal == newest)
            .and_then(|epoch| epoch.base)
            .map_or(i64::MAX, |base| base.wall);
        let until = now.0.saturating_add(self.settings.retention_ms);
        let mut is_changed = false;
        for track in self.tracks.values_mut() {
            // A clock that was set back left an older epoch with later times: it ends where the newest begins.
            while track.entries.front().is_some_and(|first| {
                let end = if first.epoch() < newest {
                    first.end().min(begin)
                } else {
                    first.end()
                };
                end <= oldest
            }) {
                track.expire_front(until);
                is_changed = true;
            }
        }
        is_changed
    }

    /// Forgets epochs that nothing lists any more.
    fn prune_epochs(&mut self) {
        let oldest = self
            .tracks
            .values()
            .filter_map(|track| track.entries.front())
            .map(Entry::epoch)
            .min();
        let newest = self.epochs.last().map(|epoch| epoch.ordinal);
        self.epochs.retain(|epoch| {
            Some(epoch.ordinal) == newest || oldest.is_none_or(|oldest| epoch.ordinal >= oldest)
        });
    }

    /// What a restart must know.
    pub(crate) fn record(&self) -> Record {
        let tracks = self.tracks.iter().map(|(name, track)| {
            let record = TrackRecord {
                inits: track.inits.iter().map(|init| init.name()).collect(),
                entries: track.entries.iter().cloned().collect(),
                expired: track.expired.iter().cloned().collect(),
                last: track.last,
                measure: track.measure,
                ended: track.ended,
                next_number: track.next_number,
            };
            (name.clone(), record)
        });
        Record {
            version: RECORD_VERSION,
            name: self.name.clone(),
            grid: self.grid,
            epochs: self.epochs.clone(),
            opened_epochs: self.opened_epochs,
            tracks: tracks.collect(),
            ended: self.ended,
            updated: self.updated,
            began: self.began,
        }
    }

    /// A channel as it was. `inits` are the init segments of each track that could be read back.
    pub(crate) fn restore(
        record: Record,
        settings: Settings,
        mut inits: BTreeMap<String, Vec<Init>>,
    ) -> Self {
        let tracks = record.tracks.into_iter().map(|(name, track)| {
            let restored = Track {
                inits: inits
                    .remove(&name)
                    .unwrap_or_default()
                    .into_iter()
                    .map(Arc::new)
                    .collect(),
                entries: track.entries.into(),
                expired: track.expired.into(),
                last: track.last,
                measure: track.measure,
                ended: track.ended,
                next_number: track.next_number,
                ..Track::default()
            };
            (name, restored)
        });
        Self {
            name: record.name,
            settings,
            grid: record.grid,
            epochs: record.epochs,
            opened_epochs: record.opened_epochs,
            tracks: tracks.collect(),
            ended: record.ended,
            updated: record.updated,
            began: record.began,
            resumed: UnixMillis(0),
        }
    }
}

impl Track {
    /// Lets go of the segment that has waited longest for the grid; it is in the store already.
    fn expire_pending(&mut self, epochs: &[Epoch], until: i64) {
        if self.pending.is_empty() {
            return;
        }
        let (ordinal, segment) = self.pending.remove(0);
        if let Some(epoch) = epochs.iter().find(|epoch| epoch.ordinal == ordinal) {
            self.expired.push_back(Expired {
                name: segment_name(epoch, segment.start),
                init: segment.init.hash,
                until: UnixMillis(until),
            });
        }
    }

    fn expire_front(&mut self, until: i64) {
        if let Some(Entry::Segment(segment)) = self.entries.pop_front() {
            self.media.remove(&segment.name);
            self.expired.push_back(Expired {
                name: segment.name,
                init: segment.init,
                until: UnixMillis(until),
            });
        }
    }
}

/// Whether a segment on a new timeline belongs to an epoch that another track opened.
fn joins(epoch: &Epoch, segment: &ClosedSegment, anchor: Anchor, now: UnixMillis) -> bool {
    anchor.agrees_with(epoch).unwrap_or_else(|| {
        let off = epoch
            .wall(segment.start, segment.init.timescale)
            .saturating_sub(now.as_nanos());
        off.saturating_abs() < JOIN_NANOS
    })
}

fn segment_name(epoch: &Epoch, start: u64) -> String {
    format!("{}-{start}.m4s", epoch.id)
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

/// A channel as the store keeps it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) name: String,
    grid: Option<Grid>,
    epochs: Vec<Epoch>,
    opened_epochs: u32,
    pub(crate) tracks: BTreeMap<String, TrackRecord>,
    ended: Option<UnixMillis>,
    updated: UnixMillis,
    began: Option<UnixMillis>,
}

/// A track as the store keeps it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct TrackRecord {
    pub(crate) inits: Vec<String>,
    entries: Vec<Entry>,
    expired: Vec<Expired>,
    last: Option<Place>,
    measure: Measure,
    ended: bool,
    #[serde(default)]
    next_number: u64,
}

pub(crate) const RECORD_VERSION: u32 = 1;
/// After the end of a channel its other tracks' last segments may still be under way.
const LAST_WORDS_MS: i64 = 10_000;
/// Media further ahead of the wall clock than this is on another timeline.
const FUTURE_NANOS: i64 = 60_000_000_000;
/// A repeat that is later than this many segments is a clock that was set back.
const LATE_SEGMENTS: u64 = 8;
/// How far from now a track may begin on the timeline of another.
const JOIN_NANOS: i64 = 30_000_000_000;
const MAX_PENDING: usize = 64;
/// Gaps that one hole may leave in a playlist.
const MAX_GAPS: u64 = 4096;
/// More frames a second than this are a damaged timescale.
const MAX_FRAME_RATE: u64 = 1_000;
