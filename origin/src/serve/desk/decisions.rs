//! `GET /decisions/<channel>/<break>/<cohort>`: what fills a break for a cohort, decided once and for good.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use selvedge_breaks::{
    BreakId, Micros,
    log::{Break, State as Stands},
    rules::Fill,
};

use super::super::answer::{Freshness, object};
use super::super::{Named, Origin, cell::Cell};
use super::Tally;
use crate::Error;
use crate::decide::{Stock, Wanted};
use crate::store::DECISIONS;

pub(super) async fn decision(
    State(origin): State<Origin>,
    Named((channel, id, cohort)): Named<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let unknown = || Error::UnknownBreak {
        channel: channel.clone(),
        id: id.clone(),
    };
    let known = BreakId::try_from(id.clone()).map_err(|_| unknown())?;
    if !is_cohort(&cohort) {
        return Err(unknown());
    }
    let decision = origin.decision(&channel, &known, &cohort).await?;
    let decision = decision.ok_or_else(unknown)?;
    let name = format!("{id}-{cohort}");
    Ok(origin.public(object(
        &headers,
        decision,
        "application/json",
        Freshness::Immutable,
        &name,
    )))
}

impl Origin {
    /// The decision of a break for a cohort, made now if there is none; `None` where there is no such break.
    async fn decision(&self, channel: &str, id: &BreakId, cohort: &str) -> Result<Option<Bytes>, Error> {
        if let Some(sent) = self.0.desk.sent(id, cohort) {
            return Ok(Some(sent));
        }
        let file = format!("{cohort}.json");
        let path = [DECISIONS, channel, id.as_str(), &file];
        if let Some(kept) = self.0.store.read(&path).await? {
            self.0.desk.note(channel, id, cohort, &kept);
            return Ok(Some(kept));
        }
        self.know_creatives(channel).await?;
        let Some(made) = self
            .cell(channel)
            .ok()
            .and_then(|cell| self.decide(&cell, id, cohort))
        else {
            return Ok(None);
        };
        let made = match self.0.store.create(&path, made.clone()).await? {
            true => {
                Tally::count(&self.0.desk.counts.decisions, 1);
                tracing::info!(channel, %id, cohort, reason = "decision", "break decided");
                made
            }
            // Somebody else was first: theirs it is.
            false => self.0.store.read(&path).await?.unwrap_or(made),
        };
        self.0.desk.note(channel, id, cohort, &made);
        Ok(Some(made))
    }

    /// Reads the creatives of a channel's rules that were given to another origin on the same store.
    async fn know_creatives(&self, channel: &str) -> Result<(), Error> {
        let Some(ruled) = self.0.desk.rules(channel) else {
            return Ok(());
        };
        let (fill, positions) = (&ruled.rules.fill, &ruled.rules.positions);
        let pods = positions.iter().flat_map(|position| &position.pod);
        for item in fill.pod.iter().chain(&fill.slate).chain(pods) {
            self.creative(item.creative.as_str()).await?;
        }
        Ok(())
    }

    /// Decides what fills a break for a cohort, with what is there now.
    fn decide(&self, cell: &Cell, id: &BreakId, cohort: &str) -> Option<Bytes> {
        let (structure, fill) = {
            let channel = cell.lock();
            let rules = channel.rules();
            let fill = rules.map(|rules| rules.fill.clone()).unwrap_or_default();
            let logged = channel.break_log()?.breaks().iter().find(|one| one.id == *id);
            match logged {
                Some(one) => {
                    let is_shown = one.state.is_aired() && !is_exempt(one, cohort);
                    (is_shown.then(|| one.structure.clone())?, fill)
                }
                None if rules.is_some_and(|rules| rules.exempts(cohort)) => return None,
                None => {
                    let (structure, pod) = channel.insertion(id)?;
                    (structure, Fill { pod, ..fill })
                }
            }
        };
        let stock = Stock {
            fill: &fill,
            creatives: &self.0.desk.creatives(),
            renditions: &Wanted::of(&cell.snapshot()),
        };
        let (decision, unfilled) = stock.decide(id, cohort, &structure);
        Tally::count(&self.0.desk.counts.unfilled, unfilled.len());
        for one in unfilled {
            let (channel, slot, creative) = (&cell.name, one.slot, one.creative);
            tracing::warn!(channel, %id, cohort, slot, creative, reason = "unfilled", "{}", one.reason);
        }
        serde_json::to_vec(&decision).ok().map(Bytes::from)
    }

