//! Low-latency DASH as a viewer gets it: segments that grow, numbers, patches.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use http_body_util::BodyExt as _;
use support::{AUDIO_SEGMENT, FIRST, VIDEO, VIDEO_SEGMENT, World, chunk, init, read_mpd, styp};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

async fn world() -> World {
    World::with(|config| {
        config.segment_duration_ms = 1_920;
        config.part_target_ms = 320;
    })
    .await
}

/// The six chunks of a slot's video segment, the first with its `styp`.
fn video(slot: u64) -> Vec<Bytes> {
    let at = |index: u64| slot * VIDEO_SEGMENT + index * 8 * u64::from(VIDEO.sample);
    let chunks = (0..6).map(|index| chunk(at(index), 8, index == 0));
    headed(chunks)
}

fn audio(slot: u64) -> Vec<Bytes> {
    let at = |index: u64| slot * AUDIO_SEGMENT + index * 15 * 1_024;
    let chunks = (0..6).map(|index| chunk(at(index), 15, true));
    headed(chunks)
}

fn headed(chunks: impl Iterator<Item = Vec<u8>>) -> Vec<Bytes> {
    let mut chunks: Vec<Vec<u8>> = chunks.collect();
    chunks[0].splice(0..0, styp(false));
    chunks.into_iter().map(Bytes::from).collect()
}

/// Pushes whole slots, with the clock at the end of the last.
async fn slots(world: &World, slots: std::ops::Range<u64>) {
    for slot in slots {
        world
            .clock
            .set(selvedge_origin::time::UnixMillis(((slot + 1) * 1_920) as i64));
        for (track, chunks) in [("video", video(slot)), ("audio", audio(slot))] {
            world
                .must_put(&format!("/ingest/demo/{track}/{slot}.m4s"), chunks.concat())
                .await;
        }
    }
}

/// A push whose body is still open.
struct Push {
    body: mpsc::Sender<Result<Bytes, std::io::Error>>,
    answer: tokio::task::JoinHandle<StatusCode>,
}

impl Push {
    fn open(world: &World, path: &str) -> Self {
        let (body, receiver) = mpsc::channel(16);
        let chunks = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<_>| {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let request = Request::put(path).body(Body::from_stream(chunks)).unwrap();
        let router = world.origin.router();
        let answer = tokio::spawn(async move {
            let answer: Result<Response, Infallible> = router.oneshot(request).await;
            answer.unwrap().status()
        });
        Self { body, answer }
    }

    async fn send(&self, bytes: &Bytes) {
        self.body.send(Ok(bytes.clone())).await.unwrap();
    }

    async fn close(self) {
        drop(self.body);
        assert_eq!(self.answer.await.unwrap(), StatusCode::OK);
    }

    async fn cut(self) {
        self.body.send(Err(std::io::Error::other("cut"))).await.unwrap();
        drop(self.body);
        let _ = self.answer.await.unwrap();
    }
}

async fn ask(world: &World, path: &str) -> (StatusCode, HeaderMap, Body) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = tokio::time::timeout(WITHIN, world.send(request)).await.unwrap();
    (
        response.status(),
        response.headers().clone(),
        response.into_body(),
    )
}

/// Reads until there are so many bytes.
async fn read(body: &mut Body, wanted: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < wanted {
        let frame = tokio::time::timeout(WITHIN, body.frame()).await.unwrap();
        bytes.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
    }
    bytes
}

