//! Keys from a file that may change while the edge runs.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::Pop;

/// How often the file is looked at: a key that was withdrawn counts for no longer than this, and a read of a few
/// kilobytes costs nothing.
const INTERVAL: Duration = Duration::from_secs(2);

/// Longest file that is read, in bytes: far more keys than anybody rotates.
const MAX_FILE: u64 = 1 << 20;

/// The file of an edge's keys: a JWK Set (RFC 7517).
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    /// What was read last, or why nothing was: each is acted on once.
    last: Result<String, String>,
}

impl KeyFile {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// It cannot be read, or is longer than a megabyte.
    pub async fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let text = read(&path).await?;
        Ok(Self { path, last: Ok(text) })
    }

    /// The document as it was read last; empty where the last attempt failed.
    pub fn text(&self) -> &str {
        self.last.as_deref().unwrap_or_default()
    }

    /// Looks at the file every two seconds for as long as the future is polled, and has `pop` go on with what it
    /// says. A document that cannot be used changes nothing but the log: the keys that were good stay in force.
    ///
    /// The content is compared, not the time of the last change: a file that is replaced by another, or that a
    /// mounted volume swaps, counts as much as one that is written to.
    pub async fn follow(mut self, pop: Pop) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(&pop).await;
        }
    }

    async fn look(&mut self, pop: &Pop) {
        let now = read(&self.path).await.map_err(|error| error.to_string());
        if now != self.last {
            self.last = now;
            self.apply(pop);
        }
    }

    fn apply(&self, pop: &Pop) {
        let file = self.path.display();
        let edge = match &self.last {
            Ok(text) => pop.edge().with_keys(text).map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        match edge {
            Ok(edge) => {
                tracing::info!(%file, version = %edge.keys_version(), "keys in force");
                pop.replace(edge);
            }
            Err(error) => tracing::error!(%file, error, "keys not taken: those before stay in force"),
        }
    }
}

async fn read(path: &Path) -> io::Result<String> {
    if tokio::fs::metadata(path).await?.len() > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "longer than a megabyte: no set of keys",
        ));
    }
    tokio::fs::read_to_string(path).await
}

#[cfg(test)]
mod tests {
    use std::slice;

    use http::{Request, StatusCode};
    use selvedge_edge::{Edge, OriginUrl};
    use selvedge_token::{Jwk, JwkSet, Minter, SigningKey};
    use tower::ServiceExt as _;

    use super::*;
    use crate::{Native, Trust};

    fn document(keys: &[Jwk]) -> String {
        serde_json::to_string(&JwkSet { keys: keys.to_vec() }).unwrap()
    }

    /// Whether a token of this key is taken: the request then fails for want of an origin, and not before.
    async fn takes(pop: &Pop, key: &Jwk) -> bool {
        let token = Minter::new().mint(&SigningKey::from_jwk(key).unwrap()).unwrap();
        let request = Request::get(format!("/t/{token}/live/c/v/0-1.m4s"))
            .header("Host", "e")
            .body(axum::body::Body::empty())
            .unwrap();
        let status = pop.router().oneshot(request).await.unwrap().status();
        assert!([StatusCode::UNAUTHORIZED, StatusCode::BAD_GATEWAY].contains(&status));
        status == StatusCode::BAD_GATEWAY
    }

    #[tokio::test]
    async fn keys_come_and_go_with_the_file_and_a_bad_one_changes_nothing() {
        let (old, new) = (Jwk::symmetric("old", &[1; 32]), Jwk::symmetric("new", &[2; 32]));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        std::fs::write(&path, document(slice::from_ref(&old))).unwrap();
        let mut file = KeyFile::open(&path).await.unwrap();
        let edge = Edge::new(file.text(), "{}").unwrap();
        // Nobody listens there.
        let native = Native::new(OriginUrl::parse("http://127.0.0.1:1").unwrap()).unwrap();
        let pop = Pop::new(edge, native, http::uri::Scheme::HTTPS, Trust::default());
        assert!(takes(&pop, &old).await);

        std::fs::write(&path, document(&[old.clone(), new.clone()])).unwrap();
        file.look(&pop).await;
        assert!(takes(&pop, &old).await && takes(&pop, &new).await);

        for bad in ["", "{\"keys\":[{\"kty\":\"oct\"}]}"] {
            std::fs::write(&path, bad).unwrap();
            file.look(&pop).await;
            assert!(takes(&pop, &old).await && takes(&pop, &new).await, "{bad}");
        }
        std::fs::remove_file(&path).unwrap();
        file.look(&pop).await;
        assert!(takes(&pop, &new).await);

        // As an editor does it: another file takes the name.
        let other = folder.path().join("other.json");
        std::fs::write(&other, document(slice::from_ref(&new))).unwrap();
        std::fs::rename(&other, &path).unwrap();
        file.look(&pop).await;
        assert!(!takes(&pop, &old).await && takes(&pop, &new).await);
    }
}
