//! The DASH MPD (ISO/IEC 23009-1, profile `isoff-live:2011`).
//!
//! One Period for each epoch. While a channel is live, its `start` and the tracks' `presentationTimeOffset` are
//! functions of the epoch alone, so they never change. Once it has ended, a Period begins where its media does:
//! on the same presentation timeline, but with nothing before it, for dash.js begins a static presentation at its
//! Period's start and would search all the seconds since 1970. Media times in `SegmentTimeline` are decode times, as in the segments' names;
//! edit lists (AAC priming) stay in the init segments, where every player of ISOBMFF applies them, and the
//! offset counts from the presentation timeline that comes out (ISO/IEC 23009-1 5.3.9.6), so sound and picture
//! agree to within the rounding of one tick.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::cmaf::{Init, Kind};
use crate::media::{Epoch, Segment, Snapshot, TrackView};
use crate::time::UnixMillis;

/// Writes the MPD as of `now`, which decides whether a new Period is ripe and becomes `publishTime`.
pub fn mpd(snapshot: &Snapshot, now: UnixMillis) -> String {
    let mut text = String::with_capacity(4096);
    // Writing to a String cannot fail.
    let _ = write_mpd(&mut text, snapshot, now);
    text
}

fn write_mpd(text: &mut String, snapshot: &Snapshot, now: UnixMillis) -> fmt::Result {
    let Some(grid) = snapshot.grid else { return Ok(()) };
    let periods: Vec<(&Epoch, Vec<Listed<'_>>)> = snapshot
        .epochs
        .iter()
        .map(|epoch| (epoch, listed(snapshot, epoch)))
        .filter(|(epoch, listed)| !listed.is_empty() && is_ripe(snapshot, epoch, listed, grid.nominal, now))
        .collect();
    text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"");
    text.push_str(" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\"");
    text.push_str(" availabilityStartTime=\"1970-01-01T00:00:00Z\"");
    write!(text, " publishTime=\"{}\"", snapshot.updated)?;
    let longest = periods
        .iter()
        .flat_map(|(_, l)| l)
        .flat_map(|l| &l.segments)
        .map(|s| s.span)
        .max()
        .unwrap_or(0);
    if snapshot.ended {
        let end = periods
            .iter()
            .flat_map(|(_, listed)| listed)
            .filter_map(Listed::end)
            .max()
            .unwrap_or(0);
        write!(
            text,
            " type=\"static\" mediaPresentationDuration=\"{}\"",
            Seconds(end)
        )?;
    } else {
        write!(
            text,
            " type=\"dynamic\" minimumUpdatePeriod=\"{}\"",
            Seconds(grid.nominal)
        )?;
        write!(text, " timeShiftBufferDepth=\"PT{}S\"", snapshot.window_s)?;
        // Three segments: as much as HLS players keep.
        write!(
            text,
            " suggestedPresentationDelay=\"{}\"",
            Seconds(grid.nominal.saturating_mul(3))
        )?;
    }
    writeln!(
        text,
        " maxSegmentDuration=\"{}\" minBufferTime=\"{}\">",
        Seconds(longest),
        Seconds(grid.nominal)
    )?;
    for (epoch, listed) in &periods {
        let start = if snapshot.ended {
            first_media(listed)
        } else {
            epoch.period_start
        };
        let seconds = Seconds(start.as_nanos());
        writeln!(text, "  <Period id=\"{}\" start=\"{seconds}\">", epoch.id)?;
        write_sets(text, epoch, start, listed)?;
        text.push_str("  </Period>\n");
    }
    if !snapshot.ended {
        // Relative to the MPD: players resolve an absolute path against the page they run in.
        text.push_str(
            "  <UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"../../time\"/>\n",
        );
    }
    text.push_str("</MPD>\n");
    Ok(())
}

/// A track's part of a Period.
struct Listed<'a> {
    track: &'a TrackView,
    init: &'a Init,
    segments: Vec<&'a Segment>,
}

impl Listed<'_> {
    fn end(&self) -> Option<i64> {
        self.segments
            .last()
            .map(|segment| segment.wall.saturating_add(segment.span))
    }
}

fn listed<'a>(snapshot: &'a Snapshot, epoch: &Epoch) -> Vec<Listed<'a>> {
    let of = |track: &'a TrackView| {
        let segments = track.entries.iter().filter_map(|entry| entry.segment());
        let segments: Vec<&Segment> = segments
            .filter(|segment| segment.epoch == epoch.ordinal)
            .collect();
        let init = track.init_of(segments.first()?.init)?;
        Some(Listed {
            track,
            init,
            segments,
        })
    };
    snapshot.tracks.iter().filter_map(of).collect()
}

