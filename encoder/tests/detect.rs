//! A leak from the encoder to the name: a session's copy of a channel with both variants is recorded in bad quality from
//! somewhere in the middle on, and the detector says whose it was.
#![cfg(feature = "ffmpeg")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use selvedge_encoder::{
    config::{Config, File, WatermarkFile},
    detect::{DetectError, Request, detect},
    pipeline::{self, Output},
    push::FolderSink,
    stats::TrackStats,
};
use selvedge_watermark::{
    code::{CodeKey, Design, Event, Session},
    pace::{CYCLE, Variant},
    recording::Recording,
    soft::{Calibration, Verdict},
    trial::Trial,
};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const EVENT: Event<'static> = Event {
    service: "demo",
    epoch: 0,
    design: Design::Two,
};
const SEGMENT: u64 = 24;
const SEGMENTS: u64 = 16;
const FPS: u64 = 25;

/// A picture that never comes again: a game of life, out of focus.
const SCENE: &str = "life=size=40x22:rate=3:seed=7:ratio=0.35:mold=6:death_color=0x303030:life_color=0xc0c0c0:mold_color=0x707070,\
                     scale=320:180:flags=bicubic,gblur=sigma=3,fps=25,tmix=frames=6,format=yuv420p";

fn archive(folder: &Path) {
    selvedge_encoder::init_ffmpeg().unwrap();
    let scene = folder.join("scene.mp4");
    let drawn = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            SCENE,
            "-t",
            "24",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ])
        .args(["-crf", "10"])
        .arg(&scene)
        .status();
    assert!(drawn.unwrap().success());
    let file = File {
        input: Some(scene.to_str().unwrap().to_owned()),
        clock: Some("none".to_owned()),
        push: Some("http://127.0.0.1:1/ingest/demo".to_owned()),
        ladder: Some(vec!["320x180@400k".to_owned()]),
        preset: Some("ultrafast".to_owned()),
        encoders: Some(vec!["libx264".to_owned()]),
        segment_frames: Some(SEGMENT as u32),
        chunk_frames: Some(8),
        watermark: Some(WatermarkFile {
            key: Some(KEY.to_owned()),
            ..WatermarkFile::default()
        }),
        ..File::default()
    };
    let config = Config::try_from(file).unwrap();
    let outputs = pipeline::tracks(&config).into_iter().map(|(name, _)| Output {
        sink: Box::new(FolderSink::new(folder, &name).unwrap()),
        stats: Arc::new(TrackStats::new(name)),
    });
    let outputs = outputs.collect();
    let mut source = pipeline::open_source(&config).unwrap();
    pipeline::record(&config, &mut *source, outputs, SEGMENTS * SEGMENT).unwrap();
}

fn key() -> CodeKey {
    CodeKey::from_secret(&[9; 32])
}

/// What a session got.
fn copy(archive: &Path, session: &str) -> PathBuf {
    let folder = archive.join("video-180p");
    let mut bytes = fs::read(folder.join("init.mp4")).unwrap();
    for segment in 0..SEGMENTS as u16 {
        let session = Session {
            operator: 0,
            id: session,
        };
        let variant = Variant::of_bit(key().bit(&EVENT, &session, segment));
        bytes.extend(fs::read(folder.join(variant.path(&format!("{segment}.m4s")))).unwrap());
    }
    let path = archive.join(format!("{session}.mp4"));
    fs::write(&path, bytes).unwrap();
    path
}

fn record(inputs: &[PathBuf], filter: &str, out: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y"]);
    for input in inputs {
        command.arg("-i").arg(input);
    }
    command.args([
        "-filter_complex",
        filter,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-crf",
        "26",
    ]);
    assert!(command.arg(out).status().unwrap().success());
}

fn read(archive: &Path, capture: PathBuf) -> Recording {
    let request = Request {
        capture,
        archive: archive.to_owned(),
        rendition: None,
        begin: None,
    };
    detect(&request).unwrap()
}

fn viewer(number: u32) -> String {
    format!("viewer-{number}")
}

/// Of sixty viewers, who is accused of a recording.
fn accused(recording: &Recording) -> Vec<String> {
    let key = key();
    let readings = Calibration::of(&recording.segments).readings(&recording.segments, CYCLE);
    let trial = Trial::new(&key, EVENT, CYCLE, &readings, 60, 0.05).unwrap();
    let is_accused = |id: &String| {
        let session = Session { operator: 0, id };
        trial.accuses(trial.standing(&session))
    };
    (0..60).map(viewer).filter(is_accused).collect()
}

#[test]
fn a_recording_names_whose_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let archive_folder = folder.path();
    archive(archive_folder);
    let out = folder.path().join("capture.mp4");

    // From a second and a half on, smaller, a little cut off, at another rate, darker.
    let one = copy(archive_folder, "viewer-7");
    let filter = "trim=start=1.48,setpts=PTS-STARTPTS,crop=iw*0.95:ih*0.95,eq=contrast=0.9:brightness=-0.03,scale=256:144,fps=30";
    record(std::slice::from_ref(&one), filter, &out);
    let recording = read(archive_folder, out.clone());
    assert_eq!(recording.rendition, "video-180p");
    let [stretch] = &recording.stretches[..] else {
        panic!("{:?}", recording.stretches)
    };
    assert!((stretch.offset - 1.48).abs() < 0.05, "{stretch:?}");
    assert!(recording.segments.len() as u64 >= SEGMENTS - 3, "{recording:?}");
    let fit = Calibration::of(&recording.segments);
    for measured in &recording.segments {
        let session = Session {
            operator: 0,
            id: "viewer-7",
        };
        let wrong = if key().bit(&EVENT, &session, measured.position) {
            Verdict::A
        } else {
            Verdict::B
        };
        assert_ne!(fit.read(measured).verdict(), wrong, "{measured:?}");
        let first = measured.position as f64 * (SEGMENT as f64 / FPS as f64) - 1.48;
        assert!((measured.at - first.max(0.0)).abs() < 0.3, "{measured:?}");
    }
    assert_eq!(accused(&recording), ["viewer-7"]);

    // Of a blend of two, only what both got is read.
    let other = copy(archive_folder, "viewer-9");
    record(&[one, other], "mix=inputs=2,trim=end=7.7", &out);
    let recording = read(archive_folder, out);
    let fit = Calibration::of(&recording.segments);
    for measured in &recording.segments {
        let bit = |id: &str| key().bit(&EVENT, &Session { operator: 0, id }, measured.position);
        let verdict = fit.read(measured).verdict();
        let due = match (bit("viewer-7"), bit("viewer-9")) {
            (false, false) => Verdict::A,
            (true, true) => Verdict::B,
            _ => Verdict::Blended,
        };
        let is_due = verdict == due || verdict == Verdict::Erased;
        assert!(is_due, "{measured:?}: {verdict:?} for {due:?}, {fit:?}");
    }
    let accused = accused(&recording);
    assert!(
        accused.iter().all(|id| id == "viewer-7" || id == "viewer-9"),
        "{accused:?}"
    );
}

#[test]
fn what_is_no_archive_and_no_recording_is_told() {
    selvedge_encoder::init_ffmpeg().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let request = Request {
        capture: folder.path().join("none.mp4"),
        archive: folder.path().to_owned(),
        rendition: None,
        begin: None,
    };
    let none = detect(&request).unwrap_err();
    assert!(matches!(none, DetectError::NoSegments { .. }), "{none}");
}
