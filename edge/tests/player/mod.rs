//! A player as the standard describes one (RFC 8216bis §6.3). It knows nothing of breaks or of who wrote a playlist: it
//! reads the text, again and again, and complains of all that a playlist may not do.

#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::collections::BTreeMap;

use selvedge_breaks::{Micros, UnixMicros};

/// A segment, with all that playing it takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Segment {
    pub(crate) uri: String,
    pub(crate) length: Micros,
    pub(crate) date: UnixMicros,
    pub(crate) discontinuity: u64,
    /// Whether a discontinuity stands before it.
    pub(crate) breaks_off: bool,
    pub(crate) map: Option<String>,
    /// The keys in force, each with the initialisation vector in effect.
    pub(crate) keys: Vec<String>,
    /// The lines that say so.
    key_lines: Vec<BTreeMap<String, String>>,
    pub(crate) parts: Vec<(Micros, String)>,
}

/// A playlist as it reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Playlist {
    pub(crate) target: i64,
    pub(crate) media: u64,
    pub(crate) discontinuity: u64,
    pub(crate) segments: Vec<Segment>,
    /// Parts of the segment behind the last one, and whether a discontinuity stands before them.
    pub(crate) coming: Vec<(Micros, String)>,
    pub(crate) coming_breaks_off: bool,
    pub(crate) hint: Option<String>,
    pub(crate) skipped: usize,
    /// `EXT-X-DATERANGE`s by their identifiers.
    pub(crate) ranges: BTreeMap<String, BTreeMap<String, String>>,
    /// The last segment and part of each other rendition.
    pub(crate) reports: Vec<(u64, Option<u64>)>,
}

/// What a session has seen.
#[derive(Debug, Default)]
pub(crate) struct Player {
    pub(crate) seen: BTreeMap<u64, Segment>,
    pub(crate) last: Option<Playlist>,
    ranges: BTreeMap<String, BTreeMap<String, String>>,
}

fn attributes(list: &str) -> BTreeMap<String, String> {
    let (mut out, mut quoted, mut start) = (BTreeMap::new(), false, 0);
    let pairs = list.char_indices().chain([(list.len(), ',')]);
    for (at, letter) in pairs {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                let (name, value) = list[start..at].split_once('=').unwrap();
                assert!(
                    out.insert(name.to_owned(), value.trim_matches('"').to_owned())
                        .is_none(),
                    "{name} twice in {list}"
                );
                start = at + 1;
            }
            _ => {}
        }
    }
    out
}

fn seconds(text: &str) -> Micros {
    Micros::read_seconds(text).unwrap()
}

