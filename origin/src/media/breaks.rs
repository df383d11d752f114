//! The breaks of a channel: what is heard of them becomes its log, and the log keeps step with what is listed.
//!
//! ```text
//! cues ─▶ hear ─▶ the log as it would be ─▶ (the store) ─▶ accept ─▶ Snapshot
//! media ─▶ settle: the edge moves on, and where breaks stand in playlists is noted
//! ```
//!
//! What was heard is kept before anybody is shown it. What follows from it as media goes on follows again, so that is
//! kept when there is time.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use selvedge_breaks::{
    Airing, Anchor, Asset, BreakId, Cue, Log, Micros, Name, Openers, Policy, Return, Rules, Structure,
    UnixMicros,
    log::{Break, Listed, State},
    rules::Item,
    slice::Told,
};

use super::channel::Channel;
use super::segment::ClosedSegment;
use super::tail::Push;
use super::timeline::{Epoch, Grid};
use super::track::Track;
use super::{place::Placing, snapshot::TrackView};
use crate::cmaf::Kind;
use crate::time::{UnixMillis, ticks_to_nanos};

/// What a channel knows of its breaks. Without rules there are none.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaks {
    rules: Option<Arc<Rules>>,
    /// There once there have been rules, for what breaks added to numbers stays.
    log: Option<Arc<Log>>,
    /// How often what playlists say of breaks has changed.
    told: u64,
    /// Splices that were heard, by their hashes, the newest last: they come with every track and every repetition.
    heard: VecDeque<u64>,
    /// Whether the channel has been over for so long that it is an asset.
    is_asset: bool,
    /// When segments begin by the numbers in the names that they were pushed under, the newest last: playlists that are
    /// pushed beside them may have no dates.
    pushed: VecDeque<Pushed>,
}

/// A segment as it was pushed.
#[derive(Clone, Debug)]
struct Pushed {
    track: String,
    number: u64,
    begin: UnixMicros,
}

/// The breaks of a channel at one moment, as its documents need them.
#[derive(Clone, Debug)]
pub struct BreaksView {
    /// The log.
    pub log: Arc<Log>,
    /// How often what playlists say of breaks has changed: tells two views apart.
    pub told: u64,
    /// Up to when media is published.
    pub edge: UnixMicros,
    /// The breaks at the rules' positions, of a channel that has become an asset.
    pub inserted: Vec<Airing>,
    /// The rules that those are by.
    pub rules: Option<Arc<Rules>>,
}

/// Splices of a segment that have not been heard.
#[derive(Clone, Debug, Default)]
pub struct Splices {
    /// What they ask for.
    pub cues: Vec<Cue>,
    hashes: Vec<u64>,
}

/// A segment of a track, or the one that comes in.
#[derive(Clone, Copy, Debug)]
struct Found {
    sequence: u64,
    epoch: u32,
    wall: i64,
    /// Epoch of the one before it; `None` where that has left the window.
    before: Option<u32>,
}

impl Splices {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

impl BreaksView {
    /// What the media playlist of a track says of breaks: lines, each with its end.
    pub fn lines(&self, track: &TrackView) -> String {
        let (Some(group), Some(first)) = (Name::of(&track.name), track.entries.first()) else {
            return String::new();
        };
        let listed = Listed {
            start: micros(first.wall()),
            first: Some(first.sequence().0),
            until: self.edge.plus(AHEAD),
        };
        self.with_inserted(self.log.told(&group, &listed)).to_string()
    }

    /// What an MPD says of breaks whose first media is from then, in nanoseconds since 1970.
    pub fn told_from(&self, start: i64) -> Told {
        let told = self.log.told_by_time(&Listed {
            start: micros(start),
            first: None,
            until: self.edge.plus(AHEAD),
        });
        self.with_inserted(told)
    }

