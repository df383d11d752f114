//! How seldom an innocent session scores so high.
//!
//! Its score is a sum of independent terms of two values each, whose probabilities are the biases. So its cumulants are
//! sums, its moment generating function is a product, and Chernoff's bound is within a small factor of the odds however far
//! out the score lies.

/// Terms of one kind of an innocent session's score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Term {
    /// How probable the bit 1 is.
    pub(crate) probability: f64,
    /// What the bit 0 adds.
    pub(crate) zero: f64,
    /// What the bit 1 adds.
    pub(crate) one: f64,
    /// How many such terms there are.
    pub(crate) count: f64,
}

/// The odds of a score at least as high, by natural logarithms: far out they are smaller than any floating-point number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// Chernoff's bound: the odds are never larger.
    pub bound: f64,
    /// The saddlepoint approximation (Lugannani and Rice): within a factor of five of the odds, to either side, for scores
    /// move in steps and it does not know of these.
    pub estimate: f64,
}

/// Puts terms of one kind together. A code has a handful of biases, and hard decisions two values; soft ones are kept apart.
pub(crate) fn gather(terms: impl Iterator<Item = Term>) -> Vec<Term> {
    let mut kinds: Vec<Term> = Vec::new();
    for term in terms {
        // Enough for every kind there is with hard decisions; of soft ones looking further would cost more than it saves.
        let known = kinds
            .iter_mut()
            .take(16)
            .find(|kind| (kind.probability, kind.zero, kind.one) == (term.probability, term.zero, term.one));
        match known {
            Some(kind) => kind.count += term.count,
            None => kinds.push(term),
        }
    }
    kinds
}

/// The mean of the sum of these terms, and the most that it can be.
pub(crate) fn range(terms: &[Term]) -> (f64, f64) {
    (cumulants(terms, 0.0).first, most(terms))
}

fn most(terms: &[Term]) -> f64 {
    let each = terms.iter().map(|term| term.count * term.zero.max(term.one));
    each.sum()
}

/// The cumulant generating function and its first two derivatives at one point.
#[derive(Clone, Copy, Debug, Default)]
struct Cumulants {
    value: f64,
    first: f64,
    second: f64,
}

impl Tail {
    /// Of a score that is no higher than an innocent session's on average, nothing is said: the bound is 1.
    const NOTHING: Self = Self {
        bound: 0.0,
        estimate: 0.0,
    };

    /// The odds that the sum of these terms is at least `score`.
    pub(crate) fn of(terms: &[Term], score: f64) -> Self {
        let mean = cumulants(terms, 0.0).first;
        let most = most(terms);
        if score.is_nan() || score <= mean {
            return Self::NOTHING;
        }
        // Rounding must not put the highest score there is beyond what can be reached.
        let reach = most - most.abs() * 1e-9 - 1e-9;
        if score >= reach {
            return Self::of_all(terms, score > most + most.abs() * 1e-9 + 1e-9);
        }
        let (tilt, at) = tilt(terms, score);
        let bound = (at.value - tilt * score).min(0.0);
        Self {
            bound,
            estimate: estimate(tilt, at, score).unwrap_or(bound).min(bound),
        }
    }

    /// Of the highest score: every bit is the one that adds more.
    fn of_all(terms: &[Term], is_beyond: bool) -> Self {
        let each = terms.iter().map(|term| {
            let probability = if term.one > term.zero {
                term.probability
            } else if term.one < term.zero {
                1.0 - term.probability
            } else {
                1.0
            };
            term.count * probability.ln()
        });
        let odds = if is_beyond { f64::NEG_INFINITY } else { each.sum() };
        Self {
            bound: odds,
            estimate: odds,
        }
    }

    /// The bound as a probability; 0 where it is too small for a number.
    pub fn probability(self) -> f64 {
        self.bound.exp()
    }
}

fn cumulants(terms: &[Term], tilt: f64) -> Cumulants {
    let mut sum = Cumulants::default();
    for term in terms {
        // Relative to the larger exponent, which may be far beyond what `exp` can say.
        let (zero, one) = (tilt * term.zero, tilt * term.one);
        let top = zero.max(one);
        let zero = (1.0 - term.probability) * (zero - top).exp();
        let one = term.probability * (one - top).exp();
        let all = zero + one;
        let share = one / all;
        let step = term.one - term.zero;
        sum.value += term.count * (top + all.ln());
        sum.first += term.count * (term.zero + share * step);
        sum.second += term.count * share * (1.0 - share) * step * step;
    }
    sum
}

