//! Creatives: uploaded file by file, whole once their document is there, and never changed from then on.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use selvedge_breaks::{
    Creative,
    creative::{CreativeName, DOCUMENT, Rendition},
    decision::Media,
    document::Faults,
};

use super::super::answer::{Freshness, object, text};
use super::super::live::HLS;
use super::super::manifest::DASH;
use super::super::{Named, Origin};
use super::Desk;
use super::guard::Operator;
use crate::Error;
use crate::store::CREATIVES;

/// A file of a creative, for anybody; or a playlist of its own, which nobody uploads.
pub(super) async fn file(
    State(origin): State<Origin>,
    Named((name, file)): Named<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let unknown = || Error::UnknownCreative {
        name: format!("{name}/{file}"),
    };
    let creative = origin.creative(&name).await?.ok_or_else(unknown)?;
    let Some(kind) = media_type(&creative, &file) else {
        let (text, kind) = document(&creative, &file).ok_or_else(unknown)?;
        let answer = object(&headers, text.into(), kind, Freshness::Slow, "");
        return Ok(origin.public(answer));
    };
    let body = origin.0.store.read(&path_of(&name, &file)).await?;
    let body = body.ok_or_else(unknown)?;
    let tag = format!("{name}-{}", file.replace('/', "-"));
    Ok(origin.public(object(&headers, body, kind, Freshness::Immutable, &tag)))
}

pub(super) async fn list(_: Operator, State(origin): State<Origin>) -> Result<Response, Error> {
    let creatives = origin.0.desk.creatives();
    let all: Vec<&Creative> = creatives.values().map(AsRef::as_ref).collect();
    let json = serde_json::to_string(&all).unwrap_or_default();
    Ok(text(json, "application/json"))
}

pub(super) async fn upload(
    _: Operator,
    State(origin): State<Origin>,
    Named((name, file)): Named<(String, String)>,
    body: Body,
) -> Result<StatusCode, Error> {
    let is_path = CreativeName::new(&name).is_some() && file.split('/').all(is_component);
    if !is_path || file.len() > MAX_PATH {
        return Err(Error::UnknownCreative {
            name: format!("{name}/{file}"),
        });
    }
    let bytes = whole(body, origin.0.config.limits.segment_bytes).await?;
    let _alone = origin.0.desk.adding.lock().await;
    let is_whole = origin.0.desk.creatives().contains_key(&name);
    if is_whole {
        let known = origin.0.store.read(&path_of(&name, &file)).await?;
        return match known.is_some_and(|known| known == bytes) {
            true => Ok(StatusCode::NO_CONTENT),
            false => Err(Error::Conflict {
                reason: format!(
                    "the creative {name} is there and never changes: give the new one another name"
                ),
            }),
        };
    }
    if file == DOCUMENT {
        origin.add(&name, &bytes).await?;
    } else {
        origin.0.store.write(&path_of(&name, &file), bytes).await?;
    }
    Ok(StatusCode::CREATED)
}

pub(super) async fn remove(
    _: Operator,
    State(origin): State<Origin>,
    Named(name): Named<String>,
) -> Result<StatusCode, Error> {
    let _alone = origin.0.desk.adding.lock().await;
    if let Some(channel) = origin.0.desk.channel_with(&name) {
        return Err(Error::Conflict {
            reason: format!(
                "the rules of channel {channel} name the creative {name}: take it out of them first"
            ),
        });
    }
    let mut creatives = BTreeMap::clone(&origin.0.desk.creatives());
    if creatives.remove(&name).is_none() || CreativeName::new(&name).is_none() {
        return Err(Error::UnknownCreative { name });
    }
    // The document first: without it there is no creative, whatever else is left.
    origin.0.store.remove_file(&path_of(&name, DOCUMENT)).await?;
    origin.0.desk.set_creatives(creatives);
    origin.0.store.remove_below(&[CREATIVES, &name]).await?;
    tracing::info!(creative = name, reason = "creative", "creative removed");
    Ok(StatusCode::NO_CONTENT)
}

impl Origin {
    /// A creative; one that was given to another origin on the same store is read from there.
    pub(super) async fn creative(&self, name: &str) -> Result<Option<Arc<Creative>>, Error> {
        if let Some(known) = self.0.desk.creatives().get(name) {
            return Ok(Some(Arc::clone(known)));
        }
        if CreativeName::new(name).is_none() {
            return Ok(None);
        }
        let json = self.0.store.read(&path_of(name, DOCUMENT)).await?;
        let Some(creative) = json.and_then(|json| Creative::read(&json).ok()) else {
            return Ok(None);
        };
        let creative = Arc::new(creative);
        let _alone = self.0.desk.adding.lock().await;
        let mut creatives = BTreeMap::clone(&self.0.desk.creatives());
        creatives.insert(name.to_owned(), Arc::clone(&creative));
        self.0.desk.set_creatives(creatives);
        Ok(Some(creative))
    }

