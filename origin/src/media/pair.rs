//! Variant B beside variant A of a watermarked track: whether the two are in step, and what is served as B.
//!
//! # Rules
//! * Variant A alone makes timeline and playlists. B is looked up chunk by chunk: the one that begins where A's does, lasts
//!   as long, and has as many bytes and samples and the same position. Whatever comes of B besides changes nothing.
//! * While B is in step, a segment has its position from its first chunk on. B is waited for as long as a part takes to
//!   be made and sent, where there are parts, else as long as a segment lasts.
//! * What has become a chunk of B stays one. Where the next one does not come, or is another than A's, the segment goes on
//!   with A's chunks under both names: so each name has one length and one content, and nobody who was told of a
//!   position is refused. From then on the segment is not marked (position −1), and of its parts those alone are that
//!   are B's own to their last byte.
//! * After that a segment is marked from its beginning or not at all: the next one is once B is seen to be in step again.
//! * Where A falls silent and B does not, B stands in for it, as a second encoder would: what is served as A is B then, and
//!   not marked.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use selvedge_watermark::pace::{Position, Variant};
use serde::{Deserialize, Serialize};

use super::segment::{ClosedSegment, Part, Span, joined};
use super::tail::Push;
use crate::time::UnixMillis;

/// Why a segment of a marked track is not marked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Unmarked {
    /// Nothing of variant B came in time.
    Missing,
    /// Variant B stopped in the middle, or came too late from there on.
    Stopped,
    /// A chunk of variant B has another length than variant A's.
    Length,
    /// Variant B is cut into other chunks or samples than variant A.
    Chunks,
    /// Variant B says another position than variant A.
    Position,
    /// The encoder said no position, or −1.
    Unsaid,
    /// Variant A fell silent, and variant B is served in its place.
    StoodIn,
}

impl Unmarked {
    /// All of them, in the order of [`Unmarked::index`].
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Stopped,
        Self::Length,
        Self::Chunks,
        Self::Position,
        Self::Unsaid,
        Self::StoodIn,
    ];

    /// Its word in logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stopped => "stopped",
            Self::Length => "length",
            Self::Chunks => "chunks",
            Self::Position => "position",
            Self::Unsaid => "unsaid",
            Self::StoodIn => "stood-in",
        }
    }

    /// Its place in [`Unmarked::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// How the marking of a track goes, for operators.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Marking {
    /// Whether variant B comes as variant A does.
    pub in_step: bool,
    /// Segments that are marked.
    pub marked: u64,
    /// Segments that are not, by [`Unmarked::index`].
    pub unmarked: [u64; Unmarked::ALL.len()],
}

/// What there is of a segment as variant B.
#[derive(Clone, Debug)]
pub enum VariantB {
    /// It still comes in, or may: its chunks so far, and whether variant A has more.
    Coming {
        /// Its chunks so far, in order.
        chunks: Vec<Bytes>,
        /// Variant A has more chunks than that.
        is_behind: bool,
    },
    /// All its bytes.
    Whole(Bytes),
    /// All its bytes are in the store, under [`stored_name`].
    Stored,
    /// It is what variant A is.
    AsA,
}

/// The name in the store of what is served as variant B of a segment.
pub fn stored_name(name: &str) -> String {
    format!("{}/{name}", selvedge_watermark::pace::B_FOLDER)
}

/// The name in the store of what says a segment's position.
pub(super) fn sidecar_name(name: &str) -> String {
    format!("{}/{name}", selvedge_watermark::pace::SIDECAR_FOLDER)
}

/// A segment whose marking has been settled.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) name: String,
    pub(super) position: Position,
    /// Why it is not marked.
    pub(super) reason: Option<Unmarked>,
    /// What is served as variant B, where that is not variant A.
    pub(super) data: Option<Bytes>,
}

/// The pairs of a track's segments.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    is_marked: bool,
    /// Not in step: no segment is marked before it is again.
    is_lost: bool,
    /// By the segment's name.
    pairs: BTreeMap<String, Pair>,
    /// The segment that began last.
    newest: String,
    /// Chunks of variant B that have no place yet, by their decode time.
    waiting: BTreeMap<u64, Vec<Piece>>,
    /// How many chunks have been taken of the pushes under way, and of which of their segments.
    taken: BTreeMap<u64, (u64, usize)>,
    marked: u64,
    unmarked: [u64; Unmarked::ALL.len()],
    told: u64,
}

