use fastrand::Rng;

use super::kind::Kind::{self, *};

/// A column that expressions may name.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// As it is written, with its qualifier.
    pub(super) sql: String,
    pub(super) kind: Kind,
}

/// A random expression of `kind` over `columns`, at most `depth` operators deep. It never fails: values are
/// small, and nothing divides.
pub(super) fn expression(rng: &mut Rng, columns: &[Column], kind: Kind, depth: u32) -> String {
    let fitting = columns.iter().filter(|column| column.kind == kind).collect::<Vec<_>>();
    if depth == 0 || rng.u8(..3) == 0 {
        if !fitting.is_empty() && rng.u8(..8) > 0 {
            return fitting[rng.usize(..fitting.len())].sql.clone();
        }
        return kind.literal(rng, false);
    }
    let below = depth - 1;
    let of = |rng: &mut Rng, kind| expression(rng, columns, kind, below);
    match rng.u8(..4) {
        0 => {
            let condition = predicate(rng, columns, below);
            let (then, otherwise) = (of(rng, kind), of(rng, kind));
            return format!("CASE WHEN {condition} THEN {then} ELSE {otherwise} END");
        }
        1 => return format!("COALESCE({}, {})", of(rng, kind), of(rng, kind)),
        2 if kind != Interval => return format!("NULLIF({}, {})", of(rng, kind), of(rng, kind)),
        _ => {}
    }
    match kind {
        Bool => predicate(rng, columns, below),
        Int4 if rng.u8(..5) == 0 => format!("length({})", of(rng, Text)),
        Int4 if rng.u8(..8) == 0 => format!("cardinality({})", of(rng, Ints)),
        Int4 if rng.u8(..8) == 0 => format!("({})[{}]", of(rng, Ints), rng.u8(..4)),
        Int4 if rng.u8(..8) == 0 => format!("array_position({}, {})", of(rng, Texts), of(rng, Text)),
        Int4 if rng.u8(..5) == 0 => format!("CAST({} AS integer)", of(rng, Int2)),
        Int8 if rng.u8(..4) == 0 => format!("CAST({} AS bigint)", of(rng, Int4)),
        Int2 | Int4 | Int8 if rng.u8(..6) == 0 => format!("abs({})", of(rng, kind)),
        Int2 | Int4 | Int8 | Float4 | Float8 | Numeric => {
            let operator = ["+", "-"][rng.usize(..2)];
            // One side is a literal, so that sums of sums stay far from overflow.
            format!("({} {operator} {})", of(rng, kind), kind.known(rng, false))
        }
        Text => match rng.u8(..5) {
            0 => format!("upper({})", of(rng, Text)),
            1 => format!("lower({})", of(rng, Text)),
            2 => {
                let kind = [Int4, Uuid, Time, Jsonb, Ints, Texts][rng.usize(..6)];
                format!("CAST({} AS text)", of(rng, kind))
            }
            3 if rng.bool() => format!("({} ->> 'a')", of(rng, Jsonb)),
            4 if rng.bool() => format!("array_to_string({}, '-', '*')", of(rng, Ints)),
            _ => format!("({} || {})", of(rng, Text), Text.known(rng, false)),
        },
        Date => format!("({} + {})", of(rng, Date), rng.u8(..3)),
        Timestamp | Timestamptz => format!("({} + INTERVAL '1 day')", of(rng, kind)),
        Time => format!("({} + INTERVAL '20 hours')", of(rng, Time)),
        Jsonb if rng.bool() => format!("({} -> 'b')", of(rng, Jsonb)),
        Jsonb => format!("({} || {})", of(rng, Jsonb), Jsonb.known(rng, false)),
        Ints => array(rng, columns, Ints, Int4, below),
        Texts => array(rng, columns, Texts, Text, below),
        Interval | Uuid => of(rng, kind),
    }
}

