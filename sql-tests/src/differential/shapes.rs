use std::collections::BTreeMap;

use tokio_postgres::{Client, Error};

/// The types that are compared, by PostgreSQL's internal names.
pub(super) const TYPES: [&str; 21] = [
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "text",
    "varchar",
    "bpchar",
    "bytea",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "jsonb",
    "_int4",
    "_text",
];

/// What makes a value out of others.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) form: Form,
    /// Of a function, an operator, or the type that is cast to.
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) result: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Function,
    Operator,
    Cast,
    Aggregate,
}

impl Shape {
    /// The expression with these arguments.
    pub(super) fn sql(&self, arguments: &[String]) -> String {
        match (self.form, arguments) {
            (Form::Operator, [left, right]) => format!("({left} {} {right})", self.name),
            (Form::Operator, [operand]) => format!("({} {operand})", self.name),
            (Form::Cast, [value]) => format!("({value})::{}", self.name),
            // These are not called by their names alone.
            _ if self.name == "overlaps" => format!(
                "(({}, {}) OVERLAPS ({}, {}))",
                arguments[0], arguments[1], arguments[2], arguments[3]
            ),
            _ => format!("{}({})", self.name, arguments.join(", ")),
        }
    }
}

/// Everything of the catalogue that takes and gives the types that are compared.
pub(super) struct Shapes {
    /// By the type that they give.
    pub(super) scalar: BTreeMap<String, Vec<Shape>>,
    pub(super) aggregates: Vec<Shape>,
}

impl Shapes {
    pub(super) async fn read(client: &Client) -> Result<Shapes, Error> {
        let mut scalar = BTreeMap::<String, Vec<Shape>>::new();
        let mut aggregates = Vec::new();
        for (form, query) in [
            (Form::Function, FUNCTIONS),
            (Form::Operator, OPERATORS),
            (Form::Cast, CASTS),
            (Form::Aggregate, AGGREGATES),
        ] {
            for row in client.query(query, &[]).await? {
                let shape = Shape { form, name: row.get(0), arguments: row.get(1), result: row.get(2) };
                for shape in concrete(&shape) {
                    match form {
                        Form::Aggregate => aggregates.push(shape),
                        _ => scalar.entry(shape.result.clone()).or_default().push(shape),
                    }
                }
            }
        }
        Ok(Shapes { scalar, aggregates })
    }
}

/// A polymorphic shape for an integer and for a text; any other one as it is, if all of its types are compared.
fn concrete(shape: &Shape) -> Vec<Shape> {
    let is_polymorphic = |name: &String| name.starts_with("any");
    let bindings: &[(&str, &str)] = if shape.arguments.iter().any(is_polymorphic) {
        &[("int4", "_int4"), ("text", "_text")]
    } else {
        &[("", "")]
    };
    let shapes = bindings.iter().map(|(element, array)| {
        let bound = |name: &String| match name.as_str() {
            "anyelement" | "anynonarray" | "anycompatible" | "anycompatiblenonarray" | "any" => {
                (*element).to_owned()
            }
            "anyarray" | "anycompatiblearray" => (*array).to_owned(),
            _ => name.clone(),
        };
        let arguments = shape.arguments.iter().map(bound).collect();
        Shape { arguments, result: bound(&shape.result), ..shape.clone() }
    });
    shapes
        .filter(|shape| {
            shape.arguments.iter().chain([&shape.result]).all(|name| TYPES.contains(&name.as_str()))
        })
        .collect()
}

/// Functions that people call: not those that stand behind operators, casts, types, indexes and aggregates, nor those about the
/// server and the session.
const FUNCTIONS: &str = "
    WITH internal AS (
        SELECT oprcode::oid AS id FROM pg_operator UNION SELECT castfunc FROM pg_cast UNION SELECT amproc::oid FROM pg_amproc
        UNION SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn,
            aggminvtransfn, aggmfinalfn])::oid FROM pg_aggregate
        UNION SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze,
            typsubscript])::oid FROM pg_type
        UNION SELECT prosupport::oid FROM pg_proc UNION SELECT conproc::oid FROM pg_conversion)
    SELECT proname::text, ARRAY(SELECT typname::text FROM unnest(proargtypes) WITH ORDINALITY AS a (id, place)
            JOIN pg_type t ON t.oid = a.id ORDER BY place), r.typname::text
    FROM pg_proc p JOIN pg_type r ON r.oid = p.prorettype
    WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset AND provolatile IN ('i', 's')
        AND p.oid NOT IN (SELECT id FROM internal WHERE id IS NOT NULL)
        AND obj_description(p.oid, 'pg_proc') NOT LIKE '%internal%'
        AND proname !~ '^(pg_|has_|ts_|query_to|table_to|cursor_to|database_to|schema_to|binary_upg|get_|current|like_|
            |obj_desc|shobj|col_desc|txid|version|lo_|row_sec|now$|transaction_t|statement_t|to_ascii|int[48](inc|_sum)|
            |numeric_|dlog|dexp|dround|dtrunc|textlen|like$|notlike$|similar_|.*_subdiff$|.*range.*)'
    ORDER BY 1, 2, 3";

const OPERATORS: &str = "
    SELECT oprname::text, ARRAY(SELECT typname::text FROM unnest(ARRAY[nullif(oprleft, 0), oprright]) WITH ORDINALITY
            AS a (id, place) JOIN pg_type t ON t.oid = a.id ORDER BY place), r.typname::text
    FROM pg_operator o JOIN pg_type r ON r.oid = o.oprresult
    WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprname !~ '^(~[<>]|\\*[<>=]|~=|<\\^|>\\^|@@)'
    ORDER BY 1, 2, 3";

const CASTS: &str = "
    SELECT format_type(t.oid, NULL), ARRAY[s.typname::text], t.typname::text
    FROM pg_cast c JOIN pg_type s ON s.oid = c.castsource JOIN pg_type t ON t.oid = c.casttarget
    UNION ALL
    SELECT format_type(t.oid, NULL), ARRAY['text'], t.typname::text FROM pg_type t WHERE t.typtype = 'b'
    UNION ALL
    SELECT 'text', ARRAY[t.typname::text], 'text' FROM pg_type t WHERE t.typtype = 'b'
    ORDER BY 1, 2, 3";

const AGGREGATES: &str = "
    SELECT proname::text, ARRAY(SELECT typname::text FROM unnest(proargtypes) WITH ORDINALITY AS a (id, place)
            JOIN pg_type t ON t.oid = a.id ORDER BY place), r.typname::text
    FROM pg_proc p JOIN pg_aggregate g ON g.aggfnoid = p.oid JOIN pg_type r ON r.oid = p.prorettype
    WHERE aggkind = 'n' AND proname !~ '^(xml|range|json_)'
    ORDER BY 1, 2, 3";
