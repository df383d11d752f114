//! Mark: which of a marked segment's two variants a session gets.
//!
//! Playlists name neither, so the choice is made where the segment is asked for: its position is learnt, the session's bit
//! at that position is read from its token, and the variant's path is all that the origin is asked for and a cache keys on.
//! What a channel demands a mark for is never served without one.

mod bits;
mod learn;
mod memory;
mod pace;
mod range;
mod rules;

use http::header;
use selvedge_token::SegmentDuration;
use selvedge_watermark::pace::{B_FOLDER, SIDECAR_FOLDER, Variant};

use self::{learn::Lesson, range::bytes_of};
use crate::{
    credential::OriginToken,
    gather::alone,
    platform::{Answer, OriginRequest, Platform, Unanswered},
    problem::Problem,
    route::{Resource, RoutedResource},
    site::Site,
};

pub(crate) use bits::{Bits, SessionMark, mark_of};
pub(crate) use learn::{Known, Learnt};
pub(crate) use memory::Positions;
pub use pace::{DurationRule, NumberRule, Pace, Paces};
pub use rules::{MarkKey, MarkRules, MarkedChannel, OnUnmarked};

/// Header fields of the origin's that may differ by variant beside what the body itself is: they tell which is which.
const TELLTALE: [header::HeaderName; 3] = [
    header::LAST_MODIFIED,
    header::HeaderName::from_static("cmsd-static"),
    header::HeaderName::from_static("cmsd-dynamic"),
];

/// Refuses what no viewer may ask for: variants by their names, and what says which bit a segment carries.
///
/// # Errors
/// [`Problem::VariantNamed`].
pub(crate) fn refuse_named(site: &Site, path: &str) -> Result<(), Problem> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let mut names = folders.split('/');
    if names.any(|name| name.eq_ignore_ascii_case(SIDECAR_FOLDER)) {
        return Err(Problem::VariantNamed);
    }
    let channel = site.watermark.iter().find_map(|rules| rules.channel_of(path));
    let below = channel
        .and_then(|channel| folders.get(channel.path.len()..))
        .unwrap_or_default();
    if below.split('/').any(|name| name.eq_ignore_ascii_case(B_FOLDER)) {
        return Err(Problem::VariantNamed);
    }
    Ok(())
}

/// The channel whose marked media a request is for.
pub(crate) fn marked<'s>(site: &'s Site, routed: &RoutedResource) -> Option<&'s MarkedChannel> {
    let path = routed.uri.path();
    let channel = site.watermark.as_ref()?.channel_of(path)?;
    (routed.resource == Resource::Media && channel.is_marked(path)).then_some(channel)
}

/// A request for marked media, and whose bits choose its variant.
pub(crate) struct Selection<'s> {
    pub(crate) channel: &'s MarkedChannel,
    pub(crate) bits: Bits,
    /// How long a segment is by the session's token.
    pub(crate) segment_duration: Option<SegmentDuration>,
    /// What the origin would be asked for, were it not marked. Its path is the neutral one, and variant A's.
    pub(crate) neutral: OriginRequest,
    /// What the origin wants to see of an edge.
    pub(crate) token: Option<&'s OriginToken>,
}

/// What came of a request for marked media.
pub(crate) struct Selected<B> {
    pub(crate) answer: Answer<B>,
    /// The [name](Pace::name) of the way in which the position was learnt; none where it did not matter.
    pub(crate) pace: Option<&'static str>,
}

impl Selection<'_> {
    /// Asks the origin for the session's variant. What it is asked for to learn the position is remembered by `positions`.
    ///
    /// # Errors
    /// The position cannot be learnt, or the bytes asked for are of two positions: nothing may be delivered.
    pub(crate) async fn gather<P: Platform>(
        &self,
        platform: &P,
        positions: &Positions,
    ) -> Result<Selected<P::Body>, Problem> {
        if let Bits::Always(variant) = self.bits {
            let answer = self.fetch(platform, variant).await;
            return Ok(Selected { answer, pace: None });
        }
        let (learnt, variant_a) = match positions.get(&self.neutral.target) {
            Some(learnt) => (learnt, None),
            None => match self.learn(platform, positions).await? {
                Lesson::Learnt(learnt, variant_a) => (learnt, variant_a),
                Lesson::Over(answer) => return Ok(Selected { answer, pace: None }),
            },
        };
        let answer = match (self.variant(&learnt.known)?, variant_a) {
            (Variant::A, Some(answer)) => answer,
            (variant, _) => self.fetch(platform, variant).await,
        };
        Ok(Selected {
            answer,
            pace: Some(learnt.by),
        })
    }

    /// The variant of what is asked for. Media without a position is the same for all.
    fn variant(&self, known: &Known) -> Result<Variant, Problem> {
        let position = match known {
            Known::One(position) => *position,
            Known::Ranges(ranges) => {
                let asked = self.neutral.headers.get(header::RANGE);
                let asked = match asked {
                    Some(range) => range
                        .to_str()
                        .ok()
                        .and_then(|range| bytes_of(range, ranges.size())),
                    None => ranges.size().checked_sub(1).map(|last| 0..=last),
                };
                let asked = asked.ok_or(Problem::RangeAcrossMarks)?;
                ranges
                    .position_of(&asked)
                    .map_err(|_| Problem::RangeAcrossMarks)?
            }
            Known::ByDuration(rule) => self
                .segment_duration
                .and_then(|duration| rule.position_of(&self.neutral.target, duration))
                .ok_or(Problem::MarkUnplaced)?,
        };
        Ok(match position.index() {
            Some(index) => self.bits.variant(index),
            None => Variant::A,
        })
    }

    async fn fetch<P: Platform>(&self, platform: &P, variant: Variant) -> Answer<P::Body> {
        let request = OriginRequest {
            target: variant.path(&self.neutral.target),
            ..self.neutral.clone()
        };
        let mut answer = ask(platform, request).await;
        if let Answer::Origin(Ok(origin)) = &mut answer {
            for name in TELLTALE {
                origin.headers.remove(name);
            }
        }
        answer
    }
}

async fn ask<P: Platform>(platform: &P, request: OriginRequest) -> Answer<P::Body> {
    let answer = platform.gather(alone(request)).await.into_iter().next();
    answer.unwrap_or_else(|| {
        let why = "the platform gave no answer".to_owned();
        Answer::Origin(Err(Unanswered::Unreachable(why)))
    })
}
