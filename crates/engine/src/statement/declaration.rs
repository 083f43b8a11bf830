//! The columns and constraints of a CREATE TABLE.

use springtide_catalog::{
    Catalog, Column, Commented, Default, DefaultKind, Relation, RelationKind, Retention, Rules, SchemaId,
    SequenceOwner,
};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{
    ColumnDef, ColumnOption, ColumnOptionDef, CreateTable, DataType, GeneratedAs, Ident, SequenceOptions,
};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use super::rules::{Declared, DeclaredKind, declare, key_columns, refuse_deferrable};
use super::{Context, ast, generated, sequence};

/// The name under which the parser hands on `LIKE table` among the columns.
const LIKE: &str = "?like?";

/// What a table is to be.
pub(super) struct Declaration {
    columns: Vec<Column>,
    constraints: Vec<Declared>,
    /// The sequences that were made for columns, and those columns.
    owned: Vec<(RelationId, usize, bool)>,
    /// Indexes of tables that it is like, and whether they are unique.
    indexes: Vec<(Vec<Ident>, bool)>,
    comments: Vec<(usize, String)>,
}

/// The type that a serial column has.
pub(super) fn serial(data_type: &DataType) -> Option<SqlType> {
    let DataType::Custom(name, modifiers) = data_type else { return None };
    match name.to_string().to_lowercase().as_str() {
        "serial" | "serial4" if modifiers.is_empty() => Some(SqlType::Int4),
        "bigserial" | "serial8" if modifiers.is_empty() => Some(SqlType::Int8),
        "smallserial" | "serial2" if modifiers.is_empty() => Some(SqlType::Int2),
        _ => None,
    }
}

/// Reads what a CREATE TABLE declares. Sequences of its columns are in the catalog then.
pub(super) fn declared(
    context: &mut Context<'_>,
    catalog: &mut Catalog,
    table: (SchemaId, &str),
    create: &CreateTable,
) -> Result<Declaration> {
    let mut declared = Declaration {
        columns: Vec::new(),
        constraints: Vec::new(),
        owned: Vec::new(),
        indexes: Vec::new(),
        comments: Vec::new(),
    };
    for definition in &create.columns {
        match definition.name.value.as_str() {
            LIKE => declared.add_like(catalog, table, definition)?,
            _ => declared.add_column(catalog, table, definition)?,
        }
    }
    for constraint in &create.constraints {
        declared.constraints.push(Declared::of_table(constraint)?);
    }
    super::ddl::check_column_names(&declared.columns)?;
    super::ddl::check_defaults(context.planner, catalog, &mut declared.columns)?;
    Ok(declared)
}

/// Puts the table into the catalog. Returns its identity.
pub(super) fn create(
    planner: &Planner,
    catalog: &mut Catalog,
    (in_schema, name): (SchemaId, String),
    declared: Declaration,
    (append_only, history): (bool, Retention),
) -> Result<RelationId> {
    let Declaration { columns, constraints, owned, indexes, comments } = declared;
    let id = catalog.next_id();
    let kind = RelationKind::Table { primary_key: None, append_only, rules: Rules::default() };
    let (depends_on, functions, types) = (Vec::new(), Vec::new(), Vec::new());
    let mut table = Relation { id, in_schema, name, columns, kind, depends_on, functions, types, history };
    put_primary_key(catalog, &mut table, &constraints)?;
    generated::check(planner, catalog, &mut table)?;
    catalog.create(table)?;
    let is_primary = |it: &&Declared| matches!(it.kind, DeclaredKind::PrimaryKey(_));
    for constraint in constraints.iter().filter(|it| !is_primary(it)) {
        declare(planner, catalog, id, constraint)?;
    }
    for (columns, unique) in indexes {
        super::indexes::declare(catalog, id, &columns, unique)?;
    }
    for (sequence, column, identity) in owned {
        sequence::set_owner(catalog, sequence, Some(SequenceOwner { table: id, column, identity }));
    }
    for (column, text) in comments {
        catalog.set_comment(Commented::Column(id, column), Some(&text));
    }
    Ok(id)
}

