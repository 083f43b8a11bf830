//! The functions by which PostgreSQL's clients ask about the catalogue.

use std::collections::HashMap;
use std::sync::LazyLock;

use springtide_types::{Result, SqlError, SqlState};

use super::comments::description;
use super::definitions::{
    function_arguments, function_definition, function_result, index_definition, view_definition,
};
use super::keys::{self, IndexFacts, constraint_definition};
use super::names::quoted;
use super::types::format_type;
use super::{Facts, Named, UTF8, system_relations};
use super::{activity, namespaces, oids, privileges, roles, sequences, user_types};
use crate::{Catalog, Privilege, Securable, denied};

/// A type of arguments and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `boolean`
    Bool,
    /// An integer or an OID.
    Int,
    /// `text`, `name`
    Text,
    /// An object by its name or its OID; for what knows both.
    Either,
    /// An array of texts. Only results are.
    Texts,
    /// An array of OIDs. Only results are.
    Ints,
}

/// The value of an argument or result.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// NULL
    Null,
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Int`].
    Int(i64),
    /// Of [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Texts`].
    Texts(Vec<String>),
    /// Of [`Kind::Ints`].
    Ints(Vec<i64>),
}

/// A function over the catalog.
#[derive(Clone, Copy, Debug)]
pub struct Lookup {
    /// Its name in `pg_catalog`.
    pub name: &'static str,
    /// The types of its arguments.
    pub parameters: &'static [Kind],
    /// How many of its arguments must be there.
    pub required: usize,
    /// The type of its result.
    pub returns: Kind,
    /// Whether it gives something else each time that it is called.
    pub volatile: bool,
    /// What it does. It is called when the required arguments are not NULL.
    pub call: fn(&Facts, &[Argument]) -> Result<Argument>,
}

impl Lookup {
    /// The value for these arguments: NULL as soon as a required one is.
    pub fn evaluate(&self, facts: &Facts, arguments: &[Argument]) -> Result<Argument> {
        if arguments.iter().take(self.required).any(|argument| *argument == Argument::Null) {
            return Ok(Argument::Null);
        }
        (self.call)(facts, arguments)
    }
}

static LOOKUPS: LazyLock<HashMap<&'static str, Lookup>> =
    LazyLock::new(|| all().map(|lookup| (lookup.name, lookup)).collect());

/// The function of this name, if there is one.
pub fn lookup(name: &str) -> Option<&'static Lookup> {
    LOOKUPS.get(name)
}

fn all() -> impl Iterator<Item = Lookup> {
    let visible = VISIBLE.iter().map(|name| function(name, &[Int], 1, Bool, |_, _| Ok(true.into())));
    let always = PRIVILEGES.iter().map(|name| {
        let parameters = &[Kind::Either, Kind::Either, Kind::Either, Kind::Text];
        function(name, parameters, 2, Bool, |_, _| Ok(true.into()))
    });
    let nothing = NOTHING.iter().map(|(name, parameters)| {
        function(name, parameters, parameters.len(), Text, |_, _| Ok(Argument::Null))
    });
    let sizes =
        SIZES.iter().map(|name| function(name, &[Kind::Either, Text], 1, Int, |_, _| Ok(Argument::Null)));
    let all = functions()
        .into_iter()
        .chain(visible)
        .chain(always)
        .chain(privileges::lookups())
        .chain(activity::lookups());
    let of_sequences = of_sequences().into_iter().map(|lookup| Lookup { volatile: true, ..lookup });
    all.chain(nothing).chain(sizes).chain(descriptions()).chain(of_sequences)
}

use Kind::{Bool, Either, Int, Text};

/// What is in no schemas but those of the system.
const VISIBLE: [&str; 7] = [
    "pg_type_is_visible",
    "pg_operator_is_visible",
    "pg_opclass_is_visible",
    "pg_opfamily_is_visible",
    "pg_collation_is_visible",
    "pg_conversion_is_visible",
    "pg_ts_config_is_visible",
];

