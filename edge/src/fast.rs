//! Channels without an encoder: a schedule of assets with breaks, played as if it were live, or a clip of it.
//!
//! A playlist is a function of the schedule, of the assets' own documents, and of one reading of the clock. No edge
//! remembers anything, and all of them write the same.

mod gather;
mod playlist;

pub(crate) use self::gather::{Assets, Scheduled, Wanted};
pub use self::playlist::{Channel, View};
