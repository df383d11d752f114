//! Changes to a document: what stands in a range becomes another text.

use core::ops::Range;

use super::xml::{Attributes, Tag};

/// Changes, in any order; none lies in another.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    pub(super) fn insert(&mut self, at: usize, text: String) {
        self.0.push((at..at, text));
    }

    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.0.push((range, String::new()));
    }

    pub(super) fn replace(&mut self, range: Range<usize>, text: String) {
        self.0.push((range, text));
    }

    /// Gives an attribute of a start tag a value, which needs no escapes.
    pub(super) fn set(&mut self, document: &str, tag: &Tag<'_>, name: &str, value: String) {
        match tag.attribute(name).and_then(|old| offset_in(document, old)) {
            Some(range) => self.0.push((range, value)),
            None => {
                // Behind the attributes that are there, before the blank or the slash that ends the tag.
                let end = tag.start
                    + document.get(tag.range()).map_or(0, |text| {
                        text.trim_end_matches(['>', '/', ' ', '\t', '\r', '\n']).len()
                    });
                self.0.push((end..end, format!(" {name}=\"{value}\"")));
            }
        }
    }

    /// Takes an attribute away, with the blanks before it.
    pub(super) fn unset(&mut self, document: &str, tag: &Tag<'_>, name: &str) {
        let Some(Range { start: offset, .. }) = offset_in(document, tag.attributes) else {
            return;
        };
        let before = |attributes: &Attributes<'_>| tag.attributes.len() - attributes.0.len();
        let mut attributes = Attributes(tag.attributes);
        loop {
            let from = before(&attributes);
            let Some(attribute) = attributes.next() else {
                return;
            };
            if attribute.name == name {
                self.0
                    .push((offset + from..offset + before(&attributes), String::new()));
                return;
            }
        }
    }

    /// Copies a range of a document with the changes in it.
    pub(super) fn copy(mut self, document: &str, range: Range<usize>, out: &mut String) {
        // Stable: of two that stand at one place, the first made comes first; what is put in stands before what goes.
        self.0.sort_by_key(|(range, _)| (range.start, range.end));
        let mut copied = range.start;
        for (edited, text) in self.0 {
            if edited.start < copied {
                // Inside of what has gone already.
                continue;
            }
            out.push_str(document.get(copied..edited.start).unwrap_or_default());
            out.push_str(&text);
            copied = edited.end;
        }
        out.push_str(document.get(copied..range.end).unwrap_or_default());
    }
}

/// Where a slice of a document lies in it.
fn offset_in(document: &str, slice: &str) -> Option<Range<usize>> {
    let start = (slice.as_ptr() as usize).checked_sub(document.as_ptr() as usize)?;
    (start + slice.len() <= document.len()).then_some(start..start + slice.len())
}

/// A range and the blanks before it.
pub(super) fn with_indent(document: &str, range: &Range<usize>) -> Range<usize> {
    let before = document.get(..range.start).unwrap_or_default();
    before.trim_end_matches([' ', '\t', '\r', '\n']).len()..range.end
}

#[cfg(test)]
mod tests {
    use super::{super::xml::Cursor, *};

    fn changed(document: &str, change: impl FnOnce(&mut Edits, &Tag<'_>)) -> String {
        let tag = Cursor::new(document).next().unwrap().unwrap();
        let mut edits = Edits::default();
        change(&mut edits, &tag);
        let mut out = String::new();
        edits.copy(document, 0..document.len(), &mut out);
        out
    }

    #[test]
    fn attributes_are_set_where_they_stand_and_put_in_where_they_do_not() {
        let document = "<S  t='1' d=\"2\" /> <S/>";
        assert_eq!(
            changed(document, |edits, tag| edits.set(document, tag, "t", "7".into())),
            "<S  t='7' d=\"2\" /> <S/>"
        );
        assert_eq!(
            changed(document, |edits, tag| edits.set(document, tag, "r", "7".into())),
            "<S  t='1' d=\"2\" r=\"7\" /> <S/>"
        );
        assert_eq!(
            changed(document, |edits, tag| edits.unset(document, tag, "d")),
            "<S  t='1' /> <S/>"
        );
        assert_eq!(
            changed("<Period>", |edits, tag| edits.set(
                "<Period>",
                tag,
                "start",
                "PT1S".into()
            )),
            "<Period start=\"PT1S\">"
        );
    }

    #[test]
    fn what_has_gone_takes_its_changes_along() {
        let document = "<a><b c='1'/></a>";
        let mut cursor = Cursor::new(document);
        cursor.next().unwrap();
        let inner = cursor.next().unwrap().unwrap();
        let mut edits = Edits::default();
        edits.set(document, &inner, "c", "2".into());
        edits.remove(inner.range());
        let mut out = String::new();
        edits.copy(document, 0..document.len(), &mut out);
        assert_eq!(out, "<a></a>");
    }
}
