//! Channels with breaks, stitched at every moment and played by a player that knows nothing of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod channel;
mod laid;
mod player;

use std::collections::BTreeMap;

use channel::{Channel, Keys, TOLERANCE, View};
use laid::{LEAD, any_channel, every_eight_minutes, hours};
use player::{Player, Playlist};
use proptest::prelude::*;
use selvedge_breaks::{After, Micros, Slice};
use selvedge_edge::hls::{Cues, Guiding, Stitching, guide, stitch};

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
fn play(channel: &Channel, window: usize) -> Player {
    let mut player = Player::default();
    let mut delta: Option<Playlist> = None;
    for (moment, view) in channel.views(window).iter().enumerate() {
        let slice = channel.slice(view, LEAD);
        let text = compose(channel, view, &slice, "v", false);
        player.load(&text);
        let list = player.last.as_ref().unwrap();
        check_media(channel, list, &text);
        check_edge(channel, view, list, &text);
        if channel.keys == Keys::None {
            let update = compose(channel, view, &slice, "v", true);
            if delta.is_some() || !update.contains("#EXT-X-SKIP") {
                let updated = Playlist::read(&update, delta.as_ref());
                assert_eq!(
                    updated.segments,
                    segments_without_old_parts(list, &updated),
                    "a delta update:\n{update}\nof\n{text}"
                );
                delta = Some(updated);
            }
        }
        // Another edge with a shorter window, and one with the audio, tell of the same segments the same.
        if moment % 7 == 0 {
            let shorter = View {
                window: view.window.start + window / 3..view.window.end,
                ..view.clone()
            };
            let other = compose(channel, &shorter, &channel.slice(&shorter, LEAD), "v", false);
            let other = Playlist::read(&other, None);
            for (media, segment) in (other.media..).zip(&other.segments) {
                assert_eq!(
                    Some(segment),
                    list.segments.get((media - list.media) as usize),
                    "from another window"
                );
            }
            let audio = Playlist::read(&compose(channel, view, &slice, "a", false), None);
            let numbers = |list: &Playlist| {
                (
                    list.media,
                    list.segments
                        .iter()
                        .map(|segment| segment.discontinuity)
                        .collect::<Vec<_>>(),
                )
            };
            assert_eq!(numbers(&audio), numbers(list), "video and audio in step");
        }
    }
    player
}

/// Plays a channel in the guided form: the programme goes on as it is, and each break is told of with what its stitched
/// form tells of it.
fn play_guided(channel: &Channel, window: usize) {
    let mut player = Player::default();
    for view in channel.views(window) {
        let slice = channel.slice(&view, LEAD);
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

/// Parts go from a playlist with time, and a client that skips them keeps what it has.
fn segments_without_old_parts(list: &Playlist, updated: &Playlist) -> Vec<player::Segment> {
    let mut segments = list.segments.clone();
    for (segment, kept) in segments.iter_mut().zip(&updated.segments).take(updated.skipped) {
        segment.parts.clone_from(&kept.parts);
    }
    segments
}

/// Every segment is initialised and decrypted by what belongs to it, in this window alone.
fn check_media(channel: &Channel, list: &Playlist, text: &str) {
    for segment in &list.segments {
        let map = segment.map.as_deref().expect("a segment has a map");
        if let Some((creative, _)) = segment.uri.rsplit_once('/') {
            assert!(
                map.starts_with(creative) && segment.keys.is_empty(),
                "{segment:?}\n{text}"
            );
            continue;
        }
        assert!(map.starts_with("v-"), "{segment:?}\n{text}");
        let number: u64 = segment.uri[1..].trim_end_matches(".m4s").parse().unwrap();
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
    assert!(behind >= -TOLERANCE.0, "{behind} µs ahead of the source:\n{text}");
    let longest = channel.target.saturating_mul(1_000_000) + 500_000;
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
        let (ads, programme): (Vec<_>, Vec<_>) = within.partition(|segment| segment.uri.contains('/'));
        assert_eq!(ads.len(), held.len(), "{brk:?}");
        if brk.structure.after != After::Resume && !held.is_empty() {
            // What begins within the tolerance of a break's end is behind it.
            let is_inside = |segment: &&player::Segment| segment.date.plus(TOLERANCE) < brk.t_in;
            assert!(!programme.iter().any(is_inside), "{brk:?}: {programme:?}");
        }
    }
}

#[test]
fn hours_of_a_channel_play_without_a_violation() {
    let channel = every_eight_minutes(hours(4), None);
    let player = play(&channel, 16);
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
    let player = play(&channel, 10);
    check_breaks(&channel, &player, 10);
}

proptest! {
    #![proptest_config(laid::cases())]

    #[test]
    fn any_channel_plays_without_a_violation(channel in any_channel(true), window in 9_usize..24) {
        let player = play(&channel, window);
        check_breaks(&channel, &player, window);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..laid::cases() })]

    #[test]
    fn any_channel_is_guided_to_the_breaks_that_it_would_be_stitched_with(
        channel in any_channel(true), window in 9_usize..24,
    ) {
        play_guided(&channel, window);
    }
}
