//! Sequences: what they count, and where they stand.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use crate::{Column, Relation, RelationKind};

/// Numbers that are noted ahead, so that not each one has to be written down.
const AHEAD: i64 = 32;

/// What a sequence counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceOptions {
    /// `smallint`, `integer` or `bigint`.
    pub sql_type: SqlType,
    /// The first number.
    pub start: i64,
    /// From one number to the next; not 0.
    pub increment: i64,
    /// The least number.
    pub min: i64,
    /// The greatest number.
    pub max: i64,
    /// Accepted, and without effect.
    pub cache: i64,
    /// Whether it begins again after its last number.
    pub cycle: bool,
}

/// The column that a sequence goes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceOwner {
    /// The table.
    pub table: RelationId,
    /// The position of the column.
    pub column: usize,
    /// Whether the column is an identity, which can't be without it.
    pub identity: bool,
}

/// Where a sequence stands, shared by all sessions: it does not take part in transactions.
///
/// Numbers are handed out ahead of what is on disk only as far as was noted there: whoever gets one that was not waits
/// until it is.
#[derive(Debug)]
pub struct Counter(Mutex<State>);

#[derive(Clone, Debug)]
struct State {
    position: Position,
    /// How many numbers may still be handed out of those that were noted.
    ahead: i64,
    /// The step by which they were noted.
    step: i64,
    noted: Noted,
}

/// The last number, and whether it has been handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last number, or the first one if none was handed out.
    pub last: i64,
    /// Whether it was handed out.
    pub called: bool,
}

/// How far the way of the numbers handed out to the disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noted {
    /// Not begun.
    No,
    /// On the way.
    Pending,
    /// All the way.
    Kept,
}

/// A number from a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The number.
    pub value: i64,
    /// Whether it might be handed out again after a crash, as long as nothing more is written down.
    pub must_be_noted: bool,
}

impl SequenceOptions {
    /// Those of a sequence of a type of which nothing else is said.
    pub fn of_type(sql_type: SqlType) -> SequenceOptions {
        let max = type_limits(sql_type).1;
        SequenceOptions { sql_type, start: 1, increment: 1, min: 1, max, cache: 1, cycle: false }
    }

    /// The number after another; `None` after the last one.
    fn next(&self, last: i64) -> Option<i64> {
        let next = last.checked_add(self.increment);
        next.filter(|next| (self.min..=self.max).contains(next))
    }

    /// The number with which it begins again.
    fn first_again(&self) -> i64 {
        if self.increment > 0 { self.min } else { self.max }
    }
}

