use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A column of a system relation.
#[derive(Debug)]
pub(super) struct SystemColumn {
    pub name: &'static str,
    /// PostgreSQL's name of its type.
    pub type_name: &'static str,
    pub data_type: DataType,
}

/// Columns as CREATE TABLE would list them.
pub(super) fn parse(columns: &'static str) -> Vec<SystemColumn> {
    let column = |column: &'static str| {
        let (name, type_name) = column.trim().split_once(' ').unwrap_or((column, "text"));
        SystemColumn { name, type_name, data_type: data_type(type_name) }
    };
    columns.split(',').map(column).collect()
}

/// How values of PostgreSQL's type are kept. OIDs are integers, names and the like are texts.
fn data_type(name: &str) -> DataType {
    if let Some(item) = name.strip_suffix("[]") {
        return DataType::List(item_field(data_type(item)));
    }
    match name {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" => DataType::Int32,
        "int8" | "oid" | "regproc" | "regtype" | "xid" => DataType::Int64,
        "real" => DataType::Float32,
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        "int2vector" => DataType::List(item_field(DataType::Int16)),
        "oidvector" => DataType::List(item_field(DataType::Int64)),
        _ => DataType::Utf8,
    }
}

fn item_field(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new_list_field(data_type, true))
}

/// The Arrow schema of rows of these columns.
pub(super) fn arrow_schema(columns: &[SystemColumn]) -> SchemaRef {
    let fields = columns.iter().map(|column| Field::new(column.name, column.data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
