//! What a schedule shows when, and under which numbers: sums over its pieces, and no memory.

use core::ops::Range;

use super::{Run, Schedule};
use crate::{
    creative::CreativeName,
    structure::Slot,
    time::{Micros, UnixMicros},
};

/// A schedule laid out in time.
#[derive(Clone, Debug)]
pub struct Timeline<'s> {
    runs: Vec<Laid<'s>>,
    window: Micros,
    target: i64,
}

/// A segment on air.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Aired<'s> {
    /// Its Media Sequence Number: segments of the channel before it.
    pub media: u64,
    /// Its Discontinuity Sequence Number: pieces of the channel up to its own.
    pub discontinuity: u64,
    /// Whether it is the first of its piece: then a discontinuity stands before it.
    pub begins: bool,
    /// What it is of.
    pub asset: &'s CreativeName,
    /// How that is cut.
    pub slot: Slot,
    /// Which of its segments, from zero.
    pub segment: u32,
    /// When it begins.
    pub start: UnixMicros,
    /// When it ends: it is on air from then on.
    pub end: UnixMicros,
    /// Its piece's first segment, and when that begins.
    pub first: (u32, UnixMicros),
}

/// A run, until the next one.
#[derive(Clone, Debug)]
struct Laid<'s> {
    from: UnixMicros,
    until: UnixMicros,
    pieces: Vec<Piece<'s>>,
    /// One round of it.
    round: Count,
    length: Micros,
    /// Of all runs before it.
    before: Count,
}

/// Segments of an asset or an ad that follow each other.
#[derive(Clone, Debug)]
struct Piece<'s> {
    asset: &'s CreativeName,
    slot: Slot,
    segments: Range<u32>,
    /// Where it begins and ends in its run's round.
    start: Micros,
    end: Micros,
    /// Segments of the round before it.
    before: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Count {
    segments: u64,
    pieces: u64,
}

impl Count {
    const fn plus(self, other: Self) -> Self {
        Self {
            segments: self.segments.saturating_add(other.segments),
            pieces: self.pieces.saturating_add(other.pieces),
        }
    }

    const fn times(self, rounds: u64) -> Self {
        Self {
            segments: self.segments.saturating_mul(rounds),
            pieces: self.pieces.saturating_mul(rounds),
        }
    }
}

impl Schedule {
    /// Lays it out.
    pub fn timeline(&self) -> Timeline<'_> {
        let mut runs: Vec<Laid<'_>> = Vec::with_capacity(self.runs.len());
        for (index, run) in self.runs.iter().enumerate() {
            let before = runs.last().map_or(Count::default(), |last| {
                last.before.plus(last.aired(last.until.since(last.from)))
            });
            let next = self.runs.get(index + 1);
            let until = next.map_or(UnixMicros(i64::MAX), |next| next.from);
            runs.extend(self.lay(run, until, before));
        }
        let slots = self.assets.values();
        let longest = slots.map(|slot| slot.segment().max(slot.last())).max();
        // Sound ends with frames of its own, some milliseconds behind.
        let longest = longest.unwrap_or_default().plus(Micros::from_millis(50));
        let target = (longest.0.saturating_add(500_000) / 1_000_000).max(1);
        Timeline {
            runs,
            window: self.window.max(Micros::from_seconds(3 * target)),
            target,
        }
    }

    /// `None` for a run of which nothing is known.
    fn lay(&self, run: &Run, until: UnixMicros, before: Count) -> Option<Laid<'_>> {
        let mut pieces = Vec::new();
        let (mut at, mut segments) = (Micros::ZERO, 0_u64);
        let mut push = |name: &CreativeName, range: Range<u32>| {
            let Some((asset, slot)) = self.assets.get_key_value(name) else {
                return;
            };
            if range.is_empty() {
                return;
            }
            let length = offset(slot, range.end).less(offset(slot, range.start));
            pieces.push(Piece {
                asset,
                slot: *slot,
                segments: range.clone(),
                start: at,
                end: at.plus(length),
                before: segments,
            });
            at = at.plus(length);
            segments = segments.saturating_add(u64::from(range.end - range.start));
        };
        for item in &run.items {
            let Some(slot) = self.assets.get(&item.asset) else {
                continue;
            };
            let mut shown = 0;
            for cut in &item.breaks {
                let boundary = nearest(slot, cut.at).max(shown);
                push(&item.asset, shown..boundary);
                shown = boundary;
                for ad in &cut.pod {
                    push(ad, 0..self.assets.get(ad).map_or(0, Slot::segments));
                }
            }
            push(&item.asset, shown..slot.segments());
        }
        let round = Count {
            segments,
            pieces: count(pieces.len()),
        };
        let length = at;
        (length > Micros::ZERO).then_some(Laid {
            from: run.from,
            until,
            pieces,
            round,
            length,
            before,
        })
    }
}

