//! The Selvedge encoder: a picture in, CMAF pushed by DASH-IF live ingest out.
//!
//! ```text
//! ingest ──picture, sound──▶ pipeline ──▶ encode: one thread a track ──▶ cmaf ──chunks──▶ push
//!                              │ clock          │ pixel: scale, clock
//! ```
//!
//! Everything stands on the epoch grid of [`clock`]: frame `N` is the one captured at `N / fps` seconds of UTC, and media
//! times and segment numbers follow from `N`. Renditions have their IDRs at the same frames, sound is cut at the same
//! instants, and an encoder that was restarted goes on as if it had never been away.
//!
//! The way back is `detect`: what a recording of a watermarked channel says of each segment that was sent.
//!
//! Without the feature `ffmpeg` the crate has no input but the test picture and no encoder; the rest is the same.
//!
//! ```
//! use selvedge_encoder::clock::{Grid, Utc};
//!
//! let grid = Grid::with_default_cadence(25)?;
//! let frame = grid.frame_at(Utc::from_millis(1_700_000_000_000));
//! assert_eq!(frame, 42_500_000_000);
//! assert_eq!(grid.video_time(frame), 1_700_000_000 * 90_000);
//! assert_eq!(grid.segment_of(frame), 885_416_666);
//! # Ok::<(), selvedge_encoder::clock::GridError>(())
//! ```
#![deny(unsafe_code)]

pub mod clock;
pub mod cmaf;
pub mod config;
pub mod control;
#[cfg(feature = "ffmpeg")]
pub mod creative;
#[cfg(feature = "ffmpeg")]
pub mod detect;
#[cfg(feature = "ffmpeg")]
pub mod encode;
#[cfg(feature = "ffmpeg")]
mod ffi;
pub mod ingest;
#[cfg(feature = "ffmpeg")]
pub mod pipeline;
pub mod pixel;
pub mod push;
pub mod splice;
pub mod stats;

/// Prepares FFmpeg's libraries, once in a process and before anything else of them is used. Keeps their own messages off
/// stderr: what matters comes as errors and is logged with its context.
///
/// # Errors
/// When the libraries cannot be used.
#[cfg(feature = "ffmpeg")]
pub fn init_ffmpeg() -> Result<(), encode::EncodeError> {
    ffmpeg_next::init().map_err(|error| encode::EncodeError::Ffmpeg {
        what: "prepare FFmpeg".to_owned(),
        reason: error.to_string(),
    })?;
    ffmpeg_next::util::log::set_level(ffmpeg_next::util::log::Level::Quiet);
    Ok(())
}
