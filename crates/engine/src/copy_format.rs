//! The text and CSV formats of COPY, as chapter "COPY" of the PostgreSQL 15 manual gives them: bytes in,
//! lines of fields out.

use springtide_types::{Result, SqlError, SqlState};

/// How lines and fields are told apart.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    pub(crate) csv: bool,
    pub(crate) delimiter: u8,
    pub(crate) quote: u8,
    pub(crate) escape: u8,
    pub(crate) null: String,
    pub(crate) header: bool,
}

impl Format {
    pub(crate) fn text() -> Format {
        Format {
            csv: false,
            delimiter: b'\t',
            quote: b'"',
            escape: b'"',
            null: "\\N".to_owned(),
            header: false,
        }
    }

    pub(crate) fn csv() -> Format {
        Format { csv: true, delimiter: b',', null: String::new(), ..Format::text() }
    }
}

/// The fields of one line, one after the other. Used again for each line.
#[derive(Default)]
pub(crate) struct Line {
    bytes: Vec<u8>,
    /// Where each field ends, and whether it is there rather than NULL.
    fields: Vec<(usize, bool)>,
}

impl Line {
    fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
    }

    /// Number of fields.
    pub(crate) fn width(&self) -> usize {
        self.fields.len()
    }

    /// The fields; `None` is NULL. Fails with `22021` at one that is no text.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Result<Option<&str>>> {
        let starts = std::iter::once(0).chain(self.fields.iter().map(|(end, _)| *end));
        starts
            .zip(&self.fields)
            .map(|(start, (end, is_there))| is_there.then(|| utf8(&self.bytes[start..*end])).transpose())
    }

    fn start(&self) -> usize {
        self.fields.last().map_or(0, |(end, _)| *end)
    }

    /// Ends a field, which consists of the bytes since the last one; `null` is NULL.
    fn end_field(&mut self, null: Option<&str>) {
        let is_null = null.is_some_and(|null| self.bytes[self.start()..] == *null.as_bytes());
        if is_null {
            self.bytes.truncate(self.start());
        }
        self.fields.push((self.bytes.len(), !is_null));
    }

    /// Ends a field that stands for these bytes of the text format.
    fn push_text(&mut self, raw: &[u8], null: &str) {
        if raw == null.as_bytes() {
            self.fields.push((self.bytes.len(), false));
            return;
        }
        if raw.contains(&b'\\') {
            unescape(raw, &mut self.bytes);
        } else {
            self.bytes.extend_from_slice(raw);
        }
        self.fields.push((self.bytes.len(), true));
    }
}

/// Cuts a stream of bytes into lines of fields.
pub(crate) struct Splitter {
    format: Format,
    buffer: Vec<u8>,
    /// Where in `buffer` the next line begins.
    start: usize,
    ended: bool,
    skip_header: bool,
}

impl Splitter {
    pub(crate) fn new(format: Format) -> Splitter {
        let skip_header = format.header;
        Splitter { format, buffer: Vec::new(), start: 0, ended: false, skip_header }
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

    /// Puts the fields of the next whole line in the place of those of `fields`; false if it has not arrived.
    pub(crate) fn next_line(&mut self, fields: &mut Line) -> Result<bool> {
        loop {
            let rest = &self.buffer[self.start..];
            let Some(length) = self.line_length(rest)? else { return Ok(false) };
            let mut line = &rest[..length];
            let next = self.start + (length + 1).min(rest.len());
            if line.last() == Some(&b'\r') {
                line = &line[..length - 1];
            }
            if std::mem::take(&mut self.skip_header) {
                self.start = next;
                continue;
            }
            if line == b"\\." {
                self.start = self.buffer.len();
                self.ended = true;
                return Ok(false);
            }
            fields.clear();
            if self.format.csv {
                self.csv_fields(line, fields)
            } else {
                self.text_fields(line, fields)
            }
            self.start = next;
            return Ok(true);
        }
    }

    /// Length of the first line without its newline; `None` if it has not arrived whole.
    fn line_length(&self, rest: &[u8]) -> Result<Option<usize>> {
        let mut quoted = false;
        let mut position = 0;
        while position < rest.len() {
            let byte = rest[position];
            if self.format.csv
                && quoted
                && byte == self.format.escape
                && self.format.escape != self.format.quote
            {
                position += 1;
            } else if self.format.csv && byte == self.format.quote {
                quoted = !quoted;
            } else if !self.format.csv && byte == b'\\' {
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

    fn text_fields(&self, line: &[u8], fields: &mut Line) {
        let mut start = 0;
        let mut position = 0;
        while position < line.len() {
            if line[position] == b'\\' {
                position += 1;
            } else if line[position] == self.format.delimiter {
                fields.push_text(&line[start..position], &self.format.null);
                start = position + 1;
            }
            position += 1;
        }
        fields.push_text(&line[start..], &self.format.null);
    }

    fn csv_fields(&self, line: &[u8], fields: &mut Line) {
        let Format { delimiter, quote, escape, .. } = self.format;
        let (mut in_quotes, mut was_quoted) = (false, false);
        let null = |was_quoted: bool| (!was_quoted).then_some(self.format.null.as_str());
        let mut position = 0;
        while position < line.len() {
            let byte = line[position];
            let next = line.get(position + 1).copied();
            if in_quotes && byte == escape && next.is_some_and(|next| next == quote || next == escape) {
                fields.bytes.push(line[position + 1]);
                position += 1;
            } else if byte == quote {
                in_quotes = !in_quotes;
                was_quoted = true;
            } else if byte == delimiter && !in_quotes {
                fields.end_field(null(was_quoted));
                was_quoted = false;
            } else {
                fields.bytes.push(byte);
            }
            position += 1;
        }
        fields.end_field(null(was_quoted));
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| {
        SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"")
    })
}

/// Resolves the backslash sequences of the text format.
fn unescape(raw: &[u8], plain: &mut Vec<u8>) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: Format, chunks: &[&str]) -> String {
        let mut splitter = Splitter::new(format);
        let (mut line, mut lines) = (Line::default(), Vec::new());
        for chunk in chunks.iter().map(Some).chain([None]) {
            match chunk {
                Some(chunk) => splitter.push(chunk.as_bytes()),
                None => splitter.end(),
            }
            while splitter.next_line(&mut line).unwrap() {
                let field = |field: Option<&str>| field.map_or("NULL".to_owned(), |text| format!("{text:?}"));
                let fields = line.fields().map(|text| field(text.unwrap())).collect::<Vec<_>>();
                assert_eq!(fields.len(), line.width());
                lines.push(fields.join(" "));
            }
        }
        lines.join(" | ")
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
        assert_eq!(lines(Format { header: true, ..Format::csv() }, &["h\n1\n"]), r#""1""#);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        let mut splitter = Splitter::new(Format::csv());
        splitter.push(b"\"open");
        let mut line = Line::default();
        assert!(!splitter.next_line(&mut line).unwrap());
        splitter.end();
        assert_eq!(splitter.next_line(&mut line).unwrap_err().sqlstate, SqlState::BAD_COPY_FILE_FORMAT);
    }
}
