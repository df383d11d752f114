//! Which bytes of a file a viewer asks for.

use core::ops::RangeInclusive;

/// The bytes of a `Range` (RFC 9110 §14.1.2) of a file of `size` bytes; `None` for several ranges, and for what is no range
/// within the file.
pub(super) fn bytes_of(range: &str, size: u64) -> Option<RangeInclusive<u64>> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |digits: &str| -> Option<u64> {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    let end = size.checked_sub(1)?;
    let (first, last) = (first.trim(), last.trim());
    let bytes = match (first, last) {
        ("", suffix) => size.saturating_sub(number(suffix)?)..=end,
        (first, "") => number(first)?..=end,
        (first, last) => number(first)?..=number(last)?.min(end),
    };
    (bytes.start() <= bytes.end()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_origins_read_it() {
        for (range, due) in [
            ("bytes=0-9", Some(0..=9)),
            ("bytes=90-", Some(90..=99)),
            ("bytes=90-200", Some(90..=99)),
            ("bytes=-10", Some(90..=99)),
            ("bytes=-200", Some(0..=99)),
            ("bytes=100-", None),
            ("bytes=-0", None),
            ("bytes=9-8", None),
            ("bytes=0-1,5-6", None),
            ("bytes=+1-2", None),
            ("bytes=-", None),
            ("items=0-1", None),
        ] {
            assert_eq!(bytes_of(range, 100), due, "{range}");
        }
        assert_eq!(bytes_of("bytes=0-", 0), None);
    }
}
