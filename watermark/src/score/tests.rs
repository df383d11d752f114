use super::*;
use crate::code::{CodeKey, Design, Event, Session};

const EVENT: Event<'static> = Event {
    service: "news",
    epoch: 1,
    design: Design::Four,
};

fn key() -> CodeKey {
    CodeKey::from_secret(&[3; 32])
}

fn pattern(biases: &[Bias], id: &str) -> Pattern {
    key()
        .pattern(&EVENT, &Session { operator: 1, id }, biases)
        .unwrap()
}

/// What a session's own recording says, if every reading is right.
fn readings(pattern: &Pattern, length: u16) -> Vec<Reading> {
    (0..length)
        .map(|index| Reading {
            index,
            probability_b: f64::from(u8::from(pattern.bit(index))),
        })
        .collect()
}

#[test]
fn the_symmetric_score_is_that_of_the_literature() {
    let p = 0.2_f64;
    let (rare, usual) = (((1.0 - p) / p).sqrt(), (p / (1.0 - p)).sqrt());
    for (bit, shown, due) in [
        (true, true, rare),
        (true, false, -rare),
        (false, true, -usual),
        (false, false, usual),
    ] {
        let score = Weighing::Symmetric.hard(p, bit, shown);
        assert!((score - due).abs() < 1e-12, "{bit} {shown}: {score}");
    }
}

#[test]
fn an_innocent_session_has_no_score_on_average_and_a_variance_of_one_a_position() {
    for p in [0.1, 0.5, 0.8] {
        for shown in [false, true] {
            let score = |bit| Weighing::Symmetric.hard(p, bit, shown);
            let mean = p * score(true) + (1.0 - p) * score(false);
            let square = p * score(true).powi(2) + (1.0 - p) * score(false).powi(2);
            assert!(mean.abs() < 1e-12 && (square - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn a_reading_that_says_nothing_speaks_for_nobody() {
    for p in [0.2, 0.5] {
        for bit in [false, true] {
            let score = Weighing::Symmetric.soft(p, bit, 0.5);
            assert!(score.abs() < 1e-12, "{p} {bit}: {score}");
        }
    }
}

#[test]
fn the_leaker_is_named_and_nobody_else() {
    let length = 120;
    let biases = key().biases(&EVENT, length);
    for weighing in [Weighing::Symmetric, Weighing::Interleaving { colluders: 2 }] {
        let evidence = Evidence::new(&readings(&pattern(&biases, "leaker"), length), &biases, weighing);
        assert_eq!(evidence.len(), 120);
        let odds = |id: &str| evidence.tail(evidence.score(&pattern(&biases, id))).bound;
        assert!(odds("leaker") < -30.0, "{weighing:?}: {}", odds("leaker"));
        for innocent in 0..300 {
            let odds = odds(&format!("viewer-{innocent}"));
            assert!(odds > -12.0, "{weighing:?}: {innocent} {odds}");
        }
    }
}

#[test]
fn lost_and_wrong_readings_cost_length_and_name_nobody_else() {
    let length = 300;
    let biases = key().biases(&EVENT, length);
    let mut noisy = readings(&pattern(&biases, "leaker"), length);
    for (at, reading) in noisy.iter_mut().enumerate() {
        if at % 10 == 0 {
            reading.probability_b = 1.0 - reading.probability_b;
        } else if at % 3 == 0 {
            reading.probability_b = 0.5;
        }
    }
    let evidence = Evidence::new(&noisy, &biases, Weighing::Symmetric);
    let odds = |id: &str| evidence.tail(evidence.score(&pattern(&biases, id))).bound;
    assert!(odds("leaker") < -20.0, "{}", odds("leaker"));
    assert!((0..300).all(|innocent| odds(&format!("viewer-{innocent}")) > -12.0));
}

#[test]
fn a_position_counts_once_and_what_is_no_reading_not_at_all() {
    let biases = key().biases(&EVENT, 4);
    let reading = |index, probability_b| Reading { index, probability_b };
    let readings = [
        reading(0, 1.0),
        reading(0, 0.0),
        reading(9, 1.0),
        reading(1, f64::NAN),
        reading(2, 1.5),
    ];
    let evidence = Evidence::new(&readings, &biases, Weighing::Symmetric);
    assert_eq!(evidence.len(), 1);
    assert!(Evidence::new(&[], &biases, Weighing::Symmetric).is_empty());
}

/// Far out no simulation gets there by itself, so innocent bits are drawn by tilted biases and weighed back.
#[test]
fn the_bound_is_above_what_importance_sampling_finds_and_near_it() {
    let length = 200;
    let biases = key().biases(&EVENT, length);
    let evidence = Evidence::new(
        &readings(&pattern(&biases, "leaker"), length),
        &biases,
        Weighing::Symmetric,
    );
    // About 1e-9.
    let score = 6.0 * 200_f64.sqrt();
    let tail = evidence.tail(score);
    assert!((-26.0..-14.0).contains(&tail.bound), "{tail:?}");
    let tilt = score / 200.0;
    let mut state = 1_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let runs = 4000;
    let mut sum = 0.0;
    for _ in 0..runs {
        let (mut total, mut weight) = (0.0, 0.0);
        for mark in &evidence.marks {
            let [zero, one] = mark.scores.map(|score| (tilt * score).exp());
            let all = (1.0 - mark.bias) * zero + mark.bias * one;
            let bit = draw() < mark.bias * one / all;
            let got = mark.scores[usize::from(bit)];
            total += got;
            weight += all.ln() - tilt * got;
        }
        if total >= score {
            sum += weight.exp();
        }
    }
    let found = (sum / f64::from(runs)).ln();
    assert!(tail.bound >= found - 0.2, "{tail:?} {found}");
    assert!(tail.bound - found < 4.5, "{tail:?} {found}");
    // Scores move in steps of 2.4, which at this tilt are a factor of e.
    assert!((tail.estimate - found).abs() < 1.2, "{tail:?} {found}");
}
