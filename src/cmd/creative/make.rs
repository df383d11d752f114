//! Making creatives, through the encoder.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use selvedge_breaks::{Creative, CreativeName};
use tokio::process::Command;

use super::{Door, OriginArgs, upload};
use crate::{
    cmd::encode::{encoder, not_started},
    failure::Failure,
    log::LogFormat,
};

/// What is made of a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// The ad
    file: PathBuf,
    /// What it is known by: lower-case letters, digits and . _ -
    #[arg(long)]
    name: String,
    /// Keep the file's own length: the last segment takes what is left
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    how: How,
}

/// What a slate is made of.
#[derive(Debug, clap::Args)]
pub(crate) struct Slate {
    /// What it is known by: lower-case letters, digits and . _ -
    #[arg(long, default_value = "slate")]
    name: String,
    /// What it shows; without one, its name
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// How long a round of it is; whole segments are made
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    #[command(flatten)]
    how: How,
}

/// For which channel, and where to.
#[derive(Debug, clap::Args)]
struct How {
    /// Configuration of the channel's encoder: its ladder and cadence are the creative's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Renditions, best first [default: the encoder's]
    #[arg(long, value_name = "WxH@RATE,...")]
    ladder: Option<String>,
    /// Frames a second [default: the encoder's]
    #[arg(long)]
    fps: Option<u32>,
    /// libx264's preset [default: medium]
    #[arg(long)]
    preset: Option<String>,
    /// Keep the files here; without --origin they go nowhere else
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    origin: OriginArgs,
}

pub(super) async fn add(add: Add, log_format: Option<LogFormat>) -> Result<(), Failure> {
    let mut arguments = Vec::new();
    if add.exact {
        arguments.push("--exact".into());
    }
    make(&add.file, &add.name, arguments, add.how, log_format).await
}

pub(super) async fn slate(slate: Slate, log_format: Option<LogFormat>) -> Result<(), Failure> {
    let arguments = vec!["--duration".into(), slate.seconds.to_string().into()];
    let input = slate.picture.as_deref().unwrap_or_else(|| Path::new("test"));
    make(input, &slate.name, arguments, slate.how, log_format).await
}

async fn make(
    input: &Path,
    name: &str,
    mut arguments: Vec<OsString>,
    how: How,
    log_format: Option<LogFormat>,
) -> Result<(), Failure> {
    let name =
        CreativeName::try_from(name.to_owned()).map_err(|fix| Failure::configuration("--name", fix))?;
    // Before the work: a door that cannot be opened makes it useless.
    let door = match (&how.out, &how.origin.origin) {
        (Some(_), None) => None,
        _ => Some(Door::open(how.origin.origin.clone())?),
    };
    let scratch = tempfile::tempdir().map_err(|error| Failure::run("a folder for the creative", error))?;
    let folder = how.out.as_deref().unwrap_or_else(|| scratch.path());
    let folder = std::path::absolute(folder).map_err(|error| Failure::run(folder.display(), error))?;
    let url = reqwest::Url::from_file_path(&folder)
        .map_err(|()| Failure::configuration("--out", "is no folder's path"))?;
    arguments.extend([
        "--creative".into(),
        name.as_str().into(),
        "--push".into(),
        url.as_str().into(),
    ]);
    let options = [
        ("--config", how.config.map(PathBuf::into_os_string)),
        ("--ladder", how.ladder.map(Into::into)),
        ("--fps", how.fps.map(|fps| fps.to_string().into())),
        ("--preset", how.preset.map(Into::into)),
        ("--log-format", log_format.map(|format| format.argument().into())),
    ];
    for (option, value) in options {
        arguments.extend(value.into_iter().flat_map(|value| [option.into(), value]));
    }
    let status = Command::new(encoder())
        .args(arguments)
        .arg("--")
        .arg(input)
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|error| not_started(&error))?;
    if !status.success() {
        return Err(Failure::run("the encoder ended", status));
    }
    let creative = match door {
        Some(door) => upload::run(&folder, &door).await?,
        None => upload::read(&folder).await?,
    };
    tell(&creative);
    Ok(())
}

/// What to write into a channel's rules: a slot is as long as its creative.
fn tell(creative: &Creative) {
    let millis = creative.duration.0 / 1000;
    println!(
        "{{ \"creative\": \"{}\", \"duration_ms\": {millis} }}",
        creative.name
    );
}
