//! What a pushed MPD says of tracks that their own boxes do not: labels, roles, languages, switching sets.
//!
//! Nothing else in it is believed: times and addresses are those of the media and of this origin.

use crate::cmaf::Role;
use crate::ingest::path::ObjectName;

/// What a manifest says of one track.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Description {
    /// The track's name, as the names of its objects make it.
    pub track: String,
    /// `AdaptationSet@id`: tracks of one switching set have one.
    pub set: Option<String>,
    /// `@lang` (BCP 47).
    pub language: Option<String>,
    /// `Label`: for people.
    pub label: Option<String>,
    /// `Role`, in order.
    pub roles: Vec<Role>,
}

/// Whether a pushed MPD or playlist says that the event is over.
pub fn manifest_ends(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    if text.contains("<MPD") {
        let mpd = Tags::new(&text).find(|tag| tag.name == "MPD");
        return mpd.is_some_and(|mpd| mpd.attribute("type").as_deref() == Some("static"));
    }
    text.lines().any(|line| line.trim_end() == "#EXT-X-ENDLIST")
}

/// Reads the descriptions of an MPD that was pushed to `rest`, the path below its channel. At most 64.
pub fn describe(rest: &str, text: &[u8]) -> Vec<Description> {
    let text = String::from_utf8_lossy(text);
    let folder = rest.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found: Vec<Description> = Vec::new();
    let mut set = Description::default();
    let (mut set_template, mut in_representation) = (None, None::<(String, Option<String>)>);
    let template_of = |tag: &Tag<'_>| tag.attribute("initialization").or_else(|| tag.attribute("media"));
    for tag in Tags::new(&text) {
        match (tag.name, tag.kind) {
            ("AdaptationSet", Kind::Open | Kind::Empty) => {
                set = Description {
                    set: tag.attribute("id").filter(|id| is_short(id)),
                    language: tag.attribute("lang").filter(|lang| is_language(lang)),
                    ..Description::default()
                };
                set_template = None;
            }
            ("Role", Kind::Open | Kind::Empty)
                if set.roles.len() < MAX_ROLES && in_representation.is_none() =>
            {
                if let (Some(scheme), Some(value)) = (tag.attribute("schemeIdUri"), tag.attribute("value"))
                    && is_short(&scheme)
                    && is_short(&value)
                {
                    set.roles.push(Role { scheme, value });
                }
            }
            ("Label", Kind::Open) if in_representation.is_none() => {
                set.label = Some(tag.text()).filter(|label| !label.is_empty() && is_short(label));
            }
            ("SegmentTemplate", Kind::Open | Kind::Empty) => match &mut in_representation {
                Some((_, template)) => *template = template_of(&tag),
                None => set_template = template_of(&tag),
            },
            ("Representation", kind @ (Kind::Open | Kind::Empty)) => {
                in_representation = tag.attribute("id").map(|id| (id, None));
                if kind == Kind::Empty {
                    found.extend(track(folder, &set, &set_template, in_representation.take()));
                }
            }
            ("Representation", Kind::Close) => {
                found.extend(track(folder, &set, &set_template, in_representation.take()));
            }
            _ => {}
        }
        if found.len() >= MAX_TRACKS {
            break;
        }
    }
    found
}

fn track(
    folder: &str,
    set: &Description,
    of_set: &Option<String>,
    own: Option<(String, Option<String>)>,
) -> Option<Description> {
    let (id, own) = own?;
    let template = own.or_else(|| of_set.clone());
    let name = template.unwrap_or_else(|| format!("{id}/init.mp4"));
    let name = expand(&name, &id);
    let path = if folder.is_empty() {
        name
    } else {
        format!("{folder}/{name}")
    };
    Some(Description {
        track: ObjectName::parse(&path)?.track,
        ..set.clone()
    })
}

/// A template with its identifiers filled in (ISO/IEC 23009-1 §5.3.9.4.4).
fn expand(template: &str, id: &str) -> String {
    let mut text = String::new();
    for (index, piece) in template.split('$').enumerate() {
        let name = piece.split('%').next().unwrap_or_default();
        text.push_str(match (index % 2, name) {
            (0, _) => piece,
            (_, "RepresentationID") => id,
            (_, "Number" | "Time" | "Bandwidth" | "SubNumber") => "1",
            _ => "",
        });
    }
    text
}

fn is_short(text: &str) -> bool {
    text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control)
}

