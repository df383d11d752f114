//! A channel that does not exist: its programme, its breaks, and the documents that its origin serves at any moment.

#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod ledger;
mod mpd;
mod playlist;

use std::{ops::Range, sync::Arc};

use ledger::{Ledger, Settled, holds_any};
#[allow(unused_imports, reason = "each test file uses its own part")]
pub(crate) use mpd::Addressing;
use selvedge_breaks::{Airing, Anchor, Decision, Micros, Return, Slice, Structure, Sums, UnixMicros};

/// 2026-01-01T20:00:00Z.
pub(crate) const BEGIN: UnixMicros = UnixMicros(1_767_297_600_000_000);
pub(crate) const TOLERANCE: Micros = Micros::from_millis(40);
/// By how much a segment of sound may begin elsewhere than that of the pictures: half a frame.
pub(crate) const ROUNDING: Micros = Micros::from_millis(11);

/// How a channel's media is encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keys {
    None,
    /// Two systems of one key.
    MultiDrm,
    /// With the segment's number as initialisation vector.
    Aes128,
}

/// A channel.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) segment: Micros,
    /// Parts of a segment, in a channel of low latency.
    pub(crate) parts: Option<u32>,
    pub(crate) target: i64,
    pub(crate) keys: Keys,
    /// Whether every segment has a date, or only those that need one.
    pub(crate) dates_all: bool,
    /// Whether sound is cut between its frames in playlists too, near where pictures are.
    pub(crate) sound_apart: bool,
    /// Source segments by their index, each with its own discontinuities before it.
    pub(crate) programme: Vec<Piece>,
    /// By time; none begins before the one before it has ended.
    pub(crate) breaks: Vec<Planned>,
    pub(crate) first: u64,
    /// What follows from the programme and the breaks.
    pub(crate) ledger: Ledger,
}

/// A source segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) start: UnixMicros,
    pub(crate) length: Micros,
    pub(crate) breaks_off: bool,
}

/// A break as it will have been.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) out: UnixMicros,
    pub(crate) length: Micros,
    /// Its real end.
    pub(crate) t_in: UnixMicros,
    pub(crate) foreseen: Foreseen,
    pub(crate) structure: Structure,
    pub(crate) fill: Fill,
}

/// What is known of a break's end before it has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Foreseen {
    Exactly,
    /// Nothing: it is open.
    Nothing,
    /// The plan, which turns out otherwise while the break is on air.
    Plan,
}

/// What there is to fill a break with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fill {
    /// An ad for each slot.
    Whole,
    /// The first ad has a segment too many.
    Miscut,
    /// No decision.
    Undecided,
}

/// The shortest segment that an encoder makes between two others.
const SHORTEST: Micros = Micros::from_millis(100);

/// What a source lists: whole segments, and parts of the one behind.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) window: Range<usize>,
    pub(crate) parts: u32,
}

impl Planned {
    /// What nothing fits in any more before its end, where the programme waits for that.
    fn hole(&self) -> Micros {
        let length = self.t_in.since(self.out);
        let last = self.structure.within(length).last();
        last.map_or(Micros::ZERO, |last| length.less(last.end))
    }
}

impl View {
    /// Without the first segments.
    pub(crate) fn shorter(&self, by: usize) -> Self {
        Self {
            window: self.window.start + by..self.window.end,
            ..*self
        }
    }
}

impl Channel {
    /// Cuts a programme at its cadence, and anew where breaks begin and end.
    pub(crate) fn cut(&mut self, segments: usize, breaks_off: &[usize]) {
        let mut cuts: Vec<UnixMicros> = self.breaks.iter().flat_map(|brk| [brk.out, brk.t_in]).collect();
        cuts.sort();
        self.cut_at(&cuts, segments, breaks_off);
    }

