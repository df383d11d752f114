//! Rules from JSON, with all their faults.

use core::ops::RangeInclusive;

use serde_json::Value;

use super::{At, Fill, Item, Lengths, Planned, Position, Rest, Restriction, Returns, Rules};
use crate::{
    document::{Faults, Version, node::Members, node::Node, one_fault},
    key::Name,
    signal::Openers,
    structure::{MAX_LENGTH, MAX_SLOTS, MIN_SEGMENT},
    time::Micros,
};

impl Rules {
    /// Reads the rules of a channel.
    ///
    /// # Errors
    /// All [`Faults`], each with its JSON pointer: rules that have any are not to replace others.
    pub fn read(json: &[u8]) -> Result<Self, Faults> {
        if json.len() > MAX_BYTES {
            return Err(one_fault(format!("is longer than {MAX_BYTES} bytes")));
        }
        let value: Value = serde_json::from_slice(json).map_err(|error| one_fault(error.to_string()))?;
        let mut faults = Faults::default();
        let rules = rules(&Node::document(&value), &mut faults);
        faults.or(rules)
    }
}

fn rules(document: &Node<'_>, faults: &mut Faults) -> Rules {
    let known = [
        "version",
        "channel",
        "openers",
        "lengths",
        "returns",
        "fill",
        "restrictions",
        "exempt",
        "schedule",
        "positions",
    ];
    let members = document.members(&known, faults);
    if let Some(version) = members.needed("version", faults)
        && !version.is_one()
    {
        version.tell("is not 1: this program knows version 1 alone", faults);
    }
    let channel = members.needed("channel", faults);
    let channel = channel.and_then(|node| {
        node.read("a channel's name", faults, |name| {
            (!name.is_empty()).then_some(name)
        })
    });
    let mut rules = Rules::new(channel.unwrap_or_default());
    rules.version = Version;
    if let Some(node) = members.get("openers") {
        rules.openers = openers(&node, faults);
    }
    if let Some(node) = members.get("lengths") {
        rules.lengths = lengths(&node, faults);
    }
    if let Some(node) = members.get("returns") {
        rules.returns = returns(&node, faults);
    }
    if let Some(node) = members.get("fill") {
        rules.fill = fill(&node, faults);
    }
    if let Some(node) = members.get("restrictions") {
        let elements = node.elements(2, faults);
        let read = elements.iter().filter_map(|one| {
            one.read("skip or jump", faults, |name| match name {
                "skip" => Some(Restriction::Skip),
                "jump" => Some(Restriction::Jump),
                _ => None,
            })
        });
        rules.restrictions = read.collect();
    }
    if let Some(node) = members.get("exempt") {
        let elements = node.elements(MAX_EXEMPT, faults);
        rules.exempt = elements.iter().filter_map(|one| name(one, faults)).collect();
    }
    if let Some(node) = members.get("schedule") {
        rules.schedule = schedule(&node, faults);
    }
    if let Some(node) = members.get("positions") {
        rules.positions = positions(&node, rules.fill.pod.is_empty(), faults);
    }
    rules
}

fn openers(node: &Node<'_>, faults: &mut Faults) -> Openers {
    let expected = "splice_insert, or a segmentation that can be a break, such as provider_po";
    let elements = node.elements(16, faults);
    elements.iter().fold(Openers::NONE, |openers, one| {
        let with = one.read(expected, faults, |name| openers.with_name(name));
        with.unwrap_or(openers)
    })
}

fn lengths(node: &Node<'_>, faults: &mut Faults) -> Lengths {
    let known = ["default_ms", "min_ms", "max_ms", "overrun_ms", "late_ms"];
    let members = node.members(&known, faults);
    let default = Lengths::default();
    let mut length = |name: &str, default: Micros| {
        let node = members.get(name);
        node.and_then(|node| node.millis(ANY_LENGTH, faults))
            .unwrap_or(default)
    };
    let lengths = Lengths {
        unsaid: length("default_ms", default.unsaid),
        min: length("min_ms", default.min),
        max: length("max_ms", default.max),
        overrun: length("overrun_ms", default.overrun),
        late: length("late_ms", default.late),
    };
    if lengths.min > lengths.max {
        node.tell("has a min_ms above its max_ms", faults);
    } else if !(lengths.min..=lengths.max).contains(&lengths.unsaid) {
        node.tell("has a default_ms that is not between min_ms and max_ms", faults);
    }
    lengths
}

fn returns(node: &Node<'_>, faults: &mut Faults) -> Returns {
    let members = node.members(&["early", "on_plan", "with_programme"], faults);
    let default = Returns::default();
    let mut flag = |name: &str, default: bool| {
        let node = members.get(name);
        node.and_then(|node| node.boolean(faults)).unwrap_or(default)
    };
    Returns {
        early: flag("early", default.early),
        on_plan: flag("on_plan", default.on_plan),
        with_programme: flag("with_programme", default.with_programme),
    }
}

