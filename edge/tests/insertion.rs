//! Assets with breaks inserted into them, as they grow and once they are whole, played by a player that knows nothing of
//! breaks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod dash_player;
mod player;

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use dash_player::Mpd;
use player::{Player, Playlist};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use selvedge_breaks::{
    After, Airing, Anchor, BreakId, Decision, Key, Micros, Mode, Return, Slice, Slot, Structure, UnixMicros,
    decision::{Ad, Media, Segment},
};
use selvedge_edge::{
    dash,
    hls::{Cues, Stitching, stitch},
};

/// 2026-01-01T20:00:00Z.
const BEGIN: UnixMicros = UnixMicros(1_767_297_600_000_000);
const FIRST: u64 = 7;

/// An asset: its segments, each with the discontinuity before it.
#[derive(Clone, Debug)]
struct Asset {
    lengths: Vec<Micros>,
    breaks_off: Vec<bool>,
    encrypted: bool,
    in_one_file: bool,
    parts: bool,
    dates_all: bool,
    breaks: Vec<Inserted>,
}

/// A break and the boundary that it is meant for: before which segment.
#[derive(Clone, Debug)]
struct Inserted {
    boundary: usize,
    out: UnixMicros,
    slots: Vec<Slot>,
    anchored: bool,
}

impl Asset {
    /// When a segment begins. Sound is cut at its own frames, some milliseconds off.
    fn start(&self, index: usize, rendition: &str) -> UnixMicros {
        let sum = self
            .lengths
            .iter()
            .take(index)
            .fold(Micros::ZERO, |sum, length| sum.plus(*length));
        let is_inner = index > 0 && index < self.lengths.len();
        let jitter = if rendition == "a" && is_inner {
            (index as i64 * 37 % 17 - 8) * 1000
        } else {
            0
        };
        BEGIN.plus(sum).plus(Micros(jitter))
    }

    fn discontinuity(&self, index: usize) -> u64 {
        self.breaks_off.iter().take(index + 1).filter(|off| **off).count() as u64
    }

    fn slice(&self, listed: usize) -> Slice {
        let breaks = self.breaks.iter().enumerate().map(|(index, inserted)| {
            let structure = Structure {
                slots: inserted.slots.clone(),
                after: After::Wait,
                tolerance: Micros(20_000),
            };
            let boundary = inserted.boundary;
            let before = boundary
                .checked_sub(1)
                .map_or(0, |before| self.discontinuity(before));
            // Where several are at one place, the second begins where the first has ended.
            let meets = index > 0 && self.breaks[index - 1].boundary == boundary;
            let behind = if boundary < self.lengths.len() {
                self.discontinuity(boundary)
            } else {
                before
            };
            let anchor = Anchor {
                msn_out: FIRST + boundary as u64,
                dsn_before: if meets { behind } else { before },
                back: Some(Return {
                    msn_in: FIRST + boundary as u64,
                    dsn_in: behind,
                }),
            };
            Airing {
                id: BreakId::new("movie", inserted.out, &Key::Insert(u32::try_from(index).unwrap())),
                mode: Mode::Insert,
                out: inserted.out,
                planned: structure.filled(),
                t_in: None,
                revision: 1,
                effective_from: inserted.out,
                structure,
                anchor: (inserted.anchored && boundary < listed).then_some(anchor),
            }
        });
        Slice {
            breaks: breaks.collect(),
            ..Slice::default()
        }
    }

    /// The playlist with so many segments, and so many quarters of the next.
    fn playlist(&self, rendition: &str, listed: usize, quarters: usize) -> String {
        let is_whole = listed == self.lengths.len();
        let mut text =
            String::from("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:EVENT\n");
        if self.parts && !is_whole {
            text.push_str("#EXT-X-PART-INF:PART-TARGET=1.5\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=4.5\n");
        }
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{FIRST}").unwrap();
        for index in 0..listed {
            self.write_before(&mut text, rendition, index);
            if self.parts && index + 3 > listed {
                self.write_parts(&mut text, rendition, index, 4);
            }
            let (start, end) = (self.start(index, rendition), self.start(index + 1, rendition));
            if self.in_one_file {
                let offset = if index == 0 { "@0" } else { "" };
                writeln!(text, "#EXT-X-BYTERANGE:{}{offset}", 100 + index).unwrap();
            }
            let uri = if self.in_one_file {
                format!("{rendition}.mp4")
            } else {
                format!("{rendition}{index}.m4s")
            };
            writeln!(text, "#EXTINF:{},\n{uri}", end.since(start)).unwrap();
        }
        if is_whole {
            text.push_str("#EXT-X-ENDLIST\n");
        } else if self.parts {
            if quarters > 0 {
                self.write_before(&mut text, rendition, listed);
            }
            self.write_parts(&mut text, rendition, listed, quarters);
            writeln!(
                text,
                "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{listed}.{quarters}.m4s\""
            )
            .unwrap();
        }
        text
    }

