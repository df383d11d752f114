//! COSE_Encrypt0 with AES-GCM (RFC 9052 §5, RFC 9053 §4.1): tokens whose claims only a recipient may read.

use core::fmt;

use aes_gcm::{AeadInOut as _, Aes128Gcm, Aes256Gcm, KeyInit as _, Nonce, Tag};

use crate::{
    cose::{Context, Frame, additional_data, cose},
    error::{KeyError, MintError, Refusal},
    key::{Algorithm, Jwk, KeyBounds, KeyIdentity},
    limits::NONCE_BYTES,
};

/// Length of GCM's authentication tag, behind the ciphertext.
const TAG: usize = 16;

/// A key that encrypts tokens and opens them.
///
/// AES-GCM falls apart when one key meets one nonce twice: whoever encrypts draws each nonce at random or
/// counts, and takes a new key well before 2^32 tokens.
#[derive(Clone)]
pub struct EncryptionKey {
    identity: KeyIdentity,
    cipher: Cipher,
}

/// AES-GCM with a key already scheduled.
#[derive(Clone)]
pub(crate) enum Cipher {
    A128(Box<Aes128Gcm>),
    A256(Box<Aes256Gcm>),
}

impl Cipher {
    /// The cipher of an algorithm; `None` where it is not AES-GCM, or the key is not as long as it takes.
    pub(crate) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::A128Gcm => Some(Self::A128(Box::new(Aes128Gcm::new_from_slice(key).ok()?))),
            Algorithm::A256Gcm => Some(Self::A256(Box::new(Aes256Gcm::new_from_slice(key).ok()?))),
            _ => None,
        }
    }

    /// Opens what was encrypted under a nonce, its authentication tag behind it.
    ///
    /// # Errors
    /// The nonce is not of 12 bytes, or the ciphertext is not one of this key, nonce and `data`.
    pub(crate) fn open(&self, iv: Option<&[u8]>, sealed: &[u8], data: &[u8]) -> Result<Vec<u8>, Refusal> {
        let nonce: [u8; NONCE_BYTES] = iv
            .and_then(|iv| iv.try_into().ok())
            .ok_or(cose("the IV is not 12 bytes"))?;
        let (text, tag) = sealed
            .split_last_chunk::<TAG>()
            .ok_or(cose("the ciphertext is shorter than its authentication tag"))?;
        let mut text = text.to_vec();
        let (nonce, tag) = (Nonce::from(nonce), Tag::from(*tag));
        let buffer = text.as_mut_slice().into();
        match self {
            Self::A128(cipher) => cipher.decrypt_inout_detached(&nonce, data, buffer, &tag),
            Self::A256(cipher) => cipher.decrypt_inout_detached(&nonce, data, buffer, &tag),
        }
        .map_err(|_| Refusal::BadSignature)?;
        Ok(text)
    }

    /// Encrypts `text` and puts its authentication tag behind it.
    pub(crate) fn close(
        &self,
        nonce: [u8; NONCE_BYTES],
        mut text: Vec<u8>,
        data: &[u8],
    ) -> Result<Vec<u8>, MintError> {
        let nonce = Nonce::from(nonce);
        let buffer = text.as_mut_slice().into();
        let tag = match self {
            Self::A128(cipher) => cipher.encrypt_inout_detached(&nonce, data, buffer),
            Self::A256(cipher) => cipher.encrypt_inout_detached(&nonce, data, buffer),
        }
        .map_err(|_| MintError::Seal)?;
        text.extend_from_slice(&tag);
        Ok(text)
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "EncryptionKey({:?}, {})",
            self.identity.kid, self.identity.algorithm
        )
    }
}

