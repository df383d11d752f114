//! A request's header fields as claims see them: without the token.

use std::borrow::Cow;

use http::{HeaderMap, header};
use selvedge_token::Headers;

use crate::carrier::Carriers;

/// The fields of a request, less whatever carries a token.
pub(crate) struct Fields<'r> {
    pub(crate) headers: &'r HeaderMap,
    pub(crate) carriers: &'r Carriers,
}

impl Headers for Fields<'_> {
    fn combined(&self, name: &str) -> Option<Cow<'_, str>> {
        if self.carriers.is_header(name) {
            return None;
        }
        let is_cookies = name == header::COOKIE.as_str();
        // HTTP/2 cuts the one field of cookies into lines, which belong together as they were (RFC 9113 §8.2.3).
        let between = if is_cookies { "; " } else { ", " };
        let mut lines = self.headers.get_all(name).iter();
        let first = lines.next()?.to_str().ok()?;
        let joined = lines.try_fold(Cow::Borrowed(first), |joined, line| {
            Some(joined + between + line.to_str().ok()?)
        })?;
        if is_cookies {
            return Some(Cow::Owned(self.without_tokens(&joined)));
        }
        Some(joined)
    }
}

impl Fields<'_> {
    fn without_tokens(&self, cookies: &str) -> String {
        let kept = cookies.split(';').map(str::trim).filter(|pair| {
            let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
            !self.carriers.is_cookie(name.trim())
        });
        kept.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn lines_are_joined_and_tokens_are_not_seen() {
        let carriers = Carriers::default();
        let mut headers = HeaderMap::new();
        headers.append("accept", HeaderValue::from_static("a"));
        headers.append("accept", HeaderValue::from_static("b"));
        headers.append("cta-common-access-token", HeaderValue::from_static("secret"));
        headers.append(
            "cookie",
            HeaderValue::from_static("a=1; CTA-Common-Access-Token=secret; b=2"),
        );
        let fields = Fields {
            headers: &headers,
            carriers: &carriers,
        };
        assert_eq!(fields.combined("accept").unwrap(), "a, b");
        assert_eq!(fields.combined("cookie").unwrap(), "a=1; b=2");
        assert_eq!(fields.combined("cta-common-access-token"), None);
        assert_eq!(fields.combined("absent"), None);
    }

    #[test]
    fn a_token_among_cookies_is_not_seen_however_they_are_written() {
        let carriers = Carriers::default();
        for lines in [
            ["a=1;CTA-Common-Access-Token=secret;b=2", "c=3"],
            // As HTTP/2 cuts them.
            ["a=1", "CTA-Common-Access-Token=secret"],
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("cookie", HeaderValue::from_static(line));
            }
            let fields = Fields {
                headers: &headers,
                carriers: &carriers,
            };
            let seen = fields.combined("cookie").unwrap();
            assert!(seen.starts_with("a=1") && !seen.contains("secret"), "{seen}");
        }
    }
}
