//! `catif`: what a refusal leads to (CTA-5007-B §4.9.1).

use crate::{
    cbor::{Item, Reader},
    http_field::{is_open_name, is_value},
    key::KeySet,
    label::Label,
    limits::MAX_CLAIMS,
    mint::seal,
    payload::{self, Edit},
    time::UnixMillis,
};

/// What `catif` says: for some claims, how a request is answered that they refuse. It never decides whether a
/// request is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Consequences(Vec<Consequence>);

/// One entry: claims, and the answer where one of them refuses.
#[derive(Clone, Debug, PartialEq)]
struct Consequence {
    claims: Vec<Label>,
    status: u64,
    fields: Vec<(String, FieldValue)>,
    kid: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum FieldValue {
    Text(String),
    /// A prefix, and the claims of a token that is minted and put behind it.
    Minted {
        prefix: String,
        claims: Vec<u8>,
    },
}

/// A response that a token asks for in place of the usual refusal. It has no body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status, 200 to 599.
    pub status: u16,
    /// Names and values of header fields, in the token's order. None of them frames the message or says how it
    /// is cached, and none holds a control byte.
    pub fields: Vec<(String, String)>,
}

/// What a token that is minted into an answer is made with.
#[derive(Clone, Copy, Debug)]
pub struct Minting<'k> {
    /// What we call ourselves in `iss`. Without it a token that leaves its issuer to us is not minted.
    pub issuer: Option<&'k str>,
    /// How long a token lives that leaves its `exp` to us, in seconds.
    pub lifetime_seconds: u32,
    /// The keys, of which those sign that may ([`KeySet::signing_named`]).
    pub keys: &'k KeySet,
    /// The moment.
    pub now: UnixMillis,
}

impl Minting<'_> {
    /// A lifetime that suits most: a redirect is followed at once.
    pub const DEFAULT_LIFETIME_SECONDS: u32 = 60;
}

impl Consequences {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        const SHAPE: &str = "expected a map from claims to actions";
        let entries = reader.map().map_err(|_| SHAPE)?;
        let mut consequences: Vec<Consequence> = Vec::with_capacity(entries);
        for _ in 0..entries {
            let claims = labels(reader).ok_or("expected a claim's key, or a list of them")?;
            // Texts name no claim that we know, so we cannot tell them apart either.
            if !claims.is_empty() && consequences.iter().any(|other| other.claims == claims) {
                return Err("a claim stands twice");
            }
            consequences.push(Consequence::read(claims, reader)?);
        }
        Ok(Self(consequences))
    }

    /// The claims for which it has an answer.
    pub fn claims(&self) -> impl Iterator<Item = Label> {
        self.0
            .iter()
            .flat_map(|consequence| consequence.claims.iter().copied())
    }

    /// The answer where `claim` refused, of the first entry that names it.
    ///
    /// `None` where no entry does, or where the action is one that is not carried out: a status outside 200 to
    /// 599 (those below are no final answers), a field name that is none or that belongs to the message itself,
    /// a value with anything but printable ASCII, a `Location` that is not `https`, or a token that cannot be
    /// minted: no key of ours has the name, it would speak for another issuer than us, it leaves a claim open
    /// that is not `iss`, `exp` or `iat`, or it would be too long. The usual refusal then stands.
    pub fn answer(&self, claim: Label, minting: &Minting<'_>) -> Option<Answer> {
        self.0
            .iter()
            .find(|consequence| consequence.claims.contains(&claim))?
            .answer(minting)
    }
}

impl Consequence {
    fn read(claims: Vec<Label>, reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        const ACTION: &str = "expected [status], [status, fields] or [status, fields, kid]";
        let Ok(Item::Array(length @ 1..=3)) = reader.next() else {
            return Err(ACTION);
        };
        let Ok(Item::Integer(status)) = reader.next() else {
            return Err(ACTION);
        };
        let mut consequence = Self {
            claims,
            status: u64::try_from(status).map_err(|_| ACTION)?,
            fields: Vec::new(),
            kid: None,
        };
        let mut rest = length.saturating_sub(1);
        if rest > 0 && matches!(reader.clone().next(), Ok(Item::Map(_))) {
            consequence.fields = fields(reader)?;
            rest = rest.saturating_sub(1);
        }
        if rest > 0 {
            consequence.kid = Some(super::text(reader).ok_or(ACTION)?);
            rest = rest.saturating_sub(1);
        }
        if rest == 0 { Ok(consequence) } else { Err(ACTION) }
    }

