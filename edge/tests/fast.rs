//! A channel that is a schedule of assets: from a viewer's request to its playlist, and hours of it played.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod dash_player;
mod player;
mod scenario;

use std::sync::Arc;

use http::{Request, StatusCode};
use player::Player;
use scenario::{World, edge, key, text, token_by, visit_at};
use selvedge_breaks::{Creative, Micros, Schedule, UnixMicros};
use selvedge_edge::{
    Edge, Handled, UnixMillis, block_on,
    fast::{Channel, View},
};

const SCHEDULE: &str = r#"{
    "version": 1,
    "channel": "classics",
    "window_us": 10000000,
    "assets": {
        "film": { "segments": 5, "segment_us": 2000000, "last_us": 1000000 },
        "acme-4": { "segments": 2, "segment_us": 2000000, "last_us": 2000000 }
    },
    "ladder": "film",
    "runs": [{ "from": "2026-01-01T00:00:00Z", "items": [
        { "asset": "film", "breaks": [{ "at_us": 4000000, "pod": ["acme-4"] }] }
    ] }]
}"#;

/// Segments of a creative's rendition, `last` long at the end.
fn media(rendition: &str, count: usize, last: u32) -> String {
    let segments: Vec<String> = (0..count)
        .map(|index| {
            let length = if index + 1 == count { last } else { 2_000_000 };
            format!(r#"[{length},"{rendition}/{index}.m4s"]"#)
        })
        .collect();
    format!(
        r#"{{"init":"{rendition}/init.mp4","segments":[{}]}}"#,
        segments.join(",")
    )
}

fn creative(name: &str, video: &str, count: usize, last: u32) -> String {
    let length = (count as u32 - 1) * 2_000_000 + last;
    let (picture, sound) = (media(video, count, last), media("a", count, last));
    format!(
        r#"{{"version":1,"creative":"{name}","duration_us":{length},"renditions":{{
        "{video}":{{"kind":"video","codecs":"avc1.64001f","bandwidth":2000000,"width":1280,"height":720,"frame_rate":25.0,
            "media":{picture}}},
        "a":{{"kind":"audio","codecs":"mp4a.40.2","bandwidth":128000,"channels":2,"sample_rate":48000,"media":{sound}}}}}}}"#
    )
}

fn world() -> World {
    let mut world = World::new();
    world.stored.insert("schedules/classics".into(), SCHEDULE.into());
    for (name, document) in [
        ("film", creative("film", "v", 5, 1_000_000)),
        ("acme-4", creative("acme-4", "v720", 2, 2_000_000)),
    ] {
        world.put(
            &format!("/creatives/{name}/creative.json"),
            "public, max-age=31536000, immutable",
            &document,
        );
    }
    world
}

fn load(edge: &Edge, world: &World, path: &str, seconds: i64) -> Handled<String> {
    let token = token_by(&key(), "/fast/", 400_000_000);
    let request = Request::get(format!("https://e/t/{token}{path}"))
        .body(())
        .unwrap();
    let begin = UnixMillis(UnixMicros::read("2026-01-01T00:00:00Z").unwrap().millis());
    block_on(edge.handle(world, &visit_at(&request, begin.plus_seconds(seconds))))
}

