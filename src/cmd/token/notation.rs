//! Claims in JSON, in the notation of collected test vectors: keys are integers as text, text keys are `t:NAME`,
//! bytes are `{"h": HEX}`, tags are `{"tag": N, "value": …}`, and what JSON has no word for is `{"raw": HEX}`, its
//! CBOR. Claims may also be called by the standard's short names.

use ciborium::Value;
use selvedge_token::Label;
use serde_json::{Map, Value as Json, json};

use super::hex;

/// Deepest nesting that is read: far beyond that of tokens.
const MAX_DEPTH: usize = 32;

/// Reads a set of claims. An error names the place.
pub(super) fn read_claims(json: &Json) -> Result<Vec<(Value, Value)>, String> {
    let Json::Object(claims) = json else {
        return Err("expected an object of claims, such as {\"exp\": 1790000000}".into());
    };
    read_map(claims, "", 0)
}

fn read_map(members: &Map<String, Json>, place: &str, depth: usize) -> Result<Vec<(Value, Value)>, String> {
    members
        .iter()
        .map(|(key, value)| {
            let place = if place.is_empty() {
                key.clone()
            } else {
                format!("{place}.{key}")
            };
            let key = read_key(key, &place)?;
            Ok((key, read_value(value, &place, depth + 1)?))
        })
        .collect()
}

fn read_key(key: &str, place: &str) -> Result<Value, String> {
    if let Some(text) = key.strip_prefix("t:") {
        return Ok(text.into());
    }
    if let Some(json) = key.strip_prefix("j:") {
        let json = serde_json::from_str(json).map_err(|error| format!("{place}: {error}"))?;
        return read_value(&json, place, 0);
    }
    if let Ok(number) = key.parse::<i64>() {
        return Ok(number.into());
    }
    Label::named(key)
        .and_then(|label| i64::try_from(label.0).ok())
        .map(Value::from)
        .ok_or_else(|| {
            format!("{place}: {key:?} is neither a number nor a claim of the standard; a key of text is \"t:{key}\"")
        })
}

fn read_value(json: &Json, place: &str, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("{place}: nested too deeply"));
    }
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => (*value).into(),
        Json::String(text) => text.as_str().into(),
        Json::Number(number) => {
            read_number(number).ok_or_else(|| format!("{place}: {number} is too large"))?
        }
        Json::Array(items) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(at, item)| read_value(item, &format!("{place}[{at}]"), depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        Json::Object(members) => match read_special(members, place, depth)? {
            Some(value) => value,
            None => Value::Map(read_map(members, place, depth)?),
        },
    })
}

/// Bytes, tags and raw CBOR.
fn read_special(members: &Map<String, Json>, place: &str, depth: usize) -> Result<Option<Value>, String> {
    let digits = |value: &Json| {
        value
            .as_str()
            .and_then(hex)
            .ok_or_else(|| format!("{place}: expected pairs of hexadecimal digits"))
    };
    Ok(
        match (
            members.len(),
            members.get("h"),
            members.get("raw"),
            members.get("tag"),
            members.get("value"),
        ) {
            (1, Some(bytes), ..) => Some(Value::Bytes(digits(bytes)?)),
            (1, _, Some(raw), ..) => {
                let value = ciborium::from_reader(digits(raw)?.as_slice());
                Some(value.map_err(|_| format!("{place}: not one item of CBOR"))?)
            }
            (2, _, _, Some(tag), Some(value)) => {
                let tag = tag
                    .as_u64()
                    .ok_or_else(|| format!("{place}.tag: expected a number"))?;
                Some(Value::Tag(tag, Box::new(read_value(value, place, depth + 1)?)))
            }
            _ => None,
        },
    )
}

/// A number in its shortest form: a whole one becomes an integer.
fn read_number(number: &serde_json::Number) -> Option<Value> {
    /// From here on a float has no fraction, and an integer may not be what was meant.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(integer) = number.as_i64() {
        return Some(integer.into());
    }
    if let Some(integer) = number.as_u64() {
        return Some(integer.into());
    }
    let float = number.as_f64().filter(|float| float.is_finite())?;
    Some(if float.fract() == 0.0 && float.abs() < EXACT {
        (float as i64).into()
    } else {
        float.into()
    })
}

/// Writes a set of claims.
pub(super) fn write_claims(claims: &[(Value, Value)]) -> Json {
    let members = claims.iter().map(|(key, value)| {
        let key = match key {
            Value::Integer(number) => i128::from(*number).to_string(),
            Value::Text(text) => format!("t:{text}"),
            other => format!("j:{}", write_value(other)),
        };
        (key, write_value(value))
    });
    Json::Object(members.collect())
}

fn write_value(value: &Value) -> Json {
    let raw = || {
        let mut bytes = Vec::new();
        // Writing a value that was read, to memory.
        let _ = ciborium::into_writer(value, &mut bytes);
        json!({ "raw": digits(&bytes) })
    };
    match value {
        Value::Integer(number) => {
            let number = i128::from(*number);
            i64::try_from(number)
                .map(Json::from)
                .or_else(|_| u64::try_from(number).map(Json::from))
                .unwrap_or_else(|_| raw())
        }
        Value::Float(number) => serde_json::Number::from_f64(*number).map_or_else(raw, Json::Number),
        Value::Bytes(bytes) => json!({ "h": digits(bytes) }),
        Value::Text(text) => text.as_str().into(),
        Value::Bool(value) => (*value).into(),
        Value::Null => Json::Null,
        Value::Tag(tag, inner) => json!({ "tag": tag, "value": write_value(inner) }),
        Value::Array(items) => items.iter().map(write_value).collect(),
        Value::Map(entries) => write_claims(entries),
        _ => raw(),
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        let json = json!({
            "1": "eyevinn",
            "4": 4_102_444_800.5,
            "7": {"h": "0b71"},
            "t:vendor": true,
            "-70001": null,
            "311": [{"tag": 52, "value": [8, {"h": "0a"}]}, 64_500],
            "322": {"4": [307, {"t:Location": ["https://a/?CAT=", {"1": null}]}, "k"], "j:[4,5]": [401]},
            "70001": {"raw": "f97e00"},
        });
        let claims = read_claims(&json).unwrap();
        assert_eq!(write_claims(&claims), json);
    }

    #[test]
    fn claims_go_by_their_names_too_and_whole_floats_become_integers() {
        let claims = read_claims(&json!({"exp": 2.0, "catm": ["GET"]})).unwrap();
        assert_eq!(write_claims(&claims), json!({"4": 2, "313": ["GET"]}));
    }

    #[test]
    fn an_error_names_its_place() {
        for (json, told) in [
            (json!({"catu": {"path": 1}}), "catu.path: \"path\" is neither"),
            (json!({"7": {"h": "0"}}), "7: expected pairs"),
            (json!({"311": [1, {"raw": "ff"}]}), "311[1]: not one item"),
            (json!([]), "expected an object"),
        ] {
            let error = read_claims(&json).unwrap_err();
            assert!(error.contains(told), "{told}: {error}");
        }
    }
}