    fn answer(&self, minting: &Minting<'_>) -> Option<Answer> {
        let status = u16::try_from(self.status)
            .ok()
            .filter(|status| (200..600).contains(status))?;
        let fields = self.fields.iter().map(|(name, value)| {
            let value = match value {
                FieldValue::Text(text) => text.clone(),
                // Base64url is made of unreserved characters (RFC 3986 §2.3): encoding it once more for a URI
                // would change nothing.
                FieldValue::Minted { prefix, claims } => format!("{prefix}{}", self.mint(claims, minting)?),
            };
            let is_https = || {
                value
                    .get(..8)
                    .is_some_and(|start| start.eq_ignore_ascii_case("https://"))
            };
            let stands = is_open_name(name)
                && is_value(&value)
                && (!name.eq_ignore_ascii_case("location") || is_https());
            stands.then(|| (name.clone(), value))
        });
        Some(Answer {
            status,
            fields: fields.collect::<Option<_>>()?,
        })
    }

    /// Signs `claims`, in which a null is a value that is left to us.
    fn mint(&self, claims: &[u8], minting: &Minting<'_>) -> Option<String> {
        let key = minting.keys.signing_named(self.kid.as_deref()?, minting.now)?;
        let now = minting.now.seconds();
        let mut refused = false;
        let mut issuer = None;
        let payload = payload::rewrite(claims, |label, value| match (label, value) {
            (Some(Label::ISS), _) => {
                issuer = minting.issuer;
                match (value, issuer) {
                    (Item::Null, Some(ours)) => Edit::Text(ours.to_owned()),
                    // Nobody's token makes us vouch in another's name.
                    (Item::Text(name), Some(ours)) if name == ours => Edit::Keep,
                    _ => {
                        refused = true;
                        Edit::Keep
                    }
                }
            }
            (Some(Label::EXP), Item::Null) => {
                Edit::Integer(now.saturating_add(i64::from(minting.lifetime_seconds)))
            }
            (Some(Label::IAT), Item::Null) => Edit::Integer(now),
            (_, Item::Null) => {
                refused = true;
                Edit::Keep
            }
            _ => Edit::Keep,
        })
        .ok()?;
        if refused || !key.bounds().speak_for(issuer) {
            return None;
        }
        seal(&payload, key).ok()
    }
}

/// The key of an entry: a claim's label, or a list of them. A text names a claim that we never refuse by.
fn labels(reader: &mut Reader<'_>) -> Option<Vec<Label>> {
    let mut labels = Vec::new();
    let mut length = 1;
    let mut item = reader.next().ok()?;
    if let Item::Array(listed @ 1..=MAX_CLAIMS) = item {
        length = listed;
        item = reader.next().ok()?;
    }
    loop {
        match item {
            Item::Integer(label) => labels.push(Label(label)),
            Item::Text(_) => {}
            _ => return None,
        }
        length -= 1;
        if length == 0 {
            return Some(labels);
        }
        item = reader.next().ok()?;
    }
}

