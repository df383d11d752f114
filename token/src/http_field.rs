//! What may be written into a response's header section. Names and values come from tokens: one that could end a
//! line, or say where the message ends, would let an issuer write somebody else's response.

/// Fields that belong to the connection or to the framing of the message, or that caches act by. They and those that
/// say which pages may read the response are the recipient's own, never an issuer's.
const RESERVED: [&str; 13] = [
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether this is a token (RFC 9110 §5.6.2): a field's name, or a cookie's (RFC 6265 §4.1.1).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether an issuer may name this field of a response.
pub(crate) fn is_open_name(name: &str) -> bool {
    is_token(name)
        && !RESERVED
            .iter()
            .any(|reserved| name.eq_ignore_ascii_case(reserved))
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