    /// Makes a creative of what was uploaded, where its document says what is there.
    async fn add(&self, name: &str, json: &Bytes) -> Result<(), Error> {
        let refuse = |faults: &Faults| Error::faults(faults);
        let creative = Creative::read(json).map_err(|faults| refuse(&faults))?;
        if creative.name.as_str() != name {
            return Err(Error::fault(
                "/creative",
                format!("is {}, and the folder is {name}", creative.name),
            ));
        }
        let mut faults = Vec::new();
        for (place, path, told) in places(&creative) {
            match self.0.store.size(&path_of(name, path)).await? {
                None => faults.push((place, format!("names {path}, which was not uploaded"))),
                Some(size) if told.is_some_and(|told| told != size) => {
                    faults.push((
                        place,
                        format!("names {path}, which has {size} bytes: its parts say otherwise"),
                    ));
                }
                Some(_) => {}
            }
            if faults.len() >= MAX_FAULTS {
                break;
            }
        }
        if !faults.is_empty() {
            return Err(Error::Faults { faults });
        }
        self.0.store.write(&path_of(name, DOCUMENT), json.clone()).await?;
        let mut creatives = BTreeMap::clone(&self.0.desk.creatives());
        tracing::info!(
            creative = name,
            duration_us = creative.duration.0,
            reason = "creative",
            "creative added"
        );
        creatives.insert(name.to_owned(), Arc::new(creative));
        self.0.desk.set_creatives(creatives);
        Ok(())
    }
}

impl Desk {
    /// A channel whose rules name a creative.
    fn channel_with(&self, creative: &str) -> Option<String> {
        let rules = self
            .rules
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let names = |fill: &selvedge_breaks::rules::Fill| {
            let mut items = fill.pod.iter().chain(&fill.slate);
            items.any(|item| item.creative.as_str() == creative)
        };
        let mut all = rules.iter();
        all.find(|(_, ruled)| names(&ruled.rules.fill))
            .map(|(channel, _)| channel.clone())
    }
}

/// The files that a creative's document names: where, what, and how many bytes they have, where that is told.
fn places(creative: &Creative) -> Vec<(String, &str, Option<u64>)> {
    let mut places = Vec::new();
    for (rendition, described) in &creative.renditions {
        let Media { init, segments } = described.media();
        let below = format!("/renditions/{rendition}/media");
        places.extend(
            init.iter()
                .map(|path| (format!("{below}/init"), path.as_str(), None)),
        );
        places.extend(segments.iter().enumerate().map(|(index, segment)| {
            let bytes = segment.parts.iter().map(|part| part.bytes);
            let told = (!segment.parts.is_empty()).then(|| bytes.fold(0, u64::saturating_add));
            (format!("{below}/segments/{index}"), segment.uri.as_str(), told)
        }));
    }
    places
}

/// The media type of a file that a creative's document names, or of that itself.
fn media_type(creative: &Creative, file: &str) -> Option<&'static str> {
    if file == DOCUMENT {
        return Some("application/json");
    }
    creative.renditions.values().find_map(|rendition| {
        let media = rendition.media();
        let is_init = media.init.as_deref() == Some(file);
        let is_named = is_init || media.segments.iter().any(|segment| segment.uri == file);
        is_named.then_some(match rendition {
            Rendition::Video(_) => "video/mp4",
            Rendition::Audio(_) => "audio/mp4",
        })
    })
}

/// What is written from a creative's document alone: its playlists and its MPD.
fn document(creative: &Creative, file: &str) -> Option<(String, &'static str)> {
    match file {
        "index.m3u8" => Some((creative.multivariant(), HLS)),
        "manifest.mpd" => Some((creative.manifest(), DASH)),
        file => Some((creative.playlist(file.strip_suffix("/index.m3u8")?)?, HLS)),
    }
}

/// A body of at most `limit` bytes.
async fn whole(mut body: Body, limit: u64) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let received = bytes.len() as u64;
        let frame = frame.map_err(|_| Error::BrokenBody { received })?;
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() as u64 > limit {
            return Err(Error::Limit {
                what: "the file",
                limit,
                key: "limits.segment_bytes",
            });
        }
    }
    Ok(bytes.freeze())
}

fn path_of<'p>(name: &'p str, file: &'p str) -> Vec<&'p str> {
    let mut path = vec![CREATIVES, name];
    path.extend(file.split('/'));
    path
}

fn is_component(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_letter)
}

const MAX_PATH: usize = 256;
const MAX_FAULTS: usize = 100;
