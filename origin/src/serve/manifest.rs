//! DASH documents for viewers: MPDs, and the patches that lead from one version of an MPD to the next.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;

use super::answer::Freshness;
use super::blocked::Blocked;
use super::document::Document;
use super::{Named, Origin, cmsd};
use crate::Error;
use crate::media::Snapshot;
use crate::render::dash::{self, Addressing, Element, Mpd};
use crate::time::UnixMillis;

/// A channel's MPDs, by the way in which they name segments.
#[derive(Debug)]
pub(super) struct Manifests {
    by_time: Mutex<Versions>,
    by_number: Mutex<Versions>,
}

impl Manifests {
    /// Of a channel of which nothing has been shown; `origin` is the name that answers say.
    pub(super) fn new(origin: &str) -> Self {
        let versions = |addressing| Mutex::new(Versions::new(addressing, origin));
        Self {
            by_time: versions(Addressing::Time),
            by_number: versions(Addressing::Number),
        }
    }

    /// The version that shows a snapshot.
    fn of(&self, snapshot: &Arc<Snapshot>, addressing: Addressing, now: UnixMillis) -> Arc<Version> {
        self.with(addressing, |versions| versions.show(snapshot, now))
    }

    fn with<T>(&self, addressing: Addressing, act: impl FnOnce(&mut Versions) -> T) -> T {
        let versions = match addressing {
            Addressing::Time => &self.by_time,
            Addressing::Number => &self.by_number,
        };
        // Versions are whole between any two calls.
        act(&mut versions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The versions of one MPD that have been shown. Only what somebody has asked for is a version.
#[derive(Debug)]
struct Versions {
    addressing: Addressing,
    origin: Arc<str>,
    /// What the newest one shows. Held, so that its address is no other snapshot's.
    shown: Option<Arc<Snapshot>>,
    /// When the newest one would look different though the snapshot is the same.
    changes_at: Option<UnixMillis>,
    /// Oldest first.
    kept: VecDeque<Arc<Version>>,
}

impl Versions {
    fn new(addressing: Addressing, origin: &str) -> Self {
        Self {
            addressing,
            origin: origin.into(),
            shown: None,
            changes_at: None,
            kept: VecDeque::new(),
        }
    }

    fn show(&mut self, snapshot: &Arc<Snapshot>, now: UnixMillis) -> Arc<Version> {
        let is_same = self
            .shown
            .as_ref()
            .is_some_and(|shown| Arc::ptr_eq(shown, snapshot));
        let is_due = self.changes_at.is_some_and(|at| at <= now);
        if let Some(newest) = self.kept.back().filter(|_| is_same && !is_due) {
            return Arc::clone(newest);
        }
        let mpd = dash::mpd(snapshot, self.addressing, now);
        self.shown = Some(Arc::clone(snapshot));
        self.changes_at = mpd.changes_at;
        if let Some(newest) = self.kept.back()
            && newest.mpd.shows_the_same(&mpd)
        {
            return Arc::clone(newest);
        }
        self.publish(mpd, snapshot.updated, self.said(snapshot))
    }

    /// Publishes what is shown once more, if `known` is the newest version.
    fn publish_again(&mut self, known: &str, now: UnixMillis) {
        if let Some(newest) = self.kept.back().filter(|newest| newest.at.to_string() == known) {
            let (mpd, said) = (newest.mpd.clone(), newest.said.clone());
            self.publish(mpd, now, said);
        }
    }

    /// The time tells versions apart, so that no two have the same and each has a later one.
    fn publish(&mut self, mpd: Mpd, at: UnixMillis, said: cmsd::Static) -> Arc<Version> {
        let before = self.kept.back().map(|version| version.at.0);
        let at = before.map_or(at.0, |before| at.0.max(before.saturating_add(1)));
        let version = Arc::new(Version::new(mpd, UnixMillis(at), self.addressing, said));
        self.kept.push_back(Arc::clone(&version));
        self.forget();
        version
    }

    fn said(&self, snapshot: &Snapshot) -> cmsd::Static {
        let (kind, dash) = (cmsd::ObjectType::Manifest, Some(cmsd::Format::Dash));
        cmsd::Static::new(kind, dash, &self.origin, !snapshot.ended).available(snapshot.updated)
    }

    /// Forgets old versions: what is kept has a bound in number, and one in elements, for a long window makes a
    /// long timeline.
    fn forget(&mut self) {
        let elements = |kept: &VecDeque<Arc<Version>>| kept.iter().map(|version| version.size).sum::<usize>();
        while self.kept.len() > MAX_VERSIONS || (self.kept.len() > 2 && elements(&self.kept) > MAX_ELEMENTS) {
            self.kept.pop_front();
        }
    }

    fn published(&self, at: &str) -> Option<Arc<Version>> {
        let is_it = |version: &&Arc<Version>| version.at.to_string() == at;
        self.kept.iter().find(is_it).map(Arc::clone)
    }
}

/// One version of an MPD.
#[derive(Debug)]
struct Version {
    at: UnixMillis,
    mpd: Mpd,
    element: Element,
    size: usize,
    said: cmsd::Static,
    document: Document,
    /// Patches that lead here, by the version that they begin from.
    patches: Mutex<HashMap<UnixMillis, Arc<Document>>>,
}

impl Version {
    fn new(mpd: Mpd, at: UnixMillis, addressing: Addressing, said: cmsd::Static) -> Self {
        let element = mpd.published(at, Some(patches_of(addressing)));
        Self {
            at,
            mpd,
            size: element.size(),
            document: Document::of_text(element.to_document(), DASH, said.clone()),
            said,
            element,
            patches: Mutex::default(),
        }
    }

    /// The patch from an older version to this one.
    fn from(&self, old: &Self) -> Arc<Document> {
        let mut patches = self.patches.lock().unwrap_or_else(PoisonError::into_inner);
        let patch = patches.entry(old.at).or_insert_with(|| {
            let patch = dash::patch(&old.element, &self.element);
            let patch = patch.unwrap_or_else(|| dash::reload(&self.element));
            Arc::new(Document::of_text(patch, PATCH, self.said.clone()))
        });
        Arc::clone(patch)
    }
}

pub(super) async fn by_time(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    manifest(&origin, &channel, &headers, Addressing::Time)
}

pub(super) async fn by_number(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    manifest(&origin, &channel, &headers, Addressing::Number)
}

pub(super) async fn patch_by_time(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    patch(&origin, &channel, query.as_deref(), &headers, Addressing::Time).await
}

pub(super) async fn patch_by_number(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    patch(&origin, &channel, query.as_deref(), &headers, Addressing::Number).await
}

fn manifest(
    origin: &Origin,
    channel: &str,
    headers: &HeaderMap,
    addressing: Addressing,
) -> Result<Response, Error> {
    let snapshot = origin.ready(channel)?;
    let manifests = &origin.cell(channel)?.manifests;
    let version = manifests.of(&snapshot, addressing, origin.0.clock.now());
    Ok(origin.public(version.document.answer(headers, Freshness::Live.value(), None)))
}

/// Answers with what has changed since the version that the viewer has. One that has the newest waits for the next,
/// for two segments at most: then the same is published anew, for a patch that is none at all is an error to Shaka
/// Player, and one without a later time to dash.js.
async fn patch(
    origin: &Origin,
    channel: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    addressing: Addressing,
) -> Result<Response, Error> {
    let known = published(query).unwrap_or_default();
    let cell = origin.cell(channel)?;
    let mut changes = cell.watch();
    let first = origin.ready(channel)?;
    let patience = first.grid.map_or(0, |grid| grid.nominal.saturating_mul(2));
    let patience = Duration::from_nanos(patience.clamp(0, MAX_WAIT_NANOS).cast_unsigned());
    let began = tokio::time::Instant::now();
    let mut blocked = None;
    loop {
        let snapshot = Arc::clone(&changes.borrow_and_update());
        let newest = cell.manifests.of(&snapshot, addressing, origin.0.clock.now());
        let old = cell
            .manifests
            .with(addressing, |versions| versions.published(&known));
        match old {
            None => {
                let document = Document::of_text(dash::reload(&newest.element), PATCH, newest.said.clone());
                return Ok(origin.public(document.answer(headers, Freshness::None.value(), None)));
            }
            Some(old) if old.at != newest.at => {
                let document = newest.from(&old);
                let held = blocked.is_some().then(|| began.elapsed());
                return Ok(origin.public(document.answer(headers, Freshness::Live.value(), held)));
            }
            Some(_) => {}
        }
        if blocked.is_none() {
            blocked = Some(Blocked::new(origin, &cell)?);
        }
        match tokio::time::timeout_at(began + patience, changes.changed()).await {
            Ok(Ok(())) => {}
            _ => {
                let now = origin.0.clock.now();
                cell.manifests
                    .with(addressing, |versions| versions.publish_again(&known, now));
            }
        }
    }
}

/// The `publishTime` of a query, whatever else stands in it.
fn published(query: Option<&str>) -> Option<String> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == "publishTime")?;
    Some(value.replace("%3A", ":").replace("%3a", ":"))
}

fn patches_of(addressing: Addressing) -> &'static str {
    match addressing {
        Addressing::Time => "manifest.mpp",
        Addressing::Number => "number.mpp",
    }
}

pub(super) const DASH: &str = "application/dash+xml";
const PATCH: &str = "application/dash-patch+xml";
/// Versions that a patch may begin from: about a minute of a channel with four tracks.
const MAX_VERSIONS: usize = 128;
/// Elements of all versions together; one takes some hundred bytes.
const MAX_ELEMENTS: usize = 40_000;
/// No viewer waits longer for a change, however long segments are.
const MAX_WAIT_NANOS: i64 = 20_000_000_000;
