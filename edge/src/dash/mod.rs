//! DASH manifests, changed in place: every element, attribute and comment that is not understood stays, in order, byte
//! for byte.
//!
//! An MPD is never parsed into a tree and printed again. One pass over its tags notes where Periods, their sets and
//! their timelines lie; what breaks make of them is planned, and written around slices of the text as it came.

mod ads;
mod alternative;
mod boundary;
mod edits;
mod guided;
mod names;
mod parse;
mod plan;
mod reroot;
mod runs;
mod source;
mod stitch;
mod time;
mod write;
mod xml;

pub(crate) use alternative::{Part, alternative};
pub use guided::{Guiding, guide};
pub(crate) use reroot::reroot;
pub(crate) use stitch::slice_of;
pub use stitch::{Stitching, stitch};
pub(crate) use time::Seconds;
