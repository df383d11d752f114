//! The claims: any authentic bytes are read or refused, in any order of their keys alike, and never twice differently.
#![no_main]

use std::{collections::BTreeSet, sync::LazyLock};

use ciborium::Value;
use libfuzzer_sys::fuzz_target;
use selvedge_fuzz::{is_well_formed, read_all, seal, verifier};
use selvedge_token::{Policy, Verifier, inspect};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(Policy::default()));

fn write(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("writing to memory");
    out
}

fuzz_target!(|payload: &[u8]| {
    let text = seal(payload);
    let read = VERIFIER.authenticate(&text);
    let _ = inspect(&text).map(|inspection| inspection.to_string());
    if let Ok(authentic) = &read {
        assert_eq!(authentic.payload(), payload);
        assert!(is_well_formed(payload));
        let map = match read_all(payload) {
            Some(Value::Map(map)) => map,
            // Simple values that nobody has assigned are beyond that reader.
            None => return,
            Some(_) => panic!("claims that are no map"),
        };
        let keys: Vec<i128> = map
            .iter()
            .filter_map(|(key, _)| key.as_integer())
            .map(i128::from)
            .collect();
        let once: BTreeSet<i128> = keys.iter().copied().collect();
        assert_eq!(keys.len(), once.len(), "a claim stands twice");
    }

    // The same map from its end to its start, where writing it changes nothing but the order.
    let Some(Value::Map(mut map)) = read_all(payload) else {
        return;
    };
    if write(&Value::Map(map.clone())) != payload {
        return;
    }
    map.reverse();
    let reversed = VERIFIER.authenticate(&seal(&write(&Value::Map(map))));
    assert_eq!(
        read.is_ok(),
        reversed.is_ok(),
        "the order of the keys decides: {read:?} {reversed:?}"
    );
});
