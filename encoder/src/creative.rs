//! Conditioning: a file or a card becomes a creative, cut at a channel's cadence, in a folder of its own.
//!
//! What it makes is what the live encoder makes of the same configuration: the same ladder, frame rate, timescales,
//! segments and chunks, an IDR at the begin of each segment and nowhere else. So a player that comes from the channel
//! needs nothing new but the creative's own init segments. Media times begin at zero.

mod folder;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use mp4_atom::{Any, Codec, Decode};
use selvedge_breaks::{
    Creative, CreativeName, Micros,
    creative::{Audio, DOCUMENT, FrameRate, Rendition, Video},
    decision::{Media, Part, Segment},
    document::Version,
};

use crate::{
    clock::{Grid, SAMPLE_RATE, Utc, VIDEO_TIMESCALE},
    cmaf::CmafError,
    config::{Config, InputKind},
    ingest::{CardSource, FileSource, IngestError, Once, Source},
    pipeline::{self, Output, PipelineError},
    stats::TrackStats,
};
use folder::{Coded, Folder};

/// How long a creative is, where its input is not a whole number of segments long.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Length {
    /// As many whole segments as hold it: the last picture stands, in silence, until the last one is full. So an ad takes
    /// a slot of equal segments.
    #[default]
    Whole,
    /// As it is: the last segment takes what is left, at least half a segment and at most one and a half.
    Exact,
}

/// Why there is no creative.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreativeError {
    /// The input gives nothing.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// It could not be encoded.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A generated card goes on for ever.
    #[error("a card has no length of its own; give --duration")]
    Endless,
    /// It is longer than a creative may be.
    #[error("{0:.0} s are too long for a creative; an hour is the most")]
    TooLong(f64),
    /// A file could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// An encoder gave up a segment.
    #[error("{0}: a segment was given up by its encoder")]
    Broken(String),
    /// What was written cannot be described.
    #[error("{track}: {error}")]
    Describe {
        /// The track.
        track: String,
        /// What is wrong with it.
        error: CmafError,
    },
    /// What was made is no creative by its own document's rules.
    #[error("the creative is not sound: {0}")]
    Unsound(selvedge_breaks::document::Faults),
}

