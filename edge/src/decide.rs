//! Decide: what fills the breaks of a document, asked of the origin in a second batch.

use std::{collections::VecDeque, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use selvedge_breaks::{Airing, Decision, Slice, slice};

use crate::{
    authorise::Authorised,
    dash,
    limits::{MAX_DECISION, MAX_DECISIONS, MAX_WANTS},
    platform::{Answer, Body, OriginRequest, Plan, Read, Want},
    route::{Resource, RoutedResource},
    site::{BreakRules, Site},
};

/// The breaks of a playlist or an MPD, and what fills them.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) slice: Slice,
    pub(crate) decisions: Vec<Arc<Decision>>,
    /// What decisions call the playlist; an MPD has all renditions.
    pub(crate) rendition: String,
    /// Whether the player asked for a delta update.
    pub(crate) skips: bool,
    /// Whether the player is told of breaks, and puts in their ads itself.
    pub(crate) is_guided: bool,
}

/// The rules of a site for a resource that may have breaks in it: a playlist or an MPD that is read.
pub(crate) fn rules<'s>(site: &'s Site, routed: &RoutedResource) -> Option<&'s BreakRules> {
    let is_read = routed.resource != Resource::Media && routed.method == Method::GET;
    site.breaks.as_ref().filter(|_| is_read)
}

/// The slice of the break log in an answer of the origin's, as a cohort sees it; `None` where it has none, and nothing is
/// to be stitched. Of one that cannot be read, nothing is left but the lines that it goes without.
pub(crate) fn slice_of<B>(resource: Resource, answer: Option<&Answer<B>>, cohort: &str) -> Option<Slice> {
    let Some(Answer::Origin(Ok(origin))) = answer else {
        return None;
    };
    let Body::Bytes(body) = &origin.body else {
        return None;
    };
    let mark = match resource {
        Resource::Playlist => slice::LOG_TAG,
        Resource::Manifest => slice::LOG_SCHEME,
        Resource::AssetList | Resource::Alternative | Resource::Media => return None,
    };
    if origin.status != StatusCode::OK || memchr::memmem::find(body, mark.as_bytes()).is_none() {
        return None;
    }
    let document = core::str::from_utf8(body).ok()?;
    match resource {
        Resource::Manifest => dash::slice_of(document, cohort),
        _ => Slice::read_for(document, cohort).unwrap_or_else(|_| Some(Slice::default())),
    }
}

/// Where a document's decisions are, and what they call it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    channel: String,
    pub(crate) rendition: String,
}

impl Place {
    /// Of `…/<channel>/<rendition>/index.m3u8` or `…/<channel>/manifest.mpd`. Another playlist of the rendition, such as
    /// one of I-frames, is none that ads are conditioned to.
    pub(crate) fn of(authorised: &Authorised) -> Option<Self> {
        let mut segments = authorised.routed.uri.path().rsplit('/');
        if authorised.routed.resource == Resource::Manifest {
            return Some(Self {
                channel: segments.nth(1)?.to_owned(),
                rendition: String::new(),
            });
        }
        let (file, rendition, channel) = (segments.next()?, segments.next()?, segments.next()?);
        let rendition = match file {
            "index.m3u8" => rendition.to_owned(),
            file => format!("{rendition}/{file}"),
        };
        Some(Self {
            channel: channel.to_owned(),
            rendition,
        })
    }

    /// Where the decision of a break is.
    fn target(&self, airing: &Airing, rules: &BreakRules) -> String {
        format!("/decisions/{}/{}/{}", self.channel, airing.id, rules.cohort)
    }

    /// The batches that ask for what is not known: no larger than a platform can answer at once.
    pub(crate) fn plans(&self, slice: &Slice, rules: &BreakRules, known: &Decisions) -> Vec<Plan> {
        let targets = slice.breaks.iter().map(|airing| self.target(airing, rules));
        let unknown: Vec<Want> = targets
            .filter(|target| known.get(target).is_none())
            .map(want)
            .collect();
        let batches = unknown.chunks(MAX_WANTS);
        batches
            .map(|wants| Plan {
                wants: wants.to_vec(),
            })
            .collect()
    }

    /// Everything that is known of a slice's breaks.
    pub(crate) fn known(&self, slice: &Slice, rules: &BreakRules, known: &Decisions) -> Vec<Arc<Decision>> {
        let targets = slice.breaks.iter().map(|airing| self.target(airing, rules));
        targets.filter_map(|target| known.get(&target)).collect()
    }
}

/// The want of a decision.
pub(crate) fn want(target: String) -> Want {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Want::Origin(OriginRequest {
        method: Method::GET,
        target,
        headers,
        read: Read::Bytes { limit: MAX_DECISION },
    })
}

/// Decisions that this instance has seen. They never change, so remembering one spares a request and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Decisions(VecDeque<(String, Arc<Decision>)>);

impl Decisions {
    pub(crate) fn get(&self, target: &str) -> Option<Arc<Decision>> {
        let found = self.0.iter().find(|(known, _)| known == target)?;
        Some(Arc::clone(&found.1))
    }

    /// Takes note of the answers to a batch. What is none is asked for again the next time; until then slate, or a gap,
    /// keeps its place.
    pub(crate) fn learn<B>(&mut self, plan: &Plan, answers: Vec<Answer<B>>) {
        for (want, answer) in plan.wants.iter().zip(answers) {
            let (Want::Origin(request), Answer::Origin(Ok(origin))) = (want, answer) else {
                continue;
            };
            let (StatusCode::OK, Body::Bytes(body)) = (origin.status, origin.body) else {
                continue;
            };
            if let Ok(decision) = Decision::read(&body) {
                if self.0.len() >= MAX_DECISIONS {
                    self.0.pop_front();
                }
                self.0.push_back((request.target.clone(), Arc::new(decision)));
            }
        }
    }
}
