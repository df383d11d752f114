//! Channels drawn by hand, and a reader of XML that applies patches, for the tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event as Xml};

use crate::cmaf::{Edit, Init, Kind};
use crate::media::{
    Base, Counts, Entry, Epoch, Grid, MediaSequence, OpenView, Part, Segment, Snapshot, TrackView,
};
use crate::time::{UnixMillis, ticks_to_nanos};

/// 2026-11-21T12:00:00Z, on the grid of 1.92 s.
const NOON: i64 = 1_795_262_400_000;
const NOMINAL: i64 = 1_920_000_000;
const PART: i64 = 320_000_000;

/// A channel of a video and an audio track, whose segments all last 1.92 s unless a step says otherwise.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    snapshot: Snapshot,
}

impl Sample {
    pub(super) fn plain() -> Self {
        Self::new(None)
    }

    pub(super) fn low_latency() -> Self {
        Self::new(Some(320))
    }

    fn new(part_target_ms: Option<u32>) -> Self {
        let sequence = (NOON / 1_920) as u64;
        let epoch = Epoch {
            ordinal: 0,
            id: "0".into(),
            anchor: UnixMillis(0),
            period_start: UnixMillis(0),
            opened: UnixMillis(NOON),
            base: Some(Base {
                sequence,
                wall: NOON * 1_000_000,
            }),
            source: None,
        };
        let snapshot = Snapshot {
            channel: "demo".into(),
            grid: Some(Grid {
                nominal: NOMINAL,
                target_duration_s: 2,
                part_target_ms,
            }),
            epochs: vec![epoch],
            tracks: vec![track("audio", Kind::Audio), track("video", Kind::Video)],
            ended: false,
            updated: UnixMillis(NOON),
            began: UnixMillis(NOON),
            window_s: 60,
            events: Vec::new(),
            events_told: 0,
            breaks: None,
        };
        Self { snapshot }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// Whether a fact is about a segment that has not closed yet, so that its duration is a promise.
    pub(super) fn is_announced(&self, what: &str) -> bool {
        let words: Vec<&str> = what.split(' ').collect();
        let [epoch, track, time] = words[..] else {
            return false;
        };
        let (Some(track), Ok(time)) = (self.snapshot.track(track), time.parse::<u64>()) else {
            return false;
        };
        let ordinal = self
            .snapshot
            .epochs
            .iter()
            .find(|known| known.id == epoch)
            .unwrap()
            .ordinal;
        let of_epoch = track.entries.iter().filter_map(Entry::segment);
        of_epoch
            .filter(|segment| segment.epoch == ordinal)
            .all(|segment| segment.start < time)
    }

    fn each(mut self, act: impl Fn(&mut TrackView, &Epoch)) -> Self {
        let epoch = self.snapshot.epochs.last().unwrap().clone();
        for track in &mut self.snapshot.tracks {
            act(track, &epoch);
        }
        self.snapshot.updated = self.snapshot.updated.plus_nanos(NOMINAL);
        self
    }

    /// So many more whole segments on every track; an open one becomes the first of them.
    pub(super) fn slots(mut self, slots: u64) -> Self {
        for _ in 0..slots {
            self = self.each(|track, epoch| {
                let duration = ticks(track, NOMINAL);
                close(track, epoch, duration);
            });
        }
        self
    }

    /// So many more parts of the open segment, which is opened if need be.
    pub(super) fn open(self, parts: u64) -> Self {
        self.each(|track, epoch| {
            let part = ticks(track, PART);
            let (sequence, start) = next(track, epoch);
            let had = track.open.as_ref().map_or(0, |open| open.parts.len() as u64);
            let parts = (had + parts).min(6);
            track.open = Some(Arc::new(OpenView {
                sequence: MediaSequence(sequence),
                epoch: epoch.ordinal,
                name: format!("{}-{start}.m4s", epoch.id),
                start,
                duration: parts * part,
                wall: epoch.wall(start, timescale(track)),
                init: 1,
                parts: (0..parts)
                    .map(|index| Part {
                        offset: index * 1_000,
                        length: 1_000,
                        duration: part,
                        independent: index == 0,
                        first_sample: 0,
                    })
                    .collect(),
                chunks: (0..parts).map(|_| Bytes::from_static(&[0; 1_000])).collect(),
            }));
        })
    }

    /// One more segment, shorter by so many ticks of 90 kHz.
    pub(super) fn last_short(self, by: i64) -> Self {
        self.each(|track, epoch| {
            let duration = ticks(track, NOMINAL - by * 100_000 / 9);
            close(track, epoch, duration);
        })
    }

    /// A slot goes missing.
    pub(super) fn hole(self) -> Self {
        self.each(|track, epoch| {
            track.open = None;
            let (sequence, start) = next(track, epoch);
            let skipped = start + ticks(track, NOMINAL);
            let duration = ticks(track, NOMINAL);
            push(track, epoch, sequence + 1, skipped, duration);
        })
    }

    /// The oldest segment leaves the window, unless it is the last; epochs go with theirs.
    pub(super) fn leave(mut self) -> Self {
        self = self.each(|track, _| {
            if track.entries.len() > 2 {
                track.entries.remove(0);
            }
        });
        let tracks = &self.snapshot.tracks;
        let is_used = |epoch: &Epoch| {
            tracks
                .iter()
                .any(|track| track.entries.iter().any(|entry| entry.epoch() == epoch.ordinal))
        };
        self.snapshot.epochs.retain(is_used);
        self
    }

    /// The encoder begins anew, with time zero.
    pub(super) fn restart(mut self) -> Self {
        let last = self.snapshot.epochs.last().unwrap().clone();
        let ends = self.snapshot.tracks.iter().flat_map(|track| &track.entries);
        let end = ends.map(Entry::end).max().unwrap();
        let wall = UnixMillis(end / 1_000_000 + 5_000);
        let newest = self
            .snapshot
            .tracks
            .iter()
            .map(|track| next(track, &last).0)
            .max()
            .unwrap();
        self.snapshot.epochs.push(Epoch {
            ordinal: last.ordinal + 1,
            id: format!("{}", wall.0 / 1_000),
            anchor: wall,
            period_start: wall,
            opened: self.snapshot.updated,
            base: Some(Base {
                sequence: newest,
                wall: wall.as_nanos(),
            }),
            source: None,
        });
        self = self.each(|track, epoch| {
            track.open = None;
            let duration = ticks(track, NOMINAL);
            push(track, epoch, newest, 0, duration);
        });
        self
    }

    /// A segment was larger than any before.
    pub(super) fn peak(self) -> Self {
        self.each(|track, _| track.peak_bitrate += 1_000)
    }

    pub(super) fn end(mut self) -> Self {
        self = self.each(|track, _| {
            track.open = None;
            track.ended = true;
        });
        self.snapshot.ended = true;
        self
    }
}

fn track(name: &str, kind: Kind) -> TrackView {
    let is_video = kind == Kind::Video;
    let init = Init {
        bytes: Bytes::new(),
        hash: 1,
        kind,
        track_id: 1,
        timescale: if is_video { 90_000 } else { 48_000 },
        codec: if is_video { "avc1.64001f" } else { "mp4a.40.2" }.into(),
        language: (!is_video).then(|| "en".into()),
        width: if is_video { 640 } else { 0 },
        height: if is_video { 360 } else { 0 },
        channels: if is_video { 0 } else { 2 },
        sample_rate: if is_video { 0 } else { 48_000 },
        average_bitrate: 0,
        max_bitrate: 0,
        edit: Edit::default(),
        default_duration: 0,
        default_flags: 0,
        default_size: 0,
        supplemental: None,
        transfer: None,
        roles: Vec::new(),
        uri: None,
    };
    TrackView {
        name: name.into(),
        inits: vec![Arc::new(init)],
        entries: Vec::new(),
        open: None,
        peak_bitrate: 128_000,
        average_bitrate: 96_000,
        frame_rate: is_video.then_some((25, 1)),
        ended: false,
        sources: Vec::new(),
        inband: Vec::new(),
        counts: Counts::default(),
        marking: None,
        paired: 0,
    }
}

fn timescale(track: &TrackView) -> u32 {
    track.init().unwrap().timescale
}

fn ticks(track: &TrackView, nanos: i64) -> u64 {
    crate::time::nanos_to_ticks(nanos, timescale(track)) as u64
}

/// Number and start of the next segment.
fn next(track: &TrackView, epoch: &Epoch) -> (u64, u64) {
    if let Some(open) = &track.open {
        return (open.sequence.0, open.start);
    }
    match track.entries.last().and_then(Entry::segment) {
        Some(last) if last.epoch == epoch.ordinal => (last.sequence.0 + 1, last.start + last.duration),
        Some(last) => (last.sequence.0 + 1, 0),
        None => {
            let base = epoch.base.unwrap();
            (base.sequence, ticks(track, base.wall - epoch.anchor.as_nanos()))
        }
    }
}

fn close(track: &mut TrackView, epoch: &Epoch, duration: u64) {
    let (sequence, start) = next(track, epoch);
    track.open = None;
    push(track, epoch, sequence, start, duration);
}

fn push(track: &mut TrackView, epoch: &Epoch, sequence: u64, start: u64, duration: u64) {
    let timescale = timescale(track);
    track.entries.push(Entry::Segment(Arc::new(Segment {
        sequence: MediaSequence(sequence),
        epoch: epoch.ordinal,
        name: format!("{}-{start}.m4s", epoch.id),
        start,
        duration,
        wall: epoch.wall(start, timescale),
        span: ticks_to_nanos(duration as i64, timescale),
        length: 6_000,
        init: 1,
        parts: Vec::new(),
    })));
}

/// XML as an independent reader finds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Applied {
    Element {
        name: String,
        attributes: BTreeMap<String, String>,
        children: Vec<Self>,
    },
    Text(String),
}

