//! Keys that seals are checked with.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac as _};
use p256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier as _};
use sha2::{Digest as _, Sha256};

use super::{Algorithm, Jwk, KeyIdentity};
use crate::{cose::Sealed, error::KeyError, limits::MIN_SECRET};

/// One trusted key.
#[derive(Clone)]
pub(crate) struct VerificationKey {
    pub(crate) identity: KeyIdentity,
    material: Material,
}

#[derive(Clone)]
enum Material {
    /// The MAC with its key already scheduled: two compressions less for each token.
    Hs256(Box<Hmac<Sha256>>),
    Es256(Box<VerifyingKey>),
    #[cfg(feature = "ps256")]
    Ps256(Box<super::rsa::PublicKey>),
    #[cfg(feature = "extra-algorithms")]
    Hs384(Box<Hmac<sha2::Sha384>>),
    #[cfg(feature = "extra-algorithms")]
    Hs512(Box<Hmac<sha2::Sha512>>),
    #[cfg(feature = "extra-algorithms")]
    Es384(Box<p384::ecdsa::VerifyingKey>),
    #[cfg(feature = "extra-algorithms")]
    EdDsa(Box<ed25519_dalek::VerifyingKey>),
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VerificationKey({:?}, {})",
            self.identity.kid, self.identity.algorithm
        )
    }
}

impl VerificationKey {
    /// Takes the public or symmetric part of a key.
    pub(crate) fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let algorithm = jwk.algorithm()?;
        Ok(Self {
            material: Material::of(jwk, algorithm)?,
            identity: KeyIdentity::of(jwk, algorithm)?,
        })
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.identity.algorithm
    }

    /// Whether `seal` is this key's MAC (compared in constant time) or signature of `sealed`.
    pub(crate) fn verifies(&self, sealed: Sealed<'_>, seal: &[u8]) -> bool {
        match &self.material {
            Material::Hs256(mac) => {
                let mut mac = (**mac).clone();
                sealed.feed(|piece| mac.update(piece));
                mac.verify_slice(seal).is_ok()
            }
            // High-S signatures are accepted: common issuers emit them about half the time.
            Material::Es256(key) => {
                let mut hash = Sha256::new();
                sealed.feed(|piece| hash.update(piece));
                Signature::from_slice(seal)
                    .is_ok_and(|signature| key.verify_prehash(&hash.finalize(), &signature).is_ok())
            }
            #[cfg(feature = "ps256")]
            Material::Ps256(key) => {
                let mut hash = Sha256::new();
                sealed.feed(|piece| hash.update(piece));
                key.verifies(&hash.finalize().into(), seal)
            }
            #[cfg(feature = "extra-algorithms")]
            Material::Hs384(mac) => {
                let mut mac = (**mac).clone();
                sealed.feed(|piece| mac.update(piece));
                mac.verify_slice(seal).is_ok()
            }
            #[cfg(feature = "extra-algorithms")]
            Material::Hs512(mac) => {
                let mut mac = (**mac).clone();
                sealed.feed(|piece| mac.update(piece));
                mac.verify_slice(seal).is_ok()
            }
            #[cfg(feature = "extra-algorithms")]
            Material::Es384(key) => {
                let mut hash = sha2::Sha384::new();
                sealed.feed(|piece| hash.update(piece));
                p384::ecdsa::Signature::from_slice(seal)
                    .is_ok_and(|signature| key.verify_prehash(&hash.finalize(), &signature).is_ok())
            }
            // The strict form: one token never has two signatures that differ in encoding alone.
            #[cfg(feature = "extra-algorithms")]
            Material::EdDsa(key) => ed25519_dalek::Signature::from_slice(seal)
                .is_ok_and(|signature| key.verify_strict(&sealed.to_vec(), &signature).is_ok()),
        }
    }
}

impl Material {
    fn of(jwk: &Jwk, algorithm: Algorithm) -> Result<Self, KeyError> {
        Ok(match algorithm {
            Algorithm::Hs256 => Self::Hs256(Box::new(schedule(jwk, &jwk.secret(MIN_SECRET)?)?)),
            Algorithm::Es256 => Self::Es256(Box::new(p256_point(jwk)?)),
            #[cfg(feature = "ps256")]
            Algorithm::Ps256 => Self::Ps256(Box::new(super::rsa::PublicKey::from_jwk(jwk)?)),
            #[cfg(feature = "extra-algorithms")]
            Algorithm::Hs384 => Self::Hs384(Box::new(schedule(jwk, &jwk.secret(48)?)?)),
            #[cfg(feature = "extra-algorithms")]
            Algorithm::Hs512 => Self::Hs512(Box::new(schedule(jwk, &jwk.secret(64)?)?)),
            #[cfg(feature = "extra-algorithms")]
            Algorithm::Es384 => Self::Es384(Box::new(p384_point(jwk)?)),
            #[cfg(feature = "extra-algorithms")]
            Algorithm::EdDsa => Self::EdDsa(Box::new(ed25519_point(jwk)?)),
            _ => return Err(jwk.wrong("alg", "seals nothing that could be verified")),
        })
    }
}

/// An HMAC of any hash, keyed.
pub(super) fn schedule<M: KeyInit>(jwk: &Jwk, secret: &[u8]) -> Result<M, KeyError> {
    M::new_from_slice(secret).map_err(|_| jwk.wrong("k", "cannot key an HMAC"))
}

/// The uncompressed point of an `EC` key whose coordinates have `N` bytes (RFC 7518 §6.2.1).
fn uncompressed<const N: usize>(
    jwk: &Jwk,
    curve: &str,
    wrong_curve: &'static str,
) -> Result<Vec<u8>, KeyError> {
    if jwk.crv.as_deref() != Some(curve) {
        return Err(jwk.wrong("crv", wrong_curve));
    }
    let length = "is not as long as the curve's field: pad it with zero bytes at its front";
    let mut point = vec![4];
    point.extend(jwk.exactly::<N>("x", jwk.x.as_ref(), length)?);
    point.extend(jwk.exactly::<N>("y", jwk.y.as_ref(), length)?);
    Ok(point)
}

pub(super) fn p256_point(jwk: &Jwk) -> Result<VerifyingKey, KeyError> {
    let point = uncompressed::<32>(jwk, "P-256", "must be \"P-256\" for ES256")?;
    VerifyingKey::from_sec1_bytes(&point).map_err(|_| jwk.wrong("x", "and \"y\" are no point of P-256"))
}

#[cfg(feature = "extra-algorithms")]
pub(super) fn p384_point(jwk: &Jwk) -> Result<p384::ecdsa::VerifyingKey, KeyError> {
    let point = uncompressed::<48>(jwk, "P-384", "must be \"P-384\" for ES384")?;
    p384::ecdsa::VerifyingKey::from_sec1_bytes(&point)
        .map_err(|_| jwk.wrong("x", "and \"y\" are no point of P-384"))
}

#[cfg(feature = "extra-algorithms")]
pub(super) fn ed25519_point(jwk: &Jwk) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
    if jwk.crv.as_deref() != Some("Ed25519") {
        return Err(jwk.wrong("crv", "must be \"Ed25519\" for EdDSA"));
    }
    let point = jwk.exactly::<32>("x", jwk.x.as_ref(), "is not 32 bytes")?;
    ed25519_dalek::VerifyingKey::from_bytes(&point)
        .ok()
        .filter(|key| !key.is_weak())
        .ok_or_else(|| jwk.wrong("x", "is no point of Ed25519 of full order"))
}
