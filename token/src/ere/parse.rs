//! The grammar of IEEE 1003.1-2017 §9.5.3, less what the standard leaves undefined.

use core::{iter::Peekable, str::Chars};

use crate::limits::MAX_PATTERN_DEPTH;

/// An expression as a tree.
#[derive(Debug)]
pub(super) enum Node {
    Char(char),
    /// A period: every character.
    Any,
    Set(Set),
    Start,
    End,
    /// The group's number, from 0, and its content.
    Group(usize, Box<Self>),
    Concat(Vec<Self>),
    Alternate(Vec<Self>),
    Repeat {
        node: Box<Self>,
        min: u16,
        /// `None`: any number of times.
        max: Option<u16>,
    },
}

/// A bracket expression.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Set {
    pub(super) fn contains(&self, c: char) -> bool {
        self.ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&c))
            != self.negated
    }
}

/// Reads a whole pattern.
pub(super) fn expression(pattern: &str) -> Result<Node, &'static str> {
    let mut parser = Parser {
        rest: pattern.chars().peekable(),
        groups: 0,
        depth: 0,
    };
    let node = parser.alternation()?;
    match parser.rest.next() {
        None => Ok(node),
        Some(_) => Err("a closing parenthesis without an opening one"),
    }
}

struct Parser<'p> {
    rest: Peekable<Chars<'p>>,
    groups: usize,
    depth: usize,
}

/// `RE_DUP_MAX` as POSIX guarantees it.
const MAX_REPEAT: u16 = 255;

const UNENDED: &str = "a bracket expression that does not end";
const INTERVAL: &str = "a brace that opens no interval {m}, {m,} or {m,n} with m <= n <= 255";

