//! Minting.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ciborium::Value;

#[cfg(feature = "encrypt")]
use crate::{
    agree::AgreementKey,
    cose::HEADER_IV,
    encrypt::EncryptionKey,
    envelope::{self, EnvelopeSeed},
    limits::NONCE_BYTES,
};
use crate::{
    claims::Match,
    cose::{HEADER_ALG, HEADER_KID, Sealed, Structure, head},
    error::MintError,
    key::{Algorithm, SigningKey},
    limits::MAX_TOKEN_BYTES,
    time::UnixMillis,
    uri::Component,
};

/// Collects claims and signs them.
///
/// ```
/// # use selvedge_token::{Jwk, Minter, SigningKey, UnixMillis};
/// let key = SigningKey::from_jwk(&Jwk::symmetric("k", &[1; 32]))?;
/// let token = Minter::new().expires_at(UnixMillis::from_seconds(1_790_000_000)).mint(&key)?;
/// // A CWT tag, a COSE_Mac0 tag and an array of four always look alike.
/// assert!(token.starts_with("2D3RhEOhAQWh"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Minter {
    claims: Vec<(i64, Value)>,
    named: Vec<(String, Value)>,
    uri: Vec<(Component, Match)>,
}

impl Minter {
    /// No claims yet, but for `catv` 1.
    pub fn new() -> Self {
        Self::default().claim(310, 1)
    }

    /// `iss`
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim(1, issuer)
    }

    /// `sub`. Anybody who holds the token can read it: never a name or an address.
    pub fn subject(self, subject: &str) -> Self {
        self.claim(2, subject)
    }

    /// `aud`
    pub fn audience(self, audience: &str) -> Self {
        self.claim(3, audience)
    }

    /// `exp`, to the second.
    pub fn expires_at(self, moment: UnixMillis) -> Self {
        self.claim(4, moment.seconds())
    }

    /// `nbf`, to the second.
    pub fn not_before(self, moment: UnixMillis) -> Self {
        self.claim(5, moment.seconds())
    }

    /// `iat`, to the second.
    pub fn issued_at(self, moment: UnixMillis) -> Self {
        self.claim(6, moment.seconds())
    }

    /// `cti`
    pub fn token_id(self, id: &[u8]) -> Self {
        self.claim(7, id)
    }

    /// `catm`
    pub fn methods(self, methods: &[&str]) -> Self {
        let methods: Vec<Value> = methods.iter().map(|&method| method.into()).collect();
        self.claim(313, methods)
    }

    /// Adds a rule to `catu`; all rules must hold. A component takes one rule of each match type.
    pub fn uri(mut self, component: Component, must: Match) -> Self {
        self.uri.push((component, must));
        self
    }

    /// The claims of a watermark (ETSI TS 104 002 §6.2) whose bits edges derive: `wmver` 1, `wmvnd`, `wmpatlen`, `wmid`,
    /// `wmopid` and `wmkeyver`. Beside them, recipients ask for `exp` and `iat`.
    pub fn derived_mark(self, vendor: u8, bits: u16, id: &str, operator: u64, key_version: u64) -> Self {
        self.mark(vendor, bits)
            .claim(305, id)
            .claim(306, operator)
            .claim(307, key_version)
    }

    /// The claims of a watermark whose `bits` bits are in the token for everybody to read, the most significant of the
    /// first byte first: `wmver` 1, `wmvnd`, `wmpatlen` and `wmpattern`.
    pub fn clear_mark(self, vendor: u8, bits: u16, pattern: &[u8]) -> Self {
        self.mark(vendor, bits).claim(304, pattern)
    }

    /// The same with the bits in a COSE_Encrypt0, for edges that have the key.
    ///
    /// `nonce` must never have been used with `key` before.
    ///
    /// # Errors
    /// The key could not encrypt.
    #[cfg(feature = "encrypt")]
    pub fn encrypted_mark(
        self,
        vendor: u8,
        bits: u16,
        pattern: &[u8],
        key: &EncryptionKey,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, MintError> {
        let protected = protected(key.algorithm())?;
        let ciphertext = key.close(nonce, &protected, pattern.to_vec())?;
        let mut unprotected = unprotected(key.kid());
        unprotected.push((HEADER_IV.into(), Value::Bytes(nonce.to_vec())));
        let message = Value::Array(vec![
            Value::Bytes(protected),
            Value::Map(unprotected),
            Value::Bytes(ciphertext),
        ]);
        let message = Value::Tag(Structure::Encrypt0.tag(), Box::new(message));
        Ok(self.mark(vendor, bits).claim(304, message))
    }

    /// The same with the bits in a COSE_Encrypt (ECDH-SS + A128KW around A256GCM), for edges that have the private half of
    /// the recipient's key: who mints can read no pattern of others'.
    ///
    /// `seed` must never have been used before.
    ///
    /// # Errors
    /// The seed's scalar is none, or something could not be computed.
    #[cfg(feature = "encrypt")]
    pub fn enveloped_mark(
        self,
        vendor: u8,
        bits: u16,
        pattern: &[u8],
        recipient: &AgreementKey,
        seed: &EnvelopeSeed,
    ) -> Result<Self, MintError> {
        let message = envelope::seal(pattern, recipient, seed)?;
        Ok(self.mark(vendor, bits).claim(304, message))
    }

    fn mark(self, vendor: u8, bits: u16) -> Self {
        self.claim(300, 1).claim(301, vendor).claim(302, bits)
    }

    /// Any claim by its key, replacing one of the same key. The caller vouches for its form.
    pub fn claim(mut self, label: i64, value: impl Into<Value>) -> Self {
        self.claims.retain(|(have, _)| *have != label);
        self.claims.push((label, value.into()));
        self
    }

    /// A claim of the issuer's own, whose key is a text, replacing one of the same key. Recipients that do not know
    /// it ignore it.
    pub fn named_claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.named.retain(|(have, _)| have != name);
        self.named.push((name.into(), value.into()));
        self
    }

    /// Signs the claims: `61(17([…]))` or `61(18([…]))` in base64url without padding.
    ///
    /// # Errors
    /// The token would be longer than recipients must take, or two rules of `catu` contradict each other's form.
    pub fn mint(&self, key: &SigningKey) -> Result<String, MintError> {
        seal(&encode(&self.claims_map()?)?, key)
    }

    /// Signs the claims and encrypts what came out: `61(16([…]))`, with `17([…])` or `18([…])` inside, in
    /// base64url without padding. For claims that tell of a viewer what others must not read.
    ///
    /// `nonce` must never have been used with `encryption` before: a second token of the same nonce gives both
    /// away and lets others be forged.
    ///
    /// # Errors
    /// Those of [`mint`](Self::mint).
    #[cfg(feature = "encrypt")]
    pub fn mint_encrypted(
        &self,
        key: &SigningKey,
        encryption: &EncryptionKey,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, MintError> {
        let inner = message(&encode(&self.claims_map()?)?, key)?;
        let protected = protected(encryption.algorithm())?;
        let ciphertext = encryption.close(nonce, &protected, inner)?;
        let mut unprotected = unprotected(encryption.kid());
        unprotected.push((HEADER_IV.into(), Value::Bytes(nonce.to_vec())));
        let mut token = Vec::new();
        frame(
            &mut token,
            Structure::Encrypt0,
            &[
                Value::Bytes(protected),
                Value::Map(unprotected),
                Value::Bytes(ciphertext),
            ],
        )?;
        text(&token)
    }

    /// The claims in ascending order of their keys, as deterministic CBOR wants.
    fn claims_map(&self) -> Result<Value, MintError> {
        let mut claims = self.claims.clone();
        if !self.uri.is_empty() {
            claims.retain(|(label, _)| *label != 312);
            claims.push((312, self.uri_map()?));
        }
        claims.sort_by_key(|(label, _)| *label);
        Ok(Value::Map(
            claims
                .into_iter()
                .map(|(label, value)| (label.into(), value))
                .chain(
                    self.named
                        .iter()
                        .map(|(name, value)| (name.as_str().into(), value.clone())),
                )
                .collect(),
        ))
    }

    fn uri_map(&self) -> Result<Value, MintError> {
        let mut components: Vec<(Component, Vec<(Value, Value)>)> = Vec::new();
        for (component, must) in &self.uri {
            let entry = must.entry();
            match components.iter_mut().find(|(have, _)| have == component) {
                Some((_, matches)) if matches.contains(&entry) => {}
                Some((_, matches)) if matches.iter().any(|(key, _)| *key == entry.0) => {
                    return Err(MintError::Rules {
                        component: *component,
                    });
                }
                Some((_, matches)) => matches.push(entry),
                None => components.push((*component, vec![entry])),
            }
        }
        components.sort_by_key(|(component, _)| *component as u8);
        Ok(Value::Map(
            components
                .into_iter()
                .map(|(component, matches)| ((component as u8).into(), Value::Map(matches)))
                .collect(),
        ))
    }
}

