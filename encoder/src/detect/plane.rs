//! Luma as numbers, small enough to compute with.

/// The luma of one picture, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) data: Vec<f32>,
}

impl Plane {
    pub(super) fn new(width: usize, height: usize, data: Vec<f32>) -> Self {
        debug_assert_eq!(data.len(), width * height);
        Self { width, height, data }
    }

    pub(super) fn row(&self, y: usize) -> &[f32] {
        &self.data[y * self.width..][..self.width]
    }

    /// The means of the cells of a grid laid over the picture; cells are no smaller than a pixel.
    pub(super) fn means(&self, columns: usize, rows: usize) -> Self {
        let edges = |pixels: usize, cells: usize| -> Vec<(usize, usize)> {
            let edge = |cell: usize| cell * pixels / cells;
            (0..cells)
                .map(|cell| (edge(cell), edge(cell + 1).max(edge(cell) + 1).min(pixels)))
                .collect()
        };
        let (across, down) = (edges(self.width, columns), edges(self.height, rows));
        let mut data = Vec::with_capacity(columns * rows);
        for (top, bottom) in down {
            for (left, right) in &across {
                let sum: f32 = (top..bottom)
                    .map(|y| self.row(y)[*left..*right].iter().sum::<f32>())
                    .sum();
                data.push(sum / ((bottom - top) * (right - left)) as f32);
            }
        }
        Self::new(columns, rows, data)
    }

    /// Half as wide and as high.
    pub(super) fn half(&self) -> Self {
        self.means((self.width / 2).max(1), (self.height / 2).max(1))
    }

    /// How the picture changes along a row and down a column, in values a pixel.
    pub(super) fn gradients(&self) -> (Self, Self) {
        let (width, height) = (self.width, self.height);
        let mut across = Vec::with_capacity(self.data.len());
        let mut down = Vec::with_capacity(self.data.len());
        for y in 0..height {
            let (above, below) = (self.row(y.saturating_sub(1)), self.row((y + 1).min(height - 1)));
            let rows = ((y + 1).min(height - 1) - y.saturating_sub(1)).max(1) as f32;
            let row = self.row(y);
            for x in 0..width {
                let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
                across.push((row[right] - row[left]) / (right - left).max(1) as f32);
                down.push((below[x] - above[x]) / rows);
            }
        }
        (Self::new(width, height, across), Self::new(width, height, down))
    }

    /// The value between pixels; nothing beyond the middles of the outermost ones by more than half a pixel.
    pub(super) fn at(&self, x: f32, y: f32) -> Option<f32> {
        let (last_x, last_y) = ((self.width - 1) as f32, (self.height - 1) as f32);
        if !(x >= -0.5 && y >= -0.5 && x <= last_x + 0.5 && y <= last_y + 0.5) {
            return None;
        }
        let (x, y) = (x.clamp(0.0, last_x), y.clamp(0.0, last_y));
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (along, below) = (x - left as f32, y - top as f32);
        let (upper, lower) = (self.row(top), self.row(bottom));
        let upper = upper[left] + (upper[right] - upper[left]) * along;
        let lower = lower[left] + (lower[right] - lower[left]) * along;
        Some(upper + (lower - upper) * below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_slopes_are_those_of_a_ramp() {
        let ramp = Plane::new(8, 4, (0..32).map(|at| (at % 8) as f32 * 2.0).collect());
        assert_eq!(ramp.means(4, 2).row(1), [1.0, 5.0, 9.0, 13.0]);
        assert_eq!(ramp.half().width, 4);
        let (across, down) = ramp.gradients();
        assert!(across.data.iter().all(|slope| *slope == 2.0));
        assert!(down.data.iter().all(|slope| *slope == 0.0));
        assert_eq!(ramp.at(2.5, 1.25), Some(5.0));
        assert_eq!(ramp.at(-0.6, 0.0), None);
    }
}
