//! Registration: how the picture that was sent lies in that of the recording.
//!
//! A search over sizes, places and turns in very small pictures finds about where; Lucas and Kanade's method, in larger
//! and larger ones, finds it to a fraction of a pixel. Both compare several pairs of pictures at once and take
//! brightness and contrast out, and what does not fit, such as a logo, counts little.

use super::{
    plane::Plane,
    solve::Normal,
    warp::{Warp, middle, pixel},
};

/// A picture of the recording and the one that was sent.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) capture: Plane,
    pub(super) sent: Plane,
}

impl Pair {
    fn half(&self) -> Self {
        Self {
            capture: self.capture.half(),
            sent: self.sent.half(),
        }
    }
}

/// A map, and how alike the pictures are through it: 1 is the same but for brightness and contrast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registered {
    pub(super) warp: Warp,
    pub(super) likeness: f64,
}

/// Finds the map of unknown pictures. `shapes` are width over height, of the recording and of what was sent.
pub(super) fn search(pairs: &[Pair], shapes: (f64, f64)) -> Registered {
    let eighth: Vec<Pair> = pairs.iter().map(|pair| pair.half().half().half()).collect();
    let mut found: Vec<Registered> = candidates(shapes)
        .map(|warp| Registered {
            warp,
            likeness: coarse(&eighth, &warp),
        })
        .collect();
    found.sort_by(|one, other| other.likeness.total_cmp(&one.likeness));
    // Near ones lead to the same place.
    let mut tried: Vec<Warp> = Vec::new();
    for candidate in found {
        if tried.iter().all(|warp| warp.distance(&candidate.warp) > 0.12) {
            tried.push(candidate.warp);
        }
        if tried.len() == TRIED {
            break;
        }
    }
    let quarter: Vec<Pair> = pairs.iter().map(|pair| pair.half().half()).collect();
    let best = tried
        .into_iter()
        .map(|warp| {
            let affine = climb(&eighth, &warp, 12, Freedom::Affine);
            climb(&quarter, &affine.warp, 10, Freedom::Affine)
        })
        .max_by(|one, other| one.likeness.total_cmp(&other.likeness));
    let start = best.map_or(Warp::IDENTITY, |best| best.warp);
    refine(pairs, &start)
}

/// Follows a map that is nearly right to where it is right.
pub(super) fn refine(pairs: &[Pair], start: &Warp) -> Registered {
    let half: Vec<Pair> = pairs.iter().map(Pair::half).collect();
    let quarter: Vec<Pair> = half.iter().map(Pair::half).collect();
    let affine = climb(&quarter, start, 6, Freedom::Affine);
    let rough = climb(&half, &affine.warp, 8, Freedom::Perspective);
    climb(pairs, &rough.warp, 4, Freedom::Perspective)
}

/// Follows a map that was right a moment ago.
pub(super) fn follow(pairs: &[Pair], start: &Warp) -> Registered {
    let half: Vec<Pair> = pairs.iter().map(Pair::half).collect();
    let near = climb(&half, start, 3, Freedom::Perspective);
    climb(pairs, &near.warp, 1, Freedom::Perspective)
}

/// Where the search begins: sizes from two thirds to three halves, in the shape of either picture.
fn candidates((capture, sent): (f64, f64)) -> impl Iterator<Item = Warp> {
    let stretched = (1.0, 1.0);
    // In its own shape: as wide as the recording, or as high.
    let whole = (1.0, capture / sent);
    let filled = (sent / capture, 1.0);
    let mut shapes = vec![stretched];
    if (capture / sent - 1.0).abs() > 0.02 {
        shapes.extend([whole, filled]);
    }
    let scales = (-6..=6).map(|step| 1.07_f64.powi(step));
    let all = shapes.into_iter().flat_map(move |(across, down)| {
        scales.clone().flat_map(move |scale| {
            [-3.0_f64, -1.0, 1.0, 3.0].into_iter().flat_map(move |angle| {
                (-3..=3).flat_map(move |x| {
                    (-3..=3).map(move |y| {
                        let to = (f64::from(x) * 0.1, f64::from(y) * 0.1);
                        Warp::similar((across * scale, down * scale), angle.to_radians(), sent, to)
                    })
                })
            })
        })
    });
    core::iter::once(Warp::IDENTITY).chain(all)
}