/// A chunk of variant B.
#[derive(Clone, Debug)]
struct Piece {
    push: Push,
    init: u64,
    span: Span,
    bytes: Bytes,
    position: Option<Position>,
    came: UnixMillis,
}

/// A segment of variant A, and what there is of variant B.
#[derive(Clone, Debug)]
struct Pair {
    position: Position,
    reason: Option<Unmarked>,
    state: State,
    /// Where A's chunks stand.
    spans: Vec<Span>,
}

#[derive(Clone, Debug)]
enum State {
    Open(Box<Open>),
    Settled {
        /// How many bytes are B's own, from the first on.
        own: u64,
        /// What is served as B, unless that is A, or in the store alone.
        data: Option<Bytes>,
    },
}

/// A pair that is not settled.
#[derive(Clone, Debug)]
struct Open {
    /// The encoder that leads A.
    source: Arc<str>,
    init: u64,
    a: Vec<Bytes>,
    b: Vec<Bytes>,
    /// The push that the newest chunk of B came with.
    push: Option<u64>,
    /// A has come to its end.
    is_closed: bool,
    /// Since when the next chunk of B has been due.
    since: UnixMillis,
    /// What was wrong with a chunk of B that does not fit, where a better one may come.
    doubt: Option<Unmarked>,
}

impl Open {
    fn own(&self) -> u64 {
        self.b.iter().map(|chunk| chunk.len() as u64).sum()
    }

    fn joined(&self, reason: Option<Unmarked>) -> Vec<Bytes> {
        let mut chunks = self.b.clone();
        if reason.is_some() {
            chunks.extend(self.a.iter().skip(self.b.len()).cloned());
        }
        chunks
    }
}

impl Pair {
    fn open(&self) -> Option<&Open> {
        match &self.state {
            State::Open(open) => Some(open),
            State::Settled { .. } => None,
        }
    }

    fn own(&self) -> u64 {
        match &self.state {
            State::Open(open) => open.own(),
            State::Settled { own, .. } => *own,
        }
    }
}

impl Pairs {
    /// Whether the track is, or has been, marked.
    pub(super) fn is_marked(&self) -> bool {
        self.is_marked
    }

    /// Changes with everything that those who wait for variant B wait for.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    /// How it goes; `None` of a track that is not marked.
    pub(super) fn marking(&self) -> Option<Marking> {
        self.is_marked.then_some(Marking {
            in_step: !self.is_lost,
            marked: self.marked,
            unmarked: self.unmarked,
        })
    }

    /// Bytes of variant B in memory.
    pub(super) fn bytes(&self) -> u64 {
        let kept = self.pairs.values().map(|pair| match &pair.state {
            State::Open(open) => open.own(),
            State::Settled { data, .. } => data.as_ref().map_or(0, |data| data.len() as u64),
        });
        let waiting = self.waiting.values().flatten();
        kept.chain(waiting.map(|piece| piece.span.length)).sum()
    }

    /// The position of a segment, or of a part of it; `None` of a track that is not marked.
    pub(super) fn position(&self, name: &str, part: Option<&Part>) -> Option<Position> {
        let pair = self.is_marked.then(|| self.pairs.get(name))?;
        let is_own = |pair: &&Pair| match part {
            Some(part) => pair.reason.is_none() || part.offset.saturating_add(part.length) <= pair.own(),
            None => pair.reason.is_none(),
        };
        Some(
            pair.filter(is_own)
                .map_or(Position::UNMARKED, |pair| pair.position),
        )
    }

    /// Whether a segment's position is for good.
    pub(super) fn is_settled(&self, name: &str) -> bool {
        self.pairs.get(name).is_none_or(|pair| pair.open().is_none())
    }

    /// What there is of a segment as variant B; `None` of a track that is not marked.
    pub(super) fn variant_b(&self, name: &str) -> Option<VariantB> {
        let pair = self.is_marked.then(|| self.pairs.get(name))?;
        Some(match pair.map(|pair| (&pair.state, pair.reason)) {
            Some((State::Open(open), reason)) => {
                let chunks = open.joined(reason);
                VariantB::Coming {
                    is_behind: chunks.len() < open.a.len(),
                    chunks,
                }
            }
            Some((State::Settled { data: Some(data), .. }, _)) => VariantB::Whole(data.clone()),
            Some((State::Settled { own: 1.., .. }, _)) => VariantB::Stored,
            Some(_) | None => VariantB::AsA,
        })
    }

