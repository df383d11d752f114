//! The tags of a document, one after the other, as slices of it (XML 1.0).
//!
//! Comments, processing instructions, declarations and character data are stepped over; nothing is expanded, so that
//! no document can grow in here. Names are compared without their prefixes.

use core::ops::Range;
use std::borrow::Cow;

use memchr::{memchr, memmem};

/// A document that is not well formed as far as one looks at it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Malformed;

/// What a tag does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// `<a>`
    Start,
    /// `</a>`
    End,
    /// `<a/>`
    Empty,
}

/// A tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Tag<'d> {
    pub(super) kind: Kind,
    /// Its name without a prefix.
    pub(super) name: &'d str,
    /// Where it begins and ends in the document.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Between name and end.
    pub(super) attributes: &'d str,
}

impl<'d> Tag<'d> {
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The value of an attribute by its name without a prefix, as it is written.
    pub(super) fn attribute(&self, name: &str) -> Option<&'d str> {
        Attributes(self.attributes)
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value)
    }

    /// An attribute that is a number.
    pub(super) fn number<N: core::str::FromStr>(&self, name: &str) -> Option<N> {
        self.attribute(name)?.trim().parse().ok()
    }
}

/// An attribute as it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Attribute<'d> {
    /// Without a prefix.
    pub(super) name: &'d str,
    /// Between its quotes.
    pub(super) value: &'d str,
}

/// The attributes of a tag, in order; it ends at what is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'d>(pub(super) &'d str);

impl<'d> Iterator for Attributes<'d> {
    type Item = Attribute<'d>;

    #[inline]
    fn next(&mut self) -> Option<Attribute<'d>> {
        let bytes = self.0.as_bytes();
        let from = bytes.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let equals = from + bytes.get(from..)?.iter().position(|byte| *byte == b'=')?;
        let name = self.0.get(from..equals)?.trim_ascii_end();
        let rest = bytes.get(equals + 1..)?;
        let open = equals + 1 + rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let quote = *bytes.get(open).filter(|byte| matches!(**byte, b'"' | b'\''))?;
        let value = bytes.get(open + 1..)?;
        let close = open + 1 + value.iter().position(|byte| *byte == quote)?;
        let value = self.0.get(open + 1..close)?;
        self.0 = self.0.get(close + 1..)?;
        let name = name.rsplit(':').next()?;
        Some(Attribute { name, value })
    }
}

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'d> {
    pub(super) text: &'d str,
    pub(super) at: usize,
}

impl<'d> Cursor<'d> {
    pub(super) fn new(text: &'d str) -> Self {
        Self { text, at: 0 }
    }

    /// The next tag; `None` at the end of the document.
    pub(super) fn next(&mut self) -> Result<Option<Tag<'d>>, Malformed> {
        let bytes = self.text.as_bytes();
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(found) = memchr(b'<', rest) else {
                self.at = bytes.len();
                return Ok(None);
            };
            let start = self.at + found;
            match bytes.get(start + 1) {
                Some(b'!' | b'?') => self.at = aside(self.text, start).ok_or(Malformed)?,
                Some(_) => return self.tag(start).map(Some),
                None => return Err(Malformed),
            }
        }
    }

    fn tag(&mut self, start: usize) -> Result<Tag<'d>, Malformed> {
        let bytes = self.text.as_bytes();
        let mut quote = 0;
        let tail = bytes.get(start + 1..).unwrap_or_default();
        let length = tail.iter().position(|byte| {
            match (quote, *byte) {
                (0, b'>') => return true,
                (0, b'"' | b'\'') => quote = *byte,
                (open, byte) if open == byte => quote = 0,
                _ => {}
            }
            false
        });
        let close = start + 1 + length.ok_or(Malformed)?;
        let content = self.text.get(start + 1..close).ok_or(Malformed)?;
        let (kind, content) = match (content.strip_prefix('/'), content.strip_suffix('/')) {
            (Some(name), _) => (Kind::End, name),
            (None, Some(content)) => (Kind::Empty, content),
            (None, None) => (Kind::Start, content),
        };
        let name_length = content.bytes().position(|byte| byte.is_ascii_whitespace());
        let (full, attributes) = content
            .split_at_checked(name_length.unwrap_or(content.len()))
            .ok_or(Malformed)?;
        // A slash that ends nothing would end the tag once what is around it is written anew.
        if attributes.ends_with('/') {
            return Err(Malformed);
        }
        let name = full.rsplit(':').next().filter(|name| !name.is_empty());
        self.at = close + 1;
        Ok(Tag {
            kind,
            name: name.ok_or(Malformed)?,
            start,
            end: close + 1,
            attributes,
        })
    }

    /// The next child of an element whose start tag has been read; `None` at its end tag, whose offset behind it is
    /// where the cursor is then.
    pub(super) fn child(&mut self, of: &Tag<'_>) -> Result<Option<Tag<'d>>, Malformed> {
        if of.kind == Kind::Empty {
            return Ok(None);
        }
        let tag = self.next()?.ok_or(Malformed)?;
        match tag.kind {
            Kind::Start | Kind::Empty => Ok(Some(tag)),
            Kind::End if tag.name == of.name => Ok(None),
            Kind::End => Err(Malformed),
        }
    }

    /// Steps over the content of an element whose start tag has been read: where the element lies.
    pub(super) fn skip(&mut self, tag: &Tag<'_>) -> Result<Range<usize>, Malformed> {
        let mut depth = usize::from(tag.kind == Kind::Start);
        while depth > 0 {
            let inner = self.next()?.ok_or(Malformed)?;
            match inner.kind {
                Kind::Start => depth += 1,
                Kind::End => depth -= 1,
                Kind::Empty => {}
            }
            if depth == 0 && inner.name != tag.name {
                return Err(Malformed);
            }
        }
        Ok(tag.start..self.at)
    }
}

