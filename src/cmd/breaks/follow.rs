//! `selvedge breaks follow`

mod metrics;

use std::{collections::HashMap, path::PathBuf, process::ExitCode, time::Duration};

use selvedge_breaks::{Micros, Rules};

use metrics::{Metrics, Outcome};

use super::{
    store::{Held, Named, Places, Store},
    words,
};
use crate::{cmd::http::Trouble, failure::Failure, stop};

/// A store that fails is asked less and less often, down to this.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The channels; --channel may be given several times
    #[arg(long = "channel", value_name = "CHANNEL", required = true)]
    channels: Vec<String>,

    /// Where rules are read
    #[arg(long, value_name = "cloudflare|fastly|PATH", value_parser = Named::read)]
    from: Named,

    /// Where they are put in force
    #[arg(long, value_name = "origin|FOLDER", default_value = "origin", value_parser = Named::read)]
    to: Named,

    /// How often the store is asked
    #[arg(long, value_name = "LENGTH", default_value = "5s", value_parser = words::read_length)]
    every: Micros,

    /// A file that says in Prometheus' text format what became of the rules, for a collector that reads files
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,

    #[command(flatten)]
    places: Places,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    if args.from == args.to {
        return Err(Failure::configuration(
            "--to",
            "names the store that --from names",
        ));
    }
    let every = u64::try_from(args.every.0).map(Duration::from_micros);
    let every = every.unwrap_or_default().max(Duration::from_millis(100));
    let mut follower = Follower {
        from: Store::open(&args.from, &args.places)?,
        to: Store::open(&args.to, &args.places)?,
        carried: HashMap::new(),
        told: HashMap::new(),
        metrics: Metrics::begin(&args.channels, args.metrics)?,
    };
    let stop = stop::requested()?;
    tokio::pin!(stop);
    tracing::info!(from = %follower.from, to = %follower.to, "following rules of breaks");
    let mut failures = 0;
    loop {
        let mut all_went_well = true;
        for channel in &args.channels {
            all_went_well &= follower.round(channel).await;
        }
        if let Err(error) = follower.metrics.write() {
            tracing::warn!(%error, "the file of metrics was not written");
        }
        failures = if all_went_well { 0 } else { failures + 1 };
        let wait = every
            .saturating_mul(1 << failures.min(10))
            .min(LONGEST_WAIT.max(every));
        tokio::select! {
            () = &mut stop => return Ok(ExitCode::SUCCESS),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Rules on their way from one store to another.
struct Follower {
    from: Store,
    to: Store,
    /// The rules of each channel that were put in force last: whoever changes them there afterwards is not overruled.
    carried: HashMap<String, Rules>,
    /// What was last said of each channel.
    told: HashMap<String, Seen>,
    /// What became of all that was read.
    metrics: Metrics,
}

/// What became of what was read, so that it is told once.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Seen {
    /// It was put in force.
    Carried(Vec<u8>),
    /// There were none.
    Nothing,
    /// This document has faults, or is for another channel.
    Bad(Vec<u8>),
    /// A store failed, and said so.
    Trouble(String),
}

impl Follower {
    /// Reads a channel's rules once, and puts them in force where they are others. Returns whether both stores answered.
    ///
    /// What is in force stays where there is nothing to read: a key that is not there may be one that is not there yet.
    async fn round(&mut self, channel: &str) -> bool {
        let now = match self.from.read(channel).await {
            Ok(Some(held)) => self.take(channel, &held).await,
            Ok(None) => Seen::Nothing,
            Err(trouble) => Seen::Trouble(format!("{}: {trouble}", self.from)),
        };
        let went_well = !matches!(now, Seen::Trouble(_));
        let is_new = self.told.get(channel) != Some(&now);
        match &now {
            Seen::Carried(_) => {}
            Seen::Nothing => self.metrics.count(channel, Outcome::Missing),
            Seen::Bad(_) if is_new => self.metrics.count(channel, Outcome::Refused),
            Seen::Bad(_) => {}
            Seen::Trouble(_) => self.metrics.count(channel, Outcome::Failed),
        }
        if is_new {
            match &now {
                Seen::Carried(_) => tracing::info!(channel, to = %self.to, "rules in force"),
                Seen::Nothing => tracing::warn!(channel, from = %self.from, "no rules: those in force stay"),
                Seen::Bad(json) => {
                    let fault = fault(json, channel);
                    tracing::error!(channel, from = %self.from, fault, "rules with faults: those in force stay");
                }
                Seen::Trouble(why) => tracing::warn!(channel, why, "those in force stay"),
            }
            self.told.insert(channel.to_owned(), now);
        }
        went_well
    }

    async fn take(&mut self, channel: &str, held: &Held) -> Seen {
        self.metrics.count(channel, Outcome::Followed);
        let rules = match Rules::read(&held.json) {
            Ok(rules) if rules.channel == channel => rules,
            _ => return Seen::Bad(held.json.clone()),
        };
        if self.carried.get(channel) != Some(&rules) {
            match self.put(channel, held, &rules).await {
                Ok(true) => self.metrics.count(channel, Outcome::Pushed),
                Ok(false) => {}
                Err(trouble) => return Seen::Trouble(format!("{}: {trouble}", self.to)),
            }
            self.carried.insert(channel.to_owned(), rules);
        }
        Seen::Carried(held.json.clone())
    }

    /// Replaces whatever is in force, unless it says the same. Says whether it did.
    async fn put(&self, channel: &str, held: &Held, rules: &Rules) -> Result<bool, Trouble> {
        let there = self.to.read(channel).await?;
        let in_force = there.as_ref().and_then(|there| Rules::read(&there.json).ok());
        if in_force.is_some_and(|in_force| in_force == *rules) {
            return Ok(false);
        }
        self.to.write(channel, there.as_ref(), &held.json).await?;
        Ok(true)
    }
}

/// What is wrong with a document, as one text.
fn fault(json: &[u8], channel: &str) -> String {
    match Rules::read(json) {
        Err(faults) => faults.to_string(),
        Ok(rules) => format!("they are for the channel {}, not {channel}", rules.channel),
    }
}
