//! The claims of CTA-5007-B §4.6 to §4.9, read once from an authenticated payload.

mod composite;
mod confirmation;
mod consequence;
mod dialect;
mod geography;
mod header;
mod matching;
mod network;
mod renewal;
mod restriction;
mod transport;
mod truth;
mod uri_rules;
mod usage;
mod watermark;

use core::cmp::Ordering;

pub use confirmation::{Confirmation, DpopSettings, ProofReplay};
pub use consequence::{Answer, Consequences, Minting};
pub use dialect::{CompositeLabels, Dialect};
pub use matching::Match;
pub use renewal::{RenewalKind, RenewalTerms};
pub use uri_rules::UriRule;
pub use usage::{Odds, Replay};
pub use watermark::{SegmentDuration, Watermark};

use crate::{
    cbor::{Item, Reader},
    claims::{composite::Composite, restriction::Restriction},
    context::Request,
    dpop::{Proving, prove},
    error::Refusal,
    label::Label,
    limits::{MAX_CLAIM_SETS, MAX_CLAIMS, MAX_TOKEN_STEPS},
    store::StoreRequest,
    time::{NumericDate, UnixMillis},
    verify::Policy,
};

/// What a token says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// `iss`: who made the token.
    pub issuer: Option<String>,
    /// `sub`: whom it speaks of. It never decides anything.
    pub subject: Option<String>,
    /// `aud`: whom it is for. `None` when the claim is absent, which is not the same as empty.
    pub audience: Option<Vec<String>>,
    /// `exp`: the first moment at which the token admits nothing more.
    pub expires: Option<NumericDate>,
    /// `nbf`: the first moment at which it admits anything.
    pub not_before: Option<NumericDate>,
    /// `iat`: when it was made. It never decides anything.
    pub issued_at: Option<NumericDate>,
    /// `cti`: the token's own identity.
    pub token_id: Option<Vec<u8>>,
    /// `catreplay`: what is made of a second use.
    pub replay: Replay,
    /// `catpor`: the odds of a refusal.
    pub odds: Option<Odds>,
    /// `cnf`: whose key must be proved to be at hand.
    pub confirmation: Option<Confirmation>,
    /// `catdpop`, or its defaults: how that is checked.
    pub dpop: DpopSettings,
    /// `catif`: what a refusal leads to. It never decides anything.
    pub consequences: Option<Box<Consequences>>,
    /// `catr`: how the token is renewed. It never decides anything.
    pub renewal: Option<Box<RenewalTerms>>,
    /// The watermark claims, where there are any.
    pub watermark: Option<Box<Watermark>>,
    restrictions: Vec<Restriction>,
    composites: Vec<Composite>,
    /// The first restriction that is present and not evaluated by this recipient.
    unsupported: Option<Label>,
}

/// What claims are read by, and how much more of what costs most a token may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'d> {
    dialect: &'d Dialect,
    /// How many composites stand around what is read.
    level: usize,
    /// How many more sets of claims there may be.
    sets: usize,
    /// How many more steps of regular expressions.
    steps: usize,
}

/// What claims are judged by.
pub(crate) struct Scope<'s> {
    pub(crate) policy: &'s Policy,
    pub(crate) request: &'s Request<'s>,
    pub(crate) now: UnixMillis,
}

impl Claims {
    /// Reads the claims map. Every claim that is known must be well formed; unknown ones are passed over.
    pub(crate) fn read(payload: &[u8], dialect: &Dialect) -> Result<Self, Refusal> {
        let mut reader = Reader::new(payload);
        let mut reading = Reading {
            dialect,
            level: 0,
            sets: MAX_CLAIM_SETS,
            steps: MAX_TOKEN_STEPS,
        };
        let claims = Self::read_set(&mut reader, &mut reading)?;
        reader.end()?;
        Ok(claims)
    }

