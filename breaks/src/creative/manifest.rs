//! A creative's own MPD (ISO/IEC 23009-1): static, one Period, for players of DASH that load it by itself.

use core::{
    fmt::{self, Write as _},
    ops::Range,
};

use super::{Audio, Creative, FrameRate, Rendition, Video, playlists::family};
use crate::{
    decision::{Media, Segment},
    time::Micros,
};

/// A stretch of a creative in a Period.
#[derive(Clone, Debug)]
pub struct Excerpt<'c> {
    /// Whose it is.
    pub creative: &'c Creative,
    /// What stands before the paths of its files: nothing, or a folder with its slash.
    pub folder: &'c str,
    /// Which of its segments, from zero.
    pub segments: Range<usize>,
    /// The moment of the creative with which the Period begins.
    pub offset: Micros,
}

impl Creative {
    /// The MPD, which lies beside the document as `manifest.mpd`.
    ///
    /// Segments whose names count up are told of by number (live profile); others one by one (main profile).
    pub fn manifest(&self) -> String {
        let mut text = String::with_capacity(4096);
        // Writing to a String cannot fail.
        let _ = self.write_manifest(&mut text);
        text
    }

    fn write_manifest(&self, text: &mut String) -> fmt::Result {
        let all = self.renditions.values().map(Rendition::media);
        let is_counted = all.clone().all(|media| Counted::of(&media.segments).is_some());
        let profile = if is_counted { "isoff-live" } else { "isoff-main" };
        let lengths = all.flat_map(|media| media.segments.iter().map(|segment| segment.duration));
        let longest = lengths.max().unwrap_or(Micros::ZERO);
        writeln!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:{profile}:2011\" type=\"static\" \
             mediaPresentationDuration=\"PT{}S\" minBufferTime=\"PT{longest}S\">\n  <Period id=\"0\" start=\"PT0S\">",
            self.duration
        )?;
        let whole = Excerpt {
            creative: self,
            folder: "",
            segments: 0..usize::MAX,
            offset: Micros::ZERO,
        };
        self.write_sets(&whole, text);
        text.push_str("  </Period>\n</MPD>\n");
        Ok(())
    }

    /// Writes the AdaptationSets of a Period in a channel whose renditions are this creative's, in which another one is
    /// shown: each Representation by the channel's name, with the media that [stands for it](Self::like). Whether
    /// there is any.
    ///
    /// The sets and their names are the same in all Periods of a channel, so players go on with those that they chose.
    pub fn write_sets(&self, excerpt: &Excerpt<'_>, text: &mut String) -> bool {
        let mut any = false;
        let videos = sets(self.videos(), |video| family(&video.codecs).to_owned());
        let videos = videos.into_iter().map(|set| ("video", names(set)));
        let audios = sets(self.audios(), |audio| {
            let family = family(&audio.codecs).to_owned();
            (family, audio.channels, audio.sample_rate)
        });
        let audios = audios.into_iter().map(|set| ("audio", names(set)));
        for ((kind, set), id) in videos.chain(audios).zip(1..) {
            let before = text.len();
            let mut is_shown = false;
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "    <AdaptationSet id=\"{id}\" contentType=\"{kind}\" mimeType=\"{kind}/mp4\" segmentAlignment=\"true\" \
                 startWithSAP=\"1\">"
            );
            for name in set {
                let wanted = self.renditions.get(name);
                let Some(found) = wanted.and_then(|wanted| excerpt.creative.like(name, wanted)) else {
                    continue;
                };
                is_shown = true;
                let _ = match found {
                    Rendition::Video(video) => write_video(text, name, video, excerpt),
                    Rendition::Audio(audio) => write_audio(text, name, audio, excerpt),
                };
            }
            text.push_str("    </AdaptationSet>\n");
            if !is_shown {
                text.truncate(before);
            }
            any |= is_shown;
        }
        any
    }
}

fn names<'c, R>(set: Vec<Named<'c, R>>) -> Vec<&'c str> {
    set.into_iter().map(|(name, _)| name).collect()
}

/// A rendition's name, and what it is.
type Named<'c, R> = (&'c str, &'c R);

