//! Statements that PostgreSQL's grammar, or sqlparser, does not have: they are calls of procedures, or other
//! statements, in other words.
//!
//! ```text
//! CHECKPOINT                        CALL springtide.checkpoint()
//! CREATE SNAPSHOT name [AS OF t]    CALL springtide.create_snapshot(name [, t])
//! DROP SNAPSHOT [IF EXISTS] name    CALL springtide.drop_snapshot(name [, true])
//! FETCH [motion] [FROM] cursor      CALL springtide.fetch(cursor, 'forward', '1')
//! MOVE [motion] [FROM] cursor       CALL springtide.move(cursor, 'forward', '1')
//! VACUUM [options] [relations]      CALL springtide.vacuum(relations)
//! ANALYZE [options] [relations]     CALL springtide.analyze(relations)
//! ALTER [MATERIALIZED] VIEW         ALTER TABLE, but for ALTER VIEW ... AS
//! EXPLAIN ANALYZE view              EXPLAIN EXTENDED view
//! ```
//!
//! Those about schemas are in [`schemas`], those about sequences in [`sequences`], those about sources in [`sources`], those about roles and privileges in
//! [`roles`], those about domains in [`domains`].

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::{domains, roles, schemas, sequences, sources};

/// The schema of the procedures.
const SCHEMA: &str = "springtide";

/// The tokens of one statement, as a call if it is one of those.
pub(crate) fn as_calls(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let significant = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let significant = significant.cloned().collect::<Vec<_>>();
    let starts = |words: &[&str]| {
        words.iter().enumerate().all(|(at, word)| significant.get(at).is_some_and(|token| is(token, word)))
    };
    let rest = |skipped: usize| &significant[skipped..];
    if let Some(call) = roles::as_call(&significant) {
        return call;
    }
    if let Some(call) = schemas::as_call(&significant) {
        return call;
    }
    if let Some(call) = sequences::as_call(&significant) {
        return call;
    }
    if let Some(call) = domains::as_call(&significant) {
        return call;
    }
    if let Some(words) = sources::in_other_words(&significant) {
        return words;
    }
    if starts(&["checkpoint"]) && significant.len() == 1 {
        return call("checkpoint", &[]);
    }
    if starts(&["create", "snapshot"]) && significant.len() > 2 {
        return match rest(2) {
            [name, as_word, of, moment @ ..] if is(as_word, "as") && is(of, "of") => {
                call("create_snapshot", &[std::slice::from_ref(name), moment])
            }
            rest => call("create_snapshot", &[rest]),
        };
    }
    if starts(&["drop", "snapshot", "if", "exists"]) && significant.len() > 4 {
        let yes = [TokenWithSpan::wrap(Token::make_keyword("true"))];
        return call("drop_snapshot", &[rest(4), &yes]);
    }
    if starts(&["drop", "snapshot"]) && significant.len() == 3 {
        return call("drop_snapshot", &[rest(2)]);
    }
    for words in [&["alter", "materialized", "view"][..], &["alter", "view"]] {
        if starts(words) && !significant.iter().any(|token| is(token, "as")) {
            let alter = ["ALTER", "TABLE"].map(|word| TokenWithSpan::wrap(Token::make_keyword(word)));
            return alter.into_iter().chain(rest(words.len()).iter().cloned()).collect();
        }
    }
    if let [explain, analyze, name @ ..] = significant.as_slice()
        && is(explain, "explain")
        && is(analyze, "analyze")
        && sequences::name_length(name) == Some(name.len())
    {
        let words = ["EXPLAIN", "EXTENDED"].map(|word| TokenWithSpan::wrap(Token::make_keyword(word)));
        return words.into_iter().chain(name.iter().cloned()).collect();
    }
    for procedure in ["fetch", "move"] {
        if starts(&[procedure])
            && let Some((cursor, direction, count)) = motion(rest(1))
        {
            return call(procedure, &[&[cursor], &[literal(direction)], &[literal(&count)]]);
        }
    }
    for (word, procedure) in [("vacuum", "vacuum"), ("analyze", "analyze"), ("analyse", "analyze")] {
        if starts(&[word])
            && let Some(relations) = without_options(rest(1))
        {
            return call(procedure, &[relations]);
        }
    }
    tokens
}

