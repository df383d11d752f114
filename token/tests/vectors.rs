//! The collected vectors: tokens of other libraries and of the standard's rules, with the verdict due to each.
//!
//! They are found through `SELVEDGE_VECTORS`. Every vector must get its exact verdict, but for those that nobody
//! is sure of. What other libraries said of the same tokens is tabled in `docs/token-conformance.md`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use selvedge_token::{
    Component, Coordinates, Dialect, Headers, Jwk, KeySet, Minting, Policy, Refusal, Request, RequestContext,
    RequestUri, Standing, StoreRequest, UnixMillis, Verifier,
};
use serde_json::{Value, json};

/// The kept table, below its introduction.
const CONFORMANCE: &str = include_str!("../../docs/token-conformance.md");

/// A vector named after an address inside the claim's prefix, whose request leaves that address out: as it stands
/// its verdict could only be a guess. It is judged with the address that it speaks of.
const WITHOUT_ITS_ADDRESS: (&str, &str) = ("eyv/catnip-asn-or-prefix-prefix-hit", "10.1.2.3");

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

/// All vectors with a verdict.
fn judged_vectors(folder: &Path) -> Vec<Value> {
    let mut vectors = Vec::new();
    for file in ["spec-derived.json", "eyevinn-generated.json", "peer-tests.json"] {
        vectors.extend(read(folder, file)["vectors"].as_array().unwrap().clone());
    }
    vectors.retain(|vector| vector["expected"] != "parse-only");
    for vector in &mut vectors {
        let (name, address) = WITHOUT_ITS_ADDRESS;
        if vector["name"] == name {
            assert_eq!(vector["request"]["ip"], Value::Null);
            vector["request"]["ip"] = json!(address);
        }
    }
    vectors
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

/// The key of a vector as a JWK, or `None` for an algorithm that is not one of CAT's.
fn jwk(key: &Value) -> Option<Jwk> {
    let kid = key["kid_utf8"].as_str().unwrap_or_default();
    match key["alg"].as_i64()? {
        5 => {
            let mut secret = hex(key["k_hex"].as_str()?);
            // HMAC fills a short secret up with zeros (RFC 2104 §2). This crate takes none that is short, so the
            // vectors of a library that does are judged under the same secret filled up here.
            secret.resize(secret.len().max(32), 0);
            Some(Jwk::symmetric(kid, &secret))
        }
        -7 => Some(Jwk {
            kty: "EC".into(),
            alg: Some("ES256".into()),
            crv: Some("P-256".into()),
            x: Some(base64url(&hex(key["x_hex"].as_str()?))),
            y: Some(base64url(&hex(key["y_hex"].as_str()?))),
            k: None,
            ..Jwk::symmetric(kid, &[])
        }),
        -37 => Some(Jwk::rsa(kid, &hex(key["n_hex"].as_str()?), &[1, 0, 1])),
        _ => None,
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array()
        .map(|all| all.iter().filter_map(Value::as_str).map(Into::into).collect())
        .unwrap_or_default()
}

/// What a vector's request says beyond its line. An absent member is not known.
struct Client<'v>(&'v Value);

impl RequestContext for Client<'_> {
    fn address(&self) -> Option<IpAddr> {
        Some(self.0["ip"].as_str()?.parse().unwrap())
    }

    fn asn(&self) -> Option<u32> {
        Some(self.0["asn"].as_u64()?.try_into().unwrap())
    }

    fn country(&self) -> Option<Cow<'_, str>> {
        self.0["geo"]["country"].as_str().map(Into::into)
    }

    fn subdivision(&self) -> Option<Cow<'_, str>> {
        self.0["geo"]["subdivision"].as_str().map(Into::into)
    }

    fn coordinates(&self) -> Option<Coordinates> {
        Some(Coordinates {
            latitude: self.0["geo"]["lat"].as_f64()?,
            longitude: self.0["geo"]["lon"].as_f64()?,
        })
    }

    fn altitude(&self) -> Option<f64> {
        self.0["geo"]["alt"].as_f64()
    }

    fn alpn(&self) -> Option<Cow<'_, [u8]>> {
        self.0["alpn"].as_str().map(|name| name.as_bytes().into())
    }
}

impl Headers for Client<'_> {
    fn combined(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0["headers"][name].as_str().map(Into::into)
    }
}

