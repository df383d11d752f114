//! What is kept between two playlists of a track.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::daterange::Told;
use super::media::Playlist;
use super::segment::Place;
use crate::render::piece::Piece;

/// What is kept between two playlists of one track, so that a part costs as little in a window of six hours as in
/// one of a minute: lines of segments that left the live edge long ago, by sixty-four.
#[derive(Debug, Default)]
pub struct Memory {
    sections: BTreeMap<u64, (Key, Arc<Piece>)>,
    told: Told,
}

/// What the lines of a section follow from: what is in front of it, its first segment, and its last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Key(Place, Place, Place);

impl Memory {
    /// Sections of a playlist, each the lines of [`SECTION`] segments, and which of its entries they cover. The first entry is in none, for it says
    /// more than it would further back; nor are those from `until` on.
    pub(super) fn sections(
        &mut self,
        playlist: &Playlist<'_>,
        until: usize,
    ) -> (Vec<Arc<Piece>>, Range<usize>) {
        let entries = playlist.entries();
        let first = entries.first().map_or(0, |entry| entry.sequence().0);
        // Sections begin at multiples, so that they stay the same while the window moves.
        let number = (first + 1).div_ceil(SECTION);
        let start = usize::try_from(number * SECTION - first).unwrap_or(usize::MAX);
        self.sections.retain(|known, _| *known >= number);
        let mut found = Vec::new();
        let mut end = start;
        while end.saturating_add(SECTION as usize) <= until {
            let range = end..end + SECTION as usize;
            let place = |index: usize| entries.get(index).map(Place::of);
            let (Some(before), Some(first), Some(last)) =
                (place(range.start - 1), place(range.start), place(range.end - 1))
            else {
                break;
            };
            let key = Key(before, first, last);
            let number = number + found.len() as u64;
            let known = self.sections.get(&number).filter(|(known, _)| *known == key);
            let section = match known {
                Some((_, section)) => Arc::clone(section),
                None => {
                    let section = playlist.section(range.clone());
                    self.sections.insert(number, (key, Arc::clone(&section)));
                    section
                }
            };
            found.push(section);
            end = range.end;
        }
        if found.is_empty() {
            return (found, 0..0);
        }
        (found, start..end)
    }

    /// Takes note of what is told of events in this playlist.
    pub(super) fn tell(&mut self, playlist: &Playlist<'_>) {
        self.told
            .update(playlist.snapshot, playlist.end, playlist.skip_until());
    }

    /// Writes the `EXT-X-DATERANGE` lines; of a delta update that skips them, only those told after a time.
    pub(super) fn write_ranges(&self, text: &mut String, after: Option<i64>) -> fmt::Result {
        self.told.write(text, after)
    }

    /// The identifiers that left the playlist after a time, separated by tabs.
    pub(super) fn removed(&self, after: i64) -> String {
        self.told.removed(after)
    }
}

const SECTION: u64 = 64;
