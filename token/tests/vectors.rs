//! The collected vectors: tokens of other libraries and of the standard's rules, with the verdict due to each.
//!
//! They are found through `SELVEDGE_VECTORS`. A verdict of this version may be stricter than the vector's in
//! one way only: it may refuse a restriction that it does not evaluate.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use selvedge_token::{
    Algorithm, Component, Dialect, Jwk, KeySet, Label, Policy, Refusal, Request, RequestUri, UnixMillis,
    Verifier,
};
use serde_json::Value;

/// Vectors whose URL is not what a server receives: it holds a host that clients send in ACE form, and a token
/// in the query, which the caller of this crate takes out.
const EXCEPTIONS: [&str; 2] = ["spec/catu-host-idn-ace", "eyv/catu-query-exact-token-removed"];

fn vectors() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SELVEDGE_VECTORS") else {
        println!("SELVEDGE_VECTORS is not set: the collected vectors are not run");
        return None;
    };
    let folder = PathBuf::from(folder).join("cat");
    assert!(
        folder.is_dir(),
        "SELVEDGE_VECTORS is set, but {} is missing",
        folder.display()
    );
    Some(folder)
}

fn read(folder: &Path, file: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn base64url(bytes: &[u8]) -> String {
    use base64ct::Encoding as _;
    base64ct::Base64UrlUnpadded::encode_string(bytes)
}

/// The key of a vector as a JWK, or `None` for an algorithm that this version has not.
fn jwk(key: &Value) -> Option<Jwk> {
    let kid = key["kid_utf8"].as_str().unwrap_or_default();
    match key["alg"].as_i64()? {
        5 => Some(Jwk::symmetric(kid, &hex(key["k_hex"].as_str()?))),
        -7 => Some(Jwk {
            kty: "EC".into(),
            alg: Some(Algorithm::Es256),
            crv: Some("P-256".into()),
            x: Some(base64url(&hex(key["x_hex"].as_str()?))),
            y: Some(base64url(&hex(key["y_hex"].as_str()?))),
            k: None,
            ..Jwk::symmetric(kid, &[])
        }),
        _ => None,
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array()
        .map(|all| all.iter().filter_map(Value::as_str).map(Into::into).collect())
        .unwrap_or_default()
}

fn judge(key: &Jwk, vector: &Value) -> Result<(), Refusal> {
    let policy = Policy {
        issuers: texts(&vector["policy"]["issuers"]),
        audiences: texts(&vector["policy"]["audiences"]),
        dialect: Dialect::default(),
    };
    // A key that may not be configured (too short a secret) verifies nothing.
    let keys = KeySet::from_jwks([key]).map_err(|_| Refusal::AlgorithmMismatch)?;
    let verifier = Verifier::new(keys, policy);
    let token = verifier.authenticate(vector["token"].as_str().unwrap())?;
    let request = &vector["request"];
    let url = request["url"].as_str().unwrap_or("https://cdn.example.com/");
    // A fragment is never sent.
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (path, query) = rest
        .split_once('?')
        .map_or((rest, None), |(path, query)| (path, Some(query)));
    let path = if path.is_empty() { "/" } else { path };
    // A URI that cannot be judged is refused before any claim is looked at.
    let uri = RequestUri::parse(scheme, authority, path, query).map_err(|_| Refusal::Uri {
        component: Component::Path,
    })?;
    let method = request["method"].as_str().unwrap_or("GET");
    let now = UnixMillis((request["now"].as_f64().unwrap_or(0.0) * 1000.0) as i64);
    verifier
        .admit(&token, &Request::new(method, &uri), now)?
        .settle(&[])
        .map(|_| ())
}

#[test]
fn every_collected_token_gets_its_verdict_or_a_stricter_one() {
    let Some(folder) = vectors() else { return };
    let keys = read(&folder, "keys.json");
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for file in ["spec-derived.json", "eyevinn-generated.json", "peer-tests.json"] {
        for vector in read(&folder, file)["vectors"].as_array().unwrap() {
            let expected = vector["expected"].as_str().unwrap();
            if expected == "parse-only" || vector["confidence"] == "unverified" {
                continue;
            }
            let name = vector["name"].as_str().unwrap();
            if EXCEPTIONS.contains(&name) {
                continue;
            }
            let verdict = match jwk(&keys[vector["key"].as_str().unwrap_or_default()]) {
                Some(key) => judge(&key, vector),
                None => Err(Refusal::AlgorithmMismatch),
            };
            let outcome = match (expected, verdict) {
                ("accept", Ok(())) => "accepted as due",
                ("reject", Err(_)) => "refused as due",
                (
                    "accept",
                    Err(
                        Refusal::UnsupportedClaim { .. }
                        | Refusal::Unanswerable { .. }
                        | Refusal::MalformedClaim {
                            claim: Label::CATU, ..
                        }
                        | Refusal::AlgorithmMismatch,
                    ),
                ) => "refused: a restriction or algorithm that is not evaluated yet",
                (_, verdict) => {
                    wrong.push(format!(
                        "{name}: due {expected}, got {verdict:?} ({})",
                        vector["reason"]
                    ));
                    "wrong"
                }
            };
            *tally.entry(outcome).or_default() += 1;
        }
    }
    println!("{tally:#?}");
    assert!(
        wrong.is_empty(),
        "{} wrong verdicts:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        tally["accepted as due"] > 40 && tally["refused as due"] > 80,
        "{tally:?}"
    );
}
