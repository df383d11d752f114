//! Low-latency DASH as a viewer gets it: segments that grow, numbers, patches.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use selvedge_origin::Config;
use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Segments of a length that is told, so that both documents name them from the first on.
fn numbered(config: &mut Config) {
    config.segment_duration_ms = 1_920;
}

async fn begun(world: &World, path: &str) -> (StatusCode, HeaderMap, Body) {
    let response = soon(ask(world, path, &[])).await.unwrap();
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
        let frame = soon(body.frame()).await;
        bytes.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
    }
    bytes
}

#[tokio::test]
async fn a_segment_is_sent_chunk_by_chunk_while_it_comes_in() {
    let world = World::on_air(FIRST..FIRST + 3, numbered).await;
    let slot = FIRST + 3;
    let chunks = video_chunks(slot);
    let push = world.push_video(slot);
    push.send(chunks[0].clone()).await;

    let by_time = format!("/live/demo/video/0-{}.m4s", slot * VIDEO_SEGMENT);
    let by_number = format!("/live/demo/video/0-n{slot}.m4s");
    let mut viewers = Vec::new();
    for path in [&by_time, &by_number] {
        let (status, headers, body) = begun(&world, path).await;
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
            push.send(chunk.clone()).await;
        }
        for viewer in &mut viewers {
            assert_eq!(read(viewer, chunk.len()).await, *chunk, "chunk {index}");
        }
    }
    push.end().await;
    for viewer in viewers {
        let rest = soon(viewer.collect()).await.unwrap();
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
    let world = World::on_air(FIRST..FIRST + 3, numbered).await;
    let slot = FIRST + 3;
    let chunks = video_chunks(slot);
    let push = world.push_video(slot);
    for chunk in &chunks[..3] {
        push.send(chunk.clone()).await;
    }
    let path = format!("/live/demo/video/0-n{slot}.m4s");
    let (_, _, mut late) = begun(&world, &path).await;
    let mut bytes = read(&mut late, chunks[0].len()).await;
    for chunk in &chunks[3..] {
        push.send(chunk.clone()).await;
    }
    push.end().await;
    // The segment has closed, and this viewer has taken one chunk of it.
    bytes.extend_from_slice(&late.collect().await.unwrap().to_bytes());
    assert_eq!(bytes, chunks.concat());
}

