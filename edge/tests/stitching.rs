//! Channels with breaks, stitched at every moment and played by a player that knows nothing of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod channel;
mod laid;
mod player;

use std::collections::{BTreeMap, BTreeSet};

use channel::{Channel, Keys, ROUNDING, TOLERANCE, View};
use laid::{Habits, LEAD, Scope, any_channel, befalls, every_eight_minutes, habits, hours};
use player::{Player, Playlist, Segment};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{RngAlgorithm, RngSeed, TestRunner},
};
use selvedge_breaks::{After, Micros, Slice, UnixMicros};
use selvedge_edge::hls::{Cues, Guiding, Stitching, guide, stitch};

/// Whatever a playlist may have.
const ALL: Scope = Scope {
    parts: true,
    unfilled: true,
};

/// A playlist as an edge makes it of a view.
fn compose(channel: &Channel, view: &View, slice: &Slice, rendition: &str, skips: bool) -> String {
    let decisions = channel.decisions(slice);
    let stitching = Stitching {
        slice,
        decisions: &decisions,
        rendition,
        cues: Cues::Stripped,
        tells_ads: true,
        skips,
        path: None,
    };
    stitch(&channel.playlist(view, rendition), &stitching, None).into_owned()
}

/// The same in the guided form.
fn compose_guided(channel: &Channel, view: &View, slice: &Slice, skips: bool) -> String {
    let guiding = Guiding {
        slice,
        cues: Cues::Stripped,
        restrict: &[],
        skips,
    };
    guide(&channel.playlist(view, "v"), &guiding, None).into_owned()
}

/// Plays a channel from its beginning, and checks what only a test can know.
fn play(channel: &Channel, window: usize, habits: &Habits) -> Player {
    let (mut player, mut seldom) = (Player::default(), Player::default());
    let (mut sound, mut subtitles) = (Player::default(), Player::default());
    let mut known: Option<(Playlist, UnixMicros)> = None;
    let mut looks = habits.looks().peekable();
    for (moment, view) in channel.views(window).enumerate() {
        let slice = channel.slice(&view, LEAD, 0);
        let text = compose(channel, &view, &slice, "v", false);
        player.load(&text);
        let list = player.last.as_ref().unwrap();
        check_media(channel, list, &text);
        check_edge(channel, &view, list, &text);
        if looks.next_if_eq(&moment).is_none() {
            continue;
        }
        seldom.load(&text);
        update(channel, &view, &slice, &mut known, list, &text);
        // An edge that remembers more writes the same, to the byte.
        let older = channel.slice(&view, LEAD, habits.older(moment));
        assert_eq!(
            compose(channel, &view, &older, "v", false),
            text,
            "by a longer history"
        );
        let shorter = view.shorter(habits.shorter(moment, window));
        if channel.is_live(&shorter) {
            check_shorter(channel, &shorter, list);
        }
        for (rendition, player) in [("a", &mut sound), ("s", &mut subtitles)] {
            player.load(&compose(channel, &view, &slice, rendition, false));
            check_step(channel, rendition, list, player.last.as_ref().unwrap(), &text);
        }
        if let (Some(report), false) = (list.reports.first(), channel.sound_apart) {
            assert_eq!(*report, sound.last.as_ref().unwrap().last(), "a report:\n{text}");
        }
    }
    player
}

/// A player that knows a playlist, and is not too late for it, is told the same by a delta update of it.
fn update(
    channel: &Channel,
    view: &View,
    slice: &Slice,
    known: &mut Option<(Playlist, UnixMicros)>,
    list: &Playlist,
    text: &str,
) {
    let edge = channel.edge(view);
    // A version no older than half of the skip boundary (§6.2.5.1).
    let boundary = Micros::from_seconds(6 * channel.target);
    let old = known
        .take()
        .filter(|(_, then)| edge.since(*then).times(2) <= boundary);
    let Some((old, _)) = old else {
        *known = Some((list.clone(), edge));
        return;
    };
    let update = compose(channel, view, slice, "v", true);
    let updated = Playlist::read(&update, Some(&old));
    // What ends further from the end than the boundary is skipped, and no more (§4.4.5.2).
    let lengths = list.segments.iter().map(|segment| segment.length);
    let mut left = lengths.fold(Micros::ZERO, Micros::plus);
    let mut is_old = |segment: &&Segment| {
        left = left.less(segment.length);
        left >= boundary
    };
    let skipped = list.segments.iter().take_while(|segment| is_old(segment)).count();
    assert_eq!(updated.skipped, skipped, "a delta update:\n{update}\nof\n{text}");
    assert_eq!(
        updated.segments.len(),
        list.segments.len(),
        "a delta update:\n{update}\nof\n{text}"
    );
    for (index, (segment, same)) in updated.segments.iter().zip(&list.segments).enumerate() {
        assert!(
            segment.is(same),
            "{same:?} in a delta update:\n{update}\nof\n{text}"
        );
        // Parts go from a playlist with time, and a client that skips them keeps what it has.
        let are_parts_kept = index < updated.skipped || segment.parts == same.parts;
        assert!(
            are_parts_kept,
            "{same:?} in a delta update:\n{update}\nof\n{text}"
        );
    }
    assert_eq!(
        updated.coming, list.coming,
        "a delta update:\n{update}\nof\n{text}"
    );
    *known = Some((updated, edge));
}

