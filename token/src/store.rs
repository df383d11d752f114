//! What only a store can say: whether something was seen before, anywhere.
//!
//! This crate does no I/O: [`Verifier::admit`](crate::Verifier::admit) names what has to be asked, as data, and
//! [`Admission::settle`](crate::Admission::settle) takes the answers.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::time::UnixMillis;

/// A question to a store that every instance of a recipient shares. Asking may write.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "ask")]
pub enum StoreRequest {
    /// Was this seen before? From now on it was, until `until`. Where that has come by the store's own clock, nobody can
    /// say any more. For `catreplay` and for a proof's `jti`.
    Once {
        /// What may be used once.
        key: StoreKey,
        /// When it may be forgotten.
        until: UnixMillis,
    },
    /// Is this on the list of those that are kept out (`catpor`)?
    Bar {
        /// Who is looked for.
        key: StoreKey,
        /// Whether to put it on the list now.
        add: bool,
        /// When an entry that is added now ends; `None` for never.
        until: Option<UnixMillis>,
    },
    /// May this subject have this stream beside its others?
    Lease {
        /// Who watches.
        subject: StoreKey,
        /// What is watched: one playback.
        stream: StoreKey,
        /// How many streams the subject may have at once.
        limit: u32,
        /// When the lease ends unless it is renewed.
        until: UnixMillis,
    },
}

/// A store's answer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Nothing stands against it: not seen before, not listed, or within the limit.
    Clear,
    /// Seen before, listed, or beyond the limit.
    Held,
    /// The store cannot say: it is away, full, or there is none.
    Unknown,
}

/// Something that is asked and remembers.
pub trait Store {
    /// Answers `request` at a moment, and remembers what the request says to remember.
    fn ask(&mut self, request: &StoreRequest, now: UnixMillis) -> Standing;
}

/// What a store knows things by: a digest, so that no store holds anything of a token.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct StoreKey([u8; 32]);

impl StoreKey {
    /// Before every digest.
    pub(crate) const LOWEST: Self = Self([0; 32]);
    /// After every digest.
    pub(crate) const HIGHEST: Self = Self([0xff; 32]);

    /// The key of a thing that has several parts. `domain` keeps things of different kinds apart.
    pub fn new(domain: &str, parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new_with_prefix(domain);
        for part in parts {
            // Each part with its length, or two things could share their joined bytes.
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
