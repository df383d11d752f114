//! Whose bits choose the variants: what the tokens of a request say of its session's mark.

use selvedge_token::{Authentic, Mark, MarkMode, SegmentDuration, UnixMillis};
use selvedge_watermark::{
    code::{CodeKey, Event, Pattern, Session},
    pace::Variant,
};

use super::{MarkRules, MarkedChannel, OnUnmarked};
use crate::{authorise::Authorised, handle::Edge, problem::Problem};

/// The mark of a session.
#[derive(Clone)]
pub(crate) struct SessionMark {
    pub(crate) bits: Bits,
    /// How long its token says that a segment is.
    pub(crate) segment_duration: Option<SegmentDuration>,
}

/// The bits of a session.
#[derive(Clone)]
pub(crate) enum Bits {
    /// None: every segment is this variant.
    Always(Variant),
    /// Those of a pattern that came with the token.
    Pattern(Pattern),
    /// Those that are derived.
    Derived(Box<Derived>),
}

/// What bits are derived from.
#[derive(Clone)]
pub(crate) struct Derived {
    key: CodeKey,
    key_version: u64,
    channel: MarkedChannel,
    operator: u64,
    id: String,
    length: u16,
}

impl Bits {
    /// The variant at a position.
    pub(super) fn variant(&self, index: u16) -> Variant {
        match self {
            Self::Always(variant) => *variant,
            Self::Pattern(pattern) => Variant::of_bit(pattern.bit(index)),
            Self::Derived(derived) => Variant::of_bit(derived.bit(index)),
        }
    }

    /// Whether both are of one session.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pattern(one), Self::Pattern(other)) => one == other,
            (Self::Derived(one), Self::Derived(other)) => one.names() == other.names(),
            _ => false,
        }
    }
}

impl Derived {
    fn bit(&self, index: u16) -> bool {
        let event = Event {
            service: &self.channel.service,
            epoch: self.channel.epoch,
            design: self.channel.design,
        };
        let session = Session {
            operator: self.operator,
            id: &self.id,
        };
        let index = index.checked_rem(self.length).unwrap_or_default();
        self.key.bit(&event, &session, index)
    }

    fn names(&self) -> (u64, u64, &str, u16) {
        (self.key_version, self.operator, &self.id, self.length)
    }
}

/// The mark whose bits choose the variants of a request's media.
///
/// Tokens beside the one that admits must not say otherwise: two sessions in one request would let a viewer choose.
///
/// # Errors
/// There is no mark where the channel demands one, it cannot be used, or two differ.
pub(crate) fn mark_of(
    edge: &Edge,
    channel: &MarkedChannel,
    authorised: &Authorised,
    now: UnixMillis,
) -> Result<SessionMark, Problem> {
    let Some(rules) = edge.site.watermark.as_ref() else {
        return Err(Problem::MarkMissing);
    };
    let grant = &authorised.grant.authentic;
    let mut found = of_token(edge, rules, channel, grant, now)?;
    for (_, token) in &authorised.routed.carried.tokens {
        if *token == authorised.grant.token {
            continue;
        }
        let Ok(other) = edge.authenticate(token, now) else {
            continue;
        };
        let is_over = |authentic: &Authentic| {
            let expires = authentic.claims().expires;
            expires.is_some_and(|exp| exp.moment() <= now)
        };
        if is_over(&other) || !other.key_bounds().hold_at(now) {
            continue;
        }
        let Some(theirs) = of_token(edge, rules, channel, &other, now)? else {
            continue;
        };
        match &found {
            Some(ours) if ours.bits.is_same(&theirs.bits) => {}
            Some(_) => return Err(Problem::MarksMixed),
            None if rules.separate_tokens && is_bound(grant, &other) => found = Some(theirs),
            None => return Err(Problem::MarksMixed),
        }
    }
    match (found, channel.without_mark) {
        (Some(mark), _) => Ok(mark),
        (None, OnUnmarked::Serve) => Ok(SessionMark {
            bits: Bits::Always(Variant::A),
            segment_duration: None,
        }),
        (None, OnUnmarked::Refuse) => Err(Problem::MarkMissing),
    }
}

/// Whether a token of its own marks the session that another admits: both were made for one subject, by one issuer. Else
/// anybody could go with somebody else's mark.
fn is_bound(admits: &Authentic, marks: &Authentic) -> bool {
    let (admits, marks) = (admits.claims(), marks.claims());
    admits.subject.is_some() && admits.subject == marks.subject && admits.issuer == marks.issuer
}

fn of_token(
    edge: &Edge,
    rules: &MarkRules,
    channel: &MarkedChannel,
    authentic: &Authentic,
    now: UnixMillis,
) -> Result<Option<SessionMark>, Problem> {
    let unusable = |why: String| Problem::MarkUnusable(why);
    let mark = authentic.mark().map_err(|error| unusable(error.to_string()))?;
    let Some(Mark {
        vendor,
        bits,
        segment_duration,
        mode,
    }) = mark
    else {
        return Ok(None);
    };
    if vendor != rules.vendor {
        return Err(unusable(format!(
            "wmvnd is {vendor}, this edge knows {}",
            rules.vendor
        )));
    }
    let bits = match mode {
        MarkMode::Direct { .. } => {
            let bytes = authentic.open_pattern(edge.verifier.keys(), now);
            let bytes = bytes.map_err(|error| unusable(error.to_string()))?;
            Bits::Pattern(Pattern::new(bytes, bits).ok_or_else(|| unusable("wmpatlen".into()))?)
        }
        MarkMode::Indirect {
            id,
            operator,
            key_version,
        } => {
            let key = rules.keys.get(&key_version);
            let key =
                key.ok_or_else(|| unusable(format!("no key of the version {key_version} (wmkeyver)")))?;
            Bits::Derived(Box::new(Derived {
                key: key.code().clone(),
                key_version,
                channel: channel.clone(),
                operator,
                id: id.to_owned(),
                length: bits,
            }))
        }
    };
    Ok(Some(SessionMark {
        bits,
        segment_duration,
    }))
}
