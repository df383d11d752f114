//! Who may push: rules of the configuration, judged for each push before its body is read.
//!
//! Pure: the clock's reading, the peer's address and the keys are arguments. A push is admitted when its channel's
//! table names its address (or none) and one of the table's credentials is right (or it asks for none).

mod cat;
mod digest;
mod param;
mod table;
mod terms;

use std::net::IpAddr;

use base64ct::{Base64, Encoding as _};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};

pub use cat::{CatKeys, KeysError};
use digest::{Algorithm, Nonces, Verdict, user_hash};
use param::Params;
pub use table::{Cat, Certificate, Network, Scheme, Secret, Table, User};
pub use terms::Terms;

use crate::time::UnixMillis;

/// A push, as far as it is judged.
#[derive(Clone, Copy)]
pub struct Offer<'r> {
    /// The method.
    pub method: &'r str,
    /// Whether the connection is encrypted.
    pub is_secure: bool,
    /// Host and port that the sender meant.
    pub authority: &'r str,
    /// The path as it came.
    pub path: &'r str,
    /// The query, without its question mark.
    pub query: Option<&'r str>,
    /// The header fields.
    pub headers: &'r HeaderMap,
    /// The sender's address, if known.
    pub address: Option<IpAddr>,
    /// The public key (DER `SubjectPublicKeyInfo`) of the certificate that the sender proved to have.
    pub certificate: Option<&'r [u8]>,
}

/// Why a push is not admitted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// What the sender is told.
    pub kind: Refusal,
    /// What the log is told: which check failed, and never a secret.
    pub reason: String,
    /// Values of `WWW-Authenticate`, in the order of their fields.
    pub challenges: Vec<String>,
}

/// What a sender is told of a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// No table speaks for the channel.
    Channel,
    /// The address may not push.
    Address,
    /// No credential came.
    Missing,
    /// One came that is good for nothing any more, and the next will do.
    Stale,
    /// One came that is wrong.
    Wrong,
}

/// The rules of a configuration, ready to judge.
pub struct Gate {
    tables: Vec<(Table, Option<CatKeys>)>,
    nonces: Nonces,
}

impl Gate {
    /// The rules of `tables`, each with the keys of its [`Cat`]. `secret` is drawn at random, for nonces.
    pub const fn new(tables: Vec<(Table, Option<CatKeys>)>, secret: [u8; 32]) -> Self {
        Self {
            tables,
            nonces: Nonces::new(secret),
        }
    }

    /// Whether anybody may push anything.
    pub fn is_open(&self) -> bool {
        let limits_nobody = |table: &Table| !table.asks() && table.addresses.is_empty();
        self.tables.iter().all(|(table, _)| limits_nobody(table))
    }

    /// Judges a push to a channel; says what may be pushed.
    ///
    /// # Errors
    /// [`Refused`], with what the sender is to be told.
    pub fn judge(&self, channel: &str, offer: &Offer<'_>, now: UnixMillis) -> Result<Terms, Refused> {
        let refused = |kind, reason: String| Refused {
            kind,
            reason,
            challenges: Vec::new(),
        };
        if self.tables.is_empty() {
            return Ok(Terms::default());
        }
        let Some((table, keys)) = self.tables.iter().find(|(table, _)| table.fits(channel)) else {
            return Err(refused(Refusal::Channel, "no table fits the channel".to_owned()));
        };
        if !table.addresses.is_empty() {
            // What reaches an IPv6 socket over IPv4 is meant as what it is.
            let address = offer.address.map(|address| address.to_canonical());
            let is_named = |address| table.addresses.iter().any(|network| network.0.contains(&address));
            match address {
                Some(address) if is_named(address) => {}
                Some(address) => {
                    return Err(refused(
                        Refusal::Address,
                        format!("{address} is in none of the addresses"),
                    ));
                }
                None => return Err(refused(Refusal::Address, "the address is not known".to_owned())),
            }
        }
        if table.asks() {
            self.credential(table, keys.as_ref(), offer, now)?;
        }
        Ok(Terms::of(table))
    }

