//! The text of a path, as PostgreSQL writes it.

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{Arithmetic, Expr, Flags, Head, JsonPath, LAST, Method, Predicate, Step};
use super::number;
use crate::json::quoted;

impl Display for JsonPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.lax { "" } else { "strict " })?;
        write_expr(&self.root, true, f)
    }
}

/// How tight an operator binds: what binds less is put in parentheses.
const OR: u8 = 0;
const AND: u8 = 1;
const COMPARISON: u8 = 2;
const SIGN: u8 = 5;
const TIGHTEST: u8 = 6;

fn priority(expr: &Expr) -> u8 {
    match &expr.head {
        Head::Predicate(predicate) => predicate_priority(predicate),
        Head::Binary(Arithmetic::Add | Arithmetic::Subtract, ..) => 3,
        Head::Binary(..) => 4,
        Head::Plus(_) | Head::Minus(_) => SIGN,
        _ => TIGHTEST,
    }
}

fn predicate_priority(predicate: &Predicate) -> u8 {
    match predicate {
        Predicate::Or(..) => OR,
        Predicate::And(..) => AND,
        Predicate::Compare(..) | Predicate::StartsWith(..) => COMPARISON,
        _ => TIGHTEST,
    }
}

fn write_expr(expr: &Expr, in_brackets: bool, f: &mut Formatter<'_>) -> fmt::Result {
    match &expr.head {
        Head::Root => f.write_char('$')?,
        Head::Current => f.write_char('@')?,
        Head::Last => f.write_str("last")?,
        Head::Variable(name) => write!(f, "${}", quoted(name))?,
        Head::Null => f.write_str("null")?,
        Head::Bool(value) => write!(f, "{value}")?,
        Head::Number(value) if expr.steps.is_empty() => f.write_str(&number::text(value))?,
        Head::Number(value) => write!(f, "({})", number::text(value))?,
        Head::Text(text) => f.write_str(&quoted(text))?,
        Head::Binary(op, left, right) => bracketed(in_brackets, f, |f| {
            write_operand(left, priority_of(*op), f)?;
            write!(f, " {} ", op.symbol())?;
            write_operand(right, priority_of(*op), f)
        })?,
        Head::Plus(operand) | Head::Minus(operand) => bracketed(in_brackets, f, |f| {
            f.write_char(if matches!(expr.head, Head::Plus(_)) { '+' } else { '-' })?;
            write_operand(operand, SIGN, f)
        })?,
        Head::Predicate(predicate) => write_predicate(predicate, in_brackets, f)?,
    }
    expr.steps.iter().try_for_each(|step| write_step(step, f))
}

fn priority_of(op: Arithmetic) -> u8 {
    if matches!(op, Arithmetic::Add | Arithmetic::Subtract) { 3 } else { 4 }
}

fn bracketed(
    in_brackets: bool,
    f: &mut Formatter<'_>,
    write: impl FnOnce(&mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    f.write_str(if in_brackets { "(" } else { "" })?;
    write(f)?;
    f.write_str(if in_brackets { ")" } else { "" })
}

fn write_operand(operand: &Expr, around: u8, f: &mut Formatter<'_>) -> fmt::Result {
    write_expr(operand, priority(operand) <= around, f)
}

fn write_predicate(predicate: &Predicate, in_brackets: bool, f: &mut Formatter<'_>) -> fmt::Result {
    let own = predicate_priority(predicate);
    match predicate {
        Predicate::And(left, right) | Predicate::Or(left, right) => bracketed(in_brackets, f, |f| {
            write_predicate(left, predicate_priority(left) <= own, f)?;
            f.write_str(if own == AND { " && " } else { " || " })?;
            write_predicate(right, predicate_priority(right) <= own, f)
        }),
        Predicate::Not(inner) => {
            f.write_str("!(")?;
            write_predicate(inner, false, f)?;
            f.write_char(')')
        }
        Predicate::IsUnknown(inner) => {
            f.write_char('(')?;
            write_predicate(inner, false, f)?;
            f.write_str(") is unknown")
        }
        Predicate::Exists(expr) => {
            f.write_str("exists (")?;
            write_expr(expr, false, f)?;
            f.write_char(')')
        }
        Predicate::Compare(op, left, right) => bracketed(in_brackets, f, |f| {
            write_operand(left, own, f)?;
            write!(f, " {} ", op.symbol())?;
            write_operand(right, own, f)
        }),
        Predicate::StartsWith(value, prefix) => bracketed(in_brackets, f, |f| {
            write_operand(value, own, f)?;
            f.write_str(" starts with ")?;
            write_operand(prefix, own, f)
        }),
        Predicate::LikeRegex(value, pattern) => bracketed(in_brackets, f, |f| {
            write_operand(value, own, f)?;
            write!(f, " like_regex {}", quoted(&pattern.text))?;
            match pattern.flags.letters() {
                letters if letters.is_empty() => Ok(()),
                letters => write!(f, " flag \"{letters}\""),
            }
        }),
    }
}

impl Flags {
    fn letters(self) -> String {
        let letters = [
            (self.ignore_case, 'i'),
            (self.dot_all, 's'),
            (self.multi_line, 'm'),
            (self.spaced, 'x'),
            (self.quoted, 'q'),
        ];
        letters.into_iter().filter(|(given, _)| *given).map(|(_, letter)| letter).collect()
    }
}

fn write_step(step: &Step, f: &mut Formatter<'_>) -> fmt::Result {
    match step {
        Step::Key(key) => write!(f, ".{}", quoted(key)),
        Step::AnyKey => f.write_str(".*"),
        Step::AnyElement => f.write_str("[*]"),
        Step::Elements(ranges) => {
            f.write_char('[')?;
            for (position, (first, last)) in ranges.iter().enumerate() {
                f.write_str(if position > 0 { "," } else { "" })?;
                write_expr(first, false, f)?;
                if let Some(last) = last {
                    f.write_str(" to ")?;
                    write_expr(last, false, f)?;
                }
            }
            f.write_char(']')
        }
        Step::Anywhere(0, LAST) => f.write_str(".**"),
        Step::Anywhere(LAST, LAST) => f.write_str(".**{last}"),
        Step::Anywhere(first, last) if first == last => write!(f, ".**{{{first}}}"),
        Step::Anywhere(LAST, last) => write!(f, ".**{{last to {last}}}"),
        Step::Anywhere(first, LAST) => write!(f, ".**{{{first} to last}}"),
        Step::Anywhere(first, last) => write!(f, ".**{{{first} to {last}}}"),
        Step::Filter(predicate) => {
            f.write_str("?(")?;
            write_predicate(predicate, false, f)?;
            f.write_char(')')
        }
        Step::Method(method) => {
            write!(f, ".{}(", method.name())?;
            match method {
                Method::Decimal(Some((precision, Some(scale)))) => write!(f, "{precision},{scale}")?,
                Method::Decimal(Some((precision, None))) => write!(f, "{precision}")?,
                Method::Datetime(Some(template)) => f.write_str(&quoted(template))?,
                Method::Time(Some(digits))
                | Method::TimeTz(Some(digits))
                | Method::Timestamp(Some(digits))
                | Method::TimestampTz(Some(digits)) => write!(f, "{digits}")?,
                _ => {}
            }
            f.write_char(')')
        }
    }
}
