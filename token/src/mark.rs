//! The watermark that a token gives its session (ETSI TS 104 002 §6): its bits, or what they are derived from.

#[cfg(feature = "encrypt")]
use std::borrow::Cow;

use thiserror::Error;

use crate::{
    cbor::{Item, Reader},
    key::KeySet,
    label::Label,
    time::UnixMillis,
    verify::Authentic,
};
#[cfg(feature = "encrypt")]
use crate::{
    cose::{Frame, Structure},
    limits::MAX_KEYS_TRIED,
};

/// How an edge knows the bits of a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark<'t> {
    /// `wmvnd`: whose code and keys these are.
    pub vendor: u8,
    /// `wmpatlen`: after how many bits the pattern begins again; at least 1.
    pub bits: u16,
    /// Where the bits are.
    pub mode: MarkMode<'t>,
}

/// Where the bits of a session are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MarkMode<'t> {
    /// In the token: [`KeySet::open_pattern`] has them.
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
            mode,
        }))
    }
}

impl KeySet {
    /// The bytes of a pattern of `bits` bits, from the CBOR of `wmpattern`: as they stand in a byte string of their
    /// length, else out of a COSE_Encrypt0 (AES-GCM), with or without its tag, by itself or in a byte string, by a key
    /// that is good at `now` and may speak for the token's issuer.
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
        let wrong = |what| MarkError::Pattern { what };
        let length = usize::from(bits).div_ceil(8);
        let mut reader = Reader::new(pattern);
        let message = match reader.next().map_err(|_| wrong("not CBOR"))? {
            Item::Bytes(bytes) if bytes.len() == length => return Ok(bytes.to_vec()),
            Item::Bytes(bytes) => bytes,
            _ => pattern,
        };
        let opened = self.decrypt_pattern(message, issuer, now)?;
        if opened.len() == length {
            Ok(opened)
        } else {
            Err(wrong("what was encrypted has not the length of wmpatlen"))
        }
    }

    #[cfg(not(feature = "encrypt"))]
    fn decrypt_pattern(&self, _: &[u8], _: Option<&str>, _: UnixMillis) -> Result<Vec<u8>, MarkError> {
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
    ) -> Result<Vec<u8>, MarkError> {
        let message = tagged(message)?;
        let frame = Frame::read(&message).map_err(|_| MarkError::Pattern {
            what: "neither of the length that wmpatlen says nor a COSE_Encrypt0",
        })?;
        if frame.structure != Structure::Encrypt0 {
            return Err(MarkError::Pattern {
                what: "a COSE message that encrypts nothing",
            });
        }
        let keys = self.select_encryption(frame.kid).take(MAX_KEYS_TRIED);
        keys.filter(|key| key.bounds().hold_at(now) && key.bounds().speak_for(issuer))
            .filter(|key| frame.agrees_with(key.algorithm()))
            .find_map(|key| key.open(&frame).ok())
            .ok_or(MarkError::Key)
    }
}

/// A COSE_Encrypt0 with its tag, which issuers leave out.
#[cfg(feature = "encrypt")]
fn tagged(message: &[u8]) -> Result<Cow<'_, [u8]>, MarkError> {
    /// The tag 16, and heads of arrays of three and of four.
    const TAG: u8 = 0xd0;
    const THREE: u8 = 0x83;
    const FOUR: u8 = 0x84;
    match message {
        [THREE, ..] => Ok(Cow::Owned([&[TAG], message].concat())),
        [FOUR, ..] | [0xd8, 96, ..] => Err(MarkError::Pattern {
            what: "a COSE_Encrypt with recipients: encrypt it by COSE_Encrypt0",
        }),
        _ => Ok(Cow::Borrowed(message)),
    }
}
