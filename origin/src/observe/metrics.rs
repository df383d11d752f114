//! `GET /metrics`: what is counted, and what channels are like at this moment.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use selvedge_breaks::log::State;

use super::exposition::{Exposition, Kind};
use super::report::{live_edge, state};
use super::requests::{BOUNDS, Histogram, Route};
use super::{Observed, Shown, Unfit};
use crate::media::{Counts, Marking, Unmarked};
use crate::serve::Desk;
use crate::time::UnixMillis;

/// Writes all metrics. `pushes` is how many pushes are under way.
pub(crate) fn metrics(
    observed: &Observed,
    desk: &Desk,
    channels: &[Shown<'_>],
    pushes: usize,
    now: UnixMillis,
) -> String {
    let mut text = Exposition::default();
    text.family(
        "selvedge_build_info",
        Kind::Gauge,
        "Always 1; the version is in the label.",
    );
    text.sample(
        "selvedge_build_info",
        &[("version", env!("CARGO_PKG_VERSION"))],
        1,
    );
    requests(&mut text, observed);
    ingest(&mut text, observed, pushes);
    of_channels(&mut text, channels, now);
    of_tracks(&mut text, channels, now);
    of_breaks(&mut text, desk, channels);
    text.into_text()
}

fn requests(text: &mut Exposition, observed: &Observed) {
    let name = "selvedge_origin_requests_total";
    text.family(
        name,
        Kind::Counter,
        "Requests answered, by route and class of status.",
    );
    for (route, counts) in observed.requests.each() {
        for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(&counts.by_class) {
            let labels = [("route", route.name()), ("status", class)];
            text.sample(name, &labels, count.load(Ordering::Relaxed));
        }
    }
    let name = "selvedge_origin_requests_under_way";
    text.family(
        name,
        Kind::Gauge,
        "Requests that are not answered yet, those held back among them.",
    );
    for (route, counts) in observed.requests.each() {
        let count = counts.under_way.load(Ordering::Relaxed);
        text.sample(name, &[("route", route.name())], count);
    }
    let name = "selvedge_origin_request_duration_seconds";
    let help = "Time from a request's head to its answer's, without the time that the answer was held back.";
    text.family(name, Kind::Histogram, help);
    for (route, counts) in observed.requests.each() {
        histogram(text, name, route, &counts.service);
    }
    let name = "selvedge_origin_request_held_seconds";
    text.family(
        name,
        Kind::Histogram,
        "Time that answers were held back until there was something to say.",
    );
    for (route, counts) in observed.requests.each() {
        histogram(text, name, route, &counts.held);
    }
}

fn histogram(text: &mut Exposition, name: &str, route: Route, histogram: &Histogram) {
    let bucket = format!("{name}_bucket");
    let bounds = BOUNDS
        .iter()
        .map(f64::to_string)
        .chain(std::iter::once("+Inf".to_owned()));
    let mut so_far = 0;
    for (bound, count) in bounds.zip(&histogram.buckets) {
        so_far += count.load(Ordering::Relaxed);
        text.sample(&bucket, &[("route", route.name()), ("le", &bound)], so_far);
    }
    text.sample(
        &format!("{name}_sum"),
        &[("route", route.name())],
        histogram.sum(),
    );
    text.sample(&format!("{name}_count"), &[("route", route.name())], so_far);
}

fn ingest(text: &mut Exposition, observed: &Observed, pushes: usize) {
    let name = "selvedge_ingest_bytes_total";
    text.family(name, Kind::Counter, "Bytes of pushed bodies.");
    text.sample(name, &[], observed.received.load(Ordering::Relaxed));
    let name = "selvedge_ingest_probes_total";
    text.family(name, Kind::Counter, "Pushes with an empty body.");
    text.sample(name, &[], observed.probes.load(Ordering::Relaxed));
    let name = "selvedge_ingest_unknown_boxes_total";
    let help = "Boxes of unknown types in pushed media: they pass through.";
    text.family(name, Kind::Counter, help);
    text.sample(name, &[], observed.unknown_boxes.load(Ordering::Relaxed));
    let name = "selvedge_ingest_pushes_under_way";
    text.family(name, Kind::Gauge, "Pushes that are under way.");
    text.sample(name, &[], pushes);
    let name = "selvedge_ingest_refusals_total";
    text.family(
        name,
        Kind::Counter,
        "Pushes that were refused, by the reason in their problem document.",
    );
    let refused = observed.refused.lock().unwrap_or_else(PoisonError::into_inner);
    for (reason, count) in &*refused {
        text.sample(name, &[("reason", reason)], count);
    }
}

fn of_channels(text: &mut Exposition, channels: &[Shown<'_>], now: UnixMillis) {
    let name = "selvedge_channels";
    text.family(name, Kind::Gauge, "Channels, by state.");
    for wanted in ["starting", "live", "stalled", "ended"] {
        let count = channels
            .iter()
            .filter(|shown| state(shown.snapshot, now) == wanted)
            .count();
        text.sample(name, &[("state", wanted)], count);
    }
    let name = "selvedge_channel_live";
    text.family(name, Kind::Gauge, "Whether media of the channel comes: 1, or 0.");
    for Shown { snapshot, .. } in channels {
        let live = u8::from(state(snapshot, now) == "live");
        text.sample(name, &[("channel", &snapshot.channel)], live);
    }
    let name = "selvedge_channel_discontinuities_total";
    text.family(
        name,
        Kind::Counter,
        "Times that another timeline began: EXT-X-DISCONTINUITY, a new Period.",
    );
    for Shown { snapshot, .. } in channels {
        let ordinal = snapshot.epochs.last().map_or(0, |epoch| epoch.ordinal);
        text.sample(name, &[("channel", &snapshot.channel)], ordinal);
    }
    let name = "selvedge_channel_blocked_players";
    text.family(name, Kind::Gauge, "Players that wait for what comes next.");
    for Shown {
        snapshot, blocked, ..
    } in channels
    {
        text.sample(name, &[("channel", &snapshot.channel)], blocked);
    }
    let name = "selvedge_channel_withheld";
    let help = "Whether playlists and MPDs are withheld, by reason: 1, or 0.";
    text.family(name, Kind::Gauge, help);
    for Shown { snapshot, unfit, .. } in channels {
        for reason in Unfit::REASONS {
            let is_it = unfit.as_ref().is_some_and(|unfit| unfit.reason() == reason);
            let labels = [("channel", snapshot.channel.as_str()), ("reason", reason)];
            text.sample(name, &labels, u8::from(is_it));
        }
    }
}

fn of_tracks(text: &mut Exposition, channels: &[Shown<'_>], now: UnixMillis) {
    let tracks = || {
        channels.iter().flat_map(|Shown { snapshot, .. }| {
            let of_channel = snapshot.tracks.iter();
            of_channel.map(move |track| (*snapshot, track))
        })
    };
    let name = "selvedge_track_live_edge_age_seconds";
    let help = "How long ago the newest media ended, on the encoder's clock; of tracks that have not ended.";
    text.family(name, Kind::Gauge, help);
    for (snapshot, track) in tracks().filter(|(snapshot, track)| !snapshot.ended && !track.ended) {
        if let Some(edge) = live_edge(snapshot, track) {
            let labels = [("channel", snapshot.channel.as_str()), ("track", &track.name)];
            text.sample(name, &labels, seconds(now.0.saturating_sub(edge.0)));
        }
    }
    let name = "selvedge_track_media_sequence";
    text.family(name, Kind::Gauge, "Number of the newest complete segment.");
    for (snapshot, track) in tracks() {
        if let Some(entry) = track.entries.last() {
            let labels = [("channel", snapshot.channel.as_str()), ("track", &track.name)];
            text.sample(name, &labels, entry.sequence().0);
        }
    }
    for (name, kind, help, value) in OF_COUNTS {
        text.family(name, kind, help);
        for (snapshot, track) in tracks() {
            let labels = [("channel", snapshot.channel.as_str()), ("track", &track.name)];
            text.sample(name, &labels, value(&track.counts));
        }
    }
    of_marks(text, || {
        tracks().filter_map(|(snapshot, track)| {
            let marking = track.marking?;
            Some((snapshot.channel.as_str(), track.name.as_str(), marking))
        })
    });
    let name = "selvedge_track_peak_bits_per_second";
    text.family(name, Kind::Gauge, "Highest bitrate of one segment.");
    for (snapshot, track) in tracks() {
        let labels = [("channel", snapshot.channel.as_str()), ("track", &track.name)];
        text.sample(name, &labels, track.peak_bitrate);
    }
}

/// What there is to say of watermarked tracks: their channel, their name, and how it goes.
fn of_marks<'t, I>(text: &mut Exposition, marked: impl Fn() -> I)
where
    I: Iterator<Item = (&'t str, &'t str, Marking)>,
{
    let name = "selvedge_track_variants_in_step";
    let help = "Whether variant B of a watermarked track comes as variant A does: 1, or 0.";
    text.family(name, Kind::Gauge, help);
    for (channel, track, marking) in marked() {
        let labels = [("channel", channel), ("track", track)];
        text.sample(name, &labels, u8::from(marking.in_step));
    }
    let name = "selvedge_track_marked_segments_total";
    let help = "Segments of a watermarked track that are there in both variants.";
    text.family(name, Kind::Counter, help);
    for (channel, track, marking) in marked() {
        text.sample(name, &[("channel", channel), ("track", track)], marking.marked);
    }
    let name = "selvedge_track_unmarked_segments_total";
    let help = "Segments of a watermarked track that are not marked, by reason.";
    text.family(name, Kind::Counter, help);
    for (channel, track, marking) in marked() {
        for (reason, count) in Unmarked::ALL.iter().zip(marking.unmarked) {
            let labels = [("channel", channel), ("track", track), ("reason", reason.word())];
            text.sample(name, &labels, count);
        }
    }
}

fn of_breaks(text: &mut Exposition, desk: &Desk, channels: &[Shown<'_>]) {
    let name = "selvedge_channel_breaks";
    let help = "Breaks of the last hours and of those to come that are in the break log, by state.";
    text.family(name, Kind::Gauge, help);
    for Shown { snapshot, .. } in channels {
        let Some(breaks) = &snapshot.breaks else { continue };
        for (state, told) in STATES {
            let count = breaks
                .log
                .breaks()
                .iter()
                .filter(|one| one.state == state)
                .count();
            let labels = [("channel", snapshot.channel.as_str()), ("state", told)];
            text.sample(name, &labels, count);
        }
    }
    let tally = desk.tally();
    for (name, help, count) in [
        (
            "selvedge_break_rules_refused_total",
            "Rules that had faults and replaced none.",
            &tally.refused_rules,
        ),
        (
            "selvedge_break_decisions_total",
            "Decisions that were made: what fills a break for a cohort.",
            &tally.decisions,
        ),
        (
            "selvedge_break_slots_unfilled_total",
            "Slots of decisions that are left to slate, for their ad cannot be used.",
            &tally.unfilled,
        ),
    ] {
        text.family(name, Kind::Counter, help);
        text.sample(name, &[], count.load(Ordering::Relaxed));
    }
    let name = "selvedge_creatives";
    text.family(name, Kind::Gauge, "Creatives that breaks can be filled with.");
    text.sample(name, &[], desk.creatives().len());
}

const STATES: [(State, &str); 7] = [
    (State::Announced, "announced"),
    (State::Open, "open"),
    (State::Ended, "ended"),
    (State::Cancelled, "cancelled"),
    (State::Void, "void"),
    (State::Nested, "nested"),
    (State::Point, "point"),
];

/// Milliseconds as seconds, to the millisecond.
fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03}", ms / 1000, ms % 1000)
}

type OfCounts = (&'static str, Kind, &'static str, fn(&Counts) -> u64);

const OF_COUNTS: [OfCounts; 9] = [
    (
        "selvedge_track_segments_total",
        Kind::Counter,
        "Segments listed.",
        |counts| counts.segments,
    ),
    (
        "selvedge_track_parts_total",
        Kind::Counter,
        "Parts listed.",
        |counts| counts.parts,
    ),
    (
        "selvedge_track_gaps_total",
        Kind::Counter,
        "Segments that never came: EXT-X-GAP.",
        |counts| counts.gaps,
    ),
    (
        "selvedge_track_duplicates_total",
        Kind::Counter,
        "Segments that were there already, or came too late.",
        |counts| counts.duplicates,
    ),
    (
        "selvedge_track_standby_total",
        Kind::Counter,
        "Segments of an encoder whose timeline is not on air.",
        |counts| counts.standby,
    ),
    (
        "selvedge_track_source_switches_total",
        Kind::Counter,
        "Times that another encoder took the lead.",
        |counts| counts.switches,
    ),
    (
        "selvedge_track_overlong_segments_total",
        Kind::Counter,
        "Segments longer than EXT-X-TARGETDURATION, of which a part was left out.",
        |counts| counts.overlong_segments,
    ),
    (
        "selvedge_track_overlong_parts_total",
        Kind::Counter,
        "Segments whose parts end early, for one was longer than PART-TARGET.",
        |counts| counts.overlong_parts,
    ),
    (
        "selvedge_track_memory_bytes",
        Kind::Gauge,
        "Bytes of media in memory.",
        |counts| counts.bytes,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_written_as_seconds() {
        for (ms, text) in [(0, "0.000"), (1, "0.001"), (61_050, "61.050"), (-20, "-0.020")] {
            assert_eq!(seconds(ms), text);
        }
    }

    #[test]
    fn an_origin_that_just_began_reports_every_family_once() {
        let observed = Observed::default();
        observed.received(7);
        observed.refused(&crate::Error::UnknownPath { path: String::new() });
        let text = metrics(&observed, &Desk::default(), &[], 3, UnixMillis(0));
        let mut families: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .collect();
        let before = families.len();
        families.dedup();
        assert_eq!((before, families.len() > 15), (families.len(), true), "{text}");
        for line in [
            "selvedge_ingest_bytes_total 7",
            "selvedge_break_decisions_total 0",
            "selvedge_ingest_pushes_under_way 3",
            "selvedge_ingest_refusals_total{reason=\"unknown-path\"} 1",
            "selvedge_origin_request_duration_seconds_bucket{route=\"playlist\",le=\"0.001\"} 0",
            "selvedge_origin_request_duration_seconds_bucket{route=\"playlist\",le=\"+Inf\"} 0",
            "selvedge_channels{state=\"live\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
