//! Digests by which a public key is known.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};

/// The thumbprints of one key on P-256.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Thumbprints {
    /// SHA-256 of the JWK (RFC 7638).
    pub(crate) jwk: [u8; 32],
    /// SHA-256 of the COSE_Key (RFC 9679).
    pub(crate) cose: [u8; 32],
}

impl Thumbprints {
    /// Of the key with these coordinates. They are encoded again here, so that one key has one thumbprint
    /// however its sender wrote it.
    pub(crate) fn of(x: &[u8; 32], y: &[u8; 32]) -> Self {
        let jwk = format!(
            r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
            Base64UrlUnpadded::encode_string(x),
            Base64UrlUnpadded::encode_string(y)
        );
        // {1: 2, -1: 1, -2: x, -3: y}
        let cose = [
            &[0xa4, 1, 2, 0x20, 1, 0x21, 0x58, 32],
            &x[..],
            &[0x22, 0x58, 32],
            y,
        ]
        .concat();
        Self {
            jwk: Sha256::digest(jwk).into(),
            cose: Sha256::digest(cose).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> [u8; 32] {
        let byte = |at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        core::array::from_fn(byte)
    }

    #[test]
    fn the_cose_thumbprint_is_that_of_rfc_9679_section_6() {
        let thumbprints = Thumbprints::of(
            &hex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"),
            &hex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c"),
        );
        assert_eq!(
            thumbprints.cose,
            hex("496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec")
        );
    }

    #[test]
    fn the_jwk_thumbprint_is_that_of_rfc_9449_section_6() {
        let coordinate =
            |text| -> [u8; 32] { Base64UrlUnpadded::decode_vec(text).unwrap().try_into().unwrap() };
        let thumbprints = Thumbprints::of(
            &coordinate("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"),
            &coordinate("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"),
        );
        assert_eq!(
            thumbprints.jwk,
            coordinate("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")
        );
    }
}
