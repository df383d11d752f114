//! `selvedge breaks validate`

use std::{path::PathBuf, process::ExitCode};

use selvedge_breaks::{Micros, Rules, UnixMicros, rules::Rest};
use serde_json::json;

use super::{
    document::{Document, Placed},
    words,
};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rules, or a schedule; `-` reads it from standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Print an object for programs, a line for each file
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut all_good = true;
    for path in &args.files {
        let document = Document::read(path)?;
        let Read {
            channel,
            said,
            notes,
            faults,
        } = read(&document, words::now());
        all_good &= faults.is_empty();
        if args.json {
            let said = json!({
                "file": path.display().to_string(),
                "valid": faults.is_empty(),
                "channel": channel,
                "faults": faults,
                "notes": notes,
            });
            println!("{said}");
            continue;
        }
        if faults.is_empty() {
            println!("{}: good: {said}", path.display());
        } else {
            print!("{}", document.told(&faults));
            let count = words::count(faults.len(), "fault", "faults");
            println!("{}: {count}", path.display());
        }
        for note in notes {
            println!("{}: note: {note}", path.display());
        }
    }
    Ok(if all_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What there is to say of a document.
#[derive(Debug, Default)]
struct Read {
    channel: Option<String>,
    /// What it is, where it is good.
    said: String,
    notes: Vec<String>,
    faults: Vec<Placed>,
}

fn read(document: &Document, now: UnixMicros) -> Read {
    let faulty = |faults| Read {
        faults,
        ..Read::default()
    };
    match document.schedule() {
        Some(Err(faults)) => faulty(faults),
        Some(Ok(schedule)) => {
            let runs = words::count(schedule.runs.len(), "run", "runs");
            let assets = words::count(schedule.assets.len(), "asset", "assets");
            Read {
                said: format!("schedule of {}, with {runs} of {assets}", schedule.channel),
                channel: Some(schedule.channel.to_string()),
                ..Read::default()
            }
        }
        None => match document.rules() {
            Err(faults) => faulty(faults),
            Ok(rules) => {
                let scheduled = words::count(rules.schedule.len(), "scheduled break", "scheduled breaks");
                Read {
                    said: format!("rules of {}, with {scheduled}", rules.channel),
                    notes: notes(&rules, now),
                    channel: Some(rules.channel),
                    ..Read::default()
                }
            }
        },
    }
}

/// What is no fault, and may yet not be meant.
fn notes(rules: &Rules, now: UnixMicros) -> Vec<String> {
    let mut notes = Vec::new();
    for planned in &rules.schedule {
        let (name, duration) = (&planned.name, planned.duration);
        let (min, max) = (rules.lengths.min, rules.lengths.max);
        let said = words::length;
        if planned.at.plus(duration) <= now {
            notes.push(format!(
                "the break {name} is over: it was at {}",
                words::moment(planned.at)
            ));
        } else if duration > max {
            notes.push(format!(
                "the break {name} is {} long and ends after {}, which is max_ms",
                said(duration),
                said(max)
            ));
        } else if duration < min {
            notes.push(format!(
                "the break {name} is {} long and is not made: min_ms is {}",
                said(duration),
                said(min)
            ));
        }
    }
    let fill = &rules.fill;
    if fill.pod.is_empty() && fill.rest != Rest::Slate {
        notes.push("nothing fills breaks: the programme stays on air".to_owned());
    }
    let pod = fill
        .pod
        .iter()
        .fold(Micros::ZERO, |sum, item| sum.plus(item.duration));
    let longest = rules.lengths.max;
    if pod > longest {
        notes.push(format!(
            "the pod is {} long, and no break is longer than {}",
            words::length(pod),
            words::length(longest)
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_is_noted_and_what_is_over_too() {
        let json = br#"{"version": 1, "channel": "news",
            "lengths": {"min_ms": 10000, "default_ms": 20000, "max_ms": 60000},
            "fill": {"pod": [{"creative": "a", "duration_ms": 61000}]},
            "schedule": [
                {"name": "past", "at": "2026-11-21T10:00:00Z", "duration_ms": 20000},
                {"name": "short", "at": "2026-11-21T12:00:00Z", "duration_ms": 5000},
                {"name": "long", "at": "2026-11-21T13:00:00Z", "duration_ms": 90000},
                {"name": "good", "at": "2026-11-21T14:00:00Z", "duration_ms": 30000}]}"#;
        let now = UnixMicros::read("2026-11-21T11:00:00Z").unwrap();
        insta::assert_snapshot!(notes(&Rules::read(json).unwrap(), now).join("\n"), @r"
        the break past is over: it was at 2026-11-21 10:00:00 UTC
        the break short is 5 s long and is not made: min_ms is 10 s
        the break long is 1 min 30 s long and ends after 1 min, which is max_ms
        the pod is 1 min 1 s long, and no break is longer than 1 min
        ");
        let bare = Rules::new("news");
        assert_eq!(
            notes(&bare, now),
            ["nothing fills breaks: the programme stays on air"]
        );
    }
}
