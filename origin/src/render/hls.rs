//! HLS playlists (RFC 8216, draft-pantos-hls-rfc8216bis).

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use crate::cmaf::Kind;
use crate::media::{Entry, Snapshot, TrackView};
use crate::time::UnixMillis;

/// Writes the multivariant playlist: each video rendition with the audio group, or each audio rendition by
/// itself where there is no video.
pub fn multivariant(snapshot: &Snapshot) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    // Writing to a String cannot fail.
    let _ = write_multivariant(&mut text, snapshot);
    text
}

/// Writes a track's media playlist.
pub fn media(snapshot: &Snapshot, track: &TrackView) -> String {
    let mut text = String::with_capacity(256 + track.entries.len() * 96);
    let _ = write_media(&mut text, snapshot, track);
    text
}

fn write_multivariant(text: &mut String, snapshot: &Snapshot) -> fmt::Result {
    let of = |kind| {
        let listed = move |track: &&TrackView| {
            !track.entries.is_empty() && track.init().is_some_and(|init| init.kind == kind)
        };
        snapshot.tracks.iter().filter(listed)
    };
    let mut videos: Vec<&TrackView> = of(Kind::Video).collect();
    // The best first: players that start at the first rendition start well.
    videos.sort_by_key(|track| std::cmp::Reverse(track.peak_bitrate));
    let audios: Vec<&TrackView> = of(Kind::Audio).collect();
    if videos.is_empty() {
        for audio in &audios {
            write_stream(text, audio, None, &[])?;
        }
        return Ok(());
    }
    for (index, audio) in audios.iter().enumerate() {
        let Some(init) = audio.init() else { continue };
        write!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"{}\"",
            audio.name
        )?;
        if let Some(language) = &init.language {
            write!(text, ",LANGUAGE=\"{language}\"")?;
        }
        let default = if index == 0 { "YES" } else { "NO" };
        write!(text, ",DEFAULT={default},AUTOSELECT=YES")?;
        if init.channels > 0 {
            write!(text, ",CHANNELS=\"{}\"", init.channels)?;
        }
        writeln!(text, ",URI=\"{}/index.m3u8\"", audio.name)?;
    }
    for video in videos {
        write_stream(text, video, (!audios.is_empty()).then_some("audio"), &audios)?;
    }
    Ok(())
}

fn write_stream(
    text: &mut String,
    track: &TrackView,
    group: Option<&str>,
    audios: &[&TrackView],
) -> fmt::Result {
    let Some(init) = track.init() else { return Ok(()) };
    let peak = audios.iter().map(|audio| audio.peak_bitrate).max().unwrap_or(0) + track.peak_bitrate;
    let average = audios
        .iter()
        .map(|audio| audio.average_bitrate)
        .max()
        .unwrap_or(0)
        + track.average_bitrate;
    write!(
        text,
        "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={}",
        peak.max(1),
        average.clamp(1, peak.max(1))
    )?;
    let audio_codecs = audios
        .iter()
        .filter_map(|audio| audio.init())
        .map(|init| init.codec.as_str());
    let codecs: BTreeSet<&str> = audio_codecs.collect();
    write!(text, ",CODECS=\"{}", init.codec)?;
    for codec in codecs {
        write!(text, ",{codec}")?;
    }
    text.push('"');
    if init.width > 0 {
        write!(text, ",RESOLUTION={}x{}", init.width, init.height)?;
    }
    if let Some((rate, per)) = track.frame_rate {
        let thousandths = rate.saturating_mul(1000).saturating_add(per / 2) / per.max(1);
        write!(
            text,
            ",FRAME-RATE={}.{:03}",
            thousandths / 1000,
            thousandths % 1000
        )?;
    }
    if let Some(group) = group {
        write!(text, ",AUDIO=\"{group}\"")?;
    }
    if init.kind == Kind::Video {
        text.push_str(",CLOSED-CAPTIONS=NONE");
    }
    writeln!(text, "\n{}/index.m3u8", track.name)
}

fn write_media(text: &mut String, snapshot: &Snapshot, track: &TrackView) -> fmt::Result {
    let (Some(grid), Some(first)) = (snapshot.grid, track.entries.first()) else {
        return Ok(());
    };
    // EXT-X-MAP without I-FRAMES-ONLY needs 6, EXT-X-GAP needs 8 (rfc8216bis §8).
    let has_gap = track.entries.iter().any(|entry| entry.segment().is_none());
    writeln!(text, "#EXTM3U\n#EXT-X-VERSION:{}", if has_gap { 8 } else { 6 })?;
    writeln!(text, "#EXT-X-TARGETDURATION:{}", grid.target_duration_s)?;
    writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", first.sequence().0)?;
    if first.epoch() > 0 {
        writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", first.epoch())?;
    }
    text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    let mut before: Option<&Entry> = None;
    let mut map = None;
    for entry in &track.entries {
        let mut is_dated = before.is_none();
        if let Some(before) = before {
            // An epoch that this track took no part in still counts, so that all tracks agree on the number.
            for _ in before.epoch()..entry.epoch() {
                text.push_str("#EXT-X-DISCONTINUITY\n");
                is_dated = true;
            }
            is_dated |= before.end().abs_diff(entry.wall()) >= 1_000_000;
        }
        if map != Some(entry.init())
            && let Some(init) = track.init_of(entry.init())
        {
            writeln!(text, "#EXT-X-MAP:URI=\"{}\"", init.name())?;
            map = Some(entry.init());
        }
        if is_dated {
            writeln!(
                text,
                "#EXT-X-PROGRAM-DATE-TIME:{}",
                UnixMillis(0).plus_nanos(entry.wall())
            )?;
        }
        if entry.segment().is_none() {
            text.push_str("#EXT-X-GAP\n");
        }
        let micros = entry.span().saturating_add(500) / 1_000;
        writeln!(text, "#EXTINF:{}.{:06},", micros / 1_000_000, micros % 1_000_000)?;
        match entry {
            Entry::Segment(segment) => writeln!(text, "{}", segment.name)?,
            Entry::Gap(gap) => writeln!(text, "gap-{}.m4s", gap.sequence.0)?,
        }
        before = Some(entry);
    }
    if snapshot.ended {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    Ok(())
}
