//! A look into a token, for people. Nothing here is checked, so nothing here may be trusted.

use core::fmt::{self, Write as _};

use ciborium::Value;

use crate::{
    cose::{Frame, Structure},
    error::Refusal,
    label::Label,
    limits::MAX_NESTING,
    verify::decode,
};

/// What a token says of itself, unverified.
#[derive(Clone, Debug)]
pub struct Inspection {
    structure: Structure,
    alg: Option<i128>,
    kid: Option<Vec<u8>>,
    claims: Vec<(Value, Value)>,
}

/// Decodes a token without checking its signature.
///
/// # Errors
/// What keeps it from being read as a token at all.
pub fn inspect(token: &str) -> Result<Inspection, Refusal> {
    let bytes = decode(token)?;
    let frame = Frame::read(&bytes)?;
    let Ok(Value::Map(claims)) = ciborium::de::from_reader_with_recursion_limit(frame.payload, MAX_NESTING)
    else {
        return Err(Refusal::Cbor {
            at: 0,
            what: "the payload is not a map",
        });
    };
    Ok(Inspection {
        structure: frame.structure,
        alg: frame.alg,
        kid: frame.kid.map(Into::into),
        claims,
    })
}

impl fmt::Display for Inspection {
    /// One line for the frame and one for each claim, values in CBOR diagnostic notation (RFC 8949 §8).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let structure = match self.structure {
            Structure::Mac0 => "COSE_Mac0",
            Structure::Sign1 => "COSE_Sign1",
        };
        write!(f, "{structure}")?;
        match self.alg {
            Some(5) => write!(f, ", HMAC 256/256")?,
            Some(-7) => write!(f, ", ES256")?,
            Some(other) => write!(f, ", alg {other}")?,
            None => {}
        }
        if let Some(kid) = &self.kid {
            write!(f, ", kid {}", diagnostic(&Value::Bytes(kid.clone())))?;
        }
        for (key, value) in &self.claims {
            let name = match key {
                Value::Integer(label) => Label((*label).into()).to_string(),
                other => diagnostic(other),
            };
            write!(f, "\n{name:<14} {}", diagnostic(value))?;
        }
        Ok(())
    }
}

fn diagnostic(value: &Value) -> String {
    let mut out = String::new();
    write_diagnostic(&mut out, value);
    out
}

fn write_diagnostic(out: &mut String, value: &Value) {
    // Writing to a String cannot fail.
    let _ = match value {
        Value::Integer(n) => write!(out, "{}", i128::from(*n)),
        Value::Float(n) => write!(out, "{n:?}"),
        Value::Bool(b) => write!(out, "{b}"),
        Value::Null => write!(out, "null"),
        Value::Text(text) => write!(out, "{text:?}"),
        Value::Bytes(bytes) => match core::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) => {
                write!(out, "'{text}'")
            }
            _ => {
                out.push_str("h'");
                bytes.iter().for_each(|byte| {
                    let _ = write!(out, "{byte:02x}");
                });
                write!(out, "'")
            }
        },
        Value::Tag(tag, inner) => {
            let _ = write!(out, "{tag}(");
            write_diagnostic(out, inner);
            write!(out, ")")
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_diagnostic(out, item);
            }
            write!(out, "]")
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_diagnostic(out, key);
                out.push_str(": ");
                write_diagnostic(out, item);
            }
            write!(out, "}}")
        }
        _ => write!(out, "?"),
    };
}
