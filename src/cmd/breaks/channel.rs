//! `selvedge breaks schedule`, `move` and `cancel`: a break of a channel by itself.

use std::process::ExitCode;

use selvedge_breaks::Micros;
use serde_json::{Value, json};

use super::{
    list::Break,
    store::{OriginPlace, origin::OriginApi},
    words::{self, At},
};
use crate::cmd::http::{Answer, Trouble};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Schedule {
    /// The channel
    #[arg(long)]
    channel: String,

    /// When it begins: now, +90s, or a date and time of RFC 3339
    #[arg(long, value_name = "WHEN", value_parser = At::read)]
    at: At,

    /// How long it is, such as 30s or 1m30s
    #[arg(long, value_name = "LENGTH", value_parser = words::read_length)]
    duration: Micros,

    /// What it is called: letters, digits and . _ : -
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    place: OriginPlace,

    /// Print the origin's answer for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("change").args(["at", "duration"]).multiple(true).required(true)))]
pub(crate) struct Move {
    /// The break, as `selvedge breaks list` shows it
    #[arg(value_name = "ID")]
    id: String,

    /// The channel
    #[arg(long)]
    channel: String,

    /// When it begins instead: +90s (from now), or a date and time of RFC 3339
    #[arg(long, value_name = "WHEN", value_parser = At::read)]
    at: Option<At>,

    /// How long it is instead
    #[arg(long, value_name = "LENGTH", value_parser = words::read_length)]
    duration: Option<Micros>,

    #[command(flatten)]
    place: OriginPlace,

    /// Print the origin's answer for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    /// The break, as `selvedge breaks list` shows it
    #[arg(value_name = "ID")]
    id: String,

    /// The channel
    #[arg(long)]
    channel: String,

    #[command(flatten)]
    place: OriginPlace,

    /// Print the origin's answer for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn schedule(args: Schedule) -> Result<ExitCode, Failure> {
    let mut wish = json!({
        "at": args.at.for_origin(words::now()),
        "duration_ms": args.duration.0 / 1000,
    });
    if let (Some(name), Some(members)) = (args.name, wish.as_object_mut()) {
        members.insert("name".into(), name.into());
    }
    let origin = OriginApi::open(&args.place)?;
    let answer = origin.schedule(&args.channel, &wish).await;
    tell(&origin, answer, args.json, "asked for")
}

pub(super) async fn alter(args: Move) -> Result<ExitCode, Failure> {
    let mut wish = serde_json::Map::new();
    if let Some(at) = args.at {
        wish.insert("at".into(), at.for_origin(words::now()).into());
    }
    if let Some(duration) = args.duration {
        wish.insert("duration_ms".into(), (duration.0 / 1000).into());
    }
    let origin = OriginApi::open(&args.place)?;
    let answer = origin.alter(&args.channel, &args.id, &Value::from(wish)).await;
    tell(&origin, answer, args.json, "moved")
}

pub(super) async fn cancel(args: Cancel) -> Result<ExitCode, Failure> {
    let origin = OriginApi::open(&args.place)?;
    let answer = origin.cancel(&args.channel, &args.id).await;
    tell(&origin, answer, args.json, "cancelled")
}

/// What has become of it: the break, where the origin tells it, else that it was done.
fn tell(
    origin: &OriginApi,
    answer: Result<Answer, Trouble>,
    is_json: bool,
    done: &str,
) -> Result<ExitCode, Failure> {
    let answer = answer.map_err(|error| {
        let known = match error {
            Trouble::Refused(_) => "nothing has changed",
            Trouble::Unsure(_) => "look at `selvedge breaks list` for what has become of it",
        };
        Failure::run(origin, format!("{error}; {known}"))
    })?;
    let said = serde_json::from_slice::<Break>(&answer.body);
    match said {
        _ if is_json => println!("{}", String::from_utf8_lossy(&answer.body).trim_end()),
        Ok(one) => println!("{done}: {}", one.line(words::now())),
        Err(_) => println!("{done}"),
    }
    Ok(ExitCode::SUCCESS)
}
