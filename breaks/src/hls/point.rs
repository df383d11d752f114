//! Markers that stand before a segment.

use super::{Marker, Position};
use crate::{
    attributes::Attributes,
    cue::Ask,
    key::Key,
    scte35::{Section, from_base64},
    signal::{Action, Openers, Signal},
    time::{Micros, Ticks},
};

/// What the markers before a segment say together.
#[derive(Debug, Default)]
pub(super) struct Point<'a> {
    /// `CUE-OUT` and its kind; the duration of the last that has one.
    out: Option<Option<Micros>>,
    /// `CUE-OUT-CONT`: how long ago the break began, and how long it is.
    joined: Option<(Micros, Option<Micros>)>,
    /// `CUE-IN` and its kind.
    is_in: bool,
    /// `CUE-OUT` came before `CUE-IN`: a point, nothing lies between.
    is_closed: bool,
    /// Sections, in order.
    sections: Vec<&'a str>,
    /// Sections that are repeated inside a break, and say nothing new.
    repeated: Option<&'a str>,
    content_id: Option<&'a str>,
}

impl<'a> Point<'a> {
    pub(super) fn tell(&mut self, tag: &str, value: &'a str) {
        match tag {
            "#EXT-X-CUE-OUT" => self.begin(duration(value)),
            "#EXT-X-CUE-IN" => self.end(),
            "#EXT-X-CUE-OUT-CONT" | "#EXT-X-CUE-CONT" => self.join(value),
            "#EXT-OATCLS-SCTE35" | "#EXT-X-SPLICEPOINT-SCTE35" => self.sections.push(value),
            "#EXT-SCTE35" => self.sections.extend(Attributes::new(value).get("CUE")),
            "#EXT-X-SCTE35" => self.enhanced(&Attributes::new(value)),
            "#EXT-X-ASSET" => self.content_id = Attributes::new(value).get("CAID").or(self.content_id),
            _ => {}
        }
    }

    fn begin(&mut self, duration: Option<Micros>) {
        self.out = Some(duration.or(self.out.flatten()));
        self.is_closed = false;
    }

    fn end(&mut self) {
        self.is_in = true;
        self.is_closed = self.out.is_some();
    }

    fn join(&mut self, value: &'a str) {
        let attributes = Attributes::new(value);
        let (elapsed, length) = match value.split_once('/') {
            Some((elapsed, length)) if !value.contains('=') => (seconds(elapsed), seconds(length)),
            _ => {
                let number = |name| attributes.get(name).and_then(seconds);
                (number("ElapsedTime"), number("Duration"))
            }
        };
        self.repeated = attributes.get("SCTE35").or(self.repeated);
        self.content_id = attributes.get("CAID").or(self.content_id);
        self.joined = elapsed.map(|elapsed| (elapsed, length)).or(self.joined);
    }

    /// `EXT-X-SCTE35`: `CUE-OUT` is `YES` or `CONT`, `CUE-IN` is `YES`.
    fn enhanced(&mut self, attributes: &Attributes<'a>) {
        let duration = attributes.get("DURATION").and_then(seconds);
        match (attributes.get("CUE-OUT"), attributes.get("CUE-IN")) {
            (Some("CONT"), _) => {
                let elapsed = attributes.get("ELAPSED").and_then(seconds);
                self.joined = elapsed.map(|elapsed| (elapsed, duration)).or(self.joined);
                self.repeated = attributes.get("CUE").or(self.repeated);
                return;
            }
            (Some("YES"), _) => self.begin(duration),
            (_, Some("YES")) => self.end(),
            _ => {}
        }
        self.sections.extend(attributes.get("CUE"));
    }

    /// What they ask for at the segment, and whether a break is open behind them.
    pub(super) fn markers(self, here: &Position, openers: Openers, was_out: bool) -> (Vec<Marker>, bool) {
        let signals: Vec<_> = self
            .sections
            .iter()
            .flat_map(|text| read(text, openers))
            .collect();
        let said = |action| signals.iter().find(|signal| signal.action == action);
        let key = |signal: Option<&Signal>| signal.map_or(Key::Nameless, |signal| signal.key.clone());
        let marker = |key, ask| Marker {
            key,
            ask,
            msn: Some(here.msn),
            at: here.start,
            content_id: None,
            is_joined: false,
        };
        let mut markers = Vec::new();
        let mut is_out = was_out;
        let ended = said(Action::In);
        if (self.is_in || ended.is_some()) && !self.is_closed {
            markers.push(marker(key(ended), Ask::In));
            is_out = false;
        }
        let cancelled = said(Action::Cancel);
        markers.extend(cancelled.map(|signal| marker(signal.key.clone(), Ask::Cancel)));
        let begun = said(Action::Out);
        if self.out.is_some() || begun.is_some() {
            let told = begun.and_then(|signal| signal.duration).map(Ticks::to_micros);
            let planned = if self.is_closed {
                Some(Micros::ZERO)
            } else {
                self.out.flatten().or(told)
            };
            // A begin that a section names again inside its break is a repetition.
            let ask = Ask::Out {
                planned,
                auto_return: begun.and_then(|signal| signal.auto_return).unwrap_or(false),
            };
            markers.push(Marker {
                content_id: self.content_id.map(str::to_owned),
                ..marker(key(begun), ask)
            });
            is_out = planned != Some(Micros::ZERO);
        } else if let Some((elapsed, planned)) = self.joined.filter(|_| !is_out && !self.is_in) {
            let repeated: Vec<_> = self
                .repeated
                .into_iter()
                .flat_map(|text| read(text, openers))
                .collect();
            let begun = repeated.iter().find(|signal| signal.action == Action::Out);
            let told = begun.and_then(|signal| signal.duration).map(Ticks::to_micros);
            let ask = Ask::Out {
                planned: planned.or(told),
                auto_return: begun.and_then(|signal| signal.auto_return).unwrap_or(false),
            };
            markers.push(Marker {
                at: here.start.map(|start| start.less(elapsed)),
                content_id: self.content_id.map(str::to_owned),
                is_joined: true,
                ..marker(key(begun), ask)
            });
            is_out = true;
        }
        (markers, is_out)
    }
}

/// What a section says; nothing where it cannot be read: broken ones are common.
fn read(text: &str, openers: Openers) -> Vec<Signal> {
    let bytes = from_base64(text).ok();
    let section = bytes.and_then(|bytes| Section::decode(&bytes).ok());
    let signals = section.and_then(|section| Signal::read(&section, openers).ok());
    signals.unwrap_or_default()
}

/// `30`, `30.000` or `DURATION=30`.
fn duration(value: &str) -> Option<Micros> {
    let named = Attributes::new(value);
    seconds(
        named
            .get("DURATION")
            .or_else(|| named.get("Duration"))
            .unwrap_or(value),
    )
}

fn seconds(text: &str) -> Option<Micros> {
    Micros::read_seconds(text.trim())
}
