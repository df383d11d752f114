//! Which track an object belongs to, read off its path.
//!
//! The patterns of DASH-IF live media ingest and of what encoders really send:
//! `Streams(<track>.cmfv)`, `Switching(<set>)/Streams(<track>)`, `<track>/init.mp4` and `<track>/<n>.m4s`,
//! `init-stream0.m4s` and `chunk-stream0-00001.m4s`, `init.mp4` and `seg_00001.m4s`.
//! Folders are part of the track's name, joined with `-`: `fr/audio/1.m4s` belongs to `fr-audio`.
//! What the object is, its bytes say; a name is never trusted for that.
//!
//! Variant B of a watermarked track is pushed to `<track>/b/<file>`. Where `WMPaceInfoIngest` says that an object is of
//! variant B, a folder `b` anywhere in its path says no more than that, and there need not be one.

use selvedge_watermark::pace::{B_FOLDER, Variant};

/// What an object's path says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectName {
    /// The track, in characters that a URL and a file may have.
    pub track: String,
    /// The last number in the name: a segment's number or time.
    pub number: Option<u64>,
    /// Which variant of a watermarked track it is of, as far as the path says.
    pub variant: Variant,
}

impl ObjectName {
    /// Reads the path below the channel, as it stood in the request (percent-encoded or not).
    /// `None` when it names no object.
    pub fn parse(rest: &str) -> Option<Self> {
        Self::parse_told(rest, None)
    }

    /// Reads the path of an object whose sender has told which variant it is of.
    pub fn parse_told(rest: &str, told: Option<Variant>) -> Option<Self> {
        let rest = percent_decode(rest);
        let mut folders: Vec<&str> = rest
            .split('/')
            .map(str::trim)
            .filter(|part| !part.is_empty() && inside(part, "Switching").is_none())
            .collect();
        let file = folders.pop()?;
        let is_below = folders.len() > 1 && folders.last() == Some(&B_FOLDER);
        let variant = match told {
            Some(Variant::B) => {
                if let Some(at) = folders.iter().rposition(|folder| *folder == B_FOLDER) {
                    folders.remove(at);
                }
                Variant::B
            }
            _ if is_below => {
                folders.pop();
                Variant::B
            }
            _ => Variant::A,
        };
        // `Streams(track)/<n>` is an object inside the track. All folders count: `en/audio` is not `fr/audio`.
        let folders: Vec<&str> = folders
            .iter()
            .map(|folder| inside(folder, "Streams").map_or(*folder, |track| stem_of(track).0))
            .collect();
        let folder = (!folders.is_empty()).then(|| folders.join("-"));
        if let Some(track) = inside(file, "Streams") {
            let (stem, _) = stem_of(track);
            let track = match folder {
                Some(folder) => clean(&format!("{folder}-{stem}"))?,
                None => clean(stem)?,
            };
            return Some(Self {
                track,
                number: None,
                variant,
            });
        }
        let (stem, _) = stem_of(file);
        let (name, is_init) = without_role(stem);
        let (name, number) = if is_init { (name, None) } else { split_number(name) };
        let track = match (folder, name) {
            (Some(folder), "") => clean(&folder)?,
            (Some(folder), name) => clean(&format!("{folder}-{name}"))?,
            (None, "") => "main".to_owned(),
            (None, name) => clean(name)?,
        };
        Some(Self {
            track,
            number,
            variant,
        })
    }

    /// Reads a URI of a playlist that was pushed below a channel at `playlist`: what that names was pushed beside it.
    /// `None` where it leads elsewhere.
    pub fn beside(playlist: &str, channel: &str, uri: &str) -> Option<Self> {
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        if path.contains("//") || path.starts_with('/') {
            let (_, below) = path.split_once(&format!("/ingest/{channel}/"))?;
            return Self::parse(below);
        }
        let mut folders: Vec<&str> = playlist.split('/').collect();
        folders.pop();
        let mut rest = path;
        loop {
            if let Some(below) = rest.strip_prefix("./") {
                rest = below;
            } else if let Some(below) = rest.strip_prefix("../") {
                folders.pop()?;
                rest = below;
            } else {
                break;
            }
        }
        folders.push(rest);
        let path = folders.join("/");
        if has_dot_segments(&path) {
            return None;
        }
        Self::parse(&path)
    }
}

