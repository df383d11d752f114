//! The guided form: the programme as it is, and for each break an interstitial (RFC 8216bis Appendix D) whose assets are
//! in a list that the player asks for.
//!
//! An `EXT-X-DATERANGE` that was told never says anything else (RFC 8216bis §4.4.5.1). What may still change of a break
//! that is announced is therefore part of its interstitial's `ID`; and what is known once it is over, its length and where
//! playing must stop, is told in a second tag of that `ID`.

use core::fmt::Write as _;
use std::{borrow::Cow, collections::BTreeMap};

use selvedge_breaks::{Airing, BreakId, Slice, Sums, hls::value::Seconds, rules::Restriction, slice};

use super::{
    plan::{Piece, Plan, Tail},
    source::Source,
    stitch::{Cues, Stitching, pass},
    uri,
    write::Writer,
};
use crate::{
    asset_list::Wanted,
    reroot::Reroot,
    timeline::{Announced, Pods, Window, announced},
};

/// What a media playlist is guided with.
#[derive(Clone, Copy, Debug)]
pub struct Guiding<'a> {
    /// The breaks that touch the playlist's window, and those that are announced.
    pub slice: &'a Slice,
    /// What becomes of the marks of ads in the source.
    pub cues: Cues,
    /// What a viewer may not do in any break (`X-RESTRICT`). What the origin's rules forbid in one travels with it.
    pub restrict: &'a [Restriction],
    /// Whether the player asked for a delta update (`_HLS_skip`, RFC 8216bis §6.2.5.1).
    pub skips: bool,
}

impl Guiding<'_> {
    /// Whether its breaks have places in a playlist: by its dates, or counted from its begin.
    fn is_placed(&self, source: &Source<'_>) -> bool {
        source.is_dated || self.slice.breaks.iter().all(Airing::is_inserted)
    }
}

/// Puts interstitials into a media playlist; with `reroot`, its URIs also move below another root.
///
/// The lines of the break log go. A playlist that is none of media is passed on as it came; so is a delta update, which is
/// made here; and one without a date, unless all its breaks are inserted: they count from its begin, which gets a date.
pub fn guide<'d>(playlist: &'d str, guiding: &Guiding<'_>, reroot: Option<&Reroot<'_>>) -> Cow<'d, str> {
    match Source::read(playlist, guiding.cues == Cues::Stripped) {
        Ok(source) if guiding.is_placed(&source) => {
            Cow::Owned(write(&source, guiding, &slice::restrictions(playlist), reroot))
        }
        Ok(_) | Err(_) => pass(playlist, reroot),
    }
}

/// As it is stitched where there is no break, with the interstitials behind the playlist's own lines.
fn write(
    source: &Source<'_>,
    guiding: &Guiding<'_>,
    restrictions: &BTreeMap<BreakId, Vec<Restriction>>,
    reroot: Option<&Reroot<'_>>,
) -> String {
    let window = source.window();
    let plan = Plan::new(&window, &[], Sums::default(), false);
    let nothing = Slice::default();
    let stitching = Stitching {
        slice: &nothing,
        decisions: &[],
        rendition: "",
        cues: guiding.cues,
        tells_ads: false,
        skips: guiding.skips,
        path: None,
    };
    let pods = Pods {
        decisions: stitching.decisions,
        rendition: stitching.rendition,
        target: source.target,
    };
    let mut writer = Writer::new(source, &plan, pods, &stitching, reroot);
    writer.head();
    for interstitial in announced(guiding.slice).map(Interstitial) {
        let own = restrictions.get(&interstitial.0.airing.id);
        let own = own
            .into_iter()
            .flatten()
            .filter(|one| !guiding.restrict.contains(one));
        let restrict: Vec<Restriction> = guiding.restrict.iter().chain(own).copied().collect();
        interstitial.write(&mut writer.out, &restrict, &window, reroot);
    }
    if !source.is_dated && !guiding.slice.breaks.is_empty() {
        let _ = writeln!(writer.out, "#EXT-X-PROGRAM-DATE-TIME:{}", window.start());
    }
    for piece in &plan.pieces {
        if let Piece::Programme { range, .. } = piece {
            writer.programme(range.clone(), None);
        }
    }
    if let Tail::Programme { .. } = plan.tail {
        writer.tail(None);
    }
    writer.out
}

/// A break as a player is told of it.
struct Interstitial<'a>(Announced<'a>);

impl Interstitial<'_> {
    fn write(
        &self,
        out: &mut String,
        restrict: &[Restriction],
        window: &Window<'_>,
        reroot: Option<&Reroot<'_>>,
    ) {
        let Airing {
            id,
            out: begin,
            planned,
            structure,
            ..
        } = self.0.airing;
        let wanted = Wanted::of(&self.0);
        let id = format!("{id}/{}-{}", planned.0 / 1000, wanted.slate);
        let _ = write!(
            out,
            "#EXT-X-DATERANGE:ID=\"{id}\",CLASS=\"{CLASS}\",START-DATE=\"{begin}\",PLANNED-DURATION={},X-ASSET-LIST=\"",
            Seconds(*planned)
        );
        let list = format!("../{}", wanted.list());
        match reroot {
            Some(reroot) => uri::push(out, &list, reroot),
            None => out.push_str(&list),
        }
        out.push_str("\",X-SNAP=\"OUT,IN\"");
        out.push_str(self.place(window));
        for (index, restriction) in restrict.iter().enumerate() {
            out.push_str(if index == 0 { ",X-RESTRICT=\"" } else { "," });
            out.push_str(restriction.name());
        }
        out.push_str(if restrict.is_empty() { "\n" } else { "\"\n" });
        if let Some(length) = self.0.settled(window.edge()) {
            let _ = write!(
                out,
                "#EXT-X-DATERANGE:ID=\"{id}\",START-DATE=\"{begin}\",DURATION={}",
                Seconds(length)
            );
            if length.plus(structure.tolerance) < self.0.content {
                let _ = write!(out, ",X-PLAYOUT-LIMIT={}", Seconds(length));
            }
            out.push('\n');
        }
    }

    /// How it lies on the programme's timeline. Where it takes the place of the programme, the player goes on behind what
    /// it has played (there is no `X-RESUME-OFFSET`); where it is inserted, with what it left.
    fn place(&self, window: &Window<'_>) -> &'static str {
        let Airing { out, structure, .. } = self.0.airing;
        if !self.0.airing.is_inserted() {
            return ",X-TIMELINE-OCCUPIES=\"RANGE\"";
        }
        // Nothing need be played of the programme to come to these.
        if *out <= window.start().plus(structure.tolerance) {
            ",X-RESUME-OFFSET=0,CUE=\"PRE\""
        } else if *out >= window.edge().less(structure.tolerance) {
            ",X-RESUME-OFFSET=0,CUE=\"POST\""
        } else {
            ",X-RESUME-OFFSET=0"
        }
    }
}

/// The class of an interstitial (RFC 8216bis Appendix D).
const CLASS: &str = "com.apple.hls.interstitial";

#[cfg(test)]
mod tests;
