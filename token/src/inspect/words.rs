//! What each claim means, said in one line of plain words.

use core::net::{Ipv4Addr, Ipv6Addr};

use ciborium::Value;

use crate::{
    inspect::diagnostic::diagnostic,
    label::Label,
    time::{NumericDate, UnixMillis},
};

/// Keys in use for composite claims, which have none assigned.
const COMPOSITES: [(i128, &str); 6] = [
    (41, "or"),
    (42, "nor"),
    (43, "and"),
    (324, "or"),
    (325, "nor"),
    (326, "and"),
];

/// A sentence for a claim.
pub(super) fn meaning(label: Option<Label>, value: &Value, now: Option<UnixMillis>) -> String {
    let Some(label) = label else {
        return "a claim of the issuer's own: recipients ignore it".into();
    };
    if value.is_null() && label.name().is_some() {
        return "filled in by the edge".into();
    }
    if let Some(said) = composite(label, value) {
        return said;
    }
    let said = match label {
        Label::ISS => value
            .as_text()
            .map(|who| format!("made by {who:?}"))
            .ok_or("text"),
        Label::SUB => value
            .as_text()
            .map(|whom| format!("speaks of {whom:?}; decides nothing"))
            .ok_or("text"),
        Label::AUD => texts(value)
            .map(|whom| format!("for {}", either(&whom)))
            .ok_or("text or a list of texts"),
        Label::EXP => moment(value, now, "expires", "expired").ok_or("a number of seconds since 1970"),
        Label::NBF => moment(value, now, "admits nothing before", "has admitted since")
            .ok_or("a number of seconds since 1970"),
        Label::IAT => moment(value, now, "made", "made").ok_or("a number of seconds since 1970"),
        Label::CTI => value
            .as_bytes()
            .map(|_| "the token's own identity, by which it is known to be used again".into())
            .ok_or("bytes"),
        Label::CNF => confirmation(value).ok_or("a map of confirmation methods"),
        Label::GEOHASH => texts(value)
            .map(|cells| format!("admits clients in the cell {}", either(&cells)))
            .ok_or("text or a list of texts"),
        Label::CATREPLAY => match integer(value) {
            Some(0) => Ok("may be used again and again".into()),
            Some(1) => Ok("may be used once: a second request with it is refused".into()),
            Some(2) => Ok("may be used again until the operator detects misuse".into()),
            _ => Err("0, 1 or 2"),
        },
        Label::CATPOR => odds(value, now).ok_or("[probability, id] or [probability, id, expiry]"),
        Label::CATV => match integer(value) {
            Some(1) => Ok("version 1 of the token format".into()),
            _ => Err("1"),
        },
        Label::CATNIP => networks(value).ok_or("a list of addresses, prefixes and AS numbers"),
        Label::CATU => uri(value).ok_or("a map of URI components and what they match"),
        Label::CATM => strings(value)
            .map(|methods| match methods.as_slice() {
                [one] => format!("admits the method {one}"),
                more => format!("admits the methods {}", join(more, "and")),
            })
            .ok_or("a list of texts"),
        Label::CATALPN => protocols(value).ok_or("a list of byte strings"),
        Label::CATH => headers(value).ok_or("a map of header names and what they match"),
        Label::CATGEOISO3166 => strings(value)
            .map(|codes| format!("admits clients in {}", join(&codes, "or")))
            .ok_or("a list of texts"),
        Label::CATGEOCOORD => circles(value).ok_or("a list of [latitude, longitude, radius]"),
        Label::CATGEOALT => altitude(value).ok_or("[altitude, deviation]"),
        Label::CATTPK => value
            .as_bytes()
            .map(|key| {
                format!(
                    "admits TLS clients whose certificate has this key of {} bytes",
                    key.len()
                )
            })
            .ok_or("the bytes of a public key"),
        Label::CATIFDATA => texts(value)
            .map(|data| format!("data for whatever a consequence leads to: {}", either(&data)))
            .ok_or("text or a list of texts"),
        Label::CATDPOP => proofs(value).ok_or("a map of settings"),
        Label::CATIF => consequences(value).ok_or("a map from claims to answers"),
        Label::CATR => renewal(value).ok_or("a map with type and expadd"),
        Label::CATTPRINT => Ok(format!(
            "admits TLS clients of the fingerprint {}",
            diagnostic(value)
        )),
        Label::MOQT => Ok("admits actions of Media over QUIC; no HTTP request".into()),
        Label::MOQT_REVAL => Ok("to be validated again by a Media over QUIC relay".into()),
        Label(300..=307) => Ok("speaks of the session's watermark; decides nothing".into()),
        Label(44) => Ok("in use for encrypted claims, without being assigned: recipients refuse it".into()),
        Label(45) => Ok("in use for claims that must be understood, without being assigned".into()),
        _ => Ok("not a claim of the standard: recipients ignore it".into()),
    };
    said.unwrap_or_else(|expected| format!("malformed: expected {expected}"))
}

