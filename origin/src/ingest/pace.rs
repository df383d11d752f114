//! How slowly a body may come: a sender that trickles bytes holds a place that others need.

use std::time::Duration;

use crate::Error;

/// Watches the rate at which what is not complete comes in. A body may stand still between two boxes for as long as
/// `limits.body_idle_s` says, but a box that has begun must come on.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bytes a second; 0 bounds nothing.
    min_rate: u64,
    grace: Duration,
    began: Option<Duration>,
    received: u64,
}

impl Pace {
    /// At least `min_rate` bytes a second once a box has been on its way for `grace`.
    pub const fn new(min_rate: u64, grace: Duration) -> Self {
        Self {
            min_rate,
            grace,
            began: None,
            received: 0,
        }
    }

    /// Bytes came at `now`, counted from any moment; `is_complete` says that they left no box half done.
    ///
    /// # Errors
    /// [`Error::SlowBody`].
    pub fn note(&mut self, bytes: u64, is_complete: bool, now: Duration) -> Result<(), Error> {
        if is_complete {
            self.began = None;
            self.received = 0;
            return Ok(());
        }
        let began = *self.began.get_or_insert(now);
        self.received = self.received.saturating_add(bytes);
        let taken = now.saturating_sub(began);
        let owed = taken.as_secs().saturating_mul(self.min_rate);
        if taken > self.grace && self.received < owed {
            return Err(Error::SlowBody {
                received: self.received,
                seconds: taken.as_secs(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_trickle_is_cut_off_and_a_pause_between_boxes_is_not() {
        let mut pace = Pace::new(500, at(20));
        for second in 0..=20 {
            pace.note(1, false, at(second)).unwrap();
        }
        let error = pace.note(1, false, at(21)).unwrap_err();
        assert_eq!((error.slug(), error.status().as_u16()), ("slow-body", 408));

        let mut pace = Pace::new(500, at(20));
        pace.note(1_000, true, at(0)).unwrap();
        pace.note(10, false, at(600)).unwrap();
        pace.note(10, false, at(601)).unwrap();
        for second in 602..700 {
            pace.note(600, false, at(second)).unwrap();
        }
        assert!(
            Pace::new(0, at(0)).note(1, false, at(99)).is_ok(),
            "0 bounds nothing"
        );
    }
}
