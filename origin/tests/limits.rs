//! What is too much of a channel or too late for it, and how one ends whose encoder does not say so.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod support;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use selvedge_origin::admit::Table;
use selvedge_origin::time::UnixMillis;
use serde_json::Value;
use support::*;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

/// A push that is under way: what is sent here is taken before the call returns.
struct Push {
    send: UnboundedSender<Vec<u8>>,
    response: JoinHandle<StatusCode>,
}

impl Push {
    fn begin(world: &World, path: &str) -> Self {
        let (send, receive) = unbounded_channel::<Vec<u8>>();
        let body = futures_util::stream::unfold(receive, async |mut receive| {
            let bytes = receive.recv().await?;
            Some((Ok::<_, std::io::Error>(Bytes::from(bytes)), receive))
        });
        let request = Request::put(path).body(Body::from_stream(body)).unwrap();
        let router = world.origin.router();
        let response = tokio::spawn(async move {
            let response = router.oneshot(request).await.unwrap();
            response.status()
        });
        Self { send, response }
    }

    async fn send(&self, bytes: Vec<u8>) {
        let _ = self.send.send(bytes);
        // The test has one thread: the push's task has nothing to wait for but this.
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) -> StatusCode {
        drop(self.send);
        self.response.await.unwrap()
    }
}

/// Chunk `index` of six of a video segment, of samples of so many bytes.
fn piece(slot: u64, index: u64, size: u32) -> Vec<u8> {
    let time = slot * VIDEO_SEGMENT + index * VIDEO_SEGMENT / 6;
    chunk_of(time, 8, index == 0, size)
}

fn ingest(slot: u64) -> String {
    format!("/ingest/demo/video/{slot}.m4s")
}

const PLAYLIST: &str = "/live/demo/video/index.m3u8";

/// How many parts the playlist lists of the segment that begins with a slot.
async fn parts_of(world: &World, slot: u64) -> usize {
    let text = world.text(PLAYLIST).await;
    let name = format!("#EXT-X-PART:DURATION=0.32,URI=\"0-{}.", slot * VIDEO_SEGMENT);
    text.matches(name.as_str()).count()
}

#[tokio::test]
async fn an_encoder_that_brings_too_much_is_not_on_air_until_it_does_so_no_more() {
    let table: Table = toml::from_str("max_bitrate = 20000").unwrap();
    let world = World::with(|config| config.ingest = vec![table]).await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    // What viewers were shown before it was too much stays, and no more of it comes.
    let slot = FIRST + 3;
    let push = Push::begin(&world, &ingest(slot));
    push.send(piece(slot, 0, 10)).await;
    assert_eq!(parts_of(&world, slot).await, 1);
    push.send(piece(slot, 1, 1_000)).await;
    assert_eq!(push.end().await, StatusCode::FORBIDDEN);
    assert_eq!(parts_of(&world, slot).await, 1);
    world.clock.advance(4_000);
    world.origin.sweep().await;
    let kept = chunk_of(slot * VIDEO_SEGMENT, 8, true, 10);
    let path = format!("/live/demo/video/0-{}.m4s", slot * VIDEO_SEGMENT);
    let (status, _, body) = world.get(&path, &[]).await;
    assert_eq!((status, body == kept), (StatusCode::OK, true));
    let text = world.text(PLAYLIST).await;
    assert!(
        text.contains(&format!("#EXTINF:0.320000,\n0-{}.m4s", slot * VIDEO_SEGMENT)),
        "{text}"
    );
    // The next one is not shown before its rate is known.
    let slot = slot + 1;
    let push = Push::begin(&world, &ingest(slot));
    push.send(piece(slot, 0, 10)).await;
    push.send(piece(slot, 1, 1_000)).await;
    assert_eq!(push.end().await, StatusCode::FORBIDDEN);
    assert_eq!(parts_of(&world, slot).await, 0);
    // One that keeps to the bounds is shown after a second, and the one after it at once.
    let slot = slot + 1;
    let push = Push::begin(&world, &ingest(slot));
    for (index, shown) in [0, 0, 0, 4, 5, 6].into_iter().enumerate() {
        push.send(piece(slot, index as u64, 10)).await;
        assert_eq!(parts_of(&world, slot).await, shown);
    }
    assert_eq!(push.end().await, StatusCode::OK);
    let push = Push::begin(&world, &ingest(slot + 1));
    push.send(piece(slot + 1, 0, 10)).await;
    assert_eq!(parts_of(&world, slot + 1).await, 1);
    assert_eq!(push.end().await, StatusCode::OK);
}

