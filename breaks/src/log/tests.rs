use super::*;
use crate::{
    airing::{Anchor, Return},
    layout::Layout,
    signal::{Clock, Openers, Signal},
    structure::{After, Slot},
    time::{Pts, Ticks},
};

const START: UnixMicros = UnixMicros(1_767_297_616_000_000);

pub(super) fn at(seconds: i64) -> UnixMicros {
    START.plus(Micros::from_seconds(seconds))
}

pub(super) fn out(key: u32, seconds: i64, planned: i64, auto_return: bool) -> Cue {
    Cue {
        key: Key::Insert(key),
        ask: Ask::Out {
            planned: Some(Micros::from_seconds(planned)),
            auto_return,
        },
        at: When::At(at(seconds)),
        source: Source::Scte35,
    }
}

pub(super) fn back(key: u32, seconds: i64) -> Cue {
    Cue {
        key: Key::Insert(key),
        ask: Ask::In,
        at: When::At(at(seconds)),
        source: Source::Scte35,
    }
}

/// A window that begins then.
pub(super) fn listed(seconds: i64) -> Listed {
    Listed {
        start: at(seconds),
        first: None,
        until: at(86_400),
    }
}

fn policy() -> Policy {
    let cut = |seconds| Slot::cut(Micros::from_seconds(seconds), Micros::from_seconds(2)).unwrap();
    Policy {
        layout: Layout {
            pod: vec![cut(10), cut(10)],
            after: After::Slate(cut(2)),
            ..Layout::default()
        },
        ..Policy::default()
    }
}

fn heard(edge: i64, cues: &[Cue]) -> Log {
    let hear = |log: Log, cue| log.hear(at(edge), cue, &policy());
    cues.iter().fold(Log::new("news"), hear)
}

fn only(log: &Log) -> &Break {
    let [one] = log.breaks() else {
        panic!("{log:?}");
    };
    one
}

#[test]
fn a_break_is_announced_opens_at_the_edge_and_ends_by_itself() {
    let log = heard(-10, &[out(7, 0, 20, true)]);
    assert_eq!(only(&log).state, State::Announced);
    assert_eq!(only(&log).id.as_str(), "news-1767297616000-si:7");
    assert_eq!(only(&log).t_in(), Some(at(20)));
    let log = log.tick(at(0), &policy());
    assert_eq!(only(&log).state, State::Open);
    let log = log.tick(at(20), &policy());
    assert_eq!((only(&log).state, only(&log).end), (State::Ended, Some(at(20))));
}

#[test]
fn an_announced_break_moves_and_one_on_air_does_not() {
    let log = heard(-10, &[out(7, 0, 20, true), out(7, 4, 30, true)]);
    assert_eq!(
        (only(&log).out, only(&log).planned),
        (at(4), Micros::from_seconds(30))
    );
    assert_eq!(only(&log).revision, 2);
    let log = log.hear(at(6), &out(7, 8, 30, true), &policy());
    assert_eq!(only(&log).out, at(4));
}

#[test]
fn on_air_a_new_length_moves_the_end_alone_and_never_behind_the_edge() {
    let log = heard(-10, &[out(7, 0, 20, true)]).tick(at(5), &policy());
    let before = only(&log).clone();
    let log = log.hear(at(5), &out(7, 0, 40, true), &policy());
    assert_eq!(only(&log).t_in(), Some(at(40)));
    assert_eq!(only(&log).planned, before.planned);
    assert_eq!(only(&log).structure, before.structure);
    let log = log.hear(at(10), &out(7, 0, 2, true), &policy());
    assert_eq!(
        (only(&log).state, only(&log).t_in()),
        (State::Ended, Some(at(10)))
    );
}

#[test]
fn a_begin_that_is_a_little_late_begins_at_the_edge_and_one_that_is_later_is_void() {
    let log = heard(1, &[out(7, 0, 20, true)]);
    assert_eq!((only(&log).out, only(&log).t_in()), (at(1), Some(at(20))));
    assert_eq!(only(&log).state, State::Open);
    let log = heard(3, &[out(7, 0, 20, true)]);
    assert_eq!((only(&log).out, only(&log).state), (at(0), State::Void));
    assert!(only(&log).effective_from > only(&log).out);
    assert_eq!(log.aired().count(), 0);
}

