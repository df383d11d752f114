//! From bytes in any split to init segments and chunks.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use selvedge_watermark::pace::{PaceError, PaceInfo};

use super::boxes::{self, Box4, Header};
use super::event::{self, EventMessage, MAX_EVENTS};
use super::moof::{Fragment, Prft, moof, prft};
use super::{Error, FourCc, Init};

/// Bounds on what one body may make the reader hold, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// An init segment.
    pub init: u64,
    /// A chunk with all boxes before its `mdat`.
    pub chunk: u64,
}

/// One CMAF chunk: everything from the end of the one before to the end of its `mdat`, as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chunk {
    /// The bytes, `styp`, `prft`, `emsg` and such included.
    pub bytes: Bytes,
    /// Offset of its first byte in the body.
    pub at: u64,
    /// What `moof` says.
    pub fragment: Fragment,
    /// The `prft` before the `moof`, if any.
    pub prft: Option<Prft>,
    /// A `styp` stood before this chunk.
    pub styp: bool,
    /// That `styp` carried the brand `lmsg`: the segment is the track's last.
    pub last: bool,
    /// That `styp` carried the brand `slat`: filler for a lost input, to be replaced by better media.
    pub slate: bool,
    /// What a `wmpi` before the `moof` said. Its bytes are overwritten (ETSI TS 104 002 §7): no viewer may read it.
    pub pace: Option<PaceInfo>,
    /// The `emsg` boxes before the `moof`, at most [`MAX_EVENTS`].
    pub events: Vec<EventMessage>,
    /// Offset in `bytes` of the `moof`.
    pub(super) moof_at: usize,
    /// Offset in `bytes` of the payload of `mdat`.
    pub data_at: usize,
}

impl Chunk {
    /// Where in `bytes` the first sample ends, given the sample size of the init segment's `trex`: a range of bytes
    /// up to there is enough to decode it. `None` when the boxes do not say.
    pub fn first_sample_end(&self, default_size: u32) -> Option<usize> {
        let size = self.fragment.first_sample_size.unwrap_or(default_size);
        let start = match self.fragment.data_offset {
            Some(offset) => self.moof_at.checked_add_signed(isize::try_from(offset).ok()?)?,
            None => self.data_at,
        };
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        (size > 0 && start >= self.data_at && end <= self.bytes.len()).then_some(end)
    }

    /// Earliest presentation time of its samples, in ticks of media time.
    pub fn presented(&self) -> i64 {
        let decoded = self.fragment.decode_time.cast_signed();
        decoded.saturating_add(self.fragment.first_offset)
    }
}

/// What the reader found.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An init segment (CMAF header): `ftyp` and `moov`.
    Init(Box<Init>),
    /// A chunk is complete.
    Chunk(Box<Chunk>),
    /// An `mfra` says that the track ended.
    End,
}

/// A streaming reader of one body. Events are the same whatever the split of the bytes.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    buffer: BytesMut,
    /// Where in `buffer` the next unread box starts.
    scan: usize,
    /// Offset of `buffer`'s first byte in the body.
    offset: u64,
    fragment: Option<Fragment>,
    prft: Option<Prft>,
    styp: bool,
    last: bool,
    slate: bool,
    pace: Option<PaceInfo>,
    messages: Vec<EventMessage>,
    moof_at: usize,
    events: VecDeque<Event>,
    /// Boxes of unknown types since it was last asked.
    unknown: u64,
}

