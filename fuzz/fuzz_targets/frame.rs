//! The COSE frame: any bytes are authenticated or refused, and what is authenticated is what another reader of CBOR
//! and HMAC finds there.
//!
//! An odd first byte: the rest is a token. An even one: the rest is `protected`, `unprotected` and the claims, each
//! of the two headers with its length in one byte before it, and the harness seals them.
#![no_main]

use std::sync::LazyLock;

use ciborium::Value;
use libfuzzer_sys::fuzz_target;
use selvedge_fuzz::{Frame, frame, is_well_formed, read_all, text, verifier};
use selvedge_token::{Policy, Verifier, inspect};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(Policy::default()));

/// Cuts off a piece whose length is the first byte, or whatever is there.
fn piece<'i>(input: &mut &'i [u8]) -> Option<&'i [u8]> {
    let (length, rest) = input.split_first()?;
    let (piece, rest) = rest.split_at_checked(usize::from(*length)).unwrap_or((rest, &[]));
    *input = rest;
    Some(piece)
}

fn token(mut input: &[u8]) -> Option<Vec<u8>> {
    let kind = input.split_off_first()?;
    if kind % 2 == 1 {
        return Some(input.into());
    }
    let (protected, unprotected) = (piece(&mut input)?, piece(&mut input)?);
    Some(frame(protected, unprotected, input))
}

fuzz_target!(|input: &[u8]| {
    let Some(token) = token(input) else { return };
    let text = text(&token);
    let _ = inspect(&text).map(|inspection| inspection.to_string());
    let Ok(authentic) = VERIFIER.authenticate(&text) else {
        return;
    };

    assert!(is_well_formed(&token));
    if read_all(&token).is_none() {
        // Simple values that nobody has assigned are beyond that reader.
        return;
    }
    let read = Frame::read(&token).expect("what is authentic is a sealed frame for anybody");
    assert_eq!(authentic.payload(), read.payload);
    let mut headers = read.unprotected;
    if !read.protected.is_empty() {
        assert!(is_well_formed(&read.protected));
        match read_all(&read.protected) {
            Some(Value::Map(protected)) => headers.extend(protected),
            Some(_) => panic!("the protected header is no map"),
            None => {}
        }
    }
    for (at, (label, value)) in headers.iter().enumerate() {
        if label.is_integer() {
            assert!(
                headers[..at].iter().all(|(before, _)| before != label),
                "a label stands twice"
            );
        }
        assert!(
            *label != Value::from(1) || *value == Value::from(5),
            "another algorithm"
        );
        assert!(*label != Value::from(2), "a critical header was passed over");
        assert!(
            *label != Value::from(4) || value.as_bytes().is_some_and(Vec::is_empty),
            "another key"
        );
    }
});
