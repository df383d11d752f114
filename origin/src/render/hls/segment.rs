//! The lines of one segment: what it needs said before it, its parts, and itself.

use std::fmt::{self, Write as _};

use super::tags::seconds;
use crate::media::{Entry, Grid, OpenView, Part, Snapshot, TrackView};
use crate::time::{UnixMillis, ticks_to_nanos};

/// Where a segment stands: what decides whether its lines begin with a discontinuity, a date or a map.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    epoch: u32,
    wall: i64,
    end: i64,
    init: u64,
}

impl Place {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            epoch: entry.epoch(),
            wall: entry.wall(),
            end: entry.end(),
            init: entry.init(),
        }
    }

    pub(super) fn of_open(open: &OpenView, track: &TrackView) -> Self {
        let span = open.duration.cast_signed();
        Self {
            epoch: open.epoch,
            wall: open.wall,
            end: open
                .wall
                .saturating_add(ticks_to_nanos(span, timescale(track, open.init))),
            init: open.init,
        }
    }

    /// Wall time of its end in nanoseconds since 1970.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// Writes what a client must know before a segment. `before` is the segment in front of it in the playlist;
    /// the first has none, and says everything.
    pub(super) fn write(&self, text: &mut String, before: Option<&Self>, track: &TrackView) -> fmt::Result {
        let mut is_dated = before.is_none();
        if let Some(before) = before {
            // An epoch that this track took no part in still counts, so that all tracks agree on the number.
            for _ in before.epoch..self.epoch {
                text.push_str("#EXT-X-DISCONTINUITY\n");
                is_dated = true;
            }
            is_dated |= before.end.abs_diff(self.wall) >= 1_000_000;
        }
        if before.is_none_or(|before| before.init != self.init)
            && let Some(init) = track.init_of(self.init)
        {
            writeln!(text, "#EXT-X-MAP:URI=\"{}\"", init.name())?;
        }
        if is_dated {
            let wall = UnixMillis(0).plus_nanos(self.wall);
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{wall}")?;
        }
        Ok(())
    }
}

/// Writes a closed segment, or a gap, behind what its place says; with its parts if they are near the end.
pub(super) fn write_entry(
    text: &mut String,
    entry: &Entry,
    parts_of: Option<Grid>,
    track: &TrackView,
) -> fmt::Result {
    if let Some(grid) = parts_of {
        match entry {
            Entry::Segment(segment) => {
                write_parts(
                    text,
                    &segment.name,
                    &segment.parts,
                    timescale(track, segment.init),
                )?;
            }
            Entry::Gap(gap) => write_gap_parts(text, gap.sequence.0, gap.span, grid)?,
        }
    }
    if entry.segment().is_none() {
        text.push_str("#EXT-X-GAP\n");
    }
    let micros = entry.span().saturating_add(500) / 1_000;
    writeln!(text, "#EXTINF:{}.{:06},", micros / 1_000_000, micros % 1_000_000)?;
    match entry {
        Entry::Segment(segment) => writeln!(text, "{}", segment.name),
        Entry::Gap(gap) => writeln!(text, "gap-{}.m4s", gap.sequence.0),
    }
}

/// Writes parts that are complete.
pub(super) fn write_parts(text: &mut String, name: &str, parts: &[Part], timescale: u32) -> fmt::Result {
    let stem = stem(name);
    for (index, part) in parts.iter().enumerate() {
        let span = ticks_to_nanos(part.duration.cast_signed(), timescale);
        write!(text, "#EXT-X-PART:DURATION={}", seconds(span))?;
        write!(text, ",URI=\"{stem}.{index}.m4s\"")?;
        text.push_str(if part.independent {
            ",INDEPENDENT=YES\n"
        } else {
            "\n"
        });
    }
    Ok(())
}

/// Parts of a segment that never came must be gaps as it is (bis 4.4.4.7).
fn write_gap_parts(text: &mut String, sequence: u64, span: i64, grid: Grid) -> fmt::Result {
    let target = target_nanos(grid).max(1);
    let mut left = span;
    let mut index = 0_u64;
    while left > 0 {
        let duration = seconds(left.min(target));
        writeln!(
            text,
            "#EXT-X-PART:DURATION={duration},URI=\"gap-{sequence}.{index}.m4s\",GAP=YES"
        )?;
        left -= target;
        index += 1;
    }
    Ok(())
}

/// How many parts a gap of that many nanoseconds is written as.
pub fn gap_parts(span: i64, grid: Grid) -> u64 {
    let target = target_nanos(grid).max(1).unsigned_abs();
    u64::try_from(span).unwrap_or(0).div_ceil(target)
}

/// Writes which part comes next, where that is known (bis 4.4.5.3).
pub(super) fn write_hint(
    text: &mut String,
    snapshot: &Snapshot,
    track: &TrackView,
    grid: Grid,
) -> fmt::Result {
    match (&track.open, predicted(snapshot, track)) {
        (Some(open), None) => {
            let (stem, next) = (stem(&open.name), open.parts.len());
            writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{stem}.{next}.m4s\"")
        }
        (_, Some(name)) if grid.part_target_ms.is_some() => {
            let stem = stem(&name);
            writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{stem}.0.m4s\"")
        }
        _ => Ok(()),
    }
}

/// The name of the segment that comes next, if media goes on without a hole, where the next part is expected to
/// be its first: between two segments, and when the one that is open has its nominal duration.
pub fn predicted(snapshot: &Snapshot, track: &TrackView) -> Option<String> {
    let grid = snapshot.grid?;
    let (epoch, end) = if let Some(open) = &track.open {
        let span = ticks_to_nanos(open.duration.cast_signed(), timescale(track, open.init));
        // What is left of the slot is less than half a part.
        let is_full = span.saturating_add(target_nanos(grid) / 2) >= grid.nominal;
        (is_full && !open.parts.is_empty()).then(|| (open.epoch, open.start.saturating_add(open.duration)))?
    } else {
        let last = track.entries.last()?.segment()?;
        (last.epoch, last.start.saturating_add(last.duration))
    };
    // A newer epoch is on air already: this track will go on in that one.
    let newest = snapshot.epochs.last().filter(|newest| newest.ordinal == epoch)?;
    Some(format!("{}-{end}.m4s", newest.id))
}

/// A segment's name without its extension.
pub(super) fn stem(name: &str) -> &str {
    name.strip_suffix(".m4s").unwrap_or(name)
}

/// `PART-TARGET` in nanoseconds, 0 where there are no parts.
pub(super) fn target_nanos(grid: Grid) -> i64 {
    i64::from(grid.part_target_ms.unwrap_or(0)) * 1_000_000
}

/// Ticks a second of the media that needs that init segment.
pub(super) fn timescale(track: &TrackView, init: u64) -> u32 {
    track
        .init_of(init)
        .or_else(|| track.init())
        .map_or(1, |init| init.timescale)
}
