//! The multivariant playlist (bis 4.4.6).

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::{iframes, report};
use crate::cmaf::{Init, Kind};
use crate::media::{Snapshot, TrackView};
use selvedge_breaks::hls::value::Quoted;

/// Writes the multivariant playlist: each video rendition with each group of audio, or each audio rendition by
/// itself where there is no video; and with subtitles, where there are any.
pub fn multivariant(snapshot: &Snapshot) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    // Writing to a String cannot fail.
    let _ = write(&mut text, snapshot);
    text
}

/// Renditions of one kind that a client chooses from by language or role: for audio, all of one codec.
struct Group<'a> {
    id: String,
    tracks: Vec<&'a TrackView>,
}

fn write(text: &mut String, snapshot: &Snapshot) -> fmt::Result {
    let of = |kind| {
        let is_of = move |track: &&TrackView| {
            report::is_rendition(track) && track.init().is_some_and(|init| init.kind == kind)
        };
        snapshot.tracks.iter().filter(is_of).collect::<Vec<_>>()
    };
    let mut videos = of(Kind::Video);
    // The best first: players that start at the first rendition start well.
    videos.sort_by_key(|track| std::cmp::Reverse(track.peak_bitrate));
    let audios = of(Kind::Audio);
    let texts = of(Kind::Text);
    let subtitles = (!texts.is_empty()).then(|| Group {
        id: "subtitles".to_owned(),
        tracks: texts,
    });
    if let Some(group) = &subtitles {
        write_renditions(text, group, "SUBTITLES")?;
    }
    if videos.is_empty() {
        for audio in &audios {
            write_stream(text, audio, None, subtitles.as_ref())?;
        }
        return Ok(());
    }
    let groups = audio_groups(&audios);
    for group in &groups {
        write_renditions(text, group, "AUDIO")?;
    }
    for video in &videos {
        for group in &groups {
            write_stream(text, video, Some(group), subtitles.as_ref())?;
        }
        if groups.is_empty() {
            write_stream(text, video, None, subtitles.as_ref())?;
        }
    }
    for video in videos {
        write_iframes(text, video)?;
    }
    Ok(())
}

/// Audio by codec, in the order of their first renditions. A client plays one group throughout, so that it need
/// not change its decoder.
fn audio_groups<'a>(audios: &[&'a TrackView]) -> Vec<Group<'a>> {
    let family = |track: &TrackView| {
        let codec = track.init().map_or("", |init| init.codec.as_str());
        codec.split('.').next().unwrap_or_default().to_owned()
    };
    let mut groups: Vec<Group<'a>> = Vec::new();
    for audio in audios {
        let id = family(audio);
        match groups.iter_mut().find(|group| group.id == id) {
            Some(group) => group.tracks.push(audio),
            None => groups.push(Group {
                id,
                tracks: vec![audio],
            }),
        }
    }
    match groups.as_mut_slice() {
        [only] => "audio".clone_into(&mut only.id),
        several => several
            .iter_mut()
            .for_each(|group| group.id = format!("audio-{}", group.id)),
    }
    groups
}

fn write_renditions(text: &mut String, group: &Group<'_>, kind: &str) -> fmt::Result {
    // The main one, where encoders say which that is; else the first.
    let main = group.tracks.iter().position(|track| has_role(track, "main"));
    for (index, track) in group.tracks.iter().enumerate() {
        let Some(init) = track.init() else { continue };
        write!(
            text,
            "#EXT-X-MEDIA:TYPE={kind},GROUP-ID=\"{}\",NAME=\"{}\"",
            group.id, track.name
        )?;
        if let Some(language) = &init.language {
            write!(text, ",LANGUAGE=\"{}\"", Quoted(language))?;
        }
        // Subtitles are shown to those who ask for them.
        let is_default = index == main.unwrap_or(0) && kind == "AUDIO";
        let default = if is_default { "YES" } else { "NO" };
        write!(text, ",DEFAULT={default},AUTOSELECT=YES")?;
        if kind == "SUBTITLES" && has_role(track, "forced-subtitle") {
            text.push_str(",FORCED=YES");
        }
        write_characteristics(text, track)?;
        if init.channels > 0 {
            write!(text, ",CHANNELS=\"{}\"", init.channels)?;
        }
        writeln!(text, ",URI=\"{}/index.m3u8\"", track.name)?;
    }
    Ok(())
}

