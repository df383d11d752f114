//! From the bytes of a token to a payload that some key answers for. Nothing of the payload is interpreted.

use std::borrow::Cow;

use crate::{
    cose::{Frame, Structure},
    error::Refusal,
    key::{KeyIdentity, KeySet, VerificationKey},
    limits::MAX_KEYS_TRIED,
};

/// A payload whose seal has been checked.
#[derive(Clone, Debug)]
pub(crate) struct Unsealed<'t> {
    /// The claims map, as it was sealed.
    pub(crate) payload: Cow<'t, [u8]>,
    /// The key that answers for the claims. Where it sealed inside of COSE_Encrypt0, the bounds are those that
    /// hold by both keys.
    pub(crate) key: KeyIdentity,
    /// Whether only a recipient could read the claims.
    pub(crate) encrypted: bool,
}

/// Checks a token's seal by the keys that its `kid` names, over the bytes as received.
///
/// # Errors
/// The frame, the key, its algorithm or the seal is wrong.
pub(crate) fn unseal<'t>(keys: &KeySet, token: &'t [u8]) -> Result<Unsealed<'t>, Refusal> {
    let frame = Frame::read(token)?;
    if frame.structure == Structure::Encrypt0 {
        #[cfg(feature = "encrypt")]
        return decrypt(keys, &frame);
        #[cfg(not(feature = "encrypt"))]
        return Err(crate::cose::cose(
            "COSE_Encrypt0, for which this build has no cipher",
        ));
    }
    let key = verify(keys, &frame)?;
    Ok(Unsealed {
        payload: Cow::Borrowed(frame.payload),
        key: key.identity.clone(),
        encrypted: false,
    })
}

/// The key that sealed a COSE_Mac0 or COSE_Sign1.
fn verify<'k>(keys: &'k KeySet, frame: &Frame<'_>) -> Result<&'k VerificationKey, Refusal> {
    let mut refusal = None;
    for key in keys.select(frame.kid).take(MAX_KEYS_TRIED) {
        if !frame.agrees_with(key.algorithm()) {
            refusal = refusal.or(Some(Refusal::AlgorithmMismatch));
        } else if key.verifies(frame.sealed(), frame.seal) {
            return Ok(key);
        } else {
            refusal = Some(Refusal::BadSignature);
        }
    }
    Err(refusal.unwrap_or_else(|| unknown_key(frame)))
}

/// What COSE_Encrypt0 holds: a sealed message, or the claims alone, for which the cipher's key answers then.
#[cfg(feature = "encrypt")]
fn decrypt(keys: &KeySet, frame: &Frame<'_>) -> Result<Unsealed<'static>, Refusal> {
    use std::sync::Arc;

    use crate::cbor::{Item, Reader};

    let mut refusal = None;
    for key in keys.select_encryption(frame.kid).take(MAX_KEYS_TRIED) {
        if !frame.agrees_with(key.algorithm()) {
            refusal = refusal.or(Some(Refusal::AlgorithmMismatch));
            continue;
        }
        let plaintext = match key.open(frame) {
            Ok(plaintext) => plaintext,
            Err(error) => {
                refusal = Some(error);
                continue;
            }
        };
        // The claims' reader sees to it that a bare map is one item.
        if matches!(Reader::new(&plaintext).next()?, Item::Map(_)) {
            return Ok(Unsealed {
                payload: Cow::Owned(plaintext),
                key: key.identity().clone(),
                encrypted: true,
            });
        }
        let inner = Frame::read_inner(&plaintext)?;
        let signer = &verify(keys, &inner)?.identity;
        return Ok(Unsealed {
            payload: Cow::Owned(inner.payload.to_vec()),
            key: KeyIdentity {
                bounds: Arc::new(signer.bounds.intersect(key.bounds())),
                ..signer.clone()
            },
            encrypted: true,
        });
    }
    Err(refusal.unwrap_or_else(|| unknown_key(frame)))
}

fn unknown_key(frame: &Frame<'_>) -> Refusal {
    Refusal::UnknownKey {
        kid: frame
            .kid
            .unwrap_or_default()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect(),
    }
}
