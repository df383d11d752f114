//! Authorise: one acceptable token admits a request. Access fails closed.

use std::sync::Arc;

use selvedge_token::{
    Admission, Answer as ConsequenceAnswer, Authentic, Class, Minting, Refusal, Request, Standing, UnixMillis,
};

use crate::{
    carrier::Carrier,
    fields::Fields,
    handle::Edge,
    onward::begins_session,
    platform::{Plan, Want},
    problem::Problem,
    route::RoutedResource,
    streams::Lease,
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
    lease: Option<Lease>,
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
    let mut found = Vec::new();
    let mut refused = None;
    for (carrier, token) in &routed.carried.tokens {
        let request = Request {
            headers: &fields,
            token,
            context: visit.context,
            random: Some(visit.entropy.lot()),
            ..Request::new(routed.method.as_str(), &routed.uri)
        };
        let authentic = match edge.authenticate(token, visit.now) {
            Ok(authentic) => authentic,
            Err(refusal) => {
                keep_closer(&mut refused, Refused::unauthentic(refusal));
                continue;
            }
        };
        match edge.verifier.admit(&authentic, &request, visit.now) {
            Ok(admission) => {
                // The stream that a request begins is the session's: what came before it is not watched.
                let session = begins_session(edge, &routed, *carrier, &authentic, visit)
                    .then(|| visit.entropy.session_id());
                let session = session.as_ref().map(<[u8; 16]>::as_slice);
                let lease = edge.lease(&authentic, token, session, visit.now);
                let grant = Grant {
                    carrier: *carrier,
                    token: token.clone(),
                    authentic,
                };
                found.push(Candidate {
                    grant,
                    admission,
                    lease,
                });
            }
            Err(refusal) => keep_closer(
                &mut refused,
                Refused::authentic(refusal, authentic, edge, visit.now),
            ),
        }
    }
    // A token that asks nothing of a store goes before one that is used up by asking.
    found.sort_by_key(|candidate| candidate.admission.requests().len());
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
        let Candidate {
            grant,
            admission,
            lease,
        } = self.candidates.remove(0);
        let asked = admission.requests().len();
        if let Err(refusal) = admission.settle(standings) {
            keep_closer(
                &mut self.refused,
                Refused::authentic(refusal, grant.authentic, edge, now),
            );
            return Settled::Next(self);
        }
        if let Some(lease) = lease {
            let standing = standings.get(asked).copied().unwrap_or(Standing::Unknown);
            if !lease.is_granted(standing) {
                return Settled::Refused(Problem::TooManyStreams(grant.authentic));
            }
            if standing == Standing::Clear {
                edge.remember(&lease);
            }
        }
        Settled::Authorised(Authorised {
            routed: self.routed,
            grant,
        })
    }
}

impl Candidate {
    fn wants(&self) -> Vec<Want> {
        let of_token = self.admission.requests().cloned();
        let of_stream = self.lease.as_ref().map(Lease::request);
        of_token.chain(of_stream).map(Want::Store).collect()
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
        lifetime_seconds: edge.site.session.seconds,
        keys: edge.verifier.keys(),
        now,
    };
    let consequences = authentic.claims().consequences.as_ref()?;
    consequences.answer(refusal.claim()?, &minting)
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
