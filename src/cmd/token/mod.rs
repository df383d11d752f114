//! `selvedge token`

mod check;
mod conformance;
mod files;
mod inspect;
mod judge;
mod keygen;
mod keys;
mod lint;
mod mint;
mod notation;
mod rotate;

use std::{
    io::Read as _,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Subcommand;
use selvedge_token::{Jwk, UnixMillis};

use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key: a private JWK to mint with, and a JWK Set for edges
    ///
    /// Edges get the set, whoever mints gets the private key. Of ES256 the set holds the public half alone, so that no
    /// edge can mint; of every other algorithm it holds the secret itself.
    Keygen(keygen::Args),
    /// Mint a Common Access Token and print it
    ///
    /// Prints the token alone on standard output. What an issuer should know of it goes to standard error, a line each.
    Mint(Box<mint::Args>),
    /// Explain each claim of a token in words
    ///
    /// Prints a line for the frame and one for each claim: key, name, value, and what it means. Nothing is checked but
    /// what --keys lets check: whether a key of yours signed it.
    Inspect(inspect::Args),
    /// Judge requests by tokens, as an edge would
    ///
    /// Says whether an edge with these keys would let a request in, and if not, why: exit code 0 or 1. What the flags do
    /// not say of the request is not known, and a claim that asks for it refuses.
    ///
    /// With --jsonl it judges one request for each line of standard input, an object with `token`, `key`, `request` and
    /// `policy`, and prints `{"name", "verdict", "reason", "http"}` for each.
    Check(Box<check::Args>),
    /// Add a key to a set beside the old ones, or remove one at once
    ///
    /// Adds a key to a set, behind the ones that are there, and lets those of the same use end later.
    ///
    /// The old keys stay good for --keep: the longest life of a token that they signed, and the time for which an edge
    /// renews it from there. Publish the new set to every edge first, then mint with the new key.
    ///
    /// With --retire a key is taken out at once. When the set is published, every token of that key is refused, also
    /// those that an edge has let in before.
    Rotate(rotate::Args),
    /// Warn of what an issuer should know before a token goes out
    ///
    /// Prints a line for each warning, `CODE: what it is`; nothing where there is none.
    Lint(lint::Args),
}

pub(crate) fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Keygen(args) => keygen::run(&args),
        Command::Mint(args) => mint::run(&args),
        Command::Inspect(args) => inspect::run(args),
        Command::Check(args) => check::run(*args),
        Command::Rotate(args) => rotate::run(&args),
        Command::Lint(args) => lint::run(args),
    }
}

/// A new private key on P-256 from the system's randomness.
pub(crate) fn elliptic_key(kid: &str) -> Result<Jwk, Failure> {
    Jwk::elliptic(kid, &random()?).map_err(|error| Failure::run("making a key", error))
}

/// A new private key on P-256 that patterns are encrypted to.
fn agreement_key(kid: &str) -> Result<Jwk, Failure> {
    Jwk::agreement(kid, &random()?).map_err(|error| Failure::run("making a key", error))
}

/// A new secret that an edge signs session tokens with.
pub(crate) fn session_key(kid: &str) -> Result<Jwk, Failure> {
    Ok(Jwk::symmetric(kid, &random::<32>()?).for_signer())
}

/// Now, to the millisecond.
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Bytes of the system's randomness.
fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Failure::run("the system's randomness", error))?;
    Ok(bytes)
}

/// The token or document that an argument gives; `-` means standard input, so that other users of the machine do
/// not see it among the arguments of processes.
fn text_or_stdin(argument: String) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::run("standard input", error))?;
    Ok(text)
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

/// Bytes of hexadecimal digits.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high * 16 + low).collect())
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

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(hex("00fF"), Some(vec![0, 255]));
        assert_eq!(hex(""), Some(vec![]));
        assert_eq!(hex("0"), None);
        assert_eq!(hex("0g"), None);
    }
}
