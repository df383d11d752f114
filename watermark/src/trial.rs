//! A trial: sessions compared with a recording, and those named whom it accuses.
//!
//! Both scores are looked at, and the odds of a false accusation are split between them. A session is accused whose
//! score nobody innocent of the whole audience reaches, but with these odds: by a bound, not by an estimate.

use thiserror::Error;

use crate::{
    code::{BLOCK, Bias, CodeKey, Event, Session},
    score::{Evidence, Reading, Weighing},
};

/// How a session stands in a trial: by the symmetric score, and by that of the likelihood.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing(pub [f64; 2]);

/// A recording's readings under one key, ready for any number of sessions: each costs a MAC for each sixteen positions.
#[derive(Debug)]
pub struct Trial<'c> {
    key: &'c CodeKey,
    event: Event<'c>,
    blocks: Vec<Block>,
    evidence: [Evidence; 2],
    limits: [Option<f64>; 2],
}

/// The positions that share a MAC.
#[derive(Debug)]
struct Block {
    number: u16,
    marks: Vec<Mark>,
}

#[derive(Debug)]
struct Mark {
    /// Which of the block's sixteen.
    at: usize,
    bias: Bias,
    /// What the bits 0 and 1 speak for, by either score.
    scores: [Standing; 2],
}

/// A trial that cannot be held.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TrialError {
    /// Nobody to be compared.
    #[error("the audience is empty")]
    Empty,
    /// Odds that are none.
    #[error("the odds of a false accusation must be 1e-30 to 0.5")]
    Odds,
    /// A pattern without bits.
    #[error("a pattern has at least one bit")]
    Bits,
}

/// The names of the scores in documents.
pub const SCORES: [&str; 2] = ["symmetric", "likelihood"];

impl<'c> Trial<'c> {
    /// A trial by patterns of `bits` bits of an audience of so many sessions, of whom anybody innocent is accused with odds
    /// of at most `false_accusation`.
    ///
    /// # Errors
    /// The audience, the odds or the bits are none.
    pub fn new(
        key: &'c CodeKey,
        event: Event<'c>,
        bits: u16,
        readings: &[Reading],
        audience: u64,
        false_accusation: f64,
    ) -> Result<Self, TrialError> {
        if audience == 0 {
            return Err(TrialError::Empty);
        }
        if !(1e-30..=0.5).contains(&false_accusation) {
            return Err(TrialError::Odds);
        }
        if bits == 0 {
            return Err(TrialError::Bits);
        }
        let biases = key.biases(&event, bits);
        let colluders = event.design.colluders() as u32;
        let evidence = [Weighing::Symmetric, Weighing::Interleaving { colluders }]
            .map(|weighing| Evidence::new(readings, &biases, weighing));
        let odds = (false_accusation / SCORES.len() as f64 / audience as f64).ln();
        let limits = evidence.each_ref().map(|evidence| evidence.limit(odds));
        let [symmetric, likelihood] = &evidence;
        let mut blocks: Vec<Block> = Vec::new();
        for ((index, one), (_, other)) in symmetric.marks().zip(likelihood.marks()) {
            let (number, at) = (index / BLOCK, usize::from(index % BLOCK));
            let Some(bias) = biases.get(usize::from(index)) else {
                continue;
            };
            let [zero, one] = [(one[0], other[0]), (one[1], other[1])].map(|(a, b)| Standing([a, b]));
            let mark = Mark {
                at,
                bias: *bias,
                scores: [zero, one],
            };
            match blocks.last_mut() {
                Some(block) if block.number == number => block.marks.push(mark),
                _ => blocks.push(Block {
                    number,
                    marks: vec![mark],
                }),
            }
        }
        Ok(Self {
            key,
            event,
            blocks,
            evidence,
            limits,
        })
    }

    /// How a session stands.
    pub fn standing(&self, session: &Session<'_>) -> Standing {
        let mut sums = [0.0; 2];
        for block in &self.blocks {
            let words = self.key.words(&self.event, session, block.number);
            for mark in &block.marks {
                let word = words.get(mark.at).copied().unwrap_or_default();
                let [zero, one] = mark.scores;
                let Standing(scores) = if mark.bias.holds(word) { one } else { zero };
                sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
            }
        }
        Standing(sums)
    }

    /// Whether a session that stands so is accused.
    pub fn accuses(&self, standing: Standing) -> bool {
        let pairs = standing.0.iter().zip(&self.limits);
        pairs
            .into_iter()
            .any(|(score, limit)| limit.is_some_and(|limit| *score >= limit))
    }

    /// The score that accuses, by either score; `None` where the recording is too short for any to.
    pub const fn limits(&self) -> [Option<f64>; 2] {
        self.limits
    }

