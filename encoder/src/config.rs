//! Configuration: a TOML file, overruled by the command line, checked once.

mod watermark;

use std::{fmt, path::Path, str::FromStr, time::Duration};

use serde::Deserialize;

use crate::{
    clock::{Grid, GridError},
    ingest::Sound,
    pixel::Size,
};
pub use watermark::{WATERMARK_KEY, Watermark, WatermarkFile};

/// Encoders that are tried unless the configuration says otherwise, best first.
pub const ENCODERS: [&str; 4] = ["h264_nvenc", "h264_qsv", "h264_vaapi", "libx264"];
const LADDER: &str = "1280x720@2200k,848x480@1000k,480x270@400k";
const PRESETS: [&str; 9] = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
];

/// What is wrong with the configuration: one line that names the key and the fix.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    place: String,
    problem: String,
}

impl ConfigError {
    /// What is wrong with a key, and what to do.
    pub fn key(key: &str, problem: impl fmt::Display) -> Self {
        Self {
            place: format!("`{key}`"),
            problem: problem.to_string(),
        }
    }
}

/// One rendition of the picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rung {
    /// Size of the picture.
    pub size: Size,
    /// Bit rate in bit/s.
    pub bit_rate: u32,
}

impl FromStr for Rung {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no rendition; write it as 1280x720@2200k");
        let (size, rate) = text.split_once('@').ok_or_else(wrong)?;
        let (width, height) = size.split_once('x').ok_or_else(wrong)?;
        let side = |side: &str| side.trim().parse().map_err(|_| wrong());
        let size = Size {
            width: side(width)?,
            height: side(height)?,
        };
        if size.width % 2 + size.height % 2 > 0 {
            return Err(format!("`{text}` has an odd side; both must be even"));
        }
        if !(96..=7680).contains(&size.width) || !(54..=4320).contains(&size.height) {
            return Err(format!(
                "`{text}` is out of range; sizes go from 96x54 to 7680x4320"
            ));
        }
        Ok(Self {
            size,
            bit_rate: bit_rate(rate).ok_or_else(wrong)?,
        })
    }
}

/// The configuration file as it is written; every key may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// `test`, or a file that is looped.
    pub input: Option<String>,
    /// Publishing point.
    pub push: Option<String>,
    /// Frames a second.
    pub fps: Option<u32>,
    /// Renditions, best first.
    pub ladder: Option<Vec<String>>,
    /// `burned` or `none`.
    pub clock: Option<String>,
    /// `tone` or `silence`, for an input without sound.
    pub audio: Option<String>,
    /// Bit rate of the sound.
    pub audio_bit_rate: Option<String>,
    /// libx264's preset.
    pub preset: Option<String>,
    /// Encoders to try, best first.
    pub encoders: Option<Vec<String>>,
    /// Name in the test picture.
    pub name: Option<String>,
    /// Video frames in a segment.
    pub segment_frames: Option<u32>,
    /// Video frames in a chunk.
    pub chunk_frames: Option<u32>,
    /// Segments a track may have waiting.
    pub queue_segments: Option<usize>,
    /// Stop after so many seconds of media.
    pub duration: Option<f64>,
    /// `human` or `json`.
    pub log_format: Option<String>,
    /// Which renditions are watermarked, and how.
    pub watermark: Option<WatermarkFile>,
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML, or has an unknown key or a value of the wrong type.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            place: place.clone(),
            problem: format!("cannot be read ({error}); give the path of a TOML file to --config"),
        })?;
        Self::parse(&text, &place)
    }

    /// Parses the text of a file; `place` names it in errors.
    ///
    /// # Errors
    /// When it is no TOML, or has an unknown key or a value of the wrong type.
    pub fn parse(text: &str, place: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let before = text.get(..start).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            let content = text.lines().nth(line - 1).unwrap_or("");
            let key = content.split('=').next().unwrap_or("").trim();
            let message = error
                .message()
                .replace('\n', " ")
                .replace("expected u32", "expected a whole number");
            let message = message.replace("expected usize", "expected a whole number");
            let named = key.is_empty() || message.contains(&format!("`{key}`"));
            let problem = if named {
                message
            } else {
                format!("`{key}`: {message}")
            };
            ConfigError {
                place: format!("{place}:{line}"),
                problem,
            }
        })
    }

    /// This configuration, with what `over` says instead where it says something.
    #[must_use]
    pub fn overruled_by(self, over: Self) -> Self {
        Self {
            input: over.input.or(self.input),
            push: over.push.or(self.push),
            fps: over.fps.or(self.fps),
            ladder: over.ladder.or(self.ladder),
            clock: over.clock.or(self.clock),
            audio: over.audio.or(self.audio),
            audio_bit_rate: over.audio_bit_rate.or(self.audio_bit_rate),
            preset: over.preset.or(self.preset),
            encoders: over.encoders.or(self.encoders),
            name: over.name.or(self.name),
            segment_frames: over.segment_frames.or(self.segment_frames),
            chunk_frames: over.chunk_frames.or(self.chunk_frames),
            queue_segments: over.queue_segments.or(self.queue_segments),
            duration: over.duration.or(self.duration),
            log_format: over.log_format.or(self.log_format),
            watermark: match (self.watermark, over.watermark) {
                (Some(own), Some(over)) => Some(own.overruled_by(over)),
                (own, over) => over.or(own),
            },
        }
    }
}

