//! The COSE frame (RFC 9052): COSE_Mac0, COSE_Sign1 and COSE_Encrypt0, read without looking into the payload.

use crate::{
    cbor::{Item, Reader},
    error::Refusal,
    key::Algorithm,
    limits::MAX_HEADERS,
};

/// CBOR tags that may open a token.
const TAG_CWT: u64 = 61;
const TAG_ENCRYPT0: u64 = 16;
const TAG_MAC0: u64 = 17;
const TAG_SIGN1: u64 = 18;

/// COSE header labels (RFC 9052 §3.1).
pub(crate) const HEADER_ALG: i64 = 1;
const HEADER_CRIT: i64 = 2;
pub(crate) const HEADER_KID: i64 = 4;
#[cfg(feature = "encrypt")]
pub(crate) const HEADER_IV: i64 = 5;
const HEADER_PARTIAL_IV: i64 = 6;

/// A token's frame, all of it borrowed from the bytes as received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) structure: Structure,
    /// The protected header's content, over which the seal was made exactly as it stands.
    pub(crate) protected: &'a [u8],
    /// The claims; for COSE_Encrypt0 the ciphertext with its authentication tag.
    pub(crate) payload: &'a [u8],
    /// The MAC or signature; empty for COSE_Encrypt0.
    pub(crate) seal: &'a [u8],
    /// `alg`, as the sender wrote it. The key decides; this must agree.
    pub(crate) alg: Option<i128>,
    pub(crate) kid: Option<&'a [u8]>,
    /// The nonce of COSE_Encrypt0.
    #[cfg(feature = "encrypt")]
    pub(crate) iv: Option<&'a [u8]>,
}

/// Which COSE message carries the claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Structure {
    Mac0,
    Sign1,
    Encrypt0,
}

impl Structure {
    pub(crate) const fn tag(self) -> u64 {
        match self {
            Self::Mac0 => TAG_MAC0,
            Self::Sign1 => TAG_SIGN1,
            Self::Encrypt0 => TAG_ENCRYPT0,
        }
    }

    /// The message that an algorithm seals: a public key never verifies a MAC, nor a secret a signature.
    pub(crate) const fn of(algorithm: Algorithm) -> Self {
        if algorithm.encrypts() {
            Self::Encrypt0
        } else if algorithm.is_symmetric() {
            Self::Mac0
        } else {
            Self::Sign1
        }
    }

    /// How the structure begins that a MAC, signature or authentication tag covers: the array's head and the
    /// context string (RFC 9052 §4.4, §5.3, §6.3).
    const fn context(self) -> &'static [u8] {
        match self {
            Self::Mac0 => b"\x84\x64MAC0",
            Self::Sign1 => b"\x84\x6aSignature1",
            Self::Encrypt0 => b"\x83\x68Encrypt0",
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads a token: an optional CWT tag, a COSE tag, its array, and nothing after it.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(bytes);
        let mut first = reader.next()?;
        if first == Item::Tag(TAG_CWT) {
            first = reader.next()?;
        }
        Self::read_tagged(reader, first)
    }

    /// Reads what COSE_Encrypt0 held, where that is a COSE message: no CWT tag, for it stands outermost alone,
    /// and nothing encrypted once more.
    #[cfg(feature = "encrypt")]
    pub(crate) fn read_inner(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(bytes);
        let first = reader.next()?;
        if first == Item::Tag(TAG_ENCRYPT0) {
            return Err(cose("COSE_Encrypt0 inside COSE_Encrypt0"));
        }
        Self::read_tagged(reader, first)
    }

    fn read_tagged(mut reader: Reader<'a>, first: Item<'a>) -> Result<Self, Refusal> {
        let structure = match first {
            Item::Tag(TAG_MAC0) => Structure::Mac0,
            Item::Tag(TAG_SIGN1) => Structure::Sign1,
            Item::Tag(TAG_ENCRYPT0) => Structure::Encrypt0,
            Item::Tag(_) => {
                return Err(cose(
                    "not COSE_Mac0 (tag 17), COSE_Sign1 (tag 18) or COSE_Encrypt0 (tag 16)",
                ));
            }
            _ => return Err(cose("the COSE tag is missing")),
        };
        let (parts, wrong) = match structure {
            Structure::Encrypt0 => (3, "not an array of three"),
            _ => (4, "not an array of four"),
        };
        if reader.next()? != Item::Array(parts) {
            return Err(cose(wrong));
        }
        let mut headers = Headers::default();
        let protected = headers.read_both(&mut reader)?;
        let Item::Bytes(payload) = reader.next()? else {
            return Err(cose("the payload is not a byte string"));
        };
        let seal = match structure {
            Structure::Encrypt0 => {
                if headers.partial_iv {
                    return Err(cose("a partial IV, for which there is no base"));
                }
                Default::default()
            }
            _ => match reader.next()? {
                Item::Bytes(seal) => seal,
                _ => return Err(cose("the MAC or signature is not a byte string")),
            },
        };
        reader.end()?;
        Ok(Self {
            structure,
            protected,
            payload,
            seal,
            alg: headers.alg,
            kid: headers.kid,
            #[cfg(feature = "encrypt")]
            iv: headers.iv,
        })
    }