pub(super) fn parse(text: &str) -> Applied {
    let mut reader = Reader::from_str(text);
    let mut open = vec![element("", BTreeMap::new())];
    loop {
        match reader.read_event().unwrap() {
            Xml::Start(start) => open.push(started(&start)),
            Xml::Empty(start) => {
                let child = started(&start);
                open.last_mut().unwrap().children().push(child);
            }
            Xml::End(_) => {
                let child = open.pop().unwrap();
                open.last_mut().unwrap().children().push(child);
            }
            Xml::Text(text) => {
                let text = (*text).to_owned();
                if !text.trim().is_empty() {
                    open.last_mut().unwrap().children().push(Applied::Text(text));
                }
            }
            Xml::Eof => break,
            _ => {}
        }
    }
    open.pop().unwrap().children().remove(0)
}

fn element(name: &str, attributes: BTreeMap<String, String>) -> Applied {
    Applied::Element {
        name: name.to_owned(),
        attributes,
        children: Vec::new(),
    }
}

fn started(start: &BytesStart<'_>) -> Applied {
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        (attribute.key.as_ref().to_owned(), attribute.value.into_owned())
    });
    element(start.name().as_ref(), attributes.collect())
}

impl Applied {
    fn children(&mut self) -> &mut Vec<Self> {
        match self {
            Self::Element { children, .. } => children,
            Self::Text(text) => panic!("{text} has no children"),
        }
    }

