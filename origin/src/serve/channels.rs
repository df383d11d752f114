//! `GET /channels`: what is on air.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::Origin;
use super::answer::text;
use crate::media::{Snapshot, TrackView};
use crate::time::UnixMillis;

pub(super) async fn channels(State(origin): State<Origin>) -> Response {
    let listed: BTreeMap<String, Arc<Snapshot>> = origin
        .cells()
        .iter()
        .map(|cell| (cell.name.clone(), cell.snapshot()))
        .collect();
    let track = |track: &TrackView| {
        serde_json::json!({
            "name": track.name,
            "kind": track.init().map(|init| init.kind),
            "codec": track.init().map(|init| init.codec.clone()),
            "segments": track.entries.iter().filter(|entry| entry.segment().is_some()).count(),
            "last_end_ms": track.entries.last().map(|entry| UnixMillis(0).plus_nanos(entry.end())),
        })
    };
    let list: Vec<_> = listed
        .iter()
        .map(|(name, snapshot)| {
            serde_json::json!({
                "channel": name,
                "state": if snapshot.ended { "ended" } else { "live" },
                "tracks": snapshot.tracks.iter().map(track).collect::<Vec<_>>(),
            })
        })
        .collect();
    text(serde_json::Value::from(list).to_string(), "application/json")
}
