//! The formats of COPY, as chapter "COPY" of the PostgreSQL 15 manual gives them: bytes in, lines of fields out.

mod lines;
mod options;
mod tuples;

pub(crate) use lines::Lines;
pub(crate) use options::format;
pub(crate) use tuples::Tuples;

/// How the data of a COPY is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// The kind of format.
    pub encoding: Encoding,
    /// What stands between fields.
    pub delimiter: u8,
    /// What stands around fields in CSV.
    pub quote: u8,
    /// What stands before a quote in a field in CSV.
    pub escape: u8,
    /// What stands for NULL.
    pub null: String,
    /// The first line.
    pub header: Header,
    /// By column, whether all values are quoted in CSV.
    pub force_quote: Vec<bool>,
    /// By column, whether no unquoted value stands for NULL in CSV.
    pub(crate) force_not_null: Vec<bool>,
    /// By column, whether a quoted value stands for NULL as well in CSV.
    pub(crate) force_null: Vec<bool>,
}

/// The kinds of formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Lines with escapes.
    Text,
    /// Comma-separated values.
    Csv,
    /// The binary format of each type.
    Binary,
}

/// Whether the names of the columns are the first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// They are not.
    None,
    /// They are, and what is read need not be them.
    Names,
    /// They are, and what is read must be them.
    Match,
}

impl Format {
    fn text() -> Format {
        Format {
            encoding: Encoding::Text,
            delimiter: b'\t',
            quote: b'"',
            escape: b'"',
            null: "\\N".to_owned(),
            header: Header::None,
            force_quote: Vec::new(),
            force_not_null: Vec::new(),
            force_null: Vec::new(),
        }
    }

    fn csv() -> Format {
        Format { encoding: Encoding::Csv, delimiter: b',', null: String::new(), ..Format::text() }
    }
}
