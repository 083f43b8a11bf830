//! A small database around the workers: tables and views with their contents, and a model that recomputes
//! every view from the history of its tables.

#![allow(missing_docs, dead_code, unreachable_pub)]

pub mod model;
pub mod plans;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use springtide_dataflow::{Beginning, CreateView, Freeze, Workers, operators_with_state, place};
use springtide_plan::{Node, ViewPlan};
use springtide_state::Relation;
use springtide_types::{Epoch, RelationId, SqlError, ZBatch};

use model::{Bag, Row, bag_of, batch_of, evaluate};

const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Harness {
    pub workers: Workers,
    pub epoch: Epoch,
    worker_count: usize,
    next_id: u64,
    tables: BTreeMap<RelationId, Arc<Relation>>,
    tables_frontier: Arc<AtomicU64>,
    views: BTreeMap<RelationId, (Arc<ViewPlan>, Arc<Relation>)>,
    history: BTreeMap<Epoch, HashMap<RelationId, Bag>>,
    recomputed: RefCell<HashMap<(RelationId, Epoch), Bag>>,
    pub progress: Arc<AtomicUsize>,
    pub hydrated: Arc<AtomicUsize>,
}

pub fn integers(names: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(
        names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect::<Vec<_>>(),
    ))
}

impl Harness {
    pub fn start(worker_count: usize) -> Harness {
        let progress = Arc::new(AtomicUsize::new(0));
        let (count, reader) = (progress.clone(), std::thread::current());
        let on_progress = move || {
            count.fetch_add(1, Ordering::Relaxed);
            reader.unpark();
        };
        let workers = Workers::start(worker_count, Arc::new(on_progress));
        Harness {
            workers,
            worker_count,
            epoch: 100,
            next_id: 1,
            tables: BTreeMap::new(),
            tables_frontier: Arc::new(AtomicU64::new(101)),
            views: BTreeMap::new(),
            history: BTreeMap::from([(100, HashMap::new())]),
            recomputed: RefCell::default(),
            progress,
            hydrated: Arc::default(),
        }
    }

    fn next_id(&mut self) -> RelationId {
        self.next_id += 1;
        RelationId(self.next_id)
    }

    pub fn table(&mut self, columns: &[&str]) -> RelationId {
        let id = self.next_id();
        let contents = Relation::new(integers(columns), None, false, vec![self.tables_frontier.clone()]);
        self.tables.insert(id, Arc::new(contents));
        self.history.values_mut().for_each(|tables| _ = tables.insert(id, Bag::new()));
        id
    }

    /// One commit, as the sequencer makes it; its epoch is some time after the one before.
    pub fn commit(&mut self, changes: &[(RelationId, Vec<(Row, i64)>)]) -> Epoch {
        let mut model = self.history[&self.epoch].clone();
        self.epoch += 7;
        let mut deltas = Vec::new();
        for (table, rows) in changes {
            let delta = batch_of(self.tables[table].schema(), rows);
            self.tables[table].apply(0, self.epoch, &delta);
            let bag = model.get_mut(table).expect("a table");
            rows.iter().for_each(|(row, weight)| model::add(bag, row.clone(), *weight));
            deltas.push((*table, delta));
        }
        self.history.insert(self.epoch, model);
        self.send(deltas);
        self.epoch
    }

    /// A commit that goes to the workers only, to measure them alone.
    pub fn commit_unchecked(&mut self, table: RelationId, delta: ZBatch) -> Epoch {
        self.epoch += 7;
        self.send(vec![(table, delta)]);
        self.epoch
    }

    fn send(&self, deltas: Vec<(RelationId, ZBatch)>) {
        self.tables_frontier.store(self.epoch + 1, Ordering::Release);
        self.workers.commit(self.epoch, deltas);
    }

    pub fn view(&mut self, root: Node) -> RelationId {
        self.create(Arc::new(ViewPlan { root }), Beginning::New)
    }

