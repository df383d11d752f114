//! Points in time. There is no clock here: `now` is always an argument.

use core::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Later than every other moment.
    pub const MAX: Self = Self(i64::MAX);

    /// From whole seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// This moment and `seconds` more.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// This moment and `nanos` nanoseconds more, rounded to the nearest millisecond.
    pub const fn plus_nanos(self, nanos: i64) -> Self {
        Self(
            self.0
                .saturating_add(nanos.saturating_add(500_000).div_euclid(1_000_000)),
        )
    }

    /// This moment in nanoseconds since 1970, saturating in the year 2262.
    pub const fn as_nanos(self) -> i64 {
        self.0.saturating_mul(1_000_000)
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// Writes ISO 8601 (RFC 3339) with milliseconds, such as `2026-11-21T12:00:00.000Z`.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (seconds, millis) = (of_day / 1000 % 60, of_day % 1000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z"
        )
    }
}

/// Year, month and day of a count of days since 1970, in the proleptic Gregorian calendar. Years are counted
/// from March, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_TO_MARCH_OF_YEAR_0: i64 = 719_468;
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let days = days + DAYS_TO_MARCH_OF_YEAR_0;
    let (era, of_era) = (
        days.div_euclid(DAYS_IN_400_YEARS),
        days.rem_euclid(DAYS_IN_400_YEARS),
    );
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// A NumericDate (RFC 8392 §2): seconds since 1970, an integer or a finite float, kept as it was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NumericDate {
    /// Whole seconds. `i128` holds every CBOR integer, so a huge date cannot wrap into the past.
    Integer(i128),
    /// Seconds with a fraction; never NaN or infinite.
    Float(f64),
}

impl NumericDate {
    /// Compares this date with a moment, exactly for integers.
    pub fn compare(self, moment: UnixMillis) -> Ordering {
        match self {
            Self::Integer(seconds) => seconds.saturating_mul(1000).cmp(&i128::from(moment.0)),
            // A millisecond count since 1970 is far below 2^53, so the conversion is exact.
            Self::Float(seconds) => (seconds * 1000.0).total_cmp(&(moment.0 as f64)),
        }
    }

    /// The first millisecond that is not before this date, clamped to what [`UnixMillis`] holds.
    pub fn moment(self) -> UnixMillis {
        UnixMillis(match self {
            Self::Integer(seconds) => {
                let millis = seconds.saturating_mul(1000);
                i64::try_from(millis).unwrap_or(if millis < 0 { i64::MIN } else { i64::MAX })
            }
            // A cast of a float saturates.
            Self::Float(seconds) => (seconds * 1000.0).ceil() as i64,
        })
    }

    /// Whole seconds, rounded towards negative infinity and clamped to `i64`.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Integer(seconds) => {
                i64::try_from(seconds).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX })
            }
            Self::Float(seconds) => seconds.floor() as i64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_out_right_around_leap_days_and_before_1970() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (1_795_262_400, "2026-11-21T12:00:00.000Z"),
        ] {
            assert_eq!(UnixMillis::from_seconds(seconds).to_string(), text);
        }
        assert_eq!(
            UnixMillis(1_721_482_856_120).to_string(),
            "2024-07-20T13:40:56.120Z"
        );
    }

    #[test]
    fn a_date_beyond_64_bits_lies_in_the_future() {
        let far = NumericDate::Integer(i128::from(u64::MAX));
        assert_eq!(far.compare(UnixMillis(i64::MAX)), Ordering::Greater);
    }

    #[test]
    fn a_fraction_of_a_second_counts() {
        let half = NumericDate::Float(10.5);
        assert_eq!(half.compare(UnixMillis(10_499)), Ordering::Greater);
        assert_eq!(half.compare(UnixMillis(10_500)), Ordering::Equal);
    }
}
