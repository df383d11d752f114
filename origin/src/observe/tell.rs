//! What changed in a channel that operators want to read in the log: one event each, with `channel`, `track` and
//! `reason`.

use selvedge_breaks::log::State;

use crate::media::{Snapshot, TrackView};

/// Logs what became of a channel between two snapshots.
pub(crate) fn tell(before: &Snapshot, now: &Snapshot) {
    let channel = now.channel.as_str();
    if before.grid.is_none()
        && let Some(grid) = now.grid
    {
        let (target_duration_s, part_target_ms) = (grid.target_duration_s, grid.part_target_ms);
        tracing::info!(
            channel,
            reason = "start",
            target_duration_s,
            part_target_ms,
            "channel on air"
        );
    }
    if let (Some(last), Some(next)) = (before.epochs.last(), now.epochs.last())
        && last.ordinal != next.ordinal
    {
        let (epoch, discontinuity) = (next.id.as_str(), next.ordinal);
        tracing::warn!(
            channel,
            reason = "epoch",
            epoch,
            discontinuity,
            "another timeline begins"
        );
    }
    breaks(before, now);
    for track in &now.tracks {
        let gaps = gaps_since(before, track);
        if gaps > 0 {
            let track = track.name.as_str();
            tracing::warn!(channel, track, reason = "gap", gaps, "segments are missing");
        }
    }
    match (before.ended, now.ended) {
        (false, true) => tracing::info!(channel, reason = "end", "channel ended"),
        (true, false) => tracing::info!(channel, reason = "start", "channel goes on"),
        _ => {}
    }
}

/// Logs what became of breaks.
fn breaks(before: &Snapshot, now: &Snapshot) {
    let told = |snapshot: &Snapshot| snapshot.breaks.as_ref().map_or(0, |breaks| breaks.told);
    let Some(breaks) = now.breaks.as_ref().filter(|_| told(before) != told(now)) else {
        return;
    };
    let known = before.breaks.as_ref().map(|breaks| breaks.log.breaks());
    let known = known.unwrap_or_default();
    let channel = now.channel.as_str();
    for one in breaks.log.breaks() {
        let was = known
            .iter()
            .find(|known| known.id == one.id && known.signalled == one.signalled);
        if was.is_some_and(|was| was.state == one.state && was.t_in() == one.t_in()) {
            continue;
        }
        let (id, out, t_in) = (&one.id, one.out, one.t_in().map(tracing::field::display));
        let (state, source) = (one.state, one.source);
        let reason = "break";
        match state {
            State::Void | State::Nested => {
                tracing::warn!(channel, reason, %id, ?state, ?source, %out, t_in, "break is not on air");
            }
            _ => tracing::info!(channel, reason, %id, ?state, ?source, %out, t_in, "break"),
        }
    }
}

/// Gaps that were listed since.
fn gaps_since(before: &Snapshot, track: &TrackView) -> u64 {
    let known = before.track(&track.name).map_or(0, |track| track.counts.gaps);
    track.counts.gaps.saturating_sub(known)
}
