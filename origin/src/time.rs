//! Wall time and media time, and how documents write them.

pub use selvedge_token::UnixMillis;

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
    fn ticks_beyond_two_to_the_47_keep_their_precision() {
        let ticks = 154_933_457_050_800;
        let nanos = ticks_to_nanos(ticks, 90_000);
        assert_eq!(nanos, 1_721_482_856_120_000_000);
        assert_eq!(nanos_to_ticks(nanos, 90_000), ticks);
    }
}
