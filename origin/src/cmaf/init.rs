//! The init segment: what kind of track, and how its documents name it.

use std::fmt::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::boxes::Box4;
use super::event::string;
use super::{Error, FourCc};

/// What a track carries (`hdlr`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `vide`
    Video,
    /// `soun`
    Audio,
    /// `text`, `subt`
    Text,
    /// `meta`: events (ISO/IEC 23001-18)
    Event,
}

/// The edit list, as far as encoders of live CMAF use one.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Edit {
    /// Duration of a leading empty edit in the movie's timescale: where the track starts on the wall clock.
    pub empty: u64,
    /// The movie's timescale.
    pub movie_timescale: u32,
    /// Media time at which presentation starts, in the track's timescale: the encoder's priming or delay.
    pub media_time: i64,
}

/// What a track is for (`kind` in `udta`, ISO/IEC 14496-12 §8.10.4), as `urn:mpeg:dash:role:2011` and `main`.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Role {
    /// `schemeURI`
    pub scheme: String,
    /// `value`, may be empty.
    pub value: String,
}

/// A parsed init segment (CMAF header) of one track.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Init {
    /// The bytes as they came.
    pub bytes: Bytes,
    /// SHA-256 over the bytes with the creation and modification times zeroed; first eight bytes.
    pub hash: u64,
    /// What the track carries.
    pub kind: Kind,
    /// `tkhd.track_ID`
    pub track_id: u32,
    /// Ticks a second of the track.
    pub timescale: u32,
    /// RFC 6381 codec string.
    pub codec: String,
    /// BCP 47 tag of `elng`, else the ISO 639-2 code of `mdhd`; none for `und`.
    pub language: Option<String>,
    /// Picture width in pixels, 0 for other kinds.
    pub width: u32,
    /// Picture height in pixels, 0 for other kinds.
    pub height: u32,
    /// `TransferCharacteristics` of the `colr` box (ISO/IEC 23091-2), which says how bright light may be.
    pub transfer: Option<u16>,
    /// RFC 6381 codec string of what a Dolby Vision decoder makes of the picture, with the brand that tells what
    /// others see, as HLS writes it in `SUPPLEMENTAL-CODECS`.
    pub supplemental: Option<String>,
    /// Audio channels, 0 for other kinds.
    pub channels: u16,
    /// Audio samples a second, 0 for other kinds.
    pub sample_rate: u32,
    /// Average bits a second of `btrt`, 0 when not given.
    pub average_bitrate: u32,
    /// Maximum bits a second of `btrt`, 0 when not given.
    pub max_bitrate: u32,
    /// The edit list.
    pub edit: Edit,
    /// Sample duration of `trex`, in ticks.
    pub default_duration: u32,
    /// Sample flags of `trex`.
    pub default_flags: u32,
    /// Sample size of `trex`, in bytes.
    pub default_size: u32,
    /// What the track is for, in the order of its `kind` boxes; at most eight.
    pub roles: Vec<Role>,
    /// The scheme of a `urim` track's samples.
    pub uri: Option<String>,
}

