//! The guided form: the programme as it is, and for each break an event that names the presentation to be played instead
//! (ISO/IEC 23009-1, 6th edition, alternative MPD events).

use core::fmt::Write as _;
use std::borrow::Cow;

use selvedge_breaks::{Airing, Micros, Slice, rules::Restriction};

use super::{
    edits::{Edits, with_indent},
    source::{Period, Reach, Source},
    stitch::is_of_slice,
    xml::Escaped,
};
use crate::{
    asset_list::Wanted,
    timeline::{Announced, announced},
};

/// What an MPD is guided with.
#[derive(Clone, Copy, Debug)]
pub struct Guiding<'a> {
    /// The breaks that touch the MPD's window, and those that are announced.
    pub slice: &'a Slice,
    /// The URL of the MPD's folder in full, with a slash at its end: below it lie the alternative presentations.
    pub folder: &'a str,
    /// What a viewer may not do in a break.
    pub restrict: &'a [Restriction],
}

/// Puts events of alternative presentations into an MPD.
///
/// The break log goes, and so does what would lead the player past the edge (`PatchLocation`, a `Location` in full). What
/// cannot be understood, or says nothing of the moment that its timeline counts from, passes untouched.
pub fn guide<'d>(mpd: &'d str, guiding: &Guiding<'_>) -> Cow<'d, str> {
    let Ok(source) = Source::read(mpd, is_of_slice) else {
        return Cow::Borrowed(mpd);
    };
    let mut edits = Edits::default();
    for out in &source.left_out {
        edits.remove(with_indent(mpd, out));
    }
    let breaks: Vec<_> = announced(guiding.slice)
        .filter(|announced| is_in_window(&source, announced.airing))
        .collect();
    for (index, period) in source.periods.iter().enumerate() {
        let Some(at) = period.events_at else { continue };
        let next = source.periods.get(index + 1);
        let begins_here = |announced: &&Announced<'_>| {
            let out = source.moment(announced.airing.out).plus(ROUNDING);
            // A break that goes on from before the first Period begins with it.
            let is_first = index == 0 || period.start <= out;
            is_first && next.is_none_or(|next| out < next.start)
        };
        let breaks: Vec<_> = breaks.iter().filter(begins_here).collect();
        let writer = Stream {
            source: &source,
            period,
            guiding,
            blanks: mpd.get(with_indent(mpd, &(at..at))).unwrap_or_default(),
        };
        for is_inserted in [false, true] {
            let breaks = breaks
                .iter()
                .filter(|announced| announced.airing.is_inserted() == is_inserted);
            edits.insert(at, writer.stream(is_inserted, breaks.copied().copied()));
        }
    }
    let mut out = String::with_capacity(mpd.len() + 512 * breaks.len());
    edits.copy(mpd, 0..mpd.len(), &mut out);
    Cow::Owned(out)
}

/// For how long the programme is left: until it is back where it would be stitched, as far as that is known.
fn length(airing: &Airing) -> Micros {
    airing
        .rejoin()
        .map_or(airing.planned, |back| back.since(airing.out))
}

/// Whether anything of a break is left in the window, or still to come.
fn is_in_window(source: &Source<'_>, airing: &Airing) -> bool {
    let begin = match source.reach() {
        Some(Reach::Listed { begin, .. }) => Some(begin),
        Some(Reach::Clock { begin }) => begin,
        None => None,
    };
    let begin = begin.max(source.periods.first().map(|period| period.start));
    let length = length(airing);
    let end = source.moment(airing.out.plus(length));
    airing.is_inserted() || (length > Micros::ZERO && begin.is_none_or(|begin| end > begin))
}

/// Writes the event streams of a Period.
struct Stream<'s> {
    source: &'s Source<'s>,
    period: &'s Period<'s>,
    guiding: &'s Guiding<'s>,
    /// The blanks before a child of the Period, from the line's end on.
    blanks: &'s str,
}

impl Stream<'_> {
    /// An event stream before what stands where it is put in; nothing without a break.
    fn stream<'b>(&self, is_inserted: bool, breaks: impl Iterator<Item = Announced<'b>>) -> String {
        let (blanks, prefix) = (self.blanks, self.prefix());
        let scheme = if is_inserted { INSERT } else { REPLACE };
        let mut events = String::new();
        for announced in breaks {
            self.event(is_inserted, &announced, &mut events);
        }
        if events.is_empty() {
            return events;
        }
        format!(
            "<{prefix}EventStream schemeIdUri=\"{scheme}\" timescale=\"1000000\">{events}{blanks}</{prefix}EventStream>{blanks}"
        )
    }

    fn event(&self, is_inserted: bool, announced: &Announced<'_>, out: &mut String) {
        let (blanks, prefix) = (self.blanks, self.prefix());
        let airing = announced.airing;
        let at = self.source.moment(airing.out).less(self.period.start);
        let length = if is_inserted {
            announced.content
        } else {
            // Of one that began before the Period, what is left.
            length(airing).plus(at.min(Micros::ZERO))
        };
        let id = number_of(airing.id.as_str());
        let at = at.max(Micros::ZERO).0;
        let _ = write!(
            out,
            "{blanks}  <{prefix}Event id=\"{id}\" presentationTime=\"{at}\""
        );
        if !is_inserted {
            let _ = write!(out, " duration=\"{}\"", length.0);
        }
        let uri = [self.guiding.folder, &Wanted::of(announced).alternative()].concat();
        let element = if is_inserted {
            "InsertPresentation"
        } else {
            "ReplacePresentation"
        };
        let _ = write!(
            out,
            ">{blanks}    <{prefix}{element} uri=\"{}\" maxDuration=\"{}\"",
            Escaped(&uri),
            length.0
        );
        if self.guiding.restrict.contains(&Restriction::Jump) {
            out.push_str(" noJump=\"1\"");
        }
        let _ = write!(out, "/>{blanks}  </{prefix}Event>");
    }

    /// `mpd:`, where the source writes its namespace so.
    fn prefix(&self) -> &str {
        let tag = self.source.text.get(self.period.tag.range());
        let name = tag.and_then(|tag| tag.get(1..tag.find("Period")?));
        name.unwrap_or_default()
    }
}

/// An event's `id` is a number (ISO/IEC 23009-1 5.10.2.3): that of a break follows from its name alone (FNV-1a).
fn number_of(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// A Period's begin has milliseconds.
const ROUNDING: Micros = Micros::from_millis(1);
/// The scheme of events whose presentation takes the place of the programme.
const REPLACE: &str = "urn:mpeg:dash:event:alternativeMPD:replace:2025";
/// The scheme of events whose presentation holds the programme up.
const INSERT: &str = "urn:mpeg:dash:event:alternativeMPD:insert:2025";

#[cfg(test)]
mod tests;
