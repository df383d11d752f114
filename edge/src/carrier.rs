//! Carriers: where a request may hold its token, and taking it out of everything that goes on.

use http::{HeaderMap, header};

use crate::limits::MAX_TOKENS;

/// The registered name of the header and the cookie.
pub(crate) const TOKEN_NAME: &str = "cta-common-access-token";

/// The first path segment below which a token stands.
const PATH_PREFIX: &str = "/t/";

/// Where a token came from, in the order of precedence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// The header `CTA-Common-Access-Token`.
    Header,
    /// The cookie of the same name.
    Cookie,
    /// The query parameter `CAT` or `cat`.
    Query,
    /// The path, `/t/<token>/…`.
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

/// Takes the tokens out of a request's headers and query. Returns them with the query that is left.
pub(crate) fn take_tokens(query: Option<&str>, headers: &HeaderMap) -> (Carried, String) {
    let mut carried = Carried::default();
    for value in headers
        .get_all(TOKEN_NAME)
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        // Several fields of one name may arrive joined by commas (RFC 9110 §5.3); no token contains one.
        value
            .split(',')
            .for_each(|token| carried.add(Carrier::Header, token.trim()));
    }
    for value in headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        for (name, token) in value.split(';').filter_map(|pair| pair.trim().split_once('=')) {
            if name.eq_ignore_ascii_case(TOKEN_NAME) {
                carried.add(Carrier::Cookie, token.trim_matches('"'));
            }
        }
    }
    let mut kept = String::new();
    for pair in query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name.eq_ignore_ascii_case("cat") {
            // Padding may arrive escaped; nothing else of a token needs to be.
            carried.add(
                Carrier::Query,
                value.trim_end_matches("%3D").trim_end_matches("%3d"),
            );
        } else {
            if !kept.is_empty() {
                kept.push('&');
            }
            kept.push_str(pair);
        }
    }
    (carried, kept)
}

/// Takes every token out of a normalised path, and returns what is left: all that claims, caches, logs and the
/// origin get to see. A path may hold several, one below the other, and none may go on.
pub(crate) fn take_path_tokens<'p>(path: &'p str, carried: &mut Carried) -> &'p str {
    let mut rest = path;
    while let Some((token, below)) = rest.strip_prefix(PATH_PREFIX).and_then(|below| {
        let slash = below.find('/')?;
        Some(below.split_at(slash))
    }) {
        carried.add(Carrier::Path, token);
        rest = below;
    }
    rest
}

/// The path below which a viewer finds everything with this token, without a slash at its end.
pub(crate) fn token_path(token: &str) -> String {
    format!("{PATH_PREFIX}{token}")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
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
        let (mut carried, query) = take_tokens(Some("a=1&CAT=q&b=2"), &headers);
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

    proptest! {
        #[test]
        fn requests_that_differ_in_their_token_alone_leave_the_same_rest(
            a in "[A-Za-z0-9_-]{1,40}", b in "[A-Za-z0-9_-]{1,40}", rest in "/[a-su-z0-9/]{1,30}", query in "([a-z]=[0-9]&){0,3}",
        ) {
            let strip = |token: &str| {
                let (mut carried, query) = take_tokens(Some(&format!("{query}CAT={token}")), &HeaderMap::new());
                let path = format!("/t/{token}{rest}");
                (take_path_tokens(&path, &mut carried).to_owned(), query)
            };
            let left = strip(&a);
            prop_assert_eq!(&left, &strip(&b));
            prop_assert_eq!(&left.0, &rest);
        }
    }
}
