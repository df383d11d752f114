//! The writer of a stitched playlist: what each piece of its plan says, line by line.

use core::{fmt::Write as _, ops::Range};

use selvedge_breaks::{Micros, Place, UnixMicros};

use super::{
    line::{Line, Tag, attribute, attributes, lines, number},
    plan::Plan,
    report::last_listed,
    source::{Source, is_implicit_iv},
    stitch::{Stitching, return_date},
    tags::{Quoted, Seconds},
    uri,
};
use crate::{
    reroot::Reroot,
    timeline::{Filling, MediaSequence, Out, Pods, Span},
};

/// Writes a playlist piece by piece. Writing to a `String` cannot fail, so what `write!` says of it is dropped.
pub(super) struct Writer<'a> {
    pub(super) out: String,
    source: &'a Source<'a>,
    plan: &'a Plan<'a>,
    pods: Pods<'a>,
    tells_ads: bool,
    reroot: Option<&'a Reroot<'a>>,
    /// The end of what the source lists.
    edge: UnixMicros,
    /// Whether initialisation vectors that the source leaves to numbers are written out.
    explicit_iv: bool,
    /// Whether the last `EXT-X-KEY` written says that what follows is encrypted.
    keyed: bool,
    /// Segments that a delta update leaves out, and how many of them are still to come.
    skipped: usize,
    skips: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        source: &'a Source<'a>,
        plan: &'a Plan<'a>,
        pods: Pods<'a>,
        stitching: &Stitching<'_>,
        reroot: Option<&'a Reroot<'a>>,
    ) -> Self {
        let window = source.window();
        let length =
            |span: &Span<'_>, place: &Place| length_of(place, pods.fill(span.airing, place).as_ref());
        let until = source.skip_until.filter(|_| stitching.skips);
        let skipped = until.map_or(0, |until| plan.skipped(until, &window, length));
        let spare = if reroot.is_some() { source.text.len() } else { 4096 };
        Self {
            out: String::with_capacity(source.text.len() + spare),
            source,
            plan,
            pods,
            tells_ads: stitching.tells_ads,
            reroot,
            edge: window.edge(),
            explicit_iv: !stitching.is_plain() && source.has_implicit_iv(),
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
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
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

    /// Source segments, as they are; the first of them as the return from a break.
    pub(super) fn programme(&mut self, mut range: Range<usize>, mut back: Option<&Span<'_>>) {
        let last = range.end.saturating_sub(1);
        while self.skips > 0 && !range.is_empty() {
            self.skips -= 1;
            self.lasting(range.start);
            range.start += 1;
            back = None;
        }
        if let Some(span) = back {
            self.returning(range.start, span);
            range.start += 1;
        }
        if self.explicit_iv {
            range.for_each(|segment| self.segment_with_iv(segment));
        } else if !range.is_empty() {
            let begin = self.source.lines_of(range.start).start;
            self.copy(begin..self.source.lines_of(last).end);
        }
        self.keyed = !self.source.keys_at(last).is_empty();
    }

    /// What stays of source segments that are not shown.
    pub(super) fn replaced(&mut self, range: Range<usize>) {
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

    /// Whole segments of a break.
    pub(super) fn places(&mut self, span: &Span<'_>, places: Range<usize>) {
        if self.tells_ads {
            self.tell_break(span);
        }
        for index in places.clone() {
            let Some(place) = span.places.get(index) else {
                continue;
            };
            let filling = self.pods.fill(span.airing, place);
            let is_first = index == places.start;
            if self.tells_ads && (is_first || place.segment == 0) {
                self.tell_ad(span, index, filling.as_ref());
            }
            if self.skips > 0 {
                self.skips -= 1;
                self.keyed = false;
                continue;
            }
            // The first of a playlist says what the one before it would have said.
            let is_alone = is_first && self.skipped == 0 && place.segment > 0;
            self.seam(span, place, filling.as_ref(), is_alone);
            let is_recent =
                self.edge.since(span.end(place)).0 < 3 * self.source.target.saturating_mul(1_000_000);
            if is_recent {
                self.parts(filling.as_ref(), usize::MAX);
            }
            let length = Seconds(length_of(place, filling.as_ref()));
            if let Some(filling) = filling {
                let _ = writeln!(self.out, "#EXTINF:{length:.6},");
                self.ad_uri(&filling.segment.uri);
                self.out.push('\n');
            } else {
                // Nothing may be loaded from a gap's URI, which must be there all the same (RFC 8216bis §4.4.4.7).
                let _ = writeln!(self.out, "#EXT-X-GAP\n#EXTINF:{length:.6},\ngap.m4s");
            }
        }
    }

    /// What a segment of a break needs said before it.
    fn seam(&mut self, span: &Span<'_>, place: &Place, filling: Option<&Filling<'_>>, is_alone: bool) {
        if place.segment == 0 {
            self.out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if place.segment == 0 || is_alone {
            if std::mem::take(&mut self.keyed) {
                self.out.push_str("#EXT-X-KEY:METHOD=NONE\n");
            }
            if let Some(init) = filling.and_then(|filling| filling.media.init.as_deref()) {
                self.out.push_str("#EXT-X-MAP:URI=\"");
                self.ad_uri(init);
                self.out.push_str("\"\n");
            }
        }
        let _ = writeln!(self.out, "#EXT-X-PROGRAM-DATE-TIME:{}", span.start(place));
    }

    /// The first parts of a segment of a break, as ranges of its bytes.
    fn parts(&mut self, filling: Option<&Filling<'_>>, count: usize) {
        let Some(filling) = filling.filter(|filling| self.has_parts(filling)) else {
            return;
        };
        for (index, part) in filling.segment.placed().take(count).enumerate() {
            let independent = if index == 0 { ",INDEPENDENT=YES" } else { "" };
            let duration = Seconds(part.duration);
            let _ = write!(self.out, "#EXT-X-PART:DURATION={duration}{independent},URI=\"");
            self.ad_uri(&filling.segment.uri);
            let _ = writeln!(self.out, "\",BYTERANGE=\"{}@{}\"", part.bytes, part.offset);
        }
    }

    /// Whether a segment's parts can be listed: the playlist has parts, and none is longer than it promises.
    fn has_parts(&self, filling: &Filling<'_>) -> bool {
        let mut parts = filling.segment.parts.iter();
        self.source
            .part_target
            .is_some_and(|target| parts.all(|part| part.duration <= target))
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
        if !is_dated && let Some(source) = self.source_segment(segment) {
            let date = return_date(span, source.start);
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
    pub(super) fn tail(&mut self, back: Option<&Span<'_>>) {
        let next = self.source.segments.len();
        let has_parts = self.source.next.parts > 0;
        if let Some(span) = back.filter(|_| has_parts) {
            self.returning(next, span);
            return;
        }
        if self.explicit_iv && has_parts {
            self.segment_with_iv(next);
            return;
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

    /// The segment of a break that comes in, and the part that comes next (RFC 8216bis §4.4.5.3).
    pub(super) fn tail_in(&mut self, span: &Span<'_>) {
        let whole = |place: &&Place| span.out_at(place, None, self.edge) == Out::Whole;
        let index = span.places.iter().take_while(whole).count();
        let coming = span
            .places
            .get(index)
            .filter(|_| self.source.part_target.is_some());
        if let Some(place) = coming
            && let Some(filling) = self.pods.fill(span.airing, place)
            && self.has_parts(&filling)
            && let Out::Parts(count) = span.out_at(place, Some(filling.segment), self.edge)
        {
            if count > 0 {
                if self.tells_ads && place.segment == 0 {
                    if index == 0 {
                        self.tell_break(span);
                    }
                    self.tell_ad(span, index, Some(&filling));
                }
                self.seam(span, place, Some(&filling), false);
                self.parts(Some(&filling), count);
            }
            if let Some(part) = filling.segment.placed().nth(count) {
                self.out.push_str("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"");
                self.ad_uri(&filling.segment.uri);
                let _ = writeln!(
                    self.out,
                    "\",BYTERANGE-START={},BYTERANGE-LENGTH={}",
                    part.offset, part.bytes
                );
            }
        }
        for (range, line) in lines(self.source.text, self.source.lines_of(self.source.segments.len())) {
            match Line::of(line.as_bytes()) {
                Line::Tag(Tag::PreloadHint, _) => {}
                Line::Tag(tag, _) if tag.stays() => self.line(range, line),
                _ => {}
            }
        }
    }

    /// `EXT-X-DATERANGE` of a break. What is not settled yet is a plan; a later line may add to it, never change it
    /// (RFC 8216bis §4.4.5.1).
    fn tell_break(&mut self, span: &Span<'_>) {
        let airing = span.airing;
        let _ = write!(
            self.out,
            "#EXT-X-DATERANGE:ID=\"{}\",CLASS=\"{BREAK_CLASS}\",START-DATE=\"{}\",PLANNED-DURATION={}",
            airing.id,
            airing.out,
            Seconds(airing.planned)
        );
        if let Some(length) = airing.length() {
            let _ = write!(self.out, ",DURATION={}", Seconds(length));
        }
        self.out.push('\n');
    }

    /// `EXT-X-DATERANGE` of the ad that a place belongs to.
    fn tell_ad(&mut self, span: &Span<'_>, index: usize, filling: Option<&Filling<'_>>) {
        let Some(place) = span.places.get(index) else {
            return;
        };
        let own = |other: &&Place| other.slot == place.slot;
        let Some(begin) = span.places.iter().find(own) else {
            return;
        };
        let Some(filling) = filling else { return };
        let _ = write!(
            self.out,
            "#EXT-X-DATERANGE:ID=\"{}/{}\",CLASS=\"{AD_CLASS}\",START-DATE=\"{}\"",
            span.airing.id,
            place.slot,
            span.start(begin)
        );
        let lengths = filling.media.segments.iter().map(|segment| segment.duration);
        let planned = lengths.fold(Micros::ZERO, Micros::plus);
        let _ = write!(self.out, ",PLANNED-DURATION={}", Seconds(planned));
        // It is settled with the break's end, which may cut it short.
        if span.airing.length().is_some()
            && let Some(end) = span.places.iter().rfind(own)
        {
            let _ = write!(self.out, ",DURATION={}", Seconds(end.end.less(begin.start)));
        }
        let _ = writeln!(self.out, ",X-CREATIVE=\"{}\"", Quoted(filling.creative));
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
            None => self.out.push_str(uri),
        }
    }

    /// Lines of the programme between two breaks: copied at once, but for those that are left out.
    fn copy(&mut self, range: Range<usize>) {
        if self.reroot.is_some() {
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
        let (before, after) = line.split_once(':').unwrap_or((line, ""));
        let ending = after.strip_prefix(value).unwrap_or("\n");
        let _ = write!(self.out, "{before}:{new}{ending}");
    }

    fn source_segment(&self, segment: usize) -> Option<&crate::timeline::Segment> {
        self.source.segments.get(segment).or(Some(&self.source.next))
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

/// Classes of what a player is told of (RFC 8216bis §4.4.5.1).
const BREAK_CLASS: &str = "dev.selvedge.break";
const AD_CLASS: &str = "dev.selvedge.ad";
