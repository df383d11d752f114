use proptest::prelude::*;

use super::*;

fn key() -> CodeKey {
    CodeKey::from_secret(&core::array::from_fn(|at| at as u8))
}

fn news(design: Design) -> Event<'static> {
    Event {
        service: "news",
        epoch: 1,
        design,
    }
}

const SESSION: Session<'static> = Session {
    operator: 7,
    id: "s-7f3a",
};

fn first_bits(event: &Event<'_>, session: &Session<'_>, length: u16) -> u64 {
    let key = key();
    (0..length).fold(0, |bits, index| {
        bits << 1 | u64::from(key.bit(event, session, index))
    })
}

/// What another implementation of the derivation, in another language, has.
#[test]
fn every_edge_derives_the_same_bits() {
    for (design, bits) in [
        (Design::Two, 0xe87b_7bf9_73d6_1054),
        (Design::Four, 0x607a_dfc0_2fd4_4a04),
        (Design::Six, 0x607a_dec9_afde_8a44),
        (Design::Eight, 0x607a_ded1_a7de_4a04),
    ] {
        assert_eq!(first_bits(&news(design), &SESSION, 64), bits, "{design:?}");
    }
    let far = Event {
        service: "été",
        epoch: (1 << 40) + 5,
        design: Design::Four,
    };
    let nameless = Session {
        operator: 1 << 63,
        id: "",
    };
    assert_eq!(first_bits(&far, &nameless, 40), 0x5e_1835_7bc6);
}

#[test]
fn every_edge_derives_the_same_biases() {
    let first = |design| -> Vec<f64> {
        let biases = key().biases(&news(design), 6);
        biases.iter().map(|bias| bias.probability() * 65_536.0).collect()
    };
    assert_eq!(
        first(Design::Four),
        [13_849.0, 51_687.0, 51_687.0, 13_849.0, 13_849.0, 13_849.0]
    );
    assert_eq!(
        first(Design::Eight),
        [4_550.0, 60_986.0, 60_986.0, 21_628.0, 4_550.0, 4_550.0]
    );
}

#[test]
fn the_last_positions_have_bits_as_well() {
    let (key, event) = (key(), news(Design::Four));
    let bits = [32_759, 32_766, 65_534].map(|index| key.bit(&event, &SESSION, index));
    assert_eq!(bits, [true, false, true]);
}

#[test]
fn another_service_epoch_operator_session_or_key_has_another_pattern() {
    let event = news(Design::Four);
    let this = first_bits(&event, &SESSION, 64);
    for (other, session) in [
        (
            Event {
                service: "new",
                ..event
            },
            SESSION,
        ),
        (Event { epoch: 2, ..event }, SESSION),
        (
            event,
            Session {
                operator: 8,
                ..SESSION
            },
        ),
        (
            event,
            Session {
                id: "s-7f3b",
                ..SESSION
            },
        ),
        (event, Session { id: "", ..SESSION }),
    ] {
        assert_ne!(first_bits(&other, &session, 64), this);
    }
    let other = CodeKey::from_secret(&[1; 32]);
    assert!((0..64).any(|index| other.bit(&event, &SESSION, index) != key().bit(&event, &SESSION, index)));
}

#[test]
fn no_secret_shows() {
    assert_eq!(format!("{:?}", key()), "CodeKey");
}

proptest! {
    #[test]
    fn a_pattern_has_the_bits_that_an_edge_derives(length in 1_u16..200, epoch in any::<u64>(), id in "[a-z]{0,8}", at in any::<u16>()) {
        let (key, event) = (key(), Event { epoch, ..news(Design::Six) });
        let session = Session { operator: 1, id: &id };
        let biases = key.biases(&event, length);
        let pattern = key.pattern(&event, &session, &biases).unwrap();
        prop_assert_eq!(pattern.bits(), length);
        let at = at % length;
        prop_assert_eq!(pattern.bit(at), key.bit(&event, &session, at));
        prop_assert_eq!(biases[usize::from(at)], key.bias(&event, at));
    }

    #[test]
    fn variants_are_as_frequent_as_the_biases_say(seed in any::<[u8; 32]>()) {
        let (key, event) = (CodeKey::from_secret(&seed), news(Design::Four));
        let biases = key.biases(&event, 4000);
        let pattern = key.pattern(&event, &SESSION, &biases).unwrap();
        let due: f64 = biases.iter().map(|bias| bias.probability()).sum();
        let ones = (0..4000).filter(|at| pattern.bit(*at)).count() as f64;
        // Seven standard deviations of 4000 draws.
        prop_assert!((ones - due).abs() < 190.0, "{} of {}", ones, due);
    }
}
