//! Tables of text in a terminal.

/// Columns as wide as their widest cell, two spaces between; numbers stand right.
pub(crate) fn render(headers: &[String], rows: &[Vec<String>]) -> String {
    let columns = headers.iter().enumerate().map(|(column, header)| {
        let cells = || rows.iter().map(move |row| row[column].as_str());
        let width = cells().chain([header.as_str()]).map(|cell| cell.chars().count()).max().unwrap_or(0);
        (width, cells().all(is_number))
    });
    let columns = columns.collect::<Vec<_>>();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&columns).map(|(cell, (width, number))| {
            if *number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    std::iter::once(line(headers)).chain(rows.iter().map(|row| line(row))).collect()
}

fn is_number(cell: &str) -> bool {
    cell.chars().all(|c| c.is_ascii_digit() || "+-.,".contains(c))
}
