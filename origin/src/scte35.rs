//! SCTE 35 splice information, as far as an origin must understand it: does a message leave the programme or come
//! back to it, which event is it, and for how long (ANSI/SCTE 35 2023r1 §9).
//!
//! Bytes that are not understood are no error: a message is passed on whole, whatever it says.

use std::borrow::Cow;

use base64ct::{Base64, Encoding as _};

/// Scheme of a section as it stands in a transport stream.
pub const BINARY: &str = "urn:scte:scte35:2013:bin";
/// Scheme of a section in base64 inside an XML `Signal`.
pub const XML_BINARY: &str = "urn:scte:scte35:2014:xml+bin";

/// A `splice_info_section`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SpliceInfo {
    /// `splice_command_type`.
    pub command: u8,
    /// The command and its descriptors are encrypted: nothing more is known.
    pub encrypted: bool,
    /// What it asks for, in its own order.
    pub cues: Vec<Cue>,
}

/// One thing that a message asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cue {
    /// What is to happen.
    pub action: Action,
    /// `splice_event_id` or `segmentation_event_id`.
    pub event_id: u32,
    /// `segmentation_type_id`; `None` for a `splice_insert`.
    pub segmentation: Option<u8>,
    /// When, in ticks of 90 kHz modulo 2^33 with `pts_adjustment` applied; `None` for at once.
    pub time: Option<u64>,
    /// How long the break or the segmentation lasts, in ticks of 90 kHz.
    pub duration: Option<u64>,
    /// The break ends by itself after `duration`.
    pub auto_return: bool,
}

/// What is to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// A break begins.
    Out,
    /// A break ends.
    In,
    /// What this event announced is void.
    Cancel,
    /// Of the programme, its chapters and such.
    Other,
}

/// Why bytes are no splice information section.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first byte is not `table_id` 0xFC.
    #[error("table_id is not 0xfc")]
    TableId,
    /// The section ends before its fields do.
    #[error("the splice information section ends before its fields do")]
    Truncated,
    /// `CRC_32` does not fit the bytes.
    #[error("the CRC does not fit the splice information section")]
    Crc,
}

/// The section in the data of an event message; `None` for other schemes, and where there is none.
pub fn section<'d>(scheme: &str, data: &'d [u8]) -> Option<Cow<'d, [u8]>> {
    match scheme {
        BINARY => Some(Cow::Borrowed(data)),
        XML_BINARY => {
            let text = std::str::from_utf8(data).ok()?;
            // `<Binary>` of any namespace prefix.
            let (_, after) = text.split_once("Binary>")?;
            let packed: String = after
                .split('<')
                .next()?
                .chars()
                .filter(|letter| !letter.is_whitespace())
                .collect();
            Base64::decode_vec(&packed).ok().map(Cow::Owned)
        }
        _ => None,
    }
}

impl SpliceInfo {
    /// Reads a section; bytes behind it are ignored.
    ///
    /// # Errors
    /// [`Error`] when it is none, or damaged.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let length = bytes
            .get(1..3)
            .and_then(|length| length.first_chunk::<2>())
            .map(|length| usize::from(u16::from_be_bytes(*length) & 0xfff));
        let length = length.ok_or(Error::Truncated)?;
        if bytes.first() != Some(&0xfc) {
            return Err(Error::TableId);
        }
        let section = bytes.get(..3 + length).ok_or(Error::Truncated)?;
        let (body, crc) = section.split_last_chunk::<4>().ok_or(Error::Truncated)?;
        if crc32(body) != u32::from_be_bytes(*crc) {
            return Err(Error::Crc);
        }
        let mut fields = Fields(body.get(4..).unwrap_or_default());
        let first = fields.bits(40)?;
        let (encrypted, adjustment) = (first >> 39 == 1, first & PTS_MASK);
        fields.skip(1)?;
        let named = usize::try_from(fields.bits(24)? & 0xfff).unwrap_or(UNNAMED);
        let command = u8::try_from(fields.bits(8)?).unwrap_or_default();
        let mut info = Self {
            command,
            encrypted,
            cues: Vec::new(),
        };
        if encrypted {
            return Ok(info);
        }
        let before = fields.0;
        let mut inner = match named {
            UNNAMED => Fields(before),
            named => Fields(before.get(..named).ok_or(Error::Truncated)?),
        };
        let mut time = None;
        match command {
            SPLICE_INSERT => info.cues.push(insert(&mut inner, adjustment)?),
            TIME_SIGNAL => time = splice_time(&mut inner, adjustment)?,
            _ => {}
        }
        let used = match named {
            // Written before the field was: the command ends where its own fields do.
            UNNAMED => before.len() - inner.0.len(),
            named => named,
        };
        let mut fields = Fields(before.get(used..).unwrap_or_default());
        let loops = usize::try_from(fields.bits(16)?).unwrap_or(usize::MAX);
        let mut descriptors = fields.0.get(..loops).ok_or(Error::Truncated)?;
        while let [tag, length, rest @ ..] = descriptors {
            let Some((payload, after)) = rest.split_at_checked(usize::from(*length)) else {
                break;
            };
            if *tag == SEGMENTATION && command == TIME_SIGNAL {
                // A damaged descriptor says nothing; those beside it may.
                info.cues.extend(segmentation(payload, time).ok().flatten());
            }
            descriptors = after;
        }
        Ok(info)
    }

    /// The cue that says what the message as a whole is: leaving the programme goes before coming back to it, and
    /// both before the rest.
    pub fn leading(&self) -> Option<&Cue> {
        let of = |action| self.cues.iter().find(|cue| cue.action == action);
        of(Action::Out)
            .or_else(|| of(Action::In))
            .or_else(|| self.cues.first())
    }
}

