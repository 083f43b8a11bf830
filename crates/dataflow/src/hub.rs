use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use springtide_types::{Epoch, ErrorDelta, RelationId, ZBatch};
use timely::scheduling::Activator;

/// What a relation publishes at an epoch.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Some of the rows that change.
    Rows(ZBatch),
    /// Errors that appear or go away.
    Errors(Arc<[ErrorDelta]>),
}

/// Hands the changes of one relation on one worker to the dataflows that import it. It keeps nothing
/// itself: each subscriber has a queue of its own.
pub(crate) struct Hub {
    frontier: Epoch,
    subscribers: Vec<Weak<RefCell<Queue>>>,
}

struct Queue {
    after: Epoch,
    changes: VecDeque<(Epoch, Change)>,
    frontier: Epoch,
    activator: Activator,
}

/// The receiving end; dropping it unsubscribes.
pub(crate) struct Subscription(Rc<RefCell<Queue>>);

impl Hub {
    /// A hub whose relation is complete before `frontier`.
    pub(crate) fn new(frontier: Epoch) -> Hub {
        Hub { frontier, subscribers: Vec::new() }
    }

    /// From here on queues every change later than `after`; `activator` is activated when there is news.
    pub(crate) fn subscribe(&mut self, after: Epoch, activator: Activator) -> Subscription {
        let queue = Queue { after, changes: VecDeque::new(), frontier: self.frontier, activator };
        let queue = Rc::new(RefCell::new(queue));
        self.subscribers.push(Rc::downgrade(&queue));
        Subscription(queue)
    }

    /// Publishes a change at an epoch that is not before the frontier. Those who wait learn of it when the
    /// frontier moves, or when they next run.
    pub(crate) fn publish(&self, epoch: Epoch, change: &Change) {
        debug_assert!(epoch >= self.frontier, "no change comes behind the frontier");
        for queue in self.subscribers.iter().filter_map(Weak::upgrade) {
            let mut queue = queue.borrow_mut();
            if epoch > queue.after {
                queue.changes.push_back((epoch, change.clone()));
            }
        }
    }

    /// Promises that every change before `frontier` has been published.
    pub(crate) fn advance(&mut self, frontier: Epoch) {
        if frontier <= self.frontier {
            return;
        }
        self.frontier = frontier;
        self.subscribers.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            let mut queue = queue.borrow_mut();
            queue.frontier = frontier;
            queue.activator.activate();
            true
        });
    }

    fn has_subscribers(&self) -> bool {
        !self.subscribers.is_empty()
    }
}

impl Subscription {
    /// Takes the next change.
    pub(crate) fn pop(&self) -> Option<(Epoch, Change)> {
        self.0.borrow_mut().changes.pop_front()
    }

    /// No change before this epoch is still to be popped.
    pub(crate) fn frontier(&self) -> Epoch {
        let queue = self.0.borrow();
        queue.changes.front().map_or(queue.frontier, |(epoch, _)| (*epoch).min(queue.frontier))
    }

    /// Whether changes wait to be popped.
    pub(crate) fn has_changes(&self) -> bool {
        !self.0.borrow().changes.is_empty()
    }
}

/// The hubs of one worker. A relation that is not a view is a table; the hub of a table exists while
/// somebody imports it.
#[derive(Default)]
pub(crate) struct Hubs {
    views: HashMap<RelationId, Rc<RefCell<Hub>>>,
    tables: HashMap<RelationId, Hub>,
    tables_frontier: Epoch,
}

impl Hubs {
    /// Creates the hub of a view, for its sink to publish to.
    pub(crate) fn add_view(&mut self, view: RelationId) -> Rc<RefCell<Hub>> {
        let hub = Rc::new(RefCell::new(Hub::new(0)));
        self.views.insert(view, hub.clone());
        hub
    }

    /// Forgets a view.
    pub(crate) fn remove_view(&mut self, view: RelationId) {
        self.views.remove(&view);
    }

    /// Subscribes to a table or view.
    pub(crate) fn subscribe(
        &mut self,
        relation: RelationId,
        after: Epoch,
        activator: Activator,
    ) -> Subscription {
        match self.views.get(&relation) {
            Some(hub) => hub.borrow_mut().subscribe(after, activator),
            None => {
                let hub = self.tables.entry(relation).or_insert_with(|| Hub::new(self.tables_frontier));
                hub.subscribe(after, activator)
            }
        }
    }

    /// Publishes the changes that one commit made to tables, which completes its epoch.
    pub(crate) fn commit(&mut self, epoch: Epoch, deltas: Vec<(RelationId, ZBatch)>) {
        for (table, delta) in deltas {
            if let Some(hub) = self.tables.get(&table) {
                hub.publish(epoch, &Change::Rows(delta));
            }
        }
        self.tables_frontier = epoch + 1;
        self.tables.retain(|_, hub| {
            hub.advance(epoch + 1);
            hub.has_subscribers()
        });
    }
}
