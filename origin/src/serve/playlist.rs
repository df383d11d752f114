//! Media playlists, and those that do not exist yet (bis 6.2.5.2, 6.3.7).
//!
//! A player asks for the playlist that will have a part, and is answered when it has. All who wait for a part
//! are woken once and sent one body, rendered and compressed when the first of them was woken.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use tokio::sync::watch;

use super::answer::fresh_for;
use super::blocked::{Blocked, patience};
use super::cell::{Cell, LiveEdge};
use super::document::Takes;
use super::{Named, Origin};
use crate::Error;
use crate::media::{Entry, Grid, Snapshot, TrackView};
use crate::observe::Held;
use crate::render::hls::{self, Skip, gap_parts};

/// Delivery directives.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Directives {
    /// `_HLS_msn`.
    sequence: Option<u64>,
    /// `_HLS_part`.
    part: Option<u64>,
    /// `_HLS_skip`.
    skip: Option<Skip>,
}

impl Directives {
    /// Reads the query; what is not a directive is somebody else's.
    ///
    /// # Errors
    /// [`Error::Directive`] for a value that is no decimal integer, for a directive that comes twice, and for a
    /// part without a sequence number.
    fn parse(query: &str) -> Result<Self, Error> {
        let mut read = Self::default();
        for field in query.split('&') {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            match name {
                "_HLS_msn" => put(&mut read.sequence, "_HLS_msn", value)?,
                "_HLS_part" => put(&mut read.part, "_HLS_part", value)?,
                "_HLS_skip" if value == "YES" => read.skip = Some(Skip::Segments),
                "_HLS_skip" if value == "v2" => read.skip = Some(Skip::SegmentsAndRanges),
                // Ways to skip that are yet to come: the whole playlist is always right.
                _ => {}
            }
        }
        if read.part.is_some() && read.sequence.is_none() {
            return Err(Error::Directive {
                reason: "_HLS_part needs _HLS_msn",
            });
        }
        Ok(read)
    }

    /// What becomes of a request at this moment.
    fn judge(self, edge: &LiveEdge) -> Verdict {
        let (snapshot, Some(track)) = (&edge.snapshot, edge.track()) else {
            return Verdict::Answer;
        };
        let (Some(grid), Some(first), Some(last)) =
            (snapshot.grid, track.entries.first(), track.entries.last())
        else {
            return Verdict::Answer;
        };
        let is_live = grid.part_target_ms.is_some() && !snapshot.ended;
        let Some(sequence) = self.sequence.filter(|_| is_live) else {
            return Verdict::Answer;
        };
        if sequence < first.sequence().0 {
            return Verdict::AnswerWhole;
        }
        if self.is_met(snapshot, track) {
            return Verdict::Answer;
        }
        let (newest, parts) = match &track.open {
            Some(open) => (open.sequence.0, open.parts.len() as u64),
            None => (last.sequence().0, 0),
        };
        if sequence > newest.saturating_add(2) {
            return Verdict::Beyond("_HLS_msn is more than two segments ahead");
        }
        // In the segment that is open counted from its last part, else from before the first.
        let known = if track.open.is_some() && sequence == newest {
            parts
        } else {
            0
        };
        let is_known = sequence <= last.sequence().0;
        if !is_known && self.part.is_some_and(|part| part >= known + advance_limit(grid)) {
            return Verdict::Beyond("_HLS_part is too far ahead");
        }
        Verdict::Wait
    }

    /// Whether the playlist has what is asked for, or never will, for it has ended.
    fn is_met(self, snapshot: &Snapshot, track: &TrackView) -> bool {
        let (Some(sequence), Some(last)) = (self.sequence, track.entries.last()) else {
            return true;
        };
        if snapshot.ended || sequence < last.sequence().0 {
            return true;
        }
        let open = track.open.as_deref();
        let has = |sequence, part| {
            open.is_some_and(|open| {
                open.sequence.0 > sequence
                    || (open.sequence.0 == sequence && (open.parts.len() as u64) > part)
            })
        };
        match self.part {
            None => sequence == last.sequence().0,
            // A part behind the last of its segment is the first of the next one.
            Some(part) if sequence == last.sequence().0 => {
                let parts = parts_of(last, snapshot.grid);
                part < parts || parts == 0 || has(sequence + 1, 0)
            }
            Some(part) => has(sequence, part),
        }
    }
}