#[test]
fn at_once_is_at_the_edge() {
    let now = Cue {
        at: When::Now,
        ..out(7, 0, 20, true)
    };
    let log = heard(3, std::slice::from_ref(&now));
    assert_eq!((only(&log).out, only(&log).state), (at(3), State::Open));
    let log = log.hear(at(5), &now, &policy());
    assert_eq!(only(&log).out, at(3));
    let end = Cue {
        at: When::Now,
        ..back(7, 0)
    };
    let log = log.hear(at(9), &end, &policy());
    assert_eq!((only(&log).end, only(&log).state), (Some(at(9)), State::Ended));
}

#[test]
fn a_break_that_nobody_ends_overruns_for_so_long_and_no_longer() {
    let log = heard(-10, &[out(7, 0, 20, false)]).tick(at(100), &policy());
    assert_eq!((only(&log).state, only(&log).t_in()), (State::Open, None));
    let ended = log.clone().hear(at(100), &back(7, 110), &policy());
    assert_eq!(only(&ended).t_in(), Some(at(110)));
    let log = log.tick(at(1000), &policy());
    assert_eq!((only(&log).state, only(&log).end), (State::Ended, Some(at(140))));
    let log = heard(-10, &[out(7, 0, 20, false), out(8, 50, 20, true)]).tick(at(55), &policy());
    let ends: Vec<_> = log.aired().map(Break::t_in).collect();
    assert_eq!(ends, [Some(at(50)), Some(at(70))]);
}

#[test]
fn an_advertisement_inside_an_opportunity_is_no_break_of_its_own() {
    let of = |start, seconds, planned| Cue {
        key: Key::Segmentation {
            event: 1,
            start: Some(start),
        },
        ..out(0, seconds, planned, true)
    };
    // In whichever order they come.
    for cues in [
        [of(0x34, 0, 60), of(0x30, 0, 30), of(0x30, 30, 30)],
        [of(0x30, 30, 30), of(0x30, 0, 30), of(0x34, 0, 60)],
    ] {
        let log = heard(-10, &cues);
        let aired: Vec<_> = log.aired().map(|one| (one.out, one.planned)).collect();
        assert_eq!(aired, [(at(0), Micros::from_seconds(60))]);
        let log = log.tick(at(61), &policy());
        assert_eq!(log.aired().count(), 1);
    }
}

#[test]
fn what_overlaps_comes_into_its_own_when_the_first_ends_early() {
    let cues = [out(1, 0, 60, false), out(2, 50, 20, true), back(1, 40)];
    let log = heard(-10, &cues).tick(at(51), &policy());
    let aired: Vec<_> = log.aired().map(|one| (one.out, one.t_in())).collect();
    assert_eq!(aired, [(at(0), Some(at(40))), (at(50), Some(at(70)))]);
    let log = heard(-10, &cues[..2]).tick(at(51), &policy());
    assert_eq!(log.aired().count(), 1);
}

#[test]
fn what_was_called_off_stays_so_when_its_begin_is_repeated() {
    let cancel = Cue {
        ask: Ask::Cancel,
        ..back(7, 0)
    };
    let log = heard(-10, &[out(7, 0, 20, true), cancel.clone(), out(7, 0, 20, true)]);
    assert_eq!(only(&log).state, State::Cancelled);
    let log = log.hear(at(-8), &out(7, 30, 20, true), &policy());
    assert_eq!(log.aired().count(), 1);
    // On air, it ends there and then.
    let log = heard(-10, &[out(7, 0, 20, true)]).hear(at(4), &cancel, &policy());
    assert_eq!((only(&log).state, only(&log).end), (State::Ended, Some(at(4))));
}

