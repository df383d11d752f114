//! Least squares with a few unknowns.

/// Normal equations of `N` unknowns, gathered row by row.
#[derive(Clone, Debug)]
pub(super) struct Normal<const N: usize> {
    matrix: [[f64; N]; N],
    right: [f64; N],
}

impl<const N: usize> Normal<N> {
    pub(super) const fn new() -> Self {
        Self {
            matrix: [[0.0; N]; N],
            right: [0.0; N],
        }
    }

    /// A row: what the unknowns are multiplied by, what comes out, and how much it counts.
    pub(super) fn add(&mut self, row: &[f64; N], value: f64, weight: f64) {
        for (at, one) in row.iter().enumerate() {
            let one = one * weight;
            self.right[at] += one * value;
            // The lower half is all that is read.
            for (sum, other) in self.matrix[at][..=at].iter_mut().zip(row) {
                *sum += one * other;
            }
        }
    }

    /// The unknowns, each held near 0 by `ridge` of its own weight. Nothing where there are too few rows.
    pub(super) fn solve(&self, ridge: f64) -> Option<[f64; N]> {
        // Cholesky: the matrix is L Lᵀ.
        let mut lower = self.matrix;
        for (at, row) in lower.iter_mut().enumerate() {
            row[at] += ridge * self.matrix[at][at] + 1e-12;
        }
        for row in 0..N {
            for column in 0..=row {
                let known: f64 = (0..column).map(|at| lower[row][at] * lower[column][at]).sum();
                let left = lower[row][column] - known;
                lower[row][column] = if row == column {
                    if left <= 0.0 || left.is_nan() {
                        return None;
                    }
                    left.sqrt()
                } else {
                    left / lower[column][column]
                };
            }
        }
        let mut found = self.right;
        for row in 0..N {
            let known: f64 = (0..row).map(|at| lower[row][at] * found[at]).sum();
            found[row] = (found[row] - known) / lower[row][row];
        }
        for row in (0..N).rev() {
            let known: f64 = (row + 1..N).map(|at| lower[at][row] * found[at]).sum();
            found[row] = (found[row] - known) / lower[row][row];
        }
        found.iter().all(|value| value.is_finite()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_points_is_found_and_weights_count() {
        let mut normal = Normal::<2>::new();
        for x in 0..5 {
            normal.add(&[1.0, f64::from(x)], 3.0 + 2.0 * f64::from(x), 1.0);
        }
        normal.add(&[1.0, 2.0], 1000.0, 0.0);
        let [offset, slope] = normal.solve(0.0).unwrap();
        assert!((offset - 3.0).abs() < 1e-6 && (slope - 2.0).abs() < 1e-6);
        assert_eq!(Normal::<2>::new().solve(0.0), Some([0.0, 0.0]));
    }
}
