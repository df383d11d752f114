//! The timeline: the programme with breaks in it, and the arithmetic of their places and numbers.
//!
//! A break replaces the programme between two moments with the segments of its slots. What a viewer gets is a pure
//! function of the source's window and of what travels in it (the breaks that touch it, and the sums of all before
//! them): no edge remembers anything, and any two write the same.
//!
//! # The law of a break
//!
//! With `T` the moment at which the programme is left, `L` the break's length, `e` the end of a segment of its slots
//! counted from `T`, and `E` the end of what the source lists:
//!
//! - a segment is *held* if `e <= L`: it never ends after the break;
//! - it is *out* as soon as `E >= T + e`: it shows when the programme that it replaces would have.
//!
//! So a break that ends early needs no memory of what was promised: what lies behind its end was never out. Both
//! comparisons allow for the tolerance of the break.
//!
//! # Insertion
//!
//! A break of an asset is inserted: nothing is hidden, all its segments are out, and the programme goes on behind it
//! with the segment before which it was left. That is the one whose begin is nearest to the break's moment, so that all
//! renditions of an asset are cut alike. The programme behind it is dated later by as much as was inserted: a date names
//! one place of a playlist, and no other.
//!
//! # Numbers
//!
//! The number of slots and of their segments belongs to the break, whatever fills them. So a source segment behind a
//! break has its own numbers and what that break, and those before it, have added; where slots are cut at the
//! programme's own cadence, media sequence numbers stay what they were.
//!
//! HLS needs the numbers (`resolve`), DASH does not (`holes`); the law is one.

mod announced;
mod fill;
mod holes;
mod number;
mod resolve;

pub(crate) use announced::{Announced, announced};
pub(crate) use fill::{Filling, Pods, Shown, decision_for, rounded_seconds, shown};
pub(crate) use holes::{Hole, holes};
pub use number::{DiscontinuitySequence, MediaSequence};
pub(crate) use resolve::{Extent, Out, Segment, Span, Window, resolve};
