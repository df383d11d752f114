//! A document that people write, read so that all its faults are told at once.

use core::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::{Faults, escaped};
use crate::time::{Micros, UnixMicros};

/// A value and where it stands.
pub(crate) struct Node<'v> {
    value: &'v Value,
    place: String,
}

/// The members of an object, all of them known.
pub(crate) struct Members<'v> {
    members: Option<&'v Map<String, Value>>,
    place: String,
}

impl<'v> Node<'v> {
    pub(crate) const fn document(value: &'v Value) -> Self {
        let place = String::new();
        Self { value, place }
    }

    pub(crate) fn tell(&self, what: impl Into<String>, faults: &mut Faults) {
        faults.tell(self.place.clone(), what);
    }

    /// Its members, of which there may be those that are `known` alone.
    pub(crate) fn members(&self, known: &[&str], faults: &mut Faults) -> Members<'v> {
        let members = self.value.as_object();
        if members.is_none() {
            self.tell("is no object", faults);
        }
        for name in members.into_iter().flat_map(Map::keys) {
            if !known.contains(&name.as_str()) {
                let place = format!("{}/{}", self.place, escaped(name));
                faults.tell(
                    place,
                    format!("is not known here: expected one of {}", known.join(", ")),
                );
            }
        }
        Members {
            members,
            place: self.place.clone(),
        }
    }

    pub(crate) fn elements(&self, limit: usize, faults: &mut Faults) -> Vec<Self> {
        let Some(elements) = self.value.as_array() else {
            self.tell("is no array", faults);
            return Vec::new();
        };
        if elements.len() > limit {
            self.tell(format!("has more than {limit} elements"), faults);
        }
        let node = |(index, value)| Node {
            value,
            place: format!("{}/{index}", self.place),
        };
        elements.iter().take(limit).enumerate().map(node).collect()
    }

    pub(crate) fn text(&self, faults: &mut Faults) -> Option<&'v str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.tell("is no string", faults);
        }
        text
    }

    /// Its text, where it is one.
    pub(crate) fn as_text(&self) -> Option<&'v str> {
        self.value.as_str()
    }

    /// A text that `read` takes; `expected` says which.
    pub(crate) fn read<T>(
        &self,
        expected: &str,
        faults: &mut Faults,
        read: impl FnOnce(&'v str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(faults)?;
        let value = read(text);
        if value.is_none() {
            self.tell(format!("is {text:?}: expected {expected}"), faults);
        }
        value
    }

    /// Whether it is the number 1.
    pub(crate) fn is_one(&self) -> bool {
        self.value.as_u64() == Some(1)
    }

    pub(crate) fn boolean(&self, faults: &mut Faults) -> Option<bool> {
        let boolean = self.value.as_bool();
        if boolean.is_none() {
            self.tell("is neither true nor false", faults);
        }
        boolean
    }

    /// A length in whole milliseconds.
    pub(crate) fn millis(&self, allowed: RangeInclusive<Micros>, faults: &mut Faults) -> Option<Micros> {
        let length = self.value.as_i64().map(Micros::from_millis);
        let length = length.filter(|length| allowed.contains(length));
        if length.is_none() {
            let (least, most) = (allowed.start().0 / 1000, allowed.end().0 / 1000);
            self.tell(
                format!("is no whole number from {least} to {most}, in milliseconds"),
                faults,
            );
        }
        length
    }

    pub(crate) fn moment(&self, faults: &mut Faults) -> Option<UnixMicros> {
        let expected = "a date and time of RFC 3339 such as 2026-11-21T12:00:00Z";
        self.read(expected, faults, UnixMicros::read)
    }
}

impl<'v> Members<'v> {
    pub(crate) fn get(&self, name: &str) -> Option<Node<'v>> {
        let value = self.members?.get(name)?;
        let place = format!("{}/{}", self.place, escaped(name));
        Some(Node { value, place })
    }

    /// A member that must be there.
    pub(crate) fn needed(&self, name: &str, faults: &mut Faults) -> Option<Node<'v>> {
        let member = self.get(name);
        if member.is_none() && self.members.is_some() {
            faults.tell(format!("{}/{name}", self.place), "is missing");
        }
        member
    }
}
