//! Channels with breaks as MPDs, stitched at every moment, played by a player that knows nothing of them, and told beside
//! their playlists.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod channel;
mod dash_player;
mod laid;
mod player;

use std::borrow::Cow;

use channel::{Addressing, Channel, Planned, ROUNDING, TOLERANCE, View};
use dash_player::{Element, Mpd, Player};
use laid::{Habits, LEAD, Scope, any_channel, any_channel_of_numbers, every_eight_minutes, habits, hours};
use player::Playlist;
use proptest::prelude::*;
use selvedge_breaks::{After, Micros, Slice, UnixMicros};
use selvedge_edge::{dash, hls};

/// An MPD as an edge makes it of a view.
fn compose<'a>(channel: &Channel, slice: &Slice, mpd: &'a str) -> Cow<'a, str> {
    let decisions = channel.decisions(slice);
    let stitching = dash::Stitching {
        slice,
        decisions: &decisions,
        path: None,
    };
    dash::stitch(mpd, &stitching)
}

/// The time on the MPD's timeline, which begins in 1970.
fn since_1970(at: UnixMicros) -> Micros {
    Micros(at.0)
}

/// Plays a channel from its beginning, and checks what only a test can know.
fn play(channel: &Channel, window: usize, addressing: Addressing, habits: &Habits) -> Player {
    let (mut player, mut seldom) = (Player::default(), Player::default());
    let mut looks = habits.looks().peekable();
    for (moment, view) in channel.views(window).enumerate() {
        let source = channel.mpd(&view, addressing);
        let slice = channel.slice_by_time(&view, LEAD, 0);
        let text = compose(channel, &slice, &source);
        let edge = since_1970(channel.edge(&view));
        player.load(&text, edge);
        let mpd = player.last.as_ref().unwrap();
        check_edge(channel, &view, addressing, mpd, &text);
        if looks.next_if_eq(&moment).is_none() {
            continue;
        }
        seldom.load(&text, edge);
        // An edge that knows of more that has been writes the same, to the byte.
        let older = channel.slice_by_time(&view, LEAD, habits.older(moment));
        assert_eq!(compose(channel, &older, &source), text, "by a longer history");
        if addressing == Addressing::Time {
            let shorter = view.shorter(habits.shorter(moment, window));
            if channel.is_live(&shorter) {
                check_shorter(channel, &shorter, mpd);
            }
            check_playlist(channel, &view, mpd, &text);
        }
    }
    player
}

/// Another edge with a shorter window tells of the same Periods and segments the same.
fn check_shorter(channel: &Channel, shorter: &View, mpd: &Mpd) {
    let source = channel.mpd(shorter, Addressing::Time);
    let slice = channel.slice_by_time(shorter, LEAD, 0);
    let text = compose(channel, &slice, &source);
    let other = Mpd::read(&text, Micros::ZERO);
    for period in &other.periods {
        let same = mpd
            .periods
            .iter()
            .find(|one| one.id == period.id)
            .unwrap_or_else(|| panic!("{}:\n{text}", period.id));
        assert_eq!((same.start, same.end), (period.start, period.end));
        for (id, track) in &period.tracks {
            let all = &same.tracks[id];
            assert_eq!(all.fixed, track.fixed);
            assert!(
                all.segments.ends_with(&track.segments),
                "from another window:\n{text}"
            );
        }
    }
    let (last, same) = (other.periods.last().unwrap(), mpd.periods.last().unwrap());
    assert_eq!(last.id, same.id, "from another window:\n{text}");
}

/// The MPD ends where its source does, but for the segment of an ad that is not out yet, and for a break that has not
/// begun.
fn check_edge(channel: &Channel, view: &View, addressing: Addressing, mpd: &Mpd, text: &str) {
    let published = channel.edge(view);
    let listed = channel.mpd_edge(view);
    let begins = |brk: &&Planned| published < brk.out && brk.out < listed;
    let edge = channel.breaks.iter().find(begins).map_or(listed, |brk| brk.out);
    for id in ["v", "a"] {
        let shown = mpd.shown(id);
        let last = shown.last().unwrap_or_else(|| panic!("nothing of {id}:\n{text}"));
        let behind = since_1970(edge).less(last.end).0;
        assert!(behind >= -TOLERANCE.0, "{behind} µs ahead of the source:\n{text}");
        // Where numbers say when, the last segment of a slot seems to be as long as the others.
        let segments = if addressing == Addressing::Time { 1 } else { 2 };
        let hole = channel.holes(UnixMicros(last.end.0), edge);
        let longest = channel.target.saturating_mul(segments * 1_000_000) + 500_000 + hole.0;
        assert!(behind <= longest, "{behind} µs behind the source:\n{text}");
    }
}