/// What all may do.
const PRIVILEGES: [&str; 3] = ["has_function_privilege", "has_type_privilege", "has_tablespace_privilege"];

/// How much memory something takes is not known.
const SIZES: [&str; 6] = [
    "pg_relation_size",
    "pg_table_size",
    "pg_indexes_size",
    "pg_total_relation_size",
    "pg_database_size",
    "pg_tablespace_size",
];

/// About what does not exist.
const NOTHING: [(&str, &[Kind]); 6] = [
    ("pg_get_function_sqlbody", &[Int]),
    ("pg_get_partkeydef", &[Int]),
    ("pg_get_statisticsobjdef_columns", &[Int]),
    ("inet_server_addr", &[]),
    ("inet_client_addr", &[]),
    ("pg_get_function_arg_default", &[Int, Int]),
];

pub(super) fn function(
    name: &'static str,
    parameters: &'static [Kind],
    required: usize,
    returns: Kind,
    call: fn(&Facts, &[Argument]) -> Result<Argument>,
) -> Lookup {
    Lookup { name, parameters, required, returns, volatile: false, call }
}

/// Comments, and what is said of what does not exist.
fn descriptions() -> Vec<Lookup> {
    let null = |_: &Facts, _: &[Argument]| Ok(Argument::Null);
    vec![
        function("obj_description", &[Int, Text], 1, Text, |facts, args| {
            let class = args.get(1).map(|_| text(args, 1));
            Ok(description(&facts.catalog, int(args, 0), class, 0).into())
        }),
        function("col_description", &[Int, Int], 2, Text, |facts, args| {
            let column = (int(args, 1) > 0).then(|| int(args, 1));
            Ok(column.and_then(|column| description(&facts.catalog, int(args, 0), None, column)).into())
        }),
        function("shobj_description", &[Int, Text], 2, Text, |facts, args| {
            Ok(description(&facts.catalog, int(args, 0), Some(text(args, 1)), 0).into())
        }),
        function("pg_get_triggerdef", &[Int, Bool], 1, Text, null),
        function("pg_get_ruledef", &[Int, Bool], 1, Text, null),
    ]
}

