//! What an issuer should know of a token before it goes out: nothing here decides whether it is admitted.

mod encoding;

use core::{fmt, net::IpAddr};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ciborium::Value;

use crate::{
    claims::{Claims, Dialect},
    cose::{Frame, Structure},
    error::Refusal,
    inspect::read_claims,
    label::Label,
    verify::decode,
};

pub use encoding::Form;

/// Longest token, in characters, that CloudFront Functions take.
const CLOUDFRONT_CHARACTERS: usize = 1024;

/// Longest token, in characters, that every recipient takes (CTA-5007-B §4.4).
const COMMON_CHARACTERS: usize = 4096;

/// Something that an issuer should know. [`code`](Self::code) is for programs, the text for people.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// A verifier of this library refuses every request with it.
    Refused(Refusal),
    /// An address or a prefix that singles out a household, readable by everybody.
    PreciseAddress,
    /// Coordinates, readable by everybody.
    Coordinates,
    /// A geohash of more than 4 characters, readable by everybody.
    PreciseGeohash,
    /// A subject that looks like somebody's address, number or name, readable by everybody.
    IdentifyingSubject,
    /// Longer than CloudFront Functions take.
    Over1Kb {
        /// Its length in characters.
        characters: usize,
    },
    /// Longer than every recipient must take.
    Over4Kb {
        /// Its length in characters.
        characters: usize,
    },
    /// An item that is not in the one form of deterministic encoding (CTA-5007-B §4.5).
    Encoding {
        /// What is wrong with its form.
        form: Form,
        /// Its offset in the claims map.
        at: usize,
    },
    /// A tag where no claim may have one.
    Tag {
        /// The tag.
        tag: u64,
        /// The claim.
        claim: String,
    },
    /// A value that the crate `common-access-token` cannot decode: the whole token is lost on it.
    RustCatValue {
        /// What it is.
        what: &'static str,
        /// The claim.
        claim: String,
    },
    /// A list as `aud`, which `common-access-token` drops: it then checks no audience.
    ArrayAudience,
    /// A prefix without its trailing zero bytes, which `@eyevinn/cat` cannot read.
    ShortPrefix,
    /// SHA-512/256, which other libraries compute in other ways.
    Sha512T256 {
        /// The claim.
        claim: Label,
    },
    /// Several match types for one component, of which other libraries look at one alone, or want any.
    SeveralMatches {
        /// The claim.
        claim: Label,
    },
    /// An expression that is not POSIX: Perl's escapes, lazy quantifiers, inline flags.
    PerlRegex {
        /// The claim.
        claim: Label,
    },
    /// Elements after a pattern, which `@eyevinn/cat` takes for JavaScript's flags.
    RegexCaptures {
        /// The claim.
        claim: Label,
    },
    /// A claim whose key is not assigned: recipients must be told what it means.
    UnassignedKey {
        /// The key.
        claim: Label,
    },
    /// The key's name stands in the protected header, where some recipients do not look.
    ProtectedKid,
    /// The token does not name its key.
    NoKid,
    /// The token never expires.
    NoExpiry,
    /// `catreplay` 1 without `cti`: there is nothing to know the token by, so it is never admitted.
    ReplayWithoutId,
    /// `catr` without `exp`: there is nothing to renew.
    RenewalWithoutExpiry,
    /// A method in lower case, which admits no request of HTTP: case counts.
    LowerCaseMethod,
}

/// Who can read a token's claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exposure {
    /// Everybody who sees the token.
    Clear,
    /// Recipients alone: the token is a COSE_Encrypt0.
    Encrypted,
}

/// Looks a token over. Its signature is not checked; of an encrypted token only the frame is seen.
///
/// # Errors
/// What keeps it from being read as a token at all.
pub fn lint(token: &str) -> Result<Vec<Warning>, Refusal> {
    let bytes = decode(token)?;
    let frame = Frame::read(&bytes)?;
    let mut warnings = lint_frame(&frame);
    if frame.structure != Structure::Encrypt0 {
        warnings.extend(lint_claims(frame.payload, Exposure::Clear)?);
    }
    warnings.extend(lint_length(Base64UrlUnpadded::encode_string(&bytes).len()));
    Ok(warnings)
}

