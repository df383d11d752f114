//! What an operator configures of an edge: the site document and the keys.

use selvedge_breaks::rules::Restriction;
use selvedge_token::{Dialect, JwkSet, KeyError, KeySet, Policy};
use serde::Deserialize;
use thiserror::Error;

use crate::{carrier::Carriers, hls::Cues, mark::MarkRules, route::Resource};

/// The site document: JSON, the same on every platform. Every field may be left out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Site {
    /// Issuers whose tokens are trusted; empty (the default): any that a key vouches for.
    pub issuers: Vec<String>,
    /// Identities of this edge for a token's `aud`.
    pub audiences: Vec<String>,
    /// Web origins whose pages may play from here, such as `https://tv.example`, or `*` (the default) for all.
    /// With cookies, browsers let a listed origin's pages alone read answers, and where `*` is in the list none.
    pub cors_origins: Vec<String>,
    /// Whether answers say in `Server-Timing` what was decided. Off by default: it is for operators and demos.
    pub server_timing: bool,
    /// Where tokens are looked for beside the places that the standard names.
    pub carriers: Carriers,
    /// What is accepted where the standard leaves room.
    pub dialect: Dialect,
    /// What this edge calls itself in tokens that a refusal mints (`catif`). Without it none is minted.
    pub own_issuer: Option<String>,
    /// How sessions begin for players that cannot take another token.
    pub session: SessionRules,
    /// How many streams a subject may have at once; no limit where it is left out.
    pub streams: Option<StreamRules>,
    /// Whether channels below `/fast/` are made here, of schedules in the store of documents; not by default.
    pub fast: bool,
    /// How breaks are filled; where it is left out, playlists pass as the origin made them.
    pub breaks: Option<BreakRules>,
    /// Which media is marked, and by which keys; none where it is left out.
    pub watermark: Option<MarkRules>,
}

/// How the breaks of our own origin's channels are filled. Every playlist is read for the break log in it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct BreakRules {
    /// The cohort whose decisions are shown: letters, digits and `.`, `_`, `:` or `-`. `all` by default.
    #[serde(deserialize_with = "name")]
    pub cohort: String,
    /// Whether players are told of stitched breaks and ads in `EXT-X-DATERANGE`s; so by default.
    pub dateranges: bool,
    /// How players get breaks.
    pub form: BreakForm,
    /// What a viewer may not do in a break of the guided form; nothing by default.
    pub restrict: Vec<Restriction>,
    /// What becomes of the marks of ads in the source; they go by default.
    pub cues: Cues,
    /// Who may have the media of ads. Where it is left out, every viewer; on a site with channels that are schedules
    /// ([`Site::fast`]), whose programme lies there too, those whose tokens name it.
    pub creatives: Option<CreativeAccess>,
}

/// Who may have what lies below `/creatives/`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum CreativeAccess {
    /// Whoever may watch anything here: no rule for paths in a token's `catu` refuses it, and all other claims are judged.
    Viewers,
    /// Those whose tokens admit its path.
    Named,
}

/// How players get breaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum BreakForm {
    /// In the playlist or the MPD, in the place of the programme.
    #[default]
    Stitched,
    /// As interstitials (RFC 8216bis Appendix D), or events of alternative MPDs (ISO/IEC 23009-1, 6th edition): the player
    /// is told where a break is, and asks for its ads.
    Guided,
    /// As those where the multivariant playlist is asked for with `_HLS_interstitials=1`, or the MPD with
    /// `alternativeMPD=1`; else stitched.
    Auto,
}

impl BreakForm {
    /// Whether a request for a document with this query is answered in the guided form.
    pub(crate) fn is_guided(self, resource: Resource, query: &str) -> bool {
        match self {
            Self::Stitched => false,
            Self::Guided => matches!(resource, Resource::Playlist | Resource::Manifest),
            Self::Auto => self.wish(resource, query).is_some(),
        }
    }

