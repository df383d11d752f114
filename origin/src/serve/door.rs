//! The door of the ingest: the rules of the configuration, with the keys that their files hold.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::extract::ConnectInfo;
use http::header::{EXPECT, HOST};
use http::request::Parts;
use selvedge_listen::Peer;

use crate::admit::{CatKeys, Gate, Offer, Refusal, Refused, Table, Terms};
use crate::time::UnixMillis;
use crate::{Config, Error};

/// The rules in force. Files of keys are read again when they change.
pub(super) struct Door {
    tables: Vec<Table>,
    /// What the nonces of Digest are made with: this process's own.
    secret: [u8; 32],
    gate: RwLock<Arc<Gate>>,
    /// The files' content as it was read last, by table: each change is acted on once.
    read: Mutex<Vec<Option<String>>>,
}

impl Door {
    /// Reads the rules and the files that they name.
    ///
    /// # Errors
    /// [`Error::Config`] when a file cannot be used: nobody is let in without its keys.
    pub(super) async fn open(config: &Config) -> Result<Self, Error> {
        let refuse = |reason| Error::Config {
            key: "ingest.cat.keys",
            reason,
        };
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| Error::Config {
            key: "ingest",
            reason: format!("needs random numbers, and the system has none: {error}"),
        })?;
        let mut read = Vec::new();
        for table in &config.ingest {
            read.push(match &table.cat {
                Some(rules) => Some(document(&rules.keys).await.map_err(refuse)?),
                None => None,
            });
        }
        let gate = gate(&config.ingest, &read, secret).map_err(refuse)?;
        if gate.is_open() && !config.listen.ip().is_loopback() {
            tracing::warn!(
                listen = %config.listen,
                "anybody who reaches this address may push: name credentials or addresses in [[origin.ingest]]"
            );
        }
        Ok(Self {
            tables: config.ingest.clone(),
            secret,
            gate: RwLock::new(Arc::new(gate)),
            read: Mutex::new(read),
        })
    }

    /// Looks at the files of keys. What cannot be used changes nothing but the log.
    pub(super) async fn refresh(&self) {
        if self.tables.iter().all(|table| table.cat.is_none()) {
            return;
        }
        let mut now = Vec::new();
        for table in &self.tables {
            now.push(match &table.cat {
                Some(rules) => match document(&rules.keys).await {
                    Ok(text) => Some(text),
                    Err(error) => {
                        tracing::error!(error, "ingest keys not read: those before stay in force");
                        return;
                    }
                },
                None => None,
            });
        }
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *read == now {
            return;
        }
        match gate(&self.tables, &now, self.secret) {
            Ok(gate) => {
                tracing::info!("ingest keys in force");
                *self.gate.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(gate);
            }
            Err(error) => tracing::error!(error, "ingest keys not taken: those before stay in force"),
        }
        *read = now;
    }

    /// Judges a push by its head; says what it may bring.
    ///
    /// # Errors
    /// The refusal for the sender. The log has which check failed.
    pub(super) fn judge(&self, channel: &str, head: &Parts, now: UnixMillis) -> Result<Terms, Error> {
        let gate = Arc::clone(&self.gate.read().unwrap_or_else(PoisonError::into_inner));
        let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
        let tls = head.extensions.get::<Peer>().and_then(|peer| peer.tls.as_deref());
        let keys = tls.and_then(|tls| tls.client_keys.as_ref());
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = head.uri.authority().map(|authority| authority.as_str());
        let offer = Offer {
            method: head.method.as_str(),
            is_secure: tls.is_some(),
            authority: authority.or(host).unwrap_or_default(),
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            address: peer.map(|ConnectInfo(peer)| peer.ip()),
            certificate: keys.and_then(|keys| keys.first()).map(Vec::as_slice),
        };
        gate.judge(channel, &offer, now).map_err(|refused| {
            let Refused {
                kind,
                reason,
                challenges,
            } = refused;
            let peer = offer.address.map(tracing::field::display);
            match kind {
                // The first half of every login.
                Refusal::Missing | Refusal::Stale => {
                    tracing::debug!(channel, peer, reason, "push asked for credentials");
                }
                _ => tracing::warn!(channel, peer, reason, "push not admitted"),
            }
            match kind {
                Refusal::Channel => Error::UnknownChannel {
                    channel: channel.to_owned(),
                },
                Refusal::Address => Error::NotAllowed { what: "the address" },
                Refusal::Wrong => Error::NotAllowed {
                    what: "the credentials",
                },
                Refusal::Missing | Refusal::Stale => Error::NoCredentials { challenges },
            }
        })
    }
}

/// Whether the sender waits for a word before it sends its body.
pub(super) fn waits(head: &Parts) -> bool {
    let expects = head.headers.get_all(EXPECT).iter();
    expects
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.trim().eq_ignore_ascii_case("100-continue"))
}

fn gate(tables: &[Table], read: &[Option<String>], secret: [u8; 32]) -> Result<Gate, String> {
    let mut keyed = Vec::new();
    for (table, text) in tables.iter().zip(read) {
        let keys = match (&table.cat, text) {
            (Some(rules), Some(text)) => {
                let keys = CatKeys::read(text, rules);
                Some(keys.map_err(|error| format!("({}) {error}", rules.keys.display()))?)
            }
            _ => None,
        };
        keyed.push((table.clone(), keys));
    }
    Ok(Gate::new(keyed, secret))
}

async fn document(path: &Path) -> Result<String, String> {
    let read = async {
        if tokio::fs::metadata(path).await?.len() > MAX_FILE {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        tokio::fs::read_to_string(path).await
    };
    let text = read.await;
    text.map_err(|error| format!("({}) cannot be read: {error}", path.display()))
}

/// Longest file of keys that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