/// Looks claims over that are not in a token yet, or no more: one CBOR map.
///
/// # Errors
/// What keeps them from being read as claims at all.
pub fn lint_claims(payload: &[u8], exposure: Exposure) -> Result<Vec<Warning>, Refusal> {
    let claims = read_claims(payload)?;
    let mut warnings = Vec::new();
    if let Err(refusal) = Claims::read(payload, &Dialect::default()) {
        warnings.push(Warning::Refused(refusal));
    }
    look_at_set(&claims, exposure, &mut warnings);
    let has = |label: Label| claims.iter().any(|(key, _)| is(key, label));
    if !has(Label::EXP) {
        warnings.push(Warning::NoExpiry);
        if has(Label::CATR) {
            warnings.push(Warning::RenewalWithoutExpiry);
        }
    }
    let once = claims
        .iter()
        .any(|(key, value)| is(key, Label::CATREPLAY) && integer(value) == Some(1));
    if once && !has(Label::CTI) {
        warnings.push(Warning::ReplayWithoutId);
    }
    warnings.extend(
        encoding::deviations(payload)
            .into_iter()
            .map(|(at, form)| Warning::Encoding { form, at }),
    );
    // One warning of a kind for each claim is enough.
    let mut seen: Vec<Warning> = Vec::new();
    for warning in warnings {
        if !seen.contains(&warning) {
            seen.push(warning);
        }
    }
    Ok(seen)
}

fn lint_frame(frame: &Frame<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    match frame.kid {
        None => warnings.push(Warning::NoKid),
        Some(_) if names_key(frame.protected) => warnings.push(Warning::ProtectedKid),
        Some(_) => {}
    }
    warnings
}

/// Whether a protected header has a `kid`.
fn names_key(protected: &[u8]) -> bool {
    const KID: i128 = 4;
    read_claims(protected).is_ok_and(|headers| headers.iter().any(|(key, _)| integer(key) == Some(KID)))
}

fn lint_length(characters: usize) -> Option<Warning> {
    if characters <= CLOUDFRONT_CHARACTERS {
        None
    } else if characters <= COMMON_CHARACTERS {
        Some(Warning::Over1Kb { characters })
    } else {
        Some(Warning::Over4Kb { characters })
    }
}

fn look_at_set(claims: &[(Value, Value)], exposure: Exposure, warnings: &mut Vec<Warning>) {
    for (key, value) in claims {
        let Some(label) = integer(key).map(Label) else {
            let claim = name(key);
            warnings.push(Warning::RustCatValue {
                what: "a key of text",
                claim,
            });
            continue;
        };
        look_for_values(label, value, warnings);
        if exposure == Exposure::Clear {
            look_for_privacy(label, value, warnings);
        }
        match label {
            Label::AUD if value.is_array() => warnings.push(Warning::ArrayAudience),
            Label::CATNIP if items(value).any(is_short_prefix) => warnings.push(Warning::ShortPrefix),
            Label::CATU | Label::CATH => look_at_matches(label, value, warnings),
            Label::CATM
                if items(value).any(|method| {
                    method
                        .as_text()
                        .is_some_and(|method| method.bytes().any(|byte| byte.is_ascii_lowercase()))
                }) =>
            {
                warnings.push(Warning::LowerCaseMethod);
            }
            Label(41..=45 | 325 | 326) => warnings.push(Warning::UnassignedKey { claim: label }),
            _ => {}
        }
        if matches!(label.0, 41..=43 | 324..=326) {
            for set in items(value).filter_map(Value::as_map) {
                look_at_set(set, exposure, warnings);
            }
        }
    }
}

/// What other people must not read (cf. CTA-5007-B §4.3): tokens with it are to be encrypted.
fn look_for_privacy(label: Label, value: &Value, warnings: &mut Vec<Warning>) {
    const GEOHASH_CHARACTERS: usize = 4;
    let fine = |cell: &Value| {
        cell.as_text()
            .is_some_and(|cell| cell.chars().count() > GEOHASH_CHARACTERS)
    };
    match label {
        Label::CATNIP if items(value).any(singles_out) => warnings.push(Warning::PreciseAddress),
        Label::CATGEOCOORD => warnings.push(Warning::Coordinates),
        Label::GEOHASH if fine(value) || items(value).any(fine) => warnings.push(Warning::PreciseGeohash),
        Label::SUB if value.as_text().is_some_and(identifies) => warnings.push(Warning::IdentifyingSubject),
        _ => {}
    }
}

/// Whether an entry of `catnip` is narrower than a /24 or a /56.
fn singles_out(entry: &Value) -> bool {
    let Some((tag, inner)) = entry.as_tag() else {
        return false;
    };
    let widest = match tag {
        52 => 24,
        54 => 56,
        _ => return false,
    };
    match inner.as_array().map(Vec::as_slice) {
        Some([length, _]) => integer(length).is_some_and(|length| length > widest),
        _ => inner.is_bytes(),
    }
}