fn fields(reader: &mut Reader<'_>) -> Result<Vec<(String, FieldValue)>, &'static str> {
    const VALUE: &str = "expected a field's value: text, or [prefix, claims]";
    let entries = reader.map().map_err(|_| "expected a map of header fields")?;
    let mut fields: Vec<(String, FieldValue)> = Vec::with_capacity(entries);
    for _ in 0..entries {
        let name = super::text(reader).ok_or("expected text as a field's name")?;
        if fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            return Err("a header field stands twice");
        }
        let value = match reader.next() {
            Ok(Item::Text(text)) => FieldValue::Text(text.to_owned()),
            Ok(Item::Array(2)) => {
                let prefix = super::text(reader).ok_or(VALUE)?;
                let start = reader.clone();
                reader.skip().map_err(|_| VALUE)?;
                let claims = start.until(reader);
                payload::check(claims).map_err(|_| "expected a map of claims, none of them twice")?;
                FieldValue::Minted {
                    prefix,
                    claims: claims.to_vec(),
                }
            }
            _ => return Err(VALUE),
        };
        fields.push((name, value));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use ciborium::{Value, cbor};

    use super::*;
    use crate::{Jwk, Policy, Verifier};

    fn read(value: &Value) -> Result<Consequences, &'static str> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        Consequences::read(&mut Reader::new(&bytes))
    }

    fn jwk() -> Jwk {
        Jwk::symmetric("ours", &[3; 32]).for_signer()
    }

    fn answer(value: &Value, claim: Label) -> Option<Answer> {
        let keys = KeySet::from_jwks([&jwk()]).unwrap();
        let minting = Minting {
            issuer: Some("edge"),
            lifetime_seconds: 300,
            keys: &keys,
            now: UnixMillis::from_seconds(1_800_000_000),
        };
        read(value).unwrap().answer(claim, &minting)
    }

    fn mints(claims: Value, kid: &str) -> Option<Answer> {
        let fields = Value::Map(vec![(
            "Location".into(),
            Value::Array(vec!["https://auth.example/?CAT=".into(), claims]),
        )]);
        let action = Value::Array(vec![307.into(), fields, kid.into()]);
        answer(&Value::Map(vec![(4.into(), action)]), Label::EXP)
    }

    #[test]
    fn the_standards_example_redirects_with_a_token_of_ours() {
        let claims = cbor!({1 => null, 6 => null, 4 => null, 312 => {1 => {0 => "auth.example"}}}).unwrap();
        let answer = mints(claims, "ours").unwrap();
        assert_eq!(answer.status, 307);
        let (name, value) = answer.fields.first().unwrap();
        assert_eq!(name, "Location");
        let token = value.strip_prefix("https://auth.example/?CAT=").unwrap();
        let verifier = Verifier::new(KeySet::from_jwks([&jwk()]).unwrap(), Policy::default());
        let claims = verifier.authenticate(token).unwrap();
        assert_eq!(claims.claims().issuer.as_deref(), Some("edge"));
        let claims: Value = ciborium::from_reader(claims.payload()).unwrap();
        let expected =
            cbor!({1 => "edge", 6 => 1_800_000_000, 4 => 1_800_000_300, 312 => {1 => {0 => "auth.example"}}});
        assert_eq!(claims, expected.unwrap());
    }

    #[test]
    fn nobody_makes_us_sign_what_is_not_ours_to_say() {
        assert!(mints(cbor!({1 => "edge"}).unwrap(), "ours").is_some());
        assert_eq!(mints(cbor!({1 => null}).unwrap(), "theirs"), None);
        assert_eq!(mints(cbor!({1 => "another issuer"}).unwrap(), "ours"), None);
        assert_eq!(mints(cbor!({1 => 5}).unwrap(), "ours"), None);
        assert_eq!(mints(cbor!({2 => null}).unwrap(), "ours"), None);
        assert_eq!(mints(cbor!({"x" => null}).unwrap(), "ours"), None);
        assert_eq!(
            mints(cbor!({2 => (Value::Bytes(vec![0; 5000]))}).unwrap(), "ours"),
            None
        );
    }

    #[test]
    fn an_entry_answers_for_each_claim_that_it_names() {
        let both = cbor!({[4, 5] => [401, {}, ""], 312 => [403], 313 => [451, "ours"]}).unwrap();
        for (claim, status) in [
            (Label::EXP, 401),
            (Label::NBF, 401),
            (Label::CATU, 403),
            (Label::CATM, 451),
        ] {
            let answer = answer(&both, claim).unwrap();
            assert_eq!((answer.status, answer.fields.len()), (status, 0));
        }
        assert_eq!(answer(&both, Label::ISS), None);
        let texts = cbor!({"x" => [403], "y" => [403], 4 => [401]}).unwrap();
        assert_eq!(answer(&texts, Label::EXP).unwrap().status, 401);
        assert_eq!(read(&both).unwrap().claims().count(), 4);
    }

    #[test]
    fn an_action_that_is_not_to_be_trusted_leaves_the_usual_refusal() {
        for bad in [
            cbor!({4 => [99]}),
            cbor!({4 => [101]}),
            cbor!({4 => [600]}),
            cbor!({4 => [u64::MAX]}),
            cbor!({4 => [302, {"Location" => "http://auth.example/"}]}),
            cbor!({4 => [302, {"location" => "//auth.example/"}]}),
            cbor!({4 => [302, {"Location" => "https://a\r\nSet-Cookie: x=y"}]}),
            cbor!({4 => [403, {"a:b" => "c"}]}),
            cbor!({4 => [403, {"a" => "\0"}]}),
            cbor!({4 => [403, {"Content-Length" => "5"}]}),
            cbor!({4 => [403, {"Access-Control-Allow-Origin" => "*"}]}),
            cbor!({4 => [403, {"Surrogate-Control" => "max-age=60"}]}),
            cbor!({4 => [403, {"" => ""}]}),
        ] {
            let bad = bad.unwrap();
            assert_eq!(answer(&bad, Label::EXP), None, "{bad:?}");
        }
    }

    #[test]
    fn another_shape_is_malformed() {
        for bad in [
            cbor!(null),
            cbor!([]),
            cbor!({4 => 401}),
            cbor!({4 => []}),
            cbor!({4 => ["401"]}),
            cbor!({4 => [(-1)]}),
            cbor!({4 => [401, 5]}),
            cbor!({4 => [401, {}, "k", 1]}),
            cbor!({4 => [401, "k", {}]}),
            cbor!({4 => [401, {1 => "x"}]}),
            cbor!({4 => [401, {"Location" => "https://a/", "location" => "https://b/"}]}),
            cbor!({4 => [401, {"a" => 1}]}),
            cbor!({4 => [401, {"a" => ["p"]}]}),
            cbor!({4 => [401, {"a" => ["p", []]}]}),
            cbor!({[] => [401]}),
            cbor!({null => [401]}),
        ] {
            let bad = bad.unwrap();
            assert!(read(&bad).is_err(), "{bad:?}");
        }
    }
}
