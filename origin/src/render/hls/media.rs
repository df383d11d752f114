//! The media playlist, whole.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

use super::memory::Memory;
use super::report;
use super::segment::{Place, target_nanos, write_entry, write_hint, write_parts};
use super::tags::seconds;
use crate::media::{Entry, Grid, OpenView, Snapshot, TrackView};
use crate::render::piece::Piece;

/// A track's media playlist at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Playlist<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) track: &'a TrackView,
    pub(super) grid: Grid,
    /// Wall time at which it ends, in nanoseconds since 1970.
    pub(super) end: i64,
    /// Nanoseconds of the segment that is coming in, as far as it is listed.
    open_span: i64,
}

impl<'a> Playlist<'a> {
    /// The playlist of a track; `None` while it lists nothing.
    pub fn new(snapshot: &'a Snapshot, track: &'a TrackView) -> Option<Self> {
        let last = track.entries.last()?;
        let mut playlist = Self {
            snapshot,
            track,
            grid: snapshot.grid?,
            end: last.end(),
            open_span: 0,
        };
        if let Some(open) = playlist.open() {
            let place = Place::of_open(open, track);
            playlist.end = playlist.end.max(place.end());
            playlist.open_span = place.end().saturating_sub(open.wall);
        }
        Some(playlist)
    }

    /// The whole playlist. What `memory` has is not written anew.
    pub fn full(&self, memory: &mut Memory) -> Vec<Arc<Piece>> {
        let entries = self.entries();
        let without_parts = self.without_parts();
        let (sections, covered) = memory.sections(self, without_parts);
        memory.tell(self);
        let mut text = String::with_capacity(1024 + 96 * (entries.len() - covered.len()));
        // Writing to a String cannot fail.
        let _ = self.write_head(&mut text, VERSION);
        let _ = memory.write_ranges(&mut text, None);
        let _ = self.write_entries(&mut text, 0..covered.start, without_parts);
        let mut pieces = Vec::with_capacity(sections.len() + 2);
        if !sections.is_empty() {
            pieces.push(Piece::new(std::mem::take(&mut text)));
            pieces.extend(sections);
        }
        let _ = self.write_entries(&mut text, covered.end..entries.len(), without_parts);
        let _ = self.write_tail(&mut text);
        pieces.push(Piece::new(text));
        pieces
    }

