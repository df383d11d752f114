//! Several tracks in one `moov` and `moof`, as ffmpeg's HLS muxer writes them by default: taken apart into tracks of
//! their own, as CMAF wants them.
//!
//! No sample is touched. A `moov` becomes one for each track; of a `moof` and its `mdat`, each track fragment
//! becomes a `moof` with the bytes of its own samples behind it. An index (`sidx`, `mfra`) names bytes that are
//! elsewhere now, and is left out.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::boxes::{self, Box4, Header};
use super::init::handler;
use super::write::{boxed, put, run_at};
use super::{Error, FourCc, Init, Kind, Limits};

/// One track of a muxed object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lane {
    /// What is added to the object's name: `v`, `a`, `a2`, `t`, `m`.
    pub suffix: String,
    /// `track_ID`
    pub track_id: u32,
    /// What the track carries.
    pub kind: Kind,
    /// Sample size of `trex`, in bytes.
    pub default_size: u32,
}

impl Lane {
    /// The lane of a track that was taken out of a muxed object before.
    pub fn known(suffix: &str, init: &Init) -> Self {
        Self {
            suffix: suffix.to_owned(),
            track_id: init.track_id,
            kind: init.kind,
            default_size: init.default_size,
        }
    }
}

/// Takes a body of several tracks apart. Bytes come in any split.
#[derive(Debug)]
pub struct Demuxer {
    limits: Limits,
    lanes: Vec<Lane>,
    buffer: BytesMut,
    scan: usize,
    /// Offset of `buffer`'s first byte in the body.
    offset: u64,
    /// The `ftyp` of the `moov` that follows it.
    brands: Bytes,
    /// Where in `buffer` the `moof` stands whose `mdat` has not come.
    moof: Option<Range<usize>>,
}

/// A piece of a track's own body: its place in [`Demuxer::lanes`], and the bytes.
pub type Piece = (usize, Bytes);

impl Demuxer {
    /// A demultiplexer at the start of a body. `lanes` are the tracks where the `moov` came with another body.
    pub fn new(limits: Limits, lanes: Vec<Lane>) -> Self {
        Self {
            limits,
            lanes,
            buffer: BytesMut::new(),
            scan: 0,
            offset: 0,
            brands: Bytes::new(),
            moof: None,
        }
    }

    /// The tracks so far: those that it was told of, and those of a `moov` that came.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Bytes held of what is not complete.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next bytes of the body; appends to `pieces` what they complete.
    ///
    /// # Errors
    /// [`Error`] as soon as the bytes cannot be taken apart within the limits.
    pub fn push(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        while let Some(header) = boxes::header(self.unread(), self.at())? {
            if header.size == 0 {
                return Err(self.malformed(
                    header,
                    "a box of several tracks may not reach to the end of the body",
                ));
            }
            let limit = match &header.name {
                b"moov" => self.limits.init,
                _ => self.limits.chunk,
            };
            let total = header.size.saturating_add(self.scan as u64);
            if total > limit {
                return Err(Error::TooLarge {
                    name: FourCc(header.name),
                    at: self.at(),
                    size: total,
                    limit,
                });
            }
            let Ok(size) = usize::try_from(header.size) else {
                return Ok(());
            };
            if self.unread().len() < size {
                return Ok(());
            }
            self.take(header, size, pieces)?;
        }
        Ok(())
    }