impl Init {
    /// Reads a whole init segment.
    ///
    /// # Errors
    /// [`Error`] when it is malformed, holds no track, or holds several.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = super::Reader::new(super::Limits {
            init: bytes.len() as u64,
            chunk: bytes.len() as u64,
        });
        reader.push(bytes)?;
        reader.finish()?;
        match reader.next_event() {
            Some(super::Event::Init(init)) => Ok(*init),
            _ => Err(Error::Malformed {
                name: FourCc(*b"moov"),
                at: 0,
                reason: "there is none",
            }),
        }
    }

    /// The name that the hash gives the init segment in URLs.
    pub fn name(&self) -> String {
        format!("init-{:08x}.mp4", self.hash >> 32)
    }

    pub(super) fn read(moov: &Box4<'_>) -> Result<Self, Error> {
        let mut hasher = Sha256::new();
        let mut movie_timescale = 0;
        let mut tracks = 0;
        let mut track = None;
        let mut extends = None;
        for child in moov.children(8) {
            let child = child?;
            match &child.name {
                b"mvhd" => movie_timescale = child.u32(if child.version()? == 0 { 20 } else { 28 })?,
                b"trak" => {
                    tracks += 1;
                    track = Some(child);
                }
                b"mvex" => extends = Some(child),
                _ => {}
            }
        }
        let track = match (track, tracks) {
            (Some(track), 1) => track,
            (Some(_), count) => {
                return Err(Error::Muxed {
                    name: FourCc(*b"moov"),
                    at: moov.at,
                    count,
                });
            }
            (None, _) => return Err(moov.error("it has no track (trak)")),
        };
        let mut init = Self::read_track(&track)?;
        init.edit.movie_timescale = movie_timescale;
        if let Some(trex) = extends.map(|mvex| mvex.child(8, b"trex")).transpose()?.flatten() {
            init.default_duration = trex.u32(20)?;
            init.default_size = trex.u32(24)?;
            init.default_flags = trex.u32(28)?;
        }
        hash(&mut hasher, moov, &[])?;
        let digest = hasher.finalize();
        init.hash = digest
            .first_chunk::<8>()
            .map_or(0, |first| u64::from_be_bytes(*first));
        Ok(init)
    }

    fn read_track(trak: &Box4<'_>) -> Result<Self, Error> {
        let tkhd = trak
            .child(8, b"tkhd")?
            .ok_or_else(|| trak.error("it has no 'tkhd'"))?;
        let mdia = trak
            .child(8, b"mdia")?
            .ok_or_else(|| trak.error("it has no 'mdia'"))?;
        let (Some(mdhd), Some(hdlr)) = (mdia.child(8, b"mdhd")?, mdia.child(8, b"hdlr")?) else {
            return Err(mdia.error("it has no 'mdhd' or no 'hdlr'"));
        };
        let minf = mdia
            .child(8, b"minf")?
            .ok_or_else(|| mdia.error("it has no 'minf'"))?;
        let stbl = minf
            .child(8, b"stbl")?
            .ok_or_else(|| minf.error("it has no 'stbl'"))?;
        let stsd = stbl
            .child(8, b"stsd")?
            .ok_or_else(|| stbl.error("it has no 'stsd'"))?;
        let entry = match stsd.children(16).next() {
            Some(entry) => entry?,
            None => return Err(stsd.error("it has no sample entry")),
        };
        let Some(kind) = kind_of(&hdlr)? else {
            return Err(hdlr.error("its handler is none of vide, soun, text, subt, meta"));
        };
        let long = mdhd.version()? != 0;
        let timescale = mdhd.u32(if long { 28 } else { 20 })?;
        if timescale == 0 {
            return Err(mdhd.error("its timescale is zero"));
        }
        let mut init = Self {
            bytes: Bytes::new(),
            hash: 0,
            kind,
            track_id: tkhd.u32(if tkhd.version()? == 0 { 20 } else { 28 })?,
            timescale,
            codec: FourCc(entry.name).to_string(),
            language: language(&mdia, mdhd.u16(if long { 40 } else { 28 })?)?,
            width: 0,
            height: 0,
            transfer: None,
            supplemental: None,
            channels: 0,
            sample_rate: 0,
            average_bitrate: 0,
            max_bitrate: 0,
            edit: edit(trak)?,
            default_duration: 0,
            default_flags: 0,
            default_size: 0,
            roles: roles(trak)?,
            uri: None,
        };
        let children_at = match kind {
            Kind::Video => {
                init.width = u32::from(entry.u16(32)?);
                init.height = u32::from(entry.u16(34)?);
                86
            }
            Kind::Audio => {
                init.channels = entry.u16(24)?;
                init.sample_rate = entry.u32(32)? >> 16;
                36
            }
            Kind::Event => {
                // ISO/IEC 14496-12 §12.3.3.2: `urim` names one scheme for all its samples.
                if &entry.name == b"urim"
                    && let Some(uri) = entry.child(16, b"uri ")?
                {
                    init.uri = string(uri.rest(12)).map(|(text, _)| text);
                }
                return Ok(init);
            }
            Kind::Text => {
                // Its boxes, if it has any, begin at another place in each.
                if !TEXT_CODECS.contains(&&entry.name) {
                    return Err(Error::UnknownCodec {
                        name: FourCc(entry.name),
                        at: entry.at,
                    });
                }
                return Ok(init);
            }
        };
        for child in entry.children(children_at) {
            let child = child?;
            match &child.name {
                b"btrt" => {
                    init.max_bitrate = child.u32(12)?;
                    init.average_bitrate = child.u32(16)?;
                }
                b"colr" if child.rest(8).starts_with(b"nclx") => init.transfer = child.u16(14).ok(),
                b"dvcC" | b"dvvC" => init.supplemental = dolby_vision(&child),
                _ => {}
            }
        }
        init.codec = codec(&entry, children_at)?;
        Ok(init)
    }
}

/// What `SUPPLEMENTAL-CODECS` says of a picture that decoders without Dolby Vision can show as well; `None` where
/// there is nothing else to show.
fn dolby_vision(config: &Box4<'_>) -> Option<String> {
    // Two bytes of version, seven bits of profile, six of level; the compatibility is in the fifth byte.
    let (bits, compatibility) = (config.u16(10).ok()?, config.rest(12).first()? >> 4);
    let (profile, level) = (bits >> 9, bits >> 3 & 0x3f);
    let entry = match profile {
        8 => "dvh1",
        10 => "dav1",
        _ => return None,
    };
    let brand = match compatibility {
        1 => "db1p",
        2 => "db2g",
        4 => "db4h",
        _ => return None,
    };
    Some(format!("{entry}.{profile:02}.{level:02}/{brand}"))
}

