//! The whole verifier: authentic claims and any request end in a verdict, and what is admitted is what a second, plain
//! reading of the claims admits too. Without claims, the input is a token as it came.
#![no_main]

use std::sync::LazyLock;

use ciborium::Value;
use libfuzzer_sys::fuzz_target;
use selvedge_fuzz::{World, claim, read_all, seal, verifier};
use selvedge_token::{Policy, Verifier};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    verifier(Policy {
        issuers: vec!["issuer".into(), "i".into()],
        audiences: vec!["cdn".into(), "c".into()],
        ..Policy::default()
    })
});

/// A number of any spelling, in seconds.
fn seconds(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(seconds) => Some(i128::from(*seconds) as f64),
        Value::Float(seconds) => Some(*seconds),
        _ => None,
    }
}

fn is_text_of(value: &Value, texts: &[&str]) -> bool {
    value.as_text().is_some_and(|text| texts.contains(&text))
}

/// What a claim by itself says, read in the plainest way.
fn assert_admits(claims: &Value, world: &World<'_>) {
    let now = world.now.0 as f64 / 1000.0;
    // Numbers beyond 2^53 lose their last digits here: only what is clearly wrong is wrong.
    let slack = now.abs() * 1e-9 + 1e-3;
    if let Some(exp) = claim(claims, 4) {
        assert!(seconds(exp).expect("exp is a number") > now - slack, "expired");
    }
    if let Some(nbf) = claim(claims, 5) {
        assert!(
            seconds(nbf).expect("nbf is a number") < now + slack,
            "not yet valid"
        );
    }
    assert!(
        is_text_of(claim(claims, 1).expect("iss is there"), &["issuer", "i"]),
        "a foreign issuer"
    );
    if let Some(audience) = claim(claims, 3) {
        let mine = ["cdn", "c"];
        let is_mine = audience.as_array().map_or(is_text_of(audience, &mine), |all| {
            all.iter().any(|one| is_text_of(one, &mine))
        });
        assert!(is_mine, "another audience");
    }
    if let Some(version) = claim(claims, 310) {
        assert_eq!(*version, Value::from(1), "another version");
    }
    if let Some(methods) = claim(claims, 313) {
        let methods = methods.as_array().expect("catm is a list");
        assert!(
            methods.iter().any(|method| is_text_of(method, &[world.method])),
            "another method"
        );
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((world, payload)) = World::split(input) else {
        if let Ok(text) = std::str::from_utf8(input) {
            let _ = VERIFIER.authenticate(text);
        }
        return;
    };
    let token = seal(payload);
    let Ok(authentic) = VERIFIER.authenticate(&token) else {
        return;
    };
    let request = world.request(&token);
    let verdict = VERIFIER.admit(&authentic, &request, world.now);
    assert_eq!(
        verdict,
        VERIFIER.admit(&authentic, &request, world.now),
        "the same question twice"
    );
    let Ok(admission) = verdict else { return };
    let asked = admission.requests().len();
    let settled = admission.settle(&vec![world.standing(); asked]);
    // Simple values that nobody has assigned are beyond the other reader.
    if settled.is_ok()
        && let Some(claims) = read_all(payload)
    {
        assert_admits(&claims, &world);
    }
});
