use springtide_state::Frozen;
use springtide_types::{Epoch, ErrorDelta, SqlError, ZBatch};

/// What an operator is asked to do next.
#[derive(Debug)]
pub enum Input {
    /// One delta of the epoch in progress, on this input port. An epoch may bring any number of them.
    Delta(usize, ZBatch),
    /// Go on with the work that the last step left over.
    Resume,
    /// Every delta of this epoch has been given: emit what is still owed for it.
    EndOfEpoch(Epoch),
}

/// Whether a step finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Ready for the next delta.
    Done,
    /// The row budget ran out first: call again with [`Input::Resume`] before anything else.
    More,
}

/// What a step emits: rows, and errors of rows whose expressions failed.
#[derive(Debug, Default)]
pub struct Output {
    /// Deltas of the result. Their sum over the epoch is what counts.
    pub rows: Vec<ZBatch>,
    /// Errors that appear or go away.
    pub errors: Vec<ErrorDelta>,
}

impl Output {
    /// Emits a delta, unless it is empty.
    pub fn push(&mut self, delta: ZBatch) {
        if !delta.is_empty() {
            self.rows.push(delta);
        }
    }

    /// Emits an error that `weight` more rows cause.
    pub fn push_error(&mut self, error: SqlError, weight: i64) {
        if weight != 0 {
            self.errors.push(ErrorDelta { error, weight });
        }
    }
}

/// An incremental operator: `step(Δin) → Δout`, with state of its own.
///
/// Epochs come in order: after [`Input::EndOfEpoch`] of one epoch only deltas of later epochs follow.
/// A delta may hold any weights, the same row several times, and rows that cancel each other.
pub trait Operator: Send {
    /// Takes one input. Rows that fail go to [`Output::errors`] under their weight, so that the error goes
    /// away with the row; an `Err` is a broken invariant and puts the view into error for good.
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError>;

    /// What is kept from one epoch to the next; called between two epochs. Shares buffers where it can, and is O(state)
    /// at most. Whoever keeps nothing has nothing to do here.
    fn freeze(&self) -> Frozen {
        Frozen::default()
    }

    /// Takes over what the operator of the same plan node froze, before the first input.
    fn restore(&mut self, _state: &mut Frozen) -> Result<(), SqlError> {
        Ok(())
    }

    /// Bytes of state held.
    fn state_bytes(&self) -> usize {
        0
    }
}