impl<'s> Timeline<'s> {
    /// For how long a segment stays on air.
    pub const fn depth(&self) -> Micros {
        self.window
    }

    /// What no segment is longer than, in whole seconds (`EXT-X-TARGETDURATION`).
    pub const fn target(&self) -> i64 {
        self.target
    }

    /// What is on air at a moment: the segments that have ended by then, and not a window earlier. Later moments show
    /// later windows, of which each segment keeps its number.
    pub fn window(&self, now: UnixMicros) -> Vec<Aired<'s>> {
        self.ended(now.less(self.window), now)
    }

    /// What begins from one moment on and before another, as far as it is on air at `now`: a clip. At most a day.
    pub fn clip(&self, from: UnixMicros, to: UnixMicros, now: UnixMicros) -> Vec<Aired<'s>> {
        let to = to.min(from.plus(MAX_CLIP));
        let longest = Micros::from_seconds(self.target.saturating_add(1));
        let mut clip = self.ended(from, now.min(to.plus(longest)));
        clip.retain(|aired| aired.start >= from && aired.start < to);
        clip
    }

    /// Segments that end after one moment, and no later than another.
    fn ended(&self, after: UnixMicros, until: UnixMicros) -> Vec<Aired<'s>> {
        let mut aired = Vec::new();
        for run in &self.runs {
            run.ended(after, until.min(run.until), &mut aired);
        }
        aired
    }
}

impl<'s> Laid<'s> {
    /// What has ended when it has been on air for so long.
    fn aired(&self, elapsed: Micros) -> Count {
        let elapsed = elapsed.max(Micros::ZERO);
        let rounds = u64::try_from(elapsed.0.div_euclid(self.length.0)).unwrap_or(0);
        let rest = Micros(elapsed.0.rem_euclid(self.length.0));
        let whole = self.pieces.partition_point(|piece| piece.end <= rest);
        let mut last = Count::default();
        if let Some(piece) = self.pieces.get(whole) {
            let ended = piece.ended(rest);
            last = Count {
                segments: piece.before.saturating_add(u64::from(ended)),
                pieces: count(whole).saturating_add(u64::from(ended > 0)),
            };
        }
        self.round.times(rounds).plus(last)
    }

    fn ended(&self, after: UnixMicros, until: UnixMicros, aired: &mut Vec<Aired<'s>>) {
        let begin = after.since(self.from).max(Micros::ZERO);
        let mut round = begin.0.div_euclid(self.length.0);
        loop {
            let from = self.from.plus(self.length.times(round));
            if from >= until {
                return;
            }
            let (after, until) = (after.since(from), until.since(from));
            let numbers = self
                .before
                .plus(self.round.times(u64::try_from(round).unwrap_or(0)));
            let first = self.pieces.partition_point(|piece| piece.end <= after);
            for (index, piece) in self.pieces.iter().enumerate().skip(first) {
                if piece.start >= until || aired.len() >= MAX_LISTED {
                    return;
                }
                let discontinuity = numbers.pieces.saturating_add(count(index)).saturating_add(1);
                for segment in piece.ended(after)..piece.ended(until) {
                    let segment = piece.segments.start.saturating_add(segment);
                    let ahead = u64::from(segment - piece.segments.start);
                    aired.push(Aired {
                        media: numbers
                            .segments
                            .saturating_add(piece.before)
                            .saturating_add(ahead),
                        discontinuity,
                        begins: ahead == 0,
                        asset: piece.asset,
                        slot: piece.slot,
                        segment,
                        start: from.plus(piece.at(segment)),
                        end: from.plus(piece.at(segment + 1)),
                        first: (piece.segments.start, from.plus(piece.start)),
                    });
                }
            }
            round = round.saturating_add(1);
        }
    }
}

