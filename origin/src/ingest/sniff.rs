//! What a body is, by its first bytes: names and `Content-Type` say nothing that holds.

use crate::Error;

/// What a body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sniffed {
    /// An MPD or an HLS playlist: text.
    Manifest,
    /// Boxes.
    Media,
    /// Something that no packager of CMAF can take.
    Foreign(Foreign),
}

/// What senders push that is no CMAF.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Foreign {
    /// An MPEG-2 transport stream.
    TransportStream,
    /// Matroska or WebM.
    Matroska,
    /// Flash video.
    Flv,
    /// Ogg.
    Ogg,
    /// AAC or MPEG audio frames, with or without an ID3 tag.
    PackedAudio,
    /// H.264 or H.265 with start codes.
    AnnexB,
    /// WebVTT as text.
    WebVtt,
    /// RIFF: WAVE or AVI.
    Riff,
}

impl Foreign {
    /// The refusal, which says what to do instead.
    pub fn refusal(self) -> Error {
        let (what, instead) = match self {
            Self::TransportStream => (
                "an MPEG-2 transport stream",
                "push fragmented MP4: with ffmpeg -f dash, or -f hls -hls_segment_type fmp4",
            ),
            Self::Matroska => (
                "Matroska or WebM",
                "push fragmented MP4: with ffmpeg -f dash -dash_segment_type mp4",
            ),
            Self::Flv => (
                "Flash video",
                "push fragmented MP4, or send RTMP to an encoder that does",
            ),
            Self::Ogg => ("Ogg", "push fragmented MP4, which holds Opus and FLAC too"),
            Self::PackedAudio => (
                "packed audio",
                "push fragmented MP4: with ffmpeg -f hls -hls_segment_type fmp4",
            ),
            Self::AnnexB => (
                "a bare elementary stream",
                "push fragmented MP4: with ffmpeg -c copy -f dash",
            ),
            Self::WebVtt => ("WebVTT as text", "push it in fragmented MP4 (`wvtt`)"),
            Self::Riff => ("RIFF", "push fragmented MP4"),
        };
        Error::Unsupported {
            reason: format!("the body is {what}, and this origin takes CMAF: {instead}"),
        }
    }
}

/// Tells text from boxes and from what is neither; `None` while too little came to say.
pub fn sniff(bytes: &[u8]) -> Option<Sniffed> {
    // A box begins with its size, whose first byte is small for any size that is taken.
    if let Some(foreign) = foreign(bytes) {
        return Some(Sniffed::Foreign(foreign));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if MAYBE_FOREIGN.iter().any(|start| start.starts_with(bytes)) {
        return None;
    }
    Some(if matches!(first, b'<' | b'#') {
        Sniffed::Manifest
    } else {
        Sniffed::Media
    })
}

fn foreign(bytes: &[u8]) -> Option<Foreign> {
    Some(match bytes {
        [0x47, rest @ ..] if rest.len() < 187 || rest.get(187) == Some(&0x47) => Foreign::TransportStream,
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Foreign::Matroska,
        [b'F', b'L', b'V', 1, ..] => Foreign::Flv,
        [b'O', b'g', b'g', b'S', ..] => Foreign::Ogg,
        [b'R', b'I', b'F', b'F', ..] => Foreign::Riff,
        [b'I', b'D', b'3', ..] => Foreign::PackedAudio,
        // Sync words of ADTS and MPEG audio; a byte order mark is 0xef.
        [0xff, second, ..] if second & 0xe0 == 0xe0 => Foreign::PackedAudio,
        [0, 0, 0, 1, nal, ..] if is_first_nal(*nal) => Foreign::AnnexB,
        [0xef, 0xbb, 0xbf, b'W', b'E', b'B', b'V', b'T', b'T', ..]
        | [b'W', b'E', b'B', b'V', b'T', b'T', ..] => Foreign::WebVtt,
        _ => return None,
    })
}

/// Parameter sets and delimiters of H.264 and H.265. A box of a large size has the first letter of its type there.
fn is_first_nal(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x67 | 0x27 | 0x47 | 0x40 | 0x42 | 0x46)
}

const MAYBE_FOREIGN: [&[u8]; 6] = [
    b"\x1a\x45\xdf\xa3",
    b"FLV\x01",
    b"OggS",
    b"RIFF",
    b"ID3",
    b"WEBVTT",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_boxes_by_its_bytes() {
        assert_eq!(sniff(b"\r\n"), None);
        assert_eq!(sniff(b"\xef\xbb\xbf<?xml"), Some(Sniffed::Manifest));
        assert_eq!(sniff(b"#EXTM3U"), Some(Sniffed::Manifest));
        assert_eq!(sniff(b"\0\0\0\x18ftyp"), Some(Sniffed::Media));
        assert_eq!(sniff(b"\0"), Some(Sniffed::Media));
        assert_eq!(sniff(b"\0\0\0\x01mdat\0\0\0\0"), Some(Sniffed::Media));
    }

    #[test]
    fn what_is_no_cmaf_is_named_with_what_to_do() {
        let mut packets = vec![0; 376];
        (packets[0], packets[188]) = (0x47, 0x47);
        for (bytes, says) in [
            (packets.as_slice(), "transport stream"),
            (b"\x47\x40", "transport stream"),
            (b"\x1a\x45\xdf\xa3", "Matroska"),
            (b"FLV\x01\x05", "Flash"),
            (b"OggS\0", "Ogg"),
            (b"RIFF\x24", "RIFF"),
            (b"ID3\x04\0", "packed audio"),
            (b"\xff\xf1\x50", "packed audio"),
            (b"\0\0\0\x01\x67\x64", "elementary"),
            (b"WEBVTT\n", "WebVTT"),
        ] {
            let Some(Sniffed::Foreign(foreign)) = sniff(bytes) else {
                panic!("{bytes:?}");
            };
            let error = foreign.refusal();
            assert_eq!(error.status().as_u16(), 415);
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.to_string().contains("push"), "{error}");
        }
        assert_eq!(sniff(b"WEB"), None, "more will tell");
    }
}
