//! A token as one meets it: who, until when, for which part of the site, and how it is renewed.

use ciborium::Value;
use selvedge_token::{Component, Jwk, Match, Minter, SigningKey, UnixMillis};

pub(crate) const NOW: UnixMillis = UnixMillis::from_seconds(1_795_262_400);
/// The peers read the clock themselves: this moment is far from theirs.
const EXPIRES: UnixMillis = UnixMillis::from_seconds(4_102_444_800);
pub(crate) const ISSUER: &str = "a.example";
pub(crate) const HOST: &str = "cdn.example";
pub(crate) const PATH: &str = "/live/news/index.m3u8";
#[cfg(not(target_family = "wasm"))]
pub(crate) const SECRET: [u8; 32] = [9; 32];

pub(crate) fn symmetric() -> Jwk {
    Jwk::symmetric("edge-1", &[9; 32])
}

pub(crate) fn elliptic() -> Jwk {
    Jwk::elliptic("edge-1", &[7; 32]).unwrap()
}

/// 246 characters.
pub(crate) fn hs256() -> String {
    mint(&symmetric())
}

/// 288 characters.
pub(crate) fn es256() -> String {
    mint(&elliptic())
}

fn mint(key: &Jwk) -> String {
    Minter::new()
        .issuer(ISSUER)
        .subject("0f3c9a17")
        .expires_at(EXPIRES)
        .not_before(NOW)
        .issued_at(NOW)
        .token_id(&[0x5c; 16])
        .uri(Component::Scheme, Match::Exact("https".into()))
        .uri(Component::Host, Match::Exact(HOST.into()))
        .uri(Component::Path, Match::Prefix("/live/news/".into()))
        .methods(&["GET", "HEAD"])
        .claim(323, renewal())
        .mint(&SigningKey::from_jwk(key).unwrap())
        .unwrap()
}

/// `catr`: a fresh token in a header, five minutes more, from 30 seconds before the end.
fn renewal() -> Value {
    Value::Map(vec![
        (0.into(), 2.into()),
        (1.into(), 300.into()),
        (2.into(), 30.into()),
    ])
}