impl Parser<'_> {
    /// Branches, up to the end or a closing parenthesis.
    fn alternation(&mut self) -> Result<Node, &'static str> {
        let first = self.branch()?;
        if self.rest.peek() != Some(&'|') {
            return Ok(first);
        }
        let mut branches = vec![first];
        while self.rest.next_if_eq(&'|').is_some() {
            branches.push(self.branch()?);
        }
        Ok(Node::Alternate(branches))
    }

    fn branch(&mut self) -> Result<Node, &'static str> {
        let mut nodes = Vec::new();
        while let Some(&c) = self.rest.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            let piece = self.piece()?;
            nodes.push(piece);
        }
        if nodes.is_empty() {
            return Err("an empty expression, group or alternative");
        }
        Ok(Node::Concat(nodes))
    }

    /// An atom and how often it repeats.
    fn piece(&mut self) -> Result<Node, &'static str> {
        let atom = self.atom()?;
        let Some((min, max)) = self.repetition()? else {
            return Ok(atom);
        };
        if matches!(atom, Node::Start | Node::End) {
            return Err("a repeated anchor");
        }
        if self.repetition()?.is_some() {
            return Err("a repeated repetition, such as a lazy or a possessive one");
        }
        Ok(Node::Repeat {
            node: Box::new(atom),
            min,
            max,
        })
    }

    /// How often the atom before repeats, where that is said.
    fn repetition(&mut self) -> Result<Option<(u16, Option<u16>)>, &'static str> {
        let times = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.rest.next();
                return self.interval().map(Some).ok_or(INTERVAL);
            }
            _ => return Ok(None),
        };
        self.rest.next();
        Ok(Some(times))
    }

    /// What follows an opening brace.
    fn interval(&mut self) -> Option<(u16, Option<u16>)> {
        let min = self.number()?;
        let max = if self.rest.next_if_eq(&',').is_none() {
            Some(min)
        } else if self.rest.peek() == Some(&'}') {
            None
        } else {
            Some(self.number()?)
        };
        self.rest.next_if_eq(&'}')?;
        max.is_none_or(|max| min <= max).then_some((min, max))
    }

    fn number(&mut self) -> Option<u16> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().ok().filter(|number| *number <= MAX_REPEAT)
    }

    fn atom(&mut self) -> Result<Node, &'static str> {
        match self.rest.next() {
            Some('.') => Ok(Node::Any),
            Some('^') => Ok(Node::Start),
            Some('$') => Ok(Node::End),
            Some('[') => self.bracket().map(Node::Set),
            Some('(') => self.group(),
            Some('*' | '+' | '?' | '{') => Err("a repetition of nothing"),
            Some('\\') => match self.rest.next() {
                Some(c) if r"^.[$()|*+?{\/-]}".contains(c) => Ok(Node::Char(c)),
                _ => Err("a backslash before what is no special character"),
            },
            Some(c) => Ok(Node::Char(c)),
            None => Err("an expression that breaks off"),
        }
    }

    fn group(&mut self) -> Result<Node, &'static str> {
        let number = self.groups;
        self.groups += 1;
        self.depth += 1;
        if self.depth > MAX_PATTERN_DEPTH {
            return Err("groups nested too deeply");
        }
        let content = self.alternation()?;
        self.depth -= 1;
        match self.rest.next() {
            Some(')') => Ok(Node::Group(number, Box::new(content))),
            _ => Err("a group that does not end"),
        }
    }

    /// What follows an opening bracket (IEEE 1003.1-2017 §9.3.5).
    fn bracket(&mut self) -> Result<Set, &'static str> {
        let mut set = Set {
            negated: self.rest.next_if_eq(&'^').is_some(),
            ranges: Vec::new(),
        };
        let mut first = true;
        loop {
            let start = match self.rest.next().ok_or(UNENDED)? {
                // In front, it stands for itself.
                ']' if !first => return Ok(set),
                '[' if matches!(self.rest.peek(), Some(':' | '.' | '=')) => {
                    set.ranges.extend(self.class()?);
                    first = false;
                    continue;
                }
                // A hyphen is itself in front and at the end; elsewhere it would begin a range of its own.
                '-' if !first && self.rest.peek() != Some(&']') => {
                    return Err("a misplaced hyphen in a bracket expression");
                }
                start => start,
            };
            first = false;
            let end = match self.range_end()? {
                Some(end) if end < start => return Err("a range whose end comes before its start"),
                Some(end) => end,
                None => start,
            };
            set.ranges.push((start, end));
        }
    }

    /// The end of a range, where the character just read begins one.
    fn range_end(&mut self) -> Result<Option<char>, &'static str> {
        if self.rest.peek() != Some(&'-') {
            return Ok(None);
        }
        let mut ahead = self.rest.clone();
        ahead.next();
        match ahead.next().ok_or(UNENDED)? {
            // The hyphen is the last character of the expression, and itself.
            ']' => Ok(None),
            '[' if matches!(ahead.peek(), Some(':' | '.' | '=')) => Err("a range that ends with a class"),
            end => {
                self.rest = ahead;
                Ok(Some(end))
            }
        }
    }

    /// A character class, after its opening bracket.
    fn class(&mut self) -> Result<&'static [(char, char)], &'static str> {
        if self.rest.next() != Some(':') {
            return Err("a collating symbol or an equivalence class");
        }
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(char::is_ascii_lowercase) {
            name.push(c);
        }
        if (self.rest.next(), self.rest.next()) != (Some(':'), Some(']')) {
            return Err("a character class that does not end");
        }
        // A class cannot begin a range either.
        if self.range_end()?.is_some() {
            return Err("a range that begins with a class");
        }
        Ok(match name.as_str() {
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "blank" => &[(' ', ' '), ('\t', '\t')],
            "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
            "digit" => &[('0', '9')],
            "graph" => &[('!', '~')],
            "lower" => &[('a', 'z')],
            "print" => &[(' ', '~')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => &[(' ', ' '), ('\t', '\r')],
            "upper" => &[('A', 'Z')],
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return Err("an unknown character class"),
        })
    }
}