fn put(place: &mut Option<u64>, name: &'static str, value: &str) -> Result<(), Error> {
    let reason = match name {
        "_HLS_msn" => "_HLS_msn is not one decimal integer",
        _ => "_HLS_part is not one decimal integer",
    };
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| is_number && place.is_none());
    *place = Some(number.ok_or(Error::Directive { reason })?);
    Ok(())
}

/// What becomes of a request that has directives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// Answered now.
    Answer,
    /// Answered now, and with the whole playlist: what it asks for has left the window.
    AnswerWhole,
    /// Answered when the playlist has what it asks for.
    Wait,
    /// Refused: so far ahead that it cannot have come from this playlist.
    Beyond(&'static str),
}

/// How many parts beyond the last a request may ask for: three seconds of them, and three at least (bis 6.2.5.2).
fn advance_limit(grid: Grid) -> u64 {
    let target = u64::from(grid.part_target_ms.unwrap_or(1_000).max(1));
    (3_000 / target).max(3)
}

fn parts_of(entry: &Entry, grid: Option<Grid>) -> u64 {
    match (entry, grid) {
        (Entry::Segment(segment), _) => segment.parts.len() as u64,
        (Entry::Gap(gap), Some(grid)) => gap_parts(gap.span, grid),
        (Entry::Gap(_), None) => 0,
    }
}

pub(super) async fn playlist(
    State(origin): State<Origin>,
    Named((channel, track)): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let query = query.as_deref().unwrap_or_default();
    let asked = Asked::new(origin, &channel, &track, query, headers)?;
    let (mut response, held) = asked.answered().await?;
    if let Some(held) = held {
        response.extensions_mut().insert(Held(held));
    }
    Ok(response)
}

/// A request for a media playlist, without all of it that an answer does not need: thousands wait at a time.
pub(super) struct Asked {
    origin: Origin,
    cell: Arc<Cell>,
    listed: watch::Receiver<Arc<LiveEdge>>,
    directives: Directives,
    takes: Takes,
    /// Those of the request are gone; those of the answer take their room.
    headers: HeaderMap,
}

impl Asked {
    /// # Errors
    /// [`Error::Directive`] for a query that asks for what cannot be, [`Error::UnknownChannel`],
    /// [`Error::UnknownTrack`], and [`Error::ChannelStarting`] while the channel may not be shown.
    pub(super) fn new(
        origin: Origin,
        channel: &str,
        track: &str,
        query: &str,
        mut headers: HeaderMap,
    ) -> Result<Self, Error> {
        let directives = Directives::parse(query)?;
        let cell = origin.cell(channel)?;
        let listed = listed(&origin, &cell, track)?;
        let takes = Takes::of(&headers);
        headers.clear();
        Ok(Self {
            origin,
            cell,
            listed,
            directives,
            takes,
            headers,
        })
    }

    /// The answer, when there is one, and how long it was held.
    ///
    /// # Errors
    /// [`Error::Late`] where what was asked for does not come in time, [`Error::Directive`] where it cannot,
    /// [`Error::Limit`] where too many wait, [`Error::UnknownTrack`] where the track has gone.
    pub(super) async fn answered(self) -> Result<(Response, Option<Duration>), Error> {
        let Reached { edge, verdict, held } =
            reach(&self.origin, &self.cell, self.listed, self.directives).await?;
        let document = match self.directives.skip {
            Some(skip) if verdict != Verdict::AnswerWhole => edge.delta(skip),
            _ => edge.full(),
        };
        let freshness = freshness(&edge.snapshot, self.directives);
        let document = document.ok_or_else(|| unknown(&self.cell, edge.name()))?;
        let response = document.answer_in(self.headers, &self.takes, freshness, held);
        Ok((self.origin.public(response), held))
    }
}

