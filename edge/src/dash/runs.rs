//! The runs of a `SegmentTimeline` (ISO/IEC 23009-1 5.3.9.6), and what is left of them between two moments.

use core::ops::Range;

use super::{
    edits::Edits,
    xml::{Attributes, Cursor, Kind, Malformed, Tag},
};

/// An `S`: so many segments of one duration in a row, in ticks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Run<'d> {
    pub(super) tag: Tag<'d>,
    /// Where the element ends.
    pub(super) end: usize,
    pub(super) time: u64,
    pub(super) duration: u64,
    /// At least one; of a run that goes on, no end.
    pub(super) count: u64,
    /// Whether its own begin stands in it.
    pub(super) is_dated: bool,
    /// Its number (`n`), where it has one.
    pub(super) number: Option<u64>,
}

impl Run<'_> {
    /// Where its last segment ends.
    pub(super) fn end(&self) -> u64 {
        self.time.saturating_add(self.duration.saturating_mul(self.count))
    }
}

/// What is left of a timeline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Cut {
    /// How many segments have gone before the first that is left.
    pub(super) gone: u64,
    /// Whether none is left.
    pub(super) is_empty: bool,
}

/// Reads the runs of a timeline whose start tag has been read; `true` where the last one goes on.
pub(super) fn read<'d>(
    cursor: &mut Cursor<'d>,
    timeline: &Tag<'d>,
    runs: &mut Vec<Run<'d>>,
) -> Result<bool, Malformed> {
    let first = runs.len();
    let mut time = 0;
    // A run that goes on until the next one begins, which is not known until then.
    let mut is_open = false;
    while let Some((
        tag,
        Said {
            start,
            duration,
            repeats,
            number,
        },
    )) = next(cursor, timeline)?
    {
        let duration: u64 = duration.filter(|duration| *duration > 0).ok_or(Malformed)?;
        let begin: u64 = start.unwrap_or(time);
        if is_open && let Some(open) = runs.last_mut() {
            let span = begin
                .checked_sub(open.time)
                .filter(|_| start.is_some())
                .ok_or(Malformed)?;
            open.count = span.div_ceil(open.duration).max(1);
        }
        is_open = repeats < 0;
        if runs
            .get(first..)
            .and_then(<[_]>::last)
            .is_some_and(|run| begin < run.time)
        {
            return Err(Malformed);
        }
        let end = if tag.kind == Kind::Empty {
            tag.end
        } else {
            cursor.skip(&tag)?.end
        };
        let run = Run {
            tag,
            end,
            time: begin,
            duration,
            count: if is_open {
                u64::MAX
            } else {
                repeats.unsigned_abs().saturating_add(1)
            },
            is_dated: start.is_some(),
            number,
        };
        time = run.end();
        runs.push(run);
    }
    Ok(is_open)
}

/// What an `S` says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Said {
    start: Option<u64>,
    duration: Option<u64>,
    repeats: i64,
    number: Option<u64>,
}

/// The next `S` of a timeline, and what it says.
fn next<'d>(cursor: &mut Cursor<'d>, timeline: &Tag<'d>) -> Result<Option<(Tag<'d>, Said)>, Malformed> {
    if timeline.kind == Kind::Start
        && let Some(found) = plain(cursor)
    {
        return Ok(Some(found));
    }
    let Some(tag) = cursor.child(timeline)? else {
        return Ok(None);
    };
    if tag.name != "S" {
        // A `Pattern` says by other means what the segments are.
        return Err(Malformed);
    }
    let mut said = Said::default();
    for attribute in Attributes(tag.attributes) {
        match attribute.name {
            "t" => said.start = Some(attribute.value.parse().map_err(|_| Malformed)?),
            "d" => said.duration = Some(attribute.value.parse().map_err(|_| Malformed)?),
            "r" => said.repeats = attribute.value.parse().map_err(|_| Malformed)?,
            "n" => said.number = Some(attribute.value.parse().map_err(|_| Malformed)?),
            _ => {}
        }
    }
    Ok(Some((tag, said)))
}