/// The cursor, the direction and the count of what follows FETCH; `None` if it is not understood.
fn motion(tokens: &[TokenWithSpan]) -> Option<(TokenWithSpan, &'static str, String)> {
    let (cursor, rest) = tokens.split_last()?;
    let motion = match rest {
        [motion @ .., from] if is(from, "from") || is(from, "in") => motion,
        motion => motion,
    };
    let (direction, count) = match motion {
        [] => ("forward", "1".to_owned()),
        [word] if is(word, "next") || is(word, "forward") => ("forward", "1".to_owned()),
        [word] if is(word, "prior") || is(word, "backward") => ("backward", "1".to_owned()),
        [word] if is(word, "first") => ("absolute", "1".to_owned()),
        [word] if is(word, "last") => ("absolute", "-1".to_owned()),
        [word, count @ ..] if is(word, "forward") => ("forward", number_or_all(count)?),
        [word, count @ ..] if is(word, "backward") => ("backward", number_or_all(count)?),
        [word, count @ ..] if is(word, "absolute") => ("absolute", number(count)?),
        [word, count @ ..] if is(word, "relative") => ("relative", number(count)?),
        count => ("forward", number_or_all(count)?),
    };
    matches!(cursor.token, Token::Word(_)).then(|| (cursor.clone(), direction, count))
}

fn number_or_all(tokens: &[TokenWithSpan]) -> Option<String> {
    match tokens {
        [all] if is(all, "all") => Some("all".to_owned()),
        number => self::number(number),
    }
}

/// An integer, perhaps with a sign.
fn number(tokens: &[TokenWithSpan]) -> Option<String> {
    let (sign, digits) = match tokens {
        [sign, digits] if sign.token == Token::Minus => ("-", digits),
        [sign, digits] if sign.token == Token::Plus => ("", digits),
        [digits] => ("", digits),
        _ => return None,
    };
    match &digits.token {
        Token::Number(digits, _) if digits.parse::<i64>().is_ok() => Some(format!("{sign}{digits}")),
        _ => None,
    }
}

/// The options of VACUUM and ANALYZE, which are all about how, not what.
const MAINTENANCE_OPTIONS: [&str; 13] = [
    "full",
    "freeze",
    "verbose",
    "analyze",
    "analyse",
    "disable_page_skipping",
    "skip_locked",
    "index_cleanup",
    "process_main",
    "process_toast",
    "truncate",
    "parallel",
    "buffer_usage_limit",
];

/// What follows the options of VACUUM or ANALYZE: relations; `None` if an option is not known.
fn without_options(tokens: &[TokenWithSpan]) -> Option<&[TokenWithSpan]> {
    let is_option = |token: &TokenWithSpan| MAINTENANCE_OPTIONS.iter().any(|option| is(token, option));
    if tokens.first().is_some_and(|token| token.token == Token::LParen) {
        let end = tokens.iter().position(|token| token.token == Token::RParen)?;
        let mut options = tokens[1..end].split(|token| token.token == Token::Comma);
        let known = options.all(|option| option.first().is_some_and(is_option));
        return known.then_some(&tokens[end + 1..]);
    }
    let words = tokens.iter().take_while(|token| is_option(token)).count();
    Some(&tokens[words..])
}

pub(crate) fn literal(text: &str) -> TokenWithSpan {
    TokenWithSpan::wrap(Token::SingleQuotedString(text.to_owned()))
}

/// Whether a token is this word, which is in lower case and no name in quotes.
pub(crate) fn is(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

pub(crate) fn call(procedure: &str, arguments: &[&[TokenWithSpan]]) -> Vec<TokenWithSpan> {
    let start = [Token::make_keyword("CALL"), Token::make_word(SCHEMA, None), Token::Period];
    let mut tokens =
        start.into_iter().chain([Token::make_word(procedure, None), Token::LParen]).collect::<Vec<_>>();
    for (position, argument) in arguments.iter().enumerate() {
        if position > 0 {
            tokens.push(Token::Comma);
        }
        tokens.extend(argument.iter().map(|token| token.token.clone()));
    }
    tokens.push(Token::RParen);
    tokens.into_iter().map(TokenWithSpan::wrap).collect()
}