/// What is encoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InputKind {
    /// The generated test picture.
    Test,
    /// A file, looped.
    File(String),
}

/// Where the tracks go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// A publishing point.
    Http(reqwest::Url),
    /// A folder on this machine.
    Folder(std::path::PathBuf),
}

/// The configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is encoded.
    pub input: InputKind,
    /// Where it goes.
    pub target: Target,
    /// The epoch grid: frame rate and cadence.
    pub grid: Grid,
    /// Renditions with their track names; never empty.
    pub ladder: Vec<(String, Rung)>,
    /// Whether the clock is burned in.
    pub burn: bool,
    /// Sound of an input without sound.
    pub sound: Sound,
    /// Bit rate of the sound in bit/s.
    pub audio_bit_rate: u32,
    /// libx264's preset.
    pub preset: String,
    /// Encoders to try, best first.
    pub encoders: Vec<String>,
    /// Name in the test picture.
    pub name: String,
    /// Segments a track may have waiting.
    pub queue_segments: usize,
    /// Stop after so much media.
    pub duration: Option<Duration>,
    /// Whether a creative is made, and no channel.
    pub is_recording: bool,
    /// What is watermarked, and how.
    pub watermark: Option<Watermark>,
}

impl Config {
    /// The watermark of a rendition, if it has one.
    #[must_use]
    pub fn mark_of(&self, rendition: &str) -> Option<&Watermark> {
        self.watermark
            .as_ref()
            .filter(|watermark| watermark.marks(rendition))
    }
}

impl TryFrom<File> for Config {
    type Error = ConfigError;

    fn try_from(file: File) -> Result<Self, ConfigError> {
        let input = match file.input.as_deref() {
            None | Some("test") => InputKind::Test,
            Some(path) => InputKind::File(path.to_owned()),
        };
        let target = target(file.push.as_deref())?;
        let grid = grid(file.fps.unwrap_or(25), file.segment_frames, file.chunk_frames)?;
        let ladder = ladder(file.ladder)?;
        let watermark = file
            .watermark
            .map(|watermark| Watermark::new(watermark, &ladder))
            .transpose()?;
        let burn = one_of(
            "clock",
            file.clock.as_deref(),
            &[("burned", true), ("none", false)],
        )?;
        let sounds = [("tone", Sound::Tone), ("silence", Sound::Silence)];
        let sound = one_of("audio", file.audio.as_deref(), &sounds)?;
        let rate = file.audio_bit_rate.as_deref().unwrap_or("128k");
        let audio_bit_rate = bit_rate(rate)
            .filter(|rate| (32_000..=320_000).contains(rate))
            .ok_or_else(|| {
                ConfigError::key(
                    "audio_bit_rate",
                    format!("`{rate}` is not between 32k and 320k; 128k is usual"),
                )
            })?;
        let preset = file.preset.unwrap_or_else(|| "superfast".to_owned());
        if !PRESETS.contains(&preset.as_str()) {
            return Err(ConfigError::key(
                "preset",
                format!("`{preset}` is none of {}", PRESETS.join(", ")),
            ));
        }
        let encoders = file
            .encoders
            .unwrap_or_else(|| ENCODERS.map(str::to_owned).to_vec());
        if let Some(unknown) = encoders.iter().find(|name| !ENCODERS.contains(&name.as_str())) {
            return Err(ConfigError::key(
                "encoders",
                format!("`{unknown}` is none of {}", ENCODERS.join(", ")),
            ));
        }
        if encoders.is_empty() {
            return Err(ConfigError::key("encoders", "is empty; name at least `libx264`"));
        }
        let name = file.name.unwrap_or_else(|| "SELVEDGE".to_owned()).to_uppercase();
        if name.chars().count() > 14 {
            return Err(ConfigError::key(
                "name",
                "is longer than the 14 characters that fit into the picture",
            ));
        }
        let queue_segments = file.queue_segments.unwrap_or(2);
        if !(1..=30).contains(&queue_segments) {
            return Err(ConfigError::key(
                "queue_segments",
                format!("{queue_segments} is not between 1 and 30"),
            ));
        }
        let duration = file.duration.map(|seconds| {
            Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|duration| !duration.is_zero())
                .ok_or_else(|| {
                    ConfigError::key(
                        "duration",
                        format!("{seconds} is no length; give seconds above 0, or leave it out"),
                    )
                })
        });
        one_of(
            "log_format",
            file.log_format.as_deref(),
            &[("human", ()), ("json", ())],
        )?;
        Ok(Self {
            input,
            target,
            grid,
            ladder,
            burn,
            sound,
            audio_bit_rate,
            preset,
            encoders,
            name,
            queue_segments,
            duration: duration.transpose()?,
            is_recording: false,
            watermark,
        })
    }
}

