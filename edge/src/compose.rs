//! Compose and write: from what was gathered to what the viewer gets.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use selvedge_token::Replay;

use crate::{
    authorise::Authorised,
    carrier::{Carrier, token_path},
    dash,
    decide::Decided,
    handle::Edge,
    hls::{self, Guiding, Stitching},
    onward::{Onward, Root},
    platform::{Answer, Body, OriginResponse, Unanswered},
    problem::Problem,
    reroot::Reroot,
    route::Resource,
};

/// The origin's headers that a viewer gets, with what it says of media in CMSD (CTA-5006). `Set-Cookie` and whatever
/// else a server behind may say stay there.
const PASSED_ON: [header::HeaderName; 11] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_ENCODING,
    header::ACCEPT_RANGES,
    header::CACHE_CONTROL,
    header::ETAG,
    header::LAST_MODIFIED,
    header::VARY,
    header::HeaderName::from_static("cmsd-static"),
    header::HeaderName::from_static("cmsd-dynamic"),
];

/// Makes the viewer's answer. The second value is the origin's status, for the record.
pub(crate) fn compose<B>(
    edge: &Edge,
    authorised: &Authorised,
    onward: &Onward,
    decided: Option<&Decided>,
    answers: Vec<Answer<B>>,
) -> (Result<Response<Body<B>>, Problem>, Option<StatusCode>) {
    let Some(Answer::Origin(answer)) = answers.into_iter().next() else {
        return (
            Err(Problem::OriginUnreachable("the platform gave no answer".into())),
            None,
        );
    };
    match answer {
        Err(Unanswered::Unreachable(why)) => (Err(Problem::OriginUnreachable(why)), None),
        Err(Unanswered::Timeout) => (Err(Problem::OriginTimeout), None),
        Err(Unanswered::TooLarge) => (Err(Problem::OriginDocument("longer than an edge rewrites")), None),
        Ok(origin) => {
            let status = origin.status;
            (pass(edge, authorised, onward, decided, origin), Some(status))
        }
    }
}

fn pass<B>(
    edge: &Edge,
    authorised: &Authorised,
    onward: &Onward,
    decided: Option<&Decided>,
    origin: OriginResponse<B>,
) -> Result<Response<Body<B>>, Problem> {
    // A redirect would lead the viewer past the edge, or name what is behind it.
    if origin.status.is_redirection() && origin.status != StatusCode::NOT_MODIFIED {
        return Err(Problem::OriginDocument("a redirect"));
    }
    if !(200..600).contains(&origin.status.as_u16()) {
        // Some hosts cannot even send such a one.
        return Err(Problem::OriginDocument("a status that HTTP does not know"));
    }
    let mut headers = HeaderMap::new();
    for name in PASSED_ON {
        if let Some(value) = origin.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let caching = viewer_caching(origin.status, headers.get(header::CACHE_CONTROL));
    headers.insert(header::CACHE_CONTROL, caching);
    let mut body = origin.body;
    // What a document without its body would be is not known where breaks may be put into it.
    let is_unknown = authorised.routed.method == Method::HEAD
        && authorised.routed.resource != Resource::Media
        && edge.site.breaks.is_some();
    let carries = authorised.routed.resource == Resource::Playlist && wish(edge, authorised).is_some();
    let changes = onward.root.is_some() || decided.is_some() || is_unknown || carries;
    if changes && origin.status == StatusCode::OK {
        // These speak of the origin's bytes; for a HEAD, the length of ours is not known.
        for name in [
            header::CONTENT_LENGTH,
            header::ETAG,
            header::LAST_MODIFIED,
            header::VARY,
        ] {
            headers.remove(name);
        }
        if let Body::Bytes(document) = body {
            let rewritten = rewrite(edge, authorised, onward.root.as_ref(), decided, &document)?;
            headers.insert(header::CONTENT_LENGTH, rewritten.len().into());
            body = Body::Bytes(rewritten);
        }
    }
    if onward.field.is_some() || matches!(onward.root, Some(Root::Session(_))) {
        // Whoever kept this answer would hand the new token on, to others or beyond its end.
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-store"),
        );
    }
    if let Some((name, value)) = &onward.field {
        headers.insert(name, value.clone());
    }
    let mut response = Response::new(body);
    *response.status_mut() = origin.status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn rewrite(
    edge: &Edge,
    authorised: &Authorised,
    root: Option<&Root>,
    decided: Option<&Decided>,
    document: &[u8],
) -> Result<Vec<u8>, Problem> {
    let document = core::str::from_utf8(document)
        .map_err(|_| Problem::OriginDocument("a document that is not UTF-8"))?;
    let grant = &authorised.grant;
    let same;
    let root = match root {
        None => None,
        // Its URL is loaded again and again, and a session for each time would give each segment as many names.
        Some(Root::Session(_))
            if authorised.routed.resource == Resource::Playlist
                && hls::is_reloaded(document)
                && grant.authentic.claims().replay != Replay::Prohibited =>
        {
            same = token_path(&grant.token);
            Some(same.as_str())
        }
        Some(Root::Session(root) | Root::Same(root)) => Some(root.as_str()),
    };
    let wish = wish(edge, authorised);
    let reroot = root.map(|root| Reroot::new(root, authorised.routed.uri.path()).wishing(wish));
    let rewritten = match (authorised.routed.resource, &reroot) {
        (Resource::Playlist, reroot) => match decided {
            Some(decided) if decided.is_guided => {
                hls::guide(document, &guiding(edge, decided), reroot.as_ref()).into_owned()
            }
            Some(decided) => {
                let stitching = stitching(edge, decided, authorised.routed.uri.path());
                hls::stitch(document, &stitching, reroot.as_ref()).into_owned()
            }
            None => {
                let carried = wish.map(|wish| hls::carry(document, wish));
                let document = carried.as_deref().unwrap_or(document);
                reroot
                    .as_ref()
                    .map_or_else(|| document.to_owned(), |reroot| hls::reroot(document, reroot))
            }
        },
        (Resource::Manifest, reroot) => {
            let path = Some(authorised.routed.uri.path());
            let stitched = match decided {
                Some(Decided {
                    slice,
                    is_guided: true,
                    ..
                }) => {
                    let folder = folder(authorised, root);
                    let rules = edge.site.breaks.as_ref();
                    let guiding = dash::Guiding {
                        slice,
                        folder: &folder,
                        restrict: rules.map_or(&[], |rules| &rules.restrict),
                    };
                    dash::guide(document, &guiding)
                }
                Some(Decided { slice, decisions, .. }) => dash::stitch(
                    document,
                    &dash::Stitching {
                        slice,
                        decisions,
                        path,
                    },
                ),
                None => Cow::Borrowed(document),
            };
            match reroot {
                Some(reroot) => dash::reroot(&stitched, reroot)
                    .ok_or(Problem::OriginDocument("a manifest without an MPD element"))?,
                None => stitched.into_owned(),
            }
        }
        (Resource::AssetList | Resource::Alternative | Resource::Media, _) => document.to_owned(),
    };
    Ok(rewritten.into_bytes())
}

fn stitching<'a>(edge: &Edge, decided: &'a Decided, path: &'a str) -> Stitching<'a> {
    let rules = edge.site.breaks.as_ref();
    Stitching {
        slice: &decided.slice,
        decisions: &decided.decisions,
        rendition: &decided.rendition,
        cues: rules.map(|rules| rules.cues).unwrap_or_default(),
        tells_ads: rules.is_some_and(|rules| rules.dateranges),
        skips: decided.skips,
        path: Some(path),
    }
}

fn guiding<'a>(edge: &'a Edge, decided: &'a Decided) -> Guiding<'a> {
    let rules = edge.site.breaks.as_ref();
    Guiding {
        slice: &decided.slice,
        cues: rules.map(|rules| rules.cues).unwrap_or_default(),
        restrict: rules.map_or(&[], |rules| &rules.restrict),
        skips: decided.skips,
    }
}

/// What a player asked for the guided form with, where it may choose. It asks once: of the multivariant playlist, and the
/// media playlists are asked for as that says; or of the MPD, whose `Location` says it.
fn wish(edge: &Edge, authorised: &Authorised) -> Option<&'static str> {
    let routed = &authorised.routed;
    let rules = edge.site.breaks.as_ref()?;
    rules.form.wish(routed.resource, routed.uri.query())
}