fn put_primary_key(catalog: &Catalog, table: &mut Relation, constraints: &[Declared]) -> Result<()> {
    let keys = constraints.iter().filter_map(|constraint| match &constraint.kind {
        DeclaredKind::PrimaryKey(columns) => Some((constraint.name.clone(), columns)),
        _ => None,
    });
    let mut keys = keys.collect::<Vec<_>>();
    if keys.len() > 1 {
        let message = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
        return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    let Some((name, columns)) = keys.pop() else { return Ok(()) };
    let columns = key_columns(table, columns, "primary key")?;
    columns.iter().for_each(|column| table.columns[*column].nullable = false);
    if let Some(name) = &name {
        catalog.check_name_is_free(table.in_schema, name)?;
    }
    if let RelationKind::Table { primary_key, rules, .. } = &mut table.kind {
        (*primary_key, rules.primary_key_name) = (Some(columns), name);
    }
    Ok(())
}

impl Declaration {
    fn add_column(
        &mut self,
        catalog: &mut Catalog,
        table: (SchemaId, &str),
        definition: &ColumnDef,
    ) -> Result<()> {
        let (column, sequence) = column(catalog, table, definition, &mut self.constraints)?;
        if let Some((sequence, identity)) = sequence {
            self.owned.push((sequence, self.columns.len(), identity));
        }
        self.columns.push(column);
        Ok(())
    }

    /// The columns of another relation, and what was said to be included.
    fn add_like(
        &mut self,
        catalog: &mut Catalog,
        table: (SchemaId, &str),
        definition: &ColumnDef,
    ) -> Result<()> {
        let DataType::Custom(name, _) = &definition.data_type else {
            return Err(SqlError::internal("LIKE names a relation"));
        };
        let source = catalog.get(&springtide_sql::object_name(name)?)?.clone();
        if matches!(source.kind, RelationKind::Sequence { .. }) {
            let message = format!("relation \"{}\" is invalid in LIKE clause", source.name);
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
                .with_detail("This operation is not supported for sequences."));
        }
        let included = Included::of(definition)?;
        let first = self.columns.len();
        for (position, column) in source.columns.iter().enumerate() {
            let mut copied =
                Column { default: None, nullable: source.is_nullable(position), ..column.clone() };
            if column.identity().is_some() && included.has("identity") {
                self.copy_identity(catalog, table, column, &mut copied)?;
            } else if column.generated().is_some() {
                copied.default = column.default.clone().filter(|_| included.has("generated"));
            } else if included.has("defaults") {
                copied.default = column.declared_default().cloned();
            }
            if included.has("comments")
                && let Some(text) = catalog.comment(Commented::Column(source.id, position))
            {
                self.comments.push((first + position, text.to_owned()));
            }
            self.columns.push(copied);
        }
        let named = |columns: &[usize]| {
            columns.iter().map(|column| ast::quoted(&source.columns[*column].name)).collect::<Vec<_>>()
        };
        let mut add = |name: Option<&str>, kind| {
            self.constraints.push(Declared { name: name.map(str::to_owned), kind });
        };
        if included.has("constraints") {
            for check in &source.rules().checks {
                add(Some(&check.name), DeclaredKind::Check(Box::new(ast::parse_expr(&check.expr)?)));
            }
        }
        if included.has("indexes") {
            if let Some(columns) = source.primary_key() {
                add(None, DeclaredKind::PrimaryKey(named(columns)));
            }
            for index in source.rules().indexes.iter() {
                match index.constraint {
                    true => add(None, DeclaredKind::Unique(named(&index.columns))),
                    false => self.indexes.push((named(&index.columns), index.unique)),
                }
            }
        }
        Ok(())
    }

    fn copy_identity(
        &mut self,
        catalog: &mut Catalog,
        table: (SchemaId, &str),
        column: &Column,
        copied: &mut Column,
    ) -> Result<()> {
        let kind = column.identity().unwrap_or_default();
        let sequence = numbered(catalog, table, copied, kind, &[])?;
        self.owned.push((sequence, self.columns.len(), true));
        Ok(())
    }
}

/// What INCLUDING and EXCLUDING say, the last word on a thing counting.
struct Included(Vec<(String, bool)>);

impl Included {
    fn of(definition: &ColumnDef) -> Result<Included> {
        let words = definition.options.iter().find_map(|option| match &option.option {
            ColumnOption::Comment(words) => Some(words.split_whitespace()),
            _ => None,
        });
        let words = words.into_iter().flatten().collect::<Vec<_>>();
        let said = words.chunks(2).map(|said| match said {
            ["including", what] => Ok(((*what).to_owned(), true)),
            ["excluding", what] => Ok(((*what).to_owned(), false)),
            other => {
                let near = other.first().copied().unwrap_or_default();
                let message = format!("syntax error at or near \"{near}\"");
                Err(SqlError::new(SqlState::SYNTAX_ERROR, message))
            }
        });
        said.collect::<Result<_>>().map(Included)
    }

    fn has(&self, what: &str) -> bool {
        let last = self.0.iter().rev().find(|(said, _)| said == what || said == "all");
        last.is_some_and(|(_, including)| *including)
    }
}