impl Cue {
    /// A cue that takes an event back, until its other fields say more.
    fn cancelled(event_id: u32) -> Self {
        Self {
            action: Action::Cancel,
            event_id,
            segmentation: None,
            time: None,
            duration: None,
            auto_return: false,
        }
    }
}

fn insert(fields: &mut Fields<'_>, adjustment: u64) -> Result<Cue, Error> {
    let event_id = u32::try_from(fields.bits(32)?).unwrap_or_default();
    let mut cue = Cue::cancelled(event_id);
    if fields.bits(8)? & 0x80 != 0 {
        return Ok(cue);
    }
    let flags = fields.bits(8)?;
    let (out, program, lasts, immediate) = (
        flags & 0x80 != 0,
        flags & 0x40 != 0,
        flags & 0x20 != 0,
        flags & 0x10 != 0,
    );
    cue.action = if out { Action::Out } else { Action::In };
    if program && !immediate {
        cue.time = splice_time(fields, adjustment)?;
    }
    if !program {
        for _ in 0..fields.bits(8)? {
            fields.skip(1)?;
            if !immediate {
                let time = splice_time(fields, adjustment)?;
                cue.time = cue.time.or(time);
            }
        }
    }
    if lasts {
        let duration = fields.bits(40)?;
        cue.auto_return = duration >> 39 == 1;
        cue.duration = Some(duration & PTS_MASK);
    }
    fields.skip(4)?;
    Ok(cue)
}

/// `splice_time()`, adjusted; `None` when it names none.
fn splice_time(fields: &mut Fields<'_>, adjustment: u64) -> Result<Option<u64>, Error> {
    let first = fields.0.first().ok_or(Error::Truncated)?;
    if first & 0x80 == 0 {
        fields.skip(1)?;
        return Ok(None);
    }
    let time = fields.bits(40)? & PTS_MASK;
    Ok(Some(time.wrapping_add(adjustment) & PTS_MASK))
}

fn segmentation(payload: &[u8], time: Option<u64>) -> Result<Option<Cue>, Error> {
    let mut fields = Fields(payload);
    if fields.bits(32)? != u64::from(u32::from_be_bytes(*b"CUEI")) {
        return Ok(None);
    }
    let event_id = u32::try_from(fields.bits(32)?).unwrap_or_default();
    let mut cue = Cue::cancelled(event_id);
    if fields.bits(8)? & 0x80 != 0 {
        return Ok(Some(cue));
    }
    let flags = fields.bits(8)?;
    if flags & 0x80 == 0 {
        let count = usize::try_from(fields.bits(8)?).unwrap_or_default();
        fields.skip(count * 6)?;
    }
    if flags & 0x40 != 0 {
        cue.duration = Some(fields.bits(40)?);
    }
    fields.skip(1)?;
    let upid = usize::try_from(fields.bits(8)?).unwrap_or_default();
    fields.skip(upid)?;
    let kind = u8::try_from(fields.bits(8)?).unwrap_or_default();
    cue.segmentation = Some(kind);
    cue.time = time;
    cue.action = match kind {
        // Break, provider and distributor advertisement, placement opportunity and ad block: odd numbers end what
        // even ones begin. Overlays leave the programme on air.
        0x22 | 0x30 | 0x32 | 0x34 | 0x36 | 0x44 | 0x46 => Action::Out,
        0x23 | 0x31 | 0x33 | 0x35 | 0x37 | 0x45 | 0x47 => Action::In,
        _ => Action::Other,
    };
    Ok(Some(cue))
}

