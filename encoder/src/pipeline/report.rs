//! What is told of a channel while it runs.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Utc,
    stats::{Snapshot, TrackStats},
};

/// Writes the periodic line, and tells of missed frames at most once in a second.
pub(super) struct Report {
    before: Vec<Snapshot>,
    last: Utc,
    missed: u64,
    told: Utc,
}

impl Report {
    pub(super) fn new(stats: &[Arc<TrackStats>], now: Utc) -> Self {
        Self {
            before: stats.iter().map(|stats| stats.snapshot()).collect(),
            last: now,
            missed: 0,
            told: Utc(0),
        }
    }

    pub(super) const fn missed(&mut self, frames: u64) {
        self.missed += frames;
    }

    pub(super) fn at(&mut self, now: Utc, stats: &[Arc<TrackStats>]) {
        if self.missed > 0 && now.since(self.told) >= Duration::from_secs(1) {
            tracing::warn!(
                frames = self.missed,
                "the machine was too busy, pictures are repeated"
            );
            self.missed = 0;
            self.told = now;
        }
        let passed = now.since(self.last);
        if passed < REPORT_EVERY {
            return;
        }
        let mut parts = Vec::new();
        for (stats, before) in stats.iter().zip(&mut self.before) {
            let snapshot = stats.snapshot();
            parts.push(format!(
                "{}: {}",
                stats.name(),
                snapshot.line(before, passed.as_secs_f64())
            ));
            *before = snapshot;
        }
        tracing::info!("{}", parts.join(" | "));
        self.last = now;
    }
}

const REPORT_EVERY: Duration = Duration::from_secs(10);
