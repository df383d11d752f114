//! `cath`: header fields that a request must carry (CTA-5007-B §4.6.10).

use super::{Dialect, matching::Match, truth::Truth};
use crate::{
    cbor::{Item, Reader},
    context::Headers,
    http_field::is_token,
};

/// The claim: every field must be there and match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HeaderRules(Vec<(String, Vec<Match>)>);

impl HeaderRules {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        let mut rules: Vec<(String, Vec<Match>)> = Vec::new();
        for _ in 0..reader.map().map_err(|_| "expected a map of header fields")? {
            let name = match reader.next() {
                Ok(Item::Text(name)) if is_token(name) => name.to_ascii_lowercase(),
                _ => return Err("a header field's name is a token"),
            };
            if rules.iter().any(|(have, _)| *have == name) {
                return Err("a header field stands twice");
            }
            rules.push((name, Match::read_all(reader)?));
        }
        Ok(Self(rules))
    }

    /// How many steps its regular expressions have.
    pub(crate) fn steps(&self) -> usize {
        let matches = self.0.iter().flat_map(|(_, matches)| matches);
        matches.map(Match::steps).sum()
    }

    /// Judges a request by the values of its fields, each with all its lines.
    pub(crate) fn judge(&self, headers: &dyn Headers, dialect: &Dialect) -> Truth {
        Truth::all(self.0.iter().map(|(name, matches)| match headers.combined(name) {
            Some(value) => Truth::all(matches.iter().map(|must| must.judge(&value, dialect))),
            None => Truth::Fails,
        }))
    }
}

#[cfg(test)]
mod tests {
    use ciborium::{Value, cbor};

    use super::*;

    fn read(value: &Value) -> Result<HeaderRules, &'static str> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        HeaderRules::read(&mut Reader::new(&bytes))
    }

    fn judge(claim: &Value, headers: &[(&str, &str)]) -> Truth {
        read(claim).unwrap().judge(&headers, &Dialect::default())
    }

    #[test]
    fn every_field_must_be_there_and_match() {
        let claim =
            cbor!({ "User-Agent" => { 1 => "Player/" }, "X-Device" => { 3 => "tv, 4", 2 => "4" } }).unwrap();
        // Two lines of one field are one value.
        let [tv, four] = [("x-device", "tv"), ("x-device", "4")];
        assert_eq!(
            judge(&claim, &[("user-agent", "Player/1"), tv, four]),
            Truth::Holds
        );
        assert_eq!(judge(&claim, &[("user-agent", "curl"), tv, four]), Truth::Fails);
        assert_eq!(judge(&claim, &[("user-agent", "Player/1"), tv]), Truth::Fails);
        assert_eq!(judge(&claim, &[("user-agent", "Player/1")]), Truth::Fails);
    }

    #[test]
    fn a_field_without_conditions_must_still_be_there() {
        let claim = cbor!({ "DNT" => {} }).unwrap();
        assert_eq!(judge(&claim, &[("dnt", "")]), Truth::Holds);
        assert_eq!(judge(&claim, &[]), Truth::Fails);
    }

    #[test]
    fn a_name_stands_once_however_it_is_written() {
        assert!(read(&cbor!({ "Accept" => { 0 => "a" }, "ACCEPT" => { 0 => "b" } }).unwrap()).is_err());
    }

    #[test]
    fn what_is_no_map_from_names_to_matches_is_malformed() {
        for bad in [
            cbor!(["accept"]),
            cbor!({ 1 => { 0 => "a" } }),
            cbor!({ "" => { 0 => "a" } }),
            cbor!({ "a b" => { 0 => "a" } }),
            cbor!({ "a:" => { 0 => "a" } }),
            cbor!({ "accept" => "a" }),
            cbor!({ "accept" => { 9 => "a" } }),
        ] {
            assert!(read(&bad.unwrap()).is_err());
        }
    }
}
