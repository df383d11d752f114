//! Points in time. There is no clock here: `now` is always an argument.

use core::cmp::Ordering;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// From whole seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// This moment and `seconds` more.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
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