/// An `S` as nearly all are written, read byte by byte: most of a long document is this. `None`, and the cursor where it
/// was, before anything else.
fn plain<'d>(cursor: &mut Cursor<'d>) -> Option<(Tag<'d>, Said)> {
    let bytes = cursor.text.as_bytes();
    let blanks = |from: usize| {
        let rest = bytes.get(from..)?;
        Some(from + rest.iter().position(|byte| !byte.is_ascii_whitespace())?)
    };
    let start = blanks(cursor.at)?;
    let attributes = start + 2;
    if bytes.get(start..attributes)? != b"<S" {
        return None;
    }
    let (mut said, mut at) = (Said::default(), attributes);
    loop {
        let next = blanks(at)?;
        if bytes.get(next) == Some(&b'/') {
            bytes.get(next + 1).filter(|byte| **byte == b'>')?;
            let tag = Tag {
                kind: Kind::Empty,
                name: "S",
                start,
                end: next + 2,
                attributes: cursor.text.get(attributes..next)?,
            };
            cursor.at = tag.end;
            return Some((tag, said));
        }
        // A blank before the name, and `="` behind it.
        let name = *bytes.get(next).filter(|_| next > at)?;
        bytes.get(next + 1..next + 3).filter(|text| *text == b"=\"")?;
        let (mut value, mut end) = (0_u64, next + 3);
        while let Some(digit) = bytes.get(end).filter(|byte| byte.is_ascii_digit()) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            end += 1;
        }
        bytes.get(end).filter(|byte| **byte == b'"' && end > next + 3)?;
        match name {
            b't' => said.start = Some(value),
            b'd' => said.duration = Some(value),
            b'r' => said.repeats = i64::try_from(value).ok()?,
            _ => return None,
        }
        at = end + 1;
    }
}

