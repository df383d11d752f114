//! A request's URI as `catu` sees it: normalised once, then cut into components.

use core::fmt;
use std::borrow::Cow;

use thiserror::Error;

/// A request's effective URI, prepared for matching (CTA-5007-B §4.6.6; RFC 3986 §6.2.2): scheme and host in
/// lower case, unreserved characters decoded, other escapes in upper case, then dot segments removed.
///
/// The token itself must have been taken out before. Upstream must be asked for [`RequestUri::path`], or a
/// path that looks admitted here could mean another one there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestUri {
    scheme: String,
    host: String,
    port: u16,
    path: String,
    query: String,
}

impl RequestUri {
    /// Prepares a URI from its parts as they came in the request.
    ///
    /// `authority` is the `Host` header or `:authority`, with or without a port. `query` comes without its
    /// question mark.
    ///
    /// # Errors
    /// What makes the URI one that cannot be judged; the request is then to be refused as malformed.
    pub fn parse(scheme: &str, authority: &str, path: &str, query: Option<&str>) -> Result<Self, UriError> {
        if authority.contains('@') {
            return Err(UriError::UserInfo);
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split_port(authority)?;
        let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
        if !path.starts_with('/') {
            return Err(UriError::RelativePath);
        }
        let path = remove_dot_segments(&normalise_escapes(path)?);
        if DIVIDING_ESCAPES.iter().any(|escape| path.contains(escape)) {
            return Err(UriError::Byte);
        }
        let query = normalise_escapes(query.unwrap_or_default())?;
        Ok(Self {
            scheme,
            host: host.to_ascii_lowercase(),
            port,
            path,
            query,
        })
    }

    /// The normalised path, with its leading slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The normalised query without its question mark; empty when there is none.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Scheme, host and port, which stand before the path of an absolute URL: `https://edge.example`, or
    /// `http://127.0.0.1:8080`. Empty where the request named no host.
    pub fn origin(&self) -> String {
        if self.host.is_empty() {
            return String::new();
        }
        if self.has_default_port() {
            format!("{}://{}", self.scheme, self.host)
        } else {
            format!("{}://{}:{}", self.scheme, self.host, self.port)
        }
    }

    /// Whether the request came over TLS.
    pub fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// The text of a component, as match values are compared with it.
    pub(crate) fn component(&self, component: Component) -> Cow<'_, str> {
        let (parent, filename) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let dot = filename.rfind('.');
        Cow::Borrowed(match component {
            Component::Scheme => &self.scheme,
            Component::Host => &self.host,
            Component::Port => return Cow::Owned(self.port.to_string()),
            Component::Path => &self.path,
            Component::Query => &self.query,
            Component::ParentPath => parent,
            Component::Filename => filename,
            Component::Stem => dot.and_then(|at| filename.get(..at)).unwrap_or(filename),
            Component::Extension => dot.and_then(|at| filename.get(at..)).unwrap_or_default(),
        })
    }

    /// Whether the port is the scheme's own, which a token may write as an empty text.
    pub(crate) fn has_default_port(&self) -> bool {
        matches!((self.scheme.as_str(), self.port), ("https", 443) | ("http", 80))
    }
}

/// A component of the URI (CTA-5007-B §4.6.6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Component {
    /// `https`
    Scheme = 0,
    /// Lower case, without port.
    Host = 1,
    /// Decimal; a token may write the scheme's own port as an empty text.
    Port = 2,
    /// Normalised, with its leading slash.
    Path = 3,
    /// Without question mark.
    Query = 4,
    /// Up to the last slash, without it.
    ParentPath = 5,
    /// After the last slash.
    Filename = 6,
    /// The filename before its last dot.
    Stem = 7,
    /// From the filename's last dot, with it.
    Extension = 8,
}

impl Component {
    const ALL: [Self; 9] = [
        Self::Scheme,
        Self::Host,
        Self::Port,
        Self::Path,
        Self::Query,
        Self::ParentPath,
        Self::Filename,
        Self::Stem,
        Self::Extension,
    ];

    /// Whether it is the path or a part of it.
    pub(crate) const fn is_of_path(self) -> bool {
        matches!(
            self,
            Self::Path | Self::ParentPath | Self::Filename | Self::Stem | Self::Extension
        )
    }

    pub(crate) fn from_key(key: i128) -> Option<Self> {
        Self::ALL.into_iter().find(|component| *component as i128 == key)
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "scheme",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
            Self::Query => "query",
            Self::ParentPath => "parent path",
            Self::Filename => "filename",
            Self::Stem => "stem",
            Self::Extension => "extension",
        })
    }
}

/// Why a request's URI cannot be judged.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum UriError {
    /// The authority carries user information (RFC 9110 §4.2.4).
    #[error("the URI carries user information")]
    UserInfo,
    /// The path does not begin with a slash.
    #[error("the path does not begin with a slash")]
    RelativePath,
    /// A percent sign is not followed by two hexadecimal digits.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    PercentEncoding,
    /// A byte that no URI may contain.
    #[error("a byte that a URI may not contain")]
    Byte,
    /// The port is not a decimal number below 65536.
    #[error("the port is not a number below 65536")]
    Port,
}

