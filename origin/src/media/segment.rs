//! Segments, their parts, and the gaps between them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use selvedge_watermark::pace::PaceInfo;
use serde::{Deserialize, Serialize};

use super::event::Announced;
use crate::cmaf::{Chunk, Init, Kind, Prft};
use crate::time::{UnixMillis, ticks_to_nanos};

/// The number of a segment in its playlist (`EXT-X-MEDIA-SEQUENCE`, RFC 8216 §4.3.3.2). It never goes back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct MediaSequence(pub u64);

/// A part of a segment (LL-HLS) that is a run of whole CMAF chunks: one, unless chunks are far shorter than the
/// part target. It begins where the part before it ends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Part {
    /// Offset of its first byte in the segment.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// Duration in ticks of the track, up to where the next part begins.
    pub duration: u64,
    /// Whether its first sample is a sync sample.
    pub independent: bool,
    /// Bytes from the first of the part to the last of its first sample, where that is a sync sample of a video
    /// and its size is known; else 0.
    #[serde(default)]
    pub first_sample: u64,
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
    Segment(#[serde(with = "shared")] Arc<Segment>),
    /// No media.
    Gap(Gap),
}

/// A shared segment is written and read as the segment itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Segment;

    pub(super) fn serialize<S: Serializer>(segment: &Arc<Segment>, to: S) -> Result<S::Ok, S::Error> {
        segment.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Segment>, D::Error> {
        Segment::deserialize(from).map(Arc::new)
    }
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

/// Where a chunk stands in its segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// Decode time of its first sample, in ticks.
    pub start: u64,
    /// Duration in ticks.
    pub duration: u64,
    /// Length in bytes.
    pub length: u64,
    /// Number of samples.
    pub samples: u64,
    /// Whether its first sample is a sync sample.
    pub independent: bool,
    /// Bytes up to the end of its first sample, see [`Part::first_sample`].
    pub first_sample: u64,
}

impl Span {
    /// End in ticks.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }
}

/// Forms parts of chunks: whole ones, as many as the part target has room for.
#[derive(Clone, Debug)]
pub struct Parting {
    /// The longest that a part may last, in ticks.
    target: u64,
    parts: Vec<Part>,
    forming: Option<Part>,
    offset: u64,
    end: u64,
    is_overlong: bool,
}

impl Parting {
    /// Parts of a segment that begins at `start`, none longer than `target_ms`.
    pub fn new(start: u64, target_ms: u32, timescale: u32) -> Self {
        let ticks = u64::from(target_ms).saturating_mul(u64::from(timescale));
        Self {
            // Half a millisecond of grace: the target is announced in milliseconds, rounded up.
            target: ticks.saturating_add(u64::from(timescale) / 2) / 1_000,
            parts: Vec::new(),
            forming: None,
            offset: 0,
            end: start,
            is_overlong: false,
        }
    }

    /// Takes the next chunk. A part is complete as soon as one more chunk like its last would be too much for it.
    pub fn push(&mut self, span: &Span) {
        // From the end of the chunk before, so that parts last as long as their segment whatever is missing.
        let duration = span.end().saturating_sub(self.end);
        if self
            .forming
            .as_ref()
            .is_some_and(|forming| forming.duration.saturating_add(duration) > self.target)
        {
            self.complete();
        }
        let forming = self.forming.get_or_insert(Part {
            offset: self.offset,
            length: 0,
            duration: 0,
            independent: span.independent,
            first_sample: span.first_sample,
        });
        forming.length = forming.length.saturating_add(span.length);
        forming.duration = forming.duration.saturating_add(duration);
        self.offset = self.offset.saturating_add(span.length);
        self.end = span.end();
        if forming.duration.saturating_add(duration) > self.target {
            self.complete();
        }
    }

    /// Completes the part that is forming: the segment has ended.
    pub fn complete(&mut self) {
        if let Some(formed) = self.forming.take() {
            self.is_overlong |= formed.duration > self.target;
            // Players refuse a part that is longer than was said, so from there on the segment has none.
            if !self.is_overlong {
                self.parts.push(formed);
            }
        }
    }

