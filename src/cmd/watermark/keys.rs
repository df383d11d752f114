//! The keys and the code of a channel, from the edge's site document.

use std::path::{Path, PathBuf};

use selvedge_edge::{MarkKey, MarkRules};
use selvedge_watermark::{code::CodeKey, evidence::Code};
use serde_json::Value;

use super::{read, wrong};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// The edge's site document, or its member `watermark` alone: the keys, and the channel's service, epoch and code
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,

    /// The version of the key (`wmkeyver`) that the sessions' tokens name [default: the highest]
    #[arg(long, value_name = "NUMBER")]
    key_version: Option<u64>,
}

/// The rules of a site document.
pub(super) struct Rules {
    path: PathBuf,
    rules: MarkRules,
}

impl Rules {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let json: Value = serde_json::from_str(&read(path)?).map_err(|error| wrong(path, error))?;
        let member = json.get("watermark").cloned();
        let rules = serde_json::from_value(member.unwrap_or(json));
        Ok(Self {
            path: path.to_owned(),
            rules: rules.map_err(|error| wrong(path, error))?,
        })
    }

    /// The key of a version, the highest where none is named.
    pub(super) fn key(&self, version: Option<u64>) -> Result<(u64, &CodeKey), Failure> {
        let found = match version {
            Some(version) => self.rules.keys.get_key_value(&version),
            None => self.rules.keys.last_key_value(),
        };
        let (version, key) = found.ok_or_else(|| {
            let fix = match version {
                Some(version) => format!("has no watermark key of version {version}"),
                None => "has no watermark keys".to_owned(),
            };
            wrong(&self.path, fix)
        })?;
        Ok((*version, MarkKey::code(key)))
    }
}

impl KeyArgs {
    pub(super) fn rules(&self) -> Result<Rules, Failure> {
        Rules::read(&self.keys)
    }

    /// What a channel's patterns are derived by.
    pub(super) fn code(&self, rules: &Rules, channel: &str, bits: u16) -> Result<Code, Failure> {
        let folder = format!("/live/{channel}/");
        let end = format!("/{channel}/");
        let channels = &rules.rules.channels;
        let found = channels
            .iter()
            .find(|marked| marked.path == folder)
            .or_else(|| channels.iter().find(|marked| marked.path.ends_with(&end)));
        let found = found.ok_or_else(|| {
            let known: Vec<&str> = channels.iter().map(|marked| marked.path.as_str()).collect();
            Failure::configuration(
                "--channel",
                format!(
                    "{channel} is below none of the marked paths: {}",
                    known.join(", ")
                ),
            )
        })?;
        let (key_version, _) = rules.key(self.key_version)?;
        Ok(Code {
            service: found.service.clone(),
            epoch: found.epoch,
            colluders: found.design.colluders(),
            key_version,
            bits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = r#"{"watermark": {"keys": {"1": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "2": "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}, "channels": [{"path": "/live/news/", "media": "m4s$",
        "service": "n", "epoch": 3, "colluders": 6}]}}"#;

    #[test]
    fn a_channel_s_code_is_that_of_the_site_document() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("site.json");
        std::fs::write(&keys, SITE).unwrap();
        let args = |key_version| KeyArgs {
            keys: keys.clone(),
            key_version,
        };
        let rules = args(None).rules().unwrap();
        let code = args(None).code(&rules, "news", 32_760).unwrap();
        assert_eq!((code.service.as_str(), code.epoch, code.colluders), ("n", 3, 6));
        assert_eq!(code.key_version, 2);
        assert_eq!(args(Some(1)).code(&rules, "news", 8).unwrap().key_version, 1);
        for (channel, version, said) in [("sport", None, "/live/news/"), ("news", Some(3), "version 3")] {
            let error = args(version).code(&rules, channel, 8).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        // The member alone does too.
        let json: Value = serde_json::from_str(SITE).unwrap();
        std::fs::write(&keys, json["watermark"].to_string()).unwrap();
        assert!(args(None).rules().is_ok());
    }
}
