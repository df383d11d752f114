//! Channels as JSON, for operators' programs.

use serde_json::{Map, Value, json};

use super::{Problem, Shown};
use crate::media::{Entry, Epoch, Marking, Snapshot, SourceView, TrackView, Unmarked};
use crate::time::UnixMillis;

/// A channel in the list of all.
pub(crate) fn summary(shown: &Shown<'_>, now: UnixMillis) -> Value {
    let Shown {
        snapshot,
        blocked,
        unfit,
    } = shown;
    json!({
        "channel": snapshot.channel,
        "state": state(snapshot, now),
        "began_ms": snapshot.began,
        "updated_ms": snapshot.updated,
        "blocked_players": blocked,
        "withheld": unfit.as_ref().map(super::Unfit::reason),
        "tracks": snapshot.tracks.iter().map(|view| track(snapshot, view, now)).collect::<Vec<_>>(),
    })
}

/// All that there is to say of one channel.
pub(crate) fn detail(shown: &Shown<'_>, problems: &[Problem], now: UnixMillis) -> Value {
    let mut value = summary(shown, now);
    let snapshot = shown.snapshot;
    let epoch = |epoch: &Epoch| {
        json!({
            "ordinal": epoch.ordinal,
            "id": epoch.id,
            "anchor_ms": epoch.anchor,
            "opened_ms": epoch.opened,
        })
    };
    if let Value::Object(fields) = &mut value {
        fields.insert("window_s".to_owned(), snapshot.window_s.into());
        fields.insert(
            "target_duration_s".to_owned(),
            snapshot.grid.map(|grid| grid.target_duration_s).into(),
        );
        fields.insert(
            "part_target_ms".to_owned(),
            snapshot.grid.and_then(|grid| grid.part_target_ms).into(),
        );
        fields.insert("epochs".to_owned(), snapshot.epochs.iter().map(epoch).collect());
        fields.insert("events".to_owned(), snapshot.events.len().into());
        fields.insert("problems".to_owned(), json!(problems));
    }
    value
}

/// What a channel is doing. It is stalled when nothing has come for three target durations, by the origin's clock.
pub(super) fn state(snapshot: &Snapshot, now: UnixMillis) -> &'static str {
    let target_s = snapshot
        .grid
        .map_or(DEFAULT_TARGET_S, |grid| grid.target_duration_s);
    if snapshot.ended {
        "ended"
    } else if snapshot
        .tracks
        .iter()
        .all(|track| track.entries.is_empty() && track.open.is_none())
    {
        "starting"
    } else if now.0.saturating_sub(snapshot.updated.0) > i64::from(target_s) * 3_000 {
        "stalled"
    } else {
        "live"
    }
}

fn track(snapshot: &Snapshot, view: &TrackView, now: UnixMillis) -> Value {
    let counts = view.counts;
    let age = (!view.ended && !snapshot.ended)
        .then(|| live_edge(snapshot, view))
        .flatten()
        .map(|edge| now.0.saturating_sub(edge.0));
    json!({
        "name": view.name,
        "kind": view.init().map(|init| init.kind),
        "codec": view.init().map(|init| init.codec.clone()),
        "ended": view.ended,
        "sources": view.sources.iter().map(source).collect::<Vec<_>>(),
        "segments": view.entries.iter().filter(|entry| entry.segment().is_some()).count(),
        "media_sequence": view.entries.first().map(|entry| entry.sequence().0),
        "last_end_ms": view.entries.last().map(|entry| UnixMillis(0).plus_nanos(entry.end())),
        "live_edge_ms": live_edge(snapshot, view),
        "live_edge_age_ms": age,
        "peak_bitrate": view.peak_bitrate,
        "average_bitrate": view.average_bitrate,
        "counts": {
            "segments": counts.segments,
            "parts": counts.parts,
            "gaps": counts.gaps,
            "duplicates": counts.duplicates,
            "standby": counts.standby,
            "switches": counts.switches,
            "overlong_segments": counts.overlong_segments,
            "overlong_parts": counts.overlong_parts,
            "bytes": counts.bytes,
        },
        "watermark": view.marking.as_ref().map(marking),
    })
}

fn marking(marking: &Marking) -> Value {
    let unmarked = Unmarked::ALL.iter().zip(marking.unmarked);
    let unmarked: Map<String, Value> = unmarked
        .map(|(reason, count)| (reason.word().to_owned(), count.into()))
        .collect();
    json!({ "in_step": marking.in_step, "marked": marking.marked, "unmarked": unmarked })
}

fn source(source: &SourceView) -> Value {
    json!({
        "name": &*source.name,
        "leads": source.leads,
        "faulty": source.faulty,
        "heard_ms": source.heard,
    })
}

/// The wall time of the newest media of a track: the end of its last part, or of its last segment.
pub(super) fn live_edge(snapshot: &Snapshot, view: &TrackView) -> Option<UnixMillis> {
    let listed = view.entries.last().map(Entry::end);
    let coming = view.open.as_deref().and_then(|open| {
        let epoch = snapshot.epochs.iter().find(|epoch| epoch.ordinal == open.epoch)?;
        let timescale = view.init_of(open.init)?.timescale;
        (open.duration > 0).then(|| epoch.wall(open.start.saturating_add(open.duration), timescale))
    });
    listed.max(coming).map(|nanos| UnixMillis(0).plus_nanos(nanos))
}

/// The target duration of a channel that has none yet.
const DEFAULT_TARGET_S: u32 = 10;
