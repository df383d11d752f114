//! What an operator says of how the position of a segment is learnt.

use core::{fmt, num::NonZeroU64};

use selvedge_token::SegmentDuration;
use selvedge_watermark::pace::Position;
use serde::{
    Deserialize, Deserializer,
    de::{
        Error as _, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};

/// How the position of a segment is learnt.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// From the header `WMPaceInfoEgress` of variant A.
    Header,
    /// From the sidecar, which files of several segments need.
    Sidecar,
    /// From the last number in the name, before the extension.
    Number(NumberRule),
    /// From that number, where it is a time (`$Time$`), by the `wmsegduration` of the session's token.
    Duration(DurationRule),
}

/// The ways that a channel allows, in the order in which they are tried: one of [`Pace`], or a list of them. The header alone
/// by default, so nothing is guessed that the operator did not allow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Paces(Vec<Pace>);

/// How the number in a name becomes a position: (number − `start`) ÷ `per`, modulo 32,760.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct NumberRule {
    /// The number of position 0; 0 by default.
    #[serde(default)]
    pub start: u64,
    /// By how much numbers grow from one position to the next; 1 by default. Of times, the ticks of a segment.
    #[serde(default = "one")]
    pub per: NonZeroU64,
}

/// How the time in a name becomes a position: (time − `start`) ÷ the duration, modulo 32,760.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct DurationRule {
    /// The time of position 0; 0 by default.
    #[serde(default)]
    pub start: u64,
    /// In how many ticks a second times count; as many as those of `wmsegduration` by default.
    #[serde(default)]
    pub timescale: Option<NonZeroU64>,
}

const fn one() -> NonZeroU64 {
    NonZeroU64::MIN
}

impl Pace {
    /// Its name in the site document and in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Sidecar => "sidecar",
            Self::Number(_) => "number",
            Self::Duration(_) => "duration",
        }
    }
}

impl Paces {
    /// The ways, in their order; at least one.
    pub(crate) fn ways(&self) -> &[Pace] {
        &self.0
    }

    /// Whether the origin is asked.
    pub(crate) fn asks(&self) -> bool {
        self.0
            .iter()
            .any(|pace| matches!(pace, Pace::Header | Pace::Sidecar))
    }
}

impl Default for Paces {
    fn default() -> Self {
        Self(vec![Pace::Header])
    }
}

impl<'de> Deserialize<'de> for Paces {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMore)
    }
}

struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Paces;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a way to learn positions, or a list of ways")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Paces, E> {
        Pace::deserialize(StrDeserializer::new(name)).map(|pace| Paces(vec![pace]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Paces, A::Error> {
        Pace::deserialize(MapAccessDeserializer::new(map)).map(|pace| Paces(vec![pace]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Paces, A::Error> {
        let mut ways: Vec<Pace> = Vec::new();
        while let Some(pace) = list.next_element::<Pace>()? {
            if ways.iter().any(|way| way.name() == pace.name()) {
                let name = pace.name();
                return Err(A::Error::custom(format!("{name:?} is in the list twice")));
            }
            ways.push(pace);
        }
        if ways.is_empty() {
            return Err(A::Error::custom(
                "a list of ways to learn positions has at least one",
            ));
        }
        Ok(Paces(ways))
    }
}

impl NumberRule {
    /// The position of a file by its name, such as `/live/news/v1/segment_17.m4s`.
    pub(crate) fn position_of(self, path: &str) -> Option<Position> {
        let slot = number_of(path)?.checked_sub(self.start)?;
        Some(Position::of_slot(slot.checked_div(self.per.get())?))
    }
}

impl DurationRule {
    /// The position of a file by the time in its name, such as `/live/news/v1/t-1728000.m4s`, where a segment is as long as
    /// the token says.
    pub(crate) fn position_of(self, path: &str, duration: SegmentDuration) -> Option<Position> {
        let time = number_of(path)?.checked_sub(self.start)?;
        let timescale = self.timescale.map_or(duration.timescale, NonZeroU64::get);
        // Below 2^128, for both factors are below 2^64.
        let passed = u128::from(time) * u128::from(duration.timescale);
        let slot = passed.checked_div(u128::from(timescale) * u128::from(duration.ticks))?;
        u64::try_from(slot).ok().map(Position::of_slot)
    }
}

/// The last number in a file's name, before the extension.
fn number_of(path: &str) -> Option<u64> {
    let (_, file) = path.rsplit_once('/')?;
    let (stem, _) = file.rsplit_once('.')?;
    let digits = stem.bytes().rev().take_while(u8::is_ascii_digit).count();
    stem.get(stem.len() - digits..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(position: Option<Position>) -> Option<i64> {
        position.map(|position| i64::from(position.number()))
    }

    #[test]
    fn a_number_in_a_name_is_a_position() {
        let rule = |start, per| NumberRule {
            start,
            per: NonZeroU64::new(per).unwrap(),
        };
        for (rule, path, due) in [
            (rule(0, 1), "/v/segment_17.m4s", Some(17)),
            (rule(1, 1), "/v/1.m4s", Some(0)),
            (rule(1, 1), "/v/0.m4s", None),
            (rule(0, 48), "/v/0-96.m4s", Some(2)),
            (rule(0, 1), "/v/32760.m4s", Some(0)),
            (rule(0, 1), "/v/init.mp4", None),
            (rule(0, 1), "/v.1/init", None),
            (rule(0, 1), "/v/99999999999999999999.m4s", None),
        ] {
            assert_eq!(number(rule.position_of(path)), due, "{path}");
        }
    }

    #[test]
    fn a_time_in_a_name_is_a_position_by_the_duration_of_a_segment() {
        let rule = |start, timescale| DurationRule {
            start,
            timescale: NonZeroU64::new(timescale),
        };
        // Six seconds, in ticks of a ten-thousandth.
        let six = SegmentDuration {
            ticks: 60_000,
            timescale: 10_000,
        };
        for (rule, path, due) in [
            (rule(0, 0), "/v/t-0.m4s", Some(0)),
            (rule(0, 0), "/v/t-59999.m4s", Some(0)),
            (rule(0, 0), "/v/t-60000.m4s", Some(1)),
            (rule(0, 90_000), "/v/t-540000.m4s", Some(1)),
            (rule(0, 90_000), "/v/t-1079999.m4s", Some(1)),
            (rule(540_000, 90_000), "/v/t-1080000.m4s", Some(1)),
            (rule(1, 0), "/v/t-0.m4s", None),
            (
                rule(0, 1),
                "/v/18446744073709551615.m4s",
                Some(18_446_744_073_709_551_615 / 6 % 32_760),
            ),
            (rule(0, 0), "/v/init.mp4", None),
        ] {
            let due = due.map(|due: u64| i64::try_from(due).unwrap());
            assert_eq!(number(rule.position_of(path, six)), due, "{path}");
        }
    }

    #[test]
    fn one_way_is_a_list_of_one() {
        let read = |json: &str| serde_json::from_str::<Paces>(json).map_err(|error| error.to_string());
        let names = |json: &str| {
            let paces = read(json).unwrap();
            paces.ways().iter().map(Pace::name).collect::<Vec<_>>()
        };
        assert_eq!(names(r#""sidecar""#), ["sidecar"]);
        assert_eq!(names(r#"{"number":{"start":1}}"#), ["number"]);
        assert_eq!(
            names(r#"["header","sidecar",{"number":{}},{"duration":{"timescale":90000}}]"#),
            ["header", "sidecar", "number", "duration"]
        );
        for (wrong, said) in [
            (r#""guess""#, "unknown variant `guess`"),
            ("[]", "has at least one"),
            (r#"["header","header"]"#, r#""header" is in the list twice"#),
            (r#"{"duration":{"timescale":0}}"#, "nonzero"),
            (r#"{"number":{"per":0}}"#, "nonzero"),
            ("3", "a way to learn positions, or a list of ways"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}
