//! Wall time and media time, and how documents write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Adds nanoseconds, rounded to the nearest millisecond.
    pub fn plus_nanos(self, nanos: i64) -> Self {
        Self(
            self.0
                .saturating_add(nanos.saturating_add(500_000).div_euclid(1_000_000)),
        )
    }

    /// This time in nanoseconds, saturating far beyond any real date.
    pub fn as_nanos(self) -> i64 {
        self.0.saturating_mul(1_000_000)
    }
}

/// Writes ISO 8601 with milliseconds, as `2026-11-21T12:00:00.000Z`.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.div_euclid(86_400_000);
        let ms = self.0.rem_euclid(86_400_000);
        // Days to a civil date, counting eras of 400 years from 0000-03-01.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1_000 % 60,
            ms % 1_000
        )
    }
}

/// Nanoseconds of `ticks` in a timescale of `timescale` ticks a second, rounded down, saturating.
pub fn ticks_to_nanos(ticks: i64, timescale: u32) -> i64 {
    let nanos = i128::from(ticks) * 1_000_000_000 / i128::from(timescale.max(1));
    i64::try_from(nanos).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
}

/// Ticks of `timescale` in `nanos` nanoseconds, rounded to the nearest, saturating.
pub fn nanos_to_ticks(nanos: i64, timescale: u32) -> i64 {
    let ticks = (i128::from(nanos) * i128::from(timescale) + 500_000_000).div_euclid(1_000_000_000);
    i64::try_from(ticks).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_iso_8601() {
        assert_eq!(UnixMillis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            UnixMillis(1_721_482_856_120).to_string(),
            "2024-07-20T13:40:56.120Z"
        );
        assert_eq!(
            UnixMillis(951_782_399_999).to_string(),
            "2000-02-28T23:59:59.999Z"
        );
        assert_eq!(
            UnixMillis(951_782_400_000).to_string(),
            "2000-02-29T00:00:00.000Z"
        );
        assert_eq!(UnixMillis(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn ticks_beyond_two_to_the_47_keep_their_precision() {
        let ticks = 154_933_457_050_800;
        let nanos = ticks_to_nanos(ticks, 90_000);
        assert_eq!(nanos, 1_721_482_856_120_000_000);
        assert_eq!(nanos_to_ticks(nanos, 90_000), ticks);
    }
}
