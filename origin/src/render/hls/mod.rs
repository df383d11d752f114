//! HLS playlists (RFC 8216, draft-pantos-hls-rfc8216bis-22: "bis").
//!
//! Documents are pure functions of a [`Snapshot`]. What a [`Memory`] keeps between two of them are lines that
//! would come out the same again, and since when an `EXT-X-DATERANGE` has been told.

mod daterange;
mod delta;
mod iframes;
mod media;
mod memory;
mod multivariant;
mod report;
mod segment;
mod tags;

use crate::media::{Snapshot, TrackView};

pub use delta::Skip;
pub use iframes::iframes;
pub use media::Playlist;
pub use memory::Memory;
pub use multivariant::multivariant;
pub use segment::{gap_parts, predicted};

/// Writes a track's media playlist; nothing while the track lists nothing.
pub fn media(snapshot: &Snapshot, track: &TrackView) -> String {
    let playlist = Playlist::new(snapshot, track);
    let pieces = playlist.map(|playlist| playlist.full(&mut Memory::default()));
    let pieces = pieces.unwrap_or_default();
    pieces.iter().map(|piece| piece.text()).collect()
}
