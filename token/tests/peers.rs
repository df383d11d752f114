//! Tokens of ours in the crate `common-access-token`, and its tokens here: one verdict, whoever minted and whoever
//! judges, for what the two have in common.
//!
//! The crate has HMAC alone, and of the claims `iss`, `sub`, `aud` as one text, `exp`, `nbf`, `iat`, `cti`, `catu`,
//! `catm` and `catreplay`; it carries others that are made of integers, texts, bytes, lists and maps with integer keys.
//! What it does otherwise than the standard is kept out of the shared part and shown on its own at the end: it drops
//! a list in `aud`, folds the case of methods, takes a text for a `kid`, does not normalise paths, cuts paths that
//! end in a slash in a way of its own, and cannot read a token with a tag, a float, a boolean or a text key anywhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ciborium::Value;
use common_access_token::{
    Algorithm as TheirAlgorithm, CborValue, KeyId, RegisteredClaims, Token, TokenBuilder, VerificationOptions,
};
use proptest::prelude::*;
use selvedge_token::{
    Jwk, KeySet, Minter, Policy, Refusal, Request, RequestUri, SigningKey, UnixMillis, Verifier,
};
use sha2::{Digest as _, Sha256};

const KID: &str = "shared";
const SECRET: [u8; 32] = [11; 32];
const ISSUER: &str = "issuer";
const AUDIENCE: &str = "cdn";
const HOST: &str = "cdn.example";

const CATREPLAY: i32 = 308;
const CATU: i32 = 312;
const CATM: i32 = 313;
const CATR: i32 = 323;

/// The crate reads the system's clock: both sides are asked for the same moment.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// What a token says, in the terms that both have.
#[derive(Clone, Debug)]
struct Said {
    issuer: &'static str,
    subject: Option<String>,
    audience: Option<&'static str>,
    expires: i64,
    not_before: Option<i64>,
    id: Option<Vec<u8>>,
    others: BTreeMap<i32, CborValue>,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            issuer: ISSUER,
            subject: None,
            audience: None,
            expires: now() + 3600,
            not_before: None,
            id: None,
            others: BTreeMap::new(),
        }
    }
}

impl Said {
    fn also(mut self, label: i32, value: CborValue) -> Self {
        self.others.insert(label, value);
        self
    }

    fn minted_here(&self) -> String {
        let mut minter = Minter::new()
            .issuer(self.issuer)
            .expires_at(UnixMillis::from_seconds(self.expires));
        if let Some(subject) = &self.subject {
            minter = minter.subject(subject);
        }
        if let Some(audience) = self.audience {
            minter = minter.audience(audience);
        }
        if let Some(moment) = self.not_before {
            minter = minter.not_before(UnixMillis::from_seconds(moment));
        }
        if let Some(id) = &self.id {
            minter = minter.token_id(id);
        }
        for (label, other) in &self.others {
            minter = minter.claim(i64::from(*label), value(other));
        }
        let key = SigningKey::from_jwk(&Jwk::symmetric(KID, &SECRET)).unwrap();
        minter.mint(&key).unwrap()
    }

    fn minted_there(&self) -> String {
        let mut claims = RegisteredClaims::new()
            .with_issuer(self.issuer)
            .with_expiration(u64::try_from(self.expires).unwrap());
        if let Some(subject) = &self.subject {
            claims = claims.with_subject(subject.as_str());
        }
        if let Some(audience) = self.audience {
            claims = claims.with_audience(audience);
        }
        if let Some(moment) = self.not_before {
            claims = claims.with_not_before(u64::try_from(moment).unwrap());
        }
        if let Some(id) = &self.id {
            claims = claims.with_cti(id.clone());
        }
        let mut builder = TokenBuilder::new()
            .algorithm(TheirAlgorithm::HmacSha256)
            .unprotected_key_id(KeyId::binary(KID))
            .registered_claims(claims);
        for (label, other) in &self.others {
            builder = builder.custom_cbor(*label, other.clone());
        }
        Base64UrlUnpadded::encode_string(&builder.sign(&SECRET).unwrap().to_bytes().unwrap())
    }
}

