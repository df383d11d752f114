//! Stitching: a source playlist, the breaks in its window and what fills them, to the playlist that a player gets.
//!
//! Lines of the programme are copied as they are. Around them stands what a seam needs: a discontinuity, what decrypts
//! and initialises the segments behind it, and a date (RFC 8216bis §4.4.4).

use std::{borrow::Cow, sync::Arc};

use selvedge_breaks::{Airing, Decision, Micros, Slice, Sums, UnixMicros};
use serde::Deserialize;

use super::{
    plan::{Piece, Plan, Tail},
    source::{Source, Unfit},
    uri,
    write::Writer,
};
use crate::{
    reroot::Reroot,
    timeline::{Pods, Span, resolve},
};

/// What a media playlist is stitched with.
#[derive(Clone, Copy, Debug)]
pub struct Stitching<'a> {
    /// The breaks that touch the playlist's window.
    pub slice: &'a Slice,
    /// What fills them. A break without one keeps its places, and nothing is shown there.
    pub decisions: &'a [Arc<Decision>],
    /// The playlist's rendition, as decisions call it.
    pub rendition: &'a str,
    /// What becomes of the marks of ads in the source.
    pub cues: Cues,
    /// Whether breaks and ads are told of in `EXT-X-DATERANGE`s, for players that report what they show.
    pub tells_ads: bool,
    /// Whether the player asked for a delta update (`_HLS_skip`, RFC 8216bis §6.2.5.1).
    pub skips: bool,
    /// The path of the playlist, without a token, from which URIs of ads are told that begin at the host's root; they
    /// stay as they are without one.
    pub path: Option<&'a str>,
}

impl Stitching<'_> {
    /// Whether there is no break, nor has been any.
    fn is_plain(&self) -> bool {
        self.slice.breaks.is_empty() && self.slice.before == Sums::default()
    }

    fn changes(&self, source: &Source<'_>) -> bool {
        let mut breaks = self.slice.breaks.iter();
        // Where a playlist has no dates, nobody can say where in it a break lies, but for one that counts from its begin.
        let is_placed = source.is_dated || (!self.slice.breaks.is_empty() && breaks.all(Airing::is_inserted));
        is_placed && self.does_change(source)
    }

    fn does_change(&self, source: &Source<'_>) -> bool {
        !self.is_plain() || self.skips || !source.left_out.is_empty()
    }
}

/// What becomes of the marks of ads in a source: `EXT-X-CUE-OUT` and its kin, and `EXT-X-DATERANGE`s with
/// `SCTE35-OUT` or `SCTE35-IN`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Cues {
    /// They go, lest somebody behind puts ads in once more.
    #[default]
    Stripped,
    /// They stay.
    Kept,
}

/// Stitches a media playlist; with `reroot`, its URIs also move below another root.
///
/// What no break changes is passed on as it came: a playlist whose slice is empty and that has nothing to leave out, one
/// that is none of media, and one without a date, of which nobody can say where in it a break lies. So is a delta
/// update: the origin is to be asked for the whole.
pub fn stitch<'d>(playlist: &'d str, stitching: &Stitching<'_>, reroot: Option<&Reroot<'_>>) -> Cow<'d, str> {
    match Source::read(playlist, stitching.cues == Cues::Stripped) {
        Ok(source) if stitching.changes(&source) => Cow::Owned(write(&source, stitching, reroot)),
        Ok(_) | Err(Unfit::NoMedia | Unfit::Delta) => pass(playlist, reroot),
    }
}

pub(super) fn pass<'d>(playlist: &'d str, reroot: Option<&Reroot<'_>>) -> Cow<'d, str> {
    match reroot {
        Some(reroot) => Cow::Owned(uri::reroot(playlist, reroot)),
        None => Cow::Borrowed(playlist),
    }
}

fn write<'a>(source: &'a Source<'a>, stitching: &Stitching<'a>, reroot: Option<&'a Reroot<'a>>) -> String {
    let window = source.window();
    let spans = resolve(stitching.slice, &window);
    let pods = Pods {
        decisions: stitching.decisions,
        rendition: stitching.rendition,
        target: source.target,
    };
    let holds = window.awaits_insertion(stitching.slice, Micros::from_seconds(source.target));
    let plan = Plan::new(&window, &spans, stitching.slice.before, holds);
    let mut writer = Writer::new(source, &plan, pods, stitching, reroot);
    writer.head();
    for piece in &plan.pieces {
        writer.end_line();
        match piece {
            Piece::Programme { range, back, .. } => writer.programme(range.clone(), *back),
            Piece::Replaced(range) => writer.replaced(range.clone()),
            Piece::Break { span, places } => writer.places(span, places.clone()),
        }
    }
    match plan.tail {
        Tail::Programme { back, .. } => writer.tail(back),
        Tail::Break(span) => {
            writer.end_line();
            writer.tail_in(span);
        }
    }
    writer.out
}

/// The date to write where the programme returns and its own lines have none. It was added up from the durations since
/// the window's last date, and two windows round otherwise: what is the break's end but for that is the break's end.
pub(super) fn return_date(back: &Span<'_>, start: UnixMicros) -> UnixMicros {
    let end = back.airing.rejoin();
    end.filter(|end| end.since(start).0.abs() <= ROUNDING.0)
        .unwrap_or(start)
}

/// Dates have milliseconds.
const ROUNDING: Micros = Micros::from_millis(2);

#[cfg(test)]
mod tests;
