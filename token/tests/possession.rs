//! What a verifier makes of tokens that are bound to a key, that ask for something where they refuse, and that are
//! renewed: as a recipient uses them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ciborium::{Value, cbor};
use p256::ecdsa::{Signature, SigningKey as HolderKey, signature::Signer as _};
use selvedge_token::{
    Authentic, Class, CompositeLabels, Dialect, Jwk, KeySet, Label, MemoryStore, Minter, Minting, Policy,
    ProofError, Refusal, Request, RequestUri, SigningKey, Standing, Store as _, UnixMillis, Verifier,
};
use sha2::{Digest as _, Sha256};

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

fn jwk() -> Jwk {
    Jwk::symmetric("edge", &[5; 32]).for_signer()
}

fn keys() -> KeySet {
    KeySet::from_jwks([&jwk()]).unwrap()
}

fn verifier(dialect: Dialect) -> Verifier {
    let policy = Policy {
        dialect,
        ..Policy::default()
    };
    Verifier::new(keys(), policy)
}

fn mint(minter: &Minter) -> String {
    minter.mint(&SigningKey::from_jwk(&jwk()).unwrap()).unwrap()
}

fn holder() -> HolderKey {
    HolderKey::from_slice(&[9; 32]).unwrap()
}

fn coordinates() -> (String, String) {
    let point = holder().verifying_key().to_sec1_point(false);
    let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    (encode(point.x().unwrap()), encode(point.y().unwrap()))
}

/// `cnf` with the holder's thumbprint, made without the library.
fn cnf() -> Value {
    let (x, y) = coordinates();
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let thumbprint = Value::Bytes(Sha256::digest(jwk).to_vec());
    Value::Map(vec![(323.into(), thumbprint)])
}

fn proof(token: &str) -> String {
    let (x, y) = coordinates();
    let header = serde_json::json!({
        "typ": "dpop+jwt", "alg": "ES256", "jwk": { "kty": "EC", "crv": "P-256", "x": x, "y": y },
    });
    let claims = serde_json::json!({
        "jti": "one", "htm": "GET", "htu": "https://cdn.example/live", "iat": NOW.seconds(),
        "ath": Base64UrlUnpadded::encode_string(&Sha256::digest(token)),
    });
    let part = |value: serde_json::Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature: Signature = holder().sign(signed.as_bytes());
    format!(
        "{signed}.{}",
        Base64UrlUnpadded::encode_string(&signature.to_bytes())
    )
}

/// Presents `token` with `proof`, and asks `store` what has to be asked.
fn present(
    verifier: &Verifier,
    token: &str,
    proof: Option<&str>,
    store: &mut MemoryStore,
) -> Result<(), Refusal> {
    let uri = RequestUri::parse("https", "cdn.example", "/live", None).unwrap();
    let lines: Vec<(&str, &str)> = proof.map(|proof| ("dpop", proof)).into_iter().collect();
    let headers = lines.as_slice();
    let request = Request {
        headers: &headers,
        token,
        ..Request::new("GET", &uri)
    };
    let admission = verifier.admit(&verifier.authenticate(token)?, &request, NOW)?;
    let standings: Vec<Standing> = admission
        .requests()
        .map(|request| store.ask(request, NOW))
        .collect();
    admission.settle(&standings).map(|_| ())
}

#[test]
fn a_bound_token_admits_nobody_but_the_holder_of_the_key() {
    let verifier = verifier(Dialect::default());
    let token = mint(&Minter::new().claim(8, cnf()));
    let other = mint(&Minter::new().claim(8, cnf()).subject("other"));
    let mut store = MemoryStore::default();
    let mut present = |proof: Option<&str>| present(&verifier, &token, proof, &mut store);
    assert_eq!(present(Some(&proof(&token))), Ok(()));
    // Nothing asks that a proof be used once.
    assert_eq!(present(Some(&proof(&token))), Ok(()));
    let refused = present(None).unwrap_err();
    assert_eq!(refused, Refusal::Proof(ProofError::Missing));
    assert_eq!(
        (refused.class(), refused.code(), refused.claim()),
        (Class::OutOfScope, "dpop-missing", Some(Label::CNF))
    );
    assert_eq!(
        present(Some(&proof(&other))),
        Err(Refusal::Proof(ProofError::Token))
    );
    let unusable = mint(&Minter::new().claim(8, Value::Map(vec![])));
    let refused = self::present(
        &verifier,
        &unusable,
        Some(&proof(&unusable)),
        &mut MemoryStore::default(),
    );
    assert_eq!(refused, Err(Refusal::Proof(ProofError::Unusable)));
}

