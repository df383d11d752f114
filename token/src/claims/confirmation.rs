//! `cnf` and `catdpop`: a token that only the holder of a key may use (CTA-5007-B §4.8, RFC 8747).

use crate::{
    cbor::{Item, Reader},
    claims::Dialect,
    limits::MAX_CLAIMS,
    thumbprint::Thumbprints,
};

/// What `cnf` says: how to know the key whose possession must be proved.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Confirmation {
    /// More than one where an early issuer's key and the standard's both stand there.
    jwk_thumbprints: Vec<[u8; 32]>,
    cose_thumbprint: Option<[u8; 32]>,
}

/// Keys of `cnf`: `jkt` (CTA-5007-B §4.8.1), `ckt` (RFC 9679), and `kid` (RFC 8747 §3.1), which drafts before the
/// standard gave to `jkt`.
const JKT: i128 = 323;
const CKT: i128 = 5;
const KID: i128 = 3;

impl Confirmation {
    pub(crate) fn read(reader: &mut Reader<'_>, dialect: &Dialect) -> Result<Self, &'static str> {
        const SHAPE: &str = "expected a map of confirmation methods";
        let entries = reader.map().map_err(|_| SHAPE)?;
        let mut confirmation = Self::default();
        let mut seen = Vec::with_capacity(entries);
        for _ in 0..entries {
            let key = reader.key().map_err(|_| SHAPE)?;
            if seen.contains(&key) {
                return Err("a confirmation method stands twice");
            }
            seen.push(key);
            match key {
                Item::Integer(JKT) => {
                    let thumbprint = digest(reader).ok_or("expected 32 bytes as jkt")?;
                    confirmation.jwk_thumbprints.push(thumbprint);
                }
                Item::Integer(CKT) => {
                    confirmation.cose_thumbprint = Some(digest(reader).ok_or("expected 32 bytes as ckt")?);
                }
                Item::Integer(KID) => match reader.next() {
                    Ok(Item::Bytes(kid)) if dialect.early_confirmation => {
                        confirmation.jwk_thumbprints.extend(<[u8; 32]>::try_from(kid));
                    }
                    // A name of a key proves nothing here.
                    Ok(Item::Bytes(_)) => {}
                    _ => return Err("expected bytes as kid"),
                },
                _ => reader.skip().map_err(|_| SHAPE)?,
            }
        }
        Ok(confirmation)
    }

    /// Whether a proof of possession can satisfy it at all: it names at least one method that is checked here.
    /// Others are ignored (RFC 8747 §3.1), so a `cnf` of nothing else admits nothing.
    pub const fn is_usable(&self) -> bool {
        !self.jwk_thumbprints.is_empty() || self.cose_thumbprint.is_some()
    }

    /// Whether it means the key with these thumbprints: every method that can be checked holds, and there is
    /// one.
    pub(crate) fn means(&self, key: &Thumbprints) -> bool {
        self.is_usable()
            && self.jwk_thumbprints.iter().all(|want| *want == key.jwk)
            && self.cose_thumbprint.is_none_or(|want| want == key.cose)
    }
}

/// What `catdpop` says: how proofs of possession are checked. It means nothing without `cnf`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DpopSettings {
    /// How far a proof's `iat` may lie from now, in seconds, to either side.
    pub window_seconds: u64,
    /// Whether a proof may be used once only.
    pub replay: ProofReplay,
}

/// What becomes of a proof's `jti` (CTA-5007-B §4.8.2.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProofReplay {
    /// It is not looked at: a proof may be used again within its window.
    Permitted,
    /// It is remembered: a second use is refused.
    Prohibited,
}

impl Default for DpopSettings {
    /// A window of 300 seconds, and a proof may be used again within it: what holds without `catdpop`.
    fn default() -> Self {
        Self {
            window_seconds: 300,
            replay: ProofReplay::Permitted,
        }
    }
}

/// Keys of `catdpop`.
const CRIT: i128 = -1;
const WINDOW: i128 = 0;
const JTI: i128 = 1;

impl DpopSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        const SHAPE: &str = "expected a map of settings";
        let entries = reader.map().map_err(|_| SHAPE)?;
        let mut settings = Self::default();
        let mut seen = Vec::with_capacity(entries);
        for _ in 0..entries {
            let key = reader.key().map_err(|_| SHAPE)?;
            if seen.contains(&key) {
                return Err("a setting stands twice");
            }
            seen.push(key);
            match key {
                Item::Integer(CRIT) => return Err(critical(reader)),
                Item::Integer(WINDOW) => match reader.next() {
                    Ok(Item::Integer(seconds)) => {
                        settings.window_seconds =
                            u64::try_from(seconds).map_err(|_| "expected a window of 0 seconds or more")?;
                    }
                    _ => return Err("expected a number of seconds as window"),
                },
                Item::Integer(JTI) => match reader.next() {
                    Ok(Item::Integer(1)) => settings.replay = ProofReplay::Prohibited,
                    Ok(Item::Integer(_)) => settings.replay = ProofReplay::Permitted,
                    _ => return Err("expected a number as jti"),
                },
                _ => reader.skip().map_err(|_| SHAPE)?,
            }
        }
        Ok(settings)
    }
}