/// Seals a claims map that is given by its bytes, as a token.
///
/// # Errors
/// The token would be longer than recipients must take.
pub(crate) fn seal(payload: &[u8], key: &SigningKey) -> Result<String, MintError> {
    text(&message(payload, key)?)
}

/// The COSE_Mac0 or COSE_Sign1 of a payload, tagged.
fn message(payload: &[u8], key: &SigningKey) -> Result<Vec<u8>, MintError> {
    let structure = Structure::of(key.algorithm());
    let protected = protected(key.algorithm())?;
    let seal = key.seal(Sealed {
        structure,
        protected: &protected,
        payload,
    })?;
    let mut out = Vec::with_capacity(protected.len() + payload.len() + seal.len() + 64);
    frame(
        &mut out,
        structure,
        &[
            Value::Bytes(protected),
            Value::Map(unprotected(key.kid())),
            Value::Bytes(payload.to_vec()),
            Value::Bytes(seal),
        ],
    )?;
    Ok(out)
}

pub(crate) fn protected(algorithm: Algorithm) -> Result<Vec<u8>, MintError> {
    encode(&Value::Map(vec![(HEADER_ALG.into(), algorithm.cose_id().into())]))
}

fn unprotected(kid: &str) -> Vec<(Value, Value)> {
    match kid {
        "" => Vec::new(),
        kid => vec![(HEADER_KID.into(), Value::Bytes(kid.into()))],
    }
}

/// Writes a COSE message with its tag.
fn frame(out: &mut Vec<u8>, structure: Structure, parts: &[Value]) -> Result<(), MintError> {
    const TAG: u8 = 6;
    const ARRAY: u8 = 4;
    head(out, TAG, structure.tag() as usize);
    head(out, ARRAY, parts.len());
    parts
        .iter()
        .try_for_each(|part| ciborium::into_writer(part, &mut *out).map_err(|_| MintError::Encode))
}

/// A COSE message as a token's text, behind the CWT tag.
fn text(message: &[u8]) -> Result<String, MintError> {
    let token = [&[0xd8, 61], message].concat();
    if token.len() > MAX_TOKEN_BYTES {
        return Err(MintError::TooLong {
            bytes: token.len(),
            limit: MAX_TOKEN_BYTES,
        });
    }
    Ok(Base64UrlUnpadded::encode_string(&token))
}

fn encode(value: &Value) -> Result<Vec<u8>, MintError> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).map_err(|_| MintError::Encode)?;
    Ok(out)
}