#[tokio::test]
async fn segments_that_are_shorter_than_a_second_have_a_bound_too() {
    let table: Table = toml::from_str("max_bitrate = 20000").unwrap();
    let world = World::with(|config| config.ingest = vec![table]).await;
    world.begin("demo").await;
    let (status, text) = world.put(&ingest(FIRST), piece(FIRST, 0, 400)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    world.must_put(&ingest(FIRST), piece(FIRST, 0, 100)).await;
}

#[tokio::test]
async fn a_segment_that_was_listed_short_is_not_listed_again_when_it_comes_whole() {
    let world = World::new().await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    let slot = FIRST + 3;
    let frame = |index: u64| chunk_of(slot * VIDEO_SEGMENT + index * 3_600, 1, index == 0, 10);
    let cut: Vec<u8> = (0..3).flat_map(frame).collect();
    let pieces = [Ok(cut.clone()), Err(std::io::Error::other("reset"))];
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    assert_eq!(world.put(&ingest(slot), body).await.0, StatusCode::BAD_REQUEST);
    // The origin stops, so that it is listed as it is.
    world.origin.close().await.unwrap();
    let path = format!("/live/demo/video/0-{}.m4s", slot * VIDEO_SEGMENT);
    let (status, headers, body) = world.get(&path, &[]).await;
    assert_eq!((status, body == cut), (StatusCode::OK, true));
    assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
    let push = Push::begin(&world, &ingest(slot));
    for index in 0..48 {
        push.send(frame(index)).await;
    }
    assert_eq!(push.end().await, StatusCode::OK);
    assert!(world.get(&path, &[]).await.2 == cut, "what a URL has said stays");
    let text = world.text(PLAYLIST).await;
    let name = format!("\n0-{}.m4s", slot * VIDEO_SEGMENT);
    assert_eq!(text.matches(name.as_str()).count(), 1, "{text}");
    // And the channel goes on.
    world.slot("demo", slot + 1).await;
    assert!(
        world
            .text(PLAYLIST)
            .await
            .contains(&format!("0-{}.m4s", (slot + 1) * VIDEO_SEGMENT))
    );
}

#[tokio::test]
async fn a_segment_has_8192_chunks_at_most() {
    let world = World::new().await;
    let sketch = Sketch {
        timescale: 90_000,
        sample: 1,
        ..VIDEO
    };
    world.must_put("/ingest/demo/video/init.mp4", init(sketch)).await;
    let time = FIRST * VIDEO_SEGMENT;
    let of = |chunks: u64| -> Vec<u8> {
        let chunks = (0..chunks).map(|index| chunk_of(time + index, 1, index == 0, 1));
        chunks.flatten().collect()
    };
    let (status, text) = world.put(&ingest(FIRST), of(8_193)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("more than 8192 chunks"), "{text}");
    world.must_put("/ingest/other/video/init.mp4", init(sketch)).await;
    world.must_put("/ingest/other/video/1.m4s", of(8_192)).await;
}

async fn on_air(change: impl FnOnce(&mut selvedge_origin::Config)) -> World {
    let world = World::with(change).await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    world.origin.sweep().await;
    world
}

async fn has_ended(world: &World) -> bool {
    world.text(PLAYLIST).await.ends_with("#EXT-X-ENDLIST\n")
}

#[tokio::test]
async fn a_silence_ends_a_channel_where_the_configuration_says_how_long() {
    let world = on_air(|config| config.end_after_silence_s = 30).await;
    world.clock.advance(29_000);
    world.origin.sweep().await;
    assert!(!has_ended(&world).await);
    world.clock.advance(1_000);
    world.origin.sweep().await;
    assert!(has_ended(&world).await);
    // What comes afterwards goes on.
    world.slot("demo", FIRST + 20).await;
    assert!(!has_ended(&world).await);

    let patient = on_air(|_| {}).await;
    patient.clock.advance(3_600_000);
    patient.origin.sweep().await;
    assert!(!has_ended(&patient).await);
}

#[tokio::test]
async fn an_origin_that_was_away_waits_for_encoders_as_long_as_ever() {
    let mut world = on_air(|config| config.end_after_silence_s = 30).await;
    world.origin.save().await.unwrap();
    world.clock.advance(45_000);
    world.restart().await;
    world.origin.sweep().await;
    world.clock.advance(29_000);
    world.origin.sweep().await;
    assert!(!has_ended(&world).await);
    world.clock.advance(1_000);
    world.origin.sweep().await;
    assert!(has_ended(&world).await);
}

#[tokio::test]
async fn a_channel_whose_encoder_died_makes_room_after_a_day() {
    let world = on_air(|config| config.limits.channels = 1).await;
    world.clock.advance(86_399_000);
    world.origin.sweep().await;
    let (status, _) = world.put("/ingest/next/video/init.mp4", init(VIDEO)).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    world.clock.advance(1_000);
    world.origin.sweep().await;
    world.must_put("/ingest/next/video/init.mp4", init(VIDEO)).await;
    assert!(!world.folder.path().join("demo/channel.json").exists());
}

async fn state(world: &World) -> (String, bool) {
    let channels: Value = serde_json::from_str(&world.text("/channels").await).unwrap();
    let metrics = world.text("/metrics").await;
    let is_live = metrics.contains("\nselvedge_channel_live{channel=\"demo\"} 1\n");
    let state = channels[0]["state"].as_str().unwrap();
    let counted = format!("\nselvedge_channels{{state=\"{state}\"}} 1\n");
    assert!(metrics.contains(&counted), "{metrics}");
    (state.to_owned(), is_live)
}

#[tokio::test]
async fn a_channel_is_live_while_its_media_comes_and_stalled_when_it_does_not() {
    let world = on_air(|_| {}).await;
    assert_eq!(state(&world).await, ("live".to_owned(), true));
    // Three times the target duration of two seconds.
    world.clock.advance(6_000);
    assert_eq!(state(&world).await.0, "live");
    world.clock.advance(1);
    assert_eq!(state(&world).await, ("stalled".to_owned(), false));
    world.slot("demo", FIRST + 6).await;
    assert_eq!(state(&world).await.0, "live");
    world
        .must_put("/ingest/demo/x.mpd", "<MPD type=\"static\"/>")
        .await;
    world.clock.set(UnixMillis(NOON + 3_600_000));
    assert_eq!(state(&world).await, ("ended".to_owned(), false));
}

async fn delete(router: axum::Router, channel: &str) -> StatusCode {
    let request = Request::delete(format!("/channels/{channel}")).body(Body::empty());
    router.oneshot(request.unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn operators_delete_a_channel_where_they_alone_come() {
    let world = on_air(|_| {}).await;
    // Where viewers and encoders come too, nobody does.
    let status = delete(world.origin.router(), "demo").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        delete(world.origin.admin_router(), "none").await,
        StatusCode::NOT_FOUND
    );

    let folder = world.folder.path().join("demo");
    world.origin.save().await.unwrap();
    assert!(folder.join("channel.json").exists());
    let push = Push::begin(&world, &format!("/ingest/demo/video/{}.m4s", FIRST + 3));
    let time = (FIRST + 3) * VIDEO_SEGMENT;
    push.send(chunk(time, 8, true)).await;
    let mut waiting = world.origin.watch("demo").unwrap();
    assert_eq!(
        delete(world.origin.admin_router(), "demo").await,
        StatusCode::NO_CONTENT
    );
    // Who waits for it learns of the end; who pushes is refused, and leaves nothing behind.
    assert!(waiting.borrow_and_update().ended);
    push.send(chunk(time + 28_800, 8, false)).await;
    assert_eq!(push.end().await, StatusCode::NOT_FOUND);
    world.origin.sweep().await;
    world.origin.save().await.unwrap();
    let left = |folder: &std::path::Path| {
        let files = std::fs::read_dir(folder).into_iter().flatten();
        files
            .filter(|file| file.as_ref().unwrap().path().is_file())
            .count()
    };
    assert_eq!(
        (
            left(&folder),
            left(&folder.join("video")),
            left(&folder.join("audio"))
        ),
        (0, 0, 0)
    );
    assert_eq!(world.text("/channels").await, "[]");
    assert_eq!(world.get(PLAYLIST, &[]).await.0, StatusCode::NOT_FOUND);
    // It may begin anew.
    world.begin("demo").await;
    for slot in FIRST + 4..FIRST + 6 {
        world.slot("demo", slot).await;
    }
    assert!(world.text(PLAYLIST).await.contains("#EXTINF"));
}
