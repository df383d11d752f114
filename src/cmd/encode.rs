//! `selvedge encode`: starts the encoder, which is a program of its own because it links FFmpeg.

use std::{
    env,
    ffi::OsString,
    io,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

use crate::{failure::Failure, log::LogFormat};

/// The program's name, in this command's folder or on the `PATH`.
const ENCODER: &str = "selvedge-encoder";

/// All arguments go to `selvedge-encoder`; `selvedge encode -- --help` shows them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `test` or a media file, and the encoder's options, such as
    /// `test --push http://127.0.0.1:8080/ingest/news`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "INPUT")]
    arguments: Vec<OsString>,
}

pub(crate) fn run(args: Args, log_format: Option<LogFormat>) -> Result<ExitCode, Failure> {
    let mut command = Command::new(encoder());
    if let Some(format) = log_format {
        // First, so that the encoder's own arguments have the last word.
        command.args(["--log-format", format.argument()]);
    }
    // The encoder takes this process's place, so that signals and its exit code are its own.
    let error = command.args(args.arguments).exec();
    Err(not_started(&error))
}

/// The encoder beside this program, else whatever the `PATH` has.
pub(crate) fn encoder() -> PathBuf {
    env::current_exe()
        .ok()
        .and_then(|this| Some(this.parent()?.join(ENCODER)))
        .filter(|beside| beside.is_file())
        .unwrap_or_else(|| ENCODER.into())
}

/// Why there is no encoder, and what to do.
pub(crate) fn not_started(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::configuration(
            ENCODER,
            "is neither beside `selvedge` nor on the PATH: build it with `cargo build -p selvedge-encoder`",
        ),
        _ => Failure::run(ENCODER, error),
    }
}
