//! Concurrent streams: how many one subject has at once.
//!
//! A stream is a lease in the store, which each of its requests renews. What the store's consistency makes of the
//! limit is the platform's to say (`docs/streams.md`).

use std::collections::HashMap;

use selvedge_token::{Authentic, Standing, StoreKey, StoreRequest, UnixMillis};

use crate::{
    limits::MAX_LEASES_REMEMBERED,
    site::{OnUnknown, StreamRules},
};

/// Leases that this instance was granted lately and need not ask for again.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    good_until: HashMap<(StoreKey, StoreKey), UnixMillis>,
}

/// A lease that has to be asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    rules: StreamRules,
    subject: StoreKey,
    stream: StoreKey,
    now: UnixMillis,
}

impl Lease {
    /// The lease that a request of this token's needs; `None` where the token names no subject. Its stream is
    /// its `cti`, which each session that an exchange begins has for itself, or the token itself.
    pub(crate) fn of(
        rules: StreamRules,
        authentic: &Authentic,
        token: &str,
        now: UnixMillis,
    ) -> Option<Self> {
        let claims = authentic.claims();
        let subject = claims.subject.as_deref()?;
        let issuer = claims.issuer.as_deref().unwrap_or_default();
        let stream = match &claims.token_id {
            Some(id) => StoreKey::new("stream", &[b"cti", id]),
            None => StoreKey::new("stream", &[b"token", token.as_bytes()]),
        };
        Some(Self {
            rules,
            subject: StoreKey::new("subject", &[issuer.as_bytes(), subject.as_bytes()]),
            stream,
            now,
        })
    }

    pub(crate) fn request(&self) -> StoreRequest {
        StoreRequest::Lease {
            subject: self.subject,
            stream: self.stream,
            limit: self.rules.limit,
            until: self.now.plus_seconds(i64::from(self.rules.grace_seconds)),
        }
    }

    /// Whether the stream may go on, by the store's answer.
    pub(crate) fn is_granted(&self, standing: Standing) -> bool {
        match standing {
            Standing::Clear => true,
            Standing::Held => false,
            Standing::Unknown => self.rules.unknown == OnUnknown::Admit,
        }
    }
}

impl Leases {
    /// Whether the lease was granted so lately that the store need not hear of it again.
    pub(crate) fn holds(&self, lease: &Lease) -> bool {
        self.good_until
            .get(&(lease.subject, lease.stream))
            .is_some_and(|until| lease.now < *until)
    }

    /// Remembers a granted lease for a third of its grace, so that a player that asks rarely still renews in
    /// time.
    pub(crate) fn remember(&mut self, lease: &Lease) {
        if self.good_until.len() >= MAX_LEASES_REMEMBERED {
            self.good_until.retain(|_, until| lease.now < *until);
        }
        // Forgetting costs one question more.
        if self.good_until.len() >= MAX_LEASES_REMEMBERED {
            self.good_until.clear();
        }
        let third = i64::from(lease.rules.grace_seconds).saturating_mul(1000) / 3;
        let until = UnixMillis(lease.now.0.saturating_add(third));
        self.good_until.insert((lease.subject, lease.stream), until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(now: i64) -> Lease {
        Lease {
            rules: StreamRules {
                limit: 2,
                grace_seconds: 30,
                unknown: OnUnknown::Admit,
            },
            subject: StoreKey::new("subject", &[b"a"]),
            stream: StoreKey::new("stream", &[b"b"]),
            now: UnixMillis::from_seconds(now),
        }
    }

    #[test]
    fn a_granted_lease_is_asked_for_again_well_before_it_ends() {
        let mut leases = Leases::default();
        assert!(!leases.holds(&lease(0)));
        leases.remember(&lease(0));
        assert!(leases.holds(&lease(9)));
        assert!(!leases.holds(&lease(10)));
    }

    #[test]
    fn a_store_that_cannot_say_is_met_as_the_operator_chose() {
        let strict = Lease {
            rules: StreamRules {
                unknown: OnUnknown::Refuse,
                ..lease(0).rules
            },
            ..lease(0)
        };
        assert!(lease(0).is_granted(Standing::Unknown));
        assert!(!strict.is_granted(Standing::Unknown));
        assert!(!lease(0).is_granted(Standing::Held));
    }
}