fn functions() -> Vec<Lookup> {
    vec![
        function("pg_get_userbyid", &[Int], 1, Text, |facts, args| {
            let (roles, oid) = (facts.catalog.roles(), int(args, 0));
            let role = roles::by_oid(roles, oid);
            Ok(role.map_or_else(|| format!("unknown (OID={oid})"), |role| role.name.clone()).into())
        }),
        function("current_user", &[], 0, Text, current_user),
        function("current_role", &[], 0, Text, current_user),
        function("user", &[], 0, Text, current_user),
        function("session_user", &[], 0, Text, |facts, _| {
            Ok(facts.catalog.roles().name(facts.session.identity.session).into())
        }),
        function("format_type", &[Int, Int], 1, Text, |facts, args| {
            let modifier = match args.get(1) {
                Some(Argument::Int(modifier)) => Some(*modifier),
                _ => None,
            };
            Ok(format_type(&facts.catalog, int(args, 0), modifier).into())
        }),
        function("pg_table_is_visible", &[Int], 1, Bool, |facts, args| {
            Ok(is_visible(&facts.catalog, int(args, 0)).into())
        }),
        function("pg_function_is_visible", &[Int], 1, Bool, |facts, args| {
            let function = oids::function(&facts.catalog, int(args, 0));
            let is_visible = function.map(|known| facts.catalog.signature(known) == known.signature());
            Ok(is_visible.into())
        }),
        function("pg_get_expr", &[Text, Int, Bool], 1, Text, |_, args| Ok(args[0].clone())),
        function("pg_get_viewdef", &[Either, Either], 1, Text, |facts, args| {
            let oid = named(&facts.catalog, Named::Class, &args[0])?;
            Ok(oids::relation(&facts.catalog, oid).and_then(view_definition).into())
        }),
        function("pg_get_indexdef", &[Int, Int, Bool], 1, Text, |facts, args| {
            Ok(oids::index(&facts.catalog, int(args, 0))
                .and_then(|index| index_part(&facts.catalog, &index, args))
                .into())
        }),
        function("pg_get_constraintdef", &[Int, Bool], 1, Text, |facts, args| {
            let pretty = args.get(1) == Some(&Argument::Bool(true));
            let constraint = keys::constraint(&facts.catalog, int(args, 0));
            let of_table =
                constraint.map(|constraint| constraint_definition(&facts.catalog, &constraint, pretty));
            let mut of_domains = user_types::domain_checks(&facts.catalog);
            let of_domain = of_domains.find(|(_, oid, _)| *oid == int(args, 0));
            let of_domain = of_domain.map(|(_, _, check)| user_types::check_definition(check, pretty));
            Ok(of_table.or(of_domain).into())
        }),
        function("pg_get_functiondef", &[Int], 1, Text, |facts, args| {
            let function = oids::function(&facts.catalog, int(args, 0));
            Ok(function.map(|function| function_definition(&facts.catalog, function)).into())
        }),
        function("pg_get_function_arguments", &[Int], 1, Text, |facts, args| {
            Ok(oids::function(&facts.catalog, int(args, 0)).map(function_arguments).into())
        }),
        function("pg_get_function_identity_arguments", &[Int], 1, Text, |facts, args| {
            Ok(oids::function(&facts.catalog, int(args, 0)).map(function_arguments).into())
        }),
        function("pg_get_function_result", &[Int], 1, Text, |facts, args| {
            Ok(oids::function(&facts.catalog, int(args, 0)).map(function_result).into())
        }),
        function("to_regclass", &[Text], 1, Int, |facts, args| {
            Ok(Named::Class.find(&facts.catalog, text(args, 0)).into())
        }),
        function("to_regtype", &[Text], 1, Int, |facts, args| {
            Ok(Named::Type.find(&facts.catalog, text(args, 0)).into())
        }),
        function("current_setting", &[Text, Bool], 1, Text, |facts, args| {
            let (name, missing_ok) = (text(args, 0), args.get(1) == Some(&Argument::Bool(true)));
            match facts.session.settings.get(&name.to_lowercase()) {
                Some(setting) => Ok(setting.value.clone().into()),
                None if missing_ok => Ok(Argument::Null),
                None => {
                    let message = format!("unrecognized configuration parameter \"{name}\"");
                    Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message))
                }
            }
        }),
        function("set_config", &[Text, Text, Bool], 0, Text, set_config),
        function("pg_size_pretty", &[Int], 1, Text, |_, args| Ok(size_pretty(int(args, 0)).into())),
        function("pg_encoding_to_char", &[Int], 1, Text, |_, args| {
            Ok(if int(args, 0) == UTF8 { "UTF8".to_owned() } else { String::new() }.into())
        }),
        function("pg_char_to_encoding", &[Text], 1, Int, |_, args| {
            let known = ["utf8", "utf-8", "unicode"].contains(&text(args, 0).to_lowercase().as_str());
            Ok(Argument::Int(if known { UTF8 } else { -1 }))
        }),
        function("getdatabaseencoding", &[], 0, Text, |_, _| Ok("UTF8".to_owned().into())),
        function("pg_client_encoding", &[], 0, Text, |_, _| Ok("UTF8".to_owned().into())),
        function("pg_tablespace_location", &[Int], 1, Text, |_, _| Ok(String::new().into())),
        function("pg_relation_is_publishable", &[Either], 1, Bool, |_, _| Ok(false.into())),
        function("pg_is_other_temp_schema", &[Int], 1, Bool, |facts, args| {
            let schema = namespaces::schema(&facts.catalog, int(args, 0));
            let is_own = schema == facts.catalog.path().temporary();
            Ok(schema.is_some_and(|schema| schema.is_temporary() && !is_own).into())
        }),
        function("pg_is_in_recovery", &[], 0, Bool, |_, _| Ok(false.into())),
        function("pg_my_temp_schema", &[], 0, Int, |facts, _| {
            Ok(Argument::Int(facts.catalog.schema("pg_temp").map_or(0, namespaces::of_schema)))
        }),
        function("pg_stat_get_numscans", &[Int], 1, Int, |_, _| Ok(Argument::Int(0))),
        function("pg_partition_ancestors", &[Either], 1, Kind::Ints, |_, _| Ok(Argument::Ints(Vec::new()))),
        function("current_schemas", &[Bool], 1, Kind::Texts, |facts, args| {
            Ok(Argument::Texts(facts.catalog.path_shown(args[0] == Argument::Bool(true))))
        }),
        function("current_schema", &[], 0, Text, |facts, _| {
            Ok(facts.catalog.path_shown(false).into_iter().next().into())
        }),
        function("quote_ident", &[Text], 1, Text, |_, args| Ok(quoted(text(args, 0)).into())),
    ]
}

