//! What nobody may make the origin do: reach into another channel, hold a place for ever, say what is not so.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use selvedge_origin::admit::Table;
use selvedge_origin::time::UnixMillis;
use selvedge_token::{Component, Jwk, JwkSet, Match, Minter, SigningKey};
use support::*;

/// Status and slug of a refusal.
fn kind(status: StatusCode, text: &str) -> (u16, String) {
    let problem: serde_json::Value = serde_json::from_str(text).unwrap();
    let kind = problem["type"].as_str().unwrap().rsplit(':').next().unwrap();
    (status.as_u16(), kind.to_owned())
}

#[tokio::test]
async fn a_token_for_one_channel_admits_to_no_other_however_the_path_is_written() {
    let keys = tempfile::NamedTempFile::new().unwrap();
    let key = Jwk::symmetric("k", &[1; 32]);
    let set = JwkSet {
        keys: vec![key.clone()],
    };
    std::fs::write(keys.path(), serde_json::to_string(&set).unwrap()).unwrap();
    let minter = Minter::new().uri(Component::Path, Match::Prefix("/ingest/news/".into()));
    let token = minter.mint(&SigningKey::from_jwk(&key).unwrap()).unwrap();
    #[derive(serde::Deserialize)]
    struct File {
        ingest: Vec<Table>,
    }
    let table = format!("[[ingest]]\n[ingest.cat]\nkeys = {:?}", keys.path());
    let file: File = toml::from_str(&table).unwrap();
    let world = World::with(|config| config.ingest = file.ingest).await;
    let push = async |path: &str| {
        let request = Request::put(path).header("cta-common-access-token", &token);
        let response = world.send(request.body(Body::from(init(VIDEO))).unwrap()).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    assert_eq!(push("/ingest/news/video/init.mp4").await.0, StatusCode::OK);
    assert_eq!(
        push("/ingest/sport/video/init.mp4").await.0,
        StatusCode::FORBIDDEN
    );
    for path in [
        "/ingest/sport/../news/video/init.mp4",
        "/ingest/sport/%2e%2e/news/video/init.mp4",
        "/ingest/sport/.%2E/news/video/init.mp4",
        "/ingest/sport/x%2f..%2f..%2fnews/init.mp4",
        "/ingest/news/./video/init.mp4",
    ] {
        let (status, text) = push(path).await;
        assert_eq!(kind(status, &text), (400, "dot-segment".into()), "{path}");
    }
    let (status, ..) = world.get("/live/sport/index.m3u8", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nothing of it came to be");
}

/// A body that says one byte every fifth of a second.
fn trickle(bytes: Vec<u8>) -> Body {
    Body::from_stream(futures_util::stream::unfold(
        (bytes, 0),
        |(bytes, at)| async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let next = bytes.get(at).map(|byte| Bytes::copy_from_slice(&[*byte]));
            next.map(|next| (Ok::<_, std::io::Error>(next), (bytes, at + 1)))
        },
    ))
}

#[tokio::test]
async fn a_trickle_of_blanks_or_of_what_is_refused_holds_no_place() {
    let world = World::with(|config| {
        config.limits.body_idle_s = 1;
        config.limits.min_body_rate = 1 << 20;
    })
    .await;
    let (status, text) = world
        .put("/ingest/demo/video/init.mp4", trickle(vec![b' '; 4_000]))
        .await;
    assert_eq!(kind(status, &text), (408, "slow-body".into()));
    let foreign = [b"FLV\x01".to_vec(), vec![0; 4_000]].concat();
    let (status, text) = world.put("/ingest/demo/video/init.mp4", trickle(foreign)).await;
    assert_eq!(kind(status, &text), (415, "unsupported-media".into()));
}

#[tokio::test]
async fn a_codec_of_text_that_no_document_can_name_is_refused() {
    let world = World::new().await;
    let text_init = |codec: &[u8; 4]| {
        let mut init = init(VIDEO);
        for (from, to) in [(b"vide", b"text"), (b"avc1", codec)] {
            let at = init.windows(4).position(|name| name == from).unwrap();
            init[at..at + 4].copy_from_slice(to);
        }
        init
    };
    world
        .must_put("/ingest/demo/captions/init.mp4", text_init(b"wvtt"))
        .await;
    let (status, text) = world.put("/ingest/demo/odd/init.mp4", text_init(b"a\"b,")).await;
    assert_eq!(kind(status, &text), (415, "unsupported-media".into()));
}

#[tokio::test]
async fn no_track_may_have_the_name_of_the_channels_own_record() {
    let world = World::new().await;
    let (status, text) = world.put("/ingest/demo/channel.json", init(VIDEO)).await;
    assert_eq!(kind(status, &text), (404, "unknown-path".into()));
    world.begin("demo").await;
    world.origin.save().await.unwrap();
}

#[tokio::test]
async fn a_window_holds_three_target_durations_at_least_and_objects_outlive_every_list_that_named_them() {
    let world = World::with(|config| {
        config.window_s = 10;
        config.retention_s = 1;
        config.target_duration_s = 8;
        config.segment_duration_ms = 8_000;
    })
    .await;
    world.begin("demo").await;
    let at = |index: u64| NOON as u64 / 1_000 + index * 8;
    let push = async |index: u64| {
        world.clock.set(UnixMillis((at(index) as i64 + 8) * 1_000));
        let path = |track| format!("/ingest/demo/{track}/{index}.m4s");
        world
            .must_put(&path("video"), video(at(index) * 90_000, 200))
            .await;
        world
            .must_put(&path("audio"), audio(at(index) * 48_000, 375))
            .await;
    };
    for index in 0..4 {
        push(index).await;
    }
    let early = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    let first = format!("/live/demo/video/{}", early.segments[0].uri);
    for index in 4..8 {
        push(index).await;
        world.origin.sweep().await;
    }
    let text = world.text("/live/demo/video/index.m3u8").await;
    let listed: f32 = read_playlist(&text)
        .segments
        .iter()
        .map(|segment| segment.duration)
        .sum();
    assert!(listed >= 24.0, "{text}");
    assert!(!text.contains(&early.segments[0].uri), "{text}");
    let (status, ..) = world.get(&first, &[]).await;
    assert_eq!(status, StatusCode::OK, "its last list is still valid");
}

#[tokio::test]
async fn an_encoder_that_begins_again_is_heard_before_its_init_segment_and_a_late_repeat_is_none() {
    let world = World::new().await;
    world.must_put("/ingest/ff/init-stream0.m4s", init(VIDEO)).await;
    let push = async |at: i64, slot: u64, size: u32| {
        world.clock.set(UnixMillis(at + slot as i64 * 1_920));
        let path = format!("/ingest/ff/chunk-stream0-{:05}.m4s", slot + 1);
        let body = [styp(false), chunk_of(slot * VIDEO_SEGMENT, 48, true, size)].concat();
        world.must_put(&path, body).await;
    };
    for slot in 0..3 {
        push(NOON, slot, 100).await;
    }
    let count = async || {
        let text = world.text("/live/ff/stream0/index.m3u8").await;
        let is_media = |line: &&str| line.ends_with(".m4s") && !line.starts_with("gap");
        let media = text.lines().filter(is_media).count();
        (media, text.matches("#EXT-X-DISCONTINUITY\n").count())
    };
    push(NOON + 20_000, 0, 100).await;
    assert_eq!(count().await, (3, 0), "the same bytes, late");
    push(NOON + 20_000, 0, 101).await;
    push(NOON + 20_000, 1, 101).await;
    assert_eq!(count().await, (5, 1), "other bytes: another timeline");
}
