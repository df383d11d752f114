//! What holds for any claims, whoever wrote them in whatever order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{borrow::Cow, net::IpAddr};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ciborium::Value;
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::{collection::vec, prelude::*, sample::subsequence};
use selvedge_token::{
    Authentic, Jwk, KeySet, Minter, Policy, Request, RequestContext, RequestUri, SigningKey, UnixMillis,
    Verifier,
};
use sha2::Sha256;

const NOW: UnixMillis = UnixMillis::from_seconds(1_790_000_000);
const SECRET: [u8; 32] = [5; 32];

/// A client of whom everything is known that the claims below ask for.
struct Client;

impl RequestContext for Client {
    fn address(&self) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, 7]))
    }

    fn asn(&self) -> Option<u32> {
        Some(64_500)
    }

    fn country(&self) -> Option<Cow<'_, str>> {
        Some("SE".into())
    }

    fn alpn(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(b"h2"))
    }
}

fn verifier() -> Verifier {
    let policy = Policy {
        audiences: vec!["cdn".into()],
        ..Policy::default()
    };
    Verifier::new(KeySet::from_jwks([&Jwk::symmetric("", &SECRET)]).unwrap(), policy)
}

fn admits(token: &str, authentic: &Authentic) -> bool {
    let uri = RequestUri::parse("https", "cdn.example", "/live/news/v/1.m4s", None).unwrap();
    let headers: &[(&str, &str)] = &[("user-agent", "Player/1")];
    let request = Request {
        headers: &headers,
        token,
        context: &Client,
        ..Request::new("GET", &uri)
    };
    verifier()
        .admit(authentic, &request, NOW)
        .and_then(|admission| admission.settle(&[]))
        .is_ok()
}

fn map(entries: Vec<(Value, Value)>) -> Value {
    Value::Map(entries)
}

fn texts(texts: &[&str]) -> Value {
    Value::Array(texts.iter().map(|text| (*text).into()).collect())
}

/// A claims map that is written by hand, in the order given, and sealed.
fn seal(claims: Vec<(Value, Value)>) -> String {
    let write = |value: &Value| {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    };
    let (protected, payload) = (write(&map(vec![(1.into(), 5.into())])), write(&map(claims)));
    let structure = Value::Array(vec![
        "MAC0".into(),
        Value::Bytes(protected.clone()),
        Value::Bytes(Vec::new()),
        Value::Bytes(payload.clone()),
    ]);
    let mac = Hmac::<Sha256>::new_from_slice(&SECRET)
        .unwrap()
        .chain_update(write(&structure))
        .finalize();
    let frame = Value::Array(vec![
        Value::Bytes(protected),
        map(Vec::new()),
        Value::Bytes(payload),
        Value::Bytes(mac.into_bytes().to_vec()),
    ]);
    Base64UrlUnpadded::encode_string(&write(&Value::Tag(61, Box::new(Value::Tag(17, Box::new(frame))))))
}

/// Claims that each admit the request above, and what nobody knows.
fn admitting() -> Vec<(Value, Value)> {
    let seconds = NOW.seconds();
    vec![
        (1.into(), "issuer".into()),
        (2.into(), "household".into()),
        (3.into(), texts(&["other", "cdn"])),
        (4.into(), (seconds + 1).into()),
        (5.into(), Value::Float(seconds as f64 - 0.5)),
        (6.into(), seconds.into()),
        (7.into(), Value::Bytes(vec![7; 16])),
        (310.into(), 1.into()),
        (
            311.into(),
            Value::Array(vec![
                1.into(),
                Value::Tag(
                    52,
                    Box::new(Value::Array(vec![24.into(), Value::Bytes(vec![192, 0, 2])])),
                ),
            ]),
        ),
        (
            312.into(),
            map(vec![(3.into(), map(vec![(1.into(), "/live/news/".into())]))]),
        ),
        (313.into(), texts(&["HEAD", "GET"])),
        (314.into(), Value::Array(vec![Value::Bytes(b"h2".to_vec())])),
        (
            315.into(),
            map(vec![(
                "User-Agent".into(),
                map(vec![(1.into(), "Player/".into())]),
            )]),
        ),
        (316.into(), texts(&["NO", "SE"])),
        (320.into(), "for whom it may concern".into()),
        (323.into(), map(vec![(0.into(), 2.into()), (1.into(), 60.into())])),
        (300.into(), 1.into()),
        (302.into(), 64.into()),
        (70_000.into(), Value::Null),
        (70_001.into(), Value::Tag(1, Box::new(Value::Float(1.5)))),
        (
            (-9).into(),
            Value::Array(vec![Value::Bool(true), map(Vec::new())]),
        ),
        ("vendor".into(), map(vec![("a".into(), Value::Float(0.5))])),
    ]
}