    /// Reads one set of claims.
    fn read_set(reader: &mut Reader<'_>, reading: &mut Reading<'_>) -> Result<Self, Refusal> {
        let dialect = reading.dialect;
        let entries = reader.map()?;
        let mut claims = Self::default();
        let mut critical = Vec::new();
        // Compared by value: a second spelling of the same key must not slip through.
        let mut seen: Vec<Item<'_>> = Vec::with_capacity(entries);
        for _ in 0..entries {
            let start = reader.position();
            let error = |what| Refusal::Cbor { at: start, what };
            let key = reader.next()?;
            if seen.contains(&key) {
                return Err(error("a claim stands twice"));
            }
            seen.push(key);
            match key {
                Item::Integer(label) if dialect.composite.is_some_and(|c| c.is_crit(Label(label))) => {
                    critical = integers(reader).ok_or(Refusal::MalformedClaim {
                        claim: Label(label),
                        what: "expected a list of claim keys",
                    })?;
                }
                Item::Integer(label) => claims.read_claim(Label(label), reader, reading)?,
                Item::Text(_) => reader.skip()?,
                _ => return Err(error("a claim's key is no integer and no text")),
            }
        }
        for label in critical {
            let understood = Label(label).name().is_some() || claims.has_composite(Label(label));
            if !understood || !seen.contains(&Item::Integer(label)) {
                claims.unsupported.get_or_insert(Label(label));
            }
        }
        claims.restrictions.sort_by_key(Restriction::cost);
        Ok(claims)
    }

    fn read_claim(
        &mut self,
        label: Label,
        reader: &mut Reader<'_>,
        reading: &mut Reading<'_>,
    ) -> Result<(), Refusal> {
        let dialect = reading.dialect;
        let malformed = |what| Refusal::MalformedClaim { claim: label, what };
        const TEXT: &str = "expected text";
        const NUMBER: &str = "expected a number";
        if let Some(kind) = dialect.composite.and_then(|labels| labels.kind(label)) {
            self.composites
                .push(Composite::read(label, kind, reader, reading)?);
            return Ok(());
        }
        if let Some(restriction) = Restriction::read(label, reader) {
            let restriction = restriction.map_err(malformed)?;
            reading.steps = reading
                .steps
                .checked_sub(restriction.steps())
                .ok_or(malformed("regular expressions that cost too much together"))?;
            self.restrictions.push(restriction);
            return Ok(());
        }
        match label {
            Label::ISS => self.issuer = Some(text(reader).ok_or(malformed(TEXT))?),
            Label::SUB => self.subject = Some(text(reader).ok_or(malformed(TEXT))?),
            Label::AUD => {
                let audience = texts(reader, OneOrMany::Either);
                self.audience = Some(audience.ok_or(malformed("expected text or a list of texts"))?);
            }
            Label::EXP => self.expires = Some(date(reader).ok_or(malformed(NUMBER))?),
            Label::NBF => self.not_before = Some(date(reader).ok_or(malformed(NUMBER))?),
            Label::IAT => self.issued_at = Some(date(reader).ok_or(malformed(NUMBER))?),
            Label::CTI => match reader.next()? {
                Item::Bytes(id) => self.token_id = Some(id.to_vec()),
                _ => return Err(malformed("expected bytes")),
            },
            Label::CATV => match reader.next()? {
                Item::Integer(1) => {}
                _ => return Err(malformed("only version 1 is known")),
            },
            Label::CATREPLAY => self.replay = Replay::read(reader).map_err(malformed)?,
            Label::CATPOR => self.odds = Some(Odds::read(reader).map_err(malformed)?),
            // Handed to whatever a consequence leads to; nothing here reads it.
            Label::CATIFDATA => {
                texts(reader, OneOrMany::Either).ok_or(malformed("expected text or a list of texts"))?;
            }
            Label::CNF => self.confirmation = Some(Confirmation::read(reader, dialect).map_err(malformed)?),
            Label::CATDPOP => self.dpop = DpopSettings::read(reader).map_err(malformed)?,
            // Neither decides acceptance, but a token whose author did not know what it says is not to be trusted.
            Label::CATIF => {
                self.consequences = Some(Box::new(Consequences::read(reader).map_err(malformed)?));
            }
            Label::CATR => self.renewal = Some(Box::new(RenewalTerms::read(reader).map_err(malformed)?)),
            Label(300..=307) => {
                let watermark = self.watermark.get_or_insert_default();
                watermark.read(label, reader).map_err(malformed)?;
            }
            _ => {
                if label.restricts_unevaluated() {
                    self.unsupported.get_or_insert(label);
                }
                reader.skip()?;
            }
        }
        Ok(())
    }

    /// About how many bytes they take in memory, beside their texts.
    pub(crate) fn footprint(&self) -> usize {
        // A step, and the ranges of one that is a bracket expression.
        const STEP: usize = 64;
        let restrictions = self
            .restrictions
            .iter()
            .map(|restriction| size_of::<Restriction>() + restriction.steps() * STEP);
        let composites = self.composites.iter().map(Composite::footprint);
        size_of::<Self>() + restrictions.sum::<usize>() + composites.sum::<usize>()
    }

