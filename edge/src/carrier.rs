//! Carriers: where a request may hold its token, and taking it out of everything that goes on.

use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;

use crate::limits::MAX_TOKENS;

/// The registered name of the header and the cookie.
const TOKEN_NAME: &str = "cta-common-access-token";

/// The query parameter, which comes in upper and in lower case.
const TOKEN_PARAMETER: &str = "cat";

/// The first path segment below which a token stands.
const PATH_PREFIX: &str = "/t/";

/// How the tokens of CTA-5007-B begin: base64url of tag 61 around 16, 17 or 18.
const TAGGED_PREFIXES: [&str; 3] = ["2D3Q", "2D3R", "2D3S"];

/// The same without tag 61: tag 16 and an array of three, tag 17 or 18 and an array of four.
const BARE_PREFIXES: [(&str, &str); 3] = [("0I", "MNOP"), ("0Y", "QRST"), ("0o", "QRST")];

/// No token with any claim is shorter: its MAC alone takes 43 characters.
const SHORTEST_TOKEN: usize = 48;

/// Where tokens are looked for beside the places that the standard names.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Carriers {
    /// More names of header fields, such as the older `Common-Access-Token`. Case does not matter.
    pub headers: Vec<String>,
    /// More names of cookies. Case does not matter.
    pub cookies: Vec<String>,
}

impl Carriers {
    /// Whether a header field of this name carries tokens.
    pub(crate) fn is_header(&self, name: &str) -> bool {
        is_among(name, &self.headers)
    }

    /// Whether a cookie of this name carries tokens.
    pub(crate) fn is_cookie(&self, name: &str) -> bool {
        is_among(name, &self.cookies)
    }

    fn header_names(&self) -> impl Iterator<Item = &str> {
        core::iter::once(TOKEN_NAME).chain(self.headers.iter().map(String::as_str))
    }
}

fn is_among(name: &str, more: &[String]) -> bool {
    name.eq_ignore_ascii_case(TOKEN_NAME) || more.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Where a token came from, in the order of precedence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// The header `CTA-Common-Access-Token`.
    Header,
    /// The cookie of the same name.
    Cookie,
    /// The query parameter `CAT` or `cat`.
    Query,
    /// The path, `/t/<token>/…` or `/<token>/…`.
    Path,
}

impl Carrier {
    /// The word in logs and in `Server-Timing`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Query => "query",
            Self::Path => "path",
        }
    }
}

/// The tokens of a request, in the order in which they are to be tried.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) tokens: Vec<(Carrier, String)>,
}

impl Carried {
    fn add(&mut self, carrier: Carrier, token: &str) {
        if !token.is_empty() && self.tokens.len() < MAX_TOKENS {
            self.tokens.push((carrier, token.to_owned()));
        }
    }
}

/// Takes the tokens out of a request's headers and normalised query. Returns them with the query that is left.
pub(crate) fn take_tokens(query: &str, headers: &HeaderMap, carriers: &Carriers) -> (Carried, String) {
    let mut carried = Carried::default();
    for name in carriers.header_names() {
        for value in headers.get_all(name) {
            // Several fields of one name may arrive joined by commas (RFC 9110 §5.3), and a renewed token with the
            // parameters that its issuer wants behind it (`catr`). No token contains a comma or a semicolon.
            for member in texts(value, b',') {
                let token = member.split(';').next().unwrap_or_default();
                carried.add(Carrier::Header, token.trim());
            }
        }
    }
    for value in headers.get_all(header::COOKIE) {
        for (name, token) in texts(value, b';').filter_map(|pair| pair.trim().split_once('=')) {
            if carriers.is_cookie(name) {
                carried.add(Carrier::Cookie, token.trim_matches('"'));
            }
        }
    }
    let mut kept = String::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name.eq_ignore_ascii_case(TOKEN_PARAMETER) {
            // Padding may arrive escaped; nothing else of a token needs to be.
            carried.add(Carrier::Query, value.trim_end_matches("%3D"));
        } else {
            if !kept.is_empty() {
                kept.push('&');
            }
            kept.push_str(pair);
        }
    }
    (carried, kept)
}

/// The parts of a field that are texts. Bytes that are none spoil their own part alone: hosts differ in whether they
/// join fields, and a token must not depend on what stands beside it.
fn texts(value: &HeaderValue, separator: u8) -> impl Iterator<Item = &str> {
    let parts = value.as_bytes().split(move |byte| *byte == separator);
    parts.filter_map(|part| core::str::from_utf8(part).ok())
}

/// Takes every token out of a normalised path, and returns what is left: all that claims, caches, logs and the
/// origin get to see. A path may hold several, one below the other, and none may go on.
pub(crate) fn take_path_tokens<'p>(path: &'p str, carried: &mut Carried) -> &'p str {
    let mut rest = path;
    while let Some((token, below)) = first_token(rest) {
        carried.add(Carrier::Path, token);
        rest = below;
    }
    rest
}

