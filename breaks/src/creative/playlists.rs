//! A creative's own HLS playlists (RFC 8216bis): for players that load it by itself, as the asset of an interstitial
//! (Appendix D) or to look at it.

use core::fmt::{self, Write as _};

use super::{Audio, Creative, FrameRate, Rendition, Video};
use crate::time::Micros;

impl Creative {
    /// The multivariant playlist (RFC 8216bis 4.4.6), which lies beside the document as `index.m3u8`. Its media playlists
    /// are `<rendition>/index.m3u8`.
    ///
    /// Each picture goes with each kind of sound; where there is no picture, each sound goes by itself.
    pub fn multivariant(&self) -> String {
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
        // Writing to a String cannot fail.
        let _ = self.write_multivariant(&mut text);
        text
    }

    /// The media playlist of a rendition (RFC 8216bis 4.4.3), which lies at `<rendition>/index.m3u8`; `None` where there
    /// is no rendition of that name.
    pub fn playlist(&self, rendition: &str) -> Option<String> {
        let media = self.renditions.get(rendition)?.media();
        let longest = media.segments.iter().map(|segment| rounded(segment.duration));
        let target = longest.max().unwrap_or(1).max(1);
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        );
        if let Some(init) = &media.init {
            let _ = writeln!(
                text,
                "#EXT-X-MAP:URI=\"{}\"",
                Below {
                    rendition,
                    path: init
                }
            );
        }
        for segment in &media.segments {
            let uri = Below {
                rendition,
                path: &segment.uri,
            };
            let micros = segment.duration.0.max(0);
            let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
            let _ = writeln!(text, "#EXTINF:{seconds}.{micros:06},\n{uri}");
        }
        text.push_str("#EXT-X-ENDLIST\n");
        Some(text)
    }

    pub(super) fn videos(&self) -> Vec<(&str, &Video)> {
        let videos = self
            .renditions
            .iter()
            .filter_map(|(name, rendition)| match rendition {
                Rendition::Video(video) => Some((name.as_str(), video)),
                Rendition::Audio(_) => None,
            });
        let mut videos: Vec<_> = videos.collect();
        // The best first: players that start at the first rendition start well.
        videos.sort_by_key(|(_, video)| core::cmp::Reverse(video.bandwidth));
        videos
    }

    pub(super) fn audios(&self) -> Vec<(&str, &Audio)> {
        let audios = self
            .renditions
            .iter()
            .filter_map(|(name, rendition)| match rendition {
                Rendition::Audio(audio) => Some((name.as_str(), audio)),
                Rendition::Video(_) => None,
            });
        audios.collect()
    }

    fn write_multivariant(&self, text: &mut String) -> fmt::Result {
        let (videos, audios) = (self.videos(), self.audios());
        if videos.is_empty() {
            for (name, audio) in audios {
                let (bandwidth, codecs) = (audio.bandwidth, &audio.codecs);
                writeln!(
                    text,
                    "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS=\"{codecs}\"\n{name}/index.m3u8"
                )?;
            }
            return Ok(());
        }
        // A player keeps to one group, so that it need not change its decoder: one for each codec.
        let mut groups: Vec<(&str, Vec<(&str, &Audio)>)> = Vec::new();
        for (name, audio) in audios {
            let family = family(&audio.codecs);
            match groups.iter_mut().find(|(known, _)| *known == family) {
                Some((_, members)) => members.push((name, audio)),
                None => groups.push((family, vec![(name, audio)])),
            }
        }
        for (family, members) in &groups {
            for (index, (name, audio)) in members.iter().enumerate() {
                let default = if index == 0 { "YES" } else { "NO" };
                let channels = audio.channels;
                writeln!(
                    text,
                    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio-{family}\",NAME=\"{name}\",DEFAULT={default},AUTOSELECT=YES,\
                     CHANNELS=\"{channels}\",URI=\"{name}/index.m3u8\""
                )?;
            }
        }
        for (name, video) in videos {
            for (family, members) in &groups {
                write_stream(text, name, video, Some((family, members)))?;
            }
            if groups.is_empty() {
                write_stream(text, name, video, None)?;
            }
        }
        Ok(())
    }
}

