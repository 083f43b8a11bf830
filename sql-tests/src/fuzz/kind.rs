use fastrand::Rng;

/// The types as the generator sees them: precision and length do not matter to what may be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Date,
    Timestamp,
    Timestamptz,
    Interval,
    Time,
    Uuid,
    Jsonb,
    /// `integer[]`
    Ints,
    /// `text[]`
    Texts,
}

use Kind::*;

/// All kinds, the ones that make good keys more than once.
const ALL: [Kind; 22] = [
    Int4,
    Int4,
    Int4,
    Int8,
    Int8,
    Text,
    Text,
    Bool,
    Int2,
    Float4,
    Float8,
    Float8,
    Numeric,
    Date,
    Timestamp,
    Timestamptz,
    Interval,
    Time,
    Uuid,
    Jsonb,
    Ints,
    Texts,
];

impl Kind {
    pub(super) fn any(rng: &mut Rng) -> Kind {
        ALL[rng.usize(..ALL.len())]
    }

    /// A kind whose values make a primary key: its domain is wide enough for a few rows.
    pub(super) fn any_key(rng: &mut Rng) -> Kind {
        [Int4, Int4, Int8, Int2, Text, Date, Uuid][rng.usize(..7)]
    }

    /// How a column of this kind is declared.
    pub(super) fn declaration(self, rng: &mut Rng) -> &'static str {
        match self {
            Bool => "boolean",
            Int2 => "smallint",
            Int4 => "integer",
            Int8 => "bigint",
            Float4 => "real",
            Float8 => "double precision",
            Numeric => ["numeric", "numeric(12,2)", "numeric(20,4)"][rng.usize(..3)],
            Text => ["text", "varchar", "varchar(20)"][rng.usize(..3)],
            Date => "date",
            Timestamp => "timestamp",
            Timestamptz => "timestamptz",
            Interval => "interval",
            Time => "time",
            Uuid => "uuid",
            Jsonb => "jsonb",
            Ints => "integer[]",
            Texts => ["text[]", "varchar(20)[]"][rng.usize(..2)],
        }
    }

    /// What a value of this kind is cast to.
    pub(super) fn name(self) -> &'static str {
        match self {
            Bool => "boolean",
            Int2 => "smallint",
            Int4 => "integer",
            Int8 => "bigint",
            Float4 => "real",
            Float8 => "double precision",
            Numeric => "numeric(12,2)",
            Text => "text",
            Date => "date",
            Timestamp => "timestamp",
            Timestamptz => "timestamptz",
            Interval => "interval",
            Time => "time",
            Uuid => "uuid",
            Jsonb => "jsonb",
            Ints => "integer[]",
            Texts => "text[]",
        }
    }

    /// Whether there is a least and a greatest value.
    pub(super) fn has_extremes(self) -> bool {
        !matches!(self, Bool | Uuid | Jsonb | Ints | Texts)
    }

    /// What there are arrays of: values that are equal only if they are written alike.
    pub(super) fn array(self) -> Option<Kind> {
        match self {
            Int4 => Some(Ints),
            Text => Some(Texts),
            _ => None,
        }
    }

    /// Whether values can be summed and averaged.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Int2 | Int4 | Int8 | Float4 | Float8 | Numeric)
    }

    /// What `sum` of this kind gives.
    pub(super) fn of_sum(self) -> Kind {
        match self {
            Int2 | Int4 => Int8,
            Int8 | Numeric => Numeric,
            Float4 => Float4,
            Float8 => Float8,
            other => other,
        }
    }

    /// What `avg` of this kind gives.
    pub(super) fn of_avg(self) -> Kind {
        match self {
            Float4 | Float8 => Float8,
            _ => Numeric,
        }
    }

    /// The text of a value from a domain so small that values keep meeting; of a key, from a wider one.
    pub(super) fn value(self, rng: &mut Rng, key: bool) -> String {
        let pick = |rng: &mut Rng, values: &[&str]| values[rng.usize(..values.len())].to_owned();
        match self {
            Bool => pick(rng, &["true", "false"]),
            Int2 | Int4 | Int8 if key => rng.i32(-2..30).to_string(),
            Int2 | Int4 | Int8 => rng.i32(-2..5).to_string(),
            Float4 | Float8 if rng.u8(..30) == 0 => {
                pick(rng, &["NaN", "Infinity", "-Infinity", "-0", "1e18"])
            }
            Float4 | Float8 => pick(rng, &["-1.5", "0", "0.1", "0.5", "1", "2", "3.25"]),
            Numeric => pick(rng, &["-1.50", "0", "0.1", "0.25", "1", "2.00", "10.05"]),
            Text if key => format!("k{}", rng.u8(..30)),
            Text => pick(rng, &["", "a", "b", "ab", "B", "é"]),
            Date => format!("2024-02-{:02}", rng.u8(26..if key { 30 } else { 29 })),
            Timestamp => pick(rng, &["2024-01-01 00:00:00", "2024-01-01 00:00:00.5", "2024-02-29 23:59:59"]),
            Timestamptz => {
                pick(rng, &["2024-01-01 00:00:00+00", "2024-01-01 02:00:00+02", "2024-06-01 12:00:00+00"])
            }
            Interval => pick(rng, &["1 day", "2 hours", "1 mon", "-1 day", "00:00:00"]),
            Time => pick(rng, &["00:00:00", "10:30:00", "10:30:00.5", "23:59:59"]),
            Uuid if key => format!("a0000000-0000-0000-0000-0000000000{:02}", rng.u8(..30)),
            Uuid => pick(rng, &["a0000000-0000-0000-0000-000000000001", "ffffffffffffffffffffffffffffffff"]),
            Jsonb => pick(
                rng,
                &["1", "\"a\"", "null", "{\"a\":1}", "{\"b\":[1,2],\"a\":{\"c\":\"x\"}}", "[\"a\"]"],
            ),
            Ints => pick(rng, &["{}", "{1}", "{1,2}", "{2,1}", "{1,NULL}", "{NULL}", "{3,3,4}"]),
            Texts => pick(rng, &["{}", "{a}", "{a,b}", "{b,a}", "{a,NULL}", "{\"\"}", "{\"NULL\",B}"]),
        }
    }

    /// A typed literal.
    pub(super) fn literal(self, rng: &mut Rng, key: bool) -> String {
        if !key && rng.u8(..12) == 0 {
            return format!("CAST(NULL AS {})", self.name());
        }
        self.known(rng, key)
    }

    /// A typed literal that is not NULL.
    pub(super) fn known(self, rng: &mut Rng, key: bool) -> String {
        let value = self.value(rng, key);
        match self {
            Bool => value,
            Int4 if !value.starts_with('-') => value,
            _ => format!("CAST('{value}' AS {})", self.name()),
        }
    }
}
