//! PostgreSQL's advanced regular expressions in the syntax of the `regex` crate.
//!
//! Both find the leftmost match. Of several that start there, PostgreSQL takes the longest, and the crate the
//! one that its alternatives and quantifiers try first. These agree while all quantifiers are greedy and of
//! two alternatives the longer one comes first; hence alternatives of known lengths are put in that order, and
//! greedy and non-greedy quantifiers are not mixed, unless the ends of the match are fixed anyway.

use std::cmp::Reverse;

use springtide_types::{Result, SqlError, SqlState};

use super::backtrack::{Kind, Node};
use super::options::Options;

/// A pattern that was read.
pub(super) struct Translated {
    pub as_read: Read,
    /// Whether it mixes greedy and non-greedy quantifiers.
    pub mixed: bool,
}

/// What can be made of a pattern.
pub(super) enum Read {
    /// An expression of the crate.
    Linear(String),
    /// What the crate has not, back references and conditions on what is around, with the number of groups, 0 included.
    Tree(Node, usize),
}

/// Reads a pattern. Fails with `2201B` if it is none.
pub(super) fn translate(pattern: &str, options: Options) -> Result<Translated> {
    let mut reader = Reader {
        rest: pattern,
        options,
        greedy: false,
        lazy: false,
        groups: 1,
        conditions: 0,
        needs_tree: false,
    };
    let piece = reader.alternation()?;
    if !reader.rest.is_empty() {
        return Err(invalid("parentheses () not balanced"));
    }
    let fixed = piece.anchored_start && piece.anchored_end && !options.lines;
    let mixed = reader.greedy && reader.lazy && !fixed;
    if reader.needs_tree {
        return Ok(Translated { as_read: Read::Tree(piece.node, reader.groups), mixed: false });
    }
    Ok(Translated { as_read: Read::Linear(piece.text), mixed })
}

pub(super) fn invalid(why: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {why}"))
}

/// A part of the pattern in the crate's syntax.
#[derive(Default)]
struct Piece {
    text: String,
    node: Node,
    /// How many characters it matches, if that is known.
    length: Option<usize>,
    captures: bool,
    anchored_start: bool,
    anchored_end: bool,
}

struct Reader<'a> {
    rest: &'a str,
    options: Options,
    /// Whether a greedy quantifier occurred.
    greedy: bool,
    lazy: bool,
    /// The number of the next group that captures.
    groups: usize,
    /// How many conditions on what is around are open. Groups in them capture nothing.
    conditions: usize,
    /// Whether there is anything that the crate has not.
    needs_tree: bool,
}

/// What matches at one place.
enum Atom {
    /// One character of a kind.
    Char(String),
    /// A condition on the place.
    Anchor(&'static str),
    Group(Piece),
    /// What a group has matched.
    Back(usize),
    /// A condition on what is around.
    Around(Node),
}

impl<'a> Reader<'a> {
    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn take_while(&mut self, most: usize, takes: fn(char) -> bool) -> &'a str {
        let end = self.rest.char_indices().enumerate();
        let end = end.into_iter().find(|(count, (_, char))| *count == most || !takes(*char));
        let (taken, rest) = self.rest.split_at(end.map_or(self.rest.len(), |(_, (at, _))| at));
        self.rest = rest;
        taken
    }

    fn alternation(&mut self) -> Result<Piece> {
        let mut branches = vec![self.branch()?];
        while self.eat("|") {
            branches.push(self.branch()?);
        }
        if branches.len() == 1 {
            return Ok(branches.swap_remove(0));
        }
        if branches.iter().all(|branch| branch.length.is_some() && !branch.captures) {
            branches.sort_by_key(|branch| Reverse(branch.length));
        }
        let length = branches[0].length;
        let same = branches.iter().all(|branch| branch.length == length);
        let captures = branches.iter().any(|branch| branch.captures);
        let texts = branches.iter().map(|branch| branch.text.as_str()).collect::<Vec<_>>().join("|");
        Ok(Piece {
            text: texts,
            node: Node::Choice(branches.into_iter().map(|branch| branch.node).collect()),
            length: length.filter(|_| same),
            captures,
            ..Piece::default()
        })
    }