    /// Puts the breaks of the asset among those that were on air, in the order of time.
    fn with_inserted(&self, mut told: Told) -> Told {
        let breaks = &mut told.slice.breaks;
        breaks.extend_from_slice(&self.inserted);
        breaks.sort_by_key(|airing| airing.out);
        let ids = || self.inserted.iter().map(|airing| airing.id.clone());
        if let Some(rules) = self.rules.as_ref() {
            if !rules.exempt.is_empty() {
                told.exempt.extend(ids().map(|id| (id, rules.exempt.clone())));
            }
            if !rules.restrictions.is_empty() {
                told.restrictions
                    .extend(ids().map(|id| (id, rules.restrictions.clone())));
            }
        }
        told
    }
}

impl Channel {
    /// Sets the rules of the channel's breaks, or takes them away. What is on air stays so.
    pub fn set_rules(&mut self, rules: Option<Arc<Rules>>) {
        if rules.is_some() && self.breaks.log.is_none() {
            self.breaks.log = Some(Arc::new(Log::new(&self.name)));
        }
        self.breaks.rules = rules;
        self.breaks.told += 1;
    }

    /// Goes on with a log as it was before a restart.
    pub fn restore_log(&mut self, log: Log) {
        self.breaks.log = Some(Arc::new(log));
        self.settle_breaks();
    }

    /// Goes on with a log that another origin kept. Where breaks stand in this one's playlists it knows besides.
    pub fn adopt(&mut self, kept: Log) {
        let own = self.breaks.log.take();
        let own = own.iter().flat_map(|log| log.breaks());
        self.breaks.log = Some(Arc::new(own.fold(kept, with_anchors)));
        self.breaks.told += 1;
    }

    /// The rules of the channel's breaks.
    pub fn rules(&self) -> Option<&Arc<Rules>> {
        self.breaks.rules.as_ref()
    }

    /// The log of the channel's breaks, where there have been rules.
    pub fn break_log(&self) -> Option<&Arc<Log>> {
        self.breaks.log.as_ref()
    }

    /// The moment up to which media is published; `None` while nothing is.
    pub fn edge(&self) -> Option<UnixMicros> {
        self.grid?;
        let listed = self.tracks.values().filter(|track| track.is_listed());
        listed.filter_map(Track::shown_until).max().map(micros)
    }

    /// How long segments are; `None` while the channel starts.
    pub fn cadence(&self) -> Option<Micros> {
        self.grid.map(|grid| Micros(grid.nominal / 1_000))
    }

    /// Takes note of whether the channel has become an asset, which the rules' positions are for; whether that changes
    /// what documents say. Who watched it live has come to its end by then: breaks that are inserted move the numbers of
    /// all that follows them.
    pub(super) fn settle_asset(&mut self, now: UnixMillis) -> bool {
        let settled = |ended: UnixMillis| now.0.saturating_sub(ended.0) >= SETTLED_MS;
        let is_asset = self.ended.is_some_and(settled);
        let is_changed = is_asset != self.breaks.is_asset;
        self.breaks.is_asset = is_asset;
        self.breaks.told += u64::from(is_changed);
        is_changed
    }

    /// The channel as an asset; `None` while it is live, or has only just ended.
    fn asset(&self) -> Option<Asset> {
        self.ended.filter(|_| self.breaks.is_asset)?;
        let listed = self.tracks.values().filter(|track| track.is_listed());
        let leads = |track: &&Track| track.init().map_or(Kind::Event, |init| init.kind);
        let leading = listed
            .filter(|track| !track.entries.is_empty())
            .min_by_key(leads)?;
        Some(Asset {
            begin: micros(leading.entries.front()?.wall()),
            end: micros(leading.entries.back()?.end()),
            cadence: self.cadence()?,
        })
    }

    /// The slots of the break at a position of the rules, and what fills them; `None` where there is no such break.
    pub fn insertion(&self, id: &BreakId) -> Option<(Structure, Vec<Item>)> {
        let (airing, pod) = self.breaks.rules.as_ref()?.insertion_of(&self.asset()?, id)?;
        Some((airing.structure, pod.to_vec()))
    }

    /// The moment nearest to `at`, and not before `from`, at which a segment begins, as far as can be told.
    pub fn boundary_near(&self, at: UnixMicros, from: UnixMicros) -> Option<UnixMicros> {
        let (phase, nominal) = self.beat()?;
        let slot = |moment: UnixMicros, more: i64| {
            let since = moment.0.saturating_mul(1_000).saturating_sub(phase);
            since.saturating_add(more).div_euclid(nominal)
        };
        let nearest = slot(at, nominal / 2);
        // Within a microsecond of a boundary is that boundary.
        let first = slot(from, nominal - 1_000);
        let begins = phase.saturating_add(nearest.max(first).saturating_mul(nominal));
        Some(micros(begins))
    }

