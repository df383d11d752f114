//! The slice of the break log that one playlist's window needs, as lines of that playlist.
//!
//! ```text
//! #EXT-X-SELVEDGE-LOG:VERSION=1,MSN-SHIFT=-2,DSN-SHIFT=3
//! #EXT-X-SELVEDGE-BREAK:ID="news-1767297616000-si:7",OUT=1767297616000000,PLANNED=10000000,IN=1767297626000000,
//!  REVISION=2,EFFECTIVE-FROM=1767297610000000,SLOTS="2x2000000,3x2000000",AFTER=WAIT,TOLERANCE=20000,
//!  MSN-OUT=108,DSN-BEFORE=0,MSN-IN=113,DSN-IN=0
//! ```
//!
//! (each on one line). A break that some cohorts are exempt from names them, `EXEMPT="premium,staff"`; where numbers of
//! theirs differ by that, the first line has them, `EXEMPT="premium/0/-2"`: the cohort, and its own two shifts.
//!
//! Whoever reads the playlist has the knowledge of its breaks with it, from the same moment: no store
//! that lags can disagree. The lines stand anywhere; a client that does not know them ignores them (RFC 8216bis 6.3.1),
//! and an edge takes them out. Attributes that are not known are ignored, a `VERSION` that is not known is refused.
//!
//! An MPD has the same attribute lists as values of properties, which stand below its root where those may, behind its Periods
//! (`SupplementalProperty`, ISO/IEC 23009-1 5.8.4.9), without anchors: there, places are found by time.
//!
//! ```text
//! <SupplementalProperty schemeIdUri="urn:selvedge:log:1" value="VERSION=1,MSN-SHIFT=0,DSN-SHIFT=0"/>
//! <SupplementalProperty schemeIdUri="urn:selvedge:break:1" value="ID=&quot;news-…&quot;,OUT=…"/>
//! ```

mod told;

use core::fmt::{self, Write as _};

pub use told::{Told, restrictions};

use crate::{
    airing::{Airing, Anchor, Mode, Return, Sums},
    attributes::Attributes,
    key::BreakId,
    structure::{After, MAX_SLOTS, Slot, Structure},
    time::{Micros, UnixMicros},
};

/// Breaks that touch the window of a playlist, in order, and what those before them add up to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Slice {
    /// What all breaks before the first of `breaks` have added to the playlist's numbers.
    pub before: Sums,
    /// The breaks that touch the window, by time. None is void, and none overlaps another.
    pub breaks: Vec<Airing>,
}

/// One line of a slice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Line {
    /// `EXT-X-SELVEDGE-LOG`.
    Log(Sums),
    /// `EXT-X-SELVEDGE-BREAK`.
    Break(Box<Airing>),
}

/// Why a line of a slice says nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// An attribute that must be there is not.
    #[error("{tag} lacks the attribute {attribute}")]
    Missing {
        /// The line's tag, or the property's scheme.
        tag: &'static str,
        /// Its attribute.
        attribute: &'static str,
    },
    /// An attribute has no value that it may have.
    #[error("{tag} has a value of {attribute} that cannot be read")]
    Value {
        /// The line's tag.
        tag: &'static str,
        /// Its attribute.
        attribute: &'static str,
    },
    /// A version that this reader does not know.
    #[error("the slice of the break log is of version {found}; this reader knows version 1 alone")]
    Version {
        /// What stands there.
        found: i64,
    },
}

/// The tag of the sums before the window.
pub const LOG_TAG: &str = "#EXT-X-SELVEDGE-LOG";
/// The tag of a break.
pub const BREAK_TAG: &str = "#EXT-X-SELVEDGE-BREAK";
/// The scheme of the property of an MPD that says that it has a slice.
pub const LOG_SCHEME: &str = "urn:selvedge:log:1";
/// The scheme of the property of an MPD that is a break.
pub const BREAK_SCHEME: &str = "urn:selvedge:break:1";

impl Line {
    /// Reads a line of a playlist; `None` where it is none of a slice.
    ///
    /// # Errors
    /// [`Fault`] where it is one and cannot be read.
    pub fn read(line: &str) -> Option<Result<Self, Fault>> {
        Reader::of_line(line).map(|reader| reader.line())
    }

    /// Reads a property of an MPD by its `schemeIdUri` and its `value`, whose references (`&quot;`) have been resolved;
    /// `None` where it is none of a slice.
    ///
    /// # Errors
    /// [`Fault`] where it is one and cannot be read.
    pub fn read_property(scheme: &str, value: &str) -> Option<Result<Self, Fault>> {
        Reader::of_property(scheme, value).map(|reader| reader.line())
    }
}

