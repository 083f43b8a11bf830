//! From a directory to a running database: the newest manifest gives the catalog and the rows of the tables, the
//! views are computed from them, and what the log holds after that happens again, at the same epochs.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use springtide_catalog::{Catalog, CatalogChange, Definitions, Relation, RelationKind};
use springtide_plan::{ViewPlan, fingerprint};
use springtide_sql::Planner;
use springtide_storage::{FileSystem, History, Manifest};
use springtide_types::{Epoch, RelationId, Result, SqlError, SqlState, ZBatch};

use crate::log::{Log, lock, storage_error};
use crate::objects::Objects;
use crate::past::Past;
use crate::statement::parse_query;

/// What a directory led to, but for the tail of its log.
pub(crate) struct Recovered {
    pub(crate) objects: Objects,
    /// The newest epoch; 0 if nothing was ever committed.
    pub(crate) epoch: Epoch,
    /// The frontier that all tables share.
    pub(crate) table_frontier: Arc<AtomicU64>,
    /// `None` in memory.
    pub(crate) durable: Option<Durable>,
}

/// What a database in a directory has besides.
pub(crate) struct Durable {
    pub(crate) past: Arc<Past>,
    pub(crate) tail: Tail,
}

impl Recovered {
    /// A database in memory in which nothing has happened.
    pub(crate) fn empty() -> Recovered {
        let table_frontier = Arc::new(AtomicU64::new(1));
        Recovered { objects: Objects::default(), epoch: 0, table_frontier, durable: None }
    }
}

