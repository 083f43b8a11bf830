//! Between arrays and texts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListBuilder, StringArray, StringBuilder};
use springtide_types::Result;

use super::polymorphic::Args;
use crate::convert::element_texts;
use crate::lists::{compact, range};

/// `array_to_string(array, delimiter [, null])`. Without a text for them, NULLs are left out.
pub(super) fn joined(args: &Args) -> Result<ArrayRef> {
    let (arrays, delimiter) = (args.column(0), args.column(1));
    let lists = compact(arrays.lists())?;
    let texts = element_texts(lists.values())?;
    let text = |row: usize| {
        let (at, delimiter) = (arrays.at(row)?, delimiter.text(row)?);
        let null = args.optional(2).and_then(|null| null.text(row));
        let texts =
            range(&lists, at).filter_map(|at| if texts.is_null(at) { null } else { Some(texts.value(at)) });
        Some(texts.collect::<Vec<_>>().join(delimiter))
    };
    Ok(Arc::new((0..args.rows).map(text).collect::<StringArray>()))
}

/// `string_to_array(text, delimiter [, null])`. Without a delimiter, each letter is an element.
pub(super) fn parted(args: &Args) -> Result<ArrayRef> {
    let (texts, delimiters) = (args.column(0), args.column(1));
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..args.rows {
        let Some(text) = texts.text(row) else {
            lists.append_null();
            continue;
        };
        let null = args.optional(2).and_then(|null| null.text(row));
        for part in parts(text, delimiters.text(row)) {
            lists.values().append_option((Some(part) != null).then_some(part));
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

fn parts<'a>(text: &'a str, delimiter: Option<&'a str>) -> Vec<&'a str> {
    match delimiter {
        _ if text.is_empty() => Vec::new(),
        None => text.split("").filter(|letter| !letter.is_empty()).collect(),
        Some("") => vec![text],
        Some(delimiter) => text.split(delimiter).collect(),
    }
}
