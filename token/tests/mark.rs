//! The claims of a watermark (ETSI TS 104 002 §6), by tokens that go the whole way.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use ciborium::Value;
use selvedge_token::{
    Authentic, Jwk, KeySet, Label, Mark, MarkError, MarkMode, Minter, Policy, SigningKey, UnixMillis,
    Verifier,
};

const NOW: UnixMillis = UnixMillis::from_seconds(1_899_990_000);
const PATTERN: [u8; 8] = [0x0a, 0x0b, 0x0c, 0x0d, 0x5a, 0x5a, 0x5a, 0x5a];

/// Tokens whose payload and text were made by another implementation.
const DIRECT: (&str, &str) = (
    "a6041a713fb300061a713f8bf019012c0119012d18fe19012e1840190130480a0b0c0d5a5a5a5a",
    "2D3RhEOhAQWhBEN3bTFYJ6YEGnE_swAGGnE_i_AZASwBGQEtGP4ZAS4YQBkBMEgKCwwNWlpaWlggDhYj8N0nGY_12qqMh2CuOYa3GQwFLHiX06K36klR77M",
);
const INDIRECT: (&str, &str) = (
    "a8041a713fb300061a713f8bf019012c0119012d18fe19012e19ffff19013166732d376633611901320719013303",
    "2D3RhEOhAQWhBEN3bTFYLqgEGnE_swAGGnE_i_AZASwBGQEtGP4ZAS4Z__8ZATFmcy03ZjNhGQEyBxkBMwNYID2S1DcIsNqQhRTGfSCEMPTHRTymjyXR3w02GJuPTUCQ",
);

fn secret() -> Jwk {
    let bytes: Vec<u8> = (0..32).collect();
    Jwk::symmetric("wm1", &bytes)
}

fn signing() -> SigningKey {
    SigningKey::from_jwk(&secret()).unwrap()
}

fn keys(more: &[Jwk]) -> KeySet {
    KeySet::from_jwks([&secret()].into_iter().chain(more)).unwrap()
}

fn read(token: &str) -> Authentic {
    Verifier::new(keys(&[]), Policy::default())
        .authenticate(token)
        .unwrap()
}

