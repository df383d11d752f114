//! Lines and what they are, told by how they begin (RFC 8216bis §4.1).

use core::ops::Range;

use selvedge_breaks::{Micros, slice};

/// What a line of a media playlist is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Line<'a> {
    /// A URI: the end of a segment's lines.
    Uri(&'a [u8]),
    /// A tag that is decoded here, with its value.
    Tag(Tag, &'a [u8]),
    /// Any other tag, a comment, or nothing at all.
    Other,
}

/// The tags that stitching decodes or moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tag {
    Bitrate,
    Byterange,
    /// One of the many that mark ads without being the standard's.
    Cue,
    Daterange,
    Define,
    Discontinuity,
    DiscontinuitySequence,
    Endlist,
    Gap,
    /// Of the whole playlist, and passed on as it is.
    Global,
    Inf,
    Key,
    /// The break log's, for edges alone.
    Log,
    Map,
    MediaSequence,
    Part,
    PartInf,
    PlaylistType,
    PreloadHint,
    ProgramDateTime,
    RenditionReport,
    ServerControl,
    Skip,
    Targetduration,
    Version,
}

impl Tag {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"EXT-X-PROGRAM-DATE-TIME" => Self::ProgramDateTime,
            b"EXT-X-PART" => Self::Part,
            b"EXT-X-BYTERANGE" => Self::Byterange,
            b"EXT-X-DISCONTINUITY" => Self::Discontinuity,
            b"EXT-X-KEY" => Self::Key,
            b"EXT-X-MAP" => Self::Map,
            b"EXT-X-GAP" => Self::Gap,
            b"EXT-X-BITRATE" => Self::Bitrate,
            b"EXT-X-DATERANGE" => Self::Daterange,
            b"EXT-X-DEFINE" => Self::Define,
            b"EXT-X-ENDLIST" => Self::Endlist,
            b"EXT-X-MEDIA-SEQUENCE" => Self::MediaSequence,
            b"EXT-X-DISCONTINUITY-SEQUENCE" => Self::DiscontinuitySequence,
            b"EXT-X-TARGETDURATION" => Self::Targetduration,
            b"EXT-X-VERSION" => Self::Version,
            b"EXT-X-SERVER-CONTROL" => Self::ServerControl,
            b"EXT-X-PART-INF" => Self::PartInf,
            b"EXT-X-PLAYLIST-TYPE" => Self::PlaylistType,
            b"EXT-X-PRELOAD-HINT" => Self::PreloadHint,
            b"EXT-X-RENDITION-REPORT" => Self::RenditionReport,
            b"EXT-X-SKIP" => Self::Skip,
            b"EXTM3U"
            | b"EXT-X-ALLOW-CACHE"
            | b"EXT-X-I-FRAMES-ONLY"
            | b"EXT-X-INDEPENDENT-SEGMENTS"
            | b"EXT-X-START" => Self::Global,
            b"EXT-X-CUE"
            | b"EXT-X-CUE-OUT"
            | b"EXT-X-CUE-OUT-CONT"
            | b"EXT-X-CUE-IN"
            | b"EXT-OATCLS-SCTE35"
            | b"EXT-X-SPLICEPOINT-SCTE35"
            | b"EXT-SCTE35"
            | b"EXT-X-SCTE35"
            | b"EXT-X-ASSET" => Self::Cue,
            _ if is_log(name) => Self::Log,
            _ => return None,
        })
    }

    /// Whether it speaks of the playlist and not of a segment: such a line stays where segments go.
    pub(super) const fn stays(self) -> bool {
        matches!(
            self,
            Self::Daterange
                | Self::Define
                | Self::DiscontinuitySequence
                | Self::Endlist
                | Self::Global
                | Self::Log
                | Self::MediaSequence
                | Self::PartInf
                | Self::PlaylistType
                | Self::PreloadHint
                | Self::RenditionReport
                | Self::ServerControl
                | Self::Skip
                | Self::Targetduration
                | Self::Version
        )
    }
}

impl<'a> Line<'a> {
    /// What a line is, without its end.
    pub(super) fn of(line: &'a [u8]) -> Self {
        // A URI of its own line, with nothing around it, as most are.
        if let [uri @ .., b'\n'] = line
            && let [first, .., last] = uri
            && *first > b'#'
            && *last > b' '
        {
            return Self::Uri(uri);
        }
        let line = line.trim_ascii();
        match line {
            [] => Self::Other,
            [b'#', rest @ ..] => {
                // Two of three lines of a long playlist.
                if let Some(value) = rest.strip_prefix(b"EXTINF:") {
                    return Self::Tag(Tag::Inf, value);
                }
                if let Some(value) = rest.strip_prefix(b"EXT-X-PROGRAM-DATE-TIME:") {
                    return Self::Tag(Tag::ProgramDateTime, value);
                }
                let Some(tail) = rest.strip_prefix(b"EXT") else {
                    return Self::Other;
                };
                let length = tail.iter().position(|byte| *byte == b':').unwrap_or(tail.len());
                let (name, value) = rest.split_at_checked(length + 3).unwrap_or((rest, &[]));
                let value = value.strip_prefix(b":").unwrap_or(value);
                Tag::of(name).map_or(Self::Other, |tag| Self::Tag(tag, value))
            }
            uri => Self::Uri(uri),
        }
    }
}

