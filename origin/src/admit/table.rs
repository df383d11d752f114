//! Who may push what to which channels, as the configuration says it.

use std::fmt;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Who may push what to which channels: a table `[[origin.ingest]]`. The first table whose `channels` fit a channel
/// speaks for it; a channel that none fits is refused, unless there are no tables at all: then anybody may push.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Table {
    /// Channels, by name; `*` stands for any run of characters. Default `["*"]`.
    pub channels: Vec<String>,
    /// Addresses and networks that may push. Default: any.
    pub addresses: Vec<Network>,
    /// Bearer tokens (RFC 6750): each as it is sent, or `sha256:` and the hexadecimal digest of it.
    pub bearer: Vec<Secret>,
    /// Names and passwords, for Basic (RFC 7617) and Digest (RFC 7616).
    pub users: Vec<User>,
    /// The ways in which `users` may come. Default both.
    pub schemes: Vec<Scheme>,
    /// What a sender is asked to log in to, and part of the hashes of [`User`]. Default `selvedge`.
    pub realm: String,
    /// Common Access Tokens (CTA-5007-B).
    pub cat: Option<Cat>,
    /// Client certificates, each as `spki-sha256:` and the hexadecimal digest of its public key
    /// (`SubjectPublicKeyInfo`).
    pub certificates: Vec<Certificate>,
    /// First parts of codec strings that are taken, such as `avc1` or `mp4a.40.2`. Default: all that the origin knows.
    pub codecs: Vec<String>,
    /// Most bits a second of one track, over a segment. Default 0: no bound.
    pub max_bitrate: u64,
    /// Largest picture, in pixels. Default 0: no bound.
    pub max_width: u32,
    /// Largest picture, in pixels. Default 0: no bound.
    pub max_height: u32,
    /// Tracks of one channel, at most `origin.limits.tracks`. Default 0: that.
    pub max_tracks: u32,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            channels: vec!["*".to_owned()],
            addresses: Vec::new(),
            bearer: Vec::new(),
            users: Vec::new(),
            schemes: vec![Scheme::Basic, Scheme::Digest],
            realm: "selvedge".to_owned(),
            cat: None,
            certificates: Vec::new(),
            codecs: Vec::new(),
            max_bitrate: 0,
            max_width: 0,
            max_height: 0,
            max_tracks: 0,
        }
    }
}

/// A name and its password, in clear or as what Digest makes of it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// The name, without a colon.
    pub name: String,
    /// The password in clear; with it every scheme and algorithm works.
    pub password: Option<Secret>,
    /// Hexadecimal SHA-256 of `name:realm:password`: enough for Basic, and for Digest with SHA-256.
    pub sha256: Option<Secret>,
    /// Hexadecimal MD5 of `name:realm:password`: enough for Digest with MD5, which is all that ffmpeg knows.
    pub md5: Option<Secret>,
}

/// A way in which a user's name and password may come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// In clear: for TLS, and for networks that are trusted (RFC 7617).
    Basic,
    /// As a digest over a nonce of ours (RFC 7616).
    Digest,
}

/// Which Common Access Tokens admit a push. What they restrict (`catu`, `catm`, `exp` and so on) is judged by the
/// request that carries them; one that asks for a store (`catreplay`) is refused.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cat {
    /// File with a JWK Set (RFC 7517) of the keys that tokens are signed with.
    pub keys: PathBuf,
    /// Issuers that are trusted. Default: any that a key vouches for.
    pub issuers: Vec<String>,
    /// This origin's names for a token's `aud`.
    pub audiences: Vec<String>,
    /// Subjects (`sub`) that may push. Default: any, and tokens without one.
    pub subjects: Vec<String>,
}

/// A text that is written to no log.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// An address, or a network as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(pub(super) IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let network = text.parse::<IpNet>();
        let network = network.or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
        network
            .map(Self)
            .map_err(|_| format!("{text:?} is neither an address nor a network such as 10.0.0.0/8"))
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.0.to_string()
    }
}

/// A client certificate, told by its public key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Certificate(pub(super) [u8; 32]);

impl TryFrom<String> for Certificate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digest = text.strip_prefix("spki-sha256:").and_then(unhex::<32>);
        digest.map(Self).ok_or_else(|| {
            format!("{text:?} is no certificate: write spki-sha256: and 64 hexadecimal digits of its public key's digest")
        })
    }
}

