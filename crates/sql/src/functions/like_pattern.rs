use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState};

use crate::errors::external;

/// `like_pattern(pattern, escape)` is the pattern with a backslash for its escape character, since DataFusion's
/// LIKE takes no other.
pub(crate) const LIKE_PATTERN: &str = "$like_pattern";

pub(super) fn function() -> Arc<ScalarUDF> {
    let texts = vec![DataType::Utf8, DataType::Utf8];
    Arc::new(ScalarUDF::from(LikePattern { signature: Signature::exact(texts, Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LikePattern {
    signature: Signature,
}

impl ScalarUDFImpl for LikePattern {
    fn name(&self) -> &str {
        LIKE_PATTERN
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let patterns = args.args[0].to_array(args.number_rows)?;
        let escapes = args.args[1].to_array(args.number_rows)?;
        let rows = patterns.as_string::<i32>().iter().zip(escapes.as_string::<i32>());
        let texts = rows.map(|row| match row {
            (Some(pattern), Some(escape)) => with_backslashes(pattern, escape).map(Some).map_err(external),
            _ => Ok(None),
        });
        Ok(ColumnarValue::Array(Arc::new(texts.collect::<Result<StringArray>>()?)))
    }
}

fn with_backslashes(pattern: &str, escape: &str) -> springtide_types::Result<String> {
    let mut letters = escape.chars();
    let (escape, None) = (letters.next(), letters.next()) else {
        let error = SqlError::new(SqlState::from_code("22019"), "invalid escape string");
        return Err(error.with_hint("Escape string must be empty or one character."));
    };
    let mut written = String::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    while let Some(letter) = rest.next() {
        if Some(letter) == escape {
            // One at the end escapes nothing, and no text matches it but itself.
            let literal = rest.next().unwrap_or(letter);
            written.push('\\');
            written.push(literal);
        } else {
            written.extend((letter == '\\').then_some('\\'));
            written.push(letter);
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_backslashes() {
        assert_eq!(with_backslashes("pg/_%", "/").unwrap(), r"pg\_%");
        assert_eq!(with_backslashes("a//b", "/").unwrap(), r"a\/b");
        assert_eq!(with_backslashes(r"a\b", "/").unwrap(), r"a\\b");
        assert_eq!(with_backslashes(r"a\b", "").unwrap(), r"a\\b");
        assert_eq!(with_backslashes("a/", "/").unwrap(), r"a\/");
        assert!(with_backslashes("a", "//").is_err());
    }
}