/// The lines of a part of a text: where each lies, with its end.
pub(super) fn lines(text: &str, part: Range<usize>) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut at = part.start;
    let lines = text.get(part).unwrap_or_default().split_inclusive('\n');
    lines.map(move |line| {
        let range = at..at + line.len();
        at = range.end;
        (range, line)
    })
}

/// The attributes of a tag's value (RFC 8216bis §4.2): where the name and the value stand in it, quotes included.
/// What is no attribute list ends it.
pub(super) fn attributes(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = value;
    core::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let end = match after.strip_prefix('"') {
            Some(quoted) => quoted.find('"')? + 2,
            None => after.find(',').unwrap_or(after.len()),
        };
        let (value, after) = after.split_at_checked(end)?;
        rest = after.strip_prefix(',').unwrap_or(after);
        Some((name.trim(), value.trim()))
    })
}

/// An attribute's value without its quotes.
pub(super) fn attribute<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let mut all = attributes(value);
    let (_, found) = all.find(|(key, _)| *key == name)?;
    Some(found.trim_matches('"'))
}

/// Reads a decimal number of seconds, to the microsecond (RFC 8216bis §4.2, decimal-floating-point), up to whatever
/// follows. `None` where there is no number.
pub(super) fn seconds(text: &[u8]) -> Option<Micros> {
    let (mut micros, mut unit, mut digits) = (0_i64, 0_i64, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if unit == 0 => {
                micros = micros
                    .checked_mul(10)?
                    .checked_add(i64::from(byte - b'0') * 1_000_000)?;
            }
            b'0'..=b'9' => {
                unit /= 10;
                micros = micros.checked_add(i64::from(byte - b'0') * unit)?;
                // What is finer is dropped: a unit of 0 would read on as whole seconds.
                if unit == 1 {
                    return Some(Micros(micros));
                }
            }
            b'.' if unit == 0 => unit = 1_000_000,
            _ => break,
        }
        digits += 1;
    }
    (digits > 0).then_some(Micros(micros))
}

/// Reads the digits that a value begins with.
pub(super) fn number(text: &[u8]) -> u64 {
    let digits = text.trim_ascii().iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u64, |value, digit| {
        value.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}

fn is_log(name: &[u8]) -> bool {
    [slice::LOG_TAG, slice::BREAK_TAG]
        .iter()
        .any(|tag| tag.as_bytes().strip_prefix(b"#") == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_it_begins_with() {
        assert_eq!(Line::of(b"#EXTINF:2.0,a,b\r"), Line::Tag(Tag::Inf, b"2.0,a,b"));
        assert_eq!(Line::of(b"#EXT-X-GAP"), Line::Tag(Tag::Gap, b""));
        assert_eq!(Line::of(b"#EXT-X-PARTS:1"), Line::Other);
        assert_eq!(Line::of(b"# EXTINF:2"), Line::Other);
        assert_eq!(Line::of(b"  "), Line::Other);
        assert_eq!(Line::of(b"a.m4s\r"), Line::Uri(b"a.m4s"));
    }

    #[test]
    fn attributes_are_told_apart_whatever_stands_in_quotes() {
        let value = "ID=\"a,b=c\", X-N=0x1F,URI=\"u\",LAST=";
        let all: Vec<_> = attributes(value).collect();
        assert_eq!(
            all,
            [
                ("ID", "\"a,b=c\""),
                ("X-N", "0x1F"),
                ("URI", "\"u\""),
                ("LAST", "")
            ]
        );
        assert_eq!(attribute(value, "URI"), Some("u"));
        assert_eq!(attribute(value, "IDX"), None);
    }

    #[test]
    fn seconds_are_read_to_the_microsecond() {
        let read = |text: &str| seconds(text.as_bytes()).map(|micros| micros.0);
        assert_eq!(read("2.002,title"), Some(2_002_000));
        assert_eq!(read("3599.9999999"), Some(3_599_999_999));
        assert_eq!(read("10"), Some(10_000_000));
        assert_eq!(read(".5"), Some(500_000));
        for wrong in ["", "-1", "x", ",", "99999999999999999999"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
