//! `selvedge watermark`

mod archive;
mod detect;
mod keys;
mod picture;
mod plan;
mod sessions;
mod verify;

use std::{fmt, fs, path::Path, process::ExitCode};

use clap::Subcommand;

use crate::{failure::Failure, log::LogFormat};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say how long a recording must be to name who leaked it
    ///
    /// Simulates coalitions that mix what they got in five ways, and prints for each how many segments of their recording
    /// name one of them. The odds of accusing somebody innocent are a bound, and no simulation.
    Plan(plan::Args),
    /// Find out whose sessions a recording was made of (starts `selvedge-encoder`)
    ///
    /// Compares the recording with the variants that the channel's viewers were sent, and its bits with the sessions'. Says
    /// who is accused, and at what odds anybody innocent would be.
    Detect(detect::Args),
    /// Check a document of evidence: derive what it says once more
    Verify(verify::Args),
}

pub(crate) async fn run(command: Command, log_format: Option<LogFormat>) -> Result<ExitCode, Failure> {
    match command {
        Command::Plan(args) => plan::run(&args),
        Command::Detect(args) => detect::run(&args, log_format).await,
        Command::Verify(args) => verify::run(&args),
    }
}

/// Reads a file. An error names it.
fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| wrong(path, error))
}

/// What is wrong with a file, as a failure that names it.
fn wrong(path: &Path, error: impl fmt::Display) -> Failure {
    Failure::configuration(path.display(), error)
}
