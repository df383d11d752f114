//! What is different between two documents of rules, in words of breaks.

use std::fmt;

use selvedge_breaks::{
    Micros, Rules, UnixMicros,
    rules::{At, Item, Planned, Position, Rest, Restriction},
};
use serde::Serialize;

use super::words;

/// One thing that is different.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(super) enum Change {
    /// A break of the schedule that was not there.
    Added {
        #[serde(flatten)]
        planned: Planned,
    },
    /// A break of the schedule that begins at another time, and may have another length.
    Moved { from: Planned, to: Planned },
    /// A break of the schedule that has another length.
    Resized { from: Planned, to: Planned },
    /// A break of the schedule that is not there any more.
    Cancelled {
        #[serde(flatten)]
        planned: Planned,
    },
    /// A break at a place of an asset: new, gone, elsewhere or with other ads.
    Position {
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Position>,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<Position>,
    },
    /// The static pod.
    Pod { from: Vec<Item>, to: Vec<Item> },
    /// What stands where no ad does.
    Slate { from: Option<Item>, to: Option<Item> },
    /// What follows the last ad.
    Rest { from: Rest, to: Rest },
    /// The server that chooses pods.
    AdServer {
        from: Option<String>,
        to: Option<String>,
    },
    /// The messages that open a break.
    Openers {
        added: Vec<&'static str>,
        removed: Vec<&'static str>,
    },
    /// A limit of lengths, by the name that it has in the document.
    Length {
        limit: &'static str,
        from_ms: i64,
        to_ms: i64,
    },
    /// A way in which breaks end, by the name that it has in the document.
    Return { way: &'static str, to: bool },
    /// What a viewer may not do.
    Restrictions {
        from: Vec<Restriction>,
        to: Vec<Restriction>,
    },
    /// Cohorts that stay with the programme.
    Exempt {
        added: Vec<String>,
        removed: Vec<String>,
    },
}

/// All that `to` has otherwise than `from`: breaks in the order in which they begin, then what fills them, then the rest.
pub(super) fn changes(from: &Rules, to: &Rules) -> Vec<Change> {
    let mut changes = scheduled(from, to);
    changes.extend(placed(from, to));
    changes.extend(filled(from, to));
    changes.extend(ruled(from, to));
    changes
}

fn scheduled(from: &Rules, to: &Rules) -> Vec<Change> {
    let named = |rules: &Rules, one: &Planned| {
        rules
            .schedule
            .iter()
            .find(|other| other.name == one.name)
            .cloned()
    };
    let mut changes: Vec<(UnixMicros, Change)> = Vec::new();
    for planned in &to.schedule {
        let change = match named(from, planned) {
            None => Change::Added {
                planned: planned.clone(),
            },
            Some(before) if before.at != planned.at => Change::Moved {
                from: before,
                to: planned.clone(),
            },
            Some(before) if before.duration != planned.duration => Change::Resized {
                from: before,
                to: planned.clone(),
            },
            Some(_) => continue,
        };
        changes.push((planned.at, change));
    }
    let gone = from.schedule.iter().filter(|one| named(to, one).is_none());
    changes.extend(gone.map(|planned| {
        let planned = planned.clone();
        (planned.at, Change::Cancelled { planned })
    }));
    changes.sort_by_key(|(at, _)| *at);
    changes.into_iter().map(|(_, change)| change).collect()
}

fn placed(from: &Rules, to: &Rules) -> Vec<Change> {
    let named = |rules: &Rules, one: &Position| {
        rules
            .positions
            .iter()
            .find(|other| other.name == one.name)
            .cloned()
    };
    let gone = from.positions.iter().filter(|one| named(to, one).is_none());
    let gone = gone.map(|one| (Some(one.clone()), None));
    let there = to
        .positions
        .iter()
        .map(|one| (named(from, one), Some(one.clone())));
    there
        .chain(gone)
        .filter(|(from, to)| from != to)
        .map(|(from, to)| Change::Position { from, to })
        .collect()
}

fn filled(from: &Rules, to: &Rules) -> Vec<Change> {
    let (before, after) = (&from.fill, &to.fill);
    let mut changes = Vec::new();
    if before.pod != after.pod {
        changes.push(Change::Pod {
            from: before.pod.clone(),
            to: after.pod.clone(),
        });
    }
    if before.slate != after.slate {
        changes.push(Change::Slate {
            from: before.slate.clone(),
            to: after.slate.clone(),
        });
    }
    if before.rest != after.rest {
        changes.push(Change::Rest {
            from: before.rest,
            to: after.rest,
        });
    }
    if before.ad_server != after.ad_server {
        changes.push(Change::AdServer {
            from: before.ad_server.clone(),
            to: after.ad_server.clone(),
        });
    }
    changes
}

