//! Statements in, texts out; and directories as a crash leaves them.

use std::path::Path;

use futures::TryStreamExt;
use springtide_engine::{Response, Session};
use springtide_types::{Result, SqlError};
use tempfile::TempDir;

/// Runs statements and returns what the last one answers: its rows, sorted, or its tag.
pub(crate) async fn run(session: &mut Session, sql: &str) -> Result<String> {
    let mut answer = String::new();
    for statement in session.parse(sql)? {
        let prepared = session.prepare(&statement, &[]).await?;
        answer = match session.execute(&prepared, vec![]).await? {
            Response::Rows { batches, .. } => rows(batches.try_collect().await?),
            Response::Complete { tag } => tag,
            Response::Empty => String::new(),
            Response::CopyOut { columns, .. } => format!("COPY of {} columns", columns.len()),
            Response::CopyIn { columns, .. } => format!("COPY {columns} columns"),
        };
    }
    Ok(answer)
}

fn rows(batches: Vec<arrow::array::RecordBatch>) -> String {
    let options = arrow::util::display::FormatOptions::new().with_null("NULL");
    let mut lines = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let fields = batch.columns().iter().map(|column| {
                let formatter = arrow::util::display::ArrayFormatter::try_new(column, &options);
                formatter.expect("columns have a text form").value(row).to_string()
            });
            lines.push(fields.collect::<Vec<_>>().join(" "));
        }
    }
    lines.sort();
    lines.join(" | ")
}

/// The error of statements one of which is wrong.
pub(crate) async fn error(session: &mut Session, sql: &str) -> SqlError {
    run(session, sql).await.expect_err("the statement is wrong")
}

/// What is in the directory now, as a `kill -9` would leave it.
pub(crate) fn copy_of(directory: impl AsRef<Path>) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let copied = tempfile::tempdir().expect("a directory can be made");
    copy(directory.as_ref(), copied.path());
    copied
}