/// The offset behind the comment, instruction, declaration or character data that begins at `start`.
fn aside(text: &str, start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    // A declaration of a document type with rules of its own (`[`) is nobody's MPD.
    let (open, close) = [("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>"), ("<!", ">")]
        .into_iter()
        .find(|(open, _)| rest.starts_with(open))?;
    let from = open.len();
    let found = memmem::find(rest.get(from..)?.as_bytes(), close.as_bytes())?;
    let is_plain = open != "<!" || !rest.get(..from + found)?.contains('[');
    is_plain.then_some(start + from + found + close.len())
}

/// A value with its references resolved: the five that XML has, and numeric ones. Others stay as they are.
pub(super) fn resolved(value: &str) -> Cow<'_, str> {
    if !value.contains('&') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        match after
            .split_once(';')
            .and_then(|(name, after)| Some((character(name)?, after)))
        {
            Some((letter, after)) => {
                out.push(letter);
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn character(name: &str) -> Option<char> {
    let number = match name {
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        _ => name.strip_prefix('#')?,
    };
    let code = match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
}

/// A text as it may stand in a quoted value or between tags. Characters that XML does not have are left out.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl core::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        use core::fmt::Write as _;
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\t' | '\n' | '\r' => write!(f, "&#{};", u32::from(letter))?,
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {}
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(text: &str) -> Result<Vec<(Kind, &str)>, Malformed> {
        let mut cursor = Cursor::new(text);
        let mut names = Vec::new();
        while let Some(tag) = cursor.next()? {
            names.push((tag.kind, tag.name));
        }
        Ok(names)
    }

    #[test]
    fn tags_are_found_between_all_that_is_none() {
        let text = "<?xml version='1.0'?><!DOCTYPE MPD><!-- <x> --><d:MPD a='>' b=\"/\"> text <![CDATA[<y>]]><S d = '1'/></d:MPD>";
        assert_eq!(
            names(text).unwrap(),
            [(Kind::Start, "MPD"), (Kind::Empty, "S"), (Kind::End, "MPD")]
        );
        for broken in [
            "<a",
            "<a b='>",
            "<!-- a",
            "<",
            "<a/><",
            "<>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]>",
            "<a b='c'//>",
        ] {
            assert_eq!(names(broken), Err(Malformed), "{broken}");
        }
    }

    #[test]
    fn attributes_are_read_where_they_lie() {
        let mut cursor = Cursor::new("<x:S  t = '5' r=\"-1\"\n n:k=\"a>b\" />");
        let tag = cursor.next().unwrap().unwrap();
        assert_eq!(tag.number("t"), Some(5));
        assert_eq!(tag.number("r"), Some(-1));
        assert_eq!(tag.attribute("k"), Some("a>b"));
        assert_eq!(tag.attribute("d"), None);
    }

    #[test]
    fn an_element_ends_where_it_ends() {
        let text = "<a><b><a/></b><a></a></a><c/>";
        let mut cursor = Cursor::new(text);
        let tag = cursor.next().unwrap().unwrap();
        assert_eq!(cursor.skip(&tag), Ok(0..text.len() - 4));
        let mut crossed = Cursor::new("<a><b></a></b>");
        let tag = crossed.next().unwrap().unwrap();
        assert_eq!(crossed.skip(&tag), Err(Malformed));
    }

    #[test]
    fn references_are_resolved_once() {
        assert_eq!(resolved("a&quot;b&amp;lt;&#65;&#x42;&c;&"), "a\"b&lt;AB&c;&");
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_again(text in "[ -~]{0,40}") {
            let escaped = Escaped(&text).to_string();
            prop_assert_eq!(resolved(&escaped), text);
        }

        #[test]
        fn no_text_is_too_odd(text in "[<>/!?'\"=a \\-\\[\\]&;]{0,60}") {
            let _ = names(&text);
            let _ = resolved(&text);
        }
    }
}
