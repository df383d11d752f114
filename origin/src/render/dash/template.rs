//! `SegmentTemplate`: how a Representation's segments are named and when they can be had (ISO/IEC 23009-1 5.3.9).

use super::period::Listed;
use super::{Addressing, Element};
use crate::media::{Base, Epoch, Grid, Snapshot};
use crate::time::{UnixMillis, nanos_to_ticks};

/// Where a Period begins, and how its segments are numbered.
pub(super) struct Start {
    /// `Period@start`.
    pub(super) at: UnixMillis,
    /// Number of the segment that begins there, where numbers name the segments.
    number: Option<u64>,
}

impl Start {
    /// The start of an epoch's Period.
    pub(super) fn of(
        snapshot: &Snapshot,
        grid: &Grid,
        epoch: &Epoch,
        listed: &[Listed<'_>],
        addressing: Addressing,
    ) -> Self {
        let base = epoch.base.filter(|_| addressing == Addressing::Number);
        let numbered = base.filter(|base| listed.iter().all(|listed| follows(grid, *base, listed)));
        match (base, numbered) {
            (Some(base), Some(_)) => {
                // Of a static presentation nothing is before the first segment that is listed.
                let skipped = if snapshot.ended {
                    numbers_before(base, listed)
                } else {
                    0
                };
                let span = grid.nominal.saturating_mul(skipped.cast_signed());
                Self {
                    at: millis(base.wall.saturating_add(span)).max(epoch.anchor),
                    number: Some(base.sequence.saturating_add(skipped)),
                }
            }
            (Some(base), None) if !snapshot.ended => Self {
                at: millis(base.wall).max(epoch.anchor),
                number: None,
            },
            _ if snapshot.ended => {
                let starts = listed.iter().filter_map(|listed| listed.segments.first());
                Self {
                    // Sound is heard a little before media time zero, where no presentationTimeOffset can be.
                    at: millis(starts.map(|segment| segment.wall).min().unwrap_or_default())
                        .max(epoch.anchor),
                    number: None,
                }
            }
            _ => Self {
                at: epoch.period_start,
                number: None,
            },
        }
    }
}

/// Whether every segment begins less than half a slot from where its number puts it.
fn follows(grid: &Grid, base: Base, listed: &Listed<'_>) -> bool {
    let closed = listed
        .segments
        .iter()
        .map(|segment| (segment.sequence, segment.wall));
    let open = listed.open.map(|open| (open.sequence, open.wall));
    closed.chain(open).all(|(sequence, wall)| {
        let slots = i128::from(sequence.0) - i128::from(base.sequence);
        let nominal = i128::from(base.wall) + slots * i128::from(grid.nominal);
        (i128::from(wall) - nominal).abs() * 2 < i128::from(grid.nominal)
    })
}

fn numbers_before(base: Base, listed: &[Listed<'_>]) -> u64 {
    let firsts = listed.iter().filter_map(|listed| listed.segments.first());
    let first = firsts.map(|segment| segment.sequence.0).min();
    first.map_or(0, |first| first.saturating_sub(base.sequence))
}

fn millis(nanos: i64) -> UnixMillis {
    UnixMillis(nanos.div_euclid(1_000_000))
}

/// Writes the template of a Representation. `is_over` says that its Period has had its last segment.
pub(super) fn template(
    grid: &Grid,
    epoch: &Epoch,
    start: &Start,
    listed: &Listed<'_>,
    is_over: bool,
) -> Element {
    let (track, init) = (&listed.track.name, listed.init);
    let offset = epoch.presentation_time_offset(start.at, init.timescale);
    let mut template = Element::new("SegmentTemplate").with("timescale", init.timescale);
    if offset != 0 {
        template = template.with("presentationTimeOffset", offset);
    }
    if let Some(part_ms) = grid.part_target_ms {
        let early_ms = (grid.nominal / 1_000_000 - i64::from(part_ms)).max(0);
        template = template
            .with(
                "availabilityTimeOffset",
                format_args!("{}.{:03}", early_ms / 1000, early_ms % 1000),
            )
            .with("availabilityTimeComplete", "false");
    }
    template = template.with("initialization", format_args!("{track}/{}", init.name()));
    let Some(number) = start.number else {
        return template
            .with("media", format_args!("{track}/{}-$Time$.m4s", epoch.id))
            .and(Element::new("SegmentTimeline").and_all(timeline(listed).iter().map(Run::element)));
    };
    let last = listed.segments.last().filter(|_| is_over);
    template
        .with("duration", nanos_to_ticks(grid.nominal, init.timescale))
        .with("startNumber", number)
        .with_some("endNumber", last.map(|last| last.sequence.0))
        .with("media", format_args!("{track}/{}-n$Number$.m4s", epoch.id))
}

/// An `S`: so many segments of one duration in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Run {
    /// Where it begins, if not where the one before it ends.
    start: Option<u64>,
    duration: u64,
    repeats: u64,
}

impl Run {
    fn element(&self) -> Element {
        Element::new("S")
            .with_some("t", self.start)
            .with("d", self.duration)
            .with_some("r", Some(self.repeats).filter(|repeats| *repeats > 0))
    }
}

/// The segments in runs. In a channel with parts the one that is still coming in is listed as well, and the one after
/// it: a player that reloads once a segment would otherwise hear of it up to a segment late. Both only while the
/// track keeps to one duration, for what is listed never changes.
fn timeline(listed: &Listed<'_>) -> Vec<Run> {
    let closed = listed
        .segments
        .iter()
        .map(|segment| (segment.start, segment.duration));
    let mut segments: Vec<(u64, u64)> = closed.collect();
    if let Some(duration) = listed.next {
        segments.extend(listed.open.map(|open| (open.start, duration)));
        let last = segments.last().copied();
        segments.extend(last.map(|(start, length)| (start.saturating_add(length), duration)));
    }
    let mut runs: Vec<Run> = Vec::new();
    let mut expected = None;
    for (start, duration) in segments {
        match runs.last_mut() {
            Some(run) if expected == Some(start) && run.duration == duration => run.repeats += 1,
            _ => runs.push(Run {
                start: Some(start).filter(|start| expected != Some(*start)),
                duration,
                repeats: 0,
            }),
        }
        expected = Some(start.saturating_add(duration));
    }
    runs
}
