//! The text and CSV formats.

use springtide_types::{Result, SqlError, SqlState};

use super::{Encoding, Format, Header};

/// The fields of one line; `None` is NULL.
pub(crate) type Line = Vec<Option<String>>;

/// Cuts a stream of bytes into lines of fields.
pub(crate) struct Lines {
    format: Format,
    buffer: Vec<u8>,
    /// Where in `buffer` the next line begins.
    start: usize,
    ended: bool,
    /// Whether the next line is the header.
    at_header: bool,
    /// The columns that the lines hold.
    columns: Vec<String>,
}

impl Lines {
    pub(crate) fn new(format: Format, columns: Vec<String>) -> Lines {
        let at_header = format.header != Header::None;
        Lines { format, buffer: Vec::new(), start: 0, ended: false, at_header, columns }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// No more bytes follow: the last line may lack its newline.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The next whole line, if it has arrived.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line>> {
        loop {
            let rest = &self.buffer[self.start..];
            let Some(length) = self.line_length(rest)? else { return Ok(None) };
            let mut line = &rest[..length];
            self.start += (length + 1).min(rest.len());
            if line.last() == Some(&b'\r') {
                line = &line[..length - 1];
            }
            if std::mem::take(&mut self.at_header) {
                if self.format.header == Header::Match {
                    self.check_header(line)?;
                }
                continue;
            }
            if line == b"\\." {
                self.start = self.buffer.len();
                self.ended = true;
                return Ok(None);
            }
            return self.fields(line).map(Some);
        }
    }

    fn is_csv(&self) -> bool {
        self.format.encoding == Encoding::Csv
    }

    fn fields(&self, line: &[u8]) -> Result<Line> {
        if self.is_csv() { self.csv_fields(line) } else { self.text_fields(line) }
    }

    /// Fails unless the header names the columns.
    fn check_header(&self, line: &[u8]) -> Result<()> {
        let names = self.fields(line)?;
        let bad = |message: String| Err(SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message));
        if names.len() != self.columns.len() {
            let (got, expected) = (names.len(), self.columns.len());
            return bad(format!("wrong number of fields in header line: got {got}, expected {expected}"));
        }
        for (position, (got, expected)) in names.iter().zip(&self.columns).enumerate() {
            let field = position + 1;
            match got {
                Some(got) if got == expected => {}
                Some(got) => {
                    return bad(format!(
                        "column name mismatch in header line field {field}: got \"{got}\", expected \"{expected}\""
                    ));
                }
                None => {
                    let null = &self.format.null;
                    return bad(format!(
                        "column name mismatch in header line field {field}: got null value (\"{null}\"), expected \"{expected}\""
                    ));
                }
            }
        }
        Ok(())
    }

    /// Length of the first line without its newline; `None` if it has not arrived whole.
    fn line_length(&self, rest: &[u8]) -> Result<Option<usize>> {
        let mut quoted = false;
        let mut position = 0;
        while position < rest.len() {
            let byte = rest[position];
            if self.is_csv()
                && quoted
                && byte == self.format.escape
                && self.format.escape != self.format.quote
            {
                position += 1;
            } else if self.is_csv() && byte == self.format.quote {
                quoted = !quoted;
            } else if !self.is_csv() && byte == b'\\' {
                position += 1;
            } else if byte == b'\n' && !quoted {
                return Ok(Some(position));
            }
            position += 1;
        }
        if !self.ended || rest.is_empty() {
            return Ok(None);
        }
        if quoted {
            return Err(SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field"));
        }
        Ok(Some(rest.len()))
    }

    fn text_fields(&self, line: &[u8]) -> Result<Line> {
        let mut fields = Vec::new();
        let mut start = 0;
        let mut position = 0;
        while position < line.len() {
            if line[position] == b'\\' {
                position += 1;
            } else if line[position] == self.format.delimiter {
                fields.push(self.text_field(&line[start..position])?);
                start = position + 1;
            }
            position += 1;
        }
        fields.push(self.text_field(&line[start..])?);
        Ok(fields)
    }

    fn text_field(&self, raw: &[u8]) -> Result<Option<String>> {
        if raw == self.format.null.as_bytes() {
            return Ok(None);
        }
        utf8(if raw.contains(&b'\\') { unescape(raw) } else { raw.to_vec() }).map(Some)
    }

    fn csv_fields(&self, line: &[u8]) -> Result<Line> {
        let Format { delimiter, quote, escape, .. } = &self.format;
        let (delimiter, quote, escape) = (*delimiter, *quote, *escape);
        let mut fields = Vec::new();
        let mut field = Vec::new();
        let (mut in_quotes, mut was_quoted) = (false, false);
        let mut position = 0;
        while position < line.len() {
            let byte = line[position];
            let next = line.get(position + 1).copied();
            if in_quotes && byte == escape && next.is_some_and(|next| next == quote || next == escape) {
                field.push(line[position + 1]);
                position += 1;
            } else if byte == quote {
                in_quotes = !in_quotes;
                was_quoted = true;
            } else if byte == delimiter && !in_quotes {
                fields.push(self.csv_field(fields.len(), std::mem::take(&mut field), was_quoted)?);
                was_quoted = false;
            } else {
                field.push(byte);
            }
            position += 1;
        }
        fields.push(self.csv_field(fields.len(), field, was_quoted)?);
        Ok(fields)
    }

    fn csv_field(&self, column: usize, field: Vec<u8>, was_quoted: bool) -> Result<Option<String>> {
        let forced = |columns: &[bool]| columns.get(column) == Some(&true);
        let may_be_null =
            if was_quoted { forced(&self.format.force_null) } else { !forced(&self.format.force_not_null) };
        if may_be_null && field == self.format.null.as_bytes() {
            return Ok(None);
        }
        utf8(field).map(Some)
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| {
        SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"")
    })
}

