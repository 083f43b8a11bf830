//! What a path says.

use bigdecimal::BigDecimal;

use crate::functions::Compiled;

/// A parsed path.
#[derive(Clone, Debug)]
pub(crate) struct JsonPath {
    /// Whether structural errors are passed over, and arrays wrapped and unwrapped where that helps.
    pub lax: bool,
    pub(super) root: Expr,
}

/// A value, and the way from there.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub head: Head,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) enum Head {
    /// `$`
    Root,
    /// `@`
    Current,
    /// `last`
    Last,
    Variable(String),
    Null,
    Bool(bool),
    Number(BigDecimal),
    Text(String),
    Binary(Arithmetic, Box<Expr>, Box<Expr>),
    Plus(Box<Expr>),
    Minus(Box<Expr>),
    Predicate(Box<Predicate>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Arithmetic {
    pub(super) fn symbol(self) -> char {
        match self {
            Arithmetic::Add => '+',
            Arithmetic::Subtract => '-',
            Arithmetic::Multiply => '*',
            Arithmetic::Divide => '/',
            Arithmetic::Modulo => '%',
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

/// What is true, false or unknown.
#[derive(Clone, Debug)]
pub(super) enum Predicate {
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
    Not(Box<Predicate>),
    IsUnknown(Box<Predicate>),
    Exists(Expr),
    Compare(Comparison, Expr, Expr),
    StartsWith(Expr, Expr),
    LikeRegex(Expr, Pattern),
}

/// The right side of `like_regex`.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub text: String,
    pub flags: Flags,
    pub regex: Compiled,
}

/// The flags of `like_regex`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub ignore_case: bool,
    pub dot_all: bool,
    pub multi_line: bool,
    pub spaced: bool,
    pub quoted: bool,
}

/// One step on the way.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// `.key`
    Key(String),
    /// `.*`
    AnyKey,
    /// `[*]`
    AnyElement,
    /// `[i, j to k]`
    Elements(Vec<(Expr, Option<Expr>)>),
    /// `.**{first to last}`; [`LAST`] stands for the deepest level.
    Anywhere(u32, u32),
    /// `?(predicate)`
    Filter(Predicate),
    Method(Method),
}

/// The deepest level.
pub(super) const LAST: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Type,
    Size,
    Abs,
    Floor,
    Ceiling,
    Double,
    KeyValue,
    Bigint,
    Boolean,
    Integer,
    Number,
    Text,
    Decimal(Option<(i64, Option<i64>)>),
    Datetime(Option<String>),
    Date,
    Time(Option<i64>),
    TimeTz(Option<i64>),
    Timestamp(Option<i64>),
    TimestampTz(Option<i64>),
}

impl Method {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Method::Type => "type",
            Method::Size => "size",
            Method::Abs => "abs",
            Method::Floor => "floor",
            Method::Ceiling => "ceiling",
            Method::Double => "double",
            Method::KeyValue => "keyvalue",
            Method::Bigint => "bigint",
            Method::Boolean => "boolean",
            Method::Integer => "integer",
            Method::Number => "number",
            Method::Text => "string",
            Method::Decimal(_) => "decimal",
            Method::Datetime(_) => "datetime",
            Method::Date => "date",
            Method::Time(_) => "time",
            Method::TimeTz(_) => "time_tz",
            Method::Timestamp(_) => "timestamp",
            Method::TimestampTz(_) => "timestamp_tz",
        }
    }
}
