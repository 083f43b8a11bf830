//! MERGE and RETURNING in words that sqlparser knows.
//!
//! ```text
//! THEN DO NOTHING                             THEN UPDATE SET "?nothing" = NULL, or INSERT ("?nothing") VALUES (NULL)
//! USING a JOIN b ON ... ON ...                USING (a JOIN b ON ...) ON ...
//! THEN INSERT DEFAULT VALUES                  THEN INSERT ("?defaults") VALUES (NULL)
//! RETURNING WITH (OLD AS o, NEW AS n) ...     RETURNING ...
//! ```

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::is;

/// The column that DO NOTHING assigns to.
pub const NOTHING: &str = "?nothing";
/// The column that DEFAULT VALUES of MERGE gives a value for.
pub const DEFAULTS: &str = "?defaults";

/// What RETURNING calls the rows as they were and as they are, where it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturningNames {
    /// `OLD AS name`
    pub old: Option<String>,
    /// `NEW AS name`
    pub new: Option<String>,
}

/// The tokens of a statement without what RETURNING calls the rows.
pub(crate) fn without_returning_names(
    mut tokens: Vec<TokenWithSpan>,
) -> (Vec<TokenWithSpan>, ReturningNames) {
    let mut names = ReturningNames::default();
    let places = significant(&tokens);
    let found = places.windows(3).position(|at| {
        let [first, with, open] = [0, 1, 2].map(|place| &tokens[at[place]]);
        is(first, "returning") && is(with, "with") && open.token == Token::LParen
    });
    let Some(start) = found else { return (tokens, names) };
    let mut end = start + 3;
    // Each is `OLD AS name` and what separates it from the next.
    while let Some(&[row, as_word, name, after]) = places.get(end..end + 4) {
        let (row, name) = (&tokens[row], name_of(&tokens[name].token));
        let place = match () {
            () if is(row, "old") => &mut names.old,
            () if is(row, "new") => &mut names.new,
            () => return (tokens, ReturningNames::default()),
        };
        if !is(&tokens[as_word], "as") || name.is_none() || place.is_some() {
            return (tokens, ReturningNames::default());
        }
        *place = name;
        end += 4;
        if tokens[after].token == Token::RParen {
            tokens.drain(places[start + 1]..=after);
            return (tokens, names);
        }
    }
    (tokens, ReturningNames::default())
}

/// The tokens of a MERGE, or of another statement as they are.
pub(crate) fn with_all_actions(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = significant(&tokens);
    if !places.iter().any(|place| is(&tokens[*place], "merge")) {
        return tokens;
    }
    let tokens = places.into_iter().map(|place| tokens[place].clone()).collect::<Vec<_>>();
    let tokens = with_joins_in_parentheses(tokens);
    let (mut written, mut rest, mut is_missing) =
        (Vec::with_capacity(tokens.len()), tokens.as_slice(), false);
    loop {
        match rest {
            [then, go, nothing, after @ ..] if is(then, "then") && is(go, "do") && is(nothing, "nothing") => {
                written.push(then.clone());
                written.extend(if is_missing { insert(NOTHING) } else { update(NOTHING) });
                rest = after;
            }
            [word, default, values, after @ ..]
                if is(word, "insert") && is(default, "default") && is(values, "values") =>
            {
                written.extend(insert(DEFAULTS));
                rest = after;
            }
            [token, after @ ..] => {
                match after {
                    [not, matched, by, source, ..] if is(token, "when") && is(not, "not") => {
                        is_missing = is(matched, "matched") && !(is(by, "by") && is(source, "source"));
                    }
                    [matched, ..] if is(token, "when") && is(matched, "matched") => is_missing = false,
                    _ => {}
                }
                written.push(token.clone());
                rest = after;
            }
            [] => return written,
        }
    }
}

/// `USING (a JOIN b ON ...) ON` for `USING a JOIN b ON ... ON`.
fn with_joins_in_parentheses(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut depth = 0;
    let (mut using, mut joins, mut condition) = (None, false, None);
    for (place, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ if depth > 0 => {}
            _ if using.is_none() => using = is(token, "using").then_some(place),
            _ if is(token, "join") => joins = true,
            _ if is(token, "on") => condition = Some(place),
            _ if is(token, "matched") => break,
            _ => {}
        }
    }
    if let (Some(using), true, Some(condition)) = (using, joins, condition) {
        tokens.insert(condition, TokenWithSpan::wrap(Token::RParen));
        tokens.insert(using + 1, TokenWithSpan::wrap(Token::LParen));
    }
    tokens
}

fn name_of(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    }
}

/// Where the tokens are that are neither space nor comment.
fn significant(tokens: &[TokenWithSpan]) -> Vec<usize> {
    let places = tokens.iter().enumerate().filter(|(_, token)| !matches!(token.token, Token::Whitespace(_)));
    places.map(|(place, _)| place).collect()
}

fn insert(column: &str) -> Vec<TokenWithSpan> {
    let column = Token::make_word(column, Some('"'));
    let [insert, values, null] = ["INSERT", "VALUES", "NULL"].map(Token::make_keyword);
    let tokens = [insert, Token::LParen, column, Token::RParen, values, Token::LParen, null, Token::RParen];
    tokens.map(TokenWithSpan::wrap).to_vec()
}

fn update(column: &str) -> Vec<TokenWithSpan> {
    let column = Token::make_word(column, Some('"'));
    let [update, set, null] = ["UPDATE", "SET", "NULL"].map(Token::make_keyword);
    [update, set, column, Token::Eq, null].map(TokenWithSpan::wrap).to_vec()
}
