//! The way of one request, from top to bottom.

use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderValue, Method, Response, StatusCode, header};
use selvedge_breaks::Slice;
use selvedge_token::{Authentic, KeySetVersion, Refusal, Standing, UnixMillis, VerdictCache, Verifier};

use crate::{
    asset_list::{self, Asked, Manifests},
    authorise::{Authorised, Grant, Settled, judge},
    compose::compose,
    cors,
    credential::OriginToken,
    decide::{Decided, Decisions, Place, rules, slice_of, want},
    fast::{Assets, Scheduled, Schedules, Wanted},
    gather::{self, alone, asks_to_skip},
    limits::{MAX_VERDICT_BYTES, MAX_VERDICTS},
    mark::{OnUnmarked, Positions, Selection, SessionMark, mark_of, marked, refuse_named},
    onward::{Onward, onward},
    platform::{Answer, Body, Plan, Platform, Want},
    problem::Problem,
    record::Record,
    route::{Resource, Routed, RoutedResource, route},
    site::{ConfigError, Site, key_set},
    streams::{Lease, Leases},
    visit::Visit,
};

/// An edge: what its operator configured, ready to judge requests. What it remembers of earlier requests spares
/// work and never changes an answer, but where a document of its operator's has become unusable: then the one before
/// counts.
#[derive(Debug)]
pub struct Edge {
    pub(crate) site: Site,
    pub(crate) verifier: Verifier,
    verdicts: Mutex<VerdictCache>,
    leases: Mutex<Leases>,
    decisions: Mutex<Decisions>,
    schedules: Mutex<Schedules>,
    assets: Mutex<Assets>,
    positions: Positions,
    origin_token: Option<OriginToken>,
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
            verifier: Verifier::new(key_set(keys)?, site.policy()),
            site,
            verdicts: Mutex::new(VerdictCache::new(MAX_VERDICTS, MAX_VERDICT_BYTES)),
            leases: Mutex::default(),
            decisions: Mutex::default(),
            schedules: Mutex::default(),
            assets: Mutex::default(),
            positions: Positions::default(),
            origin_token: None,
        })
    }

    /// With the token that the origin asks edges for; `None` for an origin that asks for none.
    #[must_use]
    pub fn with_origin_token(mut self, token: Option<OriginToken>) -> Self {
        self.origin_token = token;
        self
    }

    /// The same edge with the keys of another JWK Set document. It has forgotten what it remembered of earlier requests.
    ///
    /// # Errors
    /// What is wrong with the keys.
    pub fn with_keys(&self, keys: &str) -> Result<Self, ConfigError> {
        let edge = Self::with_site(keys, self.site.clone())?;
        Ok(edge.with_origin_token(self.origin_token.clone()))
    }

    /// The version of the keys that it trusts: another where anything of any key differs.
    pub fn keys_version(&self) -> KeySetVersion {
        self.verifier.keys().version()
    }

    /// What a token says, by its signature or by the memory of it.
    pub(crate) fn authenticate(&self, token: &str, now: UnixMillis) -> Result<Arc<Authentic>, Refusal> {
        let version = self.keys_version();
        if let Some(known) = unpoisoned(&self.verdicts).get(token, version, now) {
            return Ok(known);
        }
        let authentic = Arc::new(self.verifier.authenticate(token)?);
        unpoisoned(&self.verdicts).insert(token, version, &authentic, now);
        Ok(authentic)
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
        // A page that is opened by its URL must not tell another site the token in it.
        response
            .headers_mut()
            .insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
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
        let routed = match route(visit.request, &self.site.carriers)? {
            Routed::Preflight => {
                record.route = Some("preflight");
                return Ok(cors::preflight(&self.site));
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

        refuse_named(&self.site, routed.uri.path())?;
        let demands_mark =
            marked(&self.site, &routed).is_some_and(|channel| channel.without_mark == OnUnmarked::Refuse);
        let authorised = match self.authorise(platform, routed, visit).await {
            // Whoever leaves the token out gets nothing, and no invitation to come back with another.
            Err(Problem::TokenMissing) if demands_mark => return Err(Problem::MarkMissing),
            authorised => authorised?,
        };
        record.admitted(&authorised.grant);

        let onward = onward(self, &authorised, visit);
        if !onward.leads_to_another() {
            self.lease(platform, &authorised.grant, visit.now).await?;
        }
        record.onward = onward.name();
        if let Some((status, location)) = onward.redirect {
            return Ok(redirect(status, location));
        }

        if matches!(
            authorised.routed.resource,
            Resource::AssetList | Resource::Alternative
        ) {
            let asked = Asked::of(&self.site, &authorised).ok_or(Problem::UnknownPath)?;
            let answer = self.answer_for_ads(platform, &asked).await;
            return answer.ok_or(Problem::UnknownPath);
        }
        let breaks = rules(&self.site, &authorised.routed);
        let answers = match Wanted::of(&self.site, &authorised.routed, visit.now) {
            Some(wanted) => vec![self.scheduled(platform, wanted, record).await],
            None => self.ask(platform, &authorised, &onward, visit, record).await?,
        };
        let slice =
            breaks.and_then(|rules| slice_of(authorised.routed.resource, answers.first(), &rules.cohort));
        let decided = self.decide(platform, &authorised, slice).await;

        let (answer, origin) = compose(self, &authorised, &onward, decided.as_ref(), answers);
        record.origin = origin.map(|status| status.as_u16());
        answer
    }

    /// Asks the origin for what a request wants: of marked media, for the session's variant.
    async fn ask<P: Platform>(
        &self,
        platform: &P,
        authorised: &Authorised,
        onward: &Onward,
        visit: &Visit<'_>,
        record: &mut Record,
    ) -> Result<Vec<Answer<P::Body>>, Problem> {
        let headers = visit.request.headers();
        let Some(channel) = marked(&self.site, &authorised.routed) else {
            let stitches = rules(&self.site, &authorised.routed).is_some();
            let request = gather::request(authorised, onward, stitches, headers);
            return Ok(platform.gather(alone(request)).await);
        };
        let SessionMark {
            bits,
            segment_duration,
        } = mark_of(self, channel, authorised, visit.now)?;
        let token = self.origin_token.as_ref();
        let selection = Selection {
            channel,
            bits,
            segment_duration,
            neutral: gather::marked(authorised, onward, headers, token),
            token,
        };
        let selected = selection.gather(platform, &self.positions).await?;
        record.pace = selected.pace;
        Ok(vec![selected.answer])
    }

    /// Asks for what fills the breaks of a document. Most windows have none, and of one that has the answer is known.
    async fn decide<P: Platform>(
        &self,
        platform: &P,
        authorised: &Authorised,
        slice: Option<Slice>,
    ) -> Option<Decided> {
        let rules = rules(&self.site, &authorised.routed)?;
        let (slice, place) = (slice?, Place::of(authorised)?);
        let query = authorised.routed.uri.query();
        let is_guided = rules.form.is_guided(authorised.routed.resource, query);
        let plans = if is_guided {
            // Who is guided asks for the ads itself.
            Vec::new()
        } else {
            place.plans(&slice, rules, &unpoisoned(&self.decisions))
        };
        for plan in plans {
            let answers = platform.gather(plan.clone()).await;
            unpoisoned(&self.decisions).learn(&plan, answers);
        }
        let decisions = place.known(&slice, rules, &unpoisoned(&self.decisions));
        Some(Decided {
            slice,
            decisions,
            rendition: place.rendition,
            skips: asks_to_skip(query),
            is_guided,
        })
    }

    /// Answers for the ads of a break, from its decision; `None` where there is nothing to show.
    async fn answer_for_ads<P: Platform>(
        &self,
        platform: &P,
        asked: &Asked,
    ) -> Option<Response<Body<P::Body>>> {
        if unpoisoned(&self.decisions).get(&asked.decision).is_none() {
            let plan = Plan {
                wants: vec![want(asked.decision.clone())],
            };
            let answers = platform.gather(plan.clone()).await;
            unpoisoned(&self.decisions).learn(&plan, answers);
        }
        let mut manifests = Manifests::new();
        let plans = asked.plans(&unpoisoned(&self.decisions));
        for plan in plans {
            let answers = platform.gather(plan.clone()).await;
            asset_list::learn(&mut manifests, &plan, answers);
        }
        asked.answer(&unpoisoned(&self.decisions), &manifests)
    }

    /// Makes the answer that an origin would give of a channel that is a schedule: its document is asked for, then the
    /// assets in it that are not known.
    async fn scheduled<P: Platform>(
        &self,
        platform: &P,
        wanted: Wanted,
        record: &mut Record,
    ) -> Answer<P::Body> {
        let answer = platform.gather(wanted.plan()).await.into_iter().next();
        let in_force = unpoisoned(&self.schedules).take(&wanted, answer);
        let in_force = match in_force {
            Ok(in_force) => in_force,
            Err(answer) => return answer,
        };
        if let Some(fault) = in_force.fault {
            record.tell_operator(fault);
        }
        let mut scheduled = Scheduled::new(wanted, in_force.schedule, &unpoisoned(&self.assets));
        for plan in scheduled.plans() {
            scheduled.learn(platform.gather(plan).await);
        }
        let answer = scheduled.answer();
        unpoisoned(&self.assets).keep(scheduled);
        answer
    }

    /// Asks the store where a token needs its word. Most need none, and nothing is waited for.
    async fn authorise<P: Platform>(
        &self,
        platform: &P,
        routed: RoutedResource,
        visit: &Visit<'_>,
    ) -> Result<Authorised, Problem> {
        let mut candidates = judge(self, routed, visit);
        loop {
            let plan = candidates.plan();
            let answers = if plan.wants.is_empty() {
                Vec::new()
            } else {
                platform.gather(plan).await
            };
            let standings: Vec<Standing> = answers.iter().map(Answer::standing).collect();
            match candidates.settle(&standings, self, visit.now) {
                Settled::Authorised(authorised) => return Ok(authorised),
                Settled::Next(others) => candidates = others,
                Settled::Refused(problem) => return Err(problem),
            }
        }
    }

    /// Renews the lease on the stream that a request belongs to, unless it is known to stand. It is asked for when
    /// all else admits: a request that is refused must take nobody's place.
    async fn lease<P: Platform>(&self, platform: &P, grant: &Grant, now: UnixMillis) -> Result<(), Problem> {
        let lease = self
            .site
            .streams
            .and_then(|rules| Lease::of(rules, &grant.authentic, &grant.token, now))
            .filter(|lease| !unpoisoned(&self.leases).holds(lease));
        let Some(lease) = lease else { return Ok(()) };
        let plan = Plan {
            wants: vec![Want::Store(lease.request())],
        };
        let answers = platform.gather(plan).await;
        let standing = answers.first().map_or(Standing::Unknown, Answer::standing);
        if !lease.is_granted(standing) {
            return Err(Problem::TooManyStreams(Arc::clone(&grant.authentic)));
        }
        if standing == Standing::Clear {
            unpoisoned(&self.leases).remember(&lease);
        }
        Ok(())
    }
}

/// A lock whose holder panicked guards a memory that is still sound: entries are whole or absent.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn redirect<B>(status: StatusCode, location: HeaderValue) -> Response<Body<B>> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    response
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