/// The sets of claims inside a claim, each with its title.
pub(super) fn inner(label: Option<Label>, value: &Value) -> Vec<(String, &[(Value, Value)])> {
    match label {
        Some(Label::CATIF) => actions(value),
        Some(label) if composite(label, value).is_some() => sets(value)
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(at, set)| (format!("set {}:", at + 1), set))
            .collect(),
        _ => Vec::new(),
    }
}

/// The tokens that `catif` mints.
fn actions(value: &Value) -> Vec<(String, &[(Value, Value)])> {
    let mut found = Vec::new();
    for (_, action) in value.as_map().into_iter().flatten() {
        let headers = action.as_array().and_then(|parts| parts.get(1)?.as_map());
        for (name, value) in headers.into_iter().flatten() {
            if let Some([_, Value::Map(claims)]) = value.as_array().map(Vec::as_slice) {
                let title = format!("the token in {}:", plain(name));
                found.push((title, claims.as_slice()));
            }
        }
    }
    found
}

fn composite(label: Label, value: &Value) -> Option<String> {
    let (_, kind) = COMPOSITES.iter().find(|(key, _)| *key == label.0)?;
    let count = sets(value)?.len();
    Some(match *kind {
        "or" => format!("at least one of {count} sets of claims must hold"),
        "nor" => format!("none of {count} sets of claims may hold"),
        _ => format!("all of {count} sets of claims must hold"),
    })
}

fn sets(value: &Value) -> Option<Vec<&[(Value, Value)]>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items
        .iter()
        .map(|item| item.as_map().map(Vec::as_slice))
        .collect()
}

fn moment(value: &Value, now: Option<UnixMillis>, ahead: &str, behind: &str) -> Option<String> {
    /// The end of the year 9999.
    const LAST: i64 = 253_402_300_799;
    let date = match value {
        Value::Integer(seconds) => NumericDate::Integer((*seconds).into()),
        Value::Float(seconds) if seconds.is_finite() => NumericDate::Float(*seconds),
        _ => return None,
    };
    if !(-LAST..=LAST).contains(&date.seconds()) {
        return Some(format!("{ahead} at {}, beyond every calendar", diagnostic(value)));
    }
    let moment = date.moment();
    let text = moment.to_string().replace(".000Z", "Z");
    Some(match now.map(|now| (moment.0 - now.0).div_euclid(1000)) {
        None => format!("{ahead} {text}"),
        Some(0) => format!("{ahead} {text}, now"),
        Some(left @ 1..) => format!("{ahead} {text}, in {}", span(left)),
        Some(left) => format!("{behind} {text}, {} ago", span(-left)),
    })
}

/// A number of seconds in the largest unit of which there are two or more; a single one is said in smaller units.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn confirmation(value: &Value) -> Option<String> {
    let methods = value.as_map()?;
    let named = methods.iter().map(|(key, method)| {
        let kind = match integer(key) {
            Some(323) => "the JWK thumbprint ",
            Some(5) => "the COSE key thumbprint ",
            Some(3) => "the key id ",
            _ => "a method that is not known here, ",
        };
        format!("{kind}{}", diagnostic(method))
    });
    let named: Vec<String> = named.collect();
    Some(match named.as_slice() {
        [] => "names no key, so it admits nothing".into(),
        _ => format!(
            "admits only who proves to hold the private key of {}",
            join(&named, "and")
        ),
    })
}

fn odds(value: &Value, now: Option<UnixMillis>) -> Option<String> {
    let parts = value.as_array()?;
    let probability = number(parts.first()?)?;
    let id = diagnostic(parts.get(1)?);
    let until = match parts.get(2) {
        Some(expiry) => moment(expiry, now, "until", "until")?,
        None => "for good".into(),
    };
    Some(format!(
        "refuses {} of 100 draws; the id {id} then stays out {until}",
        probability * 100.0
    ))
}