/// How alike small pictures are, and how much of what was sent is there to compare.
fn coarse(pairs: &[Pair], warp: &Warp) -> f64 {
    let mut sum = 0.0;
    let mut shared = 0.0;
    for pair in pairs {
        let seen = seen(pair, warp);
        let correlation = seen.correlation();
        let share = seen.places.len() as f64 / pair.sent.data.len() as f64;
        if share < 0.3 {
            return -1.0;
        }
        sum += correlation;
        shared += share;
    }
    (sum + 0.05 * shared) / pairs.len().max(1) as f64
}

/// The pixels of what was sent that a recording shows.
struct Seen {
    /// Column and row.
    places: Vec<(u16, u16)>,
    /// What was sent there.
    sent: Vec<f32>,
    /// What is shown there.
    shown: Vec<f32>,
    /// Where in the recording that is.
    at: Vec<(f32, f32)>,
}

fn seen(pair: &Pair, warp: &Warp) -> Seen {
    let (width, height) = (pair.sent.width, pair.sent.height);
    let count = pair.sent.data.len();
    let mut seen = Seen {
        places: Vec::with_capacity(count),
        sent: Vec::with_capacity(count),
        shown: Vec::with_capacity(count),
        at: Vec::with_capacity(count),
    };
    for row in 0..height {
        let v = middle(row, height);
        for (column, sent) in pair.sent.row(row).iter().enumerate() {
            let (x, y, _) = warp.at(middle(column, width), v);
            let at = (
                pixel(x, pair.capture.width) as f32,
                pixel(y, pair.capture.height) as f32,
            );
            if let Some(shown) = pair.capture.at(at.0, at.1) {
                seen.places.push((column as u16, row as u16));
                seen.sent.push(*sent);
                seen.shown.push(shown);
                seen.at.push(at);
            }
        }
    }
    seen
}

/// Mean and standard deviation.
fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let square = values
        .iter()
        .map(|value| (f64::from(*value) - mean).powi(2))
        .sum::<f64>();
    (mean, (square / count).sqrt())
}

impl Seen {
    fn correlation(&self) -> f64 {
        let ((sent, sent_spread), (shown, shown_spread)) = (moments(&self.sent), moments(&self.shown));
        if sent_spread < FLAT || shown_spread < FLAT {
            return 0.0;
        }
        let products = self
            .sent
            .iter()
            .zip(&self.shown)
            .map(|(a, b)| (f64::from(*a) - sent) * (f64::from(*b) - shown));
        products.sum::<f64>() / (self.sent.len() as f64 * sent_spread * shown_spread)
    }
}

/// Which numbers of the map move.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Freedom {
    Affine,
    Perspective,
}

/// Gauss and Newton's steps, as long as they lead up.
fn climb(pairs: &[Pair], start: &Warp, steps: usize, freedom: Freedom) -> Registered {
    let slopes: Vec<_> = pairs.iter().map(|pair| pair.capture.gradients()).collect();
    let likeness = |warp: &Warp| {
        let sum: f64 = pairs.iter().map(|pair| seen(pair, warp).correlation()).sum();
        sum / pairs.len().max(1) as f64
    };
    let mut best = Registered {
        warp: *start,
        likeness: likeness(start),
    };
    let mut warp = *start;
    for _ in 0..steps {
        let Some(step) = step(pairs, &slopes, &warp, freedom) else {
            break;
        };
        let mut next = warp;
        next.0
            .iter_mut()
            .zip(step)
            .for_each(|(value, step)| *value += step);
        if !next.is_sane() {
            break;
        }
        if next.distance(&warp) < STILL {
            break;
        }
        let now = likeness(&next);
        // A step may lead down before the next leads up, but not far.
        if now < best.likeness - 0.05 {
            break;
        }
        if now > best.likeness {
            best = Registered {
                warp: next,
                likeness: now,
            };
        }
        warp = next;
    }
    best
}

