//! Domains: statements about them, in other words, and casts to them. All arguments of the calls are literals.
//!
//! ```text
//! CREATE DOMAIN name [AS] type options     CALL springtide.create_domain('name', 'type', 'default', '', '1', ...)
//! ALTER DOMAIN name action                 CALL springtide.alter_domain('name', 'check', 'constraint', 'value > 0')
//! ```
//!
//! Options and actions are words, the name of a constraint, and text.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result as PlanResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::sql::sqlparser::ast::{CastKind, Expr, Query, TypedString};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use springtide_catalog::{Function, FunctionId, Parameter, SchemaId, TypeId, Types, UserType};
use springtide_types::{Result, SqlError, SqlState};

use crate::desugar;
use crate::errors::external;
use crate::named_types::type_in_cast;
use crate::names::type_name;
use crate::procedures::{call, is, literal};
use crate::walk::change_exprs;

/// Before the identity of a domain in the name of the function that checks its values.
const CHECKED: &str = "?domain ";
/// `check(value, domain, not null, name of a constraint, whether it holds, ...)` is the value.
const CHECK: &str = "$domain";
/// The identity of the functions that check values, which no catalog has.
pub(crate) const CHECKING: FunctionId = FunctionId(u64::MAX);

/// A statement about domains, given as its tokens without blanks, as a call; `None` if it is none, or not understood.
pub(crate) fn as_call(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let [verb, domain, rest @ ..] = tokens else { return None };
    if !is(domain, "domain") {
        return None;
    }
    let length = crate::sequences::name_length(rest)?;
    let (name, rest) = rest.split_at(length);
    let mut arguments = vec![name.iter().map(|token| token.token.to_string()).collect::<String>()];
    let procedure = if is(verb, "create") {
        let rest = if is(rest.first()?, "as") { &rest[1..] } else { rest };
        let begins = |token: &TokenWithSpan| OPTIONS.iter().any(|word| is(token, word));
        let length = rest.iter().position(begins).unwrap_or(rest.len());
        arguments.push(text(&rest[..length]));
        arguments.extend(options(&rest[length..])?);
        "create_domain"
    } else if is(verb, "alter") {
        arguments.extend(action(rest)?);
        "alter_domain"
    } else {
        return None;
    };
    let arguments = arguments.iter().map(|text| [literal(text)]).collect::<Vec<_>>();
    Some(call(procedure, &arguments.iter().map(<[_; 1]>::as_slice).collect::<Vec<_>>()))
}

/// What an option begins with.
const OPTIONS: [&str; 6] = ["default", "constraint", "check", "not", "null", "collate"];

fn options(mut tokens: &[TokenWithSpan]) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    while !tokens.is_empty() {
        let (option, length) = option(tokens)?;
        arguments.extend(option);
        tokens = &tokens[length..];
    }
    Some(arguments)
}

/// The first of some options, and the number of its tokens.
fn option(tokens: &[TokenWithSpan]) -> Option<([String; 3], usize)> {
    let words = |kind: &str, name: &str, text: String| [kind.to_owned(), name.to_owned(), text];
    Some(match tokens {
        [default, expr @ ..] if is(default, "default") => {
            let mut depth = 0;
            let mut ends = |(at, token): (usize, &TokenWithSpan)| {
                match token.token {
                    Token::LParen => depth += 1,
                    Token::RParen => depth -= 1,
                    _ => {}
                }
                at > 0 && depth == 0 && OPTIONS.iter().any(|word| is(token, word))
            };
            let length = expr.iter().enumerate().position(&mut ends).unwrap_or(expr.len());
            (words("default", "", text(&expr[..length])), length + 1)
        }
        [not, null, ..] if is(not, "not") && is(null, "null") => (words("not null", "", String::new()), 2),
        [null, ..] if is(null, "null") => (words("null", "", String::new()), 1),
        [constraint, name, rest @ ..] if is(constraint, "constraint") => {
            let ([kind, _, text], length) = option(rest)?;
            (words(&kind, &name.token.to_string(), text), length + 2)
        }
        [check, rest @ ..] if is(check, "check") => {
            let mut depth = 0;
            let end = rest.iter().position(|token| {
                match token.token {
                    Token::LParen => depth += 1,
                    Token::RParen => depth -= 1,
                    _ => {}
                }
                depth == 0
            })?;
            (words("check", "", text(rest.get(1..end)?)), end + 2)
        }
        _ => return None,
    })
}

fn action(tokens: &[TokenWithSpan]) -> Option<Vec<String>> {
    let starts = |words: &[&str]| {
        words.iter().enumerate().all(|(at, word)| tokens.get(at).is_some_and(|token| is(token, word)))
    };
    let word = |at: usize| tokens.get(at).map(|token| token.token.to_string());
    let said = |kind: &str, name: String, text: String| Some(vec![kind.to_owned(), name, text]);
    match () {
        () if starts(&["set", "default"]) => said("set default", String::new(), text(tokens.get(2..)?)),
        () if starts(&["drop", "default"]) => said("drop default", String::new(), String::new()),
        () if starts(&["set", "not", "null"]) => said("set not null", String::new(), String::new()),
        () if starts(&["drop", "not", "null"]) => said("drop not null", String::new(), String::new()),
        () if starts(&["rename", "to"]) => said("rename", String::new(), word(2)?),
        () if starts(&["validate", "constraint"]) => said("validate", word(2)?, String::new()),
        () if starts(&["rename", "constraint"]) && tokens.get(3).is_some_and(|it| is(it, "to")) => {
            said("rename constraint", word(2)?, word(4)?)
        }
        () if starts(&["drop", "constraint", "if", "exists"]) => {
            said("drop constraint", word(4)?, "if exists".to_owned())
        }
        () if starts(&["drop", "constraint"]) => said("drop constraint", word(2)?, String::new()),
        () if starts(&["add"]) => {
            let (added, length) = option(&tokens[1..])?;
            let [kind, name, text] = added;
            match &tokens[1 + length..] {
                [] => said(&kind, name, text),
                [not, valid] if is(not, "not") && is(valid, "valid") && kind == "check" => {
                    said("check not valid", name, text)
                }
                _ => None,
            }
        }
        () => None,
    }
}

