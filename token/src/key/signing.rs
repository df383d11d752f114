//! Keys that tokens are minted with.

use core::fmt;

use hmac::{Hmac, Mac as _};
use p256::ecdsa::{Signature, SigningKey as P256SigningKey, signature::hazmat::PrehashSigner as _};
use sha2::{Digest as _, Sha256};

use super::{
    Algorithm, Jwk, KeyBounds, KeyIdentity,
    verification::{p256_point, schedule},
};
use crate::{
    cose::Sealed,
    error::{KeyError, MintError},
    limits::MIN_SECRET,
};

/// A key that tokens are minted with.
pub struct SigningKey {
    identity: KeyIdentity,
    material: Material,
}

enum Material {
    Hs256(Box<Hmac<Sha256>>),
    Es256(Box<P256SigningKey>),
    #[cfg(feature = "extra-algorithms")]
    Hs384(Box<Hmac<sha2::Sha384>>),
    #[cfg(feature = "extra-algorithms")]
    Hs512(Box<Hmac<sha2::Sha512>>),
    #[cfg(feature = "extra-algorithms")]
    Es384(Box<p384::ecdsa::SigningKey>),
    #[cfg(feature = "extra-algorithms")]
    EdDsa(Box<ed25519_dalek::SigningKey>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SigningKey({:?}, {})",
            self.identity.kid, self.identity.algorithm
        )
    }
}

impl SigningKey {
    /// Takes a private JWK: `EC` or `OKP` with `d`, or `oct` with `k`.
    ///
    /// # Errors
    /// The member that is missing or wrong: also `key_ops` where it is there without `sign`, and `d` where it
    /// is not the private part of `x` and `y`.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let algorithm = jwk.algorithm()?;
        if jwk.key_ops.is_some() && !jwk.signs()? {
            return Err(jwk.wrong("key_ops", "does not have \"sign\""));
        }
        let foreign = || jwk.wrong("d", "is not the private part of x");
        let material = match algorithm {
            Algorithm::Hs256 => Material::Hs256(Box::new(schedule(jwk, &jwk.secret(MIN_SECRET)?)?)),
            Algorithm::Es256 => {
                let scalar = jwk.bytes("d", jwk.d.as_ref())?;
                let key = P256SigningKey::from_slice(&scalar)
                    .map_err(|_| jwk.wrong("d", "is no scalar of P-256"))?;
                if *key.verifying_key() != p256_point(jwk)? {
                    return Err(foreign());
                }
                Material::Es256(Box::new(key))
            }
            #[cfg(feature = "extra-algorithms")]
            Algorithm::Hs384 => Material::Hs384(Box::new(schedule(jwk, &jwk.secret(48)?)?)),
            #[cfg(feature = "extra-algorithms")]
            Algorithm::Hs512 => Material::Hs512(Box::new(schedule(jwk, &jwk.secret(64)?)?)),
            #[cfg(feature = "extra-algorithms")]
            Algorithm::Es384 => {
                let scalar = jwk.bytes("d", jwk.d.as_ref())?;
                let key = p384::ecdsa::SigningKey::from_slice(&scalar)
                    .map_err(|_| jwk.wrong("d", "is no scalar of P-384"))?;
                if *key.verifying_key() != super::verification::p384_point(jwk)? {
                    return Err(foreign());
                }
                Material::Es384(Box::new(key))
            }
            #[cfg(feature = "extra-algorithms")]
            Algorithm::EdDsa => {
                let seed = jwk.exactly::<32>("d", jwk.d.as_ref(), "is not 32 bytes")?;
                let key = ed25519_dalek::SigningKey::from_bytes(&seed);
                if key.verifying_key() != super::verification::ed25519_point(jwk)? {
                    return Err(foreign());
                }
                Material::EdDsa(Box::new(key))
            }
            _ if algorithm.encrypts() => return Err(jwk.wrong("alg", "encrypts and does not sign")),
            _ => return Err(jwk.wrong("alg", "is verified here and not signed: sign by ES256 or HS256")),
        };
        Ok(Self {
            identity: KeyIdentity::of(jwk, algorithm)?,
            material,
        })
    }

    /// The name that tokens will carry.
    pub fn kid(&self) -> &str {
        &self.identity.kid
    }

    /// The algorithm that tokens will be signed by.
    pub const fn algorithm(&self) -> Algorithm {
        self.identity.algorithm
    }

    /// Whom the key speaks for, and when. A recipient judges it; [`Minter`](crate::Minter) does not.
    pub fn bounds(&self) -> &KeyBounds {
        &self.identity.bounds
    }

    /// Seals a message. Every algorithm is deterministic (ECDSA by RFC 6979), so no randomness is wanted; ECDSA
    /// is low-S, because some recipients refuse the other half.
    pub(crate) fn seal(&self, sealed: Sealed<'_>) -> Result<Vec<u8>, MintError> {
        Ok(match &self.material {
            Material::Hs256(mac) => {
                let mut mac = (**mac).clone();
                sealed.feed(|piece| mac.update(piece));
                mac.finalize().into_bytes().to_vec()
            }
            Material::Es256(key) => {
                let mut hash = Sha256::new();
                sealed.feed(|piece| hash.update(piece));
                let signature: Signature = key.sign_prehash(&hash.finalize()).map_err(|_| MintError::Seal)?;
                signature.normalize_s().to_bytes().to_vec()
            }
            #[cfg(feature = "extra-algorithms")]
            Material::Hs384(mac) => {
                let mut mac = (**mac).clone();
                sealed.feed(|piece| mac.update(piece));
                mac.finalize().into_bytes().to_vec()
            }
            #[cfg(feature = "extra-algorithms")]
            Material::Hs512(mac) => {
                let mut mac = (**mac).clone();
                sealed.feed(|piece| mac.update(piece));
                mac.finalize().into_bytes().to_vec()
            }
            #[cfg(feature = "extra-algorithms")]
            Material::Es384(key) => {
                let mut hash = sha2::Sha384::new();
                sealed.feed(|piece| hash.update(piece));
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash(&hash.finalize()).map_err(|_| MintError::Seal)?;
                signature.normalize_s().to_bytes().to_vec()
            }
            #[cfg(feature = "extra-algorithms")]
            Material::EdDsa(key) => {
                use ed25519_dalek::Signer as _;
                key.sign(&sealed.to_vec()).to_bytes().to_vec()
            }
        })
    }
}
