//! The COSE frame (RFC 9052): COSE_Mac0 and COSE_Sign1, read without looking into the payload.

use crate::{
    cbor::{Item, Reader},
    error::Refusal,
    key::Algorithm,
};

/// CBOR tags that may open a token.
const TAG_CWT: u64 = 61;
const TAG_MAC0: u64 = 17;
const TAG_SIGN1: u64 = 18;

/// COSE header labels (RFC 9052 §3.1).
const HEADER_ALG: i128 = 1;
const HEADER_CRIT: i128 = 2;
const HEADER_KID: i128 = 4;

/// A token's frame, all of it borrowed from the bytes as received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) structure: Structure,
    /// The protected header's content, over which the signature was made exactly as it stands.
    pub(crate) protected: &'a [u8],
    pub(crate) payload: &'a [u8],
    /// The MAC or signature.
    pub(crate) seal: &'a [u8],
    /// `alg`, as the sender wrote it. The key decides; this must agree.
    pub(crate) alg: Option<i128>,
    pub(crate) kid: Option<&'a [u8]>,
}

/// Which COSE message carries the claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Structure {
    Mac0,
    Sign1,
}

impl Structure {
    pub(crate) const fn tag(self) -> u64 {
        match self {
            Self::Mac0 => TAG_MAC0,
            Self::Sign1 => TAG_SIGN1,
        }
    }

    /// The context string of RFC 9052 §4.4 and §6.3.
    const fn context(self) -> &'static str {
        match self {
            Self::Mac0 => "MAC0",
            Self::Sign1 => "Signature1",
        }
    }

    pub(crate) const fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::Mac0,
            Algorithm::Es256 => Self::Sign1,
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads the frame: an optional CWT tag, a COSE tag, an array of four, and nothing after it.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(bytes);
        let mut first = reader.next()?;
        if first == Item::Tag(TAG_CWT) {
            first = reader.next()?;
        }
        let structure = match first {
            Item::Tag(TAG_MAC0) => Structure::Mac0,
            Item::Tag(TAG_SIGN1) => Structure::Sign1,
            Item::Tag(_) => return Err(cose("neither COSE_Mac0 (tag 17) nor COSE_Sign1 (tag 18)")),
            _ => return Err(cose("the COSE tag is missing")),
        };
        if reader.next()? != Item::Array(4) {
            return Err(cose("not an array of four"));
        }
        let Item::Bytes(protected) = reader.next()? else {
            return Err(cose("the protected header is not a byte string"));
        };
        let mut headers = Headers::default();
        if !protected.is_empty() {
            let mut inner = Reader::new(protected);
            headers.read(&mut inner)?;
            inner.end()?;
        }
        headers.read(&mut reader)?;
        let (Item::Bytes(payload), Item::Bytes(seal)) = (reader.next()?, reader.next()?) else {
            return Err(cose("payload and seal must be byte strings"));
        };
        reader.end()?;
        Ok(Self {
            structure,
            protected,
            payload,
            seal,
            alg: headers.alg,
            kid: headers.kid,
        })
    }

    /// The bytes that the MAC or signature covers (RFC 9052 §4.4, §6.3), with no external data.
    pub(crate) fn sealed_bytes(&self) -> Vec<u8> {
        sealed_bytes(self.structure, self.protected, self.payload)
    }
}

/// Writes `[context, protected, h'', payload]`, the structure that is signed.
pub(crate) fn sealed_bytes(structure: Structure, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + payload.len() + 24);
    head(&mut out, 4, 4);
    let context = structure.context().as_bytes();
    head(&mut out, 3, context.len());
    out.extend_from_slice(context);
    for bytes in [protected, b"", payload] {
        head(&mut out, 2, bytes.len());
        out.extend_from_slice(bytes);
    }
    out
}

/// Writes an item's head: major type and length, in the shortest form.
pub(crate) fn head(out: &mut Vec<u8>, major: u8, length: usize) {
    let major = major << 5;
    match length {
        0..=23 => out.push(major | length as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, length as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// What both header maps say, read one after the other.
#[derive(Default)]
struct Headers<'a> {
    alg: Option<i128>,
    kid: Option<&'a [u8]>,
    /// Every integer label seen: a label may stand once, in one of the two maps.
    seen: Vec<i128>,
}

impl<'a> Headers<'a> {
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), Refusal> {
        for _ in 0..reader.map()? {
            let Item::Integer(label) = reader.next()? else {
                reader.skip()?;
                continue;
            };
            if self.seen.contains(&label) {
                return Err(cose("a header label stands twice"));
            }
            self.seen.push(label);
            match label {
                HEADER_ALG => {
                    let Item::Integer(alg) = reader.next()? else {
                        return Err(cose("alg is not an integer"));
                    };
                    self.alg = Some(alg);
                }
                // We understand no extension that a sender could make critical (RFC 9052 §3.1).
                HEADER_CRIT => return Err(cose("a critical header that is not understood")),
                HEADER_KID => {
                    let Item::Bytes(kid) = reader.next()? else {
                        return Err(cose("kid is not a byte string"));
                    };
                    self.kid = Some(kid);
                }
                _ => reader.skip()?,
            }
        }
        Ok(())
    }
}

const fn cose(what: &'static str) -> Refusal {
    Refusal::Cose { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_structure_is_that_of_rfc_9052() {
        let bytes = sealed_bytes(Structure::Mac0, &[0xa1, 0x01, 0x05], &[0xa0]);
        assert_eq!(bytes, b"\x84\x64MAC0\x43\xa1\x01\x05\x40\x41\xa0");
    }

    #[test]
    fn a_label_in_both_maps_is_refused() {
        // 17([h'a10105', {1: 5}, h'a0', h''])
        let frame = [
            0xd1, 0x84, 0x43, 0xa1, 0x01, 0x05, 0xa1, 0x01, 0x05, 0x41, 0xa0, 0x40,
        ];
        assert!(matches!(
            Frame::read(&frame),
            Err(Refusal::Cose {
                what: "a header label stands twice"
            })
        ));
    }

    #[test]
    fn a_critical_header_is_refused() {
        // 17([h'a1028118 63', {}, h'a0', h'']): crit [99]
        let frame = [
            0xd1, 0x84, 0x45, 0xa1, 0x02, 0x81, 0x18, 0x63, 0xa0, 0x41, 0xa0, 0x40,
        ];
        assert!(matches!(Frame::read(&frame), Err(Refusal::Cose { .. })));
    }
}
