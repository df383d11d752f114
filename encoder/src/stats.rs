//! Counters of one track, shared between the threads that fill them and the line that reports them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of one track since its start.
#[derive(Debug, Default)]
pub struct TrackStats {
    name: String,
    samples: AtomicU64,
    repeated: AtomicU64,
    dropped: AtomicU64,
    bytes: AtomicU64,
    sent_segments: AtomicU64,
    lost_segments: AtomicU64,
    queued_segments: AtomicU64,
}

/// The counters at one instant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Snapshot {
    /// Coded frames: video frames or AAC frames.
    pub samples: u64,
    /// Frames that were shown again because a new one did not come in time.
    pub repeated: u64,
    /// Pictures that a busy encoder had no room for.
    pub dropped: u64,
    /// Coded bytes, without the container.
    pub bytes: u64,
    /// Segments that the receiver has acknowledged.
    pub sent_segments: u64,
    /// Segments dropped, refused or broken off.
    pub lost_segments: u64,
    /// Segments that wait or are being sent.
    pub queued_segments: u64,
}

impl TrackStats {
    /// Counters at zero for a track.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The track's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads all counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            samples: self.samples.load(Relaxed),
            repeated: self.repeated.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            sent_segments: self.sent_segments.load(Relaxed),
            lost_segments: self.lost_segments.load(Relaxed),
            queued_segments: self.queued_segments.load(Relaxed),
        }
    }

    #[cfg(feature = "ffmpeg")]
    pub(crate) fn encoded(&self, bytes: usize) {
        self.samples.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    #[cfg(feature = "ffmpeg")]
    pub(crate) fn repeated(&self, frames: u64) {
        self.repeated.fetch_add(frames, Relaxed);
    }

    #[cfg(feature = "ffmpeg")]
    pub(crate) fn dropped(&self, frames: u64) {
        self.dropped.fetch_add(frames, Relaxed);
    }

    pub(crate) fn sent(&self) {
        self.sent_segments.fetch_add(1, Relaxed);
    }

    pub(crate) fn lost(&self) {
        self.lost_segments.fetch_add(1, Relaxed);
    }

    pub(crate) fn queued(&self, segments: usize) {
        self.queued_segments.store(segments as u64, Relaxed);
    }
}

impl Snapshot {
    /// One track's part of the report: what happened since `before`, `seconds` ago.
    #[must_use]
    pub fn line(&self, before: &Self, seconds: f64) -> String {
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds.max(1e-3);
        format!(
            "{:.1} fps {:.0} kbit/s repeated {} dropped {} queue {} sent {} lost {}",
            rate(self.samples, before.samples),
            rate(self.bytes, before.bytes) * 8.0 / 1000.0,
            self.repeated - before.repeated.min(self.repeated),
            self.dropped - before.dropped.min(self.dropped),
            self.queued_segments,
            self.sent_segments - before.sent_segments.min(self.sent_segments),
            self.lost_segments - before.lost_segments.min(self.lost_segments),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_reports_the_change_since_last_time() {
        let before = Snapshot {
            samples: 100,
            bytes: 1000,
            sent_segments: 2,
            ..Snapshot::default()
        };
        let now = Snapshot {
            samples: 350,
            bytes: 2_501_000,
            sent_segments: 7,
            queued_segments: 1,
            ..Snapshot::default()
        };
        assert_eq!(
            now.line(&before, 10.0),
            "25.0 fps 2000 kbit/s repeated 0 dropped 0 queue 1 sent 5 lost 0"
        );
    }
}
