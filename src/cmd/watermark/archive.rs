//! What viewers were sent, from a folder or from an origin.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{Client, StatusCode, Url};
use selvedge_watermark::pace::{Variant, sidecar_path};
use tempfile::TempDir;

use crate::{
    cmd::http::{self, client, door, send, variable_of},
    failure::Failure,
};

/// The channel's files, as the encoder's detector reads them. What was fetched is gone with this.
pub(super) struct Archive {
    folder: PathBuf,
    _fetched: Option<TempDir>,
}

/// A rendition of a multivariant playlist.
#[derive(Debug, Eq, PartialEq)]
struct Rendition {
    width: u32,
    playlist: String,
}

/// What opens an origin's variants: `edge_token` of its configuration.
const ORIGIN_TOKEN: &str = "ORIGIN_TOKEN";

/// How long a segment may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A rendition's width from which on nothing is gained by a larger one.
const ENOUGH: u32 = 640;

impl Archive {
    /// Opens a folder, or fetches what an origin has of a channel.
    pub(super) async fn open(from: &str, channel: &str, rendition: Option<&str>) -> Result<Self, Failure> {
        if from.starts_with("http://") || from.starts_with("https://") {
            return fetch(from, channel, rendition).await;
        }
        let archive = Path::new(from);
        let folder = [archive.join("live").join(channel), archive.join(channel)]
            .into_iter()
            .find(|folder| folder.is_dir());
        Ok(Self {
            folder: folder.unwrap_or_else(|| archive.to_owned()),
            _fetched: None,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// An origin's files.
struct Door {
    client: Client,
    token: Option<String>,
}

impl Door {
    /// A file; nothing where there is none.
    async fn get(&self, url: &Url) -> Result<Option<Vec<u8>>, Failure> {
        let mut request = self.client.get(url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = send(request).await.map_err(|error| Failure::run(url, error))?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::configuration(
                url,
                format!(
                    "{}: set {ORIGIN_TOKEN} to the origin's edge_token",
                    answer.complaint()
                ),
            )),
            _ => Err(Failure::run(url, answer.complaint())),
        }
    }

    async fn playlist(&self, url: &Url) -> Result<String, Failure> {
        let body = self.get(url).await?;
        let body = body.ok_or_else(|| Failure::run(url, "is not there"))?;
        String::from_utf8(body).map_err(|error| Failure::run(url, error))
    }
}

async fn fetch(origin: &str, channel: &str, rendition: Option<&str>) -> Result<Archive, Failure> {
    let token = variable_of(ORIGIN_TOKEN);
    let base = door(origin, token.is_some()).map_err(|_| {
        Failure::configuration("--archive", format!("{origin} is no origin that may get a token"))
    })?;
    let client = client(&base, PATIENCE)?;
    let door = Door { client, token };
    let wrong = |error| Failure::configuration("--archive", error);
    let channel = http::segment(channel);
    let multivariant = Url::parse(&format!("{base}/live/{channel}/index.m3u8")).map_err(wrong)?;
    let mut playlist = rendition.map(|name| format!("{}/index.m3u8", http::segment(name)));
    if playlist.is_none() {
        playlist = chosen(&renditions(&door.playlist(&multivariant).await?));
    }
    let playlist = playlist.ok_or_else(|| Failure::run(&multivariant, "names no renditions"))?;
    let playlist = multivariant.join(&playlist).map_err(wrong)?;
    let folder = tempfile::tempdir().map_err(|error| Failure::run("a folder for the archive", error))?;
    let name = playlist.path_segments().and_then(|mut names| names.nth_back(1));
    let target = folder.path().join(name.unwrap_or("rendition"));
    let keep = |file: &str, bytes: &[u8]| -> Result<(), Failure> {
        let path = target.join(file);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&path, bytes))
            .map_err(|error| Failure::run(path.display(), error))
    };
    let (init, segments) = media(&door.playlist(&playlist).await?);
    let init = init.ok_or_else(|| Failure::run(&playlist, "names no init segment"))?;
    let init_url = playlist.join(&init).map_err(wrong)?;
    let bytes = door.get(&init_url).await?;
    keep(
        "init.mp4",
        &bytes.ok_or_else(|| Failure::run(&init_url, "is not there"))?,
    )?;
    let mut count = 0;
    for segment in &segments {
        // The archive's names are the files', wherever the playlist has them.
        let file = segment.rsplit('/').next().unwrap_or(segment);
        let at = |path: &str| playlist.join(path).map_err(wrong);
        let Some(b) = door.get(&at(&Variant::B.path(segment))?).await? else {
            continue;
        };
        // What falls out of the window meanwhile is gone in both.
        let Some(a) = door.get(&at(segment)?).await? else {
            continue;
        };
        if let Some(sidecar) = door.get(&at(&sidecar_path(segment))?).await? {
            keep(&sidecar_path(file), &sidecar)?;
        }
        keep(&Variant::B.path(file), &b)?;
        keep(file, &a)?;
        count += 1;
    }
    if count == 0 {
        return Err(Failure::run(
            &playlist,
            "has no segments of which there is another variant",
        ));
    }
    tracing::info!(%playlist, segments = count, "archive fetched");
    Ok(Archive {
        folder: folder.path().to_owned(),
        _fetched: Some(folder),
    })
}

/// The renditions with a picture.
fn renditions(playlist: &str) -> Vec<Rendition> {
    let mut found = Vec::new();
    let mut width = None;
    for line in playlist.lines() {
        if let Some(attributes) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            width = attributes
                .split(',')
                .find_map(|attribute| attribute.strip_prefix("RESOLUTION="))
                .and_then(|size| size.split('x').next()?.parse().ok());
        } else if !line.starts_with('#')
            && !line.is_empty()
            && let Some(width) = width.take()
        {
            found.push(Rendition {
                width,
                playlist: line.to_owned(),
            });
        }
    }
    found
}

