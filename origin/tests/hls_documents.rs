//! HLS playlists of channels made by hand: what they say, and what stays the same from one to the next.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use selvedge_origin::cmaf::{Init, Role};
use selvedge_origin::media::{
    Counts, Entry, Epoch, Event, Gap, Grid, MediaSequence, OpenView, Part, Segment, Snapshot, Splice,
    TrackView,
};
use selvedge_origin::render::hls::{self, Memory, Playlist, Skip};
use selvedge_origin::render::piece;
use selvedge_origin::time::UnixMillis;
use support::{AUDIO, NOON, VIDEO};

/// Ticks of a part of 0.32 s at 90 kHz.
const PART: u64 = 28_800;
const PARTS: u64 = 6;
const TIMESCALE: u64 = 90_000;

/// A channel on Unix time, of segments of six parts.
struct Sketched {
    snapshot: Snapshot,
    /// Parts that have come, of each track.
    parts: u64,
    /// Numbers of segments that never came.
    holes: Vec<u64>,
    /// The number at which another epoch began.
    restart: Option<u64>,
}

impl Sketched {
    fn new(window_s: u32) -> Self {
        let tracks = [("video", VIDEO), ("audio", AUDIO)].map(|(name, sketch)| {
            let mut init = Init::parse(&support::init(sketch)).unwrap();
            init.timescale = TIMESCALE as u32;
            TrackView {
                name: name.to_owned(),
                inits: vec![Arc::new(init)],
                entries: Vec::new(),
                open: None,
                peak_bitrate: 1_000_000,
                average_bitrate: 900_000,
                frame_rate: (name == "video").then_some((25, 1)),
                ended: false,
                sources: Vec::new(),
                inband: Vec::new(),
                counts: Counts::default(),
                marking: None,
                paired: 0,
            }
        });
        let epochs = [0_u32, 1].map(|ordinal| Epoch {
            ordinal,
            id: ordinal.to_string(),
            anchor: UnixMillis(0),
            period_start: UnixMillis(0),
            opened: UnixMillis(0),
            base: None,
            source: None,
        });
        let snapshot = Snapshot {
            channel: "demo".to_owned(),
            grid: Some(Grid {
                nominal: 1_920_000_000,
                target_duration_s: 2,
                part_target_ms: Some(320),
            }),
            epochs: epochs[..1].to_vec(),
            tracks: tracks.to_vec(),
            ended: false,
            updated: UnixMillis(NOON),
            began: UnixMillis(NOON),
            window_s,
            events: Vec::new(),
            events_told: 0,
            breaks: None,
        };
        Self {
            snapshot,
            parts: 0,
            holes: Vec::new(),
            restart: None,
        }
    }

    /// The channel once so many parts have come; the first segment's number is 100.
    fn at(mut self, parts: u64) -> Self {
        self.parts = parts;
        self.fill();
        self
    }

    fn epoch_of(&self, sequence: u64) -> u32 {
        u32::from(self.restart.is_some_and(|restart| sequence >= restart))
    }

    fn fill(&mut self) {
        let wall = |sequence: u64| NOON * 1_000_000 + (sequence as i64 - 100) * 1_920_000_000;
        let start = |sequence: u64| (NOON as u64 * TIMESCALE / 1_000) + (sequence - 100) * PART * PARTS;
        let part = |index: u64| Part {
            offset: index * 1_000,
            length: 1_000,
            duration: PART,
            independent: index == 0,
            first_sample: if index == 0 { 640 } else { 0 },
        };
        let newest = 100 + self.parts / PARTS;
        let listed = u64::from(self.snapshot.window_s) * 1_000 / 1_920 + 1;
        let first = newest.saturating_sub(listed).max(100);
        for index in 0..self.snapshot.tracks.len() {
            let init = self.snapshot.tracks[index].inits[0].hash;
            let entries = (first..newest).map(|sequence| {
                let epoch = self.epoch_of(sequence);
                if self.holes.contains(&sequence) {
                    return Entry::Gap(Gap {
                        sequence: MediaSequence(sequence),
                        epoch,
                        wall: wall(sequence),
                        span: 1_920_000_000,
                        init,
                    });
                }
                Entry::Segment(
                    Segment {
                        sequence: MediaSequence(sequence),
                        epoch,
                        name: format!("{epoch}-{}.m4s", start(sequence)),
                        start: start(sequence),
                        duration: PART * PARTS,
                        wall: wall(sequence),
                        span: 1_920_000_000,
                        length: PARTS * 1_000,
                        init,
                        parts: (0..PARTS).map(part).collect(),
                    }
                    .into(),
                )
            });
            let entries = entries.collect();
            let epoch = self.epoch_of(newest);
            let open_parts = self.parts % PARTS;
            let open = (open_parts > 0 && !self.snapshot.ended).then(|| {
                Arc::new(OpenView {
                    sequence: MediaSequence(newest),
                    epoch,
                    name: format!("{epoch}-{}.m4s", start(newest)),
                    start: start(newest),
                    duration: open_parts * PART,
                    wall: wall(newest),
                    init,
                    parts: (0..open_parts).map(part).collect(),
                    chunks: vec![Bytes::from(vec![0; 1_000]); open_parts as usize],
                })
            });
            let track = &mut self.snapshot.tracks[index];
            track.entries = entries;
            track.open = open;
        }
    }