    /// Cuts a programme at its cadence, and anew at some moments.
    pub(crate) fn cut_at(&mut self, cuts: &[UnixMicros], segments: usize, breaks_off: &[usize]) {
        let mut at = BEGIN;
        self.programme.clear();
        while self.programme.len() < segments {
            // An encoder makes no segment of a few frames: it lets the one beside it be longer.
            let is_apart = |grid: &UnixMicros| {
                let next = cuts.partition_point(|cut| cut < grid);
                let cut = cuts.get(next).map(|cut| cut.since(*grid));
                grid.since(at) >= SHORTEST
                    && cut.is_none_or(|ahead| ahead == Micros::ZERO || ahead >= SHORTEST)
            };
            let slot = at.since(BEGIN).0 / self.segment.0;
            let mut grid = (slot + 1..).map(|slot| BEGIN.plus(self.segment.times(slot)));
            let grid = grid.find(is_apart).unwrap();
            let next = cuts.get(cuts.partition_point(|cut| *cut <= at));
            let next = next.map_or(grid, |cut| grid.min(*cut));
            self.programme.push(Piece {
                start: at,
                length: next.since(at),
                breaks_off: breaks_off.contains(&self.programme.len()),
            });
            at = next;
        }
        self.ledger = Ledger::of(self);
    }

    pub(crate) fn number(&self, index: usize) -> u64 {
        self.first + index as u64
    }

    /// The discontinuity sequence number of a segment.
    fn discontinuity(&self, index: usize) -> u64 {
        self.ledger.discontinuities[index]
    }

    fn part(&self) -> Micros {
        Micros(self.segment.0 / i64::from(self.parts.unwrap_or(1)))
    }

    /// The parts that a segment is listed in.
    fn part_count(&self, piece: &Piece) -> u32 {
        u32::try_from((piece.length.0 + self.part().0 - 1) / self.part().0).unwrap()
    }

    /// All views of a channel whose window has so many segments, one after the other.
    pub(crate) fn views(&self, window: usize) -> impl Iterator<Item = View> {
        (window..self.programme.len()).flat_map(move |end| {
            let parts = self.parts.map_or(1, |_| self.part_count(&self.programme[end]));
            (0..parts).map(move |parts| View {
                window: end - window..end,
                parts,
            })
        })
    }

    /// Whether a view holds what every live playlist does: three target durations (RFC 8216bis §6.2.2).
    pub(crate) fn is_live(&self, view: &View) -> bool {
        let begin = self.programme[view.window.start].start;
        self.edge(view).since(begin) >= Micros::from_seconds(3 * self.target)
    }

    /// How long nothing is shown between two moments, at the ends of breaks.
    pub(crate) fn holes(&self, from: UnixMicros, to: UnixMicros) -> Micros {
        let ended = self
            .breaks
            .iter()
            .filter(|brk| from < brk.t_in && brk.t_in <= to.plus(TOLERANCE));
        ended.fold(Micros::ZERO, |sum, brk| sum.plus(brk.hole()))
    }

    /// The end of what a view lists.
    pub(crate) fn edge(&self, view: &View) -> UnixMicros {
        let next = &self.programme[view.window.end];
        next.start
            .plus(self.part().times(i64::from(view.parts)).min(next.length))
    }

    /// The first segment that begins at a moment or later, within the tolerance. Where one begins just there, it counts on
    /// all renditions, whose segments are cut a little elsewhere: an origin keeps them in step.
    fn segment_at(&self, at: UnixMicros) -> usize {
        let at = at.less(TOLERANCE);
        self.programme
            .partition_point(|piece| piece.start < at.less(ROUNDING))
    }

    /// What is known at a view of a break that will have been so: an end that is open, and no number of a segment that is
    /// not listed.
    fn known(&self, view: &View, settled: &Settled, brk: &Planned) -> Airing {
        let edge = self.edge(view);
        let mut airing = settled.airing.clone();
        // A plan that is too short is corrected before anything that was to follow it is listed.
        let corrected = brk.out.plus(brk.length).less(self.segment.times(2)).min(brk.t_in);
        airing.t_in = match brk.foreseen {
            Foreseen::Nothing if edge < brk.t_in => None,
            Foreseen::Plan if brk.t_in < brk.out.plus(brk.length) && edge < brk.t_in => {
                Some(brk.out.plus(brk.length))
            }
            Foreseen::Plan if edge < corrected => Some(brk.out.plus(brk.length)),
            _ => Some(brk.t_in),
        };
        airing.anchor = None;
        airing
    }