fn write_stream(
    text: &mut String,
    name: &str,
    video: &Video,
    group: Option<(&str, &[(&str, &Audio)])>,
) -> fmt::Result {
    let members = group.map_or(&[][..], |(_, members)| members);
    let loudest = members.iter().map(|(_, audio)| audio.bandwidth).max();
    let bandwidth = video.bandwidth.saturating_add(loudest.unwrap_or(0));
    let mut codecs = vec![video.codecs.as_str()];
    for (_, audio) in members {
        if !codecs.contains(&audio.codecs.as_str()) {
            codecs.push(&audio.codecs);
        }
    }
    let (codecs, width, height) = (codecs.join(","), video.width, video.height);
    let FrameRate { thousandths } = video.frame_rate;
    write!(
        text,
        "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS=\"{codecs}\",RESOLUTION={width}x{height},FRAME-RATE={}.{:03}",
        thousandths / 1000,
        thousandths % 1000
    )?;
    if let Some((family, _)) = group {
        write!(text, ",AUDIO=\"audio-{family}\"")?;
    }
    writeln!(text, "\n{name}/index.m3u8")
}

/// What of a codec another decoder would be needed for: `mp4a` of `mp4a.40.2`.
pub(super) fn family(codecs: &str) -> &str {
    codecs.split('.').next().unwrap_or(codecs)
}

/// A file of the creative's folder, as its name is from a rendition's playlist.
struct Below<'a> {
    rendition: &'a str,
    path: &'a str,
}

impl fmt::Display for Below<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.path.strip_prefix(self.rendition);
        match own.and_then(|rest| rest.strip_prefix('/')) {
            Some(file) => f.write_str(file),
            None => write!(f, "../{}", self.path),
        }
    }
}

/// Whole seconds, as `EXT-X-TARGETDURATION` counts them (RFC 8216bis 4.4.3.1).
fn rounded(length: Micros) -> i64 {
    length.0.saturating_add(500_000).div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::super::{Creative, tests::ACME};

    fn creative(json: &str) -> Creative {
        Creative::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_picture_goes_with_the_sound_beside_it() {
        insta::assert_snapshot!(creative(ACME).multivariant(), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-mp4a",NAME="a1",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a1/index.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=4128000,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000,AUDIO="audio-mp4a"
        v1080/index.m3u8
        "#);
    }

    #[test]
    fn sound_goes_by_itself_where_there_is_no_picture() {
        let mut spot = creative(ACME);
        spot.renditions.remove("v1080");
        insta::assert_snapshot!(spot.multivariant(), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS="mp4a.40.2"
        a1/index.m3u8
        "#);
        let mut silent = creative(ACME);
        silent.renditions.remove("a1");
        assert!(silent.multivariant().ends_with(
            "BANDWIDTH=4000000,CODECS=\"avc1.640028\",RESOLUTION=1920x1080,FRAME-RATE=25.000\nv1080/index.m3u8\n"
        ));
    }

    #[test]
    fn a_rendition_lists_its_files_from_where_its_playlist_lies() {
        let elsewhere = ACME.replace("v1080/1.m4s", "shared/1.m4s");
        insta::assert_snapshot!(creative(&elsewhere).playlist("v1080").unwrap(), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-TARGETDURATION:2
        #EXT-X-MEDIA-SEQUENCE:0
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-MAP:URI="init.mp4"
        #EXTINF:1.920000,
        0.m4s
        #EXTINF:1.920000,
        ../shared/1.m4s
        #EXT-X-ENDLIST
        "#);
        assert_eq!(creative(ACME).playlist("v2160"), None);
    }
}
