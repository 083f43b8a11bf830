use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchOptions};
use springtide_plan::Source;
use springtide_types::{Epoch, SqlError, ZBatch};
use timely::container::NoopBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::{OutputBuilderSession, source};
use timely::dataflow::{Scope, Stream};
use timely::scheduling::Activator;

use crate::budget::Budget;
use crate::container::Delta;
use crate::errors::ErrorLog;
use crate::hub::{Change, Hubs, Subscription};
use crate::snapshot::{Hydration, Snapshot};

/// How often to look whether an input has reached the epoch at which the view begins. No activation crosses
/// threads, and the input lags behind by the commits in flight at most, unless it hydrates itself.
const WAIT_FOR_INPUT: Duration = Duration::from_millis(1);

type Output<'a> = OutputBuilderSession<'a, Epoch, NoopBuilder<Delta>>;

/// What an import needs besides its place in the dataflow.
pub(crate) struct ImportSpec {
    /// The relation and the columns wanted of it.
    pub(crate) source: Source,
    /// Its contents as of the beginning.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Held until the snapshot is emitted.
    pub(crate) hydration: Arc<Hydration>,
    /// The epoch at which the view begins.
    pub(crate) as_of: Epoch,
    /// Where errors go.
    pub(crate) errors: ErrorLog,
}

/// Streams a relation into a dataflow: its contents as of the beginning in bounded chunks, then every later
/// change as its hub publishes it. Changes wait in the queue of the subscription meanwhile, so that no
/// change is lost or counted twice.
pub(crate) fn import<'s>(
    scope: Scope<'s, Epoch>,
    spec: ImportSpec,
    hubs: &mut Hubs,
) -> Stream<'s, Epoch, Delta> {
    let name = format!("Import {}", spec.source.name);
    source(scope, &name, |mut capability, info| {
        capability.downgrade(&spec.as_of);
        let activator = scope.activator_for(info.address);
        let subscription = hubs.subscribe(spec.source.relation, spec.as_of, activator.clone());
        let mut import = Import {
            hydrating: Some((spec.snapshot, spec.hydration)),
            source: spec.source,
            as_of: spec.as_of,
            errors: spec.errors,
            subscription,
            activator,
            capability: Some(capability),
        };
        move |output: &mut Output<'_>| import.run(output)
    })
}

struct Import {
    source: Source,
    as_of: Epoch,
    hydrating: Option<(Arc<Snapshot>, Arc<Hydration>)>,
    subscription: Subscription,
    capability: Option<Capability<Epoch>>,
    errors: ErrorLog,
    activator: Activator,
}

impl Import {
    fn run(&mut self, output: &mut Output<'_>) {
        let mut budget = Budget::new();
        if let Some((snapshot, _)) = self.hydrating.clone() {
            if !snapshot.is_ready() {
                return self.activator.activate_after(WAIT_FOR_INPUT);
            }
            while self.hydrating.is_some() {
                if budget.is_spent() {
                    return self.activator.activate();
                }
                match snapshot.claim() {
                    Some(change) => self.emit(self.as_of, change, &mut budget, output),
                    None => self.hydrating = None,
                }
            }
        }
        while !budget.is_spent() {
            let Some((epoch, change)) = self.subscription.pop() else { break };
            self.advance(epoch);
            self.emit(epoch, change, &mut budget, output);
        }
        self.advance(self.subscription.frontier().max(self.as_of + 1));
        if self.subscription.has_changes() {
            self.activator.activate();
        }
    }

    /// Promises to emit nothing before `frontier`. A relation that is complete for good ends the stream.
    fn advance(&mut self, frontier: Epoch) {
        match &mut self.capability {
            Some(_) if frontier == Epoch::MAX => self.capability = None,
            Some(capability) if *capability.time() < frontier => capability.downgrade(&frontier),
            _ => {}
        }
    }

    fn emit(&self, epoch: Epoch, change: Change, budget: &mut Budget, output: &mut Output<'_>) {
        let capability = self.capability.as_ref().expect("a relation publishes nothing after its end");
        match change {
            Change::Rows(rows) => {
                budget.spend(rows.len());
                match self.project(&rows) {
                    Ok(rows) => {
                        output.session_with_builder(capability).give_container(&mut Delta::from(rows))
                    }
                    Err(error) => self.errors.poison(epoch, error),
                }
            }
            Change::Errors(errors) => self.errors.extend(epoch, errors.iter().cloned()),
        }
    }

    fn project(&self, rows: &ZBatch) -> Result<ZBatch, SqlError> {
        let columns = self.source.columns.iter().map(|column| rows.column(*column).clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let projected = RecordBatch::try_new_with_options(self.source.schema.clone(), columns, &options)
            .map_err(|error| SqlError::internal(format!("rows of {}: {error}", self.source.name)))?;
        Ok(rows.with_rows(projected))
    }
}