impl Piece<'_> {
    /// Where one of its asset's segments begins in the round.
    fn at(&self, segment: u32) -> Micros {
        let own = offset(&self.slot, segment).less(offset(&self.slot, self.segments.start));
        self.start.plus(own)
    }

    /// How many of its segments have ended by a moment of the round.
    fn ended(&self, at: Micros) -> u32 {
        let count = self.segments.end - self.segments.start;
        if at >= self.end {
            return count;
        }
        let inside = at.less(self.start).max(Micros::ZERO);
        // The last segment alone is of another length, and it has not ended.
        let whole = inside.0 / self.slot.segment().0.max(1);
        let listed = u32::try_from(whole).unwrap_or(u32::MAX);
        listed.min(count.saturating_sub(1))
    }
}

/// Where a segment of an asset begins; behind the last, where it ends.
fn offset(slot: &Slot, segment: u32) -> Micros {
    if segment >= slot.segments() {
        return slot.length();
    }
    slot.segment().times(i64::from(segment))
}

/// The segment that begins nearest to a moment of an asset, the earlier of two; behind the last for its end.
fn nearest(slot: &Slot, at: Micros) -> u32 {
    let length = slot.segment().0.max(1);
    let before = u32::try_from(at.0.max(0) / length).unwrap_or(u32::MAX);
    let before = before.min(slot.segments().saturating_sub(1));
    let (begin, end) = (offset(slot, before), offset(slot, before.saturating_add(1)));
    let is_later = at.less(begin) > end.less(at);
    before.saturating_add(u32::from(is_later))
}

fn count(pieces: usize) -> u64 {
    u64::try_from(pieces).unwrap_or(u64::MAX)
}

const MAX_CLIP: Micros = Micros::from_seconds(24 * 3600);
/// Segments that are listed at most: a day of four seconds each.
const MAX_LISTED: usize = 21_600;

