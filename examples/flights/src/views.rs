//! The views of `views.sql`, each with the query that it must equal.

/// One `CREATE MATERIALIZED VIEW name AS query`.
pub(crate) struct View {
    /// What it is called.
    pub(crate) name: String,
    /// What it is.
    query: String,
    /// Its query with the query of every view that it reads in front, so that it reads tables only.
    pub(crate) from_scratch: String,
}

impl View {
    /// The statement that creates it.
    pub(crate) fn create(&self) -> String {
        format!("CREATE MATERIALIZED VIEW {} AS {}", self.name, self.query)
    }
}

/// Reads a script of nothing but CREATE MATERIALIZED VIEW statements and comments.
pub(crate) fn parse(script: &str) -> Vec<View> {
    let code = script.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    let mut views: Vec<View> = Vec::new();
    for statement in code.split(';') {
        let definition = statement.trim().strip_prefix("CREATE MATERIALIZED VIEW ");
        if let Some((name, query)) = definition.and_then(|definition| definition.split_once(" AS\n")) {
            let from_scratch = from_scratch(query, &views);
            views.push(View { name: name.to_owned(), query: query.to_owned(), from_scratch });
        }
    }
    views
}

/// `WITH view AS (its query), ... query`: a name in WITH hides the view of that name.
fn from_scratch(query: &str, earlier: &[View]) -> String {
    let reads =
        |view: &&View| query.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == view.name);
    let with = earlier.iter().filter(reads).map(|view| format!("{} AS ({})", view.name, view.from_scratch));
    match with.collect::<Vec<_>>().join(", ") {
        with if with.is_empty() => query.to_owned(),
        with => format!("WITH {with} {query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_from_scratch_reads_tables_only() {
        let script = "-- One.\nCREATE MATERIALIZED VIEW one AS\nSELECT a FROM t;\n\
            CREATE MATERIALIZED VIEW two AS\nSELECT a FROM one;\nCREATE MATERIALIZED VIEW three AS\nSELECT a FROM two, t;\n";
        let views = parse(script);
        let names = views.iter().map(|view| view.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["one", "two", "three"]);
        assert_eq!(views[1].create(), "CREATE MATERIALIZED VIEW two AS SELECT a FROM one");
        let two = "WITH one AS (SELECT a FROM t) SELECT a FROM one";
        assert_eq!(views[2].from_scratch, format!("WITH two AS ({two}) SELECT a FROM two, t"));
    }
}
