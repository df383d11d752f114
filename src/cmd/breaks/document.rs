//! A document that somebody wrote, and all that is wrong with it.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use selvedge_breaks::{Rules, Schedule, document::Faults};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::place::place;
use crate::failure::Failure;

/// A file of rules or of a schedule, or standard input.
#[derive(Debug)]
pub(super) struct Document {
    /// As it was named.
    pub(super) path: PathBuf,
    /// As it was written.
    pub(super) json: Vec<u8>,
}

/// A fault and its place in the file.
#[derive(Debug, Serialize)]
pub(super) struct Placed {
    /// JSON pointer; empty for the document as a whole.
    pub(super) at: String,
    /// Counted from one.
    pub(super) line: usize,
    /// Counted from one, in letters.
    pub(super) column: usize,
    /// What is wrong.
    pub(super) message: String,
}

impl Document {
    /// Reads a file; `-` is standard input.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let mut json = Vec::new();
        let read = if path == Path::new("-") {
            std::io::stdin().read_to_end(&mut json).map(|_| ())
        } else {
            fs::read(path).map(|bytes| json = bytes)
        };
        read.map_err(|error| Failure::configuration(path.display(), error))?;
        let path = path.to_owned();
        Ok(Self { path, json })
    }

    /// The rules, or all their faults, each with its place.
    pub(super) fn rules(&self) -> Result<Rules, Vec<Placed>> {
        Rules::read(&self.json).map_err(|faults| self.placed(&faults))
    }

    /// The schedule, or all its faults, each with its place; `None` where the document is none, but rules.
    pub(super) fn schedule(&self) -> Option<Result<Schedule, Vec<Placed>>> {
        #[derive(Deserialize)]
        struct Told {
            runs: Option<IgnoredAny>,
            ladder: Option<IgnoredAny>,
        }
        let told: Told = serde_json::from_slice(&self.json).ok()?;
        let is_one = told.runs.is_some() || told.ladder.is_some();
        is_one.then(|| Schedule::read(&self.json).map_err(|faults| self.placed(&faults)))
    }

    fn placed(&self, faults: &Faults) -> Vec<Placed> {
        // What is no JSON has a place that its reader knows.
        let broken = serde_json::from_slice::<IgnoredAny>(&self.json).err();
        let text = String::from_utf8_lossy(&self.json);
        let placed = |fault: &selvedge_breaks::document::Fault| {
            let (line, column) = match &broken {
                Some(error) => (error.line().max(1), error.column().max(1)),
                None => place(&text, &fault.place),
            };
            Placed {
                at: fault.place.clone(),
                line,
                column,
                message: fault.what.clone(),
            }
        };
        let mut placed: Vec<_> = faults.iter().map(placed).collect();
        placed.sort_by_key(|one| (one.line, one.column));
        placed
    }

    /// A line for each fault, as compilers write them, so that editors find the place.
    pub(super) fn told(&self, faults: &[Placed]) -> String {
        let line = |one: &Placed| {
            let at = if one.at.is_empty() { "document" } else { &one.at };
            format!(
                "{}:{}:{}: {at}: {}\n",
                self.path.display(),
                one.line,
                one.column,
                one.message
            )
        };
        faults.iter().map(line).collect()
    }
}
