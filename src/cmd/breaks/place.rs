//! Where in a JSON text a JSON pointer points.

/// The line and the column, counted from one, of what a pointer (RFC 6901) names in a text that is JSON.
///
/// Where the member that it names is missing, it is the place of the innermost that is there. Of members of one name it is
/// the last, which is the one that is read.
pub(super) fn place(json: &str, pointer: &str) -> (usize, usize) {
    let names: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect();
    let mut scan = Scan {
        bytes: json.as_bytes(),
        at: 0,
    };
    scan.blank();
    let at = scan.find(&names).unwrap_or(0);
    let before = json.get(..at).unwrap_or_default();
    let line_begins = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_begins..).unwrap_or_default().chars().count();
    (before.matches('\n').count() + 1, column + 1)
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// A walk over the text. Whatever is no JSON ends it: the innermost that was found stands.
struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Scan<'_> {
    /// Where the value that begins here has what `names` lead to; it walks over the whole of it.
    fn find(&mut self, names: &[String]) -> Option<usize> {
        let begin = self.at;
        match self.peek()? {
            b'{' => self.find_member(begin, names),
            b'[' => self.find_element(begin, names),
            b'"' => {
                self.text()?;
                Some(begin)
            }
            _ => {
                while self
                    .peek()
                    .is_some_and(|byte| !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace())
                {
                    self.at += 1;
                }
                Some(begin)
            }
        }
    }

    fn find_member(&mut self, begin: usize, names: &[String]) -> Option<usize> {
        let mut found = begin;
        self.open();
        while self.peek()? != b'}' {
            let member = self.at;
            let name = self.text()?;
            self.blank();
            self.take(b':')?;
            self.blank();
            match names.split_first() {
                // What is wrong with a member is told at its name.
                Some((wanted, rest)) if *wanted == name => {
                    let inside = self.find(rest)?;
                    found = if rest.is_empty() { member } else { inside };
                }
                _ => {
                    self.find(&[])?;
                }
            }
            self.comma();
        }
        self.at += 1;
        Some(found)
    }

    fn find_element(&mut self, begin: usize, names: &[String]) -> Option<usize> {
        let mut found = begin;
        let mut index = 0_usize;
        self.open();
        while self.peek()? != b']' {
            match names.split_first() {
                Some((wanted, rest)) if *wanted == index.to_string() => found = self.find(rest)?,
                _ => {
                    self.find(&[])?;
                }
            }
            index += 1;
            self.comma();
        }
        self.at += 1;
        Some(found)
    }

    /// A string, without its quotes and with its escapes read.
    fn text(&mut self) -> Option<String> {
        let begin = self.at;
        self.take(b'"')?;
        while self.peek()? != b'"' {
            self.at += if self.peek()? == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_slice(self.bytes.get(begin..self.at)?).ok()
    }

    fn open(&mut self) {
        self.at += 1;
        self.blank();
    }

    fn comma(&mut self) {
        self.blank();
        if self.take(b',').is_some() {
            self.blank();
        }
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "{\n  \"version\": 1,\n  \"fill\": {\n    \"pod\": [\n      { \"creative\": \"a\" },\n      { \"creative\": \"b\\\"]\",\n        \"duration_ms\": -1 }\n    ],\n    \"a/b~c\": [[], {}]\n  }\n}\n";

    #[test]
    fn a_member_is_found_at_its_name_and_an_element_where_it_begins() {
        let cases = [
            ("", (1, 1)),
            ("/version", (2, 3)),
            ("/fill/pod/0", (5, 7)),
            ("/fill/pod/1", (6, 7)),
            ("/fill/pod/1/duration_ms", (7, 9)),
            ("/fill/a~1b~0c/1", (9, 19)),
        ];
        for (pointer, expected) in cases {
            assert_eq!(place(RULES, pointer), expected, "{pointer}");
        }
    }

    #[test]
    fn what_is_missing_is_told_at_the_innermost_that_is_there() {
        assert_eq!(place(RULES, "/channel"), (1, 1));
        assert_eq!(place(RULES, "/fill/pod/1/length"), (6, 7));
        assert_eq!(place(RULES, "/fill/pod/7/length"), (4, 12));
    }

    #[test]
    fn of_two_members_of_one_name_the_last_is_meant_as_it_is_the_one_that_is_read() {
        assert_eq!(place("{\"a\": 1,\n\"a\": 2}", "/a"), (2, 1));
    }

    #[test]
    fn columns_are_letters_and_not_bytes() {
        assert_eq!(place("{\"ä\": 1, \"b\": 2}", "/b"), (1, 10));
    }

    #[test]
    fn what_is_no_json_has_its_beginning_for_a_place() {
        for text in ["", "{", "{\"a\"", "[1, [", "{\"a\": \"\\", "}{"] {
            assert_eq!(place(text, "/a/b"), (1, 1), "{text}");
        }
    }
}
