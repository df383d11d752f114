//! Resolving and numbering: where in a source's window each break lies, and which numbers follow.

use selvedge_breaks::{Airing, Micros, Mode, Place, Slice, Sums, UnixMicros, decision};

use super::{DiscontinuitySequence, MediaSequence};

/// A segment of the source.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Segment {
    pub(crate) start: UnixMicros,
    pub(crate) duration: Micros,
    pub(crate) discontinuity: DiscontinuitySequence,
    /// How many parts of it are listed.
    pub(crate) parts: u32,
}

/// What becomes of what a source lists.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Extent {
    /// Segments come and go: a live channel.
    #[default]
    Slides,
    /// Segments come and stay (`EXT-X-PLAYLIST-TYPE`, RFC 8216bis §4.4.3.5).
    Grows,
    /// No more segments come: an asset (`EXT-X-ENDLIST`).
    Whole,
}

/// What a source lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// Of the first segment.
    pub(crate) media: MediaSequence,
    /// Before the first segment's own discontinuities.
    pub(crate) discontinuity: DiscontinuitySequence,
    pub(crate) segments: &'a [Segment],
    /// The segment behind the last one, as far as it is listed in parts.
    pub(crate) next: Segment,
    pub(crate) extent: Extent,
}

/// A break in a window. Source segments are counted from the window's first, which is 0.
#[derive(Clone, Debug)]
pub(crate) struct Span<'b> {
    pub(crate) airing: &'b Airing,
    /// The first source segment that is replaced; behind the last listed one while none has been.
    pub(crate) out: i64,
    /// The first source segment that is shown again, where the source has come to it and all that is held is out.
    pub(crate) back: Option<i64>,
    /// What it holds; of a break whose end is open, as far as the source has come and the place that comes next.
    pub(crate) places: Vec<Place>,
    /// The number of the first place.
    pub(crate) media: MediaSequence,
    /// The number of what precedes it.
    discontinuity: DiscontinuitySequence,
    /// What is added to the numbers of source segments behind the break.
    pub(crate) after: Sums,
    /// The source's date at which the programme is left.
    pub(crate) at: UnixMicros,
    /// The playlist's date at which it begins.
    pub(crate) begin: UnixMicros,
    /// How much later the programme behind it is than in the source: what it and those before it have inserted.
    pub(crate) later: Micros,
}

/// How much of a segment is out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Out {
    /// All of it.
    Whole,
    /// So many of its parts, which may be none.
    Parts(usize),
}

impl Span<'_> {
    /// The numbers of the segment at a place.
    pub(crate) fn numbers(&self, index: usize, place: &Place) -> (MediaSequence, DiscontinuitySequence) {
        let slot = signed(place.slot).saturating_add(1);
        (self.media.plus(signed(index)), self.discontinuity.plus(slot))
    }

    /// The playlist's date at which the segment at a place begins.
    pub(crate) fn start(&self, place: &Place) -> UnixMicros {
        self.begin.plus(place.start)
    }

    /// The source's date at which the segment at a place ends that takes the place of some.
    pub(crate) fn end(&self, place: &Place) -> UnixMicros {
        self.airing.out.plus(place.end)
    }

    pub(crate) fn tolerance(&self) -> Micros {
        self.airing.structure.tolerance
    }

    /// How much shows of the segment at a place, where the source has reached `edge`.
    pub(crate) fn out_at(&self, place: &Place, segment: Option<&decision::Segment>, edge: UnixMicros) -> Out {
        let edge = edge.plus(self.tolerance());
        if self.airing.is_inserted() || edge >= self.end(place) {
            return Out::Whole;
        }
        let start = self.airing.out.plus(place.start);
        let parts = segment.map_or(0, |segment| {
            let ends = segment.placed().map(|part| start.plus(part.end));
            ends.take_while(|end| edge >= *end).count()
        });
        Out::Parts(parts)
    }
}

impl Window<'_> {
    /// The end of all that is listed.
    pub(crate) fn edge(&self) -> UnixMicros {
        self.next.start.plus(self.next.duration)
    }

    /// Wall time at which it begins.
    pub(crate) fn start(&self) -> UnixMicros {
        self.segments.first().unwrap_or(&self.next).start
    }

    fn len(&self) -> i64 {
        signed(self.segments.len())
    }

    /// A segment, the one that comes in included.
    pub(crate) fn get(&self, index: i64) -> Option<&Segment> {
        if index == self.len() {
            return Some(&self.next);
        }
        self.segments.get(usize::try_from(index).ok()?)
    }

    /// The first segment that begins at a moment or later; `None` if the source has not come to it.
    ///
    /// Before the window, segments are taken to have been as long as its first: a break that began there and has no
    /// anchor is at least the same for all who see this window.
    fn find(&self, at: UnixMicros, tolerance: Micros) -> Option<i64> {
        let missing = self.start().less(tolerance).since(at).0;
        if missing > 0 {
            let length = self.segments.first().map_or(1, |first| first.duration.0.max(1));
            return Some(-(missing.saturating_add(length - 1) / length));
        }
        let at = at.less(tolerance);
        let index = self.segments.partition_point(|segment| segment.start < at);
        let is_listed = index < self.segments.len() || self.next.start >= at;
        is_listed.then(|| signed(index))
    }

    /// The segment before which a break is inserted that is to be at a moment: the one that begins nearest to it, the
    /// earlier of two; behind the last for what is nearest to the end. `None` while a nearer one may come.
    fn nearest(&self, at: UnixMicros) -> Option<i64> {
        let behind = self.segments.partition_point(|segment| segment.start <= at);
        let Some((before, segment)) = behind.checked_sub(1).zip(self.segments.get(..behind)?.last()) else {
            return Some(0);
        };
        let end = self.segments.get(behind).unwrap_or(&self.next).start;
        if at > end && self.extent != Extent::Whole {
            return None;
        }
        let is_later = at.since(segment.start) > end.since(at);
        Some(signed(before).saturating_add(i64::from(is_later)))
    }

    /// Whether a break may yet be inserted before the segment that comes in parts: how long that is, and so to which of
    /// its ends the break is nearer, nobody knows before it is whole.
    pub(crate) fn awaits_insertion(&self, slice: &Slice, target: Micros) -> bool {
        let mut breaks = slice.breaks.iter();
        self.extent == Extent::Grows
            && breaks.any(|airing| {
                let ahead = airing.out.since(self.next.start);
                let is_unplaced = airing.is_inserted() && !airing.is_void() && airing.anchor.is_none();
                is_unplaced && ahead > Micros::ZERO && ahead <= target
            })
    }

    /// The discontinuity sequence number of a segment, or of the nearest that is listed.
    fn discontinuity_at(&self, index: i64) -> DiscontinuitySequence {
        if index < 0 {
            return self.discontinuity;
        }
        self.get(index).unwrap_or(&self.next).discontinuity
    }
}