/// Hashes a box tree with the times of `mvhd`, `tkhd` and `mdhd` left out, so that an encoder which starts
/// again with the same settings has the same hash.
fn hash(hasher: &mut Sha256, found: &Box4<'_>, path: &[[u8; 4]]) -> Result<(), Error> {
    hasher.update(found.name);
    match &found.name {
        b"moov" | b"trak" | b"mdia" if path.len() < 3 => {
            for child in found.children(8) {
                let mut deeper = path.to_vec();
                deeper.push(found.name);
                hash(hasher, &child?, &deeper)?;
            }
        }
        b"mvhd" | b"tkhd" | b"mdhd" => {
            let times = if found.version()? == 0 { 8 } else { 16 };
            hasher.update(found.rest(12 + times));
        }
        _ => hasher.update(found.rest(8)),
    }
    Ok(())
}

fn kind_of(hdlr: &Box4<'_>) -> Result<Option<Kind>, Error> {
    Ok(match &hdlr.u32(16)?.to_be_bytes() {
        b"vide" => Some(Kind::Video),
        b"soun" => Some(Kind::Audio),
        b"text" | b"subt" | b"sbtl" => Some(Kind::Text),
        b"meta" => Some(Kind::Event),
        _ => None,
    })
}

/// What a `trak` carries; `None` when it is nothing that this origin serves.
pub(super) fn handler(trak: &Box4<'_>) -> Result<Option<Kind>, Error> {
    let mdia = trak.child(8, b"mdia")?;
    let hdlr = mdia.map(|mdia| mdia.child(8, b"hdlr")).transpose()?.flatten();
    hdlr.map_or(Ok(None), |hdlr| kind_of(&hdlr))
}

fn roles(trak: &Box4<'_>) -> Result<Vec<Role>, Error> {
    let mut roles = Vec::new();
    let Some(udta) = trak.child(8, b"udta")? else {
        return Ok(roles);
    };
    // What is free in form must not cost the track.
    for child in udta.children(8).map_while(Result::ok) {
        if &child.name == b"kind"
            && roles.len() < MAX_ROLES
            && let Some((scheme, rest)) = string(child.rest(12))
        {
            let value = string(rest).map(|(value, _)| value).unwrap_or_default();
            roles.push(Role { scheme, value });
        }
    }
    Ok(roles)
}

fn language(mdia: &Box4<'_>, packed: u16) -> Result<Option<String>, Error> {
    if let Some(elng) = mdia.child(8, b"elng")? {
        let text: String = elng
            .rest(12)
            .iter()
            .take_while(|b| **b != 0)
            .take(35)
            .map(|b| char::from(*b))
            .collect();
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Ok(Some(text));
        }
    }
    let letters = [packed >> 10, packed >> 5, packed].map(|five| ((five & 0x1f) as u8).saturating_add(0x60));
    let code: String = letters.iter().map(|b| char::from(*b)).collect();
    Ok((letters.iter().all(u8::is_ascii_lowercase) && code != "und").then_some(code))
}

fn edit(trak: &Box4<'_>) -> Result<Edit, Error> {
    let mut edit = Edit::default();
    let Some(elst) = trak
        .child(8, b"edts")?
        .map(|edts| edts.child(8, b"elst"))
        .transpose()?
        .flatten()
    else {
        return Ok(edit);
    };
    let long = elst.version()? != 0;
    let stride = if long { 20 } else { 12 };
    // One empty edit and one real one are all that live encoders write.
    for index in 0..(elst.u32(12)?.min(2) as usize) {
        let at = 16 + index * stride;
        let (duration, media_time) = if long {
            (elst.u64(at)?, elst.u64(at + 8)?.cast_signed())
        } else {
            (
                u64::from(elst.u32(at)?),
                i64::from(elst.u32(at + 4)?.cast_signed()),
            )
        };
        if media_time == -1 && index == 0 {
            edit.empty = duration;
        } else if (0..1 << 40).contains(&media_time) {
            edit.media_time = media_time;
            break;
        }
    }
    Ok(edit)
}