fn value(theirs: &CborValue) -> Value {
    match theirs {
        CborValue::Integer(n) => (*n).into(),
        CborValue::Bytes(bytes) => Value::Bytes(bytes.clone()),
        CborValue::Text(text) => text.as_str().into(),
        CborValue::Array(items) => Value::Array(items.iter().map(value).collect()),
        CborValue::Map(map) => Value::Map(
            map.iter()
                .map(|(key, item)| ((*key).into(), value(item)))
                .collect(),
        ),
        CborValue::Null => Value::Null,
    }
}

fn text(text: &str) -> CborValue {
    CborValue::Text(text.into())
}

fn texts(texts: &[&str]) -> CborValue {
    CborValue::Array(texts.iter().map(|each| text(each)).collect())
}

fn map<const N: usize>(entries: [(i32, CborValue); N]) -> CborValue {
    CborValue::Map(entries.into())
}

fn verifier() -> Verifier {
    let policy = Policy {
        issuers: vec![ISSUER.into()],
        audiences: vec![AUDIENCE.into()],
        ..Policy::default()
    };
    Verifier::new(
        KeySet::from_jwks([&Jwk::symmetric(KID, &SECRET)]).unwrap(),
        policy,
    )
}

fn judged_here(token: &str, method: &str, path: &str) -> Result<(), Refusal> {
    let authentic = verifier().authenticate(token)?;
    let uri = RequestUri::parse("https", HOST, path, None).unwrap();
    let admission = verifier().admit(
        &authentic,
        &Request::new(method, &uri),
        UnixMillis::from_seconds(now()),
    )?;
    // A store that has seen nothing.
    let clear = vec![selvedge_token::Standing::Clear; admission.requests().len()];
    admission.settle(&clear).map(|_| ())
}

fn judged_there(token: &str, method: &str, path: &str) -> Result<(), common_access_token::Error> {
    let token = Token::from_bytes(&Base64UrlUnpadded::decode_vec(token).unwrap())?;
    token.verify(&SECRET)?;
    let options = VerificationOptions::new()
        .verify_exp(true)
        .require_exp(true)
        .verify_nbf(true)
        .expected_issuer(ISSUER)
        .require_iss(true)
        .expected_audience(AUDIENCE)
        .verify_catu(true)
        .uri(format!("https://{HOST}{path}"))
        .verify_catm(true)
        .http_method(method)
        .verify_catreplay(true);
    token.verify_claims(&options)
}

/// The one verdict on a request, of both judges on the tokens of both mints.
#[track_caller]
fn verdict(said: &Said, method: &str, path: &str) -> bool {
    let verdicts = [said.minted_here(), said.minted_there()].map(|token| {
        let (here, there) = (
            judged_here(&token, method, path),
            judged_there(&token, method, path),
        );
        assert_eq!(
            here.is_ok(),
            there.is_ok(),
            "{said:?} {method} {path}: {here:?} {there:?}"
        );
        here.is_ok()
    });
    assert_eq!(
        verdicts[0], verdicts[1],
        "{said:?}: the two mints make different tokens"
    );
    verdicts[0]
}

