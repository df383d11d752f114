//! Low-latency HLS through the router: playlists that wait, parts that are sent while they come in.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::io::Read as _;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use support::*;

/// A chunk of eight frames, 0.32 s, of a video segment.
fn eight(slot: u64, part: u64) -> Vec<u8> {
    let time = slot * VIDEO_SEGMENT + part * 8 * u64::from(VIDEO.sample);
    chunk(time, 8, part == 0)
}

async fn read(response: Response) -> (StatusCode, HeaderMap, Vec<u8>) {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
    (status, headers, body)
}

async fn text(response: Response) -> String {
    let (status, _, body) = read(response).await;
    let text = String::from_utf8(body).unwrap();
    assert_eq!(status, StatusCode::OK, "{text}");
    text
}

const PLAYLIST: &str = "/live/demo/video/index.m3u8";

fn at(sequence: u64, part: u64) -> String {
    format!("{PLAYLIST}?_HLS_msn={sequence}&_HLS_part={part}")
}

fn name_of(slot: u64) -> String {
    format!("0-{}", slot * VIDEO_SEGMENT)
}

fn part_line(slot: u64, part: u64) -> String {
    format!("URI=\"{}.{part}.m4s\"", name_of(slot))
}

#[tokio::test]
async fn a_blocked_request_is_answered_when_its_part_is_complete() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let slot = FIRST + 3;
    let push = world.push_video(slot);
    push.send([styp(false), eight(slot, 0)].concat()).await;
    let listed = world.text(PLAYLIST).await;
    assert!(listed.contains(&part_line(slot, 0)), "{listed}");
    assert!(listed.contains("CAN-BLOCK-RELOAD=YES"), "{listed}");

    let plain = ask(&world, &at(slot, 1), &[]);
    let zipped = ask(&world, &at(slot, 1), &[("accept-encoding", "gzip")]);
    settle().await;
    assert!(!plain.is_finished() && !zipped.is_finished());
    push.send(eight(slot, 1)).await;
    let (status, headers, body) = read(plain.await.unwrap()).await;
    let body = String::from_utf8(body).unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["cache-control"], "public, max-age=60");
    assert!(body.contains(&part_line(slot, 1)), "{body}");
    assert!(
        !body.contains(&format!("DURATION=0.32,{}", part_line(slot, 2))),
        "{body}"
    );
    assert!(
        body.contains(&format!("TYPE=PART,{}", part_line(slot, 2))),
        "{body}"
    );
    assert!(
        headers["cmsd-static"].to_str().unwrap().contains(",ht="),
        "{headers:?}"
    );
    let (_, headers, packed) = read(zipped.await.unwrap()).await;
    assert_eq!(headers["content-encoding"], "gzip");
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, body);
}

#[tokio::test]
async fn a_sequence_number_alone_waits_for_the_whole_segment() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let slot = FIRST + 3;
    let blocked = ask(&world, &format!("{PLAYLIST}?_HLS_msn={slot}"), &[]);
    let push = world.push_video(slot);
    push.send(styp(false)).await;
    for part in 0..6 {
        push.send(eight(slot, part)).await;
        assert!(!blocked.is_finished(), "part {part}");
    }
    push.end().await;
    let body = text(blocked.await.unwrap()).await;
    assert!(body.contains(&format!("\n{}.m4s\n", name_of(slot))), "{body}");
}

#[tokio::test]
async fn a_part_behind_the_last_is_the_first_of_the_next_segment() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let slot = FIRST + 3;
    let blocked = ask(&world, &at(slot - 1, 6), &[]);
    let push = world.push_video(slot);
    push.send(styp(false)).await;
    assert!(!blocked.is_finished());
    push.send(eight(slot, 0)).await;
    assert!(text(blocked.await.unwrap()).await.contains(&part_line(slot, 0)));
}

#[tokio::test]
async fn what_does_not_come_in_three_target_durations_is_503_and_not_kept() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let blocked = ask(&world, &at(FIRST + 3, 0), &[]);
    let (status, headers, body) = read(blocked.await.unwrap()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers["cache-control"], "no-store");
    assert!(String::from_utf8(body).unwrap().contains("6 s"));
}

