//! `catu`: what the request's URI must look like (CTA-5007-B §4.6.10).

use crate::{
    cbor::{Item, Reader},
    claims::{Dialect, matching::Match, read_error, truth::Truth},
    uri::{Component, RequestUri},
};

/// One entry of `catu`: a component and what it must match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UriRule {
    /// Which part of the URI.
    pub component: Component,
    /// What that part must look like.
    pub must: Match,
}

impl UriRule {
    /// Judges the URI's component.
    pub(crate) fn judge(&self, uri: &RequestUri, dialect: &Dialect) -> Truth {
        // A token may write the scheme's own port as an empty text.
        let is_default = self.component == Component::Port
            && uri.has_default_port()
            && self.must == Match::Exact(String::new());
        if is_default {
            return Truth::Holds;
        }
        self.must.judge(&uri.component(self.component), dialect)
    }

    /// Reads the whole claim: every rule must hold.
    pub(crate) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, &'static str> {
        let mut rules = Vec::new();
        let mut components = Vec::new();
        for _ in 0..reader.map().map_err(read_error)? {
            let component = match reader.next().map_err(read_error)? {
                Item::Integer(key) => Component::from_key(key),
                _ => None,
            }
            .ok_or("an unknown component")?;
            if components.contains(&component) {
                return Err("a component stands twice");
            }
            components.push(component);
            let matches = Match::read_all(reader)?;
            rules.extend(matches.into_iter().map(|must| Self { component, must }));
        }
        Ok(rules)
    }
}
