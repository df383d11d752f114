//! Gather: what a request needs of the world, as data.

use http::{HeaderMap, HeaderValue, Method, header};

use crate::{
    authorise::Authorised,
    limits::MAX_DOCUMENT,
    onward::Onward,
    platform::{OriginRequest, Plan, Read, Want},
};

/// Viewer's headers that the origin may see where a body passes untouched.
const PASSED_ON: [header::HeaderName; 3] = [header::RANGE, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];

/// The batch that an authorised request waits for.
pub(crate) fn plan(authorised: &Authorised, onward: &Onward, viewer: &HeaderMap) -> Plan {
    let routed = &authorised.routed;
    let mut headers = HeaderMap::new();
    // Hosts differ in what they accept by themselves, and an encoded document cannot be rewritten.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    // A document that is changed on its way is not what is stored of it: no conditions, no ranges.
    let changes = onward.root.is_some();
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
    let query = origin_query(routed.uri.query());
    let target = match query.as_str() {
        "" => routed.uri.path().to_owned(),
        query => format!("{}?{query}", routed.uri.path()),
    };
    let request = OriginRequest {
        method: routed.method.clone(),
        target,
        headers,
        read,
    };
    Plan {
        wants: vec![Want::Origin(request)],
    }
}

/// Of the query, the origin gets HLS's delivery directives (RFC 8216bis §6.2.5) alone, in their order of
/// names: anything else would split its cache, or let a viewer do so.
fn origin_query(query: &str) -> String {
    let mut directives: Vec<&str> = query
        .split('&')
        .filter(|pair| pair.starts_with("_HLS_"))
        .collect();
    directives.sort_unstable();
    directives.join("&")
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
        assert_eq!(origin_query("x=1"), "");
    }
}
