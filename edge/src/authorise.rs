//! Authorise: one acceptable token admits a request. Access fails closed.

use std::sync::Arc;

use selvedge_token::{
    Admission, Answer as ConsequenceAnswer, Authentic, Class, Minting, Place, Refusal, RenewalKind, Request,
    Standing, UnixMillis,
};

use crate::{
    carrier::Carrier,
    fields::Fields,
    handle::Edge,
    mark,
    platform::{Plan, Want},
    problem::Problem,
    route::RoutedResource,
    visit::Visit,
};

/// A request that may have what it asks for.
#[derive(Debug)]
pub(crate) struct Authorised {
    pub(crate) routed: RoutedResource,
    pub(crate) grant: Grant,
}

/// The token that admitted a request.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) carrier: Carrier,
    pub(crate) token: String,
    pub(crate) authentic: Arc<Authentic>,
}

/// A request's tokens that admit it as far as they can say by themselves, and the best reason of those that do not.
#[derive(Debug)]
pub(crate) struct Candidates {
    routed: RoutedResource,
    candidates: Vec<Candidate>,
    refused: Option<Refused>,
}

/// A token that admits the request unless a store says otherwise.
#[derive(Debug)]
struct Candidate {
    grant: Grant,
    admission: Admission,
}

/// What becomes of a request's candidates.
#[derive(Debug)]
pub(crate) enum Settled {
    /// One of them admits the request.
    Authorised(Authorised),
    /// The first may not pass; these are left.
    Next(Candidates),
    /// None is left.
    Refused(Problem),
}

/// Why a token was refused: what the viewer's answer and the operator's log are made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// The token, where it is authentic.
    pub(crate) authentic: Option<Arc<Authentic>>,
    /// What the token itself asks to be answered in this case (`catif`).
    pub(crate) answer: Option<ConsequenceAnswer>,
}

/// Judges the tokens of a request: one that admits is enough, and a bad one before it does not matter.
pub(crate) fn judge(edge: &Edge, routed: RoutedResource, visit: &Visit<'_>) -> Candidates {
    let fields = Fields {
        headers: visit.request.headers(),
        carriers: &edge.site.carriers,
    };
    let rules = edge.site.watermark.as_ref();
    let marks_alone = rules.is_some_and(|rules| rules.separate_tokens);
    let mut found = Vec::new();
    let mut refused = None;
    for (carrier, token) in &routed.carried.tokens {
        let request = Request {
            headers: &fields,
            token,
            context: visit.context,
            random: visit.random,
            ..Request::new(routed.method.as_str(), &routed.uri)
        };
        let authentic = match edge.authenticate(token, visit.now) {
            Ok(authentic) => authentic,
            Err(refusal) => {
                keep_closer(&mut refused, Refused::unauthentic(refusal));
                continue;
            }
        };
        // It says who watches, and not what may be watched.
        if marks_alone && authentic.claims().watermark.is_some() {
            continue;
        }
        let admitted = edge.verifier.admit(&authentic, &request, visit.now);
        // Ads lie beside the channels. Who may watch one of those may have them.
        let admitted = admitted.or_else(|refusal| match edge.site.shares(routed.uri.path()) {
            true => {
                let shared = Request {
                    place: Place::Shared,
                    ..request
                };
                edge.verifier.admit(&authentic, &shared, visit.now)
            }
            false => Err(refusal),
        });
        match admitted {
            Ok(admission) => {
                let grant = Grant {
                    carrier: *carrier,
                    token: token.clone(),
                    authentic,
                };
                found.push(Candidate { grant, admission });
            }
            Err(refusal) => keep_closer(
                &mut refused,
                Refused::authentic(refusal, authentic, edge, visit.now),
            ),
        }
    }
    // A token that asks nothing of a store goes before one that is used up by asking; and one that is due for a
    // redirect after the one that the redirect led to, which a header or a cookie with the old one comes along with.
    // Marked media is not to be had by a token without a mark where there is one with it.
    let wants_mark = !marks_alone && mark::marked(&edge.site, &routed).is_some();
    found.sort_by_key(|candidate| {
        let lacks_mark = wants_mark && candidate.grant.authentic.claims().watermark.is_none();
        let asks = candidate.admission.requests().len();
        (lacks_mark, asks, candidate.is_due_for_redirect(visit.now))
    });
    Candidates {
        routed,
        candidates: found,
        refused,
    }
}

impl Candidates {
    /// What the store has to be asked before the next candidate may pass.
    pub(crate) fn plan(&self) -> Plan {
        let wants = self.candidates.first().map(Candidate::wants).unwrap_or_default();
        Plan { wants }
    }

    /// Decides by the store's answers to [`plan`](Self::plan).
    pub(crate) fn settle(mut self, standings: &[Standing], edge: &Edge, now: UnixMillis) -> Settled {
        if self.candidates.is_empty() {
            let refused = self
                .refused
                .map(|refused| Problem::TokenRefused(Box::new(refused)));
            return Settled::Refused(refused.unwrap_or(Problem::TokenMissing));
        }
        let Candidate { grant, admission } = self.candidates.remove(0);
        if let Err(refusal) = admission.settle(standings) {
            keep_closer(
                &mut self.refused,
                Refused::authentic(refusal, grant.authentic, edge, now),
            );
            return Settled::Next(self);
        }
        Settled::Authorised(Authorised {
            routed: self.routed,
            grant,
        })
    }
}

impl Candidate {
    fn wants(&self) -> Vec<Want> {
        self.admission.requests().cloned().map(Want::Store).collect()
    }

    fn is_due_for_redirect(&self, now: UnixMillis) -> bool {
        let claims = self.grant.authentic.claims();
        claims.renewal.as_ref().is_some_and(|terms| {
            terms.kind() == Some(RenewalKind::Redirect) && terms.renewed_until(claims.expires, now).is_some()
        })
    }
}

impl Refused {
    const fn unauthentic(refusal: Refusal) -> Self {
        Self {
            refusal,
            authentic: None,
            answer: None,
        }
    }

    fn authentic(refusal: Refusal, authentic: Arc<Authentic>, edge: &Edge, now: UnixMillis) -> Self {
        let answer = consequence(&refusal, &authentic, edge, now);
        Self {
            refusal,
            authentic: Some(authentic),
            answer,
        }
    }
}

/// What the token asks for in the case that one of its claims refuses.
fn consequence(
    refusal: &Refusal,
    authentic: &Authentic,
    edge: &Edge,
    now: UnixMillis,
) -> Option<ConsequenceAnswer> {
    let minting = Minting {
        issuer: edge.site.own_issuer.as_deref(),
        lifetime_seconds: Minting::DEFAULT_LIFETIME_SECONDS,
        keys: edge.verifier.keys(),
        now,
    };
    authentic.consequence(refusal, &minting)
}

fn keep_closer(kept: &mut Option<Refused>, new: Refused) {
    let closer = kept
        .as_ref()
        .is_none_or(|kept| closeness(&new.refusal) > closeness(&kept.refusal));
    if closer {
        *kept = Some(new);
    }
}

/// Of several refusals, the one of the token that came closest to admitting is the one worth telling.
const fn closeness(refusal: &Refusal) -> u8 {
    match refusal.class() {
        Class::Invalid => 0,
        Class::NotYetValid => 1,
        Class::Expired => 2,
        Class::OutOfScope => 3,
    }
}