fn target(push: Option<&str>) -> Result<Target, ConfigError> {
    let fix = "give a publishing point such as http://127.0.0.1:8080/ingest/demo, or file:///a/folder";
    let push = push.ok_or_else(|| ConfigError::key("push", format!("is missing; {fix}")))?;
    let wrong = || ConfigError::key("push", format!("`{push}` is no URL that can be pushed to; {fix}"));
    let url = reqwest::Url::parse(push).map_err(|_| wrong())?;
    match url.scheme() {
        "http" | "https" => Ok(Target::Http(url)),
        "file" => url.to_file_path().map(Target::Folder).map_err(|()| wrong()),
        _ => Err(wrong()),
    }
}

fn grid(fps: u32, segment: Option<u32>, chunk: Option<u32>) -> Result<Grid, ConfigError> {
    let default = Grid::with_default_cadence(fps).map_err(|error| ConfigError::key("fps", error))?;
    let segment = segment.unwrap_or(default.segment_frames());
    if segment > fps * 10 {
        return Err(ConfigError::key(
            "segment_frames",
            format!("{segment} frames last over 10 s; use fewer"),
        ));
    }
    let chunk = chunk.unwrap_or(default.chunk_frames());
    Grid::new(fps, segment, chunk).map_err(|error| {
        let key = if matches!(error, GridError::Chunk { .. }) {
            "chunk_frames"
        } else {
            "segment_frames"
        };
        ConfigError::key(key, error)
    })
}

fn ladder(rungs: Option<Vec<String>>) -> Result<Vec<(String, Rung)>, ConfigError> {
    let rungs = rungs.unwrap_or_else(|| split_ladder(LADDER));
    let mut ladder: Vec<(String, Rung)> = Vec::new();
    for text in &rungs {
        let rung: Rung = text
            .trim()
            .parse()
            .map_err(|problem| ConfigError::key("ladder", problem))?;
        let plain = format!("video-{}p", rung.size.height);
        let long = format!("{plain}-{}k", rung.bit_rate / 1000);
        let name = if ladder.iter().any(|(taken, _)| *taken == plain) {
            long
        } else {
            plain
        };
        if ladder.iter().any(|(taken, _)| *taken == name) {
            return Err(ConfigError::key(
                "ladder",
                format!("`{text}` is there twice; take one out"),
            ));
        }
        ladder.push((name, rung));
    }
    if ladder.is_empty() || ladder.len() > 12 {
        return Err(ConfigError::key(
            "ladder",
            format!("has {} renditions; give 1 to 12", ladder.len()),
        ));
    }
    Ok(ladder)
}

/// A ladder in one line, as on the command line.
#[must_use]
pub fn split_ladder(text: &str) -> Vec<String> {
    text.split(',').map(|rung| rung.trim().to_owned()).collect()
}

