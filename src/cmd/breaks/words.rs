//! Moments and lengths as people say them.

use std::time::{SystemTime, UNIX_EPOCH};

use selvedge_breaks::{Micros, UnixMicros};

/// Now, by this machine's clock.
pub(super) fn now() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// `2026-11-21 12:00:00 UTC`; with milliseconds where there are any.
pub(super) fn moment(at: UnixMicros) -> String {
    let text = at.to_string();
    let (date, clock) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {} UTC", bare(clock))
}

/// `12:00:00`, of a moment on a day that is named elsewhere.
pub(super) fn clock(at: UnixMicros) -> String {
    let text = at.to_string();
    bare(text.split_once('T').map_or("", |(_, clock)| clock)).to_owned()
}

/// The day of a moment in UTC: `2026-11-21`.
pub(super) fn day(at: UnixMicros) -> String {
    let text = at.to_string();
    text.split_once('T').map_or("", |(date, _)| date).to_owned()
}

fn bare(clock: &str) -> &str {
    let clock = clock.trim_end_matches('Z');
    clock.strip_suffix(".000").unwrap_or(clock)
}

/// `1 min 30 s`, `2.5 s`, `1 h`, and the sign where it is less than nothing.
pub(super) fn length(length: Micros) -> String {
    let sign = if length.0 < 0 { "-" } else { "" };
    let millis = length.0.unsigned_abs() / 1000;
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    let rest = millis % 60_000;
    let seconds = match rest % 1000 {
        0 => format!("{} s", rest / 1000),
        fraction => {
            let fraction = format!("{fraction:03}");
            format!("{}.{} s", rest / 1000, fraction.trim_end_matches('0'))
        }
    };
    let mut parts = Vec::new();
    if hours > 0 {
        parts.push(format!("{hours} h"));
    }
    if minutes > 0 {
        parts.push(format!("{minutes} min"));
    }
    if rest > 0 || parts.is_empty() {
        parts.push(seconds);
    }
    format!("{sign}{}", parts.join(" "))
}

/// `in 5 h 12 min`, `3 min ago`: as exactly as it matters.
pub(super) fn from_now(at: UnixMicros, now: UnixMicros) -> String {
    let distance = at.since(now);
    let seconds = distance.0.unsigned_abs() / 1_000_000;
    let rough = match seconds {
        0 => return "now".to_owned(),
        1..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => match seconds / 60 % 60 {
            0 => format!("{} h", seconds / 3600),
            minutes => format!("{} h {minutes} min", seconds / 3600),
        },
        _ => format!("{} days", seconds / 86_400),
    };
    if distance.0 > 0 {
        format!("in {rough}")
    } else {
        format!("{rough} ago")
    }
}

/// One of it, or so many of them.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

/// Reads a length: `30s`, `1m30s`, `2500ms`, `1h`; a bare number is seconds.
pub(super) fn read_length(text: &str) -> Result<Micros, String> {
    let wrong = || format!("{text:?} is no length: give one such as 30s, 1m30s or 2500ms");
    let mut length = Micros::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let end = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "" if digits == text.trim().len() => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        length = length.plus(Micros::from_millis(number).times(millis));
        rest = tail;
    }
    Ok(length)
}

/// When something is to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum At {
    /// As soon as it can.
    Now,
    /// So long from now.
    In(Micros),
    /// At a moment.
    Moment(UnixMicros),
}

impl At {
    /// Reads `now`, `+90s`, or a date and time of RFC 3339.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Now);
        }
        match text.strip_prefix('+') {
            Some(length) => read_length(length).map(Self::In),
            None => UnixMicros::read(text).map(Self::Moment).ok_or_else(|| {
                format!(
                    "{text:?} is no moment: give now, +90s, or a date and time such as 2026-11-21T12:00:00Z"
                )
            }),
        }
    }

    /// As the origin's API has it.
    pub(super) fn for_origin(self, now: UnixMicros) -> String {
        match self {
            Self::Now => "now".to_owned(),
            Self::In(length) => now.plus(length).to_string(),
            Self::Moment(at) => at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_any_unit_and_said_in_the_largest() {
        let cases = [
            ("30s", 30_000, "30 s"),
            ("90", 90_000, "1 min 30 s"),
            ("1m30s", 90_000, "1 min 30 s"),
            ("2500ms", 2_500, "2.5 s"),
            ("1h", 3_600_000, "1 h"),
            ("0s", 0, "0 s"),
        ];
        for (text, millis, said) in cases {
            let read = read_length(text).unwrap();
            assert_eq!(read, Micros::from_millis(millis), "{text}");
            assert_eq!(length(read), said);
        }
        assert_eq!(length(Micros::from_millis(-1_250)), "-1.25 s");
        for text in ["", "s", "1w", "1 s", "-3s", "3s4", "9999999999999999999s"] {
            assert!(read_length(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_now_or_later_or_dates() {
        assert_eq!(At::read("now"), Ok(At::Now));
        assert_eq!(At::read("+90s"), Ok(At::In(Micros::from_seconds(90))));
        let noon = UnixMicros::read("2026-11-21T12:00:00Z").unwrap();
        assert_eq!(At::read("2026-11-21T13:00:00+01:00"), Ok(At::Moment(noon)));
        assert_eq!(
            At::In(Micros::from_seconds(1)).for_origin(noon),
            "2026-11-21T12:00:01.000Z"
        );
        assert_eq!(moment(noon), "2026-11-21 12:00:00 UTC");
        assert_eq!(moment(noon.plus(Micros(5_000))), "2026-11-21 12:00:00.005 UTC");
        assert!(At::read("noon").is_err() && At::read("+").is_err());
    }

    #[test]
    fn distances_are_as_exact_as_they_matter() {
        let now = UnixMicros(1_767_297_616_000_000);
        let cases = [
            (0, "now"),
            (1, "in 1 s"),
            (-119, "119 s ago"),
            (125, "in 2 min"),
            (7200, "in 2 h"),
            (-18_720, "5 h 12 min ago"),
            (400_000, "in 4 days"),
        ];
        for (seconds, said) in cases {
            assert_eq!(from_now(now.plus(Micros::from_seconds(seconds)), now), said);
        }
    }
}
