//! Words between the arguments of calls that sqlparser does not know:
//!
//! ```text
//! f(a, VARIADIC b)                  f(a, !!(b))
//! trim(BOTH FROM a)                 trim(BOTH ' ' FROM a)
//! substring(a SIMILAR b ESCAPE c)   substring(a FROM similar_to_escape(b, c))
//! ```

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::{is, literal};

/// Writes these calls in the words that sqlparser knows.
pub(crate) fn with_known_calls(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let asks = |token: &TokenWithSpan| ["variadic", "trim", "similar"].iter().any(|word| is(token, word));
    let defines = |token: &TokenWithSpan| {
        ["create", "alter", "drop", "comment", "grant", "revoke"].iter().any(|word| is(token, word))
    };
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let is_signature = words.next().is_some_and(defines)
        && tokens.iter().any(|token| is(token, "function") || is(token, "routine"));
    if is_signature || !tokens.iter().any(asks) {
        return tokens;
    }
    let tokens = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    Writer::default().write(tokens.collect())
}

/// A parenthesis that is open.
#[derive(Default)]
struct Open {
    of_trim: bool,
    of_substring: bool,
    /// Parentheses that the written words have opened in it.
    owed: usize,
}

#[derive(Default)]
struct Writer {
    written: Vec<TokenWithSpan>,
    open: Vec<Open>,
}

impl Writer {
    fn put(&mut self, token: Token) {
        self.written.push(TokenWithSpan::wrap(token));
    }

    fn follows(&self, words: &[&str]) -> bool {
        self.written.last().is_some_and(|last| words.iter().any(|word| is(last, word)))
    }

    fn write(mut self, tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
        for token in tokens {
            let in_argument =
                matches!(self.written.last().map(|last| &last.token), Some(Token::LParen | Token::Comma));
            match &token.token {
                Token::LParen => {
                    let (of_trim, of_substring) = (self.follows(&["trim"]), self.follows(&["substring"]));
                    self.open.push(Open { of_trim, of_substring, owed: 0 });
                }
                Token::RParen => {
                    let owed = self.open.pop().map_or(0, |open| open.owed);
                    (0..owed).for_each(|_| self.put(Token::RParen));
                }
                _ if is(&token, "variadic") && in_argument && !self.open.is_empty() => {
                    self.put(Token::DoubleExclamationMark);
                    self.put(Token::LParen);
                    self.owe();
                    continue;
                }
                _ if is(&token, "from")
                    && self.follows(&["both", "leading", "trailing"])
                    && self.open.last().is_some_and(|open| open.of_trim) =>
                {
                    self.written.push(literal(" "));
                }
                _ if is(&token, "similar") && self.open.last().is_some_and(|open| open.of_substring) => {
                    self.put(Token::make_keyword("FROM"));
                    self.put(Token::make_word("similar_to_escape", None));
                    self.put(Token::LParen);
                    self.owe();
                    continue;
                }
                _ if is(&token, "escape")
                    && self.open.last().is_some_and(|open| open.of_substring && open.owed > 0) =>
                {
                    self.put(Token::Comma);
                    continue;
                }
                _ => {}
            }
            self.written.push(token);
        }
        self.written
    }

    fn owe(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.owed += 1;
        }
    }
}