/// A playlist of the same moment lists the same segments at the same wall times.
fn check_playlist(channel: &Channel, view: &View, mpd: &Mpd, text: &str) {
    let slice = channel.slice(view, LEAD, 0);
    let decisions = channel.decisions(&slice);
    for rendition in ["v", "a"] {
        let stitching = hls::Stitching {
            slice: &slice,
            decisions: &decisions,
            rendition,
            cues: hls::Cues::Stripped,
            tells_ads: false,
            skips: false,
            path: None,
        };
        let source = channel.playlist(view, rendition);
        let playlist = hls::stitch(&source, &stitching, None);
        let list = Playlist::read(&playlist, None);
        let of_list = list.segments.iter().map(|segment| {
            (
                segment.uri.clone(),
                segment.date,
                segment.date.plus(segment.length),
            )
        });
        // Playlists count by number what MPDs name by time.
        let name = |url: &str| match url.split('/').count() {
            2 => format!("{rendition}{}.m4s", channel.number(channel.index_of(url))),
            _ => url.to_owned(),
        };
        let begin = channel.programme[view.window.start].start;
        // Where the origin finds a return in playlists, the segment may begin so much before it.
        let early = TOLERANCE.plus(ROUNDING.times(2));
        // Slate has one name, however often it is shown.
        let mut of_list: Vec<(String, UnixMicros, UnixMicros)> = of_list.collect();
        for segment in mpd.shown(rendition) {
            let (name, at) = (name(&segment.url), UnixMicros(segment.begin.0));
            // Dates have milliseconds, sound begins between its frames, and the begin of a Period may cut off a little.
            let is_same = |(uri, date, _): &(String, UnixMicros, UnixMicros)| {
                *uri == name && (-early.0..=15_000).contains(&date.since(at).0)
            };
            match of_list.iter().position(is_same) {
                Some(index) => drop(of_list.swap_remove(index)),
                // A segment is in an MPD as soon as the first part of it is there.
                None if segment.end > since_1970(channel.edge(view)).less(TOLERANCE) => {}
                None => {
                    // A playlist has whole segments: of one that lies across the end of a break, the rest is an MPD's.
                    let is_rest = channel
                        .breaks
                        .iter()
                        .any(|brk| is_across(brk, segment.begin, segment.end));
                    let is_leaving = segment.end.0 <= begin.0 + 60_000;
                    assert!(
                        is_rest || is_leaving,
                        "{name} at {at} is in no playlist:\n{text}\n{playlist}"
                    );
                }
            }
        }
        // An MPD waits for the slower of picture and sound, which is cut between its frames.
        let edge = channel.edge(view).plus(TOLERANCE).less(Micros::from_millis(15));
        of_list.retain(|(_, date, end)| *date > begin && *end < edge);
        assert!(
            of_list.is_empty(),
            "{of_list:?} is in no MPD:\n{text}\n{playlist}"
        );
    }
}

/// Whether a segment is the rest of one that a break that resumes by itself has left.
fn is_across(brk: &Planned, begin: Micros, end: Micros) -> bool {
    let places = brk.structure.within(brk.t_in.since(brk.out));
    let filled = places.last().map_or(brk.out, |last| brk.out.plus(last.end));
    brk.structure.after == After::Resume && (begin.0 - filled.0).abs() <= TOLERANCE.0 && end.0 > filled.0
}

/// What a session has seen of each break: all of its ads, and no second of the programme in its place.
fn check_breaks(channel: &Channel, player: &Player, window: usize) {
    let begun = channel.programme[window].start;
    let end = player.seen().map(|(.., segment)| segment.end).max().unwrap();
    for brk in &channel.breaks {
        if brk.out < begun || since_1970(brk.t_in).plus(Micros::from_seconds(20)) > end {
            continue;
        }
        let held = brk.structure.within(brk.t_in.since(brk.out)).count();
        let prefix = format!("news-{}-", brk.out.millis());
        for rendition in ["v", "a"] {
            let ads = player
                .seen()
                .filter(|(period, id, _)| period.starts_with(&prefix) && *id == rendition);
            assert_eq!(ads.count(), held, "{brk:?}");
        }
    }
}

