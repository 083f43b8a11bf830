//! The options of a COPY, checked as PostgreSQL 15 checks them.

use springtide_sql::{CopyOption, CopyValue};
use springtide_types::{Result, SqlError, SqlState};

use super::{Encoding, Format, Header};

/// The format that options ask for. `columns` are those that are copied, `into_table` that they come in.
pub(crate) fn format(options: &[CopyOption], columns: &[String], into_table: bool) -> Result<Format> {
    let mut given = Given::default();
    for option in options {
        given.take(option)?;
    }
    given.check(into_table)?;
    let csv = given.encoding == Some(Encoding::Csv);
    let usual = if csv { Format::csv() } else { Format::text() };
    let quote = given.quote.unwrap_or(usual.quote);
    let format = Format {
        encoding: given.encoding.unwrap_or(Encoding::Text),
        delimiter: given.delimiter.unwrap_or(usual.delimiter),
        quote,
        escape: given.escape.unwrap_or(quote),
        null: given.null.unwrap_or(usual.null),
        header: given.header.unwrap_or(Header::None),
        force_quote: chosen("FORCE_QUOTE", given.force_quote, columns)?,
        force_not_null: chosen("FORCE_NOT_NULL", given.force_not_null, columns)?,
        force_null: chosen("FORCE_NULL", given.force_null, columns)?,
    };
    check_characters(&format)?;
    Ok(format)
}

/// What was said.
#[derive(Default)]
struct Given {
    encoding: Option<Encoding>,
    delimiter: Option<u8>,
    null: Option<String>,
    quote: Option<u8>,
    escape: Option<u8>,
    header: Option<Header>,
    force_quote: Option<Columns>,
    force_not_null: Option<Columns>,
    force_null: Option<Columns>,
    freeze: Option<bool>,
    client_encoding: Option<()>,
}

enum Columns {
    All,
    Named(Vec<String>),
}

impl Given {
    fn take(&mut self, option: &CopyOption) -> Result<()> {
        let name = option.name.as_str();
        match name {
            "format" => once(&mut self.encoding, encoding(&text(option)?)?),
            "delimiter" => once(&mut self.delimiter, one_byte("delimiter", &text(option)?)?),
            "null" => once(&mut self.null, text(option)?),
            "quote" => once(&mut self.quote, one_byte("quote", &text(option)?)?),
            "escape" => once(&mut self.escape, one_byte("escape", &text(option)?)?),
            "header" => once(&mut self.header, header(option)?),
            "force_quote" => once(&mut self.force_quote, columns(option, true)?),
            "force_not_null" => once(&mut self.force_not_null, columns(option, false)?),
            "force_null" => once(&mut self.force_null, columns(option, false)?),
            "freeze" => {
                let freeze = boolean(option).ok_or_else(|| {
                    SqlError::new(SqlState::SYNTAX_ERROR, "freeze requires a Boolean value")
                })?;
                once(&mut self.freeze, freeze)
            }
            "encoding" if text(option)?.to_lowercase().replace('-', "") == "utf8" => {
                once(&mut self.client_encoding, ())
            }
            "encoding" => Err(SqlError::unsupported(format!("COPY in the encoding \"{}\"", text(option)?))),
            other => {
                let message = format!("option \"{other}\" not recognized");
                Err(SqlError::new(SqlState::SYNTAX_ERROR, message))
            }
        }
    }

