//! Gather: what a request needs of the world, as data.

use http::{HeaderMap, HeaderValue, Method, header};

use crate::{
    authorise::Authorised,
    credential::{OriginToken, show},
    limits::MAX_DOCUMENT,
    onward::Onward,
    platform::{OriginRequest, Plan, Read, Want},
    route::Resource,
};

/// Viewer's headers that the origin may see where a body passes untouched.
const PASSED_ON: [header::HeaderName; 3] = [header::RANGE, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];

/// What an authorised request waits for. `stitches` says that breaks may be put into what comes.
pub(crate) fn request(
    authorised: &Authorised,
    onward: &Onward,
    stitches: bool,
    viewer: &HeaderMap,
) -> OriginRequest {
    let routed = &authorised.routed;
    let mut headers = HeaderMap::new();
    // A document that is changed on its way is not what is stored of it: no conditions, no ranges, no encoding.
    let changes = onward.root.is_some() || stitches;
    // Said always, for hosts differ in what they accept by themselves. Media is compressed as it is, and of an
    // encoded document a range would count other bytes.
    let takes_gzip = !changes
        && routed.resource != Resource::Media
        && !viewer.contains_key(header::RANGE)
        && accepts_gzip(viewer);
    let encoding = if takes_gzip { "gzip" } else { "identity" };
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    if !changes {
        for name in &PASSED_ON {
            if let Some(value) = viewer.get(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
    let read = if changes && routed.method == Method::GET {
        Read::Bytes { limit: MAX_DOCUMENT }
    } else {
        Read::Handle
    };
    let mut query = origin_query(routed.uri.query());
    if stitches {
        // A delta update is counted on what the player gets; for that, the origin is asked for the whole.
        query = query
            .split('&')
            .filter(|pair| !is_skip(pair))
            .collect::<Vec<_>>()
            .join("&");
    }
    let target = match query.as_str() {
        "" => routed.uri.path().to_owned(),
        query => format!("{}?{query}", routed.uri.path()),
    };
    OriginRequest {
        method: routed.method.clone(),
        target,
        headers,
        read,
    }
}

/// What an authorised request for marked media waits for, but for the variant: nothing of the query can matter. The origin
/// is shown who asks.
pub(crate) fn marked(
    authorised: &Authorised,
    onward: &Onward,
    viewer: &HeaderMap,
    token: Option<&OriginToken>,
) -> OriginRequest {
    let mut request = OriginRequest {
        target: authorised.routed.uri.path().to_owned(),
        ..request(authorised, onward, false, viewer)
    };
    show(token, &mut request.headers);
    request
}

/// The request for a small document that is read here.
pub(crate) fn small(target: String, limit: usize) -> OriginRequest {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    OriginRequest {
        method: Method::GET,
        target,
        headers,
        read: Read::Bytes { limit },
    }
}

/// The batch of one request.
pub(crate) fn alone(request: OriginRequest) -> Plan {
    Plan {
        wants: vec![Want::Origin(request)],
    }
}

/// Whether a viewer takes gzip by name (RFC 9110 §12.5.3), as every browser and player does that takes it at all.
fn accepts_gzip(viewer: &HeaderMap) -> bool {
    let lines = viewer.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().trim_start_matches("q=");
        name.trim().eq_ignore_ascii_case("gzip") && weight.parse::<f32>().is_ok_and(|weight| weight > 0.0)
    })
}

/// Of the query, the origin gets HLS's three delivery directives (RFC 8216bis §6.2.5) and the version that a patch
/// of an MPD leads from (ISO/IEC 23009-1 5.15) alone, in their order of names: anything else would split its cache, or
/// let a viewer do so.
///
/// A directive with a value that the standard does not know goes on as it came. The origin answers it with a 400,
/// which nobody stores; were it dropped here, the player would get a playlist at once and ask again, and again.
fn origin_query(query: &str) -> String {
    let mut directives: Vec<&str> = query.split('&').filter(|pair| is_directive(pair)).collect();
    directives.sort_unstable();
    directives.dedup();
    directives.join("&")
}

/// Whether a query asks for a delta update.
pub(crate) fn asks_to_skip(query: &str) -> bool {
    query.split('&').any(is_skip)
}

fn is_skip(pair: &str) -> bool {
    matches!(pair, "_HLS_skip=YES" | "_HLS_skip=v2")
}

fn is_directive(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    ["_HLS_msn", "_HLS_part", "_HLS_skip", "publishTime"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_sees_delivery_directives_in_one_order_and_nothing_else() {
        assert_eq!(
            origin_query("_HLS_part=1&session=9&_HLS_msn=7"),
            "_HLS_msn=7&_HLS_part=1"
        );
        assert_eq!(origin_query("_HLS_skip=v2&_HLS_msn=7"), "_HLS_msn=7&_HLS_skip=v2");
        assert_eq!(origin_query("x=1&_HLS_report=a&_HLS_=1&_hls_msn=7"), "");
        assert_eq!(origin_query("_HLS_msn=7&_HLS_msn=7"), "_HLS_msn=7");
        assert_eq!(
            origin_query("CMCD=x&publishTime=2026-11-21T12:00:00.000Z"),
            "publishTime=2026-11-21T12:00:00.000Z"
        );
    }

    #[test]
    fn gzip_is_taken_where_it_is_named_and_not_refused() {
        let accepts = |value: &'static str| {
            let mut viewer = HeaderMap::new();
            viewer.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            accepts_gzip(&viewer)
        };
        for value in ["gzip", "br, GZIP;q=0.5", "deflate,gzip , br"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["", "br", "gzip;q=0", "gzip;q=0.000", "*", "gzip;q=x"] {
            assert!(!accepts(value), "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_directive_that_is_wrong_is_the_origins_to_refuse() {
        for wrong in ["_HLS_msn", "_HLS_msn=", "_HLS_part=-1", "_HLS_msn=1&_HLS_msn=2"] {
            assert_eq!(origin_query(wrong), wrong);
        }
    }
}
