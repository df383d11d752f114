//! Mark: which of a marked segment's two variants a session gets.
//!
//! Playlists name neither, so the choice is made where the segment is asked for: its position is learnt, the session's bit
//! at that position is read from its token, and the variant's path is all that the origin is asked for and a cache keys on.
//! What a channel demands a mark for is never served without one.

mod bits;
mod memory;
mod rules;

use core::ops::RangeInclusive;
use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};
use selvedge_watermark::pace::{self, Position, Sidecar, Variant};

use crate::{
    gather::{alone, small},
    limits::MAX_SIDECAR,
    platform::{Answer, Body, OriginRequest, Platform, Unanswered},
    problem::Problem,
    route::{Resource, RoutedResource},
    site::Site,
};

pub(crate) use bits::{Bits, bits};
pub(crate) use memory::Positions;
pub use rules::{MarkKey, MarkRules, MarkedChannel, OnUnmarked, Pace};

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
    if names.any(|name| name.eq_ignore_ascii_case(pace::SIDECAR_FOLDER)) {
        return Err(Problem::VariantNamed);
    }
    let channel = site.watermark.iter().find_map(|rules| rules.channel_of(path));
    let below = channel
        .and_then(|channel| folders.get(channel.path.len()..))
        .unwrap_or_default();
    if below
        .split('/')
        .any(|name| name.eq_ignore_ascii_case(pace::B_FOLDER))
    {
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
    /// What the origin would be asked for, were it not marked. Its path is the neutral one, and variant A's.
    pub(crate) neutral: OriginRequest,
}

/// What is known of the positions in a file.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// It is one segment.
    One(Position),
    /// It holds several.
    Ranges(Arc<pace::ByteRanges>),
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
    ) -> Result<Answer<P::Body>, Problem> {
        let path = self.neutral.target.as_str();
        if let Bits::Always(variant) = self.bits {
            return Ok(self.fetch(platform, variant).await);
        }
        let known = match self.channel.pace {
            Pace::Number(rule) => Some(Known::One(rule.position_of(path).ok_or(Problem::MarkUnplaced)?)),
            Pace::Header | Pace::Sidecar => positions.get(path),
        };
        if let Some(known) = known {
            return Ok(self.fetch(platform, self.variant(&known)?).await);
        }
        if self.channel.pace == Pace::Sidecar {
            let known = match ask_sidecar(platform, path).await {
                Ok(known) => known?,
                Err(answer) => return Ok(answer),
            };
            positions.keep(path, known.clone());
            return Ok(self.fetch(platform, self.variant(&known)?).await);
        }
        let answer = self.fetch(platform, Variant::A).await;
        let Answer::Origin(Ok(origin)) = &answer else {
            return Ok(answer);
        };
        if !is_media(origin.status) {
            return Ok(answer);
        }
        let known = Known::One(position_of_egress(&origin.headers).ok_or(Problem::MarkUnplaced)?);
        positions.keep(path, known.clone());
        match self.variant(&known)? {
            Variant::A => Ok(answer),
            Variant::B => Ok(self.fetch(platform, Variant::B).await),
        }
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

/// The positions in a file by its sidecar. The outer error is an answer of the origin's that is to be passed on: there is no
/// such file.
async fn ask_sidecar<P: Platform>(
    platform: &P,
    path: &str,
) -> Result<Result<Known, Problem>, Answer<P::Body>> {
    let answer = ask(platform, small(pace::sidecar_path(path), MAX_SIDECAR)).await;
    match &answer {
        Answer::Origin(Ok(origin)) if origin.status == StatusCode::OK => {
            let Body::Bytes(bytes) = &origin.body else {
                return Ok(Err(Problem::MarkUnplaced));
            };
            Ok(match Sidecar::of_cbor(bytes) {
                Ok(Sidecar::Ranges(ranges)) => Ok(Known::Ranges(Arc::new(ranges))),
                Ok(Sidecar::Discrete(segments)) => match segments.as_slice() {
                    [only] => Ok(Known::One(only.position)),
                    _ => Err(Problem::MarkUnplaced),
                },
                Err(_) => Err(Problem::MarkUnplaced),
            })
        }
        _ => Err(answer),
    }
}

async fn ask<P: Platform>(platform: &P, request: OriginRequest) -> Answer<P::Body> {
    let answer = platform.gather(alone(request)).await.into_iter().next();
    answer.unwrap_or_else(|| {
        let why = "the platform gave no answer".to_owned();
        Answer::Origin(Err(Unanswered::Unreachable(why)))
    })
}

fn position_of_egress(headers: &HeaderMap) -> Option<Position> {
    let mut lines = headers.get_all(pace::EGRESS_HEADER).iter();
    let value = lines.next()?.to_str().ok()?;
    // Two that differ say nothing.
    lines
        .next()
        .is_none()
        .then(|| pace::position_of_egress(value).ok())?
}

/// Whether an answer is of the media itself, or says that the viewer has it.
fn is_media(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::NOT_MODIFIED
}

/// The bytes of a `Range` (RFC 9110 §14.1.2) of a file of `size` bytes; `None` for several ranges, and for what is no range
/// within the file.
fn bytes_of(range: &str, size: u64) -> Option<RangeInclusive<u64>> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |digits: &str| -> Option<u64> {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    let end = size.checked_sub(1)?;
    let (first, last) = (first.trim(), last.trim());
    let bytes = match (first, last) {
        ("", suffix) => size.saturating_sub(number(suffix)?)..=end,
        (first, "") => number(first)?..=end,
        (first, last) => number(first)?..=number(last)?.min(end),
    };
    (bytes.start() <= bytes.end()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_origins_read_it() {
        for (range, due) in [
            ("bytes=0-9", Some(0..=9)),
            ("bytes=90-", Some(90..=99)),
            ("bytes=90-200", Some(90..=99)),
            ("bytes=-10", Some(90..=99)),
            ("bytes=-200", Some(0..=99)),
            ("bytes=100-", None),
            ("bytes=-0", None),
            ("bytes=9-8", None),
            ("bytes=0-1,5-6", None),
            ("bytes=+1-2", None),
            ("bytes=-", None),
            ("items=0-1", None),
        ] {
            assert_eq!(bytes_of(range, 100), due, "{range}");
        }
        assert_eq!(bytes_of("bytes=0-", 0), None);
    }
}