#[tokio::test]
async fn a_segment_is_sent_chunk_by_chunk_while_it_comes_in() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 3).await;
    let slot = FIRST + 3;
    let chunks = video(slot);
    let push = Push::open(&world, &format!("/ingest/demo/video/{slot}.m4s"));
    push.send(&chunks[0]).await;

    let by_time = format!("/live/demo/video/0-{}.m4s", slot * VIDEO_SEGMENT);
    let by_number = format!("/live/demo/video/0-n{slot}.m4s");
    let mut viewers = Vec::new();
    for path in [&by_time, &by_number] {
        let (status, headers, body) = ask(&world, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(headers.get(header::CONTENT_LENGTH), None);
        assert_eq!(headers.get(header::ACCEPT_RANGES), None);
        assert_eq!(headers[header::CONTENT_TYPE], "video/mp4");
        assert_eq!(
            headers[header::CACHE_CONTROL],
            "public, max-age=31536000, immutable"
        );
        viewers.push(body);
    }
    for (index, chunk) in chunks.iter().enumerate() {
        if index > 0 {
            push.send(chunk).await;
        }
        for viewer in &mut viewers {
            assert_eq!(read(viewer, chunk.len()).await, *chunk, "chunk {index}");
        }
    }
    push.close().await;
    for viewer in viewers {
        let rest = tokio::time::timeout(WITHIN, viewer.collect())
            .await
            .unwrap()
            .unwrap();
        assert!(rest.to_bytes().is_empty(), "it ends when the segment does");
    }
    for path in [&by_time, &by_number] {
        let (status, headers, body) = world.get(path, &[("range", "bytes=0-9")]).await;
        assert_eq!(status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(
            headers[header::CONTENT_RANGE],
            format!("bytes 0-9/{}", chunks.concat().len())
        );
        assert_eq!(body, chunks[0][..10]);
    }
}

#[tokio::test]
async fn a_viewer_that_comes_late_or_reads_slowly_misses_nothing() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 3).await;
    let slot = FIRST + 3;
    let chunks = video(slot);
    let push = Push::open(&world, &format!("/ingest/demo/video/{slot}.m4s"));
    for chunk in &chunks[..3] {
        push.send(chunk).await;
    }
    let path = format!("/live/demo/video/0-n{slot}.m4s");
    let (_, _, mut late) = ask(&world, &path).await;
    let mut bytes = read(&mut late, chunks[0].len()).await;
    for chunk in &chunks[3..] {
        push.send(chunk).await;
    }
    push.close().await;
    // The segment has closed, and this viewer has taken one chunk of it.
    bytes.extend_from_slice(&late.collect().await.unwrap().to_bytes());
    assert_eq!(bytes, chunks.concat());
}

#[tokio::test]
async fn what_a_cut_off_segment_leaves_is_what_its_url_holds_or_no_answer_at_all() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 3).await;
    let slot = FIRST + 3;
    let chunks = video(slot);
    let push = Push::open(&world, &format!("/ingest/demo/video/{slot}.m4s"));
    push.send(&chunks[0]).await;
    push.send(&chunks[1].slice(..40)).await;
    let path = format!("/live/demo/video/0-n{slot}.m4s");
    let (status, _, body) = ask(&world, &path).await;
    assert_eq!(status, StatusCode::OK);
    let viewer = tokio::spawn(body.collect());
    push.cut().await;
    slots(&world, slot + 1..slot + 3).await;
    let seen = tokio::time::timeout(WITHIN, viewer).await.unwrap().unwrap();
    let (status, _, kept) = world.get(&path, &[]).await;
    match seen {
        Ok(seen) => {
            assert_eq!(status, StatusCode::OK);
            assert_eq!(seen.to_bytes(), kept);
            assert_eq!(kept, chunks[0], "whole chunks alone");
        }
        Err(_) => assert_eq!(status, StatusCode::NOT_FOUND),
    }
}

#[tokio::test]
async fn a_request_that_comes_a_touch_too_early_is_answered_with_the_segment() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 3).await;
    let slot = FIRST + 3;
    let request = Request::get(format!("/live/demo/video/0-n{slot}.m4s"))
        .body(Body::empty())
        .unwrap();
    let early = tokio::spawn(world.origin.router().oneshot(request));
    tokio::task::yield_now().await;
    slots(&world, slot..slot + 1).await;
    let answer = tokio::time::timeout(WITHIN, early)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        video(slot).concat()
    );
}

#[tokio::test]
async fn what_is_not_soon_to_come_is_not_there() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 3).await;
    let far = FIRST + 9;
    let start = far * VIDEO_SEGMENT;
    for name in [
        format!("0-n{far}.m4s"),
        format!("0-{start}.m4s"),
        format!("0-n{}.m4s", FIRST - 1),
        format!("1-n{FIRST}.m4s"),
        format!("0-n0{FIRST}.m4s"),
    ] {
        let (status, headers, _) = world.get(&format!("/live/demo/video/{name}"), &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{name}");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{name}");
    }
}

#[tokio::test]
async fn both_documents_lead_to_the_same_segments() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 4).await;
    for document in ["manifest.mpd", "number.mpd"] {
        let mpd = read_mpd(&world.text(&format!("/live/demo/{document}")).await);
        let template = mpd.periods[0].adaptations[0].representations[0]
            .SegmentTemplate
            .clone()
            .unwrap();
        let media = template.media.unwrap();
        let name = match template.startNumber {
            Some(number) => {
                assert_eq!(template.duration, Some(172_800.0));
                media.replace("$Number$", &(number + 1).to_string())
            }
            None => {
                let first = template.SegmentTimeline.unwrap().segments[0].clone();
                media.replace("$Time$", &(first.t.unwrap() + first.d).to_string())
            }
        };
        let (status, _, body) = world.get(&format!("/live/demo/{name}"), &[]).await;
        assert_eq!(status, StatusCode::OK, "{name}");
        assert_eq!(body, video(FIRST + 1).concat(), "{name}");
    }
}

