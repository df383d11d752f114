//! Alignment in time: which moment of what was sent each moment of a recording shows.
//!
//! Pictures are looked at five times a second, in 16 by 9 cells, each less its own mean over a second or so: what moves
//! is compared, and what stands still, be it a logo or the bars above and below, is not. Windows of the recording are
//! looked up in what was sent; the offsets that are found so are then laid along the recording, as few changes as
//! explain it. At last each offset is brought to the frame.

use std::{collections::HashMap, ops::RangeInclusive};

use super::{
    Begin,
    plane::Plane,
    warp::{Warp, middle, pixel},
};

/// The pictures of a file, very small, and when they are shown, in seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    pub(super) times: Vec<f64>,
    pub(super) thumbs: Vec<Plane>,
}

/// The size of a very small picture.
pub(super) const THUMB: (usize, usize) = (32, 18);

/// A stretch of a recording that shows what was sent without a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    /// When it begins and ends in the recording, in seconds.
    pub(super) start: f64,
    pub(super) end: f64,
    /// What is added to a time of the recording to get that of what was sent.
    pub(super) offset: f64,
}

impl Track {
    pub(super) fn push(&mut self, time: f64, picture: &Plane) {
        self.times.push(time);
        self.thumbs.push(picture.means(THUMB.0, THUMB.1));
    }

    /// The picture nearest to a time, unless there is none within a third of a second.
    pub(super) fn nearest(&self, time: f64) -> Option<usize> {
        let after = self.times.partition_point(|at| *at < time);
        let near = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let far = |at: &usize| {
            self.times
                .get(*at)
                .map_or(f64::INFINITY, |known| (known - time).abs())
        };
        near.min_by(|one, other| far(one).total_cmp(&far(other)))
            .filter(|at| far(at) < 0.33)
    }

    fn bounds(&self) -> (f64, f64) {
        let [first, last] = [self.times.first(), self.times.last()].map(|time| time.copied().unwrap_or(0.0));
        (first, last)
    }

    /// Cells at even steps of time, seen through a map; zeros where there is no picture.
    fn sampled(&self, step: f64, warp: &Warp) -> Samples {
        let (first, last) = self.bounds();
        let count = ((last - first) / step) as usize + 1;
        let mut cells = Vec::with_capacity(count * CELLS);
        for at in 0..count {
            match self.nearest(first + at as f64 * step) {
                Some(found) => cells.extend(self.cells(found, warp)),
                None => cells.extend([0.0; CELLS]),
            }
        }
        Samples { first, count, cells }
    }

    fn cells(&self, at: usize, warp: &Warp) -> [f32; CELLS] {
        let thumb = &self.thumbs[at];
        let mut cells = [0.0; CELLS];
        for (place, cell) in cells.iter_mut().enumerate() {
            for corner in 0..4 {
                let column = place % COLUMNS * 2 + corner % 2;
                let row = place / COLUMNS * 2 + corner / 2;
                let (x, y, _) = warp.at(middle(column, THUMB.0), middle(row, THUMB.1));
                let (x, y) = (pixel(x, thumb.width) as f32, pixel(y, thumb.height) as f32);
                // Beyond the picture nothing moves.
                *cell += thumb.at(x, y).unwrap_or(128.0) / 4.0;
            }
        }
        cells
    }
}

const COLUMNS: usize = 16;
const CELLS: usize = 144;

/// Seconds between looks.
const STEP: f64 = 0.2;

/// Looks in a window that is looked up, and in one by which offsets are told apart.
const LONG: usize = 14;
const SHORT: usize = 6;

/// What is seen at even steps.
struct Samples {
    first: f64,
    count: usize,
    cells: Vec<f32>,
}

impl Samples {
    /// A window less its mean, and its energy. Nothing beyond the ends.
    fn window(&self, at: usize, length: usize) -> Option<(Vec<f32>, f32)> {
        let mut window = self.cells.get(at * CELLS..(at + length) * CELLS)?.to_vec();
        let mut means = [0.0_f32; CELLS];
        for look in window.chunks(CELLS) {
            means
                .iter_mut()
                .zip(look)
                .for_each(|(mean, cell)| *mean += cell / length as f32);
        }
        let mut energy = 0.0;
        for look in window.chunks_mut(CELLS) {
            for (cell, mean) in look.iter_mut().zip(&means) {
                *cell -= mean;
                energy += *cell * *cell;
            }
        }
        Some((window, energy))
    }

