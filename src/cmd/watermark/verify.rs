//! `selvedge watermark verify`: evidence, derived once more.

use std::{fs::File, io, path::PathBuf, process::ExitCode};

use selvedge_watermark::evidence::Document;

use super::{detect::sha256, keys::Rules, read, wrong};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The document that `selvedge watermark detect --evidence` wrote
    evidence: PathBuf,

    /// The edge's site document, or its member `watermark` alone, with the key of the version that the evidence names
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,

    /// The recording: whether it is the one that the evidence is of
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let document: Document =
        serde_json::from_str(&read(&args.evidence)?).map_err(|error| wrong(&args.evidence, error))?;
    let rules = Rules::read(&args.keys)?;
    let (_, key) = rules.key(Some(document.code.key_version))?;
    if let Some(capture) = &args.capture {
        let mut file = File::open(capture).map_err(|error| wrong(capture, error))?;
        let digest = sha256(&mut file).map_err(|error: io::Error| wrong(capture, error))?;
        if digest != document.capture_sha256 {
            return Err(Failure::run(
                capture.display(),
                "is not the recording that the evidence is of",
            ));
        }
    }
    document
        .verify(key)
        .map_err(|error| Failure::run(args.evidence.display(), error))?;
    println!("{}", said(&document));
    Ok(ExitCode::SUCCESS)
}

fn said(document: &Document) -> String {
    let accused: Vec<&str> = document.accused.iter().map(|named| named.id.as_str()).collect();
    let whom = if accused.is_empty() {
        "nobody".to_owned()
    } else {
        accused.join(", ")
    };
    format!(
        "the evidence is sound: of {} sessions it accuses {whom}",
        document.audience
    )
}