/// What takes numbers from sequences, and asks for those that were taken.
fn of_sequences() -> Vec<Lookup> {
    use Privilege::{Select, Update, Usage};

    /// The sequence, if the current role has one of these privileges on it.
    fn sequence<'a>(facts: &'a Facts, args: &[Argument], any: &[Privilege]) -> Result<&'a crate::Relation> {
        let sequence = sequences::find(facts, named(&facts.catalog, Named::Class, &args[0])?)?;
        let (on, current) = (Securable::Relation(sequence.id), facts.session.identity.current);
        if any.iter().any(|privilege| facts.catalog.has_privilege(current, on, *privilege)) {
            return Ok(sequence);
        }
        Err(denied(format!("permission denied for {} {}", sequence.kind_name(), sequence.name)))
    }
    vec![
        function("nextval", &[Either], 1, Int, |facts, args| {
            Ok(facts.session.sequences.next(sequence(facts, args, &[Usage, Update])?)?.into())
        }),
        function("currval", &[Either], 1, Int, |facts, args| {
            Ok(facts.session.sequences.current(sequence(facts, args, &[Usage, Select])?)?.into())
        }),
        function("lastval", &[], 0, Int, |facts, _| {
            Ok(facts.session.sequences.last(|id| facts.catalog.by_id(id).is_some())?.into())
        }),
        function("setval", &[Either, Int, Bool], 2, Int, |facts, args| {
            let called = match args.get(2) {
                Some(Argument::Null) => return Ok(Argument::Null),
                Some(Argument::Bool(called)) => *called,
                _ => true,
            };
            facts.session.sequences.set(sequence(facts, args, &[Update])?, int(args, 1), called)?;
            Ok(int(args, 1).into())
        }),
        function("pg_sequence_last_value", &[Either], 1, Int, |facts, args| {
            match &sequence(facts, args, &[Usage, Select])?.kind {
                crate::RelationKind::Sequence { counter, .. } => {
                    let position = counter.position();
                    Ok(position.called.then_some(position.last).into())
                }
                _ => Ok(Argument::Null),
            }
        }),
        function("pg_get_serial_sequence", &[Text, Text], 2, Text, |facts, args| {
            let table = Named::Class.oid(&facts.catalog, text(args, 0))?;
            Ok(sequences::serial_sequence(&facts.catalog, table, text(args, 1))?.into())
        }),
    ]
}

fn int(args: &[Argument], position: usize) -> i64 {
    match args.get(position) {
        Some(Argument::Int(value)) => *value,
        _ => 0,
    }
}

fn text(args: &[Argument], position: usize) -> &str {
    match args.get(position) {
        Some(Argument::Text(value)) => value,
        _ => "",
    }
}

