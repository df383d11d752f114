//! The way of one request, from top to bottom.

use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use http::{HeaderValue, Method, Response, header};
use selvedge_token::Verifier;

use crate::{
    authorise::authorise,
    compose::compose,
    cors,
    gather::plan,
    platform::{Body, Platform},
    problem::Problem,
    record::Record,
    route::{Routed, route},
    site::{ConfigError, Site},
    visit::Visit,
};

/// An edge: what its operator configured, ready to judge requests. It holds no other state.
#[derive(Clone, Debug)]
pub struct Edge {
    site: Site,
    verifier: Verifier,
}

/// A request's answer, and its line in the log.
#[derive(Debug)]
pub struct Handled<B> {
    /// For the viewer.
    pub response: Response<Body<B>>,
    /// For the operator.
    pub record: Record,
}

impl Edge {
    /// An edge from its two documents: a JWK Set (RFC 7517) of the keys that it trusts, and the site document
    /// ([`Site`]; `{}` for the defaults).
    ///
    /// # Errors
    /// What is wrong in which document.
    pub fn new(keys: &str, site: &str) -> Result<Self, ConfigError> {
        Self::with_site(keys, Site::from_json(site)?)
    }

    /// An edge from a JWK Set document and a site that was read elsewhere.
    ///
    /// # Errors
    /// What is wrong with the keys.
    pub fn with_site(keys: &str, site: Site) -> Result<Self, ConfigError> {
        Ok(Self {
            verifier: site.verifier(keys)?,
            site,
        })
    }

    /// Answers a request.
    pub async fn handle<P: Platform>(&self, platform: &P, visit: &Visit<'_>) -> Handled<P::Body> {
        let request = visit.request;
        let mut record = Record {
            method: request.method().to_string(),
            ..Record::default()
        };
        let answered = self.answer(platform, visit, &mut record).await;
        let mut response = answered.unwrap_or_else(|problem| {
            record.note(&problem);
            problem.response()
        });
        record.status = response.status().as_u16();
        cors::share(&self.site, request.headers(), response.headers_mut());
        if request.method() == Method::HEAD {
            // Not every host drops the body of such an answer by itself. Its headers stay as for GET.
            *response.body_mut() = Body::Empty;
        }
        if self.site.server_timing
            && let Ok(timing) = HeaderValue::try_from(record.server_timing())
        {
            response.headers_mut().insert("server-timing", timing);
        }
        Handled { response, record }
    }

    /// route → authorise → gather → compose. Each step takes what the one before it made, so a wrong order does
    /// not compile.
    async fn answer<P: Platform>(
        &self,
        platform: &P,
        visit: &Visit<'_>,
        record: &mut Record,
    ) -> Result<Response<Body<P::Body>>, Problem> {
        let routed = match route(visit.request)? {
            Routed::Preflight => {
                record.route = Some("preflight");
                return Ok(cors::preflight());
            }
            Routed::Health => {
                record.route = Some("health");
                return Ok(text("ok"));
            }
            Routed::Time => {
                record.route = Some("time");
                return Ok(text(&visit.now.to_string()));
            }
            Routed::Resource(resource) => resource,
        };
        record.route = Some(routed.resource.name());
        record.path = routed.uri.path().to_owned();

        let authorised = authorise(&self.verifier, routed, visit)?;
        record.token = Some(authorised.grant.carrier.name());
        record.kid = Some(authorised.grant.kid.clone());

        let answers = platform.gather(plan(&authorised, visit.request.headers())).await;

        let (answer, origin) = compose(&authorised, answers);
        record.origin = origin.map(|status| status.as_u16());
        answer
    }
}

fn text<B>(text: &str) -> Response<Body<B>> {
    let mut response = Response::new(Body::Bytes(text.as_bytes().to_vec()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CONTENT_LENGTH, text.len().into());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Drives a future that never really waits, for hosts whose calls block (Fastly Compute) and for tests.
///
/// Polls in a loop, so a future that did wait for a waker would spin.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
