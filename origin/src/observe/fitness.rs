//! Whether a channel is fit to be shown: by what its tracks have had lately.
//!
//! Two origins that take the same encoders stand behind one shield. An answer of 503 to a playlist or an MPD is what
//! moves the shield to the other one, so an origin whose media has stopped coming says so instead of showing the past.

use super::report::live_edge;
use crate::cmaf::Kind;
use crate::media::{Snapshot, TrackView};
use crate::time::UnixMillis;
use crate::{Config, Error};

/// When documents are withheld. Zero is never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fitness {
    stale_after_ms: i64,
    incomplete_after_ms: i64,
}

/// Why a channel's documents are withheld.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Unfit {
    /// No media has come for so long.
    Stale { silent_ms: i64 },
    /// Sound or pictures of one track have stopped while others go on.
    Incomplete { track: String, behind_ms: i64 },
}

impl Fitness {
    /// As the configuration says.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            stale_after_ms: i64::from(config.stale_after_s) * 1_000,
            incomplete_after_ms: i64::from(config.incomplete_after_s) * 1_000,
        }
    }

    /// Judges a channel as of `now`. One that has ended, or has not begun, is fit.
    pub(crate) fn judge(self, snapshot: &Snapshot, now: UnixMillis) -> Option<Unfit> {
        if snapshot.ended || snapshot.updated == UnixMillis(0) {
            return None;
        }
        let silent_ms = now.0.saturating_sub(snapshot.updated.0);
        if self.stale_after_ms > 0 && silent_ms > self.stale_after_ms {
            return Some(Unfit::Stale { silent_ms });
        }
        if self.incomplete_after_ms == 0 {
            return None;
        }
        // Captions and events come when there are some.
        let is_steady = |track: &&TrackView| {
            let kind = track.init().map(|init| init.kind);
            !track.ended && matches!(kind, Some(Kind::Video | Kind::Audio))
        };
        let steady = snapshot.tracks.iter().filter(is_steady);
        let edges = steady.filter_map(|track| Some((track, live_edge(snapshot, track)?.0)));
        let (newest, (track, oldest)) = (
            edges.clone().map(|(_, edge)| edge).max()?,
            edges.min_by_key(|(_, edge)| *edge)?,
        );
        let behind_ms = newest.saturating_sub(oldest);
        (behind_ms > self.incomplete_after_ms).then(|| Unfit::Incomplete {
            track: track.name.clone(),
            behind_ms,
        })
    }
}

impl Unfit {
    /// All reasons that there are, as logs and metrics name them.
    pub(crate) const REASONS: [&'static str; 2] = ["stale", "incomplete"];

    /// The reason as logs and metrics name it.
    pub(crate) fn reason(&self) -> &'static str {
        let [stale, incomplete] = Self::REASONS;
        match self {
            Self::Stale { .. } => stale,
            Self::Incomplete { .. } => incomplete,
        }
    }

    /// What those are answered who ask for a document of the channel.
    pub(crate) fn refusal(self, channel: &str) -> Error {
        let channel = channel.to_owned();
        let seconds = |ms: i64| ms.unsigned_abs() / 1_000;
        match self {
            Self::Stale { silent_ms } => Error::Stale {
                channel,
                silent_s: seconds(silent_ms),
            },
            Self::Incomplete { track, behind_ms } => Error::Incomplete {
                channel,
                track,
                behind_s: seconds(behind_ms),
            },
        }
    }
}
