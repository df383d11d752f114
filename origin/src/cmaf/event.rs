//! Event messages: `emsg` boxes in front of a chunk, and the samples of event message tracks.

use bytes::Bytes;

use super::boxes::{self, Box4};
use super::samples::Samples;
use super::{Chunk, Init, Kind};

/// An event message: `emsg` (ISO/IEC 23009-1 §5.10.3.3), or `emib` of an event message track (ISO/IEC 23001-18).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventMessage {
    /// `scheme_id_uri`: whose message it is.
    pub scheme: String,
    /// `value`: what the scheme makes of it.
    pub value: String,
    /// `id`: messages of one scheme and value with equal ids are equivalent.
    pub id: u32,
    /// When the event begins.
    pub start: EventStart,
    /// Ticks a second of `start` and `duration`.
    pub timescale: u32,
    /// How long the event lasts, in ticks; `None` where the message does not know.
    pub duration: Option<u32>,
    /// `message_data`.
    pub data: Bytes,
}

/// When an event begins, in ticks of its own timescale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventStart {
    /// At this media time (`emsg` version 1, `emib`).
    At(i64),
    /// This long after the earliest presentation time of the chunk that it stands before (`emsg` version 0).
    After(u32),
}

impl EventMessage {
    /// The media time at which it begins, in nanoseconds, given the earliest presentation time of its chunk in
    /// nanoseconds of media time.
    pub fn starts_at(&self, chunk: i64) -> i64 {
        let nanos = |ticks| crate::time::ticks_to_nanos(ticks, self.timescale.max(1));
        match self.start {
            EventStart::At(ticks) => nanos(ticks),
            EventStart::After(ticks) => chunk.saturating_add(nanos(i64::from(ticks))),
        }
    }

    /// How long it lasts, in nanoseconds.
    pub fn lasts(&self) -> Option<i64> {
        self.duration
            .map(|ticks| crate::time::ticks_to_nanos(i64::from(ticks), self.timescale.max(1)))
    }
}

/// Reads an `emsg`; `None` when it is not well-formed. It is no reason to refuse the media that it comes with.
pub(super) fn emsg(found: &Box4<'_>) -> Option<EventMessage> {
    match found.version().ok()? {
        0 => {
            let (scheme, rest) = string(found.rest(12))?;
            let (value, rest) = string(rest)?;
            let (timescale, rest) = word(rest)?;
            let (delta, rest) = word(rest)?;
            let (duration, rest) = word(rest)?;
            let (id, data) = word(rest)?;
            message(
                scheme,
                value,
                id,
                EventStart::After(delta),
                timescale,
                duration,
                data,
            )
        }
        1 => {
            let start = EventStart::At(i64::try_from(found.u64(16).ok()?).ok()?);
            let (scheme, rest) = string(found.rest(32))?;
            let (value, data) = string(rest)?;
            let (timescale, duration, id) = (found.u32(12).ok()?, found.u32(24).ok()?, found.u32(28).ok()?);
            message(scheme, value, id, start, timescale, duration, data)
        }
        _ => None,
    }
}

/// The messages that a chunk of an event message track holds: `emib` boxes in the samples of an `evte` track, whole
/// samples of a `urim` track. At most [`MAX_EVENTS`]; empty for other tracks.
pub fn track_events(chunk: &Chunk, init: &Init) -> Vec<EventMessage> {
    let mut messages = Vec::new();
    if init.kind != Kind::Event {
        return messages;
    }
    for sample in Samples::of(chunk, init) {
        let Some(bytes) = chunk
            .bytes
            .get(sample.bytes.clone())
            .filter(|bytes| !bytes.is_empty())
        else {
            continue;
        };
        match &init.uri {
            Some(uri) => messages.extend(message(
                uri.clone(),
                String::new(),
                // A track of one URI names no events: equal payloads at one time are equivalent.
                id_of(bytes, sample.time),
                EventStart::At(sample.time),
                init.timescale,
                u32::try_from(sample.duration).unwrap_or(u32::MAX),
                bytes,
            )),
            None => messages.extend(sample_events(bytes, sample.time, init.timescale)),
        }
        if messages.len() >= MAX_EVENTS {
            messages.truncate(MAX_EVENTS);
            break;
        }
    }
    messages
}

/// The `emib` boxes of one `evte` sample that is presented at `time`.
fn sample_events(bytes: &[u8], time: i64, timescale: u32) -> Vec<EventMessage> {
    boxes::walk(bytes)
        .map_while(Result::ok)
        .filter(|found| &found.name == b"emib")
        .filter_map(|found| emib(&found, time, timescale))
        .take(MAX_EVENTS)
        .collect()
}

fn emib(found: &Box4<'_>, time: i64, timescale: u32) -> Option<EventMessage> {
    let delta = found.u64(16).ok()?.cast_signed();
    let (scheme, rest) = string(found.rest(32))?;
    let (value, data) = string(rest)?;
    let (duration, id) = (found.u32(24).ok()?, found.u32(28).ok()?);
    let start = EventStart::At(time.checked_add(delta)?);
    message(scheme, value, id, start, timescale, duration, data)
}

fn message(
    scheme: String,
    value: String,
    id: u32,
    start: EventStart,
    timescale: u32,
    duration: u32,
    data: &[u8],
) -> Option<EventMessage> {
    (timescale > 0 && data.len() <= MAX_DATA).then(|| EventMessage {
        scheme,
        value,
        id,
        start,
        timescale,
        duration: (duration != u32::MAX).then_some(duration),
        data: Bytes::copy_from_slice(data),
    })
}

/// A string that ends with a zero byte, and what follows it.
pub(super) fn string(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.iter().take(MAX_STRING).position(|byte| *byte == 0)?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((String::from_utf8(text.to_vec()).ok()?, rest.get(1..)?))
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*word), rest))
}

/// FNV-1a.
fn id_of(bytes: &[u8], time: i64) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let hash = bytes.iter().fold(0x811c_9dc5, step);
    time.to_be_bytes().iter().fold(hash, step)
}

/// Event messages that are read of one chunk; the bytes of the others pass through all the same.
pub const MAX_EVENTS: usize = 64;
/// Bytes of a scheme or a value.
const MAX_STRING: usize = 1024;
/// Bytes of a message: sixteen splice information sections.
const MAX_DATA: usize = 65_536;
