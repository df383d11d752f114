use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    tests::{at, back, listed, out},
    *,
};
use crate::{
    layout::Layout,
    structure::{After, Slot},
};

/// Something that is heard, and how far the edge has come until then, in seconds.
type Heard = (Cue, i64);

fn any_cue() -> impl Strategy<Value = Cue> {
    let key = prop_oneof![
        4 => (1..4_u32).prop_map(Key::Insert),
        2 => (1..3_u32, prop::sample::select(vec![0x22, 0x30, 0x34])).prop_map(|(event, start)| {
            Key::Segmentation { event, start: Some(start) }
        }),
        1 => Just(Key::Nameless),
    ];
    let ask = prop_oneof![
        6 => (prop::option::weighted(0.9, 0..50_i64), any::<bool>()).prop_map(|(planned, auto_return)| Ask::Out {
            planned: planned.map(Micros::from_seconds),
            auto_return,
        }),
        4 => Just(Ask::In),
        1 => Just(Ask::Cancel),
        1 => Just(Ask::ProgrammeEnd),
    ];
    let moment =
        prop_oneof![1 => Just(When::Now), 6 => (0..200_i64).prop_map(|seconds| When::At(at(seconds)))];
    (key, ask, moment).prop_map(|(key, ask, at)| Cue {
        key,
        ask,
        at,
        source: Source::Scte35,
    })
}

fn any_story() -> impl Strategy<Value = Vec<Heard>> {
    vec((any_cue(), 0..12_i64), 1..24)
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let slot = |seconds| Slot::cut(Micros::from_seconds(seconds), Micros::from_seconds(2)).unwrap();
    let after = prop_oneof![
        Just(After::Wait),
        Just(After::Resume),
        Just(After::Slate(slot(2)))
    ];
    (
        any::<(bool, bool, bool, bool)>(),
        0..5_i64,
        0..5_i64,
        0..60_i64,
        after,
    )
        .prop_map(
            move |(
                (returns_on_plan, early_return, ends_with_programme, keeps_parts),
                late,
                lead,
                overrun,
                after,
            )| Policy {
                default_length: Micros::from_seconds(30),
                max_length: Micros::from_seconds(80),
                max_overrun: Micros::from_seconds(overrun),
                max_late: Micros::from_seconds(late),
                lead: Micros::from_seconds(lead),
                returns_on_plan,
                early_return,
                ends_with_programme,
                keeps_parts,
                layout: Layout {
                    pod: vec![slot(6), slot(9), slot(12)],
                    after,
                    ..Layout::default()
                },
                ..Policy::default()
            },
        )
}

/// The log after each thing that was heard.
fn told(story: &[Heard], policy: &Policy) -> Vec<Log> {
    let mut edge = 0;
    let logs = story.iter().scan(Log::new("news"), |log, (cue, step)| {
        edge += step;
        *log = log.clone().hear(at(edge), cue, policy);
        Some(log.clone())
    });
    logs.collect()
}