    /// What a player has asked for the guided form with, where it may choose: it asks once, and what the document leads to
    /// is asked for with the same.
    pub(crate) fn wish(self, resource: Resource, query: &str) -> Option<&'static str> {
        let wish = match resource {
            Resource::Playlist => ASKS_FOR_INTERSTITIALS,
            Resource::Manifest => ASKS_FOR_ALTERNATIVES,
            Resource::AssetList | Resource::Alternative | Resource::Media => return None,
        };
        let asks = query.split('&').any(|pair| pair == wish);
        (self == Self::Auto && asks).then_some(wish)
    }
}

/// Where the media of ads lies.
const CREATIVES: &str = "/creatives/";

/// What a player of HLS asks for the guided form with.
const ASKS_FOR_INTERSTITIALS: &str = "_HLS_interstitials=1";

/// What a player of DASH asks for the guided form with.
const ASKS_FOR_ALTERNATIVES: &str = "alternativeMPD=1";

impl Default for BreakRules {
    fn default() -> Self {
        Self {
            cohort: "all".into(),
            dateranges: true,
            form: BreakForm::default(),
            restrict: Vec::new(),
            cues: Cues::default(),
            creatives: None,
        }
    }
}

/// A name stands in a path.
fn name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match selvedge_breaks::Name::new(&name) {
        Some(_) => Ok(name),
        None => Err(serde::de::Error::custom(
            "a cohort is letters, digits and `.`, `_`, `:` or `-`",
        )),
    }
}

/// The token that a player carries in the path for the whole of a session, in exchange for the one that it came
/// with. It takes a key of ours that may sign (`"key_ops": ["sign", "verify"]` in the key set).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SessionRules {
    /// How long a session may last whose token could have been renewed for as long, in seconds. Four hours by
    /// default.
    pub seconds: u32,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { seconds: 4 * 3600 }
    }
}

/// How many streams a subject (`iss` and `sub`) may have at once. A token without `sub` is not counted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct StreamRules {
    /// The most streams at once.
    pub limit: u32,
    /// How long a stream that asks for nothing more still counts, in seconds: longer than a player's pause
    /// between two requests. Half a minute by default.
    #[serde(default = "default_grace")]
    pub grace_seconds: u32,
    /// What becomes of a stream while the store cannot say how many there are.
    #[serde(default)]
    pub unknown: OnUnknown,
}

const fn default_grace() -> u32 {
    30
}

/// What becomes of a stream that cannot be counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknown {
    /// It plays: a store that is away must not end everybody's evening.
    #[default]
    Admit,
    /// It is refused.
    Refuse,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            cors_origins: vec!["*".into()],
            server_timing: false,
            carriers: Carriers::default(),
            dialect: Dialect::default(),
            own_issuer: None,
            session: SessionRules::default(),
            streams: None,
            fast: false,
            breaks: None,
            watermark: None,
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
    /// The token for the origin is none. It is not shown.
    #[error("the origin's token is none: expected printable characters without blanks")]
    OriginToken,
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

    /// Whether a path is of the media of ads, which belong to every channel that shows them.
    pub(crate) fn shares(&self, path: &str) -> bool {
        let otherwise = match self.fast {
            true => CreativeAccess::Named,
            false => CreativeAccess::Viewers,
        };
        let access = self
            .breaks
            .as_ref()
            .map(|rules| rules.creatives.unwrap_or(otherwise));
        access == Some(CreativeAccess::Viewers) && path.starts_with(CREATIVES)
    }

    /// The policy that tokens are judged by.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            issuers: self.issuers.clone(),
            audiences: self.audiences.clone(),
            dialect: self.dialect.clone(),
        }
    }
}

/// Reads a JWK Set document.
pub(crate) fn key_set(json: &str) -> Result<KeySet, ConfigError> {
    let set: JwkSet = serde_json::from_str(json).map_err(|error| ConfigError::Keys(error.to_string()))?;
    Ok(KeySet::from_jwks(&set.keys)?)
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
