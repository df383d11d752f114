//! `selvedge breaks diff`

use std::{path::PathBuf, process::ExitCode};

use selvedge_breaks::Rules;
use serde_json::json;

use super::{
    change::{Change, Told, changes},
    document::Document,
    store::{Held, Named, Places, Store},
    words,
};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rules; `-` reads them from standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What they are compared with: what is in force at a store, in a folder, or another file
    #[arg(long, value_name = "origin|cloudflare|fastly|PATH", default_value = "origin", value_parser = Named::read)]
    against: Named,

    #[command(flatten)]
    places: Places,

    /// Exit with 1 where there is a difference
    #[arg(long)]
    exit_code: bool,

    /// Print an object for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let document = Document::read(&args.file)?;
    let Ok(rules) = document
        .rules()
        .map_err(|faults| eprint!("{}", document.told(&faults)))
    else {
        return Err(Failure::run(
            args.file.display(),
            "has faults and is compared with nothing",
        ));
    };
    let store = Store::open(&args.against, &args.places)?;
    let held = store
        .read(&rules.channel)
        .await
        .map_err(|error| Failure::run(&store, error))?;
    let before = InForce::of(held.as_ref(), &rules.channel);
    let changes = before.changes(&rules);
    if args.json {
        let said = json!({
            "channel": rules.channel,
            "against": store.to_string(),
            "in_force": before.word(),
            "changes": changes,
        });
        println!("{said}");
    } else {
        let now = words::now();
        let changes = &changes;
        print!(
            "{}{}",
            headline(&rules, &before, changes, &store),
            Told { changes, now }
        );
    }
    Ok(if args.exit_code && !changes.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What a store has for a channel, read.
#[derive(Debug)]
pub(super) enum InForce {
    /// Good rules.
    Good(Box<Rules>),
    /// A document with faults, or for another channel: nobody acts on it.
    Bad(String),
    /// Nothing.
    Nothing,
}

impl InForce {
    pub(super) fn of(held: Option<&Held>, channel: &str) -> Self {
        match held.map(|held| Rules::read(&held.json)) {
            Some(Ok(rules)) if rules.channel == channel => Self::Good(Box::new(rules)),
            Some(Ok(rules)) => Self::Bad(format!("it is for the channel {}", rules.channel)),
            Some(Err(faults)) => Self::Bad(faults.to_string()),
            None => Self::Nothing,
        }
    }

    /// The rules that there are, or those of a channel that has none.
    pub(super) fn rules(&self, channel: &str) -> Rules {
        match self {
            Self::Good(rules) => (**rules).clone(),
            Self::Bad(_) | Self::Nothing => Rules::new(channel),
        }
    }

    pub(super) fn changes(&self, to: &Rules) -> Vec<Change> {
        changes(&self.rules(&to.channel), to)
    }

    /// In a word, for programs.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Good(_) => "good",
            Self::Bad(_) => "bad",
            Self::Nothing => "nothing",
        }
    }
}

/// The line above the changes.
pub(super) fn headline(rules: &Rules, before: &InForce, changes: &[Change], store: &Store) -> String {
    let channel = &rules.channel;
    let count = words::count(changes.len(), "change", "changes");
    match before {
        InForce::Nothing => format!("{channel}: {store} has no rules yet; with these, {count}\n"),
        InForce::Bad(why) => {
            format!("{channel}: {store} has a document that nobody acts on ({why}); with these, {count}\n")
        }
        InForce::Good(_) if changes.is_empty() => format!("{channel}: {store} has the same rules\n"),
        InForce::Good(_) => format!("{channel}: {count} against {store}\n"),
    }
}