impl From<Certificate> for String {
    fn from(certificate: Certificate) -> Self {
        format!("spki-sha256:{}", hex(&certificate.0))
    }
}

impl Table {
    /// Whether it speaks for a channel.
    pub fn fits(&self, channel: &str) -> bool {
        self.channels.iter().any(|pattern| is_match(pattern, channel))
    }

    /// Whether it asks for a credential.
    pub fn asks(&self) -> bool {
        !self.bearer.is_empty()
            || !self.users.is_empty()
            || self.cat.is_some()
            || !self.certificates.is_empty()
    }

    /// Checks what types cannot.
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
        if self.channels.is_empty() {
            return refuse(
                "ingest.channels",
                "is empty: name channels, or leave the key out for all",
            );
        }
        if self.realm.contains(['"', '\\', ':']) || self.realm.chars().any(char::is_control) {
            return refuse("ingest.realm", "must have no quotes, backslashes or colons");
        }
        if !self.users.is_empty() && self.schemes.is_empty() {
            return refuse(
                "ingest.schemes",
                "is empty, so no user could log in: name \"basic\" or \"digest\"",
            );
        }
        for user in &self.users {
            if user.name.is_empty() || user.name.contains(':') {
                return refuse("ingest.users", "has a user without a name, or with a colon in it");
            }
            if user.password.is_none() && user.sha256.is_none() && user.md5.is_none() {
                return refuse(
                    "ingest.users",
                    "has a user with none of `password`, `sha256` and `md5`",
                );
            }
            let is_digest = |secret: &Option<Secret>, length| {
                secret.as_ref().is_none_or(|secret| {
                    let text = secret.reveal();
                    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
                })
            };
            if !is_digest(&user.sha256, 64) || !is_digest(&user.md5, 32) {
                return refuse(
                    "ingest.users",
                    "has a hash that is not hexadecimal: `sha256` has 64 digits, `md5` 32, both of name:realm:password",
                );
            }
        }
        for token in &self.bearer {
            let text = token.reveal();
            let hashed = text.strip_prefix("sha256:");
            if text.is_empty() || hashed.is_some_and(|hashed| unhex::<32>(hashed).is_none()) {
                return refuse(
                    "ingest.bearer",
                    "has an empty token, or one whose `sha256:` is not followed by 64 hexadecimal digits",
                );
            }
        }
        Ok(())
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any run of characters.
fn is_match(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut pieces: Vec<&str> = tail.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The leftmost place leaves most for what comes.
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    let digit = |letter: &u8| char::from(*letter).to_digit(16);
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = (digit(pair.first()?)? << 4 | digit(pair.get(1)?)?) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, fits, does_not) in [
            ("*", "anything", None),
            ("news", "news", Some("news-1")),
            ("sport-*", "sport-", Some("a-sport-1")),
            ("*-hd", "one-hd", Some("one-hdr")),
            ("a*b*c", "a-b-b-c", Some("a-c-b")),
            ("a*a", "aa", Some("a")),
        ] {
            assert!(is_match(pattern, fits), "{pattern} {fits}");
            if let Some(other) = does_not {
                assert!(!is_match(pattern, other), "{pattern} {other}");
            }
        }
    }

    #[test]
    fn a_table_that_could_admit_nobody_is_refused_with_the_fix() {
        let read = |text: &str| -> Result<(), String> {
            let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
            table.check().map_err(|error| error.to_string())
        };
        assert_eq!(read(""), Ok(()));
        for (text, says) in [
            ("channels = []", "`ingest.channels`"),
            ("addresses = [\"10.0.0.0/33\"]", "10.0.0.0/8"),
            ("users = [{ name = \"a\" }]", "none of `password`"),
            ("users = [{ name = \"a\", sha256 = \"00\" }]", "64 digits"),
            (
                "schemes = []\nusers = [{ name = \"a\", password = \"b\" }]",
                "`ingest.schemes`",
            ),
            ("bearer = [\"sha256:zz\"]", "`ingest.bearer`"),
            ("certificates = [\"abc\"]", "spki-sha256:"),
            ("tokens = 3", "tokens"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn secrets_are_in_no_log() {
        let table: Table =
            toml::from_str("bearer = [\"hush\"]\nusers = [{ name = \"a\", password = \"hush\" }]").unwrap();
        assert!(!format!("{table:?}").contains("hush"));
    }
}