/// Where the derivative is the score: the tilt that makes it the usual one. By bisection, for a bound holds at any tilt
/// and this never fails to find one near.
fn tilt(terms: &[Term], score: f64) -> (f64, Cumulants) {
    let (mut low, mut high) = (0.0, 1.0);
    while cumulants(terms, high).first < score && high < 1e6 {
        low = high;
        high *= 2.0;
    }
    for _ in 0..32 {
        let middle = f64::midpoint(low, high);
        if cumulants(terms, middle).first < score {
            low = middle;
        } else {
            high = middle;
        }
    }
    (high, cumulants(terms, high))
}

/// The formula of Lugannani and Rice, as a logarithm.
fn estimate(tilt: f64, at: Cumulants, score: f64) -> Option<f64> {
    let exponent = tilt * score - at.value;
    let w = (2.0 * exponent).sqrt();
    let u = tilt * at.second.sqrt();
    // Near the mean the two fractions nearly cancel.
    if !(w > 0.5 && u > 0.0) {
        return None;
    }
    // The normal density at w is exp(-exponent) / sqrt(2 pi); what is added to it is the normal tail over that density.
    let density = -exponent - 0.5 * core::f64::consts::TAU.ln();
    let ratio = mills(w) + 1.0 / u - 1.0 / w;
    (ratio > 0.0).then(|| density + ratio.ln())
}

/// The normal tail over the normal density (Mills' ratio), by its continued fraction; for `w` above a half.
fn mills(w: f64) -> f64 {
    let depth = 200_u32;
    let fraction = (1..=depth)
        .rev()
        .fold(w, |below, level| w + f64::from(level) / below);
    1.0 / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coin(count: f64) -> [Term; 1] {
        [Term {
            probability: 0.5,
            zero: -1.0,
            one: 1.0,
            count,
        }]
    }

    /// The odds of at least `heads` of `count` coins.
    fn exact(count: u32, heads: u32) -> f64 {
        let ln_factorial = |n: u32| (1..=n).map(|k| f64::from(k).ln()).sum::<f64>();
        (heads..=count)
            .map(|k| {
                (ln_factorial(count)
                    - ln_factorial(k)
                    - ln_factorial(count - k)
                    - f64::from(count) * 2_f64.ln())
                .exp()
            })
            .sum()
    }

    #[test]
    fn the_bound_holds_and_is_near() {
        for (count, heads) in [(100, 60), (100, 80), (100, 99), (500, 320), (34, 33), (1000, 700)] {
            let tail = Tail::of(&coin(f64::from(count)), f64::from(2 * heads) - f64::from(count));
            let due = exact(count, heads).ln();
            assert!(tail.bound >= due, "{count} {heads}: {} {due}", tail.bound);
            assert!(tail.bound - due < 4.0, "{count} {heads}: {} {due}", tail.bound);
            assert!(tail.estimate <= tail.bound);
            // The score moves in steps of two, which the estimate does not know of.
            assert!(
                (tail.estimate - due).abs() < 1.6,
                "{count} {heads}: {} {due}",
                tail.estimate
            );
        }
    }

    #[test]
    fn the_highest_score_has_the_odds_of_every_bit() {
        let tail = Tail::of(&coin(34.0), 34.0);
        assert!((tail.bound - -34.0 * 2_f64.ln()).abs() < 1e-9);
        assert_eq!(Tail::of(&coin(34.0), 35.0).bound, f64::NEG_INFINITY);
        assert_eq!(Tail::of(&coin(34.0), 35.0).probability(), 0.0);
    }

    #[test]
    fn a_score_that_is_usual_accuses_nobody() {
        for score in [0.0, -5.0, f64::NAN] {
            assert_eq!(Tail::of(&coin(50.0), score).probability(), 1.0);
        }
        assert_eq!(Tail::of(&[], 0.0).probability(), 1.0);
    }

    #[test]
    fn mills_ratio_is_that_of_the_tables() {
        // Q(1) = 0.158655 and Q(6) = 9.8659e-10, over the density.
        for (w, tail) in [(1.0, 0.158_655_25), (3.0, 0.001_349_898), (6.0, 9.865_876e-10)] {
            let density = (-w * w / 2.0_f64).exp() / core::f64::consts::TAU.sqrt();
            assert!((mills(w) * density / tail - 1.0).abs() < 1e-5, "{w}");
        }
    }
}
