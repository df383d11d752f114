//! The measure: how much a recording of a segment leans to variant A, and to variant B.
//!
//! Half the variants' difference is what the mark adds in A and takes in B. Of each picture of the recording, its
//! mean in small blocks is explained by the mean of both variants: with a gain and an offset that may change slowly over the
//! picture, a bent curve of brightness, and what a slight misplacement in space or time would add. What of the difference is
//! in the rest says which variant it was: +1 is A as it was sent, −1 is B, 0 neither. Blocks that are poorly explained,
//! as below a logo, count little.
//!
//! The same is measured for differences whose cells have other signs, which nobody has put there: so large is the chance
//! that is in the number.

use super::{
    plane::Plane,
    solve::Normal,
    warp::{Warp, middle, pixel},
};

/// The sides of a block, in pixels of the small pictures.
pub(super) const BLOCK: usize = 8;

/// Everything that is in a picture besides the mark.
const BASIS: usize = 19;

/// Where the brightness of what was sent stands in it.
const LUMA: usize = 6;

/// How many other differences the noise is judged by.
const CONTROLS: usize = 32;

/// One picture of a recording beside what was sent.
pub(super) struct Compared<'p> {
    /// The recording's picture.
    pub(super) capture: &'p Plane,
    /// The variants' pictures that it shows.
    pub(super) variants: [&'p Plane; 2],
    /// The mean of the variants' next pictures less that of the ones before.
    pub(super) change: Plane,
}

/// What a segment's pictures say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measure {
    /// +1 for variant A as it was sent, −1 for B.
    pub(super) statistic: f64,
    /// How large the statistic is by chance.
    pub(super) noise: f64,
    /// How alike the picture and what was sent are.
    pub(super) likeness: f64,
    /// Pictures that it is made of.
    pub(super) pictures: usize,
}

/// The blocks of one picture.
struct Blocks {
    basis: Vec<[f64; BASIS]>,
    shown: Vec<f64>,
    difference: Vec<f64>,
    /// Whether the recording shows the block.
    is_there: Vec<bool>,
    likeness: f64,
}

/// What is left of a picture.
struct Rest {
    shown: Vec<f64>,
    difference: Vec<f64>,
    is_there: Vec<bool>,
}

