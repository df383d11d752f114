//! The watermark: a faint pattern in the brightness of the picture, up in variant A and down in variant B.
//!
//! The picture is laid out in 16 by 9 cells, each a little brighter or a little darker, as a key says: half of them up
//! and half of them down, with soft slopes between them. So the pattern has no edges, no mean, and lies where scaling,
//! filters and low bit rates leave a picture as it is. Cells are shares of the picture: all renditions have one pattern.
//!
//! How strong it is at a place follows from what is there: texture hides it, a plain area shows it, and there is none
//! in black and white. Each window of about two seconds has a pattern of its own, which comes up after the window's begin and
//! is gone at its end. Windows divide segments, so where a viewer's variant changes there is nothing to see: both are the
//! bare picture there.
//!
//! Amplitudes are below one code value in most places. A fixed screen of thresholds rounds them up in as many pixels as
//! it takes, so that they survive in the mean.
//!
//! All arithmetic is on integers, and each pixel follows from its own luma, its place, and four numbers of a coarse
//! lattice: the same numbers come out on any machine.

mod field;
mod key;
mod screen;
mod texture;
mod window;

pub use key::{Key, KeyError};

use super::{Picture, Size};
use crate::clock::Grid;
use field::Field;
use texture::Texture;
use window::Windows;

/// Cells in a row of the pattern.
pub(crate) const COLUMNS: usize = 16;
/// Rows of cells.
pub(crate) const ROWS: usize = 9;

/// How strong the mark is: its amplitude where the picture neither hides nor shows it, in code values of 8-bit luma.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Strength(u16);

impl Strength {
    /// What is not seen and still found: see the tables in `docs/watermark.md`.
    pub const DEFAULT: Self = Self(256);

    /// From 0.25 to 1.8; nothing for other values.
    #[must_use]
    pub fn new(amplitude: f64) -> Option<Self> {
        (0.25..=1.8)
            .contains(&amplitude)
            .then_some(Self((amplitude * 256.0) as u16))
    }
}

/// Marks the pictures of one rendition.
#[derive(Debug)]
pub struct Mark {
    key: Key,
    strength: Strength,
    windows: Windows,
    texture: Texture,
    field: Field,
    /// The window that the field's pattern is of.
    window: Option<u64>,
}

impl Mark {
    /// A marker of pictures of one size on a grid.
    #[must_use]
    pub fn new(size: Size, grid: Grid, key: Key, strength: Strength) -> Self {
        Self {
            key,
            strength,
            windows: Windows::new(grid),
            texture: Texture::new(size),
            field: Field::new(size),
            window: None,
        }
    }

    /// Writes a frame's variants A and B. The three pictures are of the marker's size; if they are not, nothing is
    /// written.
    pub fn apply(&mut self, picture: &Picture, frame: u64, a: &mut Picture, b: &mut Picture) {
        let size = self.field.size();
        if [picture.size(), a.size(), b.size()] != [size; 3] {
            return;
        }
        self.measure(picture, frame);
        for plane in 1..3 {
            a.plane_mut(plane).copy_from_slice(picture.plane(plane));
            b.plane_mut(plane).copy_from_slice(picture.plane(plane));
        }
        let stride = picture.stride(0);
        let rows = picture.plane(0).chunks_exact(stride);
        let a = a.plane_mut(0).chunks_exact_mut(stride);
        let b = b.plane_mut(0).chunks_exact_mut(stride);
        for (row, (from, (a, b))) in rows.zip(a.zip(b)).enumerate() {
            screen::mark_row(row, from, self.field.row(row), a, b);
        }
    }

    /// What is to be added to variant A and taken from variant B at each pixel, in 8192nds of a code value, before it is
    /// rounded. What a detector that has the key would look for.
    pub fn amplitudes(&mut self, picture: &Picture, frame: u64) -> Vec<i16> {
        let size = self.field.size();
        if picture.size() != size {
            return Vec::new();
        }
        self.measure(picture, frame);
        let mut out = Vec::with_capacity(picture.plane(0).len());
        for row in 0..size.height as usize {
            screen::amplitudes(self.field.row(row), size.width as usize, &mut out);
        }
        out
    }

