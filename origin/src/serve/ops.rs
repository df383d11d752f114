//! `GET /ops`: the page of ad operations. It is part of the program, and asks the API for breaks like everybody else: what
//! it shows and changes is guarded there.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing::get};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};

use super::Origin;
use super::answer::{Freshness, object};
use crate::Error;

/// The routes of this module.
pub(super) fn routes() -> Router<Origin> {
    Router::new()
        .route(
            "/ops",
            get(async |headers: HeaderMap| file("index.html", &headers)),
        )
        .route(
            "/ops/{file}",
            get(async |Path(name): Path<String>, headers: HeaderMap| file(&name, &headers)),
        )
}

fn file(name: &str, request: &HeaderMap) -> Response {
    let Some(&(_, kind, bytes)) = FILES.iter().find(|(known, ..)| *known == name) else {
        let path = format!("/ops/{name}");
        return Error::UnknownPath { path }.into_response();
    };
    let mut response = object(request, Bytes::from_static(bytes), kind, Freshness::None, name);
    let headers = response.headers_mut();
    // Asked for each time, and sent when it is another.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The page holds a token: nothing from elsewhere runs in it, and no other page can hold it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Name, media type, bytes.
const FILES: &[(&str, &str, &[u8])] = &[
    ("index.html", HTML, include_bytes!("../../../web/ops/index.html")),
    ("base.css", STYLE, include_bytes!("../../../web/base.css")),
    ("style.css", STYLE, include_bytes!("../../../web/ops/style.css")),
    (
        "icon.svg",
        "image/svg+xml",
        include_bytes!("../../../web/ops/icon.svg"),
    ),
    (
        "actions.js",
        SCRIPT,
        include_bytes!("../../../web/ops/actions.js"),
    ),
    ("api.js", SCRIPT, include_bytes!("../../../web/ops/api.js")),
    ("app.js", SCRIPT, include_bytes!("../../../web/ops/app.js")),
    ("ask.js", SCRIPT, include_bytes!("../../../web/ops/ask.js")),
    ("breaks.js", SCRIPT, include_bytes!("../../../web/ops/breaks.js")),
    ("chips.js", SCRIPT, include_bytes!("../../../web/ops/chips.js")),
    ("dom.js", SCRIPT, include_bytes!("../../../web/ops/dom.js")),
    ("list.js", SCRIPT, include_bytes!("../../../web/ops/list.js")),
    ("look.js", SCRIPT, include_bytes!("../../../web/ops/look.js")),
    ("move.js", SCRIPT, include_bytes!("../../../web/ops/move.js")),
    ("rules.js", SCRIPT, include_bytes!("../../../web/ops/rules.js")),
    (
        "rules-dialog.js",
        SCRIPT,
        include_bytes!("../../../web/ops/rules-dialog.js"),
    ),
    ("scale.js", SCRIPT, include_bytes!("../../../web/ops/scale.js")),
    (
        "schedule.js",
        SCRIPT,
        include_bytes!("../../../web/ops/schedule.js"),
    ),
    ("show.js", SCRIPT, include_bytes!("../../../web/ops/show.js")),
    ("state.js", SCRIPT, include_bytes!("../../../web/ops/state.js")),
    ("time.js", SCRIPT, include_bytes!("../../../web/ops/time.js")),
    (
        "timeline.js",
        SCRIPT,
        include_bytes!("../../../web/ops/timeline.js"),
    ),
    ("token.js", SCRIPT, include_bytes!("../../../web/ops/token.js")),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> &'static str {
        let (.., bytes) = FILES.iter().find(|(known, ..)| *known == name).unwrap();
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_file_that_the_page_asks_for_is_here() {
        let page = text("index.html");
        let named = page
            .split("\"ops/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let scripts = FILES.iter().filter(|(name, ..)| name.ends_with(".js"));
        let imported = scripts.flat_map(|(name, ..)| {
            let imports = text(name).split("from './").skip(1);
            imports.filter_map(|rest| rest.split('\'').next())
        });
        let mut asked: Vec<_> = named.chain(imported).collect();
        asked.sort_unstable();
        asked.dedup();
        let mut here: Vec<_> = FILES.iter().map(|(name, ..)| *name).collect();
        here.retain(|name| *name != "index.html");
        here.sort_unstable();
        assert_eq!(asked, here);
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again_and_another_is_not_found() {
        let first = file("app.js", &HeaderMap::new());
        let tag = first.headers()[http::header::ETAG].clone();
        assert_eq!(first.headers()[CACHE_CONTROL], "no-cache");
        let mut known = HeaderMap::new();
        known.insert(http::header::IF_NONE_MATCH, tag);
        assert_eq!(file("app.js", &known).status(), http::StatusCode::NOT_MODIFIED);
        assert_eq!(
            file("../Cargo.toml", &HeaderMap::new()).status(),
            http::StatusCode::NOT_FOUND
        );
    }
}
