//! The claims of a watermark (ETSI TS 104 002 §6), by tokens that go the whole way.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use ciborium::Value;
use selvedge_token::{
    Authentic, Jwk, KeySet, Label, Mark, MarkError, MarkMode, Minter, Policy, SegmentDuration, SigningKey,
    UnixMillis, Verifier,
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
        segment_duration: None,
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
fn a_token_may_say_how_long_a_segment_is() {
    let with = |ticks: Value| {
        let minter = minter().derived_mark(254, 64, "s", 7, 3).claim(303, ticks);
        Verifier::new(keys(&[]), Policy::default()).authenticate(&minter.mint(&signing()).unwrap())
    };
    let six = Value::Array(vec![60_000.into(), 10_000.into()]);
    let due = SegmentDuration {
        ticks: 60_000,
        timescale: 10_000,
    };
    let token = with(six).unwrap();
    assert_eq!(token.mark().unwrap().unwrap().segment_duration, Some(due));
    for wrong in [vec![0.into(), 1.into()], vec![1.into(), 0.into()], vec![1.into()]] {
        assert!(with(Value::Array(wrong)).is_err());
    }
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
            // Nine bytes for 64 bits, a COSE_Mac0, a COSE_Encrypt without recipients, an empty array.
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

#[cfg(feature = "encrypt")]
mod enveloped {
    use selvedge_token::{AgreementKey, Algorithm, EnvelopeSeed};

    use super::*;

    /// Of the COSE working group's examples, `p256-ss-wrap-128-01`: its recipient's key, and its message.
    const EXAMPLE: (&str, &str) = (
        r#"{"kty":"EC","use":"enc","kid":"meriadoc.brandybuck@buckland.example","crv":"P-256",
            "x":"Ze2loSV3wrroKUN_4zhwGhCqo3Xhu1td4QjeQ5wIVR0",
            "y":"HlLtdXARY_f55A3fnzQbPcm6hgr34Mp8p-nuzQCE0Zw",
            "d":"r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8"}"#,
        "D8608443A10101A1054C02D1F7E6F26C43D4868D87CE582464F84D913BA60A76070A9A48F26E97E863E2852948658F0811139868826E89218A75715B818344A101381FA221A42001215820EDCBD809C754DB6582C16D6D65747C8AECC92D619C778EB17F13B55C9B3E48F52258200F38495E0CFD448E93B1E366C047CBA0D567B3C526BCE36C3F3403A29D9D2A8A01020458246D65726961646F632E6272616E64796275636B406275636B6C616E642E6578616D706C65581833CB2D33A9C2A9178284E03D6DCCFFEA4E32D7363BDA50D3",
    );

    fn edge_key() -> Jwk {
        Jwk::agreement("edge", &[3; 32]).unwrap()
    }

    fn seed(byte: u8) -> EnvelopeSeed {
        EnvelopeSeed {
            sender: [byte; 32],
            content: [byte; 32],
            nonce: [byte; 12],
            agreement: [byte; 16],
        }
    }

    fn token() -> Authentic {
        // Who mints has the public half alone.
        let public = edge_key().for_sender();
        assert_eq!(public.d, None);
        let recipient = AgreementKey::from_jwk(&public).unwrap();
        let minter = minter().enveloped_mark(254, 64, &PATTERN, &recipient, &seed(9));
        read(&minter.unwrap().mint(&signing()).unwrap())
    }

    fn message() -> Value {
        let token = token();
        let pattern = token.claims().watermark.as_ref().unwrap().pattern.clone();
        ciborium::from_reader(&pattern.unwrap()[..]).unwrap()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        ciborium::into_writer(value, &mut out).unwrap();
        out
    }

    fn open(message: &Value) -> Result<Vec<u8>, MarkError> {
        keys(&[edge_key()]).open_pattern(&bytes(message), 64, None, NOW)
    }

    /// The parts of the message's one recipient: protected, unprotected, wrapped key.
    fn recipient(message: &mut Value) -> &mut Vec<Value> {
        let parts = parts(message);
        let recipients = parts[3].as_array_mut().unwrap();
        recipients[0].as_array_mut().unwrap()
    }

    fn parts(message: &mut Value) -> &mut Vec<Value> {
        match message {
            Value::Tag(96, message) => message.as_array_mut().unwrap(),
            _ => panic!("{message:?}"),
        }
    }

    #[test]
    fn the_working_groups_example_opens() {
        let key: Jwk = serde_json::from_str(EXAMPLE.0).unwrap();
        assert_eq!(key.algorithm(), Ok(Algorithm::EcdhSsA128Kw));
        let set = keys(&[key]);
        let text = b"This is the content.";
        assert_eq!(
            set.open_pattern(&hex(EXAMPLE.1), 160, None, NOW),
            Ok(text.to_vec())
        );
        assert!(matches!(
            set.open_pattern(&hex(EXAMPLE.1), 64, None, NOW),
            Err(MarkError::Pattern { .. })
        ));
    }

    #[test]
    fn a_pattern_is_for_who_has_the_private_half() {
        let token = token();
        let open = |more: &[Jwk]| token.open_pattern(&keys(more), NOW);
        assert_eq!(open(&[edge_key()]), Ok(PATTERN.to_vec()));
        let private = edge_key().for_recipient();
        assert!(private.d.is_some(), "an edge opens");
        for (none, why) in [
            (vec![], "no key"),
            (vec![edge_key().for_sender()], "the public half"),
            (
                vec![Jwk::agreement("edge", &[4; 32]).unwrap()],
                "another key of its name",
            ),
            (vec![Jwk::agreement("other", &[3; 32]).unwrap()], "another name"),
            (
                vec![Jwk {
                    exp: Some(NOW.seconds()),
                    ..edge_key()
                }],
                "over",
            ),
            (
                vec![Jwk {
                    iss: Some(vec!["other".into()]),
                    ..edge_key()
                }],
                "another issuer's",
            ),
        ] {
            assert_eq!(
                token.open_pattern(&keys(&none), NOW),
                Err(MarkError::Key),
                "{why}"
            );
        }
    }

    #[test]
    fn a_pattern_that_was_opened_is_judged_again_and_not_opened_again() {
        let bound = Jwk {
            exp: Some(NOW.seconds() + 10),
            ..edge_key()
        };
        let set = keys(&[bound]);
        let token = token();
        for (after, due) in [
            (0, Ok(PATTERN.to_vec())),
            (9, Ok(PATTERN.to_vec())),
            (10, Err(MarkError::Key)),
            (5, Ok(PATTERN.to_vec())),
        ] {
            assert_eq!(token.open_pattern(&set, NOW.plus_seconds(after)), due, "{after}");
        }
        // What was opened by some keys is nothing to others.
        assert_eq!(token.open_pattern(&keys(&[]), NOW), Err(MarkError::Key));
        let clear = read(DIRECT.1);
        assert_eq!(clear.open_pattern(&keys(&[]), NOW), Ok(PATTERN.to_vec()));
        let indirect = read(INDIRECT.1).open_pattern(&keys(&[]), NOW);
        assert!(matches!(indirect, Err(MarkError::Missing { .. })));
    }

    #[test]
    fn the_message_may_stand_in_a_byte_string_and_without_its_tag() {
        let tagged = message();
        let Value::Tag(96, bare) = tagged.clone() else {
            panic!("{tagged:?}")
        };
        for form in [&tagged, &*bare] {
            assert_eq!(open(form), Ok(PATTERN.to_vec()));
            assert_eq!(open(&Value::Bytes(bytes(form))), Ok(PATTERN.to_vec()));
        }
    }

    #[test]
    fn a_sender_may_be_named_and_a_key_compressed() {
        let seed = seed(9);
        let sender = Jwk::agreement("sender", &seed.sender).unwrap();
        let named = |name: &str| {
            let mut message = message();
            let unprotected = recipient(&mut message)[1].as_map_mut().unwrap();
            unprotected.retain(|(label, _)| *label != Value::from(-2));
            unprotected.push(((-3).into(), Value::Bytes(name.into())));
            keys(&[edge_key(), sender.for_sender()]).open_pattern(&bytes(&message), 64, None, NOW)
        };
        assert_eq!(named("sender"), Ok(PATTERN.to_vec()));
        assert_eq!(named("nobody"), Err(MarkError::Key));

        // The points of both signs have one first coordinate, which is all that the secret is made of.
        for sign in [false, true] {
            let mut message = message();
            let unprotected = recipient(&mut message)[1].as_map_mut().unwrap();
            let mut key = unprotected
                .iter_mut()
                .filter(|(label, _)| *label == Value::from(-2));
            key.next().unwrap().1.as_map_mut().unwrap()[3].1 = Value::Bool(sign);
            assert_eq!(open(&message), Ok(PATTERN.to_vec()));
        }
    }

    #[test]
    fn whatever_was_changed_opens_nothing() {
        type Change = fn(&mut Value);
        let changes: [(&str, Change); 9] = [
            ("the content", |message| flip(&mut parts(message)[2], 0)),
            ("its tag", |message| flip(&mut parts(message)[2], 20)),
            ("its protected header", |message| {
                parts(message)[0] = Value::Bytes(vec![0xa1, 1, 1]);
            }),
            ("its nonce", |message| {
                flip(&mut parts(message)[1].as_map_mut().unwrap()[0].1, 3);
            }),
            ("a nonce of eight bytes", |message| {
                parts(message)[1].as_map_mut().unwrap()[0].1 = Value::Bytes(vec![9; 8]);
            }),
            ("the wrapped key", |message| flip(&mut recipient(message)[2], 7)),
            ("half a wrapped key", |message| {
                recipient(message)[2] = Value::Bytes(vec![1; 7])
            }),
            ("the agreement's nonce", |message| {
                let unprotected = recipient(message)[1].as_map_mut().unwrap();
                unprotected.retain(|(label, _)| *label != Value::from(-22));
            }),
            ("no sender", |message| {
                let unprotected = recipient(message)[1].as_map_mut().unwrap();
                unprotected.retain(|(label, _)| *label != Value::from(-2));
            }),
        ];
        for (what, change) in changes {
            let mut message = message();
            change(&mut message);
            assert_eq!(open(&message), Err(MarkError::Key), "{what}");
        }
    }

    #[test]
    fn a_hostile_message_is_no_message() {
        type Change = fn(&mut Value);
        let changes: [(&str, Change); 8] = [
            ("a point off the curve", |message| {
                let unprotected = recipient(message)[1].as_map_mut().unwrap();
                let key = unprotected
                    .iter_mut()
                    .find(|(label, _)| *label == Value::from(-2))
                    .unwrap();
                flip(&mut key.1.as_map_mut().unwrap()[3].1, 31);
            }),
            ("a critical header", |message| {
                let unprotected = recipient(message)[1].as_map_mut().unwrap();
                unprotected.push((2.into(), Value::Array(vec![99.into()])));
            }),
            ("a label twice", |message| {
                let unprotected = recipient(message)[1].as_map_mut().unwrap();
                unprotected.push((1.into(), (-32).into()));
            }),
            ("no recipient", |message| parts(message)[3] = Value::Array(vec![])),
            ("nine recipients", |message| {
                let one = parts(message)[3].as_array().unwrap()[0].clone();
                parts(message)[3] = Value::Array(vec![one; 9]);
            }),
            ("recipients of a recipient", |message| {
                let one = Value::Array(recipient(message).clone());
                recipient(message).push(Value::Array(vec![one]));
            }),
            ("five parts", |message| parts(message).push(Value::Null)),
            ("a text for a key", |message| recipient(message)[2] = "key".into()),
        ];
        for (what, change) in changes {
            let mut message = message();
            change(&mut message);
            let refused = open(&message);
            assert!(
                matches!(refused, Err(MarkError::Pattern { .. })),
                "{what}: {refused:?}"
            );
        }
        let whole = bytes(&message());
        let set = keys(&[edge_key()]);
        for end in 0..whole.len() {
            assert!(set.open_pattern(&whole[..end], 64, None, NOW).is_err(), "{end}");
        }
    }

    #[test]
    fn of_several_recipients_one_is_enough() {
        let mut message = message();
        let ours = parts(&mut message)[3].as_array().unwrap()[0].clone();
        let mut other = ours.clone();
        // ECDH-ES + A128KW, for somebody else.
        other.as_array_mut().unwrap()[0] = Value::Bytes(vec![0xa1, 1, 0x38, 28]);
        parts(&mut message)[3] = Value::Array(vec![other.clone(), other.clone(), ours]);
        assert_eq!(open(&message), Ok(PATTERN.to_vec()));
        parts(&mut message)[3] = Value::Array(vec![other]);
        assert_eq!(open(&message), Err(MarkError::Key));
    }

    #[test]
    fn a_key_that_is_none_is_named() {
        let key = edge_key();
        for (jwk, member) in [
            (
                Jwk {
                    x: key.y.clone(),
                    ..key.clone()
                },
                "x",
            ),
            (
                Jwk {
                    d: Jwk::agreement("", &[8; 32]).unwrap().d,
                    ..key.clone()
                },
                "d",
            ),
            (
                Jwk {
                    crv: Some("P-384".into()),
                    ..key.clone()
                },
                "crv",
            ),
            (
                Jwk {
                    usage: Some("sig".into()),
                    ..key.clone()
                },
                "use",
            ),
        ] {
            let error = KeySet::from_jwks([&jwk]).unwrap_err().to_string();
            assert!(error.contains(&format!("{member:?}")), "{error}");
        }
        assert!(SigningKey::from_jwk(&key).is_err());
        assert!(!format!("{:?}", AgreementKey::from_jwk(&key).unwrap()).contains("3, 3"));
    }

    fn flip(value: &mut Value, at: usize) {
        value.as_bytes_mut().unwrap()[at] ^= 1;
    }
}