/// Finds the breaks of a window.
///
/// A break that begins before the one before it has ended is void: the viewers are in that one. So is one that nothing
/// can be shown in, and one that would be inserted into a live channel, which would be behind live from then on.
pub(crate) fn resolve<'b>(slice: &'b Slice, window: &Window<'_>) -> Vec<Span<'b>> {
    let mut spans: Vec<Span<'b>> = Vec::with_capacity(slice.breaks.len());
    let mut shift = slice.before;
    let mut later = Micros::ZERO;
    let is_live = window.extent == Extent::Slides;
    let aired = slice.breaks.iter().filter(|airing| !airing.is_void());
    for airing in aired.filter(|airing| !(is_live && airing.is_inserted())) {
        let places = held(airing, window.edge());
        let Some(last) = places.last() else {
            continue;
        };
        let tolerance = airing.structure.tolerance;
        let anchored = airing
            .anchor
            .map(|anchor| MediaSequence(anchor.msn_out).since(window.media));
        let found = anchored.or_else(|| match airing.mode {
            Mode::Replace => window.find(airing.out, tolerance),
            Mode::Insert => window.nearest(airing.out),
        });
        let Some(out) = found.filter(|out| *out <= window.len()) else {
            // The source has not come to it, nor to any after it.
            break;
        };
        let before = spans.last();
        let follows = before.and_then(|before| before.back);
        if follows.is_some_and(|back| out < back) {
            continue;
        }
        // Where two breaks meet, the return from one is the beginning of the other.
        let discontinuity = match before {
            Some(before) if follows == Some(out) => {
                let last = before.places.last();
                last.map_or(before.discontinuity, |last| before.numbers(0, last).1)
            }
            _ => precedes(airing, out, window).plus(shift.dsn),
        };
        let is_out = airing.is_inserted() || airing.out.plus(last.end) <= window.edge().plus(tolerance);
        let back = rejoined(airing, out, window).filter(|_| is_out);
        let after = back.map_or(shift, |(back, source)| Sums {
            msn: shift
                .msn
                .saturating_add(signed(places.len()))
                .saturating_sub(back - out),
            dsn: discontinuity.plus(signed(last.slot)).plus(2).since(source),
        });
        let media = window.media.plus(out).plus(shift.msn);
        let boundary = window.get(out).filter(|_| airing.is_inserted());
        let at = boundary.map_or(airing.out, |segment| segment.start);
        let begin = at.plus(later);
        if airing.is_inserted() {
            later = later.plus(last.end);
        }
        spans.push(Span {
            airing,
            out,
            back: back.map(|(back, _)| back),
            places,
            media,
            discontinuity,
            after,
            at,
            begin,
            later,
        });
        if back.is_none() {
            // Nothing behind it is in sight.
            break;
        }
        shift = after;
    }
    spans
}

/// The segments that a break holds, where the source has come to `edge`.
pub(super) fn held(airing: &Airing, edge: UnixMicros) -> Vec<Place> {
    let structure = &airing.structure;
    match airing.length() {
        Some(length) => structure.within(length).collect(),
        None => {
            let aired = edge.since(airing.out).plus(structure.tolerance);
            structure
                .places()
                .take_while(|place| place.start <= aired)
                .collect()
        }
    }
}

/// The number of the source segment before a break.
fn precedes(airing: &Airing, out: i64, window: &Window<'_>) -> DiscontinuitySequence {
    match (airing.anchor, out) {
        (Some(anchor), _) => DiscontinuitySequence(anchor.dsn_before),
        (None, ..=0) => window.discontinuity,
        (None, _) => window.discontinuity_at(out - 1),
    }
}

/// The source segment with which the programme returns, and its discontinuity sequence number.
fn rejoined(airing: &Airing, out: i64, window: &Window<'_>) -> Option<(i64, DiscontinuitySequence)> {
    let anchored = airing.anchor.and_then(|anchor| anchor.back);
    let index = match anchored {
        _ if airing.is_inserted() => out,
        Some(back) => MediaSequence(back.msn_in).since(window.media),
        None => window.find(airing.rejoin()?, airing.structure.tolerance)?,
    };
    let index = index.max(out);
    let discontinuity = match anchored {
        Some(back) if index < 0 => DiscontinuitySequence(back.dsn_in),
        _ => window.discontinuity_at(index),
    };
    (index <= window.len()).then_some((index, discontinuity))
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
