//! Matching of patterns with back references and with conditions on what is around, which the `regex` crate has not. One way
//! to match is tried after the other, and only so many: such patterns may ask for more than any text is worth.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use springtide_types::{Result, SqlError, SqlState};

use super::options::Options;

/// A part of a pattern.
#[derive(Debug)]
pub(super) enum Node {
    /// One character.
    Char(Kind),
    /// A condition on the place, as the `regex` crate writes it.
    Anchor(&'static str),
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    /// What a group captures, by its number.
    Group(usize, Box<Node>),
    Repeat {
        node: Box<Node>,
        least: usize,
        most: usize,
        lazy: bool,
    },
    /// What the group of this number has matched.
    Back(usize),
    Around {
        node: Box<Node>,
        behind: bool,
        negated: bool,
    },
}

impl Default for Node {
    fn default() -> Node {
        Node::Sequence(Vec::new())
    }
}

/// A kind of characters, as the `regex` crate writes it.
#[derive(Debug)]
pub(super) struct Kind {
    text: String,
    regex: OnceLock<Option<Regex>>,
}

impl Kind {
    pub(super) fn new(text: String) -> Kind {
        Kind { text, regex: OnceLock::new() }
    }

    fn contains(&self, char: char, options: Options) -> bool {
        let regex = self.regex.get_or_init(|| {
            RegexBuilder::new(&format!(r"\A(?:{})\z", self.text))
                .case_insensitive(options.ignore_case)
                .dot_matches_new_line(!options.dot_stops_at_lines)
                .build()
                .ok()
        });
        regex.as_ref().is_some_and(|regex| regex.is_match(char.encode_utf8(&mut [0; 4])))
    }
}

/// Where groups have matched; the first is all of the match.
pub(super) type Groups = Vec<Option<(usize, usize)>>;

/// A pattern.
#[derive(Debug)]
pub(super) struct Matcher {
    root: Node,
    options: Options,
    groups: usize,
}

/// How many steps a search may take, and how deep they may go.
const MOST_STEPS: usize = 4_000_000;
const MOST_DEPTH: usize = 20_000;

struct State<'a> {
    text: &'a str,
    groups: Groups,
    steps: usize,
    depth: usize,
    exceeded: bool,
}

