//! The options of COPY, of which sqlparser does not know all: they are read here, and cut off before it sees them.

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use springtide_types::{Result, SqlError, SqlState};

use crate::parse::expression;
use crate::procedures::is;

/// An option of a COPY.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyOption {
    /// Its name, in lower case.
    pub name: String,
    /// Its value.
    pub value: CopyValue,
}

/// The value of an option of a COPY.
#[derive(Clone, Debug, PartialEq)]
pub enum CopyValue {
    /// None was given.
    None,
    /// A word, a number or a literal.
    Text(String),
    /// `(a, b)`
    Columns(Vec<String>),
    /// `*`
    All,
    /// What follows WHERE.
    Condition(Box<Expr>),
}

/// The tokens of a statement without the options of COPY, and these.
pub(crate) fn cut_off(tokens: Vec<TokenWithSpan>) -> Result<(Vec<TokenWithSpan>, Vec<CopyOption>)> {
    let significant = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let significant = significant.cloned().collect::<Vec<_>>();
    match significant.first().filter(|first| is(first, "copy")).and_then(|_| end_of_target(&significant)) {
        Some(end) => {
            let mut statement = significant;
            let options = statement.split_off(end);
            Ok((statement, Options(&options).all()?))
        }
        None => Ok((tokens, Vec::new())),
    }
}

/// Where what follows `FROM STDIN` or `TO STDOUT` begins.
fn end_of_target(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut depth = 0;
    for (position, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ if depth == 0 && (is(token, "from") || is(token, "to")) => {
                let target = tokens.get(position + 1)?;
                let length = if is(target, "program") { 3 } else { 2 };
                return Some((position + length).min(tokens.len()));
            }
            _ => {}
        }
    }
    None
}

/// The tokens of options that are left.
struct Options<'a>(&'a [TokenWithSpan]);

impl Options<'_> {
    fn all(mut self) -> Result<Vec<CopyOption>> {
        self.word("with");
        let mut options = Vec::new();
        if self.symbol(&Token::LParen) {
            loop {
                options.push(self.generic()?);
                if !self.symbol(&Token::Comma) {
                    break;
                }
            }
            if !self.symbol(&Token::RParen) {
                return Err(self.unexpected());
            }
        } else {
            while !self.0.is_empty() && !self.is_at("where") {
                options.push(self.legacy()?);
            }
        }
        if self.word("where") {
            let condition = expression(std::mem::take(&mut self.0).to_vec())?;
            let value = CopyValue::Condition(Box::new(condition));
            options.push(CopyOption { name: "where".to_owned(), value });
        }
        if self.0.is_empty() { Ok(options) } else { Err(self.unexpected()) }
    }

    /// `name [value]`
    fn generic(&mut self) -> Result<CopyOption> {
        let name = self.name()?;
        let value = match self.0.first().map(|token| &token.token) {
            Some(Token::Mul) => {
                self.next();
                CopyValue::All
            }
            Some(Token::LParen) => {
                self.next();
                let columns = self.columns()?;
                if !self.symbol(&Token::RParen) {
                    return Err(self.unexpected());
                }
                CopyValue::Columns(columns)
            }
            None | Some(Token::Comma | Token::RParen) => CopyValue::None,
            Some(_) => CopyValue::Text(self.text()?),
        };
        Ok(CopyOption { name, value })
    }

    /// An option as it was written before PostgreSQL 9.0.
    fn legacy(&mut self) -> Result<CopyOption> {
        let option = |name: &str, value| CopyOption { name: name.to_owned(), value };
        let format = |name: &str| option("format", CopyValue::Text(name.to_owned()));
        match self.name()?.as_str() {
            "csv" => Ok(format("csv")),
            "binary" => Ok(format("binary")),
            name @ ("header" | "freeze") => Ok(option(name, CopyValue::None)),
            name @ ("delimiter" | "null" | "quote" | "escape" | "encoding") => {
                self.word("as");
                Ok(option(name, CopyValue::Text(self.text()?)))
            }
            "force" => {
                let name = match self.name()?.as_str() {
                    "quote" => "force_quote",
                    "null" => "force_null",
                    "not" if self.word("null") => "force_not_null",
                    _ => return Err(self.unexpected()),
                };
                let columns = if self.symbol(&Token::Mul) {
                    CopyValue::All
                } else {
                    CopyValue::Columns(self.columns()?)
                };
                Ok(option(name, columns))
            }
            other => Err(near(other)),
        }
    }

    fn columns(&mut self) -> Result<Vec<String>> {
        let mut columns = vec![self.name()?];
        while self.symbol(&Token::Comma) {
            columns.push(self.name()?);
        }
        Ok(columns)
    }

    fn name(&mut self) -> Result<String> {
        match self.0.first().map(|token| &token.token) {
            Some(Token::Word(word)) => {
                self.next();
                Ok(if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() })
            }
            _ => Err(self.unexpected()),
        }
    }

    fn text(&mut self) -> Result<String> {
        let text = match self.0.first().map(|token| &token.token) {
            Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => text.clone(),
            Some(Token::Number(number, _)) => number.clone(),
            Some(Token::Word(_)) => return self.name(),
            _ => return Err(self.unexpected()),
        };
        self.next();
        Ok(text)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.is_at(word);
        if found {
            self.next();
        }
        found
    }

    fn symbol(&mut self, symbol: &Token) -> bool {
        let found = self.0.first().is_some_and(|token| token.token == *symbol);
        if found {
            self.next();
        }
        found
    }

    fn is_at(&self, word: &str) -> bool {
        self.0.first().is_some_and(|token| is(token, word))
    }

    fn next(&mut self) {
        self.0 = self.0.get(1..).unwrap_or_default();
    }

    fn unexpected(&self) -> SqlError {
        match self.0.first() {
            Some(token) => near(&token.token.to_string()),
            None => SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at end of input"),
        }
    }
}

fn near(token: &str) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{token}\""))
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn options(sql: &str) -> String {
        let options = parse(sql).map(|mut statements| statements.remove(0).copy_options);
        let options = options.map_err(|error| error.message).map(|options| {
            let options = options.iter().map(|option| format!("{} {:?}", option.name, option.value));
            options.collect::<Vec<_>>().join(", ")
        });
        options.unwrap_or_else(|message| message)
    }

    #[test]
    fn options_of_both_kinds() {
        assert_eq!(options("COPY t FROM STDIN"), "");
        assert_eq!(
            options("COPY (SELECT 1 FROM t) TO STDOUT WITH (FORMAT csv, HEADER, FORCE_QUOTE (a, \"B\"))"),
            r#"format Text("csv"), header None, force_quote Columns(["a", "B"])"#
        );
        assert_eq!(
            options("copy t to stdout csv header delimiter as ';' force quote *"),
            r#"format Text("csv"), header None, delimiter Text(";"), force_quote All"#
        );
        assert_eq!(options("COPY t TO STDOUT (HEADER,)"), "syntax error at or near \")\"");
        assert_eq!(options("COPY t TO STDOUT WITH nonsense"), "syntax error at or near \"nonsense\"");
    }
}
