use ciborium::{Value, cbor};
use proptest::prelude::*;

use super::*;
use crate::{Jwk, KeySet, Minter, Policy, Verifier};

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

fn key() -> SigningKey {
    SigningKey::from_jwk(&Jwk::symmetric("k", &[4; 32])).unwrap()
}

fn authenticate(token: &str) -> Authentic {
    let keys = KeySet::from_jwks([&Jwk::symmetric("k", &[4; 32])]).unwrap();
    Verifier::new(keys, Policy::default())
        .authenticate(token)
        .unwrap()
}

fn token(claims: &Value) -> Authentic {
    authenticate(&seal(&encode(claims), &key()).unwrap())
}

fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn decode(payload: &[u8]) -> Value {
    ciborium::from_reader(payload).unwrap()
}

#[test]
fn a_renewed_token_is_a_token_that_differs_in_its_times() {
    let old = token(
        &cbor!({1 => "broadcaster", 4 => 1_800_000_030, 5 => 1_700_000_000, 7 => (Value::Bytes(vec![1; 16])),
                308 => 0, 310 => 1, 323 => {0 => 2, 1 => 120}, 9999 => [1.5, {"x" => null}]})
        .unwrap(),
    );
    let renewal = old.renewal(NOW).unwrap();
    assert_eq!(renewal.expires(), Some(1_800_000_120));
    let new = authenticate(&renewal.sign(&key()).unwrap());
    let expected = cbor!({1 => "broadcaster", 4 => 1_800_000_120, 5 => 1_700_000_000,
                          7 => (Value::Bytes(vec![1; 16])), 308 => 0, 310 => 1, 323 => {0 => 2, 1 => 120},
                          9999 => [1.5, {"x" => null}], 6 => 1_800_000_000});
    assert_eq!(decode(new.payload()), expected.unwrap());
    assert_eq!(new.renewal(NOW), None);
    assert!(new.renewal(NOW.plus_seconds(60)).is_some());
}

#[test]
fn a_token_without_terms_is_not_renewed() {
    assert_eq!(token(&cbor!({4 => 1_800_000_030}).unwrap()).renewal(NOW), None);
}

#[test]
fn a_session_lasts_as_long_as_the_issuer_grants_and_no_longer() {
    let exchange = |claims: Value| {
        let session = token(&claims).exchange(1000, None, NOW).unwrap();
        (session.expires(), decode(session.payload()))
    };
    let iat = 1_800_000_000;
    // Renewable: up to the horizon.
    assert_eq!(
        exchange(cbor!({4 => 1_800_000_030, 323 => {0 => 0, 1 => 60}, 308 => 1}).unwrap()),
        (
            Some(1_800_001_000),
            cbor!({4 => 1_800_001_000, 6 => iat}).unwrap()
        )
    );
    // Not renewable: its own end, as it was written.
    assert_eq!(
        exchange(cbor!({4 => 1_800_000_030.5, 308 => 2}).unwrap()),
        (
            Some(1_800_000_030),
            cbor!({4 => 1_800_000_030.5, 308 => 2, 6 => iat}).unwrap()
        )
    );
    // Renewable by a way that nobody knows: not renewable.
    assert_eq!(
        exchange(cbor!({4 => 1_800_000_030, 323 => {0 => 9, 1 => 60}}).unwrap()),
        (
            Some(1_800_000_030),
            cbor!({4 => 1_800_000_030, 6 => iat}).unwrap()
        )
    );
    // Renewable, but never due: not renewable.
    for lead in [cbor!(0), cbor!(-5), cbor!(-0.5)] {
        let terms = Value::Map(vec![
            (0.into(), 0.into()),
            (1.into(), 60.into()),
            (2.into(), lead.unwrap()),
        ]);
        assert_eq!(
            exchange(Value::Map(vec![
                (4.into(), 1_800_000_030.into()),
                (323.into(), terms)
            ]))
            .0,
            Some(1_800_000_030)
        );
    }
    // Without an end of its own, whatever its terms.
    for terms in [
        cbor!({0 => 0, 1 => 60}),
        cbor!({0 => 9, 1 => 60}),
        cbor!({0 => 0, 1 => 0}),
    ] {
        let claims = Value::Map(vec![(323.into(), terms.unwrap())]);
        assert_eq!(exchange(claims).0, Some(1_800_001_000));
    }
    assert_eq!(
        exchange(cbor!({2 => "s"}).unwrap()),
        (
            Some(1_800_001_000),
            cbor!({2 => "s", 4 => 1_800_001_000, 6 => iat}).unwrap()
        )
    );
}