    fn has_composite(&self, label: Label) -> bool {
        self.composites.iter().any(|composite| composite.label() == label)
    }

    /// Judges everything that a request and a moment decide, the cheap claims first.
    pub(crate) fn judge(&self, scope: &Scope<'_>) -> Result<(), Refusal> {
        if let Some(exp) = self
            .expires
            .filter(|exp| exp.compare(scope.now) != Ordering::Greater)
        {
            return Err(Refusal::Expired { exp: exp.seconds() });
        }
        if let Some(nbf) = self
            .not_before
            .filter(|nbf| nbf.compare(scope.now) == Ordering::Greater)
        {
            return Err(Refusal::NotYetValid { nbf: nbf.seconds() });
        }
        if let Some(claim) = self.unsupported {
            return Err(Refusal::UnsupportedClaim { claim });
        }
        // A composite's sets may name one each.
        if self.issuer.is_some() && !scope.policy.trusts(self.issuer.as_deref()) {
            return Err(Refusal::Issuer);
        }
        if let Some(audience) = &self.audience
            && !audience.iter().any(|id| scope.policy.audiences.contains(id))
        {
            return Err(Refusal::Audience);
        }
        self.restrictions
            .iter()
            .try_for_each(|restriction| restriction.judge(scope))?;
        self.composites
            .iter()
            .try_for_each(|composite| composite.judge(scope))
    }

    /// Judges a set inside a composite. What takes more than one look at the request, or writes, cannot be judged
    /// there.
    fn judge_nested(&self, scope: &Scope<'_>) -> Result<(), Refusal> {
        self.judge(scope)?;
        if self.replay == Replay::Prohibited {
            return Err(Refusal::Unanswerable {
                claim: Label::CATREPLAY,
            });
        }
        if self.odds.is_some() {
            return Err(Refusal::Unanswerable { claim: Label::CATPOR });
        }
        if self.prove(scope.request, scope.now)?.is_some() {
            return Err(Refusal::Unanswerable { claim: Label::CNF });
        }
        Ok(())
    }

    /// Checks the proof of possession that `cnf` asks for. Answers what a store has to be asked still.
    pub(crate) fn prove(
        &self,
        request: &Request<'_>,
        now: UnixMillis,
    ) -> Result<Option<StoreRequest>, Refusal> {
        let Some(confirmation) = &self.confirmation else {
            return Ok(None);
        };
        let field = request.headers.combined("dpop");
        let proving = Proving {
            field: field.as_deref(),
            method: request.method,
            uri: request.uri.ok_or(Refusal::Unanswerable { claim: Label::CNF })?,
            token: request.token,
            expires: self.expires,
            now,
        };
        prove(confirmation, self.dpop, &proving).map_err(Refusal::Proof)
    }
}

/// Whether a lone text may stand for a list of one.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum OneOrMany {
    Either,
    Many,
}

/// What to say of a claim whose CBOR cannot be read.
#[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
pub(crate) fn read_error(error: Refusal) -> &'static str {
    match error {
        Refusal::Cbor { what, .. } => what,
        _ => "unreadable",
    }
}

pub(crate) fn text(reader: &mut Reader<'_>) -> Option<String> {
    match reader.next() {
        Ok(Item::Text(text)) => Some(text.to_owned()),
        _ => None,
    }
}

pub(crate) fn texts(reader: &mut Reader<'_>, shape: OneOrMany) -> Option<Vec<String>> {
    match reader.next().ok()? {
        Item::Text(text) if shape == OneOrMany::Either => Some(vec![text.to_owned()]),
        Item::Array(length @ 1..=MAX_CLAIMS) => (0..length).map(|_| text(reader)).collect(),
        _ => None,
    }
}

pub(crate) fn date(reader: &mut Reader<'_>) -> Option<NumericDate> {
    match reader.next() {
        Ok(Item::Integer(seconds)) => Some(NumericDate::Integer(seconds)),
        Ok(Item::Float(seconds)) if seconds.is_finite() => Some(NumericDate::Float(seconds)),
        _ => None,
    }
}

fn integers(reader: &mut Reader<'_>) -> Option<Vec<i128>> {
    let Item::Array(length @ 1..=MAX_CLAIMS) = reader.next().ok()? else {
        return None;
    };
    (0..length)
        .map(|_| match reader.next() {
            Ok(Item::Integer(label)) => Some(label),
            _ => None,
        })
        .collect()
}
