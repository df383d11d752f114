//! Documents as trees of elements: built once, written once, and compared to find what changed between two.

use std::fmt::{self, Display, Write as _};

/// An element with its attributes, and either children or text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// An empty element.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            text: String::new(),
            children: Vec::new(),
        }
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// The same with one more attribute, where there is a value for it.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same with a text as its content.
    #[must_use]
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The same with one more child.
    #[must_use]
    pub fn and(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The same with more children.
    #[must_use]
    pub fn and_all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its attributes, in order.
    pub fn attributes(&self) -> &[(&'static str, String)] {
        &self.attributes
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Gives an attribute that is there another value.
    pub fn set(&mut self, name: &str, value: impl Display) {
        if let Some((_, known)) = self.attributes.iter_mut().find(|(known, _)| *known == name) {
            *known = value.to_string();
        }
    }

    /// Its content, where that is text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its children, in order.
    pub fn children(&self) -> &[Self] {
        &self.children
    }

    /// The first child of that name.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|child| child.name == name)
    }

    /// Takes away the children of that name.
    pub fn remove(&mut self, name: &str) {
        self.children.retain(|child| child.name != name);
    }

    /// How many elements there are, this one included.
    pub fn size(&self) -> usize {
        1 + self.children.iter().map(Self::size).sum::<usize>()
    }

    /// The whole document, one element a line.
    pub fn to_document(&self) -> String {
        let mut text = String::with_capacity(96 * self.size());
        text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        // Writing to a String cannot fail.
        let _ = self.write(&mut text, Some(0));
        text
    }

    /// Writes the element: in one line, or at an indentation.
    fn write(&self, out: &mut String, indentation: Option<usize>) -> fmt::Result {
        let width = indentation.unwrap_or_default();
        write!(out, "{:width$}<{}", "", self.name)?;
        for (name, value) in &self.attributes {
            write!(out, " {name}=\"{}\"", Escaped(value))?;
        }
        if self.children.is_empty() && self.text.is_empty() {
            out.push_str("/>");
        } else {
            write!(out, ">{}", Escaped(&self.text))?;
            if !self.children.is_empty() {
                if indentation.is_some() {
                    out.push('\n');
                }
                for child in &self.children {
                    child.write(out, indentation.map(|width| width + 2))?;
                }
                write!(out, "{:width$}", "")?;
            }
            write!(out, "</{}>", self.name)?;
        }
        if indentation.is_some() {
            out.push('\n');
        }
        Ok(())
    }
}

/// In one line, as it stands inside another document.
impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text, None)?;
        f.write_str(&text)
    }
}

/// Text as it may stand between tags and in double quotes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                // XML has no way to say these at all.
                c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_encoders_say_cannot_end_an_attribute_or_an_element() {
        let element = Element::new("A")
            .with("b", "\"/><c d='&'>")
            .containing("]]></A>\u{0}");
        assert_eq!(
            element.to_string(),
            "<A b=\"&quot;/&gt;&lt;c d='&amp;'&gt;\">]]&gt;&lt;/A&gt;\u{fffd}</A>"
        );
    }

    #[test]
    fn a_document_has_one_element_a_line() {
        let root = Element::new("A")
            .with("b", 1)
            .and(Element::new("C").containing("d"));
        assert_eq!(
            root.to_document(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A b=\"1\">\n  <C>d</C>\n</A>\n"
        );
    }
}
