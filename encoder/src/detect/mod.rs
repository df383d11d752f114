//! Detection: what a recording says of each segment that viewers were sent, read from its picture.
//!
//! ```text
//! recording ──very small──▶ time: which moment is shown when ──▶ register: where in the picture ──▶ measure: A or B
//! archive A, B ─────────────────┴───────────────────────────────────┴──────────────────────────────────┘
//! ```
//!
//! It is informed: it compares the recording with the two variants that were sent, and needs no key. So it reads the
//! marks of any embedder. What it says of a segment is a number with its noise, a [`Measured`]; what that means for sessions is
//! `selvedge_watermark`'s to say. A segment that it cannot place in time and space it says nothing of.

mod archive;
mod measure;
mod plane;
mod register;
mod solve;
mod time;
mod video;
mod warp;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use selvedge_watermark::{
    pace::Variant,
    recording::{Measured, Recording, Stretch},
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use archive::Archive;
use measure::{Compared, measure};
use plane::Plane;
use register::{Pair, Registered};
use time::{Span, Track, align};
use video::{Reader, Timed};
use warp::Warp;

/// What is compared with what.
#[derive(Clone, Debug)]
pub struct Request {
    /// The recording: anything that FFmpeg opens.
    pub capture: PathBuf,
    /// The folder of the channel, or of a rendition of it, with the segments of both variants.
    pub archive: PathBuf,
    /// The rendition to compare with; one that suits where none is named.
    pub rendition: Option<String>,
    /// When what the recording begins with was sent, where that is known.
    pub begin: Option<Begin>,
}

/// When what a recording begins with was sent. Needed where the same pictures were sent more than once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Begin {
    /// Media time in seconds: with encoders on the grid since 1970, those since then.
    pub at: f64,
    /// How many seconds earlier or later it may have been.
    pub within: f64,
}

/// Why nothing could be detected.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DetectError {
    /// A file or folder cannot be opened or read.
    #[error("{path}: {reason}")]
    Open {
        /// Which.
        path: String,
        /// Why, as the system or FFmpeg says it.
        reason: String,
    },
    /// A file has no picture.
    #[error("{path}: has no video")]
    NoVideo {
        /// Which.
        path: String,
    },
    /// A rendition has no init segment.
    #[error("{folder}: has no init segment such as init.mp4")]
    NoInit {
        /// Which.
        folder: String,
    },
    /// There is no segment in both variants.
    #[error("{folder}: holds no segments of which the folder b holds another variant")]
    NoSegments {
        /// Where.
        folder: String,
    },
}

/// Compares a recording with what was sent.
///
/// # Errors
/// When either cannot be read. A recording of something else is no error: it says nothing of any segment.
pub fn detect(request: &Request) -> Result<Recording, DetectError> {
    let archive = Archive::open(&request.archive, request.rendition.as_deref())?;
    let sent = Sent::read(&archive)?;
    let mut capture = Track::default();
    let mut reader = Reader::open(&request.capture, SMALL)?;
    let shape = |(width, height): (u32, u32)| f64::from(width) / f64::from(height.max(1));
    let shapes = (shape(reader.shape()), shape(sent.shape));
    while let Some((time, picture)) = reader.next()? {
        capture.push(time, &picture);
    }
    tracing::info!(
        pictures = capture.times.len(),
        sent = sent.track.times.len(),
        rendition = archive.rendition(),
        "recording and archive read"
    );
    let (warp, spans) = place(request, &archive, &sent, &capture, shapes)?;
    tracing::info!(spans = spans.len(), ?warp, "recording placed");
    let mut pass = Pass {
        archive: &archive,
        sent: &sent,
        start: warp,
        warp,
        found: Vec::new(),
    };
    pass.run(&request.capture, &spans)?;
    let segments = of_one_likeness(pass.found);
    let seconds = capture.times.last().zip(capture.times.first());
    Ok(Recording {
        detector: env!("CARGO_PKG_VERSION").to_owned(),
        capture: sha256(&request.capture)?,
        seconds: seconds.map_or(0.0, |(last, first)| last - first),
        rendition: archive.rendition(),
        stretches: spans
            .iter()
            .map(|span| Stretch {
                start: span.start,
                end: span.end,
                offset: span.offset,
            })
            .collect(),
        segments,
    })
}

/// What was sent, very small, and which picture of which segment each of its pictures is.
struct Sent {
    track: Track,
    places: Vec<(usize, usize)>,
    shape: (u32, u32),
}

impl Sent {
    fn read(archive: &Archive) -> Result<Self, DetectError> {
        let mut sent = Self {
            track: Track::default(),
            places: Vec::new(),
            shape: (1, 1),
        };
        for (number, segment) in archive.segments().iter().enumerate() {
            if number == 0 {
                sent.shape = archive.shape(segment)?;
            }
            let pictures = archive.pictures(segment, Variant::A, SMALL)?;
            for (place, (time, picture)) in pictures.iter().enumerate() {
                // Segments that overlap in time would lead the search by it astray.
                if sent.track.times.last().is_none_or(|last| last < time) {
                    sent.track.push(*time, picture);
                    sent.places.push((number, place));
                }
            }
        }
        Ok(sent)
    }
}