    /// A view of the same plan as another, which goes on from the state of that one at an earlier epoch, from its contents
    /// now, and from what has changed in its inputs since.
    pub fn resume(&mut self, view: RelationId, freeze: &Freeze) -> RelationId {
        while !freeze.is_complete() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let operators = freeze.take().expect("no operator is broken");
        let plan = self.views[&view].0.clone();
        assert_eq!(operators.len(), operators_with_state(&plan.root) * self.worker_count);
        let change = |id: RelationId| {
            let mut bag = self.recompute(id, self.epoch);
            for (row, weight) in self.recompute(id, freeze.epoch()) {
                model::add(&mut bag, row, -weight);
            }
            batch_of(self.schema(id), &bag.into_iter().collect::<Vec<_>>())
        };
        let changes = plan.sources().into_iter().map(|id| (id, vec![change(id)])).collect();
        self.wait(view, self.epoch);
        let known = self.contents(view).snapshot(self.epoch).expect("no error");
        let resumed = self.create(plan.clone(), Beginning::Resumed { operators, changes });
        let contents = self.contents(resumed);
        for batch in known {
            for (worker, part) in place(&plan, &batch, self.worker_count) {
                contents.apply(worker, self.epoch, &part);
            }
        }
        resumed
    }

    fn create(&mut self, plan: Arc<ViewPlan>, beginning: Beginning) -> RelationId {
        let view = self.next_id();
        let properties = plan.root.properties();
        let frontiers = (0..self.worker_count).map(|_| Arc::default()).collect();
        let contents = Arc::new(Relation::new(plan.root.schema(), None, properties.append_only, frontiers));
        let relation = |id: RelationId| match self.tables.get(&id) {
            Some(table) => table.clone(),
            None => self.views[&id].1.clone(),
        };
        let inputs = plan.sources().into_iter().map(|id| (id, relation(id))).collect();
        let hydrated = self.hydrated.clone();
        self.workers.create_view(CreateView {
            view,
            plan: plan.clone(),
            as_of: self.epoch,
            inputs,
            contents: contents.clone(),
            beginning,
            on_hydrated: Box::new(move || _ = hydrated.fetch_add(1, Ordering::Relaxed)),
        });
        self.views.insert(view, (plan, contents));
        view
    }

    pub fn drop_view(&mut self, view: RelationId) -> Arc<Relation> {
        self.workers.drop_view(view, 0);
        self.views.remove(&view).expect("a view").1
    }

    pub fn contents(&self, view: RelationId) -> Arc<Relation> {
        self.views[&view].1.clone()
    }

    pub fn schema(&self, relation: RelationId) -> SchemaRef {
        self.tables.get(&relation).unwrap_or_else(|| &self.views[&relation].1).schema()
    }

    pub fn wait(&self, view: RelationId, epoch: Epoch) {
        let (contents, started) = (self.contents(view), Instant::now());
        while contents.frontier() <= epoch {
            assert!(started.elapsed() < TIMEOUT, "{view} is stuck before epoch {epoch}");
            std::thread::park_timeout(TIMEOUT);
        }
    }

    /// The contents of a view at an epoch, once it is complete.
    pub fn read(&self, view: RelationId, epoch: Epoch) -> Result<Bag, SqlError> {
        self.wait(view, epoch);
        Ok(bag_of(&self.views[&view].1.snapshot(epoch)?))
    }

    /// Compares a view at an epoch with its query run from scratch.
    pub fn check(&self, view: RelationId, epoch: Epoch) {
        let found = self.read(view, epoch).expect("no error");
        assert_eq!(found, self.recompute(view, epoch), "{view} at epoch {epoch}");
    }

    pub fn check_now(&self, view: RelationId) {
        self.check(view, self.epoch);
    }

    /// Epochs of all commits so far from `first` on.
    pub fn epochs_from(&self, first: Epoch) -> Vec<Epoch> {
        self.history.range(first..).map(|(epoch, _)| *epoch).collect()
    }

    fn recompute(&self, relation: RelationId, epoch: Epoch) -> Bag {
        let Some((plan, _)) = self.views.get(&relation) else {
            return self.history[&epoch][&relation].clone();
        };
        if let Some(known) = self.recomputed.borrow().get(&(relation, epoch)) {
            return known.clone();
        }
        let bag = evaluate(&plan.root, &|id| self.recompute(id, epoch));
        self.recomputed.borrow_mut().insert((relation, epoch), bag.clone());
        bag
    }
}