    /// A moment at which a segment of the leading track begins, and how long segments are, in nanoseconds.
    fn beat(&self) -> Option<(i64, i64)> {
        let nominal = self.grid?.nominal.max(1);
        let listed = self.tracks.values().filter(|track| track.is_listed());
        let leads = |track: &&Track| track.init().map_or(Kind::Event, |init| init.kind);
        let leading = listed
            .filter(|track| track.shown_until().is_some())
            .min_by_key(leads)?;
        let on_air = leading.tail.as_ref().map(|tail| tail.wall);
        let listed = leading.entries.iter().rev();
        let newest = leading.entries.back().map(super::segment::Entry::end);
        let latest = on_air.or(newest)?;
        // A splice off the grid cuts one segment in two, and the next begins on the grid again.
        let begun = on_air.into_iter().chain(listed.map(super::segment::Entry::wall));
        let base = self
            .epochs
            .last()
            .and_then(|epoch| epoch.base)
            .map(|base| base.wall);
        let is_on = |base: &i64| {
            let mut begun = begun.take(NEWEST);
            begun.any(|wall| {
                let off = wall.saturating_sub(*base).rem_euclid(nominal);
                off.min(nominal - off) <= ON_GRID_NANOS
            })
        };
        Some((base.filter(is_on).unwrap_or(latest), nominal))
    }

    /// What the rules make of the log at an edge.
    fn policy(&self, edge: UnixMicros) -> Option<Policy> {
        let cadence = self.cadence()?;
        let rules = self.breaks.rules.clone();
        let rules = rules.unwrap_or_else(|| Arc::new(Rules::new(&self.name)));
        Some(Policy {
            boundary: self.boundary_near(edge, edge),
            keeps_parts: self.grid.is_some_and(|grid| grid.part_target_ms.is_some()),
            ..rules.policy(cadence)
        })
    }

    /// The log once cues are heard, which is to be kept before it is [accepted](Self::accept); `None` where that
    /// changes nothing, or nothing may be heard yet.
    pub fn hear(&self, cues: &[Cue]) -> Option<Log> {
        let (log, edge) = (self.breaks.log.as_ref()?, self.edge()?);
        let policy = self.policy(edge)?;
        let before = Log::clone(log).tick(edge, &policy);
        let heard = hear_all(before.clone(), edge, cues, &policy);
        (!heard.agrees_with(&before)).then_some(heard)
    }

    /// Takes a log that is kept, in which `cues` were heard.
    ///
    /// # Errors
    /// The log as it would be now, where media has gone on so far meanwhile that it says something else: that one is to
    /// be kept, and this to be asked again.
    pub fn accept(&mut self, kept: &Log, cues: &[Cue]) -> Result<(), Box<Log>> {
        let known = self.breaks.log.as_ref().zip(self.edge());
        let Some((log, edge)) = known else { return Ok(()) };
        let Some(policy) = self.policy(edge) else {
            return Ok(());
        };
        let now = hear_all(Log::clone(log), edge, cues, &policy);
        let kept = kept.clone().tick(edge, &policy);
        if !kept.agrees_with(&now) {
            return Err(Box::new(now));
        }
        // Where breaks stand was noted meanwhile as well.
        let kept = log.breaks().iter().fold(kept, with_anchors);
        self.breaks.log = Some(Arc::new(kept));
        self.breaks.told += 1;
        Ok(())
    }

    /// The splices that a segment of a track announces, as far as it has come, and that have not been heard.
    pub fn splices(&self, track: &str, push: &Push, segment: &ClosedSegment, now: UnixMillis) -> Splices {
        let mut splices = Splices::default();
        let Some(rules) = self.breaks.rules.as_ref().filter(|_| !segment.events.is_empty()) else {
            return splices;
        };
        let Some(anchor) = self.anchor_of(track, push, segment, now) else {
            return splices;
        };
        for announced in &segment.events {
            let wall = announced.wall(anchor);
            let Some(cues) = announced.cues(micros(wall), rules.openers) else {
                continue;
            };
            let mut hash = DefaultHasher::new();
            (announced.identity(), wall / HEARD_NANOS).hash(&mut hash);
            let hash = hash.finish();
            if !self.breaks.heard.contains(&hash) && !splices.hashes.contains(&hash) {
                splices.cues.extend(cues);
                splices.hashes.push(hash);
            }
        }
        splices
    }