/// I-frame playlists have no parts: they wait for whole segments alone.
pub(super) async fn iframes(
    State(origin): State<Origin>,
    Named((channel, track)): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let mut directives = Directives::parse(query.as_deref().unwrap_or_default())?;
    directives.part = None;
    let cell = origin.cell(&channel)?;
    let listed = listed(&origin, &cell, &track)?;
    let Reached { edge, verdict, held } = reach(&origin, &cell, listed, directives).await?;
    let skips = directives.skip.is_some() && verdict != Verdict::AnswerWhole;
    let text = edge
        .track()
        .and_then(|track| hls::iframes(&edge.snapshot, track, skips));
    let Some(text) = text else {
        let name = "iframes.m3u8".to_owned();
        return Err(Error::UnknownSegment { track, name });
    };
    // Another name than that of a track, which has no slash.
    let name = if skips { format!("{track}/skip") } else { track };
    let document = cell.document(&name, text, !edge.snapshot.ended);
    let freshness = match directives.sequence {
        Some(_) => freshness(&edge.snapshot, directives),
        None => fresh_for(edge.snapshot.grid.map_or(1, |grid| grid.target_duration_s / 2)),
    };
    Ok(origin.public(document.answer(&headers, freshness, held)))
}

/// The moment at which a request is answered.
struct Reached {
    edge: Arc<LiveEdge>,
    verdict: Verdict,
    /// How long it was held.
    held: Option<Duration>,
}

/// A track's live edge, now and whenever its playlist changes.
fn listed(origin: &Origin, cell: &Cell, track: &str) -> Result<watch::Receiver<Arc<LiveEdge>>, Error> {
    origin.is_ready(&cell.name, &cell.snapshot())?;
    cell.listed(track).ok_or_else(|| unknown(cell, track))
}

/// Waits until a track has what is asked for.
async fn reach(
    origin: &Origin,
    cell: &Cell,
    mut listed: watch::Receiver<Arc<LiveEdge>>,
    directives: Directives,
) -> Result<Reached, Error> {
    let edge = Arc::clone(&listed.borrow_and_update());
    let verdict = directives.judge(&edge);
    match verdict {
        Verdict::Answer | Verdict::AnswerWhole => {
            return Ok(Reached {
                edge,
                verdict,
                held: None,
            });
        }
        Verdict::Beyond(reason) => return Err(Error::Directive { reason }),
        Verdict::Wait => {}
    }
    let _blocked = Blocked::new(origin, cell)?;
    let patience = patience(edge.snapshot.grid.map_or(0, |grid| grid.target_duration_s));
    let since = tokio::time::Instant::now();
    let is_met = |edge: &Arc<LiveEdge>| directives.judge(edge) != Verdict::Wait;
    let edge = match tokio::time::timeout(patience, listed.wait_for(is_met)).await {
        Ok(Ok(edge)) => Arc::clone(&edge),
        Ok(Err(_)) => return Err(unknown(cell, edge.name())),
        Err(_) => {
            return Err(Error::Late {
                what: "the playlist",
                waited_s: patience.as_secs(),
            });
        }
    };
    Ok(Reached {
        edge,
        verdict,
        held: Some(since.elapsed()),
    })
}

fn unknown(cell: &Cell, track: &str) -> Error {
    Error::UnknownTrack {
        channel: cell.name.clone(),
        track: track.to_owned(),
    }
}

