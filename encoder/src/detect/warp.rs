//! Where a place of the picture that was sent lies in the picture of a recording.

/// A perspective map between pictures whose borders are at −1 and 1 both ways: the last of its nine numbers is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Warp(pub(super) [f64; 8]);

impl Warp {
    /// The whole picture, nothing else.
    pub(super) const IDENTITY: Self = Self([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);

    /// Scaled, turned by an angle in radians about the middle of a picture of this shape (width over height), and moved.
    pub(super) fn similar(scale: (f64, f64), angle: f64, shape: f64, to: (f64, f64)) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self([
            scale.0 * cos,
            -scale.0 * sin / shape,
            to.0,
            scale.1 * sin * shape,
            scale.1 * cos,
            to.1,
            0.0,
            0.0,
        ])
    }

    /// Where (u, v) goes, and what it was divided by.
    pub(super) fn at(&self, u: f64, v: f64) -> (f64, f64, f64) {
        let [a, b, c, d, e, f, g, h] = self.0;
        let below = g * u + h * v + 1.0;
        ((a * u + b * v + c) / below, (d * u + e * v + f) / below, below)
    }

    /// The most that a corner of the picture is moved by going from this map to another.
    pub(super) fn distance(&self, other: &Self) -> f64 {
        let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
        let moved = corners.map(|(u, v)| {
            let (one, two) = (self.at(u, v), other.at(u, v));
            (one.0 - two.0).abs().max((one.1 - two.1).abs())
        });
        moved.into_iter().fold(0.0, f64::max)
    }

    /// Whether the map keeps the picture's order and a sensible size: neither mirrored nor folded.
    pub(super) fn is_sane(&self) -> bool {
        let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)].map(|(u, v)| self.at(u, v));
        if corners.iter().any(|(.., below)| *below < 0.2) {
            return false;
        }
        // Twice the area, by the shoelace formula: 8 of the whole picture.
        let area: f64 = (0..4)
            .map(|at| {
                let ((x, y, _), (next_x, next_y, _)) = (corners[at], corners[(at + 1) % 4]);
                x * next_y - next_x * y
            })
            .sum();
        (0.5..80.0).contains(&area)
    }
}

/// The middles of `count` pixels, from −1 to 1.
pub(super) fn middle(pixel: usize, count: usize) -> f64 {
    (2.0 * pixel as f64 + 1.0) / count as f64 - 1.0
}

/// The other way round: which pixel of `count`, with its fraction.
pub(super) fn pixel(middle: f64, count: usize) -> f64 {
    ((middle + 1.0) * count as f64 - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_of_a_wide_picture_is_one() {
        let warp = Warp::similar((1.0, 1.0), std::f64::consts::FRAC_PI_2, 2.0, (0.0, 0.0));
        // The right border's middle is two heights from the middle.
        let (x, y, _) = warp.at(1.0, 0.0);
        assert!(x.abs() < 1e-12 && (y - 2.0).abs() < 1e-12);
        assert!(warp.is_sane());
        let mirrored = Warp([-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert!(!mirrored.is_sane());
        assert_eq!(mirrored.distance(&Warp::IDENTITY), 2.0);
    }

    #[test]
    fn pixels_and_places_are_each_other_s_inverse() {
        assert_eq!(middle(0, 4), -0.75);
        assert_eq!(pixel(middle(3, 10), 10), 3.0);
    }
}