    /// Takes note that splices were heard.
    pub fn note_heard(&mut self, splices: &Splices) {
        self.breaks.heard.extend(&splices.hashes);
        let many = self.breaks.heard.len().saturating_sub(MAX_HEARD);
        self.breaks.heard.drain(..many);
    }

    /// Takes note of when a segment begins, by the number in its name.
    pub fn note_pushed(&mut self, track: &str, push: &Push, segment: &ClosedSegment, now: UnixMillis) {
        let Some(number) = segment.number.filter(|_| self.breaks.rules.is_some()) else {
            return;
        };
        let is_it = |one: &Pushed| one.track == track && one.number == number;
        // It comes chunk by chunk.
        if self.breaks.pushed.iter().rev().take(NEWEST_PUSHED).any(is_it) {
            return;
        }
        let Some(anchor) = self.anchor_of(track, push, segment, now) else {
            return;
        };
        let start = ticks_to_nanos(segment.start.cast_signed(), segment.init.timescale);
        // An encoder that starts again may count from the begin.
        self.breaks.pushed.retain(|one| !is_it(one));
        self.breaks.pushed.push_back(Pushed {
            track: track.to_owned(),
            number,
            begin: micros(anchor.saturating_add(start)),
        });
        let many = self.breaks.pushed.len().saturating_sub(MAX_PUSHED);
        self.breaks.pushed.drain(..many);
    }

