//! The token: any text is authenticated or refused, and only a genuine one is authenticated.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use selvedge_token::{Jwk, KeySet, Policy, Verifier, inspect};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let keys = KeySet::from_jwks([&Jwk::symmetric("", &[1; 32])]).expect("a key of 32 bytes");
    Verifier::new(keys, Policy::default())
});

fuzz_target!(|text: &str| {
    let _ = inspect(text);
    assert!(VERIFIER.authenticate(text).is_err(), "an HMAC was guessed");
});
