//! Moving an MPD below another root.

use super::edits::Edits;
use crate::reroot::Reroot;

/// Makes every relative URL of an MPD lead below another root, by its `BaseURL` (ISO/IEC 23009-1 §5.6), and
/// makes its reloads go there, by its `Location` (§5.3.1): one of each is put in where there is none at MPD
/// level, and those that are relative move. Patches (§5.15) are for the document where it was, and their own next
/// address would lead back there: a `PatchLocation` is left out, and the next load, at the new place, has it again.
/// `None` when there is no MPD.
pub(crate) fn reroot(mpd: &str, reroot: &Reroot<'_>) -> Option<String> {
    let root = start_of(mpd, 0, "MPD")?;
    let mut at = end_of_tag(mpd, root)?;
    // "" or "mpd:", as the document writes its own namespace.
    let namespace = mpd.get(root + 1..root + mpd.get(root..)?.find("MPD")?)?;
    let mut edits = Edits::default();
    let mut base = Insertion::default();
    let mut location = Insertion::default();
    // The schema's order: ProgramInformation, BaseURL, Location, PatchLocation, and everything else. The first other
    // child ends the search.
    loop {
        let tag = at + mpd.get(at..)?.find('<')?;
        let rest = mpd.get(tag..)?;
        if let Some(aside) = aside(rest) {
            at = tag + aside?;
        } else if is_tag(rest, "ProgramInformation") {
            at = end_of_element(mpd, tag, "ProgramInformation")?;
        } else if is_tag(rest, "BaseURL") {
            base.found = true;
            at = move_element(&mut edits, mpd, tag, "BaseURL", reroot)?;
        } else if is_tag(rest, "Location") {
            base.stop_at(tag);
            location.found = true;
            at = move_element(&mut edits, mpd, tag, "Location", reroot)?;
        } else if is_tag(rest, "PatchLocation") {
            base.stop_at(tag);
            location.stop_at(tag);
            at = end_of_element(mpd, tag, "PatchLocation")?;
            edits.remove(tag..at);
        } else {
            base.stop_at(tag);
            location.stop_at(tag);
            break;
        }
    }
    for (insertion, name, url) in [
        (base, "BaseURL", reroot.base()),
        (location, "Location", reroot.document()),
    ] {
        if let Some(at) = insertion.place() {
            // A token is base64url and paths are percent-encoded, but an ampersand may stand in a path.
            let url = url.replace('&', "&amp;");
            edits.insert(at, format!("<{namespace}{name}>{url}</{namespace}{name}>"));
        }
    }
    let mut out = String::with_capacity(mpd.len() + 4096);
    edits.copy(mpd, 0..mpd.len(), &mut out);
    Some(out)
}

/// Where an element belongs that the document may lack.
#[derive(Default)]
struct Insertion {
    found: bool,
    before: Option<usize>,
}

impl Insertion {
    /// The element belongs before the tag at `at`, if not before an earlier one.
    fn stop_at(&mut self, at: usize) {
        self.before.get_or_insert(at);
    }

    fn place(&self) -> Option<usize> {
        self.before.filter(|_| !self.found)
    }
}

/// Moves the URL that is the content of the element at `tag`; returns the offset behind the element.
fn move_element(edits: &mut Edits, xml: &str, tag: usize, name: &str, reroot: &Reroot<'_>) -> Option<usize> {
    let text = end_of_tag(xml, tag)?;
    let close = text + xml.get(text..)?.find('<')?;
    if let Some(pieces) = reroot.apply(xml.get(text..close)?.trim()) {
        edits.replace(text..close, pieces.concat());
    }
    end_of_element(xml, tag, name)
}

/// The offset of the first start tag of `name` at or after `from`, comments and declarations stepped over.
fn start_of(xml: &str, from: usize, name: &str) -> Option<usize> {
    let mut at = from;
    loop {
        at += xml.get(at..)?.find('<')?;
        let rest = xml.get(at..)?;
        if is_tag(rest, name) {
            return Some(at);
        }
        at += match aside(rest) {
            Some(length) => length?,
            None => 1,
        };
    }
}

/// The length of the comment or processing instruction at the beginning, if one stands there; `Some(None)` for one
/// that never ends.
fn aside(at: &str) -> Option<Option<usize>> {
    [("<!--", "-->"), ("<?", "?>")]
        .into_iter()
        .find(|(open, _)| at.starts_with(open))
        .map(|(_, close)| at.find(close).map(|end| end + close.len()))
}

/// Whether a start tag of this local name stands at the beginning, with or without a namespace prefix.
fn is_tag(at: &str, name: &str) -> bool {
    let Some(tag) = at.strip_prefix('<') else {
        return false;
    };
    let end = tag
        .find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
        .unwrap_or(tag.len());
    let full = tag.get(..end).unwrap_or_default();
    full.rsplit(':').next() == Some(name)
}

