//! What an operator configures of an edge: the site document and the keys.

use selvedge_token::{JwkSet, KeyError, KeySet, Policy, Verifier};
use serde::Deserialize;
use thiserror::Error;

/// The site document: JSON, the same on every platform. Every field may be left out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Site {
    /// Issuers whose tokens are trusted; empty (the default): any that a key vouches for.
    pub issuers: Vec<String>,
    /// Identities of this edge for a token's `aud`.
    pub audiences: Vec<String>,
    /// Web origins whose pages may play from here, such as `https://tv.example`, or `*` (the default) for all.
    /// Cookies are accepted from listed origins alone, never with `*`.
    pub cors_origins: Vec<String>,
    /// Whether answers say in `Server-Timing` what was decided. Off by default: it is for operators and demos.
    pub server_timing: bool,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            cors_origins: vec!["*".into()],
            server_timing: false,
        }
    }
}

/// Why an edge cannot be configured.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The keys are not a JWK Set.
    #[error("the keys are not a JWK Set (RFC 7517): {0}")]
    Keys(String),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The site document cannot be read.
    #[error("the site document is not understood: {0}")]
    Site(String),
    /// The origin's address cannot be used.
    #[error("{0:?} is no origin: give an absolute URL such as https://origin.example")]
    Origin(String),
    /// Something that the platform provides is of another type than text.
    #[error("{0} is not a text")]
    NotText(&'static str),
    /// Something that the platform should have provided is missing.
    #[error("{0} is not set")]
    Missing(&'static str),
}

/// Where an origin is, or a shield before it: an absolute `http` or `https` URL without a query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OriginUrl(String);

impl OriginUrl {
    /// Takes the URL as an operator writes it; a slash at its end does not matter.
    ///
    /// # Errors
    /// [`ConfigError::Origin`] when it cannot be one of an origin.
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        let usable = url.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some()
                && uri.query().is_none()
        });
        if !usable {
            return Err(ConfigError::Origin(url.into()));
        }
        Ok(Self(url.trim_end_matches('/').into()))
    }

    /// The URL of what an [`OriginRequest`](crate::OriginRequest) asks for.
    pub fn join(&self, target: &str) -> String {
        [&self.0, target].concat()
    }
}

impl Site {
    /// Reads a site document.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        serde_json::from_str(json).map_err(|error| ConfigError::Site(error.to_string()))
    }

    /// A verifier of this site's policy for the keys of a JWK Set document.
    pub(crate) fn verifier(&self, keys: &str) -> Result<Verifier, ConfigError> {
        let set: JwkSet = serde_json::from_str(keys).map_err(|error| ConfigError::Keys(error.to_string()))?;
        let keys = KeySet::from_jwks(&set.keys)?;
        let policy = Policy {
            issuers: self.issuers.clone(),
            audiences: self.audiences.clone(),
            ..Policy::default()
        };
        Ok(Verifier::new(keys, policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_an_absolute_url_and_its_last_slash_does_not_matter() {
        for url in ["https://o.example/", "https://o.example"] {
            assert_eq!(
                OriginUrl::parse(url).unwrap().join("/live/a"),
                "https://o.example/live/a"
            );
        }
        for wrong in [
            "",
            "o.example:80",
            "ftp://o.example",
            "https://o.example/?a",
            "/live",
        ] {
            let error = OriginUrl::parse(wrong).unwrap_err().to_string();
            assert!(
                error.contains("such as https://origin.example"),
                "{wrong}: {error}"
            );
        }
    }

    #[test]
    fn an_unknown_field_is_named() {
        let error = Site::from_json(r#"{"issuer":["a"]}"#).unwrap_err().to_string();
        assert!(
            error.contains("unknown field `issuer`, expected one of `issuers`"),
            "{error}"
        );
    }
}
