//! A channel at one moment, as the documents need it.

use std::sync::Arc;

use bytes::Bytes;

use super::breaks::BreaksView;
use super::event::{Event, Inband};
use super::pair::Marking;
use super::segment::{Entry, MediaSequence, Part};
use super::timeline::{Epoch, Grid};
use crate::cmaf::Init;
use crate::time::UnixMillis;

/// A channel at one moment. Rendering is a pure function of it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The channel's name.
    pub channel: String,
    /// Slots and target duration; absent while the channel starts.
    pub grid: Option<Grid>,
    /// All epochs of the channel's window, by ordinal, oldest first.
    pub epochs: Vec<Epoch>,
    /// Tracks, by name.
    pub tracks: Vec<TrackView>,
    /// No more media will come.
    pub ended: bool,
    /// When the newest media was taken in.
    pub updated: UnixMillis,
    /// When the first init segment was taken in.
    pub began: UnixMillis,
    /// Seconds that the documents list.
    pub window_s: u32,
    /// Events whose time maps to the window or is still to come, by the time that they begin.
    pub events: Vec<Arc<Event>>,
    /// How many events, and new words on events, there have been: tells two lists of them apart.
    pub events_told: u64,
    /// What is known of breaks; `None` where nobody made rules for any.
    pub breaks: Option<BreaksView>,
}

/// A track at one moment.
#[derive(Clone, Debug)]
pub struct TrackView {
    /// The track's name.
    pub name: String,
    /// Init segments in use, the current one last. Never empty.
    pub inits: Vec<Arc<Init>>,
    /// What the playlist lists, oldest first.
    pub entries: Vec<Entry>,
    /// The segment that is still coming in. `None` between two segments, and where the channel has no parts.
    pub open: Option<Arc<OpenView>>,
    /// Highest bits a second of one segment, or the encoder's word while nothing is measured.
    pub peak_bitrate: u64,
    /// Average bits a second, or the encoder's word while nothing is measured.
    pub average_bitrate: u64,
    /// Frames a second as a reduced fraction, of video whose frames last equally long.
    pub frame_rate: Option<(u64, u64)>,
    /// The track has had its last segment.
    pub ended: bool,
    /// The encoders that push it.
    pub sources: Vec<SourceView>,
    /// Streams of events in its segments, as far as any has been seen; sorted.
    pub inband: Vec<Inband>,
    /// What has happened to the track.
    pub counts: Counts,
    /// How its marking goes; `None` of a track that is not marked.
    pub marking: Option<Marking>,
    /// Changes with everything that those who wait for variant B wait for.
    pub paired: u64,
}

/// An encoder of a track.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceView {
    /// What it calls itself, or where it pushes from.
    pub name: Arc<str>,
    /// Its media is what viewers get.
    pub leads: bool,
    /// Its newest segment was filler, or broke off.
    pub faulty: bool,
    /// When media last came from it.
    pub heard: UnixMillis,
}

/// What has happened to a track since the origin began, for operators.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Segments listed.
    pub segments: u64,
    /// Parts listed.
    pub parts: u64,
    /// Gaps listed.
    pub gaps: u64,
    /// Segments that were there already, or came too late.
    pub duplicates: u64,
    /// Segments of another timeline than the one on air.
    pub standby: u64,
    /// Times that another encoder took the lead.
    pub switches: u64,
    /// Segments that were longer than the target duration.
    pub overlong_segments: u64,
    /// Segments with a part that was longer than the part target.
    pub overlong_parts: u64,
    /// Bytes of media in memory, now.
    pub bytes: u64,
}

/// A segment that is still coming in: numbered and named already, and never otherwise.
#[derive(Clone, Debug)]
pub struct OpenView {
    /// Its number.
    pub sequence: MediaSequence,
    /// Ordinal of its epoch.
    pub epoch: u32,
    /// The name that it will have: the last component of its URL, `<epoch id>-<start>.m4s`.
    pub name: String,
    /// Decode time of its first sample, in ticks.
    pub start: u64,
    /// Duration so far in ticks, of the parts alone.
    pub duration: u64,
    /// Wall time of `start` in nanoseconds since 1970.
    pub wall: i64,
    /// Hash of the init segment it needs.
    pub init: u64,
    /// Parts that are complete, in order.
    pub parts: Vec<Part>,
    /// All bytes so far, chunk by chunk: those of the parts, and of the part that is not complete.
    pub chunks: Vec<Bytes>,
}

impl Snapshot {
    /// The track of that name.
    pub fn track(&self, name: &str) -> Option<&TrackView> {
        self.tracks.iter().find(|track| track.name == name)
    }

    /// Listed tracks that have an init segment and no media: while there are any, the channel is starting.
    pub fn waiting_for(&self) -> Vec<&str> {
        let bare = |track: &&TrackView| track.entries.is_empty();
        self.tracks
            .iter()
            .filter(bare)
            .map(|track| track.name.as_str())
            .collect()
    }
}

impl TrackView {
    /// The current init segment.
    pub fn init(&self) -> Option<&Arc<Init>> {
        self.inits.last()
    }

    /// The init segment of that hash.
    pub fn init_of(&self, hash: u64) -> Option<&Arc<Init>> {
        self.inits.iter().find(|init| init.hash == hash)
    }
}

/// What tells two states of a track's documents apart without comparing them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark {
    first: Option<u64>,
    last: Option<u64>,
    lists: bool,
    ended: bool,
    init: Option<u64>,
    open: Option<(u64, usize)>,
    chunks: usize,
    paired: u64,
    events: u64,
    breaks: u64,
}

impl Mark {
    /// Whether a media playlist would be the same, whatever bytes have come since.
    pub fn lists_the_same(&self, other: &Self) -> bool {
        let Self {
            chunks: _, paired: _, ..
        } = other;
        self.first == other.first
            && self.last == other.last
            && self.lists == other.lists
            && self.ended == other.ended
            && self.init == other.init
            && self.open == other.open
            && self.events == other.events
            && self.breaks == other.breaks
    }
}

impl Snapshot {
    /// The mark of a track of this snapshot.
    pub fn mark(&self, track: &TrackView) -> Mark {
        let open = track.open.as_deref();
        Mark {
            first: track.entries.first().map(|entry| entry.sequence().0),
            last: track.entries.last().map(|entry| entry.sequence().0),
            lists: self.grid.is_some(),
            ended: self.ended,
            init: track.init().map(|init| init.hash),
            open: open.map(|open| (open.sequence.0, open.parts.len())),
            chunks: open.map_or(0, |open| open.chunks.len()),
            paired: track.paired,
            events: self.events_told,
            breaks: self.breaks.as_ref().map_or(0, |breaks| breaks.told),
        }
    }
}