/// Opens the directory of a database and rebuilds what its newest manifest describes. O(rows of the tables); the
/// views then hydrate as newly created ones do.
pub(crate) fn recover(
    files: Arc<dyn FileSystem>,
    directory: &Path,
    planner: &Planner,
    workers: usize,
) -> Result<Recovered> {
    let started = Instant::now();
    let lock = lock(directory)?;
    let (history, manifest) = History::open(files.clone(), directory).map_err(storage_error)?;
    let manifest = manifest.unwrap_or_default();
    let epoch = manifest.epoch;
    let definitions = definitions_at(&manifest, epoch)?;
    let mut plans = Plans { planner: planner.clone(), made: HashMap::new() };
    let catalog = Arc::new(plans.catalog(&definitions)?);
    let table_frontier = Arc::new(AtomicU64::new(epoch + 1));
    let mut objects = Objects { catalog: catalog.clone(), ..Objects::default() };
    objects.create_contents(&table_frontier, workers);
    let manifest = without_other_plans(manifest, &catalog);
    let past = Arc::new(Past::new(history, manifest));
    for relation in catalog.relations().filter(|relation| relation.is_stored()) {
        load(&past, relation, &objects)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!("loaded the tables as of epoch {epoch} from {} in {seconds:.1} s", directory.display());
    let directory = directory.to_owned();
    let tail = Tail { files, directory, lock, after: epoch, definitions, plans, started };
    Ok(Recovered { objects, epoch, table_frontier, durable: Some(Durable { past, tail }) })
}

/// What was defined at an epoch that is not later than that of the manifest.
pub(crate) fn definitions_at(manifest: &Manifest, epoch: Epoch) -> Result<Definitions> {
    let mut definitions = Definitions::default();
    for entry in manifest.catalog.iter().filter(|entry| entry.epoch <= epoch) {
        definitions.apply(CatalogChange::from_json(&entry.change).map_err(damaged)?);
    }
    Ok(definitions)
}

/// Fills a table, and has the contents of each relation keep the changes that its history lacks.
fn load(past: &Past, relation: &Relation, objects: &Objects) -> Result<()> {
    let contents = &objects.contents[&relation.id];
    let manifest = past.manifest();
    let epoch = manifest.epoch;
    let Some(known) = manifest.relation(relation.id) else {
        contents.record_changes(epoch.saturating_sub(1));
        return Ok(());
    };
    if matches!(relation.kind, RelationKind::Table { .. }) {
        past.read_at(known, epoch, &relation.schema(), |piece| contents.apply(0, epoch, piece.delta()))?;
        contents.set_since(epoch);
    }
    contents.record_changes(epoch);
    Ok(())
}

/// Leaves out the views whose plans compute something else than when their history was written: it begins anew.
fn without_other_plans(mut manifest: Manifest, catalog: &Catalog) -> Manifest {
    manifest.relations.retain(|known| {
        let Some(relation) = catalog.by_id(known.id) else { return known.dropped.is_some() };
        let same = plan_fingerprint(relation) == known.fingerprint;
        if !same {
            tracing::warn!(
                "the plan of view {} is another than before; its history begins anew",
                relation.name
            );
        }
        same
    });
    manifest
}

/// Of a materialized view, what tells its plan from others.
pub(crate) fn plan_fingerprint(relation: &Relation) -> Option<u64> {
    match &relation.kind {
        RelationKind::MaterializedView { plan, .. } => Some(fingerprint(plan)),
        _ => None,
    }
}

/// The log after the newest manifest.
pub(crate) struct Tail {
    files: Arc<dyn FileSystem>,
    directory: PathBuf,
    lock: File,
    after: Epoch,
    definitions: Definitions,
    plans: Plans,
    started: Instant,
}

/// What happened at an epoch.
pub(crate) struct Happened {
    pub(crate) epoch: Epoch,
    /// If it ran DDL, what that changed, and the catalog after it.
    pub(crate) ddl: Option<(CatalogChange, Catalog)>,
    pub(crate) writes: Vec<(RelationId, ZBatch)>,
}

impl Tail {
    /// Lets everything happen again, one epoch after the other; `again` says what is wrong with one that can't be.
    /// Returns the log, open for what comes.
    pub(crate) fn replay(
        self,
        mut again: impl FnMut(Happened) -> std::result::Result<(), String>,
    ) -> Result<Log> {
        let Tail { files, directory, lock, after, mut definitions, mut plans, started } = self;
        let (log, replayed) = Log::open(files, &directory, lock, after, |record| {
            let mut ddl = None;
            if !record.catalog.is_empty() {
                let change = CatalogChange::decode(&record.catalog)?;
                definitions.apply(change.clone());
                let catalog = plans.catalog(&definitions).map_err(|error| error.to_string())?;
                ddl = Some((change, catalog));
            }
            again(Happened { epoch: record.epoch, ddl, writes: record.deltas })
        })?;
        if replayed.torn_bytes > 0 {
            let bytes = replayed.torn_bytes;
            tracing::warn!(
                "cut off {bytes} bytes at the end of the log: what a crash has left of commits that were not on disk yet"
            );
        }
        let (commits, seconds) = (replayed.records, started.elapsed().as_secs_f64());
        tracing::info!("ready after {commits} commits from the log, {seconds:.1} s after the start");
        Ok(log)
    }
}

/// The plans of the materialized views, each made once.
struct Plans {
    planner: Planner,
    made: HashMap<RelationId, (String, Arc<ViewPlan>)>,
}

impl Plans {
    fn catalog(&mut self, definitions: &Definitions) -> Result<Catalog> {
        definitions.catalog(|id, query, catalog| {
            if let Some((_, plan)) = self.made.get(&id).filter(|(made_of, _)| made_of == query) {
                return Ok(plan.clone());
            }
            let bound = self.planner.bind(&parse_query(query)?, catalog, &[])?;
            let plan = self.planner.lower(&bound, catalog).map(Arc::new)?;
            self.made.insert(id, (query.to_owned(), plan.clone()));
            Ok(plan)
        })
    }
}

fn damaged(reason: String) -> SqlError {
    SqlError::new(SqlState::DATA_CORRUPTED, format!("the manifest can't be understood: {reason}"))
}