/// Cuts a timeline to the segments that end behind `from` and begin before `until`; `begin` is the offset behind its
/// start tag. Runs that stay whole stay as they are.
pub(super) fn cut(
    document: &str,
    begin: usize,
    runs: &[Run<'_>],
    from: Option<i64>,
    until: Option<i64>,
    edits: &mut Edits,
) -> Cut {
    let kept = |run: &Run<'_>| kept(run, from, until);
    let first = runs.iter().take_while(|run| kept(run).is_empty()).count();
    let mut gone = runs
        .iter()
        .take(first)
        .fold(0_u64, |sum, run| sum.saturating_add(run.count));
    if first == runs.len() {
        if let Some(last) = runs.last() {
            edits.remove(begin..last.end);
        }
        return Cut {
            gone: 0,
            is_empty: true,
        };
    }
    if let Some(before) = first.checked_sub(1).and_then(|last| runs.get(last)) {
        edits.remove(begin..before.end);
    }
    let mut stays_until = begin;
    for (index, run) in runs.iter().enumerate().skip(first) {
        let kept = kept(run);
        if kept.is_empty() {
            break;
        }
        stays_until = run.end;
        if index == first {
            gone = gone.saturating_add(kept.start);
        }
        if kept.start > 0 || (index == first && !run.is_dated) {
            let time = run.time.saturating_add(run.duration.saturating_mul(kept.start));
            edits.set(document, &run.tag, "t", time.to_string());
            if let Some(number) = run.number {
                edits.set(
                    document,
                    &run.tag,
                    "n",
                    number.saturating_add(kept.start).to_string(),
                );
            }
        }
        let count = kept.end - kept.start;
        if count != run.count && run.count != u64::MAX {
            if count > 1 {
                edits.set(document, &run.tag, "r", (count - 1).to_string());
            } else {
                edits.unset(document, &run.tag, "r");
            }
        }
    }
    if let Some(last) = runs.last()
        && stays_until < last.end
    {
        edits.remove(stays_until..last.end);
    }
    Cut {
        gone,
        is_empty: false,
    }
}

/// Which segments of a run end behind `from` and begin before `until`.
fn kept(run: &Run<'_>, from: Option<i64>, until: Option<i64>) -> Range<u64> {
    let into = |tick: i64| u64::try_from(i128::from(tick) - i128::from(run.time)).ok();
    let first = from.and_then(into).map_or(0, |ticks| ticks / run.duration);
    let end = match until {
        None => run.count,
        Some(until) => into(until)
            .map_or(0, |ticks| ticks.div_ceil(run.duration))
            .min(run.count),
    };
    first.min(end)..end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut_text(text: &str, from: Option<i64>, until: Option<i64>) -> (String, Cut) {
        let mut cursor = Cursor::new(text);
        let tag = cursor.next().unwrap().unwrap();
        let mut runs = Vec::new();
        read(&mut cursor, &tag, &mut runs).unwrap();
        let mut edits = Edits::default();
        let cut = cut(text, tag.end, &runs, from, until, &mut edits);
        let mut out = String::new();
        edits.copy(text, 0..text.len(), &mut out);
        (out, cut)
    }

    const TIMELINE: &str = "<SegmentTimeline>\n  <S t=\"100\" d=\"10\" r=\"3\"/>\n  <S d=\"20\"></S>\n  <S d=\"10\" r=\"1\" k=\"1\"/>\n</SegmentTimeline>";

    #[test]
    fn runs_stay_as_they_are_where_nothing_of_them_goes() {
        assert_eq!(
            cut_text(TIMELINE, Some(90), Some(180)),
            (
                TIMELINE.to_owned(),
                Cut {
                    gone: 0,
                    is_empty: false
                }
            )
        );
        assert_eq!(cut_text(TIMELINE, None, None).0, TIMELINE);
    }

    #[test]
    fn a_cut_in_a_run_moves_its_begin_and_shortens_it() {
        let (text, cut) = cut_text(TIMELINE, Some(120), Some(165));
        assert_eq!(
            text,
            "<SegmentTimeline>\n  <S t=\"120\" d=\"10\" r=\"1\"/>\n  <S d=\"20\"></S>\n  <S d=\"10\" k=\"1\"/>\n</SegmentTimeline>"
        );
        assert_eq!(cut.gone, 2);
        // A segment that lies on either moment stays.
        let (text, cut) = cut_text(TIMELINE, Some(145), Some(161));
        assert_eq!(
            text,
            "<SegmentTimeline>\n  <S d=\"20\" t=\"140\"></S>\n  <S d=\"10\" k=\"1\"/>\n</SegmentTimeline>"
        );
        assert_eq!(cut.gone, 4);
    }

    #[test]
    fn nothing_may_be_left() {
        let (text, cut) = cut_text(TIMELINE, Some(180), None);
        assert_eq!(
            (text.as_str(), cut.is_empty),
            ("<SegmentTimeline>\n</SegmentTimeline>", true)
        );
        assert!(cut_text(TIMELINE, None, Some(100)).1.is_empty);
    }

    #[test]
    fn a_run_that_goes_on_goes_on() {
        let text = "<T><S t=\"0\" d=\"10\" r=\"-1\"/><S t=\"35\" d=\"5\" r=\"-1\"/></T>";
        let (cut, _) = cut_text(text, Some(10), None);
        assert_eq!(
            cut,
            "<T><S t=\"10\" d=\"10\" r=\"2\"/><S t=\"35\" d=\"5\" r=\"-1\"/></T>"
        );
        let (cut, _) = cut_text(text, Some(100), Some(200));
        assert_eq!(cut, "<T><S t=\"100\" d=\"5\" r=\"-1\"/></T>");
    }

    #[test]
    fn what_is_no_timeline_is_refused() {
        for text in [
            "<T><S d=\"0\"/></T>",
            "<T><S t=\"1\"/></T>",
            "<T><S t=\"9\" d=\"1\"/><S t=\"3\" d=\"1\"/></T>",
            "<T><S d=\"x\"/></T>",
            "<T><Pattern/></T>",
            "<T><S d=\"1\" r=\"-1\"/><S d=\"1\"/></T>",
            "<T><S d=\"1\"/>",
        ] {
            let mut cursor = Cursor::new(text);
            let tag = cursor.next().unwrap().unwrap();
            assert_eq!(read(&mut cursor, &tag, &mut Vec::new()), Err(Malformed), "{text}");
        }
    }

    fn segments(text: &str) -> Vec<(u64, u64)> {
        let mut cursor = Cursor::new(text);
        let tag = cursor.next().unwrap().unwrap();
        let mut runs = Vec::new();
        read(&mut cursor, &tag, &mut runs).unwrap();
        runs.iter()
            .flat_map(|run| (0..run.count).map(|index| (run.time + index * run.duration, run.duration)))
            .collect()
    }

    proptest! {
        #[test]
        fn a_cut_keeps_what_lies_between_and_nothing_else(
            runs in proptest::collection::vec((0_u64..3, 1_u64..20, 0_u64..4), 0..8),
            from in proptest::option::of(-10_i64..200),
            length in proptest::option::of(0_i64..200),
        ) {
            let (mut text, mut time) = (String::from("<T>"), 0);
            for (hole, duration, repeats) in runs {
                let dated = if hole > 0 { format!(" t=\"{}\"", time + hole) } else { String::new() };
                text += &format!(" <S{dated} d=\"{duration}\" r=\"{repeats}\"/>");
                time += hole + duration * (repeats + 1);
            }
            text += "</T>";
            let until = length.map(|length| from.unwrap_or(0) + length);
            let (cut, told) = cut_text(&text, from, until);
            let is_kept = |(start, duration): &(u64, u64)| {
                from.is_none_or(|from| (start + duration) as i64 > from)
                    && until.is_none_or(|until| (*start as i64) < until)
            };
            let all = segments(&text);
            let expected: Vec<_> = all.iter().copied().filter(is_kept).collect();
            prop_assert_eq!(&segments(&cut), &expected, "{} of {}", cut, text);
            prop_assert_eq!(told.is_empty, expected.is_empty());
            if let Some(first) = expected.first() {
                prop_assert_eq!(all.iter().position(|segment| segment == first), Some(told.gone as usize));
            }
        }
    }
}
