//! What senders that die, lie or change their minds must not break.

mod support;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use selvedge_origin::time::UnixMillis;
use support::*;

#[tokio::test]
async fn a_rendition_that_no_longer_comes_leaves_the_documents_and_then_the_store() {
    let mut world = World::with(|config| config.window_s = 12).await;
    world.begin("demo").await;
    world.must_put("/ingest/demo/old/init.mp4", init(VIDEO)).await;
    for slot in FIRST..FIRST + 3 {
        let path = format!("/ingest/demo/old/{slot}.m4s");
        world.must_put(&path, video(slot * VIDEO_SEGMENT, 48)).await;
        world.slot("demo", slot).await;
    }
    assert!(
        world
            .text("/live/demo/index.m3u8")
            .await
            .contains("old/index.m3u8")
    );
    world.restart().await;
    for slot in FIRST + 3..FIRST + 12 {
        world.slot("demo", slot).await;
    }
    for document in ["index.m3u8", "manifest.mpd"] {
        let text = world.text(&format!("/live/demo/{document}")).await;
        assert!(!text.contains("old") && text.contains("video"), "{text}");
    }
    // Its media stays for the retention time, then nothing of it is left.
    let path = format!("/live/demo/old/0-{}.m4s", FIRST * VIDEO_SEGMENT);
    assert_eq!(world.get(&path, &[]).await.0, StatusCode::OK);
    world.clock.advance(121_000);
    world.origin.sweep().await;
    assert_eq!(world.get(&path, &[]).await.0, StatusCode::NOT_FOUND);
    let left = std::fs::read_dir(world.folder.path().join("demo/old"))
        .unwrap()
        .count();
    assert_eq!(left, 0);
    // Nor does it keep the channel from ending.
    for (track, bytes) in [
        ("video", chunk((FIRST + 12) * VIDEO_SEGMENT, 48, true)),
        ("audio", chunk((FIRST + 12) * AUDIO_SEGMENT, 90, true)),
    ] {
        let path = format!("/ingest/demo/{track}/{}.m4s", FIRST + 12);
        world.must_put(&path, [styp(true), bytes].concat()).await;
    }
    let text = world.text("/live/demo/video/index.m3u8").await;
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
}

#[tokio::test]
async fn a_track_that_dies_just_before_the_others_say_goodbye_keeps_the_channel_open_for_a_window_at_most() {
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    let last = [styp(true), chunk((FIRST + 2) * VIDEO_SEGMENT, 48, true)].concat();
    world
        .must_put(&format!("/ingest/demo/video/{}.m4s", FIRST + 2), last)
        .await;
    world.clock.advance(30_000);
    world.origin.sweep().await;
    assert!(
        !world
            .text("/live/demo/video/index.m3u8")
            .await
            .contains("ENDLIST")
    );
    world.clock.advance(31_000);
    world.origin.sweep().await;
    assert!(
        world
            .text("/live/demo/video/index.m3u8")
            .await
            .contains("ENDLIST")
    );
}

#[tokio::test]
async fn a_sender_whose_clock_was_set_back_is_listed_all_the_same() {
    let world = World::with(|config| config.window_s = 12).await;
    world.begin("demo").await;
    for slot in (FIRST..FIRST + 3).chain(FIRST - 1_000..FIRST - 997) {
        world.slot("demo", slot).await;
    }
    let text = world.text("/live/demo/video/index.m3u8").await;
    assert_eq!(text.matches("\n0.1-").count(), 3, "{text}");
}

#[tokio::test]
async fn a_jump_inside_a_segment_is_refused_and_the_track_goes_on() {
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    let now = (FIRST + 2) * VIDEO_SEGMENT;
    for jump in [1_u64 << 61, 11 * 90_000] {
        let body = [styp(false), chunk(now, 8, true), chunk(now + jump, 8, true)].concat();
        let (status, text) = world.put("/ingest/demo/video/9.m4s", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(text.contains("does not follow"), "{text}");
    }
    let long: Vec<u8> = (0..20_u64)
        .flat_map(|part| chunk(now + part * 360_000, 100, part == 0))
        .collect();
    let (status, text) = world.put("/ingest/demo/video/9.m4s", long).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("longer than a minute"), "{text}");
    world.slot("demo", FIRST + 2).await;
    world.slot("demo", FIRST + 3).await;
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert_eq!(read.segments.last().unwrap().duration, 1.92);
}