    /// The whole asset as an MPD, with a Period from each discontinuity on.
    fn mpd(&self) -> String {
        let count = self.lengths.len();
        let since = |index, rendition| self.start(index, rendition).since(BEGIN);
        let mut text = format!(
            "<MPD type=\"static\" availabilityStartTime=\"2026-01-01T20:00:00Z\" maxSegmentDuration=\"PT6S\" \
             mediaPresentationDuration=\"PT{}S\">\n",
            since(count, "v")
        );
        let mut first = 0;
        while first < count {
            let end = (first + 1..count).find(|index| self.breaks_off[*index]);
            let end = end.unwrap_or(count);
            let start = since(first, "v");
            writeln!(text, "<Period id=\"p{first}\" start=\"PT{start}S\">").unwrap();
            for (id, kind, rendition) in [(1, "video", "v"), (2, "audio", "a")] {
                write!(
                    text,
                    "<AdaptationSet id=\"{id}\" contentType=\"{kind}\"><SegmentTemplate timescale=\"1000000\" \
                     presentationTimeOffset=\"{}\" startNumber=\"{first}\" initialization=\"{rendition}-{}.mp4\" \
                     media=\"{rendition}$Number$.m4s\"><SegmentTimeline>",
                    start.0,
                    self.discontinuity(first)
                )
                .unwrap();
                for index in first..end {
                    let (begin, end) = (since(index, rendition), since(index + 1, rendition));
                    write!(text, "<S t=\"{}\" d=\"{}\"/>", begin.0, end.less(begin).0).unwrap();
                }
                writeln!(
                    text,
                    "</SegmentTimeline></SegmentTemplate><Representation id=\"{rendition}\"/></AdaptationSet>"
                )
                .unwrap();
            }
            text.push_str("</Period>\n");
            first = end;
        }
        text + "</MPD>\n"
    }

    /// The MPD with its breaks, which are found by time.
    fn stitched_mpd(&self) -> String {
        let mut slice = self.slice(0);
        slice.breaks.iter_mut().for_each(|airing| airing.anchor = None);
        let decisions = decisions(&slice, &["v", "a"]);
        let stitching = dash::Stitching {
            slice: &slice,
            decisions: &decisions,
            path: None,
        };
        dash::stitch(&self.mpd(), &stitching).into_owned()
    }

    fn write_parts(&self, text: &mut String, rendition: &str, index: usize, count: usize) {
        let length = self
            .start(index + 1, rendition)
            .since(self.start(index, rendition));
        for part in 0..count {
            let quarter = Micros(length.0 / 4);
            writeln!(text, "#EXT-X-PART:DURATION={quarter},URI=\"{index}.{part}.m4s\"").unwrap();
        }
    }

