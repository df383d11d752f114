//! The playlists of a channel, as the origin of each rendition serves them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::fmt::Write as _;

use selvedge_breaks::{Micros, UnixMicros};

use super::{BEGIN, Channel, Decimal, Keys, Piece, View};

impl Channel {
    /// Where a rendition is cut that pictures are cut at a moment. Sound is cut between its frames.
    pub(crate) fn cut_of(&self, rendition: &str, at: UnixMicros) -> UnixMicros {
        if rendition != "a" || !self.sound_apart {
            return at;
        }
        let samples = (at.since(BEGIN).0 * 48_000 + 500_000).div_euclid(1_000_000);
        let frames = (samples + 512).div_euclid(1024) * 1024;
        BEGIN.plus(Micros((frames * 1_000_000 + 24_000).div_euclid(48_000)))
    }

    /// How long a rendition's segment is.
    fn length_of(&self, rendition: &str, piece: &Piece) -> Micros {
        let end = self.cut_of(rendition, piece.start.plus(piece.length));
        end.since(self.cut_of(rendition, piece.start))
    }

    /// The playlist of a view.
    pub(crate) fn playlist(&self, view: &View, rendition: &str) -> String {
        let first = view.window.start;
        let mut text = String::with_capacity(200 * view.window.len() + 2000);
        text.push_str("#EXTM3U\n#EXT-X-VERSION:9\n");
        writeln!(text, "#EXT-X-TARGETDURATION:{}", self.target).unwrap();
        let skip = 6 * self.target;
        if self.parts.is_some() {
            let apart = if self.sound_apart { 22_000 } else { 0 };
            let part = self.part().0 + apart;
            let (part, hold) = (Decimal(part), Decimal(3 * part));
            writeln!(
                text,
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold},CAN-SKIP-UNTIL={skip}"
            )
            .unwrap();
            writeln!(text, "#EXT-X-PART-INF:PART-TARGET={part}").unwrap();
        } else {
            writeln!(text, "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL={skip}").unwrap();
        }
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", self.number(first)).unwrap();
        let own = u64::from(self.programme[first].breaks_off);
        writeln!(
            text,
            "#EXT-X-DISCONTINUITY-SEQUENCE:{}",
            self.discontinuity(first) - own
        )
        .unwrap();
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        for index in view.window.clone() {
            self.write_before(&mut text, index, index == first, rendition);
            if self.parts.is_some() && index + 4 > view.window.end {
                self.write_parts(&mut text, index, u32::MAX, rendition);
            }
            let length = Decimal(self.length_of(rendition, &self.programme[index]).0);
            writeln!(text, "#EXTINF:{length},\n{rendition}{}.m4s", self.number(index)).unwrap();
        }
        if self.parts.is_some() {
            self.write_tail(&mut text, view, rendition);
        }
        text
    }

    fn write_tail(&self, text: &mut String, view: &View, rendition: &str) {
        let next = view.window.end;
        if view.parts > 0 {
            self.write_before(text, next, false, rendition);
            self.write_parts(text, next, view.parts, rendition);
        }
        let (number, part) = (self.number(next), view.parts);
        writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{number}.{part}.m4s\"").unwrap();
        let (last, part) = match view.parts.checked_sub(1) {
            Some(part) => (number, part),
            None => (number - 1, self.part_count(&self.programme[next - 1]) - 1),
        };
        writeln!(
            text,
            "#EXT-X-RENDITION-REPORT:URI=\"../a/index.m3u8\",LAST-MSN={last},LAST-PART={part}"
        )
        .unwrap();
    }

    fn write_before(&self, text: &mut String, index: usize, is_first: bool, rendition: &str) {
        let piece = &self.programme[index];
        if piece.breaks_off {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if is_first || piece.breaks_off {
            match self.keys {
                Keys::None => {}
                Keys::Aes128 => text.push_str("#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n"),
                Keys::MultiDrm => text.push_str(
                    "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n\
                     #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:,k\",KEYFORMAT=\"urn:uuid:edef8ba9\"\n",
                ),
            }
            writeln!(
                text,
                "#EXT-X-MAP:URI=\"{rendition}-{}.mp4\"",
                self.discontinuity(index)
            )
            .unwrap();
        }
        if is_first || piece.breaks_off || self.dates_all {
            let date = self.cut_of(rendition, piece.start);
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date}").unwrap();
        }
        if self
            .breaks
            .binary_search_by_key(&piece.start, |brk| brk.out)
            .is_ok()
        {
            text.push_str("#EXT-X-CUE-OUT:30\n");
        }
    }

    fn write_parts(&self, text: &mut String, index: usize, count: u32, rendition: &str) {
        let piece = &self.programme[index];
        let number = self.number(index);
        let end = piece.start.plus(piece.length);
        let at = |part: u32| piece.start.plus(self.part().times(i64::from(part))).min(end);
        for part in 0..self.part_count(piece).min(count) {
            let [from, to] = [part, part + 1].map(|part| self.cut_of(rendition, at(part)));
            let length = Decimal(to.since(from).0);
            writeln!(text, "#EXT-X-PART:DURATION={length},URI=\"{number}.{part}.m4s\"").unwrap();
        }
    }
}
