//! Static Diffie-Hellman on P-256 with AES key wrap: ECDH-SS + A128KW (RFC 9053 §6.4), by which a pattern is encrypted to
//! whoever has the private half of a key.

use core::fmt;

use aes_kw::{KeyInit as _, KwAes128};
use ciborium::Value;
use hkdf::Hkdf;
use p256::{NonZeroScalar, PublicKey, SecretKey, ecdh::diffie_hellman};
use sha2::Sha256;

use crate::{
    cose::{cose, head, integer},
    error::{KeyError, Refusal},
    key::{Algorithm, Jwk, KeyBounds, KeyIdentity},
};

/// COSE's identifier of AES key wrap with 128 bits (RFC 9053 §6.2.1), which the derived key is for.
const A128KW: i128 = -3;

/// Length of the derived key, in bits.
const KEY_BITS: i128 = 128;

/// How much longer a wrapped key is than the key (RFC 3394 §2.2.1).
const WRAPPING: usize = 8;

/// A key that patterns are encrypted to. Who encrypts has its public half; edges, which open, have the private one too.
#[derive(Clone)]
pub struct AgreementKey {
    identity: KeyIdentity,
    public: PublicKey,
    secret: Option<SecretKey>,
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "AgreementKey({:?}, {})",
            self.identity.kid, self.identity.algorithm
        )
    }
}

impl AgreementKey {
    /// Takes an `EC` key on P-256 for `ECDH-SS+A128KW`, with or without its private part.
    ///
    /// # Errors
    /// The member that is missing or wrong.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let algorithm = jwk.algorithm()?;
        if !algorithm.agrees() {
            return Err(jwk.wrong("alg", "must be ECDH-SS+A128KW to encrypt to"));
        }
        if jwk.crv.as_deref() != Some("P-256") {
            return Err(jwk.wrong("crv", "must be P-256"));
        }
        let x = jwk.exactly::<32>("x", jwk.x.as_ref(), "is not 32 bytes")?;
        let y = jwk.exactly::<32>("y", jwk.y.as_ref(), "is not 32 bytes")?;
        let public = point(x, y).ok_or_else(|| jwk.wrong("x", "is no point of P-256 with y"))?;
        let secret = match &jwk.d {
            None => None,
            Some(_) => {
                let scalar = jwk.exactly::<32>("d", jwk.d.as_ref(), "is not 32 bytes")?;
                let secret =
                    SecretKey::from_slice(&scalar).map_err(|_| jwk.wrong("d", "is no scalar of P-256"))?;
                if secret.public_key() != public {
                    return Err(jwk.wrong("d", "is not the private part of x"));
                }
                Some(secret)
            }
        };
        Ok(Self {
            identity: KeyIdentity::of(jwk, algorithm)?,
            public,
            secret,
        })
    }

    /// The name that messages carry.
    pub fn kid(&self) -> &str {
        &self.identity.kid
    }

    /// Whom the key speaks for, and when.
    pub fn bounds(&self) -> &KeyBounds {
        &self.identity.bounds
    }

    pub(crate) const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key of the content, from how it was wrapped for this key; `None` where it was not, or the private part is not
    /// there.
    pub(crate) fn unwrap(&self, sender: &PublicKey, agreed: &Agreed<'_>, wrapped: &[u8]) -> Option<Vec<u8>> {
        let secret = self.secret.as_ref()?.to_nonzero_scalar();
        let mut key = vec![0; wrapped.len().checked_sub(WRAPPING)?];
        let wrap = agreed.wrap(&secret, sender)?;
        wrap.unwrap_key(wrapped, &mut key).ok()?;
        Some(key)
    }

    /// Wraps the key of a content for this key.
    pub(crate) fn wrap(&self, sender: &SecretKey, agreed: &Agreed<'_>, key: &[u8]) -> Option<Vec<u8>> {
        let mut wrapped = vec![0; key.len() + WRAPPING];
        let wrap = agreed.wrap(&sender.to_nonzero_scalar(), &self.public)?;
        wrap.wrap_key(key, &mut wrapped).ok()?;
        Some(wrapped)
    }
}

/// What both sides put into the derivation beside the secret (RFC 9053 §5.1, §5.2). What is left out is nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Agreed<'a> {
    pub(crate) salt: Option<&'a [u8]>,
    /// Identity, nonce and other information of the sender.
    pub(crate) party_u: [Option<&'a [u8]>; 3],
    /// The same of the recipient.
    pub(crate) party_v: [Option<&'a [u8]>; 3],
    /// The recipient's protected header, as it stands in the message.
    pub(crate) protected: &'a [u8],
}

impl Agreed<'_> {
    fn wrap(&self, secret: &NonZeroScalar, other: &PublicKey) -> Option<KwAes128> {
        let shared = diffie_hellman(secret, other.as_affine());
        let mut key = [0; 16];
        Hkdf::<Sha256>::new(self.salt, shared.raw_secret_bytes())
            .expand(&self.context(), &mut key)
            .ok()?;
        KwAes128::new_from_slice(&key).ok()
    }

    /// COSE_KDF_Context.
    fn context(&self) -> Vec<u8> {
        const ARRAY: u8 = 4;
        const BYTES: u8 = 2;
        const NULL: u8 = 0xf6;
        let mut out = Vec::new();
        let bytes = |out: &mut Vec<u8>, bytes: &[u8]| {
            head(out, BYTES, bytes.len());
            out.extend_from_slice(bytes);
        };
        head(&mut out, ARRAY, 4);
        integer(&mut out, A128KW);
        for party in [self.party_u, self.party_v] {
            head(&mut out, ARRAY, party.len());
            for said in party {
                match said {
                    Some(said) => bytes(&mut out, said),
                    None => out.push(NULL),
                }
            }
        }
        head(&mut out, ARRAY, 2);
        integer(&mut out, KEY_BITS);
        bytes(&mut out, self.protected);
        out
    }
}

/// A point of P-256 by its coordinates; `None` where there is none. A key that is not on the curve would give the private
/// one away.
pub(crate) fn point(x: [u8; 32], y: [u8; 32]) -> Option<PublicKey> {
    PublicKey::from_sec1_bytes(&[&[4][..], &x, &y].concat()).ok()
}

/// A point by one coordinate and the sign of the other (SEC 1 §2.3.4).
pub(crate) fn compressed_point(x: [u8; 32], is_odd: bool) -> Option<PublicKey> {
    PublicKey::from_sec1_bytes(&[&[2 + u8::from(is_odd)][..], &x].concat()).ok()
}

/// A public key as COSE_Key writes it (RFC 9053 §7.1.1).
pub(crate) fn cose_key(public: &PublicKey) -> Result<Value, Refusal> {
    let point = p256::Sec1Point::from(public);
    let (Some(x), Some(y)) = (point.x(), point.y()) else {
        return Err(cose("the sender's key has no coordinates"));
    };
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    Ok(Value::Map(vec![
        (1.into(), 2.into()),
        ((-1).into(), 1.into()),
        ((-2).into(), bytes(x)),
        ((-3).into(), bytes(y)),
    ]))
}

/// Whether a key is one that this algorithm takes.
pub(crate) const fn is_ours(alg: Option<i128>) -> bool {
    matches!(alg, Some(alg) if alg == Algorithm::EcdhSsA128Kw.cose_id() as i128)
}
