//! `selvedge breaks push`

use std::{path::PathBuf, process::ExitCode, time::Duration};

use selvedge_breaks::Rules;
use serde_json::{Value, json};

use super::{
    air::{Risk, risks},
    change::Told,
    diff::{InForce, headline},
    document::Document,
    store::{Held, Named, Places, Store},
    words,
};
use crate::cmd::http::Trouble;
use crate::failure::Failure;

/// How often what was written is read back before it counts as lost, and how long lies between: some stores answer a
/// read from a copy that is a moment old.
const READS: u32 = 5;
const BETWEEN_READS: Duration = Duration::from_millis(300);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rules; `-` reads them from standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where they are to be in force; in a folder, as breaks/CHANNEL.json
    #[arg(long, value_name = "origin|cloudflare|fastly|FOLDER", value_parser = Named::read)]
    to: Named,

    #[command(flatten)]
    places: Places,

    /// Go on where a change is too close to air
    #[arg(long)]
    force: bool,

    /// Say what would be done, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// Print an object for programs
    #[arg(long)]
    json: bool,
}

/// How it came out.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Outcome {
    /// The store has them now.
    InForce,
    /// It had them.
    Unchanged,
    /// Nothing was sent: it was not asked for.
    DryRun,
    /// Nothing was sent: a change is too close to air.
    TooClose,
    /// It went wrong, and this is what is in force.
    Failed { why: String, left: Left },
}

/// Which rules are in force after something went wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Left {
    /// The ones from before.
    Old,
    /// Neither the ones from before nor these: somebody else's.
    Other,
    /// The store could not be asked.
    Unknown,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let document = Document::read(&args.file)?;
    let rules = match document.rules() {
        Ok(rules) => rules,
        Err(faults) => {
            if args.json {
                println!("{}", json!({ "outcome": "faults", "faults": faults }));
            } else {
                print!("{}", document.told(&faults));
            }
            return Err(Failure::run(
                args.file.display(),
                "has faults: nothing was sent, and what is in force stays",
            ));
        }
    };
    let store = Store::open(&args.to, &args.places)?;
    let held = store.read(&rules.channel).await.map_err(|error| {
        Failure::run(
            &store,
            format!("{error}: nothing was sent, as what is in force could not be read"),
        )
    })?;
    let push = Push {
        store,
        before: InForce::of(held.as_ref(), &rules.channel),
        held,
        rules,
        json: document.json,
    };
    push.run(&args).await
}

/// Rules on their way to a store.
struct Push {
    store: Store,
    held: Option<Held>,
    before: InForce,
    rules: Rules,
    json: Vec<u8>,
}

impl Push {
    async fn run(&self, args: &Args) -> Result<ExitCode, Failure> {
        let changes = self.before.changes(&self.rules);
        let now = words::now();
        let before = self.before.rules(&self.rules.channel);
        let risks = risks(&changes, &before, &self.rules, now, self.store.propagation());
        if !args.json {
            let changes = &changes;
            print!(
                "{}{}",
                headline(&self.rules, &self.before, changes, &self.store),
                Told { changes, now }
            );
            for risk in &risks {
                println!("  ! {}", risk.told(now));
            }
        }
        let outcome = if self.is_these(&self.before) {
            Outcome::Unchanged
        } else if !risks.is_empty() && !args.force {
            Outcome::TooClose
        } else if args.dry_run {
            Outcome::DryRun
        } else {
            self.send().await
        };
        if args.json {
            let said = json!({
                "channel": self.rules.channel,
                "to": self.store.to_string(),
                "changes": changes,
                "risks": risks,
            });
            println!("{}", outcome.in_json(said));
        }
        self.end(&outcome, &risks, args.json)
    }

    async fn send(&self) -> Outcome {
        let sent = self
            .store
            .write(&self.rules.channel, self.held.as_ref(), &self.json)
            .await;
        match sent {
            Ok(()) => match self.read_back().await {
                Ok(true) => Outcome::InForce,
                Ok(false) => {
                    self.failed("the store took them and does not have them".to_owned())
                        .await
                }
                Err(error) => Outcome::Failed {
                    why: format!("the store took them and cannot be read back: {error}"),
                    left: Left::Unknown,
                },
            },
            // The answer was lost, which is no harm where the rules were not.
            Err(Trouble::Unsure(why)) => match self.read_back().await {
                Ok(true) => Outcome::InForce,
                Ok(false) => self.failed(why).await,
                Err(_) => Outcome::Failed {
                    why,
                    left: Left::Unknown,
                },
            },
            Err(Trouble::Refused(why)) => self.failed(why).await,
        }
    }

