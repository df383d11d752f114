//! What a channel's breaks are made of.
//!
//! A break is a hole in a channel for ads. This crate says where breaks come from, what becomes of them, and how the
//! knowledge of them travels; origin and edge share it. It is pure: no I/O, no clock, no randomness, no panics on any
//! input, and it builds for `wasm32-unknown-unknown` and `wasm32-wasip1`.
//!
//! | what | where |
//! |---|---|
//! | splice information sections, read and written | [`scte35`] |
//! | what a section says of breaks | [`Signal`], by the operator's [`Openers`] |
//! | markers of breaks in HLS playlists | [`hls`] |
//! | what all of them ask for | [`Cue`] |
//! | what becomes of it | [`Log`], by the operator's [`Policy`] |
//! | a break's slots: number, lengths, what follows them | [`Structure`] |
//! | a break as an edge needs it, and its place in a playlist | [`Airing`], [`Anchor`], [`Sums`] |
//! | the lines of a playlist that carry it | [`Slice`] |
//! | what ad operations rule | [`Rules`] |
//! | the pod of a break and a cohort | [`Decision`] |
//! | the conditioned media of an ad | [`Creative`] |
//! | a channel that is made of assets | [`Schedule`] |
//!
//! Times of the programme are [`UnixMicros`], lengths [`Micros`].

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod airing;
mod attributes;
pub mod creative;
mod cue;
pub mod decision;
pub mod document;
pub mod hls;
mod key;
mod layout;
pub mod log;
pub mod rules;
pub mod schedule;
#[cfg(test)]
mod schema;
pub mod scte35;
pub mod signal;
pub mod slice;
mod structure;
mod time;

pub use airing::{Airing, Anchor, Mode, Return, Sums};
pub use creative::{Creative, CreativeName};
pub use cue::{Ask, Cue, Source, When};
pub use decision::Decision;
pub use key::{BreakId, Key, Name, NoKey};
pub use layout::Layout;
pub use log::{Log, Policy};
pub use rules::{Asset, Rules};
pub use schedule::Schedule;
pub use signal::{Clock, Openers, Signal};
pub use slice::Slice;
pub use structure::{After, MAX_LENGTH, MAX_SEGMENTS, MAX_SLOTS, MIN_SEGMENT, Place, Shape, Slot, Structure};
pub use time::{Micros, Pts, Ticks, UnixMicros};
