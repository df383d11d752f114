//! Segments, their parts, and the gaps between them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::cmaf::{Chunk, Init, Kind, Prft};
use crate::time::{UnixMillis, ticks_to_nanos};

/// The number of a segment in its playlist (`EXT-X-MEDIA-SEQUENCE`, RFC 8216 §4.3.3.2). It never goes back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct MediaSequence(pub u64);

/// One CMAF chunk inside a segment: what LL-HLS calls a part.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Part {
    /// Offset of its first byte in the segment.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// Duration in ticks of the track.
    pub duration: u64,
    /// Whether its first sample is a sync sample.
    pub independent: bool,
}

/// A segment that is complete and listed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Segment {
    /// Its number.
    pub sequence: MediaSequence,
    /// Ordinal of its epoch.
    pub epoch: u32,
    /// The last component of its URL, `<epoch id>-<start>.m4s`.
    pub name: String,
    /// Decode time of its first sample, in ticks.
    pub start: u64,
    /// Duration in ticks.
    pub duration: u64,
    /// Wall time of `start` in nanoseconds since 1970.
    pub wall: i64,
    /// Duration in nanoseconds.
    pub span: i64,
    /// Length in bytes.
    pub length: u64,
    /// Hash of the init segment it needs.
    pub init: u64,
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

/// A slot without media (`EXT-X-GAP`, RFC 8216bis §4.4.4.7).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Gap {
    /// Its number.
    pub sequence: MediaSequence,
    /// Ordinal of the epoch whose time it continues.
    pub epoch: u32,
    /// Wall time of its start in nanoseconds since 1970.
    pub wall: i64,
    /// Duration in nanoseconds.
    pub span: i64,
    /// Hash of the init segment in force.
    pub init: u64,
}

/// One line of a media playlist.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// Media.
    Segment(Box<Segment>),
    /// No media.
    Gap(Gap),
}

impl Entry {
    /// Its number.
    pub fn sequence(&self) -> MediaSequence {
        match self {
            Self::Segment(segment) => segment.sequence,
            Self::Gap(gap) => gap.sequence,
        }
    }

    /// Ordinal of its epoch.
    pub fn epoch(&self) -> u32 {
        match self {
            Self::Segment(segment) => segment.epoch,
            Self::Gap(gap) => gap.epoch,
        }
    }

    /// Wall time of its start in nanoseconds since 1970.
    pub fn wall(&self) -> i64 {
        match self {
            Self::Segment(segment) => segment.wall,
            Self::Gap(gap) => gap.wall,
        }
    }

    /// Duration in nanoseconds.
    pub fn span(&self) -> i64 {
        match self {
            Self::Segment(segment) => segment.span,
            Self::Gap(gap) => gap.span,
        }
    }

    /// Wall time of its end in nanoseconds since 1970.
    pub fn end(&self) -> i64 {
        self.wall().saturating_add(self.span())
    }

    /// Hash of the init segment in force.
    pub fn init(&self) -> u64 {
        match self {
            Self::Segment(segment) => segment.init,
            Self::Gap(gap) => gap.init,
        }
    }

    /// The segment, if it has media.
    pub fn segment(&self) -> Option<&Segment> {
        match self {
            Self::Segment(segment) => Some(segment),
            Self::Gap(_) => None,
        }
    }
}

/// A segment that is still coming in.
#[derive(Clone, Debug)]
pub struct OpenSegment {
    init: Arc<Init>,
    arrived: UnixMillis,
    number: Option<u64>,
    start: u64,
    duration: u64,
    samples: u64,
    prft: Option<Prft>,
    last: bool,
    parts: Vec<Part>,
    chunks: Vec<Bytes>,
    length: u64,
}

/// Why a chunk cannot be part of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadChunk {
    /// The segment would not begin with a sync sample.
    NoSync,
    /// Its time does not follow the chunk before it.
    Disordered,
    /// It belongs to another track than the init segment describes.
    ForeignTrack,
    /// It has no duration.
    Empty,
    /// The segment would last longer than any segment does.
    TooLong,
}

impl BadChunk {
    /// The sentence for the sender.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoSync => "the segment does not begin with a sync sample",
            Self::Disordered => "its decode time (tfdt) does not follow the end of the chunk before it",
            Self::ForeignTrack => "its track_ID is not the one of the init segment",
            Self::Empty => "its samples last no time",
            Self::TooLong => "the segment would last longer than a minute",
        }
    }
}

