//! The writer of a stitched playlist: what each piece of its plan says, line by line.

mod ads;
mod dates;
mod programme;

use core::{fmt::Write as _, ops::Range};

use selvedge_breaks::{Micros, Place, UnixMicros};

use super::{
    line::{Line, Tag, attribute, attributes, lines, number},
    plan::Plan,
    report::last_listed,
    source::Source,
    stitch::Stitching,
    uri,
};
use crate::{
    reroot::{Reroot, from_folder},
    timeline::{Filling, MediaSequence, Pods, Span},
};

/// Writes a playlist piece by piece. Writing to a `String` cannot fail, so what `write!` says of it is dropped.
pub(super) struct Writer<'a> {
    pub(super) out: String,
    source: &'a Source<'a>,
    plan: &'a Plan<'a>,
    pods: Pods<'a>,
    tells_ads: bool,
    reroot: Option<&'a Reroot<'a>>,
    /// The playlist's own path, where URIs are told from there.
    path: Option<&'a str>,
    /// The end of what the source lists.
    edge: UnixMicros,
    /// Whether initialisation vectors that the source leaves to numbers are written out.
    explicit_iv: bool,
    /// Whether the keys of the first source segment that a delta update lists are still to be said. What the client has of
    /// those before it may be of an earlier version, with initialisation vectors that were written out.
    restates_keys: bool,
    /// Whether the last `EXT-X-KEY` written says that what follows is encrypted.
    keyed: bool,
    /// Whether breaks are inserted into a playlist that has dates.
    redates: bool,
    /// How much later the programme is than in its source, where it is written.
    later: Micros,
    /// Segments that a delta update leaves out, and how many of them are still to come.
    skipped: usize,
    skips: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        source: &'a Source<'a>,
        plan: &'a Plan<'a>,
        pods: Pods<'a>,
        stitching: &Stitching<'a>,
        reroot: Option<&'a Reroot<'a>>,
    ) -> Self {
        let window = source.window();
        let length =
            |span: &Span<'_>, place: &Place| length_of(place, pods.fill(span.airing, place).as_ref());
        let until = source.skip_until.filter(|_| stitching.skips);
        let skipped = until.map_or(0, |until| plan.skipped(until, &window, length));
        // Enough for nearly all, so that a long playlist is not moved while it is written.
        let places: usize = plan.spans.iter().map(|span| span.places.len()).sum();
        let has_implicit_iv = source.has_implicit_iv();
        let explicit_iv = plan.moves_any() && has_implicit_iv;
        let moved = if reroot.is_some() { source.text.len() } else { 0 };
        let spare = moved
            .saturating_add(4096)
            .saturating_add(places.min(MAX_SPARE) * 320);
        Self {
            out: String::with_capacity(source.text.len() + spare),
            source,
            plan,
            pods,
            // A range of dates needs dates.
            tells_ads: stitching.tells_ads && source.is_dated,
            redates: source.is_dated && plan.spans.iter().any(|span| span.later > Micros::ZERO),
            later: Micros::ZERO,
            reroot,
            path: stitching.path,
            edge: window.edge(),
            explicit_iv,
            restates_keys: skipped > 0 && has_implicit_iv && !explicit_iv,
            keyed: false,
            skipped,
            skips: skipped,
        }
    }

    /// What the playlist says of itself.
    pub(super) fn head(&mut self) {
        let (media, discontinuity) = (self.plan.media.0, self.plan.discontinuity.0);
        let (mut has_media, mut has_discontinuity) = (false, false);
        for (range, line) in lines(self.source.text, 0..self.source.head) {
            match Line::of(line.as_bytes()) {
                Line::Tag(Tag::MediaSequence, value) => {
                    has_media = true;
                    self.replace_value(line, value, format_args!("{media}"));
                }
                Line::Tag(Tag::DiscontinuitySequence, value) => {
                    has_discontinuity = true;
                    self.replace_value(line, value, format_args!("{discontinuity}"));
                }
                // EXT-X-SKIP needs version 9 (RFC 8216bis §8).
                Line::Tag(Tag::Version, value) if self.skipped > 0 && number(value) < 9 => {
                    self.replace_value(line, value, format_args!("9"));
                }
                Line::Tag(Tag::ServerControl, _) => self.server_control(line),
                _ => self.line(range, line),
            }
        }
        self.end_line();
        // Where a source says nothing, it means 0.
        if !has_media && media > 0 {
            let _ = writeln!(self.out, "#EXT-X-MEDIA-SEQUENCE:{media}");
        }
        if !has_discontinuity && discontinuity > 0 {
            let _ = writeln!(self.out, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity}");
        }
        if self.skipped > 0 {
            let _ = writeln!(self.out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={}", self.skipped);
        }
    }

    /// Delta updates are made here, and all dates of the playlist are in each: none that skips dates is offered.
    fn server_control(&mut self, line: &str) {
        let kept = line.replacen(",CAN-SKIP-DATERANGES=YES", "", 1);
        self.out
            .push_str(&kept.replacen("CAN-SKIP-DATERANGES=YES,", "", 1));
    }

    /// One line of the source, moved and corrected where it must be.
    fn line(&mut self, range: Range<usize>, line: &str) {
        if self.is_left_out(&range) {
            return;
        }
        match Line::of(line.as_bytes()) {
            Line::Tag(Tag::RenditionReport, _) => {
                let report = self.report(line);
                self.moved(&report);
            }
            Line::Tag(Tag::ProgramDateTime, value) if self.later > Micros::ZERO => self.date(line, value),
            Line::Tag(Tag::Daterange, _) if self.redates => self.daterange(line),
            _ => self.moved(line),
        }
    }

    fn moved(&mut self, line: &str) {
        match self.reroot {
            Some(reroot) => uri::reroot_line(&mut self.out, line, reroot),
            None => self.out.push_str(line),
        }
    }

    fn tag(&mut self, tag: &str) {
        self.moved(tag);
        self.out.push('\n');
    }

    fn ad_uri(&mut self, uri: &str) {
        match self.reroot {
            Some(reroot) => uri::push(&mut self.out, uri, reroot),
            None => match self.path {
                Some(path) => self.out.push_str(&from_folder(path, uri)),
                None => self.out.push_str(uri),
            },
        }
    }

    /// Lines of the programme between two breaks: copied at once, but for those that are left out.
    fn copy(&mut self, range: Range<usize>) {
        if self.reroot.is_some() || self.redates {
            for (range, line) in lines(self.source.text, range) {
                self.line(range, line);
            }
            return;
        }
        let left_out = &self.source.left_out;
        let from = left_out.partition_point(|line| line.start < range.start);
        let mut at = range.start;
        for line in left_out
            .iter()
            .skip(from)
            .take_while(|line| line.end <= range.end)
        {
            self.out
                .push_str(self.source.text.get(at..line.start).unwrap_or_default());
            at = line.end;
        }
        self.out
            .push_str(self.source.text.get(at..range.end).unwrap_or_default());
    }

    /// Ends the line that a source left open: what comes next is a line of its own.
    pub(super) fn end_line(&mut self) {
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn is_left_out(&self, line: &Range<usize>) -> bool {
        let left_out = &self.source.left_out;
        left_out
            .binary_search_by_key(&line.start, |left| left.start)
            .is_ok()
    }

    fn replace_value(&mut self, line: &str, value: &[u8], new: core::fmt::Arguments<'_>) {
        let value = core::str::from_utf8(value).unwrap_or_default();
        let (before, ending) = match line.split_once(':') {
            Some((before, after)) => (before, after.strip_prefix(value).unwrap_or("\n")),
            None => line.split_at(line.trim_end().len()),
        };
        let _ = write!(self.out, "{before}:{new}{ending}");
    }

    /// `EXT-X-RENDITION-REPORT` with the numbers that the other rendition's playlist has here: it is stitched as this
    /// one is, of a source that numbers its segments alike.
    fn report(&self, line: &str) -> String {
        let Some((tag, value)) = line.split_once(':') else {
            return line.to_owned();
        };
        let field = |name| attribute(value.trim_end(), name).map(|text| number(text.as_bytes()));
        let Some(last) = field("LAST-MSN") else {
            return line.to_owned();
        };
        let last = (MediaSequence(last), field("LAST-PART"));
        let window = self.source.window();
        let (msn, part) = last_listed(self.plan, &window, &self.pods, last, self.source.part_target);
        let mut out = format!("{tag}:");
        let ending = value.get(value.trim_end().len()..).unwrap_or_default();
        let mut separator = "";
        for (name, old) in attributes(value.trim_end()) {
            let _ = match (name, part) {
                ("LAST-MSN", _) => write!(out, "{separator}LAST-MSN={}", msn.0),
                ("LAST-PART", Some(part)) => write!(out, "{separator}LAST-PART={part}"),
                ("LAST-PART", None) => continue,
                _ => write!(out, "{separator}{name}={old}"),
            };
            separator = ",";
        }
        out.push_str(ending);
        out
    }
}

/// How long the segment at a place is: as long as its media, or as its place where there is none.
fn length_of(place: &Place, filling: Option<&Filling<'_>>) -> Micros {
    filling.map_or(place.end.less(place.start), |filling| filling.segment.duration)
}

/// Places that room is made for at once: an hour's.
const MAX_SPARE: usize = 2000;