fn ruled(from: &Rules, to: &Rules) -> Vec<Change> {
    let mut changes = Vec::new();
    let (before, after): (Vec<_>, Vec<_>) = (from.openers.names().collect(), to.openers.names().collect());
    if before != after {
        changes.push(Change::Openers {
            added: without(&after, &before),
            removed: without(&before, &after),
        });
    }
    let (before, after) = (from.lengths, to.lengths);
    for (limit, from, to) in [
        ("default_ms", before.unsaid, after.unsaid),
        ("min_ms", before.min, after.min),
        ("max_ms", before.max, after.max),
        ("overrun_ms", before.overrun, after.overrun),
        ("late_ms", before.late, after.late),
    ] {
        if from != to {
            changes.push(Change::Length {
                limit,
                from_ms: from.0 / 1000,
                to_ms: to.0 / 1000,
            });
        }
    }
    let (before, after) = (from.returns, to.returns);
    for (way, from, to) in [
        ("early", before.early, after.early),
        ("on_plan", before.on_plan, after.on_plan),
        ("with_programme", before.with_programme, after.with_programme),
    ] {
        if from != to {
            changes.push(Change::Return { way, to });
        }
    }
    if from.restrictions != to.restrictions {
        changes.push(Change::Restrictions {
            from: from.restrictions.clone(),
            to: to.restrictions.clone(),
        });
    }
    let cohorts = |rules: &Rules| -> Vec<String> { rules.exempt.iter().map(ToString::to_string).collect() };
    let (before, after) = (cohorts(from), cohorts(to));
    let (added, removed) = (without(&after, &before), without(&before, &after));
    if !added.is_empty() || !removed.is_empty() {
        changes.push(Change::Exempt { added, removed });
    }
    changes
}

fn without<T: Clone + PartialEq>(all: &[T], those: &[T]) -> Vec<T> {
    all.iter().filter(|one| !those.contains(one)).cloned().collect()
}

impl Change {
    /// Whether it changes what is in breaks that stay where they are.
    pub(super) const fn is_of_fill(&self) -> bool {
        matches!(
            self,
            Self::Pod { .. } | Self::Slate { .. } | Self::Rest { .. } | Self::AdServer { .. }
        )
    }

    /// The letter in front of the line: `+`, `-`, `>` or `~`.
    const fn mark(&self) -> char {
        match self {
            Self::Added { .. } | Self::Position { from: None, .. } => '+',
            Self::Cancelled { .. } | Self::Position { to: None, .. } => '-',
            Self::Moved { .. } => '>',
            _ => '~',
        }
    }

    fn subject(&self) -> &str {
        match self {
            Self::Added { planned } | Self::Cancelled { planned } => planned.name.as_str(),
            Self::Moved { to, .. } | Self::Resized { to, .. } => to.name.as_str(),
            Self::Position { from, to } => to.as_ref().or(from.as_ref()).map_or("", |one| one.name.as_str()),
            Self::Pod { .. } | Self::Slate { .. } | Self::Rest { .. } | Self::AdServer { .. } => "fill",
            Self::Openers { .. } => "openers",
            Self::Length { .. } => "lengths",
            Self::Return { .. } => "returns",
            Self::Restrictions { .. } => "viewers",
            Self::Exempt { .. } => "exempt",
        }
    }
}

/// Changes, a line each, for people who look at the clock.
pub(super) struct Told<'c> {
    pub(super) changes: &'c [Change],
    pub(super) now: UnixMicros,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.changes.iter().map(|change| change.subject().chars().count());
        let width = longest.max().unwrap_or(0);
        for change in self.changes {
            let subject = change.subject();
            writeln!(f, "  {} {subject:width$}  {}", change.mark(), self.words(change))?;
        }
        Ok(())
    }
}