/// Measures a segment. Nothing where no picture of it can be used.
pub(super) fn measure(pictures: &[Compared<'_>], warp: &Warp) -> Option<Measure> {
    let mut blocks: Vec<Blocks> = pictures.iter().map(|picture| Blocks::of(picture, warp)).collect();
    let trust = trust(&blocks);
    for blocks in &mut blocks {
        // Where something else is, nothing is there to compare.
        let pairs = blocks.is_there.iter_mut().zip(&trust);
        pairs.for_each(|(is_there, trust)| *is_there &= *trust > LEAST_TRUST);
        blocks.likeness = blocks.likeness();
    }
    let best = blocks.iter().map(|blocks| blocks.likeness).fold(0.0, f64::max);
    let blocks: Vec<&Blocks> = blocks
        .iter()
        .filter(|blocks| blocks.likeness > LEAST_LIKENESS.max(best - UNLIKE))
        .collect();
    let columns = blocks.first()?.shown.len();
    let mut weights = trust;
    let mut rests = Vec::new();
    for _ in 0..3 {
        rests = blocks.iter().filter_map(|blocks| blocks.rest(&weights)).collect();
        weights = weigh(&rests, columns);
    }
    if rests.is_empty() {
        return None;
    }
    let statistic = lean(&rests, &weights)?;
    let width = pictures.first()?.variants[0].width / BLOCK;
    // Without the mark that was found, so that it is not taken for noise.
    for rest in &mut rests {
        let pairs = rest.shown.iter_mut().zip(&rest.difference);
        pairs.for_each(|(shown, difference)| *shown -= statistic * difference);
    }
    let own: f64 = rests.iter().map(|rest| rest.energy(&weights)).sum();
    let mut draws = 0x5eed_u64;
    let mut squares = 0.0;
    for _ in 0..CONTROLS {
        let signs = Signs::draw(&mut draws, width, columns.div_ceil(width));
        let along: f64 = rests
            .iter()
            .map(|rest| rest.along(&weights, |at| signs.at(at)))
            .sum();
        squares += (along / own).powi(2);
    }
    Some(Measure {
        statistic,
        noise: (squares / CONTROLS as f64).sqrt(),
        likeness: blocks.iter().map(|blocks| blocks.likeness).sum::<f64>() / blocks.len() as f64,
        pictures: rests.len(),
    })
}

/// How much of the difference is in what is left.
fn lean(rests: &[Rest], weights: &[f64]) -> Option<f64> {
    let along: f64 = rests.iter().map(|rest| rest.along(weights, |_| 1.0)).sum();
    let own: f64 = rests.iter().map(|rest| rest.energy(weights)).sum();
    (own > 1e-9).then(|| along / own)
}

impl Rest {
    fn along(&self, weights: &[f64], sign: impl Fn(usize) -> f64) -> f64 {
        let blocks = self.shown.iter().zip(&self.difference).zip(weights).enumerate();
        blocks
            .filter(|(at, _)| self.is_there[*at])
            .map(|(at, ((shown, difference), weight))| shown * difference * sign(at) * weight)
            .sum()
    }

    fn energy(&self, weights: &[f64]) -> f64 {
        let blocks = self.difference.iter().zip(weights).zip(&self.is_there);
        blocks
            .filter(|(_, is_there)| **is_there)
            .map(|((difference, weight), _)| difference * difference * weight)
            .sum()
    }
}

/// How far blocks are to be trusted before anything is explained: a line through most of them, from what was sent to what is
/// shown, misses those where a logo is in all pictures.
fn trust(pictures: &[Blocks]) -> Vec<f64> {
    let count = pictures.first().map_or(0, |blocks| blocks.shown.len());
    let mut sums = vec![0.0; count];
    for blocks in pictures {
        let there: Vec<usize> = (0..count).filter(|at| blocks.is_there[*at]).collect();
        let mut weights = vec![1.0; count];
        let mut misses = vec![0.0; count];
        let mut usual = 1.0;
        for _ in 0..12 {
            let mut line = Normal::<2>::new();
            for at in &there {
                line.add(&[1.0, blocks.basis[*at][LUMA]], blocks.shown[*at], weights[*at]);
            }
            let Some([offset, slope]) = line.solve(0.0) else {
                break;
            };
            let mut sizes = Vec::with_capacity(there.len());
            for at in &there {
                let miss = (blocks.shown[*at] - offset - slope * blocks.basis[*at][LUMA]).abs();
                misses[*at] = miss;
                sizes.push(miss);
            }
            sizes.sort_by(f64::total_cmp);
            usual = sizes.get(sizes.len() / 2).copied().unwrap_or(1.0).max(0.5);
            // The least sum of sizes, not of squares: a few far ones do not draw the line to them.
            there
                .iter()
                .for_each(|at| weights[*at] = 1.0 / (misses[*at] + 0.3 * usual));
        }
        for (sum, miss) in sums.iter_mut().zip(&misses) {
            *sum += (miss / (5.0 * usual)).powi(2).min(20.0);
        }
    }
    let pictures = pictures.len().max(1) as f64;
    sums.iter().map(|sum| 1.0 / (1.0 + sum / pictures)).collect()
}

/// Blocks count by how well they are explained.
fn weigh(rests: &[Rest], columns: usize) -> Vec<f64> {
    let mut squares = vec![0.0; columns];
    let mut counts = vec![0.0; columns];
    for rest in rests {
        for at in (0..columns).filter(|at| rest.is_there[*at]) {
            squares[at] += rest.shown[at] * rest.shown[at];
            counts[at] += 1.0;
        }
    }
    let mut means: Vec<f64> = squares
        .iter()
        .zip(&counts)
        .filter(|(_, count)| **count > 0.0)
        .map(|(square, count)| square / count)
        .collect();
    means.sort_by(f64::total_cmp);
    let usual = means.get(means.len() / 2).copied().unwrap_or(1.0).max(1e-3);
    squares
        .iter()
        .zip(&counts)
        .map(|(square, count)| {
            if *count > 0.0 {
                usual / (square / count + usual * 0.25)
            } else {
                0.0
            }
        })
        .collect()
}

impl Blocks {
    fn of(picture: &Compared<'_>, warp: &Warp) -> Self {
        let [a, b] = picture.variants;
        let (columns, rows) = (a.width / BLOCK, a.height / BLOCK);
        let mid = Plane::new(
            a.width,
            a.height,
            a.data.iter().zip(&b.data).map(|(a, b)| (a + b) / 2.0).collect(),
        );
        let difference = Plane::new(
            a.width,
            a.height,
            a.data.iter().zip(&b.data).map(|(a, b)| (a - b) / 2.0).collect(),
        );
        let (across, down) = mid.gradients();
        let means = |plane: &Plane| plane.means(columns, rows).data;
        let [mid_means, differences, across, down, change] = [
            means(&mid),
            means(&difference),
            means(&across),
            means(&down),
            means(&picture.change),
        ];
        let (shown, is_there) = shown(picture.capture, warp, a.width, a.height);
        let centre = mid_means.iter().map(|luma| f64::from(*luma)).sum::<f64>() / mid_means.len() as f64;
        let basis = (0..columns * rows).map(|at| {
            let (x, y) = (middle(at % columns, columns), middle(at / columns, rows));
            // About one, so that what holds unknowns near 0 holds all alike.
            let luma = (f64::from(mid_means[at]) - centre) / 64.0;
            let [along, below, change] = [across[at], down[at], change[at]].map(f64::from);
            [
                1.0,
                x,
                y,
                x * x,
                x * y,
                y * y,
                luma,
                luma * x,
                luma * y,
                luma * luma,
                luma * luma * luma,
                along,
                along * x,
                along * y,
                below,
                below * x,
                below * y,
                change,
                change * luma,
            ]
        });
        let basis = basis.collect();
        Self {
            basis,
            shown,
            difference: differences.into_iter().map(f64::from).collect(),
            is_there,
            likeness: 0.0,
        }
    }

    /// How alike what was sent and what is shown are.
    fn likeness(&self) -> f64 {
        let there = || {
            let pairs = self.basis.iter().zip(&self.shown).zip(&self.is_there);
            pairs
                .filter(|(_, is_there)| **is_there)
                .map(|((row, shown), _)| (row[LUMA], *shown))
        };
        let count = there().count();
        if count * 3 < self.shown.len() {
            return 0.0;
        }
        let (mut sum, mut squares) = ([0.0; 2], [0.0; 3]);
        for (sent, shown) in there() {
            sum = [sum[0] + sent, sum[1] + shown];
            squares = [
                squares[0] + sent * sent,
                squares[1] + sent * shown,
                squares[2] + shown * shown,
            ];
        }
        let count = count as f64;
        let [one, both, other] = [
            squares[0] - sum[0] * sum[0] / count,
            squares[1] - sum[0] * sum[1] / count,
            squares[2] - sum[1] * sum[1] / count,
        ];
        both / (one * other).sqrt().max(1e-9)
    }

    /// What of the picture, and of the difference, is not explained; in the units of what was sent.
    fn rest(&self, weights: &[f64]) -> Option<Rest> {
        let mut of_shown = Normal::<BASIS>::new();
        let mut of_difference = Normal::<BASIS>::new();
        for at in (0..self.shown.len()).filter(|at| self.is_there[*at]) {
            of_shown.add(&self.basis[at], self.shown[at], weights[at]);
            of_difference.add(&self.basis[at], self.difference[at], weights[at]);
        }
        let shown = of_shown.solve(RIDGE)?;
        let difference = of_difference.solve(RIDGE)?;
        // How much brighter the recording is where what was sent is: the mark has gone through the same.
        let gain = shown[LUMA] / 64.0;
        if !(0.1..=4.0).contains(&gain) {
            return None;
        }
        let left = |values: &[f64], by: &[f64; BASIS], unit: f64| -> Vec<f64> {
            let rows = self.basis.iter().zip(values);
            rows.map(|(row, value)| {
                let explained: f64 = row.iter().zip(by).map(|(one, other)| one * other).sum();
                (value - explained) / unit
            })
            .collect()
        };
        Some(Rest {
            shown: left(&self.shown, &shown, gain),
            difference: left(&self.difference, &difference, 1.0),
            is_there: self.is_there.clone(),
        })
    }
}

/// The recording's means in the blocks of what was sent, and which of them it shows.
fn shown(capture: &Plane, warp: &Warp, width: usize, height: usize) -> (Vec<f64>, Vec<bool>) {
    let (columns, rows) = (width / BLOCK, height / BLOCK);
    let mut sums = vec![0.0; columns * rows];
    let mut counts = vec![0_usize; columns * rows];
    for row in 0..rows * BLOCK {
        let v = middle(row, height);
        for column in 0..columns * BLOCK {
            let (x, y, _) = warp.at(middle(column, width), v);
            let at = (pixel(x, capture.width) as f32, pixel(y, capture.height) as f32);
            if let Some(luma) = capture.at(at.0, at.1) {
                let block = row / BLOCK * columns + column / BLOCK;
                sums[block] += f64::from(luma);
                counts[block] += 1;
            }
        }
    }
    // A part of a block would be compared with the whole.
    let is_there: Vec<bool> = counts.iter().map(|count| *count == BLOCK * BLOCK).collect();
    let means = sums
        .iter()
        .zip(&counts)
        .map(|(sum, count)| sum / (*count).max(1) as f64);
    (means.collect(), is_there)
}

/// A sign for each cell of a grid as fine as marks are.
struct Signs {
    signs: Vec<f64>,
    columns: usize,
    rows: usize,
}

impl Signs {
    const ACROSS: usize = 16;
    const DOWN: usize = 9;

    fn draw(draws: &mut u64, columns: usize, rows: usize) -> Self {
        let signs = (0..Self::ACROSS * Self::DOWN).map(|_| {
            // An xorshift: all that is asked of it is to look drawn.
            *draws ^= *draws << 13;
            *draws ^= *draws >> 7;
            *draws ^= *draws << 17;
            if *draws >> 40 & 1 == 1 { 1.0 } else { -1.0 }
        });
        Self {
            signs: signs.collect(),
            columns,
            rows,
        }
    }

    fn at(&self, block: usize) -> f64 {
        let column = block % self.columns * Self::ACROSS / self.columns;
        let row = block / self.columns * Self::DOWN / self.rows;
        self.signs[row * Self::ACROSS + column]
    }
}

/// Below this a picture is not the one that was sent.
const LEAST_LIKENESS: f64 = 0.6;

/// By how much less than the best of a segment a picture's likeness may be.
const UNLIKE: f64 = 0.1;

/// Below this a block shows something else.
const LEAST_TRUST: f64 = 0.25;

/// Holds unknowns that nothing speaks for near 0.
const RIDGE: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 320;
    const HEIGHT: usize = 176;

    /// A textured picture and a mark of soft cells.
    fn picture(seed: f64) -> (Plane, Plane) {
        let mut draws = 7;
        let signs = Signs::draw(&mut draws, WIDTH, HEIGHT);
        let (mut mid, mut mark) = (Vec::new(), Vec::new());
        for at in 0..WIDTH * HEIGHT {
            let (x, y) = ((at % WIDTH) as f64, (at / WIDTH) as f64);
            let luma = 110.0
                + 50.0 * (x / 23.0 + seed).sin() * (y / 17.0).cos()
                + 20.0 * ((x + y) / 5.0 + seed).sin();
            mid.push(luma as f32);
            mark.push(signs.at(at) as f32 * 0.5);
        }
        (Plane::new(WIDTH, HEIGHT, mid), Plane::new(WIDTH, HEIGHT, mark))
    }

    fn add(one: &Plane, other: &Plane, times: f32) -> Plane {
        let pixels = one.data.iter().zip(&other.data);
        Plane::new(WIDTH, HEIGHT, pixels.map(|(a, b)| a + b * times).collect())
    }

    /// A recording that holds so much of A, with gain, offset, noise and a logo.
    fn measured(share: f32) -> Measure {
        let mut kept = Vec::new();
        for at in 0..6 {
            let (mid, mark) = picture(f64::from(at) * 0.3);
            let (a, b) = (add(&mid, &mark, 1.0), add(&mid, &mark, -1.0));
            let mut capture = add(&mid, &mark, share);
            let mut noise = 99_u64 + at as u64;
            for (place, luma) in capture.data.iter_mut().enumerate() {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *luma = *luma * 0.8 + 25.0 + ((noise >> 40) % 7) as f32 - 3.0;
                if place % WIDTH > 260 && place / WIDTH < 40 {
                    *luma = 235.0;
                }
            }
            kept.push((capture, a, b));
        }
        let pictures: Vec<_> = kept
            .iter()
            .map(|(capture, a, b)| Compared {
                capture,
                variants: [a, b],
                change: Plane::new(WIDTH, HEIGHT, vec![0.0; WIDTH * HEIGHT]),
            })
            .collect();
        measure(&pictures, &Warp::IDENTITY).unwrap()
    }

    #[test]
    fn a_variant_is_told_from_the_other_and_from_a_blend() {
        for share in [1.0, 0.5, 0.0, -1.0] {
            let found = measured(share);
            let miss = (found.statistic - f64::from(share)).abs();
            // The logo is taken for a change of contrast at first, which costs some of the mark.
            assert!(miss < 0.1, "{share}: {found:?}");
            assert!(found.noise < 0.1 && found.pictures == 6, "{found:?}");
        }
    }

    #[test]
    fn another_picture_is_not_measured() {
        let (mid, mark) = picture(0.0);
        let flipped = Plane::new(WIDTH, HEIGHT, mid.data.iter().map(|luma| 255.0 - luma).collect());
        let compared = Compared {
            capture: &flipped,
            variants: [&add(&mid, &mark, 1.0), &add(&mid, &mark, -1.0)],
            change: Plane::new(WIDTH, HEIGHT, vec![0.0; WIDTH * HEIGHT]),
        };
        assert_eq!(measure(&[compared], &Warp::IDENTITY), None);
    }
}