    /// Whether a chunk was longer than the target: the segment has no parts from there on.
    pub fn is_overlong(&self) -> bool {
        self.is_overlong
    }

    /// The parts that are complete.
    pub fn parts(&self) -> &[Part] {
        &self.parts
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
    prft: Option<Prft>,
    last: bool,
    slate: bool,
    pace: Option<PaceInfo>,
    spans: Vec<Span>,
    chunks: Vec<Bytes>,
    events: Vec<Announced>,
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
    /// The segment would have more chunks than any segment has.
    TooMany,
    /// Its pace information is not the segment's.
    Pace,
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
            Self::Pace => "its wmpi says another position or variant than the segment began with",
            Self::TooMany => "the segment would have more than 8192 chunks: make them longer",
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
            prft: chunk.prft,
            last: false,
            slate: false,
            pace: chunk.pace,
            spans: Vec::new(),
            chunks: Vec::new(),
            events: Vec::new(),
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
        if self.spans.len() >= MAX_CHUNKS {
            return Err(BadChunk::TooMany);
        }
        let is_same = |told: PaceInfo| {
            self.pace
                .is_some_and(|pace| (pace.variant, pace.position) == (told.variant, told.position))
        };
        if !chunk.pace.is_none_or(is_same) {
            return Err(BadChunk::Pace);
        }
        let length = chunk.bytes.len() as u64;
        let independent = fragment.starts_with_sync(self.init.default_flags);
        self.spans.push(Span {
            start: fragment.decode_time,
            duration,
            length,
            samples: fragment.samples,
            independent,
            first_sample: chunk
                .first_sample_end(self.init.default_size)
                .filter(|_| independent && self.init.kind == Kind::Video)
                .map_or(0, |end| end as u64),
        });
        self.events.extend(Announced::of(chunk, &self.init));
        self.length += length;
        self.duration = total;
        self.last |= chunk.last;
        self.slate |= chunk.slate;
        self.chunks.push(chunk.bytes.clone());
        Ok(())
    }

    /// Whether a chunk begins so long after the one before it that it cannot be of the same segment.
    pub fn leaves_hole_before(&self, chunk: &Chunk) -> bool {
        let end = self.start.saturating_add(self.duration);
        let hole = chunk.fragment.decode_time.saturating_sub(end);
        hole / u64::from(self.init.timescale) >= MAX_HOLE_S
    }

