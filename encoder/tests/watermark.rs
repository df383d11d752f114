//! A watermarked rendition through the real encoders, judged by the `ffmpeg` command and by a detector of a few lines.
#![cfg(feature = "ffmpeg")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use selvedge_encoder::{
    cmaf::Sink,
    config::{Config, File, WatermarkFile},
    pipeline::{self, Output},
    pixel::{Mark, Size, TestPicture, mark::Strength},
    stats::TrackStats,
};
use selvedge_watermark::pace::{PaceInfo, Variant};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SIZE: Size = Size {
    width: 320,
    height: 180,
};
const SEGMENT: u64 = 48;
const FRAMES: u64 = 3 * SEGMENT;

#[derive(Default)]
struct Track {
    init: Bytes,
    /// Number, pace information, chunks.
    segments: Vec<(u64, Option<PaceInfo>, Vec<Bytes>)>,
    /// Which chunk of all tracks each of this track's was.
    order: Vec<usize>,
}

struct Keep {
    track: Arc<Mutex<Track>>,
    clock: Arc<Mutex<usize>>,
}

impl Sink for Keep {
    fn init(&mut self, init: Bytes) {
        self.track.lock().unwrap().init = init;
    }
    fn begin(&mut self, number: u64) {
        self.track
            .lock()
            .unwrap()
            .segments
            .push((number, None, Vec::new()));
    }
    fn begin_marked(&mut self, number: u64, pace: PaceInfo) {
        let mut track = self.track.lock().unwrap();
        track.segments.push((number, Some(pace), Vec::new()));
    }
    fn chunk(&mut self, chunk: Bytes) {
        let mut track = self.track.lock().unwrap();
        let mut clock = self.clock.lock().unwrap();
        *clock += 1;
        track.order.push(*clock);
        track.segments.last_mut().unwrap().2.push(chunk);
    }
    fn end(&mut self) {}
    fn abort(&mut self) {
        panic!("segment aborted");
    }
}

fn record(watermark: WatermarkFile) -> (Config, BTreeMap<String, Track>) {
    selvedge_encoder::init_ffmpeg().unwrap();
    let file = File {
        push: Some("http://127.0.0.1:1/ingest/demo".to_owned()),
        ladder: Some(vec!["320x180@500k".to_owned(), "192x108@150k".to_owned()]),
        clock: Some("none".to_owned()),
        preset: Some("veryfast".to_owned()),
        encoders: Some(vec!["libx264".to_owned()]),
        watermark: Some(watermark),
        ..File::default()
    };
    let config = Config::try_from(file).unwrap();
    let mut source = pipeline::open_source(&config).unwrap();
    let mut kept = Vec::new();
    let mut clocks = BTreeMap::<String, Arc<Mutex<usize>>>::new();
    let outputs = pipeline::tracks(&config).into_iter().map(|(name, _)| {
        let track = Arc::new(Mutex::new(Track::default()));
        kept.push((name.clone(), Arc::clone(&track)));
        // Variants of a rendition count together.
        let rendition = name.split('/').next().unwrap().to_owned();
        let clock = Arc::clone(clocks.entry(rendition).or_default());
        Output {
            stats: Arc::new(TrackStats::new(name.as_str())),
            sink: Box::new(Keep { track, clock }),
        }
    });
    let outputs = outputs.collect();
    pipeline::record(&config, &mut *source, outputs, FRAMES).unwrap();
    let tracks = kept
        .into_iter()
        .map(|(name, track)| (name, std::mem::take(&mut *track.lock().unwrap())));
    (config, tracks.collect())
}

fn marked() -> WatermarkFile {
    WatermarkFile {
        key: Some(KEY.to_owned()),
        renditions: Some(vec!["video-180p".to_owned()]),
        ..WatermarkFile::default()
    }
}

/// Everything before the coded media.
fn header(chunk: &[u8]) -> &[u8] {
    let at = chunk.windows(4).position(|kind| kind == b"mdat").unwrap();
    &chunk[..at + 4]
}

/// Init segment and segments in one file, variant by variant as `choose` says.
fn write(path: &Path, a: &Track, b: &Track, choose: impl Fn(usize) -> Variant) {
    let mut bytes = a.init.to_vec();
    for (place, (one, other)) in a.segments.iter().zip(&b.segments).enumerate() {
        let (_, _, chunks) = if choose(place) == Variant::A { one } else { other };
        chunks.iter().for_each(|chunk| bytes.extend_from_slice(chunk));
    }
    std::fs::write(path, bytes).unwrap();
}

