//! How a command ends that cannot go on.

use std::{fmt, process::ExitCode};

/// Why a command ends: one line for the person who typed it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for cannot be: the line names the key or argument and the fix. Exit code 2.
    Configuration(String),
    /// Something failed on the way. Exit code 1.
    Run(String),
}

impl Failure {
    /// A wrong key or argument, and what it should be.
    pub(crate) fn configuration(key: impl fmt::Display, fix: impl fmt::Display) -> Self {
        Self::Configuration(format!("{key}: {fix}"))
    }

    /// What was being done when what went wrong.
    pub(crate) fn run(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Run(format!("{doing}: {error}"))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration(_) => ExitCode::from(2),
            Self::Run(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Configuration(line) | Self::Run(line)) = self;
        // Whatever a library says over several lines becomes one.
        f.write_str(&line.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}
