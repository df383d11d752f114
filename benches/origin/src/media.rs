//! CMAF to push: boxes of the right shape around samples that nobody decodes.

use std::time::Duration;

/// How a channel is cut. All tracks of a channel share one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cadence {
    /// Frames of video in a part, of 40 ms each.
    pub(crate) frames: u32,
    /// Parts in a segment.
    pub(crate) parts: u32,
    /// Samples of sound in one access unit at 48 kHz: it divides a part.
    pub(crate) unit: u32,
}

impl Cadence {
    /// What our own encoder sends at 25 frames a second: parts of 0.32 s, six in a segment of 1.92 s.
    pub(crate) const ALIGNED: Self = Self {
        frames: 8,
        parts: 6,
        unit: 1024,
    };
    /// Five parts a second, ten in a segment of 2 s.
    pub(crate) const FIVE: Self = Self {
        frames: 5,
        parts: 10,
        unit: 960,
    };

    pub(crate) fn part(self) -> Duration {
        Duration::from_millis(u64::from(self.frames) * 40)
    }

    pub(crate) fn segment(self) -> Duration {
        self.part() * self.parts
    }
}

/// One rendition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rendition {
    /// Pixels, multiples of 16, and bytes of a frame.
    Video { width: u16, height: u16, frame: u32 },
    /// Bytes of an access unit.
    Audio { unit: u32 },
}

/// About 1, 2 and 4 Mbit/s of video, and 128 kbit/s of sound.
pub(crate) const LADDER: [(&str, Rendition); 4] = [
    (
        "v0",
        Rendition::Video {
            width: 640,
            height: 352,
            frame: 5_000,
        },
    ),
    (
        "v1",
        Rendition::Video {
            width: 960,
            height: 544,
            frame: 10_000,
        },
    ),
    (
        "v2",
        Rendition::Video {
            width: 1280,
            height: 720,
            frame: 20_000,
        },
    ),
    ("a0", Rendition::Audio { unit: 341 }),
];

impl Rendition {
    fn timescale(self) -> u32 {
        match self {
            Self::Video { .. } => 90_000,
            Self::Audio { .. } => 48_000,
        }
    }

    /// Ticks of one sample, samples of a part, bytes of one sample.
    fn samples(self, cadence: Cadence) -> (u32, u32, u32) {
        match self {
            Self::Video { frame, .. } => (3_600, cadence.frames, frame),
            Self::Audio { unit } => (cadence.unit, cadence.frames * 1_920 / cadence.unit, unit),
        }
    }

    /// The chunk of a part, whose segment counts from the start of time.
    pub(crate) fn chunk(self, cadence: Cadence, segment: u64, part: u32) -> Vec<u8> {
        const NOT_SYNC: u32 = 0x0101_0000;
        const SYNC: u32 = 0x0200_0000;
        let (ticks, count, size) = self.samples(cadence);
        let is_sync = part == 0 || matches!(self, Self::Audio { .. });
        let number = segment * u64::from(cadence.parts) + u64::from(part);
        let time = number * u64::from(count) * u64::from(ticks);
        let others = if matches!(self, Self::Audio { .. }) {
            SYNC
        } else {
            NOT_SYNC
        };
        let tfhd = full(b"tfhd", 0, 0x02_0038, &[&words(&[1, ticks, size, others])]);
        let tfdt = full(b"tfdt", 1, 0, &[&time.to_be_bytes()]);
        let mfhd = full(b"mfhd", 0, 0, &[&words(&[number as u32])]);
        let first = if is_sync { SYNC } else { NOT_SYNC };
        let moof = |offset: u32| {
            let trun = full(b"trun", 0, 0x5, &[&words(&[count, offset, first])]);
            boxed(b"moof", &[&mfhd, &boxed(b"traf", &[&tfhd, &tfdt, &trun])])
        };
        let offset = moof(0).len() as u32 + 8;
        let mut sample = vec![number as u8 | 1; size as usize];
        if matches!(self, Self::Video { .. }) {
            // One NAL unit with its length before it: an IDR slice or another.
            sample[..4].copy_from_slice(&(size - 4).to_be_bytes());
            sample[4] = 0x41;
        }
        let mut samples = sample.repeat(count as usize);
        if is_sync && matches!(self, Self::Video { .. }) {
            samples[4] = 0x65;
        }
        let mut bytes = moof(offset);
        bytes.extend(boxed(b"mdat", &[&samples]));
        bytes
    }