#[test]
fn each_shared_claim_admits_and_refuses_alike() {
    let path = "/live/news/index.m3u8";
    let said = Said::default;
    let uri = |component: i32, kind: i32, demanded: CborValue| {
        said().also(CATU, map([(component, map([(kind, demanded)]))]))
    };
    let hash = |of: &str| CborValue::Bytes(Sha256::digest(of).to_vec());
    let cases = [
        ("nothing but who and until when", said(), true),
        (
            "another issuer",
            Said {
                issuer: "another",
                ..said()
            },
            false,
        ),
        (
            "a subject",
            Said {
                subject: Some("viewer".into()),
                ..said()
            },
            true,
        ),
        (
            "this audience",
            Said {
                audience: Some(AUDIENCE),
                ..said()
            },
            true,
        ),
        (
            "another audience",
            Said {
                audience: Some("another"),
                ..said()
            },
            false,
        ),
        (
            "expired",
            Said {
                expires: now() - 1,
                ..said()
            },
            false,
        ),
        (
            "valid already",
            Said {
                not_before: Some(now() - 1),
                ..said()
            },
            true,
        ),
        (
            "not yet valid",
            Said {
                not_before: Some(now() + 60),
                ..said()
            },
            false,
        ),
        (
            "an identity",
            Said {
                id: Some(vec![7; 16]),
                ..said()
            },
            true,
        ),
        ("this method", said().also(CATM, texts(&["GET", "HEAD"])), true),
        ("another method", said().also(CATM, texts(&["PUT"])), false),
        ("the scheme", uri(0, 0, text("https")), true),
        ("another scheme", uri(0, 0, text("http")), false),
        ("the host", uri(1, 0, text(HOST)), true),
        ("the host's domain", uri(1, 2, text(".example")), true),
        ("another host", uri(1, 0, text("cdn.elsewhere")), false),
        ("the default port, empty", uri(2, 0, text("")), true),
        ("the path", uri(3, 0, text(path)), true),
        ("the path's beginning", uri(3, 1, text("/live/news/")), true),
        ("another beginning", uri(3, 1, text("/live/sport/")), false),
        ("no query", uri(4, 0, text("")), true),
        ("the parent's end", uri(5, 2, text("/news")), true),
        ("the filename's beginning", uri(6, 1, text("index.")), true),
        ("the stem", uri(7, 0, text("index")), true),
        ("the extension", uri(8, 0, text(".m3u8")), true),
        ("another extension", uri(8, 0, text(".mpd")), false),
        ("a part of the path", uri(3, 3, text("/news/")), true),
        (
            "an expression",
            uri(3, 4, texts(&["^/live/[[:alpha:]]+/index[.](m3u8|mpd)$"])),
            true,
        ),
        ("another expression", uri(3, 4, texts(&["^/vod/|[.]mp4$"])), false),
        ("the path's digest", uri(3, -1, hash(path)), true),
        ("another digest", uri(3, -1, hash("/")), false),
        (
            "renewal",
            said().also(
                CATR,
                map([(0, CborValue::Integer(2)), (1, CborValue::Integer(300))]),
            ),
            true,
        ),
        (
            "replay allowed",
            said().also(CATREPLAY, CborValue::Integer(0)),
            true,
        ),
        (
            "a first use",
            Said {
                id: Some(vec![7; 16]),
                ..said()
            }
            .also(CATREPLAY, CborValue::Integer(1)),
            true,
        ),
        (
            "no such replay",
            said().also(CATREPLAY, CborValue::Integer(3)),
            false,
        ),
        (
            "a claim that nobody knows",
            said().also(9_999, texts(&["x"])),
            true,
        ),
    ];
    for (name, said, admits) in cases {
        assert_eq!(verdict(&said, "GET", path), admits, "{name}");
    }
}

#[test]
fn a_flipped_bit_and_another_secret_refuse_on_both_sides() {
    for token in [Said::default().minted_here(), Said::default().minted_there()] {
        let bytes = Base64UrlUnpadded::decode_vec(&token).unwrap();
        // The last byte is the MAC's, the middle one the payload's.
        for at in [bytes.len() - 1, bytes.len() / 2] {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            let forged = Base64UrlUnpadded::encode_string(&forged);
            assert!(judged_here(&forged, "GET", "/").is_err());
            assert!(judged_there(&forged, "GET", "/").is_err());
        }
        let read = Token::from_bytes(&bytes).unwrap();
        assert!(read.verify(&[12; 32]).is_err());
    }
}

/// Paths that both cut alike: at least two names deep, and a filename that begins with a letter.
fn path() -> impl Strategy<Value = String> {
    ("(/[ab]{1,3}){1,3}", "/[ab]{1,2}([.][ab]{1,2}){0,2}").prop_map(|(folders, file)| folders + &file)
}

fn demand() -> impl Strategy<Value = (i32, CborValue)> {
    (0..4_i32, "[/ab.]{0,4}").prop_map(|(kind, demanded)| (kind, CborValue::Text(demanded)))
}

