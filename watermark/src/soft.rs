//! Soft decisions: how probable it is that a recording shows variant B of a segment.
//!
//! What is measured leans to A or to B by about as much as the mark has survived, which the recording itself tells; it
//! leans to neither where several sessions were blended, and by chance it is off. So it is a mixture of three bells, and
//! their places and shares are fitted to the recording (expectation and maximisation). A segment whose bell cannot be told gets a
//! probability near a half, and speaks for nobody.
//!
//! However wrong this were, nobody innocent would be accused more easily: [`crate::score::Evidence::tail`] holds whatever
//! the probabilities are. They decide how soon a leaker is named.

use std::collections::BTreeMap;

use crate::{recording::Measured, score::Reading};

/// What is read of one segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Variant A.
    A,
    /// Variant B.
    B,
    /// Neither can be told.
    Erased,
    /// Both at once: who made the recording had both.
    Blended,
}

impl Verdict {
    /// Its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::Erased => "erased",
            Self::Blended => "blended",
        }
    }
}

/// What a recording's marks are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// How much of the mark has survived: the statistic of variant A on average, less than 1 by coding and filtering.
    pub strength: f64,
    /// The share of segments that are blends.
    pub blended: f64,
}

/// What one segment is read as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Soft {
    /// How probable variant B is.
    pub probability_b: f64,
    /// How probable a blend is.
    pub blend: f64,
}

impl Calibration {
    /// Fits the mixture to all segments of a recording.
    pub fn of(segments: &[Measured]) -> Self {
        let count = segments.len().max(1) as f64;
        let excess: f64 = segments
            .iter()
            .map(|segment| segment.statistic.powi(2) - noise(segment).powi(2))
            .sum();
        let mut fit = Self {
            strength: (excess / count).max(0.0).sqrt().clamp(LEAST_STRENGTH, 1.5),
            blended: 0.1,
        };
        for _ in 0..60 {
            let (mut leaning, mut weight, mut blends) = (0.0, 0.0, 0.0);
            for segment in segments {
                let [a, b, both] = fit.shares(segment);
                let trust = 1.0 / fit.spread(segment).powi(2);
                leaning += (a - b) * segment.statistic * trust;
                weight += (a + b) * trust;
                blends += both;
            }
            // As if there had been a little more of each: few segments must not decide.
            fit.blended = ((blends + 0.5) / (count + 5.0)).min(0.95);
            if weight > 0.0 {
                fit.strength = (leaning / weight).clamp(LEAST_STRENGTH, 1.5);
            }
        }
        fit
    }

    /// Reads one segment.
    pub fn read(&self, segment: &Measured) -> Soft {
        let [a, b, both] = self.shares(segment);
        let sure = b + both / 2.0;
        debug_assert!((a + b + both - 1.0).abs() < 1e-6);
        Soft {
            // A segment may have been taken for another: nothing is quite sure.
            probability_b: sure * (1.0 - ASTRAY) + ASTRAY / 2.0,
            blend: both,
        }
    }

    /// Reads all segments, for a code of `bits` bits. What several segments say of one bit is put together.
    pub fn readings(&self, segments: &[Measured], bits: u16) -> Vec<Reading> {
        let mut odds = BTreeMap::<u16, f64>::new();
        for segment in segments {
            let Some(index) = segment.position.checked_rem(bits) else {
                break;
            };
            *odds.entry(index).or_default() += self.read(segment).log_odds();
        }
        let most = ((1.0 - ASTRAY / 2.0) / (ASTRAY / 2.0)).ln();
        let readings = odds.into_iter().map(|(index, odds)| Reading {
            index,
            probability_b: 1.0 / (1.0 + odds.clamp(-most, most).exp()),
        });
        readings.collect()
    }

    /// How probable A, B and a blend are.
    fn shares(&self, segment: &Measured) -> [f64; 3] {
        let spread = self.spread(segment);
        let bell = |middle: f64, spread: f64| {
            let off = (segment.statistic - middle) / spread;
            -off * off / 2.0 - spread.ln()
        };
        let single = ((1.0 - self.blended) / 2.0).ln();
        let logs = [
            single + bell(self.strength, spread),
            single + bell(-self.strength, spread),
            self.blended.ln() + bell(0.0, noise(segment)),
        ];
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let odds = logs.map(|log| (log - top).exp());
        let all: f64 = odds.iter().sum();
        odds.map(|odds| odds / all)
    }

    /// How far a segment of one variant is off: by chance, and for marks survive here better than there.
    fn spread(&self, segment: &Measured) -> f64 {
        noise(segment).hypot(VARIES * self.strength)
    }
}

impl Soft {
    /// The word for it.
    pub fn verdict(self) -> Verdict {
        // The logarithm of the odds is below 1.
        let is_even = (0.269..0.731).contains(&self.probability_b);
        match self {
            _ if is_even && self.blend > 0.8 => Verdict::Blended,
            _ if is_even => Verdict::Erased,
            Self { probability_b, .. } if probability_b > 0.5 => Verdict::B,
            _ => Verdict::A,
        }
    }