/// Makes a creative of a configuration's input, in `folder`: a folder for each track, and `creative.json` last of all, so
/// that a folder with one is complete.
///
/// `config.duration` says how long it is, to the nearest whole segment unless it is to be exact; without one it is as long
/// as the file. A file that is shorter than that is held at its last picture.
///
/// # Errors
/// When the input cannot be read, encoded, or written.
pub fn make(
    config: &Config,
    name: CreativeName,
    length: Length,
    folder: &Path,
) -> Result<Creative, CreativeError> {
    let config = Config {
        is_recording: true,
        burn: false,
        watermark: None,
        ..config.clone()
    };
    let grid = config.grid;
    let (source, own): (Box<dyn Source>, Option<u64>) = match &config.input {
        InputKind::Test => {
            let card = CardSource::new(pipeline::largest(&config), name.as_str(), config.sound);
            (Box::new(card), None)
        }
        InputKind::File(path) => {
            let own = FileSource::frames(path, grid)?;
            (Box::new(FileSource::open(path, grid, config.sound)?), Some(own))
        }
    };
    let asked = config
        .duration
        .map(|duration| grid.frame_at(Utc(grid.time(1).0 / 2).plus(duration)));
    let frames = asked.or(own).ok_or(CreativeError::Endless)?.max(1);
    if frames > MAX_SECONDS * u64::from(grid.fps()) {
        return Err(CreativeError::TooLong(frames as f64 / f64::from(grid.fps())));
    }
    let segment = u64::from(grid.segment_frames());
    let total = match length {
        Length::Whole if asked.is_some() => ((frames + segment / 2) / segment).max(1) * segment,
        Length::Whole => frames.next_multiple_of(segment),
        Length::Exact => frames.max(u64::from(grid.chunk_frames())),
    };
    let shown = own.map_or(total, |own| own.min(total));
    let mut source = Once::new(source, grid, shown);
    let mut outputs = Vec::new();
    let mut tracks = Vec::new();
    for (track, _) in pipeline::tracks(&config) {
        let coded = Arc::new(Mutex::new(Coded::default()));
        outputs.push(Output {
            stats: Arc::new(TrackStats::new(track.as_str())),
            sink: Box::new(Folder::make(&folder.join(&track), Arc::clone(&coded))?),
        });
        tracks.push((track, coded));
    }
    pipeline::record(&config, &mut source, outputs, total)?;
    let renditions = tracks.into_iter().map(|(track, coded)| {
        let coded = std::mem::take(&mut *coded.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(error) = coded.failed {
            return Err(error);
        }
        if coded.is_broken {
            return Err(CreativeError::Broken(track));
        }
        let described = describe(&track, &coded, grid);
        let rendition = described.map_err(|error| CreativeError::Describe {
            track: track.clone(),
            error,
        })?;
        Ok((track, rendition))
    });
    let creative = Creative {
        version: Version,
        name,
        duration: micros(grid.video_time(total), VIDEO_TIMESCALE),
        renditions: renditions.collect::<Result<_, _>>()?,
    };
    let document = serde_json::to_vec(&creative).map_err(|error| CreativeError::Write {
        path: folder.join(DOCUMENT),
        error: error.into(),
    })?;
    let creative = Creative::read(&document).map_err(CreativeError::Unsound)?;
    write(&folder.join(DOCUMENT), &document)?;
    Ok(creative)
}

/// What a track's document says of it.
fn describe(track: &str, coded: &Coded, grid: Grid) -> Result<Rendition, CmafError> {
    let mut init = &coded.init[..];
    let entry = loop {
        if init.is_empty() {
            return Err(CmafError::Incomplete("moov"));
        }
        let found = Any::decode(&mut init).map_err(crate::cmaf::box_error("read the init segment"))?;
        if let Any::Moov(moov) = found {
            let track = moov.trak.into_iter().next();
            let entry = track.and_then(|track| track.mdia.minf.stbl.stsd.codecs.into_iter().next());
            break entry.ok_or(CmafError::Incomplete("sample entry"))?;
        }
    };
    match entry {
        Codec::Avc1(entry) => Ok(Rendition::Video(Video {
            codecs: format!(
                "avc1.{:02x}{:02x}{:02x}",
                entry.avcc.avc_profile_indication,
                entry.avcc.profile_compatibility,
                entry.avcc.avc_level_indication
            ),
            bandwidth: coded.peak(VIDEO_TIMESCALE),
            width: entry.visual.width.into(),
            height: entry.visual.height.into(),
            frame_rate: FrameRate::new(f64::from(grid.fps())).ok_or(CmafError::Incomplete("frame rate"))?,
            media: media(track, coded, VIDEO_TIMESCALE),
        })),
        Codec::Mp4a(_) => Ok(Rendition::Audio(Audio {
            codecs: "mp4a.40.2".to_owned(),
            bandwidth: coded.peak(SAMPLE_RATE),
            channels: 2,
            sample_rate: SAMPLE_RATE,
            media: media(track, coded, SAMPLE_RATE),
        })),
        _ => Err(CmafError::Incomplete("codec that is known")),
    }
}

/// Lengths in microseconds are differences of places, so that rounding never adds up.
fn media(track: &str, coded: &Coded, timescale: u32) -> Media {
    let mut at = 0;
    let segments = coded.segments.iter().enumerate().map(|(index, chunks)| {
        let start = micros(at, timescale);
        let parts = chunks.iter().map(|chunk| {
            let start = micros(at, timescale);
            at += chunk.ticks;
            Part {
                duration: micros(at, timescale).less(start),
                bytes: chunk.bytes,
            }
        });
        let parts = parts.collect();
        Segment {
            duration: micros(at, timescale).less(start),
            uri: format!("{track}/{index}.m4s"),
            parts,
        }
    });
    let segments = segments.collect();
    Media {
        init: Some(format!("{track}/{}", folder::INIT)),
        segments,
    }
}

fn micros(ticks: u64, timescale: u32) -> Micros {
    let micros = (u128::from(ticks) * 1_000_000 + u128::from(timescale / 2)) / u128::from(timescale);
    Micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CreativeError> {
    fs::write(path, bytes).map_err(|error| CreativeError::Write {
        path: path.to_owned(),
        error,
    })
}

const MAX_SECONDS: u64 = 3600;
