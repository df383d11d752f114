//! Which epoch a segment belongs to, and whether it is wanted at all.

use std::sync::Arc;

use super::channel::{Channel, Committed};
use super::segment::{ClosedSegment, Entry};
use super::tail::Push;
use super::timeline::{Anchor, Epoch};
use super::track::Track;
use crate::time::{UnixMillis, nanos_to_ticks};

/// Where a segment belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Placing {
    /// In the epoch of that ordinal.
    In(u32),
    /// At the start of a new epoch.
    Opens(Anchor),
    /// On another timeline than the one on air, which is alive.
    Standby,
    /// Nowhere: it is there already, or older than what is there.
    Duplicate,
}

impl Channel {
    /// Whether a segment is wanted, and on which timeline it stands.
    pub(super) fn judge(
        &self,
        track: &str,
        push: &Push,
        segment: &ClosedSegment,
        now: UnixMillis,
    ) -> Placing {
        let Some(state) = self.tracks.get(track) else {
            return Placing::Duplicate;
        };
        let anchor = Anchor::of(segment, now);
        // Only of an encoder that sends this track too: sound may come from another machine than pictures.
        let is_of_another = |epoch: &Epoch| {
            epoch
                .source
                .as_ref()
                .is_some_and(|source| *source != push.source && state.sources.contains_key(source))
        };
        let newest = self.epochs.last();
        let joins_newest = newest.filter(|epoch| joins(epoch, segment, anchor, is_of_another(epoch), now));
        let opens = joins_newest.map_or(Placing::Opens(anchor), |epoch| Placing::In(epoch.ordinal));
        let Some(last) = state.last else { return opens };
        // It stands in ticks of the init segment before this one, which may have counted others.
        let before = state.inits.iter().find(|init| init.hash == last.init);
        let last = before.map_or(last, |init| last.rescaled(init.timescale, segment.init.timescale));
        let current = self.epochs.iter().find(|epoch| epoch.ordinal == last.epoch);
        let usual = self
            .grid
            .and_then(|grid| u64::try_from(nanos_to_ticks(grid.nominal, segment.init.timescale)).ok())
            .map_or(segment.duration, |nominal| nominal.max(segment.duration));
        let init_changed = segment.init.hash != last.init;
        let is_foreign = state.source.as_ref().is_some_and(|source| *source != push.source);
        let agrees = current.and_then(|epoch| anchor.agrees_with(epoch, is_of_another(epoch)));
        let is_foreign_clock = current.is_some_and(is_of_another);
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
        // The init segment may come on another connection, and later. Whoever sends other bytes under a known name, after
        // a silence, has begun again all the same.
        let is_repeat = || {
            is_known
                && !state.renewed
                && (self.is_alive(state, now)
                    || current
                        .and_then(|epoch| state.media(&segment_name(epoch, segment.start)))
                        .is_none_or(|kept| kept.starts_with(&segment.data())))
        };
        let contiguous = segment.start >= last.end && segment.start.saturating_sub(last.end) <= usual / 2;
        let restarted = init_changed
            || current.is_none()
            || if segment.start < last.end {
                match agrees {
                    // The sender's clock says that this is old media: a late repeat, unless it is very late.
                    Some(true) => last.end - segment.start > usual.saturating_mul(LATE_SEGMENTS),
                    Some(false) => is_foreign_clock || segment.start <= last.start,
                    None if is_repeat() => false,
                    None => segment.start < last.start || state.renewed && segment.start == last.start,
                }
            } else {
                // Two clocks may happen to stand a segment apart.
                (state.renewed || is_foreign_clock || !contiguous)
                    && (agrees == Some(false) || ahead && agrees.is_none())
            };
        if !restarted {
            // A little before the end of the last one is rounding, but a name that was given stays with its bytes.
            if segment.start < last.end
                && (segment.start <= last.start
                    || is_known
                    || segment.start.abs_diff(last.end) > segment.duration / 8)
            {
                return Placing::Duplicate;
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
            return Placing::In(follow.map_or(last.epoch, |epoch| epoch.ordinal));
        }
        match joins_newest {
            Some(epoch) if epoch.ordinal > last.epoch => Placing::In(epoch.ordinal),
            // What is on air stays on air: a second encoder with a clock, or an init segment, of its own waits
            // until the first falls silent. One encoder may change its codec between two segments.
            _ if self.is_alive(state, now) && (is_foreign || !contiguous) => Placing::Standby,
            _ => Placing::Opens(anchor),
        }
    }

    /// The epoch that a segment was judged to be in, opened where it is new.
    pub(super) fn enter(
        &mut self,
        track: &str,
        push: &Push,
        placing: Placing,
        segment: &ClosedSegment,
        now: UnixMillis,
        done: &mut Committed,
    ) -> Option<u32> {
        match placing {
            Placing::In(ordinal) => Some(ordinal),
            Placing::Opens(anchor) => {
                if self.tracks.get(track).is_some_and(|state| state.last.is_some()) {
                    self.list_held(now, done);
                }
                Some(self.open_epoch(push, segment, anchor, now))
            }
            Placing::Standby | Placing::Duplicate => None,
        }
    }

    /// Whether a segment is the one on air on a track: of one time on one clock. Two encoders that count from zero have
    /// segments of the same ticks at other times.
    pub(super) fn is_on_air(
        &self,
        track: &str,
        push: &Push,
        segment: &ClosedSegment,
        now: UnixMillis,
    ) -> bool {
        let Some(tail) = self.tracks.get(track).and_then(|state| state.tail.as_ref()) else {
            return false;
        };
        if !tail.is_of(segment) {
            return false;
        }
        let is_foreign = tail.source != push.source;
        let anchor = Anchor::of(segment, now);
        let epoch = self.epochs.iter().find(|epoch| epoch.ordinal == tail.epoch);
        tail.lead == Some(push.id)
            || epoch.is_some_and(|epoch| {
                anchor.agrees_with(epoch, is_foreign).unwrap_or_else(|| {
                    // Nothing but the time of arrival: the encoder itself may send it again, later.
                    !is_foreign || anchor.time().0.abs_diff(epoch.anchor.0) < ARRIVAL_MS
                })
            })
    }

    /// Whether what is on air on a track still comes.
    pub(super) fn is_alive(&self, track: &Track, now: UnixMillis) -> bool {
        let nominal = self.grid.map_or(DEFAULT_NOMINAL_NANOS, |grid| grid.nominal);
        // Either way: a clock that was set back says nothing of how long it has been.
        let patience = nominal.unsigned_abs() / 1_000_000 * 3 / 2;
        !track.ended && now.0.abs_diff(track.touched.0) < patience
    }

    /// Lists what other tracks hold of the epoch that ends now, so that all tracks leave it on one number.
    pub(super) fn list_held(&mut self, now: UnixMillis, done: &mut Committed) {
        let names: Vec<String> = self.tracks.keys().cloned().collect();
        for name in names {
            let held = self.tracks.get_mut(&name).and_then(|track| track.held.take());
            if let Some((push, held)) = held {
                self.commit_held(&name, &push, held, now, done);
            }
        }
    }

    /// Lists what was held of a segment. It came before the init segment that may have come since, and says nothing
    /// of that.
    pub(super) fn commit_held(
        &mut self,
        track: &str,
        push: &Push,
        held: ClosedSegment,
        now: UnixMillis,
        done: &mut Committed,
    ) {
        let Some((renewed, touched)) = self.tracks.get(track).map(|state| (state.renewed, state.touched))
        else {
            return;
        };
        self.commit_one(track, push, held, now, done);
        if let Some(state) = self.tracks.get_mut(track) {
            state.renewed = renewed;
            // It is not of now, so it makes no timeline alive.
            state.touched = touched;
        }
    }

    fn open_epoch(&mut self, push: &Push, segment: &ClosedSegment, anchor: Anchor, now: UnixMillis) -> u32 {
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
            source: Some(Arc::clone(&push.source)),
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
}

/// Whether a segment on a new timeline belongs to an epoch that another track opened.
fn joins(epoch: &Epoch, segment: &ClosedSegment, anchor: Anchor, is_foreign: bool, now: UnixMillis) -> bool {
    anchor.agrees_with(epoch, is_foreign).unwrap_or_else(|| {
        let off = epoch
            .wall(segment.start, segment.init.timescale)
            .saturating_sub(now.as_nanos());
        off.saturating_abs() < JOIN_NANOS
    })
}

/// The last component of a segment's URL.
pub(super) fn segment_name(epoch: &Epoch, start: u64) -> String {
    format!("{}-{start}.m4s", epoch.id)
}

/// Media further ahead of the wall clock than this is on another timeline.
const FUTURE_NANOS: i64 = 60_000_000_000;
/// A repeat that is later than this many segments is a clock that was set back.
const LATE_SEGMENTS: u64 = 8;
/// How far from now a track may begin on the timeline of another.
const JOIN_NANOS: i64 = 30_000_000_000;
/// Chunks of one time arrive from two encoders no further apart than this.
const ARRIVAL_MS: u64 = 500;
/// What a segment lasts before the channel knows.
const DEFAULT_NOMINAL_NANOS: i64 = 2_000_000_000;
