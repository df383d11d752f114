//! What the connection must be: `catalpn`, `cattpk` and `cattprint`.

use super::truth::Truth;
use crate::{
    cbor::{Item, Reader},
    context::{FingerprintKind, RequestContext},
    limits::MAX_CLAIMS,
};

/// `catalpn`: the protocols that TLS may have negotiated (CTA-5007-B §4.6.12, RFC 7301).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Protocols(Vec<Vec<u8>>);

impl Protocols {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        let Ok(Item::Array(length @ 1..=MAX_CLAIMS)) = reader.next() else {
            return Err("expected a list of protocol names");
        };
        let names = (0..length).map(|_| match reader.next() {
            Ok(Item::Bytes(name)) if matches!(name.len(), 1..=255) => Ok(name.to_vec()),
            _ => Err("a protocol's name has 1 to 255 bytes"),
        });
        names.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn judge(&self, context: &dyn RequestContext) -> Truth {
        match context.alpn() {
            Some(negotiated) => Truth::known(self.0.iter().any(|name| *name == *negotiated)),
            None => Truth::Unknown,
        }
    }
}

/// `cattpk`: the public key of a certificate that the client must have shown (CTA-5007-B §4.6.18).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ClientKey(Vec<u8>);

impl ClientKey {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        match reader.next() {
            Ok(Item::Bytes(key)) if !key.is_empty() => Ok(Self(key.to_vec())),
            _ => Err("expected a public key in bytes"),
        }
    }

    pub(crate) fn judge(&self, context: &dyn RequestContext) -> Truth {
        match context.certificate_keys() {
            Some(keys) => Truth::known(keys.iter().any(|key| **key == *self.0)),
            None => Truth::Unknown,
        }
    }
}

/// `cattprint`: what the client's TLS hello must look like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fingerprint {
    kind: FingerprintKind,
    text: String,
}

/// Keys of the claim's map.
const FINGERPRINT_KIND: i128 = 0;
const FINGERPRINT_TEXT: i128 = 1;

impl Fingerprint {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected a map of a known fingerprint type and a text";
        let Ok(Item::Map(2)) = reader.next() else {
            return Err(EXPECTED);
        };
        let (mut kind, mut text) = (None, None);
        for _ in 0..2 {
            match (reader.next(), reader.next()) {
                (Ok(Item::Integer(FINGERPRINT_KIND)), Ok(Item::Integer(key))) => {
                    kind = FingerprintKind::from_key(key);
                }
                (Ok(Item::Integer(FINGERPRINT_TEXT)), Ok(Item::Text(value))) if !value.is_empty() => {
                    text = Some(value.to_owned());
                }
                _ => return Err(EXPECTED),
            }
        }
        // An entry that stands twice leaves the other out.
        match (kind, text) {
            (Some(kind), Some(text)) => Ok(Self { kind, text }),
            _ => Err(EXPECTED),
        }
    }

    pub(crate) fn judge(&self, context: &dyn RequestContext) -> Truth {
        match context.tls_fingerprint(self.kind) {
            Some(have) => Truth::known(have.eq_ignore_ascii_case(&self.text)),
            None => Truth::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ciborium::{Value, cbor};

    use super::*;

    struct Connection;

    impl RequestContext for Connection {
        fn alpn(&self) -> Option<Cow<'_, [u8]>> {
            Some(b"h2".as_slice().into())
        }

        fn certificate_keys(&self) -> Option<Vec<Cow<'_, [u8]>>> {
            Some(vec![b"leaf".as_slice().into(), b"issuer".as_slice().into()])
        }

        fn tls_fingerprint(&self, kind: FingerprintKind) -> Option<Cow<'_, str>> {
            (kind == FingerprintKind::Ja4).then_some("t13d1516h2_8daaf6152771".into())
        }
    }

    fn read<C>(
        value: &Value,
        read: impl Fn(&mut Reader<'_>) -> Result<C, &'static str>,
    ) -> Result<C, &'static str> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        read(&mut Reader::new(&bytes))
    }

    fn names(names: &[&[u8]]) -> Value {
        names
            .iter()
            .map(|name| Value::from(*name))
            .collect::<Vec<_>>()
            .into()
    }

    #[test]
    fn one_of_the_protocols_must_have_been_negotiated() {
        let judge = |list: &[&[u8]], context: &dyn RequestContext| {
            read(&names(list), Protocols::read).unwrap().judge(context)
        };
        assert_eq!(judge(&[b"http/1.1", b"h2"], &Connection), Truth::Holds);
        assert_eq!(judge(&[b"h3"], &Connection), Truth::Fails);
        assert_eq!(judge(&[b"h2"], &()), Truth::Unknown);
        for bad in [
            names(&[]),
            names(&[b""]),
            names(&[&[b'x'; 256]]),
            cbor!(["h2"]).unwrap(),
            b"h2".as_slice().into(),
        ] {
            assert!(read(&bad, Protocols::read).is_err());
        }
        assert!(read(&names(&[b"h2".as_slice(); 50]), Protocols::read).is_ok());
    }

    #[test]
    fn a_key_of_the_clients_chain_must_be_the_claims() {
        let key = |bytes: &[u8]| read(&bytes.into(), ClientKey::read);
        assert_eq!(key(b"issuer").unwrap().judge(&Connection), Truth::Holds);
        assert_eq!(key(b"other").unwrap().judge(&Connection), Truth::Fails);
        assert_eq!(key(b"leaf").unwrap().judge(&()), Truth::Unknown);
        assert!(key(b"").is_err());
        assert!(read(&"leaf".into(), ClientKey::read).is_err());
    }

    #[test]
    fn a_fingerprint_is_compared_without_case_and_by_its_type() {
        let judge = |kind: i32, text: &str, context: &dyn RequestContext| {
            let claim = cbor!({ 1 => text, 0 => kind }).unwrap();
            read(&claim, Fingerprint::read).unwrap().judge(context)
        };
        assert_eq!(judge(2, "T13D1516H2_8DAAF6152771", &Connection), Truth::Holds);
        assert_eq!(judge(2, "t13d1516h2_000000000000", &Connection), Truth::Fails);
        assert_eq!(
            judge(0, "e7d705a3286e19ea42f587b344ee6865", &Connection),
            Truth::Unknown
        );
        for bad in [
            cbor!({ 0 => 13, 1 => "x" }),
            cbor!({ 0 => -1, 1 => "x" }),
            cbor!({ 0 => 2, 1 => "" }),
            cbor!({ 0 => 2 }),
            cbor!({ 0 => 2, 0 => 2 }),
            cbor!({ 0 => 2, 1 => "x", 2 => 0 }),
            cbor!({ 0 => "2", 1 => "x" }),
            cbor!([2, "x"]),
        ] {
            assert!(read(&bad.unwrap(), Fingerprint::read).is_err());
        }
    }
}
