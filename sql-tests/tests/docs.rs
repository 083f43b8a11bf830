//! Every example in the documentation runs.
//!
//! The ```` ```sql ```` blocks of a page are run in order, statement by statement, against one fresh server with a data directory.
//! A ```` ```text ```` block right after one shows what psql prints for those of its statements that return
//! rows or fail; without such a block, all of them must succeed. The layout of the tables is not compared.

use std::path::{Path, PathBuf};

use springtide_sql_tests::server::Server;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

struct Example {
    line: usize,
    statements: Vec<String>,
    expected: Option<Vec<String>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_in_the_documentation_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = pages(&root.join("docs"));
    pages.push(root.join("README.md"));
    let mut failures = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("a page is readable");
        let directory = tempfile::tempdir().expect("a directory can be made");
        let server = Server::start_in(directory.path(), 2).await;
        let client = server.connect().await;
        for example in examples(&text) {
            let shown = run(&client, &example.statements).await;
            let wrong = match &example.expected {
                Some(expected) => normalize(&shown) != normalize(expected),
                None => shown.iter().any(|line| line.starts_with("ERROR:")),
            };
            if wrong {
                failures.push(format!("{}:{}\n{}", page.display(), example.line, shown.join("\n")));
            }
        }
        drop(client);
        server.stop().await;
    }
    assert!(failures.is_empty(), "examples that print something else:\n\n{}", failures.join("\n\n"));
}

/// The pages directly in `folder`.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the documentation is there");
    let paths = entries.map(|entry| entry.expect("the folder is readable").path());
    let mut pages = paths.filter(|path| path.extension().is_some_and(|ext| ext == "md")).collect::<Vec<_>>();
    pages.sort();
    pages
}

fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    // The language, the first line and the text of the open block.
    let mut open: Option<(&str, usize, Vec<&str>)> = None;
    let mut follows_sql = false;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language, number + 1, Vec::new())),
            (Some((_, _, text)), None) => text.push(line),
            (Some((language, first, text)), Some(_)) => {
                if *language == "sql" {
                    let statements = statements(&text.join("\n"));
                    examples.push(Example { line: *first, statements, expected: None });
                } else if *language == "text" && follows_sql {
                    let example = examples.last_mut().expect("an example is before its result");
                    example.expected = Some(text.iter().map(|line| (*line).to_owned()).collect());
                }
                follows_sql = *language == "sql";
                open = None;
            }
            (None, None) => follows_sql &= line.is_empty(),
        }
    }
    examples
}

/// A statement ends with a semicolon at the end of a line.
fn statements(block: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    for line in block.lines().filter(|line| !line.trim_start().starts_with("--")) {
        let last = statements.last_mut().expect("there is always one");
        last.push_str(line);
        last.push('\n');
        if line.trim_end().ends_with(';') {
            statements.push(String::new());
        }
    }
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

/// What psql prints, apart from command tags.
async fn run(client: &Client, statements: &[String]) -> Vec<String> {
    let mut shown = Vec::new();
    for statement in statements {
        match client.simple_query(statement).await {
            Ok(messages) => show_rows(&messages, &mut shown),
            Err(error) => show_error(&error, &mut shown),
        }
    }
    shown
}

fn show_rows(messages: &[SimpleQueryMessage], shown: &mut Vec<String>) {
    let mut rows = None;
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                let names = columns.iter().map(|column| column.name()).collect::<Vec<_>>();
                shown.push(names.join(" | "));
                rows = Some(0);
            }
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|column| row.get(column).unwrap_or_default());
                shown.push(cells.collect::<Vec<_>>().join(" | "));
                rows = rows.map(|rows| rows + 1);
            }
            _ => {}
        }
    }
    if let Some(rows) = rows {
        shown.push(if rows == 1 { "(1 row)".to_owned() } else { format!("({rows} rows)") });
    }
}

fn show_error(error: &Error, shown: &mut Vec<String>) {
    let Some(error) = error.as_db_error() else {
        shown.push(format!("ERROR:  {error}"));
        return;
    };
    shown.push(format!("ERROR:  {}", error.message()));
    let detail = error.detail().map(|detail| format!("DETAIL:  {detail}")).unwrap_or_default();
    shown.extend(detail.lines().map(str::to_owned));
    shown.extend(error.hint().map(|hint| format!("HINT:  {hint}")));
}

/// The cells of each line, without rulers and padding.
fn normalize(lines: &[String]) -> Vec<Vec<&str>> {
    let is_ruler = |line: &str| line.starts_with('-') && line.chars().all(|c| c == '-' || c == '+');
    let lines = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !is_ruler(line));
    lines.map(|line| line.split('|').map(str::trim).collect()).collect()
}
