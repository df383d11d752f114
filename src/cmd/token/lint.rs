//! `selvedge token lint`

use std::{path::PathBuf, process::ExitCode};

use ciborium::Value;
use clap::ArgGroup;
use selvedge_token::{Exposure, inspect, lint, lint_claims};

use super::{files, notation, text_or_stdin};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("subject").args(["token", "claims"])))]
pub(crate) struct Args {
    /// The token; `-` or nothing reads it from standard input
    #[arg(default_value = "-", allow_hyphen_values = true)]
    token: String,

    /// Look over claims that are not in a token yet, in JSON as `mint --claims` takes them
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,

    /// The claims will be encrypted: what others must not read may be in them
    #[arg(long, requires = "claims")]
    encrypted: bool,

    /// Exit with 1 where there is a warning
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let warnings = match &args.claims {
        Some(path) => {
            let json = files::read_json(path)?;
            let claims = notation::read_claims(&json).map_err(|error| files::wrong(path, error))?;
            let mut payload = Vec::new();
            ciborium::into_writer(&Value::Map(claims), &mut payload)
                .map_err(|error| files::wrong(path, error))?;
            let exposure = if args.encrypted {
                Exposure::Encrypted
            } else {
                Exposure::Clear
            };
            lint_claims(&payload, exposure).map_err(|error| files::wrong(path, error))?
        }
        None => {
            let token = text_or_stdin(args.token)?;
            lint(token.trim()).map_err(|error| Failure::configuration("the token", error))?
        }
    };
    for warning in &warnings {
        println!("{}: {warning}", warning.code());
    }
    Ok(if args.strict && !warnings.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Says on standard error what an issuer should know of a token that was just minted from these claims. Those of an
/// encrypted one cannot be read from it any more.
pub(super) fn warn(token: &str, claims: &[(Value, Value)]) {
    let mut warnings = lint(token).unwrap_or_default();
    if inspect(token).is_ok_and(|inspection| inspection.is_encrypted()) {
        let mut payload = Vec::new();
        // Values that were just written into a token.
        let _ = ciborium::into_writer(&Value::Map(claims.into()), &mut payload);
        warnings.extend(lint_claims(&payload, Exposure::Encrypted).unwrap_or_default());
    }
    for warning in warnings {
        eprintln!("selvedge: warning: {}: {warning}", warning.code());
    }
}