    /// Whether the store has these rules, asked some times.
    async fn read_back(&self) -> Result<bool, Trouble> {
        let mut last = Ok(false);
        for read in 0..READS {
            if read > 0 {
                tokio::time::sleep(BETWEEN_READS).await;
            }
            last = self.now_in_force().await.map(|now| self.is_these(&now));
            if matches!(last, Ok(true)) {
                break;
            }
        }
        last
    }

    async fn now_in_force(&self) -> Result<InForce, Trouble> {
        let held = self.store.read(&self.rules.channel).await?;
        Ok(InForce::of(held.as_ref(), &self.rules.channel))
    }

    fn is_these(&self, now: &InForce) -> bool {
        matches!(now, InForce::Good(rules) if **rules == self.rules)
    }

    async fn failed(&self, why: String) -> Outcome {
        let left = match (self.now_in_force().await, &self.before) {
            (Err(_), _) => Left::Unknown,
            (Ok(InForce::Good(now)), InForce::Good(before)) if now == *before => Left::Old,
            (Ok(InForce::Nothing), InForce::Nothing) | (Ok(InForce::Bad(_)), InForce::Bad(_)) => Left::Old,
            (Ok(_), _) => Left::Other,
        };
        Outcome::Failed { why, left }
    }

    /// The last line, and the exit code.
    fn end(&self, outcome: &Outcome, risks: &[Risk], is_json: bool) -> Result<ExitCode, Failure> {
        let (channel, store) = (&self.rules.channel, &self.store);
        let said = match outcome {
            Outcome::InForce => {
                let everywhere = match store.propagation() {
                    selvedge_breaks::Micros::ZERO => String::new(),
                    propagation => format!(", and everywhere in {}", words::length(propagation)),
                };
                format!("{channel}: in force at {store}{everywhere}")
            }
            Outcome::Unchanged => format!("{channel}: nothing to send"),
            Outcome::DryRun => format!("{channel}: nothing was sent, as --dry-run says"),
            Outcome::TooClose => {
                let count = words::count(risks.len(), "break", "breaks");
                return Err(Failure::run(
                    channel,
                    format!("nothing was sent: {count} too close to air; --force sends it all the same"),
                ));
            }
            Outcome::Failed { why, left } => {
                return Err(Failure::run(store, format!("{why}; {}", self.left(*left))));
            }
        };
        if !is_json {
            println!("{said}");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn left(&self, left: Left) -> String {
        match (left, &self.before) {
            (Left::Old, InForce::Good(_)) => "the rules from before are still in force".to_owned(),
            (Left::Old, InForce::Bad(_)) => "the document from before is still there".to_owned(),
            (Left::Old, InForce::Nothing) => "there are still no rules in force".to_owned(),
            (Left::Other, _) => {
                "in force are now other rules than these and those from before: look at `selvedge breaks diff`"
                    .to_owned()
            }
            (Left::Unknown, _) => {
                "which rules are in force is not known: ask again with `selvedge breaks diff`".to_owned()
            }
        }
    }
}

impl Outcome {
    fn in_json(&self, mut said: Value) -> Value {
        let (word, in_force) = match self {
            Self::InForce => ("pushed", "new"),
            Self::Unchanged => ("unchanged", "new"),
            Self::DryRun => ("dry-run", "old"),
            Self::TooClose => ("too-close", "old"),
            Self::Failed { left, .. } => (
                "failed",
                match left {
                    Left::Old => "old",
                    Left::Other => "other",
                    Left::Unknown => "unknown",
                },
            ),
        };
        if let Some(members) = said.as_object_mut() {
            members.insert("outcome".into(), word.into());
            members.insert("in_force".into(), in_force.into());
            if let Self::Failed { why, .. } = self {
                members.insert("why".into(), why.as_str().into());
            }
        }
        said
    }
}
