//! The origin's part of the configuration file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use selvedge_listen::TlsFiles;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::admit::Table;

/// How the origin is set up: the table `[origin]` of the configuration file. Every key has a default.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Address where metrics, probes and channels are served, and then nowhere else. Default: with all the rest.
    pub admin_listen: Option<SocketAddr>,
    /// What whoever sees or changes breaks must send (`Authorization: Bearer`): the token, or `sha256:` and the
    /// hexadecimal digest of it. Default: none, and breaks are seen and changed from this machine alone.
    pub admin_token: Option<AdminToken>,
    /// Folder of the object store. Default `selvedge-data`.
    pub data: PathBuf,
    /// Seconds of media that live playlists and MPDs list, and that are kept in memory: 10 to 21600, and never less
    /// than three target durations. Default 60.
    pub window_s: u32,
    /// Seconds for which a segment can still be fetched after it left the window; never less than the last list that
    /// named it lasts. Default 120.
    pub retention_s: u32,
    /// Seconds without media after which a channel has ended, as if its encoder had said so: at least 10. Default 0:
    /// it goes on, and is forgotten after a day.
    pub end_after_silence_s: u32,
    /// Nominal segment duration in milliseconds, 100 to 60000. Default 0: found from the first segments.
    pub segment_duration_ms: u32,
    /// `EXT-X-TARGETDURATION` in seconds. Default 0: the nominal duration with 20 % headroom, rounded, or
    /// the longest of the first segments if that is more. It never changes in a channel's life, so set it
    /// for encoders whose segments vary by more than that.
    pub target_duration_s: u32,
    /// Whether segments are shown part by part while they come in (LL-HLS, LL-DASH), where encoders push them in
    /// chunks. Default true.
    pub low_latency: bool,
    /// `PART-TARGET` in milliseconds, 100 to 10000: no part lasts longer. Default 0: found from the first
    /// segments' chunks. It never changes in a channel's life, so set it for encoders whose chunks vary.
    pub part_target_ms: u32,
    /// How long a channel's documents are held back for a track that has an init segment but no media,
    /// in milliseconds. Default 10000.
    pub start_patience_ms: u32,
    /// Seconds without media after which a channel's playlists and MPDs are answered 503, so that a shield turns to
    /// another origin: at least 5. Default 0: never.
    pub stale_after_s: u32,
    /// Seconds by which sound or pictures of one track may be behind the others' before the channel's playlists and
    /// MPDs are answered 503: at least 5. Default 0: however far.
    pub incomplete_after_s: u32,
    /// Value of `Access-Control-Allow-Origin` on what viewers fetch; empty sends none, because the edge
    /// answers for that. Default empty.
    pub cors_origin: String,
    /// Who may push what to which channels: the tables `[[origin.ingest]]`. Default none: anybody may push.
    pub ingest: Vec<Table>,
    /// The origin's name in what it says about its answers (`CMSD-Static`, key `n`). Default "selvedge".
    pub name: String,
    /// Certificate and key, where the origin ends TLS itself. Default: it is reached in the clear.
    pub tls: Option<TlsFiles>,
    /// A/B watermarks.
    pub watermark: Watermark,
    /// Bounds on what peers may make the origin hold.
    pub limits: Limits,
}

/// A/B watermarks: the table `[origin.watermark]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watermark {
    /// What edges and detectors must send (`Authorization: Bearer`) to be given variants and positions: the token, or
    /// `sha256:` and the hexadecimal digest of it. Default: none, and they are for this machine alone.
    pub edge_token: Option<AdminToken>,
}

/// Bounds on what peers may make the origin hold: the table `[origin.limits]`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Channels. Default 200.
    pub channels: u32,
    /// Tracks of one channel. Default 32.
    pub tracks: u32,
    /// Pushes under way at one time, of all channels: times `segment_bytes`, the most that ingest can hold in
    /// memory. A low-latency encoder holds one or two for each track. Default 2048.
    pub pushes: u32,
    /// Bytes of one segment. Default 32 MiB.
    pub segment_bytes: u64,
    /// Bytes of one init segment. Default 1 MiB.
    pub init_bytes: u64,
    /// Bytes of one pushed MPD or playlist. Default 2 MiB.
    pub manifest_bytes: u64,
    /// Bytes of one channel's window in memory; the oldest segments leave memory (not the store) beyond it.
    /// Default 512 MiB.
    pub window_bytes: u64,
    /// Requests that wait for media that has yet to come, of all channels; one more is answered 503. Default 16384.
    pub blocked: u32,
    /// Connections open at one time; one more is closed at once. Default 16384.
    pub connections: u32,
    /// Bytes of a request's line and headers, at least 8192. Default 65536.
    pub header_bytes: u32,
    /// Header fields of a request. Default 64.
    pub headers: u32,
    /// Seconds in which a request's header must have come, counted from the end of the answer before it: it
    /// is also how long a kept-alive connection may rest, and encoders rest for a segment. Default 30.
    pub header_timeout_s: u32,
    /// Seconds for which a body may stand still. Encoders that push whole segments open the request a segment
    /// ahead, so keep it above three segments. Default 20.
    pub body_idle_s: u32,
    /// Bytes a second at which a box that has begun must come, once it has been coming for `body_idle_s`: a slower
    /// sender is cut off. Default 500; 0 bounds nothing.
    pub min_body_rate: u32,
    /// Seconds that requests under way get at a graceful stop. Default 5.
    pub drain_s: u32,
}

