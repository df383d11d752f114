//! Where media time stands on the wall clock: epochs and their anchors.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::segment::ClosedSegment;
use crate::cmaf::Kind;
use crate::time::{UnixMillis, nanos_to_ticks, ticks_to_nanos};

/// A contiguous run of one timeline, shared by the tracks of a channel.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Epoch {
    /// How many discontinuities came before it in the channel's life: its `EXT-X-DISCONTINUITY-SEQUENCE`.
    pub ordinal: u32,
    /// Its name in URLs: `0` where media time is Unix time, else the Unix second of media time zero.
    pub id: String,
    /// Wall time of media time zero.
    pub anchor: UnixMillis,
    /// `Period@start`, never changed once set.
    pub period_start: UnixMillis,
    /// When the origin opened it.
    pub opened: UnixMillis,
    /// Number and wall time of the first segment that was numbered in it.
    pub base: Option<Base>,
    /// The encoder that opened it; forgotten over a restart.
    #[serde(skip)]
    pub source: Option<Arc<str>>,
}

/// Number and wall time of an epoch's first segment.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Base {
    /// The number.
    pub sequence: u64,
    /// Wall time in nanoseconds since 1970.
    pub wall: i64,
}

impl Epoch {
    /// Wall time in nanoseconds since 1970 of a media time.
    pub fn wall(&self, ticks: u64, timescale: u32) -> i64 {
        self.anchor
            .as_nanos()
            .saturating_add(ticks_to_nanos(ticks.cast_signed(), timescale))
    }

    /// Wall time in nanoseconds since 1970 at which a segment is first heard or seen. Sound begins with what its edit
    /// list cuts away, the encoder's priming; pictures that are shown late are offset by as much.
    pub fn shown(&self, segment: &ClosedSegment) -> i64 {
        let init = &segment.init;
        let cut = match init.kind {
            Kind::Audio => ticks_to_nanos(init.edit.media_time, init.timescale),
            _ => 0,
        };
        self.wall(segment.start, init.timescale).saturating_sub(cut)
    }

    /// `presentationTimeOffset` of a track in this epoch's Period, when that begins at `start`.
    pub fn presentation_time_offset(&self, start: UnixMillis, timescale: u32) -> i64 {
        nanos_to_ticks((start.0 - self.anchor.0).saturating_mul(1_000_000), timescale)
    }
}

/// How segments fall into numbered slots, fixed when a channel begins.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Grid {
    /// Nominal segment duration in nanoseconds.
    pub nominal: i64,
    /// `EXT-X-TARGETDURATION` in seconds.
    pub target_duration_s: u32,
    /// `PART-TARGET` in milliseconds: no part lasts longer. `None` where segments come whole and have no parts.
    #[serde(default)]
    pub part_target_ms: Option<u32>,
}

impl Grid {
    /// The longest that a segment may last, in ticks: `EXTINF`, rounded, is the target duration at most (bis 4.4.3.1).
    pub fn longest(target_duration_s: u32, timescale: u32) -> u64 {
        let ms = u64::from(target_duration_s) * 1_000 + 499;
        ms.saturating_mul(u64::from(timescale)) / 1_000
    }

    /// Slots in `span` nanoseconds, rounded to the nearest, never negative.
    pub fn slots(&self, span: i64) -> u64 {
        let nominal = self.nominal.max(MIN_NOMINAL_NANOS);
        u64::try_from(span.saturating_add(nominal / 2).div_euclid(nominal)).unwrap_or(0)
    }
}

/// What a segment says about the wall time of its media time zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Anchor {
    /// The sender said so.
    Told(UnixMillis),
    /// Only the time of arrival is known.
    Arrived(UnixMillis),
}

impl Anchor {
    /// Finds the anchor of a segment: the first that applies of media time that is Unix time already, a
    /// producer reference time, a `$Time$` in the object's name, a leading empty edit, the time of arrival.
    pub fn of(segment: &ClosedSegment, now: UnixMillis) -> Self {
        let init = &segment.init;
        let nanos = |ticks: i64| ticks_to_nanos(ticks, init.timescale);
        let is_near = |nanos: i64| (nanos / 1_000_000).abs_diff(now.0) < DAY_MS;
        let start = segment.start.cast_signed();
        let presented = start - init.edit.media_time;
        if is_near(nanos(start)) {
            return Self::Told(UnixMillis(0));
        }
        if let Some(prft) = segment.prft {
            if is_near(nanos(prft.media_time)) {
                return Self::Told(
                    UnixMillis(0).plus_nanos(nanos(prft.media_time.saturating_sub(presented))),
                );
            }
            if is_near(prft.unix_nanos) {
                return Self::Told(UnixMillis(0).plus_nanos(prft.unix_nanos.saturating_sub(nanos(start))));
            }
        }
        if let Some(time) = segment.number.and_then(|time| i64::try_from(time).ok())
            && is_near(nanos(time))
        {
            return Self::Told(UnixMillis(0).plus_nanos(nanos(time - start)));
        }
        let empty = ticks_to_nanos(init.edit.empty.cast_signed(), init.edit.movie_timescale);
        if init.edit.empty > 0 && is_near(empty) {
            return Self::Told(UnixMillis(0).plus_nanos(empty));
        }
        Self::Arrived(UnixMillis(0).plus_nanos(segment.arrived.as_nanos().saturating_sub(nanos(start))))
    }

    /// The wall time of media time zero.
    pub fn time(self) -> UnixMillis {
        match self {
            Self::Told(time) | Self::Arrived(time) => time,
        }
    }

    /// Whether this is a sender's word that an epoch's anchor is, or is not, its own. Nothing is said by a
    /// time of arrival. `is_foreign` says that the epoch is another encoder's.
    pub fn agrees_with(self, epoch: &Epoch, is_foreign: bool) -> Option<bool> {
        let tolerance = if is_foreign { TWIN_MS } else { AGREEMENT_MS };
        match self {
            Self::Told(time) => Some(time.0.abs_diff(epoch.anchor.0) <= tolerance),
            Self::Arrived(_) => None,
        }
    }
}

/// No channel has shorter slots, whatever its segments say.
pub(super) const MIN_NOMINAL_NANOS: i64 = 100_000_000;
const DAY_MS: u64 = 86_400_000;
/// Reference times of one encoder's tracks differ by their encoding delays.
const AGREEMENT_MS: u64 = 1_500;
/// Two encoders are on one clock where they agree to within half a frame: else a frame of one is not the other's.
const TWIN_MS: u64 = 20;
