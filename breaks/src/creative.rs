//! The conditioned media of an ad, as its packager describes it: the document beside its files.

mod likeness;
mod manifest;
mod playlists;

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

pub use self::manifest::Excerpt;

use serde::{Deserialize, Serialize};

use crate::{
    decision::{Media, Segment},
    document::{Faults, Version, escaped, parse},
    structure::{MAX_LENGTH, MAX_SEGMENTS},
    time::Micros,
};

/// A creative: an ad's or a slate's media in each of its renditions, cut at a channel's cadence.
///
/// Its URIs are paths of files, relative to the folder that it lies in. Once an origin has it, it never changes.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend("$id" = "urn:selvedge:schema:creative:1")))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Creative {
    /// Always 1.
    pub version: Version,
    /// What it is known by.
    #[serde(rename = "creative")]
    pub name: CreativeName,
    /// How long it is, in microseconds: as long as its segments together.
    #[serde(rename = "duration_us")]
    pub duration: Micros,
    /// Its renditions by their names, which are letters, digits, `.`, `_` and `-`. They need not be a channel's names.
    pub renditions: BTreeMap<String, Rendition>,
}

/// What a creative is known by, everywhere: lower-case letters, digits, `.`, `_` and `-`, at most 64 of them, the first
/// one a letter or a digit. It is a folder's name, and safe in a path, a quoted string and a log.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct CreativeName(#[cfg_attr(test, schemars(regex(pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")))] String);

/// One rendition of a creative.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Rendition {
    /// A picture.
    Video(Video),
    /// Sound.
    Audio(Audio),
}

/// A rendition of the picture.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Video {
    /// The codec with its parameters (RFC 6381), such as `avc1.640028`.
    pub codecs: String,
    /// Peak rate in bit/s.
    pub bandwidth: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames in a second.
    pub frame_rate: FrameRate,
    /// Its files.
    pub media: Media,
}

/// A rendition of the sound.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Audio {
    /// The codec with its parameters (RFC 6381), such as `mp4a.40.2`.
    pub codecs: String,
    /// Peak rate in bit/s.
    pub bandwidth: u64,
    /// Channels: 2 for stereo.
    pub channels: u32,
    /// Samples of each channel in a second.
    pub sample_rate: u32,
    /// Its files.
    pub media: Media,
}

/// Frames in a second, exact to a thousandth as in `FRAME-RATE` (RFC 8216bis 4.4.6.2): in documents a number such as `25.0`.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "f64", into = "f64")]
#[cfg_attr(test, schemars(with = "f64"))]
pub struct FrameRate {
    thousandths: u32,
}

/// A file of a creative, and what its document says of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct File<'c> {
    /// Its path in the creative's folder.
    pub path: &'c str,
    /// How many bytes it has; `None` where the document does not say: an init segment, and a segment without parts.
    pub bytes: Option<u64>,
}

impl Creative {
    /// Reads a creative.
    ///
    /// # Errors
    /// All its faults with their places; where it is no document of this kind at all, the first one alone.
    pub fn read(json: &[u8]) -> Result<Self, Faults> {
        let creative: Self = parse(json)?;
        let mut faults = Faults::default();
        creative.check(&mut faults);
        faults.or(creative)
    }

    /// Its files: each once, for each rendition the init segment and the segments in order.
    pub fn files(&self) -> impl Iterator<Item = File<'_>> {
        self.renditions.values().flat_map(|rendition| {
            let media = rendition.media();
            let init = media.init.iter().map(|path| File { path, bytes: None });
            init.chain(media.segments.iter().map(|segment| File {
                path: &segment.uri,
                bytes: size(segment),
            }))
        })
    }

    fn check(&self, faults: &mut Faults) {
        if !(Micros(1)..=MAX_LENGTH).contains(&self.duration) {
            faults.tell("/duration_us", "is no length: expected microseconds up to a day");
        }
        if !(1..=MAX_RENDITIONS).contains(&self.renditions.len()) {
            faults.tell("/renditions", "are not between 1 and 32");
        }
        let mut paths = BTreeSet::from([DOCUMENT]);
        let first = self.renditions.values().next();
        let count = first.map_or(0, |rendition| rendition.media().segments.len());
        for (name, rendition) in self.renditions.iter().take(MAX_RENDITIONS) {
            let place = format!("/renditions/{}", escaped(name));
            if !is_component(name) {
                faults.tell(
                    place.clone(),
                    "has a name with other characters than letters, digits . _ -",
                );
            }
            rendition.check(&place, faults);
            let media = rendition.media();
            let place = format!("{place}/media");
            let init = media.init.iter().map(|path| (path, "init".to_owned()));
            let segments = media.segments.iter().take(MAX_SEGMENTS as usize).enumerate();
            let segments = segments.map(|(index, segment)| (&segment.uri, format!("segments/{index}/1")));
            for (path, member) in init.chain(segments) {
                let place = format!("{place}/{member}");
                if !is_path(path) {
                    faults.tell(
                        place,
                        "is no path of a file in this folder: letters, digits . _ - and /",
                    );
                } else if !paths.insert(path.as_str()) {
                    faults.tell(place, "is a file that something else is in");
                }
            }
            media.check_lengths(&place, faults);
            self.check_length(media, count, &place, faults);
        }
    }

    /// Every rendition has as many segments as the first, and is as long as the creative.
    fn check_length(&self, media: &Media, count: usize, place: &str, faults: &mut Faults) {
        let found = media.segments.len();
        let place = format!("{place}/segments");
        if found == 0 || found > MAX_SEGMENTS as usize {
            faults.tell(place, format!("are {found}: expected 1 to {MAX_SEGMENTS}"));
            return;
        }
        if found != count {
            faults.tell(
                place,
                format!("are {found}, and those of the first rendition {count}: all are cut alike"),
            );
            return;
        }
        let lengths = media.segments.iter().map(|segment| segment.duration);
        let sum = lengths.fold(Micros::ZERO, Micros::plus);
        if sum.less(self.duration).0.unsigned_abs() > MAX_SKEW.0.unsigned_abs() {
            faults.tell(
                place,
                format!("are {sum} s long together, and the creative {} s", self.duration),
            );
        }
    }
}

