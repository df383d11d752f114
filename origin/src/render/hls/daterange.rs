//! `EXT-X-DATERANGE` (bis 4.4.5.1): what happens in the channel besides its media.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use selvedge_breaks::{Signal, scte35};

use super::tags::seconds;
use crate::media::{Event, Snapshot, Splice, signals};
use crate::time::UnixMillis;
use selvedge_breaks::hls::value::{Hex, Quoted};

/// What was told of events, and since when.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Lines of the last playlist, in order.
    lines: Vec<Line>,
    /// Identifiers that left the playlist, and where it ended then.
    removed: Vec<(String, i64)>,
}

#[derive(Debug, Eq, PartialEq)]
struct Line {
    id: String,
    text: String,
    /// Where the playlist ended when the line was first told so, in nanoseconds since 1970.
    since: i64,
}

impl Told {
    /// Takes note of the lines of a playlist that ends at `end`. What was removed longer ago than `kept` is
    /// forgotten.
    pub(super) fn update(&mut self, snapshot: &Snapshot, end: i64, kept: Option<i64>) {
        let mut known = std::mem::take(&mut self.lines);
        for mut line in lines(snapshot) {
            line.since = end;
            if let Some(at) = known.iter().position(|known| known.id == line.id) {
                let before = known.swap_remove(at);
                if before.text == line.text {
                    line.since = before.since;
                }
            }
            self.lines.push(line);
        }
        let lines = &self.lines;
        self.removed.retain(|(id, at)| {
            at.saturating_add(kept.unwrap_or(0)) > end && !lines.iter().any(|line| line.id == *id)
        });
        self.removed.extend(known.into_iter().map(|line| (line.id, end)));
    }

    /// Writes the lines; of those that were told at `after` or before, none.
    pub(super) fn write(&self, text: &mut String, after: Option<i64>) -> fmt::Result {
        for line in &self.lines {
            if after.is_none_or(|after| line.since > after) {
                text.push_str(&line.text);
            }
        }
        Ok(())
    }

    /// Identifiers of lines that left the playlist after a time, separated by tabs.
    pub(super) fn removed(&self, after: i64) -> String {
        let recent = self.removed.iter().filter(|(_, at)| *at > after);
        let ids: Vec<&str> = recent.map(|(id, _)| id.as_str()).collect();
        ids.join("\t")
    }
}

/// The lines of a channel's events: the same in each of its playlists. The two ends of a break are one line.
fn lines(snapshot: &Snapshot) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut breaks: Vec<(usize, &Event)> = Vec::new();
    let is_told = |event: &&Event| event.scheme != ID3 && event.message.len() <= MAX_MESSAGE;
    for event in snapshot.events.iter().map(AsRef::as_ref).filter(is_told) {
        let begun = breaks.iter().rposition(|(_, out)| ends(event, out));
        if let Some((at, out)) = begun.map(|index| breaks.remove(index)) {
            if let Some(line) = lines.get_mut(at) {
                line.text = text_of(out, Some(event));
            }
            continue;
        }
        if event.splice == Some(Splice::Out) {
            breaks.push((lines.len(), event));
        }
        lines.push(Line {
            id: id(event),
            text: text_of(event, None),
            since: 0,
        });
    }
    lines
}

/// Whether an event is the end of the break that another began: of the same splice, where that is known.
fn ends(event: &Event, out: &Event) -> bool {
    let splice = |event: &Event| {
        let signals = signals(&event.scheme, &event.message)?;
        Signal::leading(&signals).and_then(|signal| signal.key.event_id())
    };
    event.splice == Some(Splice::In)
        && event.wall >= out.wall
        && match (splice(event), splice(out)) {
            (Some(end), Some(begin)) => end == begin,
            _ => true,
        }
}

fn text_of(event: &Event, end: Option<&Event>) -> String {
    let mut text = String::with_capacity(256);
    // Writing to a String cannot fail.
    let _ = write(&mut text, event, end);
    text
}

/// An identifier that no other event will have: senders count again from the start, but not at the same time.
fn id(event: &Event) -> String {
    let start = event.wall.div_euclid(1_000_000);
    if event.splice.is_some() && event.value.is_empty() {
        return format!("splice-{}-{start}", event.id);
    }
    // FNV-1a: an identifier counts for a scheme and value alone.
    let names = event.scheme.bytes().chain([0]).chain(event.value.bytes());
    let hash = names.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("event-{hash:08x}-{}-{start}", event.id)
}

/// Writes an event; a break's begin with its end, where that has come.
fn write(text: &mut String, event: &Event, end: Option<&Event>) -> fmt::Result {
    let start = UnixMillis(0).plus_nanos(event.wall);
    write!(text, "#EXT-X-DATERANGE:ID=\"{}\"", id(event))?;
    write!(
        text,
        ",CLASS=\"{}\",START-DATE=\"{start}\"",
        Quoted(&event.scheme)
    )?;
    if let Some(end) = end {
        let span = end.wall.saturating_sub(event.wall);
        write!(text, ",DURATION={}", seconds(span))?;
    }
    match (event.splice, event.span) {
        // How long a break will be is a plan, until its end has come.
        (Some(Splice::Out), Some(span)) => write!(text, ",PLANNED-DURATION={}", seconds(span))?,
        (Some(Splice::In), _) => text.push_str(",DURATION=0"),
        (_, Some(span)) => write!(text, ",DURATION={}", seconds(span))?,
        (_, None) => {}
    }
    let section = section_of(event);
    let message = Hex(&section);
    match event.splice {
        Some(Splice::Out) => write!(text, ",SCTE35-OUT={message}")?,
        Some(Splice::In) => write!(text, ",SCTE35-IN={message}")?,
        Some(Splice::Other) => write!(text, ",SCTE35-CMD={message}")?,
        None => {
            if !event.value.is_empty() {
                write!(text, ",X-VALUE=\"{}\"", Quoted(&event.value))?;
            }
            if !event.message.is_empty() {
                write!(text, ",X-MESSAGE={message}")?;
            }
        }
    }
    if let Some(end) = end {
        write!(text, ",SCTE35-IN={}", Hex(&section_of(end)))?;
    }
    text.push('\n');
    Ok(())
}

/// The splice information section as it is, whatever it came in.
fn section_of(event: &Event) -> Cow<'_, [u8]> {
    let section = scte35::section(&event.scheme, &event.message);
    section.unwrap_or(Cow::Borrowed(&event.message))
}

/// Players read these in the segments themselves.
const ID3: &str = "https://aomedia.org/emsg/ID3";
/// A line is read again at every reload: what is longer stays in the segments.
const MAX_MESSAGE: usize = 2048;
