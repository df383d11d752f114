//! `selvedge token mint`

use std::{net::IpAddr, path::PathBuf, process::ExitCode};

use ciborium::Value;
use clap::ValueEnum;
use selvedge_token::{AgreementKey, EncryptionKey, EnvelopeSeed, Label, Minter, SigningKey, UnixMillis};
use selvedge_watermark::pace::CYCLE;

use super::{files, hex, keys, lint, notation, now, random, seconds};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Private JWK to sign with (`selvedge token keygen` makes one)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// Claims in JSON, any there are: {"exp": 1790000000, "311": [{"tag": 52, "value": {"h": "c0000207"}}]}. Keys
    /// are numbers, the standard's short names, or t:TEXT; flags given beside it replace its claims
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,

    /// What the request's path must begin with, such as /live/news/
    #[arg(long, value_name = "PATH")]
    path_prefix: Option<String>,

    /// The host that requests must be for
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// How long the token lasts from now: a number with s, m, h or d; a negative one has expired already
    /// [default: 1h]
    #[arg(long, value_parser = seconds, allow_hyphen_values = true, value_name = "DURATION")]
    ttl: Option<i64>,

    /// How long from now until the token begins to admit anything
    #[arg(long, value_parser = seconds, value_name = "DURATION", allow_hyphen_values = true)]
    not_before: Option<i64>,

    /// Who mints it (iss) [default: the key's issuer, where it has one]
    #[arg(long)]
    issuer: Option<String>,

    /// Whom it is for (aud)
    #[arg(long)]
    audience: Option<String>,

    /// Whom it speaks of (sub). Everybody who holds the token can read it: an opaque id, never a name
    #[arg(long)]
    subject: Option<String>,

    /// The token's own identity (cti): hexadecimal digits, `random` for 16 random bytes, or `none`. Revocation, use
    /// once and logs know a token by it [default: random]
    #[arg(long, value_name = "HEX")]
    cti: Option<String>,

    /// A method that it admits; may be repeated [default: any]
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,

    /// An address or a prefix that it admits clients from, such as 192.0.2.0/24; may be repeated
    #[arg(long = "ip", value_name = "ADDRESS")]
    addresses: Vec<String>,

    /// An autonomous system that it admits clients from; may be repeated
    #[arg(long = "asn", value_name = "NUMBER")]
    asns: Vec<u32>,

    /// A country that it admits clients from, such as SE or US-CA; may be repeated
    #[arg(long = "country", value_name = "CODE")]
    countries: Vec<String>,

    /// What is made of a second use (catreplay)
    #[arg(long, value_enum)]
    replay: Option<Replay>,

    /// Let the edge renew it as it runs out, and hand the new one over in this way (catr)
    #[arg(long, value_enum)]
    renew: Option<Renew>,

    /// How long from its renewal a renewed token lasts [default: as --ttl]
    #[arg(long, value_parser = seconds, value_name = "DURATION", requires = "renew")]
    renew_add: Option<i64>,

    /// How long before it expires the token is renewed [default: 60s]
    #[arg(long, value_parser = seconds, value_name = "DURATION", requires = "renew")]
    renew_before: Option<i64>,

    /// The cookie that carries the renewed token [default: CTA-Common-Access-Token]
    #[arg(long, value_name = "NAME", requires = "renew")]
    cookie_name: Option<String>,

    /// An attribute of that cookie, such as Secure or Path=/; may be repeated
    #[arg(long = "cookie-param", value_name = "ATTRIBUTE", requires = "renew")]
    cookie_params: Vec<String>,

    /// The header that carries the renewed token [default: CTA-Common-Access-Token]
    #[arg(long, value_name = "NAME", requires = "renew")]
    header_name: Option<String>,

    #[command(flatten)]
    mark: MarkArgs,

    /// Encrypt the signed token by this JWK (`selvedge token keygen --alg a256gcm`), for claims that others must not
    /// read. Edges need the key in their set; they do not renew or exchange such a token
    #[arg(long, value_name = "FILE")]
    encrypt: Option<PathBuf>,

    /// Keep what `selvedge token lint` would say to yourself
    #[arg(long)]
    quiet: bool,
}

