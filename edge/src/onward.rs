//! Onward: what a viewer carries to its next request, where that is not the token that it came with.

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use selvedge_token::{Algorithm, Authentic, RenewalKind, RenewalTerms, Replay, SigningKey};

use crate::{
    authorise::Authorised,
    carrier::{Carrier, token_path},
    handle::Edge,
    route::{Resource, RoutedResource},
    visit::Visit,
};

/// How a viewer goes on.
#[derive(Debug, Default)]
pub(crate) struct Onward {
    /// The root that the document's URIs are moved below: `/t/<token>`.
    pub(crate) root: Option<String>,
    /// The field that hands over a renewed token.
    pub(crate) field: Option<(HeaderName, HeaderValue)>,
    /// Where the viewer is sent for the same thing, with a renewed token.
    pub(crate) redirect: Option<(StatusCode, HeaderValue)>,
}

impl Onward {
    /// The word in the log for what was done.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Self {
                redirect: Some(_), ..
            } => Some("redirect"),
            Self {
                field: Some((name, _)),
                ..
            } => Some(if is_cookie(name) { "cookie" } else { "header" }),
            Self { root: Some(_), .. } => Some("path"),
            Self { .. } => None,
        }
    }
}

fn is_cookie(name: &HeaderName) -> bool {
    name == header::SET_COOKIE
}

/// Decides how an authorised request's viewer goes on.
pub(crate) fn onward(edge: &Edge, authorised: &Authorised, visit: &Visit<'_>) -> Onward {
    let key = edge.verifier.keys().signing(visit.now);
    let renewed = key.and_then(|key| renew(authorised, key, visit));
    match renewed {
        Some(onward) => onward,
        None => Onward {
            root: root(edge, authorised, key, visit),
            ..Onward::default()
        },
    }
}

/// A renewal (`catr`), where one is due and can be made by the way that the token names.
fn renew(authorised: &Authorised, key: &SigningKey, visit: &Visit<'_>) -> Option<Onward> {
    let grant = &authorised.grant;
    let terms = grant.authentic.claims().renewal.as_ref()?;
    let kind = way(terms.kind()?, grant.carrier)?;
    let renewal = grant.authentic.renewal(visit.now)?;
    let token = renewal.sign(key).ok()?;
    match kind {
        Way::Cookie => {
            let cookie = HeaderValue::try_from(set_cookie(terms, &token, authorised)?).ok()?;
            Some(Onward {
                field: Some((header::SET_COOKIE, cookie)),
                ..Onward::default()
            })
        }
        Way::Header => {
            let (name, value) = terms.header(&token)?;
            let name = HeaderName::try_from(name).ok()?;
            Some(Onward {
                field: Some((name, HeaderValue::try_from(value).ok()?)),
                ..Onward::default()
            })
        }
        // A redirect that would be followed by another would never end.
        Way::Redirect if authorised.routed.method == Method::GET && !terms.is_always_due() => {
            let status = StatusCode::from_u16(terms.redirect_status()?).ok()?;
            let location = HeaderValue::try_from(location(authorised, &token)).ok()?;
            Some(Onward {
                redirect: Some((status, location)),
                ..Onward::default()
            })
        }
        Way::Redirect => None,
    }
}

/// The ways of a renewal that leave a document as it is.
enum Way {
    Cookie,
    Header,
    Redirect,
}

/// `None` for an automatic renewal of a token in a URL: what leads onward there is the document's own URIs.
const fn way(kind: RenewalKind, carrier: Carrier) -> Option<Way> {
    Some(match (kind, carrier) {
        (RenewalKind::Cookie, _) | (RenewalKind::Automatic, Carrier::Cookie) => Way::Cookie,
        (RenewalKind::Header, _) | (RenewalKind::Automatic, Carrier::Header) => Way::Header,
        (RenewalKind::Redirect, _) => Way::Redirect,
        (RenewalKind::Automatic, Carrier::Query | Carrier::Path) => return None,
    })
}

/// The cookie with the issuer's parameters; where it gave none, with those that keep it from scripts and from
/// other sites.
fn set_cookie(terms: &RenewalTerms, token: &str, authorised: &Authorised) -> Option<String> {
    let cookie = terms.set_cookie(token)?;
    if cookie.contains(';') {
        return Some(cookie);
    }
    let secure = if authorised.routed.uri.is_secure() {
        "; Secure"
    } else {
        ""
    };
    Some(format!("{cookie}; Path=/; HttpOnly; SameSite=Lax{secure}"))
}

/// The URL of the same thing with another token, in the path where it stood there, else in the query.
fn location(authorised: &Authorised, token: &str) -> String {
    let uri = &authorised.routed.uri;
    let (root, parameter) = match authorised.grant.carrier {
        Carrier::Path => (token_path(token), None),
        _ => (String::new(), Some(format!("CAT={token}"))),
    };
    let kept = Some(uri.query()).filter(|query| !query.is_empty());
    let query: Vec<&str> = parameter.as_deref().into_iter().chain(kept).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{root}{}{mark}{}", uri.path(), query.join("&"))
}

/// The root that a document's URIs are to lead below. A token in the query is lost on every relative URI; one in
/// the path carries on by itself, but cannot be renewed there, is spent if it may be used once, and costs a
/// signature's check at every instance: then a session token takes its place.
fn root(edge: &Edge, authorised: &Authorised, key: Option<&SigningKey>, visit: &Visit<'_>) -> Option<String> {
    let grant = &authorised.grant;
    if !leads_onward(&authorised.routed, grant.carrier) {
        return None;
    }
    let session = key.filter(|_| wants_exchange(&grant.authentic)).and_then(|key| {
        let id = visit.entropy.session_id();
        let session = grant
            .authentic
            .exchange(edge.site.session.seconds, Some(id), visit.now)?;
        session.sign(key).ok()
    });
    match (session, grant.carrier) {
        (Some(session), _) => Some(token_path(&session)),
        (None, Carrier::Query) => Some(token_path(&grant.token)),
        (None, _) => None,
    }
}

/// Whether the URIs of what is asked for are where a token that came so goes on.
const fn leads_onward(routed: &RoutedResource, carrier: Carrier) -> bool {
    matches!(routed.resource, Resource::Playlist | Resource::Manifest)
        && matches!(carrier, Carrier::Query | Carrier::Path)
}

/// Whether an answer to this request will send the player on with a session token, whose `cti` is then
/// [`session_id`](crate::Entropy::session_id).
pub(crate) fn begins_session(
    edge: &Edge,
    routed: &RoutedResource,
    carrier: Carrier,
    authentic: &Authentic,
    visit: &Visit<'_>,
) -> bool {
    let renewed_first = || {
        let kind = authentic.claims().renewal.as_ref().and_then(|terms| terms.kind());
        kind.and_then(|kind| way(kind, carrier)).is_some() && authentic.renewal(visit.now).is_some()
    };
    leads_onward(routed, carrier)
        && wants_exchange(authentic)
        && edge.verifier.keys().signing(visit.now).is_some()
        && !renewed_first()
}

/// Whether a session token serves a player better than this one. A session token itself is as short and as cheap
/// as can be.
fn wants_exchange(authentic: &Authentic) -> bool {
    let claims = authentic.claims();
    authentic.algorithm() != Algorithm::Hs256
        || claims.renewal.is_some()
        || claims.replay == Replay::Prohibited
}
