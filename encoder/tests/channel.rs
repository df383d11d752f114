//! Whole channels through the real encoders, judged by the `ffmpeg` and `ffprobe` commands.
#![cfg(feature = "ffmpeg")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    cell::Cell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use mp4_atom::{Any, Codec, Decode, ReferenceTime};
use selvedge_encoder::{
    clock::{Grid, SAMPLE_RATE, Utc},
    cmaf::Sink,
    config::{Config, File},
    ingest::{FileSource, Sound, Source, fill_sound},
    pipeline::{self, Clock, Output},
    pixel::{Picture, Size, burn::read_strip},
    stats::{Snapshot, TrackStats},
};

/// A clock that moves only when it is waited for, or by a jump that a test plans.
struct TestClock {
    now: Cell<u64>,
    jump: Cell<Option<(u64, u64)>>,
    real: bool,
}

impl TestClock {
    fn at(start: Utc) -> Self {
        Self {
            now: Cell::new(start.0),
            jump: Cell::new(None),
            real: false,
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Utc {
        if let Some((_, by)) = self.jump.get().filter(|(at, _)| self.now.get() >= *at) {
            self.now.set(self.now.get().wrapping_add(by));
            self.jump.set(None);
        }
        Utc(self.now.get())
    }

    fn wait(&self, time: Duration) {
        self.now.set(self.now.get() + time.as_nanos() as u64);
    }

    fn is_real(&self) -> bool {
        self.real
    }
}

#[derive(Default)]
struct Track {
    init: Bytes,
    segments: BTreeMap<u64, Vec<Bytes>>,
    open: u64,
    ended: Vec<u64>,
}

/// Keeps a track in memory, and pulls the stop when told to.
struct Keep {
    track: Arc<Mutex<Track>>,
    stop: Option<(usize, Arc<AtomicBool>)>,
}

impl Sink for Keep {
    fn init(&mut self, init: Bytes) {
        self.track.lock().unwrap().init = init;
    }
    fn begin(&mut self, number: u64) {
        let mut track = self.track.lock().unwrap();
        track.open = number;
        assert!(track.segments.insert(number, Vec::new()).is_none());
    }
    fn chunk(&mut self, chunk: Bytes) {
        let mut track = self.track.lock().unwrap();
        let open = track.open;
        track.segments.get_mut(&open).unwrap().push(chunk);
        let chunks: usize = track.segments.values().map(Vec::len).sum();
        if let Some((after, stop)) = &self.stop
            && chunks >= *after
        {
            stop.store(true, Relaxed);
        }
    }
    fn end(&mut self) {
        let mut track = self.track.lock().unwrap();
        let number = track.open;
        track.ended.push(number);
    }
    fn abort(&mut self) {
        panic!("segment aborted");
    }
}

struct Channel {
    config: Config,
    tracks: BTreeMap<String, Arc<Mutex<Track>>>,
    stats: BTreeMap<String, Snapshot>,
}

fn config(change: File) -> Config {
    let base = File {
        push: Some("http://127.0.0.1:1/ingest/demo".to_owned()),
        ladder: Some(vec!["320x180@400k".to_owned(), "192x108@150k".to_owned()]),
        ..File::default()
    };
    Config::try_from(base.overruled_by(change)).unwrap()
}

fn run(config: Config, clock: &TestClock, stop_after: Option<usize>) -> Channel {
    selvedge_encoder::init_ffmpeg().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (mut tracks, mut all_stats, mut outputs) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (index, (name, _)) in pipeline::tracks(&config).into_iter().enumerate() {
        let track = Arc::new(Mutex::new(Track::default()));
        let stats = Arc::new(TrackStats::new(name.as_str()));
        let stop = stop_after
            .filter(|_| index == 0)
            .map(|after| (after, Arc::clone(&stop)));
        outputs.push(Output {
            stats: Arc::clone(&stats),
            sink: Box::new(Keep {
                track: Arc::clone(&track),
                stop,
            }),
        });
        tracks.insert(name, track);
        all_stats.push(stats);
    }
    pipeline::run(&config, outputs, clock, &stop).unwrap();
    let stats = all_stats
        .iter()
        .map(|stats| (stats.name().to_owned(), stats.snapshot()))
        .collect();
    Channel {
        config,
        tracks,
        stats,
    }
}

impl Channel {
    fn segments(&self, track: &str) -> BTreeMap<u64, Vec<Bytes>> {
        self.tracks[track].lock().unwrap().segments.clone()
    }

    /// Init and all segments in one file.
    fn write(&self, track: &str, folder: &Path) -> PathBuf {
        let kept = self.tracks[track].lock().unwrap();
        let path = folder.join(format!("{track}.mp4"));
        let chunks = kept.segments.values().flatten();
        std::fs::write(
            &path,
            [&kept.init]
                .into_iter()
                .chain(chunks)
                .flatten()
                .copied()
                .collect::<Vec<u8>>(),
        )
        .unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        self.tracks.keys().cloned().collect()
    }

    /// Decode time, number of samples and capture time of each chunk of a segment.
    fn chunks(&self, track: &str, segment: u64) -> Vec<(u64, u64, u64)> {
        let chunks = &self.segments(track)[&segment];
        chunks
            .iter()
            .map(|chunk| {
                let (mut time, mut samples, mut ntp) = (0, 0, 0);
                for found in boxes(chunk) {
                    match found {
                        Any::Moof(moof) => {
                            time = moof.traf[0].tfdt.as_ref().unwrap().base_media_decode_time;
                            samples = moof.traf[0].trun[0].samples.len() as u64;
                        }
                        Any::Prft(prft) => {
                            assert_eq!(prft.utc_time_semantics, ReferenceTime::RealTime);
                            ntp = prft.ntp_timestamp;
                        }
                        _ => {}
                    }
                }
                (time, samples, ntp)
            })
            .collect()
    }
}

fn boxes(mut bytes: &[u8]) -> Vec<Any> {
    let mut boxes = Vec::new();
    while !bytes.is_empty() {
        boxes.push(Any::decode(&mut bytes).unwrap());
    }
    boxes
}

fn has_last_brand(chunk: &[u8]) -> bool {
    boxes(chunk)
        .iter()
        .any(|found| matches!(found, Any::Styp(styp) if styp.compatible_brands.contains(&b"lmsg".into())))
}

/// Runs `ffmpeg` or `ffprobe`, which must have nothing to complain about, and returns what it wrote.
fn tool(name: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(name)
        .args(["-v", "warning"])
        .args(arguments)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{name} {arguments:?}: {complaints}"
    );
    output.stdout
}

fn decode_pictures(path: &Path, size: Size) -> Vec<Picture> {
    let raw = tool(
        "ffmpeg",
        &[
            "-i",
            path.to_str().unwrap(),
            "-f",
            "rawvideo",
            "-pix_fmt",
            "yuv420p",
            "-",
        ],
    );
    let luma = (size.width * size.height) as usize;
    raw.chunks_exact(luma * 3 / 2)
        .map(|frame| {
            let mut picture = Picture::black(size);
            picture.plane_mut(0).copy_from_slice(&frame[..luma]);
            picture
        })
        .collect()
}

const START: Utc = Utc::from_millis(1_800_000_000_321);

#[test]
fn every_rate_gives_whole_aligned_segments_that_decode_without_a_warning() {
    for fps in [24, 25, 30, 50] {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::at(START);
        let channel = run(
            config(File {
                fps: Some(fps),
                duration: Some(5.0),
                ..File::default()
            }),
            &clock,
            None,
        );
        let grid = channel.config.grid;
        let first = grid.segment_of(grid.frame_at(START)) + 1;
        let frames =
            grid.chunk_end(5 * u64::from(fps) + grid.segment_start(first)) - grid.segment_start(first);
        let mut idrs = Vec::new();
        for name in channel.names() {
            let segments = channel.segments(&name);
            let numbers: Vec<_> = segments.keys().copied().collect();
            assert_eq!(numbers[0], first, "{name} at {fps}");
            assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert_eq!(channel.tracks[&name].lock().unwrap().ended, numbers);
            let (timescale, tick) = if name == "audio" {
                (48_000, 1024)
            } else {
                (90_000, u64::from(grid.frame_ticks()))
            };
            for number in &numbers {
                let chunks = channel.chunks(&name, *number);
                let start =
                    u128::from(*number) * u128::from(grid.segment_frames()) * timescale / u128::from(fps);
                assert_eq!(u128::from(chunks[0].0), start, "{name} {number} at {fps}");
                for pair in chunks.windows(2) {
                    assert_eq!(pair[1].0, pair[0].0 + pair[0].1 * tick);
                }
                let last = number == numbers.last().unwrap();
                let length = u128::from(chunks.iter().map(|chunk| chunk.1 * tick).sum::<u64>());
                assert!(last || length * u128::from(fps) == u128::from(grid.segment_frames()) * timescale);
                assert_eq!(
                    has_last_brand(&segments[number][0]),
                    last,
                    "lmsg of {name} {number}"
                );
            }
            let path = channel.write(&name, folder.path());
            let path = path.to_str().unwrap();
            tool("ffmpeg", &["-xerror", "-i", path, "-f", "null", "-"]);
            let counted = tool(
                "ffprobe",
                &[
                    "-count_packets",
                    "-show_entries",
                    "stream=nb_read_packets",
                    "-of",
                    "csv=p=0",
                    path,
                ],
            );
            let counted: u64 = String::from_utf8(counted).unwrap().trim().parse().unwrap();
            if name == "audio" {
                assert_eq!(
                    counted,
                    grid.aac_frame_of(frames + grid.segment_start(first))
                        - first * u64::from(grid.segment_aac_frames())
                );
            } else {
                assert_eq!(counted, frames);
                let flags = tool(
                    "ffprobe",
                    &["-show_entries", "packet=flags", "-of", "csv=p=0", path],
                );
                let flags = String::from_utf8(flags).unwrap();
                let keys: Vec<_> = flags
                    .lines()
                    .enumerate()
                    .filter(|(_, flag)| flag.starts_with('K'))
                    .collect();
                idrs.push(keys.iter().map(|(index, _)| *index as u32).collect::<Vec<_>>());
            }
        }
        let expected: Vec<_> = (0..frames as u32)
            .step_by(grid.segment_frames() as usize)
            .collect();
        assert_eq!(idrs, [expected.clone(), expected], "IDRs of both rungs at {fps}");
    }
}

#[test]
fn the_strip_in_each_decoded_frame_and_prft_tell_the_capture_time() {
    let folder = tempfile::tempdir().unwrap();
    let channel = run(
        config(File {
            duration: Some(2.0),
            ..File::default()
        }),
        &TestClock::at(START),
        None,
    );
    let grid = channel.config.grid;
    for (name, rung) in channel.config.ladder.clone() {
        let (first, chunks) = channel
            .segments(&name)
            .into_iter()
            .next()
            .map(|(n, c)| (n, c.len()))
            .unwrap();
        assert_eq!(chunks, 6);
        for (index, (_, _, ntp)) in channel.chunks(&name, first).into_iter().enumerate() {
            assert_eq!(
                ntp,
                grid.time(grid.segment_start(first) + 8 * index as u64).to_ntp()
            );
        }
        let pictures = decode_pictures(&channel.write(&name, folder.path()), rung.size);
        assert_eq!(pictures.len(), 56);
        for (index, picture) in pictures.iter().enumerate() {
            let captured = grid.time(grid.segment_start(first) + index as u64).as_millis();
            assert_eq!(read_strip(picture), Some(captured), "frame {index} of {name}");
        }
    }
}

/// How many samples later than `expected` the same sound is found in `heard`.
fn lag(heard: &[f32], expected: &[f32]) -> i64 {
    let score = |lag: i64| -> f64 {
        let pairs = expected.iter().enumerate().filter_map(|(index, expected)| {
            let heard = heard.get(usize::try_from(index as i64 + lag).ok()?)?;
            Some(f64::from(heard * expected))
        });
        pairs.sum()
    };
    (-1500..1500)
        .max_by(|a, b| score(*a).total_cmp(&score(*b)))
        .unwrap()
}

#[test]
fn sound_is_heard_at_the_instant_of_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let channel = run(
        config(File {
            duration: Some(3.0),
            ..File::default()
        }),
        &TestClock::at(START),
        None,
    );
    let path = channel.write("audio", folder.path());
    let raw = tool(
        "ffmpeg",
        &["-i", path.to_str().unwrap(), "-ac", "1", "-f", "f32le", "-"],
    );
    let heard: Vec<f32> = raw
        .as_chunks()
        .0
        .iter()
        .map(|sample| f32::from_le_bytes(*sample))
        .collect();
    let first = channel.chunks("audio", *channel.segments("audio").keys().next().unwrap())[0].0;
    // The beep of the first full second after the start, and a little before it.
    let second = first.div_ceil(u64::from(SAMPLE_RATE)) * u64::from(SAMPLE_RATE);
    let from = (second - first) as usize - 200;
    let mut expected = vec![0.0; 10_000];
    fill_sound(Sound::Tone, second - 200, &mut expected);
    let expected: Vec<f32> = expected.iter().step_by(2).copied().collect();
    let mut shifted = vec![0.0; from];
    shifted.extend(expected);
    let lag = lag(&heard, &shifted);
    assert!(lag.abs() < 10, "sound is {lag} samples off");
}

