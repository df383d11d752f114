//! The lattice of amplitudes: one node at every sixteenth pixel, and straight lines between them.

use super::{
    COLUMNS, ROWS, Size, Strength,
    texture::{BLOCK, Texture},
    window::smooth,
};

/// Where a node lies between the middles of two cells: the first of them, and how far to the second in 256ths, eased so
/// that there is no corner at either.
#[derive(Clone, Copy, Debug)]
struct Between(usize, i32);

/// What is added at the nodes.
#[derive(Debug)]
pub(super) struct Field {
    size: Size,
    columns: Vec<Between>,
    rows: Vec<Between>,
    /// The pattern at the nodes, row by row, in 256ths.
    pattern: Vec<i16>,
    /// What is added there, in 32nds of a code value.
    nodes: Vec<i16>,
    /// The nodes of the pixel row that was asked for last.
    row: Vec<i16>,
}

impl Field {
    pub(super) fn new(size: Size) -> Self {
        let columns = places(size.width as usize, COLUMNS);
        let rows = places(size.height as usize, ROWS);
        let nodes = columns.len() * rows.len();
        Self {
            size,
            row: vec![0; columns.len()],
            columns,
            rows,
            pattern: vec![0; nodes],
            nodes: vec![0; nodes],
        }
    }

    pub(super) const fn size(&self) -> Size {
        self.size
    }

    /// Takes the pattern of a window: the sign of each cell.
    pub(super) fn set_pattern(&mut self, cells: &[i8; COLUMNS * ROWS]) {
        let cell = |column: usize, row: usize| {
            let at = row.min(ROWS - 1) * COLUMNS + column.min(COLUMNS - 1);
            cells.get(at).map_or(0, |sign| i32::from(*sign))
        };
        let mut nodes = self.pattern.iter_mut();
        for Between(top, down) in &self.rows {
            for (Between(left, right), node) in self.columns.iter().zip(&mut nodes) {
                let along = |row| cell(*left, row) * (256 - right) + cell(left + 1, row) * right;
                let value = along(*top) * (256 - down) + along(top + 1) * down;
                *node = ((value + 128) >> 8) as i16;
            }
        }
    }

    /// Works out what is added at the nodes of a picture, `weight` 256ths of it.
    pub(super) fn set_amplitudes(&mut self, texture: &Texture, strength: Strength, weight: i32) {
        let whole = (i32::from(strength.0) * weight) >> 8;
        let columns = self.columns.len();
        let nodes = self.nodes.iter_mut().zip(&self.pattern).enumerate();
        for (at, (node, pattern)) in nodes {
            let gain = texture.at_node(at % columns, at / columns);
            // The magnitude is rounded, so that a pattern and its opposite stay opposite.
            let value = i32::from(pattern.unsigned_abs()) * gain * whole;
            let magnitude = ((value + (1 << 18)) >> 19).min(LIMIT) as i16;
            *node = magnitude * pattern.signum();
        }
    }

    /// The nodes of a row of pixels, in 512ths of a code value.
    pub(super) fn row(&mut self, row: usize) -> &[i16] {
        let (at, down) = (row / BLOCK, (row % BLOCK) as i16);
        let columns = self.columns.len();
        let upper = self.nodes.get(at * columns..).unwrap_or(&[]);
        let lower = self.nodes.get((at + 1) * columns..).unwrap_or(&[]);
        for (node, (upper, lower)) in self.row.iter_mut().zip(upper.iter().zip(lower)) {
            *node = upper * (BLOCK as i16 - down) + lower * down;
        }
        &self.row
    }
}

/// The nodes along a side of a picture, one beyond its end.
fn places(pixels: usize, cells: usize) -> Vec<Between> {
    let nodes = pixels.div_ceil(BLOCK) + 1;
    (0..nodes)
        .map(|node| {
            // In 256ths of a cell, from the middle of the first one to that of the last one.
            let place = (node * BLOCK * cells * 256 / pixels).saturating_sub(128);
            let place = place.min((cells - 1) * 256);
            Between(place / 256, smooth((place % 256) as i32))
        })
        .collect()
}

/// The most at a node, in 32nds of a code value: what 16 bits hold of it in a row of pixels, with the threshold.
const LIMIT: i32 = 95;
