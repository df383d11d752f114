//! What makes an edge known to its origin: the token that opens variants and what says their positions.

use core::fmt;

use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::site::ConfigError;

/// The token that an origin wants to see before it gives out variants of marked media (`[origin.watermark] edge_token`).
/// It goes to the origin as `Authorization: Bearer` (RFC 6750 §2.1), with requests for marked media and their sidecars
/// alone: to no player, and into no log.
#[derive(Clone, Eq, PartialEq)]
pub struct OriginToken(HeaderValue);

impl OriginToken {
    /// Takes the token as the origin's operator writes it.
    ///
    /// # Errors
    /// [`ConfigError::OriginToken`] when it is empty or has blanks or characters beside printable ASCII. The error does not
    /// show it.
    pub fn parse(token: &str) -> Result<Self, ConfigError> {
        let usable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let value = HeaderValue::try_from(format!("Bearer {token}")).ok();
        let mut value = value.filter(|_| usable).ok_or(ConfigError::OriginToken)?;
        // No debugging print of a request shows it.
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

/// Adds the token to a request for the origin.
pub(crate) fn show(token: Option<&OriginToken>, headers: &mut HeaderMap) {
    if let Some(OriginToken(value)) = token {
        headers.insert(header::AUTHORIZATION, value.clone());
    }
}

impl<'de> Deserialize<'de> for OriginToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = String::deserialize(deserializer)?;
        Self::parse(&token).map_err(D::Error::custom)
    }
}

impl fmt::Debug for OriginToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_printable_and_does_not_show() {
        let token = OriginToken::parse("s3cret~+/=").unwrap();
        let mut headers = HeaderMap::new();
        show(None, &mut headers);
        assert!(headers.is_empty());
        show(Some(&token), &mut headers);
        assert_eq!(headers[header::AUTHORIZATION], "Bearer s3cret~+/=");
        let shown = format!("{token:?} {headers:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        for wrong in ["", "two words", "line\nbreak", "ümlaut"] {
            let error = OriginToken::parse(wrong).unwrap_err().to_string();
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }
}
