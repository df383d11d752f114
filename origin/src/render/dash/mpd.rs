//! The MPD element and what stands directly below it.

use selvedge_breaks::slice::Told;

use super::period::{Listed, is_shown, listed, write_period};
use super::{Addressing, Element, Seconds};
use crate::media::{Entry, Epoch, Grid, Snapshot, TrackView};
use crate::time::UnixMillis;

/// An MPD that has not been published yet: nothing says which version it is.
#[derive(Clone, Debug)]
pub struct Mpd {
    root: Element,
    /// When it would look different although nothing has come: a Period becomes ripe.
    pub changes_at: Option<UnixMillis>,
}

impl Mpd {
    /// Whether it shows the same as another one.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        self.root == other.root
    }

    /// The document as published at a time. `patches` is the URL, relative to the document, that leads from this
    /// version to later ones; an MPD that is static has none.
    pub fn published(&self, at: UnixMillis, patches: Option<&str>) -> Element {
        let mut root = self.root.clone();
        root.set("publishTime", at);
        let patches = patches.filter(|_| root.attribute("type") == Some("dynamic"));
        if let (Some(url), Some(place)) = (patches, root.child_mut("PatchLocation")) {
            // Without a time to live: Shaka Player counts that from the publishTime, and an MPD may be old and true.
            *place = Element::new("PatchLocation").containing(format!("{url}?publishTime={at}"));
        } else {
            root.remove("PatchLocation");
        }
        root
    }
}

/// Makes the MPD as of `now`, which decides whether a new Period is ripe.
pub fn mpd(snapshot: &Snapshot, addressing: Addressing, now: UnixMillis) -> Mpd {
    let mut changes_at = None;
    let mut periods: Vec<(&Epoch, Vec<Listed<'_>>)> = Vec::new();
    let grid = snapshot.grid.unwrap_or(Grid {
        nominal: 0,
        target_duration_s: 0,
        part_target_ms: None,
    });
    for epoch in &snapshot.epochs {
        let listed = listed(snapshot, epoch, &grid);
        if snapshot.grid.is_none() || listed.is_empty() {
            continue;
        }
        match ripe_at(snapshot, epoch, &listed, grid.nominal) {
            Some(at) if at > now => changes_at = changes_at.or(Some(at)),
            _ => periods.push((epoch, listed)),
        }
    }
    let low_latency = low_latency(snapshot, &grid);
    let mut root = Element::new("MPD")
        .with("xmlns", "urn:mpeg:dash:schema:mpd:2011")
        .with("id", &snapshot.channel)
        .with("profiles", profiles(&grid))
        .with("availabilityStartTime", "1970-01-01T00:00:00Z")
        .with("publishTime", "");
    let all = || periods.iter().flat_map(|(_, listed)| listed);
    let longest = all().map(Listed::longest).max().unwrap_or(0);
    root = if snapshot.ended {
        let end = all().filter_map(Listed::end).max().unwrap_or(0);
        root.with("type", "static")
            .with("mediaPresentationDuration", Seconds(end))
    } else {
        // Three segments: as much as HLS players keep.
        let delay = low_latency.map_or(grid.nominal.saturating_mul(3), |low| nanos(low.target_ms));
        root.with("type", "dynamic")
            .with("minimumUpdatePeriod", Seconds(grid.nominal))
            .with("timeShiftBufferDepth", format_args!("PT{}S", snapshot.window_s))
            .with("suggestedPresentationDelay", Seconds(delay))
    };
    let buffer = low_latency.map_or(grid.nominal, |low| nanos(low.part_ms));
    root = root
        .with("maxSegmentDuration", Seconds(longest))
        .with("minBufferTime", Seconds(buffer));
    if !snapshot.ended {
        root = root.and(Element::new("PatchLocation"));
    }
    let periods: Vec<Element> = periods
        .iter()
        .enumerate()
        .map(|(index, (epoch, listed))| {
            let is_last = index + 1 == periods.len();
            write_period(snapshot, &grid, epoch, listed, addressing, is_last)
        })
        .collect();
    if let Some(low) = low_latency {
        root = root.and(service_description(low, has_reference(&periods)));
    }
    root = root.and_all(periods).and_all(breaks(snapshot));
    if !snapshot.ended {
        root = root.and(utc_timing());
    }
    Mpd { root, changes_at }
}

/// The slice of the break log, for edges: players ignore it.
fn breaks(snapshot: &Snapshot) -> Vec<Element> {
    let first = snapshot.tracks.iter().filter_map(|track| track.entries.first());
    let first = first.map(Entry::wall).min();
    let told = snapshot.breaks.as_ref().zip(first);
    let told = told.map(|(breaks, first)| breaks.told_from(first));
    let property = |(scheme, value): (&'static str, String)| {
        Element::new("SupplementalProperty")
            .with("schemeIdUri", scheme)
            .with("value", value)
    };
    told.iter().flat_map(Told::properties).map(property).collect()
}

/// What a channel with parts promises, in milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct LowLatency {
    part_ms: u32,
    target_ms: u32,
}