/// A token that is asked for, or the digest of one.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AdminToken(String);

impl AdminToken {
    /// A token in the clear, or `sha256:` and the hexadecimal digest of one.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether it is this one: in the same time whatever of it is wrong.
    pub(crate) fn is(&self, sent: &str) -> bool {
        let sent = Sha256::digest(sent);
        let known = match self.0.strip_prefix("sha256:") {
            Some(hex) => digest_of_hex(hex),
            None => Some(Sha256::digest(&self.0).into()),
        };
        let off = |known: [u8; 32]| {
            let pairs = known.iter().zip(&sent);
            pairs.fold(0, |off, (one, other)| off | (one ^ other))
        };
        known.is_some_and(|known| off(known) == 0)
    }

    /// Whether a request has it (`Authorization: Bearer`, RFC 6750).
    pub(crate) fn is_sent(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| value.split_once(' '));
        let sent = sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        sent.is_some_and(|(_, sent)| self.is(sent.trim()))
    }

    fn is_usable(&self) -> bool {
        match self.0.strip_prefix("sha256:") {
            Some(hex) => digest_of_hex(hex).is_some(),
            None => !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic()),
        }
    }
}

/// Without the token: it is nothing for a log.
impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

fn digest_of_hex(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let is_whole = hex.len() == 64 && hex.is_ascii();
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    is_whole.then_some(digest)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: None,
            admin_token: None,
            data: PathBuf::from("selvedge-data"),
            window_s: 60,
            retention_s: 120,
            end_after_silence_s: 0,
            segment_duration_ms: 0,
            target_duration_s: 0,
            low_latency: true,
            part_target_ms: 0,
            start_patience_ms: 10_000,
            stale_after_s: 0,
            incomplete_after_s: 0,
            cors_origin: String::new(),
            ingest: Vec::new(),
            name: "selvedge".to_owned(),
            tls: None,
            watermark: Watermark::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            channels: 200,
            tracks: 32,
            pushes: 2048,
            segment_bytes: 32 << 20,
            init_bytes: 1 << 20,
            manifest_bytes: 2 << 20,
            window_bytes: 512 << 20,
            blocked: 16_384,
            connections: 16_384,
            header_bytes: 65_536,
            headers: 64,
            header_timeout_s: 30,
            body_idle_s: 20,
            min_body_rate: 500,
            drain_s: 5,
        }
    }
}

impl Config {
    /// Checks what types cannot: bounds that would leave nothing to serve.
    ///
    /// # Errors
    /// [`Error::Config`] with the key and the fix.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |key, reason: &str| {
            Err(Error::Config {
                key,
                reason: reason.to_owned(),
            })
        };
        if self.window_s < 10 {
            return refuse("window_s", "must be at least 10: players buffer three segments");
        }
        if self.window_s > MAX_WINDOW_S {
            return refuse("window_s", "must be at most 21600: six hours");
        }
        if (1..MIN_SILENCE_S).contains(&self.end_after_silence_s) {
            return refuse(
                "end_after_silence_s",
                "must be at least 10, or 0 for never: encoders that start again are silent for seconds",
            );
        }
        if self.segment_duration_ms != 0 && !SEGMENT_MS.contains(&self.segment_duration_ms) {
            return refuse(
                "segment_duration_ms",
                "must be 100 to 60000, or 0 to find it from the first segments",
            );
        }
        if self.part_target_ms != 0 && !PART_MS.contains(&self.part_target_ms) {
            return refuse(
                "part_target_ms",
                "must be 100 to 10000, or 0 to find it from the first segments",
            );
        }
        for (key, seconds) in [
            ("stale_after_s", self.stale_after_s),
            ("incomplete_after_s", self.incomplete_after_s),
        ] {
            if (1..MIN_PATIENCE_S).contains(&seconds) {
                return refuse(
                    key,
                    "must be at least 5, or 0 for never: segments come seconds apart",
                );
            }
        }
        if self.limits.header_bytes < 8192 {
            return refuse("limits.header_bytes", "must be at least 8192");
        }
        if self.limits.headers == 0 || self.limits.connections == 0 || self.limits.channels == 0 {
            return refuse(
                "limits",
                "`headers`, `connections` and `channels` must be at least 1",
            );
        }
        if self.limits.body_idle_s == 0 || self.limits.header_timeout_s == 0 {
            return refuse(
                "limits",
                "`body_idle_s` and `header_timeout_s` must be at least 1",
            );
        }
        if http::HeaderValue::from_str(&self.cors_origin).is_err() {
            return refuse("cors_origin", "is not a header value: use \"*\" or one origin");
        }
        for (key, token) in [
            ("admin_token", &self.admin_token),
            ("watermark.edge_token", &self.watermark.edge_token),
        ] {
            if token.as_ref().is_some_and(|token| !token.is_usable()) {
                return refuse(
                    key,
                    "is none: expected printable characters without blanks, or sha256: and 64 hexadecimal digits",
                );
            }
        }
        self.ingest.iter().try_for_each(Table::check)
    }

    pub(crate) fn body_idle(&self) -> Duration {
        Duration::from_secs(u64::from(self.limits.body_idle_s))
    }
}