    fn playlist(&self) -> Playlist<'_> {
        Playlist::new(&self.snapshot, &self.snapshot.tracks[0]).unwrap()
    }

    fn text(&self) -> String {
        hls::media(&self.snapshot, &self.snapshot.tracks[0])
    }
}

fn splice(id: u32, at_ms: i64, splice: Splice, span_ms: Option<i64>) -> Arc<Event> {
    Arc::new(Event {
        scheme: "urn:scte:scte35:2013:bin".to_owned(),
        value: String::new(),
        id,
        epoch: 0,
        wall: (NOON + at_ms) * 1_000_000,
        span: span_ms.map(|ms| ms * 1_000_000),
        message: Bytes::from_static(&[0xfc, 0x30, 0x00]),
        splice: Some(splice),
    })
}

#[test]
fn a_low_latency_playlist_lists_parts_near_its_end_alone() {
    let sketched = Sketched::new(60).at(5 * PARTS + 2);
    insta::assert_snapshot!(sketched.text(), @r#"
    #EXTM3U
    #EXT-X-VERSION:6
    #EXT-X-TARGETDURATION:2
    #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6,PART-HOLD-BACK=0.96,CAN-SKIP-UNTIL=12
    #EXT-X-PART-INF:PART-TARGET=0.32
    #EXT-X-MEDIA-SEQUENCE:100
    #EXT-X-MAP:URI="init-d56edf38.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-11-21T12:00:00.000Z
    #EXTINF:1.920000,
    0-161573616000000.m4s
    #EXTINF:1.920000,
    0-161573616172800.m4s
    #EXT-X-PART:DURATION=0.32,URI="0-161573616345600.0.m4s",INDEPENDENT=YES
    #EXT-X-PART:DURATION=0.32,URI="0-161573616345600.1.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616345600.2.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616345600.3.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616345600.4.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616345600.5.m4s"
    #EXTINF:1.920000,
    0-161573616345600.m4s
    #EXT-X-PART:DURATION=0.32,URI="0-161573616518400.0.m4s",INDEPENDENT=YES
    #EXT-X-PART:DURATION=0.32,URI="0-161573616518400.1.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616518400.2.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616518400.3.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616518400.4.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616518400.5.m4s"
    #EXTINF:1.920000,
    0-161573616518400.m4s
    #EXT-X-PART:DURATION=0.32,URI="0-161573616691200.0.m4s",INDEPENDENT=YES
    #EXT-X-PART:DURATION=0.32,URI="0-161573616691200.1.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616691200.2.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616691200.3.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616691200.4.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573616691200.5.m4s"
    #EXTINF:1.920000,
    0-161573616691200.m4s
    #EXT-X-PART:DURATION=0.32,URI="0-161573616864000.0.m4s",INDEPENDENT=YES
    #EXT-X-PART:DURATION=0.32,URI="0-161573616864000.1.m4s"
    #EXT-X-PRELOAD-HINT:TYPE=PART,URI="0-161573616864000.2.m4s"
    #EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=105,LAST-PART=1
    "#);
}

#[test]
fn the_hint_is_the_next_part_or_the_first_of_the_segment_that_follows() {
    let hint = |parts| {
        let text = Sketched::new(60).at(parts).text();
        let hint = text.lines().find(|line| line.starts_with("#EXT-X-PRELOAD-HINT"));
        hint.unwrap().to_owned()
    };
    let start = NOON as u64 * 90;
    let uri = |segment: u64, part: u64| {
        let start = start + segment * PART * PARTS;
        format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"0-{start}.{part}.m4s\"")
    };
    assert_eq!(hint(5 * PARTS + 1), uri(5, 1));
    assert_eq!(hint(5 * PARTS + 5), uri(5, 5));
    assert_eq!(hint(6 * PARTS), uri(6, 0));
    // Six parts fill the slot although the segment has not been ended.
    let mut sketched = Sketched::new(60).at(5 * PARTS + 5);
    for track in &mut sketched.snapshot.tracks {
        let open = Arc::make_mut(track.open.as_mut().unwrap());
        open.parts.push(*open.parts.last().unwrap());
        open.duration += PART;
    }
    assert!(sketched.text().contains(&uri(6, 0)));
}

