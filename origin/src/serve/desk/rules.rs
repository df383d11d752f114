//! `/channels/<channel>/breaks/rules`: what ad operations rule for a channel's breaks.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use selvedge_breaks::{Cue, Key, Rules, Source, log::State as Stands, rules::Planned};

use super::super::answer::matches;
use super::super::{Named, Origin, cell::Cell};
use super::guard::Operator;
use super::{RULES_DOCUMENT, Ruled, Tally, hear};
use crate::Error;
use crate::ingest::path::is_channel_name;
use crate::store::BREAKS;

pub(super) async fn rules(
    _: Operator,
    State(origin): State<Origin>,
    Named(channel): Named<String>,
) -> Result<Response, Error> {
    let ruled = origin
        .0
        .desk
        .rules(&channel)
        .ok_or(Error::UnknownRules { channel })?;
    let mut response = (StatusCode::OK, ruled.json.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(HeaderValue::try_from(&ruled.tag).map(|tag| (ETAG, tag)));
    Ok(response)
}

pub(super) async fn replace(
    _: Operator,
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
    json: Bytes,
) -> Result<Response, Error> {
    if !is_channel_name(&channel) {
        return Err(Error::ChannelName { name: channel });
    }
    let _alone = origin.0.desk.adding.lock().await;
    let before = origin.0.desk.rules(&channel);
    unless_changed(&headers, before.as_deref())?;
    let read = Rules::read(&json).map_err(|faults| Error::faults(&faults));
    let read = read.and_then(|rules| match rules.channel == channel {
        true => Ok(rules),
        false => Err(Error::fault(
            "/channel",
            format!("is {}, and these are the rules of {channel}", rules.channel),
        )),
    });
    let rules = read.inspect_err(|error| {
        Tally::count(&origin.0.desk.counts.refused_rules, 1);
        tracing::warn!(channel, reason = "rules", %error, "rules refused: those in force stay");
    })?;
    let ruled = Ruled::new(json, rules);
    origin
        .0
        .store
        .write(&[BREAKS, &channel, RULES_DOCUMENT], ruled.json.clone())
        .await?;
    origin.0.desk.set_rules(&channel, Some(Arc::clone(&ruled)));
    tracing::info!(channel, reason = "rules", "rules in force");
    if let Ok(cell) = origin.cell(&channel) {
        cell.change(|state| state.set_rules(Some(Arc::clone(&ruled.rules))));
        let schedule = |ruled: &Ruled| ruled.rules.schedule.clone();
        let before = before.as_deref().map(schedule).unwrap_or_default();
        origin.follow(&cell, &before, &ruled.rules.schedule).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let tag = HeaderValue::try_from(&ruled.tag);
    response.headers_mut().extend(tag.map(|tag| (ETAG, tag)));
    Ok(response)
}

pub(super) async fn remove(
    _: Operator,
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Error> {
    let _alone = origin.0.desk.adding.lock().await;
    let before = origin.0.desk.rules(&channel);
    unless_changed(&headers, before.as_deref())?;
    if before.is_none() {
        return Err(Error::UnknownRules { channel });
    }
    origin
        .0
        .store
        .remove_file(&[BREAKS, &channel, RULES_DOCUMENT])
        .await?;
    origin.0.desk.set_rules(&channel, None);
    if let Ok(cell) = origin.cell(&channel) {
        // What is not on air yet will not be; what is on air ends as it was announced.
        let coming = announced(&cell, |_| true);
        origin.hear(&cell, &coming).await?;
        cell.change(|state| state.set_rules(None));
    }
    tracing::info!(channel, reason = "rules", "rules taken away");
    Ok(StatusCode::NO_CONTENT)
}

impl Origin {
    /// Takes up rules that were written at another origin on the same store. That origin lets the log follow them.
    pub(super) async fn reread_rules(&self, cell: &Cell) -> Result<(), Error> {
        let channel = &cell.name;
        let _alone = self.0.desk.adding.lock().await;
        let known = self.0.desk.rules(channel);
        let json = self.0.store.read(&[BREAKS, channel, RULES_DOCUMENT]).await?;
        if json.as_ref() == known.as_deref().map(|ruled| &ruled.json) {
            return Ok(());
        }
        let read = json.map(|json| Rules::read(&json).map(|rules| Ruled::new(json, rules)));
        match read.transpose() {
            Ok(ruled) => {
                let rules = ruled.as_deref().map(|ruled| Arc::clone(&ruled.rules));
                self.0.desk.set_rules(channel, ruled);
                cell.change(|state| state.set_rules(rules));
                tracing::info!(channel, reason = "rules", "rules of another origin in force");
            }
            Err(faults) => {
                tracing::error!(channel, %faults, "rules of another origin cannot be read: those in force stay");
            }
        }
        Ok(())
    }

    /// Lets the log follow a schedule that was edited: what is gone is called off, what was moved moves.
    async fn follow(&self, cell: &Cell, before: &[Planned], now: &[Planned]) -> Result<(), Error> {
        let changed: Vec<&Planned> = before.iter().filter(|planned| !now.contains(planned)).collect();
        let mut cues = announced(cell, |key| {
            let mut gone = changed.iter();
            gone.any(|one| {
                *key == Key::Named(one.name.clone()) && !now.iter().any(|new| new.name == one.name)
            })
        });
        {
            let channel = cell.lock();
            let known = channel.break_log().zip(channel.edge());
            for one in now.iter().filter(|one| !before.contains(one)) {
                let key = Key::Named(one.name.clone());
                let Some((log, edge)) = known else { break };
                let mut breaks = log.breaks().iter();
                if breaks.any(|known| known.key == key && known.state == Stands::Announced) {
                    cues.push(hear::on_grid(&channel, one, edge));
                }
            }
        }
        if !cues.is_empty() {
            self.hear(cell, &cues).await?;
        }
        self.hear_schedule(cell).await;
        Ok(())
    }
}

/// Requests to call off the announced breaks of a channel that came from where its rules say, by their keys.
fn announced(cell: &Cell, is_wanted: impl Fn(&Key) -> bool) -> Vec<Cue> {
    let channel = cell.lock();
    let breaks = channel.break_log().into_iter().flat_map(|log| log.breaks());
    let coming = breaks.filter(|one| one.state == Stands::Announced && is_wanted(&one.key));
    coming
        .map(|one| Cue {
            source: Source::Schedule,
            ..hear::off(one.key.clone())
        })
        .collect()
}

/// Refuses a change of something else than the sender saw (RFC 9110 13.1.1).
fn unless_changed(headers: &HeaderMap, known: Option<&Ruled>) -> Result<(), Error> {
    let Some(tags) = headers.get(IF_MATCH).and_then(|tags| tags.to_str().ok()) else {
        return Ok(());
    };
    match known.is_some_and(|known| matches(tags, &known.tag)) {
        true => Ok(()),
        false => Err(Error::Precondition),
    }
}
