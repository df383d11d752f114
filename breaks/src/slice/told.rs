//! A slice as it travels: with the cohorts that are exempt from its breaks, and their own numbers.

use core::fmt::{self, Write as _};
use std::collections::BTreeMap;

use super::{BREAK_SCHEME, BREAK_TAG, Fault, LOG_SCHEME, LOG_TAG, Reader, Slice, number, write};
use crate::{
    airing::{Airing, Sums},
    key::{BreakId, Name},
    rules::Restriction,
};

/// A slice, and who is exempt from what: what a document says to the readers of all cohorts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// For those who are exempt from nothing.
    pub slice: Slice,
    /// Cohorts that breaks of the slice leave with the programme, by break; none where there is none.
    pub exempt: BTreeMap<BreakId, Vec<Name>>,
    /// What a viewer may not do in breaks of the slice, by break; none where nothing is forbidden.
    pub restrictions: BTreeMap<BreakId, Vec<Restriction>>,
    /// What breaks before those of the slice have added to a cohort's numbers, where it is not what they have added to
    /// all others'.
    pub before: BTreeMap<Name, Sums>,
}

impl Told {
    /// The properties that tell an MPD's readers: `schemeIdUri` and `value`, which is to be escaped as XML has it. Numbers
    /// and anchors are not in them: Periods are found by time.
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let log = (LOG_SCHEME, "VERSION=1,MSN-SHIFT=0,DSN-SHIFT=0".to_owned());
        let breaks = self.slice.breaks.iter().map(|airing| {
            let unanchored = Airing {
                anchor: None,
                ..airing.clone()
            };
            (BREAK_SCHEME, self.list(&unanchored).to_string())
        });
        core::iter::once(log).chain(breaks).collect()
    }

    fn list<'t>(&'t self, airing: &'t Airing) -> List<'t> {
        let exempt = self.exempt.get(&airing.id);
        let restrictions = self.restrictions.get(&airing.id);
        List {
            airing,
            exempt: exempt.map_or(&[], Vec::as_slice),
            restrictions: restrictions.map_or(&[], Vec::as_slice),
        }
    }
}

impl From<Slice> for Told {
    fn from(slice: Slice) -> Self {
        Self {
            slice,
            ..Self::default()
        }
    }
}

/// Writes the lines, each with a line feed.
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sums { msn, dsn } = self.slice.before;
        write!(f, "{LOG_TAG}:VERSION=1,MSN-SHIFT={msn},DSN-SHIFT={dsn}")?;
        for (index, (cohort, Sums { msn, dsn })) in self.before.iter().enumerate() {
            let separator = if index == 0 { ",EXEMPT=\"" } else { "," };
            write!(f, "{separator}{cohort}/{msn}/{dsn}")?;
        }
        f.write_str(if self.before.is_empty() { "\n" } else { "\"\n" })?;
        let mut breaks = self.slice.breaks.iter();
        breaks.try_for_each(|airing| writeln!(f, "{BREAK_TAG}:{}", self.list(airing)))
    }
}

/// A break's attribute list.
struct List<'a> {
    airing: &'a Airing,
    exempt: &'a [Name],
    restrictions: &'a [Restriction],
}

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.airing)?;
        named(f, EXEMPT, self.exempt.iter().map(Name::as_str))?;
        named(f, RESTRICT, self.restrictions.iter().map(|one| one.name()))
    }
}

/// An attribute with a list of names; nothing where there is none.
fn named<'n>(
    f: &mut fmt::Formatter<'_>,
    attribute: &str,
    names: impl Iterator<Item = &'n str>,
) -> fmt::Result {
    let mut is_written = false;
    for name in names {
        match is_written {
            true => f.write_char(',')?,
            false => write!(f, ",{attribute}=\"")?,
        }
        f.write_str(name)?;
        is_written = true;
    }
    if is_written { f.write_char('"') } else { Ok(()) }
}

/// What a viewer may not do in the breaks of a playlist's slice, by break. A word that is not known forbids nothing.
pub fn restrictions(playlist: &str) -> BTreeMap<BreakId, Vec<Restriction>> {
    let breaks = playlist.lines().filter_map(Reader::of_line);
    let restricting = breaks.filter_map(|line| {
        let id = BreakId::try_from(line.attributes.get("ID")?.to_owned()).ok()?;
        let names = line.attributes.get(RESTRICT)?.split(',');
        Some((id, names.filter_map(Restriction::of_name).collect()))
    });
    restricting.collect()
}