/// Finds where in time and space a recording lies.
fn place(
    request: &Request,
    archive: &Archive,
    sent: &Sent,
    capture: &Track,
    shapes: (f64, f64),
) -> Result<(Warp, Vec<Span>), DetectError> {
    let mut spans = Vec::new();
    // As it is, else with bars above and below or at the sides, or with its borders cut off.
    let guesses = [
        (1.0, 1.0),
        (1.0, shapes.0 / shapes.1),
        (1.0, 0.75),
        (0.75, 1.0),
        (1.3, 1.3),
    ];
    for (across, down) in guesses {
        let warp = Warp::similar((across, down), 0.0, shapes.1, (0.0, 0.0));
        spans = align(capture, &sent.track, &warp, request.begin);
        let covered: f64 = spans.iter().map(|span| span.end - span.start).sum();
        if covered > 3.0 {
            break;
        }
    }
    let found = probe(request, archive, sent, &spans, shapes)?;
    let Some(found) = found else {
        return Ok((Warp::IDENTITY, spans));
    };
    // Seen rightly, more of it may be recognised.
    if found.warp.distance(&Warp::IDENTITY) > 0.04 {
        spans = align(capture, &sent.track, &found.warp, request.begin);
    }
    Ok((found.warp, spans))
}

/// Registers a few pictures of a recording, of its first ten seconds that were recognised, else of the next.
fn probe(
    request: &Request,
    archive: &Archive,
    sent: &Sent,
    spans: &[Span],
    shapes: (f64, f64),
) -> Result<Option<Registered>, DetectError> {
    let mut times = spans.iter().flat_map(|span| {
        let count = ((span.end - span.start - 0.4) / PROBE_STEP).max(0.0) as usize + 1;
        (0..count).map(|at| (span.start + 0.2 + at as f64 * PROBE_STEP, span.offset))
    });
    let mut reader = Reader::open(&request.capture, WIDE)?;
    let mut best: Option<Registered> = None;
    for _ in 0..PROBES {
        let mut pairs = Vec::new();
        for (time, offset) in times.by_ref().take(PROBE_PICTURES) {
            let Some((shown, capture)) = reader.until(time)? else {
                break;
            };
            let Some(at) = sent.track.nearest(shown + offset) else {
                continue;
            };
            let (number, place) = sent.places[at];
            let pictures = archive.pictures(&archive.segments()[number], Variant::A, WIDE)?;
            if let Some((_, sent)) = pictures.into_iter().nth(place) {
                pairs.push(Pair { capture, sent });
            }
        }
        if pairs.is_empty() {
            break;
        }
        let mut found = register::refine(&pairs, &Warp::IDENTITY);
        if found.likeness < CERTAIN {
            let searched = register::search(&pairs, shapes);
            if searched.likeness > found.likeness {
                found = searched;
            }
        }
        if best.is_none_or(|best| found.likeness > best.likeness) {
            best = Some(found);
        }
        if found.likeness > ALIKE {
            break;
        }
    }
    Ok(best.filter(|best| best.likeness > LEAST))
}

/// Leaves out segments that are less like the recording than most are: where it was cut, the rest of one is taken for the
/// next one's, and what is measured of that says nothing.
fn of_one_likeness(mut segments: Vec<Measured>) -> Vec<Measured> {
    let mut likenesses: Vec<f64> = segments.iter().map(|segment| segment.likeness).collect();
    likenesses.sort_by(f64::total_cmp);
    let usual = likenesses.get(likenesses.len() / 2).copied().unwrap_or_default();
    segments.retain(|segment| segment.likeness > usual - UNLIKE);
    segments
}

/// Goes through a recording and measures each segment that it shows.
struct Pass<'a> {
    archive: &'a Archive,
    sent: &'a Sent,
    /// The map of the whole recording.
    start: Warp,
    /// That of the last segment.
    warp: Warp,
    found: Vec<Measured>,
}

/// Pictures of a recording that show one segment.
struct Visit {
    segment: usize,
    start: f64,
    /// Each with the number of the segment's picture that it shows.
    pictures: Vec<(usize, Plane)>,
}