impl Told<'_> {
    fn words(&self, change: &Change) -> String {
        let when = |at: UnixMicros| format!("{} ({})", words::moment(at), words::from_now(at, self.now));
        match change {
            Change::Added { planned } => {
                format!(
                    "is new: {}, for {}",
                    when(planned.at),
                    words::length(planned.duration)
                )
            }
            Change::Cancelled { planned } => format!(
                "is cancelled: {}, for {}",
                when(planned.at),
                words::length(planned.duration)
            ),
            Change::Moved { from, to } => {
                let before = if words::day(from.at) == words::day(to.at) {
                    words::clock(from.at)
                } else {
                    words::moment(from.at)
                };
                let shift = to.at.since(from.at);
                let (by, direction) = (words::length(Micros(shift.0.abs())), direction(shift));
                let mut text = format!("moves from {before} to {}, {by} {direction}", when(to.at));
                if from.duration != to.duration {
                    text += &format!("; {}", resized(from.duration, to.duration));
                }
                text
            }
            Change::Resized { from, to } => {
                format!("at {}: {}", when(to.at), resized(from.duration, to.duration))
            }
            Change::Position { from, to } => match (from, to) {
                (None, Some(to)) => format!("is new in the asset: {}, {}", place(to.at), own_pod(to)),
                (Some(from), None) => format!("is taken from the asset: {}", place(from.at)),
                (Some(from), Some(to)) if from.at != to.at => {
                    let moved = format!("moves in the asset: {} → {}", place(from.at), place(to.at));
                    match from.pod == to.pod {
                        true => moved,
                        false => format!("{moved}; {} → {}", own_pod(from), own_pod(to)),
                    }
                }
                (Some(from), Some(to)) => {
                    format!(
                        "{} in the asset: {} → {}",
                        place(to.at),
                        own_pod(from),
                        own_pod(to)
                    )
                }
                (None, None) => String::new(),
            },
            Change::Pod { from, to } => format!("pod: {} → {}", pod(from), pod(to)),
            Change::Slate { from, to } => format!("slate: {} → {}", slate(from.as_ref()), slate(to.as_ref())),
            Change::Rest { from, to } => format!("behind the last ad: {} → {}", rest(*from), rest(*to)),
            Change::AdServer { from, to } => {
                let named = |server: &Option<String>| server.clone().unwrap_or_else(|| "none".to_owned());
                format!("ad server: {} → {}", named(from), named(to))
            }
            Change::Openers { added, removed } => {
                let mut said = Vec::new();
                if !added.is_empty() {
                    said.push(format!("{} now open breaks", added.join(", ")));
                }
                if !removed.is_empty() {
                    said.push(format!("{} no longer open breaks", removed.join(", ")));
                }
                said.join("; ")
            }
            Change::Length {
                limit,
                from_ms,
                to_ms,
            } => {
                let said = |millis: i64| words::length(Micros::from_millis(millis));
                format!("{limit}: {} → {}", said(*from_ms), said(*to_ms))
            }
            Change::Return { way, to } => {
                let what = match *way {
                    "early" => "before their plan is over",
                    "on_plan" => "by themselves when their plan is over",
                    _ => "with the programme or the network",
                };
                format!("breaks {} end {what}", if *to { "now" } else { "no longer" })
            }
            Change::Restrictions { from, to } => {
                format!(
                    "may not in a break: {} → {}",
                    restrictions(from),
                    restrictions(to)
                )
            }
            Change::Exempt { added, removed } => {
                let mut said = Vec::new();
                if !added.is_empty() {
                    said.push(format!("{} now stay with the programme", added.join(", ")));
                }
                if !removed.is_empty() {
                    said.push(format!("{} now get breaks", removed.join(", ")));
                }
                said.join("; ")
            }
        }
    }
}

const fn direction(shift: Micros) -> &'static str {
    if shift.0 > 0 { "later" } else { "earlier" }
}

fn resized(from: Micros, to: Micros) -> String {
    format!("{} instead of {}", words::length(to), words::length(from))
}

fn item(item: &Item) -> String {
    format!("{} ({})", item.creative, words::length(item.duration))
}

fn pod(pod: &[Item]) -> String {
    if pod.is_empty() {
        return "no ads".to_owned();
    }
    pod.iter().map(item).collect::<Vec<_>>().join(", ")
}

/// Where a break is in an asset.
fn place(at: At) -> String {
    match at {
        At::Start => "at its start".to_owned(),
        At::Offset(offset) => format!("at {}", words::length(offset)),
        At::End => "at its end".to_owned(),
    }
}

/// The ads of a break in an asset.
fn own_pod(position: &Position) -> String {
    if position.pod.is_empty() {
        return "the pod of the rules".to_owned();
    }
    pod(&position.pod)
}

fn slate(slate: Option<&Item>) -> String {
    slate.map_or_else(|| "none".to_owned(), item)
}

const fn rest(rest: Rest) -> &'static str {
    match rest {
        Rest::Resume => "the programme",
        Rest::Slate => "slate",
        Rest::Wait => "nothing",
    }
}

fn restrictions(restrictions: &[Restriction]) -> String {
    if restrictions.is_empty() {
        return "anything".to_owned();
    }
    let word = |one: &Restriction| match one {
        Restriction::Skip => "skip",
        Restriction::Jump => "jump over it",
    };
    restrictions.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
