//! Reading a media playlist line by line. Two of three lines of a long one are as the last of their kind was: durations
//! that do not change, and dates that differ in nothing but their seconds. Those are told by comparing, and nobody has
//! to look for their ends.

use core::ops::Range;

use selvedge_breaks::{Micros, UnixMicros};

use super::line::{Line, Tag, seconds};

/// What a line says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Said<'a> {
    /// How long the segment is (`EXTINF`, RFC 8216bis §4.4.4.1); 0 where that cannot be read.
    Duration(Micros),
    /// When the segment begins (`EXT-X-PROGRAM-DATE-TIME`, RFC 8216bis §4.4.4.6).
    Date(UnixMicros),
    /// Anything else.
    Other(Line<'a>),
}

/// The lines of a playlist, in order.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// The last `EXTINF` line with its end; nothing before there is one.
    inf: &'a [u8],
    duration: Micros,
    /// The last date's line up to its seconds; nothing before there is one.
    minute: &'a [u8],
    begins: UnixMicros,
}

impl<'a> Reader<'a> {
    /// Reads from a place in the text on, at which a line begins.
    pub(super) const fn new(text: &'a [u8], at: usize) -> Self {
        Self {
            text,
            at,
            inf: &[],
            duration: Micros::ZERO,
            minute: &[],
            begins: UnixMicros(0),
        }
    }

    /// A line like the last of its kind, and its length.
    #[inline]
    fn repeated(&self, rest: &'a [u8]) -> Option<(Said<'a>, usize)> {
        match rest {
            [b'#', b'E', b'X', b'T', b'I', ..] if !self.inf.is_empty() => {
                let is_same = rest.starts_with(self.inf);
                is_same.then_some((Said::Duration(self.duration), self.inf.len()))
            }
            [b'#', b'E', b'X', b'T', b'-', ..] if !self.minute.is_empty() => {
                let after = seconds_of_date(rest.strip_prefix(self.minute)?)?;
                let length = self.minute.len() + SECONDS.len();
                Some((Said::Date(self.begins.plus(after)), length))
            }
            _ => None,
        }
    }

    fn read(&mut self, rest: &'a [u8]) -> (Said<'a>, usize) {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
        let whole = rest.get(..end).unwrap_or(rest);
        let said = match Line::of(whole) {
            Line::Tag(Tag::Inf, value) => {
                let duration = seconds(value).unwrap_or_default();
                if whole.ends_with(b"\n") {
                    (self.inf, self.duration) = (whole, duration);
                }
                Said::Duration(duration)
            }
            Line::Tag(Tag::ProgramDateTime, value) => match date(value) {
                Some(date) => {
                    self.note(whole, date);
                    Said::Date(date)
                }
                None => Said::Other(Line::Tag(Tag::ProgramDateTime, value)),
            },
            line => Said::Other(line),
        };
        (said, end)
    }

    /// Remembers a date that ends as most do.
    fn note(&mut self, line: &'a [u8], date: UnixMicros) {
        let minute = line.len().checked_sub(SECONDS.len());
        if let Some((minute, rest)) = minute.and_then(|minute| line.split_at_checked(minute))
            && minute.ends_with(b":")
            && let Some(after) = seconds_of_date(rest)
        {
            (self.minute, self.begins) = (minute, date.less(after));
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    /// Where the line lies, with its end, and what it says.
    type Item = (Range<usize>, Said<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (said, length) = match self.repeated(rest) {
            Some(repeated) => repeated,
            None => self.read(rest),
        };
        let begin = self.at;
        self.at += length;
        Some((begin..self.at, said))
    }
}

fn date(value: &[u8]) -> Option<UnixMicros> {
    UnixMicros::read(core::str::from_utf8(value).ok()?)
}

/// Reads the seconds with which a date's line ends, if it does so in the way of most.
fn seconds_of_date(text: &[u8]) -> Option<Micros> {
    let &[tens, ones, b'.', tenths, hundredths, thousandths, b'Z', b'\n', ..] = text else {
        return None;
    };
    let digits = [tens, ones, tenths, hundredths, thousandths].map(|digit| digit.wrapping_sub(b'0'));
    let is_number = digits.iter().all(|digit| *digit < 10);
    let millis = digits
        .iter()
        .fold(0, |value, digit| value * 10 + i64::from(*digit));
    // A leap second is the last that a minute has.
    (is_number && millis < 61_000).then_some(Micros::from_millis(millis))
}

/// How the seconds of a date look, and its line's end.
const SECONDS: &[u8] = b"SS.mmmZ\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, Said<'_>)> {
        let lines = Reader::new(text.as_bytes(), 0);
        lines.map(|(range, said)| (&text[range], said)).collect()
    }

    #[test]
    fn dates_are_the_same_whatever_came_before() {
        let dates = [
            "2026-01-01T20:00:58.080Z\n",
            "2026-01-01T20:00:59.999Z\n",
            "2026-01-01T20:00:59.999999Z\n",
            "2026-01-01T20:00:59Z\r\n",
            "2026-01-01T20:00:59.5+01:00\n",
            "2026-01-01T20:00:60.000Z\n",
            "2026-01-01T20:01:00.000Z \n",
            "2026-01-01T20:01:01.000Z\n",
            "2026-01-01T20:01:0x.000Z\n",
            "2026-01-01T20:01:61.000Z\n",
            "2026-01-01T20:01:02.000Z",
        ];
        let lines: Vec<String> = dates
            .map(|date| format!("#EXT-X-PROGRAM-DATE-TIME:{date}"))
            .into();
        let together = lines.concat();
        let alone = lines.iter().flat_map(|line| read(line));
        assert_eq!(read(&together), alone.collect::<Vec<_>>());
        let (_, last) = *read(&together).last().unwrap();
        assert_eq!(
            last,
            Said::Date(UnixMicros::read("2026-01-01T20:01:02Z").unwrap())
        );
    }

    #[test]
    fn durations_are_the_same_whatever_came_before() {
        let lines = [
            "#EXTINF:2.002,a\n",
            "#EXTINF:2.002,a\n",
            "#EXTINF:2.002,a\r\n",
            "#EXTINF:2.002\n",
            "#EXTINF:x\n",
            "#EXTINF:2.002,a",
        ];
        let alone = lines.iter().flat_map(|line| read(line));
        assert_eq!(read(&lines.concat()), alone.collect::<Vec<_>>());
        let together = lines.concat();
        let said: Vec<_> = read(&together).into_iter().map(|(_, said)| said).collect();
        let length = Said::Duration(Micros(2_002_000));
        assert_eq!(
            said,
            [
                length,
                length,
                length,
                length,
                Said::Duration(Micros::ZERO),
                length
            ]
        );
    }

    #[test]
    fn lines_end_where_they_end() {
        let lines = read("#EXTM3U\n\n#EXTINF:1,\r\na.m4s\nb");
        let lengths: Vec<usize> = lines.iter().map(|(line, _)| line.len()).collect();
        assert_eq!(lengths, [8, 1, 12, 6, 1]);
        assert_eq!(lines[4].1, Said::Other(Line::Uri(b"b")));
    }
}
