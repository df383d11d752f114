//! Breaks by time alone, for a timeline without numbers.

use selvedge_breaks::{After, Airing, MAX_LENGTH, Micros, Place, Slice, Structure, UnixMicros};

use super::resolve::held;

/// A break in a source, by time.
#[derive(Clone, Debug)]
pub(crate) struct Hole<'b> {
    pub(crate) airing: &'b Airing,
    /// The moment of the source at which the programme is left.
    pub(crate) at: UnixMicros,
    /// What it holds; of a break whose end is open, as far as the source has come and the place that comes next.
    pub(crate) places: Vec<Place>,
    /// When the programme goes on, where the source has come to it and all that is held is out.
    pub(crate) back: Option<UnixMicros>,
    /// By how much it begins later than at that moment: what the breaks before it have inserted.
    pub(crate) later: Micros,
}

impl Hole<'_> {
    /// By how much it moves the programme behind it.
    pub(crate) fn inserts(&self) -> Micros {
        let last = self.places.last().filter(|_| self.airing.is_inserted());
        last.map_or(Micros::ZERO, |last| last.end)
    }

    /// By how much a boundary of the source may lie off the break's. Ticks are rounded to microseconds on the way here.
    pub(crate) fn tolerance(&self) -> Micros {
        tolerance(self.airing)
    }

    /// Whether the segment at a place shows, where the source has come to `edge`.
    pub(crate) fn is_out(&self, place: &Place, edge: UnixMicros) -> bool {
        self.airing.is_inserted() || self.airing.out.plus(place.end) <= edge.plus(self.tolerance())
    }
}

fn tolerance(airing: &Airing) -> Micros {
    airing.structure.tolerance.max(Micros::from_millis(1))
}

/// The breaks of a slice, where the source has come to `edge`; without one, players know by their clocks how far it
/// has come, and all that is planned is told ahead. `boundary` says where in the source a break is inserted; `None` where
/// it cannot be.
///
/// As everywhere, a break that begins before the one before it has ended is void, and so is one that nothing can be
/// shown in.
pub(crate) fn holes(
    slice: &Slice,
    edge: Option<UnixMicros>,
    boundary: impl Fn(&Airing) -> Option<UnixMicros>,
) -> Vec<Hole<'_>> {
    let mut holes: Vec<Hole<'_>> = Vec::with_capacity(slice.breaks.len());
    let mut later = Micros::ZERO;
    for airing in slice.breaks.iter().filter(|airing| !airing.is_void()) {
        let at = match airing.is_inserted() {
            true => boundary(airing),
            false => Some(airing.out),
        };
        let Some(at) = at else { continue };
        let structure = &airing.structure;
        let places = match edge {
            Some(edge) => held(airing, edge),
            // All of it, wherever the source has come to.
            None if airing.is_inserted() => held(airing, airing.out),
            None => told_ahead(structure, airing.length().unwrap_or(airing.planned)),
        };
        let Some(last) = places.last() else {
            continue;
        };
        let tolerance = tolerance(airing);
        if let Some(before) = holes.last() {
            let Some(back) = before.back else {
                // Nothing behind it is in sight.
                break;
            };
            if at < back.less(tolerance) {
                continue;
            }
        }
        let is_there = |back: &UnixMicros| {
            edge.is_none_or(|edge| {
                airing.out.plus(last.end) <= edge.plus(tolerance) && edge > back.plus(tolerance)
            })
        };
        let rejoin = match (edge, airing.length()) {
            // Behind what was told ahead.
            (None, Some(length)) if structure.after == After::Resume => {
                Some(airing.out.plus(last.end.min(length)))
            }
            _ => airing.rejoin(),
        };
        let back = match airing.is_inserted() {
            true => Some(at),
            false => rejoin.filter(is_there),
        };
        let hole = Hole {
            airing,
            at,
            back,
            places,
            later,
        };
        later = later.plus(hole.inserts());
        holes.push(hole);
    }
    holes
}

/// The segments of a break of `length` that players find by their numbers. By their clocks the last segment of a slot is
/// there when one of usual length would be: what they may have by then is not taken back, but cut off by the Period behind.
fn told_ahead(structure: &Structure, length: Micros) -> Vec<Place> {
    let limit = length.min(MAX_LENGTH).plus(structure.tolerance);
    let usual = |place: &Place| match &structure.after {
        After::Slate(round) if place.is_slate => round.segment(),
        _ => structure
            .slots
            .get(place.slot)
            .map_or(Micros::ZERO, |slot| slot.segment()),
    };
    let is_there = |place: &Place| place.end.min(place.start.plus(usual(place))) <= limit;
    structure.places().take_while(is_there).collect()
}

