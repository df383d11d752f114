//! What may be written into a response's header section. Names and values come from tokens: one that could end a
//! line, or say where the message ends, would let an issuer write somebody else's response.

/// Fields that belong to the connection or to the framing of the message, or that caches act by. They, those of a
/// [`RESERVED_FAMILY`] and every `…-Cache-Control` are the recipient's own, never an issuer's.
const RESERVED: [&str; 16] = [
    "age",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expires",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
];

/// How the names of fields begin that say which pages may read the response, and what a cache in front of us does.
const RESERVED_FAMILY: [&str; 2] = ["access-control-", "surrogate-"];

/// Whether this is a token (RFC 9110 §5.6.2): a field's name, or a cookie's (RFC 6265 §4.1.1).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether an issuer may name this field of a response.
pub(crate) fn is_open_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    is_token(name)
        && !RESERVED.contains(&lower.as_str())
        && !RESERVED_FAMILY.iter().any(|family| lower.starts_with(family))
        && !lower.ends_with("-cache-control")
}

/// Whether this can stand in a field's value: printable ASCII, so no CR, LF or NUL, and no bytes that recipients
/// read in different ways (RFC 9110 §5.5).
pub(crate) fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_ends_a_line_or_a_message_passes() {
        for bad in [
            "",
            "a:b",
            "a b",
            "a\r",
            "ä",
            "Content-Length",
            "transfer-encoding",
            "Access-Control-Allow-Origin",
            "CDN-Cache-Control",
            "Surrogate-Key",
            "Vary",
        ] {
            assert!(!is_open_name(bad), "{bad:?}");
        }
        assert!(is_open_name("X-PV-CDN-Access-Token"));
        for bad in ["a\r\nb", "a\0", "\u{7f}", "é"] {
            assert!(!is_value(bad), "{bad:?}");
        }
        assert!(is_value("Domain=.example.com; SameSite=None"));
    }
}
