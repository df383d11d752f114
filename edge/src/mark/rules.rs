//! What an operator says of watermarks in the site document.

use core::fmt;
use std::collections::BTreeMap;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use selvedge_token::Ere;
use selvedge_watermark::code::{CodeKey, Design};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::Paces;

/// Which media of which channels is marked, and by which keys.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct MarkRules {
    /// The only `wmvnd` that tokens may name; 254 by default, which nobody else has.
    #[serde(default = "default_vendor")]
    pub vendor: u8,
    /// What patterns are derived by, by `wmkeyver`: base64url of 32 random bytes each. With one in it, the site document
    /// is a secret.
    #[serde(default)]
    pub keys: BTreeMap<u64, MarkKey>,
    /// Whether watermark tokens are tokens of their own beside those of access. Then they admit to nothing, and one
    /// counts where it has the subject (`sub`) and the issuer of the token that admits. Not so by default.
    #[serde(default)]
    pub separate_tokens: bool,
    /// The channels.
    pub channels: Vec<MarkedChannel>,
}

/// A channel or an asset with marked media.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct MarkedChannel {
    /// What its paths begin with, such as `/live/news/`. Nothing below it may be in a folder `b`.
    #[serde(deserialize_with = "folder")]
    pub path: String,
    /// What the rest of the path of marked media looks like: a POSIX extended regular expression, such as
    /// `^v[0-9]+/[^/]+[.]m4s$`. Init segments, subtitles and pictures must not.
    #[serde(deserialize_with = "expression")]
    pub media: Ere,
    /// The service's name in the derivation of patterns.
    pub service: String,
    /// The service's epoch; 0 by default.
    #[serde(default)]
    pub epoch: u64,
    /// Against how many colluders the code is made: 2, 4 (the default), 6 or 8.
    #[serde(default, rename = "colluders", deserialize_with = "design")]
    pub design: Design,
    /// How the position of a segment is learnt.
    #[serde(default)]
    pub pace: Paces,
    /// What becomes of a request whose token has no mark.
    #[serde(default)]
    pub without_mark: OnUnmarked,
}

const fn default_vendor() -> u8 {
    254
}

/// What becomes of a request for marked media whose token has no mark.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum OnUnmarked {
    /// It is refused.
    #[default]
    Refuse,
    /// It gets variant A: while viewers change over to tokens with marks.
    Serve,
}

/// A secret that patterns are derived by.
#[derive(Clone)]
pub struct MarkKey {
    secret: [u8; 32],
    code: CodeKey,
}

impl MarkKey {
    /// What derives patterns and biases by it.
    pub const fn code(&self) -> &CodeKey {
        &self.code
    }
}

impl fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MarkKey")
    }
}

impl PartialEq for MarkKey {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl Eq for MarkKey {}

impl<'de> Deserialize<'de> for MarkKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = Base64UrlUnpadded::decode_vec(text.trim_end_matches('=')).ok();
        let secret: [u8; 32] = bytes
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| D::Error::custom("a watermark key is base64url of 32 bytes"))?;
        Ok(Self {
            secret,
            code: CodeKey::from_secret(&secret),
        })
    }
}

impl MarkRules {
    /// The channel that a path is below: of several, the one with the longest path.
    pub(crate) fn channel_of(&self, path: &str) -> Option<&MarkedChannel> {
        let channels = self
            .channels
            .iter()
            .filter(|channel| path.starts_with(&channel.path));
        channels.max_by_key(|channel| channel.path.len())
    }
}

impl MarkedChannel {
    /// Whether media of the channel is marked.
    pub(crate) fn is_marked(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str())
            .is_some_and(|rest| self.media.is_match(rest))
    }
}

fn folder<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('/') && path.ends_with('/') {
        Ok(path)
    } else {
        Err(D::Error::custom(format!(
            "{path:?}: the path of a marked channel begins and ends with a slash, such as /live/news/"
        )))
    }
}

fn expression<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ere, D::Error> {
    let pattern = String::deserialize(deserializer)?;
    Ere::parse(&pattern).map_err(|error| D::Error::custom(format!("{pattern:?}: {error}")))
}

fn design<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Design, D::Error> {
    let colluders = u64::deserialize(deserializer)?;
    Design::against(colluders)
        .filter(|design| design.colluders() == colluders)
        .ok_or_else(|| D::Error::custom("colluders must be 2, 4, 6 or 8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn rules(channel: &str) -> Result<MarkRules, String> {
        let json = format!(r#"{{"keys":{{"3":"{KEY}"}},"channels":[{channel}]}}"#);
        serde_json::from_str(&json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let rules = rules(r#"{"path":"/live/news/","media":"^v/","service":"news"}"#).unwrap();
        let channel = &rules.channels[0];
        assert_eq!((rules.vendor, rules.separate_tokens), (254, false));
        assert_eq!((channel.epoch, channel.design), (0, Design::Four));
        assert_eq!(
            (&channel.pace, channel.without_mark),
            (&Paces::default(), OnUnmarked::Refuse)
        );
        assert!(rules.keys.contains_key(&3));
        assert!(!format!("{rules:?}").contains("AAEC") && !format!("{rules:?}").contains("secret"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (channel, said) in [
            (
                r#"{"path":"/live/news","media":"^v/","service":"n"}"#,
                "begins and ends with a slash",
            ),
            (r#"{"path":"/live/","media":"(","service":"n"}"#, "\"(\": "),
            (r#"{"path":"/live/","media":"v"}"#, "missing field `service`"),
            (
                r#"{"path":"/live/","media":"v","service":"n","colluders":5}"#,
                "colluders must be 2, 4, 6 or 8",
            ),
            (
                r#"{"path":"/live/","media":"v","service":"n","pace":"guess"}"#,
                "unknown variant",
            ),
            (
                r#"{"path":"/live/","media":"v","service":"n","pace":{"number":{"per":0}}}"#,
                "nonzero",
            ),
        ] {
            let error = rules(channel).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let short = r#"{"keys":{"3":"AAEC"},"channels":[]}"#;
        let error = serde_json::from_str::<MarkRules>(short).unwrap_err().to_string();
        assert!(
            error.contains("base64url of 32 bytes") && !error.contains("AAEC"),
            "{error}"
        );
    }

    #[test]
    fn the_longest_path_is_the_channels() {
        let both = r#"{"path":"/live/","media":"x","service":"all"},{"path":"/live/news/","media":"x","service":"news"}"#;
        let rules = rules(both).unwrap();
        let service = |path| rules.channel_of(path).map(|channel| channel.service.as_str());
        assert_eq!(service("/live/news/v/1.m4s"), Some("news"));
        assert_eq!(service("/live/newsroom/v/1.m4s"), Some("all"));
        assert_eq!(service("/vod/v/1.m4s"), None);
    }
}
