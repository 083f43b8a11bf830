use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::{CaptureLocations, Regex, RegexBuilder};
use springtide_types::{Result, SqlError};

use super::options::Options;
use super::translate::{invalid, translate};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    pub regex: Regex,
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

impl Program {
    fn new(pattern: &str, flags: &str) -> Result<Program> {
        let mut options = Options::parse(flags)?;
        let pattern = options.take_prefix(pattern)?;
        let (pattern, mixed) =
            if options.literal { (regex::escape(pattern), false) } else { translate(pattern, options)? };
        let regex = RegexBuilder::new(&pattern)
            .case_insensitive(options.ignore_case)
            .multi_line(options.lines)
            .dot_matches_new_line(!options.dot_stops_at_lines)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => invalid("regular expression is too complex"),
                other => SqlError::internal(format!("translated a regular expression to {pattern}: {other}")),
            })?;
        Ok(Program { regex, options, mixed })
    }
}

/// The matches in a text one after the other, as PostgreSQL counts them: an empty one may follow another at once.
pub(super) struct Matches<'a> {
    regex: &'a Regex,
    text: &'a str,
    locations: CaptureLocations,
    /// Where to look for the next.
    from: Option<usize>,
}

impl<'a> Matches<'a> {
    /// From a position in bytes on; from none, if there is no such position.
    pub(super) fn new(regex: &'a Regex, text: &'a str, from: Option<usize>) -> Matches<'a> {
        Matches { regex, text, locations: regex.capture_locations(), from }
    }

    /// Where the next match starts and ends.
    pub(super) fn next(&mut self) -> Option<(usize, usize)> {
        let found = self.regex.captures_read_at(&mut self.locations, self.text, self.from?);
        let (start, end) = found.map(|found| (found.start(), found.end()))?;
        self.from = match self.text[end..].chars().next() {
            _ if end > start => Some(end),
            Some(char) => Some(end + char.len_utf8()),
            None => None,
        };
        Some((start, end))
    }

    /// The n-th match from here, counted from 1.
    pub(super) fn nth(&mut self, number: usize) -> Option<(usize, usize)> {
        (1..number).try_for_each(|_| self.next().map(|_| ()))?;
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