    fn branch(&mut self) -> Result<Piece> {
        let mut branch = Piece { length: Some(0), ..Piece::default() };
        let mut nodes = Vec::new();
        loop {
            if self.options.expanded {
                self.skip_space();
            }
            if self.rest.is_empty() || self.rest.starts_with(['|', ')']) {
                return Ok(Piece { node: Node::Sequence(nodes), ..branch });
            }
            let Some(atom) = self.atom()? else { continue };
            let first = branch.text.is_empty();
            branch.anchored_end = matches!(atom, Atom::Anchor("$" | r"\z"));
            let is_condition = matches!(atom, Atom::Anchor(_) | Atom::Around(_));
            let mut node;
            let length = match atom {
                Atom::Char(text) => {
                    branch.text.push_str(&text);
                    node = Node::Char(Kind::new(text));
                    Some(1)
                }
                Atom::Anchor(text) => {
                    branch.anchored_start |= first && matches!(text, "^" | r"\A");
                    branch.text.push_str(text);
                    node = Node::Anchor(text);
                    Some(0)
                }
                Atom::Group(group) => {
                    branch.text.push_str(&group.text);
                    branch.captures |= group.captures;
                    node = group.node;
                    group.length
                }
                Atom::Back(number) => {
                    node = Node::Back(number);
                    None
                }
                Atom::Around(condition) => {
                    node = condition;
                    Some(0)
                }
            };
            let times = self.quantifier(is_condition, &mut branch.text, &mut node)?;
            nodes.push(node);
            branch.length = branch.length.and_then(|sum| Some(sum + length? * times?));
        }
    }

