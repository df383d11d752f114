//! Channels with breaks, stitched at every moment and played by a player that knows nothing of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod channel;
mod player;

use channel::{BEGIN, Channel, Keys, Planned, TOLERANCE, View};
use player::{Player, Playlist};
use proptest::prelude::*;
use selvedge_breaks::{After, Micros, Slice, Slot, Structure};
use selvedge_edge::hls::{Cues, Stitching, stitch};

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

/// Ads are announced so long before they air.
const LEAD: Micros = Micros::from_seconds(4);

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

fn hours(default: i64) -> i64 {
    std::env::var("SELVEDGE_HOURS").map_or(default, |hours| hours.parse().unwrap())
}

/// A channel with a break of three ads every eight minutes.
fn every_eight_minutes(hours: i64, parts: Option<u32>) -> Channel {
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
    fn any_channel()(
        millis in prop_oneof![Just(1920_i64), Just(2000), Just(2002)],
        parts in proptest::option::of(Just(4_u32)),
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_channel_plays_without_a_violation(channel in any_channel(), window in 9_usize..24) {
        let player = play(&channel, window);
        check_breaks(&channel, &player, window);
    }
}
