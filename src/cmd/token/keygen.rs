//! `selvedge token keygen`

use std::{fs, path::PathBuf, process::ExitCode};

use clap::ValueEnum;
use selvedge_token::{Algorithm, Jwk};
use serde_json::{Value, json};

use super::{agreement_key, elliptic_key, files, random};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    key: NewKey,

    /// Where to write the private JWK, readable by you alone; an existing file is never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Where to write the JWK Set for edges (`selvedge edge --keys`)
    #[arg(long, value_name = "FILE")]
    set: PathBuf,
}

/// What a new key is to be.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct NewKey {
    /// ES256: edges hold a public key and cannot mint. HS256: a shared secret, a hundred times cheaper to check.
    /// A128GCM, A256GCM: encrypts tokens that carry what others must not read. ECDH-SS: patterns of watermarks are
    /// encrypted to it; edges hold the private key, and who mints the public one
    #[arg(long, value_enum, default_value_t = Kind::Es256)]
    pub(super) alg: Kind,

    /// The key's name, carried by every token that it signs
    #[arg(long, default_value = "key-1")]
    pub(super) kid: String,

    /// Let edges sign with it too: what they renew and exchange tokens with. Their set then holds the private key
    #[arg(long)]
    pub(super) sign: bool,

    /// An issuer that the key may speak for; tokens of it that name another, or none, are refused. May be repeated
    #[arg(long = "issuer", value_name = "ISS")]
    pub(super) issuers: Vec<String>,
}

/// What a key is for, and by which algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Kind {
    Es256,
    Hs256,
    A128gcm,
    A256gcm,
    EcdhSs,
}

impl Kind {
    const fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::Es256,
            Self::Hs256 => Algorithm::Hs256,
            Self::A128gcm => Algorithm::A128Gcm,
            Self::A256gcm => Algorithm::A256Gcm,
            Self::EcdhSs => Algorithm::EcdhSsA128Kw,
        }
    }

    /// The kind that makes keys of an algorithm, where one does.
    pub(super) fn of(algorithm: Algorithm) -> Option<Self> {
        Self::value_variants()
            .iter()
            .copied()
            .find(|kind| kind.algorithm() == algorithm)
    }

    pub(super) const fn encrypts(self) -> bool {
        self.algorithm().encrypts()
    }
}

/// A key for who mints, and the same for edges.
pub(super) struct Pair {
    pub(super) private: Value,
    pub(super) for_edges: Value,
}

impl NewKey {
    /// Makes the key from the system's randomness.
    pub(super) fn make(&self) -> Result<Pair, Failure> {
        if self.kid.is_empty() {
            return Err(Failure::configuration(
                "--kid",
                "give the key a name, such as key-1",
            ));
        }
        if self.sign && self.alg.encrypts() {
            return Err(Failure::configuration(
                "--sign",
                format!(
                    "{} encrypts and signs nothing: sign by hs256 or es256",
                    self.alg.algorithm()
                ),
            ));
        }
        let algorithm = self.alg.algorithm();
        let mut jwk = match self.alg {
            Kind::Es256 => elliptic_key(&self.kid)?,
            Kind::Hs256 | Kind::A256gcm => Jwk::octets(&self.kid, algorithm, &random::<32>()?),
            Kind::A128gcm => Jwk::octets(&self.kid, algorithm, &random::<16>()?),
            Kind::EcdhSs => agreement_key(&self.kid)?,
        };
        jwk.iss = (!self.issuers.is_empty()).then(|| self.issuers.clone());
        let for_edges = if self.sign {
            jwk.for_signer()
        } else {
            jwk.for_recipient()
        };
        let json = |jwk| serde_json::to_value(jwk).map_err(|error| Failure::run("making a key", error));
        Ok(Pair {
            private: json(&if algorithm.agrees() { jwk.for_sender() } else { jwk })?,
            for_edges: json(&for_edges)?,
        })
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.set.exists() {
        return Err(files::wrong(
            &args.set,
            format!(
                "the set is there already: `selvedge token rotate --set {} --kid NEW --out FILE` adds a key to it",
                args.set.display()
            ),
        ));
    }
    let pair = args.key.make()?;
    files::write_new(&args.out, &pair.private)?;
    let written = files::write_new(&args.set, &json!({ "keys": [pair.for_edges] }));
    if written.is_err() {
        // A private key without its set is of no use, and would be in the way of the next try.
        let _ = fs::remove_file(&args.out);
    }
    written.map(|()| ExitCode::SUCCESS)
}