    /// Says that the body is complete.
    ///
    /// # Errors
    /// [`Error::Truncated`] when it ends inside a box or between a `moof` and its `mdat`.
    pub fn finish(&self) -> Result<(), Error> {
        let missing = match boxes::header(self.unread(), self.at())? {
            Some(header) => header.size.saturating_sub(self.unread().len() as u64),
            None if self.unread().is_empty() && self.moof.is_none() => return Ok(()),
            None => 1,
        };
        Err(Error::Truncated {
            name: FourCc(self.moof.as_ref().map_or([0; 4], |_| *b"moof")),
            at: self.at(),
            missing,
        })
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.scan..).unwrap_or_default()
    }

    fn at(&self) -> u64 {
        self.offset + self.scan as u64
    }

    fn malformed(&self, header: Header, reason: &'static str) -> Error {
        Error::Malformed {
            name: FourCc(header.name),
            at: self.at(),
            reason,
        }
    }

    fn take(&mut self, header: Header, size: usize, pieces: &mut Vec<Piece>) -> Result<(), Error> {
        let (start, end) = (self.scan, self.scan + size);
        let at = self.at();
        let bytes = self.buffer.get(start..end).unwrap_or_default();
        let found = Box4::new(header, at, bytes);
        // While a `moof` waits for its `mdat`, what stands between them stays where it is.
        match &header.name {
            b"moof" if self.moof.is_some() => {
                return Err(found.error("the 'moof' before it has no 'mdat'"));
            }
            b"moof" => {
                self.moof = Some(start..end);
                self.scan = end;
                return Ok(());
            }
            b"mdat" => {
                let Some(moof) = self.moof.take() else {
                    return Err(found.error("no 'moof' stands before it"));
                };
                let data = start + header.length..end;
                self.fragments(&moof, &data, pieces)?;
            }
            _ if self.moof.is_some() => {
                self.scan = end;
                return Ok(());
            }
            b"moov" => {
                let (lanes, inits) = split_moov(&self.brands, &found)?;
                self.lanes = lanes;
                pieces.extend(inits.into_iter().enumerate());
            }
            b"ftyp" => self.brands = Bytes::copy_from_slice(bytes),
            // Brands of a segment hold for each of its tracks; an end is an end of all.
            b"styp" => self.to_all(bytes, pieces),
            b"mfra" => self.to_all(&boxed(b"mfra", &[]), pieces),
            b"sidx" | b"ssix" => {}
            b"prft" => {
                let track = found.u32(12)?;
                let lane = self.lanes.iter().position(|lane| lane.track_id == track);
                pieces.extend(lane.map(|lane| (lane, Bytes::copy_from_slice(bytes))));
            }
            _ => {
                let first = self.lanes.iter().position(|lane| lane.kind == Kind::Video);
                pieces.push((first.unwrap_or(0), Bytes::copy_from_slice(bytes)));
            }
        }
        let _ = self.buffer.split_to(end);
        self.offset += end as u64;
        self.scan = 0;
        Ok(())
    }

    fn to_all(&self, bytes: &[u8], pieces: &mut Vec<Piece>) {
        let bytes = Bytes::copy_from_slice(bytes);
        pieces.extend((0..self.lanes.len()).map(|lane| (lane, bytes.clone())));
    }

    /// Takes a `moof` and its `mdat` apart.
    fn fragments(
        &self,
        moof: &Range<usize>,
        data: &Range<usize>,
        pieces: &mut Vec<Piece>,
    ) -> Result<(), Error> {
        let bytes = self.buffer.get(moof.clone()).unwrap_or_default();
        let at = self.offset + moof.start as u64;
        let Some(header) = boxes::header(bytes, at)? else {
            return Ok(());
        };
        let found = Box4::new(header, at, bytes);
        let sequence = match found.child(8, b"mfhd")? {
            Some(mfhd) => mfhd.bytes.to_vec(),
            None => return Err(found.error("it has no 'mfhd'")),
        };
        // Without another word a track fragment's samples begin where those of the one before it end.
        let mut position = moof.start;
        for traf in found.children(8) {
            let traf = traf?;
            if &traf.name != b"traf" {
                continue;
            }
            let Taken {
                track,
                moof: fragment,
                samples,
            } = self.fragment(&traf, moof.start, &mut position, &sequence)?;
            let Some(lane) = self.lanes.iter().position(|lane| lane.track_id == track) else {
                return Err(traf.error("no init segment describes its track"));
            };
            let mut payload = Vec::new();
            for run in samples {
                if run.start < data.start || run.end > data.end {
                    return Err(traf.error("its samples lie outside the 'mdat' behind it"));
                }
                put(&mut payload, self.buffer.get(run).unwrap_or_default());
            }
            let mut out = fragment;
            put(&mut out, &boxed(b"mdat", &[&payload]));
            pieces.push((lane, Bytes::from(out)));
        }
        Ok(())
    }

    /// A `moof` of this track fragment alone, and where its samples stand in `buffer`.
    fn fragment(
        &self,
        traf: &Box4<'_>,
        moof_at: usize,
        position: &mut usize,
        sequence: &[u8],
    ) -> Result<Taken, Error> {
        let Some(tfhd) = traf.child(8, b"tfhd")? else {
            return Err(traf.error("it has no track fragment header (tfhd)"));
        };
        let outside = || traf.error("its samples lie outside the 'mdat' behind it");
        let flags = tfhd.flags()?;
        let track = tfhd.u32(12)?;
        let mut size_at = 16 + if flags & 1 != 0 { 8 } else { 0 };
        size_at += 4 * (flags & 0xa).count_ones() as usize;
        let default_size = if flags & 0x10 != 0 {
            tfhd.u32(size_at)?
        } else {
            let lane = self.lanes.iter().find(|lane| lane.track_id == track);
            lane.map_or(0, |lane| lane.default_size)
        };
        let base = if flags & 1 != 0 {
            let base = tfhd.u64(16)?.checked_sub(self.offset);
            base.and_then(|base| usize::try_from(base).ok())
                .ok_or_else(outside)?
        } else if flags & 0x2_0000 != 0 {
            moof_at
        } else {
            *position
        };
        *position = base;
        let header = boxed(
            b"tfhd",
            &[
                &(tfhd.u32(8)? & !1 | 0x2_0000).to_be_bytes(),
                &track.to_be_bytes(),
                tfhd.rest(if flags & 1 != 0 { 24 } else { 16 }),
            ],
        );
        // Sizes do not depend on where samples are, so a first writing tells where the second puts them.
        let mut samples = Vec::new();
        for trun in traf.children(8) {
            let trun = trun?;
            if &trun.name != b"trun" {
                continue;
            }
            if trun.flags()? & 1 != 0 {
                let offset = isize::try_from(trun.u32(16)?.cast_signed()).map_err(|_| outside())?;
                *position = base.checked_add_signed(offset).ok_or_else(outside)?;
            }
            let length = usize::try_from(run_length(&trun, default_size)?).map_err(|_| outside())?;
            let end = position.checked_add(length).ok_or_else(outside)?;
            samples.push(*position..end);
            *position = end;
        }
        let write = |data_at: usize, senc_at: Option<usize>| -> Result<(Vec<u8>, Option<usize>), Error> {
            let mut parts = header.clone();
            let mut data_at = data_at;
            let mut runs = samples.iter();
            let mut found_senc = None;
            for part in traf.children(8) {
                let part = part?;
                match &part.name {
                    b"tfhd" => {}
                    b"trun" => {
                        put(
                            &mut parts,
                            &run_at(&part, i64::try_from(data_at).unwrap_or(i64::MAX))?,
                        );
                        data_at += runs.next().map_or(0, |run| run.len());
                    }
                    b"saio" => put(&mut parts, &auxiliary_at(&part, senc_at.unwrap_or_default())?),
                    b"senc" => {
                        found_senc = Some(8 + sequence.len() + 8 + parts.len() + 16);
                        put(&mut parts, part.bytes);
                    }
                    _ => put(&mut parts, part.bytes),
                }
            }
            Ok((
                boxed(b"moof", &[sequence, &boxed(b"traf", &[&parts])]),
                found_senc,
            ))
        };
        let (first, senc_at) = write(0, None)?;
        if senc_at.is_none() && traf.child(8, b"saio")?.is_some() {
            return Err(traf.error("its samples are encrypted with auxiliary information outside of 'senc'"));
        }
        let (written, _) = write(first.len() + 8, senc_at)?;
        Ok(Taken {
            track,
            moof: written,
            samples,
        })
    }
}