/// The least and the greatest number of a type of sequences.
pub fn type_limits(sql_type: SqlType) -> (i64, i64) {
    match sql_type {
        SqlType::Int2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        SqlType::Int4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

impl Counter {
    /// One that stands somewhere, which is to be noted.
    pub fn at(position: Position) -> Counter {
        Counter(Mutex::new(State { position, ahead: 0, step: 0, noted: Noted::No }))
    }

    /// One that begins.
    pub fn new(options: &SequenceOptions) -> Counter {
        Counter::at(Position { last: options.start, called: false })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic left behind is whole: each change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.state().position
    }

    /// How many more numbers are noted.
    pub fn ahead(&self) -> i64 {
        self.state().ahead
    }

    /// Hands out a number. Fails with `2200H` after the last one.
    fn draw(&self, name: &str, options: &SequenceOptions) -> Result<Drawn> {
        let mut state = self.state();
        let Position { last, called } = state.position;
        let next = if called { options.next(last) } else { Some(last) };
        let value = match next {
            Some(value) => value,
            None if options.cycle => options.first_again(),
            None => return Err(exhausted(name, options)),
        };
        let is_noted = called && next.is_some() && state.ahead > 0 && state.step == options.increment;
        state.position = Position { last: value, called: true };
        if is_noted {
            state.ahead -= 1;
        } else {
            (state.ahead, state.noted) = (0, Noted::No);
        }
        Ok(Drawn { value, must_be_noted: state.noted != Noted::Kept })
    }

    /// Moves it, whatever was noted.
    fn set(&self, position: Position) {
        let mut state = self.state();
        (state.position, state.ahead, state.noted) = (position, 0, Noted::No);
    }

    /// What to write down now, if anything: a position that is not before any number handed out since, for a while.
    pub fn note(&self, options: &SequenceOptions) -> Option<Position> {
        let mut state = self.state();
        if state.noted != Noted::No {
            return None;
        }
        state.noted = Noted::Pending;
        if !state.position.called {
            return Some(state.position);
        }
        let mut noted = state.position.last;
        state.step = options.increment;
        while state.ahead < AHEAD
            && let Some(next) = options.next(noted)
        {
            noted = next;
            state.ahead += 1;
        }
        Some(Position { last: noted, called: true })
    }

    /// What was noted is written down.
    pub fn keep(&self) {
        let mut state = self.state();
        if state.noted == Noted::Pending {
            state.noted = Noted::Kept;
        }
    }

    /// Goes on from what was written down.
    pub fn resume(&self, position: Position) {
        *self.state() = State { position, ahead: 0, step: 0, noted: Noted::Kept };
    }
}

/// What a session remembers of the sequences that it has used.
#[derive(Debug, Default)]
pub struct SessionSequences(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    /// The last number of each.
    values: std::collections::HashMap<RelationId, i64>,
    last: Option<RelationId>,
    must_be_noted: bool,
}

impl SessionSequences {
    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `nextval`
    pub fn next(&self, sequence: &Relation) -> Result<i64> {
        let (options, counter) = parts(sequence)?;
        let drawn = counter.draw(&sequence.name, options)?;
        let mut used = self.used();
        used.values.insert(sequence.id, drawn.value);
        used.last = Some(sequence.id);
        used.must_be_noted |= drawn.must_be_noted;
        Ok(drawn.value)
    }

    /// `currval`
    pub fn current(&self, sequence: &Relation) -> Result<i64> {
        parts(sequence)?;
        self.used().values.get(&sequence.id).copied().ok_or_else(|| {
            let message =
                format!("currval of sequence \"{}\" is not yet defined in this session", sequence.name);
            SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        })
    }

    /// `lastval`; `exists` tells the sequences that are still there.
    pub fn last(&self, exists: impl FnOnce(RelationId) -> bool) -> Result<i64> {
        let used = self.used();
        let last = used.last.filter(|id| exists(*id)).and_then(|id| used.values.get(&id)).copied();
        last.ok_or_else(|| {
            let message = "lastval is not yet defined in this session";
            SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        })
    }

    /// `setval`
    pub fn set(&self, sequence: &Relation, value: i64, called: bool) -> Result<()> {
        let (options, counter) = parts(sequence)?;
        if !(options.min..=options.max).contains(&value) {
            let message = format!(
                "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                sequence.name, options.min, options.max
            );
            return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
        }
        counter.set(Position { last: value, called });
        let mut used = self.used();
        if called {
            used.values.insert(sequence.id, value);
        }
        used.must_be_noted = true;
        Ok(())
    }

    /// Whether numbers were used since this was last asked that might be handed out again after a crash.
    pub fn take_unnoted(&self) -> bool {
        std::mem::take(&mut self.used().must_be_noted)
    }

    /// `DISCARD SEQUENCES`
    pub fn forget(&self) {
        *self.used() = Used::default();
    }
}

fn parts(sequence: &Relation) -> Result<(&SequenceOptions, &Counter)> {
    match &sequence.kind {
        RelationKind::Sequence { options, counter, .. } => Ok((options, counter)),
        _ => {
            let message = format!("\"{}\" is not a sequence", sequence.name);
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
    }
}

fn exhausted(name: &str, options: &SequenceOptions) -> SqlError {
    let (which, limit) =
        if options.increment > 0 { ("maximum", options.max) } else { ("minimum", options.min) };
    let message = format!("nextval: reached {which} value of sequence \"{name}\" ({limit})");
    SqlError::new(SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED, message)
}

/// The columns that a sequence has as a relation.
pub fn sequence_columns() -> Vec<Column> {
    let column = |name: &str, sql_type| Column {
        name: name.to_owned(),
        sql_type,
        nullable: false,
        default: None,
        domain: None,
    };
    vec![
        column("last_value", SqlType::Int8),
        column("log_cnt", SqlType::Int8),
        column("is_called", SqlType::Boolean),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(counter: &Counter, options: &SequenceOptions, count: usize) -> Vec<Drawn> {
        (0..count).map(|_| counter.draw("s", options).unwrap()).collect()
    }

    #[test]
    fn what_was_noted_is_never_behind_what_was_handed_out() {
        let options = SequenceOptions::of_type(SqlType::Int8);
        let counter = Counter::new(&options);
        let mut noted = None;
        for round in 0..200 {
            let drawn = counter.draw("s", &options).unwrap();
            assert_eq!(drawn.value, round + 1);
            if drawn.must_be_noted {
                noted = counter.note(&options);
                counter.keep();
            }
            assert!(noted.unwrap().last >= drawn.value);
        }
        let resumed = Counter::new(&options);
        resumed.resume(noted.unwrap());
        assert!(resumed.draw("s", &options).unwrap().value > 200);
    }

    #[test]
    fn a_number_that_is_on_its_way_to_disk_must_be_waited_for() {
        let options = SequenceOptions::of_type(SqlType::Int8);
        let counter = Counter::new(&options);
        draws(&counter, &options, 1);
        counter.note(&options);
        assert!(draws(&counter, &options, 1)[0].must_be_noted);
        counter.keep();
        assert!(!draws(&counter, &options, 1)[0].must_be_noted);
    }

    #[test]
    fn ends_or_begins_again() {
        let mut options = SequenceOptions { max: 3, ..SequenceOptions::of_type(SqlType::Int2) };
        let counter = Counter::new(&options);
        draws(&counter, &options, 3);
        assert_eq!(counter.draw("s", &options).unwrap_err().sqlstate.code(), "2200H");
        counter.note(&options);
        counter.keep();
        options.cycle = true;
        assert_eq!(draws(&counter, &options, 1), [Drawn { value: 1, must_be_noted: true }]);
    }
}