    /// The energies of all windows of a length.
    fn energies(&self, length: usize) -> Vec<f32> {
        (0..)
            .map_while(|at| self.window(at, length).map(|(_, energy)| energy))
            .collect()
    }
}

/// What was sent, ready to be compared with windows of one length.
struct Known<'s> {
    samples: &'s Samples,
    length: usize,
    energies: Vec<f32>,
}

impl<'s> Known<'s> {
    fn new(samples: &'s Samples, length: usize) -> Self {
        Self {
            samples,
            length,
            energies: samples.energies(length),
        }
    }

    /// How alike the window at a place and a window of a recording are, −1 to 1.
    fn likeness(&self, place: i64, window: &[f32], energy: f32) -> f64 {
        let Some((at, own)) = usize::try_from(place)
            .ok()
            .and_then(|at| Some((at, *self.energies.get(at)?)))
        else {
            return -1.0;
        };
        let cells = &self.samples.cells[at * CELLS..(at + self.length) * CELLS];
        // The other is less its mean, so this one's mean adds nothing to the product.
        f64::from(dot(cells, window) / (own * energy).sqrt().max(1e-3))
    }
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    // Eight sums that do not wait for each other.
    let mut sums = [0.0_f32; 8];
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * other;
        }
    }
    sums.iter().sum()
}

/// Below this energy a look, a window has nothing that moves.
const QUIET: f32 = 12.0;

/// Finds the spans of a recording, seen through a map.
pub(super) fn align(capture: &Track, sent: &Track, warp: &Warp, begin: Option<Begin>) -> Vec<Span> {
    if capture.times.is_empty() || sent.times.is_empty() {
        return Vec::new();
    }
    let seen = capture.sampled(STEP, warp);
    let known = sent.sampled(STEP, &Warp::IDENTITY);
    // Offsets of looks that are allowed.
    let allowed = begin.map_or(i64::MIN..=i64::MAX, |begin| {
        let look = |time: f64| ((time - known.first) / STEP).round() as i64;
        look(begin.at - begin.within)..=look(begin.at + begin.within)
    });
    let offsets = offsets(&seen, &Known::new(&known, LONG), &allowed);
    let path = path(&seen, &Known::new(&known, SHORT), &offsets);
    let mut spans: Vec<Span> = Vec::new();
    let mut before = None;
    for (at, chosen) in path.into_iter().enumerate() {
        let time = seen.first + at as f64 * STEP;
        if let Some(offset) = chosen {
            let offset = known.first - seen.first + offset as f64 * STEP;
            match spans.last_mut() {
                Some(span) if before == chosen => span.end = time + STEP / 2.0,
                _ => spans.push(Span {
                    start: time - STEP / 2.0,
                    end: time + STEP / 2.0,
                    offset,
                }),
            }
        }
        before = chosen;
    }
    spans.retain(|span| span.end - span.start > LEAST_SPAN);
    for span in &mut spans {
        span.offset = to_the_frame(capture, sent, warp, span);
    }
    spans
}

/// The offsets, in looks, that windows of the recording have in what was sent.
fn offsets(seen: &Samples, known: &Known<'_>, allowed: &RangeInclusive<i64>) -> Vec<i64> {
    let mut found: Vec<i64> = Vec::new();
    for at in (0..seen.count.saturating_sub(LONG - 1)).step_by(4) {
        let Some((window, energy)) = seen.window(at, LONG) else {
            break;
        };
        if energy < QUIET * LONG as f32 {
            continue;
        }
        let likeness = |offset: i64| known.likeness(at as i64 + offset, &window, energy);
        // What was found already mostly goes on.
        let is_known = found.iter().rev().take(8).any(|offset| likeness(*offset) > SURE);
        if is_known {
            continue;
        }
        let places = (0..known.energies.len() as i64).filter(|place| allowed.contains(&(place - at as i64)));
        let best = places
            .map(|place| (known.likeness(place, &window, energy), place))
            .max_by(|one, other| one.0.total_cmp(&other.0));
        if let Some((likeness, place)) = best
            && likeness > LIKELY
        {
            let offset = place - at as i64;
            if !found.contains(&offset) {
                found.push(offset);
            }
        }
    }
    found
}

