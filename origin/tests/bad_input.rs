//! What is bad in what senders push, and the metric that tells of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod support;

use axum::http::StatusCode;
use selvedge_origin::time::UnixMillis;
use support::*;

const PLAYLIST: &str = "/live/demo/video/index.m3u8";
const VIDEO_TRACK: &str = "{channel=\"demo\",track=\"video\"}";

/// The value of a sample of `/metrics`: nought where there is none yet.
async fn metric(world: &World, sample: &str) -> u64 {
    let text = world.text("/metrics").await;
    let mut values = text
        .lines()
        .filter_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    values.next().map_or(0, |value| value.parse().unwrap())
}

async fn refusals(world: &World, slug: &str) -> u64 {
    let sample = format!("selvedge_ingest_refusals_total{{reason=\"{slug}\"}}");
    metric(world, &sample).await
}

async fn of_track(world: &World, name: &str) -> u64 {
    metric(world, &format!("selvedge_track_{name}_total{VIDEO_TRACK}")).await
}

async fn discontinuities(world: &World) -> u64 {
    metric(world, "selvedge_channel_discontinuities_total{channel=\"demo\"}").await
}

async fn on_air(change: impl FnOnce(&mut selvedge_origin::Config)) -> World {
    let world = World::with(change).await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    world
}

#[tokio::test]
async fn each_refusal_is_counted_under_its_slug() {
    let world = World::new().await;
    let early = world.put("/ingest/demo/video/1.m4s", video(0, 48)).await;
    assert_eq!(early.0, StatusCode::PRECONDITION_FAILED);
    assert_eq!(refusals(&world, "no-init").await, 1);
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    let next = (FIRST + 1) * VIDEO_SEGMENT;
    let huge = [[0x80, 0, 0, 0].as_slice(), b"moov"].concat();
    let back = [chunk(next, 24, true), chunk(next, 24, false)].concat();
    let hole = [chunk(next, 24, true), chunk(next + 60 * 90_000, 24, false)].concat();
    for (what, body, slug) in [
        ("no key frame", chunk(next, 48, false), "bad-media"),
        ("a time that goes back", back, "bad-media"),
        ("a hole of a minute", hole, "bad-media"),
        ("a box of 2 GB", huge, "body-too-large"),
        ("blanks", vec![b' '; 8_192], "unsupported-media"),
    ] {
        let before = refusals(&world, slug).await;
        let (status, text) = world.put("/ingest/demo/video/7.m4s", body).await;
        assert!(status.is_client_error() && text.contains(slug), "{what}: {text}");
        assert_eq!(refusals(&world, slug).await, before + 1, "{what}");
    }
}

#[tokio::test]
async fn an_empty_body_is_counted_as_a_probe() {
    let world = on_air(|_| {}).await;
    assert_eq!(metric(&world, "selvedge_ingest_probes_total").await, 0);
    world.must_put("/ingest/demo/video/9.m4s", Vec::new()).await;
    world.must_put("/ingest/none/video/9.m4s", Vec::new()).await;
    assert_eq!(metric(&world, "selvedge_ingest_probes_total").await, 2);
    assert_eq!(of_track(&world, "segments").await, 3);
}

#[tokio::test]
async fn boxes_that_are_not_known_are_counted() {
    let world = on_air(|_| {}).await;
    let time = (FIRST + 3) * VIDEO_SEGMENT;
    let odd = |name: &[u8; 4]| boxed(name, &[b"whatever this is"]);
    let body = [
        styp(false),
        odd(b"free"),
        odd(b"abcd"),
        odd(b"\xa9xyz"),
        chunk(time, 48, true),
    ]
    .concat();
    let path = format!("/ingest/demo/video/{}.m4s", FIRST + 3);
    world.must_put(&path, body).await;
    assert_eq!(metric(&world, "selvedge_ingest_unknown_boxes_total").await, 2);
}

