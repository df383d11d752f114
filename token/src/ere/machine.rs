//! A machine that follows every way through an expression at once, so that none is ever taken twice (K. Thompson,
//! 1968): time is the length of the text times that of the program.

use super::parse::{Node, Set};
use crate::limits::MAX_PATTERN_STEPS;

/// A compiled expression.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Program {
    steps: Vec<Step>,
    groups: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Char(char),
    Any,
    Set(Set),
    /// Goes on at the beginning of the text alone.
    Start,
    /// Goes on at its end alone.
    End,
    /// Remembers where it is in this slot.
    Mark(usize),
    /// Goes on at both, and prefers the first.
    Fork(usize, usize),
    Jump(usize),
    Match,
}

/// A way through the program: the step that it is at, and where it came past the marks.
type Way = (usize, Vec<Option<usize>>);

impl Program {
    pub(super) fn compile(expression: &Node) -> Result<Self, &'static str> {
        let mut program = Self {
            steps: Vec::new(),
            groups: 0,
        };
        program.emit(expression)?;
        program.push(Step::Match)?;
        Ok(program)
    }

    pub(super) const fn groups(&self) -> usize {
        self.groups
    }

    pub(super) const fn length(&self) -> usize {
        self.steps.len()
    }

    /// Looks for a match and returns the first `slots` marks of the way that was taken.
    pub(super) fn run(&self, text: &str, slots: usize) -> Option<Vec<Option<usize>>> {
        let mut search = Search {
            program: self,
            length: text.len(),
            visited: vec![usize::MAX; self.steps.len()],
            open: Vec::new(),
        };
        let mut ways: Vec<Way> = Vec::new();
        let mut ahead: Vec<Way> = Vec::new();
        let mut found = None;
        let ends = core::iter::once((text.len(), None));
        let characters = text.char_indices().map(|(at, c)| (at, Some(c))).chain(ends);
        for (at, c) in characters {
            // A match may begin here, unless one that began earlier was found: the leftmost counts.
            let begin = found.is_none().then(|| (0, vec![None; slots]));
            for way in ways.drain(..).chain(begin) {
                let arrived = search.arrive(way, at, &mut ahead);
                if arrived.is_some() {
                    found = arrived;
                    if slots == 0 {
                        return found;
                    }
                    // The ways that are left are those of lesser preference.
                    break;
                }
            }
            // Those that read this character go on behind it.
            ahead.retain_mut(|(step, _)| {
                let reads = c.is_some_and(|c| match self.steps.get(*step) {
                    Some(Step::Char(want)) => *want == c,
                    Some(Step::Any) => true,
                    Some(Step::Set(set)) => set.contains(c),
                    _ => false,
                });
                *step += 1;
                reads
            });
            core::mem::swap(&mut ways, &mut ahead);
            if ways.is_empty() && found.is_some() {
                break;
            }
        }
        found
    }

    fn emit(&mut self, node: &Node) -> Result<(), &'static str> {
        match node {
            Node::Char(c) => self.push(Step::Char(*c)),
            Node::Any => self.push(Step::Any),
            Node::Set(set) => self.push(Step::Set(set.clone())),
            Node::Start => self.push(Step::Start),
            Node::End => self.push(Step::End),
            Node::Group(number, content) => {
                self.groups = self.groups.max(number + 1);
                self.push(Step::Mark(number * 2))?;
                self.emit(content)?;
                self.push(Step::Mark(number * 2 + 1))
            }
            Node::Concat(nodes) => nodes.iter().try_for_each(|node| self.emit(node)),
            Node::Alternate(branches) => self.emit_branches(branches),
            Node::Repeat { node, min, max } => {
                for _ in 0..*min {
                    self.emit(node)?;
                }
                match max {
                    None => self.emit_loop(node),
                    Some(max) => self.emit_optional(node, max.saturating_sub(*min)),
                }
            }
        }
    }

    fn emit_branches(&mut self, branches: &[Node]) -> Result<(), &'static str> {
        let Some((last, others)) = branches.split_last() else {
            return Ok(());
        };
        let mut exits = Vec::new();
        for branch in others {
            let fork = self.steps.len();
            self.push(Step::Fork(fork + 1, 0))?;
            self.emit(branch)?;
            exits.push(self.steps.len());
            self.push(Step::Jump(0))?;
            self.patch(fork);
        }
        self.emit(last)?;
        exits.into_iter().for_each(|exit| self.patch(exit));
        Ok(())
    }

    fn emit_loop(&mut self, node: &Node) -> Result<(), &'static str> {
        let fork = self.steps.len();
        self.push(Step::Fork(fork + 1, 0))?;
        self.emit(node)?;
        self.push(Step::Jump(fork))?;
        self.patch(fork);
        Ok(())
    }

    fn emit_optional(&mut self, node: &Node, times: u16) -> Result<(), &'static str> {
        let mut forks = Vec::new();
        for _ in 0..times {
            let fork = self.steps.len();
            forks.push(fork);
            self.push(Step::Fork(fork + 1, 0))?;
            self.emit(node)?;
        }
        forks.into_iter().for_each(|fork| self.patch(fork));
        Ok(())
    }

    /// Lets an earlier fork's second way, or a jump, lead to what is emitted next.
    fn patch(&mut self, step: usize) {
        let next = self.steps.len();
        if let Some(Step::Fork(_, target) | Step::Jump(target)) = self.steps.get_mut(step) {
            *target = next;
        }
    }

    fn push(&mut self, step: Step) -> Result<(), &'static str> {
        if self.steps.len() >= MAX_PATTERN_STEPS {
            return Err("an expression whose repetitions cost too much");
        }
        self.steps.push(step);
        Ok(())
    }
}

/// What a run keeps from one character to the next.
struct Search<'p> {
    program: &'p Program,
    /// Of the text, in bytes.
    length: usize,
    /// Where each step was last come to.
    visited: Vec<usize>,
    /// Branches that are still to be followed.
    open: Vec<Way>,
}

impl Search<'_> {
    /// Follows a way until each of its branches reads a character, in the order of preference. Returns the marks
    /// of a branch that has come to the end; the branches after it are dropped.
    fn arrive(&mut self, way: Way, at: usize, readers: &mut Vec<Way>) -> Option<Vec<Option<usize>>> {
        self.open.clear();
        self.open.push(way);
        while let Some((step, mut marks)) = self.open.pop() {
            // Who comes second to a step at the same place would only repeat what the first does from there.
            match self.visited.get_mut(step) {
                Some(last) if *last != at => *last = at,
                _ => continue,
            }
            match self.program.steps.get(step) {
                Some(Step::Char(_) | Step::Any | Step::Set(_)) => readers.push((step, marks)),
                Some(Step::Start) if at == 0 => self.open.push((step + 1, marks)),
                Some(Step::End) if at == self.length => self.open.push((step + 1, marks)),
                Some(Step::Mark(slot)) => {
                    if let Some(mark) = marks.get_mut(*slot) {
                        *mark = Some(at);
                    }
                    self.open.push((step + 1, marks));
                }
                Some(Step::Fork(first, second)) => {
                    self.open.push((*second, marks.clone()));
                    self.open.push((*first, marks));
                }
                Some(Step::Jump(to)) => self.open.push((*to, marks)),
                Some(Step::Match) => return Some(marks),
                Some(Step::Start | Step::End) | None => {}
            }
        }
        None
    }
}
