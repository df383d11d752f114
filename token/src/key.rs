//! Keys. A key carries its algorithm: what a token says of itself never chooses how it is checked.

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::{
    Signature, SigningKey as P256SigningKey, VerifyingKey,
    signature::{Signer as _, Verifier as _},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{error::KeyError, limits::MIN_SECRET};

/// An algorithm of CTA-5007-B §4.3.1.1.1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// HMAC with SHA-256, the whole 256 bits (COSE 5).
    Hs256,
    /// ECDSA on P-256 with SHA-256 (COSE -7).
    Es256,
}

impl Algorithm {
    /// The identifier in a COSE `alg` header.
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::Hs256 => 5,
            Self::Es256 => -7,
        }
    }
}

/// A JSON Web Key (RFC 7517): the members that these algorithms need (RFC 7518 §6.2, §6.4).
#[derive(Clone, Deserialize, Serialize)]
pub struct Jwk {
    /// `EC` or `oct`.
    pub kty: String,
    /// The key's name, which tokens carry as COSE `kid`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kid: String,
    /// `ES256` or `HS256`. May be left out where `kty` says it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<Algorithm>,
    /// The curve of an `EC` key: `P-256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// Public point, base64url of 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Public point, base64url of 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// Private scalar, base64url of 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub d: Option<String>,
    /// Secret of an `oct` key, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<String>,
}

/// A JWK Set (RFC 7517 §5).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct JwkSet {
    /// The keys, in the order in which they are tried.
    pub keys: Vec<Jwk>,
}

impl fmt::Debug for Jwk {
    /// Names the key without showing any secret of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kty", &self.kty)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl Jwk {
    /// An `oct` key of `secret`, for HMAC.
    pub fn symmetric(kid: &str, secret: &[u8]) -> Self {
        Self {
            kty: "oct".into(),
            kid: kid.into(),
            alg: Some(Algorithm::Hs256),
            crv: None,
            x: None,
            y: None,
            d: None,
            k: Some(Base64UrlUnpadded::encode_string(secret)),
        }
    }

    /// A private `EC` key on P-256 from 32 bytes of the caller's randomness.
    ///
    /// # Errors
    /// The bytes are no scalar of the curve's group (fewer than one in 2^32 random ones).
    pub fn elliptic(kid: &str, scalar: &[u8; 32]) -> Result<Self, KeyError> {
        let member = |what| KeyError::Member {
            kid: kid.into(),
            member: "d",
            what,
        };
        let key = P256SigningKey::from_slice(scalar)
            .map_err(|_| member("is not a scalar of P-256: draw other random bytes"))?;
        let point = key.verifying_key().to_sec1_point(false);
        let (Some(x), Some(y)) = (point.x(), point.y()) else {
            return Err(member("has no public point"));
        };
        Ok(Self {
            kty: "EC".into(),
            kid: kid.into(),
            alg: Some(Algorithm::Es256),
            crv: Some("P-256".into()),
            x: Some(Base64UrlUnpadded::encode_string(x)),
            y: Some(Base64UrlUnpadded::encode_string(y)),
            d: Some(Base64UrlUnpadded::encode_string(scalar)),
            k: None,
        })
    }

    /// What a recipient needs of this key: for `EC` without the private scalar. A symmetric key stays whole,
    /// for it has no public half.
    pub fn for_recipient(&self) -> Self {
        Self {
            d: None,
            ..self.clone()
        }
    }

    fn algorithm(&self) -> Result<Algorithm, KeyError> {
        let by_type = match self.kty.as_str() {
            "EC" => Algorithm::Es256,
            "oct" => Algorithm::Hs256,
            _ => return Err(self.wrong("kty", "must be \"EC\" or \"oct\"")),
        };
        match self.alg {
            Some(alg) if alg != by_type => Err(self.wrong("alg", "does not go with kty")),
            _ => Ok(by_type),
        }
    }

    fn bytes(&self, member: &'static str, value: Option<&String>) -> Result<Vec<u8>, KeyError> {
        let text = value.ok_or_else(|| self.wrong(member, "is missing"))?;
        Base64UrlUnpadded::decode_vec(text.trim_end_matches('='))
            .map_err(|_| self.wrong(member, "is not base64url"))
    }

    fn secret(&self) -> Result<Vec<u8>, KeyError> {
        let secret = self.bytes("k", self.k.as_ref())?;
        if secret.len() < MIN_SECRET {
            return Err(self.wrong("k", "is shorter than 32 bytes: make a longer one"));
        }
        Ok(secret)
    }

    fn public_point(&self) -> Result<VerifyingKey, KeyError> {
        if self.crv.as_deref() != Some("P-256") {
            return Err(self.wrong("crv", "must be \"P-256\""));
        }
        let mut point = vec![4];
        point.extend(self.bytes("x", self.x.as_ref())?);
        point.extend(self.bytes("y", self.y.as_ref())?);
        VerifyingKey::from_sec1_bytes(&point).map_err(|_| self.wrong("x", "and \"y\" are no point of P-256"))
    }

    fn wrong(&self, member: &'static str, what: &'static str) -> KeyError {
        KeyError::Member {
            kid: self.kid.clone(),
            member,
            what,
        }
    }
}

/// The keys that a recipient trusts.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
}