impl Reader {
    /// A reader at the start of a body.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: BytesMut::new(),
            scan: 0,
            offset: 0,
            fragment: None,
            prft: None,
            styp: false,
            last: false,
            slate: false,
            pace: None,
            messages: Vec::new(),
            moof_at: 0,
            events: VecDeque::new(),
            unknown: 0,
        }
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// [`Error`] as soon as the bytes cannot become CMAF within the limits. Events found before stay.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        while let Some(header) = boxes::header(self.unread(), self.at())? {
            if header.size == 0 && &header.name != b"mdat" {
                return Err(self.malformed(header.name, "only 'mdat' may reach to the end of the body"));
            }
            self.check_size(header)?;
            let Ok(size) = usize::try_from(header.size) else {
                return Ok(());
            };
            if size == 0 || self.unread().len() < size {
                return Ok(());
            }
            self.take(header, size)?;
        }
        Ok(())
    }

    /// Says that the body is complete.
    ///
    /// # Errors
    /// [`Error::Truncated`] when it ends inside a box, [`Error::Malformed`] when a `moof` has no `mdat`.
    pub fn finish(&mut self) -> Result<(), Error> {
        match boxes::header(self.unread(), self.at())? {
            Some(header) if header.size == 0 => self.take(header, self.unread().len()),
            Some(header) => Err(Error::Truncated {
                name: FourCc(header.name),
                at: self.at(),
                missing: header.size.saturating_sub(self.unread().len() as u64),
            }),
            None if !self.unread().is_empty() => Err(Error::Truncated {
                name: FourCc([0; 4]),
                at: self.at(),
                missing: 8_u64.saturating_sub(self.unread().len() as u64).max(1),
            }),
            None if self.fragment.is_some() => Err(Error::Malformed {
                name: FourCc(*b"moof"),
                at: self.at(),
                reason: "no 'mdat' follows it",
            }),
            None => {
                // A lone `styp` with `lmsg` ends the track as well.
                if std::mem::take(&mut self.last) {
                    self.events.push_back(Event::End);
                }
                Ok(())
            }
        }
    }

    /// The next event, oldest first.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes held for a chunk or init segment that is not complete.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Boxes of types that are none of ISO/IEC 14496-12 between segments, since this was last asked.
    pub fn take_unknown(&mut self) -> u64 {
        std::mem::take(&mut self.unknown)
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.scan..).unwrap_or_default()
    }

    fn at(&self) -> u64 {
        self.offset + self.scan as u64
    }

    fn malformed(&self, name: [u8; 4], reason: &'static str) -> Error {
        Error::Malformed {
            name: FourCc(name),
            at: self.at(),
            reason,
        }
    }

    fn check_size(&self, header: Header) -> Result<(), Error> {
        let limit = if &header.name == b"moov" {
            self.limits.init
        } else {
            self.limits.chunk
        };
        let size = if header.size == 0 {
            self.unread().len() as u64
        } else {
            header.size
        };
        let total = size.saturating_add(self.scan as u64);
        if total > limit {
            return Err(Error::TooLarge {
                name: FourCc(header.name),
                at: self.at(),
                size: total,
                limit,
            });
        }
        Ok(())
    }

    /// Reads the whole box of `size` bytes at `scan`.
    fn take(&mut self, header: Header, size: usize) -> Result<(), Error> {
        let at = self.at();
        let end = self.scan + size;
        let found = Box4::new(header, at, self.buffer.get(self.scan..end).unwrap_or_default());
        match &header.name {
            b"ftyp" => {}
            b"styp" => {
                self.styp = true;
                let has = |wanted: &[u8; 4]| found.rest(8).chunks_exact(4).any(|brand| brand == wanted);
                let (last, slate) = (has(b"lmsg"), has(b"slat"));
                self.last |= last;
                self.slate |= slate;
            }
            b"moov" => {
                if self.fragment.is_some() {
                    return Err(found.error("it stands between 'moof' and 'mdat'"));
                }
                let mut init = Init::read(&found)?;
                let bytes = self.cut(end);
                init.bytes = bytes;
                self.events.push_back(Event::Init(Box::new(init)));
                return Ok(());
            }
            b"wmpi" => {
                if self.pace.is_some() {
                    return Err(found.error("there is one already"));
                }
                let bytes = self.buffer.get_mut(self.scan..end).unwrap_or_default();
                let pace = PaceInfo::of_box(bytes);
                bytes.iter_mut().skip(header.length).for_each(|byte| *byte = 0xff);
                self.pace = Some(pace.map_err(|error| {
                    let reason = match error {
                        PaceError::Binary { what } => what,
                        _ => "it is not pace information",
                    };
                    self.malformed(header.name, reason)
                })?);
            }
            b"prft" => self.prft = Some(prft(&found)?),
            b"emsg" if self.messages.len() < MAX_EVENTS => {
                let message = event::emsg(&found);
                self.messages.extend(message);
            }
            b"moof" => {
                if self.fragment.is_some() {
                    return Err(found.error("the 'moof' before it has no 'mdat'"));
                }
                self.fragment = Some(moof(&found)?);
                self.moof_at = self.scan;
            }
            b"mdat" => {
                let Some(fragment) = self.fragment.take() else {
                    return Err(found.error("no 'moof' stands before it"));
                };
                let payload = (size as u64).saturating_sub(header.length as u64);
                if fragment.size.is_some_and(|named| named > payload) {
                    return Err(found.error("the 'moof' before it names more bytes than it holds"));
                }
                let at = self.offset;
                let data_at = self.scan + header.length;
                let bytes = self.cut(end);
                let slate = std::mem::take(&mut self.slate);
                let events = std::mem::take(&mut self.messages);
                let (styp, last) = (std::mem::take(&mut self.styp), std::mem::take(&mut self.last));
                let (prft, pace) = (self.prft.take(), self.pace.take());
                self.events.push_back(Event::Chunk(Box::new(Chunk {
                    bytes,
                    at,
                    fragment,
                    prft,
                    styp,
                    last,
                    slate,
                    pace,
                    events,
                    moof_at: self.moof_at,
                    data_at,
                })));
                return Ok(());
            }
            b"mfra" => {
                self.cut(end);
                self.events.push_back(Event::End);
                return Ok(());
            }
            name if !name
                .iter()
                .all(|b| b.is_ascii_graphic() || *b == b' ' || *b == 0xa9) =>
            {
                return Err(found.error("this is not a box type"));
            }
            // Of no use here, and nothing to tell of.
            b"free" | b"skip" | b"sidx" | b"ssix" | b"pdin" | b"meta" | b"emsg" => {}
            _ => self.unknown += 1,
        }
        self.scan = end;
        Ok(())
    }

    fn cut(&mut self, end: usize) -> Bytes {
        self.scan = 0;
        self.offset += end as u64;
        self.buffer.split_to(end).freeze()
    }
}
