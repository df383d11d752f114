//! Where media stays: an object store, a local folder by default.
//!
//! Layout: `<channel>/<track>/<object>`, `<channel>/<track>/b/<segment>` and `<channel>/<track>/WMPaceInfo/<segment>` of a
//! watermarked track, and `<channel>/channel.json` with what a restart must know. Beside the channels
//! what ad operations lay down and what comes of it: `.breaks/<channel>/rules.json`, `.breaks/<channel>/log/<number>.json`,
//! `.decisions/<channel>/<break>/<cohort>.json`, `.creatives/<name>/<file>`.

mod logs;

use std::collections::BTreeMap;
use std::path::Path as FsPath;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode};

use crate::Error;
use crate::cmaf::Init;
use crate::media::{Channel, Record, Settings};
pub(crate) use logs::LogNumber;

/// The objects of all channels.
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<dyn ObjectStore>);

impl Store {
    /// Opens a folder, making it if need be.
    pub(crate) fn folder(folder: &FsPath) -> Result<Self, Error> {
        let failed = |reason: String| Error::Store {
            action: "open",
            path: folder.display().to_string(),
            reason,
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(error.to_string()))?;
        Ok(Self(Arc::new(store)))
    }

    /// Writes an object of a track.
    pub(crate) async fn put(&self, channel: &str, track: &str, name: &str, data: Bytes) -> Result<(), Error> {
        self.put_at(of_track(channel, track, name), data).await
    }

    /// Writes and deletes a small object, to see whether media could be kept.
    pub(crate) async fn probe(&self) -> Result<(), Error> {
        let path = Path::from(PROBE);
        self.put_at(path.clone(), Bytes::from_static(b"probe")).await?;
        match self.0.delete(&path).await {
            // Another probe was faster.
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", &path, &error)),
        }
    }

    /// Reads an object of a track; `None` when it is not there.
    pub(crate) async fn get(&self, channel: &str, track: &str, name: &str) -> Result<Option<Bytes>, Error> {
        self.get_at(&of_track(channel, track, name)).await
    }

