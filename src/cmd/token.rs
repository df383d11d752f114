//! `selvedge token`

use std::{
    fs::{self, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Subcommand, ValueEnum};
use selvedge_token::{Component, Jwk, JwkSet, Match, Minter, SigningKey, UnixMillis, inspect};

use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key: a private JWK to mint with, and a JWK Set for edges
    Key(KeyArgs),
    /// Mint a Common Access Token and print it
    Mint(MintArgs),
    /// Show what a token says, without checking its signature
    Inspect(InspectArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// ES256: edges hold a public key and cannot mint. HS256: a shared secret, a hundred times cheaper to check
    #[arg(long, value_enum, default_value_t = KeyKind::Es256)]
    alg: KeyKind,

    /// The key's name, carried by every token that it signs
    #[arg(long, default_value = "key-1")]
    kid: String,

    /// Where to write the private JWK, readable by you alone; an existing file is never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Where to write the JWK Set for edges (`selvedge edge --keys`)
    #[arg(long, value_name = "FILE")]
    set: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeyKind {
    Es256,
    Hs256,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MintArgs {
    /// Private JWK to sign with (`selvedge token key` makes one)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// What the request's path must begin with, such as /live/news/
    #[arg(long, value_name = "PATH")]
    path_prefix: Option<String>,

    /// How long the token lasts from now: a number with s, m, h or d; a negative one has expired already
    #[arg(long, default_value = "1h", value_parser = seconds, allow_hyphen_values = true)]
    ttl: i64,

    /// How long from now until the token begins to admit anything
    #[arg(long, value_parser = seconds, value_name = "DURATION")]
    not_before: Option<i64>,

    /// Who mints it (iss)
    #[arg(long)]
    issuer: Option<String>,

    /// Whom it is for (aud)
    #[arg(long)]
    audience: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The token; `-` or nothing reads it from standard input
    #[arg(default_value = "-", allow_hyphen_values = true)]
    token: String,
}

pub(crate) fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Key(args) => key(&args)?,
        Command::Mint(args) => println!("{}", mint(&args)?),
        Command::Inspect(args) => println!("{}", look(args)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// A new key from the system's randomness.
pub(crate) fn elliptic_key(kid: &str) -> Result<Jwk, Failure> {
    Jwk::elliptic(kid, &random()?).map_err(|error| Failure::run("making a key", error))
}

/// Now, to the millisecond.
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Failure::run("the system's randomness", error))?;
    Ok(bytes)
}

fn key(args: &KeyArgs) -> Result<(), Failure> {
    let key = match args.alg {
        KeyKind::Es256 => elliptic_key(&args.kid)?,
        KeyKind::Hs256 => Jwk::symmetric(&args.kid, &random()?),
    };
    let set = JwkSet {
        keys: vec![key.for_recipient()],
    };
    write_private(&args.out, &serde_json::to_string_pretty(&key))?;
    // Of a symmetric key the set holds the secret itself.
    write_private(&args.set, &serde_json::to_string_pretty(&set))
}

fn write_private(path: &Path, json: &serde_json::Result<String>) -> Result<(), Failure> {
    let json = json
        .as_ref()
        .map_err(|error| Failure::run("writing a key", error))?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| writeln!(file, "{json}"))
        .map_err(|error| Failure::configuration(path.display(), error))
}

fn mint(args: &MintArgs) -> Result<String, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::configuration(args.key.display(), error);
    let json = fs::read_to_string(&args.key).map_err(|error| wrong(&error))?;
    let jwk: Jwk = serde_json::from_str(&json).map_err(|error| wrong(&error))?;
    let key = SigningKey::from_jwk(&jwk).map_err(|error| wrong(&error))?;
    let now = now();
    let mut minter = Minter::new()
        .issued_at(now)
        .expires_at(now.plus_seconds(args.ttl));
    if let Some(prefix) = &args.path_prefix {
        if !prefix.starts_with('/') {
            return Err(Failure::configuration(
                "--path-prefix",
                "must begin with a slash, such as /live/news/",
            ));
        }
        minter = minter.uri(Component::Path, Match::Prefix(prefix.clone()));
    }
    if let Some(delay) = args.not_before {
        minter = minter.not_before(now.plus_seconds(delay));
    }
    if let Some(issuer) = &args.issuer {
        minter = minter.issuer(issuer);
    }
    if let Some(audience) = &args.audience {
        minter = minter.audience(audience);
    }
    minter.mint(&key).map_err(|error| Failure::run("minting", error))
}

fn look(args: InspectArgs) -> Result<String, Failure> {
    let mut token = args.token;
    if token == "-" {
        token.clear();
        std::io::stdin()
            .read_to_string(&mut token)
            .map_err(|error| Failure::run("standard input", error))?;
    }
    let inspection = inspect(token.trim()).map_err(|error| Failure::configuration("the token", error))?;
    Ok(format!("{inspection}\n(the signature was not checked)"))
}

/// `90`, `90s`, `5m`, `1h`, `7d`, each also negative, in seconds.
fn seconds(text: &str) -> Result<i64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        Some("d") => 86_400,
        _ => return Err("give a number with s, m, h or d, such as 90s or 12h".into()),
    };
    let number: i64 = digits.parse().map_err(|_| format!("{digits:?} is no number"))?;
    number.checked_mul(unit).ok_or_else(|| "too long".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("12h"), Ok(43_200));
        assert_eq!(seconds("-1m"), Ok(-60));
        assert!(seconds("1w").is_err() && seconds("h").is_err() && seconds("99999999999999999d").is_err());
    }
}