#[test]
fn a_proof_is_used_once_where_the_token_says_so() {
    let verifier = verifier(Dialect::default());
    let token = mint(&Minter::new().claim(8, cnf()).claim(321, cbor!({1 => 1}).unwrap()));
    let proof = proof(&token);
    let mut store = MemoryStore::default();
    assert_eq!(present(&verifier, &token, Some(&proof), &mut store), Ok(()));
    assert_eq!(
        present(&verifier, &token, Some(&proof), &mut store),
        Err(Refusal::Proof(ProofError::Replayed))
    );
    let full = &mut MemoryStore::with_capacity(0);
    assert_eq!(
        present(&verifier, &token, Some(&proof), full),
        Err(Refusal::Unanswerable { claim: Label::CNF })
    );
    let critical = mint(
        &Minter::new()
            .claim(8, cnf())
            .claim(321, cbor!({(-1) => [2]}).unwrap()),
    );
    assert!(matches!(
        verifier.authenticate(&critical),
        Err(Refusal::MalformedClaim {
            claim: Label::CATDPOP,
            ..
        })
    ));
}

#[test]
fn a_proof_counts_inside_a_composite_too() {
    let verifier = verifier(Dialect {
        composite: Some(CompositeLabels {
            or: 41,
            nor: 42,
            and: 43,
            crit: None,
        }),
        ..Dialect::default()
    });
    let set = |entries: Vec<(i64, Value)>| {
        Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    };
    let mut store = MemoryStore::default();
    let mut present = |kind, sets: Vec<Value>, proves: bool| {
        let token = mint(&Minter::new().claim(kind, sets));
        let proof = proves.then(|| proof(&token));
        present(&verifier, &token, proof.as_deref(), &mut store).is_ok()
    };
    let post = || set(vec![(313, vec![Value::from("POST")].into())]);
    assert!(present(41, vec![post(), set(vec![(8, cnf())])], true));
    assert!(!present(41, vec![post(), set(vec![(8, cnf())])], false));
    assert!(!present(42, vec![set(vec![(8, cnf())])], true));
    // What would have to be counted cannot be judged there.
    let counted = || set(vec![(8, cnf()), (321, cbor!({1 => 1}).unwrap())]);
    assert!(!present(41, vec![counted()], true));
    assert!(!present(42, vec![counted()], true));
}

#[test]
fn a_refusal_is_answered_as_the_token_asks() {
    let verifier = verifier(Dialect::default());
    let action =
        cbor!({4 => [307, {"Location" => ["https://auth.example/?CAT=", {1 => null, 6 => null}]}, "edge"]});
    let token = mint(&Minter::new().expires_at(NOW).claim(322, action.unwrap()));
    let authentic: Authentic = verifier.authenticate(&token).unwrap();
    let uri = RequestUri::parse("https", "cdn.example", "/live", None).unwrap();
    let refusal = verifier
        .admit(&authentic, &Request::new("GET", &uri), NOW)
        .unwrap_err();
    let keys = keys();
    let minting = Minting {
        issuer: Some("edge"),
        lifetime_seconds: 60,
        keys: &keys,
        now: NOW,
    };
    let answer = authentic.consequence(&refusal, &minting).unwrap();
    assert_eq!(answer.status, 307);
    let (name, location) = answer.fields.first().unwrap();
    let minted = location.strip_prefix("https://auth.example/?CAT=").unwrap();
    assert_eq!(name, "Location");
    assert_eq!(
        verifier.authenticate(minted).unwrap().claims().issuer.as_deref(),
        Some("edge")
    );
    assert_eq!(authentic.consequence(&Refusal::Method, &minting), None);
}