/// Resolves the backslash sequences of the text format.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        match bytes.next() {
            None => plain.push(b'\\'),
            Some(b'b') => plain.push(8),
            Some(b'f') => plain.push(12),
            Some(b'n') => plain.push(b'\n'),
            Some(b'r') => plain.push(b'\r'),
            Some(b't') => plain.push(b'\t'),
            Some(b'v') => plain.push(11),
            Some(b'x') => {
                let mut value = None;
                while let Some(digit) = bytes.peek().and_then(|byte| (*byte as char).to_digit(16)) {
                    if value.is_some_and(|value: u32| value > 15) {
                        break;
                    }
                    value = Some(value.unwrap_or(0) * 16 + digit);
                    bytes.next();
                }
                plain.push(value.map_or(b'x', |value| value as u8));
            }
            Some(first @ b'0'..=b'7') => {
                let mut value = u32::from(first - b'0');
                for _ in 0..2 {
                    let Some(digit) = bytes.peek().and_then(|byte| (*byte as char).to_digit(8)) else {
                        break;
                    };
                    value = value * 8 + digit;
                    bytes.next();
                }
                plain.push(value as u8);
            }
            Some(other) => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: Format, chunks: &[&str]) -> String {
        let mut cut = Lines::new(format, vec!["a".to_owned()]);
        let mut lines = Vec::new();
        for chunk in chunks {
            cut.push(chunk.as_bytes());
            while let Some(line) = cut.next_line().unwrap() {
                lines.push(line);
            }
        }
        cut.end();
        while let Some(line) = cut.next_line().unwrap() {
            lines.push(line);
        }
        let field =
            |field: &Option<String>| field.as_ref().map_or("NULL".to_owned(), |text| format!("{text:?}"));
        let lines = lines.iter().map(|line| line.iter().map(field).collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn text_format() {
        let text = |chunks: &[&str]| lines(Format::text(), chunks);
        assert_eq!(text(&["1\ta\n2\t\\N\n"]), r#""1" "a" | "2" NULL"#);
        assert_eq!(text(&["1\t", "a", "\n2\tb"]), r#""1" "a" | "2" "b""#);
        assert_eq!(text(&["a\\tb\t\\\\N\t\\x41\\101\n"]), r#""a\tb" "\\N" "AA""#);
        assert_eq!(text(&["a\n\\.\nnever read\n"]), r#""a""#);
        assert_eq!(text(&["\t\n"]), r#""" """#);
        assert_eq!(text(&["one\r\ntwo\r\n"]), r#""one" | "two""#);
        assert_eq!(text(&["line\\\nbreak\n"]), r#""line\nbreak""#);
        assert_eq!(text(&["a\\"]), r#""a\\""#);
    }

    #[test]
    fn csv_format() {
        let csv = |chunks: &[&str]| lines(Format::csv(), chunks);
        assert_eq!(csv(&["1,a\n2,\n"]), r#""1" "a" | "2" NULL"#);
        assert_eq!(csv(&["1,\"\"\n"]), r#""1" """#);
        assert_eq!(csv(&["\"a,\"\"b\"\"\nc\",d\n"]), r#""a,\"b\"\nc" "d""#);
        assert_eq!(csv(&["\"a\nb", "c\"\n"]), r#""a\nbc""#);
        assert_eq!(lines(Format { header: Header::Names, ..Format::csv() }, &["h\n1\n"]), r#""1""#);
    }

    #[test]
    fn what_stands_for_null_in_csv() {
        let forced = |not_null, null| Format {
            force_not_null: vec![not_null],
            force_null: vec![null],
            ..Format::csv()
        };
        assert_eq!(lines(forced(true, false), &["\n\"\"\n"]), r#""" | """#);
        assert_eq!(lines(forced(false, true), &["\n\"\"\n"]), "NULL | NULL");
    }

    #[test]
    fn a_header_that_must_match() {
        let check = |data: &str| {
            let format = Format { header: Header::Match, ..Format::csv() };
            let mut lines = Lines::new(format, vec!["a".to_owned()]);
            lines.push(data.as_bytes());
            lines.next_line().map_err(|error| error.message)
        };
        assert_eq!(check("a\n1\n"), Ok(Some(vec![Some("1".to_owned())])));
        assert_eq!(
            check("b\n1\n").unwrap_err(),
            "column name mismatch in header line field 1: got \"b\", expected \"a\""
        );
        assert_eq!(check("a,b\n").unwrap_err(), "wrong number of fields in header line: got 2, expected 1");
    }

    #[test]
    fn an_open_quote_is_an_error() {
        let mut lines = Lines::new(Format::csv(), vec!["a".to_owned()]);
        lines.push(b"\"open");
        assert!(lines.next_line().unwrap().is_none());
        lines.end();
        assert_eq!(lines.next_line().unwrap_err().sqlstate, SqlState::BAD_COPY_FILE_FORMAT);
    }
}
