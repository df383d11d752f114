//! A channel at one moment, as the documents need it.

use std::sync::Arc;

use super::segment::Entry;
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
    /// Highest bits a second of one segment, or the encoder's word while nothing is measured.
    pub peak_bitrate: u64,
    /// Average bits a second, or the encoder's word while nothing is measured.
    pub average_bitrate: u64,
    /// Frames a second as a reduced fraction, of video whose frames last equally long.
    pub frame_rate: Option<(u64, u64)>,
    /// The track has had its last segment.
    pub ended: bool,
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
