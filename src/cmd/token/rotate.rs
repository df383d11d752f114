//! `selvedge token rotate`

use std::{fs, path::PathBuf, process::ExitCode};

use selvedge_token::{Algorithm, Jwk, JwkSet, KeySet, UnixMillis};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{
    files,
    keygen::{Kind, NewKey},
    now, seconds,
};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The JWK Set of the edges; it is replaced as a whole, or not at all
    #[arg(long, value_name = "FILE")]
    set: PathBuf,

    /// The new key's name
    #[arg(long, required_unless_present = "retire")]
    kid: Option<String>,

    /// Where to write the new private JWK, readable by you alone; an existing file is never overwritten
    #[arg(long, value_name = "FILE", required_unless_present = "retire")]
    out: Option<PathBuf>,

    /// What the new key is for [default: as the last key of its role]
    #[arg(long, value_enum)]
    alg: Option<Kind>,

    /// Rotate the keys that edges themselves sign with, which issuers' keys have nothing to do with [default: where
    /// the set has no others]
    #[arg(long)]
    sign: bool,

    /// An issuer that the new key may speak for; may be repeated [default: those of the last key of its role]
    #[arg(long = "issuer", value_name = "ISS")]
    issuers: Vec<String>,

    /// How long from now until the new key counts; with --sign also until edges sign with it. Give as long as it takes
    /// the set to reach every edge
    #[arg(long, value_parser = seconds, value_name = "DURATION")]
    from: Option<i64>,

    /// How long the old keys of the same role stay good from now: the longest life of a token, and the time for which
    /// edges renew it
    #[arg(long, default_value = "25h", value_parser = seconds, value_name = "DURATION")]
    keep: i64,

    /// Take the key of this name out at once: for one that others may have
    #[arg(long, value_name = "KID", conflicts_with_all = ["kid", "out", "alg", "sign", "issuers", "from", "keep"])]
    retire: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut set = read_set(args)?;
    match (&args.retire, &args.kid, &args.out) {
        (Some(kid), ..) => retire(args, &mut set, kid)?,
        (None, Some(kid), Some(out)) => add(args, &mut set, kid, out)?,
        // clap asks for both.
        _ => {
            return Err(Failure::configuration(
                "--kid",
                "name the new key, and its file by --out",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the set and checks that edges could. Members that are not known here stay as they are.
fn read_set(args: &Args) -> Result<Value, Failure> {
    let set = files::read_json(&args.set)?;
    check(&set).map_err(|error| files::wrong(&args.set, error))?;
    Ok(set)
}

fn check(set: &Value) -> Result<(), String> {
    if !set["keys"].is_array() {
        return Err("not a JWK Set: expected {\"keys\": […]}".into());
    }
    let keys: JwkSet = serde_json::from_value(set.clone()).map_err(|error| error.to_string())?;
    KeySet::from_jwks(&keys.keys).map_err(|error| error.to_string())?;
    Ok(())
}

fn add(args: &Args, set: &mut Value, kid: &str, out: &PathBuf) -> Result<(), Failure> {
    let keys = keys(set, args)?;
    if keys.iter().any(|key| key["kid"] == kid) {
        return Err(Failure::configuration(
            "--kid",
            format!("a key is named {kid:?} already: give the new one a name of its own"),
        ));
    }
    let newest = keys.last().and_then(algorithm).is_some_and(Algorithm::encrypts);
    let encrypts = args.alg.map_or(newest, Kind::encrypts);
    let same_use = |key: &Value| algorithm(key).is_some_and(Algorithm::encrypts) == encrypts;
    // An issuer's key and one of the edges' own live and end apart: to change the one must not end the other.
    let sign = !encrypts && (args.sign || keys.iter().filter(|key| same_use(key)).all(signs));
    let same_role = |key: &Value| same_use(key) && (encrypts || signs(key) == sign);
    let last = keys
        .iter()
        .rev()
        .find(|key| same_role(key))
        .cloned()
        .unwrap_or_default();
    let Some(alg) = args.alg.or_else(|| algorithm(&last).and_then(Kind::of)) else {
        return Err(Failure::configuration(
            "--alg",
            "say what the new key is for, such as es256",
        ));
    };
    let issuers = match (args.issuers.is_empty(), last["iss"].as_array()) {
        (true, Some(issuers)) => issuers
            .iter()
            .filter_map(|issuer| issuer.as_str().map(Into::into))
            .collect(),
        _ => args.issuers.clone(),
    };
    let new = NewKey {
        alg,
        kid: kid.into(),
        sign,
        issuers,
    };
    let mut pair = new.make()?;
    if let Some(delay) = args.from {
        pair.for_edges["nbf"] = json!(now().plus_seconds(delay).seconds());
    }

    // Keys end at whole seconds.
    let end = UnixMillis::from_seconds(now().plus_seconds(args.keep).seconds());
    let mut ending = Vec::new();
    for key in keys.iter_mut().filter(|key| same_role(key)) {
        // One that ends earlier still does.
        if key["exp"].as_i64().is_none_or(|exp| exp > end.seconds()) {
            key["exp"] = json!(end.seconds());
            ending.push(key["kid"].as_str().unwrap_or_default().to_owned());
        }
    }
    keys.push(pair.for_edges);
    check(set).map_err(|error| files::wrong(&args.set, error))?;

    files::write_new(out, &pair.private)?;
    if let Err(error) = files::replace(&args.set, set) {
        let _ = fs::remove_file(out);
        return Err(error);
    }
    let set = args.set.display();
    println!(
        "key {kid:?} is in {set}; publish it to every edge, then mint with {}",
        out.display()
    );
    for old in ending {
        println!("key {old:?} stays good until {end}");
    }
    Ok(())
}

/// What a key of a set is for, where it is one.
fn algorithm(key: &Value) -> Option<Algorithm> {
    Jwk::deserialize(key).ok()?.algorithm().ok()
}

/// Whether edges may sign with a key.
fn signs(key: &Value) -> bool {
    let operations = key["key_ops"].as_array();
    operations.is_some_and(|operations| operations.iter().any(|one| one == "sign"))
}

fn retire(args: &Args, set: &mut Value, kid: &str) -> Result<(), Failure> {
    let keys = keys(set, args)?;
    let before = keys.len();
    keys.retain(|key| key["kid"] != kid);
    if keys.len() == before {
        return Err(Failure::configuration(
            "--retire",
            format!("no key is named {kid:?} in the set"),
        ));
    }
    if keys.is_empty() {
        return Err(Failure::configuration(
            "--retire",
            format!(
                "{kid:?} is the only key, and without one nobody is let in: add another first, by --kid and --out"
            ),
        ));
    }
    check(set).map_err(|error| files::wrong(&args.set, error))?;
    files::replace(&args.set, set)?;
    println!(
        "key {kid:?} is out of {}; publish it to every edge: from then on each token of that key is refused, and who \
         plays by one needs another",
        args.set.display()
    );
    Ok(())
}

fn keys<'s>(set: &'s mut Value, args: &Args) -> Result<&'s mut Vec<Value>, Failure> {
    set["keys"]
        .as_array_mut()
        .ok_or_else(|| files::wrong(&args.set, "not a JWK Set: expected {\"keys\": […]}"))
}
