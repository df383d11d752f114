//! What the token's fuzz targets share: a seal that is not the library's own, a reading of CBOR that is not either,
//! and a request written as text.

mod seal;
mod world;

pub use seal::{Frame, KEY, SECRET, entries, frame, is_well_formed, read_all, seal, text};
pub use world::World;

use ciborium::Value;
use selvedge_token::{CompositeLabels, Dialect, KeySet, Policy, Verifier};

/// A recipient that accepts all that can be switched on, so that all of it is reached.
pub fn verifier(policy: Policy) -> Verifier {
    let keys = KeySet::from_jwks([&*KEY]).expect("a key of 32 bytes");
    let composite = Some(CompositeLabels {
        or: 41,
        nor: 42,
        and: 43,
        crit: Some(45),
    });
    let dialect = Dialect {
        composite,
        regex_captures: true,
        early_confirmation: true,
    };
    Verifier::new(keys, Policy { dialect, ..policy })
}

/// The value of an integer key in a map.
pub fn claim(map: &Value, label: i64) -> Option<&Value> {
    let key = Value::from(label);
    map.as_map()?
        .iter()
        .find(|(have, _)| *have == key)
        .map(|(_, value)| value)
}