/// The token at the beginning of a path, and the path below it.
fn first_token(path: &str) -> Option<(&str, &str)> {
    if let Some(below) = path.strip_prefix(PATH_PREFIX) {
        return Some(below.split_at(below.find('/')?));
    }
    let below = path.strip_prefix('/')?;
    let (segment, below) = below.split_at(below.find('/')?);
    looks_like_token(segment).then_some((segment, below))
}

/// Whether a path segment by itself is a token: nothing but its form can tell.
fn looks_like_token(segment: &str) -> bool {
    let begins = TAGGED_PREFIXES.iter().any(|prefix| segment.starts_with(prefix))
        || BARE_PREFIXES.iter().any(|(prefix, third)| {
            segment
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(|c| third.contains(c)))
        });
    begins
        && segment.len() >= SHORTEST_TOKEN
        && segment
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
}

/// The path below which a viewer finds everything with this token, without a slash at its end.
pub(crate) fn token_path(token: &str) -> String {
    format!("{PATH_PREFIX}{token}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_carrier_is_looked_at_in_the_order_of_precedence() {
        let mut headers = HeaderMap::new();
        headers.insert("CTA-Common-Access-Token", HeaderValue::from_static("h1, h2"));
        headers.insert(
            "Cookie",
            HeaderValue::from_static("a=b; CTA-Common-Access-Token=c"),
        );
        let (mut carried, query) = take_tokens("a=1&CAT=q&b=2", &headers, &Carriers::default());
        let path = take_path_tokens("/t/p1/t/p2/live/x.m3u8", &mut carried);
        let order: Vec<_> = carried
            .tokens
            .iter()
            .map(|(carrier, token)| (carrier.name(), &**token))
            .collect();
        assert_eq!(
            order,
            [
                ("header", "h1"),
                ("header", "h2"),
                ("cookie", "c"),
                ("query", "q"),
                ("path", "p1"),
                ("path", "p2")
            ]
        );
        assert_eq!((path, &*query), ("/live/x.m3u8", "a=1&b=2"));
    }

    #[test]
    fn a_first_segment_in_a_tokens_form_is_one_and_any_other_is_a_folder() {
        let token = format!("2D3ShEOhASah{}", "A".repeat(60));
        let mut carried = Carried::default();
        let path = format!("/{token}/live/x.m3u8");
        assert_eq!(take_path_tokens(&path, &mut carried), "/live/x.m3u8");
        assert_eq!(carried.tokens, [(Carrier::Path, token)]);
        for folder in ["/live/x.m3u8", "/2D3S/x.m3u8", "/0IA/x.m3u8"] {
            let mut carried = Carried::default();
            assert_eq!(take_path_tokens(folder, &mut carried), folder);
            assert!(carried.tokens.is_empty());
        }
    }

    #[test]
    fn names_beside_the_standards_are_looked_at_where_they_are_configured() {
        let carriers = Carriers {
            headers: vec!["Common-Access-Token".into()],
            cookies: vec!["cat2".into()],
        };
        let mut headers = HeaderMap::new();
        headers.insert("common-access-token", HeaderValue::from_static("h"));
        headers.insert("cookie", HeaderValue::from_static("CAT2=c"));
        let found = |carriers: &Carriers| take_tokens("", &headers, carriers).0.tokens;
        assert_eq!(
            found(&carriers),
            [(Carrier::Header, "h".into()), (Carrier::Cookie, "c".into())]
        );
        assert!(found(&Carriers::default()).is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_spoil_nothing_beside_them() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "CTA-Common-Access-Token",
            HeaderValue::from_bytes(b"\xff\xfe, h").unwrap(),
        );
        headers.insert(
            "Cookie",
            HeaderValue::from_bytes(b"a=\xe9; CTA-Common-Access-Token=c").unwrap(),
        );
        let (carried, _) = take_tokens("", &headers, &Carriers::default());
        let tokens: Vec<_> = carried.tokens.iter().map(|(_, token)| &**token).collect();
        assert_eq!(tokens, ["h", "c"]);
    }

    proptest! {
        #[test]
        fn requests_that_differ_in_their_token_alone_leave_the_same_rest(
            a in "[A-Za-z0-9_-]{1,40}", b in "[A-Za-z0-9_-]{1,40}", rest in "/[a-su-z0-9/]{1,30}", query in "([a-z]=[0-9]&){0,3}",
        ) {
            let strip = |token: &str| {
                let (mut carried, query) = take_tokens(&format!("{query}CAT={token}"), &HeaderMap::new(), &Carriers::default());
                let path = format!("/t/{token}{rest}");
                (take_path_tokens(&path, &mut carried).to_owned(), query)
            };
            let left = strip(&a);
            prop_assert_eq!(&left, &strip(&b));
            prop_assert_eq!(&left.0, &rest);
        }
    }
}
