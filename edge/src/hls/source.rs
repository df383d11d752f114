//! A media playlist, read in one pass: where each segment's lines lie and when it plays. No line is copied and no
//! document is built; what is not understood is not looked at.

use core::ops::Range;

use selvedge_breaks::{Micros, UnixMicros};

use super::{
    line::{Line, Tag, attribute, number, seconds},
    reader::{Reader, Said},
};
use crate::timeline::{DiscontinuitySequence, Extent, MediaSequence, Segment, Window};

/// What was found in a media playlist.
#[derive(Debug, Default)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    /// Where the lines of the playlist as a whole end and the first segment's begin.
    pub(super) head: usize,
    pub(super) segments: Vec<Segment>,
    /// Where each segment's lines end: behind its URI.
    ends: Vec<usize>,
    /// What lies behind the last URI.
    pub(super) next: Segment,
    pub(super) media: MediaSequence,
    /// Before the first segment's own discontinuities.
    pub(super) discontinuity: DiscontinuitySequence,
    pub(super) extent: Extent,
    /// Whether dates say when anything in it plays; else segments count from 0.
    pub(super) is_dated: bool,
    /// Target duration in seconds.
    pub(super) target: i64,
    /// `PART-TARGET`, of a playlist that goes on and has parts.
    pub(super) part_target: Option<Micros>,
    /// `CAN-SKIP-UNTIL`.
    pub(super) skip_until: Option<Micros>,
    /// Lines that a rewritten playlist goes without, in order.
    pub(super) left_out: Vec<Range<usize>>,
    /// `EXT-X-KEY` and `EXT-X-MAP` lines, each with the segment that it first applies to.
    keys: Vec<Scoped>,
    maps: Vec<Scoped>,
    /// Byte ranges without an offset, with the one that they mean.
    ranges: Vec<(usize, u64)>,
}

#[derive(Clone, Debug)]
struct Scoped {
    segment: usize,
    line: Range<usize>,
}

/// Why a playlist cannot be stitched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unfit {
    /// It lists nothing: a multivariant playlist, or none at all.
    NoMedia,
    /// It is a delta update, of which the greater part is elsewhere.
    Delta,
}

/// Where a byte range without an offset would go on.
struct ByteCursor<'a> {
    uri: &'a [u8],
    end: u64,
}

impl<'a> Source<'a> {
    /// Reads a playlist; `strips` says whether the marks of ads in it are to go.
    pub(super) fn read(text: &'a str, strips: bool) -> Result<Self, Unfit> {
        let mut source = Self {
            text,
            head: usize::MAX,
            ..Self::default()
        };
        source.scan(strips)?;
        if source.segments.is_empty() {
            return Err(Unfit::NoMedia);
        }
        source.head = source.head.min(text.len());
        Ok(source)
    }

    fn scan(&mut self, strips: bool) -> Result<(), Unfit> {
        let bytes = self.text.as_bytes();
        // A segment with its date takes a hundred bytes, rarely fewer.
        self.segments.reserve(bytes.len() / 80);
        self.ends.reserve(bytes.len() / 80);
        let begin = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
        let mut clock = UnixMicros(0);
        let mut duration = Micros::ZERO;
        let mut length = None;
        let mut cursor: Option<ByteCursor<'a>> = None;
        for (line, said) in Reader::new(bytes, begin) {
            let (tag, value) = match said {
                Said::Duration(read) => {
                    self.begin(line.start);
                    duration = read;
                    continue;
                }
                Said::Date(date) => {
                    self.begin(line.start);
                    if !self.is_dated {
                        self.date_back(date.since(clock));
                    }
                    self.is_dated = true;
                    clock = date;
                    continue;
                }
                Said::Other(Line::Other) => continue,
                Said::Other(Line::Tag(tag, value)) => (tag, value),
                Said::Other(Line::Uri(uri)) => {
                    self.begin(line.start);
                    self.close(clock, duration, line.end);
                    clock = clock.plus(duration);
                    duration = Micros::ZERO;
                    if length.is_some() || cursor.is_some() {
                        cursor = self.byte_range(uri, length.take(), cursor);
                    }
                    continue;
                }
            };
            if !tag.stays() {
                self.begin(line.start);
            }
            match tag {
                Tag::Discontinuity => self.next.discontinuity = self.next.discontinuity.plus(1),
                Tag::Byterange => length = Some(value),
                Tag::Part => {
                    let part = self.str_of(&line).and_then(|line| line.split_once(':'));
                    let span = part.and_then(|(_, value)| attribute(value, "DURATION"));
                    let span = span.and_then(|span| seconds(span.as_bytes()));
                    self.next.duration = self.next.duration.plus(span.unwrap_or_default());
                    self.next.parts += 1;
                }
                Tag::Key | Tag::Map => {
                    let segment = self.segments.len();
                    let list = if tag == Tag::Key {
                        &mut self.keys
                    } else {
                        &mut self.maps
                    };
                    list.push(Scoped { segment, line });
                }
                Tag::Skip => return Err(Unfit::Delta),
                Tag::Endlist => {
                    self.part_target = None;
                    self.extent = Extent::Whole;
                }
                Tag::PlaylistType if self.extent == Extent::Slides => self.extent = Extent::Grows,
                Tag::Log => self.left_out.push(line),
                Tag::Cue if strips => self.left_out.push(line),
                Tag::Daterange if strips && is_splice(self.str_of(&line)) => self.left_out.push(line),
                Tag::MediaSequence => {
                    self.media = MediaSequence(number(value));
                    self.only_in_head(line);
                }
                Tag::DiscontinuitySequence => {
                    self.discontinuity = DiscontinuitySequence(number(value));
                    self.next.discontinuity = self.discontinuity;
                    self.only_in_head(line);
                }
                Tag::Targetduration => self.target = i64::try_from(number(value)).unwrap_or(i64::MAX),
                Tag::PartInf => self.part_target = self.seconds(&line, "PART-TARGET"),
                Tag::ServerControl => self.skip_until = self.seconds(&line, "CAN-SKIP-UNTIL"),
                _ => {}
            }
        }
        self.next.start = clock;
        Ok(())
    }