/// The URL that a document gives for its patches.
fn patch_location(text: &str) -> String {
    let mpd = read_mpd(text);
    mpd.PatchLocation[0].content.trim().to_owned()
}

#[tokio::test]
async fn a_patch_leads_from_what_a_viewer_has_to_what_there_is() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 4).await;
    let old = world.text("/live/demo/manifest.mpd").await;
    let location = patch_location(&old);
    assert!(location.starts_with("manifest.mpp?publishTime="), "{location}");

    let request = Request::get(format!("/live/demo/{location}"))
        .body(Body::empty())
        .unwrap();
    let waiting = tokio::spawn(world.origin.router().oneshot(request));
    tokio::task::yield_now().await;
    slots(&world, FIRST + 4..FIRST + 5).await;
    let answer = tokio::time::timeout(WITHIN, waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        answer.headers()[header::CONTENT_TYPE],
        "application/dash-patch+xml"
    );
    let patch = answer.into_body().collect().await.unwrap().to_bytes();
    let patch = String::from_utf8(patch.to_vec()).unwrap();
    let new = world.text("/live/demo/manifest.mpd").await;
    let published = |text: &str| read_mpd(text).publishTime.unwrap();
    assert!(published(&new) > published(&old));
    assert!(patch.contains("/SegmentTemplate/SegmentTimeline/S["), "{patch}");
    assert!(patch.contains("mpdId=\"demo\""), "{patch}");

    let later = world.text(&format!("/live/demo/{location}")).await;
    let at = new
        .split("publishTime=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        later.contains(&format!(" publishTime=\"{at}\"")),
        "to the newest: {later}"
    );
}

#[tokio::test]
async fn what_does_not_change_is_published_anew() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 4).await;
    let old = world.text("/live/demo/number.mpd").await;
    let location = patch_location(&old);
    let patch = world.text(&format!("/live/demo/{location}")).await;
    let new = world.text("/live/demo/number.mpd").await;
    let published = |text: &str| read_mpd(text).publishTime.unwrap();
    assert!(published(&new) > published(&old));
    assert_eq!(
        patch.matches("<replace").count(),
        2,
        "its time and its address: {patch}"
    );
}

#[tokio::test]
async fn a_version_that_is_not_known_is_answered_with_a_patch_of_another() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 4).await;
    for query in ["", "?publishTime=2001-01-01T00:00:00Z", "?x=1&publishTime"] {
        let path = format!("/live/demo/manifest.mpp{query}");
        let (status, headers, body) = world.get(&path, &[]).await;
        let body = String::from_utf8(body).unwrap();
        assert_eq!(status, StatusCode::OK, "{query}");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert!(!body.contains("2001-01-01"), "{body}");
        assert!(body.contains("originalPublishTime=\"2026-11-21T"), "{body}");
    }
}

#[tokio::test]
async fn a_document_is_compressed_for_those_who_take_it() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 4).await;
    let plain = world.text("/live/demo/manifest.mpd").await;
    let (status, headers, body) = world
        .get("/live/demo/manifest.mpd", &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CONTENT_ENCODING], "gzip");
    assert_eq!(headers[header::VARY], "accept-encoding");
    assert_eq!(headers[header::CONTENT_LENGTH], body.len().to_string());
    assert!(body.len() * 2 < plain.len() && body.starts_with(&[0x1f, 0x8b]));
}

#[tokio::test]
async fn a_new_encoder_is_a_new_period_in_both_documents() {
    let world = world().await;
    world.begin("demo").await;
    slots(&world, FIRST..FIRST + 4).await;
    let wide = support::Sketch {
        width: 1_280,
        ..VIDEO
    };
    world.must_put("/ingest/demo/video/init.mp4", init(wide)).await;
    slots(&world, FIRST + 4..FIRST + 7).await;
    for document in ["manifest.mpd", "number.mpd"] {
        let mpd = read_mpd(&world.text(&format!("/live/demo/{document}")).await);
        let starts: Vec<Duration> = mpd.periods.iter().map(|period| period.start.unwrap()).collect();
        assert_eq!(starts.len(), 2, "{document}");
        assert!(starts[0] < starts[1], "{document}: {starts:?}");
    }
}

/// Longer than anything here waits for, however busy the machine is.
const WITHIN: Duration = Duration::from_secs(60);
