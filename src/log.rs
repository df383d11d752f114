//! Log lines, on standard error.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Human,
    /// One JSON object a line
    Json,
}

impl LogFormat {
    /// The argument that asks the encoder for the same.
    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

/// Starts logging. `RUST_LOG` chooses what is logged (`info` by default).
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // To whom it would tell of a log that cannot be written nobody listens either: saying so would end the thread.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Human => lines.compact().with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
