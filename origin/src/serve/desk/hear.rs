//! Hearing: what is asked of a channel's breaks is kept in the store, and then shown.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use selvedge_breaks::{Ask, Cue, Key, Log, Micros, Source, UnixMicros, When, hls, rules::Planned};

use super::super::{Origin, cell::Cell};
use crate::Error;
use crate::ingest::path::ObjectName;
use crate::media::{Channel, ClosedSegment, Push};
use crate::store::{BREAKS, DECISIONS};
use crate::time::UnixMillis;

impl Origin {
    /// Lets the break log of a channel hear what is asked of it: kept first, then shown. Says whether that changed
    /// anything.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be kept; then it is not shown either.
    pub(in super::super) async fn hear(&self, cell: &Cell, cues: &[Cue]) -> Result<bool, Error> {
        let _alone = cell.hearing.lock().await;
        let Some(mut next) = cell.lock().hear(cues) else {
            return Ok(false);
        };
        for _ in 0..ROUNDS {
            if cell.gone.load(Ordering::Acquire) {
                return Ok(false);
            }
            if !self.keep(cell, &next).await? {
                let anew = cell.lock().hear(cues);
                match anew {
                    Some(anew) => next = anew,
                    // The other origin heard the same.
                    None => return Ok(true),
                }
                continue;
            }
            // Media goes on meanwhile, and what was in time may be late by now.
            match cell.change(|channel| channel.accept(&next, cues)) {
                Ok(()) => return Ok(true),
                Err(now) => next = *now,
            }
        }
        Err(Error::Store {
            action: "keep up with media and write",
            path: format!("{BREAKS}/{}/log", cell.name),
            reason: format!("media or another origin went on faster, {ROUNDS} times"),
        })
    }

    /// Hears the splices that a segment announces, before any of it is shown: a splice may come with the very media
    /// that it is at. A failure is logged, and the same splice tried again when it is repeated.
    pub(in super::super) async fn hear_splices(
        &self,
        cell: &Cell,
        track: &str,
        push: &Push,
        segment: &ClosedSegment,
    ) {
        if segment.number.is_some() {
            cell.lock().note_pushed(track, push, segment, self.0.clock.now());
        }
        if segment.events.is_empty() {
            return;
        }
        let splices = {
            let channel = cell.lock();
            if channel.edge().is_none() {
                return;
            }
            channel.splices(track, push, segment, self.0.clock.now())
        };
        if splices.is_empty() {
            return;
        }
        match self.hear(cell, &splices.cues).await {
            Ok(_) => cell.lock().note_heard(&splices),
            Err(error) => {
                tracing::error!(channel = cell.name, track, reason = "break-log", %error, "splice not heard");
            }
        }
    }

    /// Hears the markers of a playlist that an encoder pushed beside its media, below its channel at `path`: by its dates,
    /// or where it has none by the media that it names, as that was taken.
    pub(in super::super) async fn hear_markers(&self, cell: &Cell, path: &str, playlist: &[u8]) {
        let Ok(text) = core::str::from_utf8(playlist) else {
            return;
        };
        let (markers, edge) = {
            let channel = cell.lock();
            let (Some(openers), Some(edge)) = (channel.openers(), channel.edge()) else {
                return;
            };
            let begin_of = |uri: &str| {
                let name = ObjectName::beside(path, &cell.name, uri)?;
                channel.pushed(&name.track, name.number?)
            };
            (hls::markers_at(text, openers, &begin_of), edge)
        };
        let near = |cue: &Cue| matches!(cue.at, When::At(at) if at.since(edge).0.abs() < NEAR.0);
        let cues: Vec<Cue> = markers.iter().filter_map(hls::Marker::cue).filter(near).collect();
        if let Err(error) = self.hear(cell, &cues).await {
            tracing::error!(channel = cell.name, reason = "break-log", %error, "markers not heard");
        }
    }

    /// Hears the breaks of the schedule that are near, and who is exempt from those to come.
    pub(in super::super) async fn hear_schedule(&self, cell: &Cell) {
        let cues = {
            let channel = cell.lock();
            due(&channel)
        };
        if cues.is_empty() {
            return;
        }
        if let Err(error) = self.hear(cell, &cues).await {
            tracing::error!(channel = cell.name, reason = "break-log", %error, "schedule not heard");
        }
    }

    /// Keeps the log as media has moved it on, and forgets what is long over.
    pub(in super::super) async fn keep_log(&self, cell: &Cell) -> Result<(), Error> {
        let _alone = cell.hearing.lock().await;
        let (log, forgotten) = {
            let mut channel = cell.lock();
            let forgotten = channel.forget_breaks();
            (channel.break_log().cloned(), forgotten)
        };
        for id in forgotten {
            self.0
                .store
                .remove_below(&[DECISIONS, &cell.name, id.as_str()])
                .await?;
            self.0.desk.forget(&cell.name, &id);
        }
        let Some(log) = log else { return Ok(()) };
        let is_kept = |kept: &Arc<Log>| Arc::ptr_eq(kept, &log);
        if cell.kept().log.as_ref().is_some_and(is_kept) {
            return Ok(());
        }
        // Where another origin was first, what it kept is taken up, and with the next round kept as this one sees it.
        if self.keep(cell, &log).await? {
            cell.kept().log = Some(log);
        }
        Ok(())
    }

