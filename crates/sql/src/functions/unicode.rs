//! The normal forms of Unicode.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BooleanArray, StringArray};
use datafusion::logical_expr::ScalarUDF;
use regex::Regex;
use springtide_types::SqlType::{Boolean, Text};
use springtide_types::{Result, SqlError, SqlState};
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd, is_nfkc, is_nfkd};

use super::typed::{Args, Gives, Typed, Variant, variant};

/// What `IS NORMALIZED` is called.
pub(crate) const IS_NORMALIZED: &str = "is_normalized";

const NORMALIZE: &[Variant] =
    &[Variant { parameters: &[Text, Text], required: 1, gives: Gives::One(Text), run: normalize }];
const ASSIGNED: &[Variant] = &[variant(&[Text], Gives::One(Boolean), assigned)];
const NORMALIZED: &[Variant] = &[variant(&[Text, Text], Gives::One(Boolean), is_normalized)];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        Typed::udf("normalize", NORMALIZE),
        Typed::udf(IS_NORMALIZED, NORMALIZED),
        Typed::udf("unicode_assigned", ASSIGNED),
    ]
}

/// Whether all characters of a text have a meaning.
fn assigned(args: &Args<'_>) -> Result<ArrayRef> {
    static UNASSIGNED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\p{Cn}").expect("a class of characters"));
    let values = args.text(0);
    let assigned = |row| values.get(row).map(|text| !UNASSIGNED.is_match(text));
    Ok(Arc::new((0..args.rows).map(assigned).collect::<BooleanArray>()))
}

enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

impl Form {
    fn named(name: &str) -> Result<Form> {
        Ok(match name.to_uppercase().as_str() {
            "NFC" => Form::Nfc,
            "NFD" => Form::Nfd,
            "NFKC" => Form::Nfkc,
            "NFKD" => Form::Nfkd,
            _ => {
                let message = format!("invalid normalization form: {name}");
                return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
        })
    }
}

fn normalize(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, forms) = (args.text(0), args.text_or(1, "NFC"));
    let normalized = |row| {
        let (Some(text), Some(form)) = (values.get(row), forms.get(row)) else { return Ok(None) };
        Ok(Some(match Form::named(form)? {
            Form::Nfc => text.nfc().collect::<String>(),
            Form::Nfd => text.nfd().collect(),
            Form::Nfkc => text.nfkc().collect(),
            Form::Nfkd => text.nfkd().collect(),
        }))
    };
    Ok(Arc::new((0..args.rows).map(normalized).collect::<Result<StringArray>>()?))
}

fn is_normalized(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, forms) = (args.text(0), args.text(1));
    let normalized = |row| {
        let (Some(text), Some(form)) = (values.get(row), forms.get(row)) else { return Ok(None) };
        Ok(Some(match Form::named(form)? {
            Form::Nfc => is_nfc(text),
            Form::Nfd => is_nfd(text),
            Form::Nfkc => is_nfkc(text),
            Form::Nfkd => is_nfkd(text),
        }))
    };
    Ok(Arc::new((0..args.rows).map(normalized).collect::<Result<BooleanArray>>()?))
}
