use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use springtide_catalog::Catalog;
use springtide_connectors::{Batch, Next, Source, connector};
use springtide_types::{Epoch, RelationId, Result, SqlError, SqlState, ZBatch};
use tokio::sync::RwLockReadGuard;

use super::Stage;
use super::position::{committed, position_row};
use super::status::Status;
use crate::commit::{Acknowledged, Commit, CommitError, ReadSet};
use crate::sequencer::Pending;

/// How long to wait after a failure, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Brings the events of one source.
pub(super) struct Pump {
    stage: Arc<Stage>,
    source: RelationId,
    /// How long to wait after the next failure.
    pause: Duration,
}

/// A commit that was sent, and the turn that is held until it is through.
struct OnTheWay<'a> {
    commit: Pending,
    _turn: RwLockReadGuard<'a, ()>,
}

/// Why a source is no longer read.
enum Stop {
    /// It has no more events.
    End,
    /// It is dropped, or the database ends.
    Gone,
    /// Something else has moved its position: begin again from there.
    Overtaken,
}

/// What a source has committed, and what it commits under.
struct Progress {
    catalog: Arc<Catalog>,
    catalog_version: u64,
    /// Of the commit that made it so.
    epoch: Epoch,
    events: u64,
    position: String,
}

impl Pump {
    pub(super) fn new(stage: Arc<Stage>, source: RelationId) -> Pump {
        Pump { stage, source, pause: FIRST_PAUSE }
    }

    /// Runs until the source is dropped, has no more events, or is to stop.
    pub(super) fn run(mut self) {
        while !self.stage.is_stopping() {
            match self.bring() {
                Ok(Stop::End) => return self.stage.set_status(self.source, Status::Finished),
                Ok(Stop::Gone) => return,
                Ok(Stop::Overtaken) => {}
                Err(error) => {
                    tracing::warn!("a source tries again in {:.1} s: {error}", self.pause.as_secs_f64());
                    self.stage.set_status(self.source, Status::Failing(error));
                    self.stage.pause(self.pause);
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn progress(&self) -> Result<Option<Progress>> {
        let point = self.stage.reads.begin();
        let Some(source) = point.objects.catalog.by_id(self.source) else { return Ok(None) };
        let Some((events, position)) = committed(&point, source)? else { return Ok(None) };
        let (catalog, catalog_version) = (point.objects.catalog.clone(), point.objects.version);
        Ok(Some(Progress { catalog, catalog_version, epoch: point.epoch, events, position }))
    }

    /// Brings events from where the source stands. The next ones are made while the last ones are committed.
    fn bring(&mut self) -> Result<Stop> {
        let stage = self.stage.clone();
        let Some(mut progress) = self.progress()? else { return Ok(Stop::Gone) };
        let mut source = self.open(&progress)?;
        let mut on_the_way: Option<OnTheWay<'_>> = None;
        loop {
            let next = source.next();
            if let Some(sent) = on_the_way.take() {
                match sent.commit.wait() {
                    Ok(epoch) => progress.epoch = epoch,
                    Err(CommitError::Conflict) => return Ok(Stop::Overtaken),
                    Err(CommitError::Failed(error)) => return Err(error),
                }
                self.pause = FIRST_PAUSE;
                stage.set_status(self.source, Status::Running);
            }
            if stage.is_stopping() || stage.reads.objects().catalog.by_id(self.source).is_none() {
                return Ok(Stop::Gone);
            }
            match next? {
                Next::Batch(batch) => {
                    let commit = self.commit(&mut progress, batch)?;
                    let turn = stage.turns.enter_blocking();
                    let commit = stage.sequencer.submit(commit)?;
                    on_the_way = Some(OnTheWay { commit, _turn: turn });
                }
                Next::Wait(pause) => stage.pause(pause),
                Next::End => return Ok(Stop::End),
            }
        }
    }

    fn open(&self, progress: &Progress) -> Result<Box<dyn Source>> {
        let definition = progress.catalog.by_id(self.source).and_then(|source| source.source_definition());
        let definition = definition.ok_or_else(|| SqlError::internal("a source has a definition"))?;
        let connector = connector(&definition.connector).ok_or_else(|| {
            let message = format!("there are no sources from \"{}\"", definition.connector);
            SqlError::new(SqlState::UNDEFINED_OBJECT, message)
        })?;
        let position = Some(progress.position.as_str()).filter(|position| !position.is_empty());
        connector.open(&definition.options, position)
    }

    /// Writes the rows of a batch, and the position after it in the place of the one before.
    fn commit(&self, progress: &mut Progress, batch: Batch) -> Result<Commit> {
        let gone = || SqlError::internal("a source at work is in its catalog");
        let source = progress.catalog.by_id(self.source).ok_or_else(gone)?;
        let before = position_row(source, progress.events, &progress.position)?.negate();
        progress.events += batch.events;
        progress.position = batch.position;
        let after = position_row(source, progress.events, &progress.position)?;
        let mut writes = vec![(source.id, ZBatch::concat(before.schema(), &[before, after]))];
        for (table, rows) in progress.catalog.filled_from(source.id).zip(batch.rows) {
            if rows.num_rows() > 0 {
                let rows = RecordBatch::try_new(table.schema(), rows.columns().to_vec());
                let rows = rows.map_err(|error| SqlError::internal(error.to_string()))?;
                writes.push((table.id, ZBatch::inserts(rows)));
            }
        }
        let mut reads = ReadSet::default();
        reads.all(source.id);
        Ok(Commit {
            as_of: progress.epoch,
            catalog_version: progress.catalog_version,
            bound_to: progress.catalog.clone(),
            reads,
            writes,
            catalog: None,
            acknowledged: Acknowledged::Durable,
        })
    }
}