#[test]
fn a_stop_ends_all_tracks_at_the_same_chunk_with_the_last_brand() {
    let clock = TestClock::at(START);
    let channel = run(config(File::default()), &clock, Some(8));
    let mut ends = Vec::new();
    for name in channel.names() {
        let segments = channel.segments(&name);
        let chunks: Vec<_> = segments.values().flatten().collect();
        let marked = chunks.iter().filter(|chunk| has_last_brand(chunk)).count();
        assert_eq!(marked, 1, "{name}");
        let (number, last) = segments.last_key_value().unwrap();
        assert!(last.iter().any(|chunk| has_last_brand(chunk)));
        ends.push((*number, last.len()));
        assert_eq!(channel.tracks[&name].lock().unwrap().ended.last(), Some(number));
    }
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
}

#[test]
fn a_machine_that_is_late_repeats_frames_and_stays_on_the_grid() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    // Two seconds in, the machine sleeps for 0.9 s.
    clock.jump.set(Some((START.0 + 3_000_000_000, 900_000_000)));
    let channel = run(
        config(File {
            duration: Some(5.0),
            ..File::default()
        }),
        &clock,
        None,
    );
    for (name, rung) in &channel.config.ladder {
        let repeated = channel.stats[name].repeated;
        assert!((18..=23).contains(&repeated), "{repeated} frames repeated");
        let pictures = decode_pictures(&channel.write(name, folder.path()), rung.size);
        assert_eq!(pictures.len(), 128);
        let times: Vec<_> = pictures
            .iter()
            .map(|picture| read_strip(picture).unwrap())
            .collect();
        let still = times.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        assert_eq!(
            still, repeated,
            "a repeated frame shows the time when it was captured"
        );
    }
    let path = channel.write("audio", folder.path());
    tool(
        "ffmpeg",
        &["-xerror", "-i", path.to_str().unwrap(), "-f", "null", "-"],
    );
}

