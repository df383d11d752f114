//! Route: from a URL to the resource that it names, with the tokens taken out.

use http::{Method, Request, header};
use selvedge_token::RequestUri;

use crate::{
    asset_list,
    carrier::{Carried, Carriers, take_path_tokens, take_tokens},
    limits::MAX_URL,
    problem::Problem,
};

/// What kind of thing a path names. Told by the extension alone: the origin's word comes too late to decide
/// whether its body is to be streamed or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resource {
    /// An HLS playlist, multivariant or media.
    Playlist,
    /// A DASH manifest.
    Manifest,
    /// The list of a break's assets, which the edge itself answers.
    AssetList,
    /// The presentation that is played instead of the programme in a break, which the edge itself answers.
    Alternative,
    /// An init segment, a segment, a subtitle file, an image: bytes that pass.
    Media,
}

impl Resource {
    /// The word in logs and in `Server-Timing`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Playlist => "playlist",
            Self::Manifest => "manifest",
            Self::AssetList => "asset-list",
            Self::Alternative => "alternative",
            Self::Media => "media",
        }
    }

    fn of(path: &str) -> Option<Self> {
        let (_, filename) = path.rsplit_once('/')?;
        match filename {
            asset_list::LIST => return Some(Self::AssetList),
            asset_list::ALTERNATIVE => return Some(Self::Alternative),
            _ => {}
        }
        let (_, extension) = filename.rsplit_once('.')?;
        Some(match extension {
            "m3u8" => Self::Playlist,
            "mpd" => Self::Manifest,
            // A patch of an MPD passes as it is: what it changes are attributes and timelines.
            "mpp" => Self::Media,
            "m4s" | "mp4" | "m4a" | "m4v" | "cmfv" | "cmfa" | "cmft" | "cmfm" | "ts" | "aac" | "vtt"
            | "jpg" | "png" | "webp" => Self::Media,
            _ => return None,
        })
    }
}

/// Where a request leads.
#[derive(Debug)]
pub(crate) enum Routed {
    /// A CORS preflight: answered without a token, for browsers send none with it.
    Preflight,
    /// `/healthz`
    Health,
    /// `/time`: the clock that players of live DASH set theirs by.
    Time,
    /// Something of the origin's, which needs a token.
    Resource(RoutedResource),
}

/// A resource of the origin and what the request carried for it.
#[derive(Debug)]
pub(crate) struct RoutedResource {
    pub(crate) method: Method,
    pub(crate) resource: Resource,
    /// The effective URI without any token: what claims are matched with and the origin is asked for.
    pub(crate) uri: RequestUri,
    pub(crate) carried: Carried,
}

/// Finds out what a request is for.
pub(crate) fn route(request: &Request<()>, carriers: &Carriers) -> Result<Routed, Problem> {
    let method = request.method();
    if method == Method::OPTIONS {
        return Ok(Routed::Preflight);
    }
    if method != Method::GET && method != Method::HEAD {
        return Err(Problem::MethodNotAllowed);
    }
    let uri = request.uri();
    let query = uri.query();
    if uri.path().len() + query.map_or(0, |query| query.len() + 1) > MAX_URL {
        return Err(Problem::UrlTooLong);
    }
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or(host)
        .unwrap_or_default();
    let scheme = uri.scheme_str().unwrap_or("https");
    let read = |path: &str, query: Option<&str>| {
        RequestUri::parse(scheme, authority, path, query).map_err(Problem::MalformedUrl)
    };
    // Tokens are looked for in the URL as it will be judged, or one behind an escape would go on.
    let whole = read(uri.path(), query)?;
    let (mut carried, query) = take_tokens(whole.query(), request.headers(), carriers);
    let path = take_path_tokens(whole.path(), &mut carried);
    // A manifest's relative link to the clock leads below the token; neither needs one.
    match path {
        "/healthz" => return Ok(Routed::Health),
        "/time" => return Ok(Routed::Time),
        _ if path.contains("//") => return Err(Problem::UnknownPath),
        _ => {}
    }
    let uri = read(path, Some(&query))?;
    let resource = Resource::of(uri.path()).ok_or(Problem::UnknownPath)?;
    Ok(Routed::Resource(RoutedResource {
        method: method.clone(),
        resource,
        uri,
        carried,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(url: &str) -> Result<Routed, Problem> {
        route(&Request::get(url).body(()).unwrap(), &Carriers::default())
    }

    fn resource(url: &str) -> RoutedResource {
        match routed(url) {
            Ok(Routed::Resource(resource)) => resource,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn the_extension_tells_what_a_path_names() {
        assert_eq!(
            resource("https://e/live/c/index.m3u8").resource,
            Resource::Playlist
        );
        assert_eq!(
            resource("https://e/live/c/manifest.mpd").resource,
            Resource::Manifest
        );
        assert_eq!(
            resource("https://e/t/tok/live/c/v/0-1.m4s").resource,
            Resource::Media
        );
        assert!(matches!(
            routed("https://e/live/c/notes.txt"),
            Err(Problem::UnknownPath)
        ));
        assert!(matches!(routed("https://e/"), Err(Problem::UnknownPath)));
    }

    #[test]
    fn a_token_in_the_path_is_no_part_of_the_path() {
        let routed = resource("https://e/t/tok/live/c/%2e%2e/d/index.m3u8");
        assert_eq!(routed.uri.path(), "/live/d/index.m3u8");
    }

    #[test]
    fn the_clock_is_told_above_and_below_a_token() {
        for url in ["https://e/time", "https://e/t/tok/time", "https://e/time?x"] {
            assert!(matches!(routed(url), Ok(Routed::Time)), "{url}");
        }
    }

    #[test]
    fn only_reading_is_allowed() {
        let post = Request::post("https://e/live/c/index.m3u8").body(()).unwrap();
        assert!(matches!(
            route(&post, &Carriers::default()),
            Err(Problem::MethodNotAllowed)
        ));
    }

    #[test]
    fn a_url_beyond_the_smallest_platforms_limit_is_refused_everywhere() {
        let long = format!("https://e/{}.m3u8", "a".repeat(MAX_URL));
        assert!(matches!(routed(&long), Err(Problem::UrlTooLong)));
    }
}