impl EncryptionKey {
    /// Takes an `oct` key for `A128GCM` (16 bytes) or `A256GCM` (32 bytes).
    ///
    /// # Errors
    /// The member that is missing or wrong: also `key_ops` where it is there with neither `decrypt` nor
    /// `encrypt`.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let algorithm = jwk.algorithm()?;
        let idle = |ops: &Vec<String>| !ops.iter().any(|op| op == "decrypt" || op == "encrypt");
        if jwk.key_ops.as_ref().is_some_and(idle) {
            return Err(jwk.wrong("key_ops", "must have \"decrypt\" or \"encrypt\", or be left out"));
        }
        let secret = jwk.k.as_ref();
        let cipher = match algorithm {
            Algorithm::A128Gcm => {
                let key = jwk.exactly::<16>("k", secret, "is not 16 bytes, as A128GCM needs")?;
                Cipher::A128(Box::new(Aes128Gcm::new(&key.into())))
            }
            Algorithm::A256Gcm => {
                let key = jwk.exactly::<32>("k", secret, "is not 32 bytes, as A256GCM needs")?;
                Cipher::A256(Box::new(Aes256Gcm::new(&key.into())))
            }
            _ => return Err(jwk.wrong("alg", "must be A128GCM or A256GCM to encrypt")),
        };
        Ok(Self {
            identity: KeyIdentity::of(jwk, algorithm)?,
            cipher,
        })
    }

    /// The name that tokens will carry.
    pub fn kid(&self) -> &str {
        &self.identity.kid
    }

    /// `A128Gcm` or `A256Gcm`.
    pub const fn algorithm(&self) -> Algorithm {
        self.identity.algorithm
    }

    /// Whom the key speaks for, and when.
    pub fn bounds(&self) -> &KeyBounds {
        &self.identity.bounds
    }

    pub(crate) const fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    /// Opens a COSE_Encrypt0.
    ///
    /// # Errors
    /// The nonce is not of 12 bytes, or the ciphertext is not one of this key, nonce and protected header.
    pub(crate) fn open(&self, frame: &Frame<'_>) -> Result<Vec<u8>, Refusal> {
        let data = additional_data(Context::Encrypt0, frame.protected);
        self.cipher.open(frame.iv, frame.payload, &data)
    }

    /// Encrypts `text` and puts its authentication tag behind it.
    pub(crate) fn close(
        &self,
        nonce: [u8; NONCE_BYTES],
        protected: &[u8],
        text: Vec<u8>,
    ) -> Result<Vec<u8>, MintError> {
        let data = additional_data(Context::Encrypt0, protected);
        self.cipher.close(nonce, text, &data)
    }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// Of the COSE working group's examples, `aes-gcm-enc-01` and `aes-gcm-enc-03`.
    #[test]
    fn the_working_groups_examples_open_and_close() {
        for (secret, message, algorithm) in [
            (
                "hJtXIZ2uSN5kbQfbtTNWbg",
                "D08343A10101A1054C02D1F7E6F26C43D4868D87CE582460973A94BB2898009EE52ECFD9AB1DD25867374B162E2C03568B41F57C3CC16F9166250A",
                Algorithm::A128Gcm,
            ),
            (
                "Dx4tPEtaaXiHlqW0w9Lh8B8uPUxbanmIl6a1xNPi8QA",
                "D08343A10103A1054C02D1F7E6F26C43D4868D87CE58249D64A5A59A3B04867DCCF6B8EF82F7D1A3B25EF84ECA2BC5D7593A96E943859A9CC24AD3",
                Algorithm::A256Gcm,
            ),
        ] {
            let secret = Base64UrlUnpadded::decode_vec(secret).unwrap();
            let key = EncryptionKey::from_jwk(&Jwk::octets("our-secret", algorithm, &secret)).unwrap();
            let message = bytes(message);
            let frame = Frame::read(&message).unwrap();
            assert!(frame.agrees_with(algorithm));
            assert_eq!(key.open(&frame).unwrap(), b"This is the content.");
            let nonce = frame.iv.unwrap().try_into().unwrap();
            let closed = key
                .close(nonce, frame.protected, b"This is the content.".to_vec())
                .unwrap();
            assert_eq!(closed, frame.payload);
        }
    }

    #[test]
    fn a_key_must_be_as_long_as_its_algorithm_says() {
        for (algorithm, length) in [
            (Algorithm::A128Gcm, 32),
            (Algorithm::A256Gcm, 16),
            (Algorithm::A256Gcm, 31),
        ] {
            let jwk = Jwk::octets("e", algorithm, &vec![1; length]);
            assert!(matches!(
                EncryptionKey::from_jwk(&jwk),
                Err(KeyError::Member { member: "k", .. })
            ));
        }
        assert!(EncryptionKey::from_jwk(&Jwk::symmetric("h", &[1; 32])).is_err());
    }

    #[test]
    fn its_secret_does_not_show() {
        let key = EncryptionKey::from_jwk(&Jwk::octets("e", Algorithm::A128Gcm, &[65; 16])).unwrap();
        assert_eq!(format!("{key:?}"), r#"EncryptionKey("e", A128GCM)"#);
    }
}