/// Tokens as SQL.
fn text(tokens: &[TokenWithSpan]) -> String {
    let text = |token: &TokenWithSpan| match &token.token {
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        other => other.to_string(),
    };
    tokens.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// Lets each cast to a domain check its value. Returns the domains.
pub(crate) fn check_casts(query: &mut Query, types: &Types) -> Result<Vec<TypeId>> {
    let (mut found, mut failed) = (Vec::new(), None);
    if !types.iter().any(|known| known.domain().is_some()) {
        return Ok(found);
    }
    change_exprs(query, |expr| {
        let data_type = match expr {
            Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => &*data_type,
            _ => return,
        };
        let Some(domain) = types_domain(data_type, types).cloned() else { return };
        let base = match base_in_cast(&domain) {
            Ok(base) => base,
            Err(error) => return failed = Some(error),
        };
        found.push(domain.id);
        let operand = match expr {
            Expr::Cast { expr, .. } => expr.as_ref().clone(),
            Expr::TypedString(typed) => Expr::Value(typed.value.clone()),
            _ => return,
        };
        let (kind, operand) = (CastKind::DoubleColon, Box::new(operand));
        let cast = Expr::Cast { kind, expr: operand, data_type: base, array: false, format: None };
        *expr = desugar::call(&format!("{CHECKED}{}", domain.id.0), vec![cast]);
    });
    failed.map_or(Ok(found), Err)
}

/// The domain that a type names.
pub fn types_domain<'a>(
    declared: &datafusion::sql::sqlparser::ast::DataType,
    types: &'a Types,
) -> Option<&'a Arc<UserType>> {
    let datafusion::sql::sqlparser::ast::DataType::Custom(name, _) = declared else { return None };
    let known = types.find(&type_name(name).ok()?)?;
    known.domain().is_some().then_some(known)
}

fn base_in_cast(domain: &UserType) -> Result<datafusion::sql::sqlparser::ast::DataType> {
    let base = domain.sql_type();
    if let Some(data_type) = type_in_cast(base) {
        return Ok(data_type);
    }
    let parsed = crate::parser(&base.to_string())?.parse_data_type();
    parsed.map_err(|error| SqlError::internal(error.to_string()))
}

/// The function that a cast to a domain calls: its conditions are the body.
pub(crate) fn checking(name: &str, types: &Types) -> Option<Function> {
    let id = TypeId(name.strip_prefix(CHECKED)?.parse().ok()?);
    let domain = types.by_id(id)?;
    let conditions = types.domains_in(id);
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut arguments = vec!["value".to_owned(), quoted(&domain.name)];
    arguments.push(conditions.iter().any(|domain| domain.not_null).to_string());
    for check in conditions.iter().flat_map(|domain| &domain.checks) {
        arguments.extend([quoted(&check.name), format!("({})", check.expr)]);
    }
    Some(Function {
        id: CHECKING,
        in_schema: SchemaId::PUBLIC,
        name: name.to_owned(),
        parameters: vec![Parameter { name: Some("value".to_owned()), sql_type: domain.sql_type() }],
        returns: domain.sql_type(),
        rows: None,
        strict: false,
        body: format!("SELECT \"{CHECK}\"({})", arguments.join(", ")),
    })
}

pub(crate) fn functions() -> [Arc<ScalarUDF>; 1] {
    let signature = Signature::one_of(vec![TypeSignature::VariadicAny], Volatility::Immutable);
    [Arc::new(ScalarUDF::from(CheckValue { signature }))]
}

/// The error for a value that is none of a domain.
pub fn no_value_of(domain: &str, constraint: &str) -> SqlError {
    let message = format!("value for domain {domain} violates check constraint \"{constraint}\"");
    SqlError::new(SqlState::CHECK_VIOLATION, message)
}

/// The error for NULL in a domain without it.
pub fn no_null_of(domain: &str) -> SqlError {
    SqlError::new(SqlState::NOT_NULL_VIOLATION, format!("domain {domain} does not allow null values"))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckValue {
    signature: Signature,
}

impl ScalarUDFImpl for CheckValue {
    fn name(&self) -> &str {
        CHECK
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> PlanResult<DataType> {
        Ok(types[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let [value, domain, not_null, checks @ ..] = args.args.as_slice() else {
            return datafusion::common::internal_err!("a domain has a name");
        };
        let text = |value: &ColumnarValue| match value {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => text.clone(),
            _ => String::new(),
        };
        let domain = text(domain);
        let is_null = match value {
            ColumnarValue::Scalar(value) => value.is_null(),
            ColumnarValue::Array(values) => values.logical_null_count() > 0,
        };
        if is_null && matches!(not_null, ColumnarValue::Scalar(ScalarValue::Boolean(Some(true)))) {
            return Err(external(no_null_of(&domain)));
        }
        for check in checks.chunks(2) {
            let [name, holds] = check else { continue };
            let fails = match holds {
                ColumnarValue::Scalar(holds) => *holds == ScalarValue::Boolean(Some(false)),
                ColumnarValue::Array(holds) => holds.as_boolean().iter().any(|holds| holds == Some(false)),
            };
            if fails {
                return Err(external(no_value_of(&domain, &text(name))));
            }
        }
        Ok(value.clone())
    }
}