fn step(pairs: &[Pair], slopes: &[(Plane, Plane)], warp: &Warp, freedom: Freedom) -> Option<[f64; 8]> {
    let mut normal = Normal::<8>::new();
    for (pair, (across, down)) in pairs.iter().zip(slopes) {
        let seen = seen(pair, warp);
        let ((sent, sent_spread), (shown, shown_spread)) = (moments(&seen.sent), moments(&seen.shown));
        if sent_spread < FLAT || shown_spread < FLAT {
            continue;
        }
        let gain = shown_spread / sent_spread;
        let misses: Vec<f64> = seen
            .sent
            .iter()
            .zip(&seen.shown)
            .map(|(from, to)| (f64::from(*from) - sent) * gain + shown - f64::from(*to))
            .collect();
        let usual = misses.iter().map(|miss| miss.abs()).sum::<f64>() / misses.len().max(1) as f64 + 0.1;
        let (width, height) = (pair.sent.width, pair.sent.height);
        let half = (pair.capture.width as f64 / 2.0, pair.capture.height as f64 / 2.0);
        for ((place, at), miss) in seen.places.iter().zip(&seen.at).zip(misses) {
            let (Some(along), Some(below)) = (across.at(at.0, at.1), down.at(at.0, at.1)) else {
                continue;
            };
            let (along, below) = (f64::from(along) * half.0, f64::from(below) * half.1);
            let (u, v) = (
                middle(usize::from(place.0), width),
                middle(usize::from(place.1), height),
            );
            let (x, y, under) = warp.at(u, v);
            let (along, below) = (along / under, below / under);
            let tilt = match freedom {
                Freedom::Affine => 0.0,
                Freedom::Perspective => -(along * x + below * y),
            };
            let row = [
                along * u,
                along * v,
                along,
                below * u,
                below * v,
                below,
                tilt * u,
                tilt * v,
            ];
            // What is far off is no misplacement but something else in the picture.
            let weight = 1.0 / (1.0 + (miss / (2.5 * usual)).powi(2));
            normal.add(&row, miss, weight / (gain * gain));
        }
    }
    normal.solve(1e-6)
}

/// How many of the search's best are followed.
const TRIED: usize = 5;

/// A step of less than this share of half a picture is none: a twentieth of a pixel of 320.
const STILL: f64 = 3e-4;

/// The spread below which a picture has nothing to be recognised by, in code values.
const FLAT: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// Soft blobs, the same at any size.
    fn scene(u: f64, v: f64) -> f32 {
        let blobs = (0..40).map(|at| {
            let at = f64::from(at);
            let (x, y) = (
                (at * 0.618_034).fract() * 2.4 - 1.2,
                (at * 0.414_214).fract() * 2.4 - 1.2,
            );
            let radius = 0.05 + 0.2 * (at * 0.732_051).fract();
            let far = ((u - x).powi(2) * 2.0 + (v - y).powi(2)) / (radius * radius);
            60.0 * (at * 0.236_068).fract() * (-far).exp()
        });
        (60.0 + blobs.sum::<f64>()) as f32
    }

    fn pair(warp: &Warp) -> Pair {
        let (width, height) = (160, 88);
        let draw = |colour: &dyn Fn(f64, f64) -> f32| {
            let pixels = (0..width * height)
                .map(|at| colour(middle(at % width, width), middle(at / width, height)))
                .collect();
            Plane::new(width, height, pixels)
        };
        let sent = draw(&scene);
        // Newton's method, for the way back is no map of this kind's affine part alone.
        let back = |x: f64, y: f64| {
            let (mut u, mut v) = (x, y);
            for _ in 0..30 {
                let (now_x, now_y, _) = warp.at(u, v);
                (u, v) = (u + (x - now_x) * 0.8, v + (y - now_y) * 0.8);
            }
            (u, v)
        };
        let capture = draw(&|x, y| {
            let (u, v) = back(x, y);
            scene(u, v) * 0.8 + 20.0
        });
        Pair { capture, sent }
    }

    #[test]
    fn crops_turns_and_perspectives_are_found_to_a_fraction_of_a_pixel() {
        let shape = 160.0 / 88.0;
        for warp in [
            Warp::IDENTITY,
            Warp::similar((1.11, 1.11), 0.0, shape, (0.03, -0.04)),
            Warp::similar((0.9, 0.72), 0.0, shape, (0.0, 0.0)),
            Warp::similar((1.02, 1.02), 1.5_f64.to_radians(), shape, (0.02, 0.01)),
            Warp([0.93, 0.02, 0.01, -0.02, 0.95, -0.02, 0.03, 0.02]),
        ] {
            let found = search(&[pair(&warp)], (shape, shape));
            let pixels = found.warp.distance(&warp) * 80.0;
            assert!(
                found.likeness > 0.99 && pixels < 0.3,
                "{warp:?}: {pixels} {found:?}"
            );
        }
    }
}