impl Rendition {
    /// The codec with its parameters (RFC 6381).
    pub fn codecs(&self) -> &str {
        match self {
            Self::Video(video) => &video.codecs,
            Self::Audio(audio) => &audio.codecs,
        }
    }

    /// Peak rate in bit/s.
    pub const fn bandwidth(&self) -> u64 {
        match self {
            Self::Video(video) => video.bandwidth,
            Self::Audio(audio) => audio.bandwidth,
        }
    }

    /// Its files.
    pub const fn media(&self) -> &Media {
        match self {
            Self::Video(video) => &video.media,
            Self::Audio(audio) => &audio.media,
        }
    }

    fn check(&self, place: &str, faults: &mut Faults) {
        if !is_codecs(self.codecs()) {
            faults.tell(
                format!("{place}/codecs"),
                "is none of RFC 6381: expected such as avc1.640028",
            );
        }
        let numbers = match self {
            Self::Video(video) => [("width", video.width), ("height", video.height)],
            Self::Audio(audio) => [("channels", audio.channels), ("sample_rate", audio.sample_rate)],
        };
        let bandwidth = u32::from(self.bandwidth() > 0);
        for (name, number) in [("bandwidth", bandwidth)].into_iter().chain(numbers) {
            if number == 0 {
                faults.tell(format!("{place}/{name}"), "is 0");
            }
        }
    }
}

