//! `selvedge watermark plan`: how long a recording must be.

use std::process::ExitCode;

use selvedge_watermark::{
    code::Design,
    plan::{Goal, Length, lengths},
    score::Weighing,
};

use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many sessions the recording is compared with
    #[arg(long, value_name = "SESSIONS")]
    audience: u64,

    /// How many of them mixed what they got, 1 to 8
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    colluders: u32,

    /// The odds that anybody innocent in the whole audience is accused
    #[arg(long, value_name = "ODDS", default_value_t = 1e-6)]
    false_accusation: f64,

    /// The odds that a colluder is named
    #[arg(long, value_name = "ODDS", default_value_t = 0.9)]
    catch: f64,

    /// The share of segments that the detector reads wrongly
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    wrong: f64,

    /// The share of segments that it cannot read
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    lost: f64,

    /// Against how many colluders the channel's code is made: 2, 4, 6 or 8, as in the edge's site document
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    code: u64,

    /// The length of a segment, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.92)]
    segment: f64,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let wrong = |what: &str| Failure::configuration("watermark plan", what);
    let design = Design::against(args.code)
        .filter(|design| design.colluders() == args.code)
        .ok_or_else(|| wrong("--code must be 2, 4, 6 or 8"))?;
    if !(args.segment > 0.0 && args.segment <= 3600.0) {
        return Err(wrong("--segment must be above 0 and at most 3600 seconds"));
    }
    let goal = Goal {
        false_accusation: args.false_accusation,
        catch: args.catch,
        wrong: args.wrong,
        lost: args.lost,
        ..Goal::of(args.audience, args.colluders)
    };
    let mut rows = Vec::new();
    for (name, weighing) in [
        ("symmetric", Weighing::Symmetric),
        (
            "likelihood",
            Weighing::Interleaving {
                colluders: args.colluders,
            },
        ),
    ] {
        let lengths = lengths(&goal, design, weighing).map_err(|error| wrong(&error.to_string()))?;
        rows.push((name, lengths));
    }
    if args.json {
        println!("{}", json(args, &rows));
    } else {
        print!("{}", table(args, &rows));
    }
    Ok(ExitCode::SUCCESS)
}

type Row = (&'static str, Vec<Length>);

fn minutes(segments: u32, args: &Args) -> f64 {
    f64::from(segments) * args.segment / 60.0
}

fn table(args: &Args, rows: &[Row]) -> String {
    let mut out = format!(
        "To name 1 of {} among {} with odds of {} for anybody innocent, and {} for success:\n",
        args.colluders, args.audience, args.false_accusation, args.catch
    );
    for (score, lengths) in rows {
        for Length { attack, segments } in lengths {
            let attack = if args.colluders == 1 {
                "alone"
            } else {
                attack.name()
            };
            out += &match segments {
                Some(segments) => format!(
                    "{score:<12}{attack:<14}{segments:>6} segments {:>8.1} min\n",
                    minutes(*segments, args)
                ),
                None => format!("{score:<12}{attack:<14} more than 20000 segments\n"),
            };
        }
    }
    out
}

fn json(args: &Args, rows: &[Row]) -> serde_json::Value {
    let row = |(score, lengths): &Row| {
        let attacks: serde_json::Map<_, _> = lengths
            .iter()
            .map(|length| (length.attack.name().to_owned(), length.segments.into()))
            .collect();
        let all: Option<Vec<u32>> = lengths.iter().map(|length| length.segments).collect();
        let longest = all.and_then(|all| all.into_iter().max());
        serde_json::json!({
            "score": score,
            "segments": longest,
            "minutes": longest.map(|segments| minutes(segments, args)),
            "attacks": attacks,
        })
    };
    serde_json::json!({
        "audience": args.audience,
        "colluders": args.colluders,
        "false_accusation": args.false_accusation,
        "catch": args.catch,
        "code": args.code,
        "segment_seconds": args.segment,
        "scores": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use selvedge_watermark::plan::Attack;

    use super::*;

    #[test]
    fn a_plan_says_segments_and_minutes() {
        let args = Args {
            audience: 1_000_000,
            colluders: 3,
            false_accusation: 1e-6,
            catch: 0.9,
            wrong: 0.0,
            lost: 0.0,
            code: 4,
            segment: 2.0,
            json: false,
        };
        let length = |attack, segments| Length { attack, segments };
        let rows = [(
            "symmetric",
            vec![
                length(Attack::Majority, Some(600)),
                length(Attack::Minority, None),
            ],
        )];
        insta::assert_snapshot!(table(&args, &rows), @r"
        To name 1 of 3 among 1000000 with odds of 0.000001 for anybody innocent, and 0.9 for success:
        symmetric   majority         600 segments     20.0 min
        symmetric   minority       more than 20000 segments
        ");
        assert_eq!(json(&args, &rows)["scores"][0]["attacks"]["majority"], 600);
        assert_eq!(
            json(&args, &rows)["scores"][0]["segments"],
            serde_json::Value::Null
        );
    }
}