/// Another edge with a shorter window tells of the same segments the same.
fn check_shorter(channel: &Channel, shorter: &View, list: &Playlist) {
    let text = compose(channel, shorter, &channel.slice(shorter, LEAD, 0), "v", false);
    let other = Playlist::read(&text, None);
    for (media, segment) in (other.media..).zip(&other.segments) {
        let same = list.get(media).unwrap();
        assert!(segment.is(same), "{same:?} from another window:\n{text}");
        assert_eq!(segment.parts, same.parts, "from another window:\n{text}");
    }
    assert_eq!(other.end(), list.end(), "from another window:\n{text}");
    assert_eq!(other.coming, list.coming, "from another window:\n{text}");
    check_media(channel, &other, &text);
}

/// Another rendition numbers what is shown at one time alike. Its segments may begin and end between other frames, so it
/// may be a segment ahead or behind.
fn check_step(channel: &Channel, rendition: &str, list: &Playlist, other: &Playlist, text: &str) {
    let apart = u64::from(rendition == "a" && channel.sound_apart);
    assert!(
        list.media.abs_diff(other.media) <= apart,
        "{rendition} begins elsewhere:\n{text}"
    );
    // What has no media is listed whole.
    let behind = if rendition == "s" { 0 } else { apart };
    assert!(
        list.end().abs_diff(other.end()) <= behind,
        "{rendition} ends elsewhere:\n{text}"
    );
    for (media, segment) in (other.media..).zip(&other.segments) {
        let Some(same) = list.get(media) else {
            continue;
        };
        assert_eq!(
            same.discontinuity, segment.discontinuity,
            "{rendition} of {media}:\n{text}"
        );
        let off = segment.date.since(same.date).0.abs();
        assert!(off <= 15_000, "{rendition} of {media} is {off} µs off:\n{text}");
        assert_eq!(
            of_programme(same),
            of_programme(segment),
            "{rendition} of {media}:\n{text}"
        );
    }
}

/// The number of a source segment; none of what is a break's.
fn of_programme(segment: &Segment) -> Option<u64> {
    let name = segment.uri.strip_suffix(".m4s").unwrap();
    name.get(1..)?.parse().ok()
}

/// Plays a channel in the guided form: the programme goes on as it is, and each break is told of with what its stitched
/// form tells of it.
fn play_guided(channel: &Channel, window: usize) {
    let mut player = Player::default();
    for view in channel.views(window) {
        let slice = channel.slice(&view, LEAD, 0);
        let text = compose_guided(channel, &view, &slice, false);
        player.load(&text);
        let list = player.last.as_ref().unwrap();
        let numbers = (list.media, list.segments.len());
        assert_eq!(numbers, (channel.number(view.window.start), view.window.len()));
        let stitched = Playlist::read(&compose(channel, &view, &slice, "v", false), None);
        let of = |list: &'_ Playlist, class: &str| -> Vec<_> {
            let ranges = list.ranges.values().filter(|range| range["CLASS"] == class);
            ranges.cloned().collect()
        };
        let guided = of(list, "com.apple.hls.interstitial");
        for told in of(&stitched, "dev.selvedge.break") {
            let of_break = |range: &&BTreeMap<String, String>| range["ID"].starts_with(&told["ID"]);
            let found = guided.iter().find(of_break);
            let range = found.unwrap_or_else(|| panic!("{told:?} is not in {text}"));
            for name in ["START-DATE", "PLANNED-DURATION"] {
                assert_eq!(range[name], told[name], "{name} in {text}");
            }
            let length = range.get("DURATION");
            assert!(
                length.is_none_or(|length| *length == told["DURATION"]),
                "{told:?} in {text}"
            );
            let list = format!("../asset-list.json?break={}", told["ID"]);
            assert!(range["X-ASSET-LIST"].starts_with(&list), "{text}");
        }
        let update = compose_guided(channel, &view, &slice, true);
        if channel.keys == Keys::None {
            let updated = Playlist::read(&update, Some(list));
            assert_eq!(updated.ranges, list.ranges, "a delta update:\n{update}");
        }
    }
}

