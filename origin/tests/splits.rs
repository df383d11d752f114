//! The bodies of real senders, cut anywhere: what comes of them is always the same.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use proptest::prelude::*;
use selvedge_origin::cmaf::{Event, Limits, Reader};
use selvedge_origin::time::UnixMillis;
use support::*;

const LIMITS: Limits = Limits {
    init: 1 << 20,
    chunk: 1 << 20,
};

/// Soon after the captures were made, 2026-11-21T18:55:00Z: some of them tell the time.
const CAPTURED: UnixMillis = UnixMillis(NOON + 24_900_000);

/// A body is cut at every offset up to this one: what follows is more of the same boxes.
const EVERY_OFFSET: usize = 16_384;

/// What one sender pushes, in its order: paths below the channel and the files that were captured.
struct Capture {
    folder: &'static str,
    objects: &'static [(&'static str, &'static str)],
}

const CAPTURES: [Capture; 5] = [
    Capture {
        folder: "ffmpeg-dash",
        objects: &[
            ("init-stream0.m4s", "init-stream0.m4s"),
            ("init-stream1.m4s", "init-stream1.m4s"),
            ("chunk-stream1-00001.m4s", "chunk-stream1-00001.m4s"),
            ("chunk-stream0-00001.m4s", "chunk-stream0-00001.m4s"),
            ("chunk-stream1-00002.m4s", "chunk-stream1-00002.m4s"),
            ("chunk-stream0-00002.m4s", "chunk-stream0-00002.m4s"),
            ("chunk-stream1-00003.m4s", "chunk-stream1-00003.m4s"),
            ("chunk-stream0-00003.m4s", "chunk-stream0-00003.m4s"),
            ("manifest.mpd", "manifest.mpd"),
        ],
    },
    Capture {
        folder: "ffmpeg-long-post",
        objects: &[
            ("Streams(video.cmfv)", "video.cmfv"),
            ("Streams(audio.cmfa)", "audio.cmfa"),
        ],
    },
    Capture {
        folder: "ffmpeg-hls-muxed",
        objects: &[
            ("init.mp4", "init.mp4"),
            ("seg_00000.m4s", "seg_00000.m4s"),
            ("seg_00001.m4s", "seg_00001.m4s"),
            ("seg_00002.m4s", "seg_00002.m4s"),
            ("stream.m3u8", "stream.m3u8"),
        ],
    },
    Capture {
        folder: "gstreamer",
        objects: &[
            ("Streams(video.cmfv)", "video.cmfv"),
            ("Streams(audio.cmfa)", "audio.cmfa"),
        ],
    },
    Capture {
        folder: "selvedge",
        objects: &[
            ("video/init.mp4", "video-54p/init.mp4"),
            ("audio/init.mp4", "audio/init.mp4"),
            ("video/935045446.m4s", "video-54p/935045446.m4s"),
            ("audio/935045446.m4s", "audio/935045446.m4s"),
            ("video/935045447.m4s", "video-54p/935045447.m4s"),
            ("audio/935045447.m4s", "audio/935045447.m4s"),
        ],
    },
];

impl Capture {
    fn read(&self, file: &str) -> Vec<u8> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
        std::fs::read(folder.join(self.folder).join(file)).unwrap()
    }

    fn bodies(&self) -> Vec<(&'static str, Vec<u8>)> {
        let bodies = self.objects.iter().map(|(path, file)| (*path, self.read(file)));
        bodies.collect()
    }
}

/// Everything that viewers of a channel see: each document, and each object that one of them lists.
type View = BTreeMap<String, Vec<u8>>;

/// Pushes a capture with its bodies cut into pieces; tells the answers and what viewers see then.
async fn push(capture: &Capture, mut cut: impl FnMut(&[u8]) -> Vec<Bytes>) -> (Vec<u16>, View) {
    let world = World::new().await;
    world.clock.set(CAPTURED);
    let mut answers = Vec::new();
    for (path, body) in capture.bodies() {
        let pieces = cut(&body);
        assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), body.len());
        let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
        answers.push(world.put(&format!("/ingest/c/{path}"), body).await.0.as_u16());
    }
    (answers, view(&world).await)
}

async fn view(world: &World) -> View {
    let mut view = View::new();
    let mut wanted = vec!["index.m3u8".to_owned(), "manifest.mpd".to_owned()];
    while let Some(path) = wanted.pop() {
        let (status, _, body) = world.get(&format!("/live/c/{path}"), &[]).await;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if path.ends_with(".m3u8") && status == 200 {
            let text = String::from_utf8(body.clone()).unwrap();
            let quoted = text
                .split("URI=\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next());
            let plain = text
                .lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            // What lies beside this folder the multivariant playlist lists as well.
            let is_below = |uri: &&str| !uri.starts_with("gap-") && !uri.starts_with("../");
            for uri in quoted.chain(plain).filter(is_below) {
                let found = format!("{folder}/{uri}").trim_start_matches('/').to_owned();
                // What is hinted at has not come: a request for it waits.
                let is_hint = text.contains(&format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{uri}\""));
                if !is_hint && !view.contains_key(&found) && !wanted.contains(&found) {
                    wanted.push(found);
                }
            }
        }
        view.insert(format!("{path} {}", status.as_u16()), body);
    }
    view
}

