//! The watermark that a token gives its session (ETSI TS 104 002 §6): its bits, or what they are derived from.

#[cfg(feature = "encrypt")]
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use thiserror::Error;

use crate::{
    cbor::{Item, Reader},
    claims::SegmentDuration,
    key::{KeyBounds, KeySet, KeySetVersion},
    label::Label,
    time::UnixMillis,
    verify::Authentic,
};
#[cfg(feature = "encrypt")]
use crate::{
    cose::{Frame, Structure},
    envelope::{Envelope, Sender},
    limits::MAX_KEYS_TRIED,
};

/// How an edge knows the bits of a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark<'t> {
    /// `wmvnd`: whose code and keys these are.
    pub vendor: u8,
    /// `wmpatlen`: after how many bits the pattern begins again; at least 1.
    pub bits: u16,
    /// `wmsegduration`: how long a segment nominally is. A fallback, for origins that say no positions.
    pub segment_duration: Option<SegmentDuration>,
    /// Where the bits are.
    pub mode: MarkMode<'t>,
}

/// Where the bits of a session are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MarkMode<'t> {
    /// In the token: [`Authentic::open_pattern`] has them.
    Direct {
        /// `wmpattern`, as CBOR.
        pattern: &'t [u8],
    },
    /// Derived by whoever has the key.
    Indirect {
        /// `wmid`: the session, user or device.
        id: &'t str,
        /// `wmopid`: the operator.
        operator: u64,
        /// `wmkeyver`: the key's version.
        key_version: u64,
    },
}

/// Why a token's watermark cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum MarkError {
    /// A claim that a watermark token must have is not there.
    #[error("{claim} is missing, which a watermark needs")]
    Missing {
        /// The claim.
        claim: Label,
    },
    /// Its version is not 1.
    #[error("wmver is {version}, only 1 is known")]
    Version {
        /// `wmver`.
        version: u8,
    },
    /// The pattern is not what `wmpatlen` says, or no COSE message.
    #[error("wmpattern: {what}")]
    Pattern {
        /// What is wrong.
        what: &'static str,
    },
    /// No key that is good now opens the pattern.
    #[error("wmpattern: no key of this edge opens it")]
    Key,
}

impl Authentic {
    /// The token's watermark; `None` where no claim speaks of one. Nothing in it is secret but the pattern.
    ///
    /// # Errors
    /// There are claims of a watermark, and what the standard asks for beside them is not there: `exp`, `iat`, `wmver` 1,
    /// `wmvnd`, `wmpatlen`, and either `wmpattern` or `wmid`, `wmopid` and `wmkeyver`.
    pub fn mark(&self) -> Result<Option<Mark<'_>>, MarkError> {
        let claims = self.claims();
        let Some(watermark) = claims.watermark.as_deref() else {
            return Ok(None);
        };
        let missing = |claim| MarkError::Missing { claim };
        if claims.expires.is_none() {
            return Err(missing(Label::EXP));
        }
        if claims.issued_at.is_none() {
            return Err(missing(Label::IAT));
        }
        match watermark.version.ok_or(missing(Label::WMVER))? {
            1 => {}
            version => return Err(MarkError::Version { version }),
        }
        let mode = match &watermark.pattern {
            Some(pattern) => MarkMode::Direct { pattern },
            None => MarkMode::Indirect {
                id: watermark.id.as_deref().ok_or(missing(Label::WMID))?,
                operator: watermark.operator.ok_or(missing(Label::WMOPID))?,
                key_version: watermark.key_version.ok_or(missing(Label::WMKEYVER))?,
            },
        };
        Ok(Some(Mark {
            vendor: watermark.vendor.ok_or(missing(Label::WMVND))?,
            bits: watermark.pattern_bits.ok_or(missing(Label::WMPATLEN))?,
            segment_duration: watermark.segment_duration,
            mode,
        }))
    }
}

/// A pattern that was opened, and what it rests on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Opened {
    bytes: Vec<u8>,
    /// Of the key that opened it; `None` where it stood in the clear.
    bounds: Option<Arc<KeyBounds>>,
}

/// The pattern of one token, opened once.
///
/// It follows from the token and the keys, so that it says nothing of whether two tokens are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnceOpened(OnceLock<(KeySetVersion, Arc<Opened>)>);