    /// When a segment begins that was pushed under a name; `None` where none was, or it is long ago. Of an object with
    /// several tracks any may say so.
    pub fn pushed(&self, track: &str, number: u64) -> Option<UnixMicros> {
        let is_of = |one: &Pushed| {
            let rest = one.track.strip_prefix(track);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let newest = self.breaks.pushed.iter().rev();
        let mut named = newest.filter(|one| one.number == number && is_of(one));
        named.next().map(|one| one.begin)
    }

    /// What opens a break on this channel; `None` without rules.
    pub fn openers(&self) -> Option<Openers> {
        self.breaks.rules.as_ref().map(|rules| rules.openers)
    }

    /// Wall time of media time zero, in nanoseconds since 1970, of the timeline that a segment stands on.
    fn anchor_of(&self, track: &str, push: &Push, segment: &ClosedSegment, now: UnixMillis) -> Option<i64> {
        let tail = self.tracks.get(track)?.tail.as_ref();
        let on_air = tail.filter(|_| self.is_on_air(track, push, segment, now));
        let placing = match on_air {
            Some(tail) => Placing::In(tail.epoch),
            None => self.judge(track, push, segment, now),
        };
        match placing {
            Placing::In(ordinal) => {
                let is_it = |epoch: &&Epoch| epoch.ordinal == ordinal;
                self.epochs
                    .iter()
                    .find(is_it)
                    .map(|epoch| epoch.anchor.as_nanos())
            }
            Placing::Opens(anchor) => Some(anchor.time().as_nanos()),
            Placing::Standby | Placing::Duplicate => None,
        }
    }

    /// Brings the log to where media is published, and notes where breaks stand in the playlists of each track.
    pub fn settle_breaks(&mut self) {
        let Some((log, edge)) = self.breaks.log.as_ref().zip(self.edge()) else {
            return;
        };
        let is_due = |one: &Break| match one.state {
            State::Announced => one.out <= edge,
            State::Open => true,
            _ => false,
        };
        let mut settled = Arc::clone(log);
        if log.breaks().iter().any(is_due)
            && let Some(policy) = self.policy(edge)
        {
            let ticked = Log::clone(log).tick(edge, &policy);
            if ticked.breaks() != log.breaks() {
                settled = Arc::new(ticked);
            }
        }
        settled = self.anchored(settled, edge);
        if !Arc::ptr_eq(&settled, log) {
            self.breaks.log = Some(settled);
            self.breaks.told += 1;
        }
    }

    /// Drops breaks of the log that are long over. What they added to numbers stays.
    pub fn forget_breaks(&mut self) -> Vec<BreakId> {
        let Some((log, edge)) = self.breaks.log.as_ref().zip(self.edge()) else {
            return Vec::new();
        };
        let shorter = Log::clone(log).forget(edge.less(REMEMBERED));
        let gone = log.breaks().len().saturating_sub(shorter.breaks().len());
        if gone == 0 {
            return Vec::new();
        }
        let forgotten = log.breaks().iter().take(gone).map(|one| one.id.clone()).collect();
        self.breaks.log = Some(Arc::new(shorter));
        forgotten
    }

    pub(super) fn breaks_view(&self) -> Option<BreaksView> {
        let log = Arc::clone(self.breaks.log.as_ref()?);
        let ruled = self.breaks.rules.as_ref().zip(self.asset());
        Some(BreaksView {
            edge: self.edge().unwrap_or_else(|| log.edge()),
            told: self.breaks.told,
            log,
            inserted: ruled.map_or_else(Vec::new, |(rules, asset)| rules.insertions(&asset)),
            rules: self.breaks.rules.clone(),
        })
    }

    /// The log with what is known by now of where its breaks stand.
    fn anchored(&self, log: Arc<Log>, edge: UnixMicros) -> Arc<Log> {
        let Some(grid) = self.grid else { return log };
        let listed = || self.tracks.iter().filter(|(_, track)| track.is_listed());
        let firsts = listed().filter_map(|(_, track)| track.entries.front());
        let Some(oldest) = firsts.map(|entry| micros(entry.wall())).min() else {
            return log;
        };
        let slack = Micros(grid.nominal / 1_000 / 4);
        let is_in_window = |one: &&Break| {
            let is_past = one.state == State::Ended && one.until().plus(slack) < oldest;
            one.out.less(slack) <= edge && !is_past
        };
        let tracks = listed().count();
        let is_settled = |one: &Break| {
            one.anchors
                .values()
                .filter(|anchor| anchor.back.is_some())
                .count()
                >= tracks
        };
        if log.aired().filter(is_in_window).all(is_settled) {
            return log;
        }
        let mut found = Log::clone(&log);
        for (name, track) in listed() {
            if let Some(group) = Name::of(name) {
                let elsewhere = |one: &Break, of: fn(&Anchor) -> Option<u64>| {
                    let anchors = one.anchors.iter().filter(|(other, _)| **other != group);
                    anchors
                        .filter_map(|(other, anchor)| wall_of(self.tracks.get(other.as_str())?, of(anchor)?))
                        .next()
                };
                found = anchored_in(found, &group, track, grid, |one| is_in_window(&one), elsewhere);
            }
        }
        if found.breaks() == log.breaks() {
            log
        } else {
            Arc::new(found)
        }
    }
}

/// The log with what is known of where its breaks stand in the playlist of one track, which is a group of its own, for its
/// segments may be cut a little elsewhere. In order: a break cannot begin
/// before the one before it has returned.
///
/// `elsewhere` is when the segment begins that another track has for an anchor: where a moment lies far from any cut, the
/// same segment has to be the nearest on all tracks.
fn anchored_in(
    log: Log,
    group: &Name,
    track: &Track,
    grid: Grid,
    is_in_window: impl Fn(&Break) -> bool,
    elsewhere: impl Fn(&Break, fn(&Anchor) -> Option<u64>) -> Option<i64>,
) -> Log {
    let slack = grid.nominal / 4;
    let aired: Vec<Break> = log.aired().cloned().collect();
    let mut log = log;
    let mut before = None;
    for one in aired {
        let mut anchor = one.anchors.get(group).copied();
        if is_in_window(&one) {
            if anchor.is_none() {
                let other = elsewhere(&one, |anchor| Some(anchor.msn_out));
                let Some((msn, dsn)) = left(track, &one, before, slack, other) else {
                    return log;
                };
                log = log.left(&one.id, group, msn, dsn);
                anchor = anchor_in(&log, &one.id, group);
            }
            if let Some(known) = anchor.filter(|anchor| anchor.back.is_none())
                && let Some(rejoin) = one.rejoin()
                && let Some(found) = first_from(
                    track,
                    elsewhere(&one, |anchor| Some(anchor.back?.msn_in))
                        .map_or(nanos(rejoin).saturating_sub(slack), |wall| {
                            wall.saturating_sub(slack / 2)
                        }),
                )
                && found.sequence >= known.msn_out
            {
                log = log.rejoined(&one.id, group, found.sequence, u64::from(found.epoch));
                anchor = anchor_in(&log, &one.id, group);
            }
            if anchor.is_some_and(|anchor| anchor.back.is_none()) {
                // What follows cannot be listed yet.
                return log;
            }
        }
        before = anchor.and_then(|anchor| anchor.back).or(before);
    }
    log
}

/// The first segment of a track that is replaced by a break, and the discontinuity sequence number before it.
fn left(
    track: &Track,
    one: &Break,
    before: Option<Return>,
    slack: i64,
    elsewhere: Option<i64>,
) -> Option<(u64, u64)> {
    let out = nanos(one.out);
    // What was published before the break was known stays.
    let known = nanos(one.effective_from).min(out);
    let own = out.saturating_sub(slack).max(known);
    let found = first_from(
        track,
        elsewhere.map_or(own, |wall| wall.saturating_sub(slack / 2)),
    )?;
    match before {
        Some(back) if back.msn_in >= found.sequence => Some((back.msn_in, back.dsn_in)),
        _ => {
            let is_near = found.wall.saturating_sub(out) <= slack.saturating_mul(4);
            let before = found.before.or_else(|| is_near.then_some(found.epoch))?;
            Some((found.sequence, u64::from(before)))
        }
    }
}

/// The first segment of a track that begins at a moment or later, in nanoseconds since 1970: one that comes in counts.
fn first_from(track: &Track, from: i64) -> Option<Found> {
    let entries = &track.entries;
    let mut index = entries.len();
    let mut found = match &track.tail {
        Some(tail) if tail.wall < from => return None,
        Some(tail) => Some((tail.sequence.0, tail.epoch, tail.wall)),
        None => None,
    };
    for (at, entry) in entries.iter().enumerate().rev() {
        if entry.wall() < from {
            break;
        }
        index = at;
        found = Some((entry.sequence().0, entry.epoch(), entry.wall()));
    }
    let before = index.checked_sub(1).and_then(|index| entries.get(index));
    found.map(|(sequence, epoch, wall)| Found {
        sequence,
        epoch,
        wall,
        before: before.map(super::segment::Entry::epoch),
    })
}

/// When a listed segment of a track begins, or the one that comes in, in nanoseconds since 1970.
fn wall_of(track: &Track, sequence: u64) -> Option<i64> {
    let listed = track.entries.iter().find(|entry| entry.sequence().0 == sequence);
    let coming = track.tail.as_ref().filter(|tail| tail.sequence.0 == sequence);
    listed
        .map(super::segment::Entry::wall)
        .or_else(|| Some(coming?.wall))
}

fn anchor_in(log: &Log, id: &BreakId, group: &Name) -> Option<Anchor> {
    let one = log.breaks().iter().find(|one| one.id == *id)?;
    one.anchors.get(group).copied()
}

/// A log with what another knows of where a break stands.
fn with_anchors(log: Log, known: &Break) -> Log {
    known.anchors.iter().fold(log, |log, (group, anchor)| {
        let log = log.left(&known.id, group, anchor.msn_out, anchor.dsn_before);
        match anchor.back {
            Some(back) => log.rejoined(&known.id, group, back.msn_in, back.dsn_in),
            None => log,
        }
    })
}

fn hear_all(log: Log, edge: UnixMicros, cues: &[Cue], policy: &Policy) -> Log {
    let log = log.tick(edge, policy);
    cues.iter().fold(log, |log, cue| log.hear(edge, cue, policy))
}

const fn micros(nanos: i64) -> UnixMicros {
    UnixMicros(nanos.div_euclid(1_000))
}

const fn nanos(moment: UnixMicros) -> i64 {
    moment.0.saturating_mul(1_000)
}

/// A channel that has been over for so long is an asset: players that were live have seen that it is over.
const SETTLED_MS: i64 = 60_000;
/// How long before its begin documents tell of a break: time enough for edges to ask what fills it.
const AHEAD: Micros = Micros::from_seconds(60);
/// For how long a break is remembered that is over.
const REMEMBERED: Micros = Micros::from_seconds(6 * 3600);
/// Segments that say whether there is a grid, and by how much they may be off it.
const NEWEST: usize = 3;
const ON_GRID_NANOS: i64 = 2_000_000;
/// The same splice comes with times that differ by less.
const HEARD_NANOS: i64 = 1_000_000_000;
const MAX_HEARD: usize = 256;
/// Segments whose names are remembered: those of ten tracks for some minutes.
const MAX_PUSHED: usize = 1024;
/// Segments among which one that is coming in is looked for.
const NEWEST_PUSHED: usize = 32;