    /// The logarithm of the odds of A against B: what the segment says.
    pub fn log_odds(self) -> f64 {
        ((1.0 - self.probability_b) / self.probability_b).ln()
    }
}

fn noise(segment: &Measured) -> f64 {
    if segment.noise.is_finite() {
        segment.noise.max(LEAST_NOISE)
    } else {
        f64::MAX.sqrt()
    }
}

/// What is never believed to be less: the measure of the noise has noise too.
const LEAST_NOISE: f64 = 0.04;

/// Below this nothing of a mark is left.
const LEAST_STRENGTH: f64 = 0.02;

/// By which share of it a mark's strength differs from segment to segment.
const VARIES: f64 = 0.3;

/// The share of segments that are reckoned to be others than they were taken for.
const ASTRAY: f64 = 0.01;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn measured(statistic: f64, noise: f64) -> Measured {
        Measured {
            file: String::new(),
            position: 0,
            at: 0.0,
            statistic,
            noise,
            likeness: 1.0,
            pictures: 24,
        }
    }

    /// Numbers about a middle, off by up to 1.5 times `noise` either way.
    fn about(middle: f64, noise: f64, count: u32) -> impl Iterator<Item = Measured> {
        (0..count).map(move |at| {
            let off = f64::from(at * 7 % 13) / 6.0 - 1.0;
            measured(middle + off * noise * 1.5, noise)
        })
    }

    #[test]
    fn variants_are_read_and_the_mark_s_strength_is_learnt() {
        let segments: Vec<_> = about(0.4, 0.05, 30).chain(about(-0.4, 0.05, 20)).collect();
        let fit = Calibration::of(&segments);
        assert!((fit.strength - 0.4).abs() < 0.05 && fit.blended < 0.1, "{fit:?}");
        for segment in &segments {
            let due = if segment.statistic > 0.0 {
                Verdict::A
            } else {
                Verdict::B
            };
            assert_eq!(fit.read(segment).verdict(), due, "{segment:?}");
        }
    }

    #[test]
    fn blends_are_erasures_and_are_told() {
        let blends: Vec<_> = about(0.0, 0.05, 20).collect();
        let segments: Vec<_> = blends
            .iter()
            .cloned()
            .chain(about(0.5, 0.03, 20))
            .chain(about(-0.5, 0.03, 20))
            .collect();
        let fit = Calibration::of(&segments);
        for blend in &blends {
            let soft = fit.read(blend);
            assert_eq!(soft.verdict(), Verdict::Blended, "{fit:?} {soft:?}");
            assert!((soft.probability_b - 0.5).abs() < 0.2);
        }
    }

    #[test]
    fn what_is_lost_in_noise_is_erased() {
        let clear = about(0.5, 0.05, 12).chain(about(-0.5, 0.05, 12));
        let segments: Vec<_> = clear
            .chain([measured(0.3, 2.0), measured(9.0, f64::NAN)])
            .collect();
        let fit = Calibration::of(&segments);
        for lost in &segments[24..] {
            assert_eq!(fit.read(lost).verdict(), Verdict::Erased, "{lost:?}");
        }
        // Nothing but noise says nothing.
        let noise: Vec<_> = about(0.0, 0.3, 40).collect();
        let fit = Calibration::of(&noise);
        let told = noise
            .iter()
            .filter(|segment| (fit.read(segment).probability_b - 0.5).abs() > 0.4);
        assert!(told.count() < 4, "{fit:?}");
    }

    #[test]
    fn a_bit_that_is_read_twice_counts_once() {
        let fit = Calibration {
            strength: 0.5,
            blended: 0.05,
        };
        let at = |position, statistic| Measured {
            position,
            ..measured(statistic, 0.1)
        };
        let readings = fit.readings(&[at(3, 0.5), at(19, 0.5), at(4, 0.5), at(20, -0.5)], 16);
        let [three, four] = &readings[..] else {
            panic!("{readings:?}")
        };
        assert_eq!((three.index, four.index), (3, 4));
        assert!(three.probability_b < 0.006 && (four.probability_b - 0.5).abs() < 1e-9);
        assert!(fit.readings(&[at(1, 0.5)], 0).is_empty());
    }

    proptest! {
        #[test]
        fn probabilities_are_probabilities_and_lean_as_the_picture_does(
            segments in proptest::collection::vec((-3.0..3.0_f64, 0.0..2.0_f64), 1..40),
        ) {
            let segments: Vec<_> = segments.into_iter().map(|(lean, noise)| measured(lean, noise)).collect();
            let fit = Calibration::of(&segments);
            for segment in &segments {
                let soft = fit.read(segment);
                prop_assert!((0.005..=0.995).contains(&soft.probability_b), "{soft:?}");
                prop_assert!((soft.probability_b - 0.5) * segment.statistic <= 1e-9, "{soft:?}");
                let other = Measured { statistic: -segment.statistic, ..segment.clone() };
                prop_assert!((fit.read(&other).probability_b + soft.probability_b - 1.0).abs() < 1e-9);
            }
        }
    }
}