    fn credential(
        &self,
        table: &Table,
        keys: Option<&CatKeys>,
        offer: &Offer<'_>,
        now: UnixMillis,
    ) -> Result<(), Refused> {
        let mut outcome = Err((Refusal::Missing, "no credential was offered".to_owned()));
        let mut tried = |this: Result<(), (Refusal, String)>| {
            // The first failure tells most: what is tried after it is a guess at what was meant.
            if outcome.is_err() && (this.is_ok() || matches!(outcome, Err((Refusal::Missing, _)))) {
                outcome = this;
            }
        };
        if let Some(key) = offer.certificate
            && !table.certificates.is_empty()
        {
            let digest: [u8; 32] = Sha256::digest(key).into();
            let is_known = table.certificates.iter().any(|known| known.0 == digest);
            tried(if is_known {
                Ok(())
            } else {
                Err((
                    Refusal::Wrong,
                    format!("unknown certificate, spki-sha256:{}", table::hex(&digest)),
                ))
            });
        }
        let authorization = offer.headers.get_all(AUTHORIZATION).iter();
        for value in authorization.filter_map(|value| value.to_str().ok()) {
            let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value, ""));
            let rest = rest.trim();
            let this = match scheme.to_ascii_lowercase().as_str() {
                "basic" if table.schemes.contains(&Scheme::Basic) => basic(table, rest),
                "digest" if table.schemes.contains(&Scheme::Digest) => self.digest(table, rest, offer, now),
                "bearer" => bearer(table, rest).or_else(|error| match keys {
                    Some(keys) => keys.judge(rest, offer, now),
                    None => Err(error),
                }),
                _ => Err((Refusal::Wrong, "a scheme that is not taken here".to_owned())),
            };
            tried(this);
        }
        if let Some(keys) = keys {
            for token in cat::carried(offer) {
                tried(keys.judge(&token, offer, now));
            }
        }
        outcome.map_err(|(kind, reason)| Refused {
            kind,
            reason,
            challenges: match kind {
                Refusal::Missing | Refusal::Stale => self.challenges(table, kind == Refusal::Stale, now),
                _ => Vec::new(),
            },
        })
    }

    fn digest(
        &self,
        table: &Table,
        text: &str,
        offer: &Offer<'_>,
        now: UnixMillis,
    ) -> Result<(), (Refusal, String)> {
        let Some(params) = Params::read(text) else {
            return Err((Refusal::Wrong, "Digest: not its form".to_owned()));
        };
        let target = match offer.query {
            Some(query) => format!("{}?{query}", offer.path),
            None => offer.path.to_owned(),
        };
        let realm = &table.realm;
        match self
            .nonces
            .judge(&table.users, realm, &params, offer.method, &target, now)
        {
            Verdict::Right => Ok(()),
            Verdict::Stale => Err((Refusal::Stale, "Digest: the nonce is too old".to_owned())),
            Verdict::Wrong(what) => Err((Refusal::Wrong, format!("Digest: {what}"))),
        }
    }

    /// What a sender is asked for. ffmpeg takes the last Digest that it reads, and knows MD5 alone.
    fn challenges(&self, table: &Table, stale: bool, now: UnixMillis) -> Vec<String> {
        let realm = &table.realm;
        let mut challenges = Vec::new();
        if table.cat.is_some() || !table.bearer.is_empty() {
            challenges.push(format!("Bearer realm=\"{realm}\""));
        }
        if table.schemes.contains(&Scheme::Digest) {
            let nonce = self.nonces.make(now);
            let stale = if stale { ", stale=true" } else { "" };
            for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
                let is_known = |user| user_hash(user, realm, algorithm).is_some();
                if table.users.iter().any(is_known) {
                    challenges.push(format!(
                        "Digest realm=\"{realm}\", qop=\"auth\", algorithm={}, nonce=\"{nonce}\"{stale}",
                        algorithm.name()
                    ));
                }
            }
        }
        let is_known = |user: &User| user.password.is_some() || user.sha256.is_some() || user.md5.is_some();
        if table.schemes.contains(&Scheme::Basic) && table.users.iter().any(is_known) {
            challenges.push(format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
        }
        challenges
    }
}

fn basic(table: &Table, text: &str) -> Result<(), (Refusal, String)> {
    let wrong = |what| Err((Refusal::Wrong, format!("Basic: {what}")));
    let decoded = Base64::decode_vec(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((name, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
        return wrong("not its form");
    };
    let Some(user) = table.users.iter().find(|user| user.name == name) else {
        return wrong("an unknown user");
    };
    // Compared by the hash that the table has, or can make.
    let offered = User {
        name: name.to_owned(),
        password: Some(password.into()),
        ..User::default()
    };
    let is_right = [Algorithm::Sha256, Algorithm::Md5]
        .into_iter()
        .find_map(|algorithm| {
            let known = user_hash(user, &table.realm, algorithm)?;
            let offered = user_hash(&offered, &table.realm, algorithm)?;
            Some(is_equal(known.as_bytes(), offered.as_bytes()))
        });
    if is_right == Some(true) {
        Ok(())
    } else {
        wrong("the password")
    }
}

fn bearer(table: &Table, token: &str) -> Result<(), (Refusal, String)> {
    let digest: [u8; 32] = Sha256::digest(token).into();
    let is_known = table.bearer.iter().any(|known| {
        let known = known.reveal();
        let known = match known.strip_prefix("sha256:").and_then(table::unhex::<32>) {
            Some(known) => known,
            None => Sha256::digest(known).into(),
        };
        is_equal(&known, &digest)
    });
    if is_known {
        Ok(())
    } else {
        Err((Refusal::Wrong, "Bearer: an unknown token".to_owned()))
    }
}

/// Compares in a time that depends on the lengths alone.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differs) == 0
}

#[cfg(test)]
mod tests;
