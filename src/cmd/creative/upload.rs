//! A creative's files to an origin: the document last, so that what is there is whole.

use std::path::Path;

use reqwest::StatusCode;
use selvedge_breaks::{
    Creative,
    creative::{DOCUMENT, Rendition},
};

use super::Door;
use crate::failure::Failure;

/// Gives an origin what lies in a folder. The same creative may be given again.
pub(super) async fn run(folder: &Path, door: &Door) -> Result<Creative, Failure> {
    let creative = read(folder).await?;
    for rendition in creative.renditions.values() {
        let media = rendition.media();
        let kind = match rendition {
            Rendition::Video(_) => "video/mp4",
            Rendition::Audio(_) => "audio/mp4",
        };
        let segments = media.segments.iter().map(|segment| &segment.uri);
        for path in media.init.iter().chain(segments) {
            put(folder, &creative, path, kind, door).await?;
        }
    }
    put(folder, &creative, DOCUMENT, "application/json", door).await?;
    tracing::info!(creative = %creative.name, seconds = %creative.duration, "creative given to the origin");
    Ok(creative)
}

/// Reads the document in a folder.
pub(super) async fn read(folder: &Path) -> Result<Creative, Failure> {
    let path = folder.join(DOCUMENT);
    let document = tokio::fs::read(&path)
        .await
        .map_err(|error| Failure::run(path.display(), error))?;
    Creative::read(&document).map_err(|faults| Failure::run(path.display(), faults))
}

async fn put(
    folder: &Path,
    creative: &Creative,
    path: &str,
    kind: &'static str,
    door: &Door,
) -> Result<(), Failure> {
    let file = folder.join(path);
    let bytes = tokio::fs::read(&file)
        .await
        .map_err(|error| Failure::run(file.display(), error))?;
    let what = format!("creatives/{}/{path}", creative.name);
    let answer = door.put(&what, kind, bytes).await?;
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::CONFLICT => Err(Failure::run(
            what,
            "another creative has this name already, and none ever changes: choose another with --name",
        )),
        _ => Err(door.refused(&what, &answer)),
    }
}