/// Whether an entry of `catnip` is a prefix whose bytes are fewer than an address has.
fn is_short_prefix(entry: &Value) -> bool {
    let Some((tag, inner)) = entry.as_tag() else {
        return false;
    };
    let full = if tag == 52 { 4 } else { 16 };
    match inner.as_array().map(Vec::as_slice) {
        Some([_, Value::Bytes(bytes)]) => bytes.len() < full,
        _ => false,
    }
}

/// Whether a subject looks like a mail address, a telephone number, a network address, or a name of two words.
fn identifies(subject: &str) -> bool {
    const TELEPHONE_DIGITS: usize = 8;
    let telephone = subject.starts_with('+')
        && subject.chars().filter(char::is_ascii_digit).count() >= TELEPHONE_DIGITS
        && subject
            .chars()
            .all(|c| c.is_ascii_digit() || "+-() .".contains(c));
    let words = subject.split(' ').collect::<Vec<_>>();
    let name = words.len() > 1
        && words
            .iter()
            .all(|word| word.chars().next().is_some_and(char::is_alphabetic));
    subject.contains('@') || telephone || name || subject.parse::<IpAddr>().is_ok()
}

/// Tags where none may be, and what `common-access-token` cannot decode: tags, floats, booleans, keys of text.
fn look_for_values(label: Label, value: &Value, warnings: &mut Vec<Warning>) {
    let mut open = vec![(value, false)];
    while let Some((value, in_map_of_names)) = open.pop() {
        let unreadable = match value {
            Value::Tag(tag, inner) => {
                if !may_have_tag(label, *tag) {
                    warnings.push(Warning::Tag {
                        tag: *tag,
                        claim: label.to_string(),
                    });
                }
                open.push((inner, false));
                Some("a tag")
            }
            Value::Float(_) => Some("a float"),
            Value::Bool(_) => Some("a boolean"),
            Value::Text(_) if in_map_of_names => Some("a key of text"),
            Value::Array(items) => {
                open.extend(items.iter().map(|item| (item, false)));
                None
            }
            Value::Map(entries) => {
                for (key, item) in entries {
                    open.push((key, true));
                    open.push((item, false));
                }
                None
            }
            _ => None,
        };
        if let Some(what) = unreadable {
            let claim = label.to_string();
            warnings.push(Warning::RustCatValue { what, claim });
        }
    }
}

/// Whether a claim may hold a tag: addresses (RFC 9164), a coordinate reference system, a watermark pattern in a
/// COSE message.
const fn may_have_tag(label: Label, tag: u64) -> bool {
    match label {
        Label::CATNIP => matches!(tag, 52 | 54),
        Label::GEOHASH | Label::CATGEOCOORD | Label::CATGEOALT => tag == 279,
        Label::WMPATTERN => matches!(tag, 16 | 96),
        // What is not of the standard is the issuer's own affair.
        _ => label.name().is_none(),
    }
}

