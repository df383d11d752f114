//! The plan of a playlist: which of the source's segments and which places of breaks it lists, in order.

use core::ops::Range;

use selvedge_breaks::{Micros, Place, Sums};

use crate::timeline::{DiscontinuitySequence, MediaSequence, Out, Span, Window};

/// What a playlist lists.
#[derive(Clone, Debug)]
pub(super) struct Plan<'s> {
    pub(super) pieces: Vec<Piece<'s>>,
    /// What follows the last whole segment.
    pub(super) tail: Tail<'s>,
    /// `EXT-X-MEDIA-SEQUENCE`.
    pub(super) media: MediaSequence,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`.
    pub(super) discontinuity: DiscontinuitySequence,
    pub(super) spans: &'s [Span<'s>],
    /// What is added to the numbers of source segments before all breaks.
    pub(super) before: Sums,
    /// Whether the segment that comes in parts has to wait until it is whole.
    pub(super) holds: bool,
}

/// A run of whole segments.
#[derive(Clone, Debug)]
pub(super) enum Piece<'s> {
    /// Of the source; with the break that it is the return from.
    Programme {
        range: Range<usize>,
        back: Option<&'s Span<'s>>,
        shift: Sums,
    },
    /// Of the source, not shown: of their lines, those stay that speak of the whole playlist.
    Replaced(Range<usize>),
    /// Of a break.
    Break {
        span: &'s Span<'s>,
        places: Range<usize>,
    },
}

/// What a playlist ends with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tail<'s> {
    /// What the source ends with; with the break that it is the return from.
    Programme { back: Option<&'s Span<'s>>, shift: Sums },
    /// The segment of a break that comes in.
    Break(&'s Span<'s>),
}

impl<'s> Plan<'s> {
    pub(super) fn new(window: &Window<'_>, spans: &'s [Span<'s>], before: Sums, holds: bool) -> Self {
        let count = window.segments.len();
        let clamp = |index: i64| usize::try_from(index.max(0)).map_or(count, |index| index.min(count));
        let mut pieces = Vec::with_capacity(3 * spans.len() + 1);
        let mut tail = Tail::Programme {
            back: None,
            shift: before,
        };
        let mut at = 0;
        for span in spans {
            let out = clamp(span.out);
            if let Tail::Programme { back, shift } = tail
                && at < out
            {
                pieces.push(Piece::Programme {
                    range: at..out,
                    back,
                    shift,
                });
            }
            let places = listed(span, window);
            if !places.is_empty() {
                pieces.push(Piece::Break { span, places });
            }
            at = span.back.map_or(count, clamp);
            if out < at {
                pieces.push(Piece::Replaced(out..at));
            }
            tail = match span.back {
                Some(back) => Tail::Programme {
                    back: (back >= 0).then_some(span),
                    shift: span.after,
                },
                None => Tail::Break(span),
            };
        }
        if let Tail::Programme { back, shift } = tail
            && at < count
        {
            pieces.push(Piece::Programme {
                range: at..count,
                back,
                shift,
            });
            tail = Tail::Programme { back: None, shift };
        }
        let (media, discontinuity) = numbers(&pieces, &tail, window);
        Self {
            pieces,
            tail,
            media,
            discontinuity,
            spans,
            before,
            holds,
        }
    }

    /// Whether any number may be another than the source's. What has gone from the window counts by its sums alone, so
    /// that it does not matter for how long a break is told of.
    pub(super) fn moves_any(&self) -> bool {
        let has_gone = |span: &&Span<'_>| span.back.is_some_and(|back| back < 0);
        let gone = self.spans.iter().take_while(has_gone).last();
        self.spans.iter().any(|span| !has_gone(&span))
            || gone.map_or(self.before, |gone| gone.after) != Sums::default()
    }

    /// How much later a source segment is than in the source, by what is inserted before it.
    pub(super) fn later(&self, segment: usize) -> Micros {
        let segment = i64::try_from(segment).unwrap_or(i64::MAX);
        let before = |span: &&Span<'_>| span.back.is_some_and(|back| back <= segment);
        let before = self.spans.iter().take_while(before).last();
        before.map_or(Micros::ZERO, |span| span.later)
    }

    /// How many of the first segments a delta update leaves out: those that end further than `until` before the end of
    /// the last segment (RFC 8216bis §4.4.5.2). `length` is that of a place's media.
    pub(super) fn skipped(
        &self,
        until: Micros,
        window: &Window<'_>,
        length: impl Fn(&Span<'_>, &Place) -> Micros,
    ) -> usize {
        let mut left = until;
        let mut skipped = 0;
        let mut count = |segment: Micros| {
            if left.0 <= 0 {
                skipped += 1;
            }
            left = left.less(segment);
        };
        for piece in self.pieces.iter().rev() {
            match piece {
                Piece::Programme { range, .. } => {
                    let segments = window.segments.get(range.clone()).unwrap_or_default();
                    segments.iter().rev().for_each(|segment| count(segment.duration));
                }
                Piece::Replaced(_) => {}
                Piece::Break { span, places } => {
                    let places = span.places.get(places.clone()).unwrap_or_default();
                    places.iter().rev().for_each(|place| count(length(span, place)));
                }
            }
        }
        skipped
    }
}

/// The places of a break that are whole segments of the playlist: out, and not gone from the window's begin. As in the
/// source, a segment goes when all of it lies before the first one.
fn listed(span: &Span<'_>, window: &Window<'_>) -> Range<usize> {
    if span.airing.is_inserted() {
        // It goes with the segment before which it is.
        let count = span.places.len();
        return if span.out < 0 { count..count } else { 0..count };
    }
    let begin = window.start().plus(span.tolerance());
    let gone = span
        .places
        .iter()
        .take_while(|place| span.end(place) <= begin)
        .count();
    let edge = window.edge();
    let whole = span
        .places
        .iter()
        .take_while(|place| span.out_at(place, None, edge) == Out::Whole);
    let whole = whole.count();
    gone.min(whole)..whole
}

/// The numbers that a playlist begins with. A discontinuity that stands before its first segment is not counted yet.
fn numbers(
    pieces: &[Piece<'_>],
    tail: &Tail<'_>,
    window: &Window<'_>,
) -> (MediaSequence, DiscontinuitySequence) {
    let of_programme = |index: usize, back: bool, shift: &Sums| {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        let discontinuity = match window.get(index).filter(|_| back) {
            Some(segment) => segment.discontinuity.plus(shift.dsn).plus(-1),
            None => window.discontinuity.plus(shift.dsn),
        };
        (window.media.plus(index).plus(shift.msn), discontinuity)
    };
    let of_break = |span: &Span<'_>, index: usize| {
        let place = span.places.get(index).or(span.places.last());
        let Some(place) = place else {
            return (window.media, window.discontinuity);
        };
        let (media, discontinuity) = span.numbers(index, place);
        (media, discontinuity.plus(if place.segment == 0 { -1 } else { 0 }))
    };
    let first = pieces.iter().find(|piece| !matches!(piece, Piece::Replaced(_)));
    match (first, tail) {
        (Some(Piece::Programme { range, back, shift }), _) => {
            of_programme(range.start, back.is_some(), shift)
        }
        (Some(Piece::Break { span, places }), _) => of_break(span, places.start),
        (_, Tail::Programme { back, shift }) => of_programme(window.segments.len(), back.is_some(), shift),
        (_, Tail::Break(span)) => of_break(span, listed(span, window).end),
    }
}
