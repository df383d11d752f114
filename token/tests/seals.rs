//! What a seal promises: of every algorithm, plain and encrypted, and against whoever changes or confuses it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use proptest::prelude::*;
#[cfg(feature = "encrypt")]
use selvedge_token::EncryptionKey;
#[cfg(any(feature = "encrypt", feature = "ps256"))]
use selvedge_token::inspect;
use selvedge_token::{
    Algorithm, Authentic, Class, Component, Jwk, KeySet, Match, Minter, Policy, Refusal, SigningKey,
    UnixMillis, Verifier,
};

const NOW: UnixMillis = UnixMillis::from_seconds(1_790_000_000);
#[cfg(feature = "encrypt")]
const NONCE: [u8; 12] = [7; 12];

/// A private key of each algorithm that this build signs by.
fn signers() -> Vec<Jwk> {
    let mut keys = vec![
        Jwk::symmetric("hs256", &[1; 32]),
        Jwk::elliptic("es256", &[2; 32]).unwrap(),
    ];
    if cfg!(feature = "extra-algorithms") {
        keys.push(Jwk::octets("hs384", Algorithm::Hs384, &[3; 48]));
        keys.push(Jwk::octets("hs512", Algorithm::Hs512, &[4; 64]));
        keys.push(key(include_str!("data/es384.jwk.json")));
        keys.push(key(include_str!("data/ed25519.jwk.json")));
    }
    keys
}

fn key(json: &str) -> Jwk {
    serde_json::from_str(json).unwrap()
}

#[cfg(feature = "encrypt")]
fn ciphers() -> [Jwk; 2] {
    [
        Jwk::octets("a128", Algorithm::A128Gcm, &[5; 16]),
        Jwk::octets("a256", Algorithm::A256Gcm, &[6; 32]),
    ]
}

fn news() -> Minter {
    Minter::new()
        .issuer("broadcaster")
        .expires_at(NOW.plus_seconds(60))
        .uri(Component::Path, Match::Prefix("/live/news/".into()))
}

fn mint(jwk: &Jwk) -> String {
    news().mint(&SigningKey::from_jwk(jwk).unwrap()).unwrap()
}

#[cfg(feature = "encrypt")]
fn mint_encrypted(jwk: &Jwk, cipher: &Jwk) -> String {
    let cipher = EncryptionKey::from_jwk(cipher).unwrap();
    news()
        .mint_encrypted(&SigningKey::from_jwk(jwk).unwrap(), &cipher, NONCE)
        .unwrap()
}

fn authenticate(keys: &[Jwk], token: &str) -> Result<Authentic, Refusal> {
    Verifier::new(KeySet::from_jwks(keys).unwrap(), Policy::default()).authenticate(token)
}

fn bytes(token: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(token).unwrap()
}

fn text(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Every token that this build can mint, with the keys of its recipient: more than one of each kind, so that a
/// token without its `kid`, which no seal covers, is nobody's.
static TOKENS: LazyLock<Vec<(String, Vec<Jwk>)>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for jwk in signers() {
        let keys = vec![jwk.for_recipient(), Jwk::symmetric("other", &[9; 32])];
        #[cfg(feature = "encrypt")]
        for cipher in ciphers() {
            all.push((mint_encrypted(&jwk, &cipher), [&keys[..], &ciphers()].concat()));
        }
        all.push((mint(&jwk), keys));
    }
    all
});

#[test]
fn a_token_of_each_algorithm_is_authentic_under_its_key_and_no_other() {
    for jwk in signers() {
        let token = authenticate(&[jwk.for_recipient()], &mint(&jwk)).unwrap();
        assert_eq!(
            (token.kid(), Ok(token.algorithm())),
            (jwk.kid.as_str(), jwk.algorithm())
        );
        assert_eq!(token.claims().issuer.as_deref(), Some("broadcaster"));
        assert!(!token.is_encrypted());
        let stranger = Jwk {
            kid: jwk.kid.clone(),
            ..Jwk::symmetric("", &[9; 64])
        };
        assert!(authenticate(&[stranger], &mint(&jwk)).is_err());
    }
}