fn minter() -> Minter {
    Minter::default()
        .expires_at(UnixMillis::from_seconds(1_900_000_000))
        .issued_at(NOW)
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn a_token_of_the_direct_mode_has_its_pattern() {
    let token = read(DIRECT.1);
    assert_eq!(token.payload(), hex(DIRECT.0));
    let mark = token.mark().unwrap().unwrap();
    assert_eq!((mark.vendor, mark.bits), (254, 64));
    let MarkMode::Direct { pattern } = mark.mode else {
        panic!("{mark:?}")
    };
    assert_eq!(
        keys(&[]).open_pattern(pattern, 64, None, NOW),
        Ok(PATTERN.to_vec())
    );
    assert_eq!(
        minter().clear_mark(254, 64, &PATTERN).mint(&signing()).unwrap(),
        DIRECT.1
    );
}

#[test]
fn a_token_of_the_indirect_mode_has_what_its_pattern_is_derived_from() {
    let token = read(INDIRECT.1);
    assert_eq!(token.payload(), hex(INDIRECT.0));
    let due = Mark {
        vendor: 254,
        bits: 65_535,
        mode: MarkMode::Indirect {
            id: "s-7f3a",
            operator: 7,
            key_version: 3,
        },
    };
    assert_eq!(token.mark(), Ok(Some(due)));
    let minted = minter()
        .derived_mark(254, 65_535, "s-7f3a", 7, 3)
        .mint(&signing());
    assert_eq!(minted.unwrap(), INDIRECT.1);
}

#[test]
fn a_token_without_such_claims_has_no_mark() {
    let token = read(&minter().mint(&signing()).unwrap());
    assert_eq!(token.mark(), Ok(None));
}

#[test]
fn what_the_standard_asks_for_must_be_there() {
    let whole: [(i64, Value); 8] = [
        (4, 1_900_000_000_i64.into()),
        (6, 1_899_990_000_i64.into()),
        (300, 1.into()),
        (301, 254.into()),
        (302, 64.into()),
        (305, "s".into()),
        (306, 7.into()),
        (307, 3.into()),
    ];
    for missing in &whole {
        let others = whole.iter().filter(|claim| *claim != missing);
        let minter = others.fold(Minter::default(), |minter, (label, value)| {
            minter.claim(*label, value.clone())
        });
        let token = read(&minter.mint(&signing()).unwrap());
        let claim = Label(missing.0.into());
        assert_eq!(token.mark(), Err(MarkError::Missing { claim }));
    }
    let later = minter().derived_mark(254, 64, "s", 7, 3).claim(300, 2);
    let token = read(&later.mint(&signing()).unwrap());
    assert_eq!(token.mark(), Err(MarkError::Version { version: 2 }));
}

#[test]
fn a_renewed_token_and_a_session_token_keep_the_mark_byte_for_byte() {
    let terms = Value::Map(vec![
        (0.into(), 0.into()),
        (1.into(), 20_000.into()),
        (2.into(), 90_000.into()),
    ]);
    for minter in [
        minter().clear_mark(254, 64, &PATTERN),
        minter().derived_mark(254, 32_760, "s-7f3a", 7, 3),
    ] {
        let token = read(&minter.claim(323, terms.clone()).mint(&signing()).unwrap());
        let renewed = token.renewal(NOW).unwrap().sign(&signing()).unwrap();
        let session = token
            .exchange(3600, Some([1; 16]), NOW)
            .unwrap()
            .sign(&signing())
            .unwrap();
        for follower in [renewed, session] {
            let follower = read(&follower);
            assert_ne!(follower.payload(), token.payload());
            assert_eq!(follower.claims().watermark, token.claims().watermark);
            assert_eq!(follower.mark(), token.mark());
        }
    }
}

#[cfg(feature = "encrypt")]
mod encrypted {
    use selvedge_token::{Algorithm, EncryptionKey};

    use super::*;

    fn key(kid: &str, algorithm: Algorithm) -> Jwk {
        let length = if algorithm == Algorithm::A128Gcm { 16 } else { 32 };
        Jwk::octets(kid, algorithm, &vec![9; length])
    }

    fn sealed(jwk: &Jwk) -> Vec<u8> {
        let key = EncryptionKey::from_jwk(jwk).unwrap();
        let minter = minter().encrypted_mark(254, 64, &PATTERN, &key, [3; 12]).unwrap();
        let token = read(&minter.mint(&signing()).unwrap());
        token
            .claims()
            .watermark
            .as_ref()
            .unwrap()
            .pattern
            .clone()
            .unwrap()
    }

    #[test]
    fn an_encrypted_pattern_is_for_who_has_the_key() {
        for algorithm in [Algorithm::A128Gcm, Algorithm::A256Gcm] {
            let jwk = key("p", algorithm);
            let pattern = sealed(&jwk);
            let open = |more: &[Jwk], bits| keys(more).open_pattern(&pattern, bits, None, NOW);
            assert_eq!(open(core::slice::from_ref(&jwk), 64), Ok(PATTERN.to_vec()));
            assert_eq!(open(&[], 64), Err(MarkError::Key));
            assert_eq!(open(&[key("q", algorithm)], 64), Err(MarkError::Key));
            let other = Jwk::octets(
                "p",
                algorithm,
                &vec![8; if algorithm == Algorithm::A128Gcm { 16 } else { 32 }],
            );
            assert_eq!(open(&[other], 64), Err(MarkError::Key));
            assert!(matches!(
                open(core::slice::from_ref(&jwk), 72),
                Err(MarkError::Pattern { .. })
            ));
            let ended = Jwk {
                exp: Some(NOW.seconds()),
                ..jwk.clone()
            };
            assert_eq!(open(&[ended], 64), Err(MarkError::Key));
            let bound = Jwk {
                iss: Some(vec!["other".into()]),
                ..jwk
            };
            assert_eq!(open(&[bound], 64), Err(MarkError::Key));
        }
    }

    #[test]
    fn the_message_may_stand_in_a_byte_string_and_without_its_tag() {
        let jwk = key("p", Algorithm::A256Gcm);
        let tagged = sealed(&jwk);
        let bare = tagged[1..].to_vec();
        let wrapped = |message: &[u8]| {
            let mut out = Vec::new();
            ciborium::into_writer(&Value::Bytes(message.to_vec()), &mut out).unwrap();
            out
        };
        let set = keys(&[jwk]);
        for form in [wrapped(&tagged), wrapped(&bare), tagged, bare] {
            assert_eq!(set.open_pattern(&form, 64, None, NOW), Ok(PATTERN.to_vec()));
        }
    }

    #[test]
    fn what_is_no_such_message_is_said() {
        let set = keys(&[key("p", Algorithm::A256Gcm)]);
        for wrong in [
            // Nine bytes for 64 bits, a COSE_Mac0, a COSE_Encrypt, an empty array.
            &[0x49, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &[0xd1, 0x84, 0x40, 0xa0, 0x40, 0x40],
            &[0xd8, 0x60, 0x84, 0x40, 0xa0, 0x40, 0x80],
            &[0x80],
            &[],
        ] {
            let refused = set.open_pattern(wrong, 64, None, NOW);
            assert!(
                matches!(refused, Err(MarkError::Pattern { .. })),
                "{wrong:?}: {refused:?}"
            );
        }
    }
}