impl CreativeName {
    /// Takes a name as it is; `None` where it is no name.
    pub fn new(text: &str) -> Option<Self> {
        let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let is_name = text.len() <= MAX_NAME
            && text.starts_with(is_letter)
            && text
                .chars()
                .all(|letter| is_letter(letter) || matches!(letter, '.' | '_' | '-'));
        is_name.then(|| Self(text.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CreativeName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or(
            "the name of a creative is lower-case letters, digits and . _ - alone, at most 64 of them, a letter or a digit first",
        )
    }
}

impl From<CreativeName> for String {
    fn from(name: CreativeName) -> Self {
        name.0
    }
}

impl fmt::Display for CreativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FrameRate {
    /// So many frames in a second, rounded to a thousandth; `None` unless it is above 0 and at most 1000.
    pub fn new(rate: f64) -> Option<Self> {
        let thousandths = (rate * 1000.0).round();
        (1.0..=1e6).contains(&thousandths).then_some(Self {
            thousandths: thousandths as u32,
        })
    }
}

impl TryFrom<f64> for FrameRate {
    type Error = &'static str;

    fn try_from(rate: f64) -> Result<Self, Self::Error> {
        Self::new(rate).ok_or("a frame rate is above 0 and at most 1000")
    }
}

impl From<FrameRate> for f64 {
    fn from(rate: FrameRate) -> Self {
        Self::from(rate.thousandths) / 1000.0
    }
}

fn size(segment: &Segment) -> Option<u64> {
    let bytes = segment.parts.iter().map(|part| part.bytes);
    (!segment.parts.is_empty()).then(|| bytes.fold(0, u64::saturating_add))
}

/// Components without anything that climbs, hides or has to be escaped.
fn is_path(path: &str) -> bool {
    path.len() <= MAX_PATH && path.split('/').all(is_component)
}

fn is_component(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    !name.is_empty() && !name.starts_with('.') && name.len() <= MAX_NAME && name.chars().all(is_letter)
}

fn is_codecs(codecs: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '+');
    (1..=MAX_NAME).contains(&codecs.len()) && codecs.chars().all(is_letter)
}

/// The document's own name in the folder.
pub const DOCUMENT: &str = "creative.json";

const MAX_NAME: usize = 64;
const MAX_PATH: usize = 256;
const MAX_RENDITIONS: usize = 32;
/// By how much the renditions may differ from the creative's length: sound of any rate ends with a frame of its own.
const MAX_SKEW: Micros = Micros::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const ACME: &str = r#"{
        "version": 1,
        "creative": "acme-30",
        "duration_us": 3840000,
        "renditions": {
            "a1": {
                "kind": "audio", "codecs": "mp4a.40.2", "bandwidth": 128000, "channels": 2, "sample_rate": 48000,
                "media": {
                    "init": "a1/init.mp4",
                    "segments": [[1920000, "a1/0.m4s", [[960000, 400], [960000, 300]]], [1920000, "a1/1.m4s"]]
                }
            },
            "v1080": {
                "kind": "video", "codecs": "avc1.640028", "bandwidth": 4000000, "width": 1920, "height": 1080,
                "frame_rate": 25.0,
                "media": {
                    "init": "v1080/init.mp4",
                    "segments": [[1920000, "v1080/0.m4s"], [1920000, "v1080/1.m4s"]]
                }
            }
        }
    }"#;

    fn places(json: &str) -> Vec<String> {
        let faults = Creative::read(json.as_bytes()).unwrap_err();
        faults.iter().map(|fault| fault.place.clone()).collect()
    }

    #[test]
    fn a_creative_is_written_as_it_was_read() {
        let creative = Creative::read(ACME.as_bytes()).unwrap();
        let before: serde_json::Value = serde_json::from_str(ACME).unwrap();
        assert_eq!(serde_json::to_value(&creative).unwrap(), before);
    }

    #[test]
    fn its_files_have_the_sizes_that_their_parts_say() {
        let creative = Creative::read(ACME.as_bytes()).unwrap();
        let files: Vec<_> = creative.files().map(|file| (file.path, file.bytes)).collect();
        assert_eq!(files[..2], [("a1/init.mp4", None), ("a1/0.m4s", Some(700))]);
        assert_eq!(files.len(), 6);
    }

    #[test]
    fn a_path_that_leaves_the_folder_is_a_fault() {
        let broken = ACME
            .replace("a1/init.mp4", "../a1/init.mp4")
            .replace("a1/0.m4s", "/a1/0.m4s")
            .replace("v1080/0.m4s", "v1080/1.m4s")
            .replace("v1080/init.mp4", "creative.json");
        assert_eq!(
            places(&broken),
            [
                "/renditions/a1/media/init",
                "/renditions/a1/media/segments/0/1",
                "/renditions/v1080/media/init",
                "/renditions/v1080/media/segments/1/1",
            ]
        );
        let elsewhere = ACME.replace("a1/1.m4s", "https://ads.example/1.m4s");
        assert_eq!(places(&elsewhere), ["/renditions/a1/media/segments/1/1"]);
    }

    #[test]
    fn renditions_that_are_not_cut_alike_are_faults() {
        let fewer = ACME.replace(r#", [1920000, "v1080/1.m4s"]"#, "");
        assert_eq!(places(&fewer), ["/renditions/v1080/media/segments"]);
        let longer = ACME.replace("\"duration_us\": 3840000", "\"duration_us\": 4840000");
        assert_eq!(
            places(&longer),
            [
                "/renditions/a1/media/segments",
                "/renditions/v1080/media/segments"
            ]
        );
    }

    #[test]
    fn what_says_nothing_is_a_fault() {
        let broken = ACME
            .replace("\"mp4a.40.2\"", "\"mp4a\\\"\"")
            .replace("\"height\": 1080", "\"height\": 0")
            .replace("\"bandwidth\": 128000", "\"bandwidth\": 0");
        let expected = [
            "/renditions/a1/codecs",
            "/renditions/a1/bandwidth",
            "/renditions/v1080/height",
        ];
        assert_eq!(places(&broken), expected);
        let empty = r#"{"version": 1, "creative": "x", "duration_us": 0, "renditions": {}}"#;
        assert_eq!(places(empty), ["/duration_us", "/renditions"]);
        assert!(Creative::read(ACME.replace("\"width\"", "\"weight\"").as_bytes()).is_err());
        assert!(Creative::read(ACME.replace("25.0", "-1").as_bytes()).is_err());
    }

    #[test]
    fn a_name_is_that_of_a_plain_folder() {
        let is_name = |text: &str| CreativeName::new(text).is_some();
        assert!(is_name("acme-30") && is_name("2026_x.1"));
        let no_names = ["", "..", ".x", "-x", "Acme", "a/b", "a b", "ä"];
        assert!(!no_names.into_iter().any(is_name) && !is_name(&"x".repeat(65)));
    }
}