#[test]
fn after_a_long_sleep_the_stream_goes_on_at_a_segment_of_the_grid() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    clock.jump.set(Some((START.0 + 3_000_000_000, 20_000_000_000)));
    let channel = run(
        config(File {
            duration: Some(26.0),
            ..File::default()
        }),
        &clock,
        None,
    );
    for name in channel.names() {
        let numbers: Vec<_> = channel.segments(&name).into_keys().collect();
        let hole: Vec<_> = numbers.windows(2).filter(|pair| pair[1] > pair[0] + 1).collect();
        assert_eq!(hole.len(), 1, "{name}: {numbers:?}");
        for number in &numbers {
            let start = channel.chunks(&name, *number)[0].0;
            let timescale = if name == "audio" { 48_000 } else { 90_000 };
            assert_eq!(start * 100, number * 192 * timescale);
        }
        let path = channel.write(&name, folder.path());
        tool(
            "ffmpeg",
            &["-xerror", "-i", path.to_str().unwrap(), "-f", "null", "-"],
        );
    }
}

#[test]
fn after_the_clock_was_set_back_the_stream_goes_on_at_its_new_time() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    let back = 3_600_000_000_000_u64;
    clock
        .jump
        .set(Some((START.0 + 5_000_000_000, back.wrapping_neg())));
    let film = film(folder.path(), Some(48_000));
    let channel = run(
        config(File {
            input: Some(film.to_str().unwrap().to_owned()),
            duration: Some(8.0),
            ..File::default()
        }),
        &clock,
        None,
    );
    assert!(
        clock.now.get() < START.0,
        "the old time was waited for: {}",
        clock.now.get() - START.0
    );
    for name in channel.names() {
        let numbers: Vec<_> = channel.segments(&name).into_keys().collect();
        let holes = numbers.windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
        assert_eq!((holes, numbers.len() > 4), (1, true), "{name}: {numbers:?}");
        for number in &numbers {
            let start = channel.chunks(&name, *number)[0].0;
            let timescale = if name == "audio" { 48_000 } else { 90_000 };
            assert_eq!(start * 100, number * 192 * timescale);
        }
        let path = channel.write(&name, folder.path());
        tool(
            "ffmpeg",
            &["-xerror", "-i", path.to_str().unwrap(), "-f", "null", "-"],
        );
    }
}

