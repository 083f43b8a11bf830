use std::fmt;
use std::sync::Arc;

use springtide_catalog::system::{self, BackendFacts, OperatorFacts, SourceFacts};
use springtide_catalog::{Relation, RelationKind};
use springtide_dataflow::{Meters, Reading};
use springtide_plan::lines;

use crate::activity::{Activity, Interrupt};
use crate::reads::Reads;
use crate::sources::Sources;

/// What queries may ask of the running database.
pub(crate) struct Live {
    reads: Arc<Reads>,
    sources: Arc<Sources>,
    meters: Arc<Meters>,
    activity: Arc<Activity>,
}

impl Live {
    pub(crate) fn new(
        reads: Arc<Reads>,
        sources: Arc<Sources>,
        meters: Arc<Meters>,
        activity: Arc<Activity>,
    ) -> Live {
        Live { reads, sources, meters, activity }
    }

    fn operators_of(&self, view: &Relation) -> Vec<OperatorFacts> {
        let RelationKind::MaterializedView { plan, .. } = &view.kind else { return Vec::new() };
        let lines = lines(plan);
        let facts = |Reading { node, worker, rows_in, rows_out, bytes }| OperatorFacts {
            view: view.name.clone(),
            line: node + 1,
            kind: lines[node].kind().to_owned(),
            description: lines[node].description.clone(),
            worker,
            rows_in,
            rows_out,
            bytes,
        };
        self.meters.of(view.id).into_iter().map(facts).collect()
    }
}

impl system::Live for Live {
    fn sources(&self) -> Vec<SourceFacts> {
        self.sources.facts()
    }

    fn operators(&self) -> Vec<OperatorFacts> {
        self.reads.objects().catalog.relations().flat_map(|view| self.operators_of(view)).collect()
    }

    fn backends(&self) -> Vec<BackendFacts> {
        self.activity.facts()
    }

    fn interrupt(&self, process_id: i32, terminate: bool) -> bool {
        self.activity.interrupt(process_id, if terminate { Interrupt::Terminate } else { Interrupt::Cancel })
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