/// Every segment is initialised and decrypted by what belongs to it, in this window alone.
fn check_media(channel: &Channel, list: &Playlist, text: &str) {
    for segment in &list.segments {
        if segment.uri == "gap.m4s" {
            assert!(segment.keys.is_empty(), "{segment:?}\n{text}");
            continue;
        }
        let map = segment.map.as_deref().expect("a segment has a map");
        let Some(number) = of_programme(segment) else {
            let (creative, _) = segment.uri.rsplit_once('/').unwrap();
            assert!(
                map.starts_with(creative) && segment.keys.is_empty(),
                "{segment:?}\n{text}"
            );
            continue;
        };
        let piece = channel.programme[usize::try_from(number - channel.first).unwrap()];
        // A return that is all but the break's end is dated by that.
        let off = segment.date.since(piece.start).0.abs();
        assert!(off <= 2000, "{segment:?} is {off} µs off\n{text}");
        assert_eq!(segment.length, piece.length, "{segment:?}\n{text}");
        assert!(map.starts_with("v-"), "{segment:?}\n{text}");
        let expected = match channel.keys {
            Keys::None => vec![],
            Keys::Aes128 => vec![format!("AES-128 k 0x{number:032X}")],
            Keys::MultiDrm => vec!["SAMPLE-AES skd://k ".to_owned(), "SAMPLE-AES data:,k ".to_owned()],
        };
        assert_eq!(segment.keys, expected, "{segment:?}\n{text}");
    }
}

/// The playlist ends where its source does, but for the segment of an ad that is not out yet.
fn check_edge(channel: &Channel, view: &View, list: &Playlist, text: &str) {
    let edge = channel.edge(view);
    let Some(last) = list.segments.last() else {
        panic!("an empty playlist:\n{text}");
    };
    let coming = list
        .coming
        .iter()
        .fold(Micros::ZERO, |sum, (part, _)| sum.plus(*part));
    let behind = edge.since(last.date.plus(last.length)).less(coming).0;
    let ahead = TOLERANCE.plus(ROUNDING.times(2));
    assert!(behind >= -ahead.0, "{behind} µs ahead of the source:\n{text}");
    let hole = channel.holes(last.date.plus(last.length), edge);
    let longest = channel.target.saturating_mul(1_000_000) + 500_000 + hole.0;
    assert!(behind <= longest, "{behind} µs behind the source:\n{text}");
}

/// What a session has seen of each break: its ads where it was filled, its programme where not, and no second of it
/// more or less.
fn check_breaks(channel: &Channel, player: &Player, window: usize) {
    let begun = channel.programme[window].start;
    let end = player.seen.values().last().unwrap();
    for brk in &channel.breaks {
        if brk.out < begun || brk.t_in > end.date {
            continue;
        }
        let held = brk.structure.within(brk.t_in.since(brk.out)).collect::<Vec<_>>();
        let within = player.seen.values().filter(|segment| {
            let middle = segment.date.plus(Micros(segment.length.0 / 2));
            brk.out <= middle && middle < brk.t_in
        });
        let (programme, ads): (Vec<_>, Vec<_>) = within.partition(|segment| of_programme(segment).is_some());
        assert_eq!(ads.len(), held.len(), "{brk:?}");
        if brk.structure.after != After::Resume && !held.is_empty() {
            // What begins within the tolerance of a break's end is behind it.
            let is_inside = |segment: &&Segment| segment.date.plus(TOLERANCE) < brk.t_in;
            assert!(!programme.iter().any(is_inside), "{brk:?}: {programme:?}");
        }
    }
}

#[test]
fn hours_of_a_channel_play_without_a_violation() {
    let channel = every_eight_minutes(hours(4), None);
    let player = play(&channel, 16, &Habits::default());
    check_breaks(&channel, &player, 16);
    // Slots of the programme's own cadence: nothing has moved, and nothing has drifted.
    for (media, segment) in &player.seen {
        let index = usize::try_from(media - channel.first).unwrap();
        assert_eq!(segment.date, channel.programme[index].start);
    }
}

#[test]
fn hours_of_a_channel_of_low_latency_play_without_a_violation() {
    let channel = every_eight_minutes(hours(1), Some(6));
    let player = play(&channel, 10, &Habits::default());
    check_breaks(&channel, &player, 10);
}

/// What the properties are about occurs in enough of their channels.
#[test]
fn channels_have_all_that_may_befall_a_break() {
    const CHANNELS: usize = 1000;
    let mut runner = TestRunner::new(ProptestConfig {
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    });
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let any = (any_channel(ALL), 9_usize..24);
    for _ in 0..CHANNELS {
        let (channel, window) = any.new_tree(&mut runner).unwrap().current();
        for what in befalls(&channel, window) {
            *counts.entry(what).or_default() += 1;
        }
    }
    println!("{counts:#?}");
    let seldom: BTreeSet<&str> = laid::ALL_THAT_BEFALLS
        .into_iter()
        .filter(|what| counts.get(what).is_none_or(|count| count * 25 < CHANNELS))
        .collect();
    assert!(seldom.is_empty(), "{seldom:?} of {counts:?}");
}

proptest! {
    #![proptest_config(laid::cases(64))]

    #[test]
    fn any_channel_plays_without_a_violation(
        channel in any_channel(ALL), window in 9_usize..24, habits in habits(),
    ) {
        let player = play(&channel, window, &habits);
        check_breaks(&channel, &player, window);
    }
}

proptest! {
    #![proptest_config(laid::cases(32))]

    #[test]
    fn any_channel_is_guided_to_the_breaks_that_it_would_be_stitched_with(
        channel in any_channel(ALL), window in 9_usize..24,
    ) {
        play_guided(&channel, window);
    }
}