const MIN_PATIENCE_S: u32 = 5;
const MAX_WINDOW_S: u32 = 21_600;
const MIN_SILENCE_S: u32 = 10;
const PART_MS: std::ops::RangeInclusive<u32> = 100..=10_000;
const SEGMENT_MS: std::ops::RangeInclusive<u32> = 100..=60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_the_default_and_a_wrong_key_is_named() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
        let wrong = toml::from_str::<Config>("windows_s = 3").unwrap_err().to_string();
        assert!(
            wrong.contains("windows_s") && wrong.contains("window_s"),
            "{wrong}"
        );
        let short = Config {
            window_s: 2,
            ..Config::default()
        }
        .check()
        .unwrap_err()
        .to_string();
        assert_eq!(
            short,
            "configuration: `window_s` must be at least 10: players buffer three segments"
        );
    }

    #[test]
    fn a_silence_that_a_restart_of_the_encoder_takes_ends_no_channel() {
        let check = |end_after_silence_s| {
            let config = Config {
                end_after_silence_s,
                ..Config::default()
            };
            config.check().map_err(|error| error.to_string())
        };
        assert!(check(0).is_ok() && check(10).is_ok());
        assert!(check(9).unwrap_err().contains("`end_after_silence_s`"));
    }

    #[test]
    fn a_token_is_known_by_itself_or_by_its_digest() {
        let digest = &format!("sha256:{}", "0f".repeat(32));
        let is = |token: &str, sent: &str| AdminToken::new(token).is(sent);
        assert!(is("correct", "correct") && !is("correct", "wrong") && !is("correct", ""));
        assert!(!is(digest, "correct"), "a digest of something else");
        let own: String = Sha256::digest("correct")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(is(&format!("sha256:{own}"), "correct") && !is(&format!("sha256:{own}"), &own));
        assert_eq!(format!("{:?}", AdminToken::new("correct")), "AdminToken(…)");
        let check = |token: &str| {
            let admin_token = Some(AdminToken::new(token));
            let config = Config {
                admin_token,
                ..Config::default()
            };
            config.check().is_ok()
        };
        assert!(
            check("correct") && check(digest) && !check("") && !check("two words") && !check("sha256:ab")
        );
    }

    #[test]
    fn patience_that_no_channel_would_keep_is_refused() {
        let check = |stale_after_s, incomplete_after_s| {
            let config = Config {
                stale_after_s,
                incomplete_after_s,
                ..Config::default()
            };
            config.check().map_err(|error| error.to_string())
        };
        assert!(check(0, 0).is_ok() && check(5, 0).is_ok() && check(0, 60).is_ok());
        assert!(check(4, 0).unwrap_err().contains("`stale_after_s`"));
        assert!(check(0, 1).unwrap_err().contains("`incomplete_after_s`"));
    }

    #[test]
    fn bounds_that_would_fill_documents_with_nothing_are_refused() {
        let check = |window_s, segment_duration_ms| {
            let config = Config {
                window_s,
                segment_duration_ms,
                ..Config::default()
            };
            config.check().map_err(|error| error.to_string())
        };
        assert!(check(21_600, 0).is_ok() && check(60, 100).is_ok());
        assert!(check(21_601, 0).unwrap_err().contains("`window_s`"));
        for ms in [1, 99, 60_001] {
            assert!(check(60, ms).unwrap_err().contains("`segment_duration_ms`"));
        }
    }
}
