//! Breaks by hand: one more, another time, none after all.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::StatusCode;
use selvedge_breaks::{
    Ask, BreakId, Cue, Key, Micros, Name, Source, UnixMicros, When,
    log::{Break, State as Stands},
};
use serde::Deserialize;
use serde_json::Value;

use super::super::answer::text;
use super::super::{Named, Origin, cell::Cell};
use super::guard::Operator;
use super::{hear, list};
use crate::Error;
use crate::media::Channel;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    at: Option<String>,
    duration_ms: Option<i64>,
    name: Option<String>,
}

pub(super) async fn add(
    _: Operator,
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    json: Bytes,
) -> Result<Response, Error> {
    let cell = origin.cell(&channel)?;
    let wish = Wish::read(&json)?;
    let planned = wish
        .duration()?
        .ok_or_else(|| Error::fault("/duration_ms", "is missing"))?;
    let cue = {
        let state = cell.lock();
        let edge = on_air(&state, &channel)?;
        let at = wish
            .begin(&state, edge)?
            .ok_or_else(|| Error::fault("/at", "is missing"))?;
        let name = match &wish.name {
            Some(name) => Name::new(name),
            None => Name::of(&format!("at-{}", at.millis())),
        };
        let name = name.ok_or_else(|| {
            Error::fault(
                "/name",
                "is none: expected letters, digits and . _ : - alone, at most 64 of them",
            )
        })?;
        let key = Key::Named(name);
        let is_taken = |one: &Break| one.key == key && one.state.is_live();
        if breaks(&state).any(is_taken) {
            return Err(conflict(format!(
                "a break with the name {key} is coming or on air"
            )));
        }
        is_free(&state, None, at, planned)?;
        out(key, at, planned)
    };
    origin.hear(&cell, core::slice::from_ref(&cue)).await?;
    answer(&origin, &cell, &cue.key, StatusCode::CREATED)
}

pub(super) async fn change(
    _: Operator,
    State(origin): State<Origin>,
    Named((channel, id)): Named<(String, String)>,
    json: Bytes,
) -> Result<Response, Error> {
    let cell = origin.cell(&channel)?;
    let wish = Wish::read(&json)?;
    if wish.name.is_some() {
        return Err(Error::fault(
            "/name",
            "stays as it is: cancel the break and make another",
        ));
    }
    let cue = {
        let state = cell.lock();
        let edge = on_air(&state, &channel)?;
        let (key, known_at, known_length, source) = found(&state, &channel, &id)?;
        if matches!(source, Source::Scte35 | Source::Hls) {
            return Err(conflict(
                "the break is signalled in the feed, which would move it back: cancel it instead".to_owned(),
            ));
        }
        let at = wish.begin(&state, edge)?.unwrap_or(known_at);
        let planned = wish.duration()?.unwrap_or(known_length);
        is_free(&state, Some(&key), at, planned)?;
        out(key, at, planned)
    };
    origin.hear(&cell, core::slice::from_ref(&cue)).await?;
    answer(&origin, &cell, &cue.key, StatusCode::OK)
}