    /// The playlist's own lines end where the first segment's begin.
    fn begin(&mut self, line: usize) {
        self.head = self.head.min(line);
    }

    fn close(&mut self, start: UnixMicros, duration: Micros, end: usize) {
        self.segments.push(Segment {
            start,
            duration,
            ..self.next
        });
        self.ends.push(end);
        self.next.duration = Micros::ZERO;
        self.next.parts = 0;
    }

    /// Moves the segments before the first date by what that date has shown.
    fn date_back(&mut self, offset: Micros) {
        for segment in &mut self.segments {
            segment.start = segment.start.plus(offset);
        }
    }

    /// A header that stands among the segments is written in its place at the top.
    fn only_in_head(&mut self, line: Range<usize>) {
        if self.head != usize::MAX {
            self.left_out.push(line);
        }
    }

    /// Takes note of the byte range of the segment that was closed last (RFC 8216bis §4.4.4.2).
    fn byte_range(
        &mut self,
        uri: &'a [u8],
        range: Option<&[u8]>,
        cursor: Option<ByteCursor<'a>>,
    ) -> Option<ByteCursor<'a>> {
        let range = range?;
        let mut pieces = range.split(|byte| *byte == b'@');
        let length = number(pieces.next()?);
        let offset = match pieces.next() {
            Some(offset) => number(offset),
            None => {
                let cursor = cursor.filter(|cursor| cursor.uri == uri)?;
                self.ranges
                    .push((self.segments.len().checked_sub(1)?, cursor.end));
                cursor.end
            }
        };
        Some(ByteCursor {
            uri,
            end: offset.saturating_add(length),
        })
    }

    fn str_of(&self, line: &Range<usize>) -> Option<&'a str> {
        self.text.get(line.clone())
    }

    fn seconds(&self, line: &Range<usize>, name: &str) -> Option<Micros> {
        let (_, value) = self.str_of(line)?.split_once(':')?;
        seconds(attribute(value.trim_end(), name)?.as_bytes())
    }

    /// What breaks are resolved on.
    pub(super) fn window(&self) -> Window<'_> {
        Window {
            media: self.media,
            discontinuity: self.discontinuity,
            segments: &self.segments,
            next: self.next,
            extent: self.extent,
        }
    }

    /// Where the lines of a segment lie; behind the last one, all that is left.
    pub(super) fn lines_of(&self, segment: usize) -> Range<usize> {
        let start = match segment.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(self.text.len()),
            None => self.head,
        };
        start..self.ends.get(segment).copied().unwrap_or(self.text.len())
    }

    /// The `EXT-X-KEY` lines in force for a segment, in the order in which they were given, without line ends.
    pub(super) fn keys_at(&self, segment: usize) -> Vec<&'a str> {
        let mut keys: Vec<&str> = Vec::new();
        for scoped in self.keys.iter().take_while(|key| key.segment <= segment) {
            let Some(line) = self.str_of(&scoped.line) else {
                continue;
            };
            if key_attribute(line, "METHOD") == Some("NONE") {
                keys.clear();
            } else {
                // A key takes the place of those of an earlier segment that have its format.
                let format = key_attribute(line, "KEYFORMAT");
                keys.retain(|key| key_attribute(key, "KEYFORMAT") != format);
                keys.push(line.trim_end());
            }
        }
        keys
    }

    /// The `EXT-X-MAP` line in force for a segment, without its end.
    pub(super) fn map_at(&self, segment: usize) -> Option<&'a str> {
        let map = self.maps.iter().take_while(|map| map.segment <= segment).last()?;
        self.str_of(&map.line).map(str::trim_end)
    }

    /// Whether the number of a segment decides how it is decrypted (RFC 8216bis §5.2).
    pub(super) fn has_implicit_iv(&self) -> bool {
        let mut keys = self.keys.iter().filter_map(|key| self.str_of(&key.line));
        keys.any(is_implicit_iv)
    }

    /// The offset that a segment's byte range means without saying it.
    pub(super) fn implicit_offset(&self, segment: usize) -> Option<u64> {
        let found = self
            .ranges
            .binary_search_by_key(&segment, |(index, _)| *index)
            .ok()?;
        self.ranges.get(found).map(|(_, offset)| *offset)
    }
}

