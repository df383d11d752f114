//! What a claim demands of a text: URIs are normalised once and for all, and each kind of match means what it says.
//!
//! Three lines: which match (one character), what it demands, and the path that is asked for.
#![no_main]

use std::sync::LazyLock;

use ciborium::Value;
use libfuzzer_sys::fuzz_target;
use selvedge_fuzz::{KEY, verifier};
use selvedge_token::{Minter, Policy, Refusal, Request, RequestUri, SigningKey, UnixMillis, Verifier};
use sha2::{Digest as _, Sha256};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(Policy::default()));
static SIGNING: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_jwk(&KEY).expect("a key of 32 bytes"));

const PATH: i64 = 3;

fn rule(kind: u8, demanded: &str) -> (i64, Value) {
    match kind {
        b'0' => (0, demanded.into()),
        b'1' => (1, demanded.into()),
        b'2' => (2, demanded.into()),
        b'3' => (3, demanded.into()),
        b'4' => (4, Value::Array(vec![demanded.into()])),
        _ => (-1, Value::Bytes(Sha256::digest(demanded).to_vec())),
    }
}

/// Whether a pattern is of the part that POSIX and the crate `regex` have in common: no escapes, no lazy or possessive
/// forms, no classes inside classes.
fn is_common(pattern: &str) -> bool {
    let bytes = pattern.as_bytes();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-*+?|()^$[]{},".contains(&byte);
    let clashes = |pair: &[u8]| {
        matches!(pair, [b'*' | b'+' | b'?' | b'}' | b'(', b'?'] | b"--" | b"{,")
            || matches!(pair, [b'*' | b'+' | b'?' | b'}', b'+'])
    };
    // A bracket that begins with the closing one holds it; the classes inside classes of `regex` are not POSIX's.
    if pattern.contains("[]") || pattern.contains("[^]") {
        return false;
    }
    let nested = pattern
        .split(']')
        .any(|piece| piece.bytes().filter(|byte| *byte == b'[').count() > 1);
    bytes.iter().all(|byte| plain(*byte)) && !bytes.windows(2).any(clashes) && !nested
}

/// What the crate `regex` says, where it may be asked.
fn other_opinion(pattern: &str, text: &str) -> Option<bool> {
    if !is_common(pattern) {
        return None;
    }
    let built = regex::RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(1 << 16)
        .build();
    built.ok().map(|regex| regex.is_match(text))
}

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(3, '\n');
    let (Some(kind), Some(demanded), Some(path)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let Ok(uri) = RequestUri::parse("https", "cdn.example", path, None) else {
        return;
    };
    let normal = uri.path();
    assert!(normal.starts_with('/'));
    assert!(
        !normal.split('/').any(|segment| segment == "." || segment == ".."),
        "{normal}"
    );
    assert_eq!(
        RequestUri::parse("https", "cdn.example", normal, None).as_ref(),
        Ok(&uri),
        "normal twice"
    );

    let kind = kind.bytes().next().unwrap_or_default();
    let (key, value) = rule(kind, demanded);
    let claim = Value::Map(vec![(PATH.into(), Value::Map(vec![(key.into(), value)]))]);
    let Ok(token) = Minter::new().claim(312, claim).mint(&SIGNING) else {
        return;
    };
    let authentic = match VERIFIER.authenticate(&token) {
        Ok(authentic) => authentic,
        // A pattern that is no extended regular expression.
        Err(Refusal::MalformedClaim { .. }) if kind == b'4' => return,
        Err(refusal) => panic!("{refusal}"),
    };
    let verdict = VERIFIER.admit(&authentic, &Request::new("GET", &uri), UnixMillis(0));
    let holds = match kind {
        b'0' => normal == demanded,
        b'1' => normal.starts_with(demanded),
        b'2' => normal.ends_with(demanded),
        b'3' => normal.contains(demanded),
        b'4' => match other_opinion(demanded, normal) {
            Some(holds) => holds,
            None => return,
        },
        _ => normal == demanded,
    };
    assert_eq!(verdict.is_ok(), holds, "{verdict:?}");
});