/// Claims that each refuse it.
fn refusing() -> Vec<(Value, Value)> {
    vec![
        (3.into(), "another".into()),
        (4.into(), NOW.seconds().into()),
        (5.into(), (NOW.seconds() + 1).into()),
        (311.into(), Value::Array(vec![64_501.into()])),
        (
            312.into(),
            map(vec![(3.into(), map(vec![(1.into(), "/vod/".into())]))]),
        ),
        (313.into(), texts(&["POST"])),
        (314.into(), Value::Array(vec![Value::Bytes(b"h3".to_vec())])),
        (315.into(), map(vec![("X-Absent".into(), map(Vec::new()))])),
        (316.into(), texts(&["DE"])),
        (
            317.into(),
            Value::Array(vec![Value::Array(vec![0.into(), 0.into(), 1.into()])]),
        ),
        (327.into(), Value::Array(Vec::new())),
        (8.into(), map(vec![(323.into(), Value::Bytes(vec![0; 32]))])),
    ]
}

/// Any of the admitting claims, in any order.
fn some_admitting() -> impl Strategy<Value = Vec<(Value, Value)>> {
    let all = admitting();
    let count = all.len();
    subsequence(all, 0..=count).prop_shuffle()
}

/// Values that a claim which nobody knows may have.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
        vec(any::<u8>(), 0..12).prop_map(Value::Bytes),
        ".{0,8}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((".{0,4}".prop_map(Value::Text), inner.clone()), 0..3).prop_map(Value::Map),
            (24_u64..1000, inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
        ]
    })
}

proptest! {
    #[test]
    fn what_admits_admits_in_any_company_and_order(claims in some_admitting()) {
        let token = seal(claims);
        let authentic = verifier().authenticate(&token).unwrap();
        prop_assert!(admits(&token, &authentic));
    }

    #[test]
    fn what_refuses_refuses_in_any_company_and_order(
        mut claims in some_admitting(), which in 0..refusing().len(), at in any::<prop::sample::Index>(),
    ) {
        let refusing = refusing().swap_remove(which);
        claims.retain(|(label, _)| *label != refusing.0);
        claims.insert(at.index(claims.len() + 1), refusing);
        let token = seal(claims);
        let authentic = verifier().authenticate(&token).unwrap();
        prop_assert!(!admits(&token, &authentic));
    }

    #[test]
    fn the_order_of_a_map_never_matters(claims in some_admitting()) {
        let (one, mut other) = (seal(claims.clone()), claims);
        other.reverse();
        let (one, other) = (verifier().authenticate(&one).unwrap(), verifier().authenticate(&seal(other)).unwrap());
        let (one, other) = (one.claims(), other.claims());
        prop_assert_eq!(&one.issuer, &other.issuer);
        prop_assert_eq!(&one.audience, &other.audience);
        prop_assert_eq!(one.expires, other.expires);
        prop_assert_eq!(one.not_before, other.not_before);
        prop_assert_eq!(&one.token_id, &other.token_id);
        prop_assert_eq!(&one.renewal, &other.renewal);
        prop_assert_eq!(&one.watermark, &other.watermark);
    }

    #[test]
    fn whatever_is_minted_is_authentic_and_says_what_was_said(
        issuer in ".{0,20}", id in vec(any::<u8>(), 0..20), seconds in 1_i64..1_000_000,
        unknown in vec((70_000_i64..80_000, any_value()), 0..6),
    ) {
        let mut minter = Minter::new()
            .issuer(&issuer)
            .token_id(&id)
            .expires_at(NOW.plus_seconds(seconds));
        for (label, value) in unknown {
            minter = minter.claim(label, value);
        }
        let token = minter.mint(&SigningKey::from_jwk(&Jwk::symmetric("", &SECRET)).unwrap()).unwrap();
        let authentic = verifier().authenticate(&token).unwrap();
        prop_assert!(admits(&token, &authentic));
        let claims = authentic.claims();
        prop_assert_eq!(claims.issuer.as_deref(), Some(&*issuer));
        prop_assert_eq!(claims.token_id.as_deref(), Some(&*id));
        prop_assert_eq!(claims.expires.map(|exp| exp.moment()), Some(NOW.plus_seconds(seconds)));
    }
}