/// The codec string of RFC 6381 and the codecs' own ISOBMFF bindings.
fn codec(entry: &Box4<'_>, children_at: usize) -> Result<String, Error> {
    let mut name = entry.name;
    if matches!(&name, b"encv" | b"enca")
        && let Some(sinf) = entry.child(children_at, b"sinf")?
        && let Some(frma) = sinf.child(8, b"frma")?
    {
        name = frma.u32(8)?.to_be_bytes();
    }
    let four = FourCc(name).to_string();
    let child = |name: &[u8; 4]| entry.child(children_at, name);
    Ok(match &name {
        b"avc1" | b"avc3" => match child(b"avcC")? {
            Some(c) => format!("{four}.{:02X}{:02X}{:02X}", c.u8(9)?, c.u8(10)?, c.u8(11)?),
            None => return Err(entry.error("it has no 'avcC'")),
        },
        b"hvc1" | b"hev1" => match child(b"hvcC")? {
            Some(c) => hevc(&four, &c)?,
            None => return Err(entry.error("it has no 'hvcC'")),
        },
        b"av01" => match child(b"av1C")? {
            Some(c) => {
                let (second, third) = (c.u8(9)?, c.u8(10)?);
                let tier = if third & 0x80 == 0 { 'M' } else { 'H' };
                let depth = match third >> 5 & 3 {
                    0 => 8,
                    2 => 10,
                    _ => 12,
                };
                format!("av01.{}.{:02}{tier}.{depth:02}", second >> 5, second & 0x1f)
            }
            None => return Err(entry.error("it has no 'av1C'")),
        },
        b"vp09" => match child(b"vpcC")? {
            Some(c) => format!("vp09.{:02}.{:02}.{:02}", c.u8(12)?, c.u8(13)?, c.u8(14)? >> 4),
            None => return Err(entry.error("it has no 'vpcC'")),
        },
        b"mp4a" => child(b"esds")?
            .as_ref()
            .and_then(audio_object)
            .unwrap_or_else(|| "mp4a.40.2".to_owned()),
        _ if PLAIN_CODECS.contains(&&name) => four,
        _ => {
            return Err(Error::UnknownCodec {
                name: FourCc(name),
                at: entry.at,
            });
        }
    })
}

/// ISO/IEC 14496-15 annex E.
fn hevc(four: &str, config: &Box4<'_>) -> Result<String, Error> {
    let first = config.u8(9)?;
    let space = ["", "A", "B", "C"]
        .get(usize::from(first >> 6))
        .copied()
        .unwrap_or_default();
    let tier = if first & 0x20 == 0 { 'L' } else { 'H' };
    let mut text = format!(
        "{four}.{space}{}.{:X}.{tier}{}",
        first & 0x1f,
        config.u32(10)?.reverse_bits(),
        config.u8(20)?
    );
    let mut constraints = [0; 6];
    for (index, byte) in constraints.iter_mut().enumerate() {
        *byte = config.u8(14 + index)?;
    }
    let used = constraints
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    for byte in constraints.iter().take(used) {
        // Writing to a String cannot fail.
        let _ = write!(text, ".{byte:X}");
    }
    Ok(text)
}

/// Object type and audio object type out of the descriptors of `esds` (ISO/IEC 14496-1 7.2.6).
fn audio_object(esds: &Box4<'_>) -> Option<String> {
    let mut bytes = esds.rest(12).iter().copied();
    // A tag and its expandable length.
    let open = |bytes: &mut dyn Iterator<Item = u8>| -> Option<u8> {
        let tag = bytes.next()?;
        for _ in 0..4 {
            if bytes.next()? & 0x80 == 0 {
                break;
            }
        }
        Some(tag)
    };
    if open(&mut bytes)? != 3 {
        return None;
    }
    let flags = bytes.nth(2)?;
    let optional = if flags & 0x80 != 0 { 2 } else { 0 } + if flags & 0x20 != 0 { 2 } else { 0 };
    for _ in 0..optional {
        bytes.next()?;
    }
    if flags & 0x40 != 0 {
        let url = bytes.next()?;
        for _ in 0..url {
            bytes.next()?;
        }
    }
    if open(&mut bytes)? != 4 {
        return None;
    }
    let object_type = bytes.next()?;
    if object_type != 0x40 {
        return Some(format!("mp4a.{object_type:02X}"));
    }
    for _ in 0..12 {
        bytes.next()?;
    }
    if open(&mut bytes)? != 5 {
        return None;
    }
    let (first, second) = (bytes.next()?, bytes.next().unwrap_or(0));
    let audio_object = match first >> 3 {
        31 => 32 + (u32::from(first & 7) << 3 | u32::from(second >> 5)),
        small => u32::from(small),
    };
    Some(format!("mp4a.40.{audio_object}"))
}

/// `kind` boxes that are read.
const MAX_ROLES: usize = 8;
/// Sample entries whose four characters are the whole codec string.
const TEXT_CODECS: [&[u8; 4]; 4] = [b"wvtt", b"stpp", b"tx3g", b"c608"];
const PLAIN_CODECS: [&[u8; 4]; 16] = [
    b"ac-3", b"ec-3", b"ac-4", b"Opus", b"fLaC", b"alac", b"mha1", b"mhm1", b"dtsc", b"dtse", b"dtsh",
    b"dtsl", b"dtsx", b"dvh1", b"dvhe", b"vp08",
];
