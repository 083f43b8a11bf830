use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use springtide_operators::{Input, Operator, Output, Status};
use springtide_types::{Epoch, ZBatch};
use timely::dataflow::channels::pushers::OutputSession;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use timely::progress::frontier::MutableAntichain;
use timely::progress::operate::FrontierInterest;
use timely::scheduling::Activator;

use crate::budget::Budget;
use crate::container::Delta;
use crate::errors::ErrorLog;
use crate::freeze::Participant;
use crate::guard::guarded;
use crate::meters::Meter;
use crate::route::Route;

/// How many rows go through an operator between two looks at the size of its state, at most. Before that, it is an eighth of
/// all: a look may cost as much as there is state.
const ROWS_PER_MEASUREMENT: usize = 4096;

/// How often an operator that a cut waits for looks whether it is done with the epoch: frontiers do not wake those who
/// hold no capability.
const WAIT_FOR_CUT: Duration = Duration::from_millis(1);

/// Whether an operator must see one epoch after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its epochs come in order and are ended.
    Stateful,
    /// Each delta stands for itself, and goes through as it comes.
    Stateless,
}

/// What an operator needs besides its place in the dataflow.
pub(crate) struct OperatorSpec {
    /// For timely's logs.
    pub(crate) name: &'static str,
    /// The operator.
    pub(crate) operator: Box<dyn Operator>,
    /// How it is driven.
    pub(crate) kind: Kind,
    /// The first epoch, which a stateful operator ends even if no row comes.
    pub(crate) as_of: Epoch,
    /// Where errors go.
    pub(crate) errors: ErrorLog,
    /// Where it is noted what the operator does and holds.
    pub(crate) meter: Arc<Meter>,
    /// Its part in the cuts of the view, if it keeps state.
    pub(crate) participant: Option<Participant>,
}

/// Every frontier is one epoch, for epochs are totally ordered: all before it are complete.
pub(crate) fn least(frontiers: &[MutableAntichain<Epoch>]) -> Epoch {
    let of = |frontier: &MutableAntichain<Epoch>| frontier.frontier().first().copied().unwrap_or(Epoch::MAX);
    frontiers.iter().map(of).min().unwrap_or(Epoch::MAX)
}

/// Places an operator into a dataflow, one input port per stream. Also returns what wakes it.
///
/// Deltas wait under their epoch. The first epoch that is not complete is fed to the operator as its
/// deltas come, for all earlier ones have ended; when the frontier passes it, it is ended. Its capability is
/// held until then, which keeps the epoch open downstream for the rows and errors it may still yield.
pub(crate) fn operate<'s>(
    scope: Scope<'s, Epoch>,
    inputs: Vec<(Stream<'s, Epoch, Delta>, Route)>,
    spec: OperatorSpec,
) -> (Stream<'s, Epoch, Delta>, Activator) {
    let mut builder = OperatorBuilder::new(spec.name.to_owned(), scope);
    let mut ports =
        inputs.into_iter().map(|(stream, route)| builder.new_input(stream, route)).collect::<Vec<_>>();
    let interest = match spec.kind {
        Kind::Stateful => FrontierInterest::IfCapability,
        Kind::Stateless => FrontierInterest::Never,
    };
    (0..ports.len()).for_each(|port| builder.set_notify_for(port, interest));
    let (mut output, stream) = builder.new_output();
    let activator = scope.activator_for(builder.operator_info().address);
    let wake = activator.clone();
    builder.build(move |capabilities| {
        let mut adapter = Adapter::new(spec, capabilities);
        move |frontiers| {
            for (port, input) in ports.iter_mut().enumerate() {
                input.for_each_stamp(|capability, deltas| {
                    if let Some(capability) = capability.retain_least(0) {
                        adapter.stash(port, capability, deltas.filter_map(Delta::take));
                    }
                });
            }
            if adapter.run(least(frontiers), &mut output.activate()) == Status::More {
                activator.activate();
            } else if adapter.participant.as_ref().is_some_and(Participant::is_waited_for) {
                activator.activate_after(WAIT_FOR_CUT);
            }
        }
    });
    (stream, wake)
}

/// Drives an operator by the rules of [`Operator`], whatever the order in which timely delivers.
struct Adapter {
    operator: Box<dyn Operator>,
    kind: Kind,
    epochs: BTreeMap<Epoch, Pending>,
    /// The epoch whose last step said [`Status::More`].
    unfinished: Option<Epoch>,
    /// A step broke an invariant: the view is in error for good, and its input is no longer looked at.
    broken: bool,
    measured_rows: usize,
    unmeasured_rows: usize,
    errors: ErrorLog,
    meter: Arc<Meter>,
    participant: Option<Participant>,
}