/// Renditions that a player may change between without another decoder, together.
fn sets<'c, R, K: PartialEq>(renditions: Vec<Named<'c, R>>, key: impl Fn(&R) -> K) -> Vec<Vec<Named<'c, R>>> {
    let mut sets: Vec<(K, Vec<Named<'c, R>>)> = Vec::new();
    for (name, rendition) in renditions {
        let key = key(rendition);
        match sets.iter_mut().find(|(known, _)| *known == key) {
            Some((_, set)) => set.push((name, rendition)),
            None => sets.push((key, vec![(name, rendition)])),
        }
    }
    sets.into_iter().map(|(_, set)| set).collect()
}

fn write_video(text: &mut String, name: &str, video: &Video, excerpt: &Excerpt<'_>) -> fmt::Result {
    let Video {
        codecs,
        bandwidth,
        width,
        height,
        frame_rate,
        media,
    } = video;
    writeln!(
        text,
        "      <Representation id=\"{name}\" codecs=\"{codecs}\" bandwidth=\"{bandwidth}\" width=\"{width}\" \
         height=\"{height}\" frameRate=\"{}\">",
        Ratio(*frame_rate)
    )?;
    write_media(text, media, excerpt)?;
    text.push_str("      </Representation>\n");
    Ok(())
}

fn write_audio(text: &mut String, name: &str, audio: &Audio, excerpt: &Excerpt<'_>) -> fmt::Result {
    let Audio {
        codecs,
        bandwidth,
        channels,
        sample_rate,
        media,
    } = audio;
    writeln!(
        text,
        "      <Representation id=\"{name}\" codecs=\"{codecs}\" bandwidth=\"{bandwidth}\" \
         audioSamplingRate=\"{sample_rate}\">\n        <AudioChannelConfiguration \
         schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"{channels}\"/>"
    )?;
    write_media(text, media, excerpt)?;
    text.push_str("      </Representation>\n");
    Ok(())
}

/// How a Representation's segments are found (ISO/IEC 23009-1 5.3.9).
fn write_media(text: &mut String, media: &Media, excerpt: &Excerpt<'_>) -> fmt::Result {
    let Excerpt {
        folder,
        segments,
        offset,
        ..
    } = excerpt;
    let count = media.segments.len();
    let (first, end) = (segments.start.min(count), segments.end.min(count));
    let (gone, listed) = media.segments.get(..end).unwrap_or_default().split_at(first);
    let counted = Counted::of(&media.segments);
    let element = if counted.is_some() {
        "SegmentTemplate"
    } else {
        "SegmentList"
    };
    write!(text, "        <{element} timescale=\"1000000\"")?;
    if *offset > Micros::ZERO {
        write!(text, " presentationTimeOffset=\"{}\"", offset.0)?;
    }
    if let Some(Counted { before, first, after }) = &counted {
        if let Some(init) = &media.init {
            write!(text, " initialization=\"{folder}{init}\"")?;
        }
        let first = first.saturating_add(u64::try_from(gone.len()).unwrap_or(u64::MAX));
        write!(
            text,
            " media=\"{folder}{before}$Number${after}\" startNumber=\"{first}\""
        )?;
    }
    text.push_str(">\n");
    if let Some(init) = media.init.as_ref().filter(|_| counted.is_none()) {
        writeln!(text, "          <Initialization sourceURL=\"{folder}{init}\"/>")?;
    }
    text.push_str("          <SegmentTimeline>\n");
    let mut start = gone
        .iter()
        .fold(Micros::ZERO, |sum, gone| sum.plus(gone.duration));
    for run in listed.chunk_by(|one, next| one.duration == next.duration) {
        let length = run.first().map_or(Micros::ZERO, |segment| segment.duration);
        let repeats = run.len().saturating_sub(1);
        write!(text, "            <S t=\"{}\" d=\"{}\"", start.0, length.0)?;
        if repeats > 0 {
            write!(text, " r=\"{repeats}\"")?;
        }
        text.push_str("/>\n");
        let count = i64::try_from(run.len()).unwrap_or(i64::MAX);
        start = start.plus(length.times(count));
    }
    text.push_str("          </SegmentTimeline>\n");
    if counted.is_none() {
        for segment in listed {
            writeln!(text, "          <SegmentURL media=\"{folder}{}\"/>", segment.uri)?;
        }
    }
    writeln!(text, "        </{element}>")
}

