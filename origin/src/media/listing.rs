//! Numbering: a place in the playlist for each segment, gaps for what is missing, and a window that moves on.

use std::sync::Arc;

use bytes::Bytes;

use super::channel::Channel;
use super::place::segment_name;
use super::segment::{ClosedSegment, Entry, Gap, MediaSequence, Part, Parting, Segment};
use super::timeline::{Base, Epoch, Grid};
use super::track::{Expired, Track};
use crate::time::UnixMillis;

impl Channel {
    /// Numbers a segment and lists it.
    pub(super) fn list(&mut self, grid: Grid, track: &str, ordinal: u32, segment: &ClosedSegment) {
        if let Some((sequence, _)) = self.number(grid, track, ordinal, segment) {
            let parting = grid.part_target_ms.map(|target| segment.parts(target));
            if parting.as_ref().is_some_and(Parting::is_overlong) {
                self.tell_overlong_part(track);
            }
            let parts = parting.map_or_else(Vec::new, |parting| parting.parts().to_vec());
            self.list_at(track, ordinal, sequence, segment, parts, segment.data());
        }
    }

    /// The number and wall time of a segment that begins, after gaps for the slots that were skipped.
    pub(super) fn number(
        &mut self,
        grid: Grid,
        track: &str,
        ordinal: u32,
        segment: &ClosedSegment,
    ) -> Option<(MediaSequence, i64)> {
        let highest = self.tracks.values().filter_map(Track::highest).max();
        let before = self.epochs.iter().rev().find_map(|epoch| epoch.base);
        let epoch = self.epochs.iter_mut().find(|epoch| epoch.ordinal == ordinal)?;
        let state = self.tracks.get_mut(track)?;
        let wall = epoch.shown(segment);
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
                .min(grid.slots(self.settings.window(Some(grid))) + 1)
                .min(MAX_GAPS);
            // They take what a segment that broke off left of its slot (bis 6.2.1), as far as EXTINF, rounded, may go.
            let longest = i64::from(grid.target_duration_s) * 1_000_000_000 + 499_000_000;
            let hole = wall.saturating_sub(end) / i64::try_from(missing).unwrap_or(i64::MAX);
            let span = if hole > grid.nominal / 4 {
                hole.min(longest)
            } else {
                grid.nominal
            };
            let before = state.entries.back().map_or(init, Entry::init);
            for index in (0..listed).rev() {
                let back = i64::try_from(index + 1).unwrap_or(i64::MAX).saturating_mul(span);
                state.counts.gaps += 1;
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
                    state.expire_front(self.updated.0.saturating_add(self.settings.retention(Some(grid))));
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
        state.next_number = sequence.saturating_add(1);
        Some((MediaSequence(sequence), wall))
    }

    /// The longest that a segment of a track may last, in ticks; `None` where no playlist lists it, or none is bound yet.
    pub(super) fn longest(&self, track: &str, segment: &ClosedSegment) -> Option<u64> {
        self.tracks.get(track).filter(|state| state.is_listed())?;
        let target_duration_s = match self.grid {
            Some(grid) => grid.target_duration_s,
            None => Some(self.settings.target_duration_s).filter(|set| *set > 0)?,
        };
        Some(Grid::longest(target_duration_s, segment.init.timescale))
    }

    /// Counts a segment that is longer than a playlist may list; the first of a track is told of.
    pub(super) fn tell_overlong(&mut self, track: &str, span: i64) {
        let Some(state) = self.tracks.get_mut(track) else {
            return;
        };
        state.counts.overlong_segments += 1;
        if state.counts.overlong_segments == 1 {
            tracing::warn!(
                channel = self.name,
                track,
                reason = "overlong-segment",
                duration_ms = span / 1_000_000,
                "segments are longer than the target duration, which stays: what is beyond it is left out; set `target_duration_s` for this encoder and push to a new channel"
            );
        }
    }

    /// Counts a segment whose parts end early, for one was too long; the first of a track is told of.
    pub(super) fn tell_overlong_part(&mut self, track: &str) {
        let Some(state) = self.tracks.get_mut(track) else {
            return;
        };
        state.counts.overlong_parts += 1;
        if state.counts.overlong_parts == 1 {
            tracing::warn!(
                channel = self.name,
                track,
                reason = "overlong-part",
                "a chunk is longer than the part target, which stays: its segment has no parts from there on; set `part_target_ms` for this encoder and push to a new channel"
            );
        }
    }

    /// Lists a segment under its number, and lets the window move on.
    pub(super) fn list_at(
        &mut self,
        track: &str,
        ordinal: u32,
        sequence: MediaSequence,
        segment: &ClosedSegment,
        parts: Vec<Part>,
        data: Bytes,
    ) {
        let Some(epoch) = self.epochs.iter().find(|epoch| epoch.ordinal == ordinal) else {
            return;
        };
        let Some(state) = self.tracks.get_mut(track) else {
            return;
        };
        let name = segment_name(epoch, segment.start);
        state.counts.segments += 1;
        state.counts.parts += parts.len() as u64;
        state.media.insert(name.clone(), data);
        state.entries.push_back(Entry::Segment(Arc::new(Segment {
            sequence,
            epoch: ordinal,
            name,
            start: segment.start,
            duration: segment.duration,
            wall: epoch.shown(segment),
            span: segment.span(),
            length: segment.length(),
            init: segment.init.hash,
            parts,
        })));
        self.slide(track);
    }

    /// Lets entries leave the window, and media leave memory.
    pub(super) fn slide(&mut self, track: &str) {
        let window = self.settings.window(self.grid);
        let until = self.updated.0.saturating_add(self.settings.retention(self.grid));
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
    pub(super) fn bound_memory(&mut self) {
        let until = self.updated.0.saturating_add(self.settings.retention(self.grid));
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
                largest.pairs.drop_bytes(&oldest);
            } else if !largest.pending.is_empty() {
                largest.expire_pending(&self.epochs, until);
            } else {
                largest.pairs.drop_waiting();
                largest.stand_ins.clear();
                largest.held = None;
                largest.standby.clear();
            }
            let freed = before.saturating_sub(largest.bytes());
            if freed == 0 {
                return;
            }
            bytes = bytes.saturating_sub(freed);
        }
    }

    /// Lets the entries of tracks that fell behind leave the window of the channel; says whether any did.
    pub(super) fn expire_stale(&mut self, now: UnixMillis) -> bool {
        // After a silence all tracks are behind until each has had its next segment.
        if now.0.saturating_sub(self.resumed.0) < self.settings.window(self.grid) / 1_000_000 {
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
        let oldest = edge.saturating_sub(self.settings.window(self.grid));
        let begin = self
            .epochs
            .iter()
            .find(|epoch| epoch.ordinal == newest)
            .and_then(|epoch| epoch.base)
            .map_or(i64::MAX, |base| base.wall);
        let until = now.0.saturating_add(self.settings.retention(self.grid));
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
    pub(super) fn prune_epochs(&mut self) {
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
}

impl Track {
    /// Lets go of the segment that has waited longest for the grid; it is in the store already.
    pub(super) fn expire_pending(&mut self, epochs: &[Epoch], until: i64) {
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
            self.pairs.drop_bytes(&segment.name);
            self.expired.push_back(Expired {
                name: segment.name.clone(),
                init: segment.init,
                until: UnixMillis(until),
            });
        }
    }
}

/// Gaps that one hole may leave in a playlist.
const MAX_GAPS: u64 = 4096;