/// A vector's URL as its server sees it: the host in ACE form, as clients send it, without fragment, and the token
/// taken out of the query by whoever found it there. A URI that cannot be judged is refused before any claim is.
fn uri(url: &str) -> Result<RequestUri, Refusal> {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = if authority.is_ascii() {
        authority.to_owned()
    } else {
        idna::domain_to_ascii(authority).unwrap()
    };
    let (path, query) = rest
        .split_once('?')
        .map_or((rest, None), |(path, query)| (path, Some(query)));
    let path = if path.is_empty() { "/" } else { path };
    let query = query.map(|query| {
        let is_token = |parameter: &&str| {
            let name = parameter.split_once('=').map_or(*parameter, |(name, _)| name);
            name.eq_ignore_ascii_case("cat")
        };
        let kept: Vec<_> = query
            .split('&')
            .filter(|parameter| !is_token(parameter))
            .collect();
        kept.join("&")
    });
    RequestUri::parse(scheme, &authority, path, query.as_deref()).map_err(|_| Refusal::Uri {
        component: Component::Path,
    })
}

fn judge(key: &Jwk, vector: &Value) -> Result<(), Refusal> {
    let policy = Policy {
        issuers: texts(&vector["policy"]["issuers"]),
        audiences: texts(&vector["policy"]["audiences"]),
        dialect: Dialect::default(),
    };
    let verifier = Verifier::new(KeySet::from_jwks([key]).unwrap(), policy);
    let token = verifier.authenticate(vector["token"].as_str().unwrap())?;
    let client = Client(&vector["request"]);
    let uri = uri(client.0["url"].as_str().unwrap_or("https://cdn.example.com/"))?;
    let request = Request {
        headers: &client,
        context: &client,
        token: vector["token"].as_str().unwrap(),
        // The best lot: whoever is refused with it is always refused.
        random: Some(u64::MAX),
        ..Request::new(client.0["method"].as_str().unwrap_or("GET"), &uri)
    };
    let now = UnixMillis((client.0["now"].as_f64().unwrap_or(0.0) * 1000.0) as i64);
    let admission = verifier.admit(&token, &request, now)?;
    let standings: Vec<Standing> = admission
        .requests()
        .map(|asked| match asked {
            StoreRequest::Once { .. } if client.0["seen"] == true => Standing::Held,
            _ => Standing::Clear,
        })
        .collect();
    admission.settle(&standings).map(|_| ())
}

/// What this crate says of a vector.
fn verdict(keys: &Value, vector: &Value) -> Result<(), Refusal> {
    match jwk(&keys[vector["key"].as_str().unwrap_or_default()]) {
        Some(key) => judge(&key, vector),
        None => Err(Refusal::AlgorithmMismatch),
    }
}