prop_compose! {
    fn said()(
        issuer in prop_oneof![4 => Just(ISSUER), 1 => Just("another")],
        subject in proptest::option::of("[a-zåßλ]{1,24}"),
        audience in proptest::option::of(prop_oneof![4 => Just(AUDIENCE), 1 => Just("another")]),
        // Far enough from now that no verdict changes while it is asked for.
        expires in prop_oneof![1 => -1_000_000..-60_i64, 4 => 60..1_000_000_000_i64],
        not_before in proptest::option::of(prop_oneof![4 => -1_000_000..-60_i64, 1 => 60..1_000_000_i64]),
        id in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..40)),
        methods in proptest::option::of(proptest::sample::subsequence(vec!["GET", "HEAD", "OPTIONS"], 1..3)),
        rules in proptest::collection::btree_map(
            proptest::sample::select(vec![3, 5, 6, 7, 8]),
            proptest::collection::btree_map(0..4_i32, demand(), 1..3),
            0..3,
        ),
    ) -> Said {
        let mut others = BTreeMap::new();
        if let Some(methods) = methods {
            others.insert(CATM, texts(&methods));
        }
        if !rules.is_empty() {
            let rules = rules.into_iter().map(|(component, demands)| {
                (component, CborValue::Map(demands.into_values().collect()))
            });
            others.insert(CATU, CborValue::Map(rules.collect()));
        }
        Said {
            issuer,
            subject,
            audience,
            expires: now() + expires,
            not_before: not_before.map(|seconds| now() + seconds),
            id,
            others,
        }
    }
}

proptest! {
    #[test]
    fn any_shared_token_has_one_verdict(said in said(), path in path(), method in "GET|HEAD|PUT") {
        verdict(&said, &method, &path);
    }

    #[test]
    fn both_mints_write_claims_that_the_other_reads_back(said in said()) {
        let here = verifier().authenticate(&said.minted_there()).unwrap();
        let bytes = Base64UrlUnpadded::decode_vec(&said.minted_here()).unwrap();
        let there = Token::from_bytes(&bytes).unwrap();
        for (issuer, subject, id) in [
            (
                here.claims().issuer.as_deref(),
                here.claims().subject.as_deref(),
                here.claims().token_id.as_deref(),
            ),
            (there.issuer(), there.subject(), there.claims.registered.cti.as_deref()),
        ] {
            prop_assert_eq!(issuer, Some(said.issuer));
            prop_assert_eq!(subject, said.subject.as_deref());
            prop_assert_eq!(id, said.id.as_deref());
        }
        prop_assert_eq!(there.expiration(), u64::try_from(said.expires).ok());
    }
}

#[test]
fn what_the_crate_cannot_read_is_read_here() {
    let mint = |label: i64, claim: Value| {
        let key = SigningKey::from_jwk(&Jwk::symmetric(KID, &SECRET)).unwrap();
        let minter = Minter::new()
            .issuer(ISSUER)
            .expires_at(UnixMillis::from_seconds(now() + 60));
        minter.claim(label, claim).mint(&key).unwrap()
    };
    let address = Value::Tag(52, Box::new(Value::Bytes(vec![192, 0, 2, 1])));
    for (label, claim) in [
        // catnip with an address, a header's rule, an exact end within a second, and a claim of a later standard.
        (311, Value::Array(vec![address])),
        (
            315,
            Value::Map(vec![("x-name".into(), Value::Map(vec![(0.into(), "v".into())]))]),
        ),
        (4, 4_000_000_000.5.into()),
        (9_999, Value::Bool(true)),
    ] {
        let token = mint(label, claim);
        assert!(verifier().authenticate(&token).is_ok(), "{label}");
        assert!(
            Token::from_bytes(&Base64UrlUnpadded::decode_vec(&token).unwrap()).is_err(),
            "{label}"
        );
    }
}

#[test]
fn where_the_crate_departs_from_the_standard_we_do_not() {
    let audiences = Said::default().also(3, texts(&["another"]));
    let token = audiences.minted_here();
    assert_eq!(judged_here(&token, "GET", "/"), Err(Refusal::Audience));
    assert!(
        judged_there(&token, "GET", "/").is_ok(),
        "a list in `aud` is dropped"
    );

    let lower = Said::default().also(CATM, texts(&["get"])).minted_here();
    assert_eq!(judged_here(&lower, "GET", "/"), Err(Refusal::Method));
    assert!(judged_there(&lower, "GET", "/").is_ok(), "case is folded");

    let named = TokenBuilder::new()
        .algorithm(TheirAlgorithm::HmacSha256)
        .protected_key_id(KeyId::string(KID))
        .registered_claims(RegisteredClaims::new().with_issuer(ISSUER));
    let token = Base64UrlUnpadded::encode_string(&named.sign(&SECRET).unwrap().to_bytes().unwrap());
    assert!(matches!(
        judged_here(&token, "GET", "/"),
        Err(Refusal::Cose { .. })
    ));
}