impl Slice {
    /// Reads the lines of a slice among those of a playlist; `None` where the playlist has no `EXT-X-SELVEDGE-LOG`:
    /// then nothing is known of its breaks, and the programme stays on air.
    ///
    /// # Errors
    /// [`Fault`] of the first line that cannot be read.
    pub fn read(playlist: &str) -> Result<Option<Self>, Fault> {
        Self::of(playlist.lines().filter_map(Reader::of_line), None)
    }

    /// Reads what a cohort's viewers need of those lines: without the breaks that it is exempt from, and with the numbers
    /// of a playlist that never had them.
    ///
    /// # Errors
    /// [`Fault`] of the first line that cannot be read.
    pub fn read_for(playlist: &str, cohort: &str) -> Result<Option<Self>, Fault> {
        Self::of(playlist.lines().filter_map(Reader::of_line), Some(cohort))
    }

    /// Reads the properties of a slice among those of an MPD, each its `schemeIdUri` and its `value` with references
    /// resolved; `None` where there is no [`LOG_SCHEME`].
    ///
    /// # Errors
    /// [`Fault`] of the first property that cannot be read.
    pub fn read_properties<'v>(
        properties: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Result<Option<Self>, Fault> {
        let properties = properties.into_iter();
        let properties = properties.filter_map(|(scheme, value)| Reader::of_property(scheme, value));
        Self::of(properties, None)
    }

    /// Reads what a cohort's viewers need of those properties: without the breaks that it is exempt from.
    ///
    /// # Errors
    /// [`Fault`] of the first property that cannot be read.
    pub fn read_properties_for<'v>(
        properties: impl IntoIterator<Item = (&'v str, &'v str)>,
        cohort: &str,
    ) -> Result<Option<Self>, Fault> {
        let properties = properties.into_iter();
        let properties = properties.filter_map(|(scheme, value)| Reader::of_property(scheme, value));
        Self::of(properties, Some(cohort))
    }

    /// The properties that tell an MPD's readers of the slice, as [`Told::properties`].
    pub fn properties(&self) -> impl Iterator<Item = (&'static str, String)> {
        Told::from(self.clone()).properties().into_iter()
    }

    fn of<'v>(lines: impl Iterator<Item = Reader<'v>>, cohort: Option<&str>) -> Result<Option<Self>, Fault> {
        let mut slice = Self::default();
        let mut is_told = false;
        for line in lines {
            match line.line()? {
                Line::Log(sums) => {
                    let own = cohort.map(|cohort| line.sums_of(cohort)).transpose()?;
                    (slice.before, is_told) = (own.flatten().unwrap_or(sums), true);
                }
                Line::Break(_) if cohort.is_some_and(|cohort| line.exempts(cohort)) => {}
                Line::Break(airing) => slice.breaks.push(*airing),
            }
        }
        slice.breaks.sort_by_key(|airing| airing.out);
        Ok(is_told.then_some(slice))
    }
}

/// Writes the lines, each with a line feed.
impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Told::from(self.clone()), f)
    }
}

fn write(f: &mut fmt::Formatter<'_>, airing: &Airing) -> fmt::Result {
    let Airing { id, out, planned, .. } = airing;
    let mode = match airing.mode {
        Mode::Replace => "",
        Mode::Insert => ",MODE=INSERT",
    };
    write!(f, "ID=\"{id}\"{mode},OUT={},PLANNED={}", out.0, planned.0)?;
    if let Some(t_in) = airing.t_in {
        write!(f, ",IN={}", t_in.0)?;
    }
    let (revision, from) = (airing.revision, airing.effective_from.0);
    write!(f, ",REVISION={revision},EFFECTIVE-FROM={from},SLOTS=\"")?;
    for (index, slot) in airing.structure.slots.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        write_slot(f, slot)?;
    }
    match &airing.structure.after {
        After::Wait => f.write_str("\",AFTER=WAIT")?,
        After::Resume => f.write_str("\",AFTER=RESUME")?,
        After::Slate(slot) => {
            f.write_str("\",AFTER=SLATE,SLATE=\"")?;
            write_slot(f, slot)?;
            f.write_char('"')?;
        }
    }
    write!(f, ",TOLERANCE={}", airing.structure.tolerance.0)?;
    if let Some(anchor) = &airing.anchor {
        write!(f, ",MSN-OUT={},DSN-BEFORE={}", anchor.msn_out, anchor.dsn_before)?;
        if let Some(Return { msn_in, dsn_in }) = anchor.back {
            write!(f, ",MSN-IN={msn_in},DSN-IN={dsn_in}")?;
        }
    }
    Ok(())
}

