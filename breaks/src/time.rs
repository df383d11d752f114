//! Programme time, lengths of it, and the clock of transport streams. There is no clock here.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A moment of the programme: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// It is what `EXT-X-PROGRAM-DATE-TIME` says, to the microsecond, and not the clock of whoever reads it.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

/// A length of programme, in microseconds. Sums saturate.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

/// A time of the 90 kHz clock, modulo 2^33 (ISO/IEC 13818-1 2.4.3.7).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Pts(u64);

/// A length in ticks of 90 kHz. A `segmentation_duration` has 40 bits, a `break_duration` 33.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticks(pub u64);

impl UnixMicros {
    /// This moment and `length` more.
    pub const fn plus(self, length: Micros) -> Self {
        Self(self.0.saturating_add(length.0))
    }

    /// This moment less `length`.
    pub const fn less(self, length: Micros) -> Self {
        Self(self.0.saturating_sub(length.0))
    }

    /// The length from `earlier` to this moment; negative where that is later.
    pub const fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads a date and time of RFC 3339, as `EXT-X-PROGRAM-DATE-TIME` has it (RFC 8216bis 4.4.4.6): with `Z` or an
    /// offset, whose colon may be missing. Digits beyond microseconds are dropped.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let &[
            y1,
            y2,
            y3,
            y4,
            b'-',
            m1,
            m2,
            b'-',
            d1,
            d2,
            b'T' | b't' | b' ',
            ref clock @ ..,
        ] = text.as_bytes()
        else {
            return None;
        };
        let &[h1, h2, b':', n1, n2, b':', s1, s2, ref rest @ ..] = clock else {
            return None;
        };
        let (year, month, day) = (digits([y1, y2, y3, y4])?, digits([m1, m2])?, digits([d1, d2])?);
        let (hours, minutes, seconds) = (digits([h1, h2])?, digits([n1, n2])?, digits([s1, s2])?);
        let rest = text.get(text.len() - rest.len()..)?;
        let is_date = (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month);
        // A second of 60 is the leap second: it is the next minute's first.
        if !is_date || hours > 23 || minutes > 59 || seconds > 60 {
            return None;
        }
        let (fraction, zone) = match rest.strip_prefix(['.', ',']) {
            Some(rest) => {
                let end = rest.find(|letter: char| !letter.is_ascii_digit());
                let (digits, zone) = rest.split_at(end.unwrap_or(rest.len()));
                (micros_of_fraction(digits)?, zone)
            }
            None => (0, rest),
        };
        let seconds = days(year, month, day) * 86_400 + hours * 3600 + minutes * 60 + seconds - offset(zone)?;
        Some(Self(seconds * 1_000_000 + fraction))
    }
}

/// Writes RFC 3339 in UTC: with milliseconds, or with microseconds where there are any.
impl fmt::Display for UnixMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_day = self.0.rem_euclid(86_400_000_000);
        let (year, month, day) = civil(self.0.div_euclid(86_400_000_000));
        let (hours, minutes) = (of_day / 3_600_000_000, of_day / 60_000_000 % 60);
        let (seconds, micros) = (of_day / 1_000_000 % 60, of_day % 1_000_000);
        if !(0..=9999).contains(&year) {
            return write!(
                f,
                "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{micros:06}Z"
            );
        }
        // A playlist may have thousands of dates: this is ten times as fast as the formatter is with numbers.
        let two = |value: i64| [digit(value / 10), digit(value)];
        let three = |value: i64| [digit(value / 100), digit(value / 10), digit(value)];
        let ([y1, y2], [y3, y4], [m1, m2], [d1, d2]) = (two(year / 100), two(year), two(month), two(day));
        let ([h1, h2], [n1, n2], [s1, s2]) = (two(hours), two(minutes), two(seconds));
        let ([f1, f2, f3], [f4, f5, f6]) = (three(micros / 1000), three(micros));
        let text = [
            y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', f1,
            f2, f3, f4, f5, f6,
        ];
        let finer = if micros % 1000 == 0 { 3 } else { 0 };
        let text = text.get(..text.len() - finer).unwrap_or_default();
        f.write_str(core::str::from_utf8(text).unwrap_or_default())?;
        f.write_str("Z")
    }
}

impl Micros {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From whole seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// From whole milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Both one after the other.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of this without `other`.
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many of it.
    pub const fn times(self, count: i64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// Reads seconds as playlists write them, `30` or `30.030`, without going through a binary fraction. Digits beyond
    /// microseconds are dropped; a sign or an exponent is not read.
    pub fn read_seconds(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let seconds = if whole.is_empty() { 0 } else { number(whole)? };
        let micros = if fraction.is_empty() {
            0
        } else {
            micros_of_fraction(fraction)?
        };
        Some(Self(seconds.checked_mul(1_000_000)?.checked_add(micros)?))
    }
}

/// Writes seconds with three digits behind the point, or six where they are needed.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (seconds, micros) = (
            self.0.unsigned_abs() / 1_000_000,
            self.0.unsigned_abs() % 1_000_000,
        );
        match micros % 1000 {
            0 => write!(f, "{sign}{seconds}.{:03}", micros / 1000),
            _ => write!(f, "{sign}{seconds}.{micros:06}"),
        }
    }
}

