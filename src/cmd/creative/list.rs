//! What an origin has.

use selvedge_breaks::{Creative, creative::Rendition};

use super::Door;
use crate::failure::Failure;

/// Prints a line for each creative, by name: seconds, segments, renditions.
pub(super) async fn run(door: &Door) -> Result<(), Failure> {
    let answer = door.get("creatives").await?;
    if !answer.status.is_success() {
        return Err(door.refused("creatives", &answer));
    }
    let mut creatives: Vec<Creative> =
        serde_json::from_slice(&answer.body).map_err(|error| Failure::run("the origin's answer", error))?;
    creatives.sort_by(|one, other| one.name.cmp(&other.name));
    for creative in &creatives {
        println!("{}", line(creative));
    }
    Ok(())
}

fn line(creative: &Creative) -> String {
    let mut renditions: Vec<_> = creative.renditions.values().collect();
    renditions.sort_by_key(|rendition| match rendition {
        Rendition::Video(video) => (0, u32::MAX - video.height),
        Rendition::Audio(_) => (1, 0),
    });
    let names = renditions.iter().map(|rendition| match rendition {
        Rendition::Video(video) => format!("{}x{}", video.width, video.height),
        Rendition::Audio(audio) => audio.codecs.clone(),
    });
    let segments = renditions
        .first()
        .map_or(0, |rendition| rendition.media().segments.len());
    format!(
        "{}  {} s  {segments} segments  {}",
        creative.name,
        creative.duration,
        names.collect::<Vec<_>>().join(" ")
    )
}
