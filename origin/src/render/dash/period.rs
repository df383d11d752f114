//! A Period, its sets and their Representations.

use std::collections::BTreeMap;

use super::events::event_streams;
use super::mpd::utc_timing;
use super::template::{Start, template};
use super::{Addressing, Element, Seconds};
use crate::cmaf::{Init, Kind};
use crate::media::{Epoch, Grid, Inband, OpenView, Segment, Snapshot, TrackView};
use crate::time::{UnixMillis, nanos_to_ticks, ticks_to_nanos};

/// A track's part of a Period.
pub(super) struct Listed<'a> {
    pub(super) track: &'a TrackView,
    pub(super) init: &'a Init,
    pub(super) segments: Vec<&'a Segment>,
    /// The segment that is still coming in, where it belongs to this Period.
    pub(super) open: Option<&'a OpenView>,
    /// How long the segment that comes in or comes next will last, in ticks, where that is known before its end.
    pub(super) next: Option<u64>,
}

impl Listed<'_> {
    /// When its last complete segment ends, in nanoseconds since 1970.
    pub(super) fn end(&self) -> Option<i64> {
        let last = self.segments.last()?;
        Some(last.wall.saturating_add(last.span))
    }

    /// The longest duration that is listed, in nanoseconds.
    pub(super) fn longest(&self) -> i64 {
        let announced = self
            .next
            .map(|duration| ticks_to_nanos(duration.cast_signed(), self.init.timescale));
        let spans = self.segments.iter().map(|segment| segment.span);
        spans.chain(announced).max().unwrap_or(0)
    }
}

/// Whether documents show this kind of track: events have streams of their own.
pub(super) fn is_shown(track: &TrackView) -> bool {
    track.init().is_some_and(|init| init.kind != Kind::Event)
}

/// What the tracks of a channel have in an epoch.
pub(super) fn listed<'a>(snapshot: &'a Snapshot, epoch: &Epoch, grid: &Grid) -> Vec<Listed<'a>> {
    let of = |track: &'a TrackView| {
        let segments = track.entries.iter().filter_map(|entry| entry.segment());
        let segments: Vec<&Segment> = segments
            .filter(|segment| segment.epoch == epoch.ordinal)
            .collect();
        let open = track.open.as_deref().filter(|open| open.epoch == epoch.ordinal);
        let init = track.init_of(segments.first()?.init)?;
        let nominal = nanos_to_ticks(grid.nominal, init.timescale).cast_unsigned();
        let even =
            even_duration(&segments, nominal).filter(|even| open.is_none_or(|open| open.duration <= *even));
        let goes_on = !track.ended
            && !snapshot.ended
            && match (&track.open, track.entries.last()) {
                (Some(_), _) => open.is_some(),
                (None, Some(last)) => last.epoch() == epoch.ordinal && last.segment().is_some(),
                (None, None) => false,
            };
        // Sound that is cut to whole frames near the slot runs even for a while, and then does not.
        let is_slot = |duration: &u64| {
            let nanos = ticks_to_nanos(duration.cast_signed(), init.timescale);
            nanos.abs_diff(grid.nominal) < 1_000_000
        };
        let next = even.filter(|duration| goes_on && grid.part_target_ms.is_some() && is_slot(duration));
        Some(Listed {
            track,
            init,
            segments,
            open,
            next,
        })
    };
    let shown = snapshot.tracks.iter().filter(|track| is_shown(track));
    shown.filter_map(of).collect()
}

/// The duration that a track's segments keep to: that of the grid, or what the last few had. What an MPD has said of
/// a segment stays so, and of a segment that has not ended no more can be said than this.
fn even_duration(segments: &[&Segment], nominal: u64) -> Option<u64> {
    let last = segments.last()?.duration;
    let recent = segments.iter().rev().take(RECENT);
    let is_kept = segments.len() >= RECENT && recent.into_iter().all(|segment| segment.duration == last);
    (last == nominal || is_kept).then_some(last)
}

