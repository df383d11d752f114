//! What an admitted push may bring.

use super::Table;
use crate::Error;
use crate::cmaf::{Init, Kind};

/// What an admitted push may bring. The default bounds nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Terms {
    codecs: Vec<String>,
    max_bitrate: u64,
    max_width: u32,
    max_height: u32,
    max_tracks: u32,
}

impl Terms {
    pub(super) fn of(table: &Table) -> Self {
        Self {
            codecs: table.codecs.clone(),
            max_bitrate: table.max_bitrate,
            max_width: table.max_width,
            max_height: table.max_height,
            max_tracks: table.max_tracks,
        }
    }

    /// Checks an init segment.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a codec that the table does not name, [`Error::OverTerms`] beyond its bounds.
    pub fn check_init(&self, init: &Init) -> Result<(), Error> {
        let fits = |wanted: &String| init.codec.starts_with(wanted.as_str());
        let is_media = matches!(init.kind, Kind::Video | Kind::Audio);
        if is_media && !self.codecs.is_empty() && !self.codecs.iter().any(fits) {
            return Err(Error::Unsupported {
                reason: format!(
                    "codec {} is not taken on this channel: it takes {} (`origin.ingest.codecs`)",
                    init.codec,
                    self.codecs.join(", ")
                ),
            });
        }
        let named = u64::from(init.max_bitrate.max(init.average_bitrate));
        bound(
            "the bitrate that the init segment names",
            named,
            self.max_bitrate,
            "max_bitrate",
        )?;
        let (width, height) = (u64::from(init.width), u64::from(init.height));
        bound("the picture's width", width, self.max_width.into(), "max_width")?;
        bound(
            "the picture's height",
            height,
            self.max_height.into(),
            "max_height",
        )
    }

    /// Checks the rate of media: so many bytes in so many nanoseconds. What is shorter than a second may have as many
    /// bytes as a second: a key frame says little of the rate.
    ///
    /// # Errors
    /// [`Error::OverTerms`].
    pub fn check_rate(&self, bytes: u64, nanos: i64) -> Result<(), Error> {
        let nanos = nanos.max(MIN_MEASURED_NANOS).unsigned_abs();
        let rate = u128::from(bytes) * 8_000_000_000 / u128::from(nanos);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        bound("the segment's bitrate", rate, self.max_bitrate, "max_bitrate")
    }

    /// How many tracks the channel may have, given the origin's own bound.
    pub fn tracks(&self, limit: u32) -> u32 {
        match self.max_tracks {
            0 => limit,
            tracks => tracks.min(limit),
        }
    }
}

fn bound(what: &'static str, value: u64, limit: u64, key: &'static str) -> Result<(), Error> {
    if limit != 0 && value > limit {
        return Err(Error::OverTerms {
            what,
            value,
            limit,
            key,
        });
    }
    Ok(())
}

const MIN_MEASURED_NANOS: i64 = 1_000_000_000;
