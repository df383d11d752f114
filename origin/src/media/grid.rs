//! How long segments and parts are: found once, when a channel begins.

use super::channel::Channel;
use super::segment::{ClosedSegment, Span};
use super::timeline::{Grid, MIN_NOMINAL_NANOS};
use crate::cmaf::Kind;
use crate::time::ticks_to_nanos;

impl Channel {
    /// Finds the grid as soon as it can be known, and numbers what waited for it.
    pub(super) fn establish_grid(&mut self) {
        if self.grid.is_none() {
            let Some(nominal) = self.find_nominal() else {
                return;
            };
            let nominal = nominal.max(MIN_NOMINAL_NANOS);
            let listed = self.tracks.values().filter(|track| track.is_listed());
            let longest = listed
                .flat_map(|track| &track.pending)
                .map(|(_, s)| s.span())
                .max()
                .unwrap_or(0);
            let rounded = |nanos: i64| {
                u32::try_from(nanos.saturating_add(500_000_000) / 1_000_000_000)
                    .unwrap_or(1)
                    .max(1)
            };
            let found = rounded(nominal / 5 * 6).max(rounded(longest));
            let target_duration_s = match self.settings.target_duration_s {
                0 => found,
                set => set,
            };
            self.grid = Some(Grid {
                nominal,
                target_duration_s,
                part_target_ms: self.find_part_target(nominal),
            });
        }
        let Some(grid) = self.grid else { return };
        let mut waiting: Vec<(String, u32, ClosedSegment)> = Vec::new();
        for (name, track) in &mut self.tracks {
            waiting.extend(
                track
                    .pending
                    .drain(..)
                    .map(|(epoch, segment)| (name.clone(), epoch, segment)),
            );
        }
        // Video leads: the channel's first number is that of its first picture.
        waiting.sort_by_key(|(_, epoch, segment)| (*epoch, segment.init.kind));
        for (name, epoch, segment) in waiting {
            self.list(grid, &name, epoch, &segment);
        }
    }

    fn find_nominal(&self) -> Option<i64> {
        if self.settings.nominal > 0 {
            return Some(self.settings.nominal);
        }
        let mut found: Option<(bool, i64)> = None;
        let mut has_video = false;
        for track in self.tracks.values().filter(|track| track.is_listed()) {
            let is_video = track.init().is_some_and(|init| init.kind == Kind::Video);
            has_video |= is_video;
            let whole = track.pending.iter().filter(|(_, segment)| segment.whole);
            let longest = whole
                .clone()
                .map(|(_, segment)| segment.span())
                .max()
                .unwrap_or(0);
            // Senders on the DASH-IF grid number segments by wall time: time / number is the duration.
            for (ordinal, segment) in whole.clone() {
                let Some(epoch) = self.epochs.iter().find(|epoch| epoch.ordinal == *ordinal) else {
                    continue;
                };
                let Some(number) = segment.number.and_then(|number| i64::try_from(number).ok()) else {
                    continue;
                };
                if number < 1_000_000 {
                    continue;
                }
                let media = ticks_to_nanos(segment.start.cast_signed(), segment.init.timescale);
                for start in [media, epoch.wall(segment.start, segment.init.timescale)] {
                    let grid = (start / number + 500_000) / 1_000_000 * 1_000_000;
                    let span = segment.span();
                    if grid > 0 && grid < span.saturating_mul(3) && grid > span / 4 * 3 {
                        return Some(grid);
                    }
                }
            }
            // Sound is cut to whole frames of its own, so pictures say how long a segment is; only when they
            // do not come, sound has to do.
            let enough = if is_video { 2 } else { 4 };
            if whole.count() >= enough || (self.ended.is_some() && longest > 0) {
                found = found.max(Some((is_video, longest)));
            }
        }
        if found.is_none() && !has_video {
            let audio = self
                .tracks
                .values()
                .filter(|track| track.is_listed() && track.pending.len() >= 2);
            let spans = audio
                .flat_map(|track| &track.pending)
                .filter(|(_, s)| s.whole)
                .map(|(_, s)| s.span());
            return spans.max();
        }
        found.map(|(_, longest)| longest)
    }

    /// How long parts may last: as long as the longest chunk, or as many short ones as make a part worth its
    /// request. None where a track comes in chunks that are hardly shorter than its segments.
    fn find_part_target(&self, nominal: i64) -> Option<u32> {
        if !self.settings.low_latency {
            return None;
        }
        if self.settings.part_target_ms > 0 {
            return Some(self.settings.part_target_ms);
        }
        let mut longest = 0;
        for (name, track) in self.tracks.iter().filter(|(_, track)| track.is_listed()) {
            let chunks = track.pending.iter().flat_map(|(_, segment)| {
                let timescale = segment.init.timescale;
                let nanos = move |span: &Span| ticks_to_nanos(span.duration.cast_signed(), timescale);
                segment.spans.iter().map(nanos)
            });
            let of_track = chunks.max().unwrap_or(0);
            if of_track > nominal / 2 {
                tracing::info!(
                    channel = self.name,
                    track = name,
                    chunk_ms = of_track / 1_000_000,
                    "chunks as long as segments: the channel has no parts"
                );
                return None;
            }
            longest = longest.max(of_track);
        }
        if longest <= 0 {
            return None;
        }
        let chunks = match longest {
            MIN_PART_NANOS.. => 1,
            short => MIN_PART_NANOS.saturating_add(short - 1) / short,
        };
        let target = longest.saturating_mul(chunks).saturating_add(999_999) / 1_000_000;
        u32::try_from(target).ok()
    }
}

/// Shorter parts cost players more in requests than they gain in time.
const MIN_PART_NANOS: i64 = 300_000_000;
