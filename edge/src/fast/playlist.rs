//! Playlists of a schedule (RFC 8216bis §4).

use core::fmt::{self, Write as _};
use std::sync::Arc;

use selvedge_breaks::{
    Creative, CreativeName, Micros, Schedule, UnixMicros,
    decision::{Media, Segment},
    hls::value::Seconds,
    schedule::{Aired, Timeline},
};

use crate::{reroot::from_folder, timeline::rounded_seconds};

/// A channel: its schedule, and the documents of its assets as far as they are known.
#[derive(Clone, Copy, Debug)]
pub struct Channel<'a> {
    /// What is shown when.
    pub schedule: &'a Schedule,
    /// The media of the assets. One that is missing keeps its place: gaps, with the numbers that it would have.
    pub assets: &'a [Arc<Creative>],
}

/// What of a channel is listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum View {
    /// What is on air: a live playlist.
    Live,
    /// What begins from one moment on and before another: it grows while that is on air, and ends with it.
    Clip {
        /// The first moment.
        from: UnixMicros,
        /// The first moment behind it.
        to: UnixMicros,
    },
}

impl View {
    /// What is listed at a moment.
    pub(crate) fn segments<'s>(self, timeline: &Timeline<'s>, now: UnixMicros) -> Vec<Aired<'s>> {
        match self {
            Self::Live => timeline.window(now),
            Self::Clip { from, to } => timeline.clip(from, to, now),
        }
    }
}

impl View {
    /// Whether nothing comes any more, where no segment is longer than `target` seconds.
    pub(super) fn is_over(self, target: i64, now: UnixMicros) -> bool {
        match self {
            Self::Live => false,
            Self::Clip { to, .. } => to <= now.less(Micros::from_seconds(target.saturating_add(1))),
        }
    }
}

impl Channel<'_> {
    /// The multivariant playlist: that of the asset whose renditions are the channel's; `None` where it is not known.
    pub fn multivariant(&self) -> Option<String> {
        Some(self.asset(&self.schedule.ladder)?.multivariant())
    }

    /// The media playlist of a rendition at a moment; `path` is its own, from which URIs are told. `None` where there is no
    /// such rendition, or nothing is on air.
    pub fn playlist(&self, rendition: &str, view: View, path: &str, now: UnixMicros) -> Option<String> {
        let timeline = self.schedule.timeline();
        let segments = view.segments(&timeline, now);
        let wanted = self.asset(&self.schedule.ladder)?.renditions.get(rendition)?;
        let first = segments.first()?;
        let media = |name: &CreativeName| Some(self.asset(name)?.like(rendition, wanted)?.media());

        let target = timeline.target();
        let discontinuity = first.discontinuity - u64::from(first.begins);
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity}\n#EXT-X-INDEPENDENT-SEGMENTS\n",
            first.media
        );
        if matches!(view, View::Clip { .. }) {
            text.push_str("#EXT-X-PLAYLIST-TYPE:EVENT\n");
        }
        for (index, aired) in segments.iter().enumerate() {
            let media = media(aired.asset).filter(|media| is_cut_so(media, aired));
            let segment = media.and_then(|media| media.segments.get(usize::try_from(aired.segment).ok()?));
            let segment = segment.filter(|segment| rounded_seconds(segment.duration) <= target);
            if aired.begins {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            let init = media.and_then(|media| media.init.as_deref());
            let init = init.filter(|_| index == 0 || aired.begins);
            // Writing to a String cannot fail.
            let _ = write(&mut text, aired, init, segment, path);
        }
        if view.is_over(target, now) {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        Some(text)
    }

    pub(super) fn asset(&self, name: &CreativeName) -> Option<&Creative> {
        let found = self.assets.iter().find(|asset| asset.name == *name);
        found.map(Arc::as_ref)
    }
}

/// Whether an asset is cut as its schedule says: else its segments would be others.
pub(super) fn is_cut_so(media: &Media, aired: &Aired<'_>) -> bool {
    u32::try_from(media.segments.len()).ok() == Some(aired.slot.segments())
}

fn write(
    text: &mut String,
    aired: &Aired<'_>,
    init: Option<&str>,
    segment: Option<&Segment>,
    path: &str,
) -> fmt::Result {
    let uri = |file: &str| from_folder(path, &format!("/creatives/{}/{file}", aired.asset)).into_owned();
    if let Some(init) = init {
        writeln!(text, "#EXT-X-MAP:URI=\"{}\"", uri(init))?;
    }
    writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", aired.start)?;
    match segment {
        Some(segment) => {
            let (length, uri) = (Seconds(segment.duration), uri(&segment.uri));
            writeln!(text, "#EXTINF:{length:.6},\n{uri}")
        }
        None => {
            let length = Seconds(aired.end.since(aired.start));
            writeln!(text, "#EXT-X-GAP\n#EXTINF:{length:.6},\ngap.m4s")
        }
    }
}
