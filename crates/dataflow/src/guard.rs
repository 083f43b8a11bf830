use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use springtide_types::SqlError;

/// Runs work on behalf of one view. A panic becomes an error of that view: the other views of the worker
/// must go on. What the work was changing may be left half done, so the view must stay in error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}

fn panicked(panic: &(dyn Any + Send)) -> SqlError {
    let message = panic.downcast_ref::<&str>().map(|message| (*message).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    SqlError::internal("the maintenance of a view failed").with_detail(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let error = guarded::<()>(|| panic!("lost {}", 7)).unwrap_err();
        assert_eq!(error.detail.as_deref(), Some("lost 7"));
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