    pub(super) fn entries(&self) -> &'a [Entry] {
        &self.track.entries
    }

    /// The segment that is coming in, where the playlist shows any of it.
    pub(super) fn open(&self) -> Option<&'a OpenView> {
        let open = self.track.open.as_deref();
        open.filter(|open| self.is_live() && !open.parts.is_empty())
    }

    /// Whether parts are listed: of a channel that has them, and once it has ended as before.
    fn has_parts(&self) -> bool {
        self.grid.part_target_ms.is_some()
    }

    /// Whether there is a next part to wait for.
    pub(super) fn is_live(&self) -> bool {
        self.has_parts() && !self.snapshot.ended
    }

    pub(super) fn target_nanos(&self) -> i64 {
        i64::from(self.grid.target_duration_s) * 1_000_000_000
    }

    /// How many entries are listed without parts. Clients need those in which they may begin; and what lies
    /// further back than three target durations should go (bis 6.2.2).
    pub(super) fn without_parts(&self) -> usize {
        let with_parts = if self.has_parts() {
            self.last_entries((3 * self.target_nanos()).saturating_sub(self.open_span))
        } else {
            0
        };
        self.entries().len() - with_parts
    }

    /// How far before the end delta updates begin; `None` where there are none.
    pub(super) fn skip_until(&self) -> Option<i64> {
        self.skip_boundary().filter(|_| !self.snapshot.ended)
    }

    /// The same as it is announced, which goes on once there are no updates any more.
    fn skip_boundary(&self) -> Option<i64> {
        // Apple asks for delta updates where a window is longer than two minutes.
        let is_worth_it = self.has_parts() || self.snapshot.window_s > 120;
        is_worth_it.then(|| 6 * self.target_nanos())
    }

    /// How many entries the last nanoseconds of whole segments are in. Holes in time have no length in a playlist.
    pub(super) fn last_entries(&self, span: i64) -> usize {
        let mut left = span;
        let entries = self.entries().iter().rev();
        let is_within = |entry: &&Entry| {
            let is_within = left > 0;
            left = left.saturating_sub(entry.span());
            is_within
        };
        entries.take_while(is_within).count()
    }

    /// Writes the tags of the whole playlist. That segments are independent is said in the multivariant playlist for
    /// all (bis 4.4.2.1). Once a playlist is there, none of these changes or goes (bis 6.2.1).
    pub(super) fn write_head(&self, text: &mut String, version: u8) -> fmt::Result {
        writeln!(text, "#EXTM3U\n#EXT-X-VERSION:{version}")?;
        let target = self.grid.target_duration_s;
        writeln!(text, "#EXT-X-TARGETDURATION:{target}")?;
        self.write_control(text)?;
        if self.has_parts() {
            let part = seconds(target_nanos(self.grid));
            writeln!(text, "#EXT-X-PART-INF:PART-TARGET={part}")?;
        }
        if let Some(first) = self.entries().first() {
            writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", first.sequence().0)?;
            if first.epoch() > 0 {
                writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", first.epoch())?;
            }
        }
        self.write_breaks(text);
        Ok(())
    }

    /// Writes the slice of the break log, for edges: players ignore it.
    pub(super) fn write_breaks(&self, text: &mut String) {
        if let Some(breaks) = &self.snapshot.breaks {
            text.push_str(&breaks.lines(self.track));
        }
    }

    /// `EXT-X-SERVER-CONTROL`: the same in every media playlist of the channel (bis 4.4.3.8). At the end it stays as it
    /// was, but for `CAN-BLOCK-RELOAD`: iPhones refuse a playlist that has ended and says that it blocks.
    pub(super) fn write_control(&self, text: &mut String) -> fmt::Result {
        let Some(skip) = self.skip_boundary() else {
            return Ok(());
        };
        text.push_str("#EXT-X-SERVER-CONTROL:");
        if self.is_live() {
            text.push_str("CAN-BLOCK-RELOAD=YES,");
        }
        if self.has_parts() {
            let hold_back = 3 * u64::from(self.grid.target_duration_s);
            let part_hold_back = seconds(3 * target_nanos(self.grid));
            write!(text, "HOLD-BACK={hold_back},PART-HOLD-BACK={part_hold_back},")?;
        }
        write!(text, "CAN-SKIP-UNTIL={}", seconds(skip))?;
        if self.snapshot.events_told > 0 {
            text.push_str(",CAN-SKIP-DATERANGES=YES");
        }
        text.push('\n');
        Ok(())
    }

    /// Writes entries; those from `without_parts` on with their parts.
    pub(super) fn write_entries(
        &self,
        text: &mut String,
        range: Range<usize>,
        without_parts: usize,
    ) -> fmt::Result {
        let entries = self.entries();
        let before = range.start.checked_sub(1).and_then(|index| entries.get(index));
        let mut before = before.map(Place::of);
        for (index, entry) in entries.iter().enumerate().take(range.end).skip(range.start) {
            let place = Place::of(entry);
            place.write(text, before.as_ref(), self.track)?;
            let grid = (index >= without_parts).then_some(self.grid);
            write_entry(text, entry, grid, self.track)?;
            before = Some(place);
        }
        Ok(())
    }

    /// Writes what follows the last whole segment.
    pub(super) fn write_tail(&self, text: &mut String) -> fmt::Result {
        if self.snapshot.ended {
            text.push_str("#EXT-X-ENDLIST\n");
            return Ok(());
        }
        if !self.is_live() {
            return Ok(());
        }
        if let Some(open) = self.open() {
            let before = self.entries().last().map(Place::of);
            Place::of_open(open, self.track).write(text, before.as_ref(), self.track)?;
            let timescale = super::segment::timescale(self.track, open.init);
            write_parts(text, &open.name, &open.parts, timescale)?;
        }
        write_hint(text, self.snapshot, self.track, self.grid)?;
        report::write(text, self.snapshot, self.track, self.grid)
    }

    /// Writes a run of entries that are far enough back to have no parts.
    pub(super) fn section(&self, range: Range<usize>) -> Arc<Piece> {
        let mut text = String::with_capacity(64 * range.len());
        let _ = self.write_entries(&mut text, range, usize::MAX);
        Piece::new(text)
    }
}

/// What EXT-X-MAP needs without I-FRAMES-ONLY (bis 8).
const VERSION: u8 = 6;
