//! Boundaries: where in a source that is there as a whole breaks are inserted.

use core::ops::Range;

use selvedge_breaks::Micros;

use super::source::{Addressing, Period, Source, Template};

/// Segments of one duration in a row, in ticks from the Period's begin.
#[derive(Clone, Copy, Debug)]
struct Row {
    first: i128,
    duration: u64,
    count: u64,
}

impl Source<'_> {
    /// The begin of the segment that is nearest to a moment, the earlier of two; behind the last, the end. Of the sets of
    /// a Period the first one of picture or sound counts, which in all that is aligned stands for the others.
    ///
    /// `None` where nothing says which segments there are.
    pub(super) fn boundary(&self, moment: Micros) -> Option<Micros> {
        let mut before: Option<Micros> = None;
        let mut end = None;
        for period in &self.periods {
            let Some(leading) = period.pacing().next().or(period.templates.first()) else {
                continue;
            };
            let mut is_first = true;
            for row in rows(self, period, leading)? {
                let place = |index: u64| {
                    let ticks = row.first + i128::from(index) * i128::from(row.duration);
                    let place = period.start.plus(leading.timescale.length(ticks));
                    // Where other sets begin a little sooner, so does the Period.
                    let half = leading.timescale.length(i128::from(row.duration / 2));
                    let is_begin = is_first && index == 0 && place.less(period.start) < half;
                    if is_begin { period.start } else { place }
                };
                let begun = begun(row.count, moment, place);
                before = begun.checked_sub(1).map(place).or(before);
                if begun < row.count {
                    return Some(nearest(before, place(begun), moment));
                }
                end = Some(place(row.count));
                is_first = false;
            }
            // Where others end a little later, so does the Period.
            end = period.end.or(end);
        }
        Some(nearest(before, end?, moment))
    }
}

/// How many of so many segments have begun by a moment.
fn begun(count: u64, moment: Micros, place: impl Fn(u64) -> Micros) -> u64 {
    let Range { mut start, mut end } = 0..count;
    while start < end {
        let middle = start + (end - start) / 2;
        if place(middle) <= moment {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    start
}

fn nearest(before: Option<Micros>, next: Micros, moment: Micros) -> Micros {
    match before {
        Some(before) if moment.less(before) <= next.less(moment) => before,
        _ => next,
    }
}

fn rows(source: &Source<'_>, period: &Period<'_>, template: &Template<'_>) -> Option<Vec<Row>> {
    let until = |first: i128, duration: u64| {
        let end = i128::from(template.timescale.ticks(period.end?.less(period.start)));
        let ticks = u64::try_from((end - first).max(0)).ok()?;
        Some(ticks.div_ceil(duration))
    };
    match template.addressing {
        Addressing::Unknown => None,
        Addressing::Number { duration } => Some(vec![Row {
            first: 0,
            duration,
            count: until(0, duration)?,
        }]),
        Addressing::Timeline(_) => template
            .runs(source)
            .iter()
            .map(|run| {
                let first = i128::from(run.time) - i128::from(template.offset);
                Some(Row {
                    first,
                    duration: run.duration,
                    count: match run.count {
                        u64::MAX => until(first, run.duration)?,
                        count => count,
                    },
                })
            })
            .collect(),
    }
}
