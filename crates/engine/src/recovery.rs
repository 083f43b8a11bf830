//! From the log to a running database: tables get their rows from it, and views are computed from the tables.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use springtide_catalog::{Catalog, CatalogChange, Definitions};
use springtide_plan::ViewPlan;
use springtide_sql::Planner;
use springtide_state as state;
use springtide_storage::{FileSystem, Record};
use springtide_types::{Epoch, RelationId, Result};

use crate::log::Log;
use crate::objects::{Objects, new_contents};
use crate::statement::parse_query;

/// Records between two rounds of forgetting how to undo them.
const RECORDS_PER_TRIM: u64 = 1024;

/// What a log led to.
pub(crate) struct Recovered {
    pub(crate) objects: Objects,
    /// The newest epoch; 0 if nothing was ever committed.
    pub(crate) epoch: Epoch,
    /// The frontier that all tables share.
    pub(crate) table_frontier: Arc<AtomicU64>,
}

impl Recovered {
    /// A database in which nothing has happened.
    pub(crate) fn empty() -> Recovered {
        Recovered { objects: Objects::default(), epoch: 0, table_frontier: Arc::new(AtomicU64::new(1)) }
    }
}

/// Opens the directory of a database and rebuilds what it holds. O(log) for the tables; the views then hydrate
/// as newly created ones do.
pub(crate) fn recover(
    files: Arc<dyn FileSystem>,
    directory: &Path,
    planner: &Planner,
    workers: usize,
) -> Result<(Log, Recovered)> {
    let started = Instant::now();
    let mut replay = Replay::default();
    let (log, replayed) = Log::open(files, directory, |record| replay.apply(record))?;
    if replayed.torn_bytes > 0 {
        let bytes = replayed.torn_bytes;
        tracing::warn!("cut off {bytes} bytes at the end of the log: a commit that was never acknowledged");
    }
    let recovered = replay.finish(replayed.epoch, planner, workers)?;
    let (commits, seconds) = (replayed.records, started.elapsed().as_secs_f64());
    tracing::info!("recovered {commits} commits from {} in {seconds:.1} s", directory.display());
    Ok((log, recovered))
}

#[derive(Default)]
struct Replay {
    definitions: Definitions,
    tables: HashMap<RelationId, Arc<state::Relation>>,
    table_frontier: Arc<AtomicU64>,
    records: u64,
}

impl Replay {
    /// Fails with what is wrong with the record.
    fn apply(&mut self, record: Record) -> std::result::Result<(), String> {
        if !record.catalog.is_empty() {
            self.definitions.apply(CatalogChange::decode(&record.catalog)?);
            self.tables.retain(|id, _| self.definitions.get(*id).is_some());
        }
        for (id, delta) in &record.deltas {
            let table = self.table(*id).ok_or_else(|| format!("there is no table {id}"))?;
            if table.schema() != delta.schema() {
                return Err(format!("rows of table {id} do not have its columns"));
            }
            table.apply(0, record.epoch, delta);
        }
        self.records += 1;
        if self.records.is_multiple_of(RECORDS_PER_TRIM) {
            self.tables.values().for_each(|table| table.set_since(record.epoch));
        }
        Ok(())
    }

    fn table(&mut self, id: RelationId) -> Option<&Arc<state::Relation>> {
        if !self.tables.contains_key(&id) {
            let table = self.definitions.get(id)?.table()?;
            self.tables.insert(id, new_contents(&table, vec![self.table_frontier.clone()]));
        }
        self.tables.get(&id)
    }

    fn finish(self, epoch: Epoch, planner: &Planner, workers: usize) -> Result<Recovered> {
        let Replay { definitions, tables, table_frontier, .. } = self;
        tables.values().for_each(|table| table.set_since(epoch));
        table_frontier.store(epoch + 1, Ordering::Release);
        let catalog = definitions.catalog(|query, catalog| plan(planner, query, catalog))?;
        let mut objects = Objects { catalog: Arc::new(catalog), version: 0, contents: tables };
        objects.create_contents(&table_frontier, workers);
        Ok(Recovered { objects, epoch, table_frontier })
    }
}

/// The plan of a materialized view, as its CREATE statement made it.
fn plan(planner: &Planner, query: &str, catalog: &Catalog) -> Result<Arc<ViewPlan>> {
    let bound = planner.bind(&parse_query(query)?, catalog, &[])?;
    planner.lower(&bound, catalog).map(Arc::new)
}
