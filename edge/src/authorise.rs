//! Authorise: one acceptable token admits a request. Access fails closed.

use selvedge_token::{Class, Refusal, Request, Verifier};

use crate::{carrier::Carrier, problem::Problem, route::RoutedResource, visit::Visit};

/// A request that may have what it asks for.
#[derive(Debug)]
pub(crate) struct Authorised {
    pub(crate) routed: RoutedResource,
    pub(crate) grant: Grant,
}

/// The token that admitted a request.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) carrier: Carrier,
    pub(crate) token: String,
    pub(crate) kid: String,
}

/// Judges the tokens of a request in their order: the first that admits it wins, and a bad one before it does
/// not matter.
pub(crate) fn authorise(
    verifier: &Verifier,
    routed: RoutedResource,
    visit: &Visit<'_>,
) -> Result<Authorised, Problem> {
    let request = Request {
        context: visit.context,
        random: Some(visit.entropy.lot()),
        ..Request::new(routed.method.as_str(), &routed.uri)
    };
    let mut refused: Option<Refusal> = None;
    for (carrier, token) in &routed.carried.tokens {
        let verdict = verifier.authenticate(token).and_then(|authentic| {
            verifier
                .admit(&authentic, &request, visit.now)?
                .settle(&[])
                .map(|_admitted| authentic)
        });
        match verdict {
            Ok(authentic) => {
                let grant = Grant {
                    carrier: *carrier,
                    token: token.clone(),
                    kid: authentic.kid().to_owned(),
                };
                return Ok(Authorised { routed, grant });
            }
            Err(refusal) => {
                let closer = refused
                    .as_ref()
                    .is_none_or(|had| closeness(&refusal) > closeness(had));
                if closer {
                    refused = Some(refusal);
                }
            }
        }
    }
    Err(refused.map_or(Problem::TokenMissing, Problem::TokenRefused))
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
