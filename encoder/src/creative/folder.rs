//! Where a creative's tracks are written, and what is noted of them meanwhile.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use mp4_atom::{Any, Decode};

use super::{CreativeError, write};
use crate::cmaf::Sink;

/// What was written of a track.
#[derive(Debug, Default)]
pub(super) struct Coded {
    pub(super) init: Bytes,
    /// The chunks of each segment.
    pub(super) segments: Vec<Vec<Chunk>>,
    pub(super) is_broken: bool,
    /// The first file that could not be written.
    pub(super) failed: Option<CreativeError>,
}

/// A chunk of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Chunk {
    /// How long it is, in the track's timescale.
    pub(super) ticks: u64,
    /// How many bytes it has.
    pub(super) bytes: u64,
}

impl Coded {
    /// The rate of the segment that has most bytes for its time, in bit/s.
    pub(super) fn peak(&self, timescale: u32) -> u64 {
        let rates = self.segments.iter().map(|chunks| {
            let ticks: u64 = chunks.iter().map(|chunk| chunk.ticks).sum();
            let bytes: u64 = chunks.iter().map(|chunk| chunk.bytes).sum();
            (bytes * 8 * u64::from(timescale)).div_ceil(ticks.max(1))
        });
        rates.max().unwrap_or(0)
    }
}

/// Writes one track's files: `init.mp4`, then `0.m4s` and so on.
pub(super) struct Folder {
    path: PathBuf,
    open: Vec<u8>,
    chunks: Vec<Chunk>,
    coded: Arc<Mutex<Coded>>,
}

impl Folder {
    pub(super) fn make(path: &Path, coded: Arc<Mutex<Coded>>) -> Result<Self, CreativeError> {
        fs::create_dir_all(path).map_err(|error| CreativeError::Write {
            path: path.to_owned(),
            error,
        })?;
        Ok(Self {
            path: path.to_owned(),
            open: Vec::new(),
            chunks: Vec::new(),
            coded,
        })
    }

    fn coded(&self) -> MutexGuard<'_, Coded> {
        self.coded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        if let Err(error) = write(&self.path.join(name), bytes) {
            self.coded().failed.get_or_insert(error);
        }
    }
}

impl Sink for Folder {
    fn init(&mut self, init: Bytes) {
        let mut coded = self.coded();
        // Another init segment is another encoder: what comes of it does not go with what is there.
        coded.is_broken |= !coded.init.is_empty();
        coded.init = init.clone();
        drop(coded);
        self.write(INIT, &init);
    }

    fn begin(&mut self, _: u64) {
        self.open.clear();
        self.chunks.clear();
    }

    fn chunk(&mut self, chunk: Bytes) {
        self.chunks.push(Chunk {
            ticks: ticks(&chunk),
            bytes: chunk.len() as u64,
        });
        self.open.extend_from_slice(&chunk);
    }

    fn end(&mut self) {
        let chunks = std::mem::take(&mut self.chunks);
        let mut coded = self.coded();
        let name = format!("{}.m4s", coded.segments.len());
        coded.segments.push(chunks);
        drop(coded);
        self.write(&name, &self.open);
    }

    fn abort(&mut self) {
        self.coded().is_broken = true;
    }
}

/// How long a chunk's samples are: all of one length, as the chunk writer has them.
fn ticks(mut chunk: &[u8]) -> u64 {
    while let Ok(found) = Any::decode(&mut chunk) {
        let Any::Moof(moof) = found else { continue };
        let tracks = moof.traf.iter().map(|track| {
            let samples: usize = track.trun.iter().map(|run| run.samples.len()).sum();
            u64::from(track.tfhd.default_sample_duration.unwrap_or_default()) * samples as u64
        });
        return tracks.sum();
    }
    0
}

pub(super) const INIT: &str = "init.mp4";
