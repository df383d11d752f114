//! Breaks as players of the guided form are told of them: where each lies, and how much there is to play in it.

use selvedge_breaks::{After, Airing, Micros, Slice, UnixMicros};

/// A break that a player is told of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Announced<'a> {
    pub(crate) airing: &'a Airing,
    /// Rounds of slate behind its ads. A player plays whole ones: as many as there is room for.
    pub(crate) rounds: u64,
    /// How long its ads and those rounds are together.
    pub(crate) content: Micros,
}

impl Announced<'_> {
    /// How long it was, where the source has come to its end. An end may be heard that is earlier than the one before, as
    /// long as it is not published.
    pub(crate) fn settled(&self, edge: UnixMicros) -> Option<Micros> {
        let Airing { t_in, structure, .. } = self.airing;
        let is_over = t_in.is_some_and(|t_in| t_in <= edge.plus(structure.tolerance));
        self.airing
            .length()
            .filter(|_| is_over && !self.airing.is_inserted())
    }
}

/// The breaks of a slice that anything is played in. One that begins before the one before it is over is void, as it is
/// where it would be stitched.
pub(crate) fn announced(slice: &Slice) -> impl Iterator<Item = Announced<'_>> {
    let mut over = UnixMicros(i64::MIN);
    slice.breaks.iter().filter_map(move |airing| {
        let Airing {
            out,
            planned,
            structure,
            ..
        } = airing;
        let overlaps = out.plus(structure.tolerance) < over;
        if airing.is_void() || structure.shape(*planned).segments == 0 || overlaps {
            return None;
        }
        over = match airing.is_inserted() {
            true => *out,
            false => airing.t_in.unwrap_or(out.plus(*planned)),
        };
        let filled = structure.filled();
        let (rounds, content) = match structure.after {
            After::Slate(round) => {
                let room = planned.plus(structure.tolerance).less(filled).0;
                let rounds = room.max(0) / round.length().0.max(1);
                (rounds, filled.plus(round.length().times(rounds)))
            }
            After::Wait | After::Resume => (0, filled),
        };
        Some(Announced {
            airing,
            rounds: rounds.unsigned_abs(),
            content,
        })
    })
}