/// Whether a path has a segment `.` or `..`, in whatever form it is written: it leads elsewhere than it stands.
pub fn has_dot_segments(path: &str) -> bool {
    let decoded = percent_decode(path);
    decoded
        .split(['/', '\\'])
        .any(|segment| matches!(segment, "." | ".."))
}

/// Whether a channel may have that name.
pub fn is_channel_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// The text inside `<word>(…)`.
fn inside<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.strip_prefix(word)?
        .strip_prefix('(')?
        .strip_suffix(')')
        .map(str::trim)
}

fn stem_of(file: &str) -> (&str, &str) {
    match file.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && EXTENSIONS.contains(&extension) => (stem, extension),
        _ => (file, ""),
    }
}

/// Takes the words off that say what an object is, not whose: `init-stream0` and `chunk-stream0-1`.
fn without_role(stem: &str) -> (&str, bool) {
    for role in ROLES {
        let Some(rest) = stem.strip_prefix(role) else {
            continue;
        };
        if rest.is_empty() || rest.starts_with(['-', '_', '.']) || rest.bytes().all(|b| b.is_ascii_digit()) {
            return (
                rest.trim_start_matches(['-', '_', '.']),
                role == "init" || role == "header",
            );
        }
    }
    match stem.strip_suffix("init").or_else(|| stem.strip_suffix("header")) {
        Some(rest) if rest.ends_with(['-', '_', '.']) => (rest.trim_end_matches(['-', '_', '.']), true),
        _ => (stem, false),
    }
}

/// Splits the last run of digits off, when something that is not a letter stands before it.
fn split_number(name: &str) -> (&str, Option<u64>) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = name.get(stem.len()..).unwrap_or_default();
    if digits.is_empty() || !(stem.is_empty() || stem.ends_with(['-', '_', '.'])) {
        return (name, None);
    }
    (stem.trim_end_matches(['-', '_', '.']), digits.parse().ok())
}

fn clean(name: &str) -> Option<String> {
    let kept: String = name
        .chars()
        .map(|c| {
            if c.is_ascii() && is_name_byte(c as u8) {
                c
            } else {
                '-'
            }
        })
        .take(MAX_NAME)
        .collect();
    let kept = kept.trim_start_matches(['.', '-']);
    (!kept.is_empty() && kept != RECORD).then(|| kept.to_owned())
}