/// Whether the encoder says that a track has a role (ISO/IEC 23009-1 5.8.5.5).
fn has_role(track: &TrackView, value: &str) -> bool {
    let roles = track.init().map_or(&[][..], |init| &init.roles);
    roles
        .iter()
        .any(|role| role.scheme == ROLE && role.value == value)
}

/// `CHARACTERISTICS`, of the roles that have one.
fn write_characteristics(text: &mut String, track: &TrackView) -> fmt::Result {
    let known = CHARACTERISTICS.iter().filter(|(role, _)| has_role(track, role));
    let found: Vec<&str> = known.map(|(_, characteristic)| *characteristic).collect();
    if found.is_empty() {
        return Ok(());
    }
    write!(text, ",CHARACTERISTICS=\"{}\"", found.join(","))
}

fn write_stream(
    text: &mut String,
    track: &TrackView,
    audio: Option<&Group<'_>>,
    subtitles: Option<&Group<'_>>,
) -> fmt::Result {
    let Some(init) = track.init() else { return Ok(()) };
    let of = |group: Option<&Group<'_>>, rate: fn(&TrackView) -> u64| {
        let rates = group.into_iter().flat_map(|group| &group.tracks);
        rates.map(|track| rate(track)).max().unwrap_or(0)
    };
    let sum = |rate: fn(&TrackView) -> u64| {
        rate(track)
            .saturating_add(of(audio, rate))
            .saturating_add(of(subtitles, rate))
    };
    let peak = sum(|track| track.peak_bitrate).max(1);
    let average = sum(|track| track.average_bitrate).clamp(1, peak);
    write!(
        text,
        "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average}"
    )?;
    write_codecs(text, init, [audio, subtitles].into_iter().flatten())?;
    if let Some(codec) = &init.supplemental {
        write!(text, ",SUPPLEMENTAL-CODECS=\"{codec}\"")?;
    }
    write_picture(text, init)?;
    if let Some((rate, per)) = track.frame_rate {
        let thousandths = rate.saturating_mul(1000).saturating_add(per / 2) / per.max(1);
        write!(
            text,
            ",FRAME-RATE={}.{:03}",
            thousandths / 1000,
            thousandths % 1000
        )?;
    }
    if let Some(group) = audio {
        write!(text, ",AUDIO=\"{}\"", group.id)?;
    }
    if let Some(group) = subtitles {
        write!(text, ",SUBTITLES=\"{}\"", group.id)?;
    }
    if init.kind == Kind::Video {
        text.push_str(",CLOSED-CAPTIONS=NONE");
    }
    writeln!(text, "\n{}/index.m3u8", track.name)
}

/// The formats of all that may be played together with a rendition.
fn write_codecs<'a>(
    text: &mut String,
    init: &Init,
    groups: impl Iterator<Item = &'a Group<'a>>,
) -> fmt::Result {
    let inits = groups
        .flat_map(|group| &group.tracks)
        .filter_map(|track| track.init());
    let codecs: BTreeSet<&str> = inits.map(|init| init.codec.as_str()).collect();
    write!(text, ",CODECS=\"{}", init.codec)?;
    for codec in codecs {
        write!(text, ",{codec}")?;
    }
    text.push('"');
    Ok(())
}

fn write_picture(text: &mut String, init: &Init) -> fmt::Result {
    if init.width > 0 {
        write!(text, ",RESOLUTION={}x{}", init.width, init.height)?;
    }
    // ISO/IEC 23091-2 table 3: BT.709 and its like, the perceptual quantiser, hybrid log-gamma.
    let range = match init.transfer {
        Some(1 | 6 | 13 | 14 | 15) => "SDR",
        Some(16) => "PQ",
        Some(18) => "HLG",
        _ => return Ok(()),
    };
    write!(text, ",VIDEO-RANGE={range}")?;
    Ok(())
}

fn write_iframes(text: &mut String, track: &TrackView) -> fmt::Result {
    let (Some(init), true) = (track.init(), iframes::offers(track)) else {
        return Ok(());
    };
    let peak = iframes::peak_bitrate(track).max(1);
    write!(text, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak}")?;
    write_codecs(text, init, std::iter::empty())?;
    write_picture(text, init)?;
    writeln!(text, ",URI=\"{}/iframes.m3u8\"", track.name)
}

const ROLE: &str = "urn:mpeg:dash:role:2011";
/// Roles of DASH, and what HLS calls them (bis 4.4.6.1).
const CHARACTERISTICS: [(&str, &str); 2] = [
    ("description", "public.accessibility.describes-video"),
    ("caption", "public.accessibility.transcribes-spoken-dialog"),
];
