//! Cuts the text of a date, time or interval into fields, as PostgreSQL's `ParseDateTime` does.

/// A field, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub kind: Kind,
    pub text: String,
}

/// What a field looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Digits, perhaps with a point.
    Number,
    /// Letters.
    Word,
    /// Digits and letters with `-`, `/` or `.` in between; also the name of a zone.
    Date,
    /// Digits with colons.
    Time,
    /// A sign and digits.
    Zone,
    /// A sign and letters.
    Special,
}

/// More fields than any text needs.
const MOST_FIELDS: usize = 25;

/// The fields of a text; `None` where it has characters that belong to none.
pub(crate) fn fields(text: &str) -> Option<Vec<Field>> {
    let mut scanner = Scanner { rest: text.as_bytes(), text: String::new() };
    let mut fields = Vec::new();
    while let Some(first) = scanner.first() {
        let kind = match first {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
                scanner.rest = &scanner.rest[1..];
                continue;
            }
            b'0'..=b'9' => scanner.digits_first(),
            b'.' => {
                scanner.push();
                scanner.take(|c| c.is_ascii_digit());
                Kind::Number
            }
            b'a'..=b'z' | b'A'..=b'Z' => scanner.letter_first(),
            b'+' | b'-' => scanner.sign_first()?,
            c if c.is_ascii_punctuation() => {
                scanner.rest = &scanner.rest[1..];
                continue;
            }
            _ => return None,
        };
        fields.push(Field { kind, text: std::mem::take(&mut scanner.text) });
        if fields.len() > MOST_FIELDS {
            return None;
        }
    }
    Some(fields)
}

struct Scanner<'a> {
    rest: &'a [u8],
    /// Of the field.
    text: String,
}

impl Scanner<'_> {
    fn first(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn push(&mut self) {
        if let Some((first, rest)) = self.rest.split_first() {
            self.text.push(first.to_ascii_lowercase() as char);
            self.rest = rest;
        }
    }

    fn take(&mut self, belongs: impl Fn(u8) -> bool) {
        while self.first().is_some_and(&belongs) {
            self.push();
        }
    }

    fn digits_first(&mut self) -> Kind {
        self.take(|c| c.is_ascii_digit());
        match self.first() {
            Some(b':') => {
                self.take(|c| c.is_ascii_digit() || matches!(c, b':' | b'.'));
                Kind::Time
            }
            Some(delimiter @ (b'-' | b'/' | b'.')) => {
                self.push();
                if !self.first().is_some_and(|c| c.is_ascii_digit()) {
                    self.take(|c| c.is_ascii_alphanumeric() || c == delimiter);
                    return Kind::Date;
                }
                self.take(|c| c.is_ascii_digit());
                if self.first() == Some(delimiter) {
                    self.take(|c| c.is_ascii_digit() || c == delimiter);
                    return Kind::Date;
                }
                if delimiter == b'.' { Kind::Number } else { Kind::Date }
            }
            _ => Kind::Number,
        }
    }

    /// Letters, and what follows them in dates such as `jan-08-1999` and in zones such as `posix/etc/gmt+1`.
    fn letter_first(&mut self) -> Kind {
        self.take(|c| c.is_ascii_alphabetic());
        let is_date = match self.first() {
            Some(b'-' | b'/' | b'.') => true,
            Some(b'+' | b'0'..=b'9') => crate::words::date_word(&self.text).is_none(),
            _ => false,
        };
        if !is_date {
            return Kind::Word;
        }
        self.take(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
        Kind::Date
    }

    fn sign_first(&mut self) -> Option<Kind> {
        self.push();
        while self.first().is_some_and(|c| c.is_ascii_whitespace()) {
            self.rest = &self.rest[1..];
        }
        match self.first()? {
            b'0'..=b'9' => {
                self.take(|c| c.is_ascii_digit() || matches!(c, b':' | b'.' | b'-'));
                Some(Kind::Zone)
            }
            c if c.is_ascii_alphabetic() => {
                self.take(|c| c.is_ascii_alphabetic());
                Some(Kind::Special)
            }
            _ => None,
        }
    }
}