fn networks(value: &Value) -> Option<String> {
    let entries: Option<Vec<String>> = value.as_array()?.iter().map(network).collect();
    Some(format!("admits clients of {}", join(&entries?, "or")))
}

fn network(entry: &Value) -> Option<String> {
    match entry {
        Value::Integer(asn) => Some(format!("AS{}", i128::from(*asn))),
        Value::Tag(tag, inner) => match &**inner {
            Value::Bytes(bytes) => address(*tag, bytes),
            Value::Array(parts) => match parts.as_slice() {
                [Value::Integer(length), Value::Bytes(bytes)] => {
                    Some(format!("{}/{}", address(*tag, bytes)?, i128::from(*length)))
                }
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// An address, of which trailing zero bytes may be missing.
fn address(tag: u64, bytes: &[u8]) -> Option<String> {
    fn padded<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
        let mut out = [0; N];
        out.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(out)
    }
    match tag {
        52 => Some(Ipv4Addr::from(padded::<4>(bytes)?).to_string()),
        54 => Some(Ipv6Addr::from(padded::<16>(bytes)?).to_string()),
        _ => None,
    }
}

fn uri(value: &Value) -> Option<String> {
    const COMPONENTS: [&str; 9] = [
        "schemes",
        "hosts",
        "ports",
        "paths",
        "queries",
        "parent paths",
        "filenames",
        "stems",
        "extensions",
    ];
    let mut said = Vec::new();
    for (component, matches) in value.as_map()? {
        let at = usize::try_from(integer(component)?).ok()?;
        let name = COMPONENTS.get(at)?;
        if let Some(must) = matching(matches)? {
            said.push(format!("{name} that {must}"));
        }
    }
    Some(if said.is_empty() {
        "admits every URL".into()
    } else {
        format!("admits {}", join(&said, "and"))
    })
}

fn headers(value: &Value) -> Option<String> {
    let mut said = Vec::new();
    for (name, matches) in value.as_map()? {
        let name = plain(name);
        said.push(match matching(matches)? {
            Some(must) => format!("{name} fields that {must}"),
            None => format!("any {name} field"),
        });
    }
    Some(format!("admits requests with {}", join(&said, "and")))
}

/// What a map of match types asks for; `None` inside where it is empty.
fn matching(value: &Value) -> Option<Option<String>> {
    let mut said = Vec::new();
    for (kind, want) in value.as_map()? {
        let verb = match integer(kind)? {
            0 => "are",
            1 => "begin with",
            2 => "end with",
            3 => "contain",
            4 => "match the expression",
            -1 => "have the SHA-256",
            -2 => "have the SHA-512/256",
            _ => return None,
        };
        // The expression stands first in an array; what follows bounds its groups.
        let want = match want {
            Value::Array(parts) if parts.len() == 1 => parts.first().map(diagnostic)?,
            other => diagnostic(other),
        };
        said.push(format!("{verb} {want}"));
    }
    Some((!said.is_empty()).then(|| join(&said, "and")))
}

fn protocols(value: &Value) -> Option<String> {
    let names: Option<Vec<String>> = value
        .as_array()?
        .iter()
        .map(|name| {
            Some(plain(&Value::Text(
                String::from_utf8_lossy(name.as_bytes()?).into(),
            )))
        })
        .collect();
    Some(format!(
        "admits TLS connections that speak {}",
        join(&names?, "or")
    ))
}

fn circles(value: &Value) -> Option<String> {
    let circles: Option<Vec<String>> = value
        .as_array()?
        .iter()
        .map(|circle| {
            let circle = match circle {
                Value::Tag(_, inner) => inner,
                bare => bare,
            };
            let [latitude, longitude, radius] = circle.as_array()?.as_slice() else {
                return None;
            };
            Some(format!(
                "{} m around latitude {}, longitude {}",
                number(radius)?,
                number(latitude)?,
                number(longitude)?
            ))
        })
        .collect();
    Some(format!("admits clients within {}", join(&circles?, "or")))
}

fn altitude(value: &Value) -> Option<String> {
    let [altitude, deviation] = value.as_array()?.as_slice() else {
        return None;
    };
    Some(format!(
        "admits clients at {} m above the ellipsoid, give or take {} m",
        number(altitude)?,
        number(deviation)?
    ))
}

fn proofs(value: &Value) -> Option<String> {
    let window = match entry(value, 0)? {
        Some(window) => integer(window)?,
        None => 300,
    };
    let once = match entry(value, 1)?.and_then(integer) {
        Some(1) => "once each",
        _ => "again and again",
    };
    Some(format!("proofs of possession are good for {window} s, {once}"))
}

fn renewal(value: &Value) -> Option<String> {
    const NAME: &str = "CTA-Common-Access-Token";
    let name = |key| Some(entry(value, key)?.map_or_else(|| NAME.into(), plain));
    let by = match integer(entry(value, 0)??)? {
        0 => "the way that it came".into(),
        1 => format!("the cookie {}", name(3)?),
        2 => format!("the header {}", name(4)?),
        3 => "a redirect".into(),
        _ => return Some("of an unknown type: it is not renewed".into()),
    };
    let way = if by == "a redirect" { "by" } else { "in" };
    let seconds = number(entry(value, 1)??)?;
    // Below this a deadline is a number of seconds, from there on a date.
    const LEAST_DATE: f64 = 1e8;
    let from = match entry(value, 2)?.map(number) {
        None => "from 60 s before it expires".into(),
        Some(Some(lead)) if lead < LEAST_DATE => format!("from {lead} s before it expires"),
        Some(Some(_)) => moment(entry(value, 2)??, None, "not after", "not after")?,
        Some(None) => return None,
    };
    Some(format!(
        "renewed by the edge {way} {by}, {seconds} s at a time, {from}"
    ))
}

fn consequences(value: &Value) -> Option<String> {
    let mut said = Vec::new();
    for (claims, action) in value.as_map()? {
        let claims = match claims {
            Value::Array(labels) => labels.iter().map(claim_name).collect(),
            one => vec![claim_name(one)],
        };
        let parts = action.as_array()?;
        let status = integer(parts.first()?)?;
        let headers: Vec<String> = parts
            .get(1)
            .and_then(Value::as_map)
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let value = match value.as_array().map(Vec::as_slice) {
                    Some([prefix, _]) => format!("{} and a token", diagnostic(prefix)),
                    _ => diagnostic(value),
                };
                format!("{}: {value}", plain(name))
            })
            .collect();
        let with = match headers.as_slice() {
            [] => String::new(),
            headers => format!(" with {}", join(headers, "and")),
        };
        said.push(format!(
            "refused by {}: answers {status}{with}",
            join(&claims, "or")
        ));
    }
    Some(if said.is_empty() {
        "answers refusals as usual".into()
    } else {
        said.join("; ")
    })
}

fn claim_name(key: &Value) -> String {
    match key {
        Value::Integer(label) => Label((*label).into()).to_string(),
        other => diagnostic(other),
    }
}

/// An entry of a map; the outer `None` where there is no map.
fn entry(map: &Value, key: i128) -> Option<Option<&Value>> {
    let entries = map.as_map()?;
    Some(
        entries
            .iter()
            .find_map(|(have, value)| (integer(have) == Some(key)).then_some(value)),
    )
}

fn integer(value: &Value) -> Option<i128> {
    value.as_integer().map(i128::from)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(i128::from(*n) as f64),
        Value::Float(n) if n.is_finite() => Some(*n),
        _ => None,
    }
}

/// Text without quotes where it is one plain word, as a name is; anything else in diagnostic notation.
fn plain(value: &Value) -> String {
    match value.as_text() {
        Some(text) if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) => text.into(),
        _ => diagnostic(value),
    }
}

/// A list of texts, each as [`plain`] has it.
fn strings(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items
        .iter()
        .map(|item| item.as_text().map(|_| plain(item)))
        .collect()
}

/// One text or a list of them, each in quotes.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Text(_) => Some(vec![diagnostic(value)]),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .map(|item| item.as_text().map(|_| diagnostic(item)))
            .collect(),
        _ => None,
    }
}

fn either(items: &[String]) -> String {
    join(items, "or")
}

fn join(items: &[String], word: &str) -> String {
    match items {
        [] => "nothing".into(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {word} {last}", most.join(", ")),
    }
}
