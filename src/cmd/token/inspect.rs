//! `selvedge token inspect`

use std::{path::PathBuf, process::ExitCode};

use selvedge_token::{Explained, ExplainedSet, Inspection, Policy, Refusal, Verifier, inspect};
use serde_json::{Value, json};

use super::{files, keys::Keys, notation, now, text_or_stdin};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The token; `-` or nothing reads it from standard input, where no other user sees it
    #[arg(default_value = "-", allow_hyphen_values = true)]
    token: String,

    /// JWK Set to check the signature by; exits with 1 where it does not verify
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is known of a token's signature.
enum Signature {
    NotChecked,
    Verified { kid: String },
    Refused(Refusal),
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let keys = match &args.keys {
        Some(path) => Some((path, Keys::read(path)?)),
        None => None,
    };
    let text = text_or_stdin(args.token)?;
    let token = text.trim();
    let mut inspection = inspect(token).map_err(|error| Failure::configuration("the token", error))?;
    let signature = match keys {
        None => Signature::NotChecked,
        Some((path, keys)) => {
            let set = keys
                .select(None)
                .ok()
                .flatten()
                .ok_or_else(|| files::wrong(path, "none of its keys can be used"))?;
            match Verifier::new(set, Policy::default()).authenticate(token) {
                Ok(authentic) => {
                    inspection = inspection
                        .with_claims(authentic.payload())
                        .map_err(|error| Failure::configuration("the token", error))?;
                    Signature::Verified {
                        kid: authentic.kid().to_owned(),
                    }
                }
                Err(refusal) => Signature::Refused(refusal),
            }
        }
    };
    if args.json {
        println!("{:#}", json(&inspection, &signature, token.len()));
    } else {
        print(&inspection, &signature, token.len());
    }
    Ok(match signature {
        Signature::Refused(_) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn print(inspection: &Inspection, signature: &Signature, characters: usize) {
    println!("{}, {characters} characters", inspection.frame());
    for claim in inspection.explain(Some(now())) {
        println!("{claim}");
    }
    match signature {
        Signature::NotChecked if inspection.is_encrypted() => {
            println!("(the claims are encrypted: give --keys with the key that opens them)");
        }
        Signature::NotChecked => println!("(the signature was not checked: give --keys to do so)"),
        Signature::Verified { kid } => println!("(the signature verifies by the key {kid:?})"),
        Signature::Refused(refusal) => println!("(NOT TO BE TRUSTED: {refusal})"),
    }
}

fn json(inspection: &Inspection, signature: &Signature, characters: usize) -> Value {
    let signature = match signature {
        Signature::NotChecked => json!({ "checked": false }),
        Signature::Verified { kid } => json!({ "checked": true, "verified": true, "kid": kid }),
        Signature::Refused(refusal) => {
            json!({ "checked": true, "verified": false, "reason": refusal.code(), "detail": refusal.to_string() })
        }
    };
    json!({
        "frame": inspection.frame(),
        "characters": characters,
        "encrypted": inspection.is_encrypted(),
        "claims": notation::write_claims(inspection.claims()),
        "explained": explained(&inspection.explain(Some(now()))),
        "signature": signature,
    })
}

fn explained(claims: &[Explained]) -> Value {
    claims
        .iter()
        .map(|claim| {
            let mut json = json!({
                "key": claim.key,
                "name": claim.name,
                "value": claim.value,
                "meaning": claim.meaning,
            });
            if !claim.inner.is_empty() {
                json["inner"] = claim.inner.iter().map(set).collect();
            }
            json
        })
        .collect()
}

fn set(set: &ExplainedSet) -> Value {
    json!({ "title": set.title, "claims": explained(&set.claims) })
}