#[test]
fn an_exchange_may_give_an_identity_of_its_own() {
    let old = token(&cbor!({4 => 1_800_000_030, 7 => (Value::Bytes(vec![1]))}).unwrap());
    let kept = authenticate(&old.exchange(9, None, NOW).unwrap().sign(&key()).unwrap());
    assert_eq!(kept.claims().token_id.as_deref(), Some(&[1][..]));
    let fresh = authenticate(&old.exchange(9, Some([7; 16]), NOW).unwrap().sign(&key()).unwrap());
    assert_eq!(fresh.claims().token_id.as_deref(), Some(&[7; 16][..]));
    let nameless = token(&cbor!({4 => 1_800_000_030}).unwrap());
    let named = nameless.exchange(9, Some([7; 16]), NOW).unwrap();
    assert_eq!(
        authenticate(&named.sign(&key()).unwrap())
            .claims()
            .token_id
            .as_deref(),
        Some(&[7; 16][..])
    );
}

#[test]
fn a_key_that_is_bound_to_issuers_follows_no_other() {
    let bound = Jwk {
        iss: Some(vec!["us".into()]),
        ..Jwk::symmetric("bound", &[5; 32])
    };
    let bound = SigningKey::from_jwk(&bound).unwrap();
    let follow = |issuer: &str| {
        let claims = Minter::new().issuer(issuer).expires_at(NOW.plus_seconds(9));
        let session = authenticate(&claims.mint(&key()).unwrap()).exchange(9, None, NOW);
        session.unwrap().sign(&bound)
    };
    assert!(follow("us").is_ok());
    assert_eq!(
        follow("them").unwrap_err(),
        MintError::Issuer { kid: "bound".into() }
    );
}

#[cfg(feature = "encrypt")]
#[test]
fn what_came_encrypted_is_not_laid_open() {
    use crate::EncryptionKey;
    let jwk = Jwk {
        alg: Some("A256GCM".into()),
        ..Jwk::symmetric("e", &[6; 32])
    };
    let secret = Minter::new()
        .expires_at(NOW.plus_seconds(30))
        .claim(323, cbor!({0 => 0, 1 => 60}).unwrap());
    let token = secret
        .mint_encrypted(&key(), &EncryptionKey::from_jwk(&jwk).unwrap(), [0; 12])
        .unwrap();
    let keys = KeySet::from_jwks([&Jwk::symmetric("k", &[4; 32]), &jwk]).unwrap();
    let token = Verifier::new(keys, Policy::default())
        .authenticate(&token)
        .unwrap();
    assert_eq!(token.renewal(NOW), None);
    assert_eq!(token.exchange(60, None, NOW), None);
}

#[test]
fn what_is_no_claims_map_is_not_followed() {
    for bad in [
        &b""[..],
        b"\x80",
        b"\xa1\x01",
        b"\xa0\x00",
        b"\xa1\x01\x9f",
        b"\xbf\xff",
    ] {
        assert_eq!(follow(bad, Changes::default(), NOW), None, "{bad:x?}");
    }
}

/// One encoded item, in encodings that a strict writer would not choose too.
fn item() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(|n| vec![0x18, n]),
        any::<i64>().prop_map(|n| [&[0x3b][..], &n.unsigned_abs().to_be_bytes()].concat()),
        any::<u32>().prop_map(|n| [&[0x1b, 0, 0, 0, 0][..], &n.to_be_bytes()].concat()),
        any::<f64>()
            .prop_filter("a number", |x| !x.is_nan())
            .prop_map(|x| [&[0xfb][..], &x.to_be_bytes()].concat()),
        proptest::collection::vec(any::<u8>(), 0..24).prop_map(|bytes| [
            &[0x58, bytes.len() as u8][..],
            &bytes
        ]
        .concat()),
        "[a-zé]{0,10}".prop_map(|text| [&[0x78, text.len() as u8][..], text.as_bytes()].concat()),
        Just(vec![0xf4]),
        Just(vec![0xf6]),
        Just(vec![0xf9, 0x3e, 0x00]),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| [
                &[0x80 | items.len() as u8][..],
                &items.concat()
            ]
            .concat()),
            proptest::collection::vec((inner.clone(), inner.clone()), 0..3).prop_map(|pairs| {
                let items: Vec<u8> = pairs.iter().flat_map(|(k, v)| [&k[..], v].concat()).collect();
                [&[0xb8, pairs.len() as u8][..], &items].concat()
            }),
            (any::<u8>(), inner).prop_map(|(tag, inner)| [&[0xd8, tag][..], &inner].concat()),
        ]
    })
}