#[tokio::test]
async fn repeats_jumps_and_changes_are_counted() {
    let world = on_air(|_| {}).await;
    assert_eq!(
        (
            of_track(&world, "duplicates").await,
            of_track(&world, "gaps").await
        ),
        (0, 0)
    );
    // Old media, from a sender whose clock says that it is old.
    let path = format!("/ingest/demo/video/{}.m4s", FIRST + 1);
    world
        .must_put(&path, video((FIRST + 1) * VIDEO_SEGMENT, 48))
        .await;
    assert_eq!(of_track(&world, "duplicates").await, 1);
    // A clock that jumps ahead on one timeline leaves a gap.
    world.slot("demo", FIRST + 5).await;
    assert_eq!(of_track(&world, "gaps").await, 2);
    assert_eq!(discontinuities(&world).await, 0);
    // Another timescale begins a timeline.
    let other = Sketch {
        timescale: 45_000,
        sample: 1_800,
        ..VIDEO
    };
    world.must_put("/ingest/demo/video/init.mp4", init(other)).await;
    let slot = FIRST + 6;
    world.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
    let body = [styp(false), chunk(slot * VIDEO_SEGMENT / 2, 48, true)].concat();
    world
        .must_put(&format!("/ingest/demo/video/{slot}.m4s"), body)
        .await;
    assert_eq!(discontinuities(&world).await, 1);
}

/// No entry of a playlist is longer than it says that any is (bis 4.4.3.1).
fn assert_within_target(playlist: &str) {
    let read = read_playlist(playlist);
    for segment in &read.segments {
        let rounded = segment.duration.round() as u64;
        assert!(rounded <= read.target_duration, "{playlist}");
    }
}

#[tokio::test]
async fn a_segment_beyond_the_target_duration_is_listed_as_far_as_it_fits() {
    for low_latency in [true, false] {
        let world = on_air(|config| config.low_latency = low_latency).await;
        let slot = FIRST + 3;
        let whole = video(slot * VIDEO_SEGMENT, 72);
        world
            .must_put(&format!("/ingest/demo/video/{slot}.m4s"), whole.clone())
            .await;
        let text = world.text(PLAYLIST).await;
        let name = format!("0-{}.m4s", slot * VIDEO_SEGMENT);
        // Of nine chunks of 0.32 s, seven are within two seconds and a half.
        assert!(text.contains(&format!("#EXTINF:2.240000,\n{name}\n")), "{text}");
        assert_eq!(of_track(&world, "overlong_segments").await, 1);
        // What is served, from memory and from the store, is what is listed.
        let (_, _, served) = world.get(&format!("/live/demo/video/{name}"), &[]).await;
        assert_eq!(served, video(slot * VIDEO_SEGMENT, 56));
        let stored = std::fs::read(world.folder.path().join("demo/video").join(&name)).unwrap();
        assert_eq!(served, stored);
        world.slot("demo", slot + 2).await;
        let text = world.text(PLAYLIST).await;
        assert_within_target(&text);
        assert_eq!(text.matches("#EXT-X-GAP").count(), 1, "{text}");
        assert!(!text.contains("DISCONTINUITY\n"), "{text}");
    }
}

#[tokio::test]
async fn a_segment_whose_only_chunk_is_beyond_the_target_duration_is_a_gap() {
    for low_latency in [true, false] {
        let world = on_air(|config| config.low_latency = low_latency).await;
        let slot = FIRST + 3;
        let body = chunk(slot * VIDEO_SEGMENT, 72, true);
        world
            .must_put(&format!("/ingest/demo/video/{slot}.m4s"), body)
            .await;
        assert_eq!(of_track(&world, "overlong_segments").await, 1);
        world.slot("demo", slot + 2).await;
        let text = world.text(PLAYLIST).await;
        assert_within_target(&text);
        assert_eq!(of_track(&world, "gaps").await, 2, "{text}");
        let name = format!("/live/demo/video/0-{}.m4s", slot * VIDEO_SEGMENT);
        assert_eq!(world.get(&name, &[]).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_chunk_beyond_the_part_target_ends_the_parts_of_its_segment() {
    let world = on_air(|_| {}).await;
    let (slot, time) = (FIRST + 3, (FIRST + 3) * VIDEO_SEGMENT);
    let body = [
        chunk(time, 8, true),
        chunk(time + 28_800, 24, false),
        chunk(time + 115_200, 16, false),
    ]
    .concat();
    assert_eq!(of_track(&world, "overlong_parts").await, 0);
    world
        .must_put(&format!("/ingest/demo/video/{slot}.m4s"), body)
        .await;
    let text = world.text(PLAYLIST).await;
    assert_eq!(text.matches(&format!("URI=\"0-{time}.")).count(), 1, "{text}");
    assert!(
        text.contains(&format!("#EXTINF:1.920000,\n0-{time}.m4s")),
        "{text}"
    );
    assert_eq!(of_track(&world, "overlong_parts").await, 1);
}
