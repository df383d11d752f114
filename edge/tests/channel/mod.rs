//! A channel that does not exist: its programme, its breaks, and the playlist that its origin serves at any moment.

#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{collections::BTreeMap, fmt::Write as _, ops::Range, sync::Arc};

use selvedge_breaks::{
    After, Airing, Anchor, BreakId, Decision, Key, Micros, Mode, Return, Slice, Structure, UnixMicros,
    decision::{Ad, Media, Part, Segment},
};

/// 2026-01-01T20:00:00Z.
pub(crate) const BEGIN: UnixMicros = UnixMicros(1_767_297_600_000_000);
pub(crate) const TOLERANCE: Micros = Micros::from_millis(40);

/// How a channel's media is encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keys {
    None,
    /// Two systems of one key.
    MultiDrm,
    /// With the segment's number as initialisation vector.
    Aes128,
}

/// A channel.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) segment: Micros,
    /// Parts of a segment, in a channel of low latency.
    pub(crate) parts: Option<u32>,
    pub(crate) target: i64,
    pub(crate) keys: Keys,
    /// Whether every segment has a date, or only those that need one.
    pub(crate) dates_all: bool,
    /// Source segments by their index, each with its own discontinuities before it.
    pub(crate) programme: Vec<Piece>,
    pub(crate) breaks: Vec<Planned>,
    pub(crate) first: u64,
}

/// A source segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) start: UnixMicros,
    pub(crate) length: Micros,
    pub(crate) breaks_off: bool,
}

/// A break as it will have been.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) out: UnixMicros,
    pub(crate) length: Micros,
    /// Its real end; known when the source has come to it, or always.
    pub(crate) t_in: UnixMicros,
    pub(crate) known: bool,
    pub(crate) structure: Structure,
}

/// How an MPD addresses its segments.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Addressing {
    Time,
    Number,
}

#[derive(Clone, Copy, Debug)]
enum Track {
    Video,
    Audio,
}

/// The shortest segment that an encoder makes between two others.
const SHORTEST: Micros = Micros::from_millis(100);

/// Where the media's own timeline is when the programme begins.
const MEDIA_BEGIN: i64 = 5_000_000;

/// What a source lists: whole segments, and parts of the one behind.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) window: Range<usize>,
    pub(crate) parts: u32,
}

impl Channel {
    /// Cuts a programme at its cadence, and anew where breaks begin and end.
    pub(crate) fn cut(&mut self, segments: usize, breaks_off: &[usize]) {
        let mut cuts: Vec<UnixMicros> = self.breaks.iter().flat_map(|brk| [brk.out, brk.t_in]).collect();
        cuts.sort();
        let mut at = BEGIN;
        self.programme.clear();
        while self.programme.len() < segments {
            // An encoder makes no segment of a few frames: it lets the one beside it be longer.
            let is_apart = |grid: &UnixMicros| {
                let is_near = |cut: &UnixMicros| (0..SHORTEST.0).contains(&cut.since(*grid).0);
                grid.since(at) >= SHORTEST && (cuts.contains(grid) || !cuts.iter().any(is_near))
            };
            let slot = at.since(BEGIN).0 / self.segment.0;
            let mut grid = (slot + 1..).map(|slot| BEGIN.plus(self.segment.times(slot)));
            let grid = grid.find(is_apart).unwrap();
            let next = cuts
                .iter()
                .copied()
                .find(|cut| *cut > at)
                .map_or(grid, |cut| cut.min(grid));
            self.programme.push(Piece {
                start: at,
                length: next.since(at),
                breaks_off: breaks_off.contains(&self.programme.len()),
            });
            at = next;
        }
    }

    pub(crate) fn number(&self, index: usize) -> u64 {
        self.first + index as u64
    }

    /// The discontinuity sequence number of a segment.
    fn discontinuity(&self, index: usize) -> u64 {
        self.programme[..=index]
            .iter()
            .filter(|piece| piece.breaks_off)
            .count() as u64
    }

    fn part(&self) -> Micros {
        Micros(self.segment.0 / i64::from(self.parts.unwrap_or(1)))
    }

    /// The parts that a segment is listed in.
    fn part_count(&self, piece: &Piece) -> u32 {
        u32::try_from((piece.length.0 + self.part().0 - 1) / self.part().0).unwrap()
    }

    /// All views of a channel whose window has so many segments, one after the other.
    pub(crate) fn views(&self, window: usize) -> Vec<View> {
        let mut views = Vec::new();
        for end in window..self.programme.len() {
            let parts = self.parts.map_or(1, |_| self.part_count(&self.programme[end]));
            for parts in 0..parts {
                views.push(View {
                    window: end - window..end,
                    parts,
                });
            }
        }
        views
    }

