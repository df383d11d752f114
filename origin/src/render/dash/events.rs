//! `EventStream`: what is announced besides the media (ISO/IEC 23009-1 5.10.2).

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};

use super::Element;
use crate::media::{Epoch, Event, Snapshot};
use crate::time::{UnixMillis, nanos_to_ticks};

/// The event streams of a Period that begins at `start`: an event belongs to the Period in which it begins.
pub(super) fn event_streams(snapshot: &Snapshot, epoch: &Epoch, start: UnixMillis) -> Vec<Element> {
    let mut streams: BTreeMap<(&str, &str), Vec<Element>> = BTreeMap::new();
    for event in &snapshot.events {
        if epoch_of(snapshot, event) != Some(epoch.ordinal) {
            continue;
        }
        streams
            .entry((&event.scheme, &event.value))
            .or_default()
            .push(written(event, start));
    }
    streams
        .into_iter()
        .map(|((scheme, value), events)| {
            let (scheme, value) = match scheme {
                // SCTE 214-1 6.8.4: the same message, wrapped in XML.
                SCTE35_BINARY => (SCTE35_WRAPPED, ""),
                _ => (scheme, value),
            };
            Element::new("EventStream")
                .with("schemeIdUri", scheme)
                .with_some("value", Some(value).filter(|value| !value.is_empty()))
                .with("timescale", TIMESCALE)
                .and_all(events)
        })
        .collect()
}

/// The epoch that is on air when an event begins: the newest that has begun by then.
fn epoch_of(snapshot: &Snapshot, event: &Event) -> Option<u32> {
    let begun = |epoch: &&Epoch| epoch.period_start.as_nanos() <= event.wall;
    let on_air = snapshot.epochs.iter().rev().find(begun);
    on_air
        .or_else(|| snapshot.epochs.first())
        .map(|epoch| epoch.ordinal)
}

fn written(event: &Event, start: UnixMillis) -> Element {
    let ticks = |nanos: i64| nanos_to_ticks(nanos, TIMESCALE).max(0);
    let element = Element::new("Event")
        .with(
            "presentationTime",
            ticks(event.wall.saturating_sub(start.as_nanos())),
        )
        .with_some("duration", event.span.map(ticks))
        .with("id", event.id);
    let message = Base64::encode_string(&event.message);
    if event.scheme == SCTE35_BINARY {
        return element.and(
            Element::new("Signal")
                .with("xmlns", "http://www.scte.org/schemas/35/2016")
                .and(Element::new("Binary").containing(message)),
        );
    }
    element.with("contentEncoding", "base64").containing(message)
}

/// SCTE 35 in `emsg` (SCTE 214-3 7.3.2).
const SCTE35_BINARY: &str = "urn:scte:scte35:2013:bin";
const SCTE35_WRAPPED: &str = "urn:scte:scte35:2014:xml+bin";
/// Ticks a second of event times: SCTE 35's own.
const TIMESCALE: u32 = 90_000;
