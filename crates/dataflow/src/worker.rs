use std::collections::HashMap;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

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
}

/// A view that is being maintained.
struct Dataflow {
    index: usize,
    /// Wake the operators that keep state.
    operators: Vec<Activator>,
}

impl<'a> Worker<'a> {
    /// A worker without views.
    pub(crate) fn new(timely: &'a mut TimelyWorker, on_progress: OnProgress) -> Worker<'a> {
        Worker { timely, on_progress, hubs: Hubs::default(), dataflows: HashMap::new() }
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
            Command::DropView(view) => self.drop_view(view),
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
        self.dataflows.insert(view.view, Dataflow { index, operators });
    }

    fn drop_view(&mut self, view: RelationId) {
        if let Some(dataflow) = self.dataflows.remove(&view) {
            self.timely.drop_dataflow(dataflow.index);
        }
        self.hubs.remove_view(view);
    }
}
