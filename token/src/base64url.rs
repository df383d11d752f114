//! Base64url (RFC 4648 §5), decoded strictly.
//!
//! A token is no secret to whom presents it, so its text need not be decoded in constant time, as `base64ct` does,
//! which is a fifth of what a token with an HMAC costs to check. Secrets in key sets are decoded by that library.

/// The value of each character; [`NONE`] for those outside the alphabet.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut value = 0;
    while value < alphabet.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
        {
            values[alphabet[value] as usize] = value as u8;
        }
        value += 1;
    }
    values
};

/// Has a bit that no value has.
const NONE: u8 = 0x80;

/// Decodes a text without padding. `None` for a character outside the alphabet, a length that no bytes have, or
/// bits behind the last byte that are not zero: two texts never stand for the same bytes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let (groups, rest) = text.as_bytes().as_chunks::<4>();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let mut invalid = 0;
    for group in groups {
        let [a, b, c, d] = group.map(value);
        // Checked once, at the end: a branch for each character costs more than all of them.
        invalid |= a | b | c | d;
        bytes.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
    }
    match *rest {
        [] => {}
        [a, b] => {
            let [a, b] = [a, b].map(value);
            invalid |= a | b | nonzero(b & 0x0f);
            bytes.push(a << 2 | b >> 4);
        }
        [a, b, c] => {
            let [a, b, c] = [a, b, c].map(value);
            invalid |= a | b | c | nonzero(c & 0x03);
            bytes.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2]);
        }
        _ => return None,
    }
    (invalid & NONE == 0).then_some(bytes)
}

fn value(character: u8) -> u8 {
    VALUES.get(usize::from(character)).copied().unwrap_or(NONE)
}

/// [`NONE`] unless `bits` are zero.
const fn nonzero(bits: u8) -> u8 {
    if bits == 0 { 0 } else { NONE }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_text_of_up_to_three_characters_decodes_as_the_library_has_it() {
        let characters = b"AQgw-_/+=.\x80";
        let mut texts = vec![Vec::new()];
        for _ in 0..3 {
            let longer: Vec<Vec<u8>> = texts
                .iter()
                .flat_map(|text| characters.iter().map(|c| [text.as_slice(), &[*c]].concat()))
                .collect();
            texts.extend(longer);
        }
        for text in texts.iter().filter_map(|text| core::str::from_utf8(text).ok()) {
            assert_eq!(decode(text), Base64UrlUnpadded::decode_vec(text).ok(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_encoded_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode(&Base64UrlUnpadded::encode_string(&bytes)), Some(bytes));
        }

        #[test]
        fn any_text_decodes_as_the_library_has_it(text in "[A-Za-z0-9_+/=. -]{0,40}") {
            prop_assert_eq!(decode(&text), Base64UrlUnpadded::decode_vec(&text).ok());
        }
    }
}
