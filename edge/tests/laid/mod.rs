//! Channels whose breaks lie as tests want them, and those who look at them.

#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use proptest::{
    prelude::*,
    test_runner::{FileFailurePersistence, RngSeed},
};
use selvedge_breaks::{After, Micros, Slot, Structure, UnixMicros};

use crate::channel::{BEGIN, Channel, Fill, Foreseen, Keys, Planned, TOLERANCE};

/// Ads are announced so long before they air.
pub(crate) const LEAD: Micros = Micros::from_seconds(4);

/// As many cases as `PROPTEST_CASES` says, each time others; where it says nothing a few, which are always the same. What
/// has failed once is kept beside the test.
pub(crate) fn cases(few: u32) -> ProptestConfig {
    let persistence = FileFailurePersistence::WithSource("regressions");
    let config = ProptestConfig {
        failure_persistence: Some(Box::new(persistence)),
        ..ProptestConfig::default()
    };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig {
            cases: few,
            rng_seed: RngSeed::Fixed(8216),
            ..config
        },
    }
}

pub(crate) fn hours(default: i64) -> i64 {
    std::env::var("SELVEDGE_HOURS").map_or(default, |hours| hours.parse().unwrap())
}

/// A channel with a break of three ads every eight minutes.
pub(crate) fn every_eight_minutes(hours: i64, parts: Option<u32>) -> Channel {
    let segment = Micros::from_millis(1920);
    let slot = |segments| Slot::new(segments, segment, segment).unwrap();
    let slots = vec![slot(10), slot(15), slot(6)];
    let length = segment.times(31);
    let breaks = (0..hours * 3600 / 480).map(|index| {
        let out = BEGIN.plus(segment.times(250 * index + 125));
        Planned {
            out,
            length,
            t_in: out.plus(length),
            foreseen: Foreseen::Exactly,
            structure: Structure {
                slots: slots.clone(),
                after: After::Wait,
                tolerance: TOLERANCE,
            },
            fill: Fill::Whole,
        }
    });
    let mut channel = Channel {
        segment,
        parts,
        target: 2,
        keys: Keys::None,
        dates_all: false,
        sound_apart: true,
        programme: Vec::new(),
        breaks: breaks.collect(),
        first: 900_000,
        ledger: Default::default(),
    };
    let segments = usize::try_from(hours * 3_600_000_000 / segment.0).unwrap();
    channel.cut(segments, &[]);
    channel
}

/// A break to be laid behind others; times in tenths of seconds.
#[derive(Clone, Debug)]
struct Wish {
    /// After the one before.
    gap: i64,
    /// And so many microseconds more: a frame is no round number of them.
    odd: i64,
    ads: Vec<i64>,
    /// Of the ads, in milliseconds.
    cadence: i64,
    after: u8,
    /// What no ad fills.
    spare: i64,
    end: End,
    foreseen: Foreseen,
    fill: Fill,
}

/// When a break ends.
#[derive(Clone, Copy, Debug)]
enum End {
    AsPlanned,
    Early(i64),
    /// So long behind its plan.
    Late(i64),
}

/// What channels may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Scope {
    pub(crate) parts: bool,
    /// Breaks that there is nothing to fill with.
    pub(crate) unfilled: bool,
}

prop_compose! {
    fn wish()(
        gap in 0_i64..200,
        odd in prop_oneof![2 => Just(0_i64), 1 => 1_i64..100_000],
        ads in proptest::collection::vec(5_i64..120, 0..4),
        cadence in prop_oneof![Just(1920_i64), Just(2000), Just(1000), Just(3840)],
        after in 0..3_u8,
        spare in 0_i64..40,
        end in prop_oneof![
            2 => Just(End::AsPlanned), 1 => (0_i64..200).prop_map(End::Early), 1 => (1_i64..60).prop_map(End::Late),
        ],
        foreseen in prop_oneof![Just(Foreseen::Exactly), Just(Foreseen::Nothing), Just(Foreseen::Plan)],
        fill in prop_oneof![6 => Just(Fill::Whole), 1 => Just(Fill::Miscut), 1 => Just(Fill::Undecided)],
    ) -> Wish {
        Wish { gap, odd, ads, cadence, after, spare, end, foreseen, fill }
    }
}

