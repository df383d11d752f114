//! Client certificates, in the forms that platforms hand them over in, down to their public keys.
//!
//! `cattpk` names a key and nothing else of a certificate, so nothing else is read: the walk goes to the
//! `subjectPublicKeyInfo` and stops. Whether a chain is trusted was settled by whoever ended TLS.

use base64ct::{Base64, Encoding as _};

use crate::limits::{MAX_CERTIFICATE, MAX_CERTIFICATES};

/// The DER `SubjectPublicKeyInfo` of each certificate in a PEM text (RFC 7468 §5), in their order.
///
/// `None` where the text is not made of certificates alone, or holds more than eight of them.
pub fn keys_of_pem(text: &str) -> Option<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (base64, after) = rest.strip_prefix(BEGIN)?.split_once(END)?;
        if base64.len() > MAX_CERTIFICATE * 2 {
            return None;
        }
        let base64: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        keys.push(key_of_base64(&base64)?);
        if keys.len() > MAX_CERTIFICATES {
            return None;
        }
        rest = after.trim_start();
    }
    Some(keys)
}

/// The keys of a `Client-Cert` field and of the `Client-Cert-Chain` beside it (RFC 9440 §2), in their order.
///
/// `None` where one of the two cannot be read, or where the chain is longer than eight.
pub fn keys_of_fields(client_cert: &str, chain: Option<&str>) -> Option<Vec<Vec<u8>>> {
    let mut keys = vec![key_of_item(client_cert)?];
    for item in chain.into_iter().flat_map(|chain| chain.split(',')) {
        if keys.len() > MAX_CERTIFICATES {
            return None;
        }
        keys.push(key_of_item(item)?);
    }
    Some(keys)
}

/// A byte sequence (RFC 9651 §3.3.5) without parameters, for RFC 9440 defines none.
fn key_of_item(item: &str) -> Option<Vec<u8>> {
    key_of_base64(item.trim().strip_prefix(':')?.strip_suffix(':')?)
}

fn key_of_base64(base64: &str) -> Option<Vec<u8>> {
    if base64.len() > MAX_CERTIFICATE * 2 {
        return None;
    }
    let certificate = Base64::decode_vec(base64).ok()?;
    key_of_der(&certificate).map(<[u8]>::to_vec)
}

/// The DER `SubjectPublicKeyInfo` of a DER certificate (RFC 5280 §4.1).
fn key_of_der(certificate: &[u8]) -> Option<&[u8]> {
    if certificate.len() > MAX_CERTIFICATE {
        return None;
    }
    let (certificate, end) = element(certificate)?;
    if !end.is_empty() {
        return None;
    }
    let (to_be_signed, _signature) = element(certificate.within(SEQUENCE)?)?;
    let mut fields = to_be_signed.within(SEQUENCE)?;
    // The version is left out of version 1 alone.
    if let (version, after) = element(fields)?
        && version.tag == VERSION
    {
        fields = after;
    }
    // serialNumber, signature, issuer, validity, subject
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        let (field, after) = element(fields)?;
        field.within(tag)?;
        fields = after;
    }
    let (key, _) = element(fields)?;
    key.within(SEQUENCE)?;
    Some(key.whole)
}

/// One element of DER.
struct Element<'d> {
    tag: u8,
    content: &'d [u8],
    whole: &'d [u8],
}

impl<'d> Element<'d> {
    /// The content of an element with this tag.
    fn within(&self, tag: u8) -> Option<&'d [u8]> {
        (self.tag == tag).then_some(self.content)
    }
}