    /// Decides breaks that are near and not decided, the nearest first and a few at a time, so that no edge waits and no
    /// ad server is asked for many at once.
    pub(in super::super) async fn decide_ahead(&self, cell: &Cell) {
        let near: Vec<Break> = {
            let channel = cell.lock();
            let Some((log, edge)) = channel.break_log().zip(channel.edge()) else {
                return;
            };
            let is_near = |one: &&Break| match one.state {
                Stands::Announced => one.out.since(edge) <= AHEAD,
                Stands::Open => true,
                _ => false,
            };
            log.aired().filter(is_near).cloned().collect()
        };
        let asked = self.0.desk.asked(&cell.name);
        let mut wanted = Vec::new();
        for one in &near {
            let is_open =
                |cohort: &&String| self.0.desk.sent(&one.id, cohort).is_none() && !is_exempt(one, cohort);
            let open = asked.iter().filter(is_open);
            wanted.extend(open.map(|cohort| (&one.id, cohort)));
        }
        wanted.truncate(AT_ONCE);
        for (id, cohort) in wanted {
            if let Err(error) = self.decision(&cell.name, id, cohort).await {
                tracing::error!(channel = cell.name, %id, cohort, reason = "decision", %error, "break not decided");
            }
        }
    }
}

impl super::Desk {
    fn sent(&self, id: &BreakId, cohort: &str) -> Option<Bytes> {
        let key = (id.clone(), cohort.to_owned());
        self.decided().sent.get(&key).cloned()
    }

    fn note(&self, channel: &str, id: &BreakId, cohort: &str, decision: &Bytes) {
        let mut decided = self.decided();
        let of_channel = decided.cohorts.entry(channel.to_owned()).or_default();
        of_channel
            .entry(id.clone())
            .or_default()
            .insert(cohort.to_owned());
        if decided.sent.len() >= MAX_SENT {
            // Some are read from the store again.
            decided.sent.pop_first();
        }
        decided
            .sent
            .insert((id.clone(), cohort.to_owned()), decision.clone());
    }

    /// The cohorts that are asked for on a channel: everybody, and those of its newest breaks.
    fn asked(&self, channel: &str) -> Vec<String> {
        let decided = self.decided();
        let newest = decided.cohorts.get(channel).into_iter().flat_map(|breaks| {
            let newest = breaks.values().rev().take(NEWEST);
            newest.flatten()
        });
        let mut asked: Vec<String> = newest.cloned().chain([EVERYBODY.to_owned()]).collect();
        asked.sort();
        asked.dedup();
        asked.truncate(MAX_COHORTS);
        asked
    }

    /// Forgets the decisions of a break that is long over.
    pub(super) fn forget(&self, channel: &str, id: &BreakId) {
        let mut decided = self.decided();
        if let Some(of_channel) = decided.cohorts.get_mut(channel) {
            of_channel.remove(id);
        }
        decided.sent.retain(|(sent, _), _| sent != id);
    }

    /// Forgets the decisions of a channel that is over.
    pub(in super::super) fn forget_channel(&self, channel: &str) {
        let mut decided = self.decided();
        let gone = decided.cohorts.remove(channel).unwrap_or_default();
        decided.sent.retain(|(sent, _), _| !gone.contains_key(sent));
    }
}

/// Whether a break leaves a cohort with the programme: nothing is decided for it.
fn is_exempt(one: &Break, cohort: &str) -> bool {
    one.exempt.iter().any(|exempt| exempt.as_str() == cohort)
}

/// What is safe in a path and in a file's name.
fn is_cohort(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_COHORT).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_letter)
}

/// The cohort of a site that has no others.
const EVERYBODY: &str = "all";
const MAX_COHORT: usize = 64;
const MAX_COHORTS: usize = 64;
/// Breaks whose cohorts are decided for ahead of the next one.
const NEWEST: usize = 4;
/// How long before its begin a break is decided.
const AHEAD: Micros = Micros::from_seconds(120);
/// Decisions that are made in one round of a channel.
const AT_ONCE: usize = 8;
/// Decisions that are kept at hand.
const MAX_SENT: usize = 1024;
