//! Segments to files, for a look at what would be pushed.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use bytes::Bytes;

use crate::cmaf::Sink;

/// Writes one track to `<folder>/<track>/init.mp4` and `<folder>/<track>/<segment number>.m4s`. An error is logged once a
/// segment and costs that segment.
#[derive(Debug)]
pub struct FolderSink {
    folder: PathBuf,
    open: Option<(PathBuf, fs::File)>,
}

impl FolderSink {
    /// Makes the track's folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: impl Into<PathBuf>, track: &str) -> io::Result<Self> {
        let folder = folder.into().join(track);
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, open: None })
    }

    fn report(&mut self, what: &str, error: &io::Error) {
        tracing::warn!(folder = %self.folder.display(), %error, "cannot {what}");
        self.open = None;
    }
}

impl Sink for FolderSink {
    fn init(&mut self, init: Bytes) {
        if let Err(error) = fs::write(self.folder.join("init.mp4"), init) {
            self.report("write the init segment", &error);
        }
    }

    fn begin(&mut self, number: u64) {
        let path = self.folder.join(format!("{number}.m4s"));
        match fs::File::create(&path) {
            Ok(file) => self.open = Some((path, file)),
            Err(error) => self.report("create a segment", &error),
        }
    }

    fn chunk(&mut self, chunk: Bytes) {
        if let Some(Err(error)) = self.open.as_mut().map(|(_, file)| file.write_all(&chunk)) {
            self.report("write a chunk", &error);
        }
    }

    fn end(&mut self) {
        self.open = None;
    }

    fn abort(&mut self) {
        if let Some((path, _)) = self.open.take()
            && let Err(error) = fs::remove_file(path)
        {
            self.report("remove a broken segment", &error);
        }
    }
}