fn one_of<T: Copy>(key: &str, value: Option<&str>, choices: &[(&str, T)]) -> Result<T, ConfigError> {
    let names = || {
        choices
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(" or ")
    };
    let chosen = match value {
        None => choices.first(),
        Some(value) => choices.iter().find(|(name, _)| *name == value),
    };
    chosen
        .map(|(_, choice)| *choice)
        .ok_or_else(|| ConfigError::key(key, format!("`{}` is not {}", value.unwrap_or_default(), names())))
}

fn bit_rate(text: &str) -> Option<u32> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1000),
        None => match text.strip_suffix(['m', 'M']) {
            Some(number) => (number, 1_000_000),
            None => (text, 1),
        },
    };
    let rate = number.parse::<f64>().ok()? * f64::from(unit);
    (8000.0..=200_000_000.0).contains(&rate).then_some(rate as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let file = match File::parse(text, "encoder.toml") {
            Ok(file) => file,
            Err(error) => return error.to_string(),
        };
        let push = File {
            push: Some("http://127.0.0.1:8080/ingest/demo".to_owned()),
            ..File::default()
        };
        Config::try_from(push.overruled_by(file)).unwrap_err().to_string()
    }

    #[test]
    fn defaults_are_the_design_s() {
        let file = File::parse("push = \"http://localhost:8080/ingest/demo\"", "x").unwrap();
        let config = Config::try_from(file).unwrap();
        let names: Vec<_> = config.ladder.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["video-720p", "video-480p", "video-270p"]);
        assert_eq!(
            (
                config.grid.fps(),
                config.grid.segment_frames(),
                config.grid.chunk_frames()
            ),
            (25, 48, 8)
        );
        assert!(config.burn && config.input == InputKind::Test && config.sound == Sound::Tone);
    }

    #[test]
    fn the_example_file_is_valid() {
        let file = File::parse(include_str!("../encoder.example.toml"), "encoder.example.toml").unwrap();
        Config::try_from(file).unwrap();
    }

    #[test]
    fn mistakes_are_told_in_one_line_with_key_and_fix() {
        let lines = [
            error("fps = 25\nfsp = 3"),
            error("fps = \"fast\""),
            error("fps = 23"),
            error("segment_frames = 50"),
            error("chunk_frames = 7"),
            error("ladder = [\"720p\"]"),
            error("ladder = [\"1281x720@2M\"]"),
            error("ladder = [\"640x360@1M\", \"640x360@1000k\", \"640x360@1M\"]"),
            error("push = \"ftp://x/\""),
            error("clock = \"on\""),
            error("encoders = [\"x264\"]"),
            error("duration = -1.0"),
            error("fps = ="),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r#"
        encoder.toml:2: unknown field `fsp`, expected one of `input`, `push`, `fps`, `ladder`, `clock`, `audio`, `audio_bit_rate`, `preset`, `encoders`, `name`, `segment_frames`, `chunk_frames`, `queue_segments`, `duration`, `log_format`, `watermark`
        encoder.toml:1: `fps`: invalid type: string "fast", expected a whole number
        `fps`: 23 frames a second have no cadence that aligns with sound; use one of 24, 25, 30, 50 or 60
        `segment_frames`: segments of 50 frames at 25 frames a second cannot be cut together with sound; use a multiple of 8
        `chunk_frames`: chunks of 7 frames do not divide segments of 48 frames
        `ladder`: `720p` is no rendition; write it as 1280x720@2200k
        `ladder`: `1281x720@2M` has an odd side; both must be even
        `ladder`: `640x360@1M` is there twice; take one out
        `push`: `ftp://x/` is no URL that can be pushed to; give a publishing point such as http://127.0.0.1:8080/ingest/demo, or file:///a/folder
        `clock`: `on` is not `burned` or `none`
        `encoders`: `x264` is none of h264_nvenc, h264_qsv, h264_vaapi, libx264
        `duration`: -1 is no length; give seconds above 0, or leave it out
        encoder.toml:1: `fps`: extra `=`, expected nothing
        "#);
        assert!(lines.iter().all(|line| !line.contains('\n')));
    }

    #[test]
    fn the_command_line_overrules_the_file() {
        let file = File {
            fps: Some(25),
            preset: Some("fast".to_owned()),
            ..File::default()
        };
        let over = File {
            fps: Some(50),
            ..File::default()
        };
        let both = file.overruled_by(over);
        assert_eq!((both.fps, both.preset.as_deref()), (Some(50), Some("fast")));
    }
}