/// Writes a Period. `is_last` says that no other follows it yet.
pub(super) fn write_period(
    snapshot: &Snapshot,
    grid: &Grid,
    epoch: &Epoch,
    listed: &[Listed<'_>],
    addressing: Addressing,
    is_last: bool,
) -> Element {
    let start = Start::of(snapshot, grid, epoch, listed, addressing);
    let period = Element::new("Period")
        .with("id", &epoch.id)
        .with("start", Seconds(start.at.as_nanos()));
    let is_over = !is_last || snapshot.ended;
    period
        .and_all(event_streams(snapshot, epoch, start.at))
        .and_all(sets(grid, epoch, &start, listed, is_over))
}

/// The Representations between which a player may switch stand in one set: those of one kind, codec family,
/// language, number of channels, roles and range of light.
fn sets(grid: &Grid, epoch: &Epoch, start: &Start, listed: &[Listed<'_>], is_over: bool) -> Vec<Element> {
    let mut sets: BTreeMap<SetKey<'_>, Vec<&Listed<'_>>> = BTreeMap::new();
    for track in listed {
        sets.entry(SetKey::of(track.init)).or_default().push(track);
    }
    let mut is_first = true;
    let set = |(key, mut tracks): (SetKey<'_>, Vec<&Listed<'_>>)| {
        tracks.sort_by_key(|track| std::cmp::Reverse(track.track.peak_bitrate));
        let (content, mime) = match key.kind {
            Kind::Video => ("video", "video/mp4"),
            Kind::Audio => ("audio", "audio/mp4"),
            _ => ("text", "application/mp4"),
        };
        let language = key.language;
        // Stable from one MPD to the next, whatever other sets there are.
        let id = key.id();
        // Said of the set where it is true of all of it, else of those tracks that have them.
        let shared = tracks.first().map_or(&[][..], |first| &first.track.inband);
        let is_shared = tracks.iter().all(|listed| listed.track.inband == shared);
        let inband = if is_shared { shared } else { &[] };
        Element::new("AdaptationSet")
            .with("id", id)
            .with("contentType", content)
            .with("mimeType", mime)
            .with_some("lang", language)
            .with("segmentAlignment", "true")
            .with("startWithSAP", 1)
            .and_all(inband_streams(inband))
            .and_all(reference_time(
                grid,
                epoch,
                &tracks,
                if std::mem::take(&mut is_first) { 0 } else { id },
            ))
            .and_all(
                key.roles
                    .iter()
                    .map(|role| Element::new("Role").with("schemeIdUri", ROLE).with("value", role)),
            )
            .and_all(
                tracks
                    .iter()
                    .map(|listed| representation(grid, epoch, start, listed, is_over, !is_shared)),
            )
    };
    sets.into_iter().map(set).collect()
}

/// The streams of events in a track's segments (ISO/IEC 23009-1 5.10.3.2): players look for `emsg` boxes of these alone.
fn inband_streams(inband: &[Inband]) -> impl Iterator<Item = Element> {
    inband.iter().map(|stream| {
        Element::new("InbandEventStream")
            .with("schemeIdUri", &stream.scheme)
            .with_some("value", Some(&stream.value).filter(|value| !value.is_empty()))
    })
}

/// When which media was made, and how far apart chunks begin: for channels whose players stay close to the live
/// edge. Both are told in ticks of the set's timescale, so that they are left out where tracks differ in it.
fn reference_time(grid: &Grid, epoch: &Epoch, tracks: &[&Listed<'_>], id: u32) -> Vec<Element> {
    let (Some(part_ms), Some(base), Some(first)) = (grid.part_target_ms, epoch.base, tracks.first()) else {
        return Vec::new();
    };
    let timescale = first.init.timescale;
    if tracks.iter().any(|track| track.init.timescale != timescale) {
        return Vec::new();
    }
    let wall = UnixMillis(base.wall.div_euclid(1_000_000));
    vec![
        Element::new("ProducerReferenceTime")
            .with("id", id)
            .with("type", "encoder")
            .with("wallClockTime", wall)
            .with(
                "presentationTime",
                epoch.presentation_time_offset(wall, timescale).max(0),
            )
            .and(utc_timing()),
        Element::new("Resync")
            .with("type", 0)
            .with("dT", nanos_to_ticks(i64::from(part_ms) * 1_000_000, timescale)),
    ]
}

/// What the tracks of a set have in common.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct SetKey<'a> {
    kind: Kind,
    /// The codec, without its profile and level.
    family: &'a str,
    language: Option<&'a str>,
    channels: u16,
    /// What they are for: as their `kind` boxes say, else as tracks of their kind are for by default.
    roles: Vec<&'a str>,
    /// The transfer characteristics of high dynamic range; those of standard range are one to a player.
    range: Option<u16>,
}

impl<'a> SetKey<'a> {
    fn of(init: &'a Init) -> Self {
        let told = init.roles.iter().filter(|role| role.scheme == ROLE);
        let mut roles: Vec<&str> = told
            .map(|role| role.value.as_str())
            .filter(|value| !value.is_empty())
            .collect();
        roles.sort_unstable();
        roles.dedup();
        if roles.is_empty() {
            roles.push(default_role(init.kind));
        }
        Self {
            kind: init.kind,
            family: init.codec.split('.').next().unwrap_or_default(),
            language: init.language.as_deref(),
            channels: init.channels,
            roles,
            range: init.transfer.filter(|transfer| HIGH_RANGE.contains(transfer)),
        }
    }

    fn id(&self) -> u32 {
        let language = self.language.unwrap_or_default();
        let mut text = format!("{:?} {} {language} {}", self.kind, self.family, self.channels);
        if self.roles != [default_role(self.kind)] {
            text = format!("{text} {}", self.roles.join(" "));
        }
        if let Some(range) = self.range {
            text = format!("{text} range {range}");
        }
        // FNV-1a, cut to what xs:unsignedInt and players' signed integers both hold.
        let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        hash >> 1
    }
}

fn default_role(kind: Kind) -> &'static str {
    match kind {
        Kind::Video | Kind::Audio => "main",
        _ => "subtitle",
    }
}

/// Writes a Representation. `says_inband` says that its streams of events are not told of its set.
fn representation(
    grid: &Grid,
    epoch: &Epoch,
    start: &Start,
    listed: &Listed<'_>,
    is_over: bool,
    says_inband: bool,
) -> Element {
    let Listed { track, init, .. } = listed;
    let mut element = Element::new("Representation")
        .with("id", &track.name)
        .with("codecs", &init.codec)
        .with("bandwidth", track.peak_bitrate.max(1));
    if init.kind == Kind::Video {
        element = element.with("width", init.width).with("height", init.height);
        element = match track.frame_rate {
            Some((rate, 1)) => element.with("frameRate", rate),
            Some((rate, per)) => element.with("frameRate", format_args!("{rate}/{per}")),
            None => element,
        };
    } else if init.sample_rate > 0 {
        element = element.with("audioSamplingRate", init.sample_rate);
    }
    if init.kind == Kind::Audio && init.channels > 0 {
        element = element.and(
            Element::new("AudioChannelConfiguration")
                .with(
                    "schemeIdUri",
                    "urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
                )
                .with("value", init.channels),
        );
    }
    if says_inband {
        element = element.and_all(inband_streams(&track.inband));
    }
    element.and(template(grid, epoch, start, listed, is_over))
}

/// So many equal segments in a row tell how long the next one will be.
const RECENT: usize = 3;
const ROLE: &str = "urn:mpeg:dash:role:2011";
/// The perceptual quantiser and hybrid log-gamma (ISO/IEC 23091-2 table 3).
const HIGH_RANGE: [u16; 2] = [16, 18];