    /// Takes a segment of variant A as far as it has come; `is_closed` says that it comes no further. What it says of its
    /// position counts with its first chunk.
    pub(super) fn take_a(
        &mut self,
        name: &str,
        segment: &ClosedSegment,
        source: &Arc<str>,
        is_closed: bool,
        now: UnixMillis,
    ) {
        let position = segment.pace.map_or(Position::UNMARKED, |pace| pace.position);
        self.is_marked |= position.index().is_some();
        if !self.is_marked || segment.spans.is_empty() {
            return;
        }
        if !self.pairs.contains_key(name) {
            let pair = self.begin(position, segment, source, now);
            if let Some(before) = self
                .pairs
                .get_mut(&self.newest)
                .filter(|pair| pair.open().is_none())
            {
                before.spans = Vec::new();
            }
            // One segment of a track comes at a time: what has not come of those before it never will.
            for before in self.pairs.values_mut() {
                if let State::Open(open) = &mut before.state {
                    open.is_closed = true;
                }
            }
            self.newest = name.to_owned();
            self.pairs.insert(name.to_owned(), pair);
            self.told += 1;
        }
        let Some(pair) = self.pairs.get_mut(name) else {
            return;
        };
        let State::Open(open) = &mut pair.state else {
            return;
        };
        if open.a.len() < segment.chunks.len() {
            if open.b.len() == open.a.len() {
                open.since = now;
            }
            pair.spans.clone_from(&segment.spans);
            open.a.clone_from(&segment.chunks);
            open.source = Arc::clone(source);
            self.told += 1;
        }
        open.is_closed |= is_closed;
    }

    fn begin(&self, position: Position, segment: &ClosedSegment, source: &Arc<str>, now: UnixMillis) -> Pair {
        let open = Open {
            source: Arc::clone(source),
            init: segment.init.hash,
            a: Vec::new(),
            b: Vec::new(),
            push: None,
            is_closed: false,
            since: now,
            doubt: None,
        };
        let first = segment.spans.first();
        let is_there = || first.is_some_and(|first| self.has(first, &open, position));
        let stands_in = segment.pace.is_some_and(|pace| pace.variant == Variant::B);
        let reason = match position.index() {
            _ if stands_in => Some(Unmarked::StoodIn),
            None => Some(Unmarked::Unsaid),
            Some(_) if self.is_lost && !is_there() => Some(Unmarked::Missing),
            Some(_) => None,
        };
        Pair {
            position,
            reason,
            state: State::Open(Box::new(open)),
            spans: Vec::new(),
        }
    }

    fn has(&self, span: &Span, open: &Open, position: Position) -> bool {
        let there = self.waiting.get(&span.start);
        there
            .into_iter()
            .flatten()
            .any(|piece| piece.fits(span, open.init, position))
    }

    /// Takes what has come of a segment of variant B.
    pub(super) fn take_b(&mut self, push: &Push, segment: &ClosedSegment, now: UnixMillis) {
        if !self.is_marked {
            self.is_marked = true;
            self.told += 1;
        }
        let (of, count) = self.taken.get(&push.id).copied().unwrap_or_default();
        let count = if of == segment.start { count } else { 0 };
        let new = segment.spans.iter().zip(&segment.chunks).skip(count);
        for (span, bytes) in new {
            let there = self.waiting.entry(span.start).or_default();
            if there.len() < MAX_ALIKE {
                there.push(Piece {
                    push: push.clone(),
                    init: segment.init.hash,
                    span: *span,
                    bytes: bytes.clone(),
                    position: segment.pace.map(|pace| pace.position),
                    came: now,
                });
            }
        }
        self.taken.insert(push.id, (segment.start, segment.spans.len()));
        while self.taken.len() > MAX_PUSHES {
            self.taken.pop_first();
        }
    }