fn look_at_matches(claim: Label, value: &Value, warnings: &mut Vec<Warning>) {
    const REGEX: i128 = 4;
    const SHA_512_256: i128 = -2;
    for (_, matches) in value.as_map().into_iter().flatten() {
        let matches = matches.as_map().map(Vec::as_slice).unwrap_or_default();
        if matches.len() > 1 {
            warnings.push(Warning::SeveralMatches { claim });
        }
        for (kind, want) in matches {
            match integer(kind) {
                Some(SHA_512_256) => warnings.push(Warning::Sha512T256 { claim }),
                Some(REGEX) => {
                    let pattern = want.as_array().and_then(|parts| parts.first()).unwrap_or(want);
                    if pattern.as_text().is_some_and(is_perl) {
                        warnings.push(Warning::PerlRegex { claim });
                    }
                    if want.as_array().is_some_and(|parts| parts.len() > 1) {
                        warnings.push(Warning::RegexCaptures { claim });
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether a pattern has what Perl has and POSIX extended expressions do not.
fn is_perl(pattern: &str) -> bool {
    let bytes = pattern.as_bytes();
    let mut at = 0;
    while let Some([first, second]) = bytes.get(at..at + 2) {
        match (first, second) {
            (b'\\', letter) if letter.is_ascii_alphanumeric() => return true,
            // An escaped character is itself, whatever follows.
            (b'\\', _) => at += 1,
            (b'(', b'?') | (b'*' | b'+' | b'?' | b'}', b'?') | (b'*' | b'+' | b'?' | b'}', b'+') => {
                return true;
            }
            _ => {}
        }
        at += 1;
    }
    false
}

fn is(key: &Value, label: Label) -> bool {
    integer(key) == Some(label.0)
}

fn integer(value: &Value) -> Option<i128> {
    value.as_integer().map(i128::from)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn name(key: &Value) -> String {
    key.as_text()
        .map_or_else(|| "?".into(), |text| format!("{text:?}"))
}

impl Warning {
    /// The warning as a stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::PreciseAddress => "precise-address",
            Self::Coordinates => "coordinates",
            Self::PreciseGeohash => "precise-geohash",
            Self::IdentifyingSubject => "identifying-subject",
            Self::Over1Kb { .. } => "over-1-kb",
            Self::Over4Kb { .. } => "over-4-kb",
            Self::Encoding { form, .. } => form.code(),
            Self::Tag { .. } => "tag",
            Self::RustCatValue { .. } => "rust-cat-value",
            Self::ArrayAudience => "array-audience",
            Self::ShortPrefix => "short-prefix",
            Self::Sha512T256 { .. } => "sha-512-256",
            Self::SeveralMatches { .. } => "several-matches",
            Self::PerlRegex { .. } => "perl-regex",
            Self::RegexCaptures { .. } => "regex-captures",
            Self::UnassignedKey { .. } => "unassigned-key",
            Self::ProtectedKid => "protected-kid",
            Self::NoKid => "no-kid",
            Self::NoExpiry => "no-expiry",
            Self::ReplayWithoutId => "replay-without-id",
            Self::RenewalWithoutExpiry => "renewal-without-expiry",
            Self::LowerCaseMethod => "lower-case-method",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "recipients refuse it: {refusal}"),
            Self::PreciseAddress => f.write_str(
                "catnip has an address, or a prefix longer than /24 or /56, that everybody can read: encrypt the token",
            ),
            Self::Coordinates => {
                f.write_str("catgeocoord says where somebody is, and everybody can read it: encrypt the token")
            }
            Self::PreciseGeohash => {
                f.write_str("a geohash of more than 4 characters that everybody can read: shorten it or encrypt the token")
            }
            Self::IdentifyingSubject => {
                f.write_str("sub seems to name somebody, and everybody can read it: use an opaque id or encrypt the token")
            }
            Self::Over1Kb { characters } => {
                write!(f, "{characters} characters: CloudFront Functions take no more than {CLOUDFRONT_CHARACTERS}")
            }
            Self::Over4Kb { characters } => {
                write!(f, "{characters} characters: recipients need not take more than {COMMON_CHARACTERS}")
            }
            Self::Encoding { form, at } => write!(f, "{form} at byte {at} of the claims: not deterministic CBOR"),
            Self::Tag { tag, claim } => write!(f, "tag {tag} in {claim}, where none may be: recipients refuse it"),
            Self::RustCatValue { what, claim } => write!(
                f,
                "{what} in {claim}: the crate common-access-token 0.3 and before cannot read such a token"
            ),
            Self::ArrayAudience => f.write_str(
                "aud is a list: the crate common-access-token drops it and checks no audience; write one text",
            ),
            Self::ShortPrefix => f.write_str(
                "catnip has a prefix without its trailing zero bytes, as RFC 9164 wants: @eyevinn/cat cannot read it",
            ),
            Self::Sha512T256 { claim } => {
                write!(f, "{claim} matches by SHA-512/256, which other libraries compute wrongly: use SHA-256")
            }
            Self::SeveralMatches { claim } => write!(
                f,
                "{claim} has several match types for one component: @eyevinn/cat looks at the first alone, others take any"
            ),
            Self::PerlRegex { claim } => write!(
                f,
                "{claim} has an expression that is not POSIX extended syntax: write [0-9] for \\d, [[:alnum:]_] for \\w"
            ),
            Self::RegexCaptures { claim } => {
                write!(f, "{claim} has elements after its pattern: @eyevinn/cat takes them for JavaScript's flags")
            }
            Self::UnassignedKey { claim } => {
                write!(f, "key {claim} is assigned to no claim: each recipient must be told what it means, or refuses")
            }
            Self::ProtectedKid => f.write_str("kid stands in the protected header, where some recipients do not look"),
            Self::NoKid => f.write_str("no kid: recipients that have several keys refuse it"),
            Self::NoExpiry => f.write_str("no exp: it admits for as long as its key is trusted"),
            Self::ReplayWithoutId => f.write_str("catreplay 1 without cti: nothing tells its uses apart, so it is refused"),
            Self::RenewalWithoutExpiry => f.write_str("catr without exp: there is nothing to renew"),
            Self::LowerCaseMethod => f.write_str("catm has a method in lower case: case counts, and HTTP's are upper case"),
        }
    }
}

#[cfg(test)]
mod tests;
