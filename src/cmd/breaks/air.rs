//! Changes that are too close to air for the store that they go through.

use std::fmt;

use selvedge_breaks::{Micros, Rules, UnixMicros, rules::Planned};
use serde::Serialize;

use super::{change::Change, words};

/// A break that a change may reach too late, or in the middle.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Risk {
    /// The break.
    pub(super) name: String,
    /// The earliest moment that the change is about.
    #[serde(rename = "at_us")]
    pub(super) at: UnixMicros,
    /// What the matter is.
    #[serde(flatten)]
    pub(super) why: Why,
}

/// What the matter is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "risk", rename_all = "snake_case")]
pub(super) enum Why {
    /// It is on air.
    OnAir,
    /// It begins before everybody knows of the change.
    TooClose {
        /// How long the store takes.
        #[serde(rename = "propagation_us")]
        propagation: Micros,
    },
}

/// The breaks of the schedule that changes come too close to, where a store takes `propagation` to be heard everywhere.
///
/// Breaks that are over are of no matter, before or behind the change.
pub(super) fn risks(
    changes: &[Change],
    before: &Rules,
    after: &Rules,
    now: UnixMicros,
    propagation: Micros,
) -> Vec<Risk> {
    let mut risks: Vec<Risk> = Vec::new();
    let mut judge = |planned: &Planned| {
        let why = if planned.at > now.plus(propagation) || planned.at.plus(planned.duration) <= now {
            return;
        } else if planned.at <= now {
            Why::OnAir
        } else {
            Why::TooClose { propagation }
        };
        let name = planned.name.to_string();
        if !risks.iter().any(|risk| risk.name == name) {
            let at = planned.at;
            risks.push(Risk { name, at, why });
        }
    };
    for change in changes {
        match change {
            Change::Added { planned } | Change::Cancelled { planned } => judge(planned),
            Change::Moved { from, to } | Change::Resized { from, to } => {
                judge(from);
                judge(to);
            }
            _ => {}
        }
    }
    // What fills breaks is chosen ahead of them, so it is too late for those alone that are near.
    if changes.iter().any(Change::is_of_fill) {
        after.schedule.iter().for_each(&mut judge);
        before.schedule.iter().for_each(&mut judge);
    }
    risks.sort_by_key(|risk| risk.at);
    risks
}

impl Risk {
    /// The matter in words, for who reads it `now`.
    pub(super) fn told(&self, now: UnixMicros) -> impl fmt::Display {
        let (at, when) = (words::moment(self.at), words::from_now(self.at, now));
        match self.why {
            Why::OnAir => format!(
                "{} is on air since {at}: only its end can still change",
                self.name
            ),
            Why::TooClose { propagation } => format!(
                "{} is at {at} ({when}), and this store takes {} to be heard everywhere",
                self.name,
                words::length(propagation)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::breaks::change::changes;

    const NOW: UnixMicros = UnixMicros(1_767_297_600_000_000);

    fn rules(creative: &str, schedule: &[(&str, i64)]) -> Rules {
        let schedule = schedule.iter().map(|(name, from_now)| {
            let at = NOW.plus(Micros::from_seconds(*from_now));
            format!("{{\"name\": {name:?}, \"at\": \"{at}\", \"duration_ms\": 30000}}")
        });
        let schedule: Vec<_> = schedule.collect();
        let json = format!(
            "{{\"version\": 1, \"channel\": \"news\", \"fill\": {{\"pod\": [{{\"creative\": {creative:?}, \
             \"duration_ms\": 30000}}]}}, \"schedule\": [{}]}}",
            schedule.join(", ")
        );
        Rules::read(json.as_bytes()).unwrap()
    }

    fn told(before: &Rules, after: &Rules) -> Vec<(String, bool)> {
        let changes = changes(before, after);
        let risks = risks(&changes, before, after, NOW, Micros::from_seconds(60));
        risks
            .iter()
            .map(|risk| (risk.name.clone(), risk.why == Why::OnAir))
            .collect()
    }

    #[test]
    fn a_change_is_too_close_within_the_time_that_the_store_takes() {
        let before = rules("a", &[("gone-near", 60), ("gone-far", 61 + 30)]);
        let after = rules("a", &[("new-near", 10), ("new-far", 200)]);
        assert_eq!(
            told(&before, &after),
            [("new-near".into(), false), ("gone-near".into(), false)]
        );
    }

    #[test]
    fn a_break_that_is_moved_is_near_where_it_was_and_where_it_comes_to() {
        let (near, far) = (rules("a", &[("noon", 30)]), rules("a", &[("noon", 300)]));
        assert_eq!(told(&near, &far), [("noon".into(), false)]);
        assert_eq!(told(&far, &near), [("noon".into(), false)]);
    }

    #[test]
    fn what_is_on_air_is_told_and_what_is_over_is_not() {
        let before = rules("a", &[("over", -70), ("on", -29)]);
        assert_eq!(told(&before, &rules("a", &[])), [("on".into(), true)]);
    }

    #[test]
    fn other_ads_are_too_late_for_the_next_break_and_not_for_the_one_behind_it() {
        let schedule = [("next", 20), ("later", 600)];
        assert_eq!(
            told(&rules("a", &schedule), &rules("b", &schedule)),
            [("next".into(), false)]
        );
    }
}
