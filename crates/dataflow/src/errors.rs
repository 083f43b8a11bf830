use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use springtide_types::{Epoch, ErrorDelta, SqlError};

/// The errors that the operators of one view on one worker have raised and its sink has not yet taken.
///
/// They bypass the streams. That is sound because an operator holds a capability for an epoch for as long
/// as it may still raise errors in it: when the frontier of the sink has passed an epoch, its errors are here.
#[derive(Clone, Default)]
pub(crate) struct ErrorLog(Rc<RefCell<BTreeMap<Epoch, Vec<ErrorDelta>>>>);

impl ErrorLog {
    /// Adds errors that appear or go away at `epoch`.
    pub(crate) fn extend(&self, epoch: Epoch, errors: impl IntoIterator<Item = ErrorDelta>) {
        let mut errors = errors.into_iter().peekable();
        if errors.peek().is_some() {
            self.0.borrow_mut().entry(epoch).or_default().extend(errors);
        }
    }

    /// Adds an error that never goes away: a broken invariant of ours.
    pub(crate) fn poison(&self, epoch: Epoch, error: SqlError) {
        self.extend(epoch, [ErrorDelta { error, weight: 1 }]);
    }

    /// The first epoch that has errors.
    pub(crate) fn first_epoch(&self) -> Option<Epoch> {
        self.0.borrow().keys().next().copied()
    }

    /// Takes the errors of an epoch.
    pub(crate) fn take(&self, epoch: Epoch) -> Vec<ErrorDelta> {
        self.0.borrow_mut().remove(&epoch).unwrap_or_default()
    }
}
