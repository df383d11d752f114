//! What the watermark costs: time per picture, quality against an unmarked encode at the same rate, bytes of padding,
//! and what there is to see where a viewer's variant changes.
//!
//! Arguments: an `ffmpeg` with libvmaf, and the folder of the clips; `scripts/bench-watermark.sh` brings both. Without
//! them only the time is measured.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops here")]

use std::{
    fs::{self, File as Disk},
    hint::black_box,
    io::{BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use selvedge_encoder::{
    clock::Grid,
    cmaf::Sink,
    config::{Config, File, WatermarkFile},
    pipeline::{self, Output},
    pixel::{Mark, Picture, Size, TestPicture, mark::Strength},
    stats::TrackStats,
};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SEGMENT: u64 = 48;

/// Input, size, rate in kbit/s, segments.
const CASES: [(&str, u32, u32, u32, u64); 6] = [
    ("bikes.mp4", 640, 272, 400, 4),
    ("bigbuckbunny.mp4", 1280, 720, 2200, 2),
    ("test", 1280, 720, 2200, 2),
    ("bikes.mp4", 640, 272, 1000, 4),
    ("bikes.mp4", 640, 272, 200, 4),
    ("bigbuckbunny.mp4", 1280, 720, 800, 2),
];

fn main() {
    time();
    // Cargo's own flag comes first.
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let [ffmpeg, clips, rest @ ..] = &arguments[..] else {
        return;
    };
    let strength = rest.first().map_or(1.0, |word| word.parse().unwrap());
    quality(Path::new(ffmpeg), Path::new(clips), strength);
}

/// Marks a 1080p picture beside copying it into two, which any two variants need.
fn time() {
    let size = Size {
        width: 1920,
        height: 1080,
    };
    let grid = Grid::with_default_cadence(25).unwrap();
    let picture = TestPicture::new(size, grid, "MARK").draw(24);
    let mut mark = Mark::new(size, grid, KEY.parse().unwrap(), Strength::DEFAULT);
    let (mut a, mut b) = (Picture::black(size), Picture::black(size));
    let (mut marked, mut copied) = (Vec::new(), Vec::new());
    for frame in 0..120 {
        let started = Instant::now();
        mark.apply(black_box(&picture), frame, &mut a, &mut b);
        marked.push(started.elapsed());
        let started = Instant::now();
        a.copy_from(black_box(&picture));
        b.copy_from(black_box(&picture));
        copied.push(started.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1000.0
    };
    let (marked, copied) = (median(&mut marked), median(&mut copied));
    println!(
        "both variants of a 1080p picture: {marked:.2} ms, {:.1} × two copies",
        marked / copied
    );
}

/// A rendition as it was encoded.
#[derive(Default)]
struct Encoded {
    init: Bytes,
    segments: Vec<Vec<u8>>,
}

#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Encoded>>);

impl Sink for Keep {
    fn init(&mut self, init: Bytes) {
        self.0.lock().unwrap().init = init;
    }
    fn begin(&mut self, _: u64) {
        self.0.lock().unwrap().segments.push(Vec::new());
    }
    fn chunk(&mut self, chunk: Bytes) {
        let mut encoded = self.0.lock().unwrap();
        encoded.segments.last_mut().unwrap().extend_from_slice(&chunk);
    }
    fn end(&mut self) {}
    fn abort(&mut self) {
        panic!("segment aborted");
    }
}

impl Encoded {
    fn bytes(&self) -> usize {
        self.segments.iter().map(Vec::len).sum()
    }

    /// Bytes of the messages that bring samples to one size: no other message has that many ones.
    fn padding(&self) -> usize {
        let padding = |segment: &Vec<u8>| {
            let mut bytes = 0;
            let mut at = 0;
            while let Some(found) = segment.get(at..at + 24) {
                let length = found
                    .first_chunk()
                    .map_or(0, |length| u32::from_be_bytes(*length) as usize);
                if found[4..6] == [6, 5]
                    && found[8..23] == [0xff; 15]
                    && segment.get(at + 3 + length) == Some(&0x80)
                {
                    bytes += 4 + length;
                    at += 4 + length;
                } else {
                    at += 1;
                }
            }
            bytes
        };
        self.segments.iter().map(padding).sum()
    }

    fn write(&self, path: &Path, init: &Bytes, other: &Self) {
        let mut file = Disk::create(path).unwrap();
        file.write_all(init).unwrap();
        for (place, (own, other)) in self.segments.iter().zip(&other.segments).enumerate() {
            file.write_all(if place % 2 == 0 { own } else { other }).unwrap();
        }
    }
}

fn config(input: &str, size: Size, rate: u32, strength: Option<f64>) -> Config {
    let file = File {
        input: Some(input.to_owned()),
        push: Some("http://127.0.0.1:1/ingest/bench".to_owned()),
        ladder: Some(vec![format!("{size}@{rate}k")]),
        clock: Some("none".to_owned()),
        encoders: Some(vec!["libx264".to_owned()]),
        watermark: strength.map(|strength| WatermarkFile {
            key: Some(KEY.to_owned()),
            strength: Some(strength),
            ..WatermarkFile::default()
        }),
        ..File::default()
    };
    Config::try_from(file).unwrap()
}

/// Encodes the picture's tracks.
fn encode(config: &Config, frames: u64) -> Vec<Encoded> {
    let mut source = pipeline::open_source(config).unwrap();
    let mut kept = Vec::new();
    let outputs = pipeline::tracks(config).into_iter().map(|(name, _)| {
        let keep = Keep::default();
        kept.push(keep.clone());
        Output {
            stats: Arc::new(TrackStats::new(name)),
            sink: Box::new(keep),
        }
    });
    let outputs = outputs.collect();
    pipeline::record(config, &mut *source, outputs, frames).unwrap();
    kept.pop();
    let taken = |keep: Keep| std::mem::take(&mut *keep.0.lock().unwrap());
    kept.into_iter().map(taken).collect()
}

fn quality(ffmpeg: &Path, clips: &Path, strength: f64) {
    selvedge_encoder::init_ffmpeg().unwrap();
    println!(
        "\n| clip | kbit/s | VMAF | of A | of B | PSNR | of A | of B | SSIM | of A | of B | bytes | of that padding |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut seen = Vec::new();
    for (input, width, height, rate, segments) in CASES {
        let size = Size { width, height };
        let path = if input == "test" {
            PathBuf::from(input)
        } else {
            clips.join(input)
        };
        let path = path.to_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let frames = segments * SEGMENT;

        let plain_config = config(path, size, rate, None);
        let reference = file("reference.yuv");
        let mut source = pipeline::open_source(&plain_config).unwrap();
        let mut out = BufWriter::new(Disk::create(&reference).unwrap());
        for frame in 0..frames {
            let picture = source.picture(frame).unwrap();
            assert_eq!(picture.size(), size);
            (0..3).for_each(|plane| out.write_all(picture.plane(plane)).unwrap());
        }
        out.flush().unwrap();

        let plain = encode(&plain_config, frames).remove(0);
        let variants = encode(&config(path, size, rate, Some(strength)), frames);
        let [a, b] = &variants[..] else {
            panic!("two variants")
        };
        assert_eq!(a.bytes(), b.bytes());
        let init = &a.init;
        plain.write(&file("plain.mp4"), &plain.init, &plain);
        a.write(&file("a.mp4"), init, a);
        b.write(&file("b.mp4"), init, b);
        a.write(&file("mixed.mp4"), init, b);

        let scores = ["plain.mp4", "a.mp4", "b.mp4"].map(|name| judge(ffmpeg, &file(name), &reference, size));
        let cell = |at: usize, digits: usize| {
            let [plain, a, b] = scores.map(|score| score[at]);
            format!(
                "{plain:.digits$} | {:+.digits$} | {:+.digits$}",
                a - plain,
                b - plain
            )
        };
        let share = |bytes: usize| bytes as f64 / plain.bytes() as f64 * 100.0;
        println!(
            "| {input} | {rate} | {} | {} | {} | {:+.1} % | {:.1} % |",
            cell(0, 2),
            cell(1, 2),
            cell(2, 4),
            share(a.bytes()) - 100.0,
            share((a.padding() + b.padding()) / 2)
        );
        let steps = ["plain.mp4", "mixed.mp4"].map(|name| steps(&file(name), &reference, size));
        seen.push((input, rate, steps));
    }
    println!(
        "\n| clip | kbit/s | unmarked, boundary | A to B, boundary | unmarked, inside | marked, inside |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (input, rate, [plain, mixed]) in seen {
        println!(
            "| {input} | {rate} | {:.3} | {:.3} | {:.3} | {:.3} |",
            plain.0, mixed.0, plain.1, mixed.1
        );
    }
}

/// VMAF, PSNR of luma and SSIM of an encode.
fn judge(ffmpeg: &Path, encode: &Path, reference: &Path, size: Size) -> [f64; 3] {
    let log = encode.with_extension("json");
    let filter = format!(
        "[0:v]settb=1/25,setpts=N[a];[1:v]settb=1/25,setpts=N[b];[a][b]libvmaf=feature=name=psnr|name=float_ssim:\
         log_fmt=json:log_path={}",
        log.display()
    );
    let status = Command::new(ffmpeg)
        .args(["-v", "error", "-i"])
        .arg(encode)
        .args([
            "-f",
            "rawvideo",
            "-pix_fmt",
            "yuv420p",
            "-r",
            "25",
            "-s",
            &size.to_string(),
            "-i",
        ])
        .arg(reference)
        .args(["-lavfi", &filter, "-fps_mode", "passthrough", "-f", "null", "-"])
        .status();
    assert!(status.unwrap().success());
    let scores: serde_json::Value = serde_json::from_slice(&fs::read(log).unwrap()).unwrap();
    ["vmaf", "psnr_y", "float_ssim"].map(|name| scores["pooled_metrics"][name]["mean"].as_f64().unwrap())
}

/// What an encode adds to the source changes from frame to frame: the root mean square of that change over the means of
/// 16 by 16 pixels, which is what of it an eye may see as flicker, in code values. At segment boundaries, and elsewhere.
fn steps(encode: &Path, reference: &Path, size: Size) -> (f64, f64) {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut decoder = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(encode)
        .args(["-pix_fmt", "gray", "-f", "rawvideo", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut decoded = BufReader::new(decoder.stdout.take().unwrap());
    let mut reference = BufReader::new(Disk::open(reference).unwrap());
    let (mut luma, mut source) = (vec![0; width * height], vec![0; width * height * 3 / 2]);
    let (mut boundary, mut inside) = (Vec::new(), Vec::new());
    let mut last = Vec::<f64>::new();
    let mut frame = 0;
    while decoded.read_exact(&mut luma).is_ok() && reference.read_exact(&mut source).is_ok() {
        let columns = width.div_ceil(16);
        let (mut sums, mut counts) = (vec![0i32; columns * height.div_ceil(16)], Vec::new());
        counts.resize(sums.len(), 0i32);
        for (at, (coded, source)) in luma.iter().zip(&source).enumerate() {
            let block = at / width / 16 * columns + at % width / 16;
            sums[block] += i32::from(*coded) - i32::from(*source);
            counts[block] += 1;
        }
        let means: Vec<_> = sums
            .iter()
            .zip(&counts)
            .map(|(sum, count)| f64::from(*sum) / f64::from(*count))
            .collect();
        if !last.is_empty() {
            let squares: f64 = means
                .iter()
                .zip(&last)
                .map(|(now, before)| (now - before).powi(2))
                .sum();
            let all = if frame % SEGMENT == 0 {
                &mut boundary
            } else {
                &mut inside
            };
            all.push(squares / means.len() as f64);
        }
        last = means;
        frame += 1;
    }
    assert!(decoder.wait().unwrap().success());
    let root = |squares: &[f64]| (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    (root(&boundary), root(&inside))
}