    /// Blanks and comments, under the option `x`.
    fn skip_space(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if !self.eat("#") {
                return;
            }
            self.take_while(usize::MAX, |char| char != '\n');
        }
    }

    /// `None` for a comment.
    fn atom(&mut self) -> Result<Option<Atom>> {
        let Some(char) = self.next() else { return Ok(None) };
        Ok(Some(match char {
            '(' => return self.group(),
            '[' => self.bracket()?,
            '\\' => self.escape()?,
            '^' => Atom::Anchor("^"),
            '$' => Atom::Anchor("$"),
            '.' => Atom::Char(".".to_owned()),
            '*' | '+' | '?' => return Err(invalid("quantifier operand invalid")),
            '{' if self.rest.starts_with(|char: char| char.is_ascii_digit()) => {
                return Err(invalid("quantifier operand invalid"));
            }
            char => Atom::Char(literal(char)),
        }))
    }

    fn group(&mut self) -> Result<Option<Atom>> {
        if self.eat("?#") {
            self.take_while(usize::MAX, |char| char != ')');
            return if self.eat(")") { Ok(None) } else { Err(invalid("parentheses () not balanced")) };
        }
        let captures = !self.eat("?:") && self.conditions == 0;
        for (words, behind, negated) in
            [("?=", false, false), ("?!", false, true), ("?<=", true, false), ("?<!", true, true)]
        {
            if self.eat(words) {
                return self.condition(behind, negated).map(Some);
            }
        }
        if self.rest.starts_with('?') {
            return Err(invalid("quantifier operand invalid"));
        }
        let number = self.groups;
        self.groups += usize::from(captures);
        let inner = self.alternation()?;
        if !self.eat(")") {
            return Err(invalid("parentheses () not balanced"));
        }
        let open = if captures { "(" } else { "(?:" };
        Ok(Some(Atom::Group(Piece {
            text: format!("{open}{})", inner.text),
            node: if captures { Node::Group(number, Box::new(inner.node)) } else { inner.node },
            captures: captures || inner.captures,
            length: inner.length,
            ..Piece::default()
        })))
    }

    /// A condition on what is around, after its opening words.
    fn condition(&mut self, behind: bool, negated: bool) -> Result<Atom> {
        (self.needs_tree, self.conditions) = (true, self.conditions + 1);
        let inner = self.alternation()?;
        self.conditions -= 1;
        if !self.eat(")") {
            return Err(invalid("parentheses () not balanced"));
        }
        Ok(Atom::Around(Node::Around { node: Box::new(inner.node), behind, negated }))
    }

    /// How many times an atom stands, if that is known, with the quantifier that follows it added to the text.
    fn quantifier(
        &mut self,
        is_condition: bool,
        text: &mut String,
        node: &mut Node,
    ) -> Result<Option<usize>> {
        let (quantifier, (least, most)) = match self.rest.chars().next() {
            Some(char @ ('*' | '+' | '?')) => {
                self.next();
                let most = if char == '?' { Some(1) } else { None };
                (char.to_string(), (usize::from(char == '+'), most))
            }
            Some('{') if self.rest[1..].starts_with(|char: char| char.is_ascii_digit()) => self.bounds()?,
            _ => return Ok(Some(1)),
        };
        let times = most.filter(|most| *most == least);
        if is_condition {
            return Err(invalid("quantifier operand invalid"));
        }
        text.push_str(&quantifier);
        let lazy = self.eat("?");
        if lazy {
            text.push('?');
        }
        let repeated = Box::new(std::mem::take(node));
        *node = Node::Repeat { node: repeated, least, most: most.unwrap_or(usize::MAX), lazy };
        if times.is_none() {
            self.lazy |= lazy;
            self.greedy |= !lazy;
        }
        if self.rest.starts_with(['*', '+', '?']) {
            return Err(invalid("quantifier operand invalid"));
        }
        Ok(times)
    }

    /// `{m}`, `{m,}` or `{m,n}`
    fn bounds(&mut self) -> Result<(String, (usize, Option<usize>))> {
        self.next();
        let least = self.count()?;
        let most = if !self.eat(",") {
            Some(least)
        } else if self.rest.starts_with('}') {
            None
        } else {
            Some(self.count()?)
        };
        if !self.eat("}") {
            return Err(invalid("braces {} not balanced"));
        }
        Ok(match most {
            Some(most) if most < least => return Err(invalid("invalid repetition count(s)")),
            Some(most) if most == least => (format!("{{{least}}}"), (least, Some(least))),
            Some(most) => (format!("{{{least},{most}}}"), (least, Some(most))),
            None => (format!("{{{least},}}"), (least, None)),
        })
    }

    fn count(&mut self) -> Result<usize> {
        const MOST: usize = 255;
        let digits = self.take_while(usize::MAX, |char| char.is_ascii_digit());
        let count = digits.parse().ok().filter(|count| *count <= MOST);
        count.ok_or_else(|| invalid("invalid repetition count(s)"))
    }

    fn escape(&mut self) -> Result<Atom> {
        let Some(char) = self.next() else { return Err(invalid(r"invalid escape \ sequence")) };
        Ok(match char {
            'A' => Atom::Anchor(r"\A"),
            'Z' => Atom::Anchor(r"\z"),
            'm' => Atom::Anchor(r"\b{start}"),
            'M' => Atom::Anchor(r"\b{end}"),
            'y' => Atom::Anchor(r"\b"),
            'Y' => Atom::Anchor(r"\B"),
            'd' => Atom::Char(format!("[{DIGIT}]")),
            'D' => Atom::Char(format!("[^{DIGIT}]")),
            'w' => Atom::Char(format!("[{WORD}]")),
            'W' => Atom::Char(format!("[^{WORD}]")),
            's' => Atom::Char(format!("[{SPACE}]")),
            'S' => Atom::Char(format!("[^{SPACE}]")),
            '1'..='9' => return self.back_reference(char),
            char => Atom::Char(literal(self.escaped(char)?)),
        })
    }

    /// `\1`, and what follows it as long as there are so many groups.
    fn back_reference(&mut self, first: char) -> Result<Atom> {
        let mut number = first.to_digit(10).map_or(0, |digit| digit as usize);
        while let Some(digit) = self.rest.chars().next().and_then(|char| char.to_digit(10)) {
            let longer = number * 10 + digit as usize;
            if longer >= self.groups {
                break;
            }
            number = longer;
            self.next();
        }
        if number >= self.groups || self.conditions > 0 {
            return Err(invalid("invalid backreference number"));
        }
        self.needs_tree = true;
        Ok(Atom::Back(number))
    }

    /// The character for which an escape stands, in brackets or out of them.
    fn escaped(&mut self, char: char) -> Result<char> {
        let invalid_escape = || invalid(r"invalid escape \ sequence");
        let code = |digits: &str, radix: u32| {
            let code = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
            code.ok_or_else(invalid_escape)
        };
        let hex = |char: char| char.is_ascii_hexdigit();
        Ok(match char {
            'a' => '\x07',
            'b' => '\x08',
            'B' => '\\',
            'e' => '\x1b',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'c' => char::from((self.next().ok_or_else(invalid_escape)? as u32 & 0x1f) as u8),
            'u' => match self.take_while(4, hex) {
                digits if digits.len() == 4 => code(digits, 16)?,
                _ => return Err(invalid_escape()),
            },
            'U' => match self.take_while(8, hex) {
                digits if digits.len() == 8 => code(digits, 16)?,
                _ => return Err(invalid_escape()),
            },
            'x' => code(self.take_while(usize::MAX, hex), 16)?,
            '0' => match self.take_while(2, |char| ('0'..='7').contains(&char)) {
                "" => '\0',
                digits => code(digits, 8)?,
            },
            char if char.is_ascii_alphanumeric() => return Err(invalid_escape()),
            char => char,
        })
    }

    /// `[...]`, after the bracket.
    fn bracket(&mut self) -> Result<Atom> {
        for (edge, anchor) in [("[:<:]]", r"\b{start}"), ("[:>:]]", r"\b{end}")] {
            if self.eat(edge) {
                return Ok(Atom::Anchor(anchor));
            }
        }
        let negated = self.eat("^");
        let mut set = String::from(if negated { "[^" } else { "[" });
        if negated && self.options.dot_stops_at_lines {
            set.push_str(r"\n");
        }
        let mut first = true;
        loop {
            if !first && self.eat("]") {
                break;
            }
            first = false;
            self.bracket_item(&mut set)?;
        }
        set.push(']');
        Ok(Atom::Char(set))
    }

    /// A character, a range, or a class.
    fn bracket_item(&mut self, set: &mut String) -> Result<()> {
        let from = match self.bracket_element()? {
            Element::Class(class) => {
                set.push_str(class);
                return Ok(());
            }
            Element::Char(char) => char,
        };
        set.push_str(&in_set(from));
        if self.rest.starts_with("-]") || !self.eat("-") {
            return Ok(());
        }
        match self.bracket_element()? {
            Element::Char(to) if from <= to => {
                set.push('-');
                set.push_str(&in_set(to));
                Ok(())
            }
            _ => Err(invalid("invalid character range")),
        }
    }

    fn bracket_element(&mut self) -> Result<Element> {
        let unbalanced = || invalid("brackets [] not balanced");
        if self.eat("[:") {
            let name = self.take_while(usize::MAX, |char| char != ':' && char != ']');
            return if self.eat(":]") { class(name).map(Element::Class) } else { Err(unbalanced()) };
        }
        for (open, close) in [("[.", ".]"), ("[=", "=]")] {
            if self.eat(open) {
                let element = self.next().ok_or_else(unbalanced)?;
                let closed = self.eat(close);
                return if closed {
                    Ok(Element::Char(element))
                } else {
                    Err(invalid("invalid collating element"))
                };
            }
        }
        match self.next().ok_or_else(unbalanced)? {
            '\\' => match self.next().ok_or_else(|| invalid(r"invalid escape \ sequence"))? {
                'd' => Ok(Element::Class(DIGIT)),
                'w' => Ok(Element::Class(WORD)),
                's' => Ok(Element::Class(SPACE)),
                char => self.escaped(char).map(Element::Char),
            },
            char => Ok(Element::Char(char)),
        }
    }
}

