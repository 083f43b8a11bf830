//! What PostgreSQL's lexer makes of literals and sqlparser's does not: integers to other bases, `U&'...'`, strings that go on
//! on the next line, and what must not stand beside a number.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};
use springtide_types::{Result, SqlError, SqlState};

use crate::dialect::POSTGRES;
use crate::unicode_escapes::{escape_character, unescape};

/// How many parameters the protocol can give a statement.
const MOST_PARAMETERS: u64 = u16::MAX as u64;

/// The tokens with PostgreSQL's literals.
pub(crate) fn with_literals(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let mut read = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(mut token) = rest.next() {
        match &token.token {
            Token::Placeholder(name) => check_parameter(name)?,
            Token::NationalStringLiteral(text) => token.token = Token::SingleQuotedString(text.clone()),
            _ => {}
        }
        if let Some(mut text) = number_text(&token) {
            let mut end = token.span.end;
            let touches = |next: &TokenWithSpan| matches!(&next.token, Token::Word(word) if next.span.start == end && word.quote_style.is_none());
            if let Some(TokenWithSpan { token: Token::Word(word), span }) = rest.next_if(touches) {
                text.push_str(&word.value);
                end = span.end;
            }
            token.token = number(text)?;
            token.span.end = end;
        }
        read.push(token);
    }
    with_unicode(continued(read)?)
}

/// A number as it was written. What sqlparser gives as hexadecimal digits may have been `X'...'`, which is longer.
fn number_text(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Number(text, _) => Some(text.clone()),
        Token::HexStringLiteral(digits)
            if token.span.end.column - token.span.start.column == digits.len() as u64 + 2 =>
        {
            Some(format!("0x{digits}"))
        }
        _ => None,
    }
}

fn check_parameter(name: &str) -> Result<()> {
    let digits = name.trim_start_matches('$');
    let syntax = |message: &str| {
        Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("{message} at or near \"{name}\"")))
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(());
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return syntax("trailing junk after parameter");
    }
    match digits.parse::<u64>() {
        Ok(1..=MOST_PARAMETERS) => Ok(()),
        Ok(number) if number <= i32::MAX as u64 => {
            let message = format!("there is no parameter {name}");
            Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, message))
        }
        _ => syntax("parameter number too large"),
    }
}

/// The number that a literal with all that follows it without a space is.
fn number(text: String) -> Result<Token> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Token::Number(text, false));
    }
    if let Some(value) = integer_literal(&text) {
        let value = value.ok_or_else(|| {
            SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("value \"{text}\" is out of range"))
        })?;
        return Ok(Token::Number(value.to_string(), false));
    }
    let is_decimal = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | '+' | '-' | 'e' | 'E');
    let digits = text.replace('_', "");
    if text.chars().all(is_decimal) && separated(&text) && digits.parse::<f64>().is_ok() {
        return Ok(Token::Number(digits, false));
    }
    let what = match (text.len(), radix_of(&text)) {
        (2, Some(16)) => "invalid hexadecimal integer",
        (2, Some(8)) => "invalid octal integer",
        (2, Some(_)) => "invalid binary integer",
        _ => "trailing junk after numeric literal",
    };
    Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("{what} at or near \"{text}\"")))
}

fn radix_of(text: &str) -> Option<u32> {
    match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => Some(16),
        [b'0', b'o' | b'O', ..] => Some(8),
        [b'0', b'b' | b'B', ..] => Some(2),
        _ => None,
    }
}

/// The value of an integer without a sign, to any base and with underscores: `None` if it is none, `Some(None)` if it is too
/// large.
pub(crate) fn integer_literal(text: &str) -> Option<Option<u128>> {
    let (radix, digits) = match radix_of(text) {
        Some(radix) => (radix, text.get(2..)?),
        None => (10, text),
    };
    let valid = digits.chars().all(|c| c == '_' || c.is_digit(radix)) && digits.chars().any(|c| c != '_');
    (valid && separated(text)).then(|| u128::from_str_radix(&digits.replace('_', ""), radix).ok())
}

/// Whether each underscore of a number stands before a digit and after one, or after the mark of the base.
pub(crate) fn separated(number: &str) -> bool {
    let bytes = number.as_bytes();
    let prefixed = bytes.len() > 1 && bytes[0] == b'0' && bytes[1].is_ascii_alphabetic();
    bytes.iter().enumerate().all(|(at, byte)| {
        *byte != b'_'
            || (at > 0
                && (bytes[at - 1].is_ascii_hexdigit() || (prefixed && at == 2))
                && bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit))
    })
}

