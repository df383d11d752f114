//! Channels without an encoder: a schedule of assets with breaks, played as if it were live, or a clip of it.
//!
//! A document is a function of the schedule, of the assets' own documents, and of one reading of the clock. What an edge
//! remembers spares it work, or a bad schedule; all of them write the same.

mod gather;
mod mpd;
mod playlist;
mod schedules;

pub(crate) use self::gather::{Assets, Scheduled, Wanted};
pub use self::playlist::{Channel, View};
pub(crate) use self::schedules::Schedules;
