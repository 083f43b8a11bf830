//! From a directory to a running database: the newest manifest gives the catalog, the rows of tables and views, and the
//! state of the views' operators; what the log holds after that happens again, at the same epochs.

use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use springtide_catalog::{Catalog, CatalogChange, Definitions, Relation, RelationKind};
use springtide_dataflow::{Beginning, place};
use springtide_plan::{ViewPlan, fingerprint};
use springtide_sql::Planner;
use springtide_state as state;
use springtide_storage::{Manifest, RelationHistory};
use springtide_types::{Changes, Epoch, ErrorDelta, RelationId, Result, SqlError, SqlState, ZBatch};

use crate::location::Location;
use crate::log::Log;
use crate::objects::Objects;
use crate::past::Past;
use crate::statement::parse_query;
use crate::view_state;

/// What a directory led to, but for the tail of its log.
pub(crate) struct Recovered {
    pub(crate) objects: Objects,
    /// The newest epoch; 0 if nothing was ever committed.
    pub(crate) epoch: Epoch,
    /// The frontier that all tables share.
    pub(crate) table_frontier: Arc<AtomicU64>,
    /// How views begin whose contents are there.
    pub(crate) beginnings: HashMap<RelationId, Beginning>,
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
        let (objects, beginnings) = (Objects::default(), HashMap::new());
        Recovered { objects, epoch: 0, table_frontier, beginnings, durable: None }
    }
}

/// Opens a database where it is kept and rebuilds what its newest manifest describes. O(rows of tables and views).
pub(crate) fn recover(location: &Location, planner: &Planner, workers: usize) -> Result<Recovered> {
    let started = Instant::now();
    let lock = location.lock()?;
    let (history, manifest) = location.history()?;
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
    let beginnings = load_all(&past, &objects, workers)?;
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(
        "loaded what there was at epoch {epoch} from {} in {seconds:.1} s",
        location.directory.display()
    );
    let tail = Tail { location: location.clone(), lock, after: epoch, definitions, plans, started };
    Ok(Recovered { objects, epoch, table_frontier, beginnings, durable: Some(Durable { past, tail }) })
}

/// What was defined at an epoch that is not later than that of the manifest.
pub(crate) fn definitions_at(manifest: &Manifest, epoch: Epoch) -> Result<Definitions> {
    let mut definitions = Definitions::default();
    for entry in manifest.catalog.iter().filter(|entry| entry.epoch <= epoch) {
        definitions.apply(CatalogChange::from_json(&entry.change).map_err(damaged)?);
    }
    Ok(definitions)
}

/// Fills the contents of all relations, several at a time. Returns how the views begin.
fn load_all(past: &Past, objects: &Objects, workers: usize) -> Result<HashMap<RelationId, Beginning>> {
    let stored = objects.catalog.relations().filter(|relation| relation.is_stored());
    let queue = Mutex::new(stored.collect::<Vec<_>>());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut loaded = Vec::new();
        while let Some(relation) = { queue.lock().pop() } {
            loaded.push((relation.id, load(past, relation, objects, workers)?));
        }
        Ok(loaded)
    };
    let loaded = std::thread::scope(|scope| {
        let threads = (0..threads).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        let join = |thread: ScopedJoinHandle<'_, Result<Vec<_>>>| {
            thread.join().unwrap_or_else(|_| Err(SqlError::internal("loading a relation ended by a panic")))
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    });
    Ok(loaded?.into_iter().flatten().collect())
}

/// Fills a relation as of the epoch of the manifest, and has its contents keep the changes that come after. Returns how it
/// begins if it is a view; one whose history is damaged is computed anew.
fn load(past: &Past, relation: &Relation, objects: &Objects, workers: usize) -> Result<Beginning> {
    let (manifest, contents) = (past.manifest(), &objects.contents[&relation.id]);
    let (epoch, schema) = (manifest.epoch, relation.schema());
    let known = manifest.relation(relation.id);
    contents.record_changes(known.map_or(epoch.saturating_sub(1), |_| epoch));
    let Some(known) = known else { return Ok(Beginning::New) };
    let RelationKind::MaterializedView { plan, .. } = &relation.kind else {
        read_ahead(past, known, epoch, &schema, |pieces| {
            contents.fill(0, epoch, pieces.map(|piece| piece.delta().clone()));
        })?;
        complete(contents, known, epoch);
        return Ok(Beginning::New);
    };
    let mut parts = vec![Vec::new(); workers];
    let read = past.read_at(known, epoch, &schema, |piece| {
        let placed = place(plan, piece.delta(), workers).into_iter();
        placed.for_each(|(worker, rows)| parts[worker].push(rows));
    });
    if let Err(error) = read {
        tracing::warn!("the contents of view {} are computed anew: {error}", relation.name);
        return Ok(Beginning::New);
    }
    let parts = parts.into_iter().enumerate();
    parts.for_each(|(shard, rows)| contents.fill(shard, epoch, rows.into_iter()));
    complete(contents, known, epoch);
    Ok(view_state::beginning(past, &objects.catalog, relation, plan, workers))
}

/// Adds the errors that a relation has at an epoch to its rows, and lets readers in.
fn complete(contents: &state::Relation, known: &RelationHistory, epoch: Epoch) {
    let errors = known.errors.iter().filter(|change| change.epoch <= epoch);
    let errors = errors.map(|change| ErrorDelta { error: change.error(), weight: change.weight });
    contents.apply_errors(0, epoch, &errors.collect::<Vec<_>>());
    contents.set_since(epoch);
    (0..contents.shards()).for_each(|shard| contents.advance(shard, epoch + 1));
}

/// Hands on what adds up to a relation at an epoch, while another thread reads on.
fn read_ahead(
    past: &Past,
    known: &RelationHistory,
    epoch: Epoch,
    schema: &SchemaRef,
    take: impl FnOnce(mpsc::IntoIter<Changes>),
) -> Result<()> {
    const PIECES: usize = 16;
    let (sender, receiver) = mpsc::sync_channel(PIECES);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            // If nobody receives any more, there is a panic to tell of.
            past.read_at(known, epoch, schema, |piece| _ = sender.send(piece))
        });
        take(receiver.into_iter());
        reader.join().unwrap_or_else(|_| Err(SqlError::internal("reading a history ended by a panic")))
    })
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
    location: Location,
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
        let Tail { location, lock, after, mut definitions, mut plans, started } = self;
        let (log, replayed) = Log::open(&location, lock, after, |record| {
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
        definitions.types().try_for_each(|known| known.publish())?;
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