/// A clock that stands still and pulls the stop at the first wait.
struct StuckClock(AtomicBool);

impl Clock for StuckClock {
    fn now(&self) -> Utc {
        START
    }

    fn wait(&self, _: Duration) {
        assert!(!self.0.swap(true, Relaxed), "waits on after the stop");
    }

    fn is_real(&self) -> bool {
        true
    }
}

#[test]
fn a_stop_does_not_wait_for_a_frame_that_is_far_off() {
    selvedge_encoder::init_ffmpeg().unwrap();
    let config = config(File::default());
    let outputs = pipeline::tracks(&config).into_iter().map(|(name, _)| Output {
        stats: Arc::new(TrackStats::new(name)),
        sink: Box::new(Keep {
            track: Arc::default(),
            stop: None,
        }),
    });
    let clock = StuckClock(AtomicBool::new(false));
    pipeline::run(&config, outputs.collect(), &clock, &clock.0).unwrap();
}

#[test]
fn init_segments_are_cmaf_headers_with_rates_and_colour() {
    let channel = run(
        config(File {
            duration: Some(0.3),
            ..File::default()
        }),
        &TestClock::at(START),
        None,
    );
    let again = run(
        config(File {
            duration: Some(0.3),
            ..File::default()
        }),
        &TestClock::at(START),
        None,
    );
    for name in channel.names() {
        let init = channel.tracks[&name].lock().unwrap().init.clone();
        assert_eq!(
            init,
            again.tracks[&name].lock().unwrap().init,
            "the same settings give the same header"
        );
        let found = boxes(&init);
        let [Any::Ftyp(ftyp), Any::Moov(moov)] = &found[..] else {
            panic!("{found:?}")
        };
        assert!(ftyp.compatible_brands.contains(&b"cmfc".into()));
        let track = &moov.trak[0];
        assert!(moov.udta.is_none() && track.edts.is_none() && moov.mvex.is_some());
        match &track.mdia.minf.stbl.stsd.codecs[0] {
            Codec::Avc1(avc) => {
                assert_eq!(track.mdia.mdhd.timescale, 90_000);
                assert!(avc.btrt.is_some() && avc.colr.is_some());
                assert!(!avc.avcc.sequence_parameter_sets.is_empty());
            }
            Codec::Mp4a(aac) => {
                assert_eq!(track.mdia.mdhd.timescale, 48_000);
                assert_eq!(aac.btrt.as_ref().unwrap().avg_bitrate, 128_000);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A lossless film whose luma counts its 45 frames at 30 a second, with sound of exactly the same length or none.
fn film(folder: &Path, rate: Option<u32>) -> PathBuf {
    let path = folder.join("film.mov");
    let picture = "color=black:size=64x36:rate=30,format=yuv420p,geq=lum='20+4*N':cb=128:cr=128";
    let sound = rate.map(|rate| format!("sine=frequency=440:sample_rate={rate}"));
    let mut arguments = vec!["-y", "-f", "lavfi", "-t", "1.5", "-i", picture];
    if let Some(sound) = &sound {
        arguments.extend(["-f", "lavfi", "-t", "1.5", "-i", sound, "-c:a", "pcm_s16le"]);
    }
    // Lossless, so that the count can be read off.
    arguments.extend(["-c:v", "libx264", "-qp", "0", path.to_str().unwrap()]);
    tool("ffmpeg", &arguments);
    path
}

#[test]
fn a_film_of_another_rate_is_looped_without_a_gap() {
    selvedge_encoder::init_ffmpeg().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let film = film(folder.path(), Some(48_000));
    let grid = Grid::with_default_cadence(25).unwrap();
    let mut source = FileSource::open(film.to_str().unwrap(), grid, Sound::Tone).unwrap();
    assert_eq!(
        source.shape(),
        Size {
            width: 64,
            height: 36
        }
    );
    let origin = 45_000_000_000;
    let mut sound = Vec::new();
    for frame in 0..200u64 {
        let picture = source.picture(origin + frame).unwrap();
        let shown = (u64::from(picture.plane(0)[0]) - 20) / 4;
        assert_eq!(shown, (frame * 6 / 5) % 45, "frame {frame}");
        let mut samples = vec![0.0; 1920 * 2];
        source
            .sound(grid.sample_of(origin + frame), &mut samples)
            .unwrap();
        sound.extend(samples.into_iter().step_by(2));
    }
    // 1.5 s hold 660 whole waves, so the sound goes on unbroken over the loops: each sample follows from the two before.
    let turn = 2.0 * (std::f64::consts::TAU * 440.0 / 48_000.0).cos();
    for (index, three) in sound.windows(3).enumerate() {
        let [a, b, c] = [three[0], three[1], three[2]].map(f64::from);
        assert!((turn * b - a - c).abs() < 1e-3, "sound breaks at sample {index}");
    }
}

#[test]
fn sound_of_another_rate_keeps_its_pace_over_loops() {
    selvedge_encoder::init_ffmpeg().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let film = film(folder.path(), Some(44_100));
    let grid = Grid::with_default_cadence(25).unwrap();
    let mut source = FileSource::open(film.to_str().unwrap(), grid, Sound::Tone).unwrap();
    let origin = 45_000_000_000;
    source.picture(origin).unwrap();
    let mut sound = vec![0.0; 48_000 * 9 * 2];
    for (index, part) in sound.chunks_mut(1920 * 2).enumerate() {
        source
            .sound(grid.sample_of(origin) + index as u64 * 1920, part)
            .unwrap();
        source.picture(origin + index as u64).unwrap();
    }
    let rising = sound
        .chunks_exact(2)
        .zip(sound.chunks_exact(2).skip(1))
        .filter(|(a, b)| a[0] < 0.0 && b[0] >= 0.0);
    let waves = rising.count() as i64;
    assert!((waves - 440 * 9).abs() <= 8, "{waves} waves in 9 s");
}

#[test]
fn after_a_hole_a_film_goes_on_where_it_was() {
    selvedge_encoder::init_ffmpeg().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let film = film(folder.path(), Some(48_000));
    let grid = Grid::with_default_cadence(25).unwrap();
    let mut source = FileSource::open(film.to_str().unwrap(), grid, Sound::Tone).unwrap();
    let origin = 45_000_000_000;
    let shown = |source: &mut FileSource, frame| (source.picture(frame).unwrap().plane(0)[0] - 20) / 4;
    let mut sound = vec![0.0; 1920 * 2];
    for frame in origin..origin + 10 {
        source.picture(frame).unwrap();
        source.sound(grid.sample_of(frame), &mut sound).unwrap();
    }
    assert_eq!(shown(&mut source, origin + 10), 12);
    // Days later, and a second before the start: neither plays what lies between.
    for later in [origin + 10_000_000, origin - 25] {
        source.resume_at(later);
        let before = shown(&mut source, later);
        assert_eq!(shown(&mut source, later + 5), before + 6);
        source.sound(grid.sample_of(later + 5), &mut sound).unwrap();
        assert!(sound.iter().any(|sample| sample.abs() > 0.05));
    }
}

#[test]
fn a_film_does_not_play_the_hours_that_the_machine_slept() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    let slept = 48 * 3600;
    clock
        .jump
        .set(Some((START.0 + 3_000_000_000, slept * 1_000_000_000)));
    let began = std::time::Instant::now();
    let channel = run(
        config(File {
            input: Some(film(folder.path(), Some(48_000)).to_str().unwrap().to_owned()),
            duration: Some(slept as f64 + 6.0),
            ..File::default()
        }),
        &clock,
        None,
    );
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    for name in channel.names() {
        let numbers: Vec<_> = channel.segments(&name).into_keys().collect();
        let holes = numbers.windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
        assert_eq!(holes, 1, "{name}: {numbers:?}");
    }
}

#[test]
fn sound_that_changes_its_rate_in_the_middle_of_a_film_goes_on() {
    selvedge_encoder::init_ffmpeg().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.ts");
    let mut joined = Vec::new();
    for (rate, channels, start) in [("48000", "2", "0"), ("44100", "1", "2")] {
        let part = folder.path().join(format!("{rate}.ts"));
        let sound = format!("sine=frequency=440:sample_rate={rate}");
        let mut arguments = vec!["-y", "-f", "lavfi", "-i", "color=black:size=64x36:rate=25"];
        arguments.extend([
            "-f", "lavfi", "-i", &sound, "-t", "2", "-c:a", "aac", "-ac", channels,
        ]);
        arguments.extend(["-c:v", "libx264", "-bf", "0", "-output_ts_offset", start]);
        arguments.push(part.to_str().unwrap());
        tool("ffmpeg", &arguments);
        joined.extend(std::fs::read(part).unwrap());
    }
    std::fs::write(&film, joined).unwrap();
    let grid = Grid::with_default_cadence(25).unwrap();
    let mut source = FileSource::open(film.to_str().unwrap(), grid, Sound::Tone).unwrap();
    let origin = 45_000_000_000;
    let mut sound = vec![0.0; 1920 * 2];
    let mut loudest = Vec::new();
    for frame in origin..origin + 90 {
        source.picture(frame).unwrap();
        source.sound(grid.sample_of(frame), &mut sound).unwrap();
        loudest.push(sound.iter().copied().fold(0.0, f32::max));
    }
    for part in [&loudest[10..40], &loudest[60..90]] {
        assert!(part.iter().all(|peak| *peak > 0.05), "{loudest:?}");
    }
}

#[test]
fn a_film_without_sound_gets_the_tone_and_a_film_is_letterboxed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mkv");
    let picture = "color=white:size=128x36:rate=25,format=yuv420p";
    tool(
        "ffmpeg",
        &[
            "-y",
            "-f",
            "lavfi",
            "-t",
            "0.4",
            "-i",
            picture,
            "-c:v",
            "ffv1",
            path.to_str().unwrap(),
        ],
    );
    let input = Some(path.to_str().unwrap().to_owned());
    let config = config(File {
        input,
        duration: Some(1.9),
        clock: Some("none".to_owned()),
        ..File::default()
    });
    let channel = run(config, &TestClock::at(START), None);
    let size = channel.config.ladder[0].1.size;
    let pictures = decode_pictures(&channel.write("video-180p", folder.path()), size);
    let luma = |row: usize| pictures[30].plane(0)[row * 320 + 160];
    assert!(
        luma(10) < 30 && luma(90) > 220 && luma(170) < 30,
        "{} {} {}",
        luma(10),
        luma(90),
        luma(170)
    );
    let path = channel.write("audio", folder.path());
    let raw = tool(
        "ffmpeg",
        &["-i", path.to_str().unwrap(), "-ac", "1", "-f", "f32le", "-"],
    );
    let loudest = raw
        .as_chunks()
        .0
        .iter()
        .map(|sample| f32::from_le_bytes(*sample).abs())
        .fold(0.0, f32::max);
    assert!(loudest > 0.15);
}

#[test]
fn inputs_that_are_none_are_refused_with_their_name() {
    selvedge_encoder::init_ffmpeg().unwrap();
    let grid = Grid::with_default_cadence(25).unwrap();
    let missing = FileSource::open("no/such/film.mp4", grid, Sound::Tone)
        .err()
        .unwrap();
    assert_eq!(
        missing.to_string(),
        "cannot open no/such/film.mp4: No such file or directory"
    );
}