impl Reader<'_> {
    /// Whether a break leaves a cohort with the programme.
    pub(super) fn exempts(&self, cohort: &str) -> bool {
        let cohorts = self.attributes.get(EXEMPT).unwrap_or_default();
        cohorts.split(',').any(|exempt| exempt == cohort)
    }

    /// A cohort's own numbers; `None` where they are those of all others.
    pub(super) fn sums_of(&self, cohort: &str) -> Result<Option<Sums>, Fault> {
        let list = self.attributes.get(EXEMPT).unwrap_or_default();
        let mut own = list
            .split(',')
            .filter_map(|own| own.strip_prefix(cohort)?.strip_prefix('/'));
        let sums = own.next().map(|own| {
            let (msn, dsn) = own.split_once('/')?;
            Some(Sums {
                msn: number(msn)?,
                dsn: number(dsn)?,
            })
        });
        match sums {
            None => Ok(None),
            Some(Some(sums)) => Ok(Some(sums)),
            Some(None) => Err(Fault::Value {
                tag: self.tag,
                attribute: EXEMPT,
            }),
        }
    }
}

const EXEMPT: &str = "EXEMPT";
const RESTRICT: &str = "RESTRICT";

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "#EXT-X-SELVEDGE-LOG:VERSION=1,MSN-SHIFT=-2,DSN-SHIFT=3,EXEMPT=\"press/-1/1,staff/0/0\"\n\
        #EXT-X-SELVEDGE-BREAK:ID=\"news-8-si:1\",OUT=8000,PLANNED=10000000,REVISION=1,EFFECTIVE-FROM=0,\
        SLOTS=\"5x2000000\",AFTER=WAIT,TOLERANCE=0,EXEMPT=\"staff,premium\",RESTRICT=\"SKIP,JUMP\"\n\
        #EXT-X-SELVEDGE-BREAK:ID=\"news-90-si:2\",OUT=90000000,PLANNED=10000000,REVISION=1,EFFECTIVE-FROM=0,\
        SLOTS=\"5x2000000\",AFTER=WAIT,TOLERANCE=0\n";

    fn told() -> Told {
        let name = |name: &str| Name::new(name).unwrap();
        let slice = Slice::read(LINES).unwrap().unwrap();
        let first = slice.breaks[0].id.clone();
        Told {
            slice,
            restrictions: BTreeMap::from([(first.clone(), vec![Restriction::Skip, Restriction::Jump])]),
            exempt: BTreeMap::from([(first, vec![name("staff"), name("premium")])]),
            before: BTreeMap::from([
                (name("press"), Sums { msn: -1, dsn: 1 }),
                (name("staff"), Sums::default()),
            ]),
        }
    }

    #[test]
    fn a_cohort_reads_what_it_is_shown_and_with_which_numbers() {
        assert_eq!(told().to_string(), LINES);
        assert_eq!(restrictions(LINES), told().restrictions);
        let of = |cohort| {
            let read = Slice::read_for(LINES, cohort).unwrap().unwrap();
            (read.before.msn, read.before.dsn, read.breaks.len())
        };
        assert_eq!(of("all"), (-2, 3, 2));
        assert_eq!(of("press"), (-1, 1, 2));
        assert_eq!(of("staff"), (0, 0, 1));
        assert_eq!(of("premium"), (-2, 3, 1));
        assert_eq!(of("prem"), (-2, 3, 2));
    }

    #[test]
    fn in_an_mpd_a_break_says_who_is_exempt_from_it() {
        let told = told();
        let properties = told.properties();
        let of = |cohort: &str| {
            let properties = properties.iter().map(|(scheme, value)| (*scheme, value.as_str()));
            let read = Slice::read_properties_for(properties, cohort);
            read.unwrap().unwrap().breaks.len()
        };
        assert_eq!((of("all"), of("press"), of("staff"), of("premium")), (2, 2, 1, 1));
    }

    #[test]
    fn numbers_of_a_cohort_that_cannot_be_read_are_a_fault() {
        let broken = LINES.replace("press/-1/1", "press/-1");
        let fault = Slice::read_for(&broken, "press").unwrap_err().to_string();
        assert_eq!(
            fault,
            "#EXT-X-SELVEDGE-LOG has a value of EXEMPT that cannot be read"
        );
        assert!(Slice::read_for(&broken, "staff").is_ok());
    }
}
