//! Cross-origin sharing (Fetch Standard §3.2), for players on pages of other origins.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::{platform::Body, site::Site};

/// What a page may send: the token's header, ranges, and CMCD's four (CTA-5004).
const ALLOWED_HEADERS: &str =
    "CTA-Common-Access-Token, DPoP, Range, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status";

/// What a page may read beyond the safelisted headers. Players set their clocks by `Date`, and may learn from CMSD
/// (CTA-5006) how long the origin held a request.
const EXPOSED_HEADERS: &str = "Accept-Ranges, CMSD-Dynamic, CMSD-Static, Content-Encoding, Content-Length, Content-Range, CTA-Common-Access-Token, Date, ETag, Server-Timing";

/// One day; browsers cap it as they see fit.
const PREFLIGHT_MAX_AGE: &str = "86400";

/// The answer to a preflight.
pub(crate) fn preflight<B>(site: &Site) -> Response<Body<B>> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS");
    set(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE);
    set(header::CACHE_CONTROL, "no-store");
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        with_carriers(ALLOWED_HEADERS, site),
    );
    response
}

/// Lets the page at the viewer's `Origin` read an answer, where the site allows it.
pub(crate) fn share(site: &Site, viewer: &HeaderMap, headers: &mut HeaderMap) {
    let any = site.cors_origins.iter().any(|allowed| allowed == "*");
    let allowed = if any {
        HeaderValue::from_static("*")
    } else {
        // The answer depends on who asks, so whoever keeps it must know.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = viewer.get(header::ORIGIN) else {
            return;
        };
        if !site
            .cors_origins
            .iter()
            .any(|allowed| allowed.as_bytes() == origin.as_bytes())
        {
            return;
        }
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        origin.clone()
    };
    if site.server_timing {
        headers.insert("timing-allow-origin", allowed.clone());
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        with_carriers(EXPOSED_HEADERS, site),
    );
}

/// A list of field names, and with it those that the site's tokens ride in.
fn with_carriers(names: &'static str, site: &Site) -> HeaderValue {
    let fixed = HeaderValue::from_static(names);
    if site.carriers.headers.is_empty() {
        return fixed;
    }
    let all = [names, &site.carriers.headers.join(", ")].join(", ");
    HeaderValue::try_from(all).unwrap_or(fixed)
}