#[test]
fn the_end_of_a_programme_ends_a_break_where_the_operator_says_so() {
    let end = Cue {
        key: Key::Segmentation {
            event: 9,
            start: Some(0x10),
        },
        ask: Ask::ProgrammeEnd,
        at: When::At(at(6)),
        source: Source::Scte35,
    };
    let log = heard(-10, &[out(7, 0, 20, true)]).tick(at(4), &policy());
    let same = log.clone().hear(at(4), &end, &policy());
    assert_eq!(only(&same).t_in(), Some(at(20)));
    let ends = Policy {
        ends_with_programme: true,
        ..policy()
    };
    assert_eq!(only(&log.hear(at(4), &end, &ends)).t_in(), Some(at(6)));
}

#[test]
fn lengths_are_held_to_what_the_operator_allows() {
    let strict = Policy {
        min_length: Micros::from_seconds(10),
        max_length: Micros::from_seconds(30),
        early_return: false,
        ..policy()
    };
    let hear = |log: Log, cue: &Cue| log.hear(at(-10), cue, &strict);
    let log = hear(Log::new("news"), &out(1, 0, 5, true));
    assert_eq!(log.breaks(), []);
    let log = hear(log, &out(2, 0, 90, true));
    assert_eq!(only(&log).t_in(), Some(at(30)));
    let log = hear(log, &back(2, 12));
    assert_eq!(only(&log).t_in(), Some(at(30)));
}

#[test]
fn the_sums_of_a_group_are_those_of_its_playlists() {
    let group = Name::new("main").unwrap();
    let log = heard(-10, &[out(1, 0, 20, true), out(2, 60, 22, true)]).tick(at(90), &policy());
    let ids: Vec<_> = log.breaks().iter().map(|one| one.id.clone()).collect();
    // Five-second segments in the source, for slots of two seconds.
    let log = log
        .left(&ids[0], &group, 108, 0)
        .rejoined(&ids[0], &group, 112, 0);
    let log = log
        .left(&ids[1], &group, 120, 1)
        .rejoined(&ids[1], &group, 124, 2);
    let first = Sums { msn: 10 - 4, dsn: 3 };
    let second = Sums {
        msn: 11 - 4,
        dsn: 4 - 1,
    };
    assert_eq!(log.sums_before(&group, at(60)), first);
    assert_eq!(log.sums_before(&group, at(90)), first.plus(second));
    let slice = log.slice(&group, &listed(15));
    assert_eq!((slice.before, slice.breaks.len()), (Sums::default(), 2));
    let slice = log.slice(&group, &listed(20));
    assert_eq!(slice.breaks.len(), 2);
    let slice = log.slice(&group, &listed(22));
    assert_eq!((slice.before, slice.breaks.len()), (first, 1));
    let anchor = slice.breaks[0].anchor;
    let expected = Anchor {
        msn_out: 120,
        dsn_before: 1,
        back: Some(Return {
            msn_in: 124,
            dsn_in: 2,
        }),
    };
    assert_eq!(anchor, Some(expected));
    // What is forgotten is in the sums.
    let shorter = log.clone().forget(at(22));
    assert_eq!(shorter.breaks().len(), 1);
    assert_eq!(shorter.slice(&group, &listed(22)), slice);
    assert_eq!(shorter.sums_before(&group, at(90)), first.plus(second));
    // And again once it is written and read.
    let json = serde_json::to_vec(&shorter).unwrap();
    assert_eq!(Log::read(&json).unwrap(), shorter);
}

/// Two breaks, the second where the first returns: `5 × 2 s` and `6 × 2 s` for as much of the source, whose segments
/// are as long, and which has no discontinuity of its own.
fn two_that_meet(group: &Name) -> Log {
    let log = heard(-10, &[out(1, 0, 10, true), out(2, 10, 12, true)]).tick(at(30), &policy());
    let ids: Vec<_> = log.breaks().iter().map(|one| one.id.clone()).collect();
    let log = log.left(&ids[0], group, 108, 0).rejoined(&ids[0], group, 113, 0);
    log.left(&ids[1], group, 113, 0).rejoined(&ids[1], group, 119, 0)
}