#[tokio::test]
async fn segments_that_last_next_to_nothing_do_not_fill_the_playlist_with_gaps() {
    let world = World::new().await;
    let sketch = Sketch {
        timescale: 10_000_000,
        sample: 1,
        ..VIDEO
    };
    world.must_put("/ingest/demo/video/init.mp4", init(sketch)).await;
    let now = NOON as u64 * 10_000;
    for (number, time) in [now, now + 1, now + 2, now + 300_000_000, now + 300_000_001]
        .into_iter()
        .enumerate()
    {
        let body = [styp(false), chunk(time, 1, true)].concat();
        world
            .must_put(&format!("/ingest/demo/video/{number}.m4s"), body)
            .await;
    }
    let text = world.text("/live/demo/video/index.m3u8").await;
    assert!(text.matches("#EXT-X-GAP").count() < 700, "{}", text.len());
    world.text("/live/demo/manifest.mpd").await;
}

#[tokio::test]
async fn stray_objects_make_no_channel_and_channels_that_are_over_make_room() {
    let mut world = World::with(|config| config.limits.channels = 1).await;
    for channel in ["a", "b", "c"] {
        let (status, _) = world
            .put(&format!("/ingest/{channel}/v/1.m4s"), video(0, 8))
            .await;
        assert_eq!(status, StatusCode::PRECONDITION_FAILED);
        let (status, _) = world
            .put(&format!("/ingest/{channel}/v.m4s"), "junk, no media")
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        world
            .must_put(&format!("/ingest/{channel}/x.mpd"), "<MPD type=\"static\"/>")
            .await;
    }
    assert_eq!(world.text("/channels").await, "[]");
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    world
        .must_put("/ingest/demo/x.mpd", "<MPD type=\"static\"/>")
        .await;
    world.clock.advance(179_000);
    world.origin.sweep().await;
    let (status, _) = world.put("/ingest/next/video/init.mp4", init(VIDEO)).await;
    assert_eq!(
        status,
        StatusCode::TOO_MANY_REQUESTS,
        "the ended channel can still be watched"
    );
    world.clock.advance(1_000);
    world.origin.sweep().await;
    world.must_put("/ingest/next/video/init.mp4", init(VIDEO)).await;
    let left = |folder: &str| match std::fs::read_dir(world.folder.path().join(folder)) {
        Ok(found) => found
            .filter(|entry| entry.as_ref().unwrap().path().is_file())
            .count(),
        Err(_) => 0,
    };
    assert_eq!((left("demo"), left("demo/video"), left("demo/audio")), (0, 0, 0));
    // A channel whose media never came goes too.
    world.clock.advance(180_000);
    world.origin.sweep().await;
    world.restart().await;
    assert_eq!(world.text("/channels").await, "[]");
}

#[tokio::test]
async fn a_store_that_fails_costs_no_segment() {
    let world = World::new().await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 2 {
        world.slot("demo", slot).await;
    }
    // The track's folder is a file now, so that nothing can be written below it.
    let folder = world.folder.path().join("demo/video");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    let mut body = Vec::new();
    for slot in FIRST + 2..FIRST + 5 {
        for part in 0..6 {
            let time = slot * VIDEO_SEGMENT + part * 28_800;
            body.extend(chunk(time, 8, part == 0));
        }
    }
    let (status, text) = world.put("/ingest/demo/video.cmfv", body).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert_eq!(read.segments.iter().map(|s| s.duration).sum::<f32>(), 5.0 * 1.92);
}

#[tokio::test]
async fn a_segment_sent_again_by_a_sender_without_a_clock_is_no_restart() {
    let world = World::new().await;
    world.must_put("/ingest/ff/init-0.m4s", init(VIDEO)).await;
    for slot in [0, 1, 2, 3, 1, 0, 4] {
        world.clock.advance(1_920);
        let path = format!("/ingest/ff/chunk-0-{slot:05}.m4s");
        world.must_put(&path, video(slot * VIDEO_SEGMENT, 48)).await;
    }
    let text = world.text("/live/ff/0/index.m3u8").await;
    assert!(!text.contains("DISCONTINUITY"), "{text}");
    assert_eq!(read_playlist(&text).segments.len(), 5, "{text}");
}