#[cfg(test)]
mod tests {
    use selvedge_breaks::{BreakId, Key, Mode, Slot};

    use super::*;

    const OUT: UnixMicros = UnixMicros(1_767_297_600_000_000);

    fn airing(at: i64, t_in: Option<i64>) -> Airing {
        let (out, segment) = (OUT.plus(Micros::from_seconds(at)), Micros::from_seconds(2));
        Airing {
            id: BreakId::new("news", out, &Key::Insert(1)),
            mode: Mode::Replace,
            out,
            planned: segment.times(3),
            t_in: t_in.map(|t_in| OUT.plus(Micros::from_seconds(t_in))),
            revision: 1,
            effective_from: out,
            structure: Structure {
                slots: vec![Slot::new(3, segment, segment).unwrap()],
                after: After::Wait,
                tolerance: Micros::ZERO,
            },
            anchor: None,
        }
    }

    fn found(breaks: Vec<Airing>, edge: Option<i64>) -> Vec<(i64, usize, Option<i64>)> {
        let slice = Slice {
            breaks,
            ..Slice::default()
        };
        let second = |at: UnixMicros| at.since(OUT).0 / 1_000_000;
        let edge = edge.map(|edge| OUT.plus(Micros::from_seconds(edge)));
        let holes = holes(&slice, edge, |airing| Some(airing.out));
        holes
            .iter()
            .map(|hole| (second(hole.at), hole.places.len(), hole.back.map(second)))
            .collect()
    }

    #[test]
    fn the_programme_is_back_when_the_source_is() {
        assert_eq!(found(vec![airing(0, Some(6))], Some(6)), [(0, 3, None)]);
        assert_eq!(found(vec![airing(0, Some(6))], Some(7)), [(0, 3, Some(6))]);
        assert_eq!(
            found(vec![airing(0, Some(4))], Some(7)),
            [(0, 2, Some(4))],
            "early"
        );
        assert_eq!(found(vec![airing(0, None)], Some(3)), [(0, 2, None)], "open");
    }

    #[test]
    fn by_a_clock_all_is_told_ahead() {
        assert_eq!(
            found(vec![airing(0, Some(6)), airing(9, None)], None),
            [(0, 3, Some(6)), (9, 3, None)]
        );
    }

    #[test]
    fn what_is_inserted_moves_what_follows() {
        let insert = |at| Airing {
            mode: Mode::Insert,
            ..airing(at, None)
        };
        let breaks = vec![insert(0), insert(0), airing(2, Some(8)), insert(4), insert(8)];
        assert_eq!(
            found(breaks.clone(), Some(20)),
            [(0, 3, Some(0)), (0, 3, Some(0)), (2, 3, Some(8)), (8, 3, Some(8))],
            "none in another"
        );
        let slice = Slice {
            breaks,
            ..Slice::default()
        };
        let holes = holes(&slice, None, |airing| Some(airing.out));
        let later: Vec<_> = holes.iter().map(|hole| hole.later.0 / 1_000_000).collect();
        assert_eq!(later, [0, 6, 12, 12]);
    }

    #[test]
    fn what_players_may_have_by_their_clocks_is_not_taken_back() {
        let mut early = airing(0, Some(5));
        early.structure.slots = vec![Slot::new(2, Micros::from_seconds(2), Micros::from_seconds(3)).unwrap()];
        early.planned = Micros::from_seconds(5);
        let end = |millis| {
            let mut early = early.clone();
            early.t_in = Some(OUT.plus(Micros::from_millis(millis)));
            found(vec![early], None)
        };
        assert_eq!(end(5000), [(0, 2, Some(5))]);
        assert_eq!(end(4500), [(0, 2, Some(4))], "cut off");
        assert_eq!(end(3500), [(0, 1, Some(3))]);
    }

    #[test]
    fn a_break_in_another_is_void() {
        assert_eq!(
            found(vec![airing(0, Some(6)), airing(4, Some(10))], Some(20)),
            [(0, 3, Some(6))]
        );
        assert_eq!(
            found(vec![airing(0, Some(1)), airing(4, Some(10))], Some(20)),
            [(4, 3, Some(10))],
            "nothing fits"
        );
    }
}