impl KeySet {
    /// Takes keys of a JWK Set. A private scalar in one is ignored.
    ///
    /// # Errors
    /// The first key that cannot be used, with the member that is wrong; or an empty set.
    pub fn from_jwks<'k>(jwks: impl IntoIterator<Item = &'k Jwk>) -> Result<Self, KeyError> {
        let keys = jwks
            .into_iter()
            .map(VerificationKey::from_jwk)
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            Err(KeyError::Empty)
        } else {
            Ok(Self { keys })
        }
    }

    /// The keys that a token with this `kid` may be signed by, in the set's order. A token without `kid` may
    /// use the keys without one, or the only key there is: an unknown `kid` never means "try all".
    pub(crate) fn select<'s>(&'s self, kid: Option<&'s [u8]>) -> impl Iterator<Item = &'s VerificationKey> {
        self.keys.iter().filter(move |key| match kid {
            Some(kid) => key.kid.as_bytes() == kid,
            None => key.kid.is_empty() || self.keys.len() == 1,
        })
    }
}

/// One trusted key.
#[derive(Clone)]
pub(crate) struct VerificationKey {
    pub(crate) kid: String,
    material: Material,
}

#[derive(Clone)]
enum Material {
    /// The MAC with its key already scheduled: two compressions less for each token.
    Hs256(Box<Hmac<Sha256>>),
    Es256(Box<VerifyingKey>),
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerificationKey({:?}, {:?})", self.kid, self.algorithm())
    }
}

impl VerificationKey {
    fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let material = match jwk.algorithm()? {
            Algorithm::Es256 => Material::Es256(Box::new(jwk.public_point()?)),
            Algorithm::Hs256 => Material::Hs256(Box::new(schedule(jwk, &jwk.secret()?)?)),
        };
        Ok(Self {
            kid: jwk.kid.clone(),
            material,
        })
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Hs256(_) => Algorithm::Hs256,
            Material::Es256(_) => Algorithm::Es256,
        }
    }

    /// Whether `seal` is this key's MAC (compared in constant time) or signature of `message`.
    pub(crate) fn verifies(&self, message: &[u8], seal: &[u8]) -> bool {
        match &self.material {
            Material::Hs256(mac) => (**mac).clone().chain_update(message).verify_slice(seal).is_ok(),
            // High-S signatures are accepted: common issuers emit them about half the time.
            Material::Es256(key) => {
                Signature::from_slice(seal).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }
}

/// A key that tokens are minted with.
pub struct SigningKey {
    kid: String,
    material: SigningMaterial,
}

enum SigningMaterial {
    Hs256(Box<Hmac<Sha256>>),
    Es256(Box<P256SigningKey>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?}, {:?})", self.kid, self.algorithm())
    }
}

impl SigningKey {
    /// Takes a private JWK: `EC` with `d`, or `oct` with `k`.
    ///
    /// # Errors
    /// The member that is missing or wrong.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let material = match jwk.algorithm()? {
            Algorithm::Es256 => {
                let scalar = jwk.bytes("d", jwk.d.as_ref())?;
                let key = P256SigningKey::from_slice(&scalar)
                    .map_err(|_| jwk.wrong("d", "is no scalar of P-256"))?;
                SigningMaterial::Es256(Box::new(key))
            }
            Algorithm::Hs256 => SigningMaterial::Hs256(Box::new(schedule(jwk, &jwk.secret()?)?)),
        };
        Ok(Self {
            kid: jwk.kid.clone(),
            material,
        })
    }

    /// The name that tokens will carry.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm that tokens will be signed by.
    pub const fn algorithm(&self) -> Algorithm {
        match self.material {
            SigningMaterial::Hs256(_) => Algorithm::Hs256,
            SigningMaterial::Es256(_) => Algorithm::Es256,
        }
    }

    /// Seals `message`. ES256 is deterministic (RFC 6979), so no randomness is wanted, and low-S, because
    /// some recipients refuse the other half.
    pub(crate) fn seal(&self, message: &[u8]) -> Vec<u8> {
        match &self.material {
            SigningMaterial::Hs256(mac) => (**mac)
                .clone()
                .chain_update(message)
                .finalize()
                .into_bytes()
                .to_vec(),
            SigningMaterial::Es256(key) => {
                let signature: Signature = key.sign(message);
                signature.normalize_s().to_bytes().to_vec()
            }
        }
    }
}

fn schedule(jwk: &Jwk, secret: &[u8]) -> Result<Hmac<Sha256>, KeyError> {
    Hmac::new_from_slice(secret).map_err(|_| jwk.wrong("k", "cannot key an HMAC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_secret_is_named_with_its_fix() {
        let error = KeySet::from_jwks([&Jwk::symmetric("weak", b"short")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"key "weak": member "k" is shorter than 32 bytes: make a longer one"#
        );
    }

    #[test]
    fn a_recipients_copy_of_an_elliptic_key_cannot_sign() {
        let private = Jwk::elliptic("signer", &[9; 32]).unwrap();
        assert!(SigningKey::from_jwk(&private).is_ok());
        assert!(SigningKey::from_jwk(&private.for_recipient()).is_err());
        assert!(KeySet::from_jwks([&private.for_recipient()]).is_ok());
    }

    #[test]
    fn no_secret_shows_in_debug_output() {
        let jwk = Jwk::symmetric("h", &[0x41; 32]);
        let secret = jwk.k.clone().unwrap();
        assert!(!format!("{jwk:?} {:?}", KeySet::from_jwks([&jwk]).unwrap()).contains(&secret));
    }
}