    /// The end of what a view lists.
    pub(crate) fn edge(&self, view: &View) -> UnixMicros {
        let next = &self.programme[view.window.end];
        next.start
            .plus(self.part().times(i64::from(view.parts)).min(next.length))
    }

    /// The slice of the break log that travels with a view, and the decisions that it makes an edge ask for.
    pub(crate) fn slice(&self, view: &View, lead: Micros) -> Slice {
        let edge = self.edge(view);
        let mut slice = Slice::default();
        let mut before: Option<Return> = None;
        for (index, brk) in self
            .breaks
            .iter()
            .enumerate()
            .filter(|(_, brk)| brk.out <= edge.plus(lead))
        {
            let mut airing = Airing {
                id: BreakId::new("news", brk.out, &Key::Insert(u32::try_from(index).unwrap())),
                mode: Mode::Replace,
                out: brk.out,
                planned: brk.length,
                t_in: (brk.known || brk.t_in <= edge).then_some(brk.t_in),
                revision: 1,
                effective_from: brk.out,
                structure: brk.structure.clone(),
                anchor: None,
            };
            let listed = |at: UnixMicros| {
                let index = self
                    .programme
                    .iter()
                    .position(|piece| piece.start >= at.less(TOLERANCE))?;
                (index < view.window.end || (index == view.window.end && edge > self.programme[index].start))
                    .then_some(index)
            };
            let out = listed(brk.out);
            // Where two breaks meet, the second begins where the first has ended: with one discontinuity for both.
            let is_empty = airing
                .length()
                .is_some_and(|length| brk.structure.within(length).next().is_none());
            let meets =
                before.filter(|back| !is_empty && out.is_some_and(|out| self.number(out) == back.msn_in));
            airing.anchor = out.map(|out| Anchor {
                msn_out: self.number(out),
                dsn_before: match (meets, out.checked_sub(1)) {
                    (Some(back), _) => back.dsn_in,
                    (None, Some(before)) => self.discontinuity(before),
                    (None, None) => 0,
                },
                back: airing.rejoin().and_then(listed).map(|back| Return {
                    msn_in: self.number(back),
                    dsn_in: self.discontinuity(back),
                }),
            });
            if meets.is_some() && slice.breaks.is_empty() {
                slice.before.dsn -= 1;
            }
            let is_over = airing.anchor.and_then(|anchor| anchor.back);
            before = is_over.filter(|_| !is_empty);
            match is_over {
                Some(back) if back.msn_in < self.number(view.window.start) => {
                    let sums = airing.sums().unwrap();
                    slice.before.msn += sums.msn;
                    slice.before.dsn += sums.dsn;
                }
                _ => slice.breaks.push(airing),
            }
        }
        slice
    }

    /// The slice that an MPD of a view has: without numbers, and with `older` breaks more than the last one before the
    /// window.
    pub(crate) fn slice_by_time(&self, view: &View, lead: Micros, older: usize) -> Slice {
        let edge = self.edge(view);
        let begin = self.programme[view.window.start].start;
        let known = self
            .breaks
            .iter()
            .enumerate()
            .filter(|(_, brk)| brk.out <= edge.plus(lead));
        let mut breaks: Vec<Airing> = known
            .map(|(index, brk)| Airing {
                id: BreakId::new("news", brk.out, &Key::Insert(u32::try_from(index).unwrap())),
                mode: Mode::Replace,
                out: brk.out,
                planned: brk.length,
                t_in: (brk.known || brk.t_in <= edge).then_some(brk.t_in),
                revision: 1,
                effective_from: brk.out,
                structure: brk.structure.clone(),
                anchor: None,
            })
            .collect();
        // A break that nothing fits in leaves the programme, whose Period is another's then.
        let is_before = |airing: &Airing| {
            airing.t_in.is_some_and(|t_in| t_in < begin.less(TOLERANCE))
                && airing.structure.within(airing.length().unwrap()).next().is_some()
        };
        let last = breaks.iter().rposition(is_before);
        breaks.drain(..last.unwrap_or(0).saturating_sub(older));
        Slice {
            breaks,
            ..Slice::default()
        }
    }

    /// The decision for each break of a slice, for renditions `v` and `a`.
    pub(crate) fn decisions(&self, slice: &Slice) -> Vec<Arc<Decision>> {
        slice
            .breaks
            .iter()
            .map(|airing| Arc::new(self.decision(airing)))
            .collect()
    }

