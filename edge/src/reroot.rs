//! Moving a document's URIs below another root.

use std::borrow::Cow;

/// Where a document lies and below which prefix its URIs are to lead.
#[derive(Clone, Debug)]
pub struct Reroot<'a> {
    prefix: &'a str,
    path: &'a str,
    /// The document's folder, with a slash at both ends.
    folder: &'a str,
    /// What the document is asked for again with.
    wish: Option<&'a str>,
}

impl<'a> Reroot<'a> {
    /// For the document at `path`, to URIs that begin with `prefix` (which has no slash at its end).
    pub fn new(prefix: &'a str, path: &'a str) -> Self {
        let folder = path
            .rfind('/')
            .and_then(|slash| path.get(..=slash))
            .unwrap_or("/");
        Self {
            prefix,
            path,
            folder,
            wish: None,
        }
    }

    /// The same for a document that is to be asked for again with this query.
    pub(crate) const fn wishing(self, wish: Option<&'a str>) -> Self {
        Self { wish, ..self }
    }

    /// The new form of a URI, in up to three pieces; `None` when it must stay as it is, because it leads
    /// elsewhere or is a reference within the document.
    pub(crate) fn apply<'u>(&'u self, uri: &'u str) -> Option<[&'u str; 3]> {
        if uri.is_empty() || uri.starts_with('#') || uri.starts_with("//") || has_scheme(uri) {
            None
        } else if uri.starts_with('?') {
            // Of a query alone, the path is the document's own (RFC 3986 §5.2.2).
            Some([self.prefix, self.path, uri])
        } else if uri.starts_with('/') {
            Some([self.prefix, "", uri])
        } else {
            Some([self.prefix, self.folder, uri])
        }
    }

    /// The document itself below the new root.
    pub(crate) fn document(&self) -> String {
        let separator = if self.wish.is_some() { "?" } else { "" };
        [self.prefix, self.path, separator, self.wish.unwrap_or_default()].concat()
    }

    /// The document's folder below the new root, with a slash at its end.
    pub(crate) fn base(&self) -> String {
        [self.prefix, self.folder].concat()
    }
}

/// A URI that begins at the host's root, told from the folder of the document at `path` instead: below whatever the
/// document lies below. Others stay as they are.
pub(crate) fn from_folder<'u>(path: &str, uri: &'u str) -> Cow<'u, str> {
    let Some(rest) = uri.strip_prefix('/').filter(|rest| !rest.starts_with('/')) else {
        return Cow::Borrowed(uri);
    };
    let depth = path.matches('/').count().saturating_sub(1);
    // Of a document at the root, the folder is the root.
    let up = if depth == 0 {
        "./".to_owned()
    } else {
        "../".repeat(depth)
    };
    Cow::Owned(up + rest)
}

/// RFC 3986 §3.1: a scheme is a letter followed by letters, digits, `+`, `-`, `.`, up to a colon.
fn has_scheme(uri: &str) -> bool {
    let Some((scheme, _)) = uri.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_from_the_root_is_told_from_a_folder() {
        let from = |path| from_folder(path, "/creatives/a/0.m4s").into_owned();
        assert_eq!(from("/live/news/manifest.mpd"), "../../creatives/a/0.m4s");
        assert_eq!(from("/manifest.mpd"), "./creatives/a/0.m4s");
        for stays in ["a/0.m4s", "https://ads.example/a", "//ads.example/a"] {
            assert_eq!(from_folder("/live/news/manifest.mpd", stays), stays);
        }
    }

    #[test]
    fn only_uris_below_our_own_root_move() {
        let reroot = Reroot::new("/t/tok", "/live/news/index.m3u8");
        let moved = |uri| reroot.apply(uri).map(|pieces| pieces.concat());
        assert_eq!(
            moved("v/index.m3u8").as_deref(),
            Some("/t/tok/live/news/v/index.m3u8")
        );
        assert_eq!(
            moved("../sport/a").as_deref(),
            Some("/t/tok/live/news/../sport/a")
        );
        assert_eq!(moved("/vod/a.m3u8").as_deref(), Some("/t/tok/vod/a.m3u8"));
        assert_eq!(
            moved("?a=1").as_deref(),
            Some("/t/tok/live/news/index.m3u8?a=1"),
            "the document itself, asked for otherwise"
        );
        assert_eq!(moved("a:b").as_deref(), None);
        assert_eq!(moved("v/a:b").as_deref(), Some("/t/tok/live/news/v/a:b"));
        for elsewhere in [
            "https://ads.example/x",
            "//ads.example/x",
            "data:text/plain,x",
            "skd://key",
        ] {
            assert_eq!(moved(elsewhere), None, "{elsewhere}");
        }
    }
}
