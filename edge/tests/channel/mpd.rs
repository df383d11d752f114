//! The MPDs of a channel, as its origin serves them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{fmt::Write as _, ops::Range};

use selvedge_breaks::{Micros, UnixMicros};

use super::{BEGIN, Channel, Decimal, View};

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

/// Where the media's own timeline is when the programme begins.
const MEDIA_BEGIN: i64 = 5_000_000;

impl Track {
    fn timescale(self) -> i64 {
        match self {
            Self::Video => 90_000,
            Self::Audio => 48_000,
        }
    }

    /// A moment on its own timeline, wherever it is cut.
    fn exact(self, at: UnixMicros) -> i64 {
        MEDIA_BEGIN + (at.since(BEGIN).0 * self.timescale() + 500_000).div_euclid(1_000_000)
    }

    /// The begin of a source segment, in ticks. Sound is cut between its frames, near where pictures are.
    fn tick(self, at: UnixMicros) -> i64 {
        match self {
            Self::Video => self.exact(at),
            Self::Audio => MEDIA_BEGIN + (self.exact(at) - MEDIA_BEGIN + 512).div_euclid(1024) * 1024,
        }
    }
}

impl Channel {
    /// The MPD of a view, with a Period for each discontinuity and the sets of pictures and of sound. A segment that comes
    /// in parts is listed as soon as the first of them is there.
    pub(crate) fn mpd(&self, view: &View, addressing: Addressing) -> String {
        let published = self.edge(view);
        let first = view.window.start;
        let next = &self.programme[view.window.end];
        let depth = next.start.since(self.programme[first].start);
        let mut text = format!(
            "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"dynamic\" \
             availabilityStartTime=\"1970-01-01T00:00:00Z\" publishTime=\"{published}\" \
             timeShiftBufferDepth=\"PT{}S\" maxSegmentDuration=\"PT{}S\">\n",
            Decimal(depth.0),
            self.target
        );
        let end = view.window.end + usize::from(view.parts > 0);
        let mut first = first;
        while first < end {
            let epoch = self.discontinuity(first);
            let same = (first..end).take_while(|index| self.discontinuity(*index) == epoch);
            let range = first..same.last().unwrap() + 1;
            self.write_period(&mut text, epoch, range.clone(), addressing);
            first = range.end;
        }
        text + "</MPD>\n"
    }

    /// The end of what the MPD of a view lists.
    pub(crate) fn mpd_edge(&self, view: &View) -> UnixMicros {
        let next = &self.programme[view.window.end];
        let whole = if view.parts > 0 { next.length } else { Micros::ZERO };
        next.start.plus(whole)
    }

    fn write_period(&self, text: &mut String, epoch: u64, range: Range<usize>, addressing: Addressing) {
        let begins = self.ledger.epochs[range.start];
        let start = self.programme[begins].start;
        writeln!(
            text,
            "  <Period id=\"e{epoch}\" start=\"PT{}S\">",
            Decimal(start.0)
        )
        .unwrap();
        for (id, track, kind) in [("v", Track::Video, "video"), ("a", Track::Audio, "audio")] {
            let (timescale, offset) = (track.timescale(), track.exact(start));
            write!(
                text,
                "    <AdaptationSet id=\"{id}\" contentType=\"{kind}\">\n      \
                 <SegmentTemplate timescale=\"{timescale}\" presentationTimeOffset=\"{offset}\" \
                 initialization=\"{id}-{epoch}.mp4\""
            )
            .unwrap();
            if self.parts.is_some() {
                let ahead = Decimal(self.segment.less(self.part()).0);
                write!(
                    text,
                    " availabilityTimeOffset=\"{ahead}\" availabilityTimeComplete=\"false\""
                )
                .unwrap();
            }
            match addressing {
                Addressing::Time => {
                    writeln!(text, " media=\"{id}/$Time$.m4s\"><SegmentTimeline>").unwrap();
                    self.write_timeline(text, track, range.clone());
                    text.push_str("      </SegmentTimeline></SegmentTemplate>\n");
                }
                Addressing::Number => {
                    let duration = self.segment.0 * timescale / 1_000_000;
                    let number = self.number(begins);
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

    fn write_timeline(&self, text: &mut String, track: Track, range: Range<usize>) {
        let mut runs: Vec<(i64, i64, i64)> = Vec::new();
        for piece in &self.programme[range] {
            let time = track.tick(piece.start);
            let duration = track.tick(piece.start.plus(piece.length)) - time;
            match runs.last_mut() {
                Some((_, same, count)) if *same == duration => *count += 1,
                _ => runs.push((time, duration, 0)),
            }
        }
        for (time, duration, repeats) in runs {
            writeln!(text, "        <S t=\"{time}\" d=\"{duration}\" r=\"{repeats}\"/>").unwrap();
        }
    }

    /// The tick of a track's media at a moment.
    pub(crate) fn media_time(&self, id: &str, at: UnixMicros) -> i64 {
        let track = if id == "v" { Track::Video } else { Track::Audio };
        track.exact(at)
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
        let index = self
            .programme
            .partition_point(|piece| track.tick(piece.start) < time);
        assert_eq!(
            track.tick(self.programme[index].start),
            time,
            "{name} is no segment"
        );
        index
    }
}
