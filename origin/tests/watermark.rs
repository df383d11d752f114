//! A/B watermarks at the origin: what encoders push as variant A and B, and what edges get of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod support;

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use selvedge_origin::config::AdminToken;
use selvedge_origin::time::UnixMillis;
use selvedge_watermark::pace::{
    EGRESS_HEADER, INGEST_HEADER, PaceInfo, Position, Sidecar, Variant, position_of_egress,
};
use support::*;

const TOKEN: &str = "edge-secret";
const BEARER: (&str, &str) = ("authorization", "Bearer edge-secret");
const DIRECTORY: [&str; 2] = ["", "b/"];

/// What our encoder says of a slot's segment.
fn pace(variant: Variant, slot: u64) -> PaceInfo {
    PaceInfo::whole(variant, Position::of_slot(slot))
}

fn position(slot: u64) -> Option<i16> {
    Some(Position::of_slot(slot).number())
}

/// The chunks of a slot's variant: B has other samples of the same sizes.
fn chunks(variant: Variant, slot: u64) -> Vec<Bytes> {
    let chunks = video_chunks(slot).into_iter();
    let other = |chunk: Bytes| {
        let mut chunk = chunk.to_vec();
        let from = chunk.len() - 80;
        chunk[from..].iter_mut().for_each(|byte| *byte ^= 0xff);
        chunk.into()
    };
    chunks
        .map(|chunk| if variant.bit() { other(chunk) } else { chunk })
        .collect()
}

fn path(variant: Variant, slot: u64) -> String {
    format!("/ingest/demo/video/{}{slot}.m4s", variant.directory())
}

/// The name of a slot's segment, and of its parts.
fn named(slot: u64) -> String {
    format!("0-{}.m4s", slot * VIDEO_SEGMENT)
}

fn part(slot: u64, index: usize) -> String {
    format!("0-{}.{index}.m4s", slot * VIDEO_SEGMENT)
}

/// An answer: its status, its headers, the position that it says, and its body.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    position: Option<i16>,
    body: Vec<u8>,
}

impl World {
    /// The channel `demo` whose video is marked, on air for so many slots, at an origin that knows its edges.
    async fn marked(slots: std::ops::Range<u64>) -> Self {
        let world = Self::on_air(0..0, |config| {
            config.watermark.edge_token = Some(AdminToken::new(TOKEN));
        })
        .await;
        for slot in slots {
            world.both(slot).await;
        }
        world
    }

    /// Pushes a slot of `demo` whose video has both variants, with the clock at its end.
    async fn both(&self, slot: u64) {
        self.a_alone(slot).await;
        self.variant(Variant::B, slot).await;
    }

    async fn a_alone(&self, slot: u64) {
        self.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
        self.variant(Variant::A, slot).await;
        let audio = audio_chunks(slot).concat();
        self.must_put(&format!("/ingest/demo/audio/{slot}.m4s"), audio)
            .await;
    }

    /// Pushes a slot's variant, as our encoder does.
    async fn variant(&self, variant: Variant, slot: u64) {
        let body = chunks(variant, slot).concat();
        let pushed = self
            .push(&path(variant, slot), &pace(variant, slot).to_header(), body)
            .await;
        assert_eq!(pushed.0, StatusCode::OK, "{}", pushed.1);
    }