#[test]
fn a_key_of_another_type_under_the_same_name_opens_nothing() {
    let signers = signers();
    for signer in &signers {
        let token = mint(signer);
        for other in signers.iter().filter(|other| other.kid != signer.kid) {
            let renamed = Jwk {
                kid: signer.kid.clone(),
                ..other.for_recipient()
            };
            let refusal = authenticate(std::slice::from_ref(&renamed), &token).unwrap_err();
            assert_eq!(
                refusal,
                Refusal::AlgorithmMismatch,
                "{} by {}",
                signer.kid,
                other.kid
            );
            // Both keys under one name: the right one is still found.
            assert!(authenticate(&[renamed, signer.for_recipient()], &token).is_ok());
        }
    }
}

#[test]
fn a_public_key_taken_for_a_secret_opens_nothing() {
    let private = Jwk::elliptic("k", &[2; 32]).unwrap();
    let point = [
        bytes(private.x.as_ref().unwrap()),
        bytes(private.y.as_ref().unwrap()),
    ]
    .concat();
    let forged = mint(&Jwk::symmetric("k", &point));
    assert_eq!(
        authenticate(&[private.for_recipient()], &forged).unwrap_err(),
        Refusal::AlgorithmMismatch
    );
    // The same with the tag of a signature, and with no `alg` that could give it away.
    let mut relabelled = bytes(&forged);
    relabelled[2] = 0xd2;
    assert!(authenticate(&[private.for_recipient()], &text(&relabelled)).is_err());
}

#[test]
#[cfg(feature = "ps256")]
fn a_ps256_token_made_elsewhere_is_authentic() {
    let data: serde_json::Value = serde_json::from_str(include_str!("data/pss.json")).unwrap();
    let member = |name: &str| data["token"][name].as_str().unwrap();
    let jwk = Jwk::rsa(member("kid"), &bytes(member("n")), &bytes(member("e")));
    let token = authenticate(std::slice::from_ref(&jwk), member("token")).unwrap();
    assert_eq!(token.algorithm(), Algorithm::Ps256);
    assert_eq!(token.claims().issuer.as_deref(), Some("issuer"));
    assert_eq!(
        inspect(member("token")).unwrap().to_string().lines().next(),
        Some("COSE_Sign1, PS256, kid 'rsa'")
    );
    assert!(SigningKey::from_jwk(&jwk).is_err());
    assert!(KeySet::from_jwks([&jwk.for_signer()]).is_err());

    let mut tampered = bytes(member("token"));
    for at in (0..tampered.len()).step_by(3) {
        tampered[at] ^= 1;
        assert!(
            authenticate(std::slice::from_ref(&jwk), &text(&tampered)).is_err(),
            "byte {at}"
        );
        tampered[at] ^= 1;
    }
}

#[test]
fn either_half_of_s_is_a_signature_and_the_low_one_is_made() {
    let jwk = Jwk::elliptic("k", &[2; 32]).unwrap();
    let token = bytes(&mint(&jwk));
    let (message, signature) = token.split_at(token.len() - 64);
    let low = p256::ecdsa::Signature::from_slice(signature).unwrap();
    assert_eq!(low.normalize_s(), low);
    let (r, s) = low.split_scalars();
    let high = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    assert_ne!(high, low);
    let other = [message, &high.to_bytes()].concat();
    assert!(authenticate(&[jwk.for_recipient()], &text(&other)).is_ok());
}

/// `sign-pass-01` of the COSE working group's examples. Its payload is no claims map: where the seal is right,
/// the refusal is about the claims.
#[test]
fn the_working_groups_signature_is_one_over_the_header_as_received() {
    let elliptic = Jwk {
        d: None,
        ..key(
            r#"{"kty":"EC","kid":"11","crv":"P-256","x":"usWxHK2PmfnHKwXPS54m0kTcGJ90UiglWiGahtagnv8",
                "y":"IBOL-C3BttVivg-lSreASjpkttcsz-1rb7btKLv8EX4"}"#,
        )
    };
    let sign1 = "D28441A0A201260442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E11A02E5F0344BF2D4EE5C7FD75A68A9F5E0B3CC1F1FC1409C189566586FF9D610";
    let message: Vec<u8> = sign1
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let refusal = |message: &[u8]| authenticate(std::slice::from_ref(&elliptic), &text(message)).unwrap_err();
    // The example signs over h'' although it sends h'a0': what was received is what counts.
    let as_signed = [&message[..2], &[0x40], &message[4..]].concat();
    assert!(
        matches!(refusal(&as_signed), Refusal::Cbor { .. }),
        "{:?}",
        refusal(&as_signed)
    );
    assert_eq!(refusal(&message), Refusal::BadSignature);
}