    fn attribute(&self, wanted: &str) -> Option<&str> {
        match self {
            Self::Element { attributes, .. } => attributes.get(wanted).map(String::as_str),
            Self::Text(_) => None,
        }
    }

    fn is_named(&self, wanted: &str) -> bool {
        matches!(self, Self::Element { name, .. } if name == wanted)
    }

    /// The document after a patch (RFC 5261, as far as ISO/IEC 23009-1 5.15 takes it).
    pub(super) fn patched(mut self, patch: &Self) -> Self {
        assert_eq!(patch.attribute("mpdId"), self.attribute("id"));
        assert_eq!(
            patch.attribute("originalPublishTime"),
            self.attribute("publishTime")
        );
        let Self::Element { children, .. } = patch else {
            panic!("no patch")
        };
        for operation in children {
            self.operate(operation);
        }
        assert_eq!(patch.attribute("publishTime"), self.attribute("publishTime"));
        self
    }

    fn operate(&mut self, operation: &Self) {
        let Self::Element { name, children, .. } = operation else {
            panic!("no operation")
        };
        let selector = operation.attribute("sel").unwrap();
        let mut steps: Vec<&str> = selector.trim_start_matches("/MPD").split('/').skip(1).collect();
        let last = steps.pop().unwrap_or_default();
        if let Some(wanted) = last.strip_prefix('@') {
            let target = self.walk(&steps);
            let [Self::Text(value)] = children.as_slice() else {
                panic!("no value")
            };
            let Self::Element { attributes, .. } = target else {
                panic!("no element")
            };
            assert!(
                attributes.insert(wanted.to_owned(), value.clone()).is_some(),
                "{selector}"
            );
            return;
        }
        let parent = self.walk(&steps);
        let at = parent.position(last);
        let siblings = parent.children();
        match (name.as_str(), operation.attribute("pos")) {
            ("remove", _) => {
                siblings.remove(at);
            }
            ("replace", _) => {
                siblings.splice(at..=at, children.iter().cloned());
            }
            ("add", None) => siblings[at].children().extend(children.iter().cloned()),
            ("add", Some("after")) => {
                siblings.splice(at + 1..at + 1, children.iter().cloned());
            }
            other => panic!("{other:?}"),
        }
    }

    fn walk(&mut self, steps: &[&str]) -> &mut Self {
        let mut at = self;
        for step in steps {
            let index = at.position(step);
            at = &mut at.children()[index];
        }
        at
    }

    /// The place among the children of the one that a step selects: `name`, `name[1]` or `name[@id='x']`.
    fn position(&mut self, step: &str) -> usize {
        let (name, predicate) = step.trim_end_matches(']').split_once('[').unwrap_or((step, "1"));
        let children = self.children();
        let mut named = children
            .iter()
            .enumerate()
            .filter(|(_, child)| child.is_named(name));
        let found = match predicate.strip_prefix("@id='") {
            Some(id) => named.find(|(_, child)| child.attribute("id") == Some(id.trim_end_matches('\''))),
            None => named.nth(predicate.parse::<usize>().unwrap() - 1),
        };
        found.unwrap_or_else(|| panic!("{step} is not there")).0
    }
}
