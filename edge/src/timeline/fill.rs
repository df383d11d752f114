//! Filling: which media is shown at each place of a break.

use std::sync::Arc;

use selvedge_breaks::{
    After, Airing, Decision, Micros, Place, Slot,
    decision::{Ad, Media, Segment},
};

/// The decisions at hand, for one rendition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pods<'a> {
    pub(crate) decisions: &'a [Arc<Decision>],
    /// The rendition's name in them.
    pub(crate) rendition: &'a str,
    /// The longest segment that the document promises, in seconds.
    pub(crate) target: i64,
}

/// What is shown at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filling<'a> {
    pub(crate) creative: &'a str,
    pub(crate) media: &'a Media,
    pub(crate) segment: &'a Segment,
}

impl<'a> Pods<'a> {
    /// What fills a place: its ad, else slate. `None` where there is neither: the place stays, empty, for its number
    /// is counted.
    pub(crate) fn fill(&self, airing: &Airing, place: &Place) -> Option<Filling<'a>> {
        let decision = decision_for(self.decisions, airing)?;
        let Shown { ad, media, segments } = shown(decision, airing, place, self.rendition, self.target)?;
        Some(Filling {
            creative: &ad.creative,
            media,
            segment: segments.get(usize::try_from(place.segment).ok()?)?,
        })
    }
}

/// The decision for a break.
pub(crate) fn decision_for<'d>(decisions: &'d [Arc<Decision>], airing: &Airing) -> Option<&'d Decision> {
    let mut decisions = decisions.iter();
    let found = decisions.find(|decision| decision.break_id == airing.id);
    found.map(AsRef::as_ref)
}

/// What fills a slot in a rendition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'d> {
    pub(crate) ad: &'d Ad,
    pub(crate) media: &'d Media,
    /// Those of its segments that are shown: all of an ad's, and as many of slate's as there is room for.
    pub(crate) segments: &'d [Segment],
}

/// What fills the slot of a place in a rendition: its ad, else slate. No segment of it is longer than `target` seconds.
pub(crate) fn shown<'d>(
    decision: &'d Decision,
    airing: &Airing,
    place: &Place,
    rendition: &str,
    target: i64,
) -> Option<Shown<'d>> {
    let structure = &airing.structure;
    let slot = match &structure.after {
        After::Slate(round) if place.is_slate => round,
        _ => structure.slots.get(place.slot)?,
    };
    // A segment longer than the document has promised (RFC 8216bis §4.4.3.1) is none that can be listed.
    let is_promised = |segment: &Segment| rounded_seconds(segment.duration) <= target;
    let take = |ad: &'d Ad, may_be_short: bool| {
        let media = ad.renditions.get(rendition)?;
        let segments = media
            .segments
            .get(..fitting(&media.segments, slot, may_be_short))?;
        (!segments.is_empty() && media.segments.iter().all(is_promised)).then_some(Shown {
            ad,
            media,
            segments,
        })
    };
    // An ad cut otherwise than its slot would have other numbers, or leave the programme behind its time.
    let suits = |found: &Shown<'_>| {
        found.segments.len() == found.media.segments.len()
            && u32::try_from(found.segments.len()).is_ok_and(|count| count == slot.segments())
    };
    let ad = decision.ads.get(place.slot).filter(|_| !place.is_slate);
    let ad = ad.and_then(|ad| take(ad, true)).filter(suits);
    ad.or_else(|| take(decision.slate.as_ref()?, false))
}

/// How many segments, one behind the other, are as long as those of a slot. What fills the last one `may_be_short`: time
/// jumps to what is behind it, where a discontinuity is. An ad with as many segments as its slot lacks less than one.
fn fitting(segments: &[Segment], slot: &Slot, may_be_short: bool) -> usize {
    let (mut off, mut count) = (Micros::ZERO, 0);
    for segment in segments
        .iter()
        .take(usize::try_from(slot.segments()).unwrap_or(usize::MAX))
    {
        count += 1;
        let is_last = usize::try_from(slot.segments()) == Ok(count);
        let place = if is_last { slot.last() } else { slot.segment() };
        off = off.plus(segment.duration).less(place);
        let is_short = off.plus(LEEWAY) < Micros::ZERO && !(is_last && may_be_short);
        if off > LEEWAY || is_short {
            return count - 1;
        }
    }
    count
}

/// By how much a segment of an ad may end off its place: sound is cut between its frames, and an ad between its own.
const LEEWAY: Micros = Micros::from_millis(50);

/// What a playlist's target duration is held against (RFC 8216bis §4.4.3.1).
pub(crate) fn rounded_seconds(length: Micros) -> i64 {
    length.0.saturating_add(500_000).div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(millis: &[i64], slot: (u32, i64, i64)) -> usize {
        fits_if(true, millis, slot)
    }

    fn fits_if(may_be_short: bool, millis: &[i64], slot: (u32, i64, i64)) -> usize {
        let segments = millis.iter().map(|millis| Segment {
            duration: Micros::from_millis(*millis),
            uri: String::new(),
            parts: Vec::new(),
        });
        let (count, segment, last) = slot;
        let slot = Slot::new(count, Micros::from_millis(segment), Micros::from_millis(last)).unwrap();
        fitting(&segments.collect::<Vec<_>>(), &slot, may_be_short)
    }

    #[test]
    fn segments_fit_a_slot_as_long_as_they_end_where_its_own_do() {
        let slot = (3, 2000, 1500);
        assert_eq!(fits(&[2000, 2000, 1500], slot), 3);
        assert_eq!(fits(&[2021, 1979, 1510], slot), 3, "between frames");
        assert_eq!(fits(&[2000, 2000, 900], slot), 3, "the last may be shorter");
        assert_eq!(fits(&[2000, 2000, 1600], slot), 2, "and not longer");
        assert_eq!(fits(&[2030, 2030, 1500], slot), 1, "what is off adds up");
        assert_eq!(fits(&[1000, 1000, 1000], slot), 0);
        assert_eq!(fits_if(false, &[2000, 2000, 900], slot), 2, "of slate it may not");
        assert_eq!(fits_if(false, &[2000], slot), 1, "slate may end before");
        assert_eq!(
            fits(&[2000, 2000, 1500, 2000], slot),
            3,
            "more than there is room for"
        );
    }
}
