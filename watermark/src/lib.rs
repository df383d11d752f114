//! A/B watermarking (ETSI TS 104 002) without I/O, clock or randomness: what encoder, origin, edge and command line share.
//!
//! Every segment of a marked rendition exists twice, as variant A and variant B. Which of the two a session gets for a
//! segment is one bit of the session's pattern, so what is recorded of it names it.
//!
//! - [`pace`]: which bit of a pattern a piece of media carries, in the five forms in which that travels;
//! - [`code`]: the patterns, derived from keys and never stored, that also name those who mix what they got;
//! - [`score`]: how much a recording speaks for a session, and how seldom it would for an innocent one;
//! - [`recording`], [`soft`]: what was measured of a recording, and what that says of each bit;
//! - [`trial`], [`evidence`]: whom it accuses, and the document that proves it;
//! - [`plan`]: how long a recording must be.
//!
//! # Example
//!
//! ```
//! use selvedge_watermark::code::{CodeKey, Design, Event, Session};
//! use selvedge_watermark::pace::{Position, Variant};
//!
//! let key = CodeKey::from_secret(&[7; 32]);
//! let event = Event { service: "news", epoch: 1, design: Design::Four };
//! let session = Session { operator: 7, id: "s-7f3a" };
//! let position = Position::of_slot(922_337_203);
//! let variant = Variant::of_bit(key.bit(&event, &session, position.index().unwrap()));
//! assert!(matches!(variant.directory(), "" | "b/"));
//! ```

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

pub mod code;
pub mod evidence;
pub mod pace;
pub mod plan;
pub mod recording;
pub mod score;
pub mod soft;
pub mod trial;
