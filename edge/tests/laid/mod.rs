//! Channels whose breaks lie as tests want them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use proptest::{prelude::*, test_runner::FileFailurePersistence};
use selvedge_breaks::{After, Micros, Slot, Structure};

use crate::channel::{BEGIN, Channel, Keys, Planned, TOLERANCE};

/// Ads are announced so long before they air.
pub(crate) const LEAD: Micros = Micros::from_seconds(4);

/// As many cases as `PROPTEST_CASES` says, and a few where it says nothing. What has failed once is kept beside the test.
pub(crate) fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() {
            default.cases
        } else {
            64
        },
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..default
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
            known: true,
            structure: Structure {
                slots: slots.clone(),
                after: After::Wait,
                tolerance: TOLERANCE,
            },
        }
    });
    let mut channel = Channel {
        segment,
        parts,
        target: 2,
        keys: Keys::None,
        dates_all: false,
        programme: Vec::new(),
        breaks: breaks.collect(),
        first: 900_000,
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
    ads: Vec<i64>,
    /// Of the ads, in milliseconds.
    cadence: i64,
    after: u8,
    /// What no ad fills.
    spare: i64,
    early: Option<i64>,
    known: bool,
}

prop_compose! {
    fn wish()(
        gap in 0_i64..200,
        ads in proptest::collection::vec(5_i64..120, 0..4),
        cadence in prop_oneof![Just(1920_i64), Just(2000), Just(1000), Just(3840)],
        after in 0..3_u8,
        spare in 0_i64..40,
        early in prop_oneof![2 => Just(None), 1 => (0_i64..200).prop_map(Some)],
        known in any::<bool>(),
    ) -> Wish {
        Wish { gap, ads, cadence, after, spare, early, known }
    }
}

/// Breaks one behind the other, in tenths of seconds from the begin.
///
/// What was shown in parts cannot be taken back: in a channel with parts, an end that comes early is the end of the ad's
/// segment on air.
fn lay(wishes: Vec<Wish>, segment: Micros, has_parts: bool) -> Vec<Planned> {
    let tenth = |count: i64| Micros::from_millis(100 * count);
    let mut at = segment.times(12);
    let mut breaks = Vec::new();
    for Wish {
        gap,
        ads,
        cadence,
        after,
        spare,
        early,
        known,
    } in wishes
    {
        // Half of the gaps are none: breaks that meet.
        let gap = if gap < 60 && !breaks.is_empty() {
            0
        } else {
            gap + 20
        };
        let out = BEGIN.plus(at.plus(tenth(gap)));
        let slots: Vec<Slot> = ads
            .iter()
            .filter_map(|ad| Slot::cut(tenth(*ad), Micros::from_millis(cadence)))
            .collect();
        let structure = Structure {
            slots,
            after: match after {
                0 => After::Wait,
                1 => After::Resume,
                _ => {
                    After::Slate(Slot::new(1, Micros::from_millis(1000), Micros::from_millis(1000)).unwrap())
                }
            },
            tolerance: TOLERANCE,
        };
        // Time that nobody fills is less than a segment.
        let spare = if after == 0 { spare % 10 } else { spare };
        let length = structure.filled().plus(tenth(spare)).0.max(1_000_000);
        let length = Micros(length);
        let t_in = early.map_or(length, |early| Micros(tenth(early).0.clamp(500_000, length.0)));
        let whole = structure
            .places()
            .take(1000)
            .map(|place| place.end)
            .find(|end| *end >= t_in);
        let t_in = whole.filter(|_| has_parts).unwrap_or(t_in);
        at = out.plus(t_in).since(BEGIN);
        breaks.push(Planned {
            out,
            length,
            t_in: out.plus(t_in),
            known: known || early.is_none(),
            structure,
        });
    }
    breaks
}

prop_compose! {
    pub(crate) fn any_channel(may_have_parts: bool)(
        millis in prop_oneof![Just(1920_i64), Just(2000), Just(2002)],
        parts in proptest::option::of(Just(4_u32)).prop_map(move |parts| parts.filter(|_| may_have_parts)),
        keys in prop_oneof![2 => Just(Keys::None), 1 => Just(Keys::MultiDrm), 1 => Just(Keys::Aes128)],
        dates_all in any::<bool>(),
        first in prop_oneof![Just(0_u64), 0_u64..1_000_000],
        wishes in proptest::collection::vec(wish(), 1..5),
        breaks_off in proptest::collection::vec(1_usize..60, 0..4),
    ) -> Channel {
        let segment = Micros::from_millis(millis);
        let mut channel = Channel {
            segment,
            parts,
            target: 6,
            keys,
            dates_all,
            programme: Vec::new(),
            breaks: lay(wishes, segment, parts.is_some()),
            first,
        };
        let last = channel.breaks.last().unwrap().t_in.since(BEGIN);
        let segments = usize::try_from(last.0 / segment.0).unwrap() + 40;
        channel.cut(segments, &breaks_off);
        channel
    }
}