/// The smallest that is wide enough, else the widest.
fn chosen(renditions: &[Rendition]) -> Option<String> {
    let enough = renditions.iter().filter(|rendition| rendition.width >= ENOUGH);
    let found = enough
        .min_by_key(|rendition| rendition.width)
        .or_else(|| renditions.iter().max_by_key(|rendition| rendition.width));
    found.map(|rendition| rendition.playlist.clone())
}

/// The init segment and the segments of a media playlist.
fn media(playlist: &str) -> (Option<String>, Vec<String>) {
    let init = playlist.lines().find_map(|line| {
        let attributes = line.strip_prefix("#EXT-X-MAP:")?;
        let (_, uri) = attributes.split_once("URI=\"")?;
        Some(uri.split_once('"')?.0.to_owned())
    });
    let segments = playlist
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(str::to_owned);
    (init, segments.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_rendition_that_is_wide_enough_is_fetched() {
        let playlist = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1280x720,CODECS=\"a,b\"\nv720/index.m3u8\n\
                        #EXT-X-STREAM-INF:RESOLUTION=848x480\nv480/index.m3u8\n\
                        #EXT-X-STREAM-INF:BANDWIDTH=1\naudio/index.m3u8\n#EXT-X-STREAM-INF:RESOLUTION=480x270\nv270/index.m3u8\n";
        let found = renditions(playlist);
        assert_eq!(found.len(), 3);
        assert_eq!(chosen(&found).as_deref(), Some("v480/index.m3u8"));
        assert_eq!(chosen(&found[2..]).as_deref(), Some("v270/index.m3u8"));
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn a_media_playlist_names_an_init_segment_and_segments() {
        let playlist = "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXTINF:1.92,\n\
                        10.m4s\n#EXTINF:1.92,\n11.m4s\n#EXT-X-PART:URI=\"12.0.m4s\"\n";
        let (init, segments) = media(playlist);
        assert_eq!(init.as_deref(), Some("init.mp4"));
        assert_eq!(segments, ["10.m4s", "11.m4s"]);
    }
}