/// Two films with an ad in the first and one between, and from the second day on another order.
#[cfg(test)]
pub(crate) const CLASSICS: &str = r#"{
    "version": 1,
    "channel": "classics",
    "window_us": 12000000,
    "assets": {
        "film": { "segments": 5, "segment_us": 2000000, "last_us": 1000000 },
        "short": { "segments": 2, "segment_us": 1920000, "last_us": 2080000 },
        "acme-4": { "segments": 2, "segment_us": 2000000, "last_us": 2000000 }
    },
    "ladder": "film",
    "runs": [
        { "from": "2026-01-01T00:00:00Z", "items": [
            { "asset": "film", "breaks": [{ "at_us": 4900000, "pod": ["acme-4"] }] },
            { "asset": "short", "breaks": [{ "at_us": 60000000, "pod": ["acme-4"] }] }
        ] },
        { "from": "2026-01-02T00:00:01Z", "items": [{ "asset": "short" }] }
    ]
}"#;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn classics() -> Schedule {
        Schedule::read(CLASSICS.as_bytes()).unwrap()
    }

    fn at(seconds: i64) -> UnixMicros {
        UnixMicros::read("2026-01-01T00:00:00Z")
            .unwrap()
            .plus(Micros::from_seconds(seconds))
    }

    fn names(aired: &[Aired<'_>]) -> Vec<String> {
        let name = |one: &Aired<'_>| {
            let seam = if one.begins { "|" } else { "" };
            format!("{seam}{} {}", one.asset, one.segment)
        };
        aired.iter().map(name).collect()
    }

    #[test]
    fn a_break_is_at_the_boundary_nearest_to_it_and_behind_the_end_at_the_end() {
        let schedule = classics();
        let aired = schedule.timeline().ended(at(0), at(21));
        assert_eq!(
            names(&aired),
            [
                "|film 0",
                "film 1",
                "|acme-4 0",
                "acme-4 1",
                "|film 2",
                "film 3",
                "film 4",
                "|short 0",
                "short 1",
                "|acme-4 0",
                "acme-4 1"
            ]
        );
        assert_eq!(
            aired.first().map(|first| (first.media, first.discontinuity)),
            Some((0, 1))
        );
        assert_eq!(
            aired.last().map(|last| (last.media, last.discontinuity)),
            Some((10, 5))
        );
        assert_eq!(aired.last().map(|last| last.end), Some(at(21)));
        assert_eq!(schedule.timeline().target(), 2);
    }

    #[test]
    fn a_run_ends_where_the_next_begins_and_the_numbers_go_on() {
        let schedule = classics();
        let day = 86_401;
        // The round of 21 s began at 86,394 s: its first two segments of 2 s and one of the ad have ended.
        let aired = schedule.timeline().ended(at(86_394), at(day + 4));
        assert_eq!(
            names(&aired),
            ["|film 0", "film 1", "|acme-4 0", "|short 0", "short 1"]
        );
        let rounds = 86_394 / 21;
        let media: Vec<_> = aired.iter().map(|one| one.media - rounds * 11).collect();
        assert_eq!(media, [0, 1, 2, 3, 4]);
        let seams: Vec<_> = aired.iter().map(|one| one.discontinuity - rounds * 5).collect();
        assert_eq!(seams, [1, 1, 2, 3, 3]);
        assert_eq!(aired[3].start, at(day));
    }

    #[test]
    fn nothing_is_on_air_before_the_first_run() {
        let schedule = classics();
        assert_eq!(schedule.timeline().window(at(-5)), []);
        assert_eq!(schedule.timeline().window(at(1)), []);
        assert_eq!(schedule.timeline().window(at(2)).len(), 1);
    }

    #[test]
    fn a_clip_is_what_begins_in_it_as_far_as_it_is_on_air() {
        let schedule = classics();
        let timeline = schedule.timeline();
        let clip = |now| names(&timeline.clip(at(3), at(10), at(now)));
        assert_eq!(clip(100), ["|acme-4 0", "acme-4 1", "|film 2"]);
        assert_eq!(clip(8), ["|acme-4 0", "acme-4 1"]);
        assert!(timeline.clip(at(10), at(3), at(100)).is_empty());
    }

    /// Segment by segment, as somebody would count who has watched from the begin.
    fn counted(schedule: &Schedule, seconds: i64) -> Vec<(u64, u64, UnixMicros)> {
        schedule
            .timeline()
            .ended(at(0), at(seconds))
            .iter()
            .map(|one| (one.media, one.discontinuity, one.start))
            .collect()
    }

    #[test]
    fn numbers_count_every_segment_and_every_seam() {
        let schedule = classics();
        let (mut media, mut discontinuity) = (0, 0);
        let aired = schedule.timeline().ended(at(0), at(20_000));
        for (index, one) in aired.iter().enumerate() {
            discontinuity += u64::from(one.begins);
            assert_eq!((one.media, one.discontinuity), (media, discontinuity), "{index}");
            media += 1;
        }
        assert!(aired.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(counted(&schedule, 21).len(), 11);
    }

    proptest! {
        #[test]
        fn any_moment_shows_a_part_of_the_same_timeline(
            moment in 0_i64..40 * 365 * 86_400_000, later in 0_i64..60_000,
        ) {
            let schedule = classics();
            let timeline = schedule.timeline();
            let moment = at(0).plus(Micros::from_millis(moment));
            let (now, then) = (timeline.window(moment), timeline.window(moment.plus(Micros::from_millis(later))));
            for (one, next) in now.iter().zip(now.iter().skip(1)) {
                prop_assert_eq!(next.media, one.media + 1);
                prop_assert_eq!(next.discontinuity, one.discontinuity + u64::from(next.begins));
                prop_assert!(one.end <= next.start);
            }
            for one in &then {
                if let Some(known) = now.iter().find(|known| known.media == one.media) {
                    prop_assert_eq!(known, one);
                } else {
                    prop_assert!(one.end > moment || now.is_empty());
                }
            }
            prop_assert!(now.last().is_none_or(|last| last.end <= moment));
            let from = now.first().map_or(0, |first| first.media);
            prop_assert!(then.first().is_none_or(|first| first.media >= from));
        }
    }
}
