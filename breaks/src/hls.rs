//! Markers of breaks in HLS media playlists, in all the dialects that are seen.
//!
//! | marker | read as |
//! |---|---|
//! | `EXT-X-DATERANGE` with `SCTE35-OUT`, `-IN`, `-CMD` (RFC 8216bis 4.4.5.1.1) | begin and end by its dates, whichever segment it stands at |
//! | `EXT-X-CUE-OUT`, `EXT-X-CUE-IN` | begin and end at the next segment |
//! | `EXT-X-CUE-OUT-CONT` | a begin that was `ElapsedTime` ago, where it has left the playlist |
//! | `EXT-OATCLS-SCTE35`, `EXT-X-SPLICEPOINT-SCTE35` | what their section says, at the next segment |
//! | `EXT-SCTE35`, `EXT-X-SCTE35` | their `CUE`, `CUE-OUT`, `CUE-IN` and `DURATION`, at the next segment |
//! | `EXT-X-ASSET` | the content id of the break at the next segment |
//!
//! Markers at one segment are one begin: a section says which event it is, `CUE-OUT` for how long, the last one if there are
//! several. A payload that cannot be read still delimits a break. `EXT-X-DISCONTINUITY` alone is no marker.

mod daterange;
mod point;
pub mod value;

use daterange::Ranges;
use point::Point;

use crate::{
    attributes::Attributes,
    cue::{Ask, Cue, Source, When},
    key::Key,
    signal::Openers,
    time::{Micros, UnixMicros},
};

/// What a marker asks for, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marker {
    /// Which event it is about.
    pub key: Key,
    /// What it asks for.
    pub ask: Ask,
    /// Media sequence number of the first segment that it is about: for a begin the first that is replaced, for an end the
    /// first behind. `None` where its date is not in the window.
    pub msn: Option<u64>,
    /// When; `None` in a playlist without `EXT-X-PROGRAM-DATE-TIME`.
    pub at: Option<UnixMicros>,
    /// `CAID` of the break.
    pub content_id: Option<String>,
    /// The playlist joins the break in its middle: its begin has left the window, and `msn` is the first segment of it.
    pub is_joined: bool,
}

/// A segment of the playlist.
#[derive(Clone, Copy, Debug)]
struct Position {
    msn: u64,
    start: Option<UnixMicros>,
    length: Micros,
}

/// Where a reader of a playlist stands.
struct Scan<'a> {
    openers: Openers,
    /// When the segment at a URI begins, where a playlist has no dates.
    begin_of: &'a dyn Fn(&str) -> Option<UnixMicros>,
    is_dated: bool,
    next: Position,
    positions: Vec<Position>,
    point: Point<'a>,
    ranges: Ranges<'a>,
    markers: Vec<Marker>,
    /// Whether the last marker at a segment was a begin.
    is_out: bool,
}

impl Marker {
    /// As a log hears of it; `None` where it has no time.
    pub fn cue(&self) -> Option<Cue> {
        Some(Cue {
            key: self.key.clone(),
            ask: self.ask,
            at: When::At(self.at?),
            source: Source::Hls,
        })
    }
}

/// Reads the markers of a media playlist, by time where that is known: an end before a begin at the same segment.
pub fn markers(playlist: &str, openers: Openers) -> Vec<Marker> {
    markers_at(playlist, openers, &|_| None)
}

/// Reads the markers of a media playlist; where that has no dates, by when the segments begin that they stand before:
/// `begin_of` says that of a URI, and of what it does not know the segments before it do.
pub fn markers_at(
    playlist: &str,
    openers: Openers,
    begin_of: &dyn Fn(&str) -> Option<UnixMicros>,
) -> Vec<Marker> {
    let mut scan = Scan {
        openers,
        begin_of,
        is_dated: false,
        next: Position {
            msn: 0,
            start: None,
            length: Micros::ZERO,
        },
        positions: Vec::new(),
        point: Point::default(),
        ranges: Ranges::default(),
        markers: Vec::new(),
        is_out: false,
    };
    for line in playlist.trim_start_matches('\u{feff}').lines() {
        scan.line(line.trim());
    }
    scan.finish()
}