proptest! {
    #[test]
    fn what_is_repeated_changes_nothing(story in any_story(), policy in any_policy()) {
        for (log, (cue, _)) in told(&story, &policy).into_iter().zip(&story) {
            prop_assert_eq!(log.clone().hear(log.edge(), cue, &policy), log);
        }
    }

    #[test]
    fn an_edge_may_come_in_steps_or_at_once(
        story in any_story(), policy in any_policy(), first in 0..100_i64, second in 0..100_i64,
    ) {
        let log = told(&story, &policy).pop().unwrap();
        let (near, far) = (Micros::from_seconds(first), Micros::from_seconds(first + second));
        let (near, far) = (log.edge().plus(near), log.edge().plus(far));
        let settled = |log: Log| {
            let breaks = log.breaks.into_iter().map(|one| Break { revision: 0, ..one });
            breaks.collect::<Vec<_>>()
        };
        let stepped = log.clone().tick(near, &policy).tick(far, &policy);
        prop_assert_eq!(settled(stepped), settled(log.tick(far, &policy)));
    }

    /// Once on air, a break is what it is but for its end, which is never put where media is published already.
    #[test]
    fn on_air_nothing_changes_but_the_end(story in any_story(), policy in any_policy()) {
        let logs = told(&story, &policy);
        for pair in logs.windows(2) {
            let [before, after] = pair else { unreachable!("windows of two") };
            let aired = before.breaks().iter().filter(|one| matches!(one.state, State::Open | State::Ended));
            for old in aired {
                let new = after.breaks().iter().find(|new| new.id == old.id && new.state.is_aired()).unwrap();
                let fixed = |one: &Break| Break {
                    told: Micros::ZERO,
                    due: UnixMicros::default(),
                    end: None,
                    state: State::Open,
                    revision: 0,
                    ..one.clone()
                };
                prop_assert_eq!(fixed(new), fixed(old));
                prop_assert!(new.revision >= old.revision);
                if old.state == State::Ended {
                    prop_assert_eq!(new, old);
                } else if new.t_in() != old.t_in() {
                    prop_assert!(new.until() >= before.edge(), "{:?} {:?}", old, new);
                }
            }
        }
    }

    /// What was played at some edge was played at every later one.
    #[test]
    fn nothing_that_was_played_is_taken_back(story in any_story(), policy in any_policy()) {
        let group = Name::new("main").unwrap();
        let logs = told(&story, &policy);
        for pair in logs.windows(2) {
            let [before, after] = pair else { unreachable!("windows of two") };
            for old in before.aired() {
                let played = old.airing(&group).shape_at(before.edge());
                if played.segments > 0 {
                    let new = after.aired().find(|new| new.id == old.id).unwrap();
                    let still = new.airing(&group).shape_at(after.edge());
                    prop_assert!(still.segments >= played.segments, "{:?} {:?}", old, new);
                }
            }
        }
    }

    #[test]
    fn what_is_known_too_late_is_void_for_everybody(story in any_story(), policy in any_policy()) {
        let group = Name::new("main").unwrap();
        for log in told(&story, &policy) {
            for one in log.breaks() {
                let is_late = one.effective_from > one.out;
                prop_assert!(!is_late || !one.state.is_aired(), "{:?}", one);
                prop_assert!(is_late || one.state != State::Void, "{:?}", one);
            }
            prop_assert!(log.slice(&group, &listed(0)).breaks.iter().all(|one| !one.is_void()));
        }
    }

    #[test]
    fn breaks_on_air_are_in_order_and_none_overlaps_another(story in any_story(), policy in any_policy()) {
        for log in told(&story, &policy) {
            let aired: Vec<_> = log.aired().collect();
            for pair in aired.windows(2) {
                let [one, next] = pair else { unreachable!("windows of two") };
                prop_assert!(one.until() <= next.out, "{:?} {:?}", one, next);
            }
            let mut ids: Vec<_> = aired.iter().map(|one| &one.id).collect();
            ids.sort();
            ids.dedup();
            prop_assert_eq!(ids.len(), aired.len());
        }
    }

    /// Begins and ends of breaks that are apart, heard in time: whichever comes first.
    #[test]
    fn the_order_of_messages_does_not_matter(
        breaks in vec((1..40_i64, 0..60_i64), 1..6), order in vec(any::<Index>(), 0..24), policy in any_policy(),
    ) {
        let mut cues = Vec::new();
        for (index, (length, early)) in breaks.iter().enumerate() {
            let (key, begin) = (u32::try_from(index).unwrap(), i64::try_from(index).unwrap() * 100 + 10);
            cues.push(out(key, begin, *length, false));
            cues.push(back(key, begin + 1 + early % length));
        }
        let hear = |cues: &[Cue]| {
            let log = cues.iter().fold(Log::new("news"), |log, cue| log.hear(at(0), cue, &policy));
            let breaks = log.breaks.into_iter().map(|one| Break { revision: 0, ..one });
            breaks.collect::<Vec<_>>()
        };
        let before = hear(&cues);
        for (at, other) in order.iter().enumerate() {
            let count = cues.len();
            cues.swap(at % count, other.index(count));
        }
        prop_assert_eq!(hear(&cues), before);
    }

    #[test]
    fn a_log_is_read_as_it_is_written(story in any_story(), policy in any_policy()) {
        let log = told(&story, &policy).pop().unwrap();
        prop_assert_eq!(Log::read(&serde_json::to_vec(&log).unwrap()).unwrap(), log);
    }
}
