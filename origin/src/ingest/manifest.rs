//! What a pushed MPD or playlist is believed: that the event is over.
//!
//! Nothing else: times and addresses are those of the media and of this origin.

/// Whether a pushed MPD or playlist says that the event is over.
pub fn manifest_ends(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    if text.contains("<MPD") {
        let mpd = Tags(&text).find(|tag| tag.name == "MPD");
        return mpd.is_some_and(|mpd| mpd.attribute("type") == Some("static"));
    }
    text.lines().any(|line| line.trim_end() == "#EXT-X-ENDLIST")
}

/// The tags of an XML document, one after another. What is no XML has none.
struct Tags<'t>(&'t str);

/// One tag.
struct Tag<'t> {
    /// Its name, without a prefix.
    name: &'t str,
    attributes: &'t str,
}

impl<'t> Iterator for Tags<'t> {
    type Item = Tag<'t>;

    fn next(&mut self) -> Option<Tag<'t>> {
        loop {
            let (_, tag) = self.0.split_once('<')?;
            if let Some(comment) = tag.strip_prefix("!--") {
                self.0 = comment.split_once("-->")?.1;
                continue;
            }
            if let Some(data) = tag.strip_prefix("![CDATA[") {
                self.0 = data.split_once("]]>")?.1;
                continue;
            }
            let end = end_of(tag)?;
            let inside = tag.get(..end)?;
            self.0 = tag.get(end + 1..)?;
            if inside.starts_with(['?', '!', '/']) {
                continue;
            }
            let inside = inside.strip_suffix('/').unwrap_or(inside);
            let (name, attributes) = inside
                .split_once(|letter: char| letter.is_ascii_whitespace())
                .unwrap_or((inside, ""));
            return Some(Tag {
                name: name.rsplit(':').next().unwrap_or(name),
                attributes,
            });
        }
    }
}

/// Where the `>` of a tag is: not inside quotes.
fn end_of(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.bytes().position(|byte| {
        match (quote, byte) {
            (None, b'>') => return true,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
        false
    })
}

impl<'t> Tag<'t> {
    /// The value of an attribute, as it stands.
    fn attribute(&self, name: &str) -> Option<&'t str> {
        let mut rest = self.attributes.trim_start();
        while let Some((found, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let (value, after) = after.get(1..)?.split_once(quote)?;
            if found.trim() == name {
                return Some(value);
            }
            rest = after.trim_start();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_static_mpd_or_an_endlist_ends_a_channel() {
        assert!(manifest_ends(
            b"<?xml?>\n<MPD xmlns=\"x\" type=\"static\"><Period/></MPD>"
        ));
        assert!(manifest_ends(b"<MPD type='static'/>"));
        assert!(!manifest_ends(
            b"<MPD type=\"dynamic\"><X type=\"static\"/></MPD>"
        ));
        assert!(!manifest_ends(
            b"<!-- <MPD type='static'> --><MPD type='dynamic'/>"
        ));
        assert!(manifest_ends(b"#EXTM3U\n#EXT-X-ENDLIST\r\n"));
        assert!(!manifest_ends(b"#EXTM3U\n#EXTINF:2,\nEXT-X-ENDLIST.m4s\n"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[<>&/='\" a-zA-Z$%#;-]{0,200}") {
            let _ = manifest_ends(text.as_bytes());
            // A document's tags are read only where it may be an MPD.
            let _ = manifest_ends(format!("{text}<MPD {text}").as_bytes());
        }
    }
}
