//! Where rules are kept: the origin, a platform's KV store, a folder.

mod cloudflare;
mod fastly;
mod folder;
pub(super) mod origin;

use std::{fmt, path::PathBuf, time::Duration};

use selvedge_breaks::Micros;

use self::{cloudflare::Cloudflare, fastly::Fastly, folder::Folder, origin::OriginApi};
use crate::cmd::http::{Trouble, variable_of};
use crate::failure::Failure;

/// Arguments that say where stores are. What opens them comes from the environment alone: other users of a machine see
/// arguments.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Places {
    #[command(flatten)]
    pub(super) origin: OriginPlace,

    /// Cloudflare KV namespace [default: $CLOUDFLARE_KV_NAMESPACE_ID]
    #[arg(long, value_name = "ID")]
    namespace: Option<String>,

    /// Fastly KV store [default: $FASTLY_KV_STORE_ID]
    #[arg(long, value_name = "ID")]
    store: Option<String>,
}

/// Where the origin's door for operators is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct OriginPlace {
    /// URL of the origin's door for operators; $SELVEDGE_ADMIN_TOKEN opens it
    /// [default: $SELVEDGE_ORIGIN or http://127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    pub(super) origin: Option<String>,
}

/// Which store is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Named {
    /// The origin: it acts at once on what it is given.
    Origin,
    /// A KV namespace of Cloudflare Workers.
    Cloudflare,
    /// A KV store of Fastly Compute.
    Fastly,
    /// A folder, or a file.
    Path(PathBuf),
}

impl Named {
    /// Reads `origin`, `cloudflare`, `fastly` or a path. A folder by one of these names is `./origin`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        match text {
            "origin" => Ok(Self::Origin),
            "cloudflare" => Ok(Self::Cloudflare),
            "fastly" => Ok(Self::Fastly),
            "" => Err("name origin, cloudflare, fastly or a path".to_owned()),
            path => Ok(Self::Path(path.into())),
        }
    }
}

/// A store that can be asked.
#[derive(Debug)]
pub(super) enum Store {
    Origin(OriginApi),
    Cloudflare(Cloudflare),
    Fastly(Fastly),
    Folder(Folder),
}

/// What a store has for a channel.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The document, as it was written.
    pub(super) json: Vec<u8>,
    /// What the store calls this state of it, where it can refuse to replace another.
    version: Option<String>,
}

impl Store {
    pub(super) fn open(named: &Named, places: &Places) -> Result<Self, Failure> {
        Ok(match named {
            Named::Origin => Self::Origin(OriginApi::open(&places.origin)?),
            Named::Cloudflare => Self::Cloudflare(Cloudflare::open(places.namespace.clone())?),
            Named::Fastly => Self::Fastly(Fastly::open(places.store.clone())?),
            Named::Path(path) => Self::Folder(Folder::new(path.clone())),
        })
    }

    /// What it has for a channel; `None` where it has nothing, which it must say itself.
    pub(super) async fn read(&self, channel: &str) -> Result<Option<Held>, Trouble> {
        match self {
            Self::Origin(origin) => origin.rules(channel).await,
            Self::Cloudflare(kv) => kv.read(&key(channel)).await,
            Self::Fastly(kv) => kv.read(&key(channel)).await,
            Self::Folder(folder) => folder.read(channel),
        }
    }

    /// Replaces `held`, and refuses where something else has come instead and the store can tell.
    pub(super) async fn write(&self, channel: &str, held: Option<&Held>, json: &[u8]) -> Result<(), Trouble> {
        let version = held.and_then(|held| held.version.as_deref());
        match self {
            Self::Origin(origin) => origin.replace_rules(channel, version, json).await,
            Self::Cloudflare(kv) => kv.write(&key(channel), json).await,
            Self::Fastly(kv) => kv.write(&key(channel), held.is_some(), version, json).await,
            Self::Folder(folder) => folder.write(channel, json),
        }
    }

    /// How long until what was written is read everywhere.
    pub(super) const fn propagation(&self) -> Micros {
        match self {
            Self::Origin(_) | Self::Folder(_) => Micros::ZERO,
            Self::Cloudflare(_) => cloudflare::PROPAGATION,
            Self::Fastly(_) => fastly::PROPAGATION,
        }
    }
}

/// Names the store, and where it is.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(origin) => origin.fmt(f),
            Self::Cloudflare(kv) => kv.fmt(f),
            Self::Fastly(kv) => kv.fmt(f),
            Self::Folder(folder) => folder.fmt(f),
        }
    }
}

/// The key of a channel's rules in a KV store.
fn key(channel: &str) -> String {
    format!("breaks/{channel}")
}

/// A variable that names what there is no default for.
fn needed(variable: &str, what: &str) -> Result<String, Failure> {
    variable_of(variable).ok_or_else(|| Failure::configuration(variable, format!("set it to {what}")))
}

/// How long a store may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
