use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use springtide_state::Relation;
use springtide_types::{Epoch, RelationId};
use timely::scheduling::Activator;
use timely::worker::Worker as TimelyWorker;

use crate::command::{Blueprint, Command};
use crate::hub::Hubs;
use crate::render::render;
use crate::sink::OnProgress;

/// Commands taken before the dataflows run again, so that a flood of commits cannot starve them.
const COMMANDS_PER_STEP: usize = 32;

/// One worker thread: does what it is told, and drives its dataflows in between.
pub(crate) struct Worker<'a> {
    timely: &'a mut TimelyWorker,
    on_progress: OnProgress,
    hubs: Hubs,
    dataflows: HashMap<RelationId, Dataflow>,
    /// The views that are dropped once they are complete up to an epoch.
    ending: Vec<(RelationId, Epoch)>,
}

/// A view that is being maintained.
struct Dataflow {
    index: usize,
    contents: Arc<Relation>,
    /// Wake the operators that keep state.
    operators: Vec<Activator>,
}

impl<'a> Worker<'a> {
    /// A worker without views.
    pub(crate) fn new(timely: &'a mut TimelyWorker, on_progress: OnProgress) -> Worker<'a> {
        Worker { timely, on_progress, hubs: Hubs::default(), dataflows: HashMap::new(), ending: Vec::new() }
    }

    /// Works until the other end of `commands` is dropped. Whoever sends a command unparks this thread, so
    /// that it can park when there is nothing to do.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let park = match self.obey_waiting(commands) {
                Ok(()) => Some(Duration::ZERO),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => break,
            };
            self.end_views();
            self.timely.step_or_park(park);
        }
        let views = self.dataflows.keys().copied().collect::<Vec<_>>();
        views.into_iter().for_each(|view| self.drop_view(view));
    }

    fn obey_waiting(&mut self, commands: &Receiver<Command>) -> Result<(), TryRecvError> {
        for _ in 0..COMMANDS_PER_STEP {
            let command = commands.try_recv()?;
            self.obey(command);
        }
        Ok(())
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::CreateView(view) => self.create_view(&view),
            Command::DropView(view, until) => self.ending.push((view, until)),
            Command::Wake(view) => {
                let dataflow = self.dataflows.get(&view);
                dataflow.into_iter().flat_map(|dataflow| &dataflow.operators).for_each(Activator::activate);
            }
            Command::Commit { epoch, deltas } => self.hubs.commit(epoch, deltas),
        }
    }

    fn create_view(&mut self, view: &Blueprint) {
        let index = self.timely.next_dataflow_index();
        let (hubs, on_progress) = (&mut self.hubs, self.on_progress.clone());
        let operators = self.timely.dataflow_named::<Epoch, _, _>(&view.view.to_string(), |scope| {
            render(scope, view, hubs, on_progress)
        });
        let contents = view.contents.clone();
        self.dataflows.insert(view.view, Dataflow { index, contents, operators });
    }

    /// Drops the views that nobody waits for any more. What this worker has completed needs no other one.
    fn end_views(&mut self) {
        let shard = self.timely.index();
        let (ended, ending) = std::mem::take(&mut self.ending).into_iter().partition(|(view, until)| {
            self.dataflows.get(view).is_none_or(|dataflow| dataflow.contents.shard_frontier(shard) >= *until)
        });
        self.ending = ending;
        let ended: Vec<(RelationId, Epoch)> = ended;
        ended.into_iter().for_each(|(view, _)| self.drop_view(view));
    }

    fn drop_view(&mut self, view: RelationId) {
        if let Some(dataflow) = self.dataflows.remove(&view) {
            self.timely.drop_dataflow(dataflow.index);
        }
        self.hubs.remove_view(view);
    }
}