/// The offset behind the `>` of the tag at `tag`; a `>` inside a quoted value is none.
fn end_of_tag(xml: &str, tag: usize) -> Option<usize> {
    let mut quote = None;
    for (offset, byte) in xml.get(tag..)?.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(tag + offset + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// The offset behind the end of the element that starts at `tag`. None of those that are looked for nests.
fn end_of_element(xml: &str, tag: usize, name: &str) -> Option<usize> {
    let open = end_of_tag(xml, tag)?;
    if xml.get(tag..open)?.ends_with("/>") {
        return Some(open);
    }
    let mut at = open;
    loop {
        at += xml.get(at..)?.find("</")?;
        let closing = xml.get(at + 2..)?;
        let end = closing.find('>')?;
        if closing.get(..end)?.trim_end().rsplit(':').next() == Some(name) {
            return Some(at + 2 + end + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(mpd: &str) -> Option<String> {
        reroot(mpd, &Reroot::new("/t/tok", "/live/c/manifest.mpd"))
    }

    #[test]
    fn a_base_url_is_put_where_the_schema_has_it() {
        let mpd = "<?xml version=\"1.0\"?><!-- <MPD> --><MPD a=\">\" b='1'>\n  <ProgramInformation><Title>BaseURL</Title>\
                   </ProgramInformation>\n  <!-- x --><Period id=\"1\"/></MPD>";
        insta::assert_snapshot!(below(mpd).unwrap(), @r#"
        <?xml version="1.0"?><!-- <MPD> --><MPD a=">" b='1'>
          <ProgramInformation><Title>BaseURL</Title></ProgramInformation>
          <!-- x --><BaseURL>/t/tok/live/c/</BaseURL><Location>/t/tok/live/c/manifest.mpd</Location><Period id="1"/></MPD>
        "#);
    }

    #[test]
    fn a_relative_base_url_moves_and_an_absolute_one_stays() {
        let mpd = "<MPD><BaseURL serviceLocation=\"a\"> media/ </BaseURL><BaseURL>https://b.example/</BaseURL><Location>manifest.mpd</Location><Period/></MPD>";
        assert_eq!(
            below(mpd).unwrap(),
            "<MPD><BaseURL serviceLocation=\"a\">/t/tok/live/c/media/</BaseURL><BaseURL>https://b.example/</BaseURL><Location>/t/tok/live/c/manifest.mpd</Location><Period/></MPD>"
        );
    }

    #[test]
    fn a_base_url_stands_before_a_location_that_was_there() {
        assert_eq!(
            below("<MPD><Location>https://o.example/m.mpd</Location><Period/></MPD>").unwrap(),
            "<MPD><BaseURL>/t/tok/live/c/</BaseURL><Location>https://o.example/m.mpd</Location><Period/></MPD>"
        );
    }

    #[test]
    fn patches_of_the_document_where_it_was_are_left_out() {
        assert_eq!(
            below(
                "<MPD><PatchLocation ttl=\"60\">manifest.mpp?publishTime=1</PatchLocation><PatchLocation>b</PatchLocation><Period/></MPD>"
            )
            .unwrap(),
            "<MPD><BaseURL>/t/tok/live/c/</BaseURL><Location>/t/tok/live/c/manifest.mpd</Location><Period/></MPD>"
        );
    }

    #[test]
    fn an_instruction_ends_no_search() {
        assert_eq!(
            below("<?xml version='1.0'?><?a <MPD>?><MPD><?b c?><BaseURL>media/</BaseURL><Period/></MPD>")
                .unwrap(),
            "<?xml version='1.0'?><?a <MPD>?><MPD><?b c?><BaseURL>/t/tok/live/c/media/</BaseURL><Location>/t/tok/live/c/manifest.mpd</Location><Period/></MPD>"
        );
    }

    #[test]
    fn a_prefixed_document_is_understood_and_a_foreign_one_is_not() {
        assert_eq!(
            below("<d:MPD xmlns:d=\"urn\"><d:Period/></d:MPD>").unwrap(),
            "<d:MPD xmlns:d=\"urn\"><d:BaseURL>/t/tok/live/c/</d:BaseURL><d:Location>/t/tok/live/c/manifest.mpd</d:Location><d:Period/></d:MPD>"
        );
        assert_eq!(below("<html><body/></html>"), None);
        assert_eq!(below("<MPD"), None);
    }

    #[test]
    fn no_truncation_of_a_manifest_panics() {
        let mpd = "<MPD a=\"b\"><!-- c --><ProgramInformation/><BaseURL>x/</BaseURL><Period/></MPD>";
        for length in 0..mpd.len() {
            let _ = below(&mpd[..length]);
        }
    }
}
