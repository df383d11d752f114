//! The push: DASH-IF Live Media Ingest, interface 1. One request for each segment and track, chunked, each CMAF chunk
//! written the moment it exists; the CMAF header first, and again after every break.
//!
//! ```text
//! PUT <push-url>/<track>/init.mp4
//! PUT <push-url>/<track>/<segment number>.m4s
//! PUT <push-url>/<track>/b/<segment number>.m4s      variant B of a watermarked one
//! ```
//!
//! A track's queue holds about two segments. While the receiver stalls or is away, whole oldest segments are dropped and
//! counted; when it is back, the header goes first and the stream goes on at the next whole segment.

mod folder;
mod http;
mod queue;

pub use folder::FolderSink;
pub use http::{PushError, PushOptions, Pusher};
pub use queue::QueueSink;
