//! What an ad's segments are called: one template where their URIs follow one.

use selvedge_breaks::decision::Media;

use super::time::Timescale;

/// How the segments of an ad are named.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Names<'a> {
    /// `$Number$`, from the number of the first segment; with as many digits at least.
    Number {
        before: &'a str,
        after: &'a str,
        first: u64,
        digits: usize,
    },
    /// `$Time$`, in ticks of the timescale that it was looked for in.
    Time { before: &'a str, after: &'a str },
    /// Each by itself.
    List,
}

impl<'a> Names<'a> {
    /// Finds the template that all of an ad's URIs follow.
    pub(super) fn of(media: &'a Media, timescale: Timescale) -> Self {
        let Some(first) = media.segments.first() else {
            return Self::List;
        };
        // The digits of an extension, as in `.m4s`, count nothing.
        let mut end = first.uri.rfind('.').unwrap_or(first.uri.len());
        while let Some((from, until)) = digits_before(&first.uri, end) {
            let parts = (
                first.uri.get(..from),
                first.uri.get(from..until),
                first.uri.get(until..),
            );
            if let (Some(before), Some(number), Some(after)) = parts
                && let Some(names) = Self::with(media, timescale, before, number, after)
            {
                return names;
            }
            end = from;
        }
        Self::List
    }

    fn with(
        media: &'a Media,
        timescale: Timescale,
        before: &'a str,
        number: &'a str,
        after: &'a str,
    ) -> Option<Self> {
        let first = number.parse::<u64>().ok()?;
        let digits = if number.starts_with('0') { number.len() } else { 1 };
        let numbers = || {
            media.segments.iter().map(|segment| {
                let middle = segment.uri.strip_prefix(before)?.strip_suffix(after)?;
                let is_plain = middle.len() == digits || (middle.len() > digits && !middle.starts_with('0'));
                let is_number = is_plain && middle.bytes().all(|byte| byte.is_ascii_digit());
                is_number.then(|| middle.parse::<u64>().ok())?
            })
        };
        if numbers()
            .zip(first..)
            .all(|(number, expected)| number == Some(expected))
        {
            return Some(Self::Number {
                before,
                after,
                first,
                digits,
            });
        }
        let times = ticks(media, timescale).map(|(time, _)| time);
        let is_time =
            first == 0 && digits == 1 && numbers().zip(times).all(|(number, time)| number == Some(time));
        is_time.then_some(Self::Time { before, after })
    }
}

/// Begin and duration of each segment of an ad, in ticks. The media of an ad begins at zero.
pub(super) fn ticks(media: &Media, timescale: Timescale) -> impl Iterator<Item = (u64, u64)> + '_ {
    let mut end = selvedge_breaks::Micros::ZERO;
    media.segments.iter().map(move |segment| {
        let begin = timescale.ticks(end).max(0).unsigned_abs();
        end = end.plus(segment.duration);
        (
            begin,
            timescale.ticks(end).max(0).unsigned_abs().saturating_sub(begin),
        )
    })
}

/// The last run of digits that ends at `end` or before.
fn digits_before(uri: &str, end: usize) -> Option<(usize, usize)> {
    let bytes = uri.as_bytes().get(..end)?;
    let until = bytes.iter().rposition(u8::is_ascii_digit)? + 1;
    let from = bytes
        .get(..until)?
        .iter()
        .rposition(|byte| !byte.is_ascii_digit());
    Some((from.map_or(0, |before| before + 1), until))
}

#[cfg(test)]
mod tests {
    use selvedge_breaks::{Micros, decision::Segment};

    use super::*;

    fn media(uris: &[&str]) -> Media {
        let segment = |uri: &&str| Segment {
            duration: Micros::from_seconds(2),
            uri: (*uri).to_owned(),
            parts: Vec::new(),
        };
        Media {
            init: None,
            segments: uris.iter().map(segment).collect(),
        }
    }

    fn names(uris: &[&str]) -> String {
        let media = media(uris);
        match Names::of(&media, Timescale::new(1000).unwrap()) {
            Names::Number {
                before,
                after,
                first,
                digits,
            } => format!("{before}$Number%0{digits}d${after} {first}"),
            Names::Time { before, after } => format!("{before}$Time${after}"),
            Names::List => "list".into(),
        }
    }

    #[test]
    fn uris_that_count_are_a_template() {
        assert_eq!(
            names(&["a/v1/0.m4s", "a/v1/1.m4s", "a/v1/2.m4s"]),
            "a/v1/$Number%01d$.m4s 0"
        );
        assert_eq!(names(&["a/9-x4", "a/10-x4"]), "a/$Number%01d$-x4 9");
        assert_eq!(names(&["s009.m4s", "s010.m4s"]), "s$Number%03d$.m4s 9");
        assert_eq!(names(&["a7.m4s"]), "a$Number%01d$.m4s 7");
        assert_eq!(names(&["a/0.m4s", "a/2000.m4s"]), "a/$Time$.m4s");
    }

    #[test]
    fn uris_that_do_not_are_a_list() {
        assert_eq!(names(&["a.m4s", "b.m4s"]), "list");
        assert_eq!(names(&["1.m4s", "3.m4s"]), "list");
        assert_eq!(names(&["x/1.m4s", "y/2.m4s"]), "list");
        assert_eq!(names(&["9.m4s", "010.m4s"]), "list");
        assert_eq!(names(&["99999999999999999999999.m4s"]), "list");
        assert_eq!(names(&[]), "list");
    }
}
