//! Attribute lists of playlists (RFC 8216bis 4.2), read where they lie.

/// Name and value of each attribute, in order; a quoted string without its quotes.
///
/// Blanks around names and values are let pass: senders write them. What is no attribute ends the list.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a>(&'a str);

/// One attribute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(list: &'a str) -> Self {
        Self(list)
    }

    /// The first attribute of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.clone()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let list = self.0.trim_start_matches([' ', '\t', ',']);
        let (name, rest) = list.split_once('=')?;
        let name = name.trim();
        let rest = rest.trim_start();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (value, rest) = quoted.split_once('"')?;
                (value, rest.split_once(',').map_or("", |(_, rest)| rest))
            }
            None => {
                let (value, rest) = rest.split_once(',').unwrap_or((rest, ""));
                (value.trim(), rest)
            }
        };
        self.0 = rest;
        Some(Attribute { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_strings_keep_their_commas_and_lose_their_quotes() {
        let list = Attributes::new(r#"ID="a,b", CLASS=x ,EMPTY="",N=1"#);
        let read: Vec<_> = list.map(|one| (one.name, one.value)).collect();
        assert_eq!(read, [("ID", "a,b"), ("CLASS", "x"), ("EMPTY", ""), ("N", "1")]);
    }

    #[test]
    fn a_list_ends_where_it_is_no_list_any_more() {
        assert_eq!(Attributes::new("30").next(), None);
        assert_eq!(Attributes::new("A=\"open").next(), None);
        assert_eq!(Attributes::new("A=1,junk").count(), 1);
        assert_eq!(Attributes::new("A=1,B=2").get("B"), Some("2"));
    }
}
