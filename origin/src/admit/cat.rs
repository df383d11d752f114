//! Common Access Tokens (CTA-5007-B) that admit pushes.

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderMap;
use selvedge_token::{
    Headers, JwkSet, KeyError, KeySet, Policy, Request, RequestContext, RequestUri, Verifier,
};

use super::{Cat, Offer, Refusal};
use crate::time::UnixMillis;

/// Keys and rules for the tokens of one table.
pub struct CatKeys {
    verifier: Verifier,
    subjects: Vec<String>,
}

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// It is no JWK Set.
    #[error("not a JWK Set (RFC 7517): {0}")]
    Json(#[from] serde_json::Error),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is none, so that no token could ever be good.
    #[error("holds no keys")]
    Empty,
}

impl CatKeys {
    /// The keys of a JWK Set, under the rules of a table.
    ///
    /// # Errors
    /// [`KeysError`] when no token could be judged by them.
    pub fn read(document: &str, rules: &Cat) -> Result<Self, KeysError> {
        let set: JwkSet = serde_json::from_str(document)?;
        if set.keys.is_empty() {
            return Err(KeysError::Empty);
        }
        let policy = Policy {
            issuers: rules.issuers.clone(),
            audiences: rules.audiences.clone(),
            ..Policy::default()
        };
        Ok(Self {
            verifier: Verifier::new(KeySet::from_jwks(&set.keys)?, policy),
            subjects: rules.subjects.clone(),
        })
    }

    pub(super) fn judge(
        &self,
        token: &str,
        offer: &Offer<'_>,
        now: UnixMillis,
    ) -> Result<(), (Refusal, String)> {
        let wrong = |what: String| (Refusal::Wrong, format!("token: {what}"));
        let authentic = self
            .verifier
            .authenticate(token)
            .map_err(|refusal| wrong(refusal.to_string()))?;
        let subject = authentic.claims().subject.as_deref();
        let is_named = |subject| self.subjects.iter().any(|named| named == subject);
        if !self.subjects.is_empty() && !subject.is_some_and(is_named) {
            return Err(wrong(format!("the subject {subject:?} may not push here")));
        }
        let scheme = if offer.is_secure { "https" } else { "http" };
        let query = offer.query.map(without_token);
        let uri = RequestUri::parse(scheme, offer.authority, offer.path, query.as_deref())
            .map_err(|error| wrong(error.to_string()))?;
        let headers = Fields(offer.headers);
        let context = Peer(offer);
        let request = Request {
            headers: &headers,
            token,
            context: &context,
            ..Request::new(offer.method, &uri)
        };
        let admission = self.verifier.admit(&authentic, &request, now);
        let admitted = admission.and_then(|admission| admission.settle(&[]));
        admitted.map(|_| ()).map_err(|refusal| wrong(refusal.to_string()))
    }
}

/// The tokens that a push carries beside `Authorization`: in its own header field, and in the query.
pub(super) fn carried(offer: &Offer<'_>) -> Vec<String> {
    let fields = offer.headers.get_all(FIELD).iter();
    let in_header = fields.filter_map(|value| value.to_str().ok()).map(str::trim);
    let pairs = offer.query.unwrap_or_default().split('&');
    let in_query = pairs.filter_map(|pair| pair.strip_prefix(PARAMETER));
    in_header
        .chain(in_query)
        .filter(|token| !token.is_empty())
        .take(MAX_CARRIED)
        .map(str::to_owned)
        .collect()
}

fn without_token(query: &str) -> String {
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.starts_with(PARAMETER))
        .collect();
    kept.join("&")
}

/// The request's header fields, without those that carry a token.
struct Fields<'r>(&'r HeaderMap);

impl Headers for Fields<'_> {
    fn combined(&self, name: &str) -> Option<Cow<'_, str>> {
        if name == FIELD || name == "authorization" {
            return None;
        }
        let mut lines = self.0.get_all(name).iter().map(|value| value.to_str().ok());
        let first = lines.next()??;
        lines.try_fold(Cow::Borrowed(first), |joined, line| Some(joined + ", " + line?))
    }
}

/// What is known of the sender.
struct Peer<'r>(&'r Offer<'r>);

impl RequestContext for Peer<'_> {
    fn address(&self) -> Option<IpAddr> {
        self.0.address.map(|address| address.to_canonical())
    }

    fn certificate_keys(&self) -> Option<Vec<Cow<'_, [u8]>>> {
        Some(self.0.certificate.map(Cow::Borrowed).into_iter().collect())
    }
}

const FIELD: &str = "cta-common-access-token";
const PARAMETER: &str = "CAT=";
/// Tokens that are looked at of one push.
const MAX_CARRIED: usize = 4;
