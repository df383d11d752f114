//! Scores: how much a recording speaks for a session, and how seldom it would for somebody who had no part in it.
//!
//! A recording gives a soft decision for each position that it holds. A session's score is the sum over these of what its bit
//! speaks for. For an innocent session the bits are drawn by the biases whatever the pirates did, so the odds that its score
//! reaches as high are known exactly: [`Evidence::tail`] bounds them, for one session, without any simulation.

pub(crate) mod tail;

use crate::code::{Bias, Pattern};

pub use tail::Tail;

/// What a recording says of one position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The position's index.
    pub index: u16,
    /// How probable it is that the recording shows variant B, from 0 to 1: a half where it says nothing.
    pub probability_b: f64,
}

/// How a bit is weighed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weighing {
    /// The symmetric score (Škorić, Katzenbeisser and Celik): good whatever the pirates do.
    Symmetric,
    /// The logarithm of the likelihood that so many colluders took turns, against that of an innocent session: shorter
    /// where they did, a little longer where they emitted what fewest of them have.
    Interleaving {
        /// How many colluders are reckoned with, from 1.
        colluders: u32,
    },
}

impl Weighing {
    /// What a bit speaks for where the recording shows `shown`, at a position of this bias.
    pub(crate) fn hard(self, bias: f64, bit: bool, shown: bool) -> f64 {
        // How probable the symbol that is shown was.
        let q = if shown { bias } else { 1.0 - bias };
        match self {
            Self::Symmetric if bit == shown => ((1.0 - q) / q).sqrt(),
            Self::Symmetric => -(q / (1.0 - q)).sqrt(),
            Self::Interleaving { colluders } => {
                // A single leaker whose bit differs would be impossible: some reading is wrong now and then.
                let c = f64::from(colluders.max(1)) + SLIP;
                if bit == shown {
                    (1.0 + (1.0 - q) / (c * q)).ln()
                } else {
                    (1.0 - 1.0 / c).ln()
                }
            }
        }
    }

    /// The same where it is not sure what the recording shows: the expectation.
    fn soft(self, bias: f64, bit: bool, probability_b: f64) -> f64 {
        probability_b * self.hard(bias, bit, true) + (1.0 - probability_b) * self.hard(bias, bit, false)
    }
}

/// By how much more colluders are reckoned with than there are, so that one wrong reading clears nobody.
const SLIP: f64 = 0.05;

/// What a recording says of a code's positions, ready to be compared with sessions.
#[derive(Clone, Debug)]
pub struct Evidence {
    marks: Vec<Mark>,
}

/// What each of the two bits speaks for at one position.
#[derive(Clone, Copy, Debug)]
struct Mark {
    index: u16,
    /// How probable the bit 1 is with an innocent session.
    bias: f64,
    /// For the bits 0 and 1.
    scores: [f64; 2],
}

impl Evidence {
    /// Weighs readings by the biases of the code, which are those from index 0 on. Readings beyond them, and such as are no
    /// probabilities, are left out, as is a second one of the same index: a position counts once.
    pub fn new(readings: &[Reading], biases: &[Bias], weighing: Weighing) -> Self {
        let mut seen = vec![false; biases.len()];
        let mut marks = Vec::with_capacity(readings.len());
        for reading in readings {
            let at = usize::from(reading.index);
            let (Some(bias), Some(seen)) = (biases.get(at), seen.get_mut(at)) else {
                continue;
            };
            if *seen || !(0.0..=1.0).contains(&reading.probability_b) {
                continue;
            }
            *seen = true;
            let bias = bias.probability();
            marks.push(Mark {
                index: reading.index,
                bias,
                scores: [false, true].map(|bit| weighing.soft(bias, bit, reading.probability_b)),
            });
        }
        Self { marks }
    }

    /// How many positions count.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The score of a session's pattern.
    pub fn score(&self, pattern: &Pattern) -> f64 {
        let [zero, one] = [0, 1];
        let scores = self.marks.iter().map(|mark| {
            let bit = if pattern.bit(mark.index) { one } else { zero };
            mark.scores.get(bit).copied().unwrap_or_default()
        });
        scores.sum()
    }

    /// The odds that one innocent session scores at least as high, an upper bound: multiply by the number of sessions that
    /// are compared.
    pub fn tail(&self, score: f64) -> Tail {
        Tail::of(&self.terms(), score)
    }

    /// The lowest score that an innocent session reaches with no more than these odds, given by their natural logarithm;
    /// `None` where even the highest is likelier.
    pub fn limit(&self, odds: f64) -> Option<f64> {
        let terms = self.terms();
        let (mut low, mut high) = tail::range(&terms);
        let is_rare = |score: f64| Tail::of(&terms, score).bound <= odds;
        if !is_rare(high) {
            return None;
        }
        for _ in 0..48 {
            let middle = f64::midpoint(low, high);
            if is_rare(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }

    fn terms(&self) -> Vec<tail::Term> {
        let terms = self.marks.iter().map(|mark| tail::Term {
            probability: mark.bias,
            zero: mark.scores.first().copied().unwrap_or_default(),
            one: mark.scores.last().copied().unwrap_or_default(),
            count: 1.0,
        });
        tail::gather(terms)
    }

    /// The index of each position that counts, and what the bits 0 and 1 speak for there.
    pub(crate) fn marks(&self) -> impl Iterator<Item = (u16, [f64; 2])> + '_ {
        self.marks.iter().map(|mark| (mark.index, mark.scores))
    }
}

#[cfg(test)]
mod tests;
