//! The moments that statements read at, as epochs.

use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::TimestampMicrosecondType;
use springtide_types::{Epoch, Result, SqlError, SqlState, SqlType};

/// A moment in microseconds since 1970 UTC, not known to lie in the past.
pub(crate) type Moment = i64;

/// This moment.
pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::try_from(since.as_micros()).unwrap_or(Moment::MAX)
}

/// The moment that a text stands for.
pub(crate) fn parse_moment(text: &str) -> Result<Moment> {
    let parsed = springtide_sql::parse_text(&StringArray::from(vec![text]), SqlType::Timestamptz)?;
    Ok(parsed.as_primitive::<TimestampMicrosecondType>().value(0))
}

/// The epoch at which a reader that stands at `present` reads a moment. A moment of which it has not seen the end
/// is its present. Fails with `22023` if the moment lies in the future.
pub(crate) fn epoch_at(moment: Moment, present: Epoch) -> Result<Epoch> {
    let epoch = Epoch::try_from(moment).unwrap_or(0);
    if epoch <= present {
        return Ok(epoch);
    }
    if moment <= now() {
        return Ok(present);
    }
    let message = "cannot read as of a moment in the future";
    Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
        .with_hint("Read as of now() or of a moment before."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_epochs_up_to_now() {
        assert_eq!(epoch_at(7, 10).unwrap(), 7);
        assert_eq!(epoch_at(-1, 10).unwrap(), 0);
        assert_eq!(epoch_at(11, 10).unwrap(), 10);
        let error = epoch_at(Moment::MAX, 10).unwrap_err();
        assert_eq!(error.sqlstate, SqlState::INVALID_PARAMETER_VALUE);
    }
}