/// Cuts after each of the offsets.
fn cut_at(body: &[u8], offsets: impl IntoIterator<Item = usize>) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for offset in offsets {
        let to = offset.clamp(from, body.len());
        pieces.push(Bytes::copy_from_slice(&body[from..to]));
        from = to;
    }
    pieces.push(Bytes::copy_from_slice(&body[from..]));
    pieces
}

fn whole(body: &[u8]) -> Vec<Bytes> {
    cut_at(body, [])
}

/// Says which objects differ, rather than print them.
fn assert_same(split: &(Vec<u16>, View), whole: &(Vec<u16>, View), how: &str) {
    assert_eq!(split.0, whole.0, "{how}: other answers");
    let names = |view: &View| view.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&split.1), names(&whole.1), "{how}: other objects");
    for (name, bytes) in &split.1 {
        assert!(bytes == &whole.1[name], "{how}: {name} differs");
    }
}

fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let mut reader = Reader::new(LIMITS);
    let mut events = Vec::new();
    for piece in pieces {
        reader.push(piece).unwrap();
        events.extend(std::iter::from_fn(|| reader.next_event()));
    }
    reader.finish().unwrap();
    events.extend(std::iter::from_fn(|| reader.next_event()));
    events
}

/// Where each top-level box begins.
fn boundaries(body: &[u8]) -> Vec<usize> {
    let mut found = vec![0];
    while let Some(size) = body
        .get(found[found.len() - 1]..)
        .and_then(|rest| rest.first_chunk())
    {
        match u32::from_be_bytes(*size) as usize {
            size @ 8.. => found.push(found[found.len() - 1] + size),
            _ => break,
        }
    }
    found
}

#[tokio::test]
async fn what_each_sender_pushes_is_taken_and_listed() {
    for capture in &CAPTURES {
        let (answers, view) = push(capture, whole).await;
        assert!(
            answers.iter().all(|answer| *answer == 200),
            "{}: {answers:?}",
            capture.folder
        );
        let has = |end: &str| view.keys().filter(|name| name.ends_with(end)).count();
        assert_eq!(has("index.m3u8 200"), 3, "{}: {:?}", capture.folder, view.keys());
        assert!(
            has(".m4s 200") >= 2 && has(" 404") == 0,
            "{}: {:?}",
            capture.folder,
            view.keys()
        );
    }
}

#[test]
fn a_body_cut_in_two_anywhere_is_read_alike() {
    for capture in &CAPTURES {
        for (path, body) in capture.bodies() {
            let is_text = path.ends_with(".mpd") || path.ends_with(".m3u8");
            // What has two tracks in it is taken apart before it is read: the tests through the router cut it.
            if is_text || capture.folder == "ffmpeg-hls-muxed" {
                continue;
            }
            let expected = events(&[&body]);
            assert!(!expected.is_empty());
            for at in 1..body.len().min(EVERY_OFFSET) {
                let (head, tail) = body.split_at(at);
                assert!(
                    events(&[head, tail]) == expected,
                    "{}/{path} cut at {at}",
                    capture.folder
                );
            }
        }
    }
}

#[tokio::test]
async fn one_byte_at_a_time_is_as_good_as_all_at_once() {
    for capture in &CAPTURES {
        let expected = push(capture, whole).await;
        let split = push(capture, |body| cut_at(body, 1..body.len())).await;
        assert_same(&split, &expected, capture.folder);
    }
}

#[tokio::test]
async fn a_cut_in_or_beside_any_box_s_head_changes_nothing() {
    for capture in &CAPTURES {
        let expected = push(capture, whole).await;
        for beside in -1_i64..=9 {
            let near = |body: &[u8]| {
                let near = boundaries(body)
                    .into_iter()
                    .map(|at| (at as i64 + beside).max(0) as usize);
                cut_at(body, near)
            };
            let split = push(capture, near).await;
            assert_same(&split, &expected, &format!("{} {beside} beside", capture.folder));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn pieces_of_any_lengths_change_nothing(
        which in 0..CAPTURES.len(),
        lengths in prop::collection::vec(0_usize..3_000, 1..40),
    ) {
        let capture = &CAPTURES[which];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let expected = push(capture, whole).await;
            let mut turns = lengths.iter().cycle();
            let split = push(capture, |body| {
                let mut offsets = Vec::new();
                let mut at = 0;
                while at < body.len() {
                    at += turns.next().unwrap() + 1;
                    offsets.push(at);
                }
                cut_at(body, offsets)
            }).await;
            assert_same(&split, &expected, &format!("{} in {lengths:?}", capture.folder));
        });
    }
}