    /// Whether a key of `algorithm` may open this frame: the message is the algorithm's, and so is its `alg`
    /// where it has one.
    pub(crate) fn agrees_with(&self, algorithm: Algorithm) -> bool {
        self.structure == Structure::of(algorithm)
            && self.alg.is_none_or(|alg| alg == i128::from(algorithm.cose_id()))
    }

    /// What the MAC or signature covers.
    pub(crate) const fn sealed(&self) -> Sealed<'a> {
        Sealed {
            structure: self.structure,
            protected: self.protected,
            payload: self.payload,
        }
    }
}

/// `[context, protected, h'', payload]`, the structure that a MAC or signature covers (RFC 9052 §4.4, §6.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed<'a> {
    pub(crate) structure: Structure,
    pub(crate) protected: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl Sealed<'_> {
    /// Hands the structure over piece by piece, so that hashing it needs no copy.
    pub(crate) fn feed(&self, mut sink: impl FnMut(&[u8])) {
        sink(self.structure.context());
        sink(Head::new(2, self.protected.len() as u64).as_slice());
        sink(self.protected);
        // No external data.
        sink(&[0x40]);
        sink(Head::new(2, self.payload.len() as u64).as_slice());
        sink(self.payload);
    }

    /// The structure in one piece, for algorithms that read it twice.
    #[cfg(any(test, feature = "extra-algorithms"))]
    pub(crate) fn to_vec(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.protected.len() + self.payload.len() + 32);
        self.feed(|piece| out.extend_from_slice(piece));
        out
    }
}

/// Which message is encrypted.
#[cfg(feature = "encrypt")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Context {
    /// COSE_Encrypt, which has recipients.
    Encrypt,
    /// COSE_Encrypt0.
    Encrypt0,
}

/// `[context, protected, h'']`, which is authenticated along with the ciphertext (RFC 9052 §5.3).
#[cfg(feature = "encrypt")]
pub(crate) fn additional_data(context: Context, protected: &[u8]) -> Vec<u8> {
    let mut out = match context {
        Context::Encrypt => b"\x83\x67Encrypt".to_vec(),
        Context::Encrypt0 => Structure::Encrypt0.context().to_vec(),
    };
    head(&mut out, 2, protected.len());
    out.extend_from_slice(protected);
    out.push(0x40);
    out
}

/// An item's head: major type and argument (RFC 8949 §3), in the shortest form.
struct Head {
    bytes: [u8; 9],
    length: usize,
}

impl Head {
    fn new(major: u8, argument: u64) -> Self {
        let major = major << 5;
        let [a, b, c, d, e, f, g, h] = argument.to_be_bytes();
        let (bytes, length) = match argument {
            0..=23 => ([major | h, 0, 0, 0, 0, 0, 0, 0, 0], 1),
            24..=0xff => ([major | 24, h, 0, 0, 0, 0, 0, 0, 0], 2),
            0x100..=0xffff => ([major | 25, g, h, 0, 0, 0, 0, 0, 0], 3),
            0x1_0000..=0xffff_ffff => ([major | 26, e, f, g, h, 0, 0, 0, 0], 5),
            _ => ([major | 27, a, b, c, d, e, f, g, h], 9),
        };
        Self { bytes, length }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Writes an item's head: major type and length, in the shortest form.
pub(crate) fn head(out: &mut Vec<u8>, major: u8, length: usize) {
    out.extend_from_slice(Head::new(major, length as u64).as_slice());
}

/// Writes an integer, in the shortest form. No label and no date goes beyond 64 bits.
pub(crate) fn integer(out: &mut Vec<u8>, value: i128) {
    let (major, value) = if value < 0 { (1, -1 - value) } else { (0, value) };
    let value = u64::try_from(value).unwrap_or(u64::MAX);
    out.extend_from_slice(Head::new(major, value).as_slice());
}

/// A header's label: an integer or a text (RFC 9052 §1.5).
#[derive(Clone, Copy, PartialEq)]
enum HeaderLabel<'a> {
    Integer(i128),
    Text(&'a str),
}

/// Every label seen: one may stand once, in one of the two maps.
#[derive(Default)]
pub(crate) struct Seen<'a>([Option<HeaderLabel<'a>>; MAX_HEADERS]);