impl OpenSegment {
    /// Opens a segment with its first chunk. `number` is the one in the object's name.
    ///
    /// # Errors
    /// [`BadChunk`] when a segment cannot begin so.
    pub fn open(
        init: Arc<Init>,
        chunk: &Chunk,
        number: Option<u64>,
        arrived: UnixMillis,
    ) -> Result<Self, BadChunk> {
        if init.kind == Kind::Video && !chunk.fragment.starts_with_sync(init.default_flags) {
            return Err(BadChunk::NoSync);
        }
        let mut open = Self {
            arrived,
            number,
            start: chunk.fragment.decode_time,
            duration: 0,
            samples: 0,
            prft: chunk.prft,
            last: false,
            parts: Vec::new(),
            chunks: Vec::new(),
            length: 0,
            init,
        };
        open.append(chunk)?;
        Ok(open)
    }

    /// Appends a chunk.
    ///
    /// # Errors
    /// [`BadChunk`]; the segment stays as it was.
    pub fn append(&mut self, chunk: &Chunk) -> Result<(), BadChunk> {
        let fragment = &chunk.fragment;
        if fragment.track_id != self.init.track_id {
            return Err(BadChunk::ForeignTrack);
        }
        let end = self.start.saturating_add(self.duration);
        if fragment.decode_time < end || self.leaves_hole_before(chunk) {
            return Err(BadChunk::Disordered);
        }
        let duration = fragment.duration(self.init.default_duration);
        if duration == 0 && self.init.kind != Kind::Event {
            return Err(BadChunk::Empty);
        }
        let total = (fragment.decode_time - self.start).saturating_add(duration);
        if total / u64::from(self.init.timescale) > MAX_SEGMENT_S {
            return Err(BadChunk::TooLong);
        }
        let length = chunk.bytes.len() as u64;
        self.parts.push(Part {
            offset: self.length,
            length,
            duration,
            independent: fragment.starts_with_sync(self.init.default_flags),
        });
        self.length += length;
        self.duration = total;
        self.samples += fragment.samples;
        self.last |= chunk.last;
        self.chunks.push(chunk.bytes.clone());
        Ok(())
    }

    /// Whether a chunk begins so long after the one before it that it cannot be of the same segment.
    pub fn leaves_hole_before(&self, chunk: &Chunk) -> bool {
        let end = self.start.saturating_add(self.duration);
        let hole = chunk.fragment.decode_time.saturating_sub(end);
        hole / u64::from(self.init.timescale) >= MAX_HOLE_S
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Duration so far, in nanoseconds.
    pub fn span(&self) -> i64 {
        ticks_to_nanos(self.duration.cast_signed(), self.init.timescale)
    }

    /// Ends the segment. `whole` says that the sender ended it, rather than the connection.
    pub fn close(self, whole: bool) -> ClosedSegment {
        let data = match <[Bytes; 1]>::try_from(self.chunks) {
            Ok([only]) => only,
            Err(chunks) => {
                let mut data = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
                chunks.iter().for_each(|chunk| data.extend_from_slice(chunk));
                data.freeze()
            }
        };
        ClosedSegment {
            init: self.init,
            arrived: self.arrived,
            number: self.number,
            start: self.start,
            duration: self.duration,
            samples: self.samples,
            prft: self.prft,
            last: self.last,
            whole,
            parts: self.parts,
            data,
        }
    }
}

/// A segment that has come in and has no place in the channel yet.
#[derive(Clone, Debug)]
pub struct ClosedSegment {
    /// The init segment it needs.
    pub init: Arc<Init>,
    /// When its first byte came.
    pub arrived: UnixMillis,
    /// The number in the object's name: a count, or a `$Time$`.
    pub number: Option<u64>,
    /// Decode time of its first sample, in ticks.
    pub start: u64,
    /// Duration in ticks.
    pub duration: u64,
    /// Number of samples.
    pub samples: u64,
    /// The first chunk's producer reference time.
    pub prft: Option<Prft>,
    /// It carried the brand `lmsg`.
    pub last: bool,
    /// The sender ended it, rather than the connection.
    pub whole: bool,
    /// Its parts, in order.
    pub parts: Vec<Part>,
    /// All its bytes.
    pub data: Bytes,
}

impl ClosedSegment {
    /// End in ticks.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }

    /// Duration in nanoseconds.
    pub fn span(&self) -> i64 {
        ticks_to_nanos(self.duration.cast_signed(), self.init.timescale)
    }
}

/// Seconds that one segment may last.
const MAX_SEGMENT_S: u64 = 60;
/// Seconds that may be missing between two chunks of one segment.
const MAX_HOLE_S: u64 = 10;
