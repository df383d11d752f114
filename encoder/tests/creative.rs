//! Creatives through the real encoders, judged by their documents, their bytes and `ffprobe`.
#![cfg(feature = "ffmpeg")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mp4_atom::{Any, Decode};
use selvedge_breaks::{Creative, CreativeName, creative::Rendition};
use selvedge_encoder::{
    config::{Config, File},
    creative::{self, CreativeError, Length},
};

fn tool(name: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(name);
    let output = command.args(["-v", "warning"]).args(arguments).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{arguments:?}: {complaints}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A film of so many seconds at 30 frames a second, with a tone.
fn film(folder: &Path, seconds: &str) -> PathBuf {
    let path = folder.join("film.mp4");
    let picture = format!("testsrc2=size=320x240:rate=30:duration={seconds}");
    let tone = format!("sine=frequency=440:sample_rate=44100:duration={seconds}");
    tool(
        "ffmpeg",
        &[
            "-f",
            "lavfi",
            "-i",
            &picture,
            "-f",
            "lavfi",
            "-i",
            &tone,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-c:a",
            "aac",
            "-shortest",
            path.to_str().unwrap(),
        ],
    );
    path
}

fn config(input: Option<&Path>, seconds: Option<f64>) -> Config {
    Config::try_from(File {
        input: input.map(|path| path.to_str().unwrap().to_owned()),
        push: Some("file:///unused".to_owned()),
        ladder: Some(vec!["256x144@300k".to_owned(), "192x108@150k".to_owned()]),
        preset: Some("ultrafast".to_owned()),
        audio: Some("silence".to_owned()),
        duration: seconds,
        ..File::default()
    })
    .unwrap()
}

fn make(config: &Config, length: Length, folder: &Path) -> Creative {
    selvedge_encoder::init_ffmpeg().unwrap();
    let name = CreativeName::new("acme-3").unwrap();
    creative::make(config, name, length, folder).unwrap()
}

fn lengths(creative: &Creative, track: &str) -> Vec<i64> {
    let media = creative.renditions[track].media();
    media.segments.iter().map(|segment| segment.duration.0).collect()
}

fn boxes(mut bytes: &[u8]) -> Vec<Any> {
    let mut boxes = Vec::new();
    while !bytes.is_empty() {
        boxes.push(Any::decode(&mut bytes).unwrap());
    }
    boxes
}

#[test]
fn a_film_becomes_whole_segments_of_the_channels_cadence() {
    let folder = tempfile::tempdir().unwrap();
    let film = film(folder.path(), "3");
    let out = folder.path().join("acme-3");
    let creative = make(&config(Some(&film), None), Length::Whole, &out);
    let document = fs::read(out.join("creative.json")).unwrap();
    assert_eq!(Creative::read(&document).unwrap(), creative);
    assert_eq!(creative.duration.0, 3_840_000);
    let names: Vec<_> = creative.renditions.keys().collect();
    assert_eq!(names, ["audio", "video-108p", "video-144p"]);
    for file in creative.files() {
        let bytes = fs::metadata(out.join(file.path)).unwrap().len();
        assert!(file.bytes.is_none_or(|said| said == bytes), "{}", file.path);
    }
    for (name, rendition) in &creative.renditions {
        assert_eq!(lengths(&creative, name), [1_920_000, 1_920_000], "{name}");
        let media = rendition.media();
        let mut time = 0;
        let mut whole = fs::read(out.join(media.init.as_ref().unwrap())).unwrap();
        for segment in &media.segments {
            let parts: Vec<_> = segment.parts.iter().map(|part| part.duration.0).collect();
            assert_eq!(parts, [320_000; 6], "{name}");
            let bytes = fs::read(out.join(&segment.uri)).unwrap();
            let boxes = boxes(&bytes);
            let Some(Any::Styp(styp)) = boxes.first() else {
                panic!("{boxes:?}")
            };
            assert!(!styp.compatible_brands.contains(&b"lmsg".into()));
            assert!(!boxes.iter().any(|found| matches!(found, Any::Prft(_))));
            let Some(Any::Moof(moof)) = boxes.get(1) else {
                panic!("{boxes:?}")
            };
            let at = moof.traf[0].tfdt.as_ref().unwrap().base_media_decode_time;
            assert_eq!(at, time, "{name}");
            time += if name == "audio" { 92_160 } else { 172_800 };
            // Each segment is to be played without the one before it.
            assert_eq!(
                moof.traf[0].trun[0]
                    .samples
                    .get(0)
                    .unwrap()
                    .flags
                    .unwrap_or(0x0200_0000),
                0x0200_0000
            );
            whole.extend(bytes);
        }
        let path = folder.path().join(format!("{name}.mp4"));
        fs::write(&path, whole).unwrap();
        let path = path.to_str().unwrap();
        tool("ffmpeg", &["-xerror", "-i", path, "-f", "null", "-"]);
        if let Rendition::Video(video) = rendition {
            let keys = tool(
                "ffprobe",
                &["-show_entries", "packet=flags", "-of", "csv=p=0", path],
            );
            let keys: Vec<_> = keys
                .lines()
                .enumerate()
                .filter(|(_, flags)| flags.starts_with('K'))
                .collect();
            assert_eq!(keys.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 48]);
            let probed = tool(
                "ffprobe",
                &["-show_entries", "stream=width,height", "-of", "csv=p=0", path],
            );
            assert_eq!(probed.trim(), format!("{},{}", video.width, video.height));
            assert!(video.codecs.starts_with("avc1.") && video.bandwidth > 10_000);
        }
    }
}