    fn write_before(&self, text: &mut String, rendition: &str, index: usize) {
        if self.breaks_off[index] {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if index == 0 || self.breaks_off[index] {
            if self.encrypted {
                text.push_str("#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n");
            }
            writeln!(
                text,
                "#EXT-X-MAP:URI=\"{rendition}-{}.mp4\"",
                self.discontinuity(index)
            )
            .unwrap();
        }
        if index == 0 || self.breaks_off[index] || self.dates_all {
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", self.start(index, rendition)).unwrap();
        }
    }

    fn stitched(&self, rendition: &str, listed: usize, quarters: usize) -> String {
        let slice = self.slice(listed);
        let decisions = decisions(&slice, &["v", "a"]);
        let stitching = stitching(&slice, &decisions, rendition);
        stitch(&self.playlist(rendition, listed, quarters), &stitching, None).into_owned()
    }

    /// What a viewer gets, segment by segment: of the programme its index, of a break the break's and its segment's.
    fn expected(&self) -> Vec<String> {
        let mut expected = Vec::new();
        for index in 0..=self.lengths.len() {
            for inserted in self.breaks.iter().filter(|inserted| inserted.boundary == index) {
                for (slot, cut) in inserted.slots.iter().enumerate() {
                    expected.extend((0..cut.segments()).map(|segment| format!("ad {slot}/{segment}")));
                }
            }
            if index < self.lengths.len() {
                expected.push(format!("programme {index}"));
            }
        }
        expected
    }
}

fn stitching<'a>(slice: &'a Slice, decisions: &'a [Arc<Decision>], rendition: &'a str) -> Stitching<'a> {
    Stitching {
        slice,
        decisions,
        rendition,
        path: None,
        cues: Cues::Stripped,
        tells_ads: true,
        skips: false,
    }
}

/// A pod for each break, one ad for each slot.
fn decisions(slice: &Slice, renditions: &[&str]) -> Vec<Arc<Decision>> {
    let decision = |airing: &Airing| {
        let ads = airing.structure.slots.iter().enumerate().map(|(slot, cut)| {
            let media = |rendition: &str| Media {
                init: Some(format!("ad/{rendition}/{slot}/init.mp4")),
                segments: (0..cut.segments())
                    .map(|index| Segment {
                        duration: if index + 1 == cut.segments() {
                            cut.last()
                        } else {
                            cut.segment()
                        },
                        uri: format!("ad/{rendition}/{slot}/{index}.m4s"),
                        parts: Vec::new(),
                    })
                    .collect(),
            };
            let media = renditions.iter().map(|name| ((*name).to_owned(), media(name)));
            Ad {
                creative: format!("ad-{slot}"),
                duration: cut.length(),
                renditions: media.collect::<BTreeMap<_, _>>(),
            }
        });
        Arc::new(Decision {
            version: serde_json::from_str("1").unwrap(),
            break_id: airing.id.clone(),
            cohort: "all".into(),
            ads: ads.collect(),
            slate: None,
        })
    };
    slice.breaks.iter().map(decision).collect()
}

/// An airing of so many segments of 2 s at a second of the asset.
fn airing(name: u32, second: i64, segments: u32) -> Airing {
    let out = BEGIN.plus(Micros::from_seconds(second));
    let two = Micros::from_seconds(2);
    Airing {
        id: BreakId::new("movie", out, &Key::Insert(name)),
        mode: Mode::Insert,
        out,
        planned: two.times(i64::from(segments)),
        t_in: None,
        revision: 1,
        effective_from: out,
        structure: Structure {
            slots: Slot::new(segments, two, two).into_iter().collect(),
            after: After::Wait,
            tolerance: Micros(20_000),
        },
        anchor: None,
    }
}

fn insert(playlist: &str, breaks: Vec<Airing>, renditions: &[&str]) -> String {
    let slice = Slice {
        breaks,
        ..Slice::default()
    };
    let decisions = decisions(&slice, renditions);
    stitch(playlist, &stitching(&slice, &decisions, "v"), None).into_owned()
}

const MOVIE: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n\
    #EXT-X-DATERANGE:ID=\"chapter\",START-DATE=\"2026-01-01T20:00:02.000Z\",DURATION=4,X-TITLE=\"a, b\"\n\
    #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"init.mp4\"\n\
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:00.000Z\n#EXTINF:2,\n0.m4s\n#EXTINF:2,\n1.m4s\n\
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:04.000Z\n#EXTINF:2,\n2.m4s\n#EXT-X-ENDLIST\n";

