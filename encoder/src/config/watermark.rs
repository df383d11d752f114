//! The table `[watermark]`.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, Rung, one_of};
use crate::{
    cmaf::Carrier,
    pixel::mark::{Key, Strength},
};

/// The environment variable that may hold the key.
pub const WATERMARK_KEY: &str = "SELVEDGE_WATERMARK_KEY";

/// The table as it is written; every key may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatermarkFile {
    /// File with the key.
    pub key_file: Option<PathBuf>,
    /// Amplitude in code values.
    pub strength: Option<f64>,
    /// Names of the renditions that are marked.
    pub renditions: Option<Vec<String>>,
    /// `header` or `box`.
    pub carrier: Option<String>,
    /// The key itself, from the environment; a `key_file` comes first.
    #[serde(skip)]
    pub key: Option<String>,
}

impl WatermarkFile {
    /// This table, with what `over` says instead where it says something.
    #[must_use]
    pub fn overruled_by(self, over: Self) -> Self {
        Self {
            key_file: over.key_file.or(self.key_file),
            strength: over.strength.or(self.strength),
            renditions: over.renditions.or(self.renditions),
            carrier: over.carrier.or(self.carrier),
            key: over.key.or(self.key),
        }
    }
}

/// How a channel is watermarked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Watermark {
    /// What the patterns follow from.
    pub key: Key,
    /// How strong they are.
    pub strength: Strength,
    /// How the origin is told of variants and positions.
    pub carrier: Carrier,
    /// The renditions that are marked.
    pub renditions: Vec<String>,
}

impl Watermark {
    /// Checks the table of a channel with these renditions, and reads the key.
    ///
    /// # Errors
    /// When there is no key, or something is not as it should be.
    pub fn new(file: WatermarkFile, ladder: &[(String, Rung)]) -> Result<Self, ConfigError> {
        let key = key(&file)?;
        let strength = match file.strength {
            None => Strength::DEFAULT,
            Some(strength) => Strength::new(strength).ok_or_else(|| {
                ConfigError::key(
                    "watermark.strength",
                    format!("{strength} is not between 0.25 and 1.8; 1.0 is usual"),
                )
            })?,
        };
        let carriers = [("header", Carrier::Header), ("box", Carrier::Box)];
        let carrier = one_of("watermark.carrier", file.carrier.as_deref(), &carriers)?;
        let all = || ladder.iter().map(|(name, _)| name.clone());
        let renditions = file.renditions.unwrap_or_else(|| all().collect());
        if let Some(unknown) = renditions.iter().find(|name| !all().any(|known| known == **name)) {
            let known: Vec<_> = all().collect();
            return Err(ConfigError::key(
                "watermark.renditions",
                format!("`{unknown}` is none of {}", known.join(", ")),
            ));
        }
        Ok(Self {
            key,
            strength,
            carrier,
            renditions,
        })
    }

    /// Whether a rendition is marked.
    #[must_use]
    pub fn marks(&self, rendition: &str) -> bool {
        self.renditions.iter().any(|name| name == rendition)
    }
}

fn key(file: &WatermarkFile) -> Result<Key, ConfigError> {
    let Some(path) = &file.key_file else {
        let text = file.key.as_deref().ok_or_else(|| {
            ConfigError::key(
                "watermark",
                format!("has no key; name a file in `key_file`, or put it into {WATERMARK_KEY}"),
            )
        })?;
        return text
            .parse()
            .map_err(|error| ConfigError::key(WATERMARK_KEY, error));
    };
    let wrong =
        |problem: String| ConfigError::key("watermark.key_file", format!("{}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read ({error})")))?;
    text.parse().map_err(|error| wrong(format!("{error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, File};

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn config(table: &str, key: Option<&str>) -> Result<Config, ConfigError> {
        let text = format!("push = \"http://127.0.0.1:8080/ingest/demo\"\n[watermark]\n{table}");
        let mut file = File::parse(&text, "encoder.toml")?;
        if let Some(watermark) = &mut file.watermark {
            watermark.key = key.map(str::to_owned);
        }
        Config::try_from(file)
    }

    #[test]
    fn all_renditions_are_marked_unless_some_are_named() {
        let all = config("", Some(KEY)).unwrap();
        assert!(
            ["video-720p", "video-270p"]
                .iter()
                .all(|name| all.mark_of(name).is_some())
        );
        let some = config("renditions = [\"video-720p\"]\ncarrier = \"box\"", Some(KEY)).unwrap();
        assert_eq!(some.mark_of("video-480p"), None);
        assert_eq!(
            some.mark_of("video-720p").map(|mark| mark.carrier),
            Some(Carrier::Box)
        );
    }

    #[test]
    fn the_key_is_in_a_file_or_in_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark.key");
        std::fs::write(&path, format!("{KEY}\n")).unwrap();
        let table = format!("key_file = {:?}", path.display().to_string());
        assert_eq!(
            config(&table, None).unwrap().watermark,
            config("", Some(KEY)).unwrap().watermark
        );
        // What the file says comes first.
        assert!(config(&table, Some("wrong")).is_ok());
    }

    #[test]
    fn mistakes_are_told_with_the_fix() {
        let error = |table: &str, key: Option<&str>| config(table, key).unwrap_err().to_string();
        let lines = [
            error("", None),
            error("", Some("abc")),
            error("key_file = \"/nowhere/mark.key\"", None),
            error("strength = 3.0", Some(KEY)),
            error("carrier = \"sei\"", Some(KEY)),
            error("renditions = [\"video-1080p\"]", Some(KEY)),
            error("key = \"00\"", None),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        `watermark`: has no key; name a file in `key_file`, or put it into SELVEDGE_WATERMARK_KEY
        `SELVEDGE_WATERMARK_KEY`: no key: expected 64 hexadecimal digits, such as `openssl rand -hex 32` gives
        `watermark.key_file`: /nowhere/mark.key: cannot be read (No such file or directory (os error 2))
        `watermark.strength`: 3 is not between 0.25 and 1.8; 1.0 is usual
        `watermark.carrier`: `sei` is not `header` or `box`
        `watermark.renditions`: `video-1080p` is none of video-720p, video-480p, video-270p
        encoder.toml:3: unknown field `key`, expected one of `key_file`, `strength`, `renditions`, `carrier`
        ");
    }
}
