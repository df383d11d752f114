//! Times as an MPD writes them.

use core::fmt;

use selvedge_breaks::{Micros, UnixMicros};

/// Reads an `xs:duration` of days and less, such as `PT1H30M1.92S`; digits beyond microseconds are dropped. Months and
/// years, which nobody knows the length of, are none.
pub(super) fn duration(text: &str) -> Option<Micros> {
    let rest = text.trim().strip_prefix('P')?;
    let (days, clock) = rest.split_once('T').unwrap_or((rest, ""));
    let mut sum = Micros::ZERO;
    if !days.is_empty() {
        sum = Micros::read_seconds(days.strip_suffix('D')?)?.times(86_400);
    }
    let mut rest = clock;
    for (unit, seconds) in [('H', 3600), ('M', 60), ('S', 1)] {
        if let Some((value, after)) = rest.split_once(unit) {
            let value = Micros::read_seconds(value)?;
            sum = Micros(sum.0.checked_add(value.0.checked_mul(seconds)?)?);
            rest = after;
        }
    }
    (rest.is_empty() && !text.trim().ends_with(['P', 'T'])).then_some(sum)
}

/// Reads an `xs:dateTime`; without a zone it is in UTC (ISO/IEC 23009-1 5.3.1.2).
pub(super) fn date_time(text: &str) -> Option<UnixMicros> {
    let text = text.trim();
    UnixMicros::read(text).or_else(|| UnixMicros::read(&format!("{text}Z")))
}

/// An `xs:duration` in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Micros);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0.0.max(0) / 1_000_000, self.0.0.max(0) % 1_000_000);
        if micros == 0 {
            return write!(f, "PT{seconds}S");
        }
        let fraction = format!("{micros:06}");
        write!(f, "PT{seconds}.{}S", fraction.trim_end_matches('0'))
    }
}

/// Ticks in a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Timescale(u32);

impl Timescale {
    /// `None` for none at all.
    pub(super) fn new(ticks: u32) -> Option<Self> {
        (ticks > 0).then_some(Self(ticks))
    }

    pub(super) const fn get(self) -> u32 {
        self.0
    }

    /// Ticks of a length, to the nearest; saturating.
    pub(super) fn ticks(self, length: Micros) -> i64 {
        let scaled = i128::from(length.0) * i128::from(self.0);
        i64::try_from((scaled + 500_000).div_euclid(1_000_000)).unwrap_or(i64::MAX)
    }

    /// The length of ticks, to the nearest microsecond; saturating.
    pub(super) fn length(self, ticks: i128) -> Micros {
        let scale = i128::from(self.0);
        let micros = (ticks.saturating_mul(1_000_000).saturating_add(scale / 2)).div_euclid(scale);
        Micros(i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_schemas_have_them() {
        for (text, micros) in [
            ("PT72016S", 72_016_000_000),
            ("PT1H30M1.92S", 5_401_920_000),
            ("P1DT0.0000019S", 86_400_000_001),
            ("P2D", 172_800_000_000),
            ("PT0S", 0),
            ("PT1M", 60_000_000),
        ] {
            assert_eq!(duration(text), Some(Micros(micros)), "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "P1Y",
            "P1M",
            "PT1",
            "1S",
            "PT-1S",
            "PT1S1M",
            "P1DT",
            "PT9999999999999999H",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_without_a_zone_is_in_utc() {
        let expected = UnixMicros::read("2026-01-01T20:00:00Z");
        assert_eq!(date_time(" 2026-01-01T20:00:00"), expected);
        assert_eq!(date_time("2026-01-01T21:00:00+01:00"), expected);
        assert_eq!(date_time("yesterday"), None);
    }

    #[test]
    fn ticks_are_rounded_to_the_nearest() {
        let scale = Timescale::new(48_000).unwrap();
        assert_eq!(scale.ticks(Micros(2_005_333)), 96_256);
        assert_eq!(scale.length(96_256), Micros(2_005_333));
        assert_eq!(scale.length(i128::MAX), Micros(i64::MAX));
        assert_eq!(Timescale::new(0), None);
    }

    proptest! {
        #[test]
        fn seconds_are_read_as_they_are_written(micros in 0..1_000_000_000_000_000_i64) {
            prop_assert_eq!(duration(&Seconds(Micros(micros)).to_string()), Some(Micros(micros)));
        }

        #[test]
        fn no_text_is_too_odd(text in "[PTDHMS0-9.\\-]{0,20}") {
            let _ = (duration(&text), date_time(&text));
        }
    }
}
