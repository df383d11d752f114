//! Requests that wait for media: counted, and bounded in number and in time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Origin;
use super::cell::Cell;
use crate::Error;

/// A request in the counts of those that wait, for as long as it lives.
#[derive(Debug)]
pub(super) struct Blocked<'c> {
    counts: [&'c AtomicUsize; 2],
}

impl<'c> Blocked<'c> {
    /// Counts one more request that waits, of this channel and of all.
    ///
    /// # Errors
    /// [`Error::Limit`] when `limits.blocked` wait already.
    pub(super) fn new(origin: &'c Origin, cell: &'c Cell) -> Result<Self, Error> {
        let limit = origin.0.config.limits.blocked as usize;
        let counts = [&origin.0.blocked, &cell.blocked];
        let [all, _] = counts.map(|count| count.fetch_add(1, Ordering::Relaxed));
        let blocked = Self { counts };
        if all >= limit {
            return Err(Error::Limit {
                what: "one more request that waits for media",
                limit: limit as u64,
                key: "limits.blocked",
            });
        }
        Ok(blocked)
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        for count in self.counts {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// How long a request may wait: three target durations (bis 6.2.5.2).
pub(super) fn patience(target_duration_s: u32) -> Duration {
    Duration::from_secs(3 * u64::from(target_duration_s.max(1)))
}
