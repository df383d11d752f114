//! `selvedge token check --jsonl`: many requests, one JSON object a line, with what was expected of each.

use std::{
    io::{BufRead, Write},
    process::ExitCode,
};

use selvedge_token::{Dialect, Policy};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::{
    judge::{Facts, Memory, Problem, Verdict, judge},
    keys::Keys,
};
use crate::failure::Failure;

/// One line of input.
#[derive(Deserialize)]
struct Case {
    name: Option<String>,
    token: Option<String>,
    /// The only key that the verifier has, where one is named.
    key: Option<String>,
    #[serde(default)]
    request: Facts,
    #[serde(default)]
    policy: Verifier,
    expected: Option<String>,
    confidence: Option<String>,
    expected_http: Option<ExpectedHttp>,
}

/// What the verifier is configured with.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Verifier {
    issuers: Vec<String>,
    audiences: Vec<String>,
    dialect: Option<Dialect>,
}

#[derive(Deserialize)]
struct ExpectedHttp {
    status: Option<u16>,
    /// `Some(None)`: no renewal.
    #[serde(default, deserialize_with = "present")]
    renewed_exp: Option<Option<i64>>,
}

/// Tells `null` from a member that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// How the verdicts of a run compare with what was expected.
#[derive(Default)]
struct Tally {
    judged: usize,
    unjudged: usize,
    as_expected: usize,
    not_gated: usize,
    different: Vec<String>,
}

/// Judges every line of `input` and writes a line for each to `output`. With `expect` verdicts are compared with
/// the members `expected` and `expected_http`, where `confidence` is not `unverified`.
pub(super) fn run(
    keys: &Keys,
    dialect: &Dialect,
    expect: bool,
    input: impl BufRead,
    mut output: impl Write,
) -> Result<ExitCode, Failure> {
    let mut tally = Tally::default();
    let mut memory = Memory::default();
    for (number, line) in input.lines().enumerate() {
        let line = line.map_err(|error| Failure::run("standard input", error))?;
        if line.trim().is_empty() {
            continue;
        }
        let said = match one(keys, dialect, &line, &mut memory)? {
            Ok((case, verdict)) => {
                tally.judged += 1;
                tally.compare(&case, &verdict);
                serde_json::to_string(&Said::of(&case, &verdict))
            }
            Err(error) => {
                tally.unjudged += 1;
                eprintln!("selvedge: line {}: {error}", number + 1);
                serde_json::to_string(&json!({ "line": number + 1, "error": error }))
            }
        }
        .map_err(|error| Failure::run("writing a verdict", error))?;
        writeln!(output, "{said}").map_err(|error| Failure::run("standard output", error))?;
    }
    if expect {
        tally.say();
    }
    let failed = tally.unjudged > 0 || (expect && !tally.different.is_empty());
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Judges one line; the inner error says why it cannot be judged.
fn one(
    keys: &Keys,
    dialect: &Dialect,
    line: &str,
    memory: &mut Memory,
) -> Result<Result<(Case, Verdict), String>, Failure> {
    let case: Case = match serde_json::from_str(line) {
        Ok(case) => case,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let set = match keys.select(case.key.as_deref()) {
        Ok(set) => set,
        Err(error) => return Ok(Err(error)),
    };
    let policy = Policy {
        issuers: case.policy.issuers.clone(),
        audiences: case.policy.audiences.clone(),
        dialect: case.policy.dialect.clone().unwrap_or_else(|| dialect.clone()),
    };
    let verdict = judge(set.as_ref(), policy, case.token.as_deref(), &case.request, memory)?;
    Ok(Ok((case, verdict)))
}

/// One line of output. The order of its members is that of the documentation.
#[derive(Serialize)]
struct Said<'c> {
    name: Option<&'c str>,
    verdict: &'static str,
    reason: &'static str,
    http: u16,
    /// The `exp` of a token that comes with the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed_exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl<'c> Said<'c> {
    fn of(case: &'c Case, verdict: &Verdict) -> Self {
        let problem = verdict.problem.as_ref();
        Self {
            name: case.name.as_deref(),
            verdict: word(verdict),
            reason: problem.map_or("admitted", Problem::code),
            http: verdict.status,
            renewed_exp: verdict.renewed_exp,
            claim: problem.and_then(Problem::claim).map(|claim| claim.to_string()),
            detail: problem.map(ToString::to_string),
        }
    }
}

const fn word(verdict: &Verdict) -> &'static str {
    if verdict.problem.is_none() {
        "accept"
    } else {
        "reject"
    }
}

impl Tally {
    fn compare(&mut self, case: &Case, verdict: &Verdict) {
        let gated = matches!(case.confidence.as_deref(), None | Some("high" | "medium"));
        match case.expected.as_deref() {
            Some(expected @ ("accept" | "reject")) if gated => {
                let http = case.expected_http.as_ref();
                let status = http.and_then(|http| http.status);
                let renewed = http.and_then(|http| http.renewed_exp);
                let name = case.name.as_deref().unwrap_or("a case without a name");
                if expected != word(verdict) {
                    self.different.push(format!("{name}: expected {expected}"));
                } else if status.is_some_and(|status| status != verdict.status) {
                    self.different
                        .push(format!("{name}: expected another status than {}", verdict.status));
                } else if renewed.is_some_and(|renewed| renewed != verdict.renewed_exp) {
                    self.different.push(format!(
                        "{name}: expected another renewal than {:?}",
                        verdict.renewed_exp
                    ));
                } else {
                    self.as_expected += 1;
                }
            }
            _ => self.not_gated += 1,
        }
    }

    fn say(&self) {
        for different in &self.different {
            eprintln!("selvedge: {different}");
        }
        eprintln!(
            "selvedge: {} judged, {} as expected, {} not, {} without a firm expectation; {} could not be judged",
            self.judged,
            self.as_expected,
            self.different.len(),
            self.not_gated,
            self.unjudged
        );
    }
}
