//! SQL: everything that knows sqlparser and DataFusion's planning.
//!
//! ```text
//! text ─parse─► Statement ─desugar─► SqlToRel ─typing─► BoundQuery ─┬─execute─► rows   (ad-hoc SELECT)
//!                                                                   └─lower──► ViewPlan (materialized view)
//! ```
//!
//! Both ways start from one binding, so that a query means the same in an ad-hoc SELECT and in a view; where
//! DataFusion and PostgreSQL differ, PostgreSQL wins. Invariant: no timely, no sessions, no storage.

mod alias_columns;
mod analysis;
mod analyze;
mod array_order;
mod array_text;
mod asof;
mod assign;
mod bind;
mod bound;
mod branches;
mod bytea;
mod call_words;
mod calls;
mod cast_names;
mod convert;
mod copy_options;
mod declared;
mod decorrelate;
mod desugar;
mod dialect;
mod distinct_on;
mod domains;
mod equal_jsonb;
mod errors;
mod execute;
mod flatten;
mod functions;
mod grouping_keys;
mod inline;
mod input;
mod input_error;
mod json;
mod json_aggregates;
mod json_records;
mod json_tokens;
mod jsonpath;
mod lateral_unnest;
mod lists;
mod literals;
mod lower;
mod merge;
mod merge_join;
mod moment_series;
mod moments;
mod multisets;
mod named_arguments;
mod named_types;
mod names;
mod null_equality;
mod operators;
mod origin;
mod output_names;
mod overload;
mod parameter;
mod parse;
mod pipeline;
mod plain;
mod planner;
mod procedures;
mod push_down_filter;
mod query_words;
mod relation_table;
mod rename;
mod renaming;
mod roles;
mod row_values;
mod scan;
mod schemas;
mod scope;
mod sequences;
mod series;
mod set_returning;
mod sources;
mod sql_json;
mod sql_types;
mod style;
mod system;
mod table_functions;
mod tables;
mod temporal;
mod temporal_syntax;
mod three_valued_in;
mod time_travel;
mod total_order;
mod unicode_escapes;
mod unnest;
mod using;
mod walk;
mod whole_rows;
mod windows;
mod with_recursive;
mod with_ties;

pub use analysis::{Analysis, AnalyzedNode};
pub use assign::assign;
pub use bound::{BeyondRows, BoundQuery};
pub use convert::format_text;
pub use copy_options::{CopyOption, CopyValue};
pub use datafusion::sql::sqlparser;
pub use domains::{no_null_of, no_value_of, types_domain};
pub use execute::SendableStream;
pub use input::parse_text;
pub use merge::{DEFAULTS, NOTHING, ReturningNames};
pub use named_types::{has_literal, names_type, rename_type, type_in_cast};
pub use names::{fold, object_name, type_name, written};
pub use origin::Origin;
pub use parse::{Statement, WriteOptions, parse, parser};
pub use planner::Planner;
pub use rename::{names_relation, rename_relation};
pub use renaming::{Renaming, qualified, shown, with_schema_renamed};
pub use scan::{Scan, Time};
pub use sequences::{Overriding, is_next_number, name_sequences, next_number};
pub use sql_types::sql_type;
pub use time_travel::{printable, query_text};
pub use walk::{
    any_query, columns_named, prefix_columns, put_arguments, put_for_calls, qualifiers_named,
    relations_named, rename_column,
};