#[test]
fn bounds_of_a_key_bind_its_tokens() {
    let jwk = Jwk {
        iss: Some(vec!["somebody".into()]),
        ..Jwk::symmetric("k", &[1; 32])
    };
    let token = authenticate(std::slice::from_ref(&jwk), &mint(&jwk)).unwrap();
    assert!(!token.key_bounds().speak_for(token.claims().issuer.as_deref()));
    assert!(token.key_bounds().hold_at(NOW));
    assert_eq!(Refusal::KeyNotValid { kid: "k".into() }.class(), Class::Invalid);
}

#[cfg(feature = "encrypt")]
mod encrypted {
    use super::*;

    fn set(keys: &[&Jwk]) -> Vec<Jwk> {
        keys.iter().map(|key| (*key).clone()).collect()
    }

    /// COSE_Encrypt0 of any plaintext.
    fn enclose(cipher: &Jwk, plaintext: &[u8], nonce: &[u8]) -> String {
        use aes_gcm::{AeadInOut as _, Aes128Gcm, KeyInit as _, Nonce};
        let secret: [u8; 16] = bytes(cipher.k.as_ref().unwrap()).try_into().unwrap();
        let mut sealed = plaintext.to_vec();
        let iv: [u8; 12] = NONCE;
        let tag = Aes128Gcm::new(&secret.into())
            .encrypt_inout_detached(
                &Nonce::from(iv),
                b"\x83\x68Encrypt0\x43\xa1\x01\x01\x40",
                sealed.as_mut_slice().into(),
            )
            .unwrap();
        sealed.extend_from_slice(&tag);
        let mut token = b"\xd0\x83\x43\xa1\x01\x01\xa1\x05".to_vec();
        token.push(0x40 | nonce.len() as u8);
        token.extend_from_slice(nonce);
        token.extend_from_slice(&[0x59, (sealed.len() >> 8) as u8, sealed.len() as u8]);
        token.extend_from_slice(&sealed);
        text(&token)
    }

    #[test]
    fn a_signed_token_inside_is_the_signers_and_bound_by_both_keys() {
        let signer = Jwk {
            iss: Some(vec!["broadcaster".into(), "b".into()]),
            ..Jwk::elliptic("s", &[2; 32]).unwrap()
        };
        let cipher = Jwk {
            iss: Some(vec!["b".into()]),
            exp: Some(9),
            ..ciphers()[1].clone()
        };
        let text = mint_encrypted(&signer, &cipher);
        let token = authenticate(&set(&[&signer.for_recipient(), &cipher]), &text).unwrap();
        assert_eq!((token.kid(), token.algorithm()), ("s", Algorithm::Es256));
        assert!(token.is_encrypted());
        assert_eq!(token.key_bounds().issuers.as_deref(), Some(&["b".to_owned()][..]));
        assert_eq!(token.key_bounds().not_after, Some(9));
        assert_eq!(
            inspect(&text).unwrap().to_string(),
            "COSE_Encrypt0, A256GCM, kid 'a256'"
        );
    }

    #[test]
    fn without_either_key_it_stays_shut() {
        let [a128, a256] = ciphers();
        let signer = Jwk::symmetric("s", &[1; 32]);
        let token = mint_encrypted(&signer, &a128);
        assert!(matches!(
            authenticate(&set(&[&signer, &a256]), &token),
            Err(Refusal::UnknownKey { .. })
        ));
        assert!(matches!(
            authenticate(&set(&[&signer]), &token),
            Err(Refusal::UnknownKey { .. })
        ));
        assert!(matches!(
            authenticate(&set(&[&a128]), &token),
            Err(Refusal::UnknownKey { .. })
        ));
        let renamed = Jwk {
            kid: "a128".into(),
            ..a256
        };
        assert_eq!(
            authenticate(&set(&[&signer, &renamed]), &token),
            Err(Refusal::AlgorithmMismatch)
        );
        let wrong = Jwk::octets("a128", Algorithm::A128Gcm, &[9; 16]);
        assert_eq!(
            authenticate(&set(&[&signer, &wrong]), &token),
            Err(Refusal::BadSignature)
        );
        // One kid, two keys: the second one opens it.
        assert!(authenticate(&set(&[&signer, &wrong, &a128]), &token).is_ok());
    }

