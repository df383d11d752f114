//! DASH documents (ISO/IEC 23009-1, profile `isoff-live:2011`).
//!
//! Two MPDs show one channel, by two ways to name its segments ([`Addressing`]); both lead to the same objects as
//! the HLS playlists do. An MPD is built as a tree of [`Element`]s: what changed between two of them is their
//! [`patch`](patch()).
//!
//! One Period for each epoch. While a channel is live, its `start` and the tracks' `presentationTimeOffset` are
//! functions of the epoch alone, so they never change. Once it has ended, a Period begins where its media does:
//! on the same presentation timeline, but with nothing before it, for dash.js begins a static presentation at its
//! Period's start and would search all the seconds since 1970. Media times in `SegmentTimeline` are decode times,
//! as in the segments' names; edit lists (AAC priming) stay in the init segments, where every player of ISOBMFF
//! applies them, and the offset counts from the presentation timeline that comes out (ISO/IEC 23009-1 5.3.9.6), so
//! sound and picture agree to within the rounding of one tick.
//!
//! Where a channel has parts, its segments can be fetched while they come in: `availabilityTimeOffset` says how
//! long before its end a segment begins to be available, which is at its first part.

mod events;
mod mpd;
mod patch;
mod period;
#[cfg(test)]
mod sample;
mod template;
#[cfg(test)]
mod tests;
mod xml;

pub use mpd::{Mpd, mpd};
pub use patch::{patch, reload};
pub use xml::Element;

use std::fmt;

/// How an MPD names segments (ISO/IEC 23009-1 5.3.9.4.4).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Addressing {
    /// `$Time$`: a `SegmentTimeline` lists them. It says what there is, holes included, and grows with every segment.
    Time,
    /// `$Number$`: their numbers follow from the time of day, and the document changes only with the channel. A
    /// Period whose segments do not follow the grid is listed as by [`Addressing::Time`].
    Number,
}

/// An `xs:duration` of so many nanoseconds, to the millisecond.
struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.max(0).saturating_add(500_000) / 1_000_000;
        match ms % 1000 {
            0 => write!(f, "PT{}S", ms / 1000),
            rest => write!(f, "PT{}.{rest:03}S", ms / 1000),
        }
    }
}
