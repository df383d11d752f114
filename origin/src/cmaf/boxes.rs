//! Reading big-endian fields and child boxes out of a slice, every read checked.

use super::{Error, FourCc};

/// A box whose every byte is at hand.
#[derive(Clone, Copy)]
pub(super) struct Box4<'a> {
    pub(super) name: [u8; 4],
    /// Offset of the box's first byte in the body.
    pub(super) at: u64,
    /// All bytes of the box, header included: offsets of the standards' tables apply.
    pub(super) bytes: &'a [u8],
    /// Where the payload starts in `bytes`.
    header: usize,
}

/// What the first bytes of a box say.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) name: [u8; 4],
    /// Size of the whole box; 0 means "to the end".
    pub(super) size: u64,
    pub(super) length: usize,
}

/// Reads a box header; `None` when more bytes are needed.
pub(super) fn header(bytes: &[u8], at: u64) -> Result<Option<Header>, Error> {
    let Some(start) = bytes.first_chunk::<8>() else {
        return Ok(None);
    };
    let [a, b, c, d, name @ ..] = *start;
    let small = u64::from(u32::from_be_bytes([a, b, c, d]));
    let malformed = |reason| Error::Malformed {
        name: FourCc(name),
        at,
        reason,
    };
    match small {
        0 => Ok(Some(Header {
            name,
            size: 0,
            length: 8,
        })),
        1 => {
            let Some(large) = bytes.get(8..16).and_then(|b| b.first_chunk::<8>()) else {
                return Ok(None);
            };
            let size = u64::from_be_bytes(*large);
            if size < 16 {
                return Err(malformed("its large size is smaller than its header"));
            }
            Ok(Some(Header {
                name,
                size,
                length: 16,
            }))
        }
        2..8 => Err(malformed("its size is smaller than its header")),
        size => Ok(Some(Header {
            name,
            size,
            length: 8,
        })),
    }
}

impl<'a> Box4<'a> {
    pub(super) fn new(header: Header, at: u64, bytes: &'a [u8]) -> Self {
        Self {
            name: header.name,
            at,
            bytes,
            header: header.length,
        }
    }

    pub(super) fn error(&self, reason: &'static str) -> Error {
        Error::Malformed {
            name: FourCc(self.name),
            at: self.at,
            reason,
        }
    }

    fn array<const N: usize>(&self, offset: usize) -> Result<[u8; N], Error> {
        self.bytes
            .get(offset.saturating_add(self.header - 8)..)
            .and_then(|rest| rest.first_chunk::<N>())
            .copied()
            .ok_or_else(|| self.error("it ends before its fields do"))
    }

    /// The byte at `offset`, counted as the tables do from the first byte of a box with a small header.
    pub(super) fn u8(&self, offset: usize) -> Result<u8, Error> {
        self.array::<1>(offset).map(|[byte]| byte)
    }

    pub(super) fn u16(&self, offset: usize) -> Result<u16, Error> {
        self.array(offset).map(u16::from_be_bytes)
    }

    pub(super) fn u32(&self, offset: usize) -> Result<u32, Error> {
        self.array(offset).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&self, offset: usize) -> Result<u64, Error> {
        self.array(offset).map(u64::from_be_bytes)
    }

    /// The version of a full box.
    pub(super) fn version(&self) -> Result<u8, Error> {
        self.u8(8)
    }

    /// The flags of a full box.
    pub(super) fn flags(&self) -> Result<u32, Error> {
        Ok(self.u32(8)? & 0x00ff_ffff)
    }

    /// The bytes from `offset` on, empty when there are none.
    pub(super) fn rest(&self, offset: usize) -> &'a [u8] {
        self.bytes
            .get(offset.saturating_add(self.header - 8)..)
            .unwrap_or_default()
    }

    /// The child boxes that start at `offset`.
    pub(super) fn children(&self, offset: usize) -> Children<'a> {
        let offset = offset.saturating_add(self.header - 8);
        Children {
            rest: self.bytes.get(offset..).unwrap_or_default(),
            at: self.at.saturating_add(offset as u64),
            parent: FourCc(self.name),
            parent_at: self.at,
        }
    }

    /// The first child of that name among those that start at `offset`.
    pub(super) fn child(&self, offset: usize, name: &[u8; 4]) -> Result<Option<Self>, Error> {
        for child in self.children(offset) {
            let child = child?;
            if &child.name == name {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }
}

/// The boxes that stand one after another in `bytes`.
pub(super) fn walk(bytes: &[u8]) -> Children<'_> {
    Children {
        rest: bytes,
        at: 0,
        parent: FourCc([0; 4]),
        parent_at: 0,
    }
}

/// Walks the children of a box; ends after the first error.
pub(super) struct Children<'a> {
    rest: &'a [u8],
    at: u64,
    parent: FourCc,
    parent_at: u64,
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Box4<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // QuickTime ends some containers with a 32-bit zero.
        if self.rest.is_empty() || self.rest == [0; 4] {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let broken = Error::Malformed {
            name: self.parent,
            at: self.parent_at,
            reason: "a box inside it reaches beyond its end",
        };
        let header = match header(rest, self.at) {
            Ok(Some(header)) => header,
            Ok(None) => return Some(Err(broken)),
            Err(error) => return Some(Err(error)),
        };
        let size = if header.size == 0 {
            Some(rest.len())
        } else {
            usize::try_from(header.size).ok()
        };
        let Some((bytes, after)) = size.and_then(|size| rest.split_at_checked(size)) else {
            return Some(Err(broken));
        };
        let found = Box4::new(header, self.at, bytes);
        self.rest = after;
        self.at = self.at.saturating_add(bytes.len() as u64);
        Some(Ok(found))
    }
}