/// A track fragment on its own.
struct Taken {
    track: u32,
    moof: Vec<u8>,
    /// Where its samples stand in the demultiplexer's buffer, run by run.
    samples: Vec<Range<usize>>,
}

/// How many tracks a body holds, as far as its first `moov` or `moof` says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tracks {
    /// Neither has come whole.
    Unknown,
    /// One in the `moov`, or none that could be read: as it comes, it is for [`Reader`](super::Reader).
    One,
    /// One in the `moof` of a body that began without `moov`.
    OneWithoutInit,
    /// Several.
    Several,
}

impl Tracks {
    /// Reads the first boxes of a body.
    pub fn of(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        loop {
            // What is wrong with a box, its reader tells.
            let header = match boxes::header(rest, 0) {
                Ok(Some(header)) => header,
                Ok(None) => return Self::Unknown,
                Err(_) => return Self::One,
            };
            let size = usize::try_from(header.size).unwrap_or(usize::MAX);
            if &header.name == b"mdat" || size == 0 {
                return Self::One;
            }
            let Some((bytes, after)) = rest.split_at_checked(size) else {
                return Self::Unknown;
            };
            let found = Box4::new(header, 0, bytes);
            let count = |name: &[u8; 4]| {
                let children = found.children(8).map_while(Result::ok);
                children.filter(|child| &child.name == name).count()
            };
            match &header.name {
                b"moov" if count(b"trak") > 1 => return Self::Several,
                b"moof" if count(b"traf") > 1 => return Self::Several,
                b"moov" => return Self::One,
                b"moof" => return Self::OneWithoutInit,
                _ => rest = after,
            }
        }
    }
}

