//! Resolving and numbering: where in a source's window each break lies, and which numbers follow.

use selvedge_breaks::{Airing, Micros, Place, Slice, Sums, UnixMicros, decision};

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

    /// Wall time at which the segment at a place begins.
    pub(crate) fn start(&self, place: &Place) -> UnixMicros {
        self.airing.out.plus(place.start)
    }

    /// Wall time at which the segment at a place ends.
    pub(crate) fn end(&self, place: &Place) -> UnixMicros {
        self.airing.out.plus(place.end)
    }

    pub(crate) fn tolerance(&self) -> Micros {
        self.airing.structure.tolerance
    }

    /// How much shows of the segment at a place, where the source has reached `edge`.
    pub(crate) fn out_at(&self, place: &Place, segment: Option<&decision::Segment>, edge: UnixMicros) -> Out {
        let edge = edge.plus(self.tolerance());
        if edge >= self.end(place) {
            return Out::Whole;
        }
        let start = self.start(place);
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
/// can be shown in.
pub(crate) fn resolve<'b>(slice: &'b Slice, window: &Window<'_>) -> Vec<Span<'b>> {
    let mut spans: Vec<Span<'b>> = Vec::with_capacity(slice.breaks.len());
    let mut shift = slice.before;
    for airing in slice.breaks.iter().filter(|airing| !airing.is_void()) {
        let places = held(airing, window.edge());
        let Some(last) = places.last() else {
            continue;
        };
        let tolerance = airing.structure.tolerance;
        let anchored = airing
            .anchor
            .map(|anchor| MediaSequence(anchor.msn_out).since(window.media));
        let found = anchored.or_else(|| window.find(airing.out, tolerance));
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
        let is_out = airing.out.plus(last.end) <= window.edge().plus(tolerance);
        let back = rejoined(airing, out, window).filter(|_| is_out);
        let after = back.map_or(shift, |(back, source)| Sums {
            msn: shift
                .msn
                .saturating_add(signed(places.len()))
                .saturating_sub(back - out),
            dsn: discontinuity.plus(signed(last.slot)).plus(2).since(source),
        });
        let media = window.media.plus(out).plus(shift.msn);
        spans.push(Span {
            airing,
            out,
            back: back.map(|(back, _)| back),
            places,
            media,
            discontinuity,
            after,
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
