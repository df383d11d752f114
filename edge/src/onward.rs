//! Onward: what a viewer carries to its next request, where that is not the token that it came with.

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use selvedge_token::{Algorithm, Authentic, RenewalKind, RenewalTerms, Replay, SigningKey, StoreKey};

use crate::{
    authorise::Authorised,
    carrier::{Carrier, token_path},
    handle::Edge,
    route::Resource,
    visit::Visit,
};

/// How a viewer goes on.
#[derive(Debug, Default)]
pub(crate) struct Onward {
    /// The root that the document's URIs are moved below.
    pub(crate) root: Option<Root>,
    /// The field that hands over a renewed token.
    pub(crate) field: Option<(HeaderName, HeaderValue)>,
    /// Where the viewer is sent for the same thing, with a renewed token.
    pub(crate) redirect: Option<(StatusCode, HeaderValue)>,
}

/// The root of a document's URIs: `/t/<token>`.
#[derive(Debug)]
pub(crate) enum Root {
    /// Of the token that came.
    Same(String),
    /// Of a session token.
    Session(String),
}

impl Onward {
    /// Whether the viewer goes on with another token, whose requests are the ones of its stream: a document that is
    /// loaded again, or that nobody plays, is none.
    pub(crate) const fn leads_to_another(&self) -> bool {
        self.redirect.is_some() || matches!(self.root, Some(Root::Session(_)))
    }

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
    let onward = key
        .and_then(|key| renew(authorised, key, visit))
        .unwrap_or_default();
    if onward.redirect.is_some() {
        return onward;
    }
    // A document leads onward by its URIs also where a renewed token goes another way: a player that has the old one
    // in the URL may see neither headers nor cookies.
    Onward {
        root: root(edge, authorised, key, visit),
        ..onward
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
        Way::Redirect
            if authorised.routed.method == Method::GET
                && !terms.is_always_due()
                && !was_redirected(authorised) =>
        {
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

/// Whether a token in a header or a cookie admitted although a redirect has put another one into the URL, which then
/// does not admit. Where a proof of possession is for the old one, no redirect will change that.
fn was_redirected(authorised: &Authorised) -> bool {
    let in_field = matches!(authorised.grant.carrier, Carrier::Header | Carrier::Cookie);
    let mut tokens = authorised.routed.carried.tokens.iter();
    in_field && tokens.any(|(carrier, _)| *carrier == Carrier::Query)
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
fn root(edge: &Edge, authorised: &Authorised, key: Option<&SigningKey>, visit: &Visit<'_>) -> Option<Root> {
    let document = matches!(
        authorised.routed.resource,
        Resource::Playlist | Resource::Manifest
    );
    let grant = &authorised.grant;
    if !document || matches!(grant.carrier, Carrier::Header | Carrier::Cookie) {
        return None;
    }
    let session = key.filter(|_| wants_exchange(&grant.authentic)).and_then(|key| {
        let id = session_id(&grant.token, visit);
        let session = grant
            .authentic
            .exchange(edge.site.session.seconds, Some(id), visit.now)?;
        session.sign(key).ok()
    });
    match (session, grant.carrier) {
        (Some(session), _) => Some(Root::Session(token_path(&session))),
        (None, Carrier::Query) => Some(Root::Same(token_path(&grant.token))),
        (None, _) => None,
    }
}

/// The identity of the session that a token begins for this viewer. It is the same each time, so that a player which
/// loads a document again goes on with its one stream; another household, or another kind of player, has another.
fn session_id(token: &str, visit: &Visit<'_>) -> [u8; 16] {
    let address = visit.context.address().map(|address| address.to_string());
    let agent = visit.request.headers().get(header::USER_AGENT);
    let parts = [
        token.as_bytes(),
        address.as_deref().unwrap_or_default().as_bytes(),
        agent.map(HeaderValue::as_bytes).unwrap_or_default(),
    ];
    let digest = StoreKey::new("session", &parts);
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Whether a session token serves a player better than this one. A session token itself is as short and as cheap
/// as can be.
fn wants_exchange(authentic: &Authentic) -> bool {
    let claims = authentic.claims();
    authentic.algorithm() != Algorithm::Hs256
        || claims.renewal.is_some()
        || claims.replay == Replay::Prohibited
}
