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
    /// The playlist's target duration in seconds.
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
        let decision = self
            .decisions
            .iter()
            .find(|decision| decision.break_id == airing.id)?;
        let wanted = airing.structure.slots.get(place.slot).map(|slot| slot.segments());
        // An ad cut otherwise than its slot would have other numbers.
        let suits = |media: &&Media| u32::try_from(media.segments.len()).ok() == wanted;
        let ad = decision.ads.get(place.slot).filter(|_| !place.is_slate);
        let ad = ad.and_then(|ad| self.take(ad, place, suits));
        ad.or_else(|| self.take(decision.slate.as_ref()?, place, |_| true))
    }

    fn take(&self, ad: &'a Ad, place: &Place, suits: impl Fn(&&'a Media) -> bool) -> Option<Filling<'a>> {
        let media = ad.renditions.get(self.rendition).filter(suits)?;
        let is_promised = |segment: &&Segment| rounded_seconds(segment.duration) <= self.target;
        // A segment longer than the playlist has promised (RFC 8216bis §4.4.3.1) is none that can be listed.
        if !media.segments.iter().all(|segment| is_promised(&segment)) {
            return None;
        }
        let segment = media.segments.get(usize::try_from(place.segment).ok()?)?;
        Some(Filling {
            creative: &ad.creative,
            media,
            segment,
        })
    }
}

fn rounded_seconds(length: Micros) -> i64 {
    length.0.saturating_add(500_000).div_euclid(1_000_000)
}