fn percent_decode(text: &str) -> String {
    let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match (byte, hex(ahead.next()), hex(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                bytes = ahead;
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

const MAX_NAME: usize = 64;
/// What the store keeps beside the folders of a channel's tracks.
const RECORD: &str = "channel.json";
const EXTENSIONS: [&str; 14] = [
    "cmfv", "cmfa", "cmft", "cmfm", "mp4", "m4v", "m4a", "m4s", "init", "header", "key", "ts", "mpd", "m3u8",
];
const ROLES: [&str; 7] = ["init", "header", "chunk", "segment", "seg", "media", "fragment"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_playlist_names_was_pushed_beside_it() {
        let beside = |playlist: &str, uri: &str| {
            let name = ObjectName::beside(playlist, "news", uri)?;
            Some((name.track, name.number))
        };
        let due = Some(("video".to_owned(), Some(7)));
        for (playlist, uri) in [
            ("index.m3u8", "video/7.m4s"),
            ("video/index.m3u8", "7.m4s?a=b"),
            ("video/index.m3u8", "./7.m4s"),
            ("hls/index.m3u8", "../video/7.m4s"),
            ("x/y.m3u8", "/ingest/news/video/7.m4s"),
            ("x/y.m3u8", "http://origin.example:8080/ingest/news/video/7.m4s"),
        ] {
            assert_eq!(beside(playlist, uri), due, "{playlist} {uri}");
        }
        for elsewhere in [
            "../../video/7.m4s",
            "video/../../7.m4s",
            "/other/7.m4s",
            "https://cdn.example/7.m4s",
        ] {
            assert_eq!(beside("x/index.m3u8", elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn every_naming_pattern_names_its_track() {
        let cases = [
            ("Streams(video-180p.cmfv)", "video-180p", None),
            ("Streams%28video%20180p.cmfv%29", "video-180p", None),
            ("Switching(1)/Streams(audio.cmfa)", "audio", None),
            ("Streams(v1.cmfv)/77.m4s", "v1", Some(77)),
            ("video/init.cmfv", "video", None),
            ("video/896605655.cmfv", "video", Some(896_605_655)),
            ("video-720p/init.mp4", "video-720p", None),
            ("video-720p/935000123.m4s", "video-720p", Some(935_000_123)),
            ("init-stream0.m4s", "stream0", None),
            ("chunk-stream0-00001.m4s", "stream0", Some(1)),
            (
                "chunk-stream1-22978624000000.m4s",
                "stream1",
                Some(22_978_624_000_000),
            ),
            ("init.mp4", "main", None),
            ("seg_00001.m4s", "main", Some(1)),
            ("seg00001.m4s", "main", Some(1)),
            ("a/init.mp4", "a", None),
            ("a/0.m4s", "a", Some(0)),
            ("stream_0_init.mp4", "stream_0", None),
            ("stream_0_00007.m4s", "stream_0", Some(7)),
            ("video-720p.cmfv", "video-720p", None),
            ("en/audio/1.m4s", "en-audio", Some(1)),
            ("fr/audio/init.mp4", "fr-audio", None),
            ("fr/Streams(audio.cmfa)", "fr-audio", None),
            ("fr/Streams(audio.cmfa)/3.m4s", "fr-audio", Some(3)),
        ];
        for (path, track, number) in cases {
            let name = ObjectName::parse(path).unwrap();
            assert_eq!((name.track.as_str(), name.number), (track, number), "{path}");
        }
    }

    #[test]
    fn a_folder_b_in_a_tracks_folder_is_of_variant_b_and_no_other() {
        let parse = |path: &str, told| {
            let name = ObjectName::parse_told(path, told).unwrap();
            (name.track, name.number, name.variant)
        };
        let due = |track: &str, number, variant| (track.to_owned(), number, variant);
        let (a, b) = (Some(Variant::A), Some(Variant::B));
        for (path, told, track, number, variant) in [
            ("video/b/7.m4s", None, "video", Some(7), Variant::B),
            ("fr/video/b/7.m4s", None, "fr-video", Some(7), Variant::B),
            ("Streams(v1.cmfv)/b/7.m4s", None, "v1", Some(7), Variant::B),
            ("video/b/init.mp4", None, "video", None, Variant::B),
            ("b/7.m4s", None, "b", Some(7), Variant::A),
            ("b/video/7.m4s", None, "b-video", Some(7), Variant::A),
            ("b/video/7.m4s", b, "video", Some(7), Variant::B),
            ("b/Streams(video.cmfv)", b, "video", None, Variant::B),
            ("video/7.m4s", b, "video", Some(7), Variant::B),
            ("video/7.m4s", a, "video", Some(7), Variant::A),
            ("video/b/7.m4s", a, "video", Some(7), Variant::B),
        ] {
            assert_eq!(parse(path, told), due(track, number, variant), "{path}");
        }
    }

    #[test]
    fn a_path_cannot_leave_its_channel() {
        for path in [
            "../../etc/passwd",
            "%2e%2e/%2e%2e/x.m4s",
            "..",
            "a/../../b.mp4",
            "/",
            "",
        ] {
            if let Some(name) = ObjectName::parse(path) {
                assert!(
                    !name.track.contains('/') && !name.track.starts_with('.'),
                    "{path}: {name:?}"
                );
            }
        }
        assert!(is_channel_name("demo-1.a"));
        for name in ["", ".", "..", ".x", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(!is_channel_name(name), "{name}");
        }
    }
}