/// Whether a key takes its initialisation vector from the number of each segment.
pub(super) fn is_implicit_iv(key: &str) -> bool {
    matches!(key_attribute(key, "METHOD"), Some("AES-128" | "AES-256"))
        && key_attribute(key, "IV").is_none()
        && key_attribute(key, "KEYFORMAT").is_none_or(|format| format == "identity")
}

fn key_attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    attribute(line.split_once(':')?.1.trim_end(), name)
}

/// Whether an `EXT-X-DATERANGE` says where ads begin or end: another inserter would act on it.
fn is_splice(line: Option<&str>) -> bool {
    let value = line.and_then(|line| line.split_once(':'));
    value.is_some_and(|(_, value)| {
        attribute(value, "SCTE35-OUT").is_some() || attribute(value, "SCTE35-IN").is_some()
    })
}

/// UTF-8's byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_dated_from_any_date_in_the_playlist() {
        let text = "\u{feff}#EXTM3U\r\n#EXT-X-TARGETDURATION:2\r\n#EXT-X-MEDIA-SEQUENCE:7\r\n#EXTINF:2,\r\na\r\n\r\n\
            #EXT-X-DISCONTINUITY\r\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00Z\r\n#EXTINF:1.5,\r\nb\r\n#EXTINF:2,\r\nc";
        let source = Source::read(text, true).unwrap();
        let starts: Vec<i64> = source
            .segments
            .iter()
            .map(|segment| segment.start.0 / 1000)
            .collect();
        assert_eq!(starts, [58_000, 60_000, 61_500]);
        assert_eq!(source.next.start, UnixMicros(63_500_000));
        assert_eq!(source.media, MediaSequence(7));
        let numbers: Vec<u64> = source
            .segments
            .iter()
            .map(|segment| segment.discontinuity.0)
            .collect();
        assert_eq!(numbers, [0, 1, 1]);
        assert_eq!(&text[source.lines_of(0)], "#EXTINF:2,\r\na\r\n");
    }

    #[test]
    fn what_cannot_be_stitched_is_told_apart() {
        let read = |text| Source::read(text, true).map(|_| ()).unwrap_err();
        assert_eq!(
            read("#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:2,\na\n"),
            Unfit::Delta
        );
        assert_eq!(
            read("#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00Z\n"),
            Unfit::NoMedia
        );
    }

    #[test]
    fn without_dates_segments_count_from_the_begin() {
        let source = Source::read("#EXTM3U\n#EXTINF:2,\na\n#EXTINF:2,\nb\n#EXT-X-ENDLIST\n", true).unwrap();
        assert!(!source.is_dated);
        assert_eq!(source.segments[1].start, UnixMicros(2_000_000));
        assert_eq!(source.extent, Extent::Whole);
    }

    #[test]
    fn the_keys_in_force_are_one_of_each_format_until_none_is() {
        let text = "#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00Z\n\
            #EXT-X-KEY:METHOD=AES-128,URI=\"1\"\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"2\",KEYFORMAT=\"x\"\n#EXTINF:2,\na\n\
            #EXT-X-KEY:METHOD=AES-128,URI=\"3\",IV=0x1\n#EXTINF:2,\nb\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:2,\nc\n";
        let source = Source::read(text, true).unwrap();
        let uris = |segment| {
            let keys = source.keys_at(segment);
            keys.iter()
                .map(|key| key_attribute(key, "URI").unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (uris(0), uris(1), uris(2)),
            (vec!["1", "2"], vec!["2", "3"], vec![])
        );
        assert!(source.has_implicit_iv());
    }

    #[test]
    fn a_byte_range_goes_on_where_the_one_before_ended() {
        let text = "#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00Z\n#EXT-X-BYTERANGE:10@5\n#EXTINF:2,\na\n\
            #EXT-X-BYTERANGE:20\n#EXTINF:2,\na\n#EXTINF:2,\n#EXT-X-BYTERANGE:20\na\n#EXT-X-BYTERANGE:1\n#EXTINF:2,\nb\n";
        let source = Source::read(text, true).unwrap();
        let offsets: Vec<_> = (0..4).map(|segment| source.implicit_offset(segment)).collect();
        assert_eq!(offsets, [None, Some(15), Some(35), None]);
    }
}
