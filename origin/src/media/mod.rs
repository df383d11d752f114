//! The model: channels, tracks, segments, and where they stand in time.
//!
//! ```text
//! bytes ─▶ OpenSegment ─▶ ClosedSegment ─▶ Channel::commit ─▶ Entry (numbered, in an epoch) ─▶ Snapshot
//! ```
//!
//! # Rules
//! * An [`Epoch`] is a contiguous run of one timeline. A track whose init segment changes, or whose time falls
//!   back, moves to the channel's newest epoch if that is newer than its own, else opens a new one. Playlists
//!   show it as a discontinuity, MPDs as a Period.
//! * The first segment's number is its wall time divided by the nominal duration; then one more for each slot.
//!   A new epoch begins on one number in all tracks.
//! * Slots without media become [`Gap`]s. Of a hole longer than the window only the window's worth is listed:
//!   everything before has left the playlist anyway, so the numbers jump and no player sees a break in them.
//! * The target duration is set when the channel begins (nominal + 20 %, rounded, or the longest segment so
//!   far) and stays.
//! * A track that falls a window behind the others leaves the documents, and is forgotten with its objects once
//!   their retention is over; when it comes again its numbers go on.
//! * A segment cut off with its connection is held until the sender's next word: sent again it is replaced,
//!   otherwise it is listed short.

mod breaks;
mod channel;
mod cuts;
mod event;
mod grid;
mod listing;
mod marked;
mod pair;
mod place;
mod record;
mod segment;
mod snapshot;
mod tail;
mod timeline;
mod track;

pub use breaks::{BreaksView, Splices};
pub use channel::{Channel, Committed, Settings, Swept, Verdict};
pub use cuts::Cuts;
pub(crate) use event::signals;
pub use event::{Announced, Event, Inband, Splice};
pub use pair::{Marking, Unmarked, VariantB, stored_name};
pub use segment::{
    BadChunk, ClosedSegment, Entry, Gap, MediaSequence, OpenSegment, Part, Parting, Segment, Span,
};
pub use snapshot::{Counts, Mark, OpenView, Snapshot, SourceView, TrackView};
pub use tail::Push;
pub use timeline::{Anchor, Base, Epoch, Grid};
pub use track::Track;

pub(crate) use record::{RECORD_VERSION, Record};
