//! `GET /channels/<channel>/breaks`: what was, is and will be on air.

use axum::extract::State;
use axum::response::Response;
use selvedge_breaks::{
    BreakId, Key, Name, Source, UnixMicros,
    log::{Break, State as Stands},
    rules::{Fill, Planned},
};
use serde::Serialize;

use super::super::answer::text;
use super::super::{Named, Origin, cell::Cell};
use super::guard::Operator;
use crate::Error;
use crate::media::Channel;

/// The breaks of a channel.
#[derive(Debug, Serialize)]
struct Listing<'c> {
    version: u32,
    channel: &'c str,
    edge_us: Option<UnixMicros>,
    /// A change is to be made so long before a break begins, lest media goes past it meanwhile.
    lead_us: i64,
    breaks: Vec<Shown>,
}

/// A break as ad operations see it.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    id: String,
    event: String,
    source: Source,
    state: &'static str,
    out_us: UnixMicros,
    planned_us: i64,
    in_us: Option<UnixMicros>,
    slots: Vec<Filled>,
    decisions: Vec<String>,
    /// Cohorts that it leaves with the programme.
    exempt: Vec<Name>,
    reason: Option<&'static str>,
}

/// What a slot is filled with.
#[derive(Debug, Serialize)]
struct Filled {
    creative: Option<String>,
    duration_us: i64,
}

pub(super) async fn list(
    _: Operator,
    State(origin): State<Origin>,
    Named(channel): Named<String>,
) -> Result<Response, Error> {
    let cell = origin.cell(&channel)?;
    let listing = {
        let state = cell.lock();
        let mut breaks: Vec<Shown> = state
            .break_log()
            .into_iter()
            .flat_map(|log| log.breaks())
            .map(|one| shown(&origin, &cell, &state, one))
            .collect();
        breaks.extend(
            planned(&state)
                .into_iter()
                .map(|one| to_come(&channel, &state, &one)),
        );
        breaks.sort_by_key(|one| one.out_us);
        Listing {
            version: 1,
            channel: &channel,
            edge_us: state.edge(),
            lead_us: state.cadence().unwrap_or_default().0,
            breaks,
        }
    };
    let json = serde_json::to_string(&listing).unwrap_or_default();
    Ok(text(json, "application/json"))
}

/// A break of the log as ad operations see it.
pub(super) fn shown(origin: &Origin, cell: &Cell, channel: &Channel, one: &Break) -> Shown {
    let fill = channel.rules().map(|rules| &rules.fill);
    let pod = |index: usize| fill.and_then(|fill: &Fill| fill.pod.get(index));
    let slots = one
        .structure
        .slots
        .iter()
        .enumerate()
        .map(|(index, slot)| Filled {
            creative: pod(index).map(|item| item.creative.to_string()),
            duration_us: slot.length().0,
        });
    let (state, reason) = match one.state {
        Stands::Announced => ("announced", None),
        Stands::Open => ("open", None),
        Stands::Ended => ("ended", None),
        Stands::Cancelled => ("cancelled", None),
        Stands::Void => ("void", Some("it was known too late: the programme stayed on air")),
        Stands::Nested => ("void", Some("it lies inside another break")),
        Stands::Point => ("void", Some("it has no length: nothing is replaced")),
    };
    Shown {
        id: one.id.to_string(),
        event: one.key.to_string(),
        source: one.source,
        state,
        out_us: one.out,
        planned_us: one.planned.0,
        in_us: one.t_in(),
        slots: slots.collect(),
        decisions: origin.0.desk.cohorts(&cell.name, &one.id),
        exempt: one.exempt.clone(),
        reason,
    }
}

/// The breaks of the schedule that the log has not heard of yet.
pub(super) fn planned(channel: &Channel) -> Vec<Planned> {
    let schedule = channel.rules().map(|rules| rules.schedule.clone());
    let edge = channel.edge();
    let is_known = |one: &Planned| {
        let key = Key::Named(one.name.clone());
        let breaks = channel.break_log().into_iter().flat_map(|log| log.breaks());
        breaks
            .filter(|known| known.key == key)
            .any(|known| known.source == Source::Api || near(known.signalled, one.at))
    };
    let mut schedule = schedule.unwrap_or_default();
    schedule.retain(|one| edge.is_none_or(|edge| one.at >= edge) && !is_known(one));
    schedule
}

/// The id that a break of the schedule has until the log hears of it.
pub(super) fn planned_id(channel: &str, one: &Planned) -> BreakId {
    BreakId::new(channel, one.at, &Key::Named(one.name.clone()))
}

fn to_come(name: &str, channel: &Channel, one: &Planned) -> Shown {
    let fill = channel.rules().map(|rules| &rules.fill);
    let structure = fill.zip(channel.cadence()).map(|(fill, cadence)| {
        let structure = fill.layout(cadence).structure(one.duration);
        let items = fill.pod.iter().map(|item| item.creative.to_string());
        (structure, items.collect::<Vec<_>>())
    });
    let (structure, items) = structure.unwrap_or_default();
    let slots = structure.slots.iter().zip(items).map(|(slot, creative)| Filled {
        creative: Some(creative),
        duration_us: slot.length().0,
    });
    Shown {
        id: planned_id(name, one).to_string(),
        event: Key::Named(one.name.clone()).to_string(),
        source: Source::Schedule,
        state: "announced",
        out_us: one.at,
        planned_us: one.duration.0,
        in_us: Some(one.at.plus(one.duration)),
        slots: slots.collect(),
        decisions: Vec::new(),
        exempt: channel
            .rules()
            .map(|rules| rules.exempt.clone())
            .unwrap_or_default(),
        reason: None,
    }
}

/// Within the longest segment that there is.
fn near(one: UnixMicros, other: UnixMicros) -> bool {
    one.since(other).0.abs() <= 60_000_000
}
