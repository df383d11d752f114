//! Rules in files: `<folder>/breaks/<channel>.json`, or one file by its own name.

use std::{
    fmt, fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::Held;
use crate::cmd::http::Trouble;

/// A folder, as a web server or a synchronised disk has it; or a file.
#[derive(Debug)]
pub(in crate::cmd::breaks) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn file(&self, channel: &str) -> Result<PathBuf, Trouble> {
        if self.path.is_file() {
            return Ok(self.path.clone());
        }
        // A channel's name comes from a document: it must not lead out of the folder.
        if channel.contains(['/', '\\', '\0']) || channel.starts_with('.') {
            return Err(Trouble::Refused(format!(
                "{channel:?} cannot be the name of a file"
            )));
        }
        Ok(self.path.join("breaks").join(format!("{channel}.json")))
    }

    pub(super) fn read(&self, channel: &str) -> Result<Option<Held>, Trouble> {
        let file = self.file(channel)?;
        match fs::read(&file) {
            Ok(json) => Ok(Some(Held { json, version: None })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Trouble::Refused(format!("{}: {error}", file.display()))),
        }
    }

    /// Who reads the file sees the old document or the new one, whole.
    pub(super) fn write(&self, channel: &str, json: &[u8]) -> Result<(), Trouble> {
        let file = self.file(channel)?;
        replace(&file, json).map_err(|error| Trouble::Unsure(format!("{}: {error}", file.display())))
    }
}

fn replace(file: &Path, json: &[u8]) -> std::io::Result<()> {
    // A link stays a link: what it points to is replaced.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut written = tempfile::NamedTempFile::new_in(folder)?;
    written.write_all(json)?;
    written
        .as_file()
        .set_permissions(fs::Permissions::from_mode(0o644))?;
    written.as_file().sync_all()?;
    written.persist(&file)?;
    fs::File::open(folder)?.sync_all()
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_does_not_lead_out_of_the_folder() {
        let folder = Folder::new("/nowhere".into());
        for channel in ["../etc", "a/b", "..", "a\\b"] {
            assert!(
                matches!(folder.write(channel, b"{}"), Err(Trouble::Refused(_))),
                "{channel}"
            );
        }
    }

    #[test]
    fn a_document_is_written_whole_and_read_by_others() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().to_owned());
        assert!(folder.read("news").unwrap().is_none());
        folder.write("news", b"{\"version\": 1}").unwrap();
        folder.write("news", b"{\"version\": 2}").unwrap();
        assert_eq!(folder.read("news").unwrap().unwrap().json, b"{\"version\": 2}");
        let file = home.path().join("breaks/news.json");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(home.path().join("breaks")).unwrap().count(), 1);
    }
}