impl Playlist {
    /// Reads a playlist; a delta update of `before`.
    pub(crate) fn read(text: &str, before: Option<&Self>) -> Self {
        let mut list = Self::default();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"));
        let (mut keys, mut map, mut date): (Vec<BTreeMap<String, String>>, _, _) = (Vec::new(), None, None);
        let (mut length, mut breaks_off, mut number, mut is_gap) = (None, 0, 0, false);
        let mut parts = Vec::new();
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-TARGETDURATION" => list.target = value.parse().unwrap(),
                "#EXT-X-MEDIA-SEQUENCE" => {
                    assert!(
                        list.segments.is_empty() && breaks_off == 0,
                        "a number in the midst"
                    );
                    list.media = value.parse().unwrap();
                }
                "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                    assert!(
                        list.segments.is_empty() && breaks_off == 0,
                        "a number in the midst"
                    );
                    list.discontinuity = value.parse().unwrap();
                    number = list.discontinuity;
                }
                "#EXT-X-SKIP" => {
                    let before = before.expect("a delta update of nothing");
                    list.skipped = attributes(value)["SKIPPED-SEGMENTS"].parse().unwrap();
                    let from =
                        usize::try_from(list.media - before.media).expect("begins before what is known");
                    list.segments = before.segments[from..from + list.skipped].to_vec();
                    let last = list.segments.last().unwrap();
                    number = last.discontinuity;
                    map.clone_from(&last.map);
                    date = Some(last.date.plus(last.length));
                    keys.clone_from(&last.key_lines);
                }
                "#EXT-X-DISCONTINUITY" => {
                    breaks_off += 1;
                    number += 1;
                }
                "#EXT-X-KEY" => {
                    let key = attributes(value);
                    if key["METHOD"] == "NONE" {
                        keys.clear();
                    } else {
                        keys.retain(|other| other.get("KEYFORMAT") != key.get("KEYFORMAT"));
                        keys.push(key);
                    }
                }
                "#EXT-X-MAP" => map = Some(attributes(value)["URI"].clone()),
                "#EXT-X-PROGRAM-DATE-TIME" => date = UnixMicros::read(value),
                "#EXT-X-PART" => {
                    let part = attributes(value);
                    let range = part
                        .get("BYTERANGE")
                        .map_or(String::new(), |range| format!(" {range}"));
                    parts.push((seconds(&part["DURATION"]), part["URI"].clone() + &range));
                }
                "#EXT-X-PRELOAD-HINT" => {
                    let hint = attributes(value);
                    let range = hint.get("BYTERANGE-START").map_or(String::new(), |start| {
                        format!(" {}@{start}", hint["BYTERANGE-LENGTH"])
                    });
                    assert!(
                        list.hint.replace(hint["URI"].clone() + &range).is_none(),
                        "two hints"
                    );
                }
                "#EXT-X-RENDITION-REPORT" => {
                    let report = attributes(value);
                    list.reports.push((
                        report["LAST-MSN"].parse().unwrap(),
                        report.get("LAST-PART").map(|part| part.parse().unwrap()),
                    ));
                }
                "#EXT-X-DATERANGE" => {
                    // Two tags of one identifier tell more of one range, and neither another thing than the other.
                    let told = attributes(value);
                    let range = list.ranges.entry(told["ID"].clone()).or_default();
                    for (name, value) in told {
                        let old = range.insert(name, value.clone());
                        assert!(old.is_none_or(|old| old == value), "{line}");
                    }
                }
                "#EXT-X-GAP" => is_gap = true,
                "#EXTINF" => length = Some(seconds(value.trim_end_matches(','))),
                _ if line.starts_with('#') || line.is_empty() => {
                    assert!(
                        !line.contains("CUE") && !line.contains("SELVEDGE"),
                        "not for players: {line}"
                    );
                }
                uri => {
                    let length = length.take().expect("a segment has a length");
                    let start = date.expect("a segment has a date");
                    assert!(breaks_off <= 1, "two discontinuities before {uri}");
                    let media = list.media + list.segments.len() as u64;
                    let in_force = keys.iter().map(|key| {
                        let implicit = format!("0x{media:032X}");
                        let iv = key.get("IV").unwrap_or(&implicit);
                        let iv = if key["METHOD"] == "AES-128" { iv } else { "" };
                        format!("{} {} {iv}", key["METHOD"], key["URI"])
                    });
                    list.segments.push(Segment {
                        uri: line.to_owned(),
                        length,
                        date: start,
                        discontinuity: number,
                        breaks_off: breaks_off > 0,
                        // Of a gap nothing is loaded (§4.4.4.7), so it matters not with what.
                        map: map.clone().filter(|_| !is_gap),
                        keys: in_force.filter(|_| !is_gap).collect(),
                        key_lines: if is_gap { Vec::new() } else { keys.clone() },
                        parts: std::mem::take(&mut parts),
                    });
                    (breaks_off, is_gap) = (0, false);
                    date = Some(start.plus(length));
                }
            }
        }
        list.coming = parts;
        list.coming_breaks_off = breaks_off > 0;
        list
    }

    pub(crate) fn end(&self) -> u64 {
        self.media + self.segments.len() as u64
    }

    /// The segment with a number.
    pub(crate) fn get(&self, media: u64) -> Option<&Segment> {
        self.segments
            .get(usize::try_from(media.checked_sub(self.media)?).unwrap())
    }

    /// The last thing that it lists: a segment's number, and the last of its parts where it has parts.
    pub(crate) fn last(&self) -> (u64, Option<u64>) {
        let part = |parts: &[(Micros, String)]| parts.len().checked_sub(1).map(|part| part as u64);
        match part(&self.coming) {
            Some(last) => (self.end(), Some(last)),
            None => {
                let last = self.segments.last().unwrap();
                (self.end() - 1, part(&last.parts))
            }
        }
    }
}