/// The URL of a document's folder in full, below the token where that rides in the path. Players resolve the URL of an
/// alternative MPD against the page that they run in (Shaka Player 5.2), so nothing less will do.
fn folder(authorised: &Authorised, root: Option<&str>) -> String {
    let uri = &authorised.routed.uri;
    let token = match (root, authorised.grant.carrier) {
        (Some(root), _) => root.to_owned(),
        (None, Carrier::Path) => token_path(&authorised.grant.token),
        (None, Carrier::Query | Carrier::Header | Carrier::Cookie) => String::new(),
    };
    let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    [&uri.origin(), &token, folder, "/"].concat()
}

/// What the viewer's own cache may do. No cache between edge and viewer may keep an answer: the next request
/// for the same URL may come with a header or cookie that admits nothing. An answer without the origin's word
/// is never stored, lest a cache guess.
fn viewer_caching(status: StatusCode, origin: Option<&HeaderValue>) -> HeaderValue {
    let cacheable = status.is_success() || status == StatusCode::NOT_MODIFIED;
    let directives = origin.filter(|_| cacheable).and_then(|value| value.to_str().ok());
    let Some(directives) = directives else {
        return HeaderValue::from_static("no-store");
    };
    let mut caching = String::from("private");
    for directive in directives.split(',').map(str::trim) {
        let name = directive.split('=').next().unwrap_or_default();
        if name.eq_ignore_ascii_case("no-store") {
            return HeaderValue::from_static("no-store");
        }
        let for_viewers = [
            "max-age",
            "immutable",
            "no-cache",
            "must-revalidate",
            "stale-while-revalidate",
        ];
        if for_viewers.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            caching.push_str(", ");
            caching.push_str(directive);
        }
    }
    HeaderValue::try_from(caching).unwrap_or(HeaderValue::from_static("no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caching(status: u16, origin: Option<&'static str>) -> String {
        let origin = origin.map(HeaderValue::from_static);
        let status = StatusCode::from_u16(status).unwrap();
        viewer_caching(status, origin.as_ref())
            .to_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn an_answer_is_the_viewers_own_to_keep() {
        assert_eq!(
            caching(200, Some("public, max-age=31536000, immutable")),
            "private, max-age=31536000, immutable"
        );
        assert_eq!(
            caching(200, Some("public, max-age=1, s-maxage=9")),
            "private, max-age=1"
        );
    }

    #[test]
    fn nothing_is_kept_by_a_guess() {
        assert_eq!(caching(200, None), "no-store");
        assert_eq!(caching(404, Some("public, max-age=60")), "no-store");
        assert_eq!(caching(200, Some("no-store")), "no-store");
    }
}
