//! Stitching: a source MPD, the breaks in its window and what fills them, to the MPD that a player gets.

use std::{borrow::Cow, sync::Arc};

use memchr::memmem;
use selvedge_breaks::{Airing, Decision, Micros, Slice, UnixMicros, slice};

use super::{
    plan::{Item, plan},
    source::{Reach, Source},
    write::Writer,
    xml::{Cursor, resolved},
};
use crate::timeline::{Hole, decision_for, holes};

/// What an MPD is stitched with.
#[derive(Clone, Copy, Debug)]
pub struct Stitching<'a> {
    /// The breaks that touch the MPD's window, and the last one before it.
    pub slice: &'a Slice,
    /// What fills them. In a break without one nothing is shown.
    pub decisions: &'a [Arc<Decision>],
    /// The path of the document, without a token, from which URLs of ads are told that begin at the host's root; they
    /// stay as they are without one.
    pub path: Option<&'a str>,
}

/// Stitches an MPD.
///
/// What no break changes is passed on as it came, but for the slice of the break log and what would lead the player
/// past the edge (`PatchLocation`, a `Location` in full). What cannot be understood, or says nothing of the moment that
/// its timeline counts from, passes untouched.
pub fn stitch<'d>(mpd: &'d str, stitching: &Stitching<'_>) -> Cow<'d, str> {
    let Ok(source) = Source::read(mpd, is_of_slice) else {
        return Cow::Borrowed(mpd);
    };
    Cow::Owned(stitched(&source, stitching).unwrap_or_else(|| without_log(&source, stitching)))
}

fn stitched(source: &Source<'_>, stitching: &Stitching<'_>) -> Option<String> {
    let mut reach = source.reach()?;
    let coming = coming(source, stitching.slice, reach);
    if let (Reach::Listed { edge, .. }, Some(out)) = (&mut reach, coming) {
        *edge = out;
    }
    let edge = match reach {
        Reach::Listed { edge, .. } => Some(source.begin.plus(edge)),
        Reach::Clock { .. } => None,
    };
    let boundary = |airing: &Airing| boundary(source, stitching, airing);
    let mut holes = holes(stitching.slice, edge, boundary);
    holes.retain(|hole| hole.airing.is_inserted() || is_possible(source, stitching, reach, hole));
    if holes.is_empty() {
        return None;
    }
    let items = plan(source, reach, &holes);
    let slots = items.iter().filter(|item| matches!(item, Item::Slot(_))).count();
    let mut writer = Writer::new(source, stitching, slots);
    writer.look_again = coming.and_then(|_| source.step());
    let inserted = holes.iter().map(Hole::inserts);
    writer.longer = inserted.fold(Micros::ZERO, Micros::plus);
    writer.tells_ahead = matches!(reach, Reach::Clock { .. });
    writer.write(&items)
}

/// When a break begins that the source lists a segment of and has not come to yet.
///
/// A source may list a segment ahead, which its own clock says is not there. Were a break's first Period in sight while
/// the segment before it still comes in pieces, dash.js (5.2.1) would begin with it at once, and put what is left of
/// the segment where the break is. So the Period shows when its first moment has come, and players are told to look
/// again that soon.
fn coming(source: &Source<'_>, slice: &Slice, reach: Reach) -> Option<Micros> {
    let (Reach::Listed { edge, .. }, Some(published)) = (reach, source.published) else {
        return None;
    };
    let published = source.moment(published);
    let replaces = |airing: &&Airing| !airing.is_void() && !airing.is_inserted();
    let begins = slice.breaks.iter().filter(replaces);
    let mut begins = begins.map(|airing| source.moment(airing.out));
    begins.find(|out| published < *out && *out < edge)
}

/// The document without the slice of the log.
fn without_log(source: &Source<'_>, stitching: &Stitching<'_>) -> String {
    let mut writer = Writer::new(source, stitching, 0);
    writer.around(0..source.text.len());
    writer.out
}

/// Where in the source a break is inserted, which nothing else would be shown in the place of: into a source that is there
/// as a whole, where something fills it, and where what it comes to stand in can be split.
fn boundary(source: &Source<'_>, stitching: &Stitching<'_>, airing: &Airing) -> Option<UnixMicros> {
    let decision = decision_for(stitching.decisions, airing)?;
    let mut ads = decision.ads.iter().chain(&decision.slate);
    if !source.is_static || ads.all(|ad| ad.renditions.is_empty()) {
        return None;
    }
    let boundary = source.boundary(source.moment(airing.out))?;
    let before = source.periods.partition_point(|period| period.start <= boundary);
    let period = source.periods.get(before.saturating_sub(1))?;
    period.is_splittable.then(|| source.begin.plus(boundary))
}

/// Whether a break can be put in: all the Periods that it touches can be split. Where players know by their clocks how
/// far a source has come, a break that nothing fills is left to the programme, for nothing would end that.
fn is_possible(source: &Source<'_>, stitching: &Stitching<'_>, reach: Reach, hole: &Hole<'_>) -> bool {
    let out = source.moment(hole.airing.out);
    let end = hole.back.map(|back| source.moment(back));
    let touched = source.periods.iter().enumerate().filter(|(index, period)| {
        let begins = end.is_none_or(|end| period.start < end);
        let is_base = source.periods.get(index + 1).is_none_or(|next| next.start > out);
        begins && (is_base || period.end.is_none_or(|end| end > out))
    });
    let is_filled = || {
        let decision = decision_for(stitching.decisions, hole.airing);
        decision.is_some_and(|decision| decision.slate.is_some() || !decision.ads.is_empty())
    };
    touched.into_iter().all(|(_, period)| period.is_splittable)
        && (matches!(reach, Reach::Listed { .. }) || is_filled())
}

pub(super) fn is_of_slice(scheme: &str) -> bool {
    matches!(scheme, slice::LOG_SCHEME | slice::BREAK_SCHEME)
}

/// The slice of the break log in an MPD, as a cohort sees it; `None` where it has none, and nothing is to be stitched. Of
/// one that cannot be read, nothing is left but what it goes without.
pub(crate) fn slice_of(mpd: &str, cohort: &str) -> Option<Slice> {
    memmem::find(mpd.as_bytes(), slice::LOG_SCHEME.as_bytes())?;
    let mut cursor = Cursor::new(mpd);
    let root = cursor.next().ok()??;
    let mut properties = Vec::new();
    let mut is_behind = false;
    while let Ok(Some(child)) = cursor.child(&root) {
        // They stand behind the Periods by the order of the schema, where few tags are left; some write them before.
        if child.name == "Period" && !is_behind {
            is_behind = true;
            if let Some(last) = memmem::rfind(mpd.as_bytes(), b"Period>") {
                cursor.at = cursor.at.max(last + b"Period>".len());
                continue;
            }
        }
        let property = child.attribute("schemeIdUri").zip(child.attribute("value"));
        if let Some((scheme, value)) = property.filter(|_| child.name == "SupplementalProperty") {
            properties.push((scheme, resolved(value)));
        }
        if cursor.skip(&child).is_err() {
            break;
        }
    }
    let properties = properties.iter().map(|(scheme, value)| (*scheme, value.as_ref()));
    Slice::read_properties_for(properties, cohort).unwrap_or_else(|_| Some(Slice::default()))
}

#[cfg(test)]
mod documents;
#[cfg(test)]
mod tests;