#[test]
fn an_issuer_who_is_not_trusted_has_no_say_in_the_answer() {
    let action = cbor!([307, {"Location" => "https://auth.example/"}]).unwrap();
    let every = |claims: &[i64]| {
        let entries = claims.iter().map(|claim| ((*claim).into(), action.clone()));
        Value::Map(entries.collect())
    };
    // Expired, and nobody whom this recipient trusts: the first must not hide the second.
    let token = Minter::new().expires_at(NOW).claim(322, every(&[1, 4]));
    let bound = |issuers: &[&str]| {
        let issuers = issuers.iter().map(|&issuer| issuer.to_owned()).collect();
        KeySet::from_jwks([&Jwk {
            iss: Some(issuers),
            ..jwk()
        }])
        .unwrap()
    };
    let ours = || Policy {
        issuers: vec!["ours".into()],
        ..Policy::default()
    };
    let keys = keys();
    let minting = Minting {
        issuer: Some("edge"),
        lifetime_seconds: 60,
        keys: &keys,
        now: NOW,
    };
    for (verifier, token, answered) in [
        (
            Verifier::new(keys.clone(), ours()),
            token.clone().issuer("ours"),
            true,
        ),
        (
            Verifier::new(keys.clone(), ours()),
            token.clone().issuer("theirs"),
            false,
        ),
        (Verifier::new(keys.clone(), ours()), token.clone(), false),
        (
            Verifier::new(bound(&["ours"]), Policy::default()),
            token.clone().issuer("ours"),
            true,
        ),
        (
            Verifier::new(bound(&["ours"]), Policy::default()),
            token.issuer("theirs"),
            false,
        ),
    ] {
        let authentic = verifier.authenticate(&mint(&token)).unwrap();
        let uri = RequestUri::parse("https", "cdn.example", "/live", None).unwrap();
        let refusal = verifier
            .admit(&authentic, &Request::new("GET", &uri), NOW)
            .unwrap_err();
        assert_eq!(
            authentic.consequence(&refusal, &minting).is_some(),
            answered,
            "{refusal}"
        );
    }
}

#[test]
fn a_bad_lot_refuses_whatever_the_store_says() {
    let verifier = verifier(Dialect::default());
    let lot = cbor!([0.5, 7]).unwrap();
    let token = verifier
        .authenticate(&mint(&Minter::new().claim(309, lot)))
        .unwrap();
    let uri = RequestUri::parse("https", "cdn.example", "/live", None).unwrap();
    let settle = |random, standing| {
        let request = Request {
            random: Some(random),
            ..Request::new("GET", &uri)
        };
        verifier
            .admit(&token, &request, NOW)
            .unwrap()
            .settle(&[standing])
            .is_ok()
    };
    assert!(settle(u64::MAX, Standing::Clear));
    assert!(!settle(0, Standing::Clear));
}

#[test]
fn a_renewed_token_admits_what_the_old_one_did_for_longer() {
    let verifier = verifier(Dialect::default());
    let old = Minter::new()
        .expires_at(NOW.plus_seconds(30))
        .methods(&["GET"])
        .claim(323, cbor!({0 => 2, 1 => 120}).unwrap());
    let old = verifier.authenticate(&mint(&old)).unwrap();
    let renewal = old.renewal(NOW).unwrap();
    let keys = keys();
    let text = renewal.sign(keys.signing(NOW).unwrap()).unwrap();
    let new = verifier.authenticate(&text).unwrap();
    let uri = RequestUri::parse("https", "cdn.example", "/live", None).unwrap();
    let admits =
        |token: &Authentic, method, now| verifier.admit(token, &Request::new(method, &uri), now).is_ok();
    let later = NOW.plus_seconds(119);
    assert!(!admits(&old, "GET", later) && admits(&new, "GET", later));
    assert!(!admits(&new, "POST", later) && !admits(&new, "GET", NOW.plus_seconds(120)));
    let terms = new.claims().renewal.as_ref().unwrap();
    assert_eq!(
        terms.header(&text).unwrap(),
        ("CTA-Common-Access-Token", text.clone())
    );
}