/// Names that count up: what stands before and after the number, and the first one.
struct Counted<'a> {
    before: &'a str,
    first: u64,
    after: &'a str,
}

impl<'a> Counted<'a> {
    /// `None` where they do not, or count with zeros before their numbers.
    fn of(segments: &'a [Segment]) -> Option<Self> {
        let path = segments.first()?.uri.as_str();
        let (stem, _) = path.rsplit_once('.')?;
        let before = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let digits = stem.get(before.len()..)?;
        let counted = Self {
            before,
            first: digits.parse().ok()?,
            after: path.get(stem.len()..)?,
        };
        let mut numbers = counted.first..;
        let follows = |segment: &Segment| {
            let number = numbers.next().unwrap_or_default();
            segment.uri == format!("{before}{number}{}", counted.after)
        };
        segments.iter().all(follows).then_some(counted)
    }
}

/// A frame rate as `@frameRate` has it (ISO/IEC 23009-1 5.3.7.2): whole, or a fraction.
struct Ratio(FrameRate);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrameRate { thousandths } = self.0;
        match thousandths {
            // What a document of three decimals means by them.
            23_976 => f.write_str("24000/1001"),
            29_970 => f.write_str("30000/1001"),
            59_940 => f.write_str("60000/1001"),
            whole if whole % 1000 == 0 => write!(f, "{}", whole / 1000),
            other => write!(f, "{other}/1000"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Creative, tests::ACME};

    fn manifest(json: &str) -> String {
        Creative::read(json.as_bytes()).unwrap().manifest()
    }

    #[test]
    fn segments_that_count_up_are_told_of_by_number() {
        insta::assert_snapshot!(manifest(ACME), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static" mediaPresentationDuration="PT3.840S" minBufferTime="PT1.920S">
          <Period id="0" start="PT0S">
            <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
              <Representation id="v1080" codecs="avc1.640028" bandwidth="4000000" width="1920" height="1080" frameRate="25">
                <SegmentTemplate timescale="1000000" initialization="v1080/init.mp4" media="v1080/$Number$.m4s" startNumber="0">
                  <SegmentTimeline>
                    <S t="0" d="1920000" r="1"/>
                  </SegmentTimeline>
                </SegmentTemplate>
              </Representation>
            </AdaptationSet>
            <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
              <Representation id="a1" codecs="mp4a.40.2" bandwidth="128000" audioSamplingRate="48000">
                <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
                <SegmentTemplate timescale="1000000" initialization="a1/init.mp4" media="a1/$Number$.m4s" startNumber="0">
                  <SegmentTimeline>
                    <S t="0" d="1920000" r="1"/>
                  </SegmentTimeline>
                </SegmentTemplate>
              </Representation>
            </AdaptationSet>
          </Period>
        </MPD>
        "#);
    }

    #[test]
    fn segments_with_other_names_are_listed_one_by_one() {
        let named = ACME
            .replace("v1080/0.m4s", "v1080/00.m4s")
            .replace("v1080/1.m4s", "v1080/01.m4s")
            .replace("25.0", "29.97");
        let manifest = manifest(&named);
        let (_, video) = manifest.split_once("frameRate=").unwrap();
        insta::assert_snapshot!(video.split_once("</Representation>").unwrap().0.trim_end(), @r#"
        "30000/1001">
                <SegmentList timescale="1000000">
                  <Initialization sourceURL="v1080/init.mp4"/>
                  <SegmentTimeline>
                    <S t="0" d="1920000" r="1"/>
                  </SegmentTimeline>
                  <SegmentURL media="v1080/00.m4s"/>
                  <SegmentURL media="v1080/01.m4s"/>
                </SegmentList>
        "#);
        assert!(manifest.contains("isoff-main"));
    }
}
