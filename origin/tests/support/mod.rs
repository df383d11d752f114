//! CMAF written by hand, box by box, for the tests.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part, and a test may stop at the first surprise"
)]

mod push;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use selvedge_origin::clock::ManualClock;
use selvedge_origin::time::UnixMillis;
use selvedge_origin::{Config, Origin};
use tower::ServiceExt as _;

pub use push::*;

/// A box of these payload pieces.
pub fn boxed(name: &[u8; 4], pieces: &[&[u8]]) -> Vec<u8> {
    let size = 8 + pieces.iter().map(|piece| piece.len()).sum::<usize>();
    let mut bytes = (size as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(name);
    pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
    bytes
}

fn full(name: &[u8; 4], version: u8, flags: u32, pieces: &[&[u8]]) -> Vec<u8> {
    let head = (u32::from(version) << 24 | flags).to_be_bytes();
    let mut all: Vec<&[u8]> = vec![&head];
    all.extend_from_slice(pieces);
    boxed(name, &all)
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// What a made-up track is like.
#[derive(Clone, Copy)]
pub struct Sketch {
    pub timescale: u32,
    pub is_video: bool,
    pub width: u16,
    /// Sample duration in ticks.
    pub sample: u32,
    /// `elst` media_time.
    pub edit: Option<i32>,
    /// Creation time, which must not matter.
    pub created: u32,
}

pub const VIDEO: Sketch = Sketch {
    timescale: 90_000,
    is_video: true,
    width: 640,
    sample: 3_600,
    edit: None,
    created: 0,
};
pub const AUDIO: Sketch = Sketch {
    timescale: 48_000,
    is_video: false,
    width: 0,
    sample: 1_024,
    edit: None,
    created: 0,
};

fn track(sketch: Sketch) -> Vec<u8> {
    numbered(sketch, 1, &[])
}

/// A `trak` with this `track_ID`, and boxes at its end.
fn numbered(sketch: Sketch, id: u32, more: &[u8]) -> Vec<u8> {
    let tkhd = full(
        b"tkhd",
        0,
        7,
        &[
            &words(&[sketch.created, sketch.created, id, 0, 0]),
            &[0; 52],
            &words(&[u32::from(sketch.width) << 16, 360 << 16]),
        ],
    );
    let mdhd = full(
        b"mdhd",
        0,
        0,
        &[
            &words(&[sketch.created, 0, sketch.timescale, 0]),
            &[0x55, 0xc4, 0, 0],
        ],
    );
    let handler: &[u8; 4] = if sketch.is_video { b"vide" } else { b"soun" };
    let hdlr = full(b"hdlr", 0, 0, &[&[0; 4], handler, &[0; 13]]);
    let entry = if sketch.is_video {
        let avcc = boxed(b"avcC", &[&[1, 0x64, 0x00, 0x1f, 0xff, 0xe0, 0]]);
        boxed(
            b"avc1",
            &[
                &[0; 24],
                &sketch.width.to_be_bytes(),
                &360_u16.to_be_bytes(),
                &[0; 50],
                &avcc,
            ],
        )
    } else {
        let esds = full(
            b"esds",
            0,
            0,
            &[&[
                3, 25, 0, 1, 0, 4, 17, 0x40, 0x15, 0, 0, 0, 0, 1, 0xf4, 0, 0, 1, 0xf4, 0, 5, 2, 0x11, 0x90,
                6, 1, 2,
            ]],
        );
        let rate = words(&[sketch.timescale << 16]);
        boxed(
            b"mp4a",
            &[
                &[0; 16],
                &2_u16.to_be_bytes(),
                &16_u16.to_be_bytes(),
                &[0; 4],
                &rate,
                &esds,
            ],
        )
    };
    let stsd = full(b"stsd", 0, 0, &[&words(&[1]), &entry]);
    let minf = boxed(b"minf", &[&boxed(b"stbl", &[&stsd])]);
    let edts = sketch.edit.map_or(Vec::new(), |media_time| {
        let elst = full(
            b"elst",
            0,
            0,
            &[&words(&[1, 0]), &media_time.to_be_bytes(), &[0, 1, 0, 0]],
        );
        boxed(b"edts", &[&elst])
    });
    boxed(
        b"trak",
        &[&tkhd, &edts, &boxed(b"mdia", &[&mdhd, &hdlr, &minf]), more],
    )
}

fn movie(traks: &[u8], trexes: &[u8]) -> Vec<u8> {
    let ftyp = boxed(b"ftyp", &[b"iso5\0\0\0\0iso5iso6"]);
    let mvhd = full(b"mvhd", 0, 0, &[&words(&[0, 0, 1_000, 0]), &[0; 80]]);
    [ftyp, boxed(b"moov", &[&mvhd, traks, &boxed(b"mvex", &[trexes])])].concat()
}

/// An init segment with this `udta`.
pub fn with_udta(sketch: Sketch, udta: &[u8]) -> Vec<u8> {
    let trex = full(b"trex", 0, 0, &[&words(&[1, 1, sketch.sample, 0, 0])]);
    movie(&numbered(sketch, 1, udta), &trex)
}

/// An init segment of several tracks, numbered from 1, as ffmpeg's HLS muxer writes it.
pub fn muxed_init(sketches: &[Sketch]) -> Vec<u8> {
    let numbers = || sketches.iter().zip(1_u32..);
    let traks: Vec<u8> = numbers()
        .flat_map(|(sketch, id)| numbered(*sketch, id, &[]))
        .collect();
    let trexes: Vec<u8> = numbers()
        .flat_map(|(sketch, id)| full(b"trex", 0, 0, &[&words(&[id, 1, sketch.sample, 0, 0])]))
        .collect();
    movie(&traks, &trexes)
}

/// An init segment of an event track at 90 kHz, with a sample entry of that name and content.
pub fn event_init(entry: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let tkhd = full(b"tkhd", 0, 7, &[&words(&[0, 0, 1, 0, 0]), &[0; 60]]);
    let mdhd = full(b"mdhd", 0, 0, &[&words(&[0, 0, 90_000, 0]), &[0x55, 0xc4, 0, 0]]);
    let hdlr = full(b"hdlr", 0, 0, &[&[0; 4], b"meta", &[0; 13]]);
    let entry = boxed(entry, &[&[0, 0, 0, 0, 0, 0, 0, 1], content]);
    let stsd = full(b"stsd", 0, 0, &[&words(&[1]), &entry]);
    let minf = boxed(b"minf", &[&boxed(b"stbl", &[&stsd])]);
    let trak = boxed(b"trak", &[&tkhd, &boxed(b"mdia", &[&mdhd, &hdlr, &minf])]);
    movie(&trak, &full(b"trex", 0, 0, &[&words(&[1, 1, 0, 0, 0])]))
}

/// A `traf` of samples with sizes of their own, whose bytes begin `offset` bytes behind the `moof`'s first.
fn sized_traf(id: u32, time: u64, samples: &[(u32, usize)], offset: usize) -> Vec<u8> {
    let tfhd = full(b"tfhd", 0, 0x02_0000, &[&words(&[id])]);
    let tfdt = full(b"tfdt", 1, 0, &[&time.to_be_bytes()]);
    let table: Vec<u8> = samples
        .iter()
        .flat_map(|(duration, size)| words(&[*duration, *size as u32]))
        .collect();
    let trun = full(
        b"trun",
        0,
        0x305,
        &[
            &words(&[samples.len() as u32, offset as u32, 0x0200_0000]),
            &table,
        ],
    );
    boxed(b"traf", &[&tfhd, &tfdt, &trun])
}

/// A chunk whose samples have durations and bytes of their own.
pub fn sized_chunk(id: u32, time: u64, samples: &[(u32, &[u8])]) -> Vec<u8> {
    let sizes: Vec<_> = samples
        .iter()
        .map(|(duration, bytes)| (*duration, bytes.len()))
        .collect();
    let write = |offset| {
        let mfhd = full(b"mfhd", 0, 0, &[&words(&[1])]);
        boxed(b"moof", &[&mfhd, &sized_traf(id, time, &sizes, offset)])
    };
    let payload: Vec<u8> = samples.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect();
    [write(write(0).len() + 8), boxed(b"mdat", &[&payload])].concat()
}

/// A chunk of several tracks, each with its number, its time and the bytes of its samples.
pub fn muxed_chunk(tracks: &[(u32, u64, &[&[u8]])]) -> Vec<u8> {
    let write = |moof: usize| {
        let mut at = moof + 8;
        let trafs: Vec<u8> = tracks
            .iter()
            .flat_map(|(id, time, samples)| {
                let sample = if *id == 1 { VIDEO.sample } else { AUDIO.sample };
                let sizes: Vec<_> = samples.iter().map(|bytes| (sample, bytes.len())).collect();
                let traf = sized_traf(*id, *time, &sizes, at);
                at += sizes.iter().map(|(_, size)| size).sum::<usize>();
                traf
            })
            .collect();
        boxed(b"moof", &[&full(b"mfhd", 0, 0, &[&words(&[1])]), &trafs])
    };
    let payload: Vec<u8> = tracks
        .iter()
        .flat_map(|(_, _, samples)| samples.concat())
        .collect();
    [write(write(0).len()), boxed(b"mdat", &[&payload])].concat()
}

/// An init segment with as many copies of the track as wanted: CMAF has one.
pub fn init_of(sketch: Sketch, tracks: usize) -> Vec<u8> {
    let ftyp = boxed(b"ftyp", &[b"cmf2\0\0\0\0iso6cmfc"]);
    let mvhd = full(b"mvhd", 0, 0, &[&words(&[sketch.created, 0, 1_000, 0]), &[0; 80]]);
    let traks: Vec<u8> = (0..tracks).flat_map(|_| track(sketch)).collect();
    let trex = full(b"trex", 0, 0, &[&words(&[1, 1, sketch.sample, 0, 0])]);
    [ftyp, boxed(b"moov", &[&mvhd, &traks, &boxed(b"mvex", &[&trex])])].concat()
}

/// An init segment.
pub fn init(sketch: Sketch) -> Vec<u8> {
    init_of(sketch, 1)
}

/// A chunk of `samples` samples of 10 bytes at `time`, the first a sync sample or not.
pub fn chunk(time: u64, samples: u32, syncs: bool) -> Vec<u8> {
    chunk_of(time, samples, syncs, 10)
}

/// A chunk of `samples` samples of `size` bytes at `time`, the first a sync sample or not.
pub fn chunk_of(time: u64, samples: u32, syncs: bool, size: u32) -> Vec<u8> {
    let flags = if syncs { 0x0200_0000 } else { 0x0101_0000 };
    let tfhd = full(b"tfhd", 0, 0x02_0010, &[&words(&[1, size])]);
    let tfdt = full(b"tfdt", 1, 0, &[&time.to_be_bytes()]);
    let trun = full(b"trun", 0, 0x5, &[&words(&[samples, 0, flags])]);
    let moof = boxed(
        b"moof",
        &[
            &full(b"mfhd", 0, 0, &[&words(&[1])]),
            &boxed(b"traf", &[&tfhd, &tfdt, &trun]),
        ],
    );
    let fill = time as u8;
    [moof, boxed(b"mdat", &[&vec![fill; (size * samples) as usize]])].concat()
}

/// A chunk whose `tfdt` has 32 bits.
pub fn narrow_chunk(time: u64, samples: u32, syncs: bool) -> Vec<u8> {
    let flags = if syncs { 0x0200_0000 } else { 0x0101_0000 };
    let tfhd = full(b"tfhd", 0, 0x02_0010, &[&words(&[1, 10])]);
    let tfdt = full(b"tfdt", 0, 0, &[&words(&[time as u32])]);
    let write = |offset: usize| {
        let trun = full(b"trun", 0, 0x5, &[&words(&[samples, offset as u32, flags])]);
        let mfhd = full(b"mfhd", 0, 0, &[&words(&[1])]);
        boxed(b"moof", &[&mfhd, &boxed(b"traf", &[&tfhd, &tfdt, &trun])])
    };
    let moof = write(write(0).len() + 8);
    [moof, boxed(b"mdat", &[&vec![7; 10 * samples as usize]])].concat()
}

/// A `prft` that says that `media_time` was at `unix_ms`.
pub fn prft(unix_ms: i64, media_time: u64) -> Vec<u8> {
    let ntp = ((unix_ms as u128 + 2_208_988_800_000) << 32) / 1000;
    full(
        b"prft",
        1,
        24,
        &[
            &words(&[1]),
            &(ntp as u64).to_be_bytes(),
            &media_time.to_be_bytes(),
        ],
    )
}

/// A `styp`, with `lmsg` on the last segment of a track.
pub fn styp(last: bool) -> Vec<u8> {
    boxed(
        b"styp",
        &[b"cmfs\0\0\0\0", if last { b"cmfslmsg" } else { b"cmfscmff" }],
    )
}

/// A video segment of `frames` frames in chunks of eight.
pub fn video(time: u64, frames: u32) -> Vec<u8> {
    let mut bytes = styp(false);
    for first in (0..frames).step_by(8) {
        let count = (frames - first).min(8);
        bytes.extend(chunk(time + u64::from(first * VIDEO.sample), count, first == 0));
    }
    bytes
}

/// An audio segment of `frames` frames in one chunk.
pub fn audio(time: u64, frames: u32) -> Vec<u8> {
    [styp(false), chunk(time, frames, true)].concat()
}

/// 2026-11-21T12:00:00Z, on the grid of 1.92 s.
pub const NOON: i64 = 1_795_262_400_000;
/// Ticks of a 1.92 s segment.
pub const VIDEO_SEGMENT: u64 = 172_800;
pub const AUDIO_SEGMENT: u64 = 92_160;

/// An origin on a clock of its own, and its folder.
pub struct World {
    pub origin: Origin,
    pub clock: Arc<ManualClock>,
    pub config: Config,
    pub folder: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            data: folder.path().to_owned(),
            ..Config::default()
        };
        change(&mut config);
        let clock = Arc::new(ManualClock::new(UnixMillis(NOON)));
        let origin = Origin::open(config.clone(), clock.clone()).await.unwrap();
        Self {
            origin,
            clock,
            config,
            folder,
        }
    }

    /// Stops the origin in good order and starts another on the same folder.
    pub async fn restart(&mut self) {
        self.origin.save().await.unwrap();
        self.origin = Origin::open(self.config.clone(), self.clock.clone())
            .await
            .unwrap();
    }

    pub async fn send(&self, request: Request<Body>) -> Response {
        self.origin.router().oneshot(request).await.unwrap()
    }

    /// Pushes an object; returns the status and the answer's text.
    pub async fn put(&self, path: &str, body: impl Into<Body>) -> (StatusCode, String) {
        let response = self.send(Request::put(path).body(body.into()).unwrap()).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    pub async fn must_put(&self, path: &str, body: impl Into<Body>) {
        let (status, text) = self.put(path, body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.send(request.body(Body::empty()).unwrap()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        (
            status,
            headers,
            response.into_body().collect().await.unwrap().to_bytes().to_vec(),
        )
    }

    pub async fn text(&self, path: &str) -> String {
        let (status, _, body) = self.get(path, &[]).await;
        let text = String::from_utf8(body).unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text
    }

    /// Pushes the init segments of `video` and `audio`.
    pub async fn begin(&self, channel: &str) {
        self.must_put(&format!("/ingest/{channel}/video/init.mp4"), init(VIDEO))
            .await;
        self.must_put(&format!("/ingest/{channel}/audio/init.mp4"), init(AUDIO))
            .await;
    }

    /// Pushes the segment `slot` of both tracks as our own encoder does: Unix time, number from the grid; the
    /// clock is set to the segment's end.
    pub async fn slot(&self, channel: &str, slot: u64) {
        self.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
        let path = |track| format!("/ingest/{channel}/{track}/{slot}.m4s");
        self.must_put(&path("video"), video(slot * VIDEO_SEGMENT, 48))
            .await;
        self.must_put(&path("audio"), audio(slot * AUDIO_SEGMENT, 90))
            .await;
    }
}

/// The slot of 1.92 s that begins at [`NOON`].
pub const FIRST: u64 = (NOON / 1_920) as u64;

/// A playlist as an independent reader sees it.
pub fn read_playlist(text: &str) -> m3u8_rs::MediaPlaylist {
    match m3u8_rs::parse_playlist_res(text.as_bytes()).unwrap() {
        m3u8_rs::Playlist::MediaPlaylist(playlist) => playlist,
        m3u8_rs::Playlist::MasterPlaylist(_) => panic!("a multivariant playlist"),
    }
}

/// An MPD as an independent reader sees it.
pub fn read_mpd(text: &str) -> dash_mpd_core::MPD {
    dash_mpd_core::parse(text).unwrap()
}