/// A column as it is declared, the sequence that was made for it and whether that makes an identity of it. Constraints
/// other than NOT NULL are added to `constraints`.
pub(super) fn column(
    catalog: &mut Catalog,
    (in_schema, table): (SchemaId, &str),
    definition: &ColumnDef,
    constraints: &mut Vec<Declared>,
) -> Result<(Column, Option<(RelationId, bool)>)> {
    let name = ast::fold(&definition.name);
    let serial = serial(&definition.data_type);
    let sql_type =
        serial.map_or_else(|| springtide_sql::sql_type(&definition.data_type, catalog.types()), Ok)?;
    let domain = springtide_sql::types_domain(&definition.data_type, catalog.types()).map(|it| it.id);
    let mut column = Column { name, sql_type, nullable: true, default: None, domain };
    let mut sequence = None;
    if serial.is_some() {
        column.nullable = false;
        sequence = Some((numbered(catalog, (in_schema, table), &mut column, DefaultKind::Next, &[])?, false));
    }
    let mut is_null = false;
    for option in &definition.options {
        match &option.option {
            ColumnOption::Null => is_null = true,
            ColumnOption::NotNull => column.nullable = false,
            ColumnOption::Default(expr) => {
                if column.generated().is_some() {
                    let message = format!(
                        "both default and generation expression specified for column \"{}\" of table \"{table}\"",
                        column.name
                    );
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
                }
                if column.default.is_some() {
                    return Err(twice("default values", &column.name, table));
                }
                column.default = Some(Default::expression(expr.to_string()));
            }
            ColumnOption::Generated { generated_as, sequence_options: Some(options), .. } => {
                if column.default.is_some() {
                    let message = format!(
                        "both default and identity specified for column \"{}\" of table \"{table}\"",
                        column.name
                    );
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
                }
                let kind = match generated_as {
                    GeneratedAs::Always => DefaultKind::Always,
                    _ => DefaultKind::ByDefault,
                };
                if !matches!(sql_type, SqlType::Int2 | SqlType::Int4 | SqlType::Int8) {
                    let message = "identity column type must be smallint, integer, or bigint";
                    return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
                }
                column.nullable = false;
                sequence = Some((numbered(catalog, (in_schema, table), &mut column, kind, options)?, true));
            }
            ColumnOption::Generated { generation_expr: Some(expr), .. } => {
                if let Some(default) = &column.default {
                    let what = if default.kind.is_identity() { "identity" } else { "default" };
                    let message = format!(
                        "both {what} and generation expression specified for column \"{}\" of table \"{table}\"",
                        column.name
                    );
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
                }
                let generation = Default::expression(expr.to_string());
                column.default = Some(Default { kind: DefaultKind::Stored, ..generation });
            }
            _ => constraints.push(constraint(&definition.name, option)?),
        }
    }
    if is_null && !column.nullable {
        let message = format!(
            "conflicting NULL/NOT NULL declarations for column \"{}\" of table \"{table}\"",
            column.name
        );
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
    }
    Ok((column, sequence))
}

fn twice(what: &str, column: &str, table: &str) -> SqlError {
    let message = format!("multiple {what} specified for column \"{column}\" of table \"{table}\"");
    SqlError::new(SqlState::SYNTAX_ERROR, message)
}

/// Makes a sequence whose numbers are the DEFAULT of a column.
fn numbered(
    catalog: &mut Catalog,
    (in_schema, table): (SchemaId, &str),
    column: &mut Column,
    kind: DefaultKind,
    options: &[SequenceOptions],
) -> Result<RelationId> {
    let names = (table, column.name.as_str());
    let (id, name) = sequence::create_for_column(catalog, in_schema, names, column.sql_type, options)?;
    let expr = springtide_sql::next_number(&catalog.stored_name(in_schema, &name)).to_string();
    column.default = Some(Default { expr, functions: Vec::new(), sequences: vec![id], kind });
    Ok(id)
}

/// A constraint of a column.
fn constraint(column: &Ident, option: &ColumnOptionDef) -> Result<Declared> {
    let of_column = || vec![column.clone()];
    let kind = match &option.option {
        ColumnOption::PrimaryKey(key) => {
            refuse_deferrable(key.characteristics.as_ref())?;
            DeclaredKind::PrimaryKey(of_column())
        }
        ColumnOption::Unique(unique) => {
            refuse_deferrable(unique.characteristics.as_ref())?;
            DeclaredKind::Unique(of_column())
        }
        ColumnOption::Check(check) => DeclaredKind::Check(check.expr.clone()),
        ColumnOption::ForeignKey(key) => {
            let mut key = key.clone();
            key.columns = of_column();
            DeclaredKind::ForeignKey(Box::new(key))
        }
        other => return Err(SqlError::unsupported(format!("the column constraint {other}"))),
    };
    Ok(Declared { name: option.name.as_ref().map(ast::fold), kind })
}
