//! Sections as text: base64, hexadecimal, and inside XML.

use std::{borrow::Cow, fmt::Write as _};

use base64ct::{Base64, Base64Unpadded, Encoding as _};

use super::{BINARY, Error, XML_BINARY};

/// Reads base64 (RFC 4648 4); padding may be missing, and blanks are ignored.
///
/// # Errors
/// [`Error::Base64`].
pub fn from_base64(text: &str) -> Result<Vec<u8>, Error> {
    let packed: String = text
        .chars()
        .filter(|letter| !letter.is_ascii_whitespace())
        .collect();
    Base64Unpadded::decode_vec(packed.trim_end_matches('=')).map_err(|_| Error::Base64)
}

/// Writes base64 with padding.
pub fn to_base64(section: &[u8]) -> String {
    Base64::encode_string(section)
}

/// Reads a hexadecimal sequence (RFC 8216bis 4.2), of either case, with or without `0x`.
///
/// # Errors
/// [`Error::Hex`].
pub fn from_hex(text: &str) -> Result<Vec<u8>, Error> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (pairs, odd) = digits.unwrap_or(text).as_bytes().as_chunks::<2>();
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    if !odd.is_empty() {
        return Err(Error::Hex);
    }
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<_>>().ok_or(Error::Hex)
}

/// Writes a hexadecimal sequence with `0x`, in upper case, as `EXT-X-DATERANGE` has it.
pub fn to_hex(section: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * section.len());
    text.push_str("0x");
    for byte in section {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// The section in the data of an event message (ISO/IEC 23009-1 5.10.3.3); `None` for other schemes, and where there is
/// none.
pub fn section<'d>(scheme: &str, data: &'d [u8]) -> Option<Cow<'d, [u8]>> {
    match scheme {
        BINARY => Some(Cow::Borrowed(data)),
        XML_BINARY => {
            let text = core::str::from_utf8(data).ok()?;
            // `<Binary>` of any namespace prefix.
            let (_, after) = text
                .split_once("Binary>")
                .or_else(|| text.split_once("binary>"))?;
            from_base64(after.split('<').next()?).ok().map(Cow::Owned)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_text_of_bytes_is_refused() {
        assert_eq!(from_hex("0xFC3"), Err(Error::Hex));
        assert_eq!(from_hex("0xFG"), Err(Error::Hex));
        assert_eq!(from_base64("/DA§"), Err(Error::Base64));
        assert_eq!(from_hex("fC"), Ok(vec![0xfc]));
    }

    #[test]
    fn a_section_is_found_in_a_signal_of_any_prefix() {
        let xml =
            "<s:Signal xmlns:s=\"http://www.scte.org/schemas/35\"><s:Binary>\n /DA\n</s:Binary></s:Signal>";
        let found = section(XML_BINARY, xml.as_bytes()).map(Cow::into_owned);
        assert_eq!(found, Some(vec![0xfc, 0x30]));
        assert_eq!(section(BINARY, &[1]).as_deref(), Some(&[1][..]));
        assert_eq!(section("urn:example", &[1]), None);
    }

    proptest! {
        #[test]
        fn bytes_are_read_as_they_are_written(bytes: Vec<u8>) {
            prop_assert_eq!(from_hex(&to_hex(&bytes)), Ok(bytes.clone()));
            prop_assert_eq!(from_hex(&to_hex(&bytes).to_lowercase()), Ok(bytes.clone()));
            prop_assert_eq!(from_base64(&to_base64(&bytes)), Ok(bytes.clone()));
            prop_assert_eq!(from_base64(to_base64(&bytes).trim_end_matches('=')), Ok(bytes));
        }
    }
}