impl Segment {
    /// Whether it is the same one. Parts go with time, what decrypts it may be said otherwise, and a date that is added up
    /// is rounded.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let Self {
            uri,
            length,
            date,
            discontinuity,
            breaks_off,
            map,
            keys,
            key_lines: _,
            parts: _,
        } = self;
        (uri, map, keys) == (&other.uri, &other.map, &other.keys)
            && *length == other.length
            && date.since(other.date).0.abs() <= 2000
            && (discontinuity, breaks_off) == (&other.discontinuity, &other.breaks_off)
    }
}

impl Player {
    /// Loads the playlist again.
    pub(crate) fn load(&mut self, text: &str) {
        let list = Playlist::read(text, None);
        if let Some(before) = &self.last {
            assert!(
                list.media >= before.media,
                "the media sequence went back:\n{text}"
            );
            assert!(
                list.discontinuity >= before.discontinuity,
                "the discontinuity sequence went back:\n{text}"
            );
            assert!(list.end() >= before.end(), "segments were taken back:\n{text}");
            assert_eq!(list.target, before.target, "the target duration changed");
            self.follow_parts(before, &list, text);
        }
        let mut before: Option<&Segment> = None;
        for (media, segment) in (list.media..).zip(&list.segments) {
            assert!(
                (segment.length.0 + 500_000) / 1_000_000 <= list.target,
                "too long: {segment:?}"
            );
            let seen = self.seen.get(&media);
            if let Some(seen) = seen {
                assert!(
                    segment.is(seen),
                    "segment {media} changed from {seen:?} to {segment:?}:\n{text}"
                );
            }
            if seen.is_none_or(|seen| seen.parts != segment.parts) {
                self.seen.insert(media, segment.clone());
            }
            if let Some(before) = before {
                assert_eq!(
                    segment.discontinuity - before.discontinuity,
                    u64::from(segment.breaks_off)
                );
                let drift = segment.date.since(before.date.plus(before.length)).0;
                assert!(
                    drift >= -65_000,
                    "time goes back by {drift} µs before {media}:\n{text}"
                );
                assert!(
                    drift <= 60_000 || segment.breaks_off,
                    "time jumps by {drift} µs before {media}:\n{text}"
                );
            }
            if !segment.parts.is_empty() {
                let sum = segment
                    .parts
                    .iter()
                    .fold(Micros::ZERO, |sum, (part, _)| sum.plus(*part));
                assert_eq!(
                    sum, segment.length,
                    "parts are not as long as their segment:\n{text}"
                );
            }
            before = Some(segment);
        }
        for (id, range) in &list.ranges {
            let known = self.ranges.entry(id.clone()).or_default();
            for (name, value) in range {
                match known.get(name) {
                    Some(old) => assert_eq!(old, value, "{name} of {id} changed:\n{text}"),
                    None => drop(known.insert(name.clone(), value.clone())),
                }
            }
        }
        self.last = Some(list);
    }

    /// What was hinted at comes, or goes; what was there in parts stays.
    fn follow_parts(&self, before: &Playlist, list: &Playlist, text: &str) {
        if list.media > before.end() {
            // It has gone while nobody looked.
            return;
        }
        let (now, breaks_off) = match list.get(before.end()) {
            // Parts go from a segment with time (§6.2.2).
            Some(segment) if segment.parts.is_empty() && list.end() > before.end() + 1 => return,
            Some(segment) => (&segment.parts, segment.breaks_off),
            None => (&list.coming, list.coming_breaks_off),
        };
        if now.is_empty() && before.coming.is_empty() {
            return;
        }
        assert!(now.starts_with(&before.coming), "parts were taken back:\n{text}");
        if let (Some((_, next)), Some(hint)) = (now.get(before.coming.len()), &before.hint) {
            // A hint may fail (§6.2.6), and does where a break ends before its time.
            let fails = before.coming.is_empty() && breaks_off;
            assert!(next == hint || fails, "{next} came and not {hint}:\n{text}");
        }
    }
}
