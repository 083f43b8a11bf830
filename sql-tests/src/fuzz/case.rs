use fastrand::Rng;

use super::history::{Table, end};
use super::query::{Generator, Query, Relation};

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its one statement stands alone.
    Autocommit,
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
}

/// One step of a case; after each, all views are checked.
#[derive(Clone, Debug)]
pub enum Step {
    /// `CREATE TABLE`.
    Table(String),
    /// A view, materialized or not, under its name.
    View {
        /// Its name.
        name: String,
        /// Its query.
        query: String,
        /// Whether it is maintained; only then is it checked.
        materialized: bool,
    },
    /// Writes that take effect together.
    Transaction {
        /// The writes.
        statements: Vec<String>,
        /// How they end.
        end: End,
    },
}

/// A random database and its history.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it was made from.
    pub seed: u64,
    /// Worker threads to run it with.
    pub workers: usize,
    /// What happens.
    pub steps: Vec<Step>,
}

impl Case {
    /// The case of this seed; the same seed gives the same case always.
    pub fn generate(seed: u64) -> Case {
        let mut rng = Rng::with_seed(seed);
        let tables = (0..rng.usize(1..4)).map(|number| Table::random(&mut rng, number)).collect::<Vec<_>>();
        let mut steps = tables.iter().map(|table| Step::Table(table.create(&mut rng))).collect::<Vec<_>>();
        let mut relations = tables
            .iter()
            .map(|table| Relation {
                name: table.name.clone(),
                kinds: table.kinds.clone(),
                rows: 12.0,
                is_table: true,
            })
            .collect::<Vec<_>>();
        let mut views = 0;
        for _ in 0..rng.usize(1..3) {
            steps.push(view(&mut rng, &mut relations, &mut views));
        }
        for _ in 0..rng.usize(3..7) {
            steps.push(transaction(&mut rng, &tables));
            if rng.u8(..3) == 0 {
                steps.push(view(&mut rng, &mut relations, &mut views));
            }
        }
        Case { seed, workers: 1 + (seed % 3) as usize, steps }
    }

    /// The steps as SQL that psql can run, every check included.
    pub fn script(&self) -> String {
        let mut lines = vec![format!("-- seed {}, {} workers", self.seed, self.workers)];
        lines.extend(self.steps.iter().flat_map(Step::sql).map(|sql| format!("{sql};")));
        for (name, query) in self.steps.iter().filter_map(Step::checked) {
            lines.push(format!("SELECT * FROM {name};\n{query};"));
        }
        lines.join("\n")
    }
}

impl Step {
    /// The statements of this step.
    pub fn sql(&self) -> Vec<String> {
        match self {
            Step::Table(sql) => vec![sql.clone()],
            Step::View { name, query, materialized } => {
                let materialized = if *materialized { "MATERIALIZED " } else { "" };
                vec![format!("CREATE {materialized}VIEW {name} AS {query}")]
            }
            Step::Transaction { statements, end: End::Autocommit } => statements.clone(),
            Step::Transaction { statements, end } => {
                let last = if *end == End::Commit { "COMMIT" } else { "ROLLBACK" };
                let statements = statements.iter().map(String::as_str);
                ["BEGIN"].into_iter().chain(statements).chain([last]).map(str::to_owned).collect()
            }
        }
    }

    /// Name and query of the view that this step makes and that must be checked from then on.
    pub fn checked(&self) -> Option<(&str, &str)> {
        match self {
            Step::View { name, query, materialized: true } => Some((name, query)),
            _ => None,
        }
    }
}

fn view(rng: &mut Rng, relations: &mut Vec<Relation>, views: &mut usize) -> Step {
    let Query { sql, kinds, rows, fails } = Generator::new(rng, relations).query(2);
    let name = format!("v{views}");
    *views += 1;
    relations.push(Relation { name: name.clone(), kinds, rows, is_table: false });
    // What fails in a plain view may or may not be computed by a query that does not need it.
    Step::View { name, query: sql, materialized: fails || rng.u8(..8) > 0 }
}

fn transaction(rng: &mut Rng, tables: &[Table]) -> Step {
    let statements =
        (0..rng.usize(1..4)).map(|_| tables[rng.usize(..tables.len())].write(rng)).collect::<Vec<_>>();
    let end = end(rng, statements.len());
    Step::Transaction { statements, end }
}