/// `3x2002000`, or `3x2002000/1978000` where the last segment differs.
fn write_slot(f: &mut fmt::Formatter<'_>, slot: &Slot) -> fmt::Result {
    write!(f, "{}x{}", slot.segments(), slot.segment().0)?;
    if slot.last() != slot.segment() {
        write!(f, "/{}", slot.last().0)?;
    }
    Ok(())
}

struct Reader<'a> {
    tag: &'static str,
    attributes: Attributes<'a>,
}

impl<'a> Reader<'a> {
    fn new(tag: &'static str, list: &'a str) -> Self {
        Self {
            tag,
            attributes: Attributes::new(list),
        }
    }

    fn of_line(line: &'a str) -> Option<Self> {
        let (tag, list) = line.trim_end().split_once(':')?;
        let known = [LOG_TAG, BREAK_TAG].into_iter().find(|known| *known == tag)?;
        Some(Self::new(known, list))
    }

    fn of_property(scheme: &str, value: &'a str) -> Option<Self> {
        let known = [LOG_SCHEME, BREAK_SCHEME]
            .into_iter()
            .find(|known| *known == scheme)?;
        Some(Self::new(known, value))
    }

    fn line(&self) -> Result<Line, Fault> {
        match self.tag {
            LOG_TAG | LOG_SCHEME => log(self),
            _ => airing(self).map(|read| Line::Break(Box::new(read))),
        }
    }

    /// The attribute as `read` takes it; `None` where it is not there.
    fn optional<T>(
        &self,
        attribute: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.attributes.get(attribute) else {
            return Ok(None);
        };
        let tag = self.tag;
        read(value).map(Some).ok_or(Fault::Value { tag, attribute })
    }

    fn needed<T>(
        &self,
        attribute: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, Fault> {
        let tag = self.tag;
        self.optional(attribute, read)?
            .ok_or(Fault::Missing { tag, attribute })
    }
}

fn log(line: &Reader<'_>) -> Result<Line, Fault> {
    let found = line.needed("VERSION", number)?;
    if found != 1 {
        return Err(Fault::Version { found });
    }
    Ok(Line::Log(Sums {
        msn: line.needed("MSN-SHIFT", number)?,
        dsn: line.needed("DSN-SHIFT", number)?,
    }))
}

fn airing(line: &Reader<'_>) -> Result<Airing, Fault> {
    let after = line.needed("AFTER", |value| {
        matches!(value, "WAIT" | "RESUME" | "SLATE").then_some(value)
    })?;
    let structure = Structure {
        slots: line.needed("SLOTS", slots)?,
        after: match after {
            "SLATE" => After::Slate(line.needed("SLATE", slot)?),
            "RESUME" => After::Resume,
            _ => After::Wait,
        },
        tolerance: line.needed("TOLERANCE", length)?,
    };
    let anchor = match line.optional("MSN-OUT", number::<u64>)? {
        None => None,
        Some(msn_out) => Some(Anchor {
            msn_out,
            dsn_before: line.needed("DSN-BEFORE", number)?,
            back: match line.optional("MSN-IN", number::<u64>)? {
                None => None,
                Some(msn_in) => Some(Return {
                    msn_in,
                    dsn_in: line.needed("DSN-IN", number)?,
                }),
            },
        }),
    };
    Ok(Airing {
        id: line.needed("ID", |id| BreakId::try_from(id.to_owned()).ok())?,
        mode: line.optional("MODE", mode)?.unwrap_or_default(),
        out: UnixMicros(line.needed("OUT", number)?),
        planned: line.needed("PLANNED", length)?,
        t_in: line.optional("IN", number)?.map(UnixMicros),
        revision: line.needed("REVISION", number)?,
        effective_from: UnixMicros(line.needed("EFFECTIVE-FROM", number)?),
        structure,
        anchor,
    })
}

fn mode(text: &str) -> Option<Mode> {
    match text {
        "REPLACE" => Some(Mode::Replace),
        "INSERT" => Some(Mode::Insert),
        _ => None,
    }
}

fn number<N: core::str::FromStr>(text: &str) -> Option<N> {
    // `+1` is a number to the standard library, and none to a playlist.
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

fn length(text: &str) -> Option<Micros> {
    number(text).map(Micros).filter(|length| *length >= Micros::ZERO)
}

fn slots(text: &str) -> Option<Vec<Slot>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let slots: Option<Vec<_>> = text.split(',').take(MAX_SLOTS + 1).map(slot).collect();
    slots.filter(|slots| slots.len() <= MAX_SLOTS)
}

fn slot(text: &str) -> Option<Slot> {
    let (segments, lengths) = text.split_once('x')?;
    let (segment, last) = lengths.split_once('/').unwrap_or((lengths, lengths));
    Slot::new(number(segments)?, length(segment)?, length(last)?)
}

#[cfg(test)]
mod tests;
