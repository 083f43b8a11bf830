//! What goes through the operators of the views, and what they keep: written by the workers, read by anybody.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use springtide_plan::Node;
use springtide_types::RelationId;

/// The meters of all views.
#[derive(Debug, Default)]
pub struct Meters(Mutex<HashMap<RelationId, Arc<ViewMeters>>>);

/// What one operator of a view has done on one worker since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The operator, by the position of its node in the plan: the root is 0, its inputs come after it, depth first.
    pub node: usize,
    /// The worker, from 0.
    pub worker: usize,
    /// Rows that it was given, with those that were taken away.
    pub rows_in: u64,
    /// Rows that it gave.
    pub rows_out: u64,
    /// Bytes of state, as of when they were last measured.
    pub bytes: usize,
}

impl Meters {
    /// The operators of a view on every worker, by node; none if there is no such view. What nodes share is at the first.
    pub fn of(&self, view: RelationId) -> Vec<Reading> {
        let meters = self.0.lock().get(&view).cloned();
        meters.map_or_else(Vec::new, |meters| meters.read())
    }

    /// Bytes that the operators of a view hold.
    pub fn bytes(&self, view: RelationId) -> usize {
        self.of(view).iter().map(|reading| reading.bytes).sum()
    }

    pub(crate) fn insert(&self, view: RelationId, meters: Arc<ViewMeters>) {
        self.0.lock().insert(view, meters);
    }

    pub(crate) fn remove(&self, view: RelationId) {
        self.0.lock().remove(&view);
    }
}

/// The meters of one view, by worker and node.
#[derive(Debug)]
pub(crate) struct ViewMeters(Vec<Vec<Arc<Meter>>>);

impl ViewMeters {
    pub(crate) fn new(plan: &Node, workers: usize) -> ViewMeters {
        let nodes = node_count(plan);
        ViewMeters((0..workers).map(|_| (0..nodes).map(|_| Arc::default()).collect()).collect())
    }

    /// The meter of an operator that is placed into the dataflow now.
    pub(crate) fn place(&self, worker: usize, node: usize) -> Arc<Meter> {
        let meter = &self.0[worker][node];
        meter.is_placed.store(true, Ordering::Relaxed);
        meter.clone()
    }

    fn read(&self) -> Vec<Reading> {
        let workers = self.0.iter().enumerate();
        let readings = workers.flat_map(|(worker, nodes)| {
            let placed = nodes.iter().enumerate();
            let placed = placed.filter(|(_, meter)| meter.is_placed.load(Ordering::Relaxed));
            placed.map(move |(node, meter)| meter.read(node, worker))
        });
        let mut readings = readings.collect::<Vec<_>>();
        readings.sort_by_key(|reading| (reading.node, reading.worker));
        readings
    }
}

/// How many nodes a plan has, as often as they are in it.
pub(crate) fn node_count(node: &Node) -> usize {
    1 + node.inputs().into_iter().map(node_count).sum::<usize>()
}

/// Of one operator on one worker, which alone writes to it.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Not every node becomes an operator of its own.
    is_placed: AtomicBool,
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    bytes: AtomicUsize,
}

impl Meter {
    pub(crate) fn count(&self, rows_in: usize, rows_out: usize) {
        self.rows_in.fetch_add(rows_in as u64, Ordering::Relaxed);
        self.rows_out.fetch_add(rows_out as u64, Ordering::Relaxed);
    }

    pub(crate) fn set_bytes(&self, bytes: usize) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    fn read(&self, node: usize, worker: usize) -> Reading {
        Reading {
            node,
            worker,
            rows_in: self.rows_in.load(Ordering::Relaxed),
            rows_out: self.rows_out.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}
