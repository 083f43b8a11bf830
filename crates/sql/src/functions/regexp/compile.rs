use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::{CaptureLocations, Regex, RegexBuilder};
use springtide_types::{Result, SqlError};

use super::backtrack::{Groups, Matcher};
use super::options::Options;
use super::translate::{Read, Translated, invalid, translate};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    pub regex: Engine,
    pub options: Options,
    /// Whether another match may be found than PostgreSQL finds; see [`translate`].
    pub mixed: bool,
}

/// More are forgotten at once.
const MOST_CACHED: usize = 256;

type Cache = HashMap<String, HashMap<String, Rc<Program>>>;

thread_local! {
    /// By flags, then by pattern. One per thread, since threads that share a `Regex` wait for each other.
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// The pattern under flags, compiled when this thread first needs it.
pub(super) fn compile(pattern: &str, flags: &str) -> Result<Rc<Program>> {
    CACHE.with_borrow_mut(|cache| {
        if let Some(program) = cache.get(flags).and_then(|patterns| patterns.get(pattern)) {
            return Ok(program.clone());
        }
        if cache.values().map(HashMap::len).sum::<usize>() >= MOST_CACHED {
            cache.clear();
        }
        let program = Rc::new(Program::new(pattern, flags)?);
        cache.entry(flags.to_owned()).or_default().insert(pattern.to_owned(), program.clone());
        Ok(program)
    })
}

/// What looks for matches.
#[derive(Debug)]
pub(super) enum Engine {
    /// In a time that grows with the text alone.
    Linear(Regex),
    /// In all ways, up to a limit.
    Trying(Matcher),
}

/// Where the groups of a match are, 0 being all of it.
#[derive(Debug)]
pub(super) enum Locations {
    Linear(CaptureLocations),
    Trying(Groups),
}

impl Locations {
    pub(super) fn get(&self, group: usize) -> Option<(usize, usize)> {
        match self {
            Locations::Linear(locations) => locations.get(group),
            Locations::Trying(groups) => groups.get(group).copied().flatten(),
        }
    }
}

impl Engine {
    /// How many groups there are, all of the match included.
    pub(super) fn captures_len(&self) -> usize {
        match self {
            Engine::Linear(regex) => regex.captures_len(),
            Engine::Trying(matcher) => matcher.captures_len(),
        }
    }

    /// Room for a match.
    pub(super) fn locations(&self) -> Locations {
        match self {
            Engine::Linear(regex) => Locations::Linear(regex.capture_locations()),
            Engine::Trying(_) => Locations::Trying(Vec::new()),
        }
    }

    /// Whether there is room for a match of this pattern.
    pub(super) fn fits(&self, room: &Locations) -> bool {
        match (self, room) {
            (Engine::Linear(regex), Locations::Linear(locations)) => locations.len() == regex.captures_len(),
            (Engine::Trying(_), Locations::Trying(_)) => true,
            _ => false,
        }
    }

    pub(super) fn is_match(&self, text: &str) -> Result<bool> {
        match self {
            Engine::Linear(regex) => Ok(regex.is_match(text)),
            Engine::Trying(matcher) => Ok(matcher.find_at(text, 0)?.is_some()),
        }
    }

    /// Whether there is a match from a position on, which `locations`, room for one of this pattern, then says.
    pub(super) fn find_at(&self, locations: &mut Locations, text: &str, from: usize) -> Result<bool> {
        match (self, locations) {
            (Engine::Linear(regex), Locations::Linear(locations)) => {
                Ok(regex.captures_read_at(locations, text, from).is_some())
            }
            (Engine::Trying(matcher), locations) => {
                let groups = matcher.find_at(text, from)?;
                let found = groups.is_some();
                *locations = Locations::Trying(groups.unwrap_or_default());
                Ok(found)
            }
            (Engine::Linear(_), Locations::Trying(_)) => Err(SqlError::internal("room for another pattern")),
        }
    }
}

impl Program {
    fn new(pattern: &str, flags: &str) -> Result<Program> {
        let mut options = Options::parse(flags)?;
        let pattern = options.take_prefix(pattern)?;
        if options.literal {
            return Ok(Program { regex: linear(&regex::escape(pattern), options)?, options, mixed: false });
        }
        let Translated { as_read, mixed } = translate(pattern, options)?;
        let regex = match as_read {
            Read::Linear(pattern) => linear(&pattern, options)?,
            Read::Tree(root, groups) => Engine::Trying(Matcher::new(root, options, groups)),
        };
        Ok(Program { regex, options, mixed })
    }
}

fn linear(pattern: &str, options: Options) -> Result<Engine> {
    let regex = RegexBuilder::new(pattern)
        .case_insensitive(options.ignore_case)
        .multi_line(options.lines)
        .dot_matches_new_line(!options.dot_stops_at_lines)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => invalid("regular expression is too complex"),
            other => SqlError::internal(format!("translated a regular expression to {pattern}: {other}")),
        })?;
    Ok(Engine::Linear(regex))
}

/// The matches in a text one after the other, as PostgreSQL counts them: an empty one may follow another at once.
pub(super) struct Matches<'a> {
    regex: &'a Engine,
    text: &'a str,
    locations: Locations,
    /// Where to look for the next.
    from: Option<usize>,
}

impl<'a> Matches<'a> {
    /// From a position in bytes on; from none, if there is no such position.
    pub(super) fn new(regex: &'a Engine, text: &'a str, from: Option<usize>) -> Matches<'a> {
        Matches { regex, text, locations: regex.locations(), from }
    }

    /// Where the next match starts and ends.
    pub(super) fn next(&mut self) -> Result<Option<(usize, usize)>> {
        let Some(from) = self.from else { return Ok(None) };
        if !self.regex.find_at(&mut self.locations, self.text, from)? {
            return Ok(None);
        }
        let Some((start, end)) = self.locations.get(0) else { return Ok(None) };
        self.from = match self.text[end..].chars().next() {
            _ if end > start => Some(end),
            Some(char) => Some(end + char.len_utf8()),
            None => None,
        };
        Ok(Some((start, end)))
    }

    /// The n-th match from here, counted from 1.
    pub(super) fn nth(&mut self, number: usize) -> Result<Option<(usize, usize)>> {
        for _ in 1..number {
            if self.next()?.is_none() {
                return Ok(None);
            }
        }
        self.next()
    }

    /// Where a group of the last match is, 0 being all of it.
    pub(super) fn range(&self, group: usize) -> Option<(usize, usize)> {
        self.locations.get(group)
    }

    /// A group of the last match, 0 being all of it.
    pub(super) fn group(&self, group: usize) -> Option<&'a str> {
        self.range(group).map(|(start, end)| &self.text[start..end])
    }
}
