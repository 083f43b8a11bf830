//! The words of a path.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use springtide_types::{Result, SqlError, SqlState};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name without quotes, which may be a keyword.
    Name(String),
    Text(String),
    Variable(String),
    Integer(BigDecimal),
    Number(BigDecimal),
    Symbol(&'static str),
}

/// Longer ones first.
const SYMBOLS: [&str; 29] = [
    "**", "&&", "||", "<=", ">=", "==", "!=", "<>", "=", "<", ">", "!", "?", "%", "$", ".", "[", "]", "{",
    "}", "(", ")", "@", ",", "*", "-", "+", "/", ":",
];

pub(super) fn syntax(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, message)
}

fn is_special(char: char) -> bool {
    "?%$.[]{}()|&!=<>@#,*:-+/\"".contains(char)
}

fn is_other(char: char) -> bool {
    !is_special(char) && !char.is_ascii_whitespace() && char != '\\'
}

/// Cuts a path into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut lexer = Lexer { rest: text };
    let mut found = Vec::new();
    while let Some(token) = lexer.next()? {
        found.push(token);
    }
    Ok(found)
}

struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, takes: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|char| !takes(char)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn near(&self) -> SqlError {
        match self.peek() {
            None => syntax("syntax error at end of jsonpath input"),
            Some(char) => syntax(format!("syntax error at or near \"{char}\" of jsonpath input")),
        }
    }

    fn next(&mut self) -> Result<Option<Token>> {
        loop {
            self.take(|char| char.is_ascii_whitespace());
            if !self.eat("/*") {
                break;
            }
            let end = self.rest.find("*/").ok_or_else(|| syntax("unterminated comment of jsonpath input"))?;
            self.rest = &self.rest[end + 2..];
        }
        let Some(char) = self.peek() else { return Ok(None) };
        let after = self.rest[char.len_utf8()..].chars().next();
        Ok(Some(match char {
            '"' => {
                self.bump();
                Token::Text(self.quoted()?)
            }
            '$' if after == Some('"') => {
                self.rest = &self.rest[2..];
                Token::Variable(self.quoted()?)
            }
            '$' if after.is_some_and(is_other) => {
                self.bump();
                Token::Variable(self.take(is_other).to_owned())
            }
            '0'..='9' => self.number()?,
            '.' if after.is_some_and(|after| after.is_ascii_digit()) => self.number()?,
            '\\' => Token::Name(self.name()?),
            char if is_other(char) => Token::Name(self.name()?),
            _ => match SYMBOLS.iter().find(|symbol| self.rest.starts_with(**symbol)) {
                Some(symbol) => {
                    self.eat(symbol);
                    Token::Symbol(symbol)
                }
                None => return Err(self.near()),
            },
        }))
    }

    fn name(&mut self) -> Result<String> {
        let mut name = String::new();
        loop {
            name.push_str(self.take(is_other));
            if !self.eat("\\") {
                return Ok(name);
            }
            name.push(self.escape()?);
        }
    }

    fn quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(syntax("unterminated quoted string of jsonpath input")),
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(char) => text.push(char),
            }
        }
    }

    /// What comes after a backslash.
    fn escape(&mut self) -> Result<char> {
        Ok(match self.bump().ok_or_else(|| syntax("unexpected end after backslash of jsonpath input"))? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => scalar(self.hex(2, "invalid hexadecimal character sequence")?)?,
            'u' => self.unicode()?,
            other => other,
        })
    }

    fn unicode(&mut self) -> Result<char> {
        const INVALID: &str = "invalid Unicode escape sequence";
        if self.eat("{") {
            let digits = self.take(|char| char.is_ascii_hexdigit());
            let fits = (1..=6).contains(&digits.len()) && self.eat("}");
            let code = u32::from_str_radix(digits, 16).ok().filter(|_| fits);
            return scalar(code.ok_or_else(|| syntax(INVALID))?);
        }
        let code = self.hex(4, INVALID)?;
        if !(0xd800..0xe000).contains(&code) {
            return scalar(code);
        }
        let surrogate = || {
            SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type jsonpath")
                .with_detail("Unicode surrogates must come in pairs.")
        };
        if code >= 0xdc00 || !self.eat("\\u") {
            return Err(surrogate());
        }
        let low = self.hex(4, INVALID)?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(surrogate());
        }
        scalar(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00))
    }

    fn hex(&mut self, length: usize, message: &str) -> Result<u32> {
        let digits = self.rest.get(..length).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let digits = digits.ok_or_else(|| syntax(message))?;
        self.rest = &self.rest[length..];
        u32::from_str_radix(digits, 16).map_err(|_| syntax(message))
    }

    fn number(&mut self) -> Result<Token> {
        for (prefixes, radix) in [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)] {
            if prefixes.iter().any(|prefix| self.eat(prefix)) {
                let digits = self.digits(radix)?;
                let value = BigInt::parse_bytes(digits.as_bytes(), radix).ok_or_else(|| self.near())?;
                return self.ended(Token::Integer(BigDecimal::from(value)));
            }
        }
        let mut text = String::new();
        let mut is_integer = true;
        if self.eat("0") {
            text.push('0');
            if self.peek().is_some_and(|char| char.is_ascii_digit()) {
                return Err(self.near());
            }
        } else if self.peek() != Some('.') {
            text = self.digits(10)?;
        }
        if self.eat(".") {
            is_integer = false;
            text.push('.');
            if self.peek().is_some_and(|char| char.is_ascii_digit()) {
                text.push_str(&self.digits(10)?);
            }
        }
        if self.peek().is_some_and(|char| matches!(char, 'e' | 'E')) {
            is_integer = false;
            self.bump();
            text.push('e');
            text.push_str(self.take_sign());
            text.push_str(&self.digits(10)?);
        }
        let value = crate::jsonpath::number::parse(&text).ok_or_else(|| self.near())?;
        self.ended(if is_integer { Token::Integer(value) } else { Token::Number(value) })
    }

    fn take_sign(&mut self) -> &'static str {
        if self.eat("-") {
            return "-";
        }
        self.eat("+");
        ""
    }

    /// Digits, with single underscores among them.
    fn digits(&mut self, radix: u32) -> Result<String> {
        let text = self.take(|char| char.is_digit(radix) || char == '_');
        let wrong = text.is_empty() || text.starts_with('_') || text.ends_with('_') || text.contains("__");
        if wrong { Err(self.near()) } else { Ok(text.replace('_', "")) }
    }

    /// A number, which nothing but a symbol or a blank may follow.
    fn ended(&self, number: Token) -> Result<Token> {
        match self.peek().is_some_and(is_other) {
            true => Err(syntax("trailing junk after numeric literal of jsonpath input")),
            false => Ok(number),
        }
    }
}

fn scalar(code: u32) -> Result<char> {
    if code == 0 {
        let error = SqlError::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence");
        return Err(error.with_detail("\\u0000 cannot be converted to text."));
    }
    char::from_u32(code).ok_or_else(|| syntax("invalid Unicode escape sequence"))
}