impl Pass<'_> {
    fn run(&mut self, capture: &Path, spans: &[Span]) -> Result<(), DetectError> {
        let mut reader = Reader::open(capture, WIDE)?;
        let mut visit: Option<Visit> = None;
        let mut spans = spans.iter().peekable();
        while let Some((time, picture)) = reader.next()? {
            while spans.next_if(|span| span.end <= time).is_some() {}
            let Some(span) = spans.peek().filter(|span| span.start <= time) else {
                continue;
            };
            let Some(at) = self.sent.track.nearest(time + span.offset) else {
                continue;
            };
            let (segment, place) = self.sent.places[at];
            if let Some(over) = visit.take_if(|visit| visit.segment != segment) {
                self.measure(over)?;
            }
            let visit = visit.get_or_insert_with(|| Visit {
                segment,
                start: time,
                pictures: Vec::new(),
            });
            visit.pictures.push((place, picture));
        }
        if let Some(over) = visit {
            self.measure(over)?;
        }
        Ok(())
    }

    fn measure(&mut self, mut visit: Visit) -> Result<(), DetectError> {
        let segment = &self.archive.segments()[visit.segment];
        let every = visit.pictures.len().div_ceil(MOST_PICTURES).max(1);
        let mut at = 0;
        visit.pictures.retain(|_| {
            at += 1;
            (at - 1) % every == every / 2
        });
        if visit.pictures.len() < LEAST_PICTURES {
            return Ok(());
        }
        let a = self.archive.pictures(segment, Variant::A, WIDE)?;
        let b = self.archive.pictures(segment, Variant::B, WIDE)?;
        let count = a.len().min(b.len());
        visit.pictures.retain(|(place, _)| *place < count);
        if visit.pictures.is_empty() {
            return Ok(());
        }
        self.follow(&visit, &a);
        let mean = |at: usize| -> Vec<f32> {
            let pixels = a[at].1.data.iter().zip(&b[at].1.data);
            pixels.map(|(a, b)| (a + b) / 2.0).collect()
        };
        let pictures: Vec<Compared<'_>> = visit
            .pictures
            .iter()
            .map(|(place, capture)| {
                let (variant_a, variant_b) = (&a[*place].1, &b[*place].1);
                let (before, after) = (mean(place.saturating_sub(1)), mean((place + 1).min(count - 1)));
                let change = after.iter().zip(&before).map(|(after, before)| after - before);
                Compared {
                    capture,
                    variants: [variant_a, variant_b],
                    change: Plane::new(variant_a.width, variant_a.height, change.collect()),
                }
            })
            .collect();
        let Some(found) = measure(&pictures, &self.warp) else {
            // Where it went astray is no place to go on from.
            self.warp = self.start;
            return Ok(());
        };
        tracing::debug!(
            file = segment.file,
            statistic = found.statistic,
            noise = found.noise,
            likeness = found.likeness,
            "segment measured"
        );
        self.found.push(Measured {
            file: segment.file.clone(),
            position: segment.position,
            at: visit.start,
            statistic: found.statistic,
            noise: found.noise,
            likeness: found.likeness,
            pictures: found.pictures as u32,
        });
        Ok(())
    }

    /// Follows the picture as it moves, for a recording may be made by hand.
    fn follow(&mut self, visit: &Visit, sent: &[Timed]) {
        let every = visit.pictures.len().div_ceil(FOLLOWED).max(1);
        let pairs: Vec<Pair> = visit
            .pictures
            .iter()
            .skip(every / 2)
            .step_by(every)
            .map(|(place, capture)| Pair {
                capture: capture.clone(),
                sent: sent[*place].1.clone(),
            })
            .collect();
        let mut found = register::follow(&pairs, &self.warp);
        if found.likeness < ALIKE {
            let again = register::refine(&pairs, &self.start);
            if again.likeness > found.likeness {
                found = again;
            }
        }
        if found.likeness > LEAST {
            self.warp = found.warp;
        }
    }
}

fn sha256(path: &Path) -> Result<String, DetectError> {
    let failed = |error: io::Error| DetectError::Open {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Hashing(Sha256::new());
    io::copy(&mut file, &mut hash).map_err(failed)?;
    let digest = hash.0.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

struct Hashing(Sha256);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The width of pictures that are only recognised, and of those that are measured.
const SMALL: u32 = 64;
const WIDE: u32 = 320;

/// Pictures of a segment that are measured, at most and at least.
const MOST_PICTURES: usize = 16;
const LEAST_PICTURES: usize = 4;

/// Pictures of a segment that are registered.
const FOLLOWED: usize = 3;

/// How often a recording is registered from nothing, by how many pictures, this far apart in seconds.
const PROBES: usize = 4;
const PROBE_PICTURES: usize = 4;
const PROBE_STEP: f64 = 1.3;

/// By how much less than usual the likeness of a segment may be.
const UNLIKE: f64 = 0.1;

/// The likeness of pictures that are surely, probably and possibly in the same place.
const CERTAIN: f64 = 0.98;
const ALIKE: f64 = 0.9;
const LEAST: f64 = 0.6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unlike_the_rest_of_a_recording_is_left_out() {
        let measured = |position, likeness| Measured {
            file: String::new(),
            position,
            at: 0.0,
            statistic: 0.5,
            noise: 0.1,
            likeness,
            pictures: 16,
        };
        let segments = [(1, 0.97), (2, 0.78), (3, 0.93), (4, 0.99), (5, 0.82)];
        let left = of_one_likeness(segments.map(|(position, like)| measured(position, like)).to_vec());
        assert_eq!(
            left.iter().map(|left| left.position).collect::<Vec<_>>(),
            [1, 3, 4]
        );
        assert!(of_one_likeness(Vec::new()).is_empty());
    }
}