#[tokio::test]
async fn what_a_cut_off_segment_leaves_is_what_its_url_holds_or_no_answer_at_all() {
    let world = World::on_air(FIRST..FIRST + 3, numbered).await;
    let slot = FIRST + 3;
    let chunks = video_chunks(slot);
    let push = world.push_video(slot);
    push.send(chunks[0].clone()).await;
    push.send(chunks[1].slice(..40)).await;
    let path = format!("/live/demo/video/0-n{slot}.m4s");
    let (status, _, body) = begun(&world, &path).await;
    assert_eq!(status, StatusCode::OK);
    let viewer = tokio::spawn(body.collect());
    push.cut().await;
    for next in slot + 1..slot + 3 {
        world.chunked(next).await;
    }
    let seen = soon(viewer).await.unwrap();
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
async fn an_mpd_takes_back_what_it_announced_of_a_segment_whose_encoder_died() {
    let world = World::on_air(FIRST..FIRST + 4, numbered).await;
    let slot = FIRST + 4;
    let push = world.push_video(slot);
    let chunks = video_chunks(slot);
    push.send(chunks[0].clone()).await;
    push.send(chunks[1].clone()).await;
    let listed = |text: &str| {
        let mpd = read_mpd(text);
        let sets = &mpd.periods[0].adaptations;
        let set = sets
            .iter()
            .find(|set| set.contentType.as_deref() == Some("video"))
            .unwrap();
        let template = set.representations[0].SegmentTemplate.clone().unwrap();
        let runs = template.SegmentTimeline.unwrap().segments;
        let durations = runs
            .iter()
            .flat_map(|run| vec![run.d; run.r.unwrap_or(0) as usize + 1]);
        (durations.collect::<Vec<_>>(), mpd.publishTime.unwrap())
    };
    let old = world.text("/live/demo/manifest.mpd").await;
    assert_eq!(listed(&old).0, [VIDEO_SEGMENT; 6], "the one on air, and the next");
    push.cut().await;
    world
        .clock
        .set(selvedge_origin::time::UnixMillis(((slot + 4) * 1_920) as i64));
    world.origin.sweep().await;
    let new = world.text("/live/demo/manifest.mpd").await;
    let (durations, published) = listed(&new);
    assert_eq!(durations[..4], [VIDEO_SEGMENT; 4]);
    assert_eq!(durations[4..], [VIDEO_SEGMENT / 3]);
    assert!(published > listed(&old).1);
    let patch = world.text(&format!("/live/demo/{}", patch_location(&old))).await;
    assert!(patch.contains("<S d=\"57600\"/>"), "{patch}");
}

/// What a GET over HTTP/1.1 comes to, up to the end of its connection.
async fn exchange(address: SocketAddr, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: origin\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is as good a break as an end without the last chunk.
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

/// Time passes by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn an_answer_whose_media_stands_still_breaks_off_and_does_not_end() {
    let world = World::on_air(FIRST..FIRST + 3, numbered).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(world.origin.clone().serve(listener, std::future::pending()));
    let slot = FIRST + 3;
    let push = world.push_video(slot);
    let start = slot * VIDEO_SEGMENT;
    let first = video_chunks(slot).remove(0);
    // Four frames are half a part, which so begins and does not end.
    let half = chunk(start + 8 * u64::from(VIDEO.sample), 4, false);
    push.send(first.clone()).await;
    push.send(half.clone()).await;
    let whole = [&first[..], &half].concat();
    for (name, came) in [
        (format!("0-n{slot}.m4s"), whole),
        (format!("0-{start}.1.m4s"), half),
    ] {
        let answer = exchange(address, &format!("/live/demo/video/{name}")).await;
        let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 ok\r\n"), "{name}: {head}");
        assert!(
            head.contains("\r\ntransfer-encoding: chunked\r\n"),
            "{name}: {head}"
        );
        let last = &came[came.len() - 100..];
        assert!(
            answer.windows(last.len()).any(|window| window == last),
            "{name}: what has come is sent"
        );
        assert!(
            !answer.ends_with(b"0\r\n\r\n"),
            "{name}: without the last chunk a cache knows that it has not all"
        );
    }
    drop(push);
    server.abort();
}

#[tokio::test]
async fn a_request_that_comes_a_touch_too_early_is_answered_with_the_segment() {
    let world = World::on_air(FIRST..FIRST + 3, numbered).await;
    let slot = FIRST + 3;
    let early = ask(&world, &format!("/live/demo/video/0-n{slot}.m4s"), &[]);
    tokio::task::yield_now().await;
    world.chunked(slot).await;
    let answer = soon(early).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        video_chunks(slot).concat()
    );
}

#[tokio::test]
async fn what_is_not_soon_to_come_is_not_there() {
    let world = World::on_air(FIRST..FIRST + 3, numbered).await;
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
    let world = World::on_air(FIRST..FIRST + 4, numbered).await;
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
        assert_eq!(body, video_chunks(FIRST + 1).concat(), "{name}");
    }
}

/// The URL that a document gives for its patches.
fn patch_location(text: &str) -> String {
    let mpd = read_mpd(text);
    mpd.PatchLocation[0].content.trim().to_owned()
}

#[tokio::test]
async fn a_patch_leads_from_what_a_viewer_has_to_what_there_is() {
    let world = World::on_air(FIRST..FIRST + 4, numbered).await;
    let old = world.text("/live/demo/manifest.mpd").await;
    let location = patch_location(&old);
    assert!(location.starts_with("manifest.mpp?publishTime="), "{location}");

    let waiting = ask(&world, &format!("/live/demo/{location}"), &[]);
    tokio::task::yield_now().await;
    world.chunked(FIRST + 4).await;
    let answer = soon(waiting).await.unwrap();
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
    let world = World::on_air(FIRST..FIRST + 4, numbered).await;
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
    let world = World::on_air(FIRST..FIRST + 4, numbered).await;
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
    let world = World::on_air(FIRST..FIRST + 4, numbered).await;
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
    let world = World::on_air(FIRST..FIRST + 4, numbered).await;
    let wide = Sketch {
        width: 1_280,
        ..VIDEO
    };
    world.must_put("/ingest/demo/video/init.mp4", init(wide)).await;
    for slot in FIRST + 4..FIRST + 7 {
        world.chunked(slot).await;
    }
    for document in ["manifest.mpd", "number.mpd"] {
        let mpd = read_mpd(&world.text(&format!("/live/demo/{document}")).await);
        let starts: Vec<Duration> = mpd.periods.iter().map(|period| period.start.unwrap()).collect();
        assert_eq!(starts.len(), 2, "{document}");
        assert!(starts[0] < starts[1], "{document}: {starts:?}");
    }
}
