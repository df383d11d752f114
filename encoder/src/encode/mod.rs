//! Encoders: the candidate table, really opened in turn, and the threads that feed them.

mod audio;
mod candidate;
mod init;
mod lanes;
mod video;
mod worker;

pub use audio::AacEncoder;
pub use candidate::{CANDIDATES, Candidate, Input};
pub(crate) use lanes::Lane;
pub use video::{VideoEncoder, VideoSettings};
pub(crate) use worker::{AudioMessage, AudioWorker, VideoMessage, VideoWorker, segmenter};

use crate::cmaf::CmafError;

/// One coded sample as an encoder gave it, with its index on the track's grid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Coded {
    /// Index on the track's grid.
    pub index: u64,
    /// Bytes in the form of the file format.
    pub data: bytes::Bytes,
    /// Whether it is a sync sample.
    pub key: bool,
}

/// Why nothing could be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// No candidate could be opened.
    #[error(
        "no encoder opens for {track}: {reasons}; install FFmpeg with libx264, or name another in `encoders`"
    )]
    NoEncoder {
        /// Track name.
        track: String,
        /// Each candidate with its reason.
        reasons: String,
    },
    /// FFmpeg refused something.
    #[error("cannot {what}: {reason}")]
    Ffmpeg {
        /// What was being done.
        what: String,
        /// FFmpeg's reason.
        reason: String,
    },
    /// The coded samples cannot be written.
    #[error(transparent)]
    Cmaf(#[from] CmafError),
}

fn ffmpeg_error(what: impl Into<String>) -> impl FnOnce(ffmpeg_next::Error) -> EncodeError {
    let what = what.into();
    move |error| EncodeError::Ffmpeg {
        what,
        reason: error.to_string(),
    }
}