    /// Keeps a log, unless another origin on the same store has kept one since this one was read: then that is taken up.
    async fn keep(&self, cell: &Cell, log: &Log) -> Result<bool, Error> {
        let after = cell.kept().number;
        match self.0.store.write_log(&cell.name, log, after).await? {
            Some(number) => {
                cell.kept().number = number;
                Ok(true)
            }
            None => {
                tracing::info!(
                    channel = cell.name,
                    reason = "break-log",
                    "another origin keeps this log, too"
                );
                self.take_up(cell).await?;
                Ok(false)
            }
        }
    }

    /// Goes on with the log that another origin kept.
    async fn take_up(&self, cell: &Cell) -> Result<(), Error> {
        let (number, log) = self.0.store.read_log(&cell.name).await?;
        cell.kept().number = number;
        let Some(log) = log else { return Ok(()) };
        cell.change(|channel| channel.adopt(log.clone()));
        // Where this origin knows no more than that, there is nothing to keep.
        let now = cell.lock().break_log().cloned();
        cell.kept().log = now.filter(|now| **now == log);
        Ok(())
    }

    /// Looks from time to time for what other origins on the same store have kept of a channel's rules and breaks. A
    /// failure is logged.
    pub(in super::super) async fn look_for_others(&self, cell: &Cell, now: UnixMillis) {
        let looked = cell.kept().looked;
        if now.0.saturating_sub(looked.0) < LOOK_MILLIS {
            return;
        }
        cell.kept().looked = now;
        if let Err(error) = self.look(cell).await {
            tracing::error!(channel = cell.name, reason = "break-log", %error, "log of other origins not read");
        }
    }

    async fn look(&self, cell: &Cell) -> Result<(), Error> {
        self.reread_rules(cell).await?;
        if cell.lock().break_log().is_none() {
            return Ok(());
        }
        let _alone = cell.hearing.lock().await;
        let known = cell.kept().number;
        match self.0.store.log_number(&cell.name).await? > known {
            true => self.take_up(cell).await,
            false => Ok(()),
        }
    }
}

/// What the rules ask for by now: breaks of the schedule, where segments begin, and exemptions that were changed.
fn due(channel: &Channel) -> Vec<Cue> {
    let known = channel.rules().zip(channel.break_log()).zip(channel.edge());
    let Some(((rules, log), edge)) = known else {
        return Vec::new();
    };
    let cadence = channel.cadence().unwrap_or_default();
    let is_due = |planned: &&Planned| {
        let ahead = planned.at.since(edge);
        (Micros::ZERO.less(LATE)..=AHEAD).contains(&ahead)
    };
    // Once heard it stays as it is: moved or cancelled by hand it is not put back.
    let is_known = |planned: &Planned| {
        let key = Key::Named(planned.name.clone());
        log.breaks().iter().any(|one| {
            let is_this = one.signalled.since(planned.at).0.abs() <= cadence.0;
            let is_moved = one.source == Source::Api && one.state != selvedge_breaks::log::State::Cancelled;
            one.key == key && (is_this || is_moved)
        })
    };
    let due = rules.schedule.iter().filter(is_due);
    let mut cues: Vec<Cue> = due
        .filter(|planned| !is_known(planned))
        .map(|planned| on_grid(channel, planned, edge))
        .collect();
    if log.exempts_others_than(&rules.exempt) {
        cues.push(exempt());
    }
    cues
}

/// That the rules' exemptions hold for what is announced, too.
const fn exempt() -> Cue {
    Cue {
        key: Key::Nameless,
        ask: Ask::Exempt,
        at: When::Now,
        source: Source::Schedule,
    }
}

/// A planned break as the log hears of it: it begins where a segment does, unless that is over.
pub(super) fn on_grid(channel: &Channel, planned: &Planned, edge: UnixMicros) -> Cue {
    let cue = planned.cue();
    let half = Micros(channel.cadence().unwrap_or_default().0 / 2);
    let near = channel.boundary_near(planned.at, edge);
    let at = near.filter(|near| near.since(planned.at) <= half.plus(EXACT));
    Cue {
        at: When::At(at.unwrap_or(planned.at)),
        ..cue
    }
}

/// A request to call a break off, or to end it if it is on air.
pub(super) const fn off(key: Key) -> Cue {
    Cue {
        key,
        ask: Ask::Cancel,
        at: When::Now,
        source: Source::Api,
    }
}

/// How often it is looked for what other origins keep.
const LOOK_MILLIS: i64 = 5_000;
/// How often the log is written anew because media went on meanwhile.
const ROUNDS: usize = 8;
/// Markers that are further from the edge are of another clock.
const NEAR: Micros = Micros::from_seconds(600);
/// How long before its begin a break of the schedule is heard.
const AHEAD: Micros = Micros::from_seconds(120);
/// How long after its begin: it is void then, and whoever planned it is to see that.
const LATE: Micros = Micros::from_seconds(60);
const EXACT: Micros = Micros::from_millis(1);
