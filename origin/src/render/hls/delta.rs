//! Playlist delta updates (bis 6.2.5.1): the playlist without what the client has.

use std::fmt::{self, Write as _};

use super::media::Playlist;
use super::memory::Memory;

/// What a client asks to be left out (`_HLS_skip`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Skip {
    /// Older segments (`YES`).
    Segments,
    /// And older `EXT-X-DATERANGE`s (`v2`).
    SegmentsAndRanges,
}

impl Playlist<'_> {
    /// The delta update; `None` where the whole playlist is to be sent.
    pub fn delta(&self, skip: Skip, memory: &mut Memory) -> Option<String> {
        let until = self.skip_until()?;
        // Counted from the last whole segment: a client that has that one has all that lies further back.
        let skipped = self.entries().len().checked_sub(self.last_entries(until))?;
        let boundary = self.end.saturating_sub(until);
        memory.tell(self);
        if skipped == 0 {
            return None;
        }
        let mut text = String::with_capacity(4096);
        self.write_delta(&mut text, skip, memory, boundary, skipped)
            .ok()?;
        Some(text)
    }

    fn write_delta(
        &self,
        text: &mut String,
        skip: Skip,
        memory: &Memory,
        boundary: i64,
        skipped: usize,
    ) -> fmt::Result {
        let skips_ranges = skip == Skip::SegmentsAndRanges && self.snapshot.events_told > 0;
        // EXT-X-SKIP needs 9, and 10 where it stands for EXT-X-DATERANGEs too (bis 8).
        let version = if skips_ranges { 10 } else { 9 };
        self.write_head(text, version)?;
        write!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
        if skips_ranges {
            let removed = memory.removed(boundary);
            write!(text, ",RECENTLY-REMOVED-DATERANGES=\"{removed}\"")?;
        }
        text.push('\n');
        memory.write_ranges(text, skips_ranges.then_some(boundary))?;
        self.write_entries(text, skipped..self.entries().len(), self.without_parts())?;
        self.write_tail(text)
    }
}
