//! What the source's own segments say: copied at once, said anew at a return, and what stays of those not shown.

use core::{fmt::Write as _, ops::Range};

use super::Writer;
use crate::{
    hls::{
        line::{Line, Tag, lines, number},
        source::is_implicit_iv,
        stitch::return_date,
    },
    timeline::{MediaSequence, Segment, Span},
};

impl Writer<'_> {
    /// Source segments, as they are; the first of them as the return from a break.
    pub(in crate::hls) fn programme(&mut self, mut range: Range<usize>, mut back: Option<&Span<'_>>) {
        let last = range.end.saturating_sub(1);
        self.later = self.plan.later(range.start);
        while self.skips > 0 && !range.is_empty() {
            self.skips -= 1;
            self.lasting(range.start);
            range.start += 1;
            back = None;
        }
        if let Some(span) = back {
            self.returning(range.start, span);
            range.start += 1;
            self.restates_keys = false;
        }
        if !range.is_empty() {
            self.restate_keys(range.start);
        }
        if self.explicit_iv {
            range.for_each(|segment| self.segment_with_iv(segment));
        } else if !range.is_empty() {
            let begin = self.source.lines_of(range.start).start;
            self.copy(begin..self.source.lines_of(last).end);
        }
        self.keyed = !self.source.keys_at(last).is_empty();
    }

    /// Says the keys of a source segment that says none itself, where they may not be as the client has them.
    fn restate_keys(&mut self, segment: usize) {
        if !core::mem::take(&mut self.restates_keys) {
            return;
        }
        let mut own = lines(self.source.text, self.source.lines_of(segment));
        if own.any(|(_, line)| matches!(Line::of(line.as_bytes()), Line::Tag(Tag::Key, _))) {
            return;
        }
        for key in self.source.keys_at(segment) {
            self.tag(key);
        }
    }

    /// What stays of source segments that are not shown.
    pub(in crate::hls) fn replaced(&mut self, range: Range<usize>) {
        range.for_each(|segment| self.lasting(segment));
    }

    /// Those lines of a segment that speak of the whole playlist.
    fn lasting(&mut self, segment: usize) {
        for (range, line) in lines(self.source.text, self.source.lines_of(segment)) {
            if let Line::Tag(tag, _) = Line::of(line.as_bytes())
                && tag.stays()
            {
                self.line(range, line);
            }
        }
    }

    /// Those lines behind the last segment that speak of nothing that is held back.
    fn unlisted(&mut self, next: usize) {
        for (range, line) in lines(self.source.text, self.source.lines_of(next)) {
            match Line::of(line.as_bytes()) {
                Line::Tag(Tag::PreloadHint | Tag::RenditionReport, _) => {}
                Line::Tag(tag, _) if tag.stays() => self.line(range, line),
                _ => {}
            }
        }
    }

    /// A source segment with which the programme returns.
    fn returning(&mut self, segment: usize, span: &Span<'_>) {
        self.out.push_str("#EXT-X-DISCONTINUITY\n");
        let keys = self.keys(segment);
        self.keyed = !keys.is_empty();
        for key in &keys {
            self.tag(key);
        }
        if let Some(map) = self.source.map_at(segment) {
            self.tag(map);
        }
        let own = self.source.lines_of(segment);
        let is_dated = lines(self.source.text, own.clone())
            .any(|(_, line)| matches!(Line::of(line.as_bytes()), Line::Tag(Tag::ProgramDateTime, _)));
        if !is_dated
            && self.source.is_dated
            && let Some(source) = self.source_segment(segment)
        {
            let date = return_date(span, source.start).plus(self.later);
            let _ = writeln!(self.out, "#EXT-X-PROGRAM-DATE-TIME:{date}");
        }
        for (range, line) in lines(self.source.text, own) {
            match Line::of(line.as_bytes()) {
                Line::Tag(Tag::Discontinuity | Tag::Key | Tag::Map, _) => {}
                Line::Tag(Tag::Byterange, value) => match self.source.implicit_offset(segment) {
                    Some(offset) => {
                        let length = number(value);
                        self.replace_value(line, value, format_args!("{length}@{offset}"));
                    }
                    None => self.line(range, line),
                },
                _ => self.line(range, line),
            }
        }
    }

    /// A source segment behind keys of its own: its number here is none that its media was encrypted with.
    fn segment_with_iv(&mut self, segment: usize) {
        let mut keys = Some(self.keys(segment));
        for (range, line) in lines(self.source.text, self.source.lines_of(segment)) {
            match Line::of(line.as_bytes()) {
                Line::Tag(Tag::Key, _) => {}
                Line::Tag(Tag::Discontinuity, _) => self.line(range, line),
                _ => {
                    for key in keys.take().into_iter().flatten() {
                        self.tag(&key);
                    }
                    self.line(range, line);
                }
            }
        }
    }

    /// The keys in force for a source segment, with the initialisation vector that its own number is.
    fn keys(&self, segment: usize) -> Vec<String> {
        let index = i64::try_from(segment).unwrap_or(i64::MAX);
        let MediaSequence(number) = self.source.media.plus(index);
        let explicit = |key: &str| {
            if is_implicit_iv(key) {
                format!("{key},IV=0x{number:032X}")
            } else {
                key.to_owned()
            }
        };
        self.source.keys_at(segment).into_iter().map(explicit).collect()
    }

    /// What the source ends with: the segment that comes in, hints and reports.
    pub(in crate::hls) fn tail(&mut self, back: Option<&Span<'_>>) {
        let next = self.source.segments.len();
        self.later = self.plan.later(next);
        if self.plan.holds {
            self.unlisted(next);
            return;
        }
        let has_parts = self.source.next.parts > 0;
        if let Some(span) = back.filter(|_| has_parts) {
            self.returning(next, span);
            return;
        }
        if self.explicit_iv && has_parts {
            self.segment_with_iv(next);
            return;
        }
        if has_parts {
            self.restate_keys(next);
        }
        for (range, line) in lines(self.source.text, self.source.lines_of(next)) {
            match Line::of(line.as_bytes()) {
                // Said with the segment that they are for, when it is there.
                Line::Tag(Tag::Discontinuity | Tag::Key | Tag::Map | Tag::ProgramDateTime, _)
                    if back.is_some() => {}
                _ => self.line(range, line),
            }
        }
    }

    fn source_segment(&self, segment: usize) -> Option<&Segment> {
        self.source.segments.get(segment).or(Some(&self.source.next))
    }
}
