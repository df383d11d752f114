//! What the origin tells players and caches about an answer (CTA-5006, Common Media Server Data).

use std::fmt::{self, Write as _};
use std::time::Duration;

use axum::response::Response;
use http::{HeaderName, HeaderValue};

use crate::cmaf::{Init, Kind};
use crate::observe::Held;
use crate::time::UnixMillis;

/// `CMSD-Static`.
pub(super) const STATIC: HeaderName = HeaderName::from_static("cmsd-static");

/// What an answer is (`ot`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ObjectType {
    /// A playlist or MPD.
    Manifest,
    /// An init segment.
    Init,
    /// Media of this kind.
    Media(Kind),
}

/// The format that an answer is for (`sf`); media that several share has none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Format {
    /// HLS.
    Hls,
    /// DASH.
    Dash,
}

/// The keys of `CMSD-Static` that do not depend on the request.
#[derive(Clone, Debug)]
pub(super) struct Static {
    text: String,
}

impl Static {
    /// An answer of a live channel, by the origin of that name (`n`).
    pub(super) fn new(kind: ObjectType, format: Option<Format>, name: &str, is_live: bool) -> Self {
        let kind = match kind {
            ObjectType::Manifest => "m",
            ObjectType::Init => "i",
            ObjectType::Media(Kind::Video) => "v",
            ObjectType::Media(Kind::Audio) => "a",
            ObjectType::Media(Kind::Text) => "c",
            ObjectType::Media(Kind::Event) => "o",
        };
        let mut text = format!("ot={kind}");
        match format {
            Some(Format::Hls) => text.push_str(",sf=h"),
            Some(Format::Dash) => text.push_str(",sf=d"),
            None => {}
        }
        text.push_str(if is_live { ",st=l" } else { ",st=v" });
        let mut made = Self { text };
        made.put(format_args!(",n={}", Text(name)));
        made
    }

    /// A track's media.
    pub(super) fn media(init: &Init, name: &str) -> Self {
        Self::new(ObjectType::Media(init.kind), None, name, true)
    }

    /// Bits a second of the encoded media (`br`, in kilobits).
    #[must_use]
    pub(super) fn bitrate(mut self, bits: u64) -> Self {
        self.put(format_args!(",br={}", bits.div_ceil(1000).max(1)));
        self
    }

    /// Duration of the object in nanoseconds (`d`, in milliseconds).
    #[must_use]
    pub(super) fn duration(mut self, nanos: i64) -> Self {
        self.put(format_args!(",d={}", nanos.saturating_add(500_000) / 1_000_000));
        self
    }

    /// When its first byte was there (`at`).
    #[must_use]
    pub(super) fn available(mut self, at: UnixMillis) -> Self {
        self.put(format_args!(",at={}", at.0));
        self
    }

    /// What is asked for next, relative to this (`nor`).
    #[must_use]
    pub(super) fn next(mut self, url: &str) -> Self {
        self.put(format_args!(",nor={}", Text(url)));
        self
    }

    fn put(&mut self, keys: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(keys);
    }

    /// Says it on an answer; `held` is how long that waited.
    pub(super) fn put_on(&self, response: &mut Response, held: Option<Duration>) {
        let value = match held {
            Some(held) => self.held(held),
            None => self.value(),
        };
        if let Some(value) = value {
            response.headers_mut().insert(STATIC, value);
        }
        if let Some(held) = held {
            response.extensions_mut().insert(Held(held));
        }
    }

    /// The header's value.
    pub(super) fn value(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.text).ok()
    }

    /// The header's value, of an answer that was held for so long until there was something to say (`ht`).
    pub(super) fn held(&self, time: Duration) -> Option<HeaderValue> {
        let ms = time.as_millis();
        // As long as it comes to be: a text with room left costs the header one more allocation.
        let digits = ms.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut text = String::with_capacity(self.text.len() + ",ht=".len() + digits);
        text.push_str(&self.text);
        let _ = write!(text, ",ht={ms}");
        HeaderValue::try_from(text).ok()
    }
}

/// A string of structured fields (RFC 9651 §3.3.3); what it may not hold is left out.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars().filter(|letter| (' '..='~').contains(letter)) {
            if matches!(letter, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(letter)?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_a_dictionary_of_structured_fields() {
        let playlist = Static::new(ObjectType::Manifest, Some(Format::Hls), "a \"b\" ü", true);
        assert_eq!(
            playlist.held(Duration::from_millis(320)).unwrap(),
            r#"ot=m,sf=h,st=l,n="a \"b\" ",ht=320"#
        );
        let part = Static::new(ObjectType::Media(Kind::Video), None, "o", true)
            .bitrate(1_200_001)
            .duration(533_333_333)
            .available(UnixMillis(7))
            .next("0-2.1.m4s");
        assert_eq!(
            part.value().unwrap(),
            r#"ot=v,st=l,n="o",br=1201,d=533,at=7,nor="0-2.1.m4s""#
        );
    }
}