/// Keys and values of a claims map, no key twice.
fn claims() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let key = prop_oneof![
        (0_u8..12).prop_map(|label| vec![label]),
        // The same labels, longer than they need to be.
        (0_u8..12).prop_map(|label| vec![0x18, label]),
        (300_u16..330).prop_map(|label| [&[0x19][..], &label.to_be_bytes()].concat()),
        any::<u64>().prop_map(|label| [&[0x3b][..], &label.to_be_bytes()].concat()),
        "[a-z]{0,6}".prop_map(|text| [&[0x78, text.len() as u8][..], text.as_bytes()].concat()),
    ];
    proptest::collection::vec((key, item()), 0..20).prop_map(|mut claims| {
        let mut seen = Vec::new();
        claims.retain(|(key, _)| {
            let value: Value = ciborium::from_reader(&key[..]).unwrap();
            let first = !seen.contains(&value);
            seen.push(value);
            first
        });
        claims
    })
}

fn map(claims: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![0xb9, 0, claims.len() as u8];
    claims
        .iter()
        .for_each(|(key, value)| out.extend([&key[..], value].concat()));
    out
}

/// Keys and values of a claims map as they are written.
fn entries(payload: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut reader = crate::cbor::Reader::new(payload);
    (0..reader.map().unwrap())
        .map(|_| {
            let start = reader.clone();
            reader.skip().unwrap();
            let key = start.until(&reader).to_vec();
            let start = reader.clone();
            reader.skip().unwrap();
            (key, start.until(&reader).to_vec())
        })
        .collect()
}

fn label(key: &[u8]) -> Option<i128> {
    match ciborium::from_reader(key).unwrap() {
        Value::Integer(label) => Some(label.into()),
        _ => None,
    }
}

/// The claims that a change may touch are left out.
fn untouched(claims: &[(Vec<u8>, Vec<u8>)], touched: &[i128]) -> Vec<(Vec<u8>, Vec<u8>)> {
    claims
        .iter()
        .filter(|(key, _)| label(key).is_none_or(|label| !touched.contains(&label)))
        .cloned()
        .collect()
}

proptest! {
    #[test]
    fn every_other_claim_stays_byte_for_byte_and_in_its_place(
        claims in claims(),
        until in any::<i64>(),
        now in any::<i64>(),
        token_id in proptest::option::of(any::<[u8; 16]>()),
    ) {
        let now = UnixMillis(now);
        let renewed = follow(&map(&claims), Changes { expires: Some(until), ..Changes::default() }, now).unwrap();
        let times = [4, 5, 6];
        prop_assert_eq!(untouched(&entries(&renewed), &times), untouched(&claims, &times));
        let value = |payload: &[u8], wanted: i128| {
            let entries = entries(payload);
            let (_, value) = entries.iter().find(|(key, _)| label(key) == Some(wanted)).unwrap();
            decode(value)
        };
        prop_assert_eq!(value(&renewed, 4), Value::from(until));
        prop_assert_eq!(value(&renewed, 6), Value::from(now.seconds()));

        let changes = Changes { expires: Some(until), token_id, kind: Kind::Session };
        let session = follow(&map(&claims), changes, now).unwrap();
        let touched = [4, 5, 6, 7, 308, 323];
        prop_assert_eq!(untouched(&entries(&session), &touched), untouched(&claims, &touched));
        prop_assert!(entries(&session).iter().all(|(key, _)| label(key) != Some(323)));
        prop_assert_eq!(value(&session, 4), Value::from(until));
        if let Some(id) = token_id {
            prop_assert_eq!(value(&session, 7), Value::Bytes(id.to_vec()));
        }
    }

    #[test]
    fn following_twice_is_following_once_at_the_later_time(
        claims in claims(),
        now in 0_i64..4_000_000_000_000,
        later in 0_i64..4_000_000_000_000,
    ) {
        let (first, second) = (UnixMillis(now), UnixMillis(now + later));
        let changes = |now: UnixMillis| Changes { expires: Some(now.seconds() + 120), ..Changes::default() };
        // A date in the future that the first one brings forward is another than the second would have met.
        prop_assume!(claims.iter().all(|(key, _)| label(key) != Some(5)));
        let once = follow(&map(&claims), changes(second), second).unwrap();
        let twice = follow(&follow(&map(&claims), changes(first), first).unwrap(), changes(second), second);
        prop_assert_eq!(once, twice.unwrap());
    }

    #[test]
    fn no_payload_makes_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..200), now in any::<i64>()) {
        let changes = Changes { expires: Some(now), token_id: Some([0; 16]), kind: Kind::Session };
        let _ = follow(&payload, changes, UnixMillis(now));
    }
}
