//! The way of a request for a scheduled channel: which documents it takes, and what is made of them.

use std::{collections::BTreeSet, collections::VecDeque, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use selvedge_breaks::{Creative, CreativeName, Name, Schedule, UnixMicros, creative};
use selvedge_token::UnixMillis;

use super::{Channel, View};
use crate::{
    limits::{MAX_ASSET, MAX_ASSET_BYTES, MAX_ASSETS, MAX_SCHEDULE, MAX_WANTS},
    platform::{Answer, Body, OriginRequest, OriginResponse, Plan, Read, Want},
    route::{Resource, RoutedResource},
    site::Site,
};

/// What of a scheduled channel a request is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wanted {
    pub(super) channel: Name,
    view: View,
    form: Form,
    path: String,
    now: UnixMicros,
}

/// Which document of a channel.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Form {
    Multivariant,
    /// The playlist of a rendition.
    Media(String),
    Mpd,
}

impl Wanted {
    /// Of `/fast/<channel>/[<from>-<to>/][<rendition>/]index.m3u8`, or `manifest.mpd` without a rendition; the moments of
    /// a clip in whole seconds since 1970. `None` for what is the origin's.
    pub(crate) fn of(site: &Site, routed: &RoutedResource, now: UnixMillis) -> Option<Self> {
        let path = routed.uri.path();
        let rest = path.strip_prefix("/fast/").filter(|_| site.fast)?;
        let (folders, document) = rest.rsplit_once('/')?;
        let is_mpd = match (routed.resource, document) {
            (Resource::Playlist, "index.m3u8") => false,
            (Resource::Manifest, "manifest.mpd") => true,
            _ => return None,
        };
        let mut folders = folders.split('/');
        let channel = Name::new(folders.next()?)?;
        let mut next = folders.next();
        let clip = next.and_then(clip);
        if clip.is_some() {
            next = folders.next();
        }
        let form = match next {
            None if is_mpd => Form::Mpd,
            None => Form::Multivariant,
            Some(rendition) if !is_mpd => Form::Media(rendition.to_owned()),
            Some(_) => return None,
        };
        if folders.next().is_some() {
            return None;
        }
        Some(Self {
            channel,
            view: clip.unwrap_or(View::Live),
            form,
            path: path.to_owned(),
            now: UnixMicros(now.0.saturating_mul(1000)),
        })
    }

    /// The batch that asks for the schedule.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            wants: vec![Want::Document {
                key: format!("schedules/{}", self.channel),
                limit: MAX_SCHEDULE,
            }],
        }
    }
}

fn clip(folder: &str) -> Option<View> {
    let (from, to) = folder.split_once('-')?;
    let moment = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: i64 = text.parse().ok().filter(|_| is_number)?;
        Some(UnixMicros(seconds.checked_mul(1_000_000)?))
    };
    Some(View::Clip {
        from: moment(from)?,
        to: moment(to)?,
    })
}

/// A request with the schedule that it is about, and the assets that are known.
#[derive(Debug)]
pub(crate) struct Scheduled {
    wanted: Wanted,
    schedule: Arc<Schedule>,
    assets: Vec<Known>,
}

/// An asset's document, and how many bytes it was read from.
#[derive(Clone, Debug)]
struct Known {
    asset: Arc<Creative>,
    bytes: usize,
}

impl Scheduled {
    /// Takes the schedule that is in force, and what is remembered of assets.
    pub(crate) fn new(wanted: Wanted, schedule: Arc<Schedule>, memory: &Assets) -> Self {
        let mut scheduled = Self {
            wanted,
            schedule,
            assets: Vec::new(),
        };
        let names = scheduled.names();
        let known = memory.0.iter().filter(|known| names.contains(&known.asset.name));
        scheduled.assets = known.cloned().collect();
        scheduled
    }

