//! Sidecars, and the egress header that is one: CBOR (RFC 8949).

use core::ops::RangeInclusive;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ciborium_ll::{Decoder, Encoder, Header, simple};
use thiserror::Error;

use super::{EGRESS_HEADER, PaceError, Position};

/// Most segments of one sidecar: six hours of two-second segments in one file.
const MAX_SEGMENTS: usize = 16_384;

/// Longest pattern of segment names, in bytes.
const MAX_PATTERN: usize = 1024;

/// Longest egress header, in bytes: one segment with nothing but a position takes 12 to 15.
const MAX_HEADER: usize = 256;

/// Most entries of one map: the standard has eight keys in all.
const MAX_ENTRIES: usize = 16;

/// Keys of the maps (ETSI TS 104 002 §7.4).
const VERSION: u64 = 1;
const SEGMENTS: u64 = 2;
const FILE_SIZE: u64 = 3;
const START_RANGE: u64 = 4;
const SEGMENT_REGEX: u64 = 5;
const POSITION: u64 = 6;
const FIRST_PART: u64 = 7;
const LAST_PART: u64 = 8;

/// What a sidecar says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sidecar {
    /// Of files that are a segment each.
    Discrete(Vec<Discrete>),
    /// Of the segments in one file.
    Ranges(ByteRanges),
}

/// What a sidecar says of segments that are files of their own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Discrete {
    /// Which files it speaks of: a POSIX extended regular expression. An origin leaves it out for edges.
    pub names: Option<String>,
    /// Which bit they carry.
    pub position: Position,
    /// Whether they are the first with this position. An origin leaves it out for edges.
    pub first_part: Option<bool>,
    /// Whether they are the last with this position. An origin leaves it out for edges.
    pub last_part: Option<bool>,
}

impl Discrete {
    /// What an edge is told of one segment.
    pub const fn at(position: Position) -> Self {
        Self {
            names: None,
            position,
            first_part: None,
            last_part: None,
        }
    }
}

/// Where in a file which position begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ByteRanges {
    size: u64,
    starts: Vec<(u64, Position)>,
}

/// A byte range that holds media of two positions, or goes beyond the file: it must not be delivered.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("bytes {first} to {last} are not within one segment of the file")]
pub struct Straddles {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

impl ByteRanges {
    /// The segments of a file of `size` bytes, each by its first byte. `None` where the first does not begin at 0, one does
    /// not begin behind the one before it and within the file, or there is none or are more than 16,384.
    pub fn new(size: u64, starts: Vec<(u64, Position)>) -> Option<Self> {
        let begins = starts.first().is_some_and(|(start, _)| *start == 0);
        let rises = starts
            .windows(2)
            .all(|pair| matches!(pair, [(a, _), (b, _)] if a < b));
        let ends = starts.last().is_some_and(|(start, _)| *start < size);
        (begins && rises && ends && starts.len() <= MAX_SEGMENTS).then_some(Self { size, starts })
    }

    /// The file's length in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The first byte and the position of each segment, in order.
    pub fn starts(&self) -> &[(u64, Position)] {
        &self.starts
    }