/// Root mean square of the left channel in each tenth of a second.
fn loudness(folder: &Path, creative: &Path) -> Vec<f32> {
    let mut whole = fs::read(creative.join("audio/init.mp4")).unwrap();
    for index in 0..2 {
        whole.extend(fs::read(creative.join(format!("audio/{index}.m4s"))).unwrap());
    }
    let (coded, raw) = (folder.join("sound.mp4"), folder.join("sound.raw"));
    fs::write(&coded, whole).unwrap();
    let (coded, raw) = (coded.to_str().unwrap(), raw.to_str().unwrap());
    tool("ffmpeg", &["-y", "-i", coded, "-f", "f32le", "-ac", "1", raw]);
    let raw = fs::read(raw).unwrap();
    let samples: Vec<f32> = raw
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let tenths = samples.chunks_exact(4800);
    let power = |tenth: &[f32]| tenth.iter().map(|sample| sample * sample).sum::<f32>() / 4800.0;
    tenths.map(|tenth| power(tenth).sqrt()).collect()
}

#[test]
fn a_film_is_heard_from_its_begin_and_what_fills_the_last_segment_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let film = film(folder.path(), "3");
    let out = folder.path().join("acme-3");
    make(&config(Some(&film), None), Length::Whole, &out);
    let loudness = loudness(folder.path(), &out);
    assert_eq!(loudness.len(), 38);
    let (sound, silence) = loudness.split_at(30);
    assert!(sound.iter().all(|tenth| *tenth > 0.05), "{sound:?}");
    assert!(silence.iter().skip(1).all(|tenth| *tenth < 0.001), "{silence:?}");
}

#[test]
fn an_exact_creative_keeps_its_length_and_its_last_segment_takes_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let film = film(folder.path(), "2.6");
    let creative = make(
        &config(Some(&film), None),
        Length::Exact,
        &folder.path().join("a"),
    );
    assert_eq!(creative.duration.0, 2_600_000);
    assert_eq!(lengths(&creative, "video-144p"), [2_600_000]);
    let creative = make(
        &config(Some(&film), Some(3.0)),
        Length::Exact,
        &folder.path().join("b"),
    );
    assert_eq!(lengths(&creative, "video-144p"), [1_920_000, 1_080_000]);
    let sound: i64 = lengths(&creative, "audio").iter().sum();
    assert!((sound - 3_000_000).abs() < 21_334);
}

#[test]
fn a_slate_is_made_of_a_picture_or_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let logo = folder.path().join("logo.png");
    let logo_path = logo.to_str().unwrap();
    tool(
        "ffmpeg",
        &[
            "-f",
            "lavfi",
            "-i",
            "color=red:size=101x77",
            "-update",
            "1",
            "-frames:v",
            "1",
            logo_path,
        ],
    );
    for input in [Some(logo.as_path()), None] {
        let creative = make(
            &config(input, Some(1.9)),
            Length::Whole,
            &folder.path().join("slate"),
        );
        assert_eq!(lengths(&creative, "audio"), [1_920_000]);
        assert_eq!(lengths(&creative, "video-144p"), [1_920_000]);
    }
    let endless = creative::make(
        &config(None, None),
        CreativeName::new("x").unwrap(),
        Length::Whole,
        folder.path(),
    );
    assert!(matches!(endless, Err(CreativeError::Endless)));
}