    /// The odds that one innocent session stands so high or higher, by either score: decimal logarithms of bounds.
    pub fn odds(&self, standing: Standing) -> [f64; 2] {
        let [symmetric, likelihood] = &self.evidence;
        let [one, other] = standing.0;
        [symmetric.tail(one), likelihood.tail(other)].map(|tail| tail.bound / core::f64::consts::LN_10)
    }

    /// How many positions count.
    pub fn positions(&self) -> usize {
        self.evidence.first().map_or(0, Evidence::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Design;

    const EVENT: Event<'static> = Event {
        service: "news",
        epoch: 1,
        design: Design::Four,
    };
    const BITS: u16 = 32_760;

    fn key() -> CodeKey {
        CodeKey::from_secret(&[3; 32])
    }

    fn session(id: &str) -> Session<'_> {
        Session { operator: 1, id }
    }

    /// What sessions who take turns record, from a position on.
    fn readings(sessions: &[&str], first: u16, count: u16) -> Vec<Reading> {
        let key = key();
        let readings = (first..first + count).map(|index| {
            let one = sessions[usize::from(index % 13 * 7 % 13) % sessions.len()];
            Reading {
                index,
                probability_b: if key.bit(&EVENT, &session(one), index) {
                    0.98
                } else {
                    0.02
                },
            }
        });
        readings.collect()
    }

    #[test]
    fn scores_are_those_of_whole_patterns() {
        let key = key();
        let readings = readings(&["leaker"], 20_011, 50);
        let trial = Trial::new(&key, EVENT, BITS, &readings, 1000, 1e-3).unwrap();
        assert_eq!(trial.positions(), 50);
        let biases = key.biases(&EVENT, BITS);
        for id in ["leaker", "viewer"] {
            let pattern = key.pattern(&EVENT, &session(id), &biases).unwrap();
            let standing = trial.standing(&session(id));
            for (evidence, score) in trial.evidence.iter().zip(standing.0) {
                assert!((evidence.score(&pattern) - score).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn colluders_are_accused_and_nobody_else() {
        let key = key();
        for (leakers, count) in [
            (&["one"][..], 90),
            (&["one", "two"], 300),
            (&["one", "two", "three"], 600),
        ] {
            let readings = readings(leakers, 100, count);
            let trial = Trial::new(&key, EVENT, BITS, &readings, 1_000_000, 1e-6).unwrap();
            let accused: Vec<_> = leakers
                .iter()
                .filter(|id| trial.accuses(trial.standing(&session(id))))
                .collect();
            assert!(!accused.is_empty(), "{leakers:?}");
            for at in 0..300 {
                let id = format!("viewer-{at}");
                assert!(!trial.accuses(trial.standing(&session(&id))), "{id}");
            }
        }
    }

    /// Innocent sessions reach a limit no more often than its odds, be it low enough to be reached at all.
    #[test]
    fn the_innocent_reach_a_limit_no_more_often_than_its_odds() {
        let key = key();
        let mut readings = readings(&["one", "two"], 0, 120);
        // Whatever the pirates do to single segments.
        for (at, reading) in readings.iter_mut().enumerate() {
            reading.probability_b = match at % 5 {
                0 => 0.5,
                1 => 0.3,
                2 => 0.995,
                _ => reading.probability_b,
            };
        }
        let runs = 10_000;
        // As if one session were judged: 1 % are accused wrongly, at most, by both scores together.
        let trial = Trial::new(&key, EVENT, BITS, &readings, 1, 0.01).unwrap();
        let accused = (0..runs)
            .filter(|at| trial.accuses(trial.standing(&session(&format!("viewer-{at}")))))
            .count();
        assert!(accused < runs / 100, "{accused}");
        // And the bound is near.
        assert!(accused > runs / 2000, "{accused}");
    }

    #[test]
    fn a_recording_that_is_too_short_accuses_nobody() {
        let key = key();
        let readings = readings(&["leaker"], 0, 12);
        let trial = Trial::new(&key, EVENT, BITS, &readings, 1_000_000, 1e-6).unwrap();
        assert_eq!(trial.limits(), [None, None]);
        assert!(!trial.accuses(Standing([f64::MAX; 2])));
        let odds = trial.odds(trial.standing(&session("leaker")));
        assert!(odds.iter().all(|odds| *odds < -1.0), "{odds:?}");
    }

    #[test]
    fn what_cannot_be_tried_is_said() {
        let key = key();
        let trial = |bits, audience, odds| Trial::new(&key, EVENT, bits, &[], audience, odds).map(|_| ());
        assert_eq!(trial(BITS, 0, 1e-6), Err(TrialError::Empty));
        assert_eq!(trial(BITS, 10, 0.9), Err(TrialError::Odds));
        assert_eq!(trial(0, 10, 1e-6), Err(TrialError::Bits));
        assert_eq!(trial(BITS, 10, 1e-6), Ok(()));
    }
}
