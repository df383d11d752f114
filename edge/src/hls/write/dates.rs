//! Dates of a programme that breaks are inserted into: what lies behind a break is later by its length, so that no date
//! names two places (RFC 8216bis §6.2.1).

use core::fmt::Write as _;

use selvedge_breaks::{Micros, UnixMicros, hls::value::Seconds};

use super::Writer;
use crate::hls::line::{attribute, attributes, seconds};

impl Writer<'_> {
    /// `EXT-X-PROGRAM-DATE-TIME` of a segment.
    pub(super) fn date(&mut self, line: &str, value: &[u8]) {
        let date = core::str::from_utf8(value).ok().and_then(UnixMicros::read);
        match date {
            Some(date) => self.replace_value(line, value, format_args!("{}", date.plus(self.later))),
            None => self.moved(line),
        }
    }

    /// `EXT-X-DATERANGE`: it begins and ends with what it spoke of. One that spans a break is longer by it.
    pub(super) fn daterange(&mut self, line: &str) {
        let list = line.split_once(':').map(|(_, list)| list.trim_end());
        let moved = list.and_then(|list| Some((list, self.moved_range(list)?)));
        match moved {
            Some((list, moved)) => self.moved(&line.replacen(list, &moved, 1)),
            None => self.moved(line),
        }
    }

    /// A range's attributes; `None` where they cannot be read, or say no date.
    fn moved_range(&self, list: &str) -> Option<String> {
        let start = attribute(list, "START-DATE").and_then(UnixMicros::read)?;
        let ahead = self.later_by(|at| at <= start);
        let to_end = |end: UnixMicros| self.later_by(|at| at < end).max(ahead);
        let mut out = String::with_capacity(list.len() + 16);
        let mut read = 0;
        for (name, old) in attributes(list) {
            let separator = if out.is_empty() { "" } else { "," };
            read += separator.len() + letters(name) + 1 + letters(old);
            let _ = write!(out, "{separator}{name}=");
            let text = old.trim_matches('"');
            let _ = match name {
                "START-DATE" => write!(out, "\"{}\"", start.plus(ahead)),
                "END-DATE" => match UnixMicros::read(text) {
                    Some(end) => write!(out, "\"{}\"", end.plus(to_end(end))),
                    None => write!(out, "{old}"),
                },
                "DURATION" | "PLANNED-DURATION" => match seconds(text.as_bytes()) {
                    Some(length) => {
                        let longer = to_end(start.plus(length)).less(ahead);
                        write!(out, "{}", Seconds(length.plus(longer)))
                    }
                    None => write!(out, "{old}"),
                },
                _ => write!(out, "{old}"),
            };
        }
        // A list that ends where nobody expects it has more in it than was read.
        (read == letters(list)).then_some(out)
    }

    /// How much is inserted at moments of the source that `is_before` holds for.
    fn later_by(&self, is_before: impl Fn(UnixMicros) -> bool) -> Micros {
        let before = self.plan.spans.iter().take_while(|span| is_before(span.at));
        before.last().map_or(Micros::ZERO, |span| span.later)
    }
}

/// Blanks between attributes are not counted.
fn letters(text: &str) -> usize {
    text.bytes().filter(|byte| *byte != b' ').count()
}