/// The luma of all frames, and what the decoder had to say.
fn decode(path: &Path) -> (Vec<u8>, String) {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-i"])
        .arg(path)
        .args(["-map", "0:v", "-pix_fmt", "gray", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    (output.stdout, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn variants_are_the_same_but_for_the_picture() {
    let (config, tracks) = record(marked());
    let names: Vec<_> = pipeline::tracks(&config)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["video-180p", "video-180p/b", "video-108p", "audio"]);
    let (a, b) = (&tracks["video-180p"], &tracks["video-180p/b"]);
    assert!(!a.init.is_empty() && b.init.is_empty());
    assert_eq!((a.segments.len(), b.segments.len()), (3, 3));
    for (slot, (one, other)) in a.segments.iter().zip(&b.segments).enumerate() {
        assert_eq!((one.0, other.0), (slot as u64, slot as u64));
        for (segment, variant) in [(one, Variant::A), (other, Variant::B)] {
            let pace = segment.1.unwrap();
            assert_eq!(
                (pace.variant, pace.position.index()),
                (variant, Some(slot as u16))
            );
        }
        assert_eq!((one.2.len(), other.2.len()), (6, 6));
        for (one, other) in one.2.iter().zip(&other.2) {
            assert_eq!(one.len(), other.len());
            assert_eq!(header(one), header(other));
            assert_ne!(one, other);
        }
    }
    // A chunk leaves both ways before the next one leaves either.
    let pairs = a.order.iter().zip(&b.order);
    assert!(
        pairs
            .enumerate()
            .all(|(at, (a, b))| (*a, *b) == (2 * at + 1, 2 * at + 2))
    );
    assert!(
        tracks["video-108p"]
            .segments
            .iter()
            .all(|segment| segment.1.is_none())
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixed.mp4");
    write(&path, a, b, |place| Variant::of_bit(place % 2 == 1));
    let (luma, warnings) = decode(&path);
    assert_eq!(warnings, "");
    assert_eq!(luma.len() as u64, FRAMES * 320 * 180);

    // A detector that knows the key: the variants' difference holds the pattern, and no other one.
    let [luma_a, luma_b] = [Variant::A, Variant::B].map(|variant| {
        let path = folder.path().join(format!("{variant}.mp4"));
        write(&path, a, b, |_| variant);
        decode(&path).0
    });
    let picture = TestPicture::new(SIZE, config.grid, &config.name);
    for segment in 0..3 {
        let share = |key: &str| {
            let mut mark = Mark::new(SIZE, config.grid, key.parse().unwrap(), Strength::DEFAULT);
            let (mut found, mut there) = (0.0, 0.0);
            for frame in (segment * SEGMENT..(segment + 1) * SEGMENT).step_by(6) {
                let at = frame as usize * 320 * 180;
                let amplitudes = mark.amplitudes(&picture.draw(frame), frame);
                let decoded = luma_a[at..].iter().zip(&luma_b[at..]);
                for ((a, b), amplitude) in decoded.zip(amplitudes) {
                    let amplitude = f64::from(amplitude) / 8192.0;
                    found += (f64::from(*a) - f64::from(*b)) / 2.0 * amplitude;
                    there += amplitude * amplitude;
                }
            }
            found / there
        };
        let (own, other) = (share(KEY), share(OTHER));
        assert!(
            own > 0.3 && other.abs() < own / 2.0,
            "segment {segment}: {own} and {other}"
        );
    }
}

#[test]
fn the_box_says_in_the_segment_what_the_header_says_beside_it() {
    let (_, tracks) = record(WatermarkFile {
        carrier: Some("box".to_owned()),
        ..marked()
    });
    for (name, variant) in [("video-180p", Variant::A), ("video-180p/b", Variant::B)] {
        for (number, pace, chunks) in &tracks[name].segments {
            assert_eq!(*pace, None);
            let boxes = chunks.iter().filter_map(|chunk| {
                let at = chunk.windows(4).position(|kind| kind == b"wmpi")? - 4;
                Some(PaceInfo::of_box(&chunk[at..at + 13]).unwrap())
            });
            let boxes: Vec<_> = boxes.collect();
            assert_eq!(boxes.len(), 1);
            assert_eq!(boxes[0].variant, variant);
            assert_eq!(boxes[0].position.index().map(u64::from), Some(*number));
        }
    }
}