impl PartialEq for OnceOpened {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for OnceOpened {}

impl Authentic {
    /// The bytes of the pattern that the token carries, as [`KeySet::open_pattern`] has them. A token that is kept is opened
    /// once: whether the key is good at `now`, and may speak for the issuer, is judged each time.
    ///
    /// # Errors
    /// Those of [`KeySet::open_pattern`]; [`MarkError::Missing`] where it carries none.
    pub fn open_pattern(&self, keys: &KeySet, now: UnixMillis) -> Result<Vec<u8>, MarkError> {
        let issuer = self.claims().issuer.as_deref();
        if let Some((version, opened)) = self.opened().0.get()
            && *version == keys.version()
        {
            return match opened.holds(issuer, now) {
                true => Ok(opened.bytes.clone()),
                false => Err(MarkError::Key),
            };
        }
        let Some(Mark {
            bits,
            mode: MarkMode::Direct { pattern },
            ..
        }) = self.mark()?
        else {
            return Err(MarkError::Missing {
                claim: Label::WMPATTERN,
            });
        };
        let opened = Arc::new(keys.open(pattern, bits, issuer, now)?);
        let bytes = opened.bytes.clone();
        // Where another request was first, its result is the same.
        let _ = self.opened().0.set((keys.version(), opened));
        Ok(bytes)
    }
}

impl Opened {
    fn holds(&self, issuer: Option<&str>, now: UnixMillis) -> bool {
        self.bounds
            .as_ref()
            .is_none_or(|bounds| bounds.hold_at(now) && bounds.speak_for(issuer))
    }
}

impl KeySet {
    /// The bytes of a pattern of `bits` bits, from the CBOR of `wmpattern`: as they stand in a byte string of their
    /// length, else out of a COSE_Encrypt0 (AES-GCM) or a COSE_Encrypt (ECDH-SS + A128KW around AES-GCM), with or without
    /// its tag, by itself or in a byte string, by a key that is good at `now` and may speak for the token's issuer.
    ///
    /// # Errors
    /// It has another length, is no such message, or no key opens it.
    pub fn open_pattern(
        &self,
        pattern: &[u8],
        bits: u16,
        issuer: Option<&str>,
        now: UnixMillis,
    ) -> Result<Vec<u8>, MarkError> {
        Ok(self.open(pattern, bits, issuer, now)?.bytes)
    }

    fn open(
        &self,
        pattern: &[u8],
        bits: u16,
        issuer: Option<&str>,
        now: UnixMillis,
    ) -> Result<Opened, MarkError> {
        let wrong = |what| MarkError::Pattern { what };
        let length = usize::from(bits).div_ceil(8);
        let mut reader = Reader::new(pattern);
        let message = match reader.next().map_err(|_| wrong("not CBOR"))? {
            Item::Bytes(bytes) if bytes.len() == length => {
                return Ok(Opened {
                    bytes: bytes.to_vec(),
                    bounds: None,
                });
            }
            Item::Bytes(bytes) => bytes,
            _ => pattern,
        };
        let opened = self.decrypt_pattern(message, issuer, now)?;
        if opened.bytes.len() == length {
            Ok(opened)
        } else {
            Err(wrong("what was encrypted has not the length of wmpatlen"))
        }
    }

    #[cfg(not(feature = "encrypt"))]
    fn decrypt_pattern(&self, _: &[u8], _: Option<&str>, _: UnixMillis) -> Result<Opened, MarkError> {
        Err(MarkError::Pattern {
            what: "encrypted, for which this build has no cipher, or of another length than wmpatlen says",
        })
    }

    #[cfg(feature = "encrypt")]
    fn decrypt_pattern(
        &self,
        message: &[u8],
        issuer: Option<&str>,
        now: UnixMillis,
    ) -> Result<Opened, MarkError> {
        let good = |bounds: &KeyBounds| bounds.hold_at(now) && bounds.speak_for(issuer);
        let opened = |bytes: Vec<u8>, bounds: &KeyBounds| Opened {
            bytes,
            bounds: Some(Arc::new(bounds.clone())),
        };
        if is_enveloped(message) {
            let envelope = Envelope::read(message).map_err(|_| MarkError::Pattern {
                what: "a COSE_Encrypt that cannot be read",
            })?;
            return envelope
                .recipients()
                .flat_map(|recipient| {
                    let keys = self.select_agreement(recipient.kid).take(MAX_KEYS_TRIED);
                    keys.map(move |key| (recipient, key))
                })
                // A key agreement costs as much as a signature: so many for all recipients together.
                .take(MAX_KEYS_TRIED)
                .filter(|(_, key)| good(key.bounds()))
                .find_map(|(recipient, key)| {
                    let sender = match recipient.sender()? {
                        Sender::Here(sender) => sender,
                        Sender::Named(kid) => self.select_agreement(Some(kid)).next()?.public(),
                    };
                    let bytes = envelope.open(recipient, key, sender)?;
                    Some(opened(bytes, key.bounds()))
                })
                .ok_or(MarkError::Key);
        }
        let message = tagged(message);
        let frame = Frame::read(&message).map_err(|_| MarkError::Pattern {
            what: "neither of the length that wmpatlen says nor a COSE_Encrypt0 or COSE_Encrypt",
        })?;
        if frame.structure != Structure::Encrypt0 {
            return Err(MarkError::Pattern {
                what: "a COSE message that encrypts nothing",
            });
        }
        let keys = self.select_encryption(frame.kid).take(MAX_KEYS_TRIED);
        keys.filter(|key| good(key.bounds()))
            .filter(|key| frame.agrees_with(key.algorithm()))
            .find_map(|key| Some(opened(key.open(&frame).ok()?, key.bounds())))
            .ok_or(MarkError::Key)
    }
}

/// Whether a message has recipients: tag 96, or an array of four.
#[cfg(feature = "encrypt")]
const fn is_enveloped(message: &[u8]) -> bool {
    const FOUR: u8 = 0x84;
    matches!(message, [FOUR, ..] | [0xd8, 96, ..])
}

/// A COSE_Encrypt0 with its tag, which issuers leave out.
#[cfg(feature = "encrypt")]
fn tagged(message: &[u8]) -> Cow<'_, [u8]> {
    /// The tag 16, and the head of an array of three.
    const TAG: u8 = 0xd0;
    const THREE: u8 = 0x83;
    match message {
        [THREE, ..] => Cow::Owned([&[TAG], message].concat()),
        _ => Cow::Borrowed(message),
    }
}