    /// Brings the lattice up to a frame.
    fn measure(&mut self, picture: &Picture, frame: u64) {
        let at = self.windows.at(frame);
        if self.window.replace(at.window) != Some(at.window) {
            self.field.set_pattern(&self.key.cells(at.window));
        }
        self.texture.measure(picture);
        self.field.set_amplitudes(&self.texture, self.strength, at.weight);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pixel::TestPicture;

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    fn grid() -> Grid {
        Grid::with_default_cadence(25).unwrap()
    }

    fn key() -> Key {
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            .parse()
            .unwrap()
    }

    fn grey(size: Size, luma: u8) -> Picture {
        let mut picture = Picture::black(size);
        picture.plane_mut(0).fill(luma);
        picture
    }

    fn marked(picture: &Picture, frame: u64, strength: Strength) -> (Picture, Picture) {
        let size = picture.size();
        let mut mark = Mark::new(size, grid(), key(), strength);
        let (mut a, mut b) = (Picture::black(size), Picture::black(size));
        mark.apply(picture, frame, &mut a, &mut b);
        (a, b)
    }

    fn sum(picture: &Picture) -> i64 {
        picture.plane(0).iter().map(|luma| i64::from(*luma)).sum()
    }

    /// The middle of a window, where the pattern is whole.
    const MIDDLE: u64 = 24;

    #[test]
    fn a_plain_picture_keeps_its_mean_in_both_variants() {
        let picture = grey(size(640, 360), 120);
        let (a, b) = marked(&picture, MIDDLE, Strength::DEFAULT);
        let pixels = 640.0 * 360.0;
        for variant in [&a, &b] {
            let mean = (sum(variant) - sum(&picture)) as f64 / pixels;
            assert!(mean.abs() < 0.01, "{mean}");
        }
        assert_ne!(a, b);
        assert_eq!(a.plane(1), picture.plane(1));
        assert_eq!(b.plane(2), picture.plane(2));
    }

    #[test]
    fn the_numbers_are_the_same_everywhere() {
        let picture = TestPicture::new(size(426, 240), grid(), "MARK").draw(MIDDLE);
        let (a, b) = marked(&picture, MIDDLE, Strength::DEFAULT);
        let digest = |picture: &Picture| {
            let fold = |sum: u64, luma: &u8| (sum ^ u64::from(*luma)).wrapping_mul(0x0100_0000_01b3);
            picture.plane(0).iter().fold(0xcbf2_9ce4_8422_2325, fold)
        };
        insta::assert_snapshot!(format!("{:016x} {:016x}", digest(&a), digest(&b)), @"4105201c2e74712b 84cce3da29e54dc9");
    }

    #[test]
    fn black_and_white_stay_as_they_are() {
        for luma in [0, 16, 235, 255] {
            let picture = grey(size(320, 180), luma);
            let (a, b) = marked(&picture, MIDDLE, Strength::new(1.8).unwrap());
            assert_eq!((&a, &b), (&picture, &picture));
        }
    }

    #[test]
    fn renditions_have_one_pattern() {
        let field = |size: Size| {
            let picture = grey(size, 120);
            let mut mark = Mark::new(size, grid(), key(), Strength::DEFAULT);
            let amplitudes = mark.amplitudes(&picture, MIDDLE);
            // At the middle of each cell.
            (0..ROWS * COLUMNS)
                .map(|cell| {
                    let x = (cell % COLUMNS * 2 + 1) * size.width as usize / (2 * COLUMNS);
                    let y = (cell / COLUMNS * 2 + 1) * size.height as usize / (2 * ROWS);
                    amplitudes[y * size.width as usize + x]
                })
                .map(i16::signum)
                .collect::<Vec<_>>()
        };
        let whole = field(size(1920, 1080));
        assert_eq!(whole.iter().filter(|sign| **sign > 0).count(), ROWS * COLUMNS / 2);
        for other in [size(1280, 720), size(848, 480), size(480, 270)] {
            assert_eq!(field(other), whole, "{other}");
        }
    }

    #[test]
    fn texture_carries_more_than_a_plain_area() {
        let mut picture = grey(size(640, 360), 120);
        let luma = picture.plane_mut(0);
        for (at, luma) in luma.iter_mut().enumerate() {
            if at % 640 < 320 {
                *luma = 120 + (at * 7919 % 31) as u8;
            }
        }
        let mut mark = Mark::new(size(640, 360), grid(), key(), Strength::DEFAULT);
        let amplitudes = mark.amplitudes(&picture, MIDDLE);
        let power = |from: usize, to: usize| -> u64 {
            let rows = amplitudes.chunks(640);
            rows.flat_map(|row| &row[from..to])
                .map(|value| u64::from(value.unsigned_abs()))
                .sum()
        };
        assert!(power(0, 304) > 2 * power(336, 640));
    }

    #[test]
    fn there_is_no_step_where_a_viewer_s_variant_changes() {
        let picture = grey(size(320, 180), 120);
        let most = |frame| {
            let mut mark = Mark::new(picture.size(), grid(), key(), Strength::DEFAULT);
            let amplitudes = mark.amplitudes(&picture, frame);
            amplitudes.into_iter().map(i16::abs).max().unwrap()
        };
        let whole = most(MIDDLE);
        for frame in [47, 48, 95, 96] {
            assert!(most(frame) * 20 <= whole, "frame {frame}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn variants_are_antipodal_and_within_bounds(
            width in 48u32..160, height in 27u32..100, frame in 0u64..1 << 40, luma in 0u8..=255, noise in 0u8..80,
            strength in 0.25f64..=1.8,
        ) {
            let size = size(width * 2, height * 2);
            let mut picture = grey(size, luma);
            for (at, luma) in picture.plane_mut(0).iter_mut().enumerate() {
                *luma = luma.saturating_add((at.wrapping_mul(2_654_435_761) >> 16) as u8 % noise.max(1));
            }
            let strength = Strength::new(strength).unwrap();
            let (a, b) = marked(&picture, frame, strength);
            let again = marked(&picture, frame, strength);
            prop_assert_eq!((&a, &b), (&again.0, &again.1));
            let amplitudes = Mark::new(size, grid(), key(), strength).amplitudes(&picture, frame);
            let variants = a.plane(0).iter().zip(b.plane(0));
            for ((from, (a, b)), amplitude) in picture.plane(0).iter().zip(variants).zip(&amplitudes) {
                let [a, b] = [a, b].map(|variant| i32::from(*variant) - i32::from(*from));
                prop_assert!(a.abs() <= 3 && b.abs() <= 3);
                // Each is the amplitude, rounded one way or the other, as far as there is room in eight bits.
                let amplitude = f64::from(*amplitude) / 8192.0;
                let is_rounded = (f64::from(a) - amplitude).abs() < 1.0 && (f64::from(b) + amplitude).abs() < 1.0;
                prop_assert!(is_rounded || !(3..=252).contains(from));
            }
        }

        #[test]
        fn keys_and_windows_give_unlike_patterns(one in 0u64..1 << 40, other in 0u64..1 << 40) {
            let correlation = |one: &[i8], other: &[i8]| -> i32 {
                one.iter().zip(other).map(|(one, other)| i32::from(*one) * i32::from(*other)).sum()
            };
            let cells = (ROWS * COLUMNS) as i32;
            let (key, cells_of) = (key(), Key::cells);
            let patterns = [cells_of(&key, one), cells_of(&key, other)];
            prop_assert_eq!(patterns[0].iter().map(|sign| i32::from(*sign)).sum::<i32>(), 0);
            if one != other {
                prop_assert!(correlation(&patterns[0], &patterns[1]).abs() < cells * 3 / 4);
            }
        }
    }
}