/// Lays offsets along the recording so that it is like what was sent, with few changes (Viterbi's algorithm).
fn path(seen: &Samples, known: &Known<'_>, offsets: &[i64]) -> Vec<Option<i64>> {
    // The last state is to show nothing of it.
    let states = offsets.len() + 1;
    let mut scores = vec![0.0_f64; states];
    let mut steps: Vec<Vec<u32>> = Vec::with_capacity(seen.count);
    for at in 0..seen.count {
        let from = at.saturating_sub(SHORT / 2).min(seen.count.saturating_sub(SHORT));
        let window = seen.window(from, SHORT);
        let (best, best_score) =
            scores
                .iter()
                .copied()
                .enumerate()
                .fold((0, f64::NEG_INFINITY), |best, (state, score)| {
                    if score > best.1 { (state, score) } else { best }
                });
        let mut came = Vec::with_capacity(states);
        for (state, score) in scores.iter_mut().enumerate() {
            let stay = *score;
            let change = best_score - CHANGE;
            came.push(if stay >= change { state } else { best } as u32);
            let gain = match (&window, offsets.get(state)) {
                (Some((window, energy)), Some(offset)) if *energy > QUIET * SHORT as f32 => {
                    known.likeness(from as i64 + offset, window, *energy) - LIKELY
                }
                // Nothing moves: whatever was shown still is, as far as there is more of it.
                (_, Some(offset)) => {
                    let place = from as i64 + offset;
                    if (0..known.energies.len() as i64).contains(&place) {
                        0.01
                    } else {
                        -1.0
                    }
                }
                (_, None) => 0.0,
            };
            *score = stay.max(change) + gain;
        }
        steps.push(came);
    }
    let last = scores
        .iter()
        .enumerate()
        .max_by(|one, other| one.1.total_cmp(other.1));
    let mut state = last.map_or(0, |(state, _)| state);
    let mut path = vec![None; seen.count];
    for (at, came) in steps.iter().enumerate().rev() {
        path[at] = offsets.get(state).copied();
        state = came[state] as usize;
    }
    path
}

/// The offset of a span to a fraction of a frame: where what is shown in it and what was sent move alike.
fn to_the_frame(capture: &Track, sent: &Track, warp: &Warp, span: &Span) -> f64 {
    let first = capture.times.partition_point(|time| *time < span.start);
    let last = capture.times.partition_point(|time| *time < span.end);
    let every = (last - first).div_ceil(MOST_PICTURES).max(1);
    let chosen: Vec<(f64, [f32; CELLS])> = (first..last)
        .step_by(every)
        .map(|at| (capture.times[at], capture.cells(at, warp)))
        .collect();
    let mut known: HashMap<usize, [f32; CELLS]> = HashMap::new();
    let mut likeness = |offset: f64| -> f64 {
        let mut pairs: Vec<([f32; CELLS], [f32; CELLS])> = Vec::new();
        for (time, cells) in &chosen {
            if let Some(at) = sent.nearest(time + offset) {
                let sent = known.entry(at).or_insert_with(|| sent.cells(at, &Warp::IDENTITY));
                pairs.push((*cells, *sent));
            }
        }
        likeness_of(&pairs)
    };
    // Pictures of even rates tie over a whole frame: the middle of the tie is the safest.
    let tries: Vec<(f64, f64)> = (-25..=25)
        .map(|step| span.offset + f64::from(step) * 0.01)
        .map(|offset| (offset, likeness(offset)))
        .collect();
    let best = tries.iter().map(|(_, likeness)| *likeness).fold(-1.0, f64::max);
    let (sum, count) = tries
        .iter()
        .filter(|(_, likeness)| *likeness >= best - 1e-9)
        .fold((0.0, 0.0), |(sum, count), (offset, _)| {
            (sum + offset, count + 1.0)
        });
    if count == 0.0 { span.offset } else { sum / count }
}