    fn check(&self, into_table: bool) -> Result<()> {
        let syntax = |message: &str| Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        let refused = |message: &str| Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        let binary = self.encoding == Some(Encoding::Binary);
        let csv = self.encoding == Some(Encoding::Csv);
        if binary && self.delimiter.is_some() {
            return syntax("cannot specify DELIMITER in BINARY mode");
        }
        if binary && self.null.is_some() {
            return syntax("cannot specify NULL in BINARY mode");
        }
        if binary && self.header.is_some_and(|header| header != Header::None) {
            return refused("cannot specify HEADER in BINARY mode");
        }
        let in_csv_alone = [
            ("quote", self.quote.is_some()),
            ("escape", self.escape.is_some()),
            ("force quote", self.force_quote.is_some()),
            ("force not null", self.force_not_null.is_some()),
            ("force null", self.force_null.is_some()),
        ];
        if let Some((option, _)) = in_csv_alone.iter().find(|(_, given)| *given && !csv) {
            return refused(&format!("COPY {option} available only in CSV mode"));
        }
        if self.force_quote.is_some() && into_table {
            return refused("COPY force quote only available using COPY TO");
        }
        if self.force_not_null.is_some() && !into_table {
            return refused("COPY force not null only available using COPY FROM");
        }
        if self.force_null.is_some() && !into_table {
            return refused("COPY force null only available using COPY FROM");
        }
        if self.header == Some(Header::Match) && !into_table {
            let message = "cannot use \"match\" with HEADER in COPY TO";
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(SqlError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options")),
    }
}

fn encoding(name: &str) -> Result<Encoding> {
    match name {
        "text" => Ok(Encoding::Text),
        "csv" => Ok(Encoding::Csv),
        "binary" => Ok(Encoding::Binary),
        other => {
            let message = format!("COPY format \"{other}\" not recognized");
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

fn text(option: &CopyOption) -> Result<String> {
    match &option.value {
        CopyValue::Text(text) => Ok(text.clone()),
        _ => {
            let message = format!("{} requires a parameter", option.name);
            Err(SqlError::new(SqlState::SYNTAX_ERROR, message))
        }
    }
}

fn boolean(option: &CopyOption) -> Option<bool> {
    match &option.value {
        CopyValue::None => Some(true),
        CopyValue::Text(text) => match text.to_lowercase().as_str() {
            "true" | "on" | "1" => Some(true),
            "false" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn header(option: &CopyOption) -> Result<Header> {
    if matches!(&option.value, CopyValue::Text(text) if text.eq_ignore_ascii_case("match")) {
        return Ok(Header::Match);
    }
    match boolean(option) {
        Some(true) => Ok(Header::Names),
        Some(false) => Ok(Header::None),
        None => {
            let message = "header requires a Boolean value or \"match\"";
            Err(SqlError::new(SqlState::SYNTAX_ERROR, message))
        }
    }
}

fn columns(option: &CopyOption, may_be_all: bool) -> Result<Columns> {
    match &option.value {
        CopyValue::All if may_be_all => Ok(Columns::All),
        CopyValue::Columns(names) => Ok(Columns::Named(names.clone())),
        _ => {
            let message = format!("argument to option \"{}\" must be a list of column names", option.name);
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

/// For each column whether it is one of those that an option names.
fn chosen(option: &str, named: Option<Columns>, columns: &[String]) -> Result<Vec<bool>> {
    let names = match named {
        None => return Ok(vec![false; columns.len()]),
        Some(Columns::All) => return Ok(vec![true; columns.len()]),
        Some(Columns::Named(names)) => names,
    };
    if let Some(name) = names.iter().find(|name| !columns.contains(name)) {
        let message = format!("{option} column \"{name}\" not referenced by COPY");
        return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
    }
    Ok(columns.iter().map(|column| names.contains(column)).collect())
}

fn one_byte(option: &str, value: &str) -> Result<u8> {
    match value.as_bytes() {
        [byte] => Ok(*byte),
        _ => {
            let message = format!("COPY {option} must be a single one-byte character");
            Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
        }
    }
}

fn check_characters(format: &Format) -> Result<()> {
    let invalid = |message: String| Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    let delimiter = char::from(format.delimiter);
    if "\r\n".contains(delimiter) {
        return invalid("COPY delimiter cannot be newline or carriage return".to_owned());
    }
    if format.null.contains(['\r', '\n']) {
        return invalid("COPY null representation cannot use newline or carriage return".to_owned());
    }
    let csv = format.encoding == Encoding::Csv;
    if !csv && "\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(delimiter) {
        return invalid(format!("COPY delimiter cannot be \"{delimiter}\""));
    }
    if csv && format.delimiter == format.quote {
        return invalid("COPY delimiter and quote must be different".to_owned());
    }
    if format.null.contains(delimiter) {
        return invalid("COPY delimiter must not appear in the NULL specification".to_owned());
    }
    if csv && format.null.contains(char::from(format.quote)) {
        return invalid("CSV quote character must not appear in the NULL specification".to_owned());
    }
    Ok(())
}