    /// The slice of the break log that travels with a view; with `older` breaks that it could do without.
    pub(crate) fn slice(&self, view: &View, lead: Micros, older: usize) -> Slice {
        let edge = self.edge(view);
        let first = self.number(view.window.start);
        let settled = &self.ledger.breaks;
        let is_behind = |settled: &Settled| settled.back().is_some_and(|back| back.msn_in < first);
        let from = settled.partition_point(is_behind).saturating_sub(older);
        let mut slice = Slice {
            before: settled.get(from).map_or_else(Sums::default, |one| one.before),
            breaks: Vec::new(),
        };
        if from == settled.len() && from > 0 {
            let last = &settled[from - 1];
            slice.before = last.before.plus(last.airing.sums().unwrap());
            slice.before.dsn -= i64::from(last.meets);
        }
        let last = from.checked_sub(1).and_then(|last| settled.get(last));
        let mut before: Option<Return> = last.filter(|last| last.holds_any()).and_then(Settled::back);
        let listed = |at: UnixMicros| {
            let index = self.segment_at(at);
            let piece = self.programme.get(index)?;
            (index < view.window.end || (index == view.window.end && edge > piece.start)).then_some(index)
        };
        for (settled, brk) in settled.iter().zip(&self.breaks).skip(from) {
            if brk.out > edge.plus(lead) {
                break;
            }
            let mut airing = self.known(view, settled, brk);
            let out = listed(brk.out);
            // Where two breaks meet, the second begins where the first has ended: with one discontinuity for both.
            let is_filled = holds_any(&airing);
            let meets =
                before.filter(|back| is_filled && out.is_some_and(|out| self.number(out) == back.msn_in));
            airing.anchor = out.map(|out| Anchor {
                msn_out: self.number(out),
                dsn_before: match (meets, out.checked_sub(1)) {
                    (Some(back), _) => back.dsn_in,
                    (None, Some(before)) => self.discontinuity(before),
                    (None, None) => 0,
                },
                back: airing.rejoin().and_then(listed).map(|back| Return {
                    msn_in: self.number(back),
                    dsn_in: self.discontinuity(back),
                }),
            });
            if meets.is_some() && slice.breaks.is_empty() {
                slice.before.dsn -= 1;
            }
            before = airing.anchor.and_then(|anchor| anchor.back).filter(|_| is_filled);
            slice.breaks.push(airing);
        }
        slice
    }

    /// The slice that an MPD of a view has: without numbers, and with `older` breaks more than the last one before the
    /// window.
    pub(crate) fn slice_by_time(&self, view: &View, lead: Micros, older: usize) -> Slice {
        let edge = self.edge(view);
        let begin = self.programme[view.window.start].start.less(TOLERANCE);
        let settled = &self.ledger.breaks;
        let over = settled.partition_point(|one| one.airing.t_in.is_some_and(|t_in| t_in < begin));
        // A break that nothing fits in leaves the programme, whose Period is another's then.
        let last = settled[..over].iter().rposition(Settled::holds_any);
        let from = last.unwrap_or(0).saturating_sub(older);
        let breaks = settled.iter().zip(&self.breaks).skip(from);
        let breaks = breaks.take_while(|(_, brk)| brk.out <= edge.plus(lead));
        Slice {
            breaks: breaks
                .map(|(settled, brk)| self.known(view, settled, brk))
                .collect(),
            ..Slice::default()
        }
    }

    /// The decision for each break of a slice that has one.
    pub(crate) fn decisions(&self, slice: &Slice) -> Vec<Arc<Decision>> {
        let settled = &self.ledger.breaks;
        let of = |airing: &Airing| {
            let index = settled.partition_point(|one| one.airing.out < airing.out);
            settled[index].decision.clone()
        };
        slice.breaks.iter().filter_map(of).collect()
    }
}

/// Microseconds as seconds.
struct Decimal(i64);

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
