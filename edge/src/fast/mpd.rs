//! MPDs of a schedule (ISO/IEC 23009-1): a Period for each asset, part of an asset between breaks, and ad.

use core::{
    fmt::{self, Write as _},
    ops::Range,
};

use selvedge_breaks::{
    Creative, Micros, UnixMicros,
    creative::{Excerpt, Rendition},
    schedule::{Aired, Timeline},
};

use super::{Channel, View, playlist::is_cut_so};
use crate::{dash::Seconds, reroot::from_folder};

impl Channel<'_> {
    /// The MPD at a moment; `path` is its own, from which URLs are told. `None` where nothing is on air.
    ///
    /// It lists what the playlists of that moment list. A Period is known by the number that its first segment's
    /// discontinuity has there. Where an asset cannot be shown there is no Period: the one before lasts until the next,
    /// and players jump over what has no media.
    pub fn mpd(&self, view: View, path: &str, now: UnixMicros) -> Option<String> {
        let timeline = self.schedule.timeline();
        let segments = view.segments(&timeline, now);
        let ladder = self.asset(&self.schedule.ladder)?;
        let (first, last) = segments.first().zip(segments.last())?;
        // Times are told from here on: of a clip from its begin, so that they stay when it is over.
        let zero = match view {
            View::Live => UnixMicros(0),
            View::Clip { .. } => first.start,
        };
        let mut text = String::with_capacity(4096);
        let head = Head {
            view,
            zero,
            end: last.end,
            is_over: view.is_over(timeline.target(), now),
            timeline: &timeline,
        };
        // Writing to a String cannot fail.
        let _ = head.write(&mut text);
        let mut any = false;
        for piece in segments.chunk_by(|one, next| one.discontinuity == next.discontinuity) {
            let before = text.len();
            let Some(period) = Period::of(piece, zero) else {
                continue;
            };
            let asset = self.asset(period.aired.asset);
            let is_cut_so = |asset: &&Creative| {
                let mut media = asset.renditions.values().map(Rendition::media);
                media.all(|media| is_cut_so(media, period.aired))
            };
            let Some(asset) = asset.filter(is_cut_so) else {
                continue;
            };
            let folder = from_folder(path, &format!("/creatives/{}/", asset.name)).into_owned();
            let _ = writeln!(
                text,
                "  <Period id=\"{}\" start=\"{}\">",
                period.aired.discontinuity,
                Seconds(period.start)
            );
            let excerpt = Excerpt {
                creative: asset,
                folder: &folder,
                segments: period.segments,
                offset: period.offset,
            };
            if !ladder.write_sets(&excerpt, &mut text) {
                text.truncate(before);
                continue;
            }
            text.push_str("  </Period>\n");
            any = true;
        }
        if !head.is_over {
            // By the edge's clock, which has not moved while this was written; below the token, as all here is.
            let clock = from_folder(path, "/time");
            let _ = writeln!(
                text,
                "  <UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"{clock}\"/>"
            );
        }
        text.push_str("</MPD>\n");
        any.then_some(text)
    }
}

/// What an MPD says of itself.
struct Head<'t> {
    view: View,
    zero: UnixMicros,
    end: UnixMicros,
    is_over: bool,
    timeline: &'t Timeline<'t>,
}

impl Head<'_> {
    fn write(&self, text: &mut String) -> fmt::Result {
        let longest = Micros::from_seconds(self.timeline.target());
        let kind = if self.is_over { "static" } else { "dynamic" };
        write!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"{kind}\" \
             minBufferTime=\"{0}\" maxSegmentDuration=\"{0}\"",
            Seconds(longest)
        )?;
        if self.is_over {
            write!(
                text,
                " mediaPresentationDuration=\"{}\"",
                Seconds(self.end.since(self.zero))
            )?;
        } else {
            write!(
                text,
                " availabilityStartTime=\"{}\" publishTime=\"{}\" minimumUpdatePeriod=\"{}\" \
                 suggestedPresentationDelay=\"{}\"",
                self.zero,
                self.end,
                Seconds(longest),
                Seconds(longest.times(3))
            )?;
            if self.view == View::Live {
                write!(
                    text,
                    " timeShiftBufferDepth=\"{}\"",
                    Seconds(self.timeline.depth())
                )?;
            }
        }
        text.push_str(">\n");
        Ok(())
    }
}

/// What is listed of a piece.
struct Period<'a, 's> {
    aired: &'a Aired<'s>,
    /// From the MPD's zero.
    start: Micros,
    /// The moment of the asset with which it begins.
    offset: Micros,
    segments: Range<usize>,
}

impl<'a, 's> Period<'a, 's> {
    fn of(piece: &'a [Aired<'s>], zero: UnixMicros) -> Option<Self> {
        let (aired, last) = piece.first().zip(piece.last())?;
        let index = |segment: u32| usize::try_from(segment).ok();
        // A clip may begin in the middle of a piece.
        let (segment, start) = if aired.first.1 < zero {
            (aired.segment, aired.start)
        } else {
            aired.first
        };
        Some(Self {
            aired,
            start: start.since(zero),
            offset: aired.slot.segment().times(i64::from(segment)),
            segments: index(aired.segment)?..index(last.segment)?.saturating_add(1),
        })
    }
}
