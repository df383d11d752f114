//! When there is which pattern, and how much of it.

use crate::clock::Grid;

/// The windows of a grid: each segment is one, or as many as are nearest to two seconds each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// Frames in a segment.
    segment: u64,
    /// Windows in a segment.
    count: u64,
    /// Frames in which a pattern comes up, and in which it goes.
    slope: u64,
}

/// A frame's place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// The number of its window since 1970.
    pub(super) window: u64,
    /// How much of the pattern there is, in 256ths.
    pub(super) weight: i32,
}

impl Windows {
    pub(super) fn new(grid: Grid) -> Self {
        let (segment, fps) = (u64::from(grid.segment_frames()), u64::from(grid.fps()));
        let count = ((segment + fps) / (2 * fps)).max(1);
        Self {
            segment,
            count,
            slope: (fps / SLOPES).min(segment / count / 4).max(1),
        }
    }

    pub(super) const fn at(&self, frame: u64) -> Place {
        let (segment, offset) = (frame / self.segment, frame % self.segment);
        let inside = offset * self.count / self.segment;
        // The first frames of this window and of the next one.
        let start = (inside * self.segment).div_ceil(self.count);
        let end = ((inside + 1) * self.segment).div_ceil(self.count);
        let (after, before) = (offset - start, end - 1 - offset);
        let near = if after < before { after } else { before };
        Place {
            window: segment * self.count + inside,
            weight: self.slope_at(near),
        }
    }

    /// Up from nothing to 256 without a corner, `near` frames from the end of a window.
    const fn slope_at(&self, near: u64) -> i32 {
        if near >= self.slope {
            return 256;
        }
        // At the middle of the frame.
        let x = ((2 * near + 1) * 128 / self.slope) as i32;
        smooth(x)
    }
}

/// 3x² - 2x³, of 256ths: level at both ends.
pub(super) const fn smooth(x: i32) -> i32 {
    (x * x * (768 - 2 * x) + 32_768) >> 16
}

/// Slopes in a second.
const SLOPES: u64 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::FRAME_RATES;

    #[test]
    fn a_default_segment_is_one_window() {
        for fps in FRAME_RATES {
            let grid = Grid::with_default_cadence(fps).unwrap();
            assert_eq!(Windows::new(grid).count, 1, "{fps}");
        }
        let long = Grid::new(25, 240, 8).unwrap();
        assert_eq!(Windows::new(long).count, 5);
    }

    proptest! {
        #[test]
        fn patterns_come_and_go_in_small_steps(
            fps in prop::sample::select(FRAME_RATES.to_vec()),
            segments in 1u32..5,
            start in 0u64..1 << 38,
        ) {
            let usual = Grid::with_default_cadence(fps).unwrap();
            let segment = usual.segment_frames() * segments;
            let grid = Grid::new(fps, segment, usual.chunk_frames()).unwrap();
            let windows = Windows::new(grid);
            let mut last = windows.at(start);
            for frame in start + 1..start + u64::from(segment) * 2 {
                let place = windows.at(frame);
                // What is left of one and what is there of the next are both next to nothing.
                let step = if place.window == last.window {
                    (place.weight - last.weight).abs()
                } else {
                    prop_assert_eq!(place.window, last.window + 1);
                    place.weight + last.weight
                };
                prop_assert!(step <= 256 * 2 / windows.slope as i32, "{step} at {frame}");
                prop_assert!((0..=256).contains(&place.weight));
                if grid.is_segment_start(frame) {
                    prop_assert_ne!(place.window, last.window);
                }
                last = place;
            }
        }
    }
}