#[test]
fn breaks_that_meet_have_one_discontinuity_between_them() {
    let group = Name::new("main").unwrap();
    let log = two_that_meet(&group);
    assert!(log.breaks().iter().all(|one| one.state == State::Ended));
    // An ad, an ad and a round of slate, the programme: four in all, where each alone would have said its own return.
    assert_eq!(log.sums_before(&group, at(30)), Sums { msn: 0, dsn: 4 });
    let first = Sums { msn: 0, dsn: 1 };
    let window = |first| Listed {
        first: Some(first),
        ..listed(0)
    };
    let slice = log.slice(&group, &window(113));
    assert_eq!((slice.before, slice.breaks.len()), (Sums::default(), 2));
    let slice = log.slice(&group, &window(114));
    assert_eq!((slice.before, slice.breaks.len()), (first, 1));
    let shorter = log.clone().forget(at(12));
    assert_eq!(shorter.breaks().len(), 1);
    assert_eq!(shorter.slice(&group, &window(114)), slice);
    assert_eq!(shorter.sums_before(&group, at(30)), Sums { msn: 0, dsn: 4 });
}

#[test]
fn a_group_that_is_new_has_the_sums_of_the_others() {
    let (group, new) = (Name::new("main").unwrap(), Name::new("late").unwrap());
    let log = two_that_meet(&group);
    let told = log.slice(&new, &listed(40));
    assert_eq!((told.before.msn, told.breaks.len()), (0, 0));
    assert_eq!(
        told.before,
        log.clone().forget(at(100)).slice(&new, &listed(40)).before
    );
}

/// Rules that leave a cohort with the programme.
fn sparing(cohort: &Name) -> Policy {
    Policy {
        exempt: vec![cohort.clone()],
        ..policy()
    }
}

const EXEMPT: Cue = Cue {
    key: Key::Nameless,
    ask: Ask::Exempt,
    at: When::Now,
    source: Source::Schedule,
};

#[test]
fn who_is_exempt_from_a_break_is_settled_when_it_begins() {
    let premium = Name::new("premium").unwrap();
    let log = heard(-10, &[out(7, 0, 20, true)]);
    assert!(log.exempts_others_than(std::slice::from_ref(&premium)));
    let spared = log.hear(at(-5), &EXEMPT, &sparing(&premium));
    assert!(only(&spared).exempts(&premium));
    assert_eq!(only(&spared).revision, 2);
    // On air it stays so, whatever the rules say by then.
    let open = spared.clone().hear(at(5), &EXEMPT, &policy());
    assert!(only(&open).exempts(&premium) && !open.exempts_others_than(&[]));
    assert!(!spared.agrees_with(&open.clone().forget(at(0))));
    let heard = Log::new("news").hear(at(-10), &out(7, 0, 20, true), &sparing(&premium));
    assert!(only(&heard).exempts(&premium), "from its announcement on");
}

#[test]
fn an_exempt_cohort_has_the_numbers_of_the_breaks_that_it_is_shown() {
    let group = Name::new("main").unwrap();
    let premium = Name::new("premium").unwrap();
    // Of two that meet, the cohort is exempt from the second.
    let log = Log::new("news").hear(at(-10), &out(1, 0, 10, true), &policy());
    let log = log.hear(at(-10), &out(2, 10, 12, true), &sparing(&premium));
    let ids: Vec<_> = log.breaks().iter().map(|one| one.id.clone()).collect();
    let log = log.tick(at(30), &policy());
    let log = log
        .left(&ids[0], &group, 108, 0)
        .rejoined(&ids[0], &group, 113, 0);
    let log = log
        .left(&ids[1], &group, 113, 0)
        .rejoined(&ids[1], &group, 120, 0);
    let behind = |first| Listed {
        first: Some(first),
        ..listed(0)
    };
    let window = |first: u64| {
        let told = log.told(&group, &behind(first));
        let own = told.before.get(&premium).copied();
        (told.slice.before, own, told.exempt.contains_key(&ids[1]))
    };
    assert_eq!(window(113), (Sums::default(), None, true));
    // The first alone says its own return, which for all others is the begin of the second.
    let (one, alone) = (Sums { msn: 0, dsn: 1 }, Sums { msn: 0, dsn: 2 });
    assert_eq!(window(114), (one, Some(alone), true));
    assert_eq!(window(121), (Sums { msn: -1, dsn: 4 }, Some(alone), false));
    for moment in [12, 100] {
        let shorter = log.clone().forget(at(moment));
        assert_eq!(shorter.breaks().len(), 1);
        for first in [114, 121] {
            let listed = behind(first);
            assert_eq!(shorter.told(&group, &listed), log.told(&group, &listed));
        }
        let json = serde_json::to_vec(&shorter).unwrap();
        assert_eq!(Log::read(&json).unwrap(), shorter);
    }
}

