//! What a restart must know of a channel, as the store keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::breaks::Breaks;
use super::channel::{Channel, Settings};
use super::event::{Event, Events, Inband};
use super::pair::{Pairs, PairsRecord};
use super::segment::Entry;
use super::timeline::{Epoch, Grid};
use super::track::{Expired, Measure, Place, Track};
use crate::cmaf::Init;
use crate::time::UnixMillis;

impl Channel {
    /// What a restart must know.
    pub(crate) fn record(&self) -> Record {
        let tracks = self.tracks.iter().map(|(name, track)| {
            let record = TrackRecord {
                inits: track.inits.iter().map(|init| init.name()).collect(),
                entries: track.entries.iter().cloned().collect(),
                expired: track.expired.iter().cloned().collect(),
                last: track.last,
                measure: track.measure,
                ended: track.ended,
                next_number: track.next_number,
                inband: track.inband.clone(),
                pairs: track.pairs.record(),
            };
            (name.clone(), record)
        });
        Record {
            version: RECORD_VERSION,
            name: self.name.clone(),
            grid: self.grid,
            epochs: self.epochs.clone(),
            opened_epochs: self.opened_epochs,
            tracks: tracks.collect(),
            ended: self.ended,
            updated: self.updated,
            began: self.began,
            events: self
                .events
                .listed()
                .iter()
                .map(|event| Event::clone(event))
                .collect(),
            events_told: self.events.told(),
        }
    }

    /// A channel as it was. `inits` are the init segments of each track that could be read back.
    pub(crate) fn restore(
        record: Record,
        settings: Settings,
        mut inits: BTreeMap<String, Vec<Init>>,
    ) -> Self {
        let tracks = record.tracks.into_iter().map(|(name, track)| {
            let restored = Track {
                inits: inits
                    .remove(&name)
                    .unwrap_or_default()
                    .into_iter()
                    .map(Arc::new)
                    .collect(),
                entries: track.entries.into(),
                expired: track.expired.into(),
                last: track.last,
                measure: track.measure,
                ended: track.ended,
                next_number: track.next_number,
                inband: track.inband,
                pairs: Pairs::restore(track.pairs),
                ..Track::default()
            };
            (name, restored)
        });
        Self {
            name: record.name,
            settings,
            grid: record.grid,
            epochs: record.epochs,
            opened_epochs: record.opened_epochs,
            tracks: tracks.collect(),
            ended: record.ended,
            updated: record.updated,
            began: record.began,
            resumed: UnixMillis(0),
            kept_since: None,
            events: Events::restore(record.events, record.events_told),
            breaks: Breaks::default(),
        }
    }
}

/// A channel as the store keeps it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) name: String,
    grid: Option<Grid>,
    epochs: Vec<Epoch>,
    opened_epochs: u32,
    pub(crate) tracks: BTreeMap<String, TrackRecord>,
    ended: Option<UnixMillis>,
    updated: UnixMillis,
    began: Option<UnixMillis>,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    events_told: u64,
}

/// A track as the store keeps it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct TrackRecord {
    pub(crate) inits: Vec<String>,
    entries: Vec<Entry>,
    expired: Vec<Expired>,
    last: Option<Place>,
    measure: Measure,
    ended: bool,
    #[serde(default)]
    next_number: u64,
    #[serde(default)]
    inband: Vec<Inband>,
    #[serde(default)]
    pairs: Option<PairsRecord>,
}

pub(crate) const RECORD_VERSION: u32 = 1;
