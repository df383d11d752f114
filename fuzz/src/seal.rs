//! Tokens around any bytes, sealed without the library under test, and read without it.

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ciborium::Value;
use hmac::{Hmac, KeyInit as _, Mac as _};
use selvedge_token::Jwk;
use sha2::Sha256;

/// The secret that every target's recipient knows.
pub const SECRET: [u8; 32] = [1; 32];

/// The key of [`SECRET`], without a name: the default for tokens that name none.
pub static KEY: LazyLock<Jwk> = LazyLock::new(|| Jwk::symmetric("", &SECRET));

/// `{1: 5}`: HMAC 256/256.
const PROTECTED: &[u8] = &[0xa1, 0x01, 0x05];

/// A token as text whose claims are these bytes, whatever they are, and whose seal is right.
pub fn seal(payload: &[u8]) -> String {
    text(&frame(PROTECTED, &[0xa0], payload))
}

/// A token with these bytes for its headers and claims, sealed over them as they are.
pub fn frame(protected: &[u8], unprotected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xd8, 61, 0xd1, 0x84];
    bytes(&mut out, protected);
    out.extend_from_slice(unprotected);
    bytes(&mut out, payload);
    bytes(&mut out, &mac(protected, payload));
    out
}

/// A token's bytes as it is carried.
pub fn text(token: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(token)
}

/// HMAC 256/256 over the `Mac_structure` (RFC 9052 §6.3).
fn mac(protected: &[u8], payload: &[u8]) -> [u8; 32] {
    let mut sealed = vec![0x84, 0x64];
    sealed.extend_from_slice(b"MAC0");
    bytes(&mut sealed, protected);
    bytes(&mut sealed, b"");
    bytes(&mut sealed, payload);
    let mut mac = Hmac::<Sha256>::new_from_slice(&SECRET).expect("HMAC takes any key");
    mac.update(&sealed);
    mac.finalize().into_bytes().into()
}

/// Writes a byte string.
fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match u16::try_from(bytes.len()).expect("libFuzzer's inputs are short") {
        length @ 0..24 => out.push(0x40 | length as u8),
        length @ 24..256 => out.extend([0x58, length as u8]),
        length => {
            out.push(0x59);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// Reads the one item that `bytes` are, if they are one.
pub fn read_all(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, 256).ok()?;
    rest.is_empty().then_some(value)
}

/// A token, as a reader sees it that knows nothing of our own.
pub struct Frame {
    pub protected: Vec<u8>,
    pub unprotected: Vec<(Value, Value)>,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Reads a COSE_Mac0 whose seal is right; anything else is `None`.
    pub fn read(token: &[u8]) -> Option<Self> {
        let [
            Value::Bytes(protected),
            Value::Map(unprotected),
            Value::Bytes(payload),
            Value::Bytes(seal),
        ] = parts(token, &[17])?
        else {
            return None;
        };
        (seal == mac(&protected, &payload)).then_some(Self {
            protected,
            unprotected,
            payload,
        })
    }

    /// The claims of a token under any key, unverified.
    pub fn payload(token: &[u8]) -> Option<Vec<u8>> {
        parts(token, &[17, 18])?.into_iter().nth(2)?.into_bytes().ok()
    }
}

/// The array under the tags, where the inner is one of these.
fn parts(token: &[u8], tags: &[u64]) -> Option<[Value; 4]> {
    let mut value = read_all(token)?;
    if let Value::Tag(61, inner) = value {
        value = *inner;
    }
    let Value::Tag(tag, array) = value else {
        return None;
    };
    tags.contains(&tag)
        .then_some(array.into_array().ok()?.try_into().ok()?)
}

/// Whether `bytes` are one item and nothing after it: the pseudocode of RFC 8949 appendix C, in safe words.
///
/// Unlike [`read_all`] it knows simple values that nobody has assigned.
pub fn is_well_formed(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    item(&mut rest, 0).is_some() && rest.is_empty()
}

/// Passes over an item's head: its first byte, and its argument.
fn head(rest: &mut &[u8]) -> Option<(u8, usize)> {
    let head = *rest.split_off_first()?;
    let info = head & 0x1f;
    let argument = match info {
        0..24 => usize::from(info),
        24..28 => rest
            .split_off(..1 << (info - 24))?
            .iter()
            .try_fold(0_usize, |value, byte| {
                value.checked_mul(256)?.checked_add(usize::from(*byte))
            })?,
        // The standard's deterministic form has definite lengths alone (CTA-5007-B §4.5).
        _ => return None,
    };
    Some((head, argument))
}

/// Passes over one item.
fn item(rest: &mut &[u8], depth: usize) -> Option<()> {
    if depth > 256 {
        return None;
    }
    let (head, length) = head(rest)?;
    let (major, info) = (head >> 5, head & 0x1f);
    match major {
        2 => rest.split_off(..length).map(|_| ()),
        3 => std::str::from_utf8(rest.split_off(..length)?).ok().map(|_| ()),
        4 => (0..length).try_for_each(|_| item(rest, depth + 1)),
        5 => (0..length).try_for_each(|_| item(rest, depth + 1).and_then(|()| item(rest, depth + 1))),
        6 => item(rest, depth + 1),
        7 if info == 24 && length < 32 => None,
        _ => Some(()),
    }
}

/// Each entry of a claims map as it is written: the bytes of its key, and those of its value.
pub fn entries(payload: &[u8]) -> Vec<(&[u8], &[u8])> {
    fn spans(payload: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
        let mut rest = payload;
        let (_, count) = head(&mut rest).filter(|(head, _)| head >> 5 == 5)?;
        let mut spans = Vec::new();
        for _ in 0..count {
            let start = rest;
            item(&mut rest, 0)?;
            let value = rest;
            item(&mut rest, 0)?;
            spans.push((
                &start[..start.len() - value.len()],
                &value[..value.len() - rest.len()],
            ));
        }
        Some(spans)
    }
    spans(payload).expect("claims are a map")
}
