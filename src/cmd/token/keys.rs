//! Reading keys: private JWKs, JWK Sets, and the keys of collected test vectors.

use std::{collections::BTreeMap, path::Path};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use selvedge_token::{Algorithm, Jwk, JwkSet, KeySet, SigningKey};
use serde_json::{Value, json};

use super::{files, hex};
use crate::failure::Failure;

/// Reads a private JWK.
pub(super) fn read_private(path: &Path) -> Result<Jwk, Failure> {
    serde_json::from_value(files::read_json(path)?).map_err(|error| files::wrong(path, error))
}

/// Keys by which tokens are checked.
pub(super) enum Keys {
    /// A JWK Set, as edges have it.
    Set(JwkSet),
    /// One set for each name, of which each holds a single key: the form of collected vectors. A key that cannot
    /// be used here is in no set.
    Named(BTreeMap<String, Option<Jwk>>),
}

impl Keys {
    /// Reads either form from a file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let json = files::read_json(path)?;
        if json.get("keys").is_some_and(Value::is_array) {
            let set: JwkSet = serde_json::from_value(json).map_err(|error| files::wrong(path, error))?;
            KeySet::from_jwks(&set.keys).map_err(|error| files::wrong(path, error))?;
            return Ok(Self::Set(set));
        }
        match json {
            Value::Object(keys) if keys.values().all(|key| key.get("kty").is_some()) && !keys.is_empty() => {
                Ok(Self::Named(
                    keys.into_iter()
                        .map(|(name, key)| (name, of_vector(&key)))
                        .collect(),
                ))
            }
            _ => Err(files::wrong(
                path,
                "neither a JWK Set ({\"keys\": […]}) nor an object of named test keys",
            )),
        }
    }

    /// The set that a verifier has: the named key alone, or without a name all there are. `None` inside where
    /// none of them can be used.
    ///
    /// # Errors
    /// There is no key of this name.
    pub(super) fn select(&self, name: Option<&str>) -> Result<Option<KeySet>, String> {
        let chosen: Vec<&Jwk> = match (self, name) {
            (Self::Set(set), None) => set.keys.iter().collect(),
            (Self::Set(set), Some(name)) => set.keys.iter().filter(|key| key.kid == name).collect(),
            (Self::Named(keys), None) => keys.values().flatten().collect(),
            (Self::Named(keys), Some(name)) => {
                let key = keys.get(name).ok_or_else(|| unknown(name))?;
                key.iter().collect()
            }
        };
        if let (Self::Set(_), Some(name), true) = (self, name, chosen.is_empty()) {
            return Err(unknown(name));
        }
        Ok(KeySet::from_jwks(chosen).ok())
    }
}

fn unknown(name: &str) -> String {
    format!("no key is named {name:?}: see --keys")
}

/// A key of collected vectors as a JWK; `None` where its algorithm or material cannot be used.
fn of_vector(key: &Value) -> Option<Jwk> {
    let alg = Algorithm::from_cose_id(key["alg"].as_i64()?.into())?;
    let kid = key["kid_utf8"].as_str().unwrap_or_default();
    let mut jwk = json!({ "kty": key["kty"], "alg": alg.name(), "kid": kid });
    if let Some(curve) = key["crv"].as_str() {
        jwk["crv"] = curve.into();
    }
    if alg.encrypts() {
        jwk["use"] = "enc".into();
    }
    for (member, name) in [
        ("k_hex", "k"),
        ("x_hex", "x"),
        ("y_hex", "y"),
        ("d_hex", "d"),
        ("n_hex", "n"),
    ] {
        let Some(digits) = key[member].as_str() else {
            continue;
        };
        let mut bytes = hex(digits)?;
        if alg == Algorithm::Hs256 {
            // HMAC fills a key up to its block with zero bytes, so that this one is the same. Test suites have
            // secrets of a few letters, which no real key set may have.
            bytes.resize(bytes.len().max(32), 0);
        }
        jwk[name] = Base64UrlUnpadded::encode_string(&bytes).into();
    }
    if let Some(exponent) = key["e"].as_u64() {
        let bytes = exponent.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0)?;
        jwk["e"] = Base64UrlUnpadded::encode_string(bytes.get(first..)?).into();
    }
    let jwk: Jwk = serde_json::from_value(jwk).ok()?;
    // What a test's edge has that could sign, it signs with: renewals, and tokens of `catif`.
    let signer = jwk.for_signer();
    if SigningKey::from_jwk(&signer).is_ok() {
        return Some(signer);
    }
    KeySet::from_jwks([&jwk]).is_ok().then_some(jwk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_vectors_becomes_a_jwk_or_nothing() {
        let short = json!({"kty": "oct", "alg": 5, "kid_utf8": "k", "k_hex": "746573744b6579"});
        assert_eq!(of_vector(&short).unwrap().kid, "k");
        assert!(of_vector(&json!({"kty": "oct", "alg": 4, "k_hex": "00"})).is_none());
        assert!(
            of_vector(&json!({"kty": "EC", "alg": -7, "crv": "P-256", "x_hex": "00", "y_hex": "00"}))
                .is_none()
        );
    }
}
