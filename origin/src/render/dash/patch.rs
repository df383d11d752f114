//! MPD patches: from one version of an MPD to a later one (ISO/IEC 23009-1 5.15).
//!
//! Operations are those that players apply in one way: attributes and whole elements are replaced, `S` and
//! `Period` elements come and go. Where more than that has changed there is no patch, and players load the MPD.

use std::fmt::Write as _;

use super::Element;
use super::xml::Escaped;

/// The patch from an MPD to a later one, both as published. `None` when the MPD must be loaded anew: something
/// changed that a running presentation keeps (its type, a Period's sets, its events).
pub fn patch(old: &Element, new: &Element) -> Option<String> {
    let mut operations = Operations(String::new());
    operations.mpd(old, new)?;
    let attribute = |of: &Element, name| of.attribute(name).map(|value| Escaped(value).to_string());
    let (id, from, to) = (
        attribute(new, "id")?,
        attribute(old, "publishTime")?,
        attribute(new, "publishTime")?,
    );
    Some(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Patch xmlns=\"urn:mpeg:dash:schema:mpd-patch:2020\" \
         mpdId=\"{id}\" originalPublishTime=\"{from}\" publishTime=\"{to}\">\n{}</Patch>\n",
        operations.0
    ))
}

/// The operations, one a line, each on the document that those before it have made.
struct Operations(String);

impl Operations {
    fn mpd(&mut self, old: &Element, new: &Element) -> Option<()> {
        for name in ["id", "type"] {
            if old.attribute(name) != new.attribute(name) {
                return None;
            }
        }
        self.attributes("/MPD", old, new)?;
        let (old_periods, old_others) = split(old);
        let (new_periods, new_others) = split(new);
        for (old, new) in pairs(&old_others, &new_others)? {
            match old.name() {
                _ if old == new => {}
                "PatchLocation" => self.replace("/MPD/PatchLocation[1]", new),
                _ => return None,
            }
        }
        self.periods(&old_periods, &new_periods)
    }

    /// Periods leave at the front and come at the end.
    fn periods(&mut self, old: &[&Element], new: &[&Element]) -> Option<()> {
        let first = new.first()?.attribute("id")?;
        let gone = old
            .iter()
            .position(|period| period.attribute("id") == Some(first))?;
        for period in old.get(..gone)? {
            let id = selector_value(period)?;
            let _ = writeln!(self.0, "  <remove sel=\"/MPD/Period[@id='{id}']\"/>");
        }
        let kept = old.get(gone..)?;
        for (old, new) in kept.iter().zip(new) {
            if old.attribute("id") != new.attribute("id") {
                return None;
            }
            self.element(&format!("/MPD/Period[@id='{}']", selector_value(new)?), old, new)?;
        }
        for pair in new.windows(2).skip(kept.len().checked_sub(1)?) {
            let [before, period] = pair else { return None };
            let id = selector_value(before)?;
            let _ = writeln!(
                self.0,
                "  <add sel=\"/MPD/Period[@id='{id}']\" pos=\"after\">{period}</add>"
            );
        }
        (new.len() >= kept.len()).then_some(())
    }

    /// Below a Period only attributes and timelines change.
    fn element(&mut self, path: &str, old: &Element, new: &Element) -> Option<()> {
        if old == new {
            return Some(());
        }
        self.attributes(path, old, new)?;
        if new.name() == "SegmentTimeline" {
            self.timeline(path, old.children(), new.children());
            return Some(());
        }
        if old.text() != new.text() {
            return None;
        }
        let old: Vec<&Element> = old.children().iter().collect();
        let new: Vec<&Element> = new.children().iter().collect();
        for (old, new) in pairs(&old, &new)? {
            if old == new {
                continue;
            }
            let path = match new.name() {
                "AdaptationSet" | "Representation" => {
                    format!("{path}/{}[@id='{}']", new.name(), selector_value(new)?)
                }
                "SegmentTemplate" | "SegmentTimeline" => format!("{path}/{}", new.name()),
                _ => return None,
            };
            self.element(&path, old, new)?;
        }
        Some(())
    }

