//! I-frame playlists (bis 4.4.3.6): the first picture of each segment, for seeking and fast play.

use std::fmt::{self, Write as _};

use super::media::Playlist;
use super::segment::Place;
use crate::cmaf::Kind;
use crate::media::{Entry, Part, Segment, Snapshot, TrackView};

/// Writes the I-frame playlist of a video track, one picture a segment; `None` where it is not known in how many
/// bytes a picture is. With `skips` it is the delta update, where there is anything to skip.
pub fn iframes(snapshot: &Snapshot, track: &TrackView, skips: bool) -> Option<String> {
    let playlist = Playlist::new(snapshot, track)?;
    offers(track).then(|| {
        let boundary = playlist.skip_until().filter(|_| skips);
        let skipped = boundary.map_or(0, |until| {
            track.entries.len().saturating_sub(playlist.last_entries(until))
        });
        let mut text = String::with_capacity(256 + (track.entries.len() - skipped) * 96);
        // Writing to a String cannot fail.
        let _ = write(&mut text, &playlist, skipped);
        text
    })
}

/// Whether there is an I-frame playlist of this track.
pub(super) fn offers(track: &TrackView) -> bool {
    let is_video = track.init().is_some_and(|init| init.kind == Kind::Video);
    let newest = track.entries.iter().rev().find_map(Entry::segment);
    is_video && newest.and_then(picture).is_some()
}

/// Highest bits a second of the I-frame playlist, of its newest segments.
pub(super) fn peak_bitrate(track: &TrackView) -> u64 {
    let newest = track.entries.iter().rev().take(NEWEST);
    let rate = |segment: &Segment| {
        let bits = u128::from(picture(segment)?.first_sample) * 8_000_000_000;
        u64::try_from(bits / u128::from(segment.span.max(1).unsigned_abs())).ok()
    };
    let rates = newest.filter_map(Entry::segment).filter_map(rate);
    rates.max().unwrap_or(0)
}

/// The part that begins with the segment's first picture.
fn picture(segment: &Segment) -> Option<&Part> {
    let first = segment.parts.first()?;
    (first.independent && first.first_sample > 0).then_some(first)
}

fn write(text: &mut String, playlist: &Playlist<'_>, skipped: usize) -> fmt::Result {
    let track = playlist.track;
    // EXT-X-MAP with I-FRAMES-ONLY needs 5, EXT-X-SKIP 9 (bis 8).
    let version = if skipped > 0 { 9 } else { 5 };
    writeln!(text, "#EXTM3U\n#EXT-X-VERSION:{version}")?;
    let target = playlist.grid.target_duration_s;
    writeln!(text, "#EXT-X-TARGETDURATION:{target}")?;
    playlist.write_control(text)?;
    text.push_str("#EXT-X-I-FRAMES-ONLY\n");
    if let Some(first) = track.entries.first() {
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", first.sequence().0)?;
        if first.epoch() > 0 {
            writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", first.epoch())?;
        }
    }
    playlist.write_breaks(text);
    if skipped > 0 {
        writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
    }
    let before = skipped.checked_sub(1).and_then(|index| track.entries.get(index));
    let mut before = before.map(Place::of);
    for entry in track.entries.iter().skip(skipped) {
        let place = Place::of(entry);
        place.write(text, before.as_ref(), track)?;
        let picture = entry.segment().and_then(picture);
        if picture.is_none() {
            text.push_str("#EXT-X-GAP\n");
        }
        let micros = entry.span().saturating_add(500) / 1_000;
        writeln!(text, "#EXTINF:{}.{:06},", micros / 1_000_000, micros % 1_000_000)?;
        if let Some(part) = picture {
            writeln!(text, "#EXT-X-BYTERANGE:{}@{}", part.first_sample, part.offset)?;
        }
        match entry {
            Entry::Segment(segment) => writeln!(text, "{}", segment.name)?,
            Entry::Gap(gap) => writeln!(text, "gap-{}.m4s", gap.sequence.0)?,
        }
        before = Some(place);
    }
    if playlist.snapshot.ended {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    Ok(())
}

/// Segments that a bitrate is taken from.
const NEWEST: usize = 32;
