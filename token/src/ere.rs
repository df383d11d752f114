//! POSIX extended regular expressions (IEEE 1003.1-2017 §9.4): the `regex` match type.
//!
//! The expressions are those of the standard and nothing else. What other languages add or read differently
//! (`\d`, `*?`, `(?i)`, back-references) is refused when the token is read, for a restriction that two recipients
//! understand differently restricts nothing. Matching takes time linear in the text, whatever the expression.

mod machine;
mod parse;

use machine::Program;

use crate::limits::{MAX_PATTERN, MAX_TOKEN_BYTES};

/// A POSIX extended regular expression, ready to match.
///
/// It is looked for anywhere in the text unless it is anchored. Characters are Unicode scalar values, ranges are
/// by code point, and the classes (`[:alpha:]` and so on) are those of the POSIX locale: ASCII.
///
/// Refused, because POSIX leaves it undefined or no two engines agree: an empty expression, group or alternative;
/// a repetition of nothing, of an anchor or of a repetition; a brace that opens no interval; a `)` that closes
/// nothing; an escaped letter or digit; collating symbols and equivalence classes. A backslash before `/`, `-`, `]`
/// or `}` is taken, as every engine does, for the character itself; inside brackets it is a backslash, as POSIX
/// has it.
///
/// ```
/// # use selvedge_token::Ere;
/// let segment = Ere::parse(r"^/live/[a-z]+/seg_[[:digit:]]{1,6}\.m4s$")?;
/// assert!(segment.is_match("/live/news/seg_1042.m4s"));
/// assert!(!segment.is_match("/live/news/seg_.m4s"));
/// assert!(Ere::parse(r"seg_\d+").is_err());
/// # Ok::<(), &'static str>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ere {
    pattern: String,
    program: Program,
}

impl Ere {
    /// Reads an expression of at most [`MAX_PATTERN`] bytes.
    ///
    /// # Errors
    /// What makes it no extended regular expression, or one that would cost too much to match.
    pub fn parse(pattern: &str) -> Result<Self, &'static str> {
        if pattern.len() > MAX_PATTERN {
            return Err("an expression of more than 512 bytes");
        }
        let expression = parse::expression(pattern)?;
        Ok(Self {
            pattern: pattern.to_owned(),
            program: Program::compile(&expression)?,
        })
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// How many groups it has.
    pub(crate) const fn groups(&self) -> usize {
        self.program.groups()
    }

    /// How many steps its machine has: what it costs to keep, and to match for each character.
    pub(crate) const fn steps(&self) -> usize {
        self.program.length()
    }

    /// Whether it matches somewhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.program.run(text, 0).is_some()
    }

    /// What each group matched, in the order of their opening parentheses; `None` for a group that took no part.
    /// The whole is `None` where nothing matches.
    ///
    /// The match is the leftmost. Among those that begin there, repetitions take as much as they can and the first
    /// alternative that leads to a match is taken; POSIX asks for the longest match instead. The two differ only in
    /// expressions whose alternatives are prefixes of one another, such as `(a|ab)(c|bcd)?`.
    pub fn captures<'t>(&self, text: &'t str) -> Option<Vec<Option<&'t str>>> {
        let slots = self.program.run(text, self.groups() * 2)?;
        let group = |bounds: &[Option<usize>]| match bounds {
            [Some(start), Some(end)] => text.get(*start..*end),
            _ => None,
        };
        Some(slots.chunks(2).map(group).collect())
    }
}

// An expression must fit a token.
const _: () = assert!(MAX_PATTERN < MAX_TOKEN_BYTES);

#[cfg(test)]
mod tests;
