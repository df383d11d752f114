//! What the segments of a break say: seams, parts, hints, and what players are told of ads.

use core::{fmt::Write as _, ops::Range};

use selvedge_breaks::{
    Micros, Place,
    hls::value::{Quoted, Seconds},
};

use super::{Writer, length_of};
use crate::{
    hls::line::{Line, Tag, lines},
    timeline::{Filling, Out, Span},
};

impl Writer<'_> {
    /// Whole segments of a break.
    pub(in crate::hls) fn places(&mut self, span: &Span<'_>, places: Range<usize>) {
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
            // Who comes to an insertion does not wait for its parts.
            let is_recent = !span.airing.is_inserted()
                && self.edge.since(span.end(place)).0 < 3 * self.source.target.saturating_mul(1_000_000);
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
        if self.source.is_dated {
            let _ = writeln!(self.out, "#EXT-X-PROGRAM-DATE-TIME:{}", span.start(place));
        }
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

    /// The segment of a break that comes in, and the part that comes next (RFC 8216bis §4.4.5.3).
    pub(in crate::hls) fn tail_in(&mut self, span: &Span<'_>) {
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
            span.begin,
            Seconds(airing.planned)
        );
        if let Some(length) = self.settled(span) {
            let _ = write!(self.out, ",DURATION={}", Seconds(length));
        }
        self.out.push('\n');
    }

    /// How long a break is, once the source has come to its end: until then that may come earlier than it is planned,
    /// or later.
    fn settled(&self, span: &Span<'_>) -> Option<Micros> {
        let (airing, edge) = (span.airing, self.edge.plus(span.tolerance()));
        let is_over = airing.is_inserted() || airing.t_in.is_some_and(|t_in| t_in <= edge);
        airing.length().filter(|_| is_over)
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
        if self.settled(span).is_some()
            && let Some(end) = span.places.iter().rfind(own)
        {
            let _ = write!(self.out, ",DURATION={}", Seconds(end.end.less(begin.start)));
        }
        let _ = writeln!(self.out, ",X-CREATIVE=\"{}\"", Quoted(filling.creative));
    }
}

/// Classes of what a player is told of (RFC 8216bis §4.4.5.1).
const BREAK_CLASS: &str = "dev.selvedge.break";
const AD_CLASS: &str = "dev.selvedge.ad";