impl<'a> Seen<'a> {
    /// Reads the next label; `None` where it is a text, of which none is known here.
    pub(crate) fn read(&mut self, reader: &mut Reader<'a>) -> Result<Option<i128>, Refusal> {
        let label = match reader.next()? {
            Item::Integer(label) => HeaderLabel::Integer(label),
            Item::Text(label) => HeaderLabel::Text(label),
            _ => return Err(cose("a header label is neither an integer nor a text")),
        };
        self.note(label)?;
        Ok(match label {
            HeaderLabel::Integer(label) => Some(label),
            HeaderLabel::Text(_) => None,
        })
    }

    fn note(&mut self, label: HeaderLabel<'a>) -> Result<(), Refusal> {
        for place in &mut self.0 {
            match place {
                Some(seen) if *seen == label => return Err(cose("a header label stands twice")),
                Some(_) => {}
                None => {
                    *place = Some(label);
                    return Ok(());
                }
            }
        }
        Err(cose("too many header labels"))
    }
}

/// What both header maps say, read one after the other.
#[derive(Default)]
pub(crate) struct Headers<'a> {
    pub(crate) alg: Option<i128>,
    kid: Option<&'a [u8]>,
    #[cfg(feature = "encrypt")]
    pub(crate) iv: Option<&'a [u8]>,
    partial_iv: bool,
    seen: Seen<'a>,
}

impl<'a> Headers<'a> {
    /// Reads the protected header, whose bytes it gives back, and the unprotected one.
    pub(crate) fn read_both(&mut self, reader: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
        let Item::Bytes(protected) = reader.next()? else {
            return Err(cose("the protected header is not a byte string"));
        };
        if !protected.is_empty() {
            let mut inner = Reader::new(protected);
            self.read(&mut inner)?;
            inner.end()?;
        }
        self.read(reader)?;
        Ok(protected)
    }

    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), Refusal> {
        for _ in 0..reader.map()? {
            match self.seen.read(reader)? {
                Some(label) => self.value(label, reader)?,
                None => reader.skip()?,
            }
        }
        Ok(())
    }

    fn value(&mut self, label: i128, reader: &mut Reader<'a>) -> Result<(), Refusal> {
        const ALG: i128 = HEADER_ALG as i128;
        const CRIT: i128 = HEADER_CRIT as i128;
        const KID: i128 = HEADER_KID as i128;
        #[cfg(feature = "encrypt")]
        const IV: i128 = HEADER_IV as i128;
        const PARTIAL_IV: i128 = HEADER_PARTIAL_IV as i128;
        match label {
            ALG => match reader.next()? {
                Item::Integer(alg) => self.alg = Some(alg),
                _ => return Err(cose("alg is not an integer")),
            },
            // We understand no extension that a sender could make critical (RFC 9052 §3.1).
            CRIT => return Err(cose("a critical header that is not understood")),
            KID => match reader.next()? {
                Item::Bytes(kid) => self.kid = Some(kid),
                _ => return Err(cose("kid is not a byte string")),
            },
            #[cfg(feature = "encrypt")]
            IV => match reader.next()? {
                Item::Bytes(iv) => self.iv = Some(iv),
                _ => return Err(cose("the IV is not a byte string")),
            },
            _ => {
                self.partial_iv |= label == PARTIAL_IV;
                reader.skip()?;
            }
        }
        Ok(())
    }
}