/// Bytes of the samples of a `trun`.
fn run_length(trun: &Box4<'_>, default_size: u32) -> Result<u64, Error> {
    let flags = trun.flags()?;
    let count = trun.u32(12)?;
    if flags & 0x200 == 0 {
        return Ok(u64::from(count) * u64::from(default_size));
    }
    let first = 16 + 4 * (flags & 0x5).count_ones() as usize + if flags & 0x100 != 0 { 4 } else { 0 };
    let stride = 4 * (flags & 0xf00).count_ones() as usize;
    let table = trun.rest(first);
    let mut sum = 0_u64;
    for index in 0..count as usize {
        let entry = table
            .get(index.saturating_mul(stride)..)
            .and_then(|rest| rest.first_chunk::<4>());
        let Some(entry) = entry else {
            return Err(trun.error("it names more samples than it holds"));
        };
        sum += u64::from(u32::from_be_bytes(*entry));
    }
    Ok(sum)
}

/// A `saio` of one offset, counted from the `moof`.
fn auxiliary_at(saio: &Box4<'_>, offset: usize) -> Result<Vec<u8>, Error> {
    let head = if saio.flags()? & 1 != 0 { 20 } else { 12 };
    if saio.u32(head)? != 1 {
        return Err(saio.error("it names more than one place"));
    }
    let mut body = saio.rest(8).get(..head - 4).unwrap_or_default().to_vec();
    let offset = offset as u64;
    if saio.version()? == 0 {
        put(
            &mut body,
            &u32::try_from(offset).unwrap_or(u32::MAX).to_be_bytes(),
        );
    } else {
        put(&mut body, &offset.to_be_bytes());
    }
    Ok(boxed(b"saio", &[&body]))
}

/// An init segment's `ftyp` and `moov` for each track.
fn split_moov(brands: &[u8], moov: &Box4<'_>) -> Result<(Vec<Lane>, Vec<Bytes>), Error> {
    let mut shared = Vec::new();
    let mut traks = Vec::new();
    let mut extends = None;
    for child in moov.children(8) {
        let child = child?;
        match &child.name {
            b"trak" => traks.push(child),
            b"mvex" => extends = Some(child),
            b"mvhd" | b"pssh" => put(&mut shared, child.bytes),
            // `iods` and `udta` speak of the file that this no longer is.
            _ => {}
        }
    }
    let (mut lanes, mut inits) = (Vec::<Lane>::new(), Vec::new());
    for trak in traks.iter().take(MAX_LANES) {
        let Some(tkhd) = trak.child(8, b"tkhd")? else {
            return Err(trak.error("it has no 'tkhd'"));
        };
        let track_id = tkhd.u32(if tkhd.version()? == 0 { 20 } else { 28 })?;
        let Some(kind) = handler(trak)? else {
            // A track of timecodes or hints beside the media: nothing that is served.
            continue;
        };
        let mut default_size = 0;
        let mut parts = Vec::new();
        if let Some(extends) = extends {
            for child in extends.children(8) {
                let child = child?;
                if &child.name == b"trex" {
                    if child.u32(12)? != track_id {
                        continue;
                    }
                    default_size = child.u32(24)?;
                }
                put(&mut parts, child.bytes);
            }
        }
        let ordinal = lanes.iter().filter(|lane| lane.kind == kind).count() + 1;
        let letter = match kind {
            Kind::Video => "v",
            Kind::Audio => "a",
            Kind::Text => "t",
            Kind::Event => "m",
        };
        lanes.push(Lane {
            suffix: if ordinal == 1 {
                letter.to_owned()
            } else {
                format!("{letter}{ordinal}")
            },
            track_id,
            kind,
            default_size,
        });
        let moov = boxed(b"moov", &[&shared, trak.bytes, &boxed(b"mvex", &[&parts])]);
        inits.push(Bytes::from([brands, &moov].concat()));
    }
    if lanes.is_empty() {
        return Err(moov.error("it has no track (trak)"));
    }
    Ok((lanes, inits))
}

/// Tracks of one object.
const MAX_LANES: usize = 16;
