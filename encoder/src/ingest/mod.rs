//! Where pictures and sound come from: a file, or the generator.

mod card;
#[cfg(feature = "ffmpeg")]
mod cues;
#[cfg(feature = "ffmpeg")]
mod file;
mod once;
mod test_source;
mod tone;

use std::sync::Arc;

pub use card::CardSource;
#[cfg(feature = "ffmpeg")]
pub use file::FileSource;
pub use once::Once;
pub use test_source::TestSource;
pub use tone::{Sound, fill as fill_sound};

use crate::{
    pixel::{Picture, Size},
    splice::Heard,
};

/// A source that is asked for what belongs to each instant of the grid. Requests never go back in time, unless
/// [`Source::resume_at`] announces it.
pub trait Source {
    /// The size at which pictures are meant to be seen: square pixels, any shape.
    fn shape(&self) -> Size;

    /// The picture that is on air at a frame of the grid.
    ///
    /// # Errors
    /// When the source can give no more pictures.
    fn picture(&mut self, frame: u64) -> Result<Arc<Picture>, IngestError>;

    /// The sound from sample `first` since 1970 on, 48 kHz, left and right in turn, as much as `out` holds.
    ///
    /// # Errors
    /// When the source can give no more sound.
    fn sound(&mut self, first: u64, out: &mut [f32]) -> Result<(), IngestError>;

    /// Tells that after a hole, or a step of the clock, requests go on at a frame of the grid. A recording goes on there
    /// where it stood, instead of playing what nobody asked for; what is a function of time alone needs no word.
    fn resume_at(&mut self, frame: u64) {
        let _ = frame;
    }

    /// Splices that the source has said since they were last asked for.
    fn splices(&mut self) -> Vec<Heard> {
        Vec::new()
    }
}

/// Why a source gives nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The input cannot be opened.
    #[error("cannot open {path}: {reason}")]
    Open {
        /// The input.
        path: String,
        /// FFmpeg's reason.
        reason: String,
    },
    /// The input has no picture.
    #[error("{path} has no picture that can be decoded")]
    NoVideo {
        /// The input.
        path: String,
    },
    /// Reading or decoding fails for good.
    #[error("cannot go on reading {path}: {reason}")]
    Read {
        /// The input.
        path: String,
        /// FFmpeg's reason.
        reason: String,
    },
}