    /// The batches that ask for the assets that are not known, no larger than a platform can answer at once.
    pub(crate) fn plans(&self) -> Vec<Plan> {
        let is_known = |name: &&CreativeName| self.assets.iter().any(|known| known.asset.name == **name);
        let names = self.names();
        let unknown = names.into_iter().filter(|name| !is_known(name));
        let wants: Vec<Want> = unknown.map(want).collect();
        let batches = wants.chunks(MAX_WANTS);
        batches
            .map(|wants| Plan {
                wants: wants.to_vec(),
            })
            .collect()
    }

    /// Takes the answers to a batch. What is none is asked for again the next time; until then gaps keep its place.
    pub(crate) fn learn<B>(&mut self, answers: Vec<Answer<B>>) {
        for answer in answers {
            let Answer::Origin(Ok(origin)) = answer else {
                continue;
            };
            if let (StatusCode::OK, Body::Bytes(body)) = (origin.status, origin.body)
                && let Ok(asset) = Creative::read(&body)
            {
                self.assets.push(Known {
                    asset: Arc::new(asset),
                    bytes: body.len(),
                });
            }
        }
    }

    /// What the viewer gets.
    pub(crate) fn answer<B>(&self) -> Answer<B> {
        let assets: Vec<Arc<Creative>> = self.assets.iter().map(|known| Arc::clone(&known.asset)).collect();
        let channel = Channel {
            schedule: &self.schedule,
            assets: &assets,
        };
        let Wanted { view, path, now, .. } = &self.wanted;
        let document = match &self.wanted.form {
            Form::Multivariant => channel.multivariant(),
            Form::Media(rendition) => channel.playlist(rendition, *view, path, *now),
            Form::Mpd => channel.mpd(*view, path, *now),
        };
        let kind = match &self.wanted.form {
            Form::Mpd => "application/dash+xml",
            Form::Multivariant | Form::Media(_) => "application/vnd.apple.mpegurl",
        };
        document.map_or_else(missing, |document| {
            answer(StatusCode::OK, Body::Bytes(document.into_bytes()), Some(kind))
        })
    }

    /// The assets that it takes.
    fn names(&self) -> BTreeSet<&CreativeName> {
        let mut names = BTreeSet::from([&self.schedule.ladder]);
        if self.wanted.form != Form::Multivariant {
            let timeline = self.schedule.timeline();
            let aired = self.wanted.view.segments(&timeline, self.wanted.now);
            let on_air: BTreeSet<&str> = aired.iter().map(|one| one.asset.as_str()).collect();
            let assets = self.schedule.assets.keys();
            let assets = assets.filter(|name| on_air.contains(name.as_str()));
            names.extend(assets.take(MAX_ASSETS));
        }
        names
    }
}

fn want(name: &CreativeName) -> Want {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Want::Origin(OriginRequest {
        method: Method::GET,
        target: format!("/creatives/{name}/{}", creative::DOCUMENT),
        headers,
        read: Read::Bytes { limit: MAX_ASSET },
    })
}

/// What the viewer gets of a channel that is not there.
pub(super) fn missing<B>() -> Answer<B> {
    answer(StatusCode::NOT_FOUND, Body::Empty, None)
}

/// As an origin would say it. The next window is another: nobody keeps this one.
fn answer<B>(status: StatusCode, body: Body<B>, kind: Option<&'static str>) -> Answer<B> {
    let mut headers = HeaderMap::new();
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Body::Bytes(bytes) = &body {
        headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    }
    Answer::Origin(Ok(OriginResponse {
        status,
        headers,
        body,
    }))
}

/// The documents of assets that this instance has seen. They never change, so remembering one spares a request and
/// nothing else.
#[derive(Debug, Default)]
pub(crate) struct Assets(VecDeque<Known>);

impl Assets {
    /// Takes note of what a request has learned; the oldest go.
    pub(crate) fn keep(&mut self, scheduled: Scheduled) {
        for known in scheduled.assets {
            if !self.0.iter().any(|other| other.asset.name == known.asset.name) {
                self.0.push_back(known);
            }
        }
        let mut bytes: usize = self.0.iter().map(|known| known.bytes).sum();
        while bytes > MAX_ASSET_BYTES
            && let Some(oldest) = self.0.pop_front()
        {
            bytes -= oldest.bytes;
        }
    }
}
