//! CMAF out (ISO/IEC 23000-19): chunk writer, segmenter, bitstream conversion and init segments, in memory.

pub mod annexb;
mod equal;
mod event;
pub mod init;
mod segmenter;
mod writer;

use bytes::Bytes;

pub use equal::equalise;
pub use event::EventMessage;
pub use segmenter::Segmenter;
use selvedge_watermark::pace::{PaceInfo, Variant};
pub use writer::{Boundary, ChunkWriter};

use crate::clock::Utc;

/// One coded sample of a track on its grid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sample {
    /// Index on the track's grid: video frames or AAC frames since 1970.
    pub index: u64,
    /// The coded bytes as the file format wants them: length-prefixed NAL units, or a raw AAC frame.
    pub data: Bytes,
    /// Whether decoding can start here.
    pub key: bool,
    /// When it was captured or generated.
    pub captured: Utc,
}

/// Where the objects of one track go. Calls come in the order init, then for each segment begin, chunks, and end or
/// abort; a new init may come between two segments.
pub trait Sink: Send {
    /// The init segment of all segments that begin from now on.
    fn init(&mut self, init: Bytes);
    /// A segment begins: its number on the grid, or its decode time where it begins at a splice off the grid.
    fn begin(&mut self, number: u64);
    /// A segment of a watermarked rendition begins, whose pace information goes beside it.
    fn begin_marked(&mut self, number: u64, pace: PaceInfo) {
        let _ = pace;
        self.begin(number);
    }
    /// One whole CMAF chunk of the segment that has begun.
    fn chunk(&mut self, chunk: Bytes);
    /// The segment is complete.
    fn end(&mut self);
    /// The rest of the segment will never come.
    fn abort(&mut self);
}

/// How a variant's pace information goes to the origin: of the ways that ETSI TS 104 002 has, exactly one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Carrier {
    /// Beside the segment, in the request header `WMPaceInfoIngest`.
    #[default]
    Header,
    /// In the segment, in a `wmpi` box behind its `styp`.
    Box,
}

/// Which variant of a watermarked rendition segments are of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Marking {
    /// A or B.
    pub variant: Variant,
    /// How the origin is told.
    pub carrier: Carrier,
}

/// Why samples cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CmafError {
    /// A sample does not follow the one before it.
    #[error("sample {got} follows sample {after}: the grid has no gaps inside a segment")]
    Gap {
        /// Index of the sample before.
        after: u64,
        /// Index of the sample refused.
        got: u64,
    },
    /// A segment would start in the middle of a coded sequence.
    #[error("segment {segment} starts at sample {sample}, which is not a sync sample")]
    NoSync {
        /// Segment number.
        segment: u64,
        /// Index of its first sample.
        sample: u64,
    },
    /// A box could not be written or read.
    #[error("cannot {what}: {reason}")]
    Box {
        /// What was being done.
        what: &'static str,
        /// What the box library said.
        reason: String,
    },
    /// The init segment lacks something.
    #[error("init segment has no {0}")]
    Incomplete(&'static str),
    /// A sample or chunk exceeds 32 bits of size.
    #[error("chunk of {0} bytes exceeds what a movie fragment can address")]
    TooLarge(usize),
}

pub(crate) fn box_error(what: &'static str) -> impl FnOnce(mp4_atom::Error) -> CmafError {
    move |error| CmafError::Box {
        what,
        reason: error.to_string(),
    }
}
