use ciborium::cbor;
use proptest::prelude::*;

use super::*;
use crate::{Jwk, Minter, SigningKey};

fn encode(claims: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(claims, &mut bytes).unwrap();
    bytes
}

fn codes(claims: Result<Value, ciborium::value::Error>, exposure: Exposure) -> Vec<&'static str> {
    let warnings = lint_claims(&encode(&claims.unwrap()), exposure).unwrap();
    let text = warnings.iter().map(ToString::to_string).collect::<String>();
    assert!(!text.contains('\n'), "{text}");
    warnings.iter().map(Warning::code).collect()
}

fn clear(claims: Result<Value, ciborium::value::Error>) -> Vec<&'static str> {
    codes(claims, Exposure::Clear)
}

fn tag(tag: u64, value: Value) -> Value {
    Value::Tag(tag, Box::new(value))
}

fn prefix(kind: u64, length: i64, bytes: &[u8]) -> Value {
    tag(
        kind,
        Value::Array(vec![length.into(), Value::Bytes(bytes.into())]),
    )
}

#[test]
fn a_token_for_maximum_reach_has_no_warning() {
    let key = SigningKey::from_jwk(&Jwk::symmetric("k", &[1; 32])).unwrap();
    let token = Minter::new()
        .issuer("broadcaster")
        .subject("5b8ed6b2-fca4-4ed5-915f-58ce1b0f304b")
        .audience("cdn")
        .expires_at(crate::UnixMillis::from_seconds(1_790_000_000))
        .token_id(&[1; 16])
        .methods(&["GET", "HEAD"])
        .uri(crate::Component::Path, crate::Match::Prefix("/live/".into()))
        .mint(&key)
        .unwrap();
    assert_eq!(lint(&token), Ok(Vec::new()));
}

#[test]
fn what_everybody_could_read_of_a_viewer_is_warned_of_unless_encrypted() {
    let address = tag(52, Value::Bytes(vec![192, 0, 2, 7]));
    let wide = Value::Array(vec![
        prefix(52, 24, &[192, 0, 2, 0]),
        prefix(54, 56, &0x2001_0db8_0000_0100_u128.rotate_left(64).to_be_bytes()),
    ]);
    for (claims, code) in [
        (cbor!({4 => 9, 311 => [address]}), "precise-address"),
        (
            cbor!({4 => 9, 311 => [prefix(52, 25, &[192, 0, 2, 0])]}),
            "precise-address",
        ),
        (
            cbor!({4 => 9, 311 => [prefix(54, 64, &[0x20; 16])]}),
            "precise-address",
        ),
        (cbor!({4 => 9, 317 => [[59, 18, 500]]}), "coordinates"),
        (cbor!({4 => 9, 282 => "u6sce"}), "precise-geohash"),
        (cbor!({4 => 9, 282 => ["u6sc", "u6sce"]}), "precise-geohash"),
        (cbor!({4 => 9, 2 => "someone@example.com"}), "identifying-subject"),
        (cbor!({4 => 9, 2 => "+46 8 123 45 678"}), "identifying-subject"),
        (cbor!({4 => 9, 2 => "192.0.2.7"}), "identifying-subject"),
        (cbor!({4 => 9, 2 => "Astrid Lindgren"}), "identifying-subject"),
        (
            cbor!({4 => 9, 41 => [{2 => "someone@example.com"}]}),
            "identifying-subject",
        ),
    ] {
        let claims = claims.unwrap();
        assert!(clear(Ok(claims.clone())).contains(&code), "{code}: {claims:?}");
        assert!(!codes(Ok(claims), Exposure::Encrypted).contains(&code));
    }
    assert_eq!(clear(cbor!({4 => 9, 311 => wide})), ["rust-cat-value"]);
    assert!(clear(cbor!({4 => 9, 282 => "u6sc", 2 => "viewer-9"})).is_empty());
}

#[test]
fn shapes_that_other_libraries_cannot_take_are_warned_of() {
    for (claims, expected) in [
        (cbor!({4 => 9.5}), &["rust-cat-value"][..]),
        (cbor!({4 => 9, 70001 => true}), &["rust-cat-value"]),
        (cbor!({4 => 9, "vendor" => 1}), &["rust-cat-value"]),
        (
            cbor!({4 => 9, 315 => {"X-Device" => {0 => "tv"}}}),
            &["rust-cat-value"],
        ),
        (
            cbor!({4 => 9, 311 => [prefix(52, 8, &[10])]}),
            &["rust-cat-value", "short-prefix"],
        ),
        (cbor!({4 => 9, 3 => ["a", "b"]}), &["array-audience"]),
        (
            cbor!({4 => 9, 312 => {3 => {(-2) => Value::Bytes(vec![0; 32])}}}),
            &["sha-512-256"],
        ),
        (
            cbor!({4 => 9, 312 => {3 => {1 => "/a", 2 => "b"}}}),
            &["several-matches"],
        ),
        (cbor!({4 => 9, 313 => ["get"]}), &["lower-case-method"]),
        (cbor!({4 => 9, 42 => [{316 => ["US"]}]}), &["unassigned-key"]),
    ] {
        assert_eq!(clear(claims), expected);
    }
}