#[tokio::test]
async fn directives_are_followed_or_refused_at_once() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let newest = FIRST + 2;
    for refused in [
        format!("{PLAYLIST}?_HLS_part=0"),
        format!("{PLAYLIST}?_HLS_msn=x"),
        format!("{PLAYLIST}?_HLS_msn={}", newest + 3),
        at(newest + 1, 9),
    ] {
        let (status, headers, _) = world.get(&refused, &[]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
        assert_eq!(headers["cache-control"], "no-store");
    }
    // What has left the window, or was never in it: the playlist as it is.
    let now = world.text(PLAYLIST).await;
    assert_eq!(world.text(&at(1, 0)).await, now);
    assert_eq!(world.text(&at(FIRST, 2)).await, now);
    assert_eq!(world.text(&format!("{PLAYLIST}?_HLS_skip=YES&x=y")).await, now);
    let (_, headers, _) = world.get(PLAYLIST, &[]).await;
    assert_eq!(headers["cache-control"], "public, max-age=1");
    assert_eq!(headers["vary"], "accept-encoding");
}

#[tokio::test]
async fn a_delta_update_waits_like_a_whole_playlist() {
    let world = World::on_air(FIRST..FIRST + 12, |_| {}).await;
    let slot = FIRST + 12;
    let blocked = ask(&world, &format!("{}&_HLS_skip=YES", at(slot, 0)), &[]);
    let push = world.push_video(slot);
    push.send([styp(false), eight(slot, 0)].concat()).await;
    let delta = text(blocked.await.unwrap()).await;
    assert!(delta.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n"), "{delta}");
    assert!(delta.contains(&part_line(slot, 0)), "{delta}");
    drop(push);
}

#[tokio::test]
async fn an_end_answers_all_who_wait() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let blocked = ask(&world, &at(FIRST + 4, 0), &[]);
    settle().await;
    for track in ["video", "audio"] {
        let slot = FIRST + 3;
        let (time, samples) = match track {
            "video" => (slot * VIDEO_SEGMENT, 48),
            _ => (slot * AUDIO_SEGMENT, 90),
        };
        let body = [styp(true), chunk(time, samples, true)].concat();
        world
            .must_put(&format!("/ingest/demo/{track}/{slot}.m4s"), body)
            .await;
    }
    assert!(text(blocked.await.unwrap()).await.ends_with("#EXT-X-ENDLIST\n"));
    let (_, headers, ended) = world.get(&at(FIRST + 900, 0), &[]).await;
    let ended = String::from_utf8(ended).unwrap();
    assert!(!ended.contains("#EXT-X-PRELOAD-HINT"), "{ended}");
    assert_eq!(
        headers["cache-control"], "public, max-age=1",
        "the encoder may come back, and its numbers with it"
    );
}

#[tokio::test]
async fn parts_are_the_segment_cut_up_and_never_change() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let slot = FIRST + 3;
    let push = world.push_video(slot);
    push.send([styp(false), eight(slot, 0)].concat()).await;
    let path = |part| format!("/live/demo/video/{}.{part}.m4s", name_of(slot));
    let (status, headers, early) = world.get(&path(0), &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(headers["content-type"], "video/mp4");
    let said = headers["cmsd-static"].to_str().unwrap();
    assert!(
        said.starts_with("ot=v,st=l,n=\"selvedge\",br=") && said.contains("d=320"),
        "{said}"
    );
    for part in 1..6 {
        push.send(eight(slot, part)).await;
    }
    push.end().await;
    let mut parts = Vec::new();
    for part in 0..6 {
        parts.push(world.get(&path(part), &[]).await.2);
    }
    assert_eq!(parts[0], early);
    let (_, _, segment) = world
        .get(&format!("/live/demo/video/{}.m4s", name_of(slot)), &[])
        .await;
    assert_eq!(parts.concat(), segment);
    let (status, headers, _) = world.get(&path(6), &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers["cache-control"], "no-store");
    let (status, _, some) = world.get(&path(1), &[("range", "bytes=0-3")]).await;
    assert_eq!((status, &some[..]), (StatusCode::PARTIAL_CONTENT, &parts[1][..4]));
}

