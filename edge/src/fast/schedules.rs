//! The schedules that an instance has seen.

use std::{collections::VecDeque, sync::Arc};

use selvedge_breaks::{Name, Schedule};

use super::gather::{Wanted, missing};
use crate::{
    limits::{MAX_SCHEDULE_BYTES, MAX_SCHEDULES},
    platform::{Answer, Unanswered},
};

/// Schedules, each as it was when it could last be used. A bad one never replaces a good one; and one that is as it was
/// is not read again.
#[derive(Debug, Default)]
pub(crate) struct Schedules(VecDeque<Known>);

/// A schedule, and the document that it was read from.
#[derive(Debug)]
struct Known {
    json: Vec<u8>,
    schedule: Arc<Schedule>,
}

/// The schedule by which a channel is shown.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) schedule: Arc<Schedule>,
    /// Why it is an earlier one than the store's: for the operator's log.
    pub(crate) fault: Option<String>,
}

impl Schedules {
    /// Takes the store's answer to a request for a channel.
    ///
    /// # Errors
    /// What the viewer gets where there is no schedule: none is stored, or none that can be used was seen here.
    pub(crate) fn take<B>(
        &mut self,
        wanted: &Wanted,
        answer: Option<Answer<B>>,
    ) -> Result<InForce, Answer<B>> {
        let channel = &wanted.channel;
        let known = self.0.iter().find(|known| known.schedule.channel == *channel);
        let (why, unusable) = match answer {
            Some(Answer::Document(Ok(Some(json)))) => {
                if let Some(known) = known.filter(|known| known.json == json) {
                    return Ok(InForce::of(&known.schedule));
                }
                match read(&json, channel) {
                    Ok(schedule) => return Ok(self.keep(json, schedule)),
                    Err(why) => (why.clone(), Unanswered::Unreachable(why)),
                }
            }
            Some(Answer::Document(Err(why))) => (told(&why), why),
            // Who takes a schedule away means it.
            _ => return Err(missing()),
        };
        match known {
            Some(known) => Ok(InForce {
                fault: Some(format!("{why}; the one before stays in force")),
                ..InForce::of(&known.schedule)
            }),
            None => Err(Answer::Origin(Err(unusable))),
        }
    }

    /// A channel's schedule takes the place of the one before; the oldest go.
    fn keep(&mut self, json: Vec<u8>, schedule: Schedule) -> InForce {
        self.0.retain(|known| known.schedule.channel != schedule.channel);
        let schedule = Arc::new(schedule);
        let in_force = InForce::of(&schedule);
        self.0.push_back(Known { json, schedule });
        let mut bytes: usize = self.0.iter().map(|known| known.json.len()).sum();
        while (bytes > MAX_SCHEDULE_BYTES || self.0.len() > MAX_SCHEDULES)
            && let Some(oldest) = self.0.pop_front()
        {
            bytes -= oldest.json.len();
        }
        in_force
    }
}

impl InForce {
    fn of(schedule: &Arc<Schedule>) -> Self {
        Self {
            schedule: Arc::clone(schedule),
            fault: None,
        }
    }
}

fn read(json: &[u8], channel: &Name) -> Result<Schedule, String> {
    let unusable = |why: &dyn core::fmt::Display| format!("the schedule cannot be used: {why}");
    let schedule = Schedule::read(json).map_err(|faults| unusable(&faults))?;
    if schedule.channel != *channel {
        return Err(unusable(&"it is another channel's"));
    }
    Ok(schedule)
}

fn told(why: &Unanswered) -> String {
    let why = match why {
        Unanswered::Unreachable(why) => why,
        Unanswered::Timeout => "no answer in time",
        Unanswered::TooLarge => "it is longer than an edge reads",
    };
    format!("the schedule cannot be read: {why}")
}