#[test]
fn claims_that_want_others_beside_them_are_warned_of() {
    assert_eq!(clear(cbor!({1 => "a"})), ["no-expiry"]);
    assert_eq!(
        clear(cbor!({323 => {0 => 0, 1 => 8}})),
        ["no-expiry", "renewal-without-expiry"]
    );
    assert_eq!(clear(cbor!({4 => 9, 308 => 1})), ["replay-without-id"]);
    assert!(clear(cbor!({4 => 9, 308 => 1, 7 => Value::Bytes(vec![1])})).is_empty());
}

#[test]
fn expressions_of_perl_are_told_from_posix_ones() {
    for (pattern, perl) in [
        (r"seg_\d+", true),
        (r"a.*?b", true),
        ("(?i)x", true),
        (r"\bx", true),
        (r"seg_[[:digit:]]+\.m4s$", false),
        (r"\\d", false),
        (r"^/(a|b){1,2}$", false),
    ] {
        assert_eq!(is_perl(pattern), perl, "{pattern}");
    }
    assert!(clear(cbor!({4 => 9, 312 => {3 => {4 => [r"\d"]}}})).contains(&"perl-regex"));
    assert!(clear(cbor!({4 => 9, 312 => {3 => {4 => ["(a)", "b"]}}})).contains(&"regex-captures"));
}

#[test]
fn what_recipients_refuse_is_said_first() {
    let tagged = clear(cbor!({4 => tag(1, 9.into())}));
    assert_eq!(tagged, ["refused", "tag", "rust-cat-value"]);
    assert_eq!(clear(cbor!({4 => "soon"})), ["refused"]);
}

#[test]
fn encodings_that_are_not_deterministic_are_named_with_their_place() {
    // {4: 9} with the 9 in two bytes.
    let warnings = lint_claims(&[0xa1, 0x04, 0x18, 0x09], Exposure::Clear).unwrap();
    assert_eq!(
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["an integer or length longer than it need be at byte 2 of the claims: not deterministic CBOR"]
    );
    for (bytes, code) in [
        (&[0xa1, 0x04, 0xf9, 0x48, 0x80][..], "whole-float"),
        (&[0xa1, 0x04, 0xfa, 0x3f, 0xc0, 0, 0], "long-float"),
        (&[0xa1, 0x04, 0xf9, 0x80, 0x00], "negative-zero"),
        (&[0xa1, 0x04, 0xf9, 0x7e, 0x00], "not-a-number"),
        (&[0xbf, 0x04, 0x09, 0xff], "indefinite-length"),
    ] {
        let warnings = lint_claims(bytes, Exposure::Clear).unwrap();
        assert!(
            warnings.iter().any(|warning| warning.code() == code),
            "{code}: {warnings:?}"
        );
    }
}

#[test]
fn size_and_header_are_looked_at() {
    let key = |kid| SigningKey::from_jwk(&Jwk::symmetric(kid, &[1; 32])).unwrap();
    let token = |kid, bytes| {
        let minter = Minter::new().claim(4, 9).claim(7, Value::Bytes(vec![0; bytes]));
        let warnings = lint(&minter.mint(&key(kid)).unwrap()).unwrap();
        warnings.iter().map(Warning::code).collect::<Vec<_>>()
    };
    assert_eq!(token("k", 600), Vec::<&str>::new());
    assert_eq!(token("k", 900), ["over-1-kb"]);
    assert_eq!(token("k", 3900), ["over-4-kb"]);
    assert_eq!(token("", 16), ["no-kid"]);

    // 17([h'a201050441 6b', {}, h'a10409', h'']): alg and kid, both protected.
    let protected = [
        0xd1, 0x84, 0x47, 0xa2, 0x01, 0x05, 0x04, 0x42, b'k', b'1', 0xa0, 0x43, 0xa1, 0x04, 0x09, 0x40,
    ];
    let warnings = lint(&Base64UrlUnpadded::encode_string(&protected)).unwrap();
    assert_eq!(warnings, [Warning::ProtectedKid]);
}

proptest! {
    #[test]
    fn no_payload_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = lint_claims(&bytes, Exposure::Clear);
        let _ = lint(&Base64UrlUnpadded::encode_string(&bytes));
    }
}