    async fn push(&self, path: &str, told: &str, body: impl Into<Body>) -> (StatusCode, String) {
        let request = Request::put(path).header(INGEST_HEADER, told);
        let response = self.send(request.body(body.into()).unwrap()).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Begins to push a slot's variant.
    fn begin_variant(&self, variant: Variant, slot: u64) -> Push {
        let told = pace(variant, slot).to_header();
        Push::begin_with(self, &path(variant, slot), &[(INGEST_HEADER, &told)])
    }

    /// What an edge gets of the video of `demo`.
    async fn edge(&self, object: &str) -> Answer {
        self.edge_with(object, &[]).await
    }

    async fn edge_with(&self, object: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = [&[BEARER], headers].concat();
        let (status, headers, body) = self.get(&format!("/live/demo/video/{object}"), &headers).await;
        Answer {
            position: said(&headers),
            status,
            headers,
            body,
        }
    }

    async fn sidecar(&self, object: &str) -> i16 {
        let answer = self.edge(&format!("WMPaceInfo/{object}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{object}");
        assert_eq!(answer.headers["content-type"], "application/cbor");
        match Sidecar::of_cbor(&answer.body).unwrap() {
            Sidecar::Discrete(segments) => segments[0].position.number(),
            Sidecar::Ranges(_) => panic!("ranges"),
        }
    }

    async fn has_metric(&self, line: &str) {
        let metrics = self.text("/metrics").await;
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
}

fn said(headers: &HeaderMap) -> Option<i16> {
    let value = headers.get(EGRESS_HEADER)?.to_str().unwrap();
    Some(position_of_egress(value).unwrap().number())
}

fn unmarked(reason: &str, count: u64) -> String {
    format!(
        "selvedge_track_unmarked_segments_total{{channel=\"demo\",track=\"video\",reason=\"{reason}\"}} {count}"
    )
}

#[tokio::test]
async fn an_edge_gets_both_variants_of_one_length_and_a_position() {
    let world = World::marked(FIRST..FIRST + 4).await;
    for slot in FIRST..FIRST + 4 {
        let [a, b] = [
            world.edge(&named(slot)).await,
            world.edge(&format!("b/{}", named(slot))).await,
        ];
        assert_eq!((a.status, b.status), (StatusCode::OK, StatusCode::OK));
        assert_eq!(a.body, chunks(Variant::A, slot).concat());
        assert_eq!(b.body, chunks(Variant::B, slot).concat());
        assert_eq!((a.position, b.position), (position(slot), position(slot)));
        assert_ne!(a.headers["etag"], b.headers["etag"]);
        assert_eq!(
            a.headers["etag"].len(),
            b.headers["etag"].len(),
            "it names no variant"
        );
        for name in ["content-length", "content-type", "cache-control", "vary"] {
            assert_eq!(a.headers[name], b.headers[name], "{name}");
        }
        assert_eq!(a.headers["vary"], "authorization");
        assert_eq!(world.sidecar(&named(slot)).await, position(slot).unwrap());
    }
    for index in 0..6 {
        for (variant, directory) in [Variant::A, Variant::B].into_iter().zip(DIRECTORY) {
            let answer = world
                .edge(&format!("{directory}{}", part(FIRST + 3, index)))
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{index}");
            assert_eq!(answer.body, chunks(variant, FIRST + 3)[index]);
            assert_eq!(answer.position, position(FIRST + 3));
        }
        assert_eq!(
            world.sidecar(&part(FIRST + 3, index)).await,
            position(FIRST + 3).unwrap()
        );
    }
    let by_number = world.edge(&format!("b/0-n{FIRST}.m4s")).await;
    assert_eq!(by_number.body, chunks(Variant::B, FIRST).concat());
    let b = chunks(Variant::B, FIRST).concat();
    let object = format!("b/{}", named(FIRST));
    let range = world.edge_with(&object, &[("range", "bytes=100-199")]).await;
    assert_eq!(
        (range.status, &range.body[..]),
        (StatusCode::PARTIAL_CONTENT, &b[100..200])
    );
    let tag = range.headers["etag"].to_str().unwrap().to_owned();
    let known = world.edge_with(&object, &[("if-none-match", &tag)]).await;
    assert_eq!(
        (known.status, known.position),
        (StatusCode::NOT_MODIFIED, position(FIRST))
    );
    world
        .has_metric("selvedge_track_marked_segments_total{channel=\"demo\",track=\"video\"} 4")
        .await;
}

#[tokio::test]
async fn no_document_names_a_variant_and_init_segments_exist_once() {
    let world = World::marked(FIRST..FIRST + 4).await;
    for document in ["index.m3u8", "manifest.mpd", "number.mpd", "video/index.m3u8"] {
        let text = world.text(&format!("/live/demo/{document}")).await;
        assert!(!text.contains("b/") && !text.contains("WMPace"), "{text}");
    }
    let playlist = world.text("/live/demo/video/index.m3u8").await;
    let init = playlist
        .split("URI=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let answer = world.edge(init).await;
    assert_eq!((answer.status, answer.position), (StatusCode::OK, None));
    for folder in ["b", "WMPaceInfo"] {
        let answer = world.edge(&format!("{folder}/{init}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{folder}");
    }
    // Sound is not marked.
    let (status, headers, _) = world
        .get(
            &format!("/live/demo/audio/0-{}.m4s", FIRST * AUDIO_SEGMENT),
            &[BEARER],
        )
        .await;
    assert_eq!((status, said(&headers)), (StatusCode::OK, None));
    let (status, _, _) = world
        .get(
            &format!("/live/demo/audio/b/0-{}.m4s", FIRST * AUDIO_SEGMENT),
            &[BEARER],
        )
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_but_an_edge_learns_of_variants() {
    let world = World::marked(FIRST..FIRST + 3).await;
    let a = format!("/live/demo/video/{}", named(FIRST));
    for headers in [
        &[][..],
        &[("authorization", "Bearer other")],
        &[("authorization", "edge-secret")],
    ] {
        for object in [named(FIRST), part(FIRST, 0)] {
            for folder in ["b", "WMPaceInfo"] {
                let (status, answered, body) = world
                    .get(&format!("/live/demo/video/{folder}/{object}"), headers)
                    .await;
                assert_eq!(status, StatusCode::FORBIDDEN, "{folder}/{object}");
                assert_eq!(answered["cache-control"], "no-store");
                assert!(
                    String::from_utf8(body)
                        .unwrap()
                        .contains("urn:selvedge:error:not-edge")
                );
            }
        }
        let (status, answered, body) = world.get(&a, headers).await;
        assert_eq!((status, said(&answered)), (StatusCode::OK, None));
        assert_eq!(body, chunks(Variant::A, FIRST).concat());
        assert_eq!(
            answered["vary"], "authorization",
            "or a cache would give edges this answer"
        );
    }
}

#[tokio::test]
async fn without_a_token_this_machine_alone_is_an_edge() {
    let world = World::on_air(0..0, |_| {}).await;
    for slot in FIRST..FIRST + 3 {
        world.both(slot).await;
    }
    let ask = async |peer: &str, headers: &[(&str, &str)]| {
        let mut request = Request::get(format!("/live/demo/video/b/{}", named(FIRST)));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer: SocketAddr = peer.parse().unwrap();
        let request = request.extension(ConnectInfo(peer));
        world.send(request.body(Body::empty()).unwrap()).await.status()
    };
    assert_eq!(ask("127.0.0.1:9", &[]).await, StatusCode::OK);
    assert_eq!(ask("[::1]:9", &[]).await, StatusCode::OK);
    assert_eq!(ask("192.0.2.1:9", &[]).await, StatusCode::FORBIDDEN);
    let passed_on = [("x-forwarded-for", "192.0.2.1")];
    assert_eq!(ask("127.0.0.1:9", &passed_on).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_segment_whose_variant_b_does_not_come_is_not_marked_and_is_a_under_both_names() {
    let world = World::marked(FIRST..FIRST + 3).await;
    let slot = FIRST + 3;
    world.a_alone(slot).await;
    let asked = ask(&world, &format!("/live/demo/video/b/{}", named(slot)), &[BEARER]);
    settle().await;
    world.clock.set(UnixMillis(((slot + 1) * 1_920 + 700) as i64));
    world.origin.sweep().await;
    let answer = soon(asked).await.unwrap();
    let a = chunks(Variant::A, slot).concat();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), a);
    for object in [named(slot), format!("b/{}", named(slot)), part(slot, 2)] {
        assert_eq!(world.edge(&object).await.position, Some(-1), "{object}");
    }
    assert_eq!(
        world.edge(&format!("b/{}", part(slot, 2))).await.body,
        chunks(Variant::A, slot)[2]
    );
    assert_eq!(world.sidecar(&named(slot)).await, -1);
    world.has_metric(&unmarked("missing", 1)).await;
    // What is late is nothing any more: the name has its bytes.
    world.variant(Variant::B, slot).await;
    assert_eq!(world.edge(&format!("b/{}", named(slot))).await.body, a);
    // It was in step again, so the next segment is marked.
    world.both(slot + 1).await;
    assert_eq!(world.edge(&named(slot + 1)).await.position, position(slot + 1));
    assert_eq!(
        world.edge(&format!("b/{}", named(slot + 1))).await.body,
        chunks(Variant::B, slot + 1).concat()
    );
}

#[tokio::test]
async fn while_variant_b_is_away_nobody_waits_for_it_and_it_comes_back_with_a_whole_segment() {
    let world = World::marked(FIRST..FIRST + 3).await;
    for slot in FIRST + 3..FIRST + 6 {
        world.a_alone(slot).await;
        world.clock.advance(700);
        world.origin.sweep().await;
    }
    world.has_metric(&unmarked("missing", 3)).await;
    world
        .has_metric("selvedge_track_variants_in_step{channel=\"demo\",track=\"video\"} 0")
        .await;
    let slot = FIRST + 6;
    world.a_alone(slot).await;
    // It does not hang on B: that was not in step when the segment began.
    let answer = world.edge(&format!("b/{}", part(slot, 1))).await;
    assert_eq!(
        (answer.position, answer.body),
        (Some(-1), chunks(Variant::A, slot)[1].to_vec())
    );
    world.variant(Variant::B, slot).await;
    assert_eq!(world.edge(&named(slot)).await.position, Some(-1));
    world.both(slot + 1).await;
    assert_eq!(world.edge(&named(slot + 1)).await.position, position(slot + 1));
    let summary = world.text("/channels/demo").await;
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let video = summary["tracks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|track| track["name"] == "video");
    assert_eq!(video.unwrap()["watermark"]["in_step"], true);
    assert_eq!(video.unwrap()["watermark"]["unmarked"]["missing"], 4);
    let audio = summary["tracks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|track| track["name"] == "audio");
    assert!(audio.unwrap()["watermark"].is_null());
}

#[tokio::test]
async fn a_variant_b_of_another_length_or_with_other_chunks_or_another_position_is_not_served() {
    for (reason, told, body) in [
        ("length", FIRST + 3, {
            let mut longer = chunks(Variant::B, FIRST + 3);
            longer[3] = chunk_of((FIRST + 3) * VIDEO_SEGMENT + 3 * 8 * 3_600, 8, false, 11).into();
            longer.concat()
        }),
        ("chunks", FIRST + 3, {
            let at = (FIRST + 3) * VIDEO_SEGMENT;
            let mut other = chunks(Variant::B, FIRST + 3);
            other.truncate(3);
            other.push(chunk(at + 3 * 8 * 3_600, 4, false).into());
            other.push(chunk(at + 28 * 3_600, 20, false).into());
            other.concat()
        }),
        ("position", FIRST + 2, chunks(Variant::B, FIRST + 3).concat()),
    ] {
        let world = World::marked(FIRST..FIRST + 3).await;
        let slot = FIRST + 3;
        world.a_alone(slot).await;
        let told = pace(Variant::B, told).to_header();
        let (status, _) = world.push(&path(Variant::B, slot), &told, body).await;
        assert_eq!(status, StatusCode::OK, "the encoder goes on: {reason}");
        let [a, b] = [
            world.edge(&named(slot)).await,
            world.edge(&format!("b/{}", named(slot))).await,
        ];
        assert_eq!((a.position, b.position), (Some(-1), Some(-1)), "{reason}");
        assert_eq!(a.body.len(), b.body.len(), "{reason}");
        world.has_metric(&unmarked(reason, 1)).await;
        // The parts before it were B's own, and may have been told of as such; those from there on are A's.
        let own = if reason == "position" { 0 } else { 3 };
        for index in 0..6 {
            let answer = world.edge(&format!("b/{}", part(slot, index))).await;
            let (variant, due) = match index < own {
                true => (Variant::B, position(slot)),
                false => (Variant::A, Some(-1)),
            };
            assert_eq!(
                (answer.position, &answer.body),
                (due, &chunks(variant, slot)[index].to_vec())
            );
        }
        world.both(slot + 1).await;
        world.both(slot + 2).await;
        assert_eq!(
            world.edge(&named(slot + 2)).await.position,
            position(slot + 2),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn where_variant_b_dies_in_a_segment_what_was_served_of_it_stays_and_the_rest_is_a() {
    let world = World::marked(FIRST..FIRST + 3).await;
    let slot = FIRST + 3;
    world.clock.set(UnixMillis((slot * 1_920) as i64));
    let [a, b] = [Variant::A, Variant::B].map(|variant| world.begin_variant(variant, slot));
    let whole = ask(&world, &format!("/live/demo/video/b/{}", named(slot)), &[BEARER]);
    for index in 0..3 {
        world.clock.advance(320);
        a.send(chunks(Variant::A, slot)[index].clone()).await;
        b.send(chunks(Variant::B, slot)[index].clone()).await;
    }
    a.taken().await;
    b.taken().await;
    let promised = world.edge(&part(slot, 0)).await;
    assert_eq!(promised.position, position(slot));
    let hinted = ask(
        &world,
        &format!("/live/demo/video/b/{}", part(slot, 3)),
        &[BEARER],
    );
    settle().await;
    b.cut().await;
    for index in 3..6 {
        world.clock.advance(320);
        a.send(chunks(Variant::A, slot)[index].clone()).await;
    }
    a.taken().await;
    // Two parts later it is clear that there will be no more of B.
    world.clock.advance(320);
    world.origin.sweep().await;
    let hinted = soon(hinted).await.unwrap();
    assert_eq!(said(hinted.headers()), Some(-1));
    let hinted = hinted.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(hinted, chunks(Variant::A, slot)[3]);
    a.end().await;
    let due = [&chunks(Variant::B, slot)[..3], &chunks(Variant::A, slot)[3..]]
        .concat()
        .concat();
    let whole = soon(whole).await.unwrap();
    assert_eq!(said(whole.headers()), position(slot), "as it was when it began");
    let whole = soon(whole.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(whole, due, "who was promised B is not left with half a segment");
    let later = world.edge(&format!("b/{}", named(slot))).await;
    assert_eq!(
        (later.position, &later.body),
        (Some(-1), &due),
        "one name, one content"
    );
    assert_eq!(later.body.len(), world.edge(&named(slot)).await.body.len());
    assert_eq!(world.sidecar(&named(slot)).await, -1);
    for index in 0..6 {
        let due = if index < 3 { position(slot) } else { Some(-1) };
        assert_eq!(world.edge(&part(slot, index)).await.position, due, "{index}");
        assert_eq!(world.sidecar(&part(slot, index)).await, due.unwrap(), "{index}");
    }
    world.has_metric(&unmarked("stopped", 1)).await;
}

#[tokio::test]
async fn who_asks_for_what_comes_next_of_variant_b_gets_it_when_it_comes() {
    let world = World::marked(FIRST..FIRST + 3).await;
    let slot = FIRST + 3;
    let part_b = ask(
        &world,
        &format!("/live/demo/video/b/{}", part(slot, 0)),
        &[BEARER],
    );
    let segment_b = ask(&world, &format!("/live/demo/video/b/{}", named(slot)), &[BEARER]);
    let sidecar = ask(
        &world,
        &format!("/live/demo/video/WMPaceInfo/{}", part(slot, 0)),
        &[BEARER],
    );
    settle().await;
    let [a, b] = [Variant::A, Variant::B].map(|variant| world.begin_variant(variant, slot));
    a.send(chunks(Variant::A, slot)[0].clone()).await;
    a.taken().await;
    assert!(!part_b.is_finished(), "variant A alone is not enough");
    b.send(chunks(Variant::B, slot)[0].clone()).await;
    let part_b = soon(part_b).await.unwrap();
    assert_eq!(said(part_b.headers()), position(slot));
    let body = part_b.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, chunks(Variant::B, slot)[0]);
    let sidecar = soon(sidecar).await.unwrap();
    assert_eq!(sidecar.headers()["cache-control"], "public, max-age=1");
    // B may be the first to come as well.
    for index in 1..6 {
        b.send(chunks(Variant::B, slot)[index].clone()).await;
    }
    b.end().await;
    let waiting = ask(
        &world,
        &format!("/live/demo/video/b/{}", part(slot, 1)),
        &[BEARER],
    );
    settle().await;
    assert!(!waiting.is_finished(), "variant A makes the timeline");
    for index in 1..6 {
        a.send(chunks(Variant::A, slot)[index].clone()).await;
    }
    a.end().await;
    let waiting = soon(waiting).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(waiting.to_bytes(), chunks(Variant::B, slot)[1]);
    let segment_b = soon(segment_b).await.unwrap();
    let body = soon(segment_b.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(body, chunks(Variant::B, slot).concat());
}

#[tokio::test]
async fn positions_and_variant_b_outlive_a_restart_and_go_with_variant_a() {
    let mut world = World::marked(FIRST..FIRST + 3).await;
    world.a_alone(FIRST + 3).await;
    world.clock.advance(700);
    world.origin.sweep().await;
    world.origin.close().await.unwrap();
    world.restart().await;
    for slot in FIRST..FIRST + 3 {
        let b = world.edge(&format!("b/{}", named(slot))).await;
        assert_eq!(
            (b.position, b.body),
            (position(slot), chunks(Variant::B, slot).concat())
        );
        assert_eq!(world.sidecar(&named(slot)).await, position(slot).unwrap());
    }
    assert_eq!(world.sidecar(&named(FIRST + 3)).await, -1);
    let folder = world.folder.path().join("demo/video");
    let kept = |name: &str| folder.join(name).exists();
    let [b, sidecar] = ["b", "WMPaceInfo"].map(|name| format!("{name}/{}", named(FIRST)));
    assert!(kept(&named(FIRST)) && kept(&b) && kept(&sidecar));
    assert!(
        !kept(&format!("b/{}", named(FIRST + 3))),
        "what is A's is not kept twice"
    );
    world.both(FIRST + 4).await;
    assert_eq!(world.edge(&named(FIRST + 4)).await.position, position(FIRST + 4));
    for slot in FIRST + 5..FIRST + 60 {
        world.both(slot).await;
    }
    world.clock.advance(400_000);
    world.origin.sweep().await;
    assert!(!kept(&named(FIRST)) && !kept(&b) && !kept(&sidecar));
    assert_eq!(world.edge(&b).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wmpi_box_says_the_position_and_no_viewer_reads_it() {
    let world = World::on_air(0..0, |config| {
        config.watermark.edge_token = Some(AdminToken::new(TOKEN));
    })
    .await;
    let boxed = |variant: Variant, slot: u64| {
        let mut pieces = chunks(variant, slot);
        let styp = styp(false).len();
        let mut first = pieces[0].to_vec();
        first.splice(styp..styp, pace(variant, slot).to_box());
        pieces[0] = first.into();
        pieces.concat()
    };
    for slot in FIRST..FIRST + 4 {
        world.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
        // In pieces of any size: a box may come in two.
        for variant in [Variant::A, Variant::B] {
            let push = Push::begin(&world, &path(variant, slot));
            for piece in boxed(variant, slot).chunks(37) {
                push.send(piece.to_vec()).await;
            }
            push.end().await;
        }
        let audio = audio_chunks(slot).concat();
        world
            .must_put(&format!("/ingest/demo/audio/{slot}.m4s"), audio)
            .await;
    }
    for (variant, directory) in [Variant::A, Variant::B].into_iter().zip(DIRECTORY) {
        let answer = world.edge(&format!("{directory}{}", named(FIRST + 3))).await;
        assert_eq!(answer.position, position(FIRST + 3));
        let at = styp(false).len();
        let mut due = boxed(variant, FIRST + 3);
        due[at + 8..at + 13].fill(0xff);
        assert_eq!(answer.body, due);
    }
}

#[tokio::test]
async fn one_long_request_for_each_variant_says_positions_in_boxes() {
    let world = World::on_air(0..0, |config| {
        config.segment_duration_ms = 1_920;
        config.watermark.edge_token = Some(AdminToken::new(TOKEN));
    })
    .await;
    let a = Push::begin(&world, "/ingest/demo/Streams(video.cmfv)");
    let b = Push::begin(&world, "/ingest/demo/video/b/media.mp4");
    for slot in FIRST..FIRST + 4 {
        world.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
        for (variant, push) in [(Variant::A, &a), (Variant::B, &b)] {
            for (index, piece) in chunks(variant, slot).into_iter().enumerate() {
                let mut piece = piece.to_vec();
                if index == 0 {
                    let styp = styp(false).len();
                    piece.splice(styp..styp, pace(variant, slot).to_box());
                }
                push.send(piece).await;
            }
            push.taken().await;
        }
        let audio = audio_chunks(slot).concat();
        world
            .must_put(&format!("/ingest/demo/audio/{slot}.m4s"), audio)
            .await;
    }
    a.end().await;
    b.end().await;
    for slot in FIRST..FIRST + 4 {
        let [a, b] = [
            world.edge(&named(slot)).await,
            world.edge(&format!("b/{}", named(slot))).await,
        ];
        assert_eq!((a.position, b.position), (position(slot), position(slot)));
        assert_eq!(a.body.len(), b.body.len());
        assert_ne!(a.body, b.body);
    }
}

#[tokio::test]
async fn two_encoders_push_both_variants_and_one_may_go() {
    let world = World::marked(FIRST..FIRST + 3).await;
    let of = |variant: Variant, slot: u64, source: &str| {
        let path = format!("{}?source={source}", path(variant, slot));
        Push::begin_with(
            &world,
            &path,
            &[(INGEST_HEADER, &pace(variant, slot).to_header())],
        )
    };
    for slot in FIRST + 3..FIRST + 6 {
        world.clock.set(UnixMillis((slot * 1_920) as i64));
        let all = [
            of(Variant::A, slot, "one"),
            of(Variant::B, slot, "one"),
            of(Variant::A, slot, "two"),
            of(Variant::B, slot, "two"),
        ];
        let mut all = all.map(Some);
        for index in 0..6 {
            world.clock.advance(320);
            for (place, push) in all.iter_mut().enumerate() {
                let variant = Variant::of_bit(place % 2 == 1);
                if let Some(push) = push {
                    push.send(chunks(variant, slot)[index].clone()).await;
                    push.taken().await;
                }
            }
            // The first encoder dies in the middle of the middle one of these.
            if slot == FIRST + 4 && index == 2 {
                for push in &mut all[..2] {
                    push.take().unwrap().cut().await;
                }
            }
        }
        for push in all.into_iter().flatten() {
            push.end().await;
        }
        let audio = audio_chunks(slot).concat();
        world
            .must_put(&format!("/ingest/demo/audio/{slot}.m4s"), audio)
            .await;
    }
    for slot in FIRST + 3..FIRST + 6 {
        let [a, b] = [
            world.edge(&named(slot)).await,
            world.edge(&format!("b/{}", named(slot))).await,
        ];
        assert_eq!(
            (a.position, b.position),
            (position(slot), position(slot)),
            "{}",
            slot - FIRST
        );
        assert_eq!(a.body, chunks(Variant::A, slot).concat());
        assert_eq!(b.body, chunks(Variant::B, slot).concat());
    }
    world
        .has_metric("selvedge_track_marked_segments_total{channel=\"demo\",track=\"video\"} 6")
        .await;
}

#[tokio::test]
async fn an_encoder_that_marks_no_more_says_so_and_its_segments_are_unmarked() {
    let world = World::marked(FIRST..FIRST + 3).await;
    for (slot, told) in [
        (FIRST + 3, Some(PaceInfo::whole(Variant::A, Position::UNMARKED))),
        (FIRST + 4, None),
    ] {
        world.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
        let body = chunks(Variant::A, slot).concat();
        match told {
            Some(told) => assert_eq!(
                world
                    .push(&path(Variant::A, slot), &told.to_header(), body)
                    .await
                    .0,
                StatusCode::OK
            ),
            None => world.must_put(&path(Variant::A, slot), body).await,
        }
        let b = world.edge(&format!("b/{}", named(slot))).await;
        assert_eq!(
            (b.position, b.body),
            (Some(-1), chunks(Variant::A, slot).concat())
        );
    }
    world.has_metric(&unmarked("unsaid", 2)).await;
}

#[tokio::test]
async fn where_variant_a_dies_b_goes_on_in_its_place_until_it_is_back() {
    let world = World::marked(FIRST..FIRST + 3).await;
    let dying = FIRST + 3;
    world.clock.set(UnixMillis((dying * 1_920) as i64));
    let [a, b] = [Variant::A, Variant::B].map(|variant| world.begin_variant(variant, dying));
    for index in 0..2 {
        world.clock.advance(320);
        a.send(chunks(Variant::A, dying)[index].clone()).await;
        b.send(chunks(Variant::B, dying)[index].clone()).await;
    }
    a.taken().await;
    b.taken().await;
    a.cut().await;
    for piece in chunks(Variant::B, dying).split_off(2) {
        b.send(piece).await;
    }
    b.end().await;
    for slot in dying + 1..dying + 5 {
        world.clock.set(UnixMillis((slot * 1_920) as i64));
        let b = world.begin_variant(Variant::B, slot);
        for piece in chunks(Variant::B, slot) {
            world.clock.advance(320);
            b.send(piece).await;
        }
        b.end().await;
        let audio = audio_chunks(slot).concat();
        world
            .must_put(&format!("/ingest/demo/audio/{slot}.m4s"), audio)
            .await;
    }
    let back = dying + 5;
    for slot in back..back + 2 {
        world.both(slot).await;
    }
    let text = world.text("/live/demo/video/index.m3u8").await;
    let listed = read_playlist(&text);
    assert!(
        !text.contains("EXT-X-GAP") && !text.contains("DISCONTINUITY\n"),
        "{text}"
    );
    assert_eq!(listed.segments.len(), (back + 2 - FIRST) as usize, "{text}");
    let own = chunks(Variant::A, dying);
    let due = [&own[..2], &chunks(Variant::B, dying)[2..]].concat().concat();
    let broken = world.edge(&named(dying)).await;
    assert_eq!((broken.position, broken.body), (Some(-1), due));
    assert_eq!(
        world.edge(&part(dying, 0)).await.position,
        position(dying),
        "that was told of"
    );
    for slot in dying + 1..back {
        for directory in DIRECTORY {
            let answer = world.edge(&format!("{directory}{}", named(slot))).await;
            let due = chunks(Variant::B, slot).concat();
            assert_eq!(
                (answer.position, answer.body),
                (Some(-1), due),
                "{}",
                slot - dying
            );
        }
    }
    for slot in back..back + 2 {
        assert_eq!(
            world.edge(&named(slot)).await.position,
            position(slot),
            "{}",
            slot - back
        );
        assert_eq!(
            world.edge(&named(slot)).await.body,
            chunks(Variant::A, slot).concat()
        );
        assert_eq!(
            world.edge(&format!("b/{}", named(slot))).await.body,
            chunks(Variant::B, slot).concat()
        );
    }
    world.has_metric(&unmarked("stood-in", 5)).await;
}

#[tokio::test]
async fn variant_b_alone_makes_no_channel_no_track_and_no_segment() {
    let world = World::on_air(0..0, |_| {}).await;
    let before = world.text("/channels").await;
    world.variant(Variant::B, FIRST).await;
    let (status, _) = world
        .push(
            "/ingest/other/video/b/1.m4s",
            &pace(Variant::B, 1).to_header(),
            video(0, 48),
        )
        .await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    let (status, _, _) = world.get("/live/demo/video/index.m3u8", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let count = |text: &str| text.matches("\"name\":\"video").count();
    assert_eq!(count(&world.text("/channels").await), count(&before));
    // An init segment of its own is not needed, and another one is not taken.
    world.must_put("/ingest/demo/video/b/init.mp4", init(VIDEO)).await;
    let other = init(Sketch { width: 320, ..VIDEO });
    let (status, text) = world.put("/ingest/demo/video/b/init.mp4", other).await;
    assert_eq!(status, StatusCode::CONFLICT, "{text}");
}

#[tokio::test]
async fn pace_information_that_cannot_be_used_is_refused_and_the_channel_lives_on() {
    let world = World::marked(FIRST..FIRST + 3).await;
    let slot = FIRST + 3;
    let told = |variant: i64, position: i64| {
        format!(
            r#"{{"version":1,"variant":{variant},"position":{position},"firstpart":true,"lastpart":true}}"#
        )
    };
    for (path_of, told, what) in [
        (Variant::A, "{".to_owned(), "not the JSON"),
        (Variant::A, told(7, 33), "variant is 7"),
        (Variant::A, told(0, 40_000), "position is 40000"),
        (Variant::A, told(0, -2), "position is -2"),
        (Variant::B, told(0, 33), "variant B"),
    ] {
        let body = chunks(path_of, slot).concat();
        let (status, text) = world.push(&path(path_of, slot), &told, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{told}");
        assert!(
            text.contains("urn:selvedge:error:bad-pace-info") && text.contains(what),
            "{text}"
        );
    }
    let with_box =
        |pace: [u8; 13]| [styp(false), pace.to_vec(), chunk(slot * VIDEO_SEGMENT, 8, true)].concat();
    let mut broken = pace(Variant::A, slot).to_box();
    broken[10] = 0;
    for bytes in [
        with_box(broken),
        with_box(pace(Variant::B, slot).to_box()),
        [
            pace(Variant::A, slot).to_box().to_vec(),
            with_box(pace(Variant::A, slot).to_box()),
        ]
        .concat(),
    ] {
        let (status, text) = world.put(&path(Variant::A, slot), bytes).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
        assert!(text.contains("wmpi"), "{text}");
    }
    let contradicting = with_box(pace(Variant::A, slot).to_box());
    let header = pace(Variant::A, slot + 1).to_header();
    let (status, text) = world.push(&path(Variant::A, slot), &header, contradicting).await;
    assert_eq!(
        (status, text.contains("another position")),
        (StatusCode::BAD_REQUEST, true),
        "{text}"
    );
    world.both(slot).await;
    assert_eq!(world.edge(&named(slot)).await.position, position(slot));
    assert_eq!(
        world.edge(&format!("b/{}", named(slot))).await.body,
        chunks(Variant::B, slot).concat()
    );
}

#[tokio::test]
async fn variant_b_counts_in_the_memory_that_a_channel_may_have_and_is_read_from_the_store() {
    let size = chunks(Variant::A, FIRST).concat().len() as u64;
    let world = World::on_air(0..0, |config| {
        config.limits.window_bytes = size * 5;
        config.watermark.edge_token = Some(AdminToken::new(TOKEN));
    })
    .await;
    for slot in FIRST..FIRST + 12 {
        world.both(slot).await;
        // A variant B that no segment wants is not kept for ever either.
        let stray = pace(Variant::B, slot).to_header();
        let body = chunks(Variant::B, slot + 10_000).concat();
        world.push(&path(Variant::B, slot + 10_000), &stray, body).await;
    }
    let metrics = world.text("/metrics").await;
    let bytes: u64 = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("selvedge_track_memory_bytes"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(bytes <= size * 5, "{bytes} of {}", size * 5);
    for slot in FIRST..FIRST + 12 {
        let b = world.edge(&format!("b/{}", named(slot))).await;
        assert_eq!(
            (b.position, b.body),
            (position(slot), chunks(Variant::B, slot).concat())
        );
    }
}