/// Which session marked media is to name.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Watermark")]
struct MarkArgs {
    /// What the session's pattern is derived from at the edge (wmid): an opaque id of the session, user or device
    #[arg(
        long,
        value_name = "ID",
        requires = "mark_key_version",
        conflicts_with = "mark_pattern"
    )]
    mark_id: Option<String>,

    /// The version of the edge's key that derives it (wmkeyver)
    #[arg(long, value_name = "NUMBER", requires = "mark_id")]
    mark_key_version: Option<u64>,

    /// The operator (wmopid), which the pattern is derived from as well [default: 0]
    #[arg(long, value_name = "NUMBER", requires = "mark_id")]
    mark_operator: Option<u64>,

    /// The session's pattern itself (wmpattern), in hexadecimal digits
    #[arg(long, value_name = "HEX")]
    mark_pattern: Option<String>,

    /// Encrypt the pattern by this JWK, which edges need in their set (`selvedge token keygen --alg a256gcm`), or to this
    /// one, of which they have the private half (`--alg ecdh-ss`)
    #[arg(long, value_name = "FILE", requires = "mark_pattern")]
    mark_encrypt: Option<PathBuf>,

    /// After how many bits the pattern begins again (wmpatlen), 1 to 65535 [default: those of --mark-pattern, else
    /// 32760, after which positions do]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    mark_bits: Option<u16>,

    /// The watermark's vendor (wmvnd) [default: 254]
    #[arg(long, value_name = "NUMBER")]
    mark_vendor: Option<u8>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Replay {
    /// It may be used again and again
    Permitted = 0,
    /// A second request with it is refused
    Once = 1,
    /// It may be used again until the operator detects misuse
    Detected = 2,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Renew {
    /// In the way that the token came
    Automatic = 0,
    /// By Set-Cookie
    Cookie = 1,
    /// In a header of the response
    Header = 2,
    /// By a redirect to a URL with the new token
    Redirect = 3,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let jwk = keys::read_private(&args.key)?;
    let key = SigningKey::from_jwk(&jwk).map_err(|error| files::wrong(&args.key, error))?;
    let issuer = match jwk.iss.as_deref() {
        Some([only]) => Some(only.clone()),
        _ => None,
    };
    let claims = claims(args, issuer, now())?;
    let mut minter = Minter::new();
    for (claim, value) in claims.clone() {
        minter = match claim {
            Value::Text(name) => minter.named_claim(&name, value),
            // Numbers and texts are all the keys that the notation has for claims.
            number => minter.claim(integer(&number).unwrap_or_default(), value),
        };
    }
    minter = mark(minter, &args.mark)?;
    let token = match &args.encrypt {
        Some(path) => {
            let encryption = EncryptionKey::from_jwk(&keys::read_private(path)?)
                .map_err(|error| files::wrong(path, error))?;
            minter.mint_encrypted(&key, &encryption, random()?)
        }
        None => minter.mint(&key),
    };
    let token = token.map_err(|error| Failure::run("minting", error))?;
    if !args.quiet {
        lint::warn(&token, &claims);
    }
    println!("{token}");
    Ok(ExitCode::SUCCESS)
}

/// The claims of the watermark that the flags ask for.
fn mark(minter: Minter, args: &MarkArgs) -> Result<Minter, Failure> {
    const VENDOR: u8 = 254;
    let vendor = args.mark_vendor.unwrap_or(VENDOR);
    if let (Some(id), Some(version)) = (&args.mark_id, args.mark_key_version) {
        let bits = args.mark_bits.unwrap_or(CYCLE);
        let operator = args.mark_operator.unwrap_or_default();
        return Ok(minter.derived_mark(vendor, bits, id, operator, version));
    }
    let Some(digits) = &args.mark_pattern else {
        return Ok(minter);
    };
    let wrong = |what: &str| Failure::configuration("--mark-pattern", what);
    let pattern = hex(digits).ok_or_else(|| wrong("give pairs of hexadecimal digits"))?;
    let all = u16::try_from(pattern.len() * 8).map_err(|_| wrong("give at most 65528 bits"))?;
    let bits = args.mark_bits.unwrap_or(all);
    if bits == 0 || pattern.len() != usize::from(bits).div_ceil(8) {
        return Err(wrong("give as many bytes as --mark-bits takes, and at least one"));
    }
    let Some(path) = &args.mark_encrypt else {
        return Ok(minter.clear_mark(vendor, bits, &pattern));
    };
    let jwk = keys::read_private(path)?;
    let wrong = |error| files::wrong(path, error);
    let minter = if jwk.algorithm().map_err(wrong)?.agrees() {
        let key = AgreementKey::from_jwk(&jwk).map_err(wrong)?;
        let seed = EnvelopeSeed {
            sender: random()?,
            content: random()?,
            nonce: random()?,
            agreement: random()?,
        };
        minter.enveloped_mark(vendor, bits, &pattern, &key, &seed)
    } else {
        let key = EncryptionKey::from_jwk(&jwk).map_err(wrong)?;
        minter.encrypted_mark(vendor, bits, &pattern, &key, random()?)
    };
    minter.map_err(|error| Failure::run("minting", error))
}

/// The claims: those of the file, those of the flags in their place, and the defaults of what neither has.
fn claims(
    args: &Args,
    issuer_of_key: Option<String>,
    now: UnixMillis,
) -> Result<Vec<(Value, Value)>, Failure> {
    let mut claims = match &args.claims {
        Some(path) => {
            let json = files::read_json(path)?;
            let claims = notation::read_claims(&json).map_err(|error| files::wrong(path, error))?;
            if let Some((key, _)) = claims
                .iter()
                .find(|(key, _)| !key.is_text() && integer(key).is_none())
            {
                return Err(files::wrong(path, format!("{key:?} is no key of a claim")));
            }
            claims
        }
        None => Vec::new(),
    };
    let defaults = defaults(args, issuer_of_key, now)?;
    let absent = |claims: &[(Value, Value)], label: Label| claims.iter().all(|(key, _)| !is(key, label));
    for (label, value) in defaults {
        if absent(&claims, label) {
            set(&mut claims, label, value);
        }
    }
    for (label, value) in flags(args, now)? {
        set(&mut claims, label, value);
    }
    if args.cti.as_deref() == Some("none") {
        claims.retain(|(key, _)| !is(key, Label::CTI));
    }
    Ok(claims)
}

/// What a token has unless something else is said.
fn defaults(args: &Args, issuer: Option<String>, now: UnixMillis) -> Result<Vec<(Label, Value)>, Failure> {
    let mut claims = vec![
        (Label::EXP, now.plus_seconds(ttl(args)).seconds().into()),
        (Label::IAT, now.seconds().into()),
        (Label::CTI, Value::Bytes(random::<16>()?.into())),
    ];
    claims.extend(issuer.map(|issuer| (Label::ISS, issuer.into())));
    Ok(claims)
}

/// What the flags ask for.
fn flags(args: &Args, now: UnixMillis) -> Result<Vec<(Label, Value)>, Failure> {
    let mut claims: Vec<(Label, Value)> = Vec::new();
    for (label, text) in [
        (Label::ISS, &args.issuer),
        (Label::SUB, &args.subject),
        (Label::AUD, &args.audience),
    ] {
        claims.extend(text.as_deref().map(|text| (label, text.into())));
    }
    let from_now = |seconds| Value::from(now.plus_seconds(seconds).seconds());
    claims.extend(args.ttl.map(|ttl| (Label::EXP, from_now(ttl))));
    claims.extend(args.not_before.map(|delay| (Label::NBF, from_now(delay))));
    match args.cti.as_deref() {
        None | Some("none") => {}
        Some("random") => claims.push((Label::CTI, Value::Bytes(random::<16>()?.into()))),
        Some(digits) => {
            let id = hex(digits).filter(|id| !id.is_empty()).ok_or_else(|| {
                Failure::configuration("--cti", "give pairs of hexadecimal digits, `random` or `none`")
            })?;
            claims.push((Label::CTI, Value::Bytes(id)));
        }
    }
    if !args.methods.is_empty() {
        claims.push((Label::CATM, texts(&args.methods)));
    }
    claims.extend(uri(args)?.map(|rules| (Label::CATU, rules)));
    let networks = networks(args)?;
    if !networks.is_empty() {
        claims.push((Label::CATNIP, Value::Array(networks)));
    }
    if !args.countries.is_empty() {
        for code in &args.countries {
            check_country(code)?;
        }
        claims.push((Label::CATGEOISO3166, texts(&args.countries)));
    }
    claims.extend(
        args.replay
            .map(|replay| (Label::CATREPLAY, (replay as u8).into())),
    );
    claims.extend(args.renew.map(|kind| (Label::CATR, renewal(args, kind))));
    Ok(claims)
}

fn ttl(args: &Args) -> i64 {
    const HOUR: i64 = 3600;
    args.ttl.unwrap_or(HOUR)
}

/// `catu`: host and path.
fn uri(args: &Args) -> Result<Option<Value>, Failure> {
    /// Keys of the components and of the match types.
    const HOST: u8 = 1;
    const PATH: u8 = 3;
    const EXACT: u8 = 0;
    const PREFIX: u8 = 1;
    let rule = |component: u8, kind: u8, text: &str| {
        (component.into(), Value::Map(vec![(kind.into(), text.into())]))
    };
    let mut rules = Vec::new();
    if let Some(host) = &args.host {
        // As requests have it: lower case, in the letters that the DNS has.
        let ascii = idna::domain_to_ascii(host).map_err(|error| Failure::configuration("--host", error))?;
        if ascii.is_empty() || ascii.contains([':', '/', '@']) {
            return Err(Failure::configuration(
                "--host",
                "give a name alone, without scheme or port",
            ));
        }
        rules.push(rule(HOST, EXACT, &ascii));
    }
    if let Some(prefix) = &args.path_prefix {
        if !prefix.starts_with('/') {
            return Err(Failure::configuration(
                "--path-prefix",
                "must begin with a slash, such as /live/news/",
            ));
        }
        rules.push(rule(PATH, PREFIX, prefix));
    }
    Ok((!rules.is_empty()).then_some(Value::Map(rules)))
}

/// The entries of `catnip`.
fn networks(args: &Args) -> Result<Vec<Value>, Failure> {
    let wrong = |what: String| Failure::configuration("--ip", what);
    let mut entries = Vec::new();
    for text in &args.addresses {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text.as_str(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| {
            wrong(format!(
                "{text:?} is no address and no prefix, such as 192.0.2.0/24"
            ))
        })?;
        let (tag, bytes) = match address {
            IpAddr::V4(address) => (52, address.octets().to_vec()),
            IpAddr::V6(address) => (54, address.octets().to_vec()),
        };
        let inner = match length {
            None => Value::Bytes(bytes),
            Some(length) => {
                let length = length
                    .parse::<u8>()
                    .ok()
                    .filter(|length| usize::from(*length) <= bytes.len() * 8)
                    .ok_or_else(|| {
                        wrong(format!(
                            "{text:?}: no prefix of an address is as long as {length}"
                        ))
                    })?;
                let network = network(bytes, length.into())
                    .ok_or_else(|| wrong(format!("{text:?} has bits beyond its prefix: set them to zero")))?;
                Value::Array(vec![length.into(), Value::Bytes(network)])
            }
        };
        entries.push(Value::Tag(tag, Box::new(inner)));
    }
    entries.extend(args.asns.iter().map(|asn| Value::from(*asn)));
    Ok(entries)
}

/// A prefix's bytes without trailing zero bytes (RFC 9164 §3.1.2); `None` where bits beyond the prefix are set.
fn network(mut bytes: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    let beyond = bytes.iter().enumerate().any(|(at, byte)| {
        let kept = length.saturating_sub(at * 8).min(8);
        byte.checked_shl(u32::try_from(kept).unwrap_or(8)).unwrap_or(0) != 0
    });
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    (!beyond).then_some(bytes)
}

fn check_country(code: &str) -> Result<(), Failure> {
    let (country, subdivision) = code.split_once('-').unwrap_or((code, "A"));
    let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
    let alphanumeric = subdivision
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if country.len() == 2 && letters(country) && (1..=3).contains(&subdivision.len()) && alphanumeric {
        Ok(())
    } else {
        Err(Failure::configuration(
            "--country",
            format!("{code:?}: give ISO 3166 codes in upper case, such as SE or US-CA"),
        ))
    }
}

/// `catr`.
fn renewal(args: &Args, kind: Renew) -> Value {
    let mut terms = vec![
        (0.into(), (kind as u8).into()),
        (1.into(), args.renew_add.unwrap_or_else(|| ttl(args)).into()),
    ];
    let mut put = |key: u8, value: Option<Value>| terms.extend(value.map(|value| (key.into(), value)));
    put(2, args.renew_before.map(Into::into));
    put(3, args.cookie_name.as_deref().map(Into::into));
    put(4, args.header_name.as_deref().map(Into::into));
    put(
        5,
        (!args.cookie_params.is_empty()).then(|| texts(&args.cookie_params)),
    );
    Value::Map(terms)
}

fn texts(texts: &[String]) -> Value {
    Value::Array(texts.iter().map(|text| text.as_str().into()).collect())
}

fn set(claims: &mut Vec<(Value, Value)>, label: Label, value: Value) {
    claims.retain(|(key, _)| !is(key, label));
    // Every registered key is small.
    claims.push((i64::try_from(label.0).unwrap_or_default().into(), value));
}

fn is(key: &Value, label: Label) -> bool {
    integer(key).is_some_and(|key| i128::from(key) == label.0)
}

fn integer(key: &Value) -> Option<i64> {
    key.as_integer().and_then(|key| i64::try_from(key).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_no_bits_beyond_its_length_and_no_zero_bytes_at_its_end() {
        assert_eq!(network(vec![10, 0, 0, 0], 8), Some(vec![10]));
        assert_eq!(network(vec![10, 1, 0, 0], 8), None);
        assert_eq!(network(vec![192, 0, 2, 128], 25), Some(vec![192, 0, 2, 128]));
        assert_eq!(network(vec![192, 0, 2, 64], 25), None);
        assert_eq!(network(vec![0, 0, 0, 0], 0), Some(vec![]));
    }

    #[test]
    fn countries_are_codes_in_upper_case() {
        assert!(check_country("SE").is_ok() && check_country("US-CA").is_ok());
        for bad in ["se", "SWE", "US-", "US-CALI", "S", ""] {
            assert!(check_country(bad).is_err(), "{bad}");
        }
    }
}