/// An epoch that has not ended.
struct Pending {
    capability: Capability<Epoch>,
    deltas: VecDeque<(usize, ZBatch)>,
    ending: bool,
}

impl Adapter {
    fn new(spec: OperatorSpec, capabilities: Vec<Capability<Epoch>>) -> Adapter {
        let mut adapter = Adapter {
            operator: spec.operator,
            kind: spec.kind,
            epochs: BTreeMap::new(),
            unfinished: None,
            broken: false,
            measured_rows: 0,
            unmeasured_rows: 0,
            errors: spec.errors,
            meter: spec.meter,
            participant: spec.participant,
        };
        if spec.kind == Kind::Stateful {
            for capability in capabilities {
                adapter.stash(0, capability.delayed(&spec.as_of), []);
            }
        }
        adapter
    }

    fn stash(
        &mut self,
        port: usize,
        capability: Capability<Epoch>,
        deltas: impl IntoIterator<Item = ZBatch>,
    ) {
        let pending = self.epochs.entry(*capability.time()).or_insert_with(|| Pending {
            capability,
            deltas: VecDeque::new(),
            ending: false,
        });
        pending.deltas.extend(deltas.into_iter().map(|delta| (port, delta)));
    }

    /// Does what can be done before the budget is spent. Every epoch before `frontier` is complete.
    fn run(&mut self, frontier: Epoch, output: &mut OutputSession<'_, Epoch, Delta>) -> Status {
        let mut budget = Budget::new();
        while let Some(epoch) = self.unfinished.or_else(|| self.epochs.keys().next().copied()) {
            if self.kind == Kind::Stateful && epoch > frontier {
                break;
            }
            if self.unfinished.is_none() {
                self.freeze(epoch);
            }
            if budget.is_spent() {
                return Status::More;
            }
            let Entry::Occupied(mut entry) = self.epochs.entry(epoch) else {
                unreachable!("it has work left")
            };
            let pending = entry.get_mut();
            let input = if self.unfinished.is_some() {
                Input::Resume
            } else if let Some((port, delta)) = pending.deltas.pop_front() {
                Input::Delta(port, delta)
            } else if self.kind == Kind::Stateless || pending.ending {
                entry.remove();
                self.measure();
                continue;
            } else if epoch < frontier {
                pending.ending = true;
                Input::EndOfEpoch(epoch)
            } else {
                break;
            };
            let (emitted, rows) = self.step(epoch, input);
            budget.spend(rows);
            let capability = &self.epochs[&epoch].capability;
            emitted.into_iter().for_each(|delta| output.give(capability, &mut Delta::from(delta)));
        }
        let next = self.epochs.keys().next().copied().unwrap_or(Epoch::MAX);
        self.freeze(next.min(frontier));
        Status::Done
    }

    /// One step. Returns the rows to emit, and how many rows went in and out.
    fn step(&mut self, epoch: Epoch, input: Input) -> (Vec<ZBatch>, usize) {
        if self.broken {
            return (Vec::new(), 0);
        }
        let rows = if let Input::Delta(_, delta) = &input { delta.len() } else { 0 };
        let mut output = Output::default();
        match guarded(|| self.operator.step(input, &mut output)) {
            Ok(status) => self.unfinished = (status == Status::More).then_some(epoch),
            Err(error) => {
                self.broken = true;
                self.unfinished = None;
                self.errors.poison(epoch, error);
            }
        }
        self.errors.extend(epoch, output.errors);
        let rows_out = output.rows.iter().map(ZBatch::len).sum::<usize>();
        self.meter.count(rows, rows_out);
        let rows = rows + rows_out;
        self.unmeasured_rows += rows;
        (output.rows, rows)
    }

    /// Takes part in a cut that waits for it. All epochs before `next` have ended; none from it on has begun, but perhaps
    /// that one, if no cut before it can be waiting any more.
    fn freeze(&mut self, next: Epoch) {
        if let Some(participant) = &mut self.participant {
            let state = || guarded(|| Ok(self.operator.freeze())).ok().filter(|_| !self.broken);
            participant.pass(next, state);
        }
    }

    fn measure(&mut self) {
        if self.unmeasured_rows >= (self.measured_rows / 8).min(ROWS_PER_MEASUREMENT) {
            self.measured_rows += std::mem::take(&mut self.unmeasured_rows);
            self.meter.set_bytes(self.operator.state_bytes());
        }
    }
}