    /// Brings the pairs as far as they go. `patience_ms` is for how long a chunk of B is waited for. Returns the segments
    /// whose marking was lost just now, and those that were settled.
    pub(super) fn follow(
        &mut self,
        patience_ms: i64,
        now: UnixMillis,
    ) -> (Vec<(String, Unmarked)>, Vec<Settled>) {
        let (mut lost, mut settled) = (Vec::new(), Vec::new());
        for (name, pair) in &mut self.pairs {
            let State::Open(open) = &mut pair.state else {
                continue;
            };
            if pair.reason.is_none() {
                let before = open.b.len();
                pair.reason = open.fill(&pair.spans, pair.position, &mut self.waiting, now);
                if pair.reason.is_none()
                    && open.b.len() < open.a.len()
                    && now.0.saturating_sub(open.since.0) > patience_ms
                {
                    pair.reason = Some(open.overdue());
                }
                self.told += u64::from(before != open.b.len() || pair.reason.is_some());
                if let Some(reason) = pair.reason {
                    self.is_lost = true;
                    lost.push((name.clone(), reason));
                }
            }
            if !open.is_closed || pair.reason.is_none() && open.b.len() < open.a.len() {
                continue;
            }
            let own = open.own();
            let data = (own > 0).then(|| joined(&open.joined(pair.reason)));
            settled.push(Settled {
                name: name.clone(),
                position: pair.reason.map_or(pair.position, |_| Position::UNMARKED),
                reason: pair.reason,
                data: data.clone(),
            });
            match pair.reason.map(Unmarked::index) {
                None => self.marked += 1,
                Some(index) => self
                    .unmarked
                    .get_mut(index)
                    .into_iter()
                    .for_each(|count| *count += 1),
            }
            pair.state = State::Settled { own, data };
            if *name != self.newest {
                pair.spans = Vec::new();
            }
            self.told += 1;
        }
        self.look_whether_in_step();
        self.drop_stale(now);
        (lost, settled)
    }

    /// B is in step again when some of it is what it should be beside the segment that began last.
    fn look_whether_in_step(&mut self) {
        let Some(pair) = self.pairs.get(&self.newest).filter(|_| self.is_lost) else {
            return;
        };
        let (mut end, own) = (0, pair.own());
        let is_beside = |span: &Span| {
            let mut there = self.waiting.get(&span.start).into_iter().flatten();
            there.any(|piece| piece.is_beside(span, pair.position))
        };
        let is_in_step = pair.spans.iter().any(|span| {
            end += span.length;
            // What B had before it was lost says nothing.
            end > own && is_beside(span)
        });
        self.is_lost = !(is_in_step && pair.position.index().is_some());
    }

    /// Whether B does not come as A does.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Waits no longer for what is missing of a segment's variant B.
    pub(super) fn give_up(&mut self, name: &str) {
        if let Some(Pair {
            state: State::Open(open),
            ..
        }) = self.pairs.get_mut(name)
            && open.b.len() < open.a.len()
        {
            open.since = UnixMillis(i64::MIN);
        }
    }

    /// Waits no longer for what is missing of any variant B.
    pub(super) fn give_up_all(&mut self) {
        let names: Vec<String> = self.pairs.keys().cloned().collect();
        names.iter().for_each(|name| self.give_up(name));
    }

    /// Says that a segment goes on with chunks of variant B as variant A: from there on they are the same.
    pub(super) fn stand_in(&mut self, name: &str) {
        if let Some(pair) = self.pairs.get_mut(name).filter(|pair| pair.open().is_some()) {
            pair.reason.get_or_insert(Unmarked::StoodIn);
            self.told += 1;
        }
    }

    /// Lets the bytes of a settled segment's variant B leave memory: the store has them.
    pub(super) fn drop_bytes(&mut self, name: &str) {
        if let Some(Pair {
            state: State::Settled { data, .. },
            ..
        }) = self.pairs.get_mut(name)
        {
            *data = None;
        }
    }

    /// Lets what has no place yet leave memory.
    pub(super) fn drop_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Forgets a segment; returns the names of what the store has of it beside variant A.
    pub(super) fn forget(&mut self, name: &str) -> Vec<String> {
        match self.pairs.remove(name) {
            Some(pair) if pair.own() > 0 => vec![stored_name(name), sidecar_name(name)],
            Some(_) => vec![sidecar_name(name)],
            None => Vec::new(),
        }
    }

    /// Drops chunks of B that no segment can want any more.
    fn drop_stale(&mut self, now: UnixMillis) {
        let wanted = |(name, pair): (&String, &Pair)| {
            match pair.open() {
                Some(open) => pair.spans.get(open.b.len()).or(pair.spans.last()),
                None => pair.spans.first().filter(|_| *name == self.newest),
            }
            .map(|span| span.start)
        };
        let oldest = self.pairs.iter().filter_map(wanted).min().unwrap_or(0);
        self.waiting.retain(|_, there| {
            there.retain(|piece| piece.span.end() > oldest && now.0.abs_diff(piece.came.0) < MAX_WAIT_MS);
            !there.is_empty()
        });
    }

    /// What a restart must know.
    pub(super) fn record(&self) -> Option<PairsRecord> {
        let pair = |(name, pair): (&String, &Pair)| {
            let (own, reason) = match &pair.state {
                State::Settled { own, .. } => (*own, pair.reason),
                // What there is of it is in memory alone.
                State::Open(_) => (0, Some(Unmarked::Stopped)),
            };
            PairRecord {
                name: name.clone(),
                position: pair.position.number(),
                own,
                marked: reason.is_none(),
            }
        };
        self.is_marked
            .then(|| PairsRecord(self.pairs.iter().map(pair).collect()))
    }

