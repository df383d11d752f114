//! Lengths of the timeline, as playlists write them.

use selvedge_breaks::{Micros, hls::value};

/// Nanoseconds as seconds in decimals, to the nearest microsecond and without trailing zeros.
pub(super) fn seconds(nanos: i64) -> value::Seconds {
    value::Seconds(Micros(nanos.saturating_add(500).max(0) / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_written_to_the_nearest_microsecond() {
        let write = |nanos| seconds(nanos).to_string();
        assert_eq!(write(320_000_000), "0.32");
        assert_eq!(write(533_333_333), "0.533333");
        assert_eq!(write(1_000_999_999), "1.001");
        assert_eq!(write(12_000_010_000), "12.00001");
        assert_eq!(write(-1), "0");
    }
}