#[tokio::test]
async fn a_graceful_stop_keeps_what_was_cut_off() {
    let mut world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    let third = video((FIRST + 2) * VIDEO_SEGMENT, 48);
    world
        .put("/ingest/demo/video/3.m4s", cut_off(&third[..700]))
        .await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stop = tokio::time::sleep(std::time::Duration::from_millis(50));
    world.origin.clone().serve(listener, stop).await.unwrap();
    world.restart().await;
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert_eq!(read.segments.last().unwrap().duration, 0.96);
    let path = format!("/live/demo/video/{}", read.segments.last().unwrap().uri);
    assert_eq!(world.get(&path, &[]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_stop_waits_for_the_push_whose_sender_is_gone() {
    let world = World::new().await;
    world.begin("demo").await;
    let (send, receive) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    let body = futures_util::stream::unfold(receive, async |mut receive| {
        let bytes = receive.recv().await?;
        Some((Ok::<_, std::io::Error>(bytes), receive))
    });
    let request = Request::put(format!("/ingest/demo/video/{FIRST}.m4s"));
    let request = request.body(Body::from_stream(body)).unwrap();
    let response = world.send(request);
    // The connection goes, its task stays.
    let gone = tokio::time::timeout(std::time::Duration::from_millis(20), response).await;
    assert!(gone.is_err());
    let closing = tokio::spawn({
        let origin = world.origin.clone();
        async move { origin.close().await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert!(!closing.is_finished());
    send.send(video(FIRST * VIDEO_SEGMENT, 48)).unwrap();
    drop(send);
    closing.await.unwrap().unwrap();
    let path = format!("demo/video/0-{}.m4s", FIRST * VIDEO_SEGMENT);
    assert!(world.folder.path().join(path).exists());
}

#[tokio::test]
async fn init_segments_live_as_long_as_the_media_that_needs_them() {
    let world = World::with(|config| config.window_s = 10).await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 2 {
        world.slot("demo", slot).await;
    }
    let playlist = world.text("/live/demo/video/index.m3u8").await;
    let old = playlist
        .split("URI=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let old = format!("/live/demo/video/{old}");
    let sketch = Sketch { width: 848, ..VIDEO };
    world.must_put("/ingest/demo/video/init.mp4", init(sketch)).await;
    for slot in FIRST + 2..FIRST + 10 {
        world.slot("demo", slot).await;
    }
    world.origin.sweep().await;
    let segment = format!("/live/demo/video/0-{}.m4s", FIRST * VIDEO_SEGMENT);
    assert_eq!(world.get(&segment, &[]).await.0, StatusCode::OK);
    assert_eq!(world.get(&old, &[]).await.0, StatusCode::OK);
    world.clock.advance(121_000);
    world.origin.sweep().await;
    assert_eq!(world.get(&old, &[]).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn media_that_waits_is_within_the_bounds_of_memory_and_leaves_the_store() {
    let world = World::with(|config| config.limits.window_bytes = 2_500).await;
    world.must_put("/ingest/demo/audio/init.mp4", init(AUDIO)).await;
    world.must_put("/ingest/demo/video/init.mp4", init(VIDEO)).await;
    // Sound alone has no grid until pictures come, and three segments are not enough without them.
    for slot in FIRST..FIRST + 3 {
        let path = format!("/ingest/demo/audio/{}.m4s", slot - FIRST);
        world.must_put(&path, audio(slot * AUDIO_SEGMENT, 90)).await;
    }
    let stored = || {
        let folder = std::fs::read_dir(world.folder.path().join("demo/audio")).unwrap();
        folder.count()
    };
    assert_eq!(stored(), 4);
    world.clock.advance(121_000);
    world.origin.sweep().await;
    assert_eq!(stored(), 3, "the init segment and what the bound leaves");
}

#[tokio::test]
async fn damaged_headers_cannot_break_the_documents() {
    let world = World::new().await;
    let mut odd = init(VIDEO);
    let at = odd.windows(4).position(|name| name == b"avc1").unwrap();
    odd[at..at + 4].copy_from_slice(b"a\"<&");
    let (status, text) = world.put("/ingest/demo/video/init.mp4", odd).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(text.contains("urn:selvedge:error:unsupported-media"), "{text}");
    // A thousand million frames a second are no frame rate.
    let sketch = Sketch {
        timescale: 1_000_000_000,
        sample: 1,
        ..VIDEO
    };
    world.must_put("/ingest/fast/video/init.mp4", init(sketch)).await;
    let now = NOON as u64 * 1_000_000;
    for number in 0..3 {
        let body = [styp(false), chunk(now + number, 1, true)].concat();
        world
            .must_put(&format!("/ingest/fast/video/{number}.m4s"), body)
            .await;
    }
    let text = world.text("/live/fast/index.m3u8").await;
    assert!(!text.contains("FRAME-RATE"), "{text}");
}

#[tokio::test]
async fn a_path_that_is_not_utf_8_is_answered_with_a_problem_document() {
    let world = World::new().await;
    for path in [
        "/live/%FF/index.m3u8",
        "/live/demo/%FF/index.m3u8",
        "/live/demo/video/%FF.m4s",
    ] {
        let (status, headers, body) = world.get(path, &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(String::from_utf8(body).unwrap().contains("unknown-path"));
    }
    let (status, text) = world.put("/ingest/%FF/video/init.mp4", init(VIDEO)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{text}");
    assert!(text.contains("unknown-path"), "{text}");
}

#[tokio::test]
async fn a_long_body_whose_name_ends_in_a_number_is_cut_all_the_same() {
    let world = World::new().await;
    let mut body = init(VIDEO);
    for second in 0..90_u64 {
        body.extend(chunk((NOON as u64 + second * 1_000) * 90, 25, true));
    }
    world.must_put("/ingest/demo/video-1.mp4", body).await;
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert!(read.segments.len() > 3, "{}", read.segments.len());
}

#[cfg(unix)]
#[tokio::test]
async fn what_cannot_be_read_back_does_not_keep_the_origin_from_starting() {
    let mut world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    world.origin.save().await.unwrap();
    // A link to itself is there and cannot be opened.
    let spoil = |path: &std::path::Path| std::os::unix::fs::symlink(path, path).unwrap();
    std::fs::create_dir(world.folder.path().join("odd")).unwrap();
    spoil(&world.folder.path().join("odd/channel.json"));
    let folder = world.folder.path().join("demo/audio");
    let inits = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let inits: Vec<_> = inits
        .filter(|path| path.to_string_lossy().contains("init-"))
        .collect();
    for init in inits {
        std::fs::remove_file(&init).unwrap();
        spoil(&init);
    }
    world.restart().await;
    let text = world.text("/live/demo/index.m3u8").await;
    assert!(text.contains("video/index.m3u8"), "{text}");
}

#[tokio::test]
async fn after_a_long_silence_no_track_is_missing_while_the_first_is_back() {
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    world.slot("demo", FIRST + 1).await;
    let slot = FIRST + 300;
    world.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
    let path = format!("/ingest/demo/video/{slot}.m4s");
    world.must_put(&path, video(slot * VIDEO_SEGMENT, 48)).await;
    world.origin.sweep().await;
    let text = world.text("/live/demo/index.m3u8").await;
    assert!(text.contains("audio/index.m3u8"), "{text}");
    for slot in slot..slot + 40 {
        world.slot("demo", slot).await;
    }
    for track in ["video", "audio"] {
        let read = read_playlist(&world.text(&format!("/live/demo/{track}/index.m3u8")).await);
        assert_eq!(read.media_sequence + read.segments.len() as u64, slot + 40);
        assert!(read.segments.len() <= 32, "{}", read.segments.len());
    }
}

/// The kind of a refusal: its status and the last part of its type.
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
fn refusal(status: StatusCode, text: &str) -> (u16, String) {
    let problem: serde_json::Value = serde_json::from_str(text).unwrap();
    let kind = problem["type"].as_str().unwrap().rsplit(':').next().unwrap();
    (status.as_u16(), kind.to_owned())
}

#[tokio::test]
async fn each_bad_object_has_its_own_refusal_and_the_track_goes_on() {
    let world = World::new().await;
    let time = FIRST * VIDEO_SEGMENT;
    let early = world.put("/ingest/demo/video/0.m4s", video(time, 48)).await;
    assert_eq!(refusal(early.0, &early.1), (412, "no-init".into()));
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    let next = time + VIDEO_SEGMENT;
    let small = chunk(next, 1, true);
    let media = small.windows(4).position(|name| name == b"mdat").unwrap() - 4;
    let huge = [&small[..media], &[0x80, 0, 0, 0], b"mdat"].concat();
    let huge_header = [[0x80, 0, 0, 0].as_slice(), b"moov"].concat();
    for (what, body, wanted) in [
        ("no key frame", chunk(next, 48, false), (400, "bad-media")),
        ("no time", chunk(next, 0, true), (400, "bad-media")),
        (
            "a time that goes back",
            [chunk(next, 24, true), chunk(next, 24, false)].concat(),
            (400, "bad-media"),
        ),
        (
            "a hole of a minute",
            [chunk(next, 24, true), chunk(next + 60 * 90_000, 24, false)].concat(),
            (400, "bad-media"),
        ),
        ("a box of 2 GB", huge_header, (413, "body-too-large")),
        ("media of 2 GB", huge, (413, "body-too-large")),
        ("blanks", vec![b' '; 8_192], (415, "unsupported-media")),
        (
            "no box",
            b"hello, world, how are you?".to_vec(),
            (400, "bad-media"),
        ),
        (
            "half a box",
            chunk(next, 48, true)[..200].to_vec(),
            (400, "bad-media"),
        ),
        ("no media", boxed(b"mdat", &[&[0; 64]]), (400, "bad-media")),
    ] {
        let (status, text) = world.put("/ingest/demo/video/7.m4s", body).await;
        let (status, kind) = refusal(status, &text);
        assert_eq!((status, kind.as_str()), wanted, "{what}: {text}");
    }
    for slot in FIRST + 1..FIRST + 5 {
        world.slot("demo", slot).await;
    }
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert!(read.segments.len() >= 4, "{}", read.segments.len());
}

#[tokio::test]
async fn a_body_that_would_be_2_gb_is_refused_long_before_that() {
    let world = World::new().await;
    world.begin("demo").await;
    let given = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = given.clone();
    // Boxes of nothing, for ever.
    let piece = bytes::Bytes::from(boxed(b"free", &[&vec![0; (1 << 20) - 8]]));
    let endless = futures_util::stream::repeat_with(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, std::io::Error>(piece.clone())
    });
    let (status, text) = world
        .put("/ingest/demo/video/1.m4s", Body::from_stream(endless))
        .await;
    assert_eq!(refusal(status, &text), (413, "body-too-large".into()));
    let given = given.load(std::sync::atomic::Ordering::Relaxed);
    assert!(given < 200, "{given} MiB were taken of it");
}

#[tokio::test]
async fn boxes_that_are_not_known_pass_through() {
    let world = World::new().await;
    world.begin("demo").await;
    let time = FIRST * VIDEO_SEGMENT;
    let odd = |name: &[u8; 4]| boxed(name, &[b"whatever this is"]);
    let body = [
        styp(false),
        odd(b"uuid"),
        odd(b"abcd"),
        chunk(time, 24, true),
        odd(b"\xa9xyz"),
        chunk(time + 24 * 3_600, 24, false),
    ]
    .concat();
    world
        .must_put(&format!("/ingest/demo/video/{FIRST}.m4s"), body.clone())
        .await;
    world.origin.close().await.unwrap();
    let (status, _, served) = world.get(&format!("/live/demo/video/0-{time}.m4s"), &[]).await;
    assert_eq!((status, served == body), (StatusCode::OK, true));
}

#[tokio::test]
async fn another_timescale_is_a_discontinuity_on_every_rendition() {
    let world = World::new().await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    let other = Sketch {
        timescale: 45_000,
        sample: 1_800,
        ..VIDEO
    };
    world.must_put("/ingest/demo/video/init.mp4", init(other)).await;
    for slot in FIRST + 3..FIRST + 6 {
        let time = slot * VIDEO_SEGMENT / 2;
        let body = [styp(false), chunk(time, 48, true)].concat();
        world
            .must_put(&format!("/ingest/demo/video/{slot}.m4s"), body)
            .await;
        world
            .must_put(
                &format!("/ingest/demo/audio/{slot}.m4s"),
                audio(slot * AUDIO_SEGMENT, 90),
            )
            .await;
        world.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
    }
    world.origin.close().await.unwrap();
    for track in ["video", "audio"] {
        let read = read_playlist(&world.text(&format!("/live/demo/{track}/index.m3u8")).await);
        let breaks: Vec<u64> = read
            .segments
            .iter()
            .zip(read.media_sequence..)
            .filter(|(segment, _)| segment.discontinuity)
            .map(|(_, sequence)| sequence)
            .collect();
        assert_eq!(breaks, [FIRST + 3], "{track}");
        assert_eq!(read.segments.len(), 6, "{track}");
    }
}

#[tokio::test]
async fn a_hundred_channels_at_once_are_all_served() {
    let world = World::new().await;
    let one = async |index: usize| {
        let channel = format!("channel-{index}");
        world.begin(&channel).await;
        for slot in FIRST..FIRST + 3 {
            let path = |track| format!("/ingest/{channel}/{track}/{slot}.m4s");
            world
                .must_put(&path("video"), video(slot * VIDEO_SEGMENT, 48))
                .await;
            world
                .must_put(&path("audio"), audio(slot * AUDIO_SEGMENT, 90))
                .await;
        }
    };
    futures_util::future::join_all((0..100).map(one)).await;
    world.clock.set(UnixMillis(NOON + 6_000));
    for index in 0..100 {
        for track in ["video", "audio"] {
            let path = format!("/live/channel-{index}/{track}/index.m3u8");
            let read = read_playlist(&world.text(&path).await);
            assert_eq!(read.segments.len(), 3, "{path}");
        }
    }
}