/// When the earliest listed media of a Period begins, rounded down to the millisecond.
fn first_media(listed: &[Listed<'_>]) -> UnixMillis {
    let starts = listed.iter().filter_map(|listed| listed.segments.first());
    let first = starts.map(|segment| segment.wall).min();
    UnixMillis(first.unwrap_or_default().div_euclid(1_000_000))
}

/// A Period is shown when every track that still runs has come to it: its sets cannot change later.
fn is_ripe(snapshot: &Snapshot, epoch: &Epoch, listed: &[Listed<'_>], nominal: i64, now: UnixMillis) -> bool {
    let patience = nominal / 1_000_000 * 3;
    let running = |track: &&TrackView| !track.ended && !track.entries.is_empty();
    listed.len() >= snapshot.tracks.iter().filter(running).count() || now.0 - epoch.opened.0 >= patience
}

fn write_sets(text: &mut String, epoch: &Epoch, start: UnixMillis, listed: &[Listed<'_>]) -> fmt::Result {
    let mut sets: BTreeMap<(Kind, &str, Option<&str>, u16), Vec<&Listed<'_>>> = BTreeMap::new();
    for track in listed {
        let init = track.init;
        let family = init.codec.split('.').next().unwrap_or_default();
        sets.entry((init.kind, family, init.language.as_deref(), init.channels))
            .or_default()
            .push(track);
    }
    for ((kind, family, language, channels), mut tracks) in sets {
        tracks.sort_by_key(|track| std::cmp::Reverse(track.track.peak_bitrate));
        let (content, mime) = match kind {
            Kind::Video => ("video", "video/mp4"),
            _ => ("audio", "audio/mp4"),
        };
        // Stable from one MPD to the next, whatever other sets there are.
        write!(
            text,
            "    <AdaptationSet id=\"{}\"",
            set_id(kind, family, language, channels)
        )?;
        write!(text, " contentType=\"{content}\" mimeType=\"{mime}\"")?;
        if let Some(language) = language {
            write!(text, " lang=\"{language}\"")?;
        }
        text.push_str(" segmentAlignment=\"true\" startWithSAP=\"1\">\n");
        text.push_str("      <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"main\"/>\n");
        for listed in tracks {
            write_representation(text, epoch, start, listed)?;
        }
        text.push_str("    </AdaptationSet>\n");
    }
    Ok(())
}

fn set_id(kind: Kind, family: &str, language: Option<&str>, channels: u16) -> u32 {
    let text = format!("{kind:?} {family} {} {channels}", language.unwrap_or_default());
    // FNV-1a, cut to what xs:unsignedInt and players' signed integers both hold.
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash >> 1
}

fn write_representation(
    text: &mut String,
    epoch: &Epoch,
    start: UnixMillis,
    listed: &Listed<'_>,
) -> fmt::Result {
    let Listed {
        track,
        init,
        segments,
    } = listed;
    write!(
        text,
        "      <Representation id=\"{}\" codecs=\"{}\"",
        track.name, init.codec
    )?;
    write!(text, " bandwidth=\"{}\"", track.peak_bitrate.max(1))?;
    if init.kind == Kind::Video {
        write!(text, " width=\"{}\" height=\"{}\"", init.width, init.height)?;
        match track.frame_rate {
            Some((rate, 1)) => write!(text, " frameRate=\"{rate}\"")?,
            Some((rate, per)) => write!(text, " frameRate=\"{rate}/{per}\"")?,
            None => {}
        }
    } else if init.sample_rate > 0 {
        write!(text, " audioSamplingRate=\"{}\"", init.sample_rate)?;
    }
    text.push_str(">\n");
    if init.kind == Kind::Audio && init.channels > 0 {
        let scheme = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
        let channels = init.channels;
        writeln!(
            text,
            "        <AudioChannelConfiguration schemeIdUri=\"{scheme}\" value=\"{channels}\"/>"
        )?;
    }
    let offset = epoch.presentation_time_offset(start, init.timescale);
    write!(text, "        <SegmentTemplate timescale=\"{}\"", init.timescale)?;
    if offset != 0 {
        write!(text, " presentationTimeOffset=\"{offset}\"")?;
    }
    write!(text, " initialization=\"{}/{}\"", track.name, init.name())?;
    writeln!(
        text,
        " media=\"{}/{}-$Time$.m4s\">\n          <SegmentTimeline>",
        track.name, epoch.id
    )?;
    let mut rest = segments.iter().peekable();
    let mut expected = None;
    while let Some(segment) = rest.next() {
        let mut end = segment.start.saturating_add(segment.duration);
        let mut repeats = 0;
        while let Some(next) = rest.next_if(|next| next.start == end && next.duration == segment.duration) {
            end = next.start.saturating_add(next.duration);
            repeats += 1;
        }
        text.push_str("            <S");
        if expected != Some(segment.start) {
            write!(text, " t=\"{}\"", segment.start)?;
        }
        write!(text, " d=\"{}\"", segment.duration)?;
        if repeats > 0 {
            write!(text, " r=\"{repeats}\"")?;
        }
        text.push_str("/>\n");
        expected = Some(end);
    }
    text.push_str("          </SegmentTimeline>\n        </SegmentTemplate>\n      </Representation>\n");
    Ok(())
}

/// An `xs:duration` of so many nanoseconds, to the millisecond.
struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.max(0).saturating_add(500_000) / 1_000_000;
        match ms % 1000 {
            0 => write!(f, "PT{}S", ms / 1000),
            rest => write!(f, "PT{}.{rest:03}S", ms / 1000),
        }
    }
}