fn is_language(text: &str) -> bool {
    (1..=35).contains(&text.len())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

/// The tags of an XML document, one after another. What is no XML has none.
struct Tags<'t> {
    rest: &'t str,
}

/// One tag.
struct Tag<'t> {
    /// Its name, without a prefix.
    name: &'t str,
    kind: Kind,
    attributes: &'t str,
    /// All that follows it.
    after: &'t str,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Open,
    Empty,
    Close,
}

impl<'t> Tags<'t> {
    fn new(text: &'t str) -> Self {
        Self { rest: text }
    }
}

impl<'t> Iterator for Tags<'t> {
    type Item = Tag<'t>;

    fn next(&mut self) -> Option<Tag<'t>> {
        loop {
            let (_, tag) = self.rest.split_once('<')?;
            if let Some(comment) = tag.strip_prefix("!--") {
                self.rest = comment.split_once("-->")?.1;
                continue;
            }
            if let Some(data) = tag.strip_prefix("![CDATA[") {
                self.rest = data.split_once("]]>")?.1;
                continue;
            }
            let end = end_of(tag)?;
            let (inside, after) = (tag.get(..end)?, tag.get(end + 1..)?);
            self.rest = after;
            if inside.starts_with(['?', '!']) {
                continue;
            }
            let (kind, inside) = match (inside.strip_prefix('/'), inside.strip_suffix('/')) {
                (Some(inside), _) => (Kind::Close, inside),
                (_, Some(inside)) => (Kind::Empty, inside),
                _ => (Kind::Open, inside),
            };
            let (name, attributes) = inside
                .split_once(|letter: char| letter.is_ascii_whitespace())
                .unwrap_or((inside, ""));
            return Some(Tag {
                name: name.rsplit(':').next().unwrap_or(name),
                kind,
                attributes,
                after,
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

impl Tag<'_> {
    fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.attributes.trim_start();
        while let Some((found, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let (value, after) = after.get(1..)?.split_once(quote)?;
            if found.trim() == name {
                return Some(unescape(value));
            }
            rest = after.trim_start();
        }
        None
    }

    /// The text up to the next tag.
    fn text(&self) -> String {
        unescape(self.after.split('<').next().unwrap_or_default().trim())
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once(';') else {
            out.push('&');
            rest = after;
            continue;
        };
        let code = name
            .strip_prefix('#')
            .and_then(|code| match code.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => code.parse().ok(),
            });
        out.extend(match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => code.and_then(char::from_u32),
        });
        rest = tail;
    }
    out + rest
}

/// Tracks that are described by one manifest.
const MAX_TRACKS: usize = 64;
const MAX_ROLES: usize = 8;
/// Letters of a label, an id or a role.
const MAX_TEXT: usize = 128;

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

    #[test]
    fn what_an_mpd_says_of_a_track_is_found_by_the_names_of_its_objects() {
        let mpd = br#"<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"><Period id="0">
 <AdaptationSet id="0" contentType="video"><Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
  <Representation id="0" bandwidth="1">
   <SegmentTemplate initialization="init-stream$RepresentationID$.m4s" media="chunk-stream$RepresentationID$-$Number%05d$.m4s"/>
  </Representation></AdaptationSet>
 <AdaptationSet id='1' contentType="audio" lang="de-AT"><Label>Klarer &amp; lauter</Label>
  <SegmentTemplate media="$RepresentationID$/$Time$.cmfa"/>
  <Representation id="audio-de"/><Representation id="audio-hq"></Representation></AdaptationSet>
</Period></MPD>"#;
        let found = describe("manifest.mpd", mpd);
        let names: Vec<_> = found.iter().map(|track| track.track.as_str()).collect();
        assert_eq!(names, ["stream0", "audio-de", "audio-hq"]);
        assert_eq!(found[0].roles[0].value, "main");
        assert_eq!(found[0].set.as_deref(), Some("0"));
        for audio in &found[1..] {
            assert_eq!(audio.language.as_deref(), Some("de-AT"));
            assert_eq!(audio.label.as_deref(), Some("Klarer & lauter"));
            assert_eq!(audio.set.as_deref(), Some("1"));
        }
        assert_eq!(describe("fr/live.mpd", mpd)[1].track, "fr-audio-de");
        assert!(describe("x.m3u8", b"#EXTM3U").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[<>&/='\" a-zA-Z$%#;-]{0,200}") {
            let _ = (describe("a", text.as_bytes()), manifest_ends(text.as_bytes()));
        }
    }
}