/// What is wrong with a list of critical settings. There is always something: it must not list the three that
/// everybody understands, and no others are understood.
fn critical(reader: &mut Reader<'_>) -> &'static str {
    const SHAPE: &str = "expected a list of keys as crit";
    let Ok(Item::Array(length @ 1..=MAX_CLAIMS)) = reader.next() else {
        return SHAPE;
    };
    for _ in 0..length {
        match reader.next() {
            Ok(Item::Integer(CRIT | WINDOW | JTI)) => return "crit lists a setting that is always understood",
            Ok(Item::Integer(_)) => {}
            _ => return SHAPE,
        }
    }
    "crit lists a setting that is not understood"
}

fn digest(reader: &mut Reader<'_>) -> Option<[u8; 32]> {
    match reader.next() {
        Ok(Item::Bytes(bytes)) => bytes.try_into().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ciborium::{Value, cbor};

    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    }

    fn confirmation(entries: Vec<(i64, Vec<u8>)>, dialect: &Dialect) -> Result<Confirmation, &'static str> {
        let map = entries
            .into_iter()
            .map(|(key, value)| (key.into(), Value::Bytes(value)));
        Confirmation::read(&mut Reader::new(&bytes(&Value::Map(map.collect()))), dialect)
    }

    fn settings(value: &Value) -> Result<DpopSettings, &'static str> {
        DpopSettings::read(&mut Reader::new(&bytes(value)))
    }

    #[test]
    fn every_method_that_can_be_checked_must_hold_and_there_must_be_one() {
        let (strict, early) = (
            Dialect::default(),
            Dialect {
                early_confirmation: true,
                ..Dialect::default()
            },
        );
        let key = Thumbprints {
            jwk: [1; 32],
            cose: [2; 32],
        };
        let means = |entries, dialect| confirmation(entries, dialect).unwrap().means(&key);
        assert!(means(vec![(323, vec![1; 32])], &strict));
        assert!(!means(vec![(323, vec![9; 32])], &strict));
        assert!(means(vec![(5, vec![2; 32])], &strict));
        assert!(means(vec![(323, vec![1; 32]), (5, vec![2; 32])], &strict));
        assert!(!means(vec![(323, vec![1; 32]), (5, vec![9; 32])], &strict));
        // Key 3 is a kid unless the recipient was told otherwise, and no method that is not known counts.
        assert!(!means(vec![(3, vec![1; 32])], &strict));
        assert!(means(vec![(3, vec![1; 32])], &early));
        assert!(!means(vec![(3, vec![1; 31])], &early));
        assert!(!means(vec![], &early));
        assert!(!means(vec![(6, vec![1; 32])], &early));
    }

    #[test]
    fn a_thumbprint_of_another_length_or_type_is_malformed() {
        for (key, length) in [(323, 31), (323, 33), (5, 20)] {
            assert!(confirmation(vec![(key, vec![0; length])], &Dialect::default()).is_err());
        }
        for bad in [cbor!(null), cbor!({323 => "text"}), cbor!({3 => 1}), cbor!([])] {
            let bad = bytes(&bad.unwrap());
            assert!(Confirmation::read(&mut Reader::new(&bad), &Dialect::default()).is_err());
        }
    }

    #[test]
    fn settings_are_the_defaults_but_for_what_is_given() {
        let read = |value: Result<Value, _>| settings(&value.unwrap()).unwrap();
        assert_eq!(read(cbor!({})), DpopSettings::default());
        assert_eq!(read(cbor!({0 => 60})).window_seconds, 60);
        assert_eq!(read(cbor!({1 => 1})).replay, ProofReplay::Prohibited);
        assert_eq!(read(cbor!({1 => 7, 9 => "x"})).replay, ProofReplay::Permitted);
    }

    #[test]
    fn a_critical_setting_refuses() {
        for bad in [
            cbor!({(-1) => [2]}),
            cbor!({(-1) => [0]}),
            cbor!({(-1) => []}),
            cbor!({(-1) => 2}),
            cbor!({0 => (-1)}),
            cbor!({0 => 1.5}),
            cbor!({1 => "1"}),
            cbor!(null),
        ] {
            let bad = bad.unwrap();
            assert!(settings(&bad).is_err(), "{bad:?}");
        }
    }
}