    #[test]
    fn bare_claims_are_those_of_the_ciphers_key() {
        let cipher = Jwk {
            iss: Some(vec!["x".into()]),
            ..ciphers()[0].clone()
        };
        let keys = set(&[&cipher]);
        // {1: "x"}
        let token = authenticate(&keys, &enclose(&cipher, b"\xa1\x01\x61x", &NONCE)).unwrap();
        assert_eq!((token.kid(), token.algorithm()), ("a128", Algorithm::A128Gcm));
        assert!(token.key_bounds().speak_for(Some("x")) && !token.key_bounds().speak_for(Some("y")));
        // Something behind the map, half a map, nothing, or no map.
        for plaintext in [&b"\xa1\x01\x61x\x00"[..], b"\xa1\x01", b"", b"\x80", b"\x61x"] {
            assert!(authenticate(&keys, &enclose(&cipher, plaintext, &NONCE)).is_err());
        }
    }

    #[test]
    fn nothing_is_encrypted_twice_and_the_cwt_tag_stays_outside() {
        let cipher = &ciphers()[0];
        let signer = Jwk::symmetric("s", &[1; 32]);
        let keys = set(&[&signer, cipher]);
        let inner = bytes(&mint(&signer));
        assert!(inner.starts_with(&[0xd8, 61]));
        assert!(authenticate(&keys, &enclose(cipher, &inner[2..], &NONCE)).is_ok());
        assert!(matches!(
            authenticate(&keys, &enclose(cipher, &inner, &NONCE)),
            Err(Refusal::Cose { .. })
        ));
        let trailing = [&inner[2..], &[0]].concat();
        assert!(authenticate(&keys, &enclose(cipher, &trailing, &NONCE)).is_err());
        let once = bytes(&enclose(cipher, b"\xa0", &NONCE));
        assert_eq!(
            authenticate(&keys, &enclose(cipher, &once, &NONCE)),
            Err(Refusal::Cose {
                what: "COSE_Encrypt0 inside COSE_Encrypt0"
            })
        );
    }

    #[test]
    fn a_nonce_has_twelve_bytes() {
        let cipher = &ciphers()[0];
        for length in [0, 11, 13, 16] {
            assert_eq!(
                authenticate(&set(&[cipher]), &enclose(cipher, b"\xa0", &[7; 16][..length])),
                Err(Refusal::Cose {
                    what: "the IV is not 12 bytes"
                })
            );
        }
        // No IV at all, and a partial one.
        for header in [&b"\xa0"[..], b"\xa1\x06\x41\x01"] {
            let frame = [b"\xd0\x83\x43\xa1\x01\x01", header, &[0x50], &[0; 16]].concat();
            assert!(matches!(
                authenticate(&set(&[cipher]), &text(&frame)),
                Err(Refusal::Cose { .. })
            ));
        }
    }

    #[test]
    fn a_cipher_never_verifies_and_a_signer_never_decrypts() {
        let secret = [5; 16];
        let cipher = Jwk::octets("k", Algorithm::A128Gcm, &secret);
        assert!(SigningKey::from_jwk(&cipher).is_err());
        assert!(EncryptionKey::from_jwk(&Jwk::symmetric("k", &[5; 32])).is_err());
        let mac = mint(&Jwk::symmetric("k", &[5; 32]));
        assert!(matches!(
            authenticate(&set(&[&cipher]), &mac),
            Err(Refusal::UnknownKey { .. })
        ));
    }
}

proptest! {
    #[test]
    fn any_flipped_bit_refuses(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let (token, keys) = which.get(&TOKENS);
        let mut tampered = bytes(token);
        let at = at.index(tampered.len());
        tampered[at] ^= 1_u8 << bit;
        prop_assert!(authenticate(keys, token).is_ok());
        prop_assert!(authenticate(keys, &text(&tampered)).is_err(), "byte {} bit {}", at, bit);
    }

    #[test]
    fn a_cut_token_refuses(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let (token, keys) = which.get(&TOKENS);
        let whole = bytes(token);
        prop_assert!(authenticate(keys, &text(&whole[..at.index(whole.len())])).is_err());
    }
}
