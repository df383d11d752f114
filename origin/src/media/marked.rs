//! A watermarked track's variant B, as the channel keeps it: beside variant A, and in its place where that is gone.

use std::sync::Arc;

use selvedge_watermark::pace::{Discrete, Position, Sidecar};

use super::channel::{Channel, Committed};
use super::pair::{Unmarked, VariantB, sidecar_name, stored_name};
use super::segment::{ClosedSegment, Part};
use super::tail::Push;
use super::track::Track;
use crate::time::UnixMillis;

impl Channel {
    /// Takes what has come of a segment of a track's variant B. Timeline and playlists stay as variant A makes them.
    pub fn take_b(
        &mut self,
        track: &str,
        push: &Push,
        segment: &ClosedSegment,
        now: UnixMillis,
    ) -> Committed {
        let mut done = Committed::default();
        if let Some(state) = self.tracks.get_mut(track) {
            state.pairs.take_b(push, segment, now);
        }
        self.pair_up(track, now, &mut done);
        self.bound_memory();
        done
    }

    /// Waits no longer for what is missing of a segment's variant B: it goes on as variant A.
    pub fn give_up_b(&mut self, track: &str, name: &str, now: UnixMillis) -> Committed {
        let mut done = Committed::default();
        if let Some(state) = self.tracks.get_mut(track) {
            state.pairs.give_up(name);
        }
        self.follow_pairs(track, now, &mut done);
        done
    }

    /// For how long a chunk of variant B is waited for, in milliseconds.
    pub fn patience_with_b(&self) -> i64 {
        let of_grid = self.grid.map(|grid| match grid.part_target_ms {
            // One for the part that is being made, one for the way that it has to go.
            Some(part_ms) => i64::from(part_ms) * 2,
            None => grid.nominal / 1_000_000,
        });
        of_grid.unwrap_or(START_PATIENCE_MS)
    }

    /// Lets the segment on air meet its variant B.
    pub(super) fn pair_up(&mut self, track: &str, now: UnixMillis, done: &mut Committed) {
        if let Some(state) = self.tracks.get_mut(track)
            && let Some(tail) = &state.tail
        {
            let source = Arc::clone(&tail.source);
            state.pairs.take_a(&tail.name, &tail.segment, &source, false, now);
        }
        self.follow_pairs(track, now, done);
    }

    /// Lets a segment that came to its end meet its variant B.
    pub(super) fn pair_whole(
        &mut self,
        track: &str,
        name: &str,
        segment: &ClosedSegment,
        source: &Arc<str>,
        now: UnixMillis,
        done: &mut Committed,
    ) {
        if let Some(state) = self.tracks.get_mut(track) {
            state.pairs.take_a(name, segment, source, true, now);
        }
        self.follow_pairs(track, now, done);
    }

    /// Settles what can be settled of a track's pairs.
    pub(super) fn follow_pairs(&mut self, track: &str, now: UnixMillis, done: &mut Committed) {
        let patience_ms = self.patience_with_b();
        let Some(state) = self.tracks.get_mut(track).filter(|state| state.pairs.is_marked()) else {
            return;
        };
        let was_lost = state.pairs.is_lost();
        let (lost, settled) = state.pairs.follow(patience_ms, now);
        let is_lost = state.pairs.is_lost();
        let channel = self.name.as_str();
        for (segment, reason) in lost {
            // What follows is the same trouble until variant B is in step again.
            if reason != Unmarked::Unsaid && !was_lost {
                let reason = reason.word();
                tracing::warn!(
                    channel,
                    track,
                    segment,
                    reason,
                    "variant B is not in step: unmarked from here on"
                );
            }
        }
        if was_lost && !is_lost {
            tracing::info!(channel, track, "variant B is in step: the next segment is marked");
        }
        for one in settled {
            let sidecar = Sidecar::Discrete(vec![Discrete::at(one.position)]).to_cbor();
            let (name, reason) = (one.name.as_str(), one.reason.map(Unmarked::word));
            tracing::debug!(channel, track, segment = name, position = %one.position, reason, "marking settled");
            if let Some(data) = one.data {
                done.write.push((track.to_owned(), stored_name(name), data));
            }
            done.write
                .push((track.to_owned(), sidecar_name(name), sidecar.into()));
        }
    }
}

impl Track {
    /// The position of a segment, or of a part of it; `None` of a track that is not marked.
    pub fn position(&self, name: &str, part: Option<&Part>) -> Option<Position> {
        self.pairs.position(name, part)
    }

    /// Whether a segment's position is for good.
    pub fn is_settled(&self, name: &str) -> bool {
        self.pairs.is_settled(name)
    }

    /// What there is of a segment as variant B; `None` of a track that is not marked.
    pub fn variant_b(&self, name: &str) -> Option<VariantB> {
        self.pairs.variant_b(name)
    }
}

/// For how long variant B is waited for while the channel starts.
const START_PATIENCE_MS: i64 = 10_000;
