//! `EXT-X-RENDITION-REPORT` (bis 4.4.5.4): where the other renditions' playlists end.

use std::fmt::{self, Write as _};

use crate::cmaf::Kind;
use crate::media::{Entry, Grid, Snapshot, TrackView};

use super::segment::gap_parts;

/// Whether HLS has a playlist of this track.
pub(super) fn is_rendition(track: &TrackView) -> bool {
    !track.entries.is_empty()
        && track
            .init()
            .is_some_and(|init| matches!(init.kind, Kind::Video | Kind::Audio | Kind::Text))
}

/// Writes a line for each rendition but `own`.
pub(super) fn write(text: &mut String, snapshot: &Snapshot, own: &TrackView, grid: Grid) -> fmt::Result {
    let others = snapshot.tracks.iter();
    for track in others.filter(|track| track.name != own.name && is_rendition(track)) {
        let (sequence, parts) = match (&track.open, track.entries.last()) {
            (Some(open), _) if !open.parts.is_empty() => (open.sequence.0, open.parts.len() as u64),
            (_, Some(last @ Entry::Segment(segment))) => (last.sequence().0, segment.parts.len() as u64),
            (_, Some(last @ Entry::Gap(gap))) => (last.sequence().0, gap_parts(gap.span, grid)),
            (_, None) => continue,
        };
        write!(
            text,
            "#EXT-X-RENDITION-REPORT:URI=\"../{}/index.m3u8\",LAST-MSN={sequence}",
            track.name
        )?;
        if let Some(last) = parts.checked_sub(1) {
            write!(text, ",LAST-PART={last}")?;
        }
        text.push('\n');
    }
    Ok(())
}