#[tokio::test]
async fn the_hinted_part_is_sent_while_it_comes_in() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let slot = FIRST + 3;
    // Between two segments, the first part of the next one is hinted.
    let listed = world.text(PLAYLIST).await;
    assert!(
        listed.contains(&format!("#EXT-X-PRELOAD-HINT:TYPE=PART,{}", part_line(slot, 0))),
        "{listed}"
    );
    let path = |part| format!("/live/demo/video/{}.{part}.m4s", name_of(slot));
    let hinted = ask(&world, &path(0), &[]);
    settle().await;
    assert!(!hinted.is_finished());
    let push = world.push_video(slot);
    let frames = |first: u64, syncs| {
        let time = slot * VIDEO_SEGMENT + first * u64::from(VIDEO.sample);
        chunk(time, 4, syncs)
    };
    let first = [styp(false), frames(0, true)].concat();
    push.send(first.clone()).await;
    let mut response = hinted.await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.headers()["cache-control"],
        "public, max-age=31536000, immutable"
    );
    let frame = response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), first, "before the part is complete");
    let second = frames(4, false);
    push.send(second.clone()).await;
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(rest, second);
    let (_, _, whole) = world.get(&path(0), &[]).await;
    assert_eq!(whole, [first, second].concat());
}

#[tokio::test]
async fn a_part_that_is_neither_there_nor_hinted_is_404_at_once() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let slot = FIRST + 3;
    for name in [
        format!("{}.1.m4s", name_of(slot)),
        format!("{}.0.m4s", name_of(slot + 1)),
        format!("{}.6.m4s", name_of(slot - 1)),
        "0-1.0.m4s".to_owned(),
    ] {
        let (status, headers, _) = world.get(&format!("/live/demo/video/{name}"), &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{name}");
        assert_eq!(headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn a_hinted_part_that_does_not_come_is_not_waited_for_longer_than_that_is_known() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let slot = FIRST + 3;
    let push = world.push_video(slot);
    push.send([styp(false), eight(slot, 0)].concat()).await;
    push.send(eight(slot, 1)).await;
    let path = format!("/live/demo/video/{}.2.m4s", name_of(slot));
    let hinted = ask(&world, &path, &[]);
    settle().await;
    // The segment ends early.
    push.end().await;
    world.chunked(slot + 1).await;
    let (status, headers, _) = read(hinted.await.unwrap()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers["cache-control"], "no-store");
}

#[tokio::test]
async fn requests_that_wait_are_bounded_in_number() {
    let world = World::on_air(FIRST..FIRST + 3, |config| config.limits.blocked = 2).await;
    let first = ask(&world, &at(FIRST + 3, 0), &[]);
    let second = ask(&world, &at(FIRST + 3, 0), &[]);
    settle().await;
    let (status, headers, body) = world.get(&at(FIRST + 3, 0), &[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers["cache-control"], "no-store");
    assert!(String::from_utf8(body).unwrap().contains("limits.blocked"));
    // One that goes away makes room.
    first.abort();
    settle().await;
    let third = ask(&world, &at(FIRST + 3, 0), &[]);
    settle().await;
    assert!(!third.is_finished() && !second.is_finished());
}

#[tokio::test]
async fn renditions_report_each_other() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let slot = FIRST + 3;
    let push = world.push_video(slot);
    push.send([styp(false), eight(slot, 0)].concat()).await;
    push.send(eight(slot, 1)).await;
    let video = world.text(PLAYLIST).await;
    let report = format!(
        "#EXT-X-RENDITION-REPORT:URI=\"../audio/index.m3u8\",LAST-MSN={},LAST-PART=5\n",
        slot - 1
    );
    assert!(video.ends_with(&report), "{video}");
    let audio = world.text("/live/demo/audio/index.m3u8").await;
    assert!(
        audio.contains(&format!("\"../video/index.m3u8\",LAST-MSN={}", slot - 1)),
        "as of the audio's own last change: {audio}"
    );
}

#[tokio::test]
async fn a_head_request_says_what_a_get_would() {
    let world = World::on_air(FIRST..FIRST + 3, |_| {}).await;
    let response = world
        .send(Request::head(PLAYLIST).body(Body::empty()).unwrap())
        .await;
    let (status, headers, body) = read(response).await;
    assert_eq!((status, body.len()), (StatusCode::OK, 0));
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(length, world.text(PLAYLIST).await.len());
    let tag = headers["etag"].to_str().unwrap();
    let (status, _, _) = world.get(PLAYLIST, &[("if-none-match", tag)]).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED);
}
