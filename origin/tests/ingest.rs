//! What the ingest takes and what it refuses, through the router.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::io::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use selvedge_origin::admit::Table;
use selvedge_origin::time::UnixMillis;
use support::*;

/// Pushes with header fields; returns status, header fields and text.
async fn push(
    world: &World,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: impl Into<Body>,
) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let response = world.send(request.body(body.into()).unwrap()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.into_body().collect().await.unwrap().to_bytes();
    (status, headers, String::from_utf8(text.to_vec()).unwrap())
}

/// Says of which kind a refusal is: status and slug.
fn kind(status: StatusCode, text: &str) -> (u16, String) {
    let problem: serde_json::Value = serde_json::from_str(text).unwrap();
    let kind = problem["type"].as_str().unwrap().rsplit(':').next().unwrap();
    (status.as_u16(), kind.to_owned())
}

async fn with(tables: &str) -> World {
    #[derive(serde::Deserialize)]
    struct File {
        ingest: Vec<Table>,
    }
    let file: File = toml::from_str(tables).unwrap();
    World::with(|config| config.ingest = file.ingest).await
}

const INIT: &str = "/ingest/demo/video/init.mp4";

#[tokio::test]
async fn who_offers_nothing_is_asked_and_who_offers_wrong_is_refused() {
    let world = with(
        "[[ingest]]\nchannels = [\"demo\"]\nbearer = [\"hush\"]\nusers = [{ name = \"a\", password = \"b\" }]",
    )
    .await;
    let (status, headers, text) = push(&world, "PUT", INIT, &[], init(VIDEO)).await;
    assert_eq!(kind(status, &text), (401, "no-credentials".into()));
    let asked: Vec<_> = headers
        .get_all("www-authenticate")
        .iter()
        .map(|value| value.to_str().unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(asked, ["Bearer", "Digest", "Digest", "Basic"]);
    let (status, _, text) = push(
        &world,
        "PUT",
        INIT,
        &[("authorization", "Bearer loud")],
        init(VIDEO),
    )
    .await;
    assert_eq!(kind(status, &text), (403, "not-allowed".into()));
    let (status, _, text) = push(
        &world,
        "DELETE",
        INIT,
        &[("authorization", "Bearer loud")],
        Body::empty(),
    )
    .await;
    assert_eq!(
        kind(status, &text),
        (403, "not-allowed".into()),
        "a deletion is a push too"
    );
    let (status, _, text) = push(&world, "PUT", "/ingest/other/init.mp4", &[], init(VIDEO)).await;
    assert_eq!(kind(status, &text), (404, "unknown-channel".into()));
    let (status, ..) = push(
        &world,
        "PUT",
        INIT,
        &[("authorization", "Basic YTpi")],
        init(VIDEO),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    let (status, ..) = push(
        &world,
        "DELETE",
        INIT,
        &[("authorization", "Bearer hush")],
        Body::empty(),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_is_not_admitted_is_not_asked_for() {
    let world = with("[[ingest]]\nbearer = [\"hush\"]").await;
    let polled = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let body = Body::from_stream(futures_util::stream::poll_fn({
        let polled = polled.clone();
        move |_| {
            polled.store(true, std::sync::atomic::Ordering::Relaxed);
            std::task::Poll::Ready(None::<Result<Bytes, std::io::Error>>)
        }
    }));
    let (status, ..) = push(&world, "PUT", INIT, &[("expect", "100-continue")], body).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(
        !polled.load(std::sync::atomic::Ordering::Relaxed),
        "no `100 Continue` was sent"
    );
}

#[tokio::test]
async fn a_file_of_keys_is_read_again_when_it_changes() {
    use selvedge_token::{Jwk, JwkSet, Minter, SigningKey};
    let keys = tempfile::NamedTempFile::new().unwrap();
    let write = |secret: u8| {
        let key = Jwk::symmetric("k", &[secret; 32]);
        let set = JwkSet {
            keys: vec![key.clone()],
        };
        std::fs::write(keys.path(), serde_json::to_string(&set).unwrap()).unwrap();
        Minter::new().mint(&SigningKey::from_jwk(&key).unwrap()).unwrap()
    };
    let first = write(1);
    let world = with(&format!("[[ingest]]\n[ingest.cat]\nkeys = {:?}", keys.path())).await;
    let status = |token: String| {
        let world = &world;
        async move {
            push(
                world,
                "PUT",
                INIT,
                &[("cta-common-access-token", &token)],
                init(VIDEO),
            )
            .await
            .0
        }
    };
    assert_eq!(status(first.clone()).await, StatusCode::OK);
    let second = write(2);
    assert_eq!(status(second.clone()).await, StatusCode::FORBIDDEN);
    world.origin.sweep().await;
    assert_eq!(status(second.clone()).await, StatusCode::OK);
    assert_eq!(status(first).await, StatusCode::FORBIDDEN);
    std::fs::write(keys.path(), "no keys").unwrap();
    world.origin.sweep().await;
    assert_eq!(
        status(second).await,
        StatusCode::OK,
        "what cannot be used changes nothing"
    );
}

#[tokio::test]
async fn what_a_channel_may_carry_is_bounded() {
    let world = with("[[ingest]]\ncodecs = [\"mp4a\"]").await;
    let (status, text) = world.put(INIT, init(VIDEO)).await;
    assert_eq!(kind(status, &text), (415, "unsupported-media".into()));
    assert!(text.contains("avc1.64001F") && text.contains("mp4a"), "{text}");
    world.must_put("/ingest/demo/audio/init.mp4", init(AUDIO)).await;

    let world = with("[[ingest]]\nmax_width = 639\nmax_tracks = 1").await;
    let (status, text) = world.put(INIT, init(VIDEO)).await;
    assert_eq!(kind(status, &text), (403, "over-terms".into()));
    assert!(text.contains("640") && text.contains("639"), "{text}");
    world.must_put("/ingest/demo/audio/init.mp4", init(AUDIO)).await;
    let (status, text) = world.put("/ingest/demo/more/init.mp4", init(AUDIO)).await;
    assert_eq!(kind(status, &text), (429, "limit".into()));

    let world = with("[[ingest]]\nmax_bitrate = 1000").await;
    world.must_put(INIT, init(VIDEO)).await;
    let (status, text) = world.put("/ingest/demo/video/1.m4s", video(0, 48)).await;
    assert_eq!(kind(status, &text), (403, "over-terms".into()));
    let (status, _) = world.put("/ingest/demo/video/2.m4s", chunk(0, 25, true)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_client_certificate_is_known_by_its_key() {
    use selvedge_listen::{Peer, Protocol, TlsFacts};
    // printf 'a key' | sha256sum
    let digest = "8fa3aab2faa9b79e0a0398da5b5abd0780142442a5be80b9a64608d718cb1fcd";
    let known = world_of_key(digest).await;
    let peer = |key: &[u8]| Peer {
        address: ([127, 0, 0, 1], 1).into(),
        tls: Some(std::sync::Arc::new(TlsFacts {
            protocol: Protocol::Tls13,
            alpn: None,
            client_certificates: Vec::new(),
            client_keys: Some(vec![key.to_vec()]),
        })),
    };
    let status = async |key: &[u8]| {
        let request = Request::put(INIT)
            .extension(peer(key))
            .body(Body::from(init(VIDEO)));
        known.send(request.unwrap()).await.status()
    };
    assert_eq!(status(b"a key").await, StatusCode::OK);
    assert_eq!(status(b"another").await, StatusCode::FORBIDDEN);
    assert_eq!(known.put(INIT, init(VIDEO)).await.0, StatusCode::UNAUTHORIZED);
}

async fn world_of_key(digest: &str) -> World {
    with(&format!("[[ingest]]\ncertificates = [\"spki-sha256:{digest}\"]")).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_body_is_what_it_would_be_without() {
    let world = World::new().await;
    for coding in ["gzip", "x-gzip"] {
        let fields = [("content-encoding", coding)];
        assert_eq!(
            push(&world, "PUT", INIT, &fields, gzip(&init(VIDEO))).await.0,
            StatusCode::OK
        );
    }
    let now = FIRST * VIDEO_SEGMENT;
    let packed = gzip(&video(now, 48));
    // In pieces of one byte.
    let pieces: Vec<_> = packed
        .iter()
        .map(|byte| Ok::<_, std::io::Error>(Bytes::copy_from_slice(&[*byte])))
        .collect();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let fields = [("content-encoding", "gzip")];
    let path = format!("/ingest/demo/video/{FIRST}.m4s");
    assert_eq!(push(&world, "PUT", &path, &fields, body).await.0, StatusCode::OK);
    world
        .must_put(
            &format!("/ingest/demo/video/{}.m4s", FIRST + 1),
            video(now + VIDEO_SEGMENT, 48),
        )
        .await;
    world.origin.close().await.unwrap();
    let (status, _, bytes) = world.get(&format!("/live/demo/video/0-{now}.m4s"), &[]).await;
    assert_eq!(
        (status, bytes),
        (StatusCode::OK, video(now, 48)),
        "as its sender meant it"
    );
}

#[tokio::test]
async fn a_coding_that_is_none_or_a_bomb_is_refused() {
    let world = World::new().await;
    for (coding, body, wanted) in [
        ("br", init(VIDEO), (415, "unsupported-media")),
        ("gzip", init(VIDEO), (400, "bad-encoding")),
        (
            "gzip",
            gzip(&[b"#EXTM3U\n".as_slice(), &vec![b' '; 64 << 20]].concat()),
            (400, "bad-encoding"),
        ),
        ("gzip", gzip(&init(VIDEO))[..40].to_vec(), (400, "bad-encoding")),
    ] {
        let (status, _, text) = push(&world, "PUT", INIT, &[("content-encoding", coding)], body).await;
        let (status, slug) = kind(status, &text);
        let is_cut = slug == "body-too-large" && status == 413;
        assert!(is_cut || (status, slug.as_str()) == wanted, "{coding}: {text}");
    }
    assert!(world.origin.watch("demo").is_none(), "no channel came of them");
    assert_eq!(
        push(&world, "PUT", INIT, &[("content-encoding", "gzip")], "")
            .await
            .0,
        StatusCode::OK,
        "a probe"
    );
}

#[tokio::test]
async fn an_object_in_ranges_is_put_together() {
    let world = World::new().await;
    let mut object = init(VIDEO);
    for slot in 0..4 {
        object.extend(video((FIRST + slot) * VIDEO_SEGMENT, 48));
    }
    // Ends as buffers do: anywhere. The second and third swap places, and one comes twice.
    let mut spans: Vec<_> = (0..object.len())
        .step_by(601)
        .map(|first| (first, (first + 601).min(object.len())))
        .collect();
    spans.swap(1, 2);
    spans.insert(5, spans[4]);
    for (first, end) in spans {
        let range = format!("bytes {first}-{}/*", end - 1);
        let (status, _, text) = push(
            &world,
            "PUT",
            "/ingest/demo/live.mp4",
            &[("content-range", &range)],
            object[first..end].to_vec(),
        )
        .await;
        assert_eq!(status, StatusCode::OK, "{range}: {text}");
    }
    // What the last range completed is on its way through a task of its own.
    let mut watched = world.origin.watch("demo").unwrap();
    let listed = watched.wait_for(|snapshot| {
        let track = snapshot.track("live");
        track.is_some_and(|track| track.entries.len() >= 3)
    });
    tokio::time::timeout(Duration::from_secs(20), listed)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn ranges_that_make_no_object_are_refused() {
    let world = World::new().await;
    let put = async |range: &str, body: Vec<u8>| {
        let fields = [("content-range", range)];
        let (status, _, text) = push(&world, "PUT", "/ingest/demo/live.mp4", &fields, body).await;
        (status, text)
    };
    for (range, length) in [
        ("items 0-3/4", 4),
        ("bytes 0-3/*", 3),
        ("bytes 0-3/*", 5),
        ("bytes 4-7/*", 4),
    ] {
        let (status, text) = put(range, vec![0; length]).await;
        assert_eq!(
            kind(status, &text),
            (400, "bad-content-range".into()),
            "{range} of {length}"
        );
    }
    let (status, text) = put("bytes 0-2147483647/*", vec![0; 4]).await;
    assert_eq!(kind(status, &text), (413, "body-too-large".into()));
    // With a length, the last range is answered with what came of the whole.
    let object = chunk(0, 25, true);
    let half = object.len() / 2;
    let whole = object.len();
    let (status, _) = put(&format!("bytes 0-{}/{whole}", half - 1), object[..half].to_vec()).await;
    assert_eq!(status, StatusCode::OK);
    let (status, text) = put(
        &format!("bytes {half}-{}/{whole}", whole - 1),
        object[half..].to_vec(),
    )
    .await;
    assert_eq!(kind(status, &text), (412, "no-init".into()));
}

#[tokio::test]
async fn what_is_no_cmaf_is_refused_with_what_to_do() {
    let world = World::new().await;
    let mut packets = vec![0xff; 1_880];
    packets.chunks_mut(188).for_each(|packet| packet[0] = 0x47);
    for (body, says) in [
        (packets, "transport stream"),
        (b"\x1a\x45\xdf\xa3\x01".to_vec(), "Matroska"),
    ] {
        let (status, text) = world.put("/ingest/demo/seg_1.ts", body).await;
        assert_eq!(kind(status, &text), (415, "unsupported-media".into()));
        assert!(
            text.contains(says) && text.contains("push fragmented MP4"),
            "{text}"
        );
    }
}

/// Media of both tracks in one object.
fn muxed_slot(slot: u64) -> Vec<u8> {
    let frames = |count: usize, size: usize| vec![vec![7_u8; size]; count];
    let (pictures, sounds) = (frames(48, 20), frames(90, 10));
    let pictures: Vec<&[u8]> = pictures.iter().map(Vec::as_slice).collect();
    let sounds: Vec<&[u8]> = sounds.iter().map(Vec::as_slice).collect();
    let tracks: [(u32, u64, &[&[u8]]); 2] = [
        (1, slot * VIDEO_SEGMENT, &pictures),
        (2, slot * AUDIO_SEGMENT, &sounds),
    ];
    [styp(false), muxed_chunk(&tracks)].concat()
}

#[tokio::test]
async fn a_muxed_channel_is_served_as_tracks_of_their_own() {
    let mut world = World::new().await;
    world
        .must_put("/ingest/demo/init.mp4", muxed_init(&[VIDEO, AUDIO]))
        .await;
    for slot in FIRST..FIRST + 3 {
        world
            .must_put(&format!("/ingest/demo/seg_{slot}.m4s"), muxed_slot(slot))
            .await;
    }
    // The header is not sent again to an origin that began anew.
    world.origin.close().await.unwrap();
    world.restart().await;
    for slot in FIRST + 3..FIRST + 6 {
        world
            .must_put(&format!("/ingest/demo/seg_{slot}.m4s"), muxed_slot(slot))
            .await;
    }
    for (track, codec) in [("main-v", "avc1.64001F"), ("main-a", "mp4a.40.2")] {
        let read = read_playlist(&world.text(&format!("/live/demo/{track}/index.m3u8")).await);
        assert!(read.segments.len() >= 5, "{track}: {}", read.segments.len());
        assert!(world.text("/live/demo/index.m3u8").await.contains(codec));
    }
    let (status, text) = world.put("/ingest/other/seg_1.m4s", muxed_slot(1)).await;
    assert_eq!(
        kind(status, &text).0,
        400,
        "without a header there are no tracks: {text}"
    );
}

/// A sender that counts from zero starts anew, and its first segment comes before its init segment. How many segments
/// each track has.
async fn overtaken(init: &[u8], slot: impl Fn(u64) -> Vec<u8>, tracks: &[&str]) -> Vec<usize> {
    let world = World::new().await;
    let at = |slot: u64| world.clock.set(UnixMillis(NOON + (slot as i64 + 1) * 1_920));
    let object = |slot: u64| format!("/ingest/demo/seg_{slot}.m4s");
    world.must_put("/ingest/demo/init.mp4", init.to_vec()).await;
    for number in 0..4 {
        at(number);
        world.must_put(&object(number), slot(number)).await;
    }
    at(6);
    let path = object(0);
    tokio::join!(world.must_put(&path, slot(0)), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (first, second) = init.split_at(init.len() / 2);
        let halves = [first.to_vec(), second.to_vec()].map(Bytes::from);
        let slowly = Body::from_stream(futures_util::stream::iter(halves).then(async |half| {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, std::io::Error>(half)
        }));
        world.must_put("/ingest/demo/init.mp4", slowly).await;
    });
    at(7);
    world.must_put(&object(1), slot(1)).await;
    let mut counts = Vec::new();
    for track in tracks {
        let text = world.text(&format!("/live/demo/{track}/index.m3u8")).await;
        let segments = text.split_inclusive(".m4s\n");
        let media = segments.filter(|lines| lines.contains("#EXTINF") && !lines.contains("#EXT-X-GAP"));
        counts.push(media.count());
    }
    counts
}

#[tokio::test]
async fn media_that_overtakes_the_init_segment_of_a_new_run_is_not_lost() {
    let alone = |slot: u64| video(slot * VIDEO_SEGMENT, 48);
    assert_eq!(overtaken(&init(VIDEO), alone, &["main"]).await, [6]);
    let muxed = muxed_init(&[VIDEO, AUDIO]);
    assert_eq!(overtaken(&muxed, muxed_slot, &["main-v", "main-a"]).await, [6, 6]);
}

#[tokio::test]
async fn a_trickle_of_bytes_is_cut_off() {
    let world = World::with(|config| {
        config.limits.body_idle_s = 1;
        config.limits.min_body_rate = 1 << 20;
    })
    .await;
    world.must_put(INIT, init(VIDEO)).await;
    let bytes = chunk(FIRST * VIDEO_SEGMENT, 25, true);
    let trickle = futures_util::stream::unfold((bytes, 0), |(bytes, at)| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let next = bytes.get(at).map(|byte| Bytes::copy_from_slice(&[*byte]));
        next.map(|next| (Ok::<_, std::io::Error>(next), (bytes, at + 1)))
    });
    let body = Body::from_stream(trickle);
    let (status, text) = world.put("/ingest/demo/video/1.m4s", body).await;
    assert_eq!(kind(status, &text), (408, "slow-body".into()));
}

/// An `emsg` of version 1 at this media time.
fn emsg(scheme: &str, id: u32, time: u64, duration: u32, data: &[u8]) -> Vec<u8> {
    let text = [scheme.as_bytes(), b"\0\0"].concat();
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|word| word.to_be_bytes())
            .collect::<Vec<u8>>()
    };
    boxed(
        b"emsg",
        &[
            &[1, 0, 0, 0],
            &words(&[90_000]),
            &time.to_be_bytes(),
            &words(&[duration, id]),
            &text,
            data,
        ],
    )
}

#[tokio::test]
async fn events_of_a_channel_are_those_of_its_media_each_once() {
    use selvedge_origin::media::Splice;
    // splice_insert, out of network for 60 s.
    let section = b"\xfc\x30\x31\0\0\0\0\0\0\0\xff\xf0\x14\x05\x40\0\x87\xae\x7f\xef\xfe\xd0\x05\x91\x2b\xfe\0\x52\x65\xc0\0\x2d\0\x7f\0\x0c\x01\x0aCUEI\x50\x9f519*\xa3\x9f\xfe\x80";
    let world = World::new().await;
    world.begin("demo").await;
    let start = (FIRST + 3) * VIDEO_SEGMENT;
    let scte = |id| emsg("urn:scte:scte35:2013:bin", id, start, u32::MAX, section);
    let put = async |slot: u64, events: &[u8]| {
        let media = [events, &video(slot * VIDEO_SEGMENT, 48)].concat();
        world
            .must_put(&format!("/ingest/demo/video/{slot}.m4s"), media)
            .await;
        world
            .must_put(
                &format!("/ingest/demo/audio/{slot}.m4s"),
                audio(slot * AUDIO_SEGMENT, 90),
            )
            .await;
    };
    put(FIRST, &scte(1)).await;
    put(
        FIRST + 1,
        &[scte(1), emsg("urn:x", 1, start, 90_000, b"hello")].concat(),
    )
    .await;
    let events = world.origin.watch("demo").unwrap().borrow().events.clone();
    assert_eq!(events.len(), 2, "{events:?}");
    let splice = events.iter().find(|event| event.splice.is_some()).unwrap();
    assert_eq!(
        (splice.splice, splice.span),
        (Some(Splice::Out), Some(60_000_000_000))
    );
    assert_eq!(splice.wall, NOON * 1_000_000 + 3 * 1_920_000_000);
    assert_eq!(&splice.message[..], section);
    let other = events.iter().find(|event| event.splice.is_none()).unwrap();
    assert_eq!(
        (other.scheme.as_str(), other.span),
        ("urn:x", Some(1_000_000_000))
    );
    assert_eq!(other.wall, splice.wall);
    for slot in FIRST + 2..FIRST + 90 {
        world.slot("demo", slot).await;
    }
    world.origin.sweep().await;
    let events = world.origin.watch("demo").unwrap().borrow().events.clone();
    assert!(
        events.is_empty(),
        "what no listed segment is touched by is gone: {events:?}"
    );
}

#[tokio::test]
async fn a_restart_of_the_origin_changes_nothing_of_what_was_announced() {
    let mut world = World::new().await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    let slot = FIRST + 3;
    let hello = emsg("urn:x", 1, (slot + 1) * VIDEO_SEGMENT, 90_000, b"hello");
    world
        .must_put(
            &format!("/ingest/demo/video/{slot}.m4s"),
            [hello, video(slot * VIDEO_SEGMENT, 48)].concat(),
        )
        .await;
    let documents = async |world: &World| {
        let mut told = Vec::new();
        for (path, tag) in [
            ("video/index.m3u8", "#EXT-X-DATERANGE"),
            ("video/index.m3u8", "#EXT-X-SERVER-CONTROL"),
            ("manifest.mpd", "<Event "),
            ("manifest.mpd", "<InbandEventStream schemeIdUri=\"urn:x\"/>"),
        ] {
            let text = world.text(&format!("/live/demo/{path}")).await;
            let lines = text.lines().filter(|line| line.contains(tag)).map(str::to_owned);
            told.push(lines.collect::<Vec<_>>());
        }
        told
    };
    let before = documents(&world).await;
    for (index, lines) in [0, 2, 3].into_iter().map(|index| (index, &before[index])) {
        assert_eq!(lines.len(), 1, "{index}: {before:?}");
    }
    world.restart().await;
    assert_eq!(documents(&world).await, before);
}

#[tokio::test]
async fn a_clock_of_32_bits_that_comes_round_goes_on() {
    let world = World::new().await;
    world.must_put(INIT, init(VIDEO)).await;
    let turn = 1_u64 << 32;
    let first = turn - 3 * VIDEO_SEGMENT;
    for index in 0..8 {
        let time = (first + index * VIDEO_SEGMENT) & (turn - 1);
        let body = [styp(false), narrow_chunk(time, 48, true)].concat();
        world
            .must_put(&format!("/ingest/demo/video/{index}.m4s"), body)
            .await;
        world.clock.set(UnixMillis(NOON + 1_920 * (index as i64 + 1)));
    }
    world.origin.close().await.unwrap();
    let read = read_playlist(&world.text("/live/demo/video/index.m3u8").await);
    assert_eq!(read.segments.len(), 8);
    assert!(
        read.segments.iter().all(|segment| !segment.discontinuity),
        "one timeline"
    );
    let last = &read.segments[7].uri;
    let time: u64 = last
        .rsplit('-')
        .next()
        .unwrap()
        .trim_end_matches(".m4s")
        .parse()
        .unwrap();
    assert_eq!(time, first + 7 * VIDEO_SEGMENT, "{last}");
    let (_, _, bytes) = world.get(&format!("/live/demo/video/{last}"), &[]).await;
    let at = bytes.windows(4).position(|name| name == b"tfdt").unwrap();
    assert_eq!(bytes[at + 4], 1, "written with 64 bits");
    assert_eq!(bytes[at + 8..at + 16], time.to_be_bytes());
}