enum Element {
    Char(char),
    Class(&'static str),
}

// Parts of a set in the crate's syntax.
const DIGIT: &str = "0-9";
const WORD: &str = r"\p{Alphabetic}\p{Nd}_";
const SPACE: &str = r"\s";

fn class(name: &str) -> Result<&'static str> {
    Ok(match name {
        "alnum" => r"\p{Alphabetic}\p{Nd}",
        "alpha" => r"\p{Alphabetic}",
        "blank" => "[:blank:]",
        "cntrl" => "[:cntrl:]",
        "digit" => DIGIT,
        "graph" => r"[[:graph:]\p{L}\p{M}\p{N}\p{P}\p{S}]",
        "lower" => r"\p{Lowercase}",
        "print" => r"[[:print:]\p{L}\p{M}\p{N}\p{P}\p{S}]",
        "punct" => r"[[:punct:]\p{P}]",
        "space" => SPACE,
        "upper" => r"\p{Uppercase}",
        "word" => WORD,
        "xdigit" => "[:xdigit:]",
        _ => return Err(invalid("invalid character class")),
    })
}

/// The character as one that stands for itself.
fn literal(char: char) -> String {
    regex::escape(char.encode_utf8(&mut [0; 4]))
}

/// [`literal`] inside of brackets.
fn in_set(char: char) -> String {
    if char.is_ascii_punctuation() { format!("\\{char}") } else { char.to_string() }
}
