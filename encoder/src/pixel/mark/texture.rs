//! How much of the mark a picture hides, block by block.

use super::super::{Picture, Size};

/// Pixels along a side of a block, and from node to node of the lattice.
pub(super) const BLOCK: usize = 16;

/// What blocks of 16 by 16 pixels hide. Those at the right and at the bottom may be smaller.
#[derive(Debug)]
pub(super) struct Texture {
    columns: usize,
    rows: usize,
    /// Row by row, in 256ths of the mark's strength.
    gains: Vec<u16>,
}

/// Sums over a block.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    luma: u32,
    /// Differences of neighbours, along rows and columns.
    steps: u32,
}

impl Texture {
    pub(super) fn new(size: Size) -> Self {
        let columns = (size.width as usize).div_ceil(BLOCK);
        let rows = (size.height as usize).div_ceil(BLOCK);
        Self {
            columns,
            rows,
            gains: vec![0; columns * rows],
        }
    }

    pub(super) fn measure(&mut self, picture: &Picture) {
        let (stride, width) = (picture.stride(0), picture.size().width as usize);
        let mut sums = vec![Sums::default(); self.columns];
        let strips = picture.plane(0).chunks(stride * BLOCK);
        for (strip, gains) in strips.zip(self.gains.chunks_exact_mut(self.columns)) {
            sums.fill(Sums::default());
            let rows = strip.len() / stride;
            let mut above = None::<&[u8]>;
            for row in strip.chunks_exact(stride) {
                add_row(&mut sums, row, above);
                above = Some(row);
            }
            for (column, (gain, sums)) in gains.iter_mut().zip(&sums).enumerate() {
                let columns = (width - column * BLOCK).min(BLOCK);
                *gain = gain_of(*sums, columns as u32, rows as u32);
            }
        }
    }

    /// The least of what the blocks around a node hide: a plain area beside a textured one shows the mark as much as one
    /// that is alone.
    pub(super) fn at_node(&self, column: usize, row: usize) -> i32 {
        let rows = row.saturating_sub(1)..(row + 1).min(self.rows);
        let least = rows
            .filter_map(|row| {
                let blocks = self.gains.get(row * self.columns..(row + 1) * self.columns)?;
                let around = column.saturating_sub(1)..(column + 1).min(self.columns);
                blocks.get(around)?.iter().min()
            })
            .min();
        least.map_or(0, |gain| i32::from(*gain))
    }
}

/// Adds a row of pixels to the blocks that it crosses.
fn add_row(sums: &mut [Sums], row: &[u8], above: Option<&[u8]>) {
    for (at, (sums, pixels)) in sums.iter_mut().zip(row.chunks(BLOCK)).enumerate() {
        let right = pixels.get(1..).unwrap_or(&[]);
        sums.luma += pixels.iter().map(|luma| u32::from(*luma)).sum::<u32>();
        sums.steps += differences(pixels, right);
        if let Some(above) = above.and_then(|above| above.get(at * BLOCK..)) {
            sums.steps += differences(pixels, above);
        }
    }
}

fn differences(one: &[u8], other: &[u8]) -> u32 {
    let pairs = one.iter().zip(other);
    pairs.map(|(one, other)| u32::from(one.abs_diff(*other))).sum()
}

/// Half the strength in a plain area, more with the mean step from pixel to pixel, which a single edge hardly raises,
/// and nothing towards black and white.
fn gain_of(sums: Sums, columns: u32, rows: u32) -> u16 {
    let pairs = (columns - 1) * rows + columns * (rows - 1);
    let step = sums.steps * 256 / pairs.max(1);
    let texture = (PLAIN + step / STEP_FOR_ONE).min(MOST);
    let mean = sums.luma / (columns * rows).max(1);
    let from_black = (mean.saturating_sub(BLACK) * 256 / DARK).min(256);
    let from_white = (WHITE.saturating_sub(mean) * 256 / BRIGHT).min(256);
    (texture * from_black.min(from_white) / 256) as u16
}

/// What a plain area hides, and what anything does, in 256ths.
const PLAIN: u32 = 128;
const MOST: u32 = 410;
/// The mean step in code values that hides one more whole strength.
const STEP_FOR_ONE: u32 = 8;
/// Reference black and white, and how far from them the mark is whole, in code values.
const BLACK: u32 = 16;
const WHITE: u32 = 235;
const DARK: u32 = 24;
const BRIGHT: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn gains(width: u32, height: u32, luma: impl Fn(usize, usize) -> u8) -> Texture {
        let size = Size { width, height };
        let mut picture = Picture::black(size);
        for (at, pixel) in picture.plane_mut(0).iter_mut().enumerate() {
            *pixel = luma(at % width as usize, at / width as usize);
        }
        let mut texture = Texture::new(size);
        texture.measure(&picture);
        texture
    }

    #[test]
    fn a_node_has_the_least_of_its_blocks() {
        // Noise on the left, nothing on the right.
        let texture = gains(64, 40, |x, y| {
            if x < 32 {
                100 + ((x * 7 + y * 13) % 17) as u8
            } else {
                100
            }
        });
        assert!(texture.at_node(0, 0) > 200 && texture.at_node(1, 2) > 200);
        assert_eq!([2, 3, 4].map(|column| texture.at_node(column, 1)), [128; 3]);
        assert_eq!(texture.at_node(4, 3), 128);
    }

    #[test]
    fn small_blocks_at_the_borders_are_judged_like_whole_ones() {
        let texture = gains(50, 34, |x, y| if (x + y) % 2 == 0 { 100 } else { 104 });
        assert_eq!(texture.gains, vec![128 + 4 * 32; 12]);
    }

    #[test]
    fn an_edge_hides_less_than_texture_does() {
        let edge = gains(16, 16, |x, _| if x < 8 { 100 } else { 140 });
        let texture = gains(16, 16, |x, y| if (x / 2 + y / 2) % 2 == 0 { 100 } else { 140 });
        assert!(
            edge.gains[0] < 180 && texture.gains[0] == 410,
            "{edge:?} {texture:?}"
        );
    }
}