/// How alike two runs of pictures are once each cell's mean is taken out.
fn likeness_of(pairs: &[([f32; CELLS], [f32; CELLS])]) -> f64 {
    let count = pairs.len() as f64;
    let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
    for cell in 0..CELLS {
        let (mut a, mut b, mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (x, y) in pairs {
            let (x, y) = (f64::from(x[cell]), f64::from(y[cell]));
            a += x;
            b += y;
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
        both += ab - a * b / count;
        one += aa - a * a / count;
        other += bb - b * b / count;
    }
    both / (one * other).sqrt().max(1e-9)
}

/// What a window must be like to go on as before, and to be thought of at all.
const SURE: f64 = 0.85;
const LIKELY: f64 = 0.5;

/// What a change of the offset must gain to be believed.
const CHANGE: f64 = 1.5;

/// The shortest span, in seconds.
const LEAST_SPAN: f64 = 0.7;

/// How many pictures bring a span to the frame.
const MOST_PICTURES: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    /// Things that wander about and never come again.
    fn scene(time: f64) -> Plane {
        let (width, height) = THUMB;
        let mut draws = 1_u64;
        let mut draw = || {
            draws = draws
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (draws >> 40) as f64 / f64::from(1 << 24)
        };
        let things: Vec<_> = (0..12)
            .map(|_| {
                let (speed, turn, size) = (draw() * 0.9 + 0.1, draw() * 0.7 + 0.1, draw() * 0.1 + 0.05);
                let x = 1.2 * (time * speed + 6.3 * draw()).sin();
                let y = 1.2 * (time * turn + 6.3 * draw() + (time * 0.13).cos()).cos();
                (x, y, size)
            })
            .collect();
        let pixels = (0..width * height).map(|at| {
            let (u, v) = (middle(at % width, width), middle(at / width, height));
            let light = things
                .iter()
                .map(|(x, y, size)| (-((u - x).powi(2) + (v - y).powi(2)) / size).exp());
            (60.0 + 80.0 * light.sum::<f64>()) as f32
        });
        Plane::new(width, height, pixels.collect())
    }

    fn track(times: impl Iterator<Item = (f64, f64)>) -> Track {
        let mut track = Track::default();
        times.for_each(|(shown, made)| track.push(shown, &scene(made)));
        track
    }

    #[test]
    fn an_unknown_start_another_rate_and_a_gap_are_found() {
        let sent = track(
            (0..1000)
                .map(|frame| f64::from(frame) / 25.0)
                .map(|time| (1000.0 + time, time)),
        );
        // At 30 pictures a second; from 12.4 s on, and from its sixth second on five seconds later.
        let capture = track((0..360).map(|frame| {
            let shown = f64::from(frame) / 30.0;
            let made = 12.4 + shown + if shown >= 6.0 { 5.0 } else { 0.0 };
            (shown, (made * 25.0 + 0.5).floor() / 25.0)
        }));
        let spans = align(&capture, &sent, &Warp::IDENTITY, None);
        assert_eq!(spans.len(), 2, "{spans:?}");
        for (span, (start, end, offset)) in spans.iter().zip([(0.0, 6.0, 1012.4), (6.0, 12.0, 1017.4)]) {
            assert!(
                (span.start - start).abs() < 0.5 && (span.end - end).abs() < 0.5,
                "{spans:?}"
            );
            assert!((span.offset - offset).abs() < 0.02, "{spans:?}");
        }
    }

    #[test]
    fn of_pictures_that_were_sent_twice_the_hint_says_which() {
        let time = |frame: i32| f64::from(frame) / 25.0;
        let sent = track((0..1000).map(|frame| (time(frame), time(frame % 500))));
        let capture = track((0..200).map(|frame| (time(frame), time(frame + 100))));
        for at in [4.0, 24.0] {
            let begin = Begin { at, within: 3.0 };
            let spans = align(&capture, &sent, &Warp::IDENTITY, Some(begin));
            assert_eq!(spans.len(), 1, "{spans:?}");
            assert!((spans[0].offset - at).abs() < 0.02, "{spans:?}");
        }
    }

    #[test]
    fn what_was_not_sent_has_no_place() {
        let sent = track((0..500).map(|frame| (f64::from(frame) / 25.0, f64::from(frame) / 25.0)));
        let capture = track((0..200).map(|frame| (f64::from(frame) / 25.0, f64::from(frame) / 25.0 + 500.0)));
        let spans = align(&capture, &sent, &Warp::IDENTITY, None);
        let covered: f64 = spans.iter().map(|span| span.end - span.start).sum();
        assert!(covered < 2.0, "{spans:?}");
        assert!(align(&Track::default(), &sent, &Warp::IDENTITY, None).is_empty());
    }
}
