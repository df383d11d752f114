//! The plan of an MPD: which Periods it has, in order.

use core::ops::Range;

use selvedge_breaks::Micros;

use super::source::{Period, Reach, Source};
use crate::timeline::Hole;

/// A Period of the output.
#[derive(Clone, Debug)]
pub(super) enum Item<'s> {
    Programme(Piece<'s>),
    Slot(Slot<'s>),
}

/// A Period of the source, or what breaks have left of it.
#[derive(Clone, Debug)]
pub(super) struct Piece<'s> {
    /// Which Period of the source.
    pub(super) period: usize,
    /// The break that it is the return from, where it does not begin with its source.
    pub(super) from: Option<&'s Hole<'s>>,
    /// Where it begins in the source.
    pub(super) start: Micros,
    /// By how much it begins later than there: what is inserted before it.
    pub(super) later: Micros,
    /// Where a break cuts it off, and by how much a segment may lie off that.
    pub(super) until: Option<(Micros, Micros)>,
    /// Whether a break ends where it begins, also if by itself.
    pub(super) is_behind_break: bool,
}

/// A slot of a break.
#[derive(Clone, Debug)]
pub(super) struct Slot<'s> {
    pub(super) hole: &'s Hole<'s>,
    pub(super) slot: usize,
    pub(super) start: Micros,
    /// Those of its places that are listed.
    pub(super) places: Range<usize>,
    /// The Period of the source whose sets it has.
    pub(super) period: usize,
}

impl Piece<'_> {
    /// Whether no break cuts into it.
    pub(super) fn is_whole(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }
}

impl Item<'_> {
    fn start(&self) -> Micros {
        match self {
            Self::Programme(piece) => piece.start.plus(piece.later),
            Self::Slot(slot) => slot.start,
        }
    }
}

/// Finds the Periods: pieces of the source's, and the slots of breaks.
pub(super) fn plan<'s>(source: &Source<'_>, reach: Reach, holes: &'s [Hole<'s>]) -> Vec<Item<'s>> {
    let mut items = Vec::with_capacity(source.periods.len() + 4 * holes.len());
    for (index, period) in source.periods.iter().enumerate() {
        pieces(source, period, index, holes, &mut items);
    }
    items.retain(|item| is_in_window(item, source, reach));
    for hole in holes {
        slots(source, reach, hole, &mut items);
    }
    // Stable: none begins where another does, but for what a source says twice.
    items.sort_by_key(Item::start);
    items
}

/// What breaks leave of a Period.
fn pieces<'s>(
    source: &Source<'_>,
    period: &Period<'_>,
    index: usize,
    holes: &'s [Hole<'s>],
    items: &mut Vec<Item<'s>>,
) {
    let mut piece = Piece {
        period: index,
        from: None,
        start: period.start,
        later: Micros::ZERO,
        until: None,
        is_behind_break: false,
    };
    for hole in holes {
        let tolerance = hole.tolerance();
        let out = source.moment(hole.at);
        let back = hole.back.map(|back| source.moment(back));
        if period.end.is_some_and(|end| out >= end.less(tolerance)) {
            break;
        }
        if let Some(back) = back
            && back <= piece.start.plus(tolerance)
        {
            piece.is_behind_break |= back >= piece.start.less(tolerance);
            piece.later = piece.later.plus(hole.inserts());
            continue;
        }
        if out > piece.start.plus(tolerance) {
            let until = Some((out, tolerance));
            items.push(Item::Programme(Piece {
                until,
                ..piece.clone()
            }));
        }
        match back.filter(|back| period.end.is_none_or(|end| *back < end.less(tolerance))) {
            None => return,
            Some(back) => {
                piece.start = back;
                piece.later = piece.later.plus(hole.inserts());
                piece.from = Some(hole);
                piece.is_behind_break = true;
            }
        }
    }
    items.push(Item::Programme(piece));
}

/// Whether anything of a Period is left in the window. One that no break cuts off is the source's own affair.
fn is_in_window(item: &Item<'_>, source: &Source<'_>, reach: Reach) -> bool {
    let Item::Programme(Piece {
        until: Some((until, tolerance)),
        period,
        ..
    }) = item
    else {
        return true;
    };
    let is_split = source
        .periods
        .get(*period)
        .is_some_and(|period| period.is_splittable);
    match reach {
        Reach::Listed { begin, .. } => !is_split || begin < until.less(*tolerance),
        Reach::Clock { begin } => begin.is_none_or(|begin| begin < *until),
    }
}

/// The slots of a break of which something is listed: what is out, and has not left the window.
fn slots<'s>(source: &Source<'_>, reach: Reach, hole: &'s Hole<'s>, items: &mut Vec<Item<'s>>) {
    let out = source.moment(hole.at);
    let is_listed = |place: &selvedge_breaks::Place| match reach {
        _ if hole.airing.is_inserted() => true,
        Reach::Listed { begin, edge } => {
            hole.is_out(place, source.begin.plus(edge)) && out.plus(place.end) > begin.plus(hole.tolerance())
        }
        Reach::Clock { begin } => begin.is_none_or(|begin| out.plus(place.end) > begin),
    };
    let at_out = out.plus(hole.tolerance());
    let period = source
        .periods
        .partition_point(|period| period.start <= at_out)
        .saturating_sub(1);
    let mut first = 0;
    for places in hole.places.chunk_by(|one, next| one.slot == next.slot) {
        let gone = places.iter().take_while(|place| !is_listed(place)).count();
        let listed = places
            .iter()
            .skip(gone)
            .take_while(|place| is_listed(place))
            .count();
        // What numbers name is told whole: a number's place is counted from the first.
        let listed = match reach {
            Reach::Clock { .. } if listed > 0 => first..first + places.len(),
            _ => first + gone..first + gone + listed,
        };
        if let Some(place) = places.first().filter(|_| !listed.is_empty()) {
            items.push(Item::Slot(Slot {
                hole,
                slot: place.slot,
                start: out.plus(hole.later).plus(place.start),
                places: listed,
                period,
            }));
        }
        first += places.len();
    }
}
