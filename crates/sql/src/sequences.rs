//! Sequences in SQL: the statements about them, which sqlparser does not know well enough, and the calls that take their
//! numbers.
//!
//! ```text
//! CREATE SEQUENCE [IF NOT EXISTS] name options    CALL springtide.create_sequence(name, 'true', 'increment', '2', ...)
//! ALTER SEQUENCE [IF EXISTS] name options         CALL springtide.alter_sequence(name, 'true', 'restart', '', ...)
//! ALTER SEQUENCE name RENAME TO name              ALTER TABLE name RENAME TO name
//! ... AS IDENTITY (options)                       the options in the order in which sqlparser wants them
//! INSERT ... OVERRIDING SYSTEM VALUE ...          without the words
//! ```

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, Ident, ObjectName, Value};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use springtide_catalog::NameRef;

use crate::desugar::unnamed_arguments;
use crate::names::written;
use crate::procedures::{call, is, literal};
use crate::walk::change_exprs;

/// Whose values an INSERT takes for identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overriding {
    /// Those that are given, where they may be.
    #[default]
    No,
    /// OVERRIDING SYSTEM VALUE: those that are given.
    System,
    /// OVERRIDING USER VALUE: those of the sequence.
    User,
}

/// A statement about a sequence, given as its tokens without blanks, as a call; `None` if it is none.
pub(crate) fn as_call(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let mut is_of_session = false;
    let (procedure, rest) = match tokens {
        [create, sequence, rest @ ..] if is(create, "create") && is(sequence, "sequence") => {
            ("create_sequence", rest)
        }
        [create, temporary, sequence, rest @ ..]
            if is(create, "create") && is_temporary(temporary) && is(sequence, "sequence") =>
        {
            is_of_session = true;
            ("create_sequence", rest)
        }
        [alter, sequence, rest @ ..] if is(alter, "alter") && is(sequence, "sequence") => {
            ("alter_sequence", rest)
        }
        _ => return None,
    };
    let (if_exists, rest) = match rest {
        [first, not, exists, rest @ ..] if is(first, "if") && is(not, "not") && is(exists, "exists") => {
            (true, rest)
        }
        [first, exists, rest @ ..] if is(first, "if") && is(exists, "exists") => (true, rest),
        rest => (false, rest),
    };
    let (name, options) = rest.split_at(name_length(rest)?);
    if options.first().is_some_and(|word| is(word, "rename")) && procedure == "alter_sequence" {
        let exists = if if_exists { ["IF", "EXISTS"].as_slice() } else { &[] };
        let words = ["ALTER", "TABLE"].iter().chain(exists).map(|word| Token::make_keyword(word));
        return Some(words.map(TokenWithSpan::wrap).chain(rest.iter().cloned()).collect());
    }
    let mut arguments = vec![name.to_vec(), vec![literal(if if_exists { "true" } else { "false" })]];
    for option in all_options(options)? {
        arguments.push(vec![literal(option.name)]);
        arguments.push(vec![literal(&option.value)]);
    }
    if is_of_session {
        arguments.extend([vec![literal("temporary")], vec![literal("")]]);
    }
    Some(call(procedure, &arguments.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// Whether a word says that something goes with the session.
pub(crate) fn is_temporary(token: &TokenWithSpan) -> bool {
    is(token, "temporary") || is(token, "temp")
}

/// Tokens of a name, perhaps with a schema.
pub(crate) fn name_length(tokens: &[TokenWithSpan]) -> Option<usize> {
    let is_word = |at: usize| matches!(tokens.get(at).map(|token| &token.token), Some(Token::Word(_)));
    let has_schema = tokens.get(1).is_some_and(|token| token.token == Token::Period);
    match is_word(0) {
        true if has_schema => is_word(2).then_some(3),
        true => Some(1),
        false => None,
    }
}

/// An option of a sequence.
struct SequenceOption<'a> {
    name: &'static str,
    value: String,
    tokens: &'a [TokenWithSpan],
}

fn all_options(mut tokens: &[TokenWithSpan]) -> Option<Vec<SequenceOption<'_>>> {
    let mut options = Vec::new();
    while !tokens.is_empty() {
        let (name, value, length) = option(tokens)?;
        options.push(SequenceOption { name, value, tokens: &tokens[..length] });
        tokens = &tokens[length..];
    }
    Some(options)
}

/// The first of some options: its name, its value, and the number of its tokens.
fn option(tokens: &[TokenWithSpan]) -> Option<(&'static str, String, usize)> {
    let at = |position: usize, word: &str| tokens.get(position).is_some_and(|token| is(token, word));
    let number = |name: &'static str, skipped: usize| {
        let (value, length) = number(&tokens[skipped..])?;
        Some((name, value, skipped + length))
    };
    if at(0, "no") {
        let name = ["minvalue", "maxvalue", "cycle"].into_iter().find(|name| at(1, name))?;
        return Some((name, "none".to_owned(), 2));
    }
    if at(0, "owned") && at(1, "by") {
        if at(2, "none") {
            return Some(("owned", "none".to_owned(), 3));
        }
        let named = |token: &&TokenWithSpan| matches!(token.token, Token::Word(_) | Token::Period);
        let length = tokens[2..].iter().take_while(named).count();
        // A name of an option may follow, but not after a point.
        let mut length_of_name = 1;
        while length_of_name + 1 < length && tokens[2 + length_of_name].token == Token::Period {
            length_of_name += 2;
        }
        let name = tokens[2..2 + length_of_name].iter().map(|token| token.token.to_string());
        return Some(("owned", name.collect(), 2 + length_of_name));
    }
    if at(0, "as") {
        return Some(("as", tokens.get(1)?.token.to_string().to_lowercase(), 2));
    }
    if at(0, "restart") {
        let skipped = if at(1, "with") { 2 } else { 1 };
        return number("restart", skipped).or(Some(("restart", String::new(), 1)));
    }
    match () {
        () if at(0, "increment") => number("increment", if at(1, "by") { 2 } else { 1 }),
        () if at(0, "start") => number("start", if at(1, "with") { 2 } else { 1 }),
        () if at(0, "minvalue") => number("minvalue", 1),
        () if at(0, "maxvalue") => number("maxvalue", 1),
        () if at(0, "cache") => number("cache", 1),
        () if at(0, "cycle") => Some(("cycle", String::new(), 1)),
        () => None,
    }
}

