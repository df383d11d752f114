//! How the position of a segment is learnt: by what the origin says, then by the name, as the channel allows.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use selvedge_watermark::pace::{self, ByteRanges, Position, Sidecar, Variant};

use super::{DurationRule, Pace, Positions, Selection, ask};
use crate::{
    credential::show,
    gather::small,
    limits::MAX_SIDECAR,
    platform::{Answer, Body, Platform},
    problem::Problem,
};

/// What is known of the positions in a file.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// It is one segment.
    One(Position),
    /// It holds several.
    Ranges(Arc<ByteRanges>),
    /// Its name says when it begins, and each token how long its session's segments are.
    ByDuration(DurationRule),
}

/// What is known of a file, and the [name](Pace::name) of the way in which it was learnt.
#[derive(Clone, Debug)]
pub(crate) struct Learnt {
    pub(crate) known: Known,
    pub(crate) by: &'static str,
}

/// What comes of learning.
pub(super) enum Lesson<B> {
    /// The position is known. The answer is variant A's, where that was asked for on the way.
    Learnt(Learnt, Option<Answer<B>>),
    /// The origin's answer, which is to be passed on: there is no such file, or it did not answer.
    Over(Answer<B>),
}

impl Selection<'_> {
    /// Tries the channel's ways one after the other. What took a question to the origin is remembered.
    ///
    /// # Errors
    /// There is such a file, and none of the ways says its position.
    pub(super) async fn learn<P: Platform>(
        &self,
        platform: &P,
        positions: &Positions,
    ) -> Result<Lesson<P::Body>, Problem> {
        let path = self.neutral.target.as_str();
        let (mut variant_a, mut without_sidecar) = (None, None);
        for pace in self.channel.pace.ways() {
            let known = match *pace {
                Pace::Header => {
                    let answer = self.fetch(platform, Variant::A).await;
                    let Answer::Origin(Ok(origin)) = &answer else {
                        return Ok(Lesson::Over(answer));
                    };
                    if !is_media(origin.status) {
                        return Ok(Lesson::Over(answer));
                    }
                    let position = position_of_egress(&origin.headers);
                    variant_a = Some(answer);
                    position.map(Known::One)
                }
                Pace::Sidecar => match self.ask_sidecar(platform).await {
                    Ok(known) => known,
                    Err(answer) if is_none_such(&answer) => {
                        without_sidecar = Some(answer);
                        None
                    }
                    // Another way might say another position, only because the origin is away for a moment.
                    Err(answer) => return Ok(Lesson::Over(answer)),
                },
                Pace::Number(rule) => rule.position_of(path).map(Known::One),
                Pace::Duration(rule) => self
                    .segment_duration
                    .and_then(|duration| rule.position_of(path, duration))
                    .map(|_| Known::ByDuration(rule)),
            };
            let Some(known) = known else { continue };
            let learnt = Learnt {
                known,
                by: pace.name(),
            };
            if self.channel.pace.asks() {
                positions.keep(path, learnt.clone());
            }
            return Ok(Lesson::Learnt(learnt, variant_a));
        }
        match (variant_a, without_sidecar) {
            (None, Some(answer)) => Ok(Lesson::Over(answer)),
            _ => Err(Problem::MarkUnplaced),
        }
    }

    /// The positions in a file by its sidecar; `None` where that says none. The error is an answer of the origin's that is
    /// none.
    async fn ask_sidecar<P: Platform>(&self, platform: &P) -> Result<Option<Known>, Answer<P::Body>> {
        let mut request = small(pace::sidecar_path(&self.neutral.target), MAX_SIDECAR);
        show(self.token, &mut request.headers);
        let answer = ask(platform, request).await;
        let Answer::Origin(Ok(origin)) = &answer else {
            return Err(answer);
        };
        let (StatusCode::OK, Body::Bytes(bytes)) = (origin.status, &origin.body) else {
            return Err(answer);
        };
        Ok(match Sidecar::of_cbor(bytes) {
            Ok(Sidecar::Ranges(ranges)) => Some(Known::Ranges(Arc::new(ranges))),
            Ok(Sidecar::Discrete(segments)) => match segments.as_slice() {
                [only] => Some(Known::One(only.position)),
                _ => None,
            },
            Err(_) => None,
        })
    }
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

/// Whether the origin says that there is no such file.
fn is_none_such<B>(answer: &Answer<B>) -> bool {
    matches!(answer, Answer::Origin(Ok(origin)) if matches!(origin.status, StatusCode::NOT_FOUND | StatusCode::GONE))
}