/// Breaks one behind the other.
///
/// What was shown in parts cannot be taken back: in a channel with parts, an end that is not the planned one is the end of
/// the ad's segment on air.
fn lay(wishes: Vec<Wish>, segment: Micros, has_parts: bool, scope: Scope) -> Vec<Planned> {
    let tenth = |count: i64| Micros::from_millis(100 * count);
    let mut at = segment.times(12);
    let mut breaks = Vec::new();
    for wish in wishes {
        // A third of the gaps are none: breaks that meet.
        let gap = if wish.gap < 60 && !breaks.is_empty() {
            Micros::ZERO
        } else {
            tenth(wish.gap + 20).plus(Micros(wish.odd))
        };
        let out = BEGIN.plus(at.plus(gap));
        let slots = wish.ads.iter();
        let slots = slots.filter_map(|ad| Slot::cut(tenth(*ad), Micros::from_millis(wish.cadence)));
        let round = Micros::from_millis(1000);
        let structure = Structure {
            slots: slots.collect(),
            after: match wish.after {
                0 => After::Wait,
                1 => After::Resume,
                _ => After::Slate(Slot::new(1, round, round).unwrap()),
            },
            tolerance: TOLERANCE,
        };
        // Time that nobody fills is less than a segment.
        let spare = if wish.after == 0 {
            wish.spare % 10
        } else {
            wish.spare
        };
        let length = structure.filled().plus(tenth(spare)).max(round);
        let lasts = match wish.end {
            End::Early(early) => Micros(tenth(early).0.clamp(500_000, length.0)),
            // Nothing is there to be shown for longer than what it is filled with.
            End::Late(late) if structure.after != After::Wait => length.plus(tenth(late)),
            End::Late(_) | End::AsPlanned => length,
        };
        let ends = structure.places().take(1000).map(|place| place.end);
        let whole = ends.into_iter().find(|end| *end >= lasts);
        let lasts = whole.filter(|_| has_parts && lasts != length).unwrap_or(lasts);
        at = out.plus(lasts).since(BEGIN);
        breaks.push(Planned {
            out,
            length,
            t_in: out.plus(lasts),
            foreseen: if lasts == length {
                Foreseen::Exactly
            } else {
                wish.foreseen
            },
            structure,
            fill: if scope.unfilled { wish.fill } else { Fill::Whole },
        });
    }
    breaks
}

prop_compose! {
    pub(crate) fn any_channel(scope: Scope)(
        segment in prop_oneof![
            2 => Just(1_920_000_i64), 2 => Just(2_000_000), 1 => Just(2_002_000), 1 => Just(1_601_600),
        ],
        parts in proptest::option::of(Just(4_u32)).prop_map(move |parts| parts.filter(|_| scope.parts)),
        keys in prop_oneof![2 => Just(Keys::None), 1 => Just(Keys::MultiDrm), 1 => Just(Keys::Aes128)],
        (dates_all, sound_apart) in any::<(bool, bool)>(),
        first in prop_oneof![Just(0_u64), 0_u64..1_000_000],
        wishes in proptest::collection::vec(wish(), 1..5),
        breaks_off in proptest::collection::vec(1_usize..60, 0..4),
    ) -> Channel {
        let segment = Micros(segment);
        let mut channel = Channel {
            segment,
            parts,
            target: 6,
            keys,
            dates_all,
            sound_apart,
            programme: Vec::new(),
            breaks: lay(wishes, segment, parts.is_some(), scope),
            first,
            ledger: Default::default(),
        };
        channel.cut(length(&channel), &breaks_off);
        channel
    }
}

prop_compose! {
    /// A channel whose segments are found by their numbers: all of one length, wherever its breaks lie.
    pub(crate) fn any_channel_of_numbers()(
        millis in prop_oneof![Just(1920_i64), Just(2000), Just(2002)],
        first in prop_oneof![Just(0_u64), 0_u64..1_000_000],
        wishes in proptest::collection::vec(wish(), 1..5),
    ) -> Channel {
        let segment = Micros::from_millis(millis);
        let scope = Scope { parts: false, unfilled: false };
        let mut channel = Channel {
            segment,
            parts: None,
            target: 6,
            keys: Keys::None,
            dates_all: true,
            sound_apart: false,
            programme: Vec::new(),
            breaks: lay(wishes, segment, false, scope),
            first,
            ledger: Default::default(),
        };
        channel.cut_at(&[], length(&channel), &[]);
        channel
    }
}

/// How many segments a channel has: all of its breaks leave every window.
fn length(channel: &Channel) -> usize {
    let last = channel.breaks.last().unwrap().t_in.since(BEGIN);
    usize::try_from(last.0 / channel.segment.0).unwrap() + 40
}

/// When players look, and what other edges know: each list is gone through again and again.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// How many views lie between two looks of a player.
    pub(crate) strides: Vec<usize>,
    /// Of how many of a window's first segments another edge's source knows nothing.
    pub(crate) shorter: Vec<usize>,
    /// How many breaks another edge knows that it could do without.
    pub(crate) older: Vec<usize>,
}