/// Fields one after another, each of whole bytes.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn skip(&mut self, bytes: usize) -> Result<(), Error> {
        self.0 = self.0.get(bytes..).ok_or(Error::Truncated)?;
        Ok(())
    }

    /// The next `count` bits, eight to forty of them.
    fn bits(&mut self, count: usize) -> Result<u64, Error> {
        let (now, rest) = self.0.split_at_checked(count / 8).ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(now.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// CRC-32/MPEG-2.
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            let carry = crc >> 31 == 1;
            crc << 1 ^ if carry { 0x04c1_1db7 } else { 0 }
        })
    })
}

const SPLICE_INSERT: u8 = 5;
const TIME_SIGNAL: u8 = 6;
const SEGMENTATION: u8 = 2;
const PTS_MASK: u64 = (1 << 33) - 1;
/// `splice_command_length` of messages from before the field was.
const UNNAMED: usize = 0xfff;

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: &str = "/DAxAAAAAAAAAP/wFAVAAIeuf+/+0AWRK/4AUmXAAC0AfwAMAQpDVUVJUJ81MTkqo5/+gA==";

    #[test]
    fn a_splice_insert_leaves_the_programme_for_its_duration() {
        let bytes = Base64::decode_vec(OUT).unwrap();
        let info = SpliceInfo::read(&bytes).unwrap();
        let expected = Cue {
            action: Action::Out,
            event_id: 0x4000_87ae,
            segmentation: None,
            time: Some(3_490_025_771),
            duration: Some(5_400_000),
            auto_return: true,
        };
        assert_eq!(info.leading(), Some(&expected));
        let xml = format!(
            "<s:Signal xmlns:s=\"http://www.scte.org/schemas/35\"><s:Binary>\n{OUT}</s:Binary></s:Signal>"
        );
        assert_eq!(section(XML_BINARY, xml.as_bytes()).unwrap(), bytes);
        assert_eq!(section("urn:example", &bytes), None);
    }

    #[test]
    fn damage_anywhere_is_found() {
        let bytes = Base64::decode_vec(OUT).unwrap();
        for end in 0..bytes.len() {
            assert!(SpliceInfo::read(&bytes[..end]).is_err());
        }
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(SpliceInfo::read(&flipped).is_err(), "bit {at}");
        }
    }

    /// Reads the collected messages, where `SELVEDGE_VECTORS` names them.
    #[test]
    fn collected_messages_mean_what_they_are_said_to_mean() {
        let Some(folder) = std::env::var_os("SELVEDGE_VECTORS") else {
            return;
        };
        let mut read = 0;
        for file in std::fs::read_dir(std::path::Path::new(&folder).join("scte35")).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if name.starts_with('_') || path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let vector: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let bytes = Base64::decode_vec(vector["base64"].as_str().unwrap()).unwrap();
            let info = SpliceInfo::read(&bytes);
            read += 1;
            match vector["expect"]["parse"].as_str().unwrap() {
                "ok" => {}
                "crc_error" => {
                    assert_eq!(info, Err(Error::Crc), "{name}");
                    continue;
                }
                _ => {
                    assert!(info.is_err(), "{name}");
                    continue;
                }
            }
            let info = info.unwrap();
            assert_eq!(
                info.encrypted, vector["expect"]["section"]["encrypted_packet"],
                "{name}"
            );
            let signals = vector["expect"]["signals"].as_array().unwrap();
            let wanted: Vec<_> = signals
                .iter()
                .filter(|signal| {
                    // Those of a schedule, and of what is encrypted, are for the splicer itself.
                    let scheduled = vector["expect"]["section"]["splice_command_type"] == 4;
                    !scheduled && signal["action"] != "ignore"
                })
                .collect();
            assert_eq!(info.cues.len(), wanted.len(), "{name}: {info:?}");
            for (cue, wanted) in info.cues.iter().zip(wanted) {
                let action = match cue.action {
                    Action::Out => "out",
                    Action::In => "in",
                    Action::Cancel => "cancel",
                    Action::Other => "info",
                };
                assert_eq!(action, wanted["action"], "{name}");
                let id = wanted["key"].as_str().unwrap().split_once(':').unwrap().1;
                assert_eq!(cue.event_id.to_string(), id, "{name}");
                assert_eq!(cue.time, wanted["effective_pts"].as_u64(), "{name}");
                assert_eq!(cue.duration, wanted["duration_ticks"].as_u64(), "{name}");
            }
        }
        assert!(read > 60, "{read}");
    }
}