/// `set_config(name, value, is_local)`: the parameter changes once the query is through.
fn set_config(facts: &Facts, args: &[Argument]) -> Result<Argument> {
    let [name, value, local] = args else {
        return Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, "set_config needs three arguments"));
    };
    let Argument::Text(name) = name else {
        return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
    };
    let value = match value {
        Argument::Text(value) => Some(value.as_str()),
        _ => None,
    };
    match &facts.session.requests {
        Some(requests) => Ok(requests.request(name, value, *local == Argument::Bool(true))?.into()),
        None => Err(SqlError::unsupported("set_config outside of a session")),
    }
}

/// The OID of an object that goes by its name or OID.
pub(super) fn named(catalog: &Catalog, named: Named, argument: &Argument) -> Result<i64> {
    match argument {
        Argument::Text(name) => named.oid(catalog, name),
        Argument::Int(oid) => Ok(*oid),
        _ => Ok(0),
    }
}

fn current_user(facts: &Facts, _: &[Argument]) -> Result<Argument> {
    Ok(facts.catalog.roles().name(facts.session.identity.current).into())
}

/// Whether a relation is found without its schema; `None` if there is no such relation.
fn is_visible(catalog: &Catalog, oid: i64) -> Option<bool> {
    if let Some(system) = system_relations().iter().find(|relation| relation.oid == oid) {
        return Some(system.schema == "pg_catalog");
    }
    if let Some(relation) = oids::relation(catalog, oid) {
        return Some(catalog.is_visible(relation));
    }
    let index = oids::index(catalog, oid)?;
    Some(catalog.index(&index.name).is_some_and(|table| table.id == index.table.id))
}

/// The definition of a whole index or, where the second argument says so, the name of one of its columns. What is
/// printed prettily does without the schema.
fn index_part(catalog: &Catalog, index: &IndexFacts<'_>, args: &[Argument]) -> Option<String> {
    let definition = index_definition(catalog, index);
    match int(args, 1) {
        0 if args.get(2) == Some(&Argument::Bool(true)) => {
            let schema = format!(" ON {}.", quoted(catalog.schema_name(index.table.in_schema)));
            let is_hidden = !catalog.is_visible(index.table);
            Some(if is_hidden { definition } else { definition.replacen(&schema, " ON ", 1) })
        }
        0 => Some(definition),
        position => {
            let position = usize::try_from(position).ok()?.checked_sub(1)?;
            let column = index.columns.get(position)?;
            Some(quoted(&index.table.columns[*column].name))
        }
    }
}

/// A number of bytes, as PostgreSQL rounds it: a unit is used up to ten thousand of it.
fn size_pretty(bytes: i64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let (mut size, mut unit) = (i128::from(bytes), 0);
    while size.abs() >= 10 * 1024 && unit + 1 < units.len() {
        size = (size + 512 * size.signum()) / 1024;
        unit += 1;
    }
    format!("{size} {}", units[unit])
}

impl From<bool> for Argument {
    fn from(value: bool) -> Argument {
        Argument::Bool(value)
    }
}

impl From<i64> for Argument {
    fn from(value: i64) -> Argument {
        Argument::Int(value)
    }
}

impl From<String> for Argument {
    fn from(value: String) -> Argument {
        Argument::Text(value)
    }
}

impl<T: Into<Argument>> From<Option<T>> for Argument {
    fn from(value: Option<T>) -> Argument {
        value.map_or(Argument::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_postgres() {
        let sizes = [0, 10_239, 10_240, 10_485_247, 10_485_248, -20_480];
        let texts = ["0 bytes", "10239 bytes", "10 kB", "10239 kB", "10 MB", "-20 kB"];
        assert_eq!(sizes.map(size_pretty), texts);
    }

    #[test]
    fn every_function_has_a_name_of_its_own() {
        let names = all().map(|lookup| lookup.name).collect::<Vec<_>>();
        assert_eq!(names.iter().collect::<std::collections::HashSet<_>>().len(), names.len());
    }
}