impl<'a> Scan<'a> {
    fn line(&mut self, line: &'a str) {
        if line.is_empty() {
            return;
        }
        if !line.starts_with('#') {
            return self.segment(line);
        }
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        match tag {
            "#EXT-X-MEDIA-SEQUENCE" => self.next.msn = value.parse().unwrap_or_default(),
            "#EXT-X-SKIP" => {
                let skipped = Attributes::new(value).get("SKIPPED-SEGMENTS");
                let skipped: u64 = skipped.and_then(|count| count.parse().ok()).unwrap_or_default();
                self.next.msn = self.next.msn.saturating_add(skipped);
            }
            "#EXT-X-PROGRAM-DATE-TIME" => {
                let date = UnixMicros::read(value);
                self.is_dated |= date.is_some();
                self.next.start = date.or(self.next.start);
            }
            "#EXTINF" => {
                let length = value.split(',').next().map(str::trim);
                self.next.length = length.and_then(Micros::read_seconds).unwrap_or_default();
            }
            "#EXT-X-DATERANGE" => self.ranges.tell(&Attributes::new(value), self.next.msn),
            _ => self.point.tell(tag, value),
        }
    }

    /// The segment that what was read stands before.
    fn segment(&mut self, uri: &str) {
        if !self.is_dated {
            self.next.start = (self.begin_of)(uri).or(self.next.start);
        }
        let point = std::mem::take(&mut self.point);
        let (markers, is_out) = point.markers(&self.next, self.openers, self.is_out);
        self.markers.extend(markers);
        self.is_out = is_out;
        self.positions.push(self.next);
        let Position { msn, start, length } = self.next;
        self.next = Position {
            msn: msn.saturating_add(1),
            start: start.map(|start| start.plus(length)),
            length: Micros::ZERO,
        };
    }

    fn finish(mut self) -> Vec<Marker> {
        let has_dates = self.is_dated && self.positions.iter().any(|position| position.start.is_some());
        for marker in self.ranges.markers(self.openers) {
            // Without dates to compare with, a range begins where it stands.
            let (msn, at) = match has_dates {
                true => (self.msn_at(marker.at), marker.at),
                false => (marker.msn, self.start_of(marker.msn)),
            };
            let mut marker = Marker { msn, at, ..marker };
            if (marker.msn, marker.at) == (None, None) {
                continue;
            }
            // The same splice in two dialects is one: that of the range has its date and both of its ends.
            let is_same = |other: &Marker| {
                let is_there = marker.msn.is_some() && marker.msn == other.msn;
                same_ask(other.ask, marker.ask) && (is_there || self.are_near(other.at, marker.at))
            };
            if let Some(at) = self.markers.iter().position(is_same) {
                let other = self.markers.remove(at);
                marker.content_id = other.content_id;
                if other.key.event_id().is_some() || marker.key == Key::Nameless {
                    marker.key = if marker.key.event_id().is_some() {
                        marker.key
                    } else {
                        other.key
                    };
                }
                if let (Ask::Out { planned, .. }, Ask::Out { planned: told, .. }) =
                    (&mut marker.ask, other.ask)
                {
                    *planned = planned.or(told);
                }
            }
            self.markers.push(marker);
        }
        let order = |marker: &Marker| {
            let is_begin = matches!(marker.ask, Ask::Out { .. });
            (marker.at, marker.msn, is_begin)
        };
        self.markers.sort_by_key(order);
        self.markers
    }

    fn start_of(&self, msn: Option<u64>) -> Option<UnixMicros> {
        let is_it = |position: &&Position| Some(position.msn) == msn;
        self.positions.iter().find(is_it)?.start
    }

    /// The first segment that begins at a moment or behind it, by half a segment at most.
    fn msn_at(&self, at: Option<UnixMicros>) -> Option<u64> {
        let at = at?;
        let (first, last) = (self.positions.first()?, self.positions.last()?);
        let end = last.start?.plus(last.length);
        if first.start? > at.plus(Micros(first.length.0 / 2)) {
            return None;
        }
        let begins = |one: &&Position| {
            one.start
                .is_some_and(|start| start.plus(Micros(one.length.0 / 2)) > at)
        };
        let found = self.positions.iter().find(begins).map(|one| one.msn);
        // What begins where the playlist ends begins with its next segment.
        found.or_else(|| (at <= end.plus(Micros(last.length.0 / 2))).then_some(last.msn.saturating_add(1)))
    }

    /// Within half a segment of each other.
    fn are_near(&self, one: Option<UnixMicros>, other: Option<UnixMicros>) -> bool {
        let longest = self.positions.iter().map(|position| position.length.0).max();
        let (Some(one), Some(other)) = (one, other) else {
            return false;
        };
        one.0.abs_diff(other.0).cast_signed() <= longest.unwrap_or_default() / 2
    }
}

const fn same_ask(one: Ask, other: Ask) -> bool {
    matches!(
        (one, other),
        (Ask::Out { .. }, Ask::Out { .. }) | (Ask::In, Ask::In)
    )
}

#[cfg(test)]
mod tests;
