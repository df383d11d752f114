//! Where bodies that carry a whole event are cut, so that the segments of all tracks begin together.

use std::sync::Arc;

use super::channel::Channel;
use super::place::Placing;
use super::segment::{ClosedSegment, Entry};
use super::tail::Push;
use super::timeline::Epoch;
use super::track::Track;
use crate::cmaf::{Init, Kind};
use crate::time::{UnixMillis, nanos_to_ticks};

/// Where segments of a channel's pictures begin, in ticks of a track of sound or text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cuts {
    /// Decode times, in order: those of segments that have begun, then those that are expected. Empty while none are
    /// known.
    pub at: Vec<u64>,
    /// Whether what has come is on air already, so that it cannot be cut any more.
    pub is_on_air: bool,
}

impl Channel {
    /// Where a segment of a track that has come as far as `open` is to be cut. `None` where the channel's pictures say
    /// nothing of it: it has none, or the track is one of them.
    pub fn cuts(&self, track: &str, push: &Push, open: &ClosedSegment, now: UnixMillis) -> Option<Cuts> {
        if open.init.kind == Kind::Video {
            return None;
        }
        let is_picture = |(name, state): &(&String, &Track)| {
            *name != track && !state.ended && state.init().is_some_and(|init| init.kind == Kind::Video)
        };
        let (_, pictures) = self.tracks.iter().find(is_picture)?;
        let on_air = self.tracks.get(track).and_then(|state| state.tail.as_ref());
        let on_air = on_air.filter(|tail| tail.is_of(open));
        let mut cuts = Cuts {
            at: Vec::new(),
            is_on_air: on_air.is_some(),
        };
        let ordinal = match on_air {
            Some(tail) => Some(tail.epoch),
            None => match self.judge(track, push, open, now) {
                Placing::In(ordinal) => Some(ordinal),
                _ => None,
            },
        };
        let Some(epoch) = self.epochs.iter().find(|epoch| Some(epoch.ordinal) == ordinal) else {
            return Some(cuts);
        };
        let mut begun: Vec<i64> = pictures.begun_in(epoch).collect();
        begun.sort_unstable();
        let newest = begun.last().copied();
        let expected = newest.zip(self.grid).into_iter().flat_map(|(newest, grid)| {
            (1..=EXPECTED).map(move |slot| newest.saturating_add(grid.nominal.saturating_mul(slot)))
        });
        let ticks = |wall: &i64| in_ticks(epoch, &open.init, *wall);
        cuts.at = begun.iter().filter_map(ticks).collect();
        cuts.at.extend(expected.filter_map(|wall| ticks(&wall)));
        Some(cuts)
    }
}

impl Track {
    /// When the newest segments of an epoch begin to be shown, in nanoseconds since 1970.
    fn begun_in(&self, epoch: &Epoch) -> impl Iterator<Item = i64> {
        let ordinal = epoch.ordinal;
        let listed = self.entries.iter().rev().take(NEWEST);
        let listed = listed
            .filter_map(Entry::segment)
            .filter(move |segment| segment.epoch == ordinal);
        let waiting = self.pending.iter().filter(move |(of, _)| *of == ordinal);
        let on_air = self.tail.iter().filter(move |tail| tail.epoch == ordinal);
        let listed = listed.map(|segment| segment.wall);
        let waiting = waiting.map(|(_, segment)| epoch.shown(segment));
        // Where the newest of those that are complete ends, the next one begins.
        let last = self
            .last
            .filter(|last| last.epoch == ordinal && self.tail.is_none());
        let scale = |hash| {
            self.inits
                .iter()
                .find(|init| init.hash == hash)
                .map(|init| init.timescale)
        };
        let next = last.and_then(|last| Some(epoch.wall(last.end, scale(last.init)?)));
        listed
            .chain(waiting)
            .chain(on_air.map(|tail| tail.wall))
            .chain(next)
    }
}

/// The decode time of what is shown at a time; `None` before media time zero.
fn in_ticks(epoch: &Epoch, init: &Arc<Init>, wall: i64) -> Option<u64> {
    let ticks = nanos_to_ticks(wall.saturating_sub(epoch.anchor.as_nanos()), init.timescale);
    // Sound is decoded before it is heard, by as much as its edit list cuts away.
    let cut = match init.kind {
        Kind::Audio => init.edit.media_time,
        _ => 0,
    };
    u64::try_from(ticks.saturating_add(cut)).ok()
}

/// Segments before the newest that are looked at: sound may come that much later than pictures.
const NEWEST: usize = 8;
/// Segments after the newest that are looked at: sound may come that much earlier.
const EXPECTED: i64 = 4;