    fn decision(&self, airing: &Airing) -> Decision {
        let id = airing.id.to_string();
        let ad = |name: String, slot: &selvedge_breaks::Slot| {
            let media = |rendition: &str| Media {
                init: Some(format!("{name}/{rendition}/init.mp4")),
                segments: (0..slot.segments())
                    .map(|index| {
                        let is_last = index + 1 == slot.segments();
                        let duration = if is_last { slot.last() } else { slot.segment() };
                        Segment {
                            duration,
                            uri: format!("{name}/{rendition}/{index}.m4s"),
                            parts: self.ad_parts(duration),
                        }
                    })
                    .collect(),
            };
            Ad {
                creative: name.clone(),
                duration: slot.length(),
                renditions: BTreeMap::from([("v".to_owned(), media("v")), ("a".to_owned(), media("a"))]),
            }
        };
        let slots = airing.structure.slots.iter().enumerate();
        Decision {
            version: serde_json::from_str("1").unwrap(),
            break_id: airing.id.clone(),
            cohort: "all".into(),
            ads: slots
                .map(|(index, slot)| ad(format!("ad/{id}/{index}"), slot))
                .collect(),
            slate: match &airing.structure.after {
                After::Slate(slot) => Some(ad("ad/slate".into(), slot)),
                After::Wait | After::Resume => None,
            },
        }
    }

