//! HLS documents, rewritten line by line: every tag, attribute and comment that is not understood stays, in
//! order, byte for byte.
//!
//! A playlist is never parsed into a model and printed again. One pass over its lines notes where each segment's lines
//! lie; what breaks make of the window is planned, and written around slices of the text as it came.

mod guided;
mod line;
mod plan;
mod reader;
mod report;
mod source;
mod stitch;
mod uri;
mod write;

use crate::reroot::Reroot;

pub use guided::{Guiding, guide};
pub use stitch::{Cues, Stitching, stitch};

/// Moves every URI of a playlist (multivariant or media) below another root: URI lines and `URI="…"`
/// attributes (RFC 8216bis §4.1, §4.2).
pub(crate) fn reroot(playlist: &str, reroot: &Reroot<'_>) -> String {
    uri::reroot(playlist, reroot)
}

/// Has the media playlists that a multivariant playlist names asked for with `query` too.
pub(crate) fn carry(playlist: &str, query: &str) -> String {
    uri::carry(playlist, query)
}

/// Whether this is a playlist that grows and is therefore loaded again: a media playlist (RFC 8216bis §4.4.3.1) that
/// has not ended.
pub(crate) fn is_reloaded(playlist: &str) -> bool {
    let has = |tag| playlist.lines().any(|line| line.starts_with(tag));
    has("#EXT-X-TARGETDURATION") && !has("#EXT-X-ENDLIST")
}