fn fill(node: &Node<'_>, faults: &mut Faults) -> Fill {
    let members = node.members(&["pod", "slate", "rest", "ad_server"], faults);
    let pod = members.get("pod").map(|node| node.elements(MAX_SLOTS, faults));
    let rest = members.get("rest").and_then(|node| {
        node.read("resume, slate or wait", faults, |name| match name {
            "resume" => Some(Rest::Resume),
            "slate" => Some(Rest::Slate),
            "wait" => Some(Rest::Wait),
            _ => None,
        })
    });
    let slate = members.get("slate");
    if rest == Some(Rest::Slate) && slate.is_none() {
        node.tell("has slate for its rest, and no slate", faults);
    }
    let server = members.get("ad_server");
    Fill {
        pod: pod.iter().flatten().filter_map(|one| item(one, faults)).collect(),
        slate: slate.and_then(|node| item(&node, faults)),
        rest: rest.unwrap_or_default(),
        ad_server: server.and_then(|node| {
            node.read("an https URL", faults, |url| {
                let is_url = url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
                let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
                (is_url && is_plain).then(|| url.to_owned())
            })
        }),
    }
}

fn item(node: &Node<'_>, faults: &mut Faults) -> Option<Item> {
    let members = node.members(&["creative", "duration_ms"], faults);
    let creative = needed_name(&members, "creative", faults);
    let duration = members.needed("duration_ms", faults);
    let duration = duration.and_then(|node| node.millis(MIN_ITEM..=MAX_LENGTH, faults));
    Some(Item {
        creative: creative?,
        duration: duration?,
    })
}

fn schedule(node: &Node<'_>, faults: &mut Faults) -> Vec<Planned> {
    let mut schedule: Vec<Planned> = Vec::new();
    for one in node.elements(MAX_SCHEDULE, faults) {
        let members = one.members(&["name", "at", "duration_ms"], faults);
        let name = needed_name(&members, "name", faults);
        let at = members.needed("at", faults).and_then(|node| node.moment(faults));
        let duration = members.needed("duration_ms", faults);
        let duration = duration.and_then(|node| node.millis(MIN_ITEM..=MAX_LENGTH, faults));
        let (Some(name), Some(at), Some(duration)) = (name, at, duration) else {
            continue;
        };
        let planned = Planned { name, at, duration };
        if let Some(other) = schedule.iter().find(|other| other.name == planned.name) {
            one.tell(
                format!("has the name {}, which another break has", other.name),
                faults,
            );
        }
        let end = |one: &Planned| one.at.plus(one.duration);
        let overlaps = |other: &&Planned| other.at < end(&planned) && planned.at < end(other);
        if let Some(other) = schedule.iter().find(overlaps) {
            one.tell(format!("overlaps the break {}", other.name), faults);
        }
        schedule.push(planned);
    }
    schedule
}

/// `needs_pod` says that there is none in the rules' own fill.
fn positions(node: &Node<'_>, needs_pod: bool, faults: &mut Faults) -> Vec<Position> {
    let mut positions: Vec<Position> = Vec::new();
    for one in node.elements(MAX_POSITIONS, faults) {
        let members = one.members(&["name", "at", "pod"], faults);
        let name = needed_name(&members, "name", faults);
        let at = members.needed("at", faults).and_then(|node| at(&node, faults));
        let pod = members.get("pod").map(|node| node.elements(MAX_SLOTS, faults));
        if pod.as_ref().is_none_or(Vec::is_empty) && needs_pod {
            one.tell("has no pod, nor has fill", faults);
        }
        let pod = pod.iter().flatten().filter_map(|one| item(one, faults)).collect();
        let (Some(name), Some(at)) = (name, at) else {
            continue;
        };
        if positions.iter().any(|other| other.name == name) {
            one.tell(format!("has the name {name}, which another position has"), faults);
        }
        positions.push(Position { name, at, pod });
    }
    positions
}

fn at(node: &Node<'_>, faults: &mut Faults) -> Option<At> {
    match node.as_text() {
        Some("start") => Some(At::Start),
        Some("end") => Some(At::End),
        Some(text) => {
            node.tell(
                format!("is {text:?}: expected start, end or a number of milliseconds"),
                faults,
            );
            None
        }
        None => node.millis(ANY_LENGTH, faults).map(At::Offset),
    }
}

fn needed_name(members: &Members<'_>, member: &str, faults: &mut Faults) -> Option<Name> {
    members
        .needed(member, faults)
        .and_then(|node| name(&node, faults))
}

fn name(node: &Node<'_>, faults: &mut Faults) -> Option<Name> {
    let expected = "letters, digits and . _ : - alone, at most 64 of them";
    node.read(expected, faults, Name::new)
}

const ANY_LENGTH: RangeInclusive<Micros> = Micros::ZERO..=MAX_LENGTH;
const MIN_ITEM: Micros = MIN_SEGMENT;
/// A store of the edge holds documents of this length with ease, and a person reads none that is longer.
const MAX_BYTES: usize = 1 << 20;
const MAX_EXEMPT: usize = 1000;
const MAX_SCHEDULE: usize = 2000;
/// One every half minute of an asset of eight hours.
const MAX_POSITIONS: usize = 1000;