/// Strings with nothing but space and the end of a line between them are one.
fn continued(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let mut joined = Vec::<TokenWithSpan>::with_capacity(tokens.len());
    // The last string, if only space came after it, and whether that has the end of a line.
    let mut open = None::<(usize, bool)>;
    for token in tokens {
        match (&token.token, open) {
            (Token::Whitespace(space), Some((at, line))) => {
                let is_end = matches!(space, Whitespace::Newline | Whitespace::SingleLineComment { .. });
                open = match space {
                    Whitespace::MultiLineComment(_) => None,
                    _ => Some((at, line || is_end)),
                };
            }
            (Token::SingleQuotedString(more), Some((at, true))) => {
                match &mut joined[at].token {
                    Token::EscapedStringLiteral(text) => text.push_str(&escaped(more)?),
                    Token::SingleQuotedString(text) => text.push_str(more),
                    _ => {}
                }
                joined[at].span.end = token.span.end;
                joined.truncate(at + 1);
                open = Some((at, false));
                continue;
            }
            (Token::SingleQuotedString(_), Some(_)) => {
                let message = format!("syntax error at or near \"{}\"", token.token);
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
            }
            (Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_), _) => {
                open = Some((joined.len(), false));
            }
            _ => open = None,
        }
        joined.push(token);
    }
    Ok(joined)
}

/// What `E'text'` is.
fn escaped(text: &str) -> Result<String> {
    let literal = format!("E'{}'", text.replace('\'', "''"));
    let tokens = Tokenizer::new(POSTGRES, &literal).tokenize();
    match tokens.map_err(|error| SqlError::new(SqlState::SYNTAX_ERROR, error.message))?.pop() {
        Some(Token::EscapedStringLiteral(text)) => Ok(text),
        _ => Err(SqlError::internal("a string is one token")),
    }
}

/// `U&'...'` and `U&"..."`, which are three tokens to sqlparser, with their escapes read.
fn with_unicode(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let adjacent = |one: &TokenWithSpan, next: &TokenWithSpan| one.span.end == next.span.start;
    let is_mark = |token: &Token| matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("u"));
    let begins = |window: &[TokenWithSpan]| {
        is_mark(&window[0].token)
            && window[1].token == Token::Ampersand
            && adjacent(&window[0], &window[1])
            && adjacent(&window[1], &window[2])
    };
    if !tokens.windows(3).any(begins) {
        return Ok(tokens);
    }
    let (mut read, mut rest) = (Vec::with_capacity(tokens.len()), tokens.as_slice());
    while let [first, after @ ..] = rest {
        let quoted = match rest {
            [_, _, quoted, ..] if begins(&rest[..3]) => quoted,
            _ => {
                read.push(first.clone());
                rest = after;
                continue;
            }
        };
        rest = &rest[3..];
        let mut escape = '\\';
        if let Some((given, after)) = escape_of(rest)? {
            (escape, rest) = (given, after);
        }
        let token = match &quoted.token {
            Token::SingleQuotedString(text) => Token::SingleQuotedString(unescape(text, escape)?),
            Token::Word(word) if word.quote_style.is_some() => {
                Token::make_word(&unescape(&word.value, escape)?, word.quote_style)
            }
            other => other.clone(),
        };
        read.push(TokenWithSpan::new(token, first.span));
    }
    Ok(read)
}

/// What `UESCAPE '!'` says, and the tokens after it, where the tokens begin with it.
fn escape_of(tokens: &[TokenWithSpan]) -> Result<Option<(char, &[TokenWithSpan])>> {
    let mut words = tokens.iter().enumerate();
    let mut words = words.by_ref().filter(|(_, token)| !matches!(token.token, Token::Whitespace(_)));
    match words.next() {
        Some((_, token)) if matches!(&token.token, Token::Word(word) if word.value.eq_ignore_ascii_case("uescape")) => {
            match words.next() {
                Some((at, TokenWithSpan { token: Token::SingleQuotedString(text), .. })) => {
                    Ok(Some((escape_character(text)?, &tokens[at + 1..])))
                }
                _ => Err(SqlError::new(
                    SqlState::SYNTAX_ERROR,
                    "UESCAPE must be followed by a simple string literal",
                )),
            }
        }
        _ => Ok(None),
    }
}
