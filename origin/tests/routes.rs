//! What encoders and players get from the router, on a clock that the test owns.

mod support;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use selvedge_origin::time::UnixMillis;
use support::*;

fn numbers(playlist: &m3u8_rs::MediaPlaylist) -> Vec<u64> {
    (playlist.media_sequence..)
        .take(playlist.segments.len())
        .collect()
}

#[tokio::test]
async fn a_channel_on_unix_time_is_served_as_epoch_zero_in_both_dialects() {
    let world = World::with(|config| config.low_latency = false).await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    let multivariant = world.text("/live/demo/index.m3u8").await;
    insta::assert_snapshot!(multivariant, @r#"
    #EXTM3U
    #EXT-X-VERSION:6
    #EXT-X-INDEPENDENT-SEGMENTS
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/index.m3u8"
    #EXT-X-STREAM-INF:BANDWIDTH=8983,AVERAGE-BANDWIDTH=8983,CODECS="avc1.64001F,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="audio",CLOSED-CAPTIONS=NONE
    video/index.m3u8
    "#);
    let video = world.text("/live/demo/video/index.m3u8").await;
    insta::assert_snapshot!(video, @r#"
    #EXTM3U
    #EXT-X-VERSION:6
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:935032500
    #EXT-X-MAP:URI="init-d56edf38.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-11-21T12:00:00.000Z
    #EXTINF:1.920000,
    0-161573616000000.m4s
    #EXTINF:1.920000,
    0-161573616172800.m4s
    #EXTINF:1.920000,
    0-161573616345600.m4s
    "#);
    let text = world.text("/live/demo/manifest.mpd").await;
    let mpd = read_mpd(&text);
    assert_eq!(mpd.mpdtype.as_deref(), Some("dynamic"));
    let period = &mpd.periods[0];
    assert_eq!(
        (period.id.as_deref(), period.start),
        (Some("0"), Some(std::time::Duration::ZERO))
    );
    let representation = &period.adaptations[0].representations[0];
    let template = representation.SegmentTemplate.as_ref().unwrap();
    assert_eq!(template.presentationTimeOffset, None);
    // Both dialects lead to the same objects, and these exist.
    let first = &template.SegmentTimeline.as_ref().unwrap().segments[0];
    assert_eq!(
        (first.t, first.d, first.r),
        (Some(FIRST * VIDEO_SEGMENT), VIDEO_SEGMENT, Some(2))
    );
    let url = template
        .media
        .as_ref()
        .unwrap()
        .replace("$Time$", &first.t.unwrap().to_string());
    assert_eq!(url, format!("video/{}", read_playlist(&video).segments[0].uri));
    let (status, headers, body) = world.get(&format!("/live/demo/{url}"), &[]).await;
    assert_eq!(
        (status, body),
        (StatusCode::OK, support::video(FIRST * VIDEO_SEGMENT, 48))
    );
    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(headers["content-type"], "video/mp4");
    let (_, _, init) = world
        .get(
            &format!("/live/demo/{}", template.initialization.as_ref().unwrap()),
            &[],
        )
        .await;
    assert_eq!(init, support::init(VIDEO));
}

#[tokio::test]
async fn tracks_keep_one_number_for_one_slot_and_the_window_moves_on() {
    let world = World::with(|config| config.window_s = 12).await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 20 {
        world.slot("demo", slot).await;
    }
    let video = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    let audio = read_playlist(&world.text("/live/demo/audio/index.m3u8").await);
    assert_eq!(numbers(&video), (FIRST + 13..FIRST + 20).collect::<Vec<_>>());
    assert_eq!(numbers(&video), numbers(&audio));
    // What left the window is served for the retention time, and no longer.
    let old = format!("/live/demo/video/0-{}.m4s", FIRST * VIDEO_SEGMENT);
    assert_eq!(world.get(&old, &[]).await.0, StatusCode::OK);
    world.clock.advance(121_000);
    world.origin.sweep().await;
    assert_eq!(world.get(&old, &[]).await.0, StatusCode::NOT_FOUND);
    let stored = std::fs::read_dir(world.folder.path().join("demo/video"))
        .unwrap()
        .count();
    assert_eq!(
        stored, 8,
        "seven segments and one init segment are left in the store"
    );
}

#[tokio::test]
async fn a_restart_of_the_origin_continues_the_sequence() {
    let mut world = World::new().await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    // What was pushed last: it says how far the others are.
    let before = world.text("/live/demo/audio/index.m3u8").await;
    world.restart().await;
    assert_eq!(world.text("/live/demo/audio/index.m3u8").await, before);
    let (_, _, body) = world
        .get(&format!("/live/demo/video/0-{}.m4s", FIRST * VIDEO_SEGMENT), &[])
        .await;
    assert_eq!(
        body,
        video(FIRST * VIDEO_SEGMENT, 48),
        "media comes from the store"
    );
    // The encoder goes on without sending its init segments again.
    world.slot("demo", FIRST + 3).await;
    let after = read_playlist(&world.text("/live/demo/audio/index.m3u8").await);
    assert_eq!(numbers(&after), (FIRST..FIRST + 4).collect::<Vec<_>>());
    assert!(after.segments.iter().all(|segment| !segment.discontinuity));
}

#[tokio::test]
async fn lost_segments_become_gaps_and_a_hole_in_the_timeline() {
    let world = World::new().await;
    world.begin("demo").await;
    for slot in [FIRST, FIRST + 1, FIRST + 4, FIRST + 5] {
        world.slot("demo", slot).await;
    }
    let video = world.text("/live/demo/video/index.m3u8").await;
    let gaps: Vec<&str> = video.lines().filter(|line| line.starts_with("gap-")).collect();
    assert_eq!(
        gaps,
        [format!("gap-{}.m4s", FIRST + 2), format!("gap-{}.m4s", FIRST + 3)]
    );
    assert_eq!(video.matches("#EXT-X-GAP").count(), 2);
    assert!(!video.contains("DISCONTINUITY"));
    let read = read_playlist(&video);
    assert_eq!(numbers(&read), (FIRST..FIRST + 6).collect::<Vec<_>>());
    let mpd = read_mpd(&world.text("/live/demo/manifest.mpd").await);
    let template = mpd.periods[0].adaptations[0].representations[0]
        .SegmentTemplate
        .clone()
        .unwrap();
    let runs: Vec<_> = template
        .SegmentTimeline
        .unwrap()
        .segments
        .iter()
        .map(|s| (s.t, s.r))
        .collect();
    assert_eq!(
        runs,
        [
            (Some(FIRST * VIDEO_SEGMENT), Some(1)),
            (Some((FIRST + 4) * VIDEO_SEGMENT), Some(2))
        ],
        "with the one that comes next"
    );
}

#[tokio::test]
async fn of_a_hole_longer_than_the_window_only_the_window_is_listed() {
    let world = World::with(|config| config.window_s = 12).await;
    world.begin("demo").await;
    for slot in [FIRST, FIRST + 1, FIRST + 2, FIRST + 1_000] {
        world.slot("demo", slot).await;
    }
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert_eq!(*numbers(&read).last().unwrap(), FIRST + 1_000);
    assert!((6..=8).contains(&read.segments.len()), "{}", read.segments.len());
}

/// An ffmpeg that starts at time zero: nothing but the time of arrival says when that was.
async fn zero_based(world: &World, at: i64, slots: u64) {
    world.must_put("/ingest/ff/init-stream0.m4s", init(VIDEO)).await;
    world.must_put("/ingest/ff/init-stream1.m4s", init(AUDIO)).await;
    for slot in 0..slots {
        world.clock.set(UnixMillis(at + slot as i64 * 1_920));
        let path = |track| format!("/ingest/ff/chunk-stream{track}-{:05}.m4s", slot + 1);
        world.must_put(&path(0), video(slot * VIDEO_SEGMENT, 48)).await;
        world.must_put(&path(1), audio(slot * AUDIO_SEGMENT, 90)).await;
    }
}

#[tokio::test]
async fn an_encoder_restart_is_one_discontinuity_at_one_number_and_a_new_period() {
    let world = World::new().await;
    zero_based(&world, NOON, 3).await;
    zero_based(&world, NOON + 10_000, 3).await;
    let mut marks = Vec::new();
    for track in ["stream0", "stream1"] {
        let text = world.text(&format!("/live/ff/{track}/index.m3u8")).await;
        let read = read_playlist(&text);
        let at = read
            .segments
            .iter()
            .position(|segment| segment.discontinuity)
            .unwrap();
        marks.push((read.media_sequence + at as u64, read.segments[at].uri.clone()));
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
        assert_eq!(
            read.segments.len(),
            3 + 2 + 3,
            "the hole of 4.24 s is two slots:\n{text}"
        );
    }
    assert_eq!(marks[0].0, marks[1].0);
    assert_eq!(marks[0].1, "1795262410-0.m4s");
    let mpd = read_mpd(&world.text("/live/ff/manifest.mpd").await);
    let periods: Vec<_> = mpd
        .periods
        .iter()
        .map(|p| (p.id.as_deref().unwrap(), p.start.unwrap().as_millis()))
        .collect();
    assert_eq!(
        periods,
        [
            ("1795262400", NOON as u128),
            ("1795262410", NOON as u128 + 10_000)
        ]
    );
    // Once the old epoch has left the window, the number of discontinuities stays.
    let world = World::with(|config| config.window_s = 10).await;
    zero_based(&world, NOON, 3).await;
    zero_based(&world, NOON + 10_000, 12).await;
    let text = world.text("/live/ff/stream0/index.m3u8").await;
    assert!(
        text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n") && !text.contains("DISCONTINUITY\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_new_init_segment_on_the_same_clock_is_a_discontinuity_on_every_track() {
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    world
        .must_put(
            "/ingest/demo/video/init.mp4",
            init(Sketch { width: 848, ..VIDEO }),
        )
        .await;
    world.slot("demo", FIRST + 2).await;
    world.slot("demo", FIRST + 3).await;
    for track in ["video", "audio"] {
        let text = world.text(&format!("/live/demo/{track}/index.m3u8")).await;
        let read = read_playlist(&text);
        let at: Vec<_> = read
            .segments
            .iter()
            .map(|segment| segment.discontinuity)
            .collect();
        assert_eq!(at, [false, false, true, false], "{text}");
    }
    let text = world.text("/live/demo/video/index.m3u8").await;
    assert_eq!(text.matches("#EXT-X-MAP").count(), 2);
    let mpd = read_mpd(&world.text("/live/demo/manifest.mpd").await);
    assert_eq!(mpd.periods.len(), 2);
    let template = mpd.periods[1].adaptations[0].representations[0]
        .SegmentTemplate
        .clone()
        .unwrap();
    let start = mpd.periods[1].start.unwrap().as_millis() as u64;
    assert_eq!(
        template.presentationTimeOffset.unwrap(),
        start * 90,
        "media time is Unix time"
    );
}

#[tokio::test]
async fn a_bad_object_is_refused_by_box_and_byte_and_the_channel_goes_on() {
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    let mut bad = video((FIRST + 2) * VIDEO_SEGMENT, 48);
    let moof = bad.windows(4).position(|name| name == b"tfdt").unwrap();
    bad[moof - 4..moof].copy_from_slice(&3_u32.to_be_bytes());
    let (status, text) = world.put("/ingest/demo/video/3.m4s", bad).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["type"], "urn:selvedge:error:bad-media");
    assert_eq!(
        problem["detail"],
        "box 'tfdt' at byte 76: its size is smaller than its header"
    );
    let no_sync = [styp(false), chunk((FIRST + 2) * VIDEO_SEGMENT, 48, false)].concat();
    let (status, text) = world.put("/ingest/demo/video/3.m4s", no_sync).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("sync sample"), "{text}");
    let (status, _) = world.put("/ingest/demo/video/3.m4s", "this is no media").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    world.slot("demo", FIRST + 3).await;
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert_eq!(numbers(&read), (FIRST..FIRST + 4).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_sender_learns_what_it_did_wrong() {
    let world = World::with(|config| {
        config.limits.tracks = 1;
        config.limits.channels = 1;
        config.limits.segment_bytes = 8_000;
    })
    .await;
    let status = async |path: &str, body: Vec<u8>| world.put(path, body).await;
    assert_eq!(
        status("/ingest/a/video/1.m4s", video(0, 8)).await.0,
        StatusCode::PRECONDITION_FAILED
    );
    let (code, text) = status("/ingest/a/main/init.mp4", b"FLV\x01\x05".to_vec()).await;
    assert_eq!(code, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{text}");
    assert_eq!(
        status("/ingest/a/video/init.mp4", Vec::new()).await.0,
        StatusCode::OK,
        "a probe"
    );
    assert_eq!(
        status("/ingest/a/video/init.mp4", init(VIDEO)).await.0,
        StatusCode::OK
    );
    assert_eq!(
        status("/ingest/a/audio/init.mp4", init(AUDIO)).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(
        status("/ingest/b/video/init.mp4", init(VIDEO)).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(
        status("/ingest/a%20b/video/init.mp4", init(VIDEO)).await.0,
        StatusCode::BAD_REQUEST
    );
    let (code, text) = status(
        "/ingest/a/video/1.m4s",
        [video(0, 400), video(400 * 3_600, 800)].concat(),
    )
    .await;
    assert_eq!(code, StatusCode::PAYLOAD_TOO_LARGE, "{text}");
    let delete = Request::delete("/ingest/a/video/1.m4s")
        .body(Body::empty())
        .unwrap();
    assert_eq!(world.send(delete).await.status(), StatusCode::OK);
    let get = Request::get("/ingest/a/video/1.m4s").body(Body::empty()).unwrap();
    assert_eq!(world.send(get).await.headers()["allow"], "PUT, POST, DELETE");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document_that_nobody_may_cache() {
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.begin("young").await;
    for (path, slug) in [
        ("/live/none/index.m3u8", "unknown-channel"),
        ("/live/none/manifest.mpd", "unknown-channel"),
        ("/live/demo/none/index.m3u8", "unknown-track"),
        ("/live/demo/video/0-1.m4s", "unknown-segment"),
        ("/live/demo/video/..%2fchannel.json", "unknown-segment"),
        ("/live/young/index.m3u8", "channel-starting"),
        ("/live/young/video/index.m3u8", "channel-starting"),
        ("/elsewhere", "unknown-path"),
    ] {
        let (status, headers, body) = world.get(path, &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(headers["cache-control"], "no-store");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["type"], format!("urn:selvedge:error:{slug}"), "{path}");
        assert_eq!(problem["status"], 404);
    }
    let post = Request::post("/live/demo/index.m3u8")
        .body(Body::empty())
        .unwrap();
    assert_eq!(world.send(post).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn ranges_conditions_and_head_are_answered_by_the_book() {
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    let path = format!("/live/demo/video/0-{}.m4s", FIRST * VIDEO_SEGMENT);
    let whole = video(FIRST * VIDEO_SEGMENT, 48);
    let total = whole.len();
    let (_, headers, _) = world.get(&path, &[]).await;
    let tag = headers["etag"].to_str().unwrap().to_owned();
    let cases = [
        (
            "bytes=0-9",
            StatusCode::PARTIAL_CONTENT,
            format!("bytes 0-9/{total}"),
            &whole[..10],
        ),
        (
            "bytes=5-",
            StatusCode::PARTIAL_CONTENT,
            format!("bytes 5-{}/{total}", total - 1),
            &whole[5..],
        ),
        (
            "bytes=-7",
            StatusCode::PARTIAL_CONTENT,
            format!("bytes {}-{}/{total}", total - 7, total - 1),
            &whole[total - 7..],
        ),
        (
            "bytes=9-99999",
            StatusCode::PARTIAL_CONTENT,
            format!("bytes 9-{}/{total}", total - 1),
            &whole[9..],
        ),
        ("bytes=0-1,4-5", StatusCode::OK, String::new(), &whole[..]),
        ("lines=1-2", StatusCode::OK, String::new(), &whole[..]),
    ];
    for (range, status, content_range, expected) in cases {
        let (code, headers, body) = world.get(&path, &[("range", range)]).await;
        assert_eq!((code, body.as_slice()), (status, expected), "{range}");
        assert_eq!(
            headers.get("content-range").map_or("", |v| v.to_str().unwrap()),
            content_range
        );
        assert_eq!(headers["content-length"], expected.len().to_string().as_str());
    }
    let (code, headers, _) = world.get(&path, &[("range", &format!("bytes={total}-"))]).await;
    assert_eq!(
        (code, headers["content-range"].to_str().unwrap()),
        (
            StatusCode::RANGE_NOT_SATISFIABLE,
            format!("bytes */{total}").as_str()
        )
    );
    let (code, _, _) = world
        .get(&path, &[("range", "bytes=0-1"), ("if-range", "\"other\"")])
        .await;
    assert_eq!(code, StatusCode::OK);
    let (code, headers, body) = world
        .get(&path, &[("if-none-match", &format!("W/\"x\", {tag}"))])
        .await;
    assert_eq!(
        (code, body.len(), headers["etag"].to_str().unwrap()),
        (StatusCode::NOT_MODIFIED, 0, tag.as_str())
    );
    for document in ["index.m3u8", "manifest.mpd", "video/index.m3u8"] {
        let document = format!("/live/demo/{document}");
        let (_, headers, _) = world.get(&document, &[]).await;
        let tag = headers["etag"].to_str().unwrap();
        assert_eq!(
            world.get(&document, &[("if-none-match", tag)]).await.0,
            StatusCode::NOT_MODIFIED
        );
    }
    let head = Request::head(&path).body(Body::empty()).unwrap();
    let head = world.send(head).await;
    assert_eq!(
        (head.status(), head.headers()["content-length"].to_str().unwrap()),
        (StatusCode::OK, total.to_string().as_str())
    );
}

#[tokio::test]
async fn a_connection_cut_in_a_segment_keeps_its_whole_chunks_until_the_sender_says_more() {
    let world = World::new().await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 2 {
        world.slot("demo", slot).await;
    }
    let third = video((FIRST + 2) * VIDEO_SEGMENT, 48);
    let (status, _) = world
        .put("/ingest/demo/video/2.m4s", cut_off(&third[..700]))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let listed = async || read_playlist(&world.text("/live/demo/video/index.m3u8").await).segments;
    assert_eq!(
        listed().await.len(),
        2,
        "held back: its URL must not change its bytes later"
    );
    // Sent again, it is whole.
    world.must_put("/ingest/demo/video/2.m4s", third).await;
    assert_eq!(listed().await[2].duration, 1.92);
    // Not sent again, its whole chunks are listed with what comes next, and no number is lost.
    let fourth = video((FIRST + 3) * VIDEO_SEGMENT, 48);
    world
        .put("/ingest/demo/video/3.m4s", cut_off(&fourth[..700]))
        .await;
    world
        .must_put("/ingest/demo/video/4.m4s", video((FIRST + 4) * VIDEO_SEGMENT, 48))
        .await;
    let segments = listed().await;
    assert_eq!(
        segments.iter().map(|s| s.duration).collect::<Vec<_>>(),
        [1.92, 1.92, 1.92, 0.96, 1.92]
    );
}

#[tokio::test]
async fn the_brand_lmsg_on_every_track_ends_the_channel_and_new_media_opens_it_again() {
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    let ticks = (FIRST + 2) * VIDEO_SEGMENT;
    world
        .must_put(
            "/ingest/demo/video/2.m4s",
            [styp(true), chunk(ticks, 48, true)].concat(),
        )
        .await;
    assert!(
        !world
            .text("/live/demo/video/index.m3u8")
            .await
            .contains("ENDLIST")
    );
    let ticks = (FIRST + 2) * AUDIO_SEGMENT;
    world
        .must_put(
            "/ingest/demo/audio/2.m4s",
            [styp(true), chunk(ticks, 90, true)].concat(),
        )
        .await;
    assert!(
        world
            .text("/live/demo/video/index.m3u8")
            .await
            .ends_with("#EXT-X-ENDLIST\n")
    );
    let mpd = read_mpd(&world.text("/live/demo/manifest.mpd").await);
    assert_eq!(mpd.mpdtype.as_deref(), Some("static"));
    assert_eq!(
        mpd.mediaPresentationDuration.unwrap().as_millis(),
        NOON as u128 + 3 * 1_920
    );
    // The Period begins where its media does, or dash.js would search all the seconds before.
    let period = &mpd.periods[0];
    assert_eq!(period.start.unwrap().as_millis(), NOON as u128);
    for set in &period.adaptations {
        let template = set.representations[0].SegmentTemplate.as_ref().unwrap();
        let first = template.SegmentTimeline.as_ref().unwrap().segments[0].t;
        assert_eq!(template.presentationTimeOffset, first);
    }
    assert!(world.text("/channels").await.contains("\"state\":\"ended\""));
    world.begin("demo").await;
    world.slot("demo", FIRST + 20).await;
    let text = world.text("/live/demo/video/index.m3u8").await;
    assert!(!text.contains("ENDLIST"), "{text}");
    assert_eq!(*numbers(&read_playlist(&text)).last().unwrap(), FIRST + 20);
}

#[tokio::test]
async fn an_encoder_that_ends_and_starts_again_at_once_is_live_at_once() {
    let world = World::new().await;
    zero_based(&world, NOON, 3).await;
    world
        .must_put("/ingest/ff/manifest.mpd", "<MPD type=\"static\"/>")
        .await;
    // A last segment that was still under way does not open the channel again.
    world
        .must_put("/ingest/ff/chunk-stream1-00004.m4s", audio(3 * AUDIO_SEGMENT, 30))
        .await;
    assert!(
        world
            .text("/live/ff/stream0/index.m3u8")
            .await
            .ends_with("#EXT-X-ENDLIST\n")
    );
    zero_based(&world, NOON + 8_000, 1).await;
    assert!(
        !world
            .text("/live/ff/stream0/index.m3u8")
            .await
            .contains("ENDLIST")
    );
}

#[tokio::test]
async fn primed_audio_keeps_its_edit_list_and_no_offset_is_added_to_it() {
    let world = World::new().await;
    world.must_put("/ingest/p/video/init.mp4", init(VIDEO)).await;
    let primed = init(Sketch {
        edit: Some(1024),
        ..AUDIO
    });
    world.must_put("/ingest/p/audio/init.mp4", primed.clone()).await;
    for slot in 0..2 {
        world
            .must_put(
                &format!("/ingest/p/video/{slot}.m4s"),
                video(slot * VIDEO_SEGMENT, 48),
            )
            .await;
        world
            .must_put(
                &format!("/ingest/p/audio/{slot}.m4s"),
                audio(slot * AUDIO_SEGMENT, 90),
            )
            .await;
    }
    let text = world.text("/live/p/manifest.mpd").await;
    insta::assert_snapshot!(text, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" id="p" profiles="urn:mpeg:dash:profile:isoff-live:2011" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="2026-11-21T12:00:00.000Z" type="dynamic" minimumUpdatePeriod="PT1.920S" timeShiftBufferDepth="PT60S" suggestedPresentationDelay="PT5.760S" maxSegmentDuration="PT1.920S" minBufferTime="PT1.920S">
      <PatchLocation>manifest.mpp?publishTime=2026-11-21T12:00:00.000Z</PatchLocation>
      <Period id="1795262400" start="PT1795262400S">
        <AdaptationSet id="2031137604" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
          <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
          <Representation id="video" codecs="avc1.64001F" bandwidth="4700" width="640" height="360" frameRate="25">
            <SegmentTemplate timescale="90000" initialization="video/init-d56edf38.mp4" media="video/1795262400-$Time$.m4s">
              <SegmentTimeline>
                <S t="0" d="172800" r="1"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
        <AdaptationSet id="870821238" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
          <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
          <Representation id="audio" codecs="mp4a.40.2" bandwidth="4283" audioSamplingRate="48000">
            <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
            <SegmentTemplate timescale="48000" initialization="audio/init-beb93097.mp4" media="audio/1795262400-$Time$.m4s">
              <SegmentTimeline>
                <S t="0" d="92160" r="1"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
      </Period>
      <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="../../time"/>
    </MPD>
    "#);
    let mpd = read_mpd(&text);
    let template = mpd.periods[0].adaptations[1].representations[0]
        .SegmentTemplate
        .clone()
        .unwrap();
    let (_, _, served) = world
        .get(&format!("/live/p/{}", template.initialization.unwrap()), &[])
        .await;
    assert_eq!(
        served, primed,
        "players apply the edit list themselves; twice would be 21 ms early"
    );
}

#[tokio::test]
async fn more_pushes_at_one_time_than_the_limit_are_told_so() {
    let world = World::with(|config| config.limits.pushes = 0).await;
    let (status, text) = world.put("/ingest/demo/video/init.mp4", init(VIDEO)).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(text.contains("`limits.pushes`"), "{text}");
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let world = World::with(|config| config.limits.body_idle_s = 1).await;
    world.begin("demo").await;
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(styp(false)))]);
    let endless = futures_util::StreamExt::chain(first, futures_util::stream::pending());
    let (status, text) = world
        .put("/ingest/demo/video/1.m4s", Body::from_stream(endless))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("stood still after 24 bytes"), "{text}");
}

#[tokio::test]
async fn other_ends_are_understood_too() {
    for end in [
        ("manifest.mpd", "<MPD type=\"static\"></MPD>".as_bytes().to_vec()),
        ("master.m3u8", b"#EXTM3U\n#EXT-X-ENDLIST\n".to_vec()),
    ] {
        let world = World::new().await;
        world.begin("demo").await;
        world.slot("demo", FIRST).await;
        world.slot("demo", FIRST + 1).await;
        world.must_put(&format!("/ingest/demo/{}", end.0), end.1).await;
        assert!(
            world
                .text("/live/demo/audio/index.m3u8")
                .await
                .ends_with("#EXT-X-ENDLIST\n")
        );
    }
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    for track in ["video", "audio"] {
        world
            .must_put(&format!("/ingest/demo/{track}/9.m4s"), boxed(b"mfra", &[]))
            .await;
    }
    assert!(
        world
            .text("/live/demo/audio/index.m3u8")
            .await
            .ends_with("#EXT-X-ENDLIST\n")
    );
}

#[tokio::test]
async fn one_endless_body_is_cut_into_segments_at_sync_samples() {
    let world = World::new().await;
    let mut body = init(VIDEO);
    for second in 0..8_u64 {
        for part in 0..5_u64 {
            let time = NOON as u64 * 90 + second * 90_000 + part * 18_000;
            body.extend([prft(NOON, time), chunk(time, 5, part == 0)].concat());
        }
    }
    world.must_put("/ingest/long/Streams(video.cmfv)", body).await;
    let read = read_playlist(&world.text("/live/long/video/index.m3u8").await);
    assert_eq!(
        read.segments.iter().map(|s| s.duration).collect::<Vec<_>>(),
        [2.0; 4]
    );
}

/// A body of one event: pictures with a key frame a second, or sound, for so many seconds from noon on.
fn endless(is_video: bool, seconds: std::ops::Range<u64>) -> Vec<u8> {
    if is_video {
        let parts = seconds.flat_map(|second| (0..5).map(move |part| (second, part)));
        let media = parts.flat_map(|(second, part)| {
            chunk(NOON as u64 * 90 + second * 90_000 + part * 18_000, 5, part == 0)
        });
        return media.collect();
    }
    // A frame a chunk, as ffmpeg sends it.
    let frames = (seconds.start * 48_000).div_ceil(1_024)..(seconds.end * 48_000).div_ceil(1_024);
    frames
        .flat_map(|frame| chunk(NOON as u64 * 48 + frame * 1_024, 1, true))
        .collect()
}

#[tokio::test]
async fn sound_that_comes_in_one_endless_body_is_cut_where_pictures_are() {
    for sound_is_ahead in [false, true] {
        let world = World::new().await;
        let push = |is_video: bool, track: &str| {
            let push = Push::begin(&world, &format!("/ingest/long/Streams({track})"));
            (is_video, push)
        };
        let mut pushes = [push(true, "video.cmfv"), push(false, "audio.cmfa")];
        if sound_is_ahead {
            pushes.reverse();
        }
        for (is_video, push) in &pushes {
            push.send(init(if *is_video { VIDEO } else { AUDIO })).await;
        }
        for second in 0..13 {
            for (is_video, push) in &pushes {
                push.send(endless(*is_video, second..second + 1)).await;
                push.taken().await;
            }
        }
        for (_, push) in pushes {
            push.end().await;
        }
        let read =
            async |track: &str| read_playlist(&world.text(&format!("/live/long/{track}/index.m3u8")).await);
        let (pictures, sound) = (read("video").await, read("audio").await);
        let lasts = |list: &m3u8_rs::MediaPlaylist| {
            let durations = list.segments.iter().map(|segment| segment.duration);
            durations.collect::<Vec<_>>()
        };
        let told = format!(
            "sound is ahead: {sound_is_ahead}; {:?} and {:?}",
            lasts(&pictures),
            lasts(&sound)
        );
        assert_eq!(numbers(&sound), numbers(&pictures), "{told}");
        let begins = |list: &m3u8_rs::MediaPlaylist| {
            let ends = list.segments.iter().scan(0.0, |end, segment| {
                *end += segment.duration;
                Some(*end)
            });
            ends.collect::<Vec<_>>()
        };
        for (picture, sound) in begins(&pictures).iter().zip(begins(&sound)) {
            assert!(
                (picture - sound).abs() < 0.022,
                "within a frame of sound: {picture}, {sound}; {told}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_cut_off_segment_left_of_its_slot_is_told_by_the_gaps_behind_it() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let slot = FIRST + 3;
    let push = world.push_video(slot);
    for chunk in &video_chunks(slot)[..4] {
        push.send(chunk.clone()).await;
    }
    push.cut().await;
    world.chunked(slot + 3).await;
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert_eq!(numbers(&read), (FIRST..=slot + 3).collect::<Vec<_>>());
    let durations: Vec<f32> = read
        .segments
        .iter()
        .skip(3)
        .map(|segment| segment.duration)
        .collect();
    assert_eq!(durations, [1.28, 2.24, 2.24, 1.92]);
    let dated = |index: usize| read.segments[index].program_date_time.is_some();
    assert!(!dated(4) && !dated(6), "nothing is missing between them");
}

#[tokio::test]
async fn a_channel_whose_media_has_stopped_is_left_to_another_origin() {
    let mut world = World::with(|config| {
        config.stale_after_s = 10;
        config.part_target_ms = 320;
    })
    .await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.chunked(slot).await;
    }
    let documents = [
        "index.m3u8",
        "video/index.m3u8",
        "manifest.mpd",
        "number.mpd",
        "manifest.mpp",
    ];
    let after = |seconds: i64| UnixMillis(NOON + 3 * 1_920 + seconds * 1_000);
    let answers = async |world: &World| {
        let mut answers = Vec::new();
        for document in documents {
            let (status, headers, body) = world.get(&format!("/live/demo/{document}"), &[]).await;
            let cached = headers["cache-control"].to_str().unwrap().to_owned();
            answers.push((status, cached, String::from_utf8_lossy(&body).into_owned()));
        }
        answers
    };
    let assert_shown = async |world: &World, shown: bool| {
        for (status, cached, body) in answers(world).await {
            if shown {
                assert_eq!(status, StatusCode::OK, "{body}");
            } else {
                assert_eq!(
                    (status, &*cached),
                    (StatusCode::SERVICE_UNAVAILABLE, "no-store"),
                    "{body}"
                );
                assert!(body.contains("urn:selvedge:error:stale"), "{body}");
            }
        }
        let metrics = world.text("/metrics").await;
        let line = format!(
            "selvedge_channel_withheld{{channel=\"demo\",reason=\"stale\"}} {}",
            u8::from(!shown)
        );
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    };
    world.clock.set(after(10));
    assert_shown(&world, true).await;
    world.clock.set(after(11));
    assert_shown(&world, false).await;
    let media = format!("/live/demo/video/0-{}.m4s", (FIRST + 2) * VIDEO_SEGMENT);
    assert_eq!(
        world.get(&media, &[]).await.0,
        StatusCode::OK,
        "media that is there is served"
    );
    // Whoever fetches from an origin that has come back finds it as it was.
    world.restart().await;
    assert_shown(&world, false).await;
    world.chunked(FIRST + 9).await;
    assert_shown(&world, true).await;
    for track in ["video", "audio"] {
        let (time, samples) = match track {
            "video" => ((FIRST + 10) * VIDEO_SEGMENT, 48),
            _ => ((FIRST + 10) * AUDIO_SEGMENT, 90),
        };
        let last = [styp(true), chunk(time, samples, true)].concat();
        world
            .must_put(&format!("/ingest/demo/{track}/{}.m4s", FIRST + 10), last)
            .await;
    }
    world.clock.set(after(40));
    let (status, _, _) = world.get("/live/demo/video/index.m3u8", &[]).await;
    assert_eq!(status, StatusCode::OK, "what has ended is never stale");
}

#[tokio::test]
async fn a_channel_that_has_lost_a_track_is_left_to_another_origin() {
    let world = World::with(|config| config.incomplete_after_s = 5).await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    let mut statuses = Vec::new();
    for slot in FIRST + 3..FIRST + 6 {
        let media = video(slot * VIDEO_SEGMENT, 48);
        world
            .must_put(&format!("/ingest/demo/video/{slot}.m4s"), media)
            .await;
        statuses.push(world.get("/live/demo/index.m3u8", &[]).await.0.as_u16());
    }
    assert_eq!(statuses, [200, 200, 503], "5.76 s behind");
    let told = world.text("/channels/demo").await;
    assert!(told.contains("\"withheld\":\"incomplete\""), "{told}");
    world.slot("demo", FIRST + 6).await;
    assert_eq!(world.get("/live/demo/index.m3u8", &[]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_second_copy_of_a_segment_changes_nothing() {
    let world = World::new().await;
    world.begin("demo").await;
    for slot in [FIRST, FIRST + 1, FIRST + 2, FIRST + 2, FIRST + 1] {
        world.slot("demo", slot).await;
    }
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert_eq!(numbers(&read), (FIRST..FIRST + 3).collect::<Vec<_>>());
}

#[tokio::test]
async fn anchors_are_found_where_media_time_begins_at_zero() {
    // A producer reference time beats the time of arrival.
    let world = World::new().await;
    world.must_put("/ingest/a/init-0.m4s", init(VIDEO)).await;
    world.clock.set(UnixMillis(NOON + 700));
    for slot in 0..2 {
        let bytes = [
            prft(NOON + slot * 1_920, slot as u64 * VIDEO_SEGMENT),
            video(slot as u64 * VIDEO_SEGMENT, 48),
        ];
        world
            .must_put(&format!("/ingest/a/chunk-0-{slot}.m4s"), bytes.concat())
            .await;
    }
    assert!(
        world
            .text("/live/a/0/index.m3u8")
            .await
            .contains("#EXT-X-PROGRAM-DATE-TIME:2026-11-21T12:00:00.000Z")
    );
    // So does a `$Time$` in the name.
    world.must_put("/ingest/b/init-v.m4s", init(VIDEO)).await;
    for slot in 0..2 {
        let time = NOON as u64 * 90 + slot * VIDEO_SEGMENT;
        world
            .must_put(
                &format!("/ingest/b/chunk-v-{time}.m4s"),
                video(slot * VIDEO_SEGMENT, 48),
            )
            .await;
    }
    let text = world.text("/live/b/v/index.m3u8").await;
    assert!(
        text.contains("#EXT-X-PROGRAM-DATE-TIME:2026-11-21T12:00:00.000Z\n")
            && text.contains("#EXTINF:1.920000,\n1795262400-0.m4s"),
        "{text}"
    );
}

#[tokio::test]
async fn small_answers_are_what_they_should_be() {
    let world = World::new().await;
    assert_eq!(world.text("/healthz").await, "ok\n");
    assert_eq!(world.text("/time").await, "2026-11-21T12:00:00.000Z");
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    let list: serde_json::Value = serde_json::from_str(&world.text("/channels").await).unwrap();
    assert_eq!(list[0]["channel"], "demo");
    assert_eq!(list[0]["tracks"][1]["codec"], "avc1.64001F");
    assert_eq!(list[0]["tracks"][0]["last_end_ms"], NOON + 1_920);
}

#[tokio::test]
async fn medialive_objects_are_taken_as_they_are() {
    let Ok(vectors) = std::env::var("SELVEDGE_VECTORS") else {
        println!("skipped: SELVEDGE_VECTORS does not name the folder of test vectors");
        return;
    };
    let folder = std::path::Path::new(&vectors).join("cmaf-ingest/medialive");
    let world = World::new().await;
    world.clock.set(UnixMillis(1_721_482_860_000));
    for (track, extension) in [("video", "cmfv"), ("audio", "cmfa"), ("scte", "cmfm")] {
        for object in ["init", "896605655", "896605656", "896605657", "896605658"] {
            let file = folder.join(track).join(format!("{object}.{extension}"));
            let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            world
                .must_put(&format!("/ingest/ml/{track}/{object}.{extension}"), bytes)
                .await;
        }
    }
    let mut first = Vec::new();
    for track in ["video", "audio"] {
        let text = world.text(&format!("/live/ml/{track}/index.m3u8")).await;
        let read = read_playlist(&text);
        assert_eq!((read.segments.len(), read.target_duration), (4, 2), "{text}");
        assert!(
            text.contains("#EXT-X-PROGRAM-DATE-TIME:2024-07-20T13:40:56.1"),
            "{text}"
        );
        first.push(read.media_sequence);
    }
    assert_eq!(first[0], first[1]);
    let multivariant = world.text("/live/ml/index.m3u8").await;
    assert!(
        multivariant.contains("LANGUAGE=\"eng\"") && !multivariant.contains("scte"),
        "{multivariant}"
    );
    assert_eq!(
        read_mpd(&world.text("/live/ml/manifest.mpd").await).periods[0]
            .adaptations
            .len(),
        2
    );
    let event = world.get("/live/ml/scte/0-154933457050800.m4s", &[]).await;
    assert_eq!(event.0, StatusCode::OK, "events are kept, though not listed");
}
