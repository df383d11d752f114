//! Files of keys: private ones are written once and never over another, sets are replaced whole.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde_json::Value;

use crate::failure::Failure;

/// Reads a JSON document. An error names the file, the place and what is wrong there.
pub(super) fn read_json(path: &Path) -> Result<Value, Failure> {
    let text = fs::read_to_string(path).map_err(|error| wrong(path, error))?;
    serde_json::from_str(&text).map_err(|error| wrong(path, error))
}

/// Writes a file that did not exist, readable by its owner alone.
pub(super) fn write_new(path: &Path, json: &Value) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            writeln!(file, "{json:#}")?;
            file.sync_all()
        })
        .map_err(|error| wrong(path, error))
}

/// Replaces a file at once: who reads it sees the old one or the new one, whole. It is readable by its owner
/// alone.
pub(super) fn replace(path: &Path, json: &Value) -> Result<(), Failure> {
    // A link stays a link: what it points to is replaced.
    let path = fs::canonicalize(path).map_err(|error| wrong(path, error))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        writeln!(file, "{json:#}")?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        fs::File::open(folder)?.sync_all()
    });
    written.map_err(|error| wrong(&path, error))
}

/// What is wrong with a file, as a failure that names it.
pub(super) fn wrong(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::configuration(path.display(), error)
}
