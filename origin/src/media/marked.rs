//! A watermarked track's variant B, as the channel keeps it: beside variant A, and in its place where that is gone.

use std::sync::Arc;

use selvedge_watermark::pace::{Discrete, PaceInfo, Position, Sidecar, Variant};

use super::channel::{Channel, Committed};
use super::pair::{Unmarked, VariantB, sidecar_name, stored_name};
use super::segment::{ClosedSegment, Part};
use super::tail::Push;
use super::track::Track;
use crate::time::UnixMillis;

impl Channel {
    /// Takes a segment of a track's variant B as far as it has come. Timeline and playlists stay as variant A makes them,
    /// unless that has fallen silent.
    pub fn advance_b(
        &mut self,
        track: &str,
        push: &Push,
        segment: &ClosedSegment,
        now: UnixMillis,
    ) -> Committed {
        let mut done = self.lay_beside(track, push, segment, now);
        if self.stands_in(track, push, now) {
            self.list_stand_ins(track, now, &mut done);
            let standing = self.put_on_air(track, &as_a(push), &stand_in(segment.clone()), now);
            done.append(standing);
            self.pair_up(track, now, &mut done);
        }
        done
    }

    /// Takes a segment of a track's variant B that has come to its end.
    pub fn commit_b(
        &mut self,
        track: &str,
        push: &Push,
        segment: ClosedSegment,
        now: UnixMillis,
    ) -> Committed {
        let mut done = self.lay_beside(track, push, &segment, now);
        if self.stands_in(track, push, now) {
            self.list_stand_ins(track, now, &mut done);
            let standing = self.close_segment(track, &as_a(push), stand_in(segment), now);
            done.append(standing);
            self.pair_up(track, now, &mut done);
        } else if let Some(state) = self.tracks.get_mut(track) {
            state.stand_ins.push_back((push.clone(), segment));
            let last = state.last.map_or(0, |last| last.end);
            state.stand_ins.retain(|(_, segment)| segment.end() > last);
            while state.stand_ins.len() > MAX_STAND_INS {
                state.stand_ins.pop_front();
            }
            self.bound_memory();
        }
        done
    }

    fn lay_beside(
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

    /// Notes that variant A, or a track without variants, was heard.
    pub(super) fn hear_a(&mut self, track: &str, now: UnixMillis) {
        if let Some(state) = self.tracks.get_mut(track) {
            state.heard_a = Some(now);
        }
    }

    /// Whether a push of variant B stands in for variant A: because that is silent, or because this push has begun to.
    fn stands_in(&mut self, track: &str, push: &Push, now: UnixMillis) -> bool {
        let nominal = self.grid.map_or(DEFAULT_NOMINAL_NANOS, |grid| grid.nominal);
        let Some(state) = self.tracks.get_mut(track).filter(|state| !state.ended) else {
            return false;
        };
        let heard = *state.heard_a.get_or_insert(now);
        let is_silent = now.0.saturating_sub(heard.0) >= nominal / 1_000_000 * 3 / 2;
        let leads = state.tail.as_ref().is_some_and(|tail| tail.lead == Some(push.id));
        if is_silent
            && !leads
            && let Some(tail) = &state.tail
        {
            let name = tail.name.clone();
            state.pairs.stand_in(&name);
        }
        is_silent || leads
    }

    /// Lists what came of variant B since variant A was last heard.
    fn list_stand_ins(&mut self, track: &str, now: UnixMillis, done: &mut Committed) {
        let waiting = match self.tracks.get_mut(track) {
            Some(state) => std::mem::take(&mut state.stand_ins),
            None => return,
        };
        for (push, segment) in waiting {
            done.append(self.close_segment(track, &as_a(&push), stand_in(segment), now));
            self.pair_up(track, now, done);
        }
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

/// A push of variant B as one of variant A's encoders.
fn as_a(push: &Push) -> Push {
    Push {
        id: push.id,
        source: format!("{} (variant B)", push.source).into(),
    }
}

/// A segment of variant B in the place of variant A's.
fn stand_in(segment: ClosedSegment) -> ClosedSegment {
    ClosedSegment {
        pace: Some(PaceInfo::whole(Variant::B, Position::UNMARKED)),
        ..segment
    }
}

/// Segments of variant B that are kept for the time that it takes to see that variant A is silent.
const MAX_STAND_INS: usize = 4;
/// What a segment lasts before the channel knows.
const DEFAULT_NOMINAL_NANOS: i64 = 2_000_000_000;
/// For how long variant B is waited for while the channel starts.
const START_PATIENCE_MS: i64 = 10_000;