/// What is to match after a part: from a position on.
type Next<'n> = &'n mut dyn FnMut(usize, &mut State<'_>) -> bool;

impl Matcher {
    /// Of so many groups, the match itself included.
    pub(super) fn new(root: Node, options: Options, groups: usize) -> Matcher {
        Matcher { root, options, groups }
    }

    pub(super) fn captures_len(&self) -> usize {
        self.groups
    }

    /// The first match from a position on.
    pub(super) fn find_at(&self, text: &str, from: usize) -> Result<Option<Groups>> {
        let mut state = State { text, groups: vec![None; self.groups], steps: 0, depth: 0, exceeded: false };
        let starts = text[from..].char_indices().map(|(at, _)| from + at).chain([text.len()]);
        for start in starts {
            let mut end = None;
            let found = self.run(&self.root, start, &mut state, &mut |at, _| {
                end = Some(at);
                true
            });
            if state.exceeded {
                let message = "the search for a match of the regular expression takes too long";
                return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).with_hint(
                    "Back references and lookaround are tried in all ways; make the pattern more definite.",
                ));
            }
            if let (true, Some(end)) = (found, end) {
                state.groups[0] = Some((start, end));
                return Ok(Some(state.groups));
            }
        }
        Ok(None)
    }

    fn run(&self, node: &Node, at: usize, state: &mut State<'_>, next: Next<'_>) -> bool {
        state.steps += 1;
        if state.steps > MOST_STEPS || state.depth > MOST_DEPTH {
            state.exceeded = true;
        }
        if state.exceeded {
            return false;
        }
        state.depth += 1;
        let found = stacker::maybe_grow(1 << 16, 1 << 20, || self.run_part(node, at, state, next));
        state.depth -= 1;
        found
    }

    fn run_part(&self, node: &Node, at: usize, state: &mut State<'_>, next: Next<'_>) -> bool {
        match node {
            Node::Char(kind) => match self.step(kind, at, state.text) {
                Some(end) => next(end, state),
                None => false,
            },
            Node::Anchor(anchor) => self.holds(anchor, at, state.text) && next(at, state),
            Node::Sequence(nodes) => self.sequence(nodes, at, state, next),
            Node::Choice(nodes) => nodes.iter().any(|node| self.run(node, at, state, next)),
            Node::Group(number, node) => {
                let saved = state.groups[*number];
                let found = self.run(node, at, state, &mut |end, state| {
                    let before = state.groups[*number].replace((at, end));
                    let found = next(end, state);
                    if !found {
                        state.groups[*number] = before;
                    }
                    found
                });
                if !found {
                    state.groups[*number] = saved;
                }
                found
            }
            Node::Repeat { node, least, most, lazy } => match node.as_ref() {
                Node::Char(kind) => self.repeat_char(kind, (*least, *most, *lazy), at, state, next),
                node => self.repeat(node, (*least, *most, *lazy), 0, at, state, next),
            },
            Node::Back(number) => match state.groups.get(*number).copied().flatten() {
                Some((from, to)) => match self.same(&state.text[from..to], &state.text[at..]) {
                    Some(length) => next(at + length, state),
                    None => false,
                },
                None => false,
            },
            Node::Around { node, behind, negated } => {
                let found = match behind {
                    false => self.run(node, at, state, &mut |_, _| true),
                    true => {
                        let mut starts = (0..=at).rev().filter(|start| state.text.is_char_boundary(*start));
                        let starts = starts.by_ref().collect::<Vec<_>>();
                        starts.into_iter().any(|start| self.run(node, start, state, &mut |end, _| end == at))
                    }
                };
                found != *negated && !state.exceeded && next(at, state)
            }
        }
    }

    fn sequence(&self, nodes: &[Node], at: usize, state: &mut State<'_>, next: Next<'_>) -> bool {
        match nodes {
            [] => next(at, state),
            [node, rest @ ..] => {
                self.run(node, at, state, &mut |at, state| self.sequence(rest, at, state, next))
            }
        }
    }

    /// The position after the character, if it is of this kind.
    fn step(&self, kind: &Kind, at: usize, text: &str) -> Option<usize> {
        let char = text[at..].chars().next()?;
        kind.contains(char, self.options).then(|| at + char.len_utf8())
    }

    fn repeat_char(
        &self,
        kind: &Kind,
        (least, most, lazy): (usize, usize, bool),
        at: usize,
        state: &mut State<'_>,
        next: Next<'_>,
    ) -> bool {
        let mut ends = vec![at];
        if lazy {
            loop {
                let (count, end) = (ends.len() - 1, ends[ends.len() - 1]);
                if count >= least && next(end, state) {
                    return true;
                }
                state.steps += 1;
                match self.step(kind, end, state.text).filter(|_| count < most && !state.exceeded) {
                    Some(end) => ends.push(end),
                    None => return false,
                }
            }
        }
        while let Some(end) = self.step(kind, ends[ends.len() - 1], state.text).filter(|_| ends.len() <= most)
        {
            state.steps += 1;
            ends.push(end);
        }
        while ends.len() > least {
            match ends.pop() {
                Some(end) if next(end, state) => return true,
                _ => {}
            }
        }
        false
    }

    fn repeat(
        &self,
        node: &Node,
        bounds: (usize, usize, bool),
        count: usize,
        at: usize,
        state: &mut State<'_>,
        next: Next<'_>,
    ) -> bool {
        let (least, most, lazy) = bounds;
        if lazy && count >= least && next(at, state) {
            return true;
        }
        let again = count < most
            && self.run(node, at, state, &mut |end, state| {
                // What matches nothing does so again and again.
                (end > at || count < least) && self.repeat(node, bounds, count + 1, end, state, next)
            });
        again || (!lazy && count >= least && next(at, state))
    }

    /// The length of what `text` begins with, where that is the same as `wanted`.
    fn same(&self, wanted: &str, text: &str) -> Option<usize> {
        if !self.options.ignore_case {
            return text.starts_with(wanted).then_some(wanted.len());
        }
        let mut rest = text.chars();
        let lower = |char: char| char.to_lowercase();
        let same = wanted.chars().all(|char| rest.next().is_some_and(|other| lower(other).eq(lower(char))));
        same.then(|| text.len() - rest.as_str().len())
    }

    fn holds(&self, anchor: &str, at: usize, text: &str) -> bool {
        let (before, after) = (text[..at].chars().next_back(), text[at..].chars().next());
        let is_word = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
        match anchor {
            "^" => before.is_none() || (self.options.lines && before == Some('\n')),
            "$" => after.is_none() || (self.options.lines && after == Some('\n')),
            r"\A" => before.is_none(),
            r"\z" => after.is_none(),
            r"\b{start}" => !is_word(before) && is_word(after),
            r"\b{end}" => is_word(before) && !is_word(after),
            r"\b" => is_word(before) != is_word(after),
            _ => is_word(before) == is_word(after),
        }
    }
}