pub(super) async fn cancel(
    _: Operator,
    State(origin): State<Origin>,
    Named((channel, id)): Named<(String, String)>,
) -> Result<StatusCode, Error> {
    let cell = origin.cell(&channel)?;
    let cues = {
        let state = cell.lock();
        on_air(&state, &channel)?;
        let known = BreakId::try_from(id.clone()).ok();
        let open = breaks(&state).find(|one| Some(&one.id) == known.as_ref() && one.state == Stands::Open);
        match open {
            Some(one) => vec![match one.key {
                // A cancellation without a name would be of all breaks without one.
                Key::Nameless => Cue {
                    ask: Ask::In,
                    ..hear::off(Key::Nameless)
                },
                ref key => hear::off(key.clone()),
            }],
            None => {
                let (key, ..) = found(&state, &channel, &id)?;
                let name = key.clone();
                let is_of = |one: &selvedge_breaks::rules::Planned| Key::Named(one.name.clone()) == name;
                let rules = state
                    .rules()
                    .map(|rules| rules.schedule.clone())
                    .unwrap_or_default();
                // Of a schedule it is to be known that this begin is called off, or it would be heard again.
                let heard = rules
                    .iter()
                    .filter(|one| is_of(one))
                    .map(selvedge_breaks::rules::Planned::cue);
                let edge = state.edge().unwrap_or_default();
                let coming = heard.filter(|cue| matches!(cue.at, When::At(at) if at > edge));
                let mut cues = vec![hear::off(key.clone())];
                cues.extend(coming.flat_map(|cue| [cue, hear::off(key.clone())]));
                cues
            }
        }
    };
    origin.hear(&cell, &cues).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Wish {
    fn read(json: &[u8]) -> Result<Self, Error> {
        let value: Value =
            serde_json::from_slice(json).map_err(|error| Error::fault("", error.to_string()))?;
        serde_json::from_value(value).map_err(|error| Error::fault("", error.to_string()))
    }

    fn duration(&self) -> Result<Option<Micros>, Error> {
        let Some(ms) = self.duration_ms else {
            return Ok(None);
        };
        match Some(Micros::from_millis(ms)).filter(|_| (MIN_MS..=MAX_MS).contains(&ms)) {
            Some(length) => Ok(Some(length)),
            None => Err(Error::fault(
                "/duration_ms",
                format!("is {ms}: expected {MIN_MS} to {MAX_MS}, in milliseconds"),
            )),
        }
    }

    /// When it is to begin: where a segment does, and not before anybody could know of it.
    fn begin(&self, channel: &Channel, edge: UnixMicros) -> Result<Option<UnixMicros>, Error> {
        let Some(at) = &self.at else { return Ok(None) };
        let soonest = edge.plus(SOON);
        let asked = match at.as_str() {
            "now" => soonest,
            text => UnixMicros::read(text).ok_or_else(|| {
                Error::fault(
                    "/at",
                    format!("is {text:?}: expected `now`, or a date and time such as 2026-11-21T12:00:00Z"),
                )
            })?,
        };
        if asked < edge {
            return Err(conflict(format!(
                "media is published up to {edge}: it is too late for {asked}"
            )));
        }
        Ok(channel.boundary_near(asked, soonest).or(Some(asked)))
    }
}

/// Up to when media is published.
fn on_air(channel: &Channel, name: &str) -> Result<UnixMicros, Error> {
    if channel.rules().is_none() {
        return Err(Error::UnknownRules {
            channel: name.to_owned(),
        });
    }
    channel.edge().ok_or_else(|| Error::ChannelStarting {
        channel: name.to_owned(),
        waiting_for: "the first segments".to_owned(),
    })
}

fn breaks(channel: &Channel) -> impl Iterator<Item = &Break> {
    channel.break_log().into_iter().flat_map(|log| log.breaks())
}

/// A break that has not begun: of the log, or of the schedule that this has not heard of yet.
fn found(channel: &Channel, name: &str, id: &str) -> Result<(Key, UnixMicros, Micros, Source), Error> {
    let unknown = || Error::UnknownBreak {
        channel: name.to_owned(),
        id: id.to_owned(),
    };
    let known = BreakId::try_from(id.to_owned()).map_err(|_| unknown())?;
    // Of several of one id the newest counts: one that was called off may stand beside it.
    let mut of_id: Vec<&Break> = breaks(channel).filter(|one| one.id == known).collect();
    of_id.sort_by_key(|one| one.state != Stands::Announced);
    if let Some(one) = of_id.first() {
        return match one.state {
            Stands::Announced => Ok((one.key.clone(), one.out, one.planned, one.source)),
            state => Err(conflict(format!("the break is {}", told(state)))),
        };
    }
    let coming = list::planned(channel);
    let planned = coming.iter().find(|one| list::planned_id(name, one) == known);
    let planned = planned.ok_or_else(unknown)?;
    let key = Key::Named(planned.name.clone());
    Ok((key, planned.at, planned.duration, Source::Schedule))
}

const fn told(state: Stands) -> &'static str {
    match state {
        Stands::Announced => "announced",
        Stands::Open => "on air: only its end can change",
        Stands::Ended => "over",
        Stands::Cancelled => "called off already",
        Stands::Void => "void",
        Stands::Nested => "inside another break",
        Stands::Point => "a point",
    }
}

/// Refuses a break that would overlap another.
fn is_free(channel: &Channel, but: Option<&Key>, at: UnixMicros, planned: Micros) -> Result<(), Error> {
    let end = at.plus(planned);
    let overlaps =
        |one: &&Break| one.state.is_live() && Some(&one.key) != but && one.out < end && at < one.until();
    if let Some(one) = breaks(channel).find(overlaps) {
        return Err(conflict(format!("it would overlap the break {}", one.id)));
    }
    let coming = list::planned(channel);
    let overlaps = |one: &&selvedge_breaks::rules::Planned| {
        let is_other = Some(&Key::Named(one.name.clone())) != but;
        is_other && one.at < end && at < one.at.plus(one.duration)
    };
    match coming.iter().find(overlaps) {
        Some(one) => Err(conflict(format!("it would overlap {} of the schedule", one.name))),
        None => Ok(()),
    }
}

/// The break that was made or changed; a conflict where it could not be.
fn answer(origin: &Origin, cell: &Cell, key: &Key, status: StatusCode) -> Result<Response, Error> {
    let state = cell.lock();
    let mut of_key: Vec<&Break> = breaks(&state).filter(|one| one.key == *key).collect();
    of_key.sort_by_key(|one| (!one.state.is_live(), core::cmp::Reverse(one.out)));
    let one = of_key.first().ok_or_else(|| {
        Error::fault(
            "/duration_ms",
            "is shorter than the rules let a break be (`lengths.min_ms`)",
        )
    })?;
    if !one.state.is_live() {
        return Err(conflict(format!(
            "the break is {}: media went past its begin",
            told(one.state)
        )));
    }
    let json = serde_json::to_string(&list::shown(origin, cell, &state, one)).unwrap_or_default();
    Ok((status, text(json, "application/json")).into_response())
}

const fn out(key: Key, at: UnixMicros, planned: Micros) -> Cue {
    Cue {
        key,
        ask: Ask::Out {
            planned: Some(planned),
            auto_return: true,
        },
        at: When::At(at),
        source: Source::Api,
    }
}

const fn conflict(reason: String) -> Error {
    Error::Conflict { reason }
}

const MIN_MS: i64 = 100;
const MAX_MS: i64 = 86_400_000;
/// A break that is to begin now begins with the next segment that is further away than this: a part or two.
const SOON: Micros = Micros::from_millis(400);