    /// The init segment.
    pub(crate) fn init(self, cadence: Cadence) -> Vec<u8> {
        let (width, height) = match self {
            Self::Video { width, height, .. } => (width, height),
            Self::Audio { .. } => (0, 0),
        };
        let matrix = words(&[0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]);
        let volume: u32 = if width == 0 { 0x0100_0000 } else { 0 };
        let size = words(&[u32::from(width) << 16, u32::from(height) << 16]);
        let tkhd = full(
            b"tkhd",
            0,
            7,
            &[&words(&[0, 0, 1, 0, 0, 0, 0, 0, volume]), &matrix, &size],
        );
        let mdhd = full(
            b"mdhd",
            0,
            0,
            &[&words(&[0, 0, self.timescale(), 0]), &[0x55, 0xc4, 0, 0]],
        );
        let (handler, header, entry) = match self {
            Self::Video { .. } => (b"vide", full(b"vmhd", 0, 1, &[&[0; 8]]), avc1(width, height)),
            Self::Audio { .. } => (b"soun", full(b"smhd", 0, 0, &[&[0; 4]]), mp4a(cadence)),
        };
        let hdlr = full(b"hdlr", 0, 0, &[&[0; 4], handler, &[0; 13]]);
        let url = full(b"url ", 0, 1, &[]);
        let dinf = boxed(b"dinf", &[&full(b"dref", 0, 0, &[&words(&[1]), &url])]);
        let stsd = full(b"stsd", 0, 0, &[&words(&[1]), &entry]);
        let empty = |name| full(name, 0, 0, &[&words(&[0])]);
        let stsz = full(b"stsz", 0, 0, &[&words(&[0, 0])]);
        let stbl = boxed(
            b"stbl",
            &[&stsd, &empty(b"stts"), &empty(b"stsc"), &stsz, &empty(b"stco")],
        );
        let minf = boxed(b"minf", &[&header, &dinf, &stbl]);
        let trak = boxed(b"trak", &[&tkhd, &boxed(b"mdia", &[&mdhd, &hdlr, &minf])]);
        let mvhd = full(
            b"mvhd",
            0,
            0,
            &[
                &words(&[0, 0, 1_000, 0, 0x1_0000, 0x0100_0000, 0, 0]),
                &matrix,
                &[0; 24],
                &words(&[2]),
            ],
        );
        let trex = full(b"trex", 0, 0, &[&words(&[1, 1, 0, 0, 0])]);
        let ftyp = boxed(b"ftyp", &[b"cmf2\0\0\0\0iso6cmfc"]);
        [ftyp, boxed(b"moov", &[&mvhd, &trak, &boxed(b"mvex", &[&trex])])].concat()
    }
}

fn avc1(width: u16, height: u16) -> Vec<u8> {
    let sps = sps(width, height);
    let pps = [0x68, 0xce, 0x3c, 0x80];
    let avcc = boxed(
        b"avcC",
        &[
            &[1, PROFILE, CONSTRAINTS, LEVEL, 0xff, 0xe1],
            &(sps.len() as u16).to_be_bytes(),
            &sps,
            &[1, 0, pps.len() as u8],
            &pps,
        ],
    );
    boxed(
        b"avc1",
        &[
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0; 16],
            &width.to_be_bytes(),
            &height.to_be_bytes(),
            &words(&[0x48_0000, 0x48_0000, 0]),
            &1_u16.to_be_bytes(),
            &[0; 32],
            &[0, 0x18, 0xff, 0xff],
            &avcc,
        ],
    )
}

/// A sequence parameter set of the constrained baseline (ITU-T H.264 7.3.2.1.1): frames of whole macroblocks.
fn sps(width: u16, height: u16) -> Vec<u8> {
    let mut bits = Bits::default();
    // seq_parameter_set_id, log2_max_frame_num_minus4
    bits.golomb(0);
    bits.golomb(0);
    // pic_order_cnt_type, max_num_ref_frames
    bits.golomb(2);
    bits.golomb(1);
    // gaps_in_frame_num_value_allowed_flag
    bits.push(false);
    bits.golomb(u32::from(width) / 16 - 1);
    bits.golomb(u32::from(height) / 16 - 1);
    // frame_mbs_only_flag, direct_8x8_inference_flag, frame_cropping_flag, vui_parameters_present_flag, stop bit
    for bit in [true, true, false, false, true] {
        bits.push(bit);
    }
    let mut unit = vec![0x67, PROFILE, CONSTRAINTS, LEVEL];
    unit.extend(bits.bytes);
    unit
}

const PROFILE: u8 = 66;
const CONSTRAINTS: u8 = 0xc0;
const LEVEL: u8 = 31;

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, bit: bool) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.used);
        }
        self.used = (self.used + 1) % 8;
    }

    /// ue(v)
    fn golomb(&mut self, value: u32) {
        let length = 31 - (value + 1).leading_zeros();
        (0..length).for_each(|_| self.push(false));
        (0..=length)
            .rev()
            .for_each(|at| self.push((value + 1) >> at & 1 == 1));
    }
}

fn mp4a(cadence: Cadence) -> Vec<u8> {
    // AAC-LC, 48 kHz, two channels; a flag for units of 960 samples.
    let short = u8::from(cadence.unit == 960) << 2;
    let esds = full(
        b"esds",
        0,
        0,
        &[&[
            3,
            25,
            0,
            1,
            0,
            4,
            17,
            0x40,
            0x15,
            0,
            0,
            0,
            0,
            1,
            0xf4,
            0,
            0,
            1,
            0xf4,
            0,
            5,
            2,
            0x11,
            0x90 | short,
            6,
            1,
            2,
        ]],
    );
    boxed(
        b"mp4a",
        &[
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0; 8],
            &[0, 2, 0, 16, 0, 0, 0, 0],
            &words(&[48_000 << 16]),
            &esds,
        ],
    )
}

fn boxed(name: &[u8; 4], pieces: &[&[u8]]) -> Vec<u8> {
    let size = 8 + pieces.iter().map(|piece| piece.len()).sum::<usize>();
    let mut bytes = (size as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(name);
    pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
    bytes
}

fn full(name: &[u8; 4], version: u8, flags: u32, pieces: &[&[u8]]) -> Vec<u8> {
    let head = (u32::from(version) << 24 | flags).to_be_bytes();
    boxed(name, &[&[&head[..]], pieces].concat())
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}