impl Pts {
    /// A time of the clock, whose wrapping it takes part in.
    pub const fn new(ticks: u64) -> Self {
        Self(ticks & PTS_MASK)
    }

    /// Ticks since the clock last began, less than 2^33.
    pub const fn ticks(self) -> u64 {
        self.0
    }

    /// This time and `other` together, as `pts_time` and `pts_adjustment` are (SCTE 35 9.6).
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.0 + other.0)
    }

    /// Ticks from `other` to this time, by the shorter way round the clock: within 13 hours.
    pub const fn since(self, other: Self) -> i64 {
        let ahead = (self.0 + (1 << 33) - other.0) & PTS_MASK;
        // Below 2^33, so it is no other number as a signed one.
        let ahead = ahead.cast_signed();
        if ahead >= 1 << 32 {
            ahead - (1 << 33)
        } else {
            ahead
        }
    }
}

impl Ticks {
    /// Microseconds, rounded to the nearest; saturating.
    pub fn to_micros(self) -> Micros {
        let micros = (u128::from(self.0) * 100 + 4) / 9;
        Micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// A number of so many digits.
fn digits<const COUNT: usize>(text: [u8; COUNT]) -> Option<i64> {
    let values = text.map(|digit| i64::from(digit.wrapping_sub(b'0')));
    let is_number = values.iter().all(|value| *value < 10);
    is_number.then(|| values.iter().fold(0, |sum, value| sum * 10 + value))
}

/// The last digit of a number.
fn digit(value: i64) -> u8 {
    b'0' + u8::try_from(value % 10).unwrap_or(0)
}

/// Digits alone: no sign, which `str::parse` would take.
pub(crate) fn number(text: &str) -> Option<i64> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits: String = zone.strip_prefix(['+', '-'])?.split(':').collect();
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { 0 } else { number(minutes)? };
    let hours = number(hours)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn micros_of_fraction(digits: &str) -> Option<i64> {
    number(digits)?;
    let kept = digits.get(..6).unwrap_or(digits);
    let scale = 10_i64.pow(u32::try_from(6 - kept.len()).ok()?);
    number(kept).map(|value| value * scale)
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date in the proleptic Gregorian calendar. Years are counted from March, so that the leap day is
/// the last of its year.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a count of days since 1970.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

const PTS_MASK: u64 = (1 << 33) - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_read_with_any_offset_and_to_the_microsecond() {
        let expected = Some(UnixMicros(1_767_297_616_000_000));
        for text in [
            "2026-01-01T20:00:16.000Z",
            "2026-01-01T20:00:16Z",
            "2026-01-01T21:00:16+01:00",
            "2026-01-01T15:30:16.000000-0430",
        ] {
            assert_eq!(UnixMicros::read(text), expected, "{text}");
        }
        let late = UnixMicros::read("2026-01-01T20:00:16.0012345Z");
        assert_eq!(late, Some(UnixMicros(1_767_297_616_001_234)));
        for text in [
            "",
            "2026-01-01",
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "+026-01-01T00:00:00Z",
        ] {
            assert_eq!(UnixMicros::read(text), None, "{text}");
        }
    }

    #[test]
    fn the_clock_of_transport_streams_wraps() {
        let before = Pts::new((1 << 33) - 90_000);
        let after = before.plus(Pts::new(180_000));
        assert_eq!(after.ticks(), 90_000);
        assert_eq!(after.since(before), 180_000);
        assert_eq!(before.since(after), -180_000);
    }

    #[test]
    fn ticks_are_ninety_thousand_a_second() {
        assert_eq!(Ticks(5_400_000).to_micros(), Micros::from_seconds(60));
        assert_eq!(Ticks(1).to_micros(), Micros(11));
        assert_eq!(Ticks(u64::MAX).to_micros(), Micros(i64::MAX));
    }

    proptest! {
        #[test]
        fn a_moment_is_read_as_it_is_written(micros in -62_135_596_800_000_000_i64..253_402_300_799_999_999) {
            let moment = UnixMicros(micros);
            prop_assert_eq!(UnixMicros::read(&moment.to_string()), Some(moment));
        }

        #[test]
        fn seconds_are_read_as_they_are_written(micros in 0..i64::MAX) {
            prop_assert_eq!(Micros::read_seconds(&Micros(micros).to_string()), Some(Micros(micros)));
        }

        #[test]
        fn no_text_is_too_odd_to_be_refused(text in "\\PC{0,40}") {
            let _ = (UnixMicros::read(&text), Micros::read_seconds(&text));
        }
    }
}