/// An integer, perhaps with a sign, and the number of its tokens.
fn number(tokens: &[TokenWithSpan]) -> Option<(String, usize)> {
    let digits = |position: usize| match tokens.get(position).map(|token| &token.token) {
        Some(Token::Number(digits, _)) => Some(digits.clone()),
        _ => None,
    };
    match tokens.first()?.token {
        Token::Minus => Some((format!("-{}", digits(1)?), 2)),
        Token::Plus => Some((digits(1)?, 2)),
        _ => Some((digits(0)?, 1)),
    }
}

/// The order in which sqlparser takes the options of an identity.
const ORDER: [&str; 6] = ["increment", "minvalue", "maxvalue", "start", "cache", "cycle"];

/// Puts the options of identities in order. What is not understood is left as it is.
pub(crate) fn with_ordered_options(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is(token, "identity")) {
        return tokens;
    }
    let significant = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut rest = &significant.cloned().collect::<Vec<_>>()[..];
    let mut written = Vec::new();
    while let [first, after @ ..] = rest {
        written.push(first.clone());
        rest = after;
        let [open, inside @ ..] = after else { continue };
        if !is(first, "identity") || open.token != Token::LParen {
            continue;
        }
        let Some(end) = inside.iter().position(|token| token.token == Token::RParen) else { continue };
        if let Some(mut options) = all_options(&inside[..end]) {
            options.sort_by_key(|option| ORDER.iter().position(|name| *name == option.name));
            written.push(open.clone());
            written.extend(options.iter().flat_map(|option| option.tokens).cloned());
            rest = &inside[end..];
        }
    }
    written
}

/// Takes the words OVERRIDING ... VALUE out of an INSERT.
pub(crate) fn without_overriding(mut tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, Overriding) {
    let places = tokens.iter().enumerate().filter(|(_, token)| !matches!(token.token, Token::Whitespace(_)));
    let places = places.map(|(place, _)| place).collect::<Vec<_>>();
    let found = places.windows(3).find_map(|window| {
        let [first, whose, value] = [0, 1, 2].map(|at| &tokens[window[at]]);
        let overriding = match () {
            () if is(whose, "system") => Overriding::System,
            () if is(whose, "user") => Overriding::User,
            () => return None,
        };
        (is(first, "overriding") && is(value, "value")).then_some((window[0], window[2], overriding))
    });
    let Some((first, last, overriding)) = found else { return (tokens, Overriding::No) };
    tokens.drain(first..=last);
    (tokens, overriding)
}

/// Writes the sequences that an expression names in a literal as PostgreSQL shows them, `nextval('s'::regclass)`, and
/// returns their names as they stand in the literals.
pub fn name_sequences(expr: &mut Expr) -> Vec<String> {
    let mut names = Vec::new();
    change_exprs(expr, |expr| {
        let Expr::Function(function) = expr else { return };
        let name = function.name.0.last().and_then(|part| part.as_ident()).map(crate::names::fold);
        if !name.is_some_and(|name| ["nextval", "currval", "setval"].contains(&name.as_str())) {
            return;
        }
        let Some(mut arguments) = unnamed_arguments(function) else { return };
        let Some(first) = arguments.first_mut() else { return };
        let Some(sequence) = literal_name(first) else { return };
        *first = named(&sequence);
        names.push(sequence);
        let written = crate::desugar::call(&function.name.to_string(), arguments);
        if let Expr::Function(written) = written {
            function.args = written.args;
        }
    });
    names
}

/// Whether an expression takes the next number of a sequence and does nothing else.
pub fn is_next_number(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    let name = function.name.0.last().and_then(|part| part.as_ident()).map(crate::names::fold);
    let arguments = unnamed_arguments(function).unwrap_or_default();
    name.as_deref() == Some("nextval")
        && matches!(arguments.as_slice(), [only] if literal_name(only).is_some())
}

/// `nextval('name'::regclass)`
pub fn next_number<'a>(name: impl Into<NameRef<'a>>) -> Expr {
    let mut call = crate::desugar::call("nextval", vec![named(&written(name).to_string())]);
    if let Expr::Function(function) = &mut call {
        function.name = ObjectName::from(vec![Ident::new("nextval")]);
    }
    call
}

fn named(name: &str) -> Expr {
    let regclass = ObjectName::from(vec![Ident::new("regclass")]);
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(Expr::value(Value::SingleQuotedString(name.to_owned()))),
        data_type: DataType::Custom(regclass, Vec::new()),
        array: false,
        format: None,
    }
}

/// The text of a literal, perhaps cast to `regclass` or `text`.
fn literal_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Cast { expr, data_type, .. } if data_type.to_string().eq_ignore_ascii_case("regclass") => {
            literal_name(expr)
        }
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(name) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    }
}
