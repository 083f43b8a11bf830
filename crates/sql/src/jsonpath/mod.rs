//! Paths into JSON, in PostgreSQL's version of SQL/JSON: the type `jsonpath`.

mod ast;
mod datetime;
mod evaluate;
mod failure;
mod item;
mod keyvalue;
mod lexer;
mod methods;
pub(crate) mod number;
mod parser;
mod pattern;
mod predicate;
mod template;
mod text;

pub(crate) use ast::JsonPath;
pub(crate) use datetime::Datetime;
pub(crate) use evaluate::{Evaluation, Variables};
pub(crate) use failure::Failure;
pub(crate) use item::Item;