    /// Says what came beside the segment of its variant and position, where none came in it.
    pub fn set_pace(&mut self, pace: Option<PaceInfo>) {
        self.pace = self.pace.or(pace);
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Duration so far, in nanoseconds.
    pub fn span(&self) -> i64 {
        ticks_to_nanos(self.duration.cast_signed(), self.init.timescale)
    }

    /// The init segment it needs.
    pub fn init(&self) -> &Arc<Init> {
        &self.init
    }

    /// Its chunks so far: where they stand, and their bytes.
    pub fn chunks(&self) -> impl Iterator<Item = (&Span, &Bytes)> {
        self.spans.iter().zip(&self.chunks)
    }

    /// Decode time of its first sample, in ticks.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Takes what stands before a chunk away, as a segment of its own; `None` where that would leave nothing of one of
    /// the two. `place` counts chunks from 0.
    pub fn split_before(&mut self, place: usize) -> Option<Self> {
        let start = self.spans.get(place).filter(|_| place > 0)?.start;
        let end = self.start.saturating_add(self.duration);
        let spans = self.spans.split_off(place);
        let chunks = self.chunks.split_off(place);
        let begins = ticks_to_nanos(start.cast_signed(), self.init.timescale);
        let (before, after) = std::mem::take(&mut self.events)
            .into_iter()
            .partition(|event| event.start() < begins);
        let front = Self {
            init: Arc::clone(&self.init),
            arrived: self.arrived,
            number: self.number.take(),
            start: self.start,
            duration: self
                .spans
                .last()
                .map_or(0, |last| last.end().saturating_sub(self.start)),
            prft: self.prft.take(),
            last: false,
            slate: self.slate,
            pace: self.pace,
            length: self.spans.iter().map(|span| span.length).sum(),
            spans: std::mem::replace(&mut self.spans, spans),
            chunks: std::mem::replace(&mut self.chunks, chunks),
            events: before,
        };
        self.start = start;
        self.duration = end.saturating_sub(start);
        self.length = self.spans.iter().map(|span| span.length).sum();
        self.events = after;
        Some(front)
    }

    /// Ends the segment. `whole` says that the sender ended it, rather than the connection.
    pub fn close(self, whole: bool) -> ClosedSegment {
        ClosedSegment {
            init: self.init,
            arrived: self.arrived,
            number: self.number,
            start: self.start,
            duration: self.duration,
            prft: self.prft,
            last: self.last,
            slate: self.slate,
            pace: self.pace,
            whole,
            spans: self.spans,
            chunks: self.chunks,
            events: self.events,
        }
    }

    /// The segment as it would be if it ended now; its media is shared, not copied.
    pub fn so_far(&self) -> ClosedSegment {
        self.clone().close(false)
    }
}

/// Chunks as one run of bytes; copied only where there are several.
pub(super) fn joined(chunks: &[Bytes]) -> Bytes {
    match chunks {
        [only] => only.clone(),
        chunks => {
            let mut data = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
            chunks.iter().for_each(|chunk| data.extend_from_slice(chunk));
            data.freeze()
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
    /// The first chunk's producer reference time.
    pub prft: Option<Prft>,
    /// It carried the brand `lmsg`.
    pub last: bool,
    /// It carried the brand `slat`: a filler in place of an input that was lost.
    pub slate: bool,
    /// What the sender says of its variant and position, where the track is watermarked.
    pub pace: Option<PaceInfo>,
    /// The sender ended it, rather than the connection.
    pub whole: bool,
    /// Where its chunks stand, in order. Never empty.
    pub spans: Vec<Span>,
    /// The chunks' bytes, as they came.
    pub chunks: Vec<Bytes>,
    /// What its chunks announce.
    pub events: Vec<Announced>,
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

    /// Leaves out the chunks that end more than `longest` ticks after the start; says how many are left.
    pub(super) fn shorten(&mut self, longest: u64) -> usize {
        let start = self.start;
        let fits = |span: &&Span| span.end().saturating_sub(start) <= longest;
        let left = self.spans.iter().take_while(fits).count();
        self.spans.truncate(left);
        self.chunks.truncate(left);
        self.duration = self
            .spans
            .last()
            .map_or(0, |last| last.end().saturating_sub(start));
        left
    }

    /// Whether decoding can start at its first sample.
    pub fn starts_with_sync(&self) -> bool {
        self.spans.first().is_some_and(|span| span.independent)
    }

    /// Number of samples.
    pub fn samples(&self) -> u64 {
        self.spans.iter().map(|span| span.samples).sum()
    }

    /// Bytes of media.
    pub fn length(&self) -> u64 {
        self.spans.iter().map(|span| span.length).sum()
    }

    /// All its bytes.
    pub fn data(&self) -> Bytes {
        joined(&self.chunks)
    }

    /// Its parts, none longer than `target_ms`.
    pub fn parts(&self, target_ms: u32) -> Parting {
        let mut parting = Parting::new(self.start, target_ms, self.init.timescale);
        self.spans.iter().for_each(|span| parting.push(span));
        parting.complete();
        parting
    }
}

/// Seconds that one segment may last.
const MAX_SEGMENT_S: u64 = 60;
/// Chunks of one segment: a minute of single frames at 120 a second is fewer. All that came are looked at with each
/// that comes.
const MAX_CHUNKS: usize = 8_192;
/// Seconds that may be missing between two chunks of one segment.
const MAX_HOLE_S: u64 = 10;
