//! Sources at work: one thread each, which commits what its connector brings together with the position after it.
//!
//! What is committed is what counts: a source goes on from the position that its relation holds, after a start, a crash, or a
//! commit that failed. A commit also says that it has read that position, and so is refused if anything else has moved it.

mod position;
mod pump;
mod status;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use springtide_catalog::system::SourceFacts;
use springtide_types::{RelationId, Result, SqlError};

use crate::reads::Reads;
use crate::sequencer::Sequencer;
use crate::turns::Turns;
use pump::Pump;
use status::Status;

pub(crate) use position::position_row;

/// A handle to the threads of the sources. They stop when it is dropped.
pub(crate) struct Sources {
    stage: Arc<Stage>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

/// What the threads share.
struct Stage {
    reads: Arc<Reads>,
    sequencer: Sequencer,
    turns: Arc<Turns>,
    stopping: Mutex<bool>,
    stopped: Condvar,
    statuses: Mutex<HashMap<RelationId, Status>>,
}

impl Sources {
    /// Starts the sources that there are, and those that will be created.
    pub(crate) fn start(reads: Arc<Reads>, sequencer: Sequencer, turns: Arc<Turns>) -> Result<Sources> {
        let (stopping, stopped, statuses) = (Mutex::default(), Condvar::default(), Mutex::default());
        let stage = Arc::new(Stage { reads, sequencer, turns, stopping, stopped, statuses });
        let supervised = stage.clone();
        let supervisor = std::thread::Builder::new().name("sources".to_owned());
        let supervisor = supervisor
            .spawn(move || supervise(&supervised))
            .map_err(|error| SqlError::internal(format!("could not start the sources: {error}")))?;
        Ok(Sources { stage, supervisor: Mutex::new(Some(supervisor)) })
    }

    /// Stops all sources. What they have committed stays.
    pub(crate) async fn stop(&self) {
        self.stage.stop();
        let Some(supervisor) = self.supervisor.lock().take() else { return };
        if !matches!(tokio::task::spawn_blocking(move || supervisor.join()).await, Ok(Ok(()))) {
            tracing::error!("a source ended by a panic");
        }
    }

    /// What the sources are, and how they do.
    pub(crate) fn facts(&self) -> Vec<SourceFacts> {
        let point = self.stage.reads.begin();
        let statuses = self.stage.statuses.lock();
        let facts = point.objects.catalog.sources().map(|(source, definition)| {
            let (events, position) = position::committed(&point, source).ok().flatten().unwrap_or_default();
            let status = statuses.get(&source.id).cloned().unwrap_or_default();
            SourceFacts {
                name: source.name.clone(),
                connector: definition.connector.clone(),
                options: definition.options.clone(),
                tables: point.objects.catalog.filled_from(source.id).map(|it| it.name.clone()).collect(),
                events,
                position,
                status: status.name(),
                error: status.error(),
            }
        });
        facts.collect()
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.stage.stop();
    }
}

impl Stage {
    fn stop(&self) {
        *self.stopping.lock() = true;
        self.stopped.notify_all();
        self.reads.close();
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.lock()
    }

    /// Waits for a while, or until the sources are to stop.
    fn pause(&self, duration: Duration) {
        let mut stopping = self.stopping.lock();
        if !*stopping {
            self.stopped.wait_for(&mut stopping, duration);
        }
    }

    fn set_status(&self, source: RelationId, status: Status) {
        self.statuses.lock().insert(source, status);
    }
}

/// Gives each source a thread, and waits for the threads in the end. One whose source is dropped ends by itself.
fn supervise(stage: &Arc<Stage>) {
    let mut pumps = HashMap::<RelationId, JoinHandle<()>>::new();
    let mut seen = None;
    while let Some(objects) = stage.reads.objects_after(seen) {
        seen = Some(objects.version);
        pumps.retain(|source, _| objects.catalog.by_id(*source).is_some());
        stage.statuses.lock().retain(|source, _| objects.catalog.by_id(*source).is_some());
        for (source, _) in objects.catalog.sources() {
            if pumps.contains_key(&source.id) {
                continue;
            }
            let pump = Pump::new(stage.clone(), source.id);
            let thread = std::thread::Builder::new().name("source".to_owned()).spawn(move || pump.run());
            match thread {
                Ok(thread) => drop(pumps.insert(source.id, thread)),
                Err(error) => {
                    let error = SqlError::internal(format!("could not start a thread: {error}"));
                    stage.set_status(source.id, Status::Failing(error));
                }
            }
        }
    }
    for pump in pumps.into_values() {
        if pump.join().is_err() {
            tracing::error!("a source ended by a panic");
        }
    }
}
