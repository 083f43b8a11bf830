use tokio_postgres::types::Type;
use tokio_postgres::{Client, SimpleQueryMessage};

/// What came of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Rows {
        types: Vec<Type>,
        rows: Vec<Vec<Option<String>>>,
    },
    /// The SQLSTATE of the error, and its message.
    Failed {
        sqlstate: String,
        message: String,
    },
    /// The connection broke.
    Lost(String),
}

impl Outcome {
    /// Runs a statement, and undoes it.
    pub(super) async fn of(client: &Client, sql: &str) -> Outcome {
        if let Err(error) = client.simple_query("BEGIN").await {
            return Outcome::failed(&error);
        }
        let outcome = Outcome::within(client, sql).await;
        match client.simple_query("ROLLBACK").await {
            Ok(_) => outcome,
            Err(error) => Outcome::failed(&error),
        }
    }

    async fn within(client: &Client, sql: &str) -> Outcome {
        let types = match client.prepare(sql).await {
            Ok(prepared) => prepared.columns().iter().map(|column| column.type_().clone()).collect(),
            Err(error) => return Outcome::failed(&error),
        };
        match client.simple_query(sql).await {
            Ok(messages) => {
                let rows = messages.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => {
                        Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
                    }
                    _ => None,
                });
                Outcome::Rows { types, rows: rows.collect() }
            }
            Err(error) => Outcome::failed(&error),
        }
    }

    fn failed(error: &tokio_postgres::Error) -> Outcome {
        match error.as_db_error() {
            Some(error) => Outcome::Failed {
                sqlstate: error.code().code().to_owned(),
                message: error.message().to_owned(),
            },
            None => Outcome::Lost(error.to_string()),
        }
    }

    /// In what way the one differs from the other, if it does. The last digits of floating point numbers may.
    pub(super) fn difference(&self, other: &Outcome, ordered: bool) -> Option<&'static str> {
        match (self, other) {
            (Outcome::Lost(_), _) | (_, Outcome::Lost(_)) => Some("connection lost"),
            (Outcome::Failed { sqlstate, .. }, Outcome::Failed { sqlstate: other, .. }) => {
                (sqlstate != other).then_some("another SQLSTATE")
            }
            (Outcome::Failed { .. }, Outcome::Rows { .. }) => Some("no error"),
            (Outcome::Rows { .. }, Outcome::Failed { .. }) => Some("an error"),
            (Outcome::Rows { types, rows }, Outcome::Rows { types: other_types, rows: other }) => {
                if types != other_types {
                    return Some("another type");
                }
                let (mut rows, mut other) = (rows.clone(), other.clone());
                if !ordered {
                    rows.sort();
                    other.sort();
                }
                let is_same = rows.len() == other.len()
                    && rows.iter().zip(&other).all(|(row, other)| same_row(types, row, other));
                (!is_same).then_some("another result")
            }
        }
    }

    /// In a line.
    pub(super) fn short(&self) -> String {
        match self {
            Outcome::Failed { sqlstate, message } => format!("{sqlstate} {message}"),
            Outcome::Lost(message) => message.clone(),
            Outcome::Rows { types, rows } => {
                let types = types.iter().map(Type::name).collect::<Vec<_>>().join(", ");
                let row = |row: &Vec<Option<String>>| {
                    row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join(" | ")
                };
                let rows = rows.iter().take(6).map(row).collect::<Vec<_>>().join(" // ");
                format!("({types}) {rows}")
            }
        }
    }
}

fn same_row(types: &[Type], row: &[Option<String>], other: &[Option<String>]) -> bool {
    row.iter().zip(other).zip(types).all(|((value, other), of)| match (value, other) {
        (Some(value), Some(other)) if *of == Type::FLOAT4 || *of == Type::FLOAT8 => same_float(value, other),
        _ => value == other,
    })
}

fn same_float(value: &str, other: &str) -> bool {
    match (value.parse::<f64>(), other.parse::<f64>()) {
        (Ok(value), Ok(other)) if value.is_finite() && other.is_finite() => {
            (value - other).abs() <= 1e-12 * value.abs().max(other.abs())
        }
        _ => value == other,
    }
}