pub(crate) const fn cose(what: &'static str) -> Refusal {
    Refusal::Cose { what }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(frame: &[u8]) -> &'static str {
        match Frame::read(frame) {
            Err(Refusal::Cose { what }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_sealed_structure_is_that_of_rfc_9052() {
        let sealed = |structure| Sealed {
            structure,
            protected: &[0xa1, 0x01, 0x05],
            payload: &[0xa0],
        };
        assert_eq!(
            sealed(Structure::Mac0).to_vec(),
            b"\x84\x64MAC0\x43\xa1\x01\x05\x40\x41\xa0"
        );
        assert_eq!(
            sealed(Structure::Sign1).to_vec(),
            b"\x84\x6aSignature1\x43\xa1\x01\x05\x40\x41\xa0"
        );
    }

    #[test]
    #[cfg(feature = "encrypt")]
    fn the_encrypted_structure_is_that_of_rfc_9052() {
        assert_eq!(
            additional_data(Context::Encrypt0, &[0xa1, 0x01, 0x01]),
            b"\x83\x68Encrypt0\x43\xa1\x01\x01\x40"
        );
        assert_eq!(
            additional_data(Context::Encrypt, &[0xa1, 0x01, 0x01]),
            b"\x83\x67Encrypt\x43\xa1\x01\x01\x40"
        );
    }

    #[test]
    fn a_label_in_both_maps_is_refused() {
        // 17([h'a10105', {1: 5}, h'a0', h''])
        let both = [
            0xd1, 0x84, 0x43, 0xa1, 0x01, 0x05, 0xa1, 0x01, 0x05, 0x41, 0xa0, 0x40,
        ];
        assert_eq!(refusal(&both), "a header label stands twice");
        // 17([h'a161780 1', {"x": 1}, h'a0', h''])
        let text = [
            0xd1, 0x84, 0x44, 0xa1, 0x61, b'x', 0x01, 0xa1, 0x61, b'x', 0x01, 0x41, 0xa0, 0x40,
        ];
        assert_eq!(refusal(&text), "a header label stands twice");
    }

    #[test]
    fn a_critical_header_is_refused_in_either_map() {
        // 17([h'a1028118 63', {}, h'a0', h'']): crit [99]
        let protected = [
            0xd1, 0x84, 0x45, 0xa1, 0x02, 0x81, 0x18, 0x63, 0xa0, 0x41, 0xa0, 0x40,
        ];
        let unprotected = [0xd1, 0x84, 0x40, 0xa1, 0x02, 0x81, 0x18, 0x63, 0x41, 0xa0, 0x40];
        for frame in [&protected[..], &unprotected[..]] {
            assert_eq!(refusal(frame), "a critical header that is not understood");
        }
    }

    #[test]
    fn a_text_kid_is_refused() {
        assert_eq!(
            refusal(&[0xd1, 0x84, 0x40, 0xa1, 0x04, 0x61, b'k', 0x41, 0xa0, 0x40]),
            "kid is not a byte string"
        );
    }

    #[test]
    fn an_empty_protected_header_may_be_nothing_or_an_empty_map() {
        for frame in [
            &[0xd1, 0x84, 0x40, 0xa0, 0x41, 0xa0, 0x40][..],
            &[0xd1, 0x84, 0x41, 0xa0, 0xa0, 0x41, 0xa0, 0x40],
        ] {
            assert!(Frame::read(frame).is_ok());
        }
    }

    #[test]
    fn header_labels_are_bounded_in_number() {
        let with = |labels: u8| {
            let mut frame = vec![0xd1, 0x84, 0x40, 0xb8, labels];
            (0..labels).for_each(|label| frame.extend_from_slice(&[0x18, 100 + label, 0x00]));
            frame.extend_from_slice(&[0x41, 0xa0, 0x40]);
            frame
        };
        assert!(Frame::read(&with(MAX_HEADERS as u8)).is_ok());
        assert_eq!(refusal(&with(MAX_HEADERS as u8 + 1)), "too many header labels");
    }

    #[test]
    fn each_message_has_its_own_number_of_parts() {
        // COSE_Encrypt0 of four, COSE_Mac0 of three.
        assert_eq!(
            refusal(&[0xd0, 0x84, 0x40, 0xa0, 0x41, 0xa0, 0x40]),
            "not an array of three"
        );
        assert_eq!(
            refusal(&[0xd1, 0x83, 0x40, 0xa0, 0x41, 0xa0]),
            "not an array of four"
        );
        // COSE_Mac, COSE_Sign and COSE_Encrypt are not of CTA-5007.
        for tag in [96, 97, 98] {
            assert!(refusal(&[0xd8, tag, 0x84, 0x40, 0xa0, 0x41, 0xa0, 0x80]).starts_with("not COSE_Mac0"));
        }
    }

    #[test]
    fn the_cwt_tag_stands_once_and_outermost() {
        let bare = [0xd1, 0x84, 0x40, 0xa0, 0x41, 0xa0, 0x40];
        let tagged = [&[0xd8, 61], &bare[..]].concat();
        assert!(Frame::read(&bare).is_ok() && Frame::read(&tagged).is_ok());
        assert!(Frame::read(&[&[0xd8, 61], &tagged[..]].concat()).is_err());
        #[cfg(feature = "encrypt")]
        assert!(Frame::read_inner(&bare).is_ok() && Frame::read_inner(&tagged).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256), tag in 0xd0_u8..0xd3) {
            let _ = Frame::read(&bytes);
            let _ = Frame::read(&[&[tag, 0x84, 0x40], &bytes[..]].concat());
        }

        #[test]
        fn a_head_is_what_ciborium_writes(length in prop_oneof![0_usize..300, 0xff00_usize..0x1_0100, any::<u32>().prop_map(|n| n as usize)]) {
            // The head of an unsigned integer has the same form as that of a string.
            let mut expected = Vec::new();
            ciborium::into_writer(&length, &mut expected).unwrap();
            let mut out = Vec::new();
            head(&mut out, 0, length);
            prop_assert_eq!(out, expected);
        }
    }
}
