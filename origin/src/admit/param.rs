//! Parameters of a credential: `name=value` and `name="value"`, separated by commas (RFC 9110 §11.2).

/// Parameters in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads them; `None` when that is not their form.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut params = Vec::new();
        let mut rest = text.trim_start_matches([' ', '\t', ',']);
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None => {
                    let end = after.find([',', ' ', '\t']).unwrap_or(after.len());
                    let (value, after) = after.split_at_checked(end)?;
                    (value.to_owned(), after)
                }
            };
            if params.len() == MAX_PARAMS {
                return None;
            }
            params.push((name.trim().to_ascii_lowercase(), value));
            rest = after.trim_start_matches([' ', '\t', ',']);
        }
        Some(Self(params))
    }

    /// The value of a parameter; `None` also when it came twice.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(have, _)| have == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }
}

/// The text up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

/// Digest has twelve.
const MAX_PARAMS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_escapes_are_read_and_doubles_are_nothing() {
        let params = Params::read("a=1, B = \"x, \\\"y\\\"\" ,c=z,c=y").unwrap();
        assert_eq!(params.get("a"), Some("1"));
        assert_eq!(params.get("b"), Some("x, \"y\""));
        assert_eq!(params.get("c"), None);
        assert!(Params::read("a=\"open").is_none() && Params::read("nothing").is_none());
    }
}