prop_compose! {
    pub(crate) fn habits()(
        strides in proptest::collection::vec(1_usize..6, 1..6),
        shorter in proptest::collection::vec(0_usize..20, 1..6),
        older in proptest::collection::vec(1_usize..4, 1..4),
    ) -> Habits {
        Habits { strides, shorter, older }
    }
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            strides: vec![1],
            shorter: vec![5],
            older: vec![1],
        }
    }
}

impl Habits {
    /// At which views of so many a player looks.
    pub(crate) fn looks(&self) -> impl Iterator<Item = usize> {
        let strides = self.strides.iter().cycle();
        strides.scan(0, |at, stride| {
            *at += stride;
            Some(*at)
        })
    }

    /// By how much the window of another edge is shorter at a view.
    pub(crate) fn shorter(&self, moment: usize, window: usize) -> usize {
        let shorter = self.shorter[moment % self.shorter.len()];
        shorter.min(window - 4)
    }

    pub(crate) fn older(&self, moment: usize) -> usize {
        self.older[moment % self.older.len()]
    }
}

/// What befalls the breaks of a channel, seen through a window of so many segments.
pub(crate) fn befalls(channel: &Channel, window: usize) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut is = |what: &'static str, is: bool| {
        if is {
            found.push(what);
        }
    };
    is("parts", channel.parts.is_some());
    is("keys", channel.keys == Keys::MultiDrm);
    is("implicit initialisation vectors", channel.keys == Keys::Aes128);
    is("several breaks", channel.breaks.len() > 1);
    let mut before: Option<UnixMicros> = None;
    for brk in &channel.breaks {
        let length = brk.t_in.since(brk.out);
        let held: Vec<_> = brk.structure.within(length).collect();
        let end = held.last().map_or(Micros::ZERO, |last| last.end);
        let is_short = end.plus(TOLERANCE) < length;
        let breaks_off = |piece: &&crate::channel::Piece| piece.breaks_off;
        let inside = channel
            .programme
            .iter()
            .filter(breaks_off)
            .any(|piece| brk.out < piece.start && piece.start < brk.t_in);
        let at_end = channel
            .programme
            .iter()
            .filter(breaks_off)
            .any(|piece| piece.start == brk.t_in);
        let played = held.len() as i64;
        let replaced = channel
            .programme
            .iter()
            .filter(|piece| brk.out <= piece.start && piece.start < brk.t_in)
            .count() as i64;
        is("holds nothing", held.is_empty());
        is("off the grid", brk.out.since(BEGIN).0 % channel.segment.0 != 0);
        is("at no millisecond", brk.out.0 % 1000 != 0);
        is("meets the one before", before == Some(brk.out));
        is("ends early", length < brk.length);
        is(
            "ends early, open",
            length < brk.length && brk.foreseen == Foreseen::Nothing,
        );
        is(
            "ends early, against its plan",
            length < brk.length && brk.foreseen == Foreseen::Plan,
        );
        is(
            "ends late, open",
            length > brk.length && brk.foreseen == Foreseen::Nothing,
        );
        is(
            "ends late, against its plan",
            length > brk.length && brk.foreseen == Foreseen::Plan,
        );
        is(
            "slate behind the ads",
            held.iter().any(|place| place.is_slate && place.slot > 0),
        );
        is(
            "resumes by itself",
            brk.structure.after == After::Resume && is_short && !held.is_empty(),
        );
        is(
            "a hole behind the ads",
            brk.structure.after == After::Wait && is_short && !held.is_empty(),
        );
        is("a discontinuity inside", inside);
        is("a discontinuity at its end", at_end);
        is("other numbers behind it", played != replaced);
        is(
            "longer than the window",
            length > channel.segment.times(window as i64) && !held.is_empty(),
        );
        is("undecided", brk.fill == Fill::Undecided && !held.is_empty());
        is("miscut", brk.fill == Fill::Miscut && held.len() > 1);
        before = Some(brk.t_in);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// All that [`befalls`] knows.
pub(crate) const ALL_THAT_BEFALLS: [&str; 22] = [
    "parts",
    "keys",
    "implicit initialisation vectors",
    "several breaks",
    "holds nothing",
    "off the grid",
    "at no millisecond",
    "meets the one before",
    "ends early",
    "ends early, open",
    "ends early, against its plan",
    "ends late, open",
    "ends late, against its plan",
    "slate behind the ads",
    "resumes by itself",
    "a hole behind the ads",
    "a discontinuity inside",
    "a discontinuity at its end",
    "other numbers behind it",
    "longer than the window",
    "undecided",
    "miscut",
];