    fn ad_parts(&self, duration: Micros) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut left = duration;
        while self.parts.is_some() && left.0 > 0 {
            let duration = left.min(self.part());
            parts.push(Part {
                duration,
                bytes: 1000,
            });
            left = left.less(duration);
        }
        parts
    }

    /// The playlist of a view, as the origin of one rendition serves it.
    pub(crate) fn playlist(&self, view: &View, rendition: &str) -> String {
        let first = view.window.start;
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
        writeln!(text, "#EXT-X-TARGETDURATION:{}", self.target).unwrap();
        let skip = 6 * self.target;
        if self.parts.is_some() {
            let part = self.part().0;
            let (part, hold) = (Decimal(part), Decimal(3 * part));
            writeln!(
                text,
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold},CAN-SKIP-UNTIL={skip}"
            )
            .unwrap();
            writeln!(text, "#EXT-X-PART-INF:PART-TARGET={part}").unwrap();
        } else {
            writeln!(text, "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL={skip}").unwrap();
        }
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", self.number(first)).unwrap();
        let own = u64::from(self.programme[first].breaks_off);
        writeln!(
            text,
            "#EXT-X-DISCONTINUITY-SEQUENCE:{}",
            self.discontinuity(first) - own
        )
        .unwrap();
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        for index in view.window.clone() {
            self.write_before(&mut text, index, index == first, rendition);
            if self.parts.is_some() && index + 4 > view.window.end {
                self.write_parts(&mut text, index, u32::MAX);
            }
            let length = Decimal(self.programme[index].length.0);
            writeln!(text, "#EXTINF:{length},\n{rendition}{}.m4s", self.number(index)).unwrap();
        }
        let next = view.window.end;
        if self.parts.is_some() {
            if view.parts > 0 {
                self.write_before(&mut text, next, false, rendition);
                self.write_parts(&mut text, next, view.parts);
            }
            let (number, part) = (self.number(next), view.parts);
            writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{number}.{part}.m4s\"").unwrap();
            let (last, part) = match view.parts.checked_sub(1) {
                Some(part) => (number, part),
                None => (number - 1, self.part_count(&self.programme[next - 1]) - 1),
            };
            writeln!(
                text,
                "#EXT-X-RENDITION-REPORT:URI=\"../a/index.m3u8\",LAST-MSN={last},LAST-PART={part}"
            )
            .unwrap();
        }
        text
    }

    /// The begin of a source segment on a track's own timeline, in ticks. Sound is cut between its frames, near where
    /// pictures are.
    fn tick(track: Track, at: UnixMicros) -> i64 {
        let scaled = |timescale: i64| (at.since(BEGIN).0 * timescale + 500_000).div_euclid(1_000_000);
        match track {
            Track::Video => MEDIA_BEGIN + scaled(90_000),
            Track::Audio => MEDIA_BEGIN + (scaled(48_000) + 512).div_euclid(1024) * 1024,
        }
    }

    /// The MPD of a view, with a Period for each discontinuity and the sets of pictures and of sound.
    pub(crate) fn mpd(&self, view: &View, addressing: Addressing) -> String {
        let published = self.edge(view);
        let depth = self.programme[view.window.end]
            .start
            .since(self.programme[view.window.start].start);
        let mut text = format!(
            "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"dynamic\" \
             availabilityStartTime=\"1970-01-01T00:00:00Z\" publishTime=\"{published}\" \
             timeShiftBufferDepth=\"PT{}S\" maxSegmentDuration=\"PT{}S\">\n",
            Decimal(depth.0),
            self.target
        );
        let mut first = view.window.start;
        while first < view.window.end {
            let epoch = self.discontinuity(first);
            let same = (first..view.window.end).take_while(|index| self.discontinuity(*index) == epoch);
            let range = first..same.last().unwrap() + 1;
            self.write_period(&mut text, epoch, range.clone(), addressing);
            first = range.end;
        }
        text + "</MPD>\n"
    }

    fn write_period(&self, text: &mut String, epoch: u64, range: Range<usize>, addressing: Addressing) {
        let begins = (0..=range.start)
            .rev()
            .find(|index| *index == 0 || self.programme[*index].breaks_off);
        let start = self.programme[begins.unwrap()].start;
        writeln!(
            text,
            "  <Period id=\"e{epoch}\" start=\"PT{}S\">",
            Decimal(start.0)
        )
        .unwrap();
        for (id, track, kind, timescale) in [
            ("v", Track::Video, "video", 90_000),
            ("a", Track::Audio, "audio", 48_000),
        ] {
            let offset = MEDIA_BEGIN + (start.since(BEGIN).0 * timescale + 500_000).div_euclid(1_000_000);
            write!(
                text,
                "    <AdaptationSet id=\"{id}\" contentType=\"{kind}\">\n      \
                 <SegmentTemplate timescale=\"{timescale}\" presentationTimeOffset=\"{offset}\" \
                 initialization=\"{id}-{epoch}.mp4\""
            )
            .unwrap();
            match addressing {
                Addressing::Time => {
                    writeln!(text, " media=\"{id}/$Time$.m4s\"><SegmentTimeline>").unwrap();
                    let mut runs: Vec<(i64, i64, i64)> = Vec::new();
                    for index in range.clone() {
                        let piece = &self.programme[index];
                        let time = Self::tick(track, piece.start);
                        let duration = Self::tick(track, piece.start.plus(piece.length)) - time;
                        match runs.last_mut() {
                            Some((_, same, count)) if *same == duration => *count += 1,
                            _ => runs.push((time, duration, 0)),
                        }
                    }
                    for (time, duration, repeats) in runs {
                        writeln!(text, "        <S t=\"{time}\" d=\"{duration}\" r=\"{repeats}\"/>").unwrap();
                    }
                    text.push_str("      </SegmentTimeline></SegmentTemplate>\n");
                }
                Addressing::Number => {
                    let duration = self.segment.0 * timescale / 1_000_000;
                    let number = self.number(begins.unwrap());
                    writeln!(
                        text,
                        " media=\"{id}/n$Number$.m4s\" duration=\"{duration}\" startNumber=\"{number}\"/>"
                    )
                    .unwrap();
                }
            }
            writeln!(
                text,
                "      <Representation id=\"{id}\" bandwidth=\"1\"/>\n    </AdaptationSet>"
            )
            .unwrap();
        }
        text.push_str("  </Period>\n");
    }

    /// The source segment that an MPD calls so.
    pub(crate) fn index_of(&self, name: &str) -> usize {
        let name = name.trim_end_matches(".m4s");
        if let Some((_, number)) = name.split_once("/n") {
            return usize::try_from(number.parse::<u64>().unwrap() - self.first).unwrap();
        }
        let (track, time) = name.split_once('/').unwrap();
        let track = if track == "v" { Track::Video } else { Track::Audio };
        let time: i64 = time.parse().unwrap();
        let starts = self.programme.iter().map(|piece| Self::tick(track, piece.start));
        starts.into_iter().position(|start| start == time).unwrap()
    }

    fn write_before(&self, text: &mut String, index: usize, is_first: bool, rendition: &str) {
        let piece = &self.programme[index];
        if piece.breaks_off {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if is_first || piece.breaks_off {
            match self.keys {
                Keys::None => {}
                Keys::Aes128 => text.push_str("#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n"),
                Keys::MultiDrm => text.push_str(
                    "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n\
                     #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:,k\",KEYFORMAT=\"urn:uuid:edef8ba9\"\n",
                ),
            }
            writeln!(
                text,
                "#EXT-X-MAP:URI=\"{rendition}-{}.mp4\"",
                self.discontinuity(index)
            )
            .unwrap();
        }
        if is_first || piece.breaks_off || self.dates_all {
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", piece.start).unwrap();
        }
        if self.breaks.iter().any(|brk| brk.out == piece.start) {
            text.push_str("#EXT-X-CUE-OUT:30\n");
        }
    }

    fn write_parts(&self, text: &mut String, index: usize, count: u32) {
        let piece = &self.programme[index];
        let mut left = piece.length;
        for part in 0..self.part_count(piece).min(count) {
            let length = left.min(self.part());
            left = left.less(length);
            let number = self.number(index);
            writeln!(
                text,
                "#EXT-X-PART:DURATION={},URI=\"{number}.{part}.m4s\"",
                Decimal(length.0)
            )
            .unwrap();
        }
    }
}

/// Microseconds as seconds.
struct Decimal(i64);

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