    fn attributes(&mut self, path: &str, old: &Element, new: &Element) -> Option<()> {
        if old.attributes().len() != new.attributes().len() {
            return None;
        }
        for ((name, old), (new_name, new)) in old.attributes().iter().zip(new.attributes()) {
            if name != new_name {
                return None;
            }
            if old != new {
                let new = Escaped(new);
                let _ = writeln!(self.0, "  <replace sel=\"{path}/@{name}\">{new}</replace>");
            }
        }
        Some(())
    }

    fn timeline(&mut self, path: &str, old: &[Element], new: &[Element]) {
        // Whole runs that left the window, counted by the durations that they and the first one kept add up to.
        let gone = starts(old)
            .take_while(|start| first_start(new).is_some_and(|first| *start < first))
            .count();
        // The last of those is the one that the window has cut, unless a run begins just where the window does.
        let begins_with_run = starts(old).nth(gone) == first_start(new);
        let gone = if begins_with_run {
            gone
        } else {
            gone.saturating_sub(1)
        };
        for _ in 0..gone {
            let _ = writeln!(self.0, "  <remove sel=\"{path}/S[1]\"/>");
        }
        let old = old.get(gone..).unwrap_or_default();
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            if old != new {
                self.replace(&format!("{path}/S[{}]", index + 1), new);
            }
        }
        for _ in new.len()..old.len() {
            let _ = writeln!(self.0, "  <remove sel=\"{path}/S[{}]\"/>", new.len() + 1);
        }
        if let Some(added) = new.get(old.len()..).filter(|added| !added.is_empty()) {
            let _ = write!(self.0, "  <add sel=\"{path}\">");
            for run in added {
                let _ = write!(self.0, "{run}");
            }
            self.0.push_str("</add>\n");
        }
    }

    fn replace(&mut self, path: &str, new: &Element) {
        let _ = writeln!(self.0, "  <replace sel=\"{path}\">{new}</replace>");
    }
}

/// Periods, and what else stands in an MPD.
fn split(mpd: &Element) -> (Vec<&Element>, Vec<&Element>) {
    mpd.children().iter().partition(|child| child.name() == "Period")
}

/// Elements that correspond: as many on both sides, each of the same name and `id`.
fn pairs<'a>(old: &[&'a Element], new: &[&'a Element]) -> Option<Vec<(&'a Element, &'a Element)>> {
    let is_same = |(old, new): (&&Element, &&Element)| {
        old.name() == new.name() && old.attribute("id") == new.attribute("id")
    };
    if old.len() != new.len() || !old.iter().zip(new).all(is_same) {
        return None;
    }
    Some(old.iter().copied().zip(new.iter().copied()).collect())
}

/// An `id` that can stand in a selector without escapes, which players do not read.
fn selector_value(element: &Element) -> Option<&str> {
    let id = element.attribute("id")?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    id.chars().all(is_plain).then_some(id)
}

/// Where each run of a timeline begins.
fn starts(runs: &[Element]) -> impl Iterator<Item = u64> {
    let number = |run: &Element, name| run.attribute(name).and_then(|text| text.parse::<u64>().ok());
    let mut end = 0_u64;
    runs.iter().map(move |run| {
        let start = number(run, "t").unwrap_or(end);
        let count = number(run, "r").unwrap_or(0).saturating_add(1);
        end = start.saturating_add(number(run, "d").unwrap_or(0).saturating_mul(count));
        start
    })
}

fn first_start(runs: &[Element]) -> Option<u64> {
    starts(runs).next()
}

/// The answer to a player that has a version from which no patch leads here: a patch of another version than its
/// own. Players do not apply that, and load the MPD; what an HTTP error makes them do is ask again for the same.
pub fn reload(new: &Element) -> String {
    let attribute = |name| Escaped(new.attribute(name).unwrap_or_default()).to_string();
    let (id, at) = (attribute("id"), attribute("publishTime"));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Patch xmlns=\"urn:mpeg:dash:schema:mpd-patch:2020\" \
         mpdId=\"{id}\" originalPublishTime=\"{at}\" publishTime=\"{at}\">\n  \
         <replace sel=\"/MPD/@publishTime\">{at}</replace>\n</Patch>\n"
    )
}