/// Plays a channel in the guided form: the programme goes on as it is, and each break is told of as an event that ends where
/// the programme is back in the stitched form.
fn play_guided(channel: &Channel, window: usize) {
    for view in channel.views(window) {
        let source = channel.mpd(&view, Addressing::Time);
        let slice = channel.slice_by_time(&view, LEAD, 0);
        let guiding = dash::Guiding {
            slice: &slice,
            folder: "https://edge.example/live/news/",
            restrict: &[],
        };
        let text = dash::guide(&source, &guiding);
        let mut guided = Element::parse(&text);
        let mut told = Vec::new();
        for period in &mut guided.children {
            let start = period.attributes["start"]
                .trim_start_matches("PT")
                .trim_end_matches('S');
            let start = Micros::read_seconds(start).unwrap();
            period.children.retain(|child| {
                if child.name == "EventStream" {
                    told.extend(child.children.iter().map(|event| told_of(event, start)));
                }
                child.name != "EventStream"
            });
        }
        // But for the events it is the source.
        assert_eq!(
            format!("{guided:?}"),
            format!("{:?}", Element::parse(&source)),
            "{text}"
        );
        let mpd = Mpd::read(
            &compose(channel, &slice, &source),
            since_1970(channel.edge(&view)),
        );
        for airing in &slice.breaks {
            let behind = format!(".{}", airing.id);
            let Some(back) = mpd.periods.iter().find(|period| period.id.ends_with(&behind)) else {
                continue;
            };
            let event = told.iter().find(|(id, ..)| *id == airing.id.to_string());
            // What the window has left of a break may be gone before the Period behind it.
            let is_left = airing.out < channel.programme[view.window.start].start;
            let Some((_, begin, end)) = event else {
                assert!(is_left, "{airing:?} is not in {text}");
                continue;
            };
            // Where the Period that it began in has gone, it begins with the next.
            let first = Mpd::read(&source, Micros::ZERO).periods[0].start;
            assert_eq!(*begin, since_1970(airing.out).max(first), "{text}");
            let off = end.less(back.start).0;
            assert!(off.abs() <= TOLERANCE.0, "{off} µs off {airing:?} in {text}");
        }
    }
}

/// The break of an event, its begin and its end on the MPD's timeline.
fn told_of(event: &Element, start: Micros) -> (String, Micros, Micros) {
    let number = |name: &str| Micros(event.attributes[name].parse().unwrap());
    let uri = &event.children[0].attributes["uri"];
    let (_, query) = uri.split_once("/alternative.mpd?break=").unwrap();
    let id = query.split('&').next().unwrap().to_owned();
    let begin = start.plus(number("presentationTime"));
    (id, begin, begin.plus(number("duration")))
}

#[test]
fn hours_of_a_channel_play_without_a_violation() {
    let channel = every_eight_minutes(hours(2), None);
    let player = play(&channel, 16, Addressing::Time, &Habits::default());
    check_breaks(&channel, &player, 16);
    // Nothing has drifted: every segment of the programme is where it was made.
    for (_, id, segment) in player.seen() {
        if id == "v" && segment.url.starts_with("v/") {
            let piece = channel.programme[channel.index_of(&segment.url)];
            assert_eq!(segment.begin.0, piece.start.0);
        }
    }
}

#[test]
fn hours_of_a_channel_whose_segments_are_numbered_play_without_a_violation() {
    let channel = every_eight_minutes(hours(2), None);
    let player = play(&channel, 16, Addressing::Number, &Habits::default());
    check_breaks(&channel, &player, 16);
    check_numbers(&channel, &player);
}

/// Whatever an MPD may have. In a break that nothing fills it has no Period.
const ALL: Scope = Scope {
    parts: true,
    unfilled: false,
};

proptest! {
    #![proptest_config(laid::cases(64))]

    #[test]
    fn any_channel_plays_as_an_mpd_without_a_violation(
        channel in any_channel(ALL), window in 9_usize..24, habits in habits(),
    ) {
        let player = play(&channel, window, Addressing::Time, &habits);
        check_breaks(&channel, &player, window);
    }

    #[test]
    fn any_channel_whose_segments_are_numbered_plays_without_a_violation(
        channel in any_channel_of_numbers(), window in 9_usize..24, habits in habits(),
    ) {
        let player = play(&channel, window, Addressing::Number, &habits);
        check_numbers(&channel, &player);
    }
}

/// What is found by its number is where it was made, and its media's own time says so too.
fn check_numbers(channel: &Channel, player: &Player) {
    for (period, id, segment) in player.seen() {
        let url = &segment.url;
        if url.split('/').count() == 2 {
            let start = since_1970(channel.programme[channel.index_of(url)].start);
            let off = segment.begin.less(start).0;
            // By how much a segment lies across the begin of its Period is told beyond the tolerance.
            assert!(off.abs() <= TOLERANCE.0, "{url} is {off} µs off in {period}");
            let offset = player.offset(period, id);
            let begin = UnixMicros(player.start(period).0);
            let exact = channel.media_time(id, begin);
            assert!(
                (offset - exact).abs() <= 1,
                "{id} of {period} counts from {offset}, not from {exact}"
            );
        }
    }
}

proptest! {
    #![proptest_config(laid::cases(32))]

    #[test]
    fn any_channel_is_guided_to_where_it_would_be_stitched(
        channel in any_channel(Scope { parts: false, ..ALL }), window in 9_usize..24,
    ) {
        play_guided(&channel, window);
    }
}
