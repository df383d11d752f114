//! Reports on other renditions (RFC 8216bis §4.4.5.4): what their playlists list last, once they are stitched too.

use selvedge_breaks::{Micros, UnixMicros};

use super::plan::Plan;
use crate::timeline::{MediaSequence, Out, Pods, Span, Window};

/// The last thing that a playlist lists: a segment's number, and its last part's where it has parts.
pub(super) type Last = (MediaSequence, Option<u64>);

/// What a rendition lists last where its source lists `last` last. All sources of a channel number their segments
/// alike, so this one's window tells when that is; `part` is the length of a part.
pub(super) fn last_listed(
    plan: &Plan<'_>,
    window: &Window<'_>,
    pods: &Pods<'_>,
    last: Last,
    part: Option<Micros>,
) -> Last {
    let index = last.0.since(window.media);
    let mut shift = plan.before;
    let mut before: Option<&Span<'_>> = None;
    for span in plan.spans {
        if index < span.out {
            break;
        }
        if span.back.is_none_or(|back| index < back) {
            let edge = end_of(window, index, last.1, part.unwrap_or_default());
            // While nothing of it is out, the last thing is what is before it: another break, or the programme.
            let met = before.filter(|before| before.back == Some(span.out));
            let of_break = last_of(span, pods, edge, last);
            return of_break
                .or_else(|| last_of(met?, pods, edge, last))
                .unwrap_or_else(|| last_before(span, window, last));
        }
        shift = span.after;
        before = Some(span);
    }
    (last.0.plus(shift.msn), last.1)
}

/// What of a break a rendition lists last where its source ends at `edge`; `None` where nothing of it is out.
fn last_of(span: &Span<'_>, pods: &Pods<'_>, edge: UnixMicros, last: Last) -> Option<Last> {
    let mut listed = None;
    for (index, place) in span.places.iter().enumerate() {
        let segment = pods.fill(span.airing, place).map(|filling| filling.segment);
        let parts = segment.map_or(0, |segment| segment.parts.len());
        let count = match span.out_at(place, segment, edge) {
            Out::Whole => parts,
            Out::Parts(0) => break,
            Out::Parts(count) => count,
        };
        let number = span.numbers(index, place).0;
        listed = Some((number, last_part(count).filter(|_| last.1.is_some())));
    }
    listed
}

/// What a rendition lists last before a break.
fn last_before(span: &Span<'_>, window: &Window<'_>, last: Last) -> Last {
    let before = window.get(span.out.saturating_sub(1));
    let parts = before.map_or(0, |segment| usize::try_from(segment.parts).unwrap_or(0));
    (span.media.plus(-1), last_part(parts).filter(|_| last.1.is_some()))
}

fn last_part(count: usize) -> Option<u64> {
    u64::try_from(count.checked_sub(1)?).ok()
}

/// When a source segment, or a part of it, ends.
fn end_of(window: &Window<'_>, index: i64, part: Option<u64>, part_length: Micros) -> UnixMicros {
    let usual = window.segments.last().map_or(Micros::ZERO, |last| last.duration);
    let behind = index.saturating_sub(i64::try_from(window.segments.len()).unwrap_or(i64::MAX));
    let segment = if behind < 0 { window.get(index) } else { None };
    let (start, length) = match segment {
        Some(segment) => (segment.start, segment.duration),
        None => (window.next.start.plus(usual.times(behind)), usual),
    };
    let parts = part.map(|part| i64::try_from(part).unwrap_or(i64::MAX).saturating_add(1));
    if behind == 0 && parts == Some(i64::from(window.next.parts)) {
        return window.edge();
    }
    start.plus(parts.map_or(length, |parts| part_length.times(parts).min(length)))
}