#[test]
fn every_collected_token_gets_its_verdict() {
    let Some(folder) = vectors() else { return };
    let keys = read(&folder, "keys.json");
    let mut wrong = Vec::new();
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    for vector in judged_vectors(&folder) {
        if vector["confidence"] == "unverified" {
            continue;
        }
        let verdict = verdict(&keys, &vector);
        let due = vector["expected"].as_str().unwrap();
        if verdict.is_ok() == (due == "accept") {
            *tally
                .entry(if due == "accept" { "accepted" } else { "refused" })
                .or_default() += 1;
        } else {
            wrong.push(format!(
                "{}: due {due}, got {verdict:?} ({})",
                vector["name"], vector["reason"]
            ));
        }
    }
    println!("{tally:?}");
    assert!(
        wrong.is_empty(),
        "{} wrong verdicts:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(tally["accepted"] > 80 && tally["refused"] > 120, "{tally:?}");
}

#[test]
fn a_collected_token_is_answered_and_renewed_as_it_asks() {
    let Some(folder) = vectors() else { return };
    let keys = read(&folder, "keys.json");
    let mut asked = 0;
    for vector in judged_vectors(&folder) {
        let http = &vector["expected_http"];
        if http.is_null() {
            continue;
        }
        asked += 1;
        let key = jwk(&keys[vector["key"].as_str().unwrap()]).unwrap();
        let keys = KeySet::from_jwks([&key.for_signer()]).unwrap();
        let now = UnixMillis::from_seconds(vector["request"]["now"].as_i64().unwrap());
        let token = Verifier::new(keys.clone(), Policy::default())
            .authenticate(vector["token"].as_str().unwrap())
            .unwrap();
        match judge(&key, &vector) {
            Err(refusal) => {
                let minting = Minting {
                    issuer: Some("edge"),
                    lifetime_seconds: 300,
                    keys: &keys,
                    now,
                };
                let answer = token.consequence(&refusal, &minting).unwrap();
                assert_eq!(
                    Some(u64::from(answer.status)),
                    http["status"].as_u64(),
                    "{}",
                    vector["name"]
                );
            }
            Ok(()) => {
                let renewed = token.renewal(now).and_then(|renewal| renewal.expires());
                assert_eq!(renewed, http["renewed_exp"].as_i64(), "{}", vector["name"]);
            }
        }
    }
    assert!(asked > 1, "the vectors tell of no answer and no renewal");
}

/// How one library fared.
#[derive(Default)]
struct Record {
    asked: usize,
    right: usize,
    /// Admitted what is to be refused.
    open: usize,
    /// Refused what is to be admitted.
    shut: usize,
    /// Died, or gave no answer in time.
    dead: usize,
    /// Could not be asked.
    unsupported: usize,
}

impl Record {
    fn note(&mut self, due: &str, verdict: &str) {
        self.asked += 1;
        match (due, verdict) {
            _ if due == verdict => self.right += 1,
            (_, "accept") => self.open += 1,
            (_, "reject") => self.shut += 1,
            (_, "unsupported") => self.unsupported += 1,
            _ => self.dead += 1,
        }
    }

    fn row(&self, name: &str) -> String {
        let Self {
            asked,
            right,
            open,
            shut,
            dead,
            unsupported,
        } = self;
        format!("| {name} | {asked} | {right} | {open} | {shut} | {dead} | {unsupported} |\n")
    }
}

/// Whether this crate is asked something else than the others were: the request is prepared for it.
fn is_asked_otherwise(vector: &Value) -> bool {
    let url = vector["request"]["url"].as_str().unwrap_or_default();
    vector["name"] == WITHOUT_ITS_ADDRESS.0 || !url.is_ascii() || url.contains("cat=")
}

/// A peer's verdict as the vectors hold it: a word, or the status of an HTTP response.
fn peer_verdict(verdict: &Value) -> &str {
    match (verdict["verdict"].as_str(), verdict["status"].as_u64()) {
        (Some(word), _) => word,
        (None, Some(200..=299)) => "accept",
        (None, Some(_)) => "reject",
        (None, None) => "crash",
    }
}

#[test]
fn the_comparison_with_other_libraries_is_current() {
    let Some(folder) = vectors() else { return };
    let keys = read(&folder, "keys.json");
    let mut ours = Record::default();
    let mut peers: BTreeMap<String, Record> = BTreeMap::new();
    let mut apart: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for vector in judged_vectors(&folder) {
        if vector["confidence"] == "unverified" || is_asked_otherwise(&vector) {
            continue;
        }
        let due = vector["expected"].as_str().unwrap();
        let own = match verdict(&keys, &vector) {
            Ok(()) => "accept",
            Err(_) => "reject",
        };
        ours.note(due, own);
        for (peer, verdict) in vector["peer_verdicts"].as_object().into_iter().flatten() {
            let verdict = peer_verdict(verdict);
            peers.entry(peer.clone()).or_default().note(due, verdict);
            if verdict == "accept" && due == "reject" {
                let name = vector["name"].as_str().unwrap().to_owned();
                apart.entry(name).or_default().push(peer.clone());
            }
        }
    }
    let mut table = String::from(
        "| library | vectors | as due | admitted what is to be refused | refused what is to be admitted | died or hung | cannot be asked |\n\
         |---|---|---|---|---|---|---|\n",
    );
    table += &ours.row("**selvedge-token**");
    for (peer, record) in &peers {
        table += &record.row(peer);
    }
    table += "\n## What others admit and this crate refuses\n\n| vector | admitted by |\n|---|---|\n";
    for (name, peers) in &apart {
        writeln!(table, "| `{name}` | {} |", peers.join(", ")).unwrap();
    }
    println!("{table}");
    assert!(
        CONFORMANCE.ends_with(&table),
        "docs/token-conformance.md is to end with the table above"
    );
}