/// The first element and what follows it (ITU-T X.690 §8.1): one-byte tags and definite lengths alone.
fn element(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&[tag, first], after) = der.split_first_chunk::<2>()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        // Three bytes of a length are more than a certificate may have.
        0x81..=0x83 => {
            let (length, after) = after.split_at_checked(usize::from(first & 0x7f))?;
            let length = length
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, after)
        }
        _ => return None,
    };
    let (content, rest) = after.split_at_checked(length)?;
    let whole = der.get(..der.len().checked_sub(rest.len())?)?;
    Some((Element { tag, content, whole }, rest))
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`
const VERSION: u8 = 0xa0;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by OpenSSL, with the key that it prints for it.
    const CERTIFICATE: &str = "\
MIIBeTCCAR+gAwIBAgIUfb/sbvHorvxizXBpe829MNP9X+gwCgYIKoZIzj0EAwIw\
ETEPMA0GA1UEAwwGdmlld2VyMCAXDTI2MTEyMTE1MjY0MVoYDzIxMjYxMDI4MTUy\
NjQxWjARMQ8wDQYDVQQDDAZ2aWV3ZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\
AARwzrYfFbDQaGCTcCW6ytr5DS0nmIe88ozjpJsKqE20npmXJlvRYI/N+S7fzRXg\
i7Pnzayzt37/JyyKZh1OGa1Io1MwUTAdBgNVHQ4EFgQUKgljajQe7ihDEpsRQSKS\
FSbAkJgwHwYDVR0jBBgwFoAUKgljajQe7ihDEpsRQSKSFSbAkJgwDwYDVR0TAQH/\
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAvNP/DVKw/zI8E+9vXH+lqOsYP+D3\
RSGNcwp5bpLHSnYCIHl6IvfjxxCSZpPW+7y6HA+XjPChi73eCBS6xbBAsWqo";
    const KEY: &str = "\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEcM62HxWw0Ghgk3Alusra+Q0tJ5iH\
vPKM46SbCqhNtJ6ZlyZb0WCPzfku380V4Iuz582ss7d+/ycsimYdThmtSA==";

    fn key() -> Vec<u8> {
        Base64::decode_vec(KEY).unwrap()
    }

    fn pem() -> String {
        let lines: Vec<&str> = CERTIFICATE
            .as_bytes()
            .chunks(64)
            .map(|line| core::str::from_utf8(line).unwrap())
            .collect();
        format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
    }

    #[test]
    fn a_pem_text_gives_the_key_of_each_certificate() {
        assert_eq!(keys_of_pem(&pem()), Some(vec![key()]));
        assert_eq!(keys_of_pem(&pem().repeat(2)), Some(vec![key(); 2]));
        assert_eq!(
            keys_of_pem(&pem().replace('\n', "\r\n")),
            Some(vec![key()]),
            "any line ends"
        );
        assert_eq!(keys_of_pem(""), Some(Vec::new()));
        assert_eq!(keys_of_pem(&pem().repeat(MAX_CERTIFICATES + 1)), None);
        assert_eq!(keys_of_pem(&format!("{}and more", pem())), None);
    }

    #[test]
    fn fields_of_a_proxy_give_the_same_keys() {
        let item = format!(":{CERTIFICATE}:");
        assert_eq!(keys_of_fields(&item, None), Some(vec![key()]));
        let chain = format!("{item}, {item}");
        assert_eq!(keys_of_fields(&item, Some(&chain)), Some(vec![key(); 3]));
        assert_eq!(keys_of_fields(CERTIFICATE, None), None);
        assert_eq!(keys_of_fields(&item, Some("")), None);
        let long = [item.as_str(); MAX_CERTIFICATES + 1].join(",");
        assert_eq!(keys_of_fields(&item, Some(&long)), None);
    }

    #[test]
    fn a_certificate_cut_short_anywhere_has_no_key() {
        let certificate = Base64::decode_vec(CERTIFICATE).unwrap();
        assert_eq!(key_of_der(&certificate), Some(key().as_slice()));
        for length in 0..certificate.len() {
            assert_eq!(key_of_der(&certificate[..length]), None, "{length} bytes");
        }
        let longer = [certificate.as_slice(), &[0]].concat();
        assert_eq!(key_of_der(&longer), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_ends_in_an_answer(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            at in 0_usize..400,
            value: u8,
        ) {
            let _ = key_of_der(&bytes);
            let mut certificate = Base64::decode_vec(CERTIFICATE).unwrap();
            if let Some(byte) = certificate.get_mut(at) {
                *byte = value;
            }
            let _ = key_of_der(&certificate);
            let _ = keys_of_pem(&String::from_utf8_lossy(&bytes));
            let _ = keys_of_fields(&String::from_utf8_lossy(&bytes), None);
        }
    }
}