fn low_latency(snapshot: &Snapshot, grid: &Grid) -> Option<LowLatency> {
    let part_ms = grid.part_target_ms.filter(|_| !snapshot.ended)?;
    // One part while it is made, two in the player's buffer, and half a second for encoder and network.
    let target_ms = part_ms.saturating_mul(3).saturating_add(500).div_ceil(100) * 100;
    Some(LowLatency { part_ms, target_ms })
}

fn profiles(grid: &Grid) -> &'static str {
    match grid.part_target_ms {
        None => "urn:mpeg:dash:profile:isoff-live:2011",
        Some(_) => {
            "urn:mpeg:dash:profile:isoff-live:2011,http://www.dashif.org/guidelines/low-latency-live-v5"
        }
    }
}

/// How far behind the live edge players are asked to be, and how fast they may play to stay there (ISO/IEC 23009-1
/// Annex K).
fn service_description(low: LowLatency, has_reference: bool) -> Element {
    let latency = Element::new("Latency")
        .with_some("referenceId", has_reference.then_some(0))
        .with("target", low.target_ms)
        .with("min", low.part_ms.saturating_mul(2).saturating_add(200))
        .with("max", low.target_ms.saturating_mul(2));
    Element::new("ServiceDescription").with("id", 0).and(latency).and(
        Element::new("PlaybackRate")
            .with("min", "0.96")
            .with("max", "1.04"),
    )
}

/// Whether every Period has the `ProducerReferenceTime` that its first set, of pictures where there are any, has
/// under the `id` 0.
fn has_reference(periods: &[Element]) -> bool {
    let is_it =
        |child: &Element| child.name() == "ProducerReferenceTime" && child.attribute("id") == Some("0");
    let has_it = |period: &Element| period.children().iter().flat_map(Element::children).any(is_it);
    periods.iter().all(has_it)
}

/// Where players get the time. Relative to the MPD: players resolve an absolute path against the page they run in.
pub(super) fn utc_timing() -> Element {
    Element::new("UTCTiming")
        .with("schemeIdUri", "urn:mpeg:dash:utc:http-iso:2014")
        .with("value", "../../time")
}

/// When a Period may be shown: once every track that still runs has come to it, for its sets cannot change later.
/// `None` when that is so, else when patience with them ends.
fn ripe_at(snapshot: &Snapshot, epoch: &Epoch, listed: &[Listed<'_>], nominal: i64) -> Option<UnixMillis> {
    let is_running = |track: &&TrackView| is_shown(track) && !track.ended && !track.entries.is_empty();
    let running = snapshot.tracks.iter().filter(is_running);
    let patience = nominal / 1_000_000 * 3;
    (listed.len() < running.count()).then_some(UnixMillis(epoch.opened.0.saturating_add(patience)))
}

fn nanos(ms: u32) -> i64 {
    i64::from(ms) * 1_000_000
}
