//! `selvedge token check`

use std::{net::IpAddr, path::PathBuf, process::ExitCode};

use selvedge_token::{CompositeLabels, Dialect, Policy};

use super::{
    conformance,
    judge::{Facts, Geo, Lines, Memory, Verdict, judge},
    keys::Keys,
    seconds, text_or_stdin,
};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The token; `-` or nothing reads it from standard input, where no other user sees it
    #[arg(default_value = "-", allow_hyphen_values = true)]
    token: String,

    /// JWK Set of an edge, or an object of named test keys
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,

    /// The request's URL
    #[arg(long)]
    url: Option<String>,

    /// Its method
    #[arg(long, default_value = "GET")]
    method: String,

    /// The client's address
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,

    /// The autonomous system of that address
    #[arg(long, value_name = "NUMBER")]
    asn: Option<u32>,

    /// The client's country, such as SE
    #[arg(long, value_name = "CODE")]
    country: Option<String>,

    /// The client's subdivision, such as CA in US-CA
    #[arg(long, value_name = "CODE")]
    subdivision: Option<String>,

    /// A header field of the request; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = field)]
    headers: Vec<(String, String)>,

    /// The protocol that TLS negotiated, such as h2
    #[arg(long)]
    alpn: Option<String>,

    /// A trusted issuer; may be repeated [default: any that the key may speak for]
    #[arg(long = "issuer", value_name = "ISS")]
    issuers: Vec<String>,

    /// A name of the edge for `aud`; may be repeated
    #[arg(long = "audience", value_name = "AUD")]
    audiences: Vec<String>,

    /// Judge a moment that is not now: so far from now
    #[arg(long, value_parser = seconds, value_name = "DURATION", allow_hyphen_values = true)]
    shift: Option<i64>,

    /// The keys of the composite claims or, nor, and, crit, such as 41,42,43,45 [default: refuse them]
    #[arg(long, value_name = "OR,NOR,AND[,CRIT]", value_parser = composite)]
    composite: Option<CompositeLabels>,

    /// Judge what standard input describes, a JSON object a line
    #[arg(long, conflicts_with_all = ["token", "url", "ip", "asn", "country", "subdivision", "headers", "alpn", "issuers", "audiences", "shift"])]
    jsonl: bool,

    /// Compare with the member `expected` of each line; exit with 1 where a verdict differs
    #[arg(long, requires = "jsonl")]
    expect: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.keys)?;
    let dialect = Dialect {
        composite: args.composite,
        ..Dialect::default()
    };
    if args.jsonl {
        let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
        return conformance::run(&keys, &dialect, args.expect, input, output);
    }
    let set = keys
        .select(None)
        .map_err(|error| Failure::configuration(args.keys.display(), error))?;
    let policy = Policy {
        issuers: args.issuers.clone(),
        audiences: args.audiences.clone(),
        dialect,
    };
    let facts = facts(&args);
    let text = text_or_stdin(args.token)?;
    let token = Some(text.trim()).filter(|token| !token.is_empty());
    let verdict = judge(set.as_ref(), policy, token, &facts, &mut Memory::default())?;
    println!("{}", said(&verdict));
    Ok(match verdict.problem {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    })
}

/// The request that the flags describe.
fn facts(args: &Args) -> Facts {
    let mut facts = Facts {
        url: args.url.clone(),
        method: Some(args.method.clone()),
        ip: args.ip,
        asn: args.asn,
        alpn: args.alpn.clone(),
        geo: Geo {
            country: args.country.clone(),
            subdivision: args.subdivision.clone(),
            ..Geo::default()
        },
        ..Facts::default()
    };
    let shifted = facts.moment().plus_seconds(args.shift.unwrap_or(0));
    facts.now = Some(shifted.0 as f64 / 1000.0);
    for (name, value) in &args.headers {
        let lines = facts
            .headers
            .entry(name.clone())
            .or_insert(Lines::Many(Vec::new()));
        if let Lines::Many(lines) = lines {
            lines.push(value.clone());
        }
    }
    facts
}

fn said(verdict: &Verdict) -> String {
    let key = verdict
        .authentic
        .as_ref()
        .map(|authentic| format!(" (signed by the key {:?})", authentic.kid()))
        .unwrap_or_default();
    match &verdict.problem {
        None => format!("admitted{key}"),
        Some(problem) => {
            let claim = problem
                .claim()
                .map(|claim| format!(" by {claim}"))
                .unwrap_or_default();
            format!(
                "refused{claim}: {problem}{key}; reason {}, and the client sees {}",
                problem.code(),
                verdict.status
            )
        }
    }
}

/// `NAME: VALUE`, the name in lower case.
fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("give a name, a colon and a value")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

fn composite(text: &str) -> Result<CompositeLabels, String> {
    let keys: Vec<i64> = text
        .split(',')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| "give numbers, such as 41,42,43,45")?;
    let (or, nor, and, crit) = match keys.as_slice() {
        [or, nor, and] => (*or, *nor, *and, None),
        [or, nor, and, crit] => (*or, *nor, *and, Some(*crit)),
        _ => return Err("give three or four numbers: or, nor, and, crit".into()),
    };
    let labels = CompositeLabels { or, nor, and, crit };
    labels.check().map_err(Into::into)
}