#[test]
fn a_channel_is_made_of_its_schedule_and_its_assets_documents() {
    let (edge, world) = (edge(r#"{"fast":true}"#), world());
    let handled = load(&edge, &world, "/fast/classics/v/index.m3u8", 13 * 1000 + 9);
    insta::assert_snapshot!(text(&handled.response), @r#"
    #EXTM3U
    #EXT-X-VERSION:8
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:6999
    #EXT-X-DISCONTINUITY-SEQUENCE:3000
    #EXT-X-INDEPENDENT-SEGMENTS
    #EXT-X-MAP:URI="../../../creatives/film/v/init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T03:36:39.000Z
    #EXTINF:1.000000,
    ../../../creatives/film/v/4.m4s
    #EXT-X-DISCONTINUITY
    #EXT-X-MAP:URI="../../../creatives/film/v/init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T03:36:40.000Z
    #EXTINF:2.000000,
    ../../../creatives/film/v/0.m4s
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T03:36:42.000Z
    #EXTINF:2.000000,
    ../../../creatives/film/v/1.m4s
    #EXT-X-DISCONTINUITY
    #EXT-X-MAP:URI="../../../creatives/acme-4/v720/init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T03:36:44.000Z
    #EXTINF:2.000000,
    ../../../creatives/acme-4/v720/0.m4s
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T03:36:46.000Z
    #EXTINF:2.000000,
    ../../../creatives/acme-4/v720/1.m4s
    "#);
    assert_eq!(
        handled.response.headers()["content-type"],
        "application/vnd.apple.mpegurl"
    );
    let again = load(&edge, &world, "/fast/classics/v/index.m3u8", 13 * 1000 + 9);
    assert_eq!(text(&again.response), text(&handled.response));
    let asked: Vec<_> = world
        .asked
        .borrow()
        .iter()
        .map(|request| request.target.clone())
        .collect();
    assert_eq!(
        asked,
        ["/creatives/acme-4/creative.json", "/creatives/film/creative.json"],
        "once"
    );
}

#[test]
fn its_multivariant_playlist_is_that_of_its_ladder() {
    let (edge, world) = (edge(r#"{"fast":true}"#), world());
    let handled = load(&edge, &world, "/fast/classics/index.m3u8", 0);
    let playlist = text(&handled.response);
    assert!(
        playlist.contains("\nv/index.m3u8\n") && playlist.contains("URI=\"a/index.m3u8\""),
        "{playlist}"
    );
}

#[test]
fn a_clip_grows_and_ends() {
    let (edge, world) = (edge(r#"{"fast":true}"#), world());
    let begin = UnixMicros::read("2026-01-01T00:00:00Z").unwrap().millis() / 1000;
    let path = format!("/fast/classics/{}-{}/v/index.m3u8", begin + 2, begin + 8);
    let clip = |seconds| text(&load(&edge, &world, &path, seconds).response);
    let uris = |playlist: &str| playlist.lines().filter(|line| !line.starts_with('#')).count();
    let early = clip(6);
    assert_eq!(
        (uris(&early), early.contains("#EXT-X-ENDLIST")),
        (2, false),
        "{early}"
    );
    let whole = clip(100);
    assert_eq!(
        (uris(&whole), whole.ends_with("#EXT-X-ENDLIST\n")),
        (3, true),
        "{whole}"
    );
    assert!(
        whole.starts_with(early.trim_end_matches('\n')),
        "what was listed stays"
    );
    assert!(
        whole.contains("\n../../../../creatives/acme-4/v720/0.m4s\n"),
        "{whole}"
    );
}

#[test]
fn its_mpd_has_a_period_for_each_asset_part_of_one_and_ad() {
    let (edge, world) = (edge(r#"{"fast":true}"#), world());
    let handled = load(&edge, &world, "/fast/classics/manifest.mpd", 13 * 1000 + 9);
    insta::assert_snapshot!(text(&handled.response), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="dynamic" minBufferTime="PT2S" maxSegmentDuration="PT2S" availabilityStartTime="1970-01-01T00:00:00.000Z" publishTime="2026-01-01T03:36:48.000Z" minimumUpdatePeriod="PT2S" suggestedPresentationDelay="PT6S" timeShiftBufferDepth="PT10S">
      <Period id="3000" start="PT1767238595S">
        <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
          <Representation id="v" codecs="avc1.64001f" bandwidth="2000000" width="1280" height="720" frameRate="25">
            <SegmentTemplate timescale="1000000" presentationTimeOffset="4000000" initialization="../../creatives/film/v/init.mp4" media="../../creatives/film/v/$Number$.m4s" startNumber="4">
              <SegmentTimeline>
                <S t="8000000" d="1000000"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
        <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
          <Representation id="a" codecs="mp4a.40.2" bandwidth="128000" audioSamplingRate="48000">
            <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
            <SegmentTemplate timescale="1000000" presentationTimeOffset="4000000" initialization="../../creatives/film/a/init.mp4" media="../../creatives/film/a/$Number$.m4s" startNumber="4">
              <SegmentTimeline>
                <S t="8000000" d="1000000"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
      </Period>
      <Period id="3001" start="PT1767238600S">
        <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
          <Representation id="v" codecs="avc1.64001f" bandwidth="2000000" width="1280" height="720" frameRate="25">
            <SegmentTemplate timescale="1000000" initialization="../../creatives/film/v/init.mp4" media="../../creatives/film/v/$Number$.m4s" startNumber="0">
              <SegmentTimeline>
                <S t="0" d="2000000" r="1"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
        <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
          <Representation id="a" codecs="mp4a.40.2" bandwidth="128000" audioSamplingRate="48000">
            <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
            <SegmentTemplate timescale="1000000" initialization="../../creatives/film/a/init.mp4" media="../../creatives/film/a/$Number$.m4s" startNumber="0">
              <SegmentTimeline>
                <S t="0" d="2000000" r="1"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
      </Period>
      <Period id="3002" start="PT1767238604S">
        <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
          <Representation id="v" codecs="avc1.64001f" bandwidth="2000000" width="1280" height="720" frameRate="25">
            <SegmentTemplate timescale="1000000" initialization="../../creatives/acme-4/v720/init.mp4" media="../../creatives/acme-4/v720/$Number$.m4s" startNumber="0">
              <SegmentTimeline>
                <S t="0" d="2000000" r="1"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
        <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
          <Representation id="a" codecs="mp4a.40.2" bandwidth="128000" audioSamplingRate="48000">
            <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
            <SegmentTemplate timescale="1000000" initialization="../../creatives/acme-4/a/init.mp4" media="../../creatives/acme-4/a/$Number$.m4s" startNumber="0">
              <SegmentTimeline>
                <S t="0" d="2000000" r="1"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
      </Period>
      <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="../../time"/>
    </MPD>
    "#);
    assert_eq!(handled.response.headers()["content-type"], "application/dash+xml");
}

#[test]
fn the_mpd_of_a_clip_grows_and_ends_and_moves_nothing() {
    let (edge, world) = (edge(r#"{"fast":true}"#), world());
    let begin = UnixMicros::read("2026-01-01T00:00:00Z").unwrap().millis() / 1000;
    let path = format!("/fast/classics/{}-{}/manifest.mpd", begin + 2, begin + 8);
    let mut player = dash_player::Player::default();
    for (seconds, count, is_over) in [(6, 2, false), (8, 3, false), (100, 3, true)] {
        let mpd = text(&load(&edge, &world, &path, seconds).response);
        assert_eq!(mpd.contains("type=\"static\""), is_over, "{mpd}");
        player.load(&mpd, Micros::ZERO);
        let shown = dash_player::Mpd::read(&mpd, Micros::ZERO).shown("v");
        assert_eq!((shown.len(), shown[0].begin), (count, Micros::ZERO), "{mpd}");
        assert_eq!(shown[0].url, "../../../creatives/film/v/1.m4s");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let (edge, mut world) = (edge(r#"{"fast":true}"#), world());
    let status = |world: &World, path: &str, seconds| load(&edge, world, path, seconds).response.status();
    for path in [
        "/fast/other/v/index.m3u8",
        "/fast/other/manifest.mpd",
        "/fast/classics/v/manifest.mpd",
        "/fast/classics/9-8/manifest.mpd",
        "/fast/classics/v9/index.m3u8",
        "/fast/classics/9-8/v/index.m3u8",
    ] {
        assert_eq!(status(&world, path, 100), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(
        status(&world, "/fast/classics/v/index.m3u8", 1),
        StatusCode::NOT_FOUND,
        "not on air yet"
    );
    for wrong in [
        "{",
        &SCHEDULE.replace("classics", "other"),
        &SCHEDULE.replace("\"film\": {", "\"movie\": {"),
    ] {
        world.stored.insert("schedules/classics".into(), (*wrong).into());
        let cold = scenario::edge(r#"{"fast":true}"#);
        let handled = load(&cold, &world, "/fast/classics/v/index.m3u8", 100);
        assert_eq!(handled.response.status(), StatusCode::BAD_GATEWAY);
    }
}

#[test]
fn a_bad_schedule_replaces_no_good_one_and_is_told() {
    let (edge, mut world) = (edge(r#"{"fast":true}"#), world());
    let path = "/fast/classics/v/index.m3u8";
    let good = load(&edge, &world, path, 100);
    assert!(!good.record.is_failure());
    world.stored.insert("schedules/classics".into(), "{".into());
    let kept = load(&edge, &world, path, 100);
    assert_eq!(text(&kept.response), text(&good.response));
    assert!(kept.record.is_failure());
    let line = kept.record.to_json();
    assert!(
        line.contains(r#""fault":"operator""#) && line.contains("the one before stays in force"),
        "{line}"
    );
    let next = SCHEDULE.replace("10000000", "6000000");
    world.stored.insert("schedules/classics".into(), next);
    let next = load(&edge, &world, path, 100);
    assert!(!next.record.is_failure());
    assert!(text(&next.response).len() < text(&good.response).len());
    world.stored.clear();
    let gone = load(&edge, &world, path, 100);
    assert_eq!(gone.response.status(), StatusCode::NOT_FOUND, "it was taken away");
}

#[test]
fn an_asset_that_is_missing_or_cut_otherwise_keeps_its_place() {
    let mut world = world();
    for wrong in [creative("acme-4", "v720", 3, 2_000_000), "none".into()] {
        world.put("/creatives/acme-4/creative.json", "no-store", &wrong);
        let playlist = text(
            &load(
                &edge(r#"{"fast":true}"#),
                &world,
                "/fast/classics/v/index.m3u8",
                13,
            )
            .response,
        );
        assert_eq!(
            playlist
                .matches("#EXT-X-GAP\n#EXTINF:2.000000,\ngap.m4s\n")
                .count(),
            2,
            "{playlist}"
        );
        assert!(playlist.contains("creatives/film/v/4.m4s"), "{playlist}");
    }
}

#[test]
fn without_schedules_the_path_is_the_origins() {
    let (edge, world) = (edge("{}"), world());
    assert_eq!(
        load(&edge, &world, "/fast/classics/v/index.m3u8", 100)
            .response
            .status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(world.asked.borrow()[0].target, "/fast/classics/v/index.m3u8");
}

/// From a year after its begin on, each second for so many.
#[test]
fn hours_of_a_channel_play_without_a_violation() {
    let schedule = Schedule::read(SCHEDULE.as_bytes()).unwrap();
    let assets = [
        creative("film", "v", 5, 1_000_000),
        creative("acme-4", "v720", 2, 2_000_000),
    ];
    let assets = assets.map(|json| Arc::new(Creative::read(json.as_bytes()).unwrap()));
    let channel = Channel {
        schedule: &schedule,
        assets: &assets,
    };
    let begin = UnixMicros::read("2027-01-01T00:00:00.250Z").unwrap();
    let path = "/fast/classics/v/index.m3u8";
    let (mut video, mut audio) = (Player::default(), Player::default());
    let mut dash = dash_player::Player::default();
    for second in 0..2 * 3600 {
        let now = begin.plus(Micros::from_seconds(second));
        if second < 600 {
            let mpd = channel
                .mpd(View::Live, "/fast/classics/manifest.mpd", now)
                .unwrap();
            dash.load(&mpd, Micros::ZERO);
        }
        video.load(&channel.playlist("v", View::Live, path, now).unwrap());
        audio.load(&channel.playlist("a", View::Live, path, now).unwrap());
    }
    // An MPD tells the same: which segments, and when.
    let mut of_dash: Vec<_> = dash.seen().filter(|(_, id, _)| *id == "v").collect();
    of_dash.sort_by_key(|(.., segment)| segment.begin);
    assert!(of_dash.len() > 300);
    for ((period, _, segment), (_, same)) in of_dash.into_iter().zip(&video.seen) {
        assert_eq!(
            (period, segment.begin.0, format!("../{}", segment.url)),
            (
                same.discontinuity.to_string().as_str(),
                same.date.0,
                same.uri.clone()
            )
        );
    }
    // 13 s a round: seven segments and three seams.
    assert_eq!(video.seen.len(), audio.seen.len());
    for ((media, picture), (number, sound)) in video.seen.iter().zip(&audio.seen) {
        assert_eq!(
            (media, picture.discontinuity, picture.date),
            (number, sound.discontinuity, sound.date)
        );
    }
    let rounds = 365 * 86_400 / 13;
    let first = video
        .seen
        .iter()
        .find(|(_, segment)| segment.uri.ends_with("film/v/0.m4s"))
        .unwrap();
    let round = first.0 / 7;
    assert!(first.0 % 7 == 0 && round.abs_diff(rounds) <= 1, "{first:?}");
    assert_eq!(first.1.discontinuity, round * 3 + 1);
}