    /// Deletes an object of a track. One that is not there is as good as deleted.
    pub(crate) async fn delete(&self, channel: &str, track: &str, name: &str) -> Result<(), Error> {
        let path = of_track(channel, track, name);
        match self.0.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", &path, &error)),
        }
    }

    /// Deletes everything of a channel, what no record names too.
    pub(crate) async fn remove(&self, channel: &str) -> Result<(), Error> {
        self.remove_folder(Path::from_iter([channel])).await
    }

    async fn remove_folder(&self, folder: Path) -> Result<(), Error> {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            let listing = self
                .0
                .list_with_delimiter(Some(&folder))
                .await
                .map_err(|error| failed("list", &folder, &error))?;
            folders.extend(listing.common_prefixes);
            for object in listing.objects {
                match self.0.delete(&object.location).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(failed("delete", &object.location, &error)),
                }
            }
        }
        Ok(())
    }

    /// Writes what a restart must know of a channel.
    pub(crate) async fn save(&self, record: &Record) -> Result<(), Error> {
        let path = Path::from_iter([record.name.as_str(), RECORD]);
        let json = serde_json::to_vec(record).map_err(|error| failed("write", &path, &error))?;
        self.put_at(path, json.into()).await
    }

    /// Reads all channels back. One that cannot be read is left out and logged, never a reason not to start.
    pub(crate) async fn load(&self, settings: Settings) -> Result<Vec<Channel>, Error> {
        let root = Path::default();
        let listing = self
            .0
            .list_with_delimiter(None)
            .await
            .map_err(|error| failed("list", &root, &error))?;
        let mut channels = Vec::new();
        for folder in listing.common_prefixes {
            let path = folder.clone().join(RECORD);
            let json = match self.get_at(&path).await {
                Ok(Some(json)) => json,
                Ok(None) => continue,
                Err(error) => {
                    tracing::error!(%error, "channel record cannot be read: channel left out");
                    continue;
                }
            };
            let record = match serde_json::from_slice::<Record>(&json) {
                Ok(record) if record.version == crate::media::RECORD_VERSION => record,
                Ok(record) => {
                    tracing::error!(%path, version = record.version, "channel record of another version: left out");
                    continue;
                }
                Err(error) => {
                    tracing::error!(%path, %error, "channel record cannot be read: channel left out");
                    continue;
                }
            };
            let mut inits: BTreeMap<String, Vec<Init>> = BTreeMap::new();
            for (track, state) in &record.tracks {
                for name in &state.inits {
                    let found = self.get(&record.name, track, name).await;
                    match found.map(|bytes| bytes.map(|bytes| Init::parse(&bytes))) {
                        Ok(Some(Ok(init))) => inits.entry(track.clone()).or_default().push(init),
                        Err(error) => {
                            tracing::error!(channel = record.name, track, name, %error, "init segment is lost");
                        }
                        _ => tracing::error!(channel = record.name, track, name, "init segment is lost"),
                    }
                }
            }
            channels.push(Channel::restore(record, settings, inits));
        }
        Ok(channels)
    }

    /// Reads an object that is none of a channel's media; `None` when it is not there.
    pub(crate) async fn read(&self, path: &[&str]) -> Result<Option<Bytes>, Error> {
        self.get_at(&at_path(path)).await
    }

    /// Writes an object that is none of a channel's media.
    pub(crate) async fn write(&self, path: &[&str], data: Bytes) -> Result<(), Error> {
        self.put_at(at_path(path), data).await
    }

    /// Writes an object that is not there yet; says whether it was not.
    pub(crate) async fn create(&self, path: &[&str], data: Bytes) -> Result<bool, Error> {
        let path = at_path(path);
        match self.0.put_opts(&path, data.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(failed("create", &path, &error)),
        }
    }

    /// Deletes an object. One that is not there is as good as deleted.
    pub(crate) async fn remove_file(&self, path: &[&str]) -> Result<(), Error> {
        let path = at_path(path);
        match self.0.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", &path, &error)),
        }
    }

    /// How many bytes an object has; `None` when it is not there.
    pub(crate) async fn size(&self, path: &[&str]) -> Result<Option<u64>, Error> {
        let path = at_path(path);
        match self.0.head(&path).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    /// The names of the folders in a folder.
    pub(crate) async fn folders(&self, path: &[&str]) -> Result<Vec<String>, Error> {
        let path = at_path(path);
        let listing = self.0.list_with_delimiter(Some(&path)).await;
        let listing = listing.map_err(|error| failed("list", &path, &error))?;
        let name = |folder: &Path| folder.filename().map(str::to_owned);
        Ok(listing.common_prefixes.iter().filter_map(name).collect())
    }

    /// The objects in the folders of a folder: the folder's name and the object's.
    pub(crate) async fn files(&self, path: &[&str]) -> Result<Vec<(String, String)>, Error> {
        let mut files = Vec::new();
        for folder in self.folders(path).await? {
            let path = at_path(path).join(folder.as_str());
            let listing = self.0.list_with_delimiter(Some(&path)).await;
            let listing = listing.map_err(|error| failed("list", &path, &error))?;
            let names = listing
                .objects
                .iter()
                .filter_map(|object| object.location.filename());
            files.extend(names.map(|name| (folder.clone(), name.to_owned())));
        }
        Ok(files)
    }

    /// Deletes everything in a folder.
    pub(crate) async fn remove_below(&self, path: &[&str]) -> Result<(), Error> {
        self.remove_folder(at_path(path)).await
    }

    async fn put_at(&self, path: Path, data: Bytes) -> Result<(), Error> {
        self.0
            .put(&path, data.into())
            .await
            .map(|_| ())
            .map_err(|error| failed("write", &path, &error))
    }

    async fn get_at(&self, path: &Path) -> Result<Option<Bytes>, Error> {
        match self.0.get(path).await {
            Ok(found) => found
                .bytes()
                .await
                .map(Some)
                .map_err(|error| failed("read", path, &error)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", path, &error)),
        }
    }
}

/// Where an object of a track is. A name may have a folder before it.
fn of_track(channel: &str, track: &str, name: &str) -> Path {
    [channel, track].into_iter().chain(name.split('/')).collect()
}

fn at_path(names: &[&str]) -> Path {
    names.iter().copied().collect()
}

fn failed(action: &'static str, path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Store {
        action,
        path: path.to_string(),
        reason: reason.to_string(),
    }
}

const RECORD: &str = "channel.json";
/// No channel's name begins with a dot.
pub(crate) const BREAKS: &str = ".breaks";
pub(crate) const CREATIVES: &str = ".creatives";
pub(crate) const DECISIONS: &str = ".decisions";
const PROBE: &str = ".probe";
