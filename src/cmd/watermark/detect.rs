//! `selvedge watermark detect`: whose sessions a recording was made of.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use selvedge_watermark::{
    evidence::{Case, Document, Named},
    pace::CYCLE,
    recording::Recording,
    soft::Verdict,
};
use tokio::process::Command;

use super::{archive::Archive, keys::KeyArgs, picture, sessions::SessionArgs, wrong};
use crate::{
    cmd::encode::{encoder, not_started},
    failure::Failure,
    log::LogFormat,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recording: anything that FFmpeg opens
    capture: PathBuf,

    /// What viewers were sent: a folder with the channel's renditions, segments of variant A in each and of variant B in its
    /// folder `b`; or the URL of the origin, which takes ORIGIN_TOKEN from the environment
    #[arg(long, value_name = "FOLDER|URL")]
    archive: String,

    /// The channel, as in `/live/CHANNEL/`
    #[arg(long)]
    channel: String,

    /// The rendition to compare with [default: the smallest of at least 640 pixels]
    #[arg(long)]
    rendition: Option<String>,

    /// When what the recording begins with was sent, in seconds since 1970, where that is known: of pictures that were sent
    /// more than once it says which
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    at: Option<f64>,

    /// With --at: how many seconds earlier or later it may have been
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    within: f64,

    #[command(flatten)]
    keys: KeyArgs,

    #[command(flatten)]
    sessions: SessionArgs,

    /// After how many bits the sessions' patterns begin again (`wmpatlen`)
    #[arg(long, value_name = "BITS", default_value_t = CYCLE)]
    bits: u16,

    /// The odds that anybody innocent of all sessions is accused
    #[arg(long, value_name = "ODDS", default_value_t = 1e-6)]
    false_accusation: f64,

    /// Write what was found to this file, for `selvedge watermark verify`
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,

    /// Draw the segments and the scores into this file, in SVG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

pub(crate) async fn run(args: &Args, log_format: Option<LogFormat>) -> Result<ExitCode, Failure> {
    // Before the work: what is wrong with any of it makes it useless.
    let rules = args.keys.rules()?;
    let code = args.keys.code(&rules, &args.channel, args.bits)?;
    let (_, key) = rules.key(Some(code.key_version))?;
    let audience = args.sessions.audience()?;
    let archive = Archive::open(&args.archive, &args.channel, args.rendition.as_deref()).await?;
    let recording = read(args, archive.folder(), log_format).await?;
    let case = Case {
        channel: args.channel.clone(),
        recording,
        code,
        audience: audience.len(),
        false_accusation: args.false_accusation,
    };
    let tried = |error| Failure::configuration("watermark detect", error);
    let trial = case.trial(key).map_err(tried)?;
    let (found, histogram) = audience.compare(&trial);
    let made_by = concat!("selvedge ", env!("CARGO_PKG_VERSION"));
    let document = case.document(key, made_by, found).map_err(tried)?;
    print!("{}", report(&document));
    if let Some(path) = &args.evidence {
        let json = serde_json::to_string_pretty(&document).map_err(|error| wrong(path, error))?;
        fs::write(path, json + "\n").map_err(|error| wrong(path, error))?;
    }
    if let Some(path) = &args.picture {
        fs::write(path, picture::svg(&document, &trial, &histogram)).map_err(|error| wrong(path, error))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Has the encoder, which knows pictures, read the recording.
async fn read(args: &Args, archive: &Path, log_format: Option<LogFormat>) -> Result<Recording, Failure> {
    let mut command = Command::new(encoder());
    command.arg("detect").arg("--archive").arg(archive);
    if let Some(rendition) = &args.rendition {
        command.args(["--rendition", rendition]);
    }
    if let Some(at) = args.at {
        command.args(["--at", &at.to_string(), "--within", &args.within.to_string()]);
    }
    if let Some(format) = log_format {
        command.args(["--log-format", format.argument()]);
    }
    command.arg("--").arg(&args.capture);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| not_started(&error))?;
    if !output.status.success() {
        return Err(Failure::run(
            args.capture.display(),
            "the recording could not be compared",
        ));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| Failure::run("the detector's answer", error))
}

/// What there is to say, for people.
fn report(document: &Document) -> String {
    let count = |verdict: Verdict| {
        let read = document.segments.iter();
        read.filter(|read| read.verdict == verdict.name()).count()
    };
    let mut out = format!(
        "{} segments measured in {:.0} s: {} of variant A, {} of B, {} erased, {} blended; {:.0} % of the mark is left\n",
        document.segments.len(),
        document.capture_seconds,
        count(Verdict::A),
        count(Verdict::B),
        count(Verdict::Erased),
        count(Verdict::Blended),
        document.strength * 100.0
    );
    for named in &document.accused {
        out += &format!(
            "accused: {} (operator {}), the odds that it is anybody innocent of {} are below {:.1e}; {}\n",
            named.id,
            named.operator,
            document.audience,
            named.false_accusation(document.audience),
            standing(named, document)
        );
    }
    if document.accused.is_empty() {
        out += &format!(
            "nobody is accused at odds of {:e} for {} sessions\n",
            document.false_accusation, document.audience
        );
    }
    if let Some(next) = &document.next {
        out += &format!(
            "highest of the others: {} (operator {}); {}\n",
            next.id,
            next.operator,
            standing(next, document)
        );
    }
    out
}

fn standing(named: &Named, document: &Document) -> String {
    let told = document.segments.iter().filter(|read| {
        [Verdict::A, Verdict::B]
            .iter()
            .any(|told| read.verdict == told.name())
    });
    let limit = |at: usize| match document.limits.get(at) {
        Some(Some(limit)) => format!("{limit:.1}"),
        _ => "none".to_owned(),
    };
    let [symmetric, likelihood] = named.scores;
    format!(
        "{} of {} bits, scores {symmetric:.1} and {likelihood:.1}, limits {} and {}",
        named.agrees,
        told.count(),
        limit(0),
        limit(1)
    )
}

/// SHA-256 of all that is read, in hexadecimal.
pub(super) fn sha256(from: &mut impl Read) -> io::Result<String> {
    use sha2::Digest as _;

    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(buffer.get(..count).unwrap_or_default());
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