#[test]
fn an_mpd_names_the_programme_by_the_last_break_that_each_cohort_was_shown() {
    let premium = Name::new("premium").unwrap();
    let group = Name::new("main").unwrap();
    let log = Log::new("news").hear(at(-10), &out(1, 0, 10, true), &policy());
    let spared = [out(2, 20, 12, true), out(3, 60, 12, true)];
    let log = spared
        .iter()
        .fold(log, |log, cue| log.hear(at(-10), cue, &sparing(&premium)));
    let log = log.tick(at(200), &policy());
    let ids: Vec<_> = log.breaks().iter().map(|one| one.id.clone()).collect();
    let log = ids.iter().zip([108, 118, 138]).fold(log, |log, (id, msn)| {
        let log = log.left(id, &group, msn, 0);
        log.rejoined(id, &group, msn + 6, 0)
    });
    let named = |log: &Log| {
        let told = log.told_by_time(&listed(150));
        let ids = told.slice.breaks.iter().map(|airing| airing.id.clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(named(&log), [ids[0].clone(), ids[2].clone()]);
    let shorter = log.clone().forget(at(100));
    assert_eq!(shorter.breaks().len(), 1);
    assert_eq!(shorter.told_by_time(&listed(150)), log.told_by_time(&listed(150)));
    let open = heard(-10, &[out(1, 0, 10, true), out(2, 20, 12, true)]).tick(at(200), &policy());
    assert_eq!(named(&open).len(), 1, "one is enough where nobody is exempt");
}

#[test]
fn what_begins_behind_the_window_is_not_told_yet() {
    let group = Name::new("main").unwrap();
    let log = heard(-10, &[out(1, 0, 10, true), out(2, 100, 12, true)]);
    let listed = Listed {
        until: at(60),
        ..listed(-20)
    };
    assert_eq!(log.slice(&group, &listed).breaks.len(), 1);
}

#[test]
fn what_is_to_begin_now_begins_with_the_next_segment() {
    let policy = Policy {
        boundary: Some(at(3)),
        ..policy()
    };
    let now = Cue {
        at: When::Now,
        ..out(7, 0, 10, true)
    };
    let log = Log::new("news").hear(at(2), &now, &policy);
    assert_eq!((only(&log).out, only(&log).t_in()), (at(3), Some(at(13))));
    // Said again before it, it is the same.
    let later = Policy {
        boundary: Some(at(5)),
        ..policy.clone()
    };
    let again = log.clone().hear(at(2), &now, &later);
    assert_eq!(only(&again).id, only(&log).id);
    // A little late, it begins there too, and keeps its end.
    let late = Log::new("news").hear(at(2), &out(7, 1, 10, true), &policy);
    assert_eq!((only(&late).out, only(&late).t_in()), (at(3), Some(at(11))));
}

#[test]
fn a_segment_of_which_parts_were_shown_is_played_to_its_end() {
    let parts = Policy {
        keeps_parts: true,
        ..policy()
    };
    let log = heard(-10, &[out(7, 0, 20, true)]);
    let hear = |edge, end| {
        let log = log.clone().tick(at(edge), &parts);
        let log = log.hear(at(edge), &back(7, end), &parts);
        let again = log.clone().hear(at(edge), &back(7, end), &parts);
        assert_eq!(again, log);
        only(&log).t_in()
    };
    assert_eq!(hear(3, 3), Some(at(4)), "slots are of two seconds");
    assert_eq!(hear(4, 4), Some(at(4)), "at the end of one");
    assert_eq!(hear(3, 7), Some(at(7)), "of what comes later nothing was shown");
    assert_eq!(hear(-1, 3), Some(at(3)), "not on air yet");
}

#[test]
fn a_log_of_another_version_is_refused() {
    let json = serde_json::to_string(&Log::new("news")).unwrap();
    let newer = json.replace("\"version\":1", "\"version\":2");
    let faults = Log::read(newer.as_bytes()).unwrap_err().to_string();
    assert!(faults.contains("this program knows version 1 alone"), "{faults}");
}

/// Each list of messages gives the break that its file says.
#[test]
fn collected_sequences_give_the_breaks_that_they_state() {
    let Some(folder) = std::env::var_os("SELVEDGE_VECTORS") else {
        println!("SELVEDGE_VECTORS is not set: the collected sequences are not read");
        return;
    };
    let folder = std::path::Path::new(&folder).join("scte35");
    let read = |name: &str| -> serde_json::Value {
        let path = folder.join(format!("{name}.json"));
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).unwrap()
    };
    let document = read("_sequences");
    let sequences = document["sequences"].as_array().unwrap();
    assert!(sequences.len() >= 9, "{}", sequences.len());
    for sequence in sequences {
        let expected = &sequence["break"];
        let clock = Clock {
            pts: Pts::new(expected["start"].as_u64().unwrap_or_default()),
            wall: START,
        };
        let policy = Policy::default();
        let mut log = Log::new("news").tick(at(-5), &policy);
        for message in sequence["messages"].as_array().unwrap() {
            let message = read(message.as_str().unwrap());
            let bytes = crate::scte35::from_base64(message["base64"].as_str().unwrap()).unwrap();
            let section = crate::scte35::Section::decode(&bytes).unwrap();
            for signal in Signal::read(&section, Openers::default()).unwrap() {
                if let Some(cue) = signal.cue(clock) {
                    log = log.hear(at(-5), &cue, &policy);
                }
            }
        }
        assert_sequence(&log, sequence);
    }
}

fn assert_sequence(log: &Log, sequence: &serde_json::Value) {
    let (id, expected) = (&sequence["id"], &sequence["break"]);
    let length = |field: &str| expected[field].as_u64().map(|ticks| Ticks(ticks).to_micros());
    let called_off = |one: &&Break| one.state != State::Cancelled;
    let Some(planned) = length("planned") else {
        assert_eq!(log.breaks().iter().find(called_off), None, "{id}");
        return;
    };
    let policy = Policy::default();
    let begun = log.clone().tick(at(1), &policy);
    let over = log.clone().tick(at(600), &policy);
    let (begun, over) = (only(&begun), only(&over));
    assert_eq!((begun.out, begun.planned), (at(0), planned), "{id}");
    match expected["state"].as_str().unwrap() {
        "open" => assert_eq!((begun.state, begun.t_in()), (State::Open, None), "{id}"),
        "ends by itself" => {
            let actual = length("actual").unwrap_or(planned);
            assert_eq!((begun.state, begun.end), (State::Open, None), "{id}");
            assert_eq!(begun.t_in(), Some(at(0).plus(actual)), "{id}");
            assert_eq!(over.state, State::Ended, "{id}");
            if let Some(end) = expected["end_mod_2_33"].as_u64() {
                let start = Pts::new(expected["start"].as_u64().unwrap());
                assert_eq!(Pts::new(end).since(start).cast_unsigned(), 5_400_000, "{id}");
            }
        }
        "ended" => {
            let actual = length("actual").unwrap();
            assert_eq!(
                (over.state, over.end),
                (State::Ended, Some(at(0).plus(actual))),
                "{id}"
            );
        }
        "insertion point" => assert_eq!(over.state, State::Point, "{id}"),
        other => panic!("{id}: {other}"),
    }
}