#[test]
fn an_ended_playlist_says_what_it_said_but_neither_blocks_nor_hints() {
    let live = Sketched::new(60).at(3 * PARTS);
    let mut ended = live.snapshot.clone();
    ended.ended = true;
    let text = hls::media(&ended, &ended.tracks[0]);
    let (listed, _) = text.split_once("#EXT-X-ENDLIST\n").unwrap();
    let before = live.text().replace("CAN-BLOCK-RELOAD=YES,", "");
    let (before, _) = before.split_once("#EXT-X-PRELOAD-HINT").unwrap();
    assert_eq!(listed, before, "parts and their target stay listed");
    for tag in ["CAN-BLOCK-RELOAD", "PRELOAD-HINT", "RENDITION-REPORT"] {
        assert!(!text.contains(tag), "{tag} in {text}");
    }
    let playlist = Playlist::new(&ended, &ended.tracks[0]).unwrap();
    assert_eq!(playlist.delta(Skip::Segments, &mut Memory::default()), None);
}

#[test]
fn a_channel_without_parts_is_plain_hls() {
    let mut sketched = Sketched::new(60).at(4 * PARTS);
    sketched.snapshot.grid.as_mut().unwrap().part_target_ms = None;
    insta::assert_snapshot!(sketched.text(), @r#"
    #EXTM3U
    #EXT-X-VERSION:6
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:100
    #EXT-X-MAP:URI="init-d56edf38.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-11-21T12:00:00.000Z
    #EXTINF:1.920000,
    0-161573616000000.m4s
    #EXTINF:1.920000,
    0-161573616172800.m4s
    #EXTINF:1.920000,
    0-161573616345600.m4s
    #EXTINF:1.920000,
    0-161573616518400.m4s
    "#);
    // A window that is worth skipping is skipped all the same.
    sketched.snapshot.window_s = 600;
    assert!(
        sketched
            .text()
            .contains("#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12\n")
    );
}

#[test]
fn a_restart_is_a_gap_in_parts_as_well_then_a_discontinuity_with_its_date() {
    let mut sketched = Sketched::new(60);
    sketched.holes = vec![103];
    sketched.restart = Some(104);
    sketched.snapshot.epochs.push(Epoch {
        ordinal: 1,
        id: "1".to_owned(),
        ..sketched.snapshot.epochs[0].clone()
    });
    let text = sketched.at(4 * PARTS + 1).text();
    let at = text
        .find("#EXT-X-PART:DURATION=0.32,URI=\"gap-103.0.m4s\"")
        .unwrap();
    insta::assert_snapshot!(&text[at..], @r#"
    #EXT-X-PART:DURATION=0.32,URI="gap-103.0.m4s",GAP=YES
    #EXT-X-PART:DURATION=0.32,URI="gap-103.1.m4s",GAP=YES
    #EXT-X-PART:DURATION=0.32,URI="gap-103.2.m4s",GAP=YES
    #EXT-X-PART:DURATION=0.32,URI="gap-103.3.m4s",GAP=YES
    #EXT-X-PART:DURATION=0.32,URI="gap-103.4.m4s",GAP=YES
    #EXT-X-PART:DURATION=0.32,URI="gap-103.5.m4s",GAP=YES
    #EXT-X-GAP
    #EXTINF:1.920000,
    gap-103.m4s
    #EXT-X-DISCONTINUITY
    #EXT-X-PROGRAM-DATE-TIME:2026-11-21T12:00:07.680Z
    #EXT-X-PART:DURATION=0.32,URI="1-161573616691200.0.m4s",INDEPENDENT=YES
    #EXT-X-PRELOAD-HINT:TYPE=PART,URI="1-161573616691200.1.m4s"
    #EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=104,LAST-PART=0
    "#);
}

#[test]
fn both_ends_of_a_break_are_one_date_range() {
    let mut sketched = Sketched::new(60).at(4 * PARTS);
    sketched.snapshot.events = vec![
        splice(7, 1_920, Splice::Out, Some(30_000)),
        splice(8, 3_840, Splice::In, None),
        splice(9, 5_760, Splice::Other, None),
        splice(10, 7_680, Splice::Out, None),
    ];
    sketched.snapshot.events_told = 4;
    let text = sketched.text();
    let ranges: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("#EXT-X-DATERANGE"))
        .collect();
    insta::assert_snapshot!(ranges.join("\n"), @r#"
    #EXT-X-DATERANGE:ID="splice-7-1795262401920",CLASS="urn:scte:scte35:2013:bin",START-DATE="2026-11-21T12:00:01.920Z",DURATION=1.92,PLANNED-DURATION=30,SCTE35-OUT=0xFC3000,SCTE35-IN=0xFC3000
    #EXT-X-DATERANGE:ID="splice-9-1795262405760",CLASS="urn:scte:scte35:2013:bin",START-DATE="2026-11-21T12:00:05.760Z",SCTE35-CMD=0xFC3000
    #EXT-X-DATERANGE:ID="splice-10-1795262407680",CLASS="urn:scte:scte35:2013:bin",START-DATE="2026-11-21T12:00:07.680Z",SCTE35-OUT=0xFC3000
    "#);
    let audio = hls::media(&sketched.snapshot, &sketched.snapshot.tracks[1]);
    assert!(
        ranges.iter().all(|range| audio.contains(range)),
        "the same in every rendition"
    );
    assert!(text.contains("CAN-SKIP-DATERANGES=YES"));
}

#[test]
fn a_delta_update_leaves_out_what_the_client_has() {
    let sketched = Sketched::new(60).at(10 * PARTS + 2);
    let delta = sketched
        .playlist()
        .delta(Skip::Segments, &mut Memory::default())
        .unwrap();
    insta::assert_snapshot!(delta, @r#"
    #EXTM3U
    #EXT-X-VERSION:9
    #EXT-X-TARGETDURATION:2
    #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6,PART-HOLD-BACK=0.96,CAN-SKIP-UNTIL=12
    #EXT-X-PART-INF:PART-TARGET=0.32
    #EXT-X-MEDIA-SEQUENCE:100
    #EXT-X-SKIP:SKIPPED-SEGMENTS=3
    #EXTINF:1.920000,
    0-161573616518400.m4s
    #EXTINF:1.920000,
    0-161573616691200.m4s
    #EXTINF:1.920000,
    0-161573616864000.m4s
    #EXTINF:1.920000,
    0-161573617036800.m4s
    #EXT-X-PART:DURATION=0.32,URI="0-161573617209600.0.m4s",INDEPENDENT=YES
    #EXT-X-PART:DURATION=0.32,URI="0-161573617209600.1.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617209600.2.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617209600.3.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617209600.4.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617209600.5.m4s"
    #EXTINF:1.920000,
    0-161573617209600.m4s
    #EXT-X-PART:DURATION=0.32,URI="0-161573617382400.0.m4s",INDEPENDENT=YES
    #EXT-X-PART:DURATION=0.32,URI="0-161573617382400.1.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617382400.2.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617382400.3.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617382400.4.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617382400.5.m4s"
    #EXTINF:1.920000,
    0-161573617382400.m4s
    #EXT-X-PART:DURATION=0.32,URI="0-161573617555200.0.m4s",INDEPENDENT=YES
    #EXT-X-PART:DURATION=0.32,URI="0-161573617555200.1.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617555200.2.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617555200.3.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617555200.4.m4s"
    #EXT-X-PART:DURATION=0.32,URI="0-161573617555200.5.m4s"
    #EXTINF:1.920000,
    0-161573617555200.m4s
    #EXT-X-PART:DURATION=0.32,URI="0-161573617728000.0.m4s",INDEPENDENT=YES
    #EXT-X-PART:DURATION=0.32,URI="0-161573617728000.1.m4s"
    #EXT-X-PRELOAD-HINT:TYPE=PART,URI="0-161573617728000.2.m4s"
    #EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=110,LAST-PART=1
    "#);
    // Nothing lies before the boundary yet.
    let young = Sketched::new(60).at(5 * PARTS);
    assert_eq!(
        young.playlist().delta(Skip::Segments, &mut Memory::default()),
        None
    );
}

#[test]
fn a_delta_update_skips_date_ranges_that_were_told_long_ago_and_names_those_that_left() {
    let mut memory = Memory::default();
    let old = splice(1, 0, Splice::Other, None);
    let mut at = |parts, events: &[&Arc<Event>]| {
        let mut sketched = Sketched::new(60).at(parts);
        sketched.snapshot.events = events.iter().map(|event| Arc::clone(event)).collect();
        sketched.snapshot.events_told = 1;
        let playlist = sketched.playlist();
        playlist
            .delta(Skip::SegmentsAndRanges, &mut memory)
            .unwrap_or_default()
    };
    let new = splice(2, 30_000, Splice::Other, None);
    assert!(
        at(10 * PARTS, &[&old]).contains("ID=\"splice-1-"),
        "told just now"
    );
    let later = at(18 * PARTS, &[&old, &new]);
    assert!(
        !later.contains("ID=\"splice-1-") && later.contains("ID=\"splice-2-"),
        "{later}"
    );
    assert!(later.contains("#EXT-X-VERSION:10\n") && later.contains("RECENTLY-REMOVED-DATERANGES=\"\""));
    let left = format!("RECENTLY-REMOVED-DATERANGES=\"splice-1-{NOON}\"");
    assert!(at(19 * PARTS, &[&new]).contains(&left));
    assert!(at(25 * PARTS, &[&new]).contains(&left), "still recent");
    assert!(at(26 * PARTS, &[&new]).contains("RECENTLY-REMOVED-DATERANGES=\"\""));
}

#[test]
fn an_i_frame_playlist_has_the_first_picture_of_each_segment() {
    let mut sketched = Sketched::new(60);
    sketched.holes = vec![101];
    let sketched = sketched.at(3 * PARTS);
    let [video, audio] = &sketched.snapshot.tracks[..] else {
        panic!("two tracks")
    };
    insta::assert_snapshot!(hls::iframes(&sketched.snapshot, video, false).unwrap(), @r#"
    #EXTM3U
    #EXT-X-VERSION:5
    #EXT-X-TARGETDURATION:2
    #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6,PART-HOLD-BACK=0.96,CAN-SKIP-UNTIL=12
    #EXT-X-I-FRAMES-ONLY
    #EXT-X-MEDIA-SEQUENCE:100
    #EXT-X-MAP:URI="init-d56edf38.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-11-21T12:00:00.000Z
    #EXTINF:1.920000,
    #EXT-X-BYTERANGE:640@0
    0-161573616000000.m4s
    #EXT-X-GAP
    #EXTINF:1.920000,
    gap-101.m4s
    #EXTINF:1.920000,
    #EXT-X-BYTERANGE:640@0
    0-161573616345600.m4s
    "#);
    assert_eq!(hls::iframes(&sketched.snapshot, audio, false), None);
    assert_eq!(
        hls::iframes(&sketched.snapshot, video, true),
        hls::iframes(&sketched.snapshot, video, false),
        "nothing lies behind the skip boundary"
    );
}

#[test]
fn an_i_frame_playlist_skips_what_it_says_that_it_can_skip() {
    let sketched = Sketched::new(60).at(9 * PARTS);
    let video = &sketched.snapshot.tracks[0];
    let whole = hls::iframes(&sketched.snapshot, video, false).unwrap();
    let delta = hls::iframes(&sketched.snapshot, video, true).unwrap();
    // Seven segments of 1.92 s reach across the six target durations that are kept.
    let from = whole.match_indices("#EXTINF").nth(2).unwrap().0;
    let (head, rest) = delta.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n").unwrap();
    assert_eq!(rest, &whole[from..]);
    assert!(
        head.contains("#EXT-X-VERSION:9\n") && head.contains("CAN-SKIP-UNTIL=12"),
        "{head}"
    );
}

#[test]
fn renditions_of_several_codecs_are_groups_and_each_picture_is_offered_with_each() {
    let mut sketched = Sketched::new(60).at(3 * PARTS);
    let audio = sketched.snapshot.tracks[1].clone();
    let mut add = |name: &str, codec: &str, language: &str| {
        let mut track = audio.clone();
        track.name = name.to_owned();
        let init = Arc::make_mut(&mut track.inits[0]);
        init.codec = codec.to_owned();
        init.language = Some(language.to_owned());
        if codec == "wvtt" {
            init.kind = selvedge_origin::cmaf::Kind::Text;
            init.channels = 0;
        }
        sketched.snapshot.tracks.push(track);
    };
    add("audio-de", "mp4a.40.2", "de");
    add("surround", "ec-3", "en");
    add("captions", "wvtt", "en");
    insta::assert_snapshot!(hls::multivariant(&sketched.snapshot), @r#"
    #EXTM3U
    #EXT-X-VERSION:6
    #EXT-X-INDEPENDENT-SEGMENTS
    #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="captions",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,URI="captions/index.m3u8"
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-mp4a",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/index.m3u8"
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-mp4a",NAME="audio-de",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio-de/index.m3u8"
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-ec-3",NAME="surround",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="surround/index.m3u8"
    #EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2700000,CODECS="avc1.64001F,mp4a.40.2,wvtt",RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="audio-mp4a",SUBTITLES="subtitles",CLOSED-CAPTIONS=NONE
    video/index.m3u8
    #EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2700000,CODECS="avc1.64001F,ec-3,wvtt",RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="audio-ec-3",SUBTITLES="subtitles",CLOSED-CAPTIONS=NONE
    video/index.m3u8
    #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=2666,CODECS="avc1.64001F",RESOLUTION=640x360,URI="video/iframes.m3u8"
    "#);
}

#[test]
fn what_is_known_of_the_picture_and_of_roles_is_told() {
    let mut sketched = Sketched::new(60).at(3 * PARTS);
    let init = |track: &mut TrackView, change: fn(&mut Init)| change(Arc::make_mut(&mut track.inits[0]));
    init(&mut sketched.snapshot.tracks[0], |init| {
        init.transfer = Some(16);
        init.supplemental = Some("dvh1.08.07/db1p".to_owned());
    });
    let mut main = sketched.snapshot.tracks[1].clone();
    main.name = "dialogue".to_owned();
    init(&mut main, |init| init.roles = vec![role("main")]);
    let mut described = main.clone();
    described.name = "described".to_owned();
    init(&mut described, |init| {
        init.roles = vec![role("alternate"), role("description")];
    });
    sketched.snapshot.tracks.extend([main, described]);
    let text = hls::multivariant(&sketched.snapshot);
    assert!(text.contains(",SUPPLEMENTAL-CODECS=\"dvh1.08.07/db1p\",RESOLUTION=640x360,VIDEO-RANGE=PQ,"));
    assert!(text.contains("NAME=\"audio\",DEFAULT=NO"), "{text}");
    assert!(text.contains("NAME=\"dialogue\",DEFAULT=YES"), "{text}");
    assert!(
        text.contains("CHARACTERISTICS=\"public.accessibility.describes-video\""),
        "{text}"
    );
}

fn role(value: &str) -> Role {
    Role {
        scheme: "urn:mpeg:dash:role:2011".to_owned(),
        value: value.to_owned(),
    }
}

#[test]
fn a_sample_entry_says_how_bright_its_picture_is_and_what_dolby_vision_makes_of_it() {
    let with = |more: &[u8]| {
        // The boxes behind `avcC`, and the sizes of all that they are in.
        let bytes = support::init(VIDEO);
        let find = |name: &[u8]| bytes.windows(4).position(|four| four == name).unwrap() - 4;
        let size = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let at = find(b"avcC") + size(find(b"avcC")) as usize;
        let mut longer = bytes.clone();
        for name in [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"] {
            let place = find(name);
            let grown = size(place) + more.len() as u32;
            longer[place..place + 4].copy_from_slice(&grown.to_be_bytes());
        }
        longer.splice(at..at, more.iter().copied());
        let init = Init::parse(&longer).unwrap();
        (init.transfer, init.supplemental)
    };
    assert_eq!(with(&[]), (None, None));
    let colr = support::boxed(b"colr", &[b"nclx", &[0, 9, 0, 16, 0, 9, 0]]);
    let config = |profile: u8, level: u8, compatibility: u8| {
        let bits = [profile << 1 | level >> 5, level << 3 | 5, compatibility << 4];
        support::boxed(b"dvvC", &[&[1, 0], &bits, &[0; 19]])
    };
    let both = [colr, config(8, 7, 1)].concat();
    assert_eq!(with(&both), (Some(16), Some("dvh1.08.07/db1p".to_owned())));
    assert_eq!(with(&config(8, 33, 4)).1.as_deref(), Some("dvh1.08.33/db4h"));
    assert_eq!(with(&config(5, 6, 0)).1, None, "nothing else to show");
    assert_eq!(with(&support::boxed(b"dvvC", &[&[1, 0]])).1, None);
}

/// The lines of a playlist from its first segment on.
fn listed(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| line.starts_with("#EXTINF") || !line.starts_with('#'))
        .collect()
}

fn number(text: &str, tag: &str) -> usize {
    let line = text.lines().find_map(|line| line.strip_prefix(tag));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the moments at which playlists are asked for, what one remembers of another changes nothing;
    /// segments are removed at the front and added at the end alone; a delta update completes what a client has.
    #[test]
    fn playlists_grow_at_their_end(
        window_s in prop_oneof![Just(20_u32), Just(60), Just(700)],
        steps in prop::collection::vec(0_u64..40, 1..20),
        holes in prop::collection::vec(100_u64..200, 0..6),
        restart in prop::option::of(101_u64..180),
        skipped_ahead in prop_oneof![Just(0_u64), Just(2_400)],
    ) {
        let mut memory = Memory::default();
        let mut before: Option<(usize, Vec<String>)> = None;
        let mut parts = PARTS + skipped_ahead;
        for step in steps {
            parts += step;
            let mut sketched = Sketched::new(window_s);
            sketched.holes.clone_from(&holes);
            sketched.restart = restart;
            let sketched = sketched.at(parts);
            let playlist = sketched.playlist();
            let pieces = playlist.full(&mut memory);
            let text = sketched.text();
            let remembered: String = pieces.iter().map(|piece| piece.text()).collect();
            prop_assert_eq!(&remembered, &text);
            let mut unpacked = String::new();
            flate2::read::GzDecoder::new(piece::gzip(&pieces).as_ref())
                .read_to_string(&mut unpacked)
                .unwrap();
            prop_assert_eq!(&unpacked, &text);

            let first = number(&text, "#EXT-X-MEDIA-SEQUENCE:");
            let lines = listed(&text);
            if let Some((known, had)) = before {
                prop_assert!(first >= known);
                let kept = had.iter().skip(2 * (first - known));
                prop_assert!(kept.zip(&lines).all(|(a, b)| a == b), "a line changed: {}", text);
            }
            for line in text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PART:DURATION=")) {
                let duration: f64 = line.split(',').next().unwrap().parse().unwrap();
                prop_assert!(duration <= 0.32);
            }
            if let Some(delta) = playlist.delta(Skip::Segments, &mut memory) {
                let skipped = number(&delta, "#EXT-X-SKIP:SKIPPED-SEGMENTS=");
                prop_assert!(skipped > 0);
                // What was skipped, as a client has it, and the rest of the delta: the whole.
                let (head, tail) = delta.split_once(&format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}\n")).unwrap();
                let body_at = text.find("#EXT-X-MAP").unwrap();
                let uris = text.match_indices(".m4s\n").map(|(at, _)| at + 5);
                let skip_at = uris.clone().nth(skipped - 1).unwrap();
                let whole = head.replace("VERSION:9", &format!("VERSION:{}", number(&text, "#EXT-X-VERSION:")))
                    + &text[body_at..skip_at] + tail;
                prop_assert_eq!(&whole, &text);
                // Nothing within the boundary was skipped.
                let left: f64 = text[skip_at..].lines().filter_map(|line| {
                    line.strip_prefix("#EXTINF:").map(|rest| rest.trim_end_matches(',').parse::<f64>().unwrap())
                }).sum();
                prop_assert!(left + 0.32 * (parts % PARTS) as f64 >= 12.0 - 1e-6);
            }
            before = Some((first, lines.iter().map(|line| (*line).to_owned()).collect()));
        }
    }
}