/// Escaped separators: some servers decode them before they resolve `..`, and would serve from a path that was
/// never judged.
const DIVIDING_ESCAPES: [&str; 3] = ["%2F", "%5C", "%00"];

fn split_port(authority: &str) -> Result<(&str, Option<u16>), UriError> {
    // An IPv6 literal has colons of its own, inside brackets.
    let after_brackets = authority.rfind(']').map_or(0, |at| at + 1);
    let colon = authority.get(after_brackets..).and_then(|rest| rest.rfind(':'));
    let Some(colon) = colon.map(|at| at + after_brackets) else {
        return Ok((authority, None));
    };
    let (host, port) = authority.split_at(colon);
    match port.trim_start_matches(':') {
        "" => Ok((host, None)),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Ok((host, Some(digits.parse().map_err(|_| UriError::Port)?)))
        }
        _ => Err(UriError::Port),
    }
}

/// Decodes escaped unreserved characters and writes every other escape in upper case (RFC 3986 §6.2.2.1-2).
fn normalise_escapes(text: &str) -> Result<String, UriError> {
    let mut out = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = bytes.next().and_then(hex).ok_or(UriError::PercentEncoding)?;
                let low = bytes.next().and_then(hex).ok_or(UriError::PercentEncoding)?;
                let value = high * 16 + low;
                if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
                    out.push(char::from(value));
                } else {
                    out.push_str(&format!("%{value:02X}"));
                }
            }
            // Backslashes and control bytes mean different things to different servers: never to ours.
            b'\\' | 0..=0x20 | 0x7f..=0xff | b'#' => return Err(UriError::Byte),
            _ => out.push(char::from(byte)),
        }
    }
    Ok(out)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 3986 §5.2.4, for an absolute path.
fn remove_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in path.split('/').skip(1) {
        ends_open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    if ends_open {
        kept.push("");
    }
    let mut out = String::with_capacity(path.len());
    for segment in kept {
        out.push('/');
        out.push_str(segment);
    }
    if out.is_empty() { "/".into() } else { out }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(path: &str) -> String {
        RequestUri::parse("https", "h", path, None).unwrap().path
    }

    #[test]
    fn an_escaped_dot_segment_cannot_leave_a_prefix() {
        assert_eq!(path("/live/a/%2e%2E/b"), "/live/b");
        assert_eq!(path("/live/./a/../../../x"), "/x");
        assert_eq!(path("/a/.."), "/");
        assert_eq!(path("/a/b/."), "/a/b/");
    }

    #[test]
    fn an_escaped_separator_is_refused_and_any_other_escape_stays() {
        for bad in ["/live/news/..%2fsport/x", "/live/a%5Cb", "/live/a%00b"] {
            assert_eq!(
                RequestUri::parse("https", "h", bad, None),
                Err(UriError::Byte),
                "{bad}"
            );
        }
        assert_eq!(path("/live/a%c3%a9%20b"), "/live/a%C3%A9%20b");
    }

    #[test]
    fn bytes_that_servers_disagree_on_are_refused() {
        for bad in ["/a\\b", "/a b", "/a\0", "/ä", "/%4", "/%zz", "x"] {
            assert!(RequestUri::parse("https", "h", bad, None).is_err(), "{bad:?}");
        }
        assert_eq!(
            RequestUri::parse("https", "u@h", "/", None),
            Err(UriError::UserInfo)
        );
    }

    #[test]
    fn components_are_cut_at_the_last_slash_and_the_last_dot() {
        let uri = RequestUri::parse("HTTPS", "Cdn.Example:8443", "/live/a.b/seg.1.m4s", Some("q=1")).unwrap();
        let text = |component| uri.component(component);
        assert_eq!(text(Component::Scheme), "https");
        assert_eq!(text(Component::Host), "cdn.example");
        assert_eq!(text(Component::Port), "8443");
        assert_eq!(text(Component::ParentPath), "/live/a.b");
        assert_eq!(text(Component::Filename), "seg.1.m4s");
        assert_eq!(text(Component::Stem), "seg.1");
        assert_eq!(text(Component::Extension), ".m4s");
        assert_eq!(text(Component::Query), "q=1");
    }

    #[test]
    fn a_bracketed_address_keeps_its_colons() {
        let uri = RequestUri::parse("http", "[::1]:8080", "/", None).unwrap();
        assert_eq!(uri.component(Component::Host), "[::1]");
        assert_eq!(uri.component(Component::Port), "8080");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(raw in "/[a-zA-Z0-9/._%~-]{0,60}") {
            if let Ok(once) = RequestUri::parse("https", "h", &raw, None) {
                let twice = RequestUri::parse("https", "h", &once.path, None).unwrap();
                prop_assert_eq!(&once.path, &twice.path);
                prop_assert!(!once.path.split('/').any(|s| s == ".." || s == "."));
            }
        }
    }
}