    /// The one position of a range of bytes, first and last included.
    ///
    /// # Errors
    /// The range holds bytes of two positions, is empty, or goes beyond the file.
    pub fn position_of(&self, bytes: &RangeInclusive<u64>) -> Result<Position, Straddles> {
        let (first, last) = (*bytes.start(), *bytes.end());
        let straddles = Straddles { first, last };
        if first > last || last >= self.size {
            return Err(straddles);
        }
        // Of the segments that begin at or before a byte, the last holds it; the first begins at 0.
        let holding = |byte: u64| {
            self.starts
                .partition_point(|(start, _)| *start <= byte)
                .saturating_sub(1)
        };
        let held = self
            .starts
            .get(holding(first)..=holding(last))
            .unwrap_or_default();
        match held {
            [(_, position), rest @ ..] if rest.iter().all(|(_, other)| other == position) => Ok(*position),
            _ => Err(straddles),
        }
    }
}

impl Sidecar {
    /// Its CBOR, deterministic (RFC 8949 §4.2).
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Self::Discrete(segments) => {
                writer.head(Header::Map(Some(2)));
                writer.entry(VERSION, Header::Positive(1));
                writer.entry(SEGMENTS, Header::Array(Some(segments.len())));
                segments.iter().for_each(|segment| writer.discrete(segment));
            }
            Self::Ranges(ranges) => {
                writer.head(Header::Map(Some(3)));
                writer.entry(VERSION, Header::Positive(1));
                writer.entry(SEGMENTS, Header::Array(Some(ranges.starts.len())));
                for (start, position) in &ranges.starts {
                    writer.head(Header::Map(Some(2)));
                    writer.entry(START_RANGE, Header::Positive(*start));
                    writer.entry(POSITION, number(*position));
                }
                writer.entry(FILE_SIZE, Header::Positive(ranges.size));
            }
        }
        writer.bytes
    }

    /// Reads a sidecar's CBOR: definite lengths, each key once, nothing behind it. Keys that the standard does not have are
    /// passed over where their value is a number, a text or a simple value.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn of_cbor(bytes: &[u8]) -> Result<Self, PaceError> {
        let mut reader = Reader {
            decoder: Decoder::from(bytes),
            length: bytes.len(),
        };
        let mut version = None;
        let mut size = None;
        let mut segments: Option<Vec<Entry>> = None;
        reader.map(|reader, key| {
            match key {
                VERSION => version = Some(reader.unsigned()?),
                FILE_SIZE => size = Some(reader.unsigned()?),
                SEGMENTS => segments = Some(reader.segments()?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        if reader.decoder.offset() != bytes.len() {
            return Err(reader.wrong("bytes behind the sidecar"));
        }
        if version != Some(1) {
            return Err(reader.wrong("only version 1 is known"));
        }
        let segments = segments.ok_or_else(|| reader.wrong("no list of segments"))?;
        match size {
            Some(size) => {
                let starts: Option<Vec<_>> = segments.iter().map(Entry::range).collect();
                let starts =
                    starts.ok_or_else(|| reader.wrong("a segment without the byte where it begins"))?;
                ByteRanges::new(size, starts).map(Self::Ranges).ok_or_else(|| {
                    reader.wrong("segments that do not follow each other from byte 0 within the file")
                })
            }
            None => {
                let segments: Option<Vec<_>> = segments.into_iter().map(Entry::discrete).collect();
                segments
                    .map(Self::Discrete)
                    .ok_or_else(|| reader.wrong("a byte where a segment begins, and no size of the file"))
            }
        }
    }
}

/// The value of the header `WMPaceInfoEgress`: a sidecar of one segment with nothing but its position.
pub fn egress_header(position: Position) -> String {
    Base64UrlUnpadded::encode_string(&Sidecar::Discrete(vec![Discrete::at(position)]).to_cbor())
}

/// Reads the value of the header `WMPaceInfoEgress`.
///
/// # Errors
/// It is no base64url, or not of a sidecar with exactly one segment.
pub fn position_of_egress(value: &str) -> Result<Position, PaceError> {
    let wrong = |what: &str| PaceError::Header {
        header: EGRESS_HEADER,
        what: what.to_owned(),
    };
    if value.len() > MAX_HEADER {
        return Err(wrong("longer than 256 bytes"));
    }
    let bytes =
        Base64UrlUnpadded::decode_vec(value.trim_end_matches('=')).map_err(|_| wrong("not base64url"))?;
    match Sidecar::of_cbor(&bytes)? {
        Sidecar::Discrete(segments) => match segments.as_slice() {
            [only] => Ok(only.position),
            _ => Err(wrong("not of exactly one segment")),
        },
        Sidecar::Ranges(_) => Err(wrong("of byte ranges, where one segment is due")),
    }
}

fn number(position: Position) -> Header {
    match u64::try_from(position.number()) {
        Ok(index) => Header::Positive(index),
        // CBOR writes -1 - n, and there is no other negative position.
        Err(_) => Header::Negative(0),
    }
}

/// One segment as it stands in either kind of sidecar.
#[derive(Default)]
struct Entry {
    start: Option<u64>,
    names: Option<String>,
    position: Option<Position>,
    first_part: Option<bool>,
    last_part: Option<bool>,
}

impl Entry {
    fn range(&self) -> Option<(u64, Position)> {
        Some((self.start?, self.position?))
    }

    fn discrete(self) -> Option<Discrete> {
        match (self.start, self.position) {
            (None, Some(position)) => Some(Discrete {
                names: self.names,
                position,
                first_part: self.first_part,
                last_part: self.last_part,
            }),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn head(&mut self, header: Header) {
        // Writing to memory does not fail: its error has no values.
        let Ok(()) = Encoder::from(&mut self.bytes).push(header);
    }

    fn entry(&mut self, key: u64, value: Header) {
        self.head(Header::Positive(key));
        self.head(value);
    }

    fn flag(&mut self, key: u64, value: Option<bool>) {
        if let Some(value) = value {
            let value = if value { simple::TRUE } else { simple::FALSE };
            self.entry(key, Header::Simple(value));
        }
    }

    fn discrete(&mut self, segment: &Discrete) {
        let optional = [
            segment.names.is_some(),
            segment.first_part.is_some(),
            segment.last_part.is_some(),
        ];
        let entries = 1 + optional.iter().filter(|is_there| **is_there).count();
        self.head(Header::Map(Some(entries)));
        if let Some(names) = &segment.names {
            self.entry(SEGMENT_REGEX, Header::Text(Some(names.len())));
            self.bytes.extend_from_slice(names.as_bytes());
        }
        self.entry(POSITION, number(segment.position));
        self.flag(FIRST_PART, segment.first_part);
        self.flag(LAST_PART, segment.last_part);
    }
}

struct Reader<'b> {
    decoder: Decoder<&'b [u8]>,
    length: usize,
}

impl Reader<'_> {
    fn wrong(&mut self, what: &'static str) -> PaceError {
        PaceError::Cbor {
            at: self.decoder.offset(),
            what,
        }
    }

    fn next(&mut self) -> Result<Header, PaceError> {
        self.decoder.pull().map_err(|_| PaceError::Cbor {
            at: self.decoder.offset(),
            what: "cut short, or no head of an item",
        })
    }

    fn unsigned(&mut self) -> Result<u64, PaceError> {
        match self.next()? {
            Header::Positive(number) => Ok(number),
            _ => Err(self.wrong("expected an unsigned integer")),
        }
    }

    fn flag(&mut self) -> Result<bool, PaceError> {
        match self.next()? {
            Header::Simple(simple::TRUE) => Ok(true),
            Header::Simple(simple::FALSE) => Ok(false),
            _ => Err(self.wrong("expected true or false")),
        }
    }

    fn position(&mut self) -> Result<Position, PaceError> {
        let position = match self.next()? {
            Header::Positive(number) => i64::try_from(number).ok().and_then(Position::new),
            Header::Negative(0) => Some(Position::UNMARKED),
            _ => None,
        };
        position.ok_or_else(|| self.wrong("expected a position, -1 to 32766"))
    }

    fn text(&mut self) -> Result<String, PaceError> {
        match self.next()? {
            Header::Text(Some(length)) => self.content(length),
            _ => Err(self.wrong("expected text of a definite length")),
        }
    }

    fn content(&mut self, length: usize) -> Result<String, PaceError> {
        if length > MAX_PATTERN || length > self.length.saturating_sub(self.decoder.offset()) {
            return Err(self.wrong("a text that is too long or cut short"));
        }
        let mut bytes = vec![0; length];
        ciborium_io::Read::read_exact(&mut self.decoder, &mut bytes)
            .map_err(|_| self.wrong("a text that is cut short"))?;
        String::from_utf8(bytes).map_err(|_| self.wrong("a text that is not UTF-8"))
    }

    /// Passes over a value of one item.
    fn skip(&mut self) -> Result<(), PaceError> {
        match self.next()? {
            Header::Positive(_) | Header::Negative(_) | Header::Float(_) | Header::Simple(_) => Ok(()),
            Header::Text(Some(length)) => self.content(length).map(drop),
            _ => Err(self.wrong("an unknown key with a value of many items")),
        }
    }

    /// Reads a map with unsigned keys, each of which stands once.
    fn map(
        &mut self,
        mut entry: impl FnMut(&mut Self, u64) -> Result<(), PaceError>,
    ) -> Result<(), PaceError> {
        let entries = match self.next()? {
            Header::Map(Some(entries)) if entries <= MAX_ENTRIES => entries,
            _ => return Err(self.wrong("expected a map of at most 16 entries")),
        };
        let mut seen = [0; MAX_ENTRIES];
        for read in 0..entries {
            let key = self.unsigned()?;
            let (before, rest) = seen.split_at_mut(read);
            if before.contains(&key) {
                return Err(self.wrong("a key stands twice"));
            }
            if let Some(place) = rest.first_mut() {
                *place = key;
            }
            entry(self, key)?;
        }
        Ok(())
    }

    fn segments(&mut self) -> Result<Vec<Entry>, PaceError> {
        let Header::Array(Some(count @ 1..=MAX_SEGMENTS)) = self.next()? else {
            return Err(self.wrong("expected a list of 1 to 16384 segments"));
        };
        // Grows with what is read: a declared length is not to be trusted.
        let mut segments = Vec::new();
        for _ in 0..count {
            let mut segment = Entry::default();
            self.map(|reader, key| {
                match key {
                    START_RANGE => segment.start = Some(reader.unsigned()?),
                    SEGMENT_REGEX => segment.names = Some(reader.text()?),
                    POSITION => segment.position = Some(reader.position()?),
                    FIRST_PART => segment.first_part = Some(reader.flag()?),
                    LAST_PART => segment.last_part = Some(reader.flag()?),
                    _ => reader.skip()?,
                }
                Ok(())
            })?;
            if segment.position.is_none() {
                return Err(self.wrong("a segment without a position"));
            }
            segments.push(segment);
        }
        Ok(segments)
    }
}

#[cfg(test)]
mod tests;