#[test]
fn an_asset_with_a_pre_roll_a_mid_roll_and_a_post_roll() {
    let breaks = vec![airing(1, 0, 1), airing(2, 4, 1), airing(3, 6, 1)];
    insta::assert_snapshot!(insert(MOVIE, breaks, &["v"]), @r#"
    #EXTM3U
    #EXT-X-TARGETDURATION:2
    #EXT-X-PLAYLIST-TYPE:VOD
    #EXT-X-DATERANGE:ID="chapter",START-DATE="2026-01-01T20:00:04.000Z",DURATION=6,X-TITLE="a, b"
    #EXT-X-DATERANGE:ID="movie-1767297600000-si:1",CLASS="dev.selvedge.break",START-DATE="2026-01-01T20:00:00.000Z",PLANNED-DURATION=2,DURATION=2
    #EXT-X-DATERANGE:ID="movie-1767297600000-si:1/0",CLASS="dev.selvedge.ad",START-DATE="2026-01-01T20:00:00.000Z",PLANNED-DURATION=2,DURATION=2,X-CREATIVE="ad-0"
    #EXT-X-DISCONTINUITY
    #EXT-X-MAP:URI="ad/v/0/init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:00.000Z
    #EXTINF:2.000000,
    ad/v/0/0.m4s
    #EXT-X-DISCONTINUITY
    #EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000000
    #EXT-X-MAP:URI="init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:02.000Z
    #EXTINF:2,
    0.m4s
    #EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000001
    #EXTINF:2,
    1.m4s
    #EXT-X-DATERANGE:ID="movie-1767297604000-si:2",CLASS="dev.selvedge.break",START-DATE="2026-01-01T20:00:06.000Z",PLANNED-DURATION=2,DURATION=2
    #EXT-X-DATERANGE:ID="movie-1767297604000-si:2/0",CLASS="dev.selvedge.ad",START-DATE="2026-01-01T20:00:06.000Z",PLANNED-DURATION=2,DURATION=2,X-CREATIVE="ad-0"
    #EXT-X-DISCONTINUITY
    #EXT-X-KEY:METHOD=NONE
    #EXT-X-MAP:URI="ad/v/0/init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:06.000Z
    #EXTINF:2.000000,
    ad/v/0/0.m4s
    #EXT-X-DISCONTINUITY
    #EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000002
    #EXT-X-MAP:URI="init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:08.000Z
    #EXTINF:2,
    2.m4s
    #EXT-X-DATERANGE:ID="movie-1767297606000-si:3",CLASS="dev.selvedge.break",START-DATE="2026-01-01T20:00:10.000Z",PLANNED-DURATION=2,DURATION=2
    #EXT-X-DATERANGE:ID="movie-1767297606000-si:3/0",CLASS="dev.selvedge.ad",START-DATE="2026-01-01T20:00:10.000Z",PLANNED-DURATION=2,DURATION=2,X-CREATIVE="ad-0"
    #EXT-X-DISCONTINUITY
    #EXT-X-KEY:METHOD=NONE
    #EXT-X-MAP:URI="ad/v/0/init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:10.000Z
    #EXTINF:2.000000,
    ad/v/0/0.m4s
    #EXT-X-ENDLIST
    "#);
}

#[test]
fn an_asset_without_dates_counts_from_its_begin() {
    let movie: String = MOVIE
        .lines()
        .filter(|line| !line.contains("DATE"))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut brk = airing(1, 0, 1);
    brk.out = UnixMicros(2_100_000);
    brk.effective_from = brk.out;
    insta::assert_snapshot!(insert(&movie, vec![brk], &["v"]), @r#"
    #EXTM3U
    #EXT-X-TARGETDURATION:2
    #EXT-X-PLAYLIST-TYPE:VOD
    #EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000000
    #EXT-X-MAP:URI="init.mp4"
    #EXTINF:2,
    0.m4s
    #EXT-X-DISCONTINUITY
    #EXT-X-KEY:METHOD=NONE
    #EXT-X-MAP:URI="ad/v/0/init.mp4"
    #EXTINF:2.000000,
    ad/v/0/0.m4s
    #EXT-X-DISCONTINUITY
    #EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000001
    #EXT-X-MAP:URI="init.mp4"
    #EXTINF:2,
    1.m4s
    #EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000002
    #EXTINF:2,
    2.m4s
    #EXT-X-ENDLIST
    "#);
}

/// The same in the clear.
fn clear() -> String {
    let lines = MOVIE.lines().filter(|line| !line.contains("KEY"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The segments' URIs.
fn uris(playlist: &str) -> Vec<&str> {
    playlist.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn a_break_is_at_the_boundary_nearest_to_its_position() {
    let at = |millis| {
        let mut brk = airing(1, 0, 1);
        brk.out = BEGIN.plus(Micros::from_millis(millis));
        brk.effective_from = brk.out;
        let playlist = insert(MOVIE, vec![brk], &["v"]);
        let place = uris(&playlist).iter().position(|uri| uri.starts_with("ad"));
        place.unwrap()
    };
    assert_eq!((at(-5000), at(0), at(999), at(1000)), (0, 0, 0, 0));
    assert_eq!((at(1001), at(2999), at(3001)), (1, 1, 2));
    assert_eq!((at(5001), at(6000)), (3, 3));
    assert_eq!(at(7_200_000), 3, "behind the end is at the end");
}

#[test]
fn breaks_of_one_place_follow_each_other() {
    let playlist = insert(MOVIE, vec![airing(1, 2, 1), airing(2, 2, 2)], &["v"]);
    assert_eq!(
        uris(&playlist),
        [
            "0.m4s",
            "ad/v/0/0.m4s",
            "ad/v/0/0.m4s",
            "ad/v/0/1.m4s",
            "1.m4s",
            "2.m4s"
        ]
    );
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 3);
}

#[test]
fn a_rendition_that_the_ads_do_not_have_gets_gaps_in_their_place() {
    let playlist = insert(MOVIE, vec![airing(1, 2, 2)], &["another"]);
    assert_eq!(uris(&playlist), ["0.m4s", "gap.m4s", "gap.m4s", "1.m4s", "2.m4s"]);
    assert_eq!(playlist.matches("#EXT-X-GAP\n").count(), 2);
}

#[test]
fn a_break_that_holds_nothing_changes_nothing() {
    let mut brk = airing(1, 2, 1);
    brk.structure.slots.clear();
    brk.planned = Micros::ZERO;
    assert_eq!(insert(&clear(), vec![brk], &["v"]), clear());
}

#[test]
fn nothing_is_inserted_into_a_live_channel() {
    let live = clear()
        .replace("#EXT-X-ENDLIST\n", "")
        .replace("#EXT-X-PLAYLIST-TYPE:VOD\n", "");
    assert_eq!(insert(&live, vec![airing(1, 2, 1)], &["v"]), live);
}

#[test]
fn a_break_known_too_late_is_void() {
    let mut brk = airing(1, 2, 1);
    brk.effective_from = brk.out.plus(Micros(1));
    assert_eq!(insert(&clear(), vec![brk], &["v"]), clear());
}

prop_compose! {
    fn any_asset()(
        lengths in proptest::collection::vec(1000_i64..3000, 3..24),
        off in proptest::collection::vec(0..9_u8, 24),
        (encrypted, in_one_file, parts, dates_all) in any::<(bool, bool, bool, bool)>(),
        wishes in proptest::collection::vec(
            (0..24_usize, -40..40_i64, proptest::collection::vec((1..4_u32, 500..3000_i64), 1..4), any::<bool>()), 0..5,
        ),
    ) -> Asset {
        let count = lengths.len();
        let mut asset = Asset {
            lengths: lengths.into_iter().map(Micros::from_millis).collect(),
            breaks_off: off.into_iter().take(count).map(|off| off == 0).collect(),
            encrypted,
            in_one_file: in_one_file && !parts,
            parts,
            dates_all,
            breaks: Vec::new(),
        };
        for (boundary, percent, slots, anchored) in wishes {
            let boundary = boundary % (count + 1);
            // So far off its boundary that no other is as near.
            let near = if percent < 0 { boundary.checked_sub(1) } else { Some(boundary).filter(|index| *index < count) };
            let off = near.map_or(0, |segment| asset.lengths[segment].0 * percent / 100);
            let slot = |(segments, millis)| {
                let last = Micros::from_millis(millis);
                Slot::new(segments, Micros::from_seconds(2), last)
            };
            asset.breaks.push(Inserted {
                boundary,
                out: asset.start(boundary, "v").plus(Micros(off)),
                slots: slots.into_iter().filter_map(slot).collect(),
                anchored,
            });
        }
        asset.breaks.sort_by_key(|inserted| inserted.out);
        asset
    }
}

/// What a playlist shows, as [`Asset::expected`] has it.
fn shown(asset: &Asset, list: &Playlist) -> Vec<String> {
    let mut programme = 0..;
    let name = |segment: &player::Segment| match segment.uri.strip_prefix("ad/") {
        Some(rest) => {
            let ad = rest
                .split_once('/')
                .unwrap()
                .1
                .trim_end_matches(".m4s")
                .to_owned();
            assert_eq!(segment.keys, [""; 0], "an ad is clear");
            assert!(segment.map.as_deref().unwrap().starts_with("ad/"), "{segment:?}");
            format!("ad {ad}")
        }
        None => {
            let index: usize = programme.next().unwrap();
            let own = if asset.in_one_file {
                ".mp4"
            } else {
                &format!("{index}.m4s")
            };
            assert!(segment.uri.ends_with(own), "{segment:?} is not {index}");
            let map = format!("-{}.mp4", asset.discontinuity(index));
            assert!(segment.map.as_deref().unwrap().ends_with(&map), "{segment:?}");
            let number = FIRST + index as u64;
            let iv = format!("AES-128 k 0x{number:032X}");
            assert_eq!(
                segment.keys,
                if asset.encrypted { vec![iv] } else { vec![] },
                "{segment:?}"
            );
            format!("programme {index}")
        }
    };
    list.segments.iter().map(name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_asset_shows_all_of_its_programme_and_of_its_breaks(asset in any_asset()) {
        let mut player = Player::default();
        let whole = asset.lengths.len();
        for listed in 1..whole {
            for quarters in 0..if asset.parts { 4 } else { 1 } {
                player.load(&asset.stitched("v", listed, quarters));
            }
        }
        let text = asset.stitched("v", whole, 0);
        player.load(&text);
        let video = player.last.unwrap();
        prop_assert_eq!(shown(&asset, &video), asset.expected(), "{}", text);
        // Dates go on without a gap, and are as long as all that is shown.
        let length = |list: &Playlist| list.segments.iter().fold(Micros::ZERO, |sum, segment| sum.plus(segment.length));
        let last = video.segments.last().unwrap();
        let dated = last.date.plus(last.length).since(BEGIN);
        prop_assert!(dated.less(length(&video)).0.abs() < 1000, "{} of {}", dated, length(&video));

        let audio = Playlist::read(&asset.stitched("a", whole, 0), None);
        prop_assert_eq!(shown(&asset, &audio), asset.expected());
        let discontinuities = |list: &Playlist| list.segments.iter().map(|segment| segment.discontinuity).collect::<Vec<_>>();
        prop_assert_eq!(discontinuities(&audio), discontinuities(&video));
        prop_assert_eq!(asset.stitched("v", whole, 0), text, "another edge");
    }

    #[test]
    fn an_mpd_tells_the_same_timeline_as_its_playlists(mut asset in any_asset()) {
        asset.in_one_file = false;
        let whole = asset.lengths.len();
        let text = asset.stitched_mpd();
        let mpd = Mpd::read(&text, Micros::ZERO);
        for rendition in ["v", "a"] {
            let list = Playlist::read(&asset.stitched(rendition, whole, 0), None);
            let shown = mpd.shown(rendition);
            let urls: Vec<_> = shown.iter().map(|segment| &segment.url).collect();
            let expected: Vec<_> = list.segments.iter().map(|segment| &segment.uri).collect();
            prop_assert_eq!(urls, expected, "{}", text);
            // Periods are cut where pictures are.
            let slack = if rendition == "v" { 0 } else { 16_000 };
            for (one, other) in shown.iter().zip(&list.segments) {
                let off = BEGIN.plus(one.begin).since(other.date).0.abs();
                prop_assert!(off <= slack, "{} {:?} {:?} of {}", off, one, other, text);
            }
            if rendition == "v" {
                let last = shown.last().unwrap();
                let (_, lasts) = text.split_once("mediaPresentationDuration=\"PT").unwrap();
                let (lasts, _) = lasts.split_once("S\"").unwrap();
                prop_assert_eq!(Micros::read_seconds(lasts), Some(last.end), "{}", text);
            }
        }
        let ids: std::collections::BTreeSet<_> = mpd.periods.iter().map(|period| &period.id).collect();
        prop_assert_eq!(ids.len(), mpd.periods.len(), "{}", text);
    }
}