/// A random array over `columns`.
fn array(rng: &mut Rng, columns: &[Column], kind: Kind, element: Kind, depth: u32) -> String {
    let array = expression(rng, columns, kind, depth);
    let one = |rng: &mut Rng| expression(rng, columns, element, depth);
    match rng.u8(..7) {
        0 => format!("({array} || {})", expression(rng, columns, kind, depth)),
        1 => format!("array_append({array}, {})", one(rng)),
        2 => format!("array_remove({array}, {})", one(rng)),
        3 => format!("array_replace({array}, {}, {})", one(rng), one(rng)),
        4 => format!("({array})[{}:{}]", rng.u8(..3), rng.u8(..4)),
        5 => format!("ARRAY[{}, {}]", one(rng), one(rng)),
        _ => array,
    }
}

/// A random condition over `columns`. It never fails.
pub(super) fn predicate(rng: &mut Rng, columns: &[Column], depth: u32) -> String {
    let below = depth.saturating_sub(1);
    if depth > 0 {
        match rng.u8(..5) {
            0 => {
                return format!(
                    "({} AND {})",
                    predicate(rng, columns, below),
                    predicate(rng, columns, below)
                );
            }
            1 => {
                return format!("({} OR {})", predicate(rng, columns, below), predicate(rng, columns, below));
            }
            2 => return format!("NOT ({})", predicate(rng, columns, below)),
            _ => {}
        }
    }
    let column = (!columns.is_empty()).then(|| columns[rng.usize(..columns.len())].clone());
    let kind = column.as_ref().map_or_else(|| Kind::any(rng), |column| column.kind);
    let left = column.map_or_else(|| kind.known(rng, false), |column| column.sql);
    let literal = |rng: &mut Rng| kind.known(rng, false);
    match rng.u8(..10) {
        0 => format!("{left} IS NULL"),
        1 => format!("{left} IS NOT NULL"),
        2 => format!("{left} IN ({}, {})", literal(rng), literal(rng)),
        3 if kind != Bool && kind != Interval => {
            format!("{left} BETWEEN {} AND {}", literal(rng), literal(rng))
        }
        4 if kind == Text => format!("{left} LIKE '{}'", ["a%", "%b", "_", "%"][rng.usize(..4)]),
        5 => format!("{left} IS DISTINCT FROM {}", literal(rng)),
        6 if kind.array().is_some() => {
            let array = kind.array().map(|array| expression(rng, columns, array, below)).unwrap_or_default();
            format!("{left} {}", [format!("= ANY ({array})"), format!("<> ALL ({array})")][rng.usize(..2)])
        }
        6 if matches!(kind, Ints | Texts) => {
            let operator = ["@>", "<@", "&&"][rng.usize(..3)];
            format!("{left} {operator} {}", expression(rng, columns, kind, below))
        }
        _ => {
            let operator = match kind {
                Bool | Interval => ["=", "<>"][rng.usize(..2)],
                _ => ["=", "<>", "<", "<=", ">", ">="][rng.usize(..6)],
            };
            format!("{left} {operator} {}", expression(rng, columns, kind, below))
        }
    }
}

/// An expression that fails for some rows: it divides, or it multiplies large numbers. `None` if no column
/// lends itself to it.
pub(super) fn risky(rng: &mut Rng, columns: &[Column]) -> Option<(String, Kind)> {
    let fitting = columns.iter().filter(|column| matches!(column.kind, Int4 | Int8)).collect::<Vec<_>>();
    let column = (!fitting.is_empty()).then(|| fitting[rng.usize(..fitting.len())])?;
    let Column { sql, kind } = column;
    let text = match (rng.u8(..4), kind) {
        (0, _) => format!("(10 % {sql})"),
        (1, Int4) => format!("({sql} * 1000000000)"),
        (1, _) => format!("({sql} * 4000000000000000000)"),
        _ => format!("(100 / {sql})"),
    };
    Some((text, *kind))
}
