//! Filling: which media is shown at each place of a break.

use std::sync::Arc;

use selvedge_breaks::{
    Airing, Decision, Micros, Place,
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
        let (ad, media) = media(decision, airing, place, self.rendition, self.target)?;
        Some(Filling {
            creative: &ad.creative,
            media,
            segment: media.segments.get(usize::try_from(place.segment).ok()?)?,
        })
    }
}

/// The decision for a break.
pub(crate) fn decision_for<'d>(decisions: &'d [Arc<Decision>], airing: &Airing) -> Option<&'d Decision> {
    let mut decisions = decisions.iter();
    let found = decisions.find(|decision| decision.break_id == airing.id);
    found.map(AsRef::as_ref)
}

/// What fills the slot of a place in a rendition: its ad, else slate, of which there may be less than the slot has room
/// for. No segment of it is longer than `target` seconds.
pub(crate) fn media<'d>(
    decision: &'d Decision,
    airing: &Airing,
    place: &Place,
    rendition: &str,
    target: i64,
) -> Option<(&'d Ad, &'d Media)> {
    let wanted = airing.structure.slots.get(place.slot).map(|slot| slot.segments());
    // A segment longer than the document has promised (RFC 8216bis §4.4.3.1) is none that can be listed.
    let is_promised = |segment: &Segment| rounded_seconds(segment.duration) <= target;
    let take = |ad: &'d Ad| {
        let media = ad.renditions.get(rendition)?;
        media.segments.iter().all(is_promised).then_some((ad, media))
    };
    // An ad cut otherwise than its slot would have other numbers.
    let suits = |found: &(&Ad, &Media)| u32::try_from(found.1.segments.len()).ok() == wanted;
    let ad = decision.ads.get(place.slot).filter(|_| !place.is_slate);
    let ad = ad.and_then(take).filter(suits);
    ad.or_else(|| take(decision.slate.as_ref()?))
}

/// What a playlist's target duration is held against (RFC 8216bis §4.4.3.1).
pub(crate) fn rounded_seconds(length: Micros) -> i64 {
    length.0.saturating_add(500_000).div_euclid(1_000_000)
}
