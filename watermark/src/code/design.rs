//! The biases of a code, by the coalition that it is made against.

/// Against how many colluders a code is made. More are still found, in longer recordings.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Design {
    /// One or two: every bias is a half.
    Two,
    /// Three or four.
    #[default]
    Four,
    /// Five or six.
    Six,
    /// Seven or eight.
    Eight,
}

/// How probable variant B is at a position, in 65536ths.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Bias(u16);

/// One row of a design's table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Row {
    /// The draws of 16 bits below which the row is taken, unless an earlier one is.
    pub end: u32,
    /// Its bias.
    pub bias: Bias,
}

impl Bias {
    /// The probability, between 0 and 1.
    pub fn probability(self) -> f64 {
        f64::from(self.0) / 65_536.0
    }

    /// Whether a draw of 16 bits means variant B.
    pub const fn holds(self, draw: u16) -> bool {
        draw < self.0
    }
}

impl Design {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Two, Self::Four, Self::Six, Self::Eight];

    /// The smallest that is made against so many colluders; `None` beyond eight.
    pub fn against(colluders: u64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|design| colluders <= design.colluders())
    }

    /// The most colluders that it is made against.
    pub const fn colluders(self) -> u64 {
        match self {
            Self::Two => 2,
            Self::Four => 4,
            Self::Six => 6,
            Self::Eight => 8,
        }
    }

    /// The table: the abscissas of Gauss-Legendre quadrature on (0, 1), by the weights that Nuida and others give them,
    /// both rounded to 65536ths.
    pub const fn rows(self) -> &'static [Row] {
        const fn row(end: u32, bias: u16) -> Row {
            Row {
                end,
                bias: Bias(bias),
            }
        }
        const TWO: [Row; 1] = [row(65_536, 32_768)];
        const FOUR: [Row; 2] = [row(32_768, 13_849), row(65_536, 51_687)];
        const SIX: [Row; 3] = [row(21_759, 7_386), row(43_777, 32_768), row(65_536, 58_150)];
        const EIGHT: [Row; 4] = [
            row(16_275, 4_550),
            row(32_768, 21_628),
            row(49_261, 43_908),
            row(65_536, 60_986),
        ];
        match self {
            Self::Two => &TWO,
            Self::Four => &FOUR,
            Self::Six => &SIX,
            Self::Eight => &EIGHT,
        }
    }

    /// The bias that a draw of 16 bits means.
    pub(super) fn bias(self, draw: u16) -> Bias {
        let row = self.rows().iter().find(|row| u32::from(draw) < row.end);
        // The last row ends above every draw.
        row.map_or(Bias(32_768), |row| row.bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_symmetric_and_takes_every_draw() {
        for design in Design::ALL {
            let rows = design.rows();
            assert_eq!(rows.last().unwrap().end, 65_536);
            let weights: Vec<u32> = rows
                .iter()
                .scan(0, |before, row| {
                    Some(row.end - core::mem::replace(before, row.end))
                })
                .collect();
            for (at, row) in rows.iter().enumerate() {
                let opposite = rows.len() - 1 - at;
                assert_eq!(u32::from(row.bias.0) + u32::from(rows[opposite].bias.0), 65_536);
                assert_eq!(weights[at], weights[opposite]);
            }
        }
    }

    #[test]
    fn the_tables_are_those_of_the_literature() {
        let published = [
            (Design::Four, vec![(0.5, 0.21132), (0.5, 0.78868)]),
            (
                Design::Six,
                vec![(0.33201, 0.11270), (0.33598, 0.5), (0.33201, 0.88730)],
            ),
            (
                Design::Eight,
                vec![
                    (0.24833, 0.06943),
                    (0.25167, 0.33001),
                    (0.25167, 0.66999),
                    (0.24833, 0.93057),
                ],
            ),
        ];
        for (design, rows) in published {
            let mut before = 0.0;
            for (row, (weight, p)) in design.rows().iter().zip(rows) {
                let end = f64::from(row.end) / 65_536.0;
                assert!((end - before - weight).abs() < 2e-5, "{design:?}: {weight}");
                assert!((row.bias.probability() - p).abs() < 2e-5, "{design:?}: {p}");
                before = end;
            }
        }
    }

    #[test]
    fn a_design_is_chosen_by_the_coalition() {
        assert_eq!(Design::against(1), Some(Design::Two));
        assert_eq!(Design::against(3), Some(Design::Four));
        assert_eq!(Design::against(8), Some(Design::Eight));
        assert_eq!(Design::against(9), None);
    }
}