/// An answer to a directive stays an answer to it: an old one merely sends the client on to the next. One that says
/// that the channel has ended does not: the encoder may come back, and the numbers go on.
fn freshness(snapshot: &Snapshot, directives: Directives) -> HeaderValue {
    let part_target = snapshot.grid.and_then(|grid| grid.part_target_ms);
    match (directives.sequence, part_target) {
        (Some(_), Some(_)) if !snapshot.ended => HeaderValue::from_static("public, max-age=60"),
        (None, Some(target)) => fresh_for(target.div_ceil(1_000)),
        _ => HeaderValue::from_static("public, max-age=1"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::media::{Counts, Gap, MediaSequence, OpenView, Part, Segment};
    use crate::render::hls::Memory;
    use crate::time::UnixMillis;

    const PART: Part = Part {
        offset: 0,
        length: 10,
        duration: 28_800,
        independent: false,
        first_sample: 0,
    };

    /// A track that lists the segments 100 to 109 of six parts, and has `open` parts of 110.
    fn edge(open: Option<usize>) -> LiveEdge {
        let entry = |sequence: u64| {
            Entry::Segment(
                Segment {
                    sequence: MediaSequence(sequence),
                    epoch: 0,
                    name: format!("0-{sequence}.m4s"),
                    start: 0,
                    duration: 172_800,
                    wall: 0,
                    span: 1_920_000_000,
                    length: 60,
                    init: 0,
                    parts: vec![PART; 6],
                }
                .into(),
            )
        };
        let open = open.map(|parts| {
            Arc::new(OpenView {
                sequence: MediaSequence(110),
                epoch: 0,
                name: "0-110.m4s".to_owned(),
                start: 0,
                duration: 0,
                wall: 0,
                init: 0,
                parts: vec![PART; parts],
                chunks: Vec::new(),
            })
        });
        let track = TrackView {
            name: "video".to_owned(),
            inits: Vec::new(),
            entries: (100..110).map(entry).collect(),
            open,
            peak_bitrate: 1,
            average_bitrate: 1,
            frame_rate: None,
            ended: false,
            sources: Vec::new(),
            inband: Vec::new(),
            counts: Counts::default(),
            marking: None,
            paired: 0,
        };
        let snapshot = Snapshot {
            channel: "demo".to_owned(),
            grid: Some(Grid {
                nominal: 1_920_000_000,
                target_duration_s: 2,
                part_target_ms: Some(320),
            }),
            epochs: Vec::new(),
            tracks: vec![track],
            ended: false,
            updated: UnixMillis(0),
            began: UnixMillis(0),
            window_s: 60,
            events: Vec::new(),
            events_told: 0,
            breaks: None,
        };
        of(snapshot)
    }

    fn of(snapshot: Snapshot) -> LiveEdge {
        let memory = Arc::new(Mutex::new(Memory::default()));
        let snapshot = Arc::new(snapshot);
        let track = &snapshot.tracks[0];
        Arc::into_inner(LiveEdge::new(&"o".into(), &snapshot, 0, track, &memory)).unwrap()
    }

    fn judge(query: &str, edge: &LiveEdge) -> Verdict {
        Directives::parse(query).unwrap().judge(edge)
    }

    #[test]
    fn a_directive_is_one_decimal_integer() {
        let part = Directives::parse("a=b&_HLS_msn=7&_HLS_part=0&_HLS_skip=v2").unwrap();
        assert_eq!(
            part,
            Directives {
                sequence: Some(7),
                part: Some(0),
                skip: Some(Skip::SegmentsAndRanges)
            }
        );
        assert_eq!(Directives::parse("").unwrap(), Directives::default());
        assert_eq!(
            Directives::parse("_HLS_skip=v9").unwrap().skip,
            None,
            "a way to skip that is not known yet"
        );
        for wrong in [
            "_HLS_part=1",
            "_HLS_msn",
            "_HLS_msn=",
            "_HLS_msn=x",
            "_HLS_msn=-1",
            "_HLS_msn=+1",
            "_HLS_msn=1.0",
            "_HLS_msn=%31",
            "_HLS_msn=1&_HLS_msn=2",
            "_HLS_msn=1&_HLS_part=a",
            "_HLS_msn=99999999999999999999999",
        ] {
            assert!(Directives::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_listed_is_answered_and_what_comes_next_is_waited_for() {
        let edge = edge(Some(2));
        assert_eq!(judge("", &edge), Verdict::Answer);
        assert_eq!(judge("_HLS_skip=YES", &edge), Verdict::Answer);
        assert_eq!(judge("_HLS_msn=109", &edge), Verdict::Answer);
        assert_eq!(judge("_HLS_msn=109&_HLS_part=5", &edge), Verdict::Answer);
        assert_eq!(judge("_HLS_msn=110&_HLS_part=1", &edge), Verdict::Answer);
        assert_eq!(judge("_HLS_msn=110&_HLS_part=2", &edge), Verdict::Wait);
        assert_eq!(judge("_HLS_msn=110", &edge), Verdict::Wait, "a whole segment");
        assert_eq!(judge("_HLS_msn=112", &edge), Verdict::Wait);
    }

    #[test]
    fn a_part_behind_the_last_of_a_closed_segment_is_the_first_of_the_next() {
        assert_eq!(judge("_HLS_msn=109&_HLS_part=6", &edge(None)), Verdict::Wait);
        assert_eq!(judge("_HLS_msn=109&_HLS_part=6", &edge(Some(0))), Verdict::Wait);
        assert_eq!(judge("_HLS_msn=109&_HLS_part=6", &edge(Some(1))), Verdict::Answer);
        assert_eq!(judge("_HLS_msn=108&_HLS_part=6", &edge(None)), Verdict::Answer);
    }

    #[test]
    fn what_has_left_the_window_is_answered_with_the_whole_playlist() {
        assert_eq!(judge("_HLS_msn=99", &edge(None)), Verdict::AnswerWhole);
        assert_eq!(
            judge("_HLS_msn=1&_HLS_part=3&_HLS_skip=YES", &edge(None)),
            Verdict::AnswerWhole
        );
    }

    #[test]
    fn what_is_too_far_ahead_is_refused() {
        let beyond = |query, open| matches!(judge(query, &edge(open)), Verdict::Beyond(_));
        assert!(beyond("_HLS_msn=113", Some(2)));
        assert!(beyond("_HLS_msn=112", None) && !beyond("_HLS_msn=111", None));
        // Three seconds of 0.32 s are nine parts, counted from the last one.
        assert!(!beyond("_HLS_msn=110&_HLS_part=10", Some(2)));
        assert!(beyond("_HLS_msn=110&_HLS_part=11", Some(2)));
        assert!(!beyond("_HLS_msn=111&_HLS_part=8", Some(2)));
        assert!(beyond("_HLS_msn=111&_HLS_part=9", Some(2)));
        assert!(beyond("_HLS_msn=18446744073709551615", Some(2)));
    }

    #[test]
    fn directives_are_nothing_to_a_playlist_that_has_ended_or_has_no_parts() {
        let mut ended = (*edge(Some(2)).snapshot).clone();
        ended.ended = true;
        assert_eq!(judge("_HLS_msn=999&_HLS_part=99", &of(ended)), Verdict::Answer);
        let mut plain = (*edge(None).snapshot).clone();
        plain.grid.as_mut().unwrap().part_target_ms = None;
        assert_eq!(judge("_HLS_msn=110", &of(plain)), Verdict::Answer);
    }

    #[test]
    fn a_gap_has_as_many_parts_as_it_is_listed_with() {
        let mut snapshot = (*edge(None).snapshot).clone();
        snapshot.tracks[0].entries.push(Entry::Gap(Gap {
            sequence: MediaSequence(110),
            epoch: 0,
            wall: 0,
            span: 1_920_000_000,
            init: 0,
        }));
        let edge = of(snapshot);
        assert_eq!(judge("_HLS_msn=110&_HLS_part=5", &edge), Verdict::Answer);
        assert_eq!(judge("_HLS_msn=110&_HLS_part=6", &edge), Verdict::Wait);
    }
}
