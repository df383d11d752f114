//! CBOR diagnostic notation (RFC 8949 §8).

use core::fmt::Write as _;

use ciborium::Value;

/// Writes a value. Everything that is not plain text is escaped: the value may be hostile.
pub(super) fn diagnostic(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Value) {
    // Writing to a String cannot fail.
    let _ = match value {
        Value::Integer(n) => write!(out, "{}", i128::from(*n)),
        Value::Float(n) => write!(out, "{n:?}"),
        Value::Bool(b) => write!(out, "{b}"),
        Value::Null => write!(out, "null"),
        Value::Text(text) => write!(out, "{text:?}"),
        Value::Bytes(bytes) => match core::str::from_utf8(bytes) {
            Ok(text) if is_plain(text) => write!(out, "'{text}'"),
            _ => write!(out, "h'{}'", hex(bytes)),
        },
        Value::Tag(tag, inner) => {
            let _ = write!(out, "{tag}(");
            write(out, inner);
            write!(out, ")")
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(out, item);
            }
            write!(out, "]")
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(out, key);
                out.push_str(": ");
                write(out, item);
            }
            write!(out, "}}")
        }
        _ => write!(out, "?"),
    };
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '\'' | '\\'))
}

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