    /// The pairs as they were.
    pub(super) fn restore(record: Option<PairsRecord>) -> Self {
        let pair = |record: PairRecord| {
            let pair = Pair {
                position: Position::new(record.position.into()).unwrap_or(Position::UNMARKED),
                reason: (!record.marked).then_some(Unmarked::Stopped),
                state: State::Settled {
                    own: record.own,
                    data: None,
                },
                spans: Vec::new(),
            };
            (record.name, pair)
        };
        Self {
            is_marked: record.is_some(),
            pairs: record.map_or_else(BTreeMap::new, |record| record.0.into_iter().map(pair).collect()),
            ..Self::default()
        }
    }
}

impl Piece {
    /// Whether it is what B has to have beside a chunk of A.
    fn fits(&self, span: &Span, init: u64, position: Position) -> bool {
        self.init == init && self.is_beside(span, position)
    }

    fn is_beside(&self, span: &Span, position: Position) -> bool {
        self.span == *span && self.position.is_none_or(|own| own == position)
    }
}

impl Open {
    /// Adds chunks of B that fit; says why none can follow, where that is certain.
    fn fill(
        &mut self,
        spans: &[Span],
        position: Position,
        waiting: &mut BTreeMap<u64, Vec<Piece>>,
        now: UnixMillis,
    ) -> Option<Unmarked> {
        while let Some(span) = spans.get(self.b.len()) {
            let fits = |(_, piece): &(usize, &Piece)| piece.fits(span, self.init, position);
            // Rather of the push that the chunk before came with, or else of A's own encoder.
            let rank = |piece: &Piece| {
                let is_same = self.push == Some(piece.push.id);
                (!is_same, piece.push.source != self.source)
            };
            let mut there = waiting.get_mut(&span.start);
            let fitting = there
                .iter()
                .flat_map(|there| there.iter().enumerate())
                .filter(fits);
            let fitting = fitting.min_by_key(|(_, piece)| rank(piece)).map(|(at, _)| at);
            if let (Some(at), Some(there)) = (fitting, &mut there) {
                let piece = there.swap_remove(at);
                self.push = Some(piece.push.id);
                self.b.push(piece.bytes);
                self.since = now;
                self.doubt = None;
                continue;
            }
            let (wrong, is_certain) = self.misfit(span, position, waiting)?;
            self.doubt = Some(wrong);
            return is_certain.then_some(wrong);
        }
        None
    }

    /// What is wrong with B where a chunk of A has none beside it: `None` while nothing of that time has come. It is
    /// certain of the encoder that leads A; another's may yet come.
    fn misfit(
        &self,
        span: &Span,
        position: Position,
        waiting: &BTreeMap<u64, Vec<Piece>>,
    ) -> Option<(Unmarked, bool)> {
        let near = waiting
            .range(..span.end())
            .flat_map(|(_, there)| there)
            .filter(|piece| piece.init == self.init && piece.span.end() > span.start);
        let why = |piece: &Piece| {
            let wrong = if piece.span.start != span.start || piece.span.duration != span.duration {
                Unmarked::Chunks
            } else if piece.position.is_some_and(|own| own != position) {
                Unmarked::Position
            } else if piece.span.length != span.length {
                Unmarked::Length
            } else {
                Unmarked::Chunks
            };
            (wrong, piece.push.source == self.source)
        };
        near.map(why).max_by_key(|(_, is_certain)| *is_certain)
    }

    /// Why the marking is lost of a segment whose variant B was waited for in vain.
    fn overdue(&self) -> Unmarked {
        self.doubt.unwrap_or(if self.b.is_empty() {
            Unmarked::Missing
        } else {
            Unmarked::Stopped
        })
    }
}

/// The pairs of a track as the store keeps them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct PairsRecord(Vec<PairRecord>);

#[derive(Clone, Debug, Deserialize, Serialize)]
struct PairRecord {
    name: String,
    position: i16,
    own: u64,
    marked: bool,
}

/// Chunks of one time that are kept: as many encoders push one track.
const MAX_ALIKE: usize = 4;
/// Pushes of variant B at one time of one track.
const MAX_PUSHES: usize = 64;
/// For how long a chunk of B waits for a segment of A.
const MAX_WAIT_MS: u64 = 30_000;
