//! `EXT-X-DATERANGE` with SCTE 35 attributes (RFC 8216bis 4.4.5.1.1).

use super::Marker;
use crate::{
    attributes::Attributes,
    cue::Ask,
    key::{Key, Name},
    scte35::{Section, from_hex},
    signal::{Action, Openers, Signal},
    time::{Micros, Ticks, UnixMicros},
};

/// The ranges of a playlist, each put together from all tags of its `ID`.
#[derive(Debug, Default)]
pub(super) struct Ranges<'a>(Vec<Range<'a>>);

/// What the tags of one `ID` say together: a later tag adds attributes.
#[derive(Debug, Default)]
struct Range<'a> {
    id: &'a str,
    /// The segment that its first tag stands before.
    msn: u64,
    start: Option<UnixMicros>,
    end: Option<UnixMicros>,
    duration: Option<Micros>,
    planned: Option<Micros>,
    out: Option<&'a str>,
    back: Option<&'a str>,
    command: Option<&'a str>,
}

impl<'a> Ranges<'a> {
    /// Takes a tag that stands before the segment `msn`.
    pub(super) fn tell(&mut self, attributes: &Attributes<'a>, msn: u64) {
        let Some(id) = attributes.get("ID") else { return };
        let known = self.0.iter().position(|range| range.id == id);
        let at = known.unwrap_or_else(|| {
            self.0.push(Range {
                id,
                msn,
                ..Range::default()
            });
            self.0.len() - 1
        });
        if let Some(range) = self.0.get_mut(at) {
            range.tell(attributes);
        }
    }

    /// What they ask for.
    pub(super) fn markers(&self, openers: Openers) -> Vec<Marker> {
        self.0.iter().flat_map(|range| range.markers(openers)).collect()
    }
}

impl<'a> Range<'a> {
    fn tell(&mut self, attributes: &Attributes<'a>) {
        let moment = |name| attributes.get(name).and_then(UnixMicros::read);
        let length = |name| attributes.get(name).and_then(Micros::read_seconds);
        self.start = self.start.or(moment("START-DATE"));
        self.end = self.end.or(moment("END-DATE"));
        self.duration = self.duration.or(length("DURATION"));
        self.planned = self.planned.or(length("PLANNED-DURATION"));
        self.out = self.out.or(attributes.get("SCTE35-OUT"));
        self.back = self.back.or(attributes.get("SCTE35-IN"));
        self.command = self.command.or(attributes.get("SCTE35-CMD"));
    }

    fn markers(&self, openers: Openers) -> Vec<Marker> {
        let marker = |key, ask, at| Marker {
            key,
            ask,
            msn: None,
            at,
            content_id: None,
            is_joined: false,
        };
        let mut markers = Vec::new();
        let end = self.end.or(self
            .start
            .zip(self.duration)
            .map(|(start, length)| start.plus(length)));
        let begun = self.out.map(|section| said(section, Action::Out, openers));
        let ended = self.back.map(|section| said(section, Action::In, openers));
        // An end is of the event that its own range began, whatever its section says.
        let named = || Name::of(self.id).map_or(Key::Nameless, Key::Named);
        let key = begun.iter().chain(&ended).flatten().next();
        let key = key.map_or_else(named, |signal| signal.key.clone());
        if let Some(begun) = begun {
            let told = begun
                .as_ref()
                .and_then(|signal| signal.duration)
                .map(Ticks::to_micros);
            let ask = Ask::Out {
                planned: self.planned.or(told).or(self.duration),
                auto_return: begun.and_then(|signal| signal.auto_return).unwrap_or(false),
            };
            markers.push(Marker {
                msn: Some(self.msn),
                ..marker(key.clone(), ask, self.start)
            });
        }
        // Of an end without a begin the date is its own; with one, it is the end of what began.
        let is_alone = self.out.is_none();
        let end = if is_alone { end.or(self.start) } else { end };
        if (self.back.is_some() || (!is_alone && self.duration.is_some())) && end.is_some() {
            markers.push(marker(key, Ask::In, end));
        }
        if let Some(command) = self.command {
            for signal in signals(command, openers) {
                let planned = signal.duration.map(Ticks::to_micros).or(self.planned);
                let ask = match signal.action {
                    Action::Out => Ask::Out {
                        planned,
                        auto_return: signal.auto_return.unwrap_or(false),
                    },
                    Action::In => Ask::In,
                    Action::Cancel => Ask::Cancel,
                    Action::Info => continue,
                };
                markers.push(marker(signal.key, ask, self.start));
            }
        }
        markers
    }
}

/// What a section says of the attribute that it stands in; `None` where it cannot be read.
fn said(section: &str, action: Action, openers: Openers) -> Option<Signal> {
    let signals = signals(section, openers);
    signals.into_iter().find(|signal| signal.action == action)
}

fn signals(section: &str, openers: Openers) -> Vec<Signal> {
    let bytes = from_hex(section).ok();
    let section = bytes.and_then(|bytes| Section::decode(&bytes).ok());
    section
        .and_then(|section| Signal::read(&section, openers).ok())
        .unwrap_or_default()
}
