//! The state of views in checkpoints: whose is due, how it is written, and how a start goes on from it.
//!
//! It is a cache. A view whose state can't be used is computed anew from the relations that it reads.

use std::collections::HashMap;

use springtide_catalog::{Catalog, Relation, RelationKind};
use springtide_dataflow::{Beginning, Freeze, OperatorState, operators_with_state};
use springtide_plan::ViewPlan;
use springtide_state::{FROZEN_VERSION, Frozen};
use springtide_storage::{Manifest, RelationHistory, StateFiles, StateSection};
use springtide_types::{Epoch, RelationId, Result, SqlError, ZBatch};

use crate::log::storage_error;
use crate::objects::Objects;
use crate::past::Past;

/// State is written anew when more rows than a part of it have changed in the inputs since, and no fewer than
/// `LEAST_CHANGES`: so writing costs a few times the changes, and a start has that part to catch up with at most.
const PART: u64 = 4;
const LEAST_CHANGES: u64 = 16 * 1024;

/// The views of whose operators a checkpoint should write the state.
pub(crate) fn due(objects: &Objects, manifest: &Manifest, workers: usize) -> Vec<RelationId> {
    let views = objects.catalog.relations().filter_map(|relation| Some((relation, plan_of(relation)?)));
    let due = views.filter(|(view, plan)| {
        let state = manifest.relation(view.id).and_then(|known| known.state.as_ref());
        match state.filter(|state| is_of_use(state, plan, manifest, workers).is_ok()) {
            None => operators_with_state(&plan.root) > 0,
            Some(state) => {
                let changed = |input: RelationId| {
                    let written = manifest.relation(input).map_or(0, |known| rows_after(known, state.epoch));
                    let unwritten = objects.contents.get(&input).map_or(0, |rows| rows.recorded_rows());
                    written + unwritten as u64
                };
                let changes = plan.sources().into_iter().map(changed).sum::<u64>();
                changes >= LEAST_CHANGES.max(state.rows / PART)
            }
        }
    });
    due.map(|(view, _)| view.id).collect()
}

/// Writes what a complete cut gave, next to the history of its view. `None` if it is of no use.
pub(crate) fn write(
    past: &Past,
    history: &RelationHistory,
    freeze: &Freeze,
    workers: usize,
) -> Result<Option<StateFiles>> {
    let Some(operators) = freeze.take() else { return Ok(None) };
    let rows = operators.iter().map(|operator| operator.state.rows() as u64).sum();
    let sections = operators.iter().flat_map(|operator| {
        let sections = operator.state.sections().enumerate();
        sections.map(|(section, batches)| StateSection {
            worker: operator.worker,
            operator: operator.operator,
            section,
            batches: batches.to_vec(),
        })
    });
    let label = format!("{:020}-state", freeze.epoch());
    let files = past.history().write_state(&history.directory, &label, &sections.collect::<Vec<_>>());
    let files = files.map_err(storage_error)?;
    Ok(Some(StateFiles { epoch: freeze.epoch(), workers, version: FROZEN_VERSION, rows, files }))
}

/// How a view whose contents are loaded begins.
pub(crate) fn beginning(
    past: &Past,
    catalog: &Catalog,
    view: &Relation,
    plan: &ViewPlan,
    workers: usize,
) -> Beginning {
    match resume(past, catalog, view.id, plan, workers) {
        Ok(beginning) => beginning,
        Err(reason) => {
            tracing::info!("view {} is computed anew: {reason}", view.name);
            Beginning::Loaded
        }
    }
}

/// Fails with why there is no state to go on from.
fn resume(
    past: &Past,
    catalog: &Catalog,
    view: RelationId,
    plan: &ViewPlan,
    workers: usize,
) -> std::result::Result<Beginning, String> {
    if operators_with_state(&plan.root) == 0 {
        return Ok(Beginning::Resumed { operators: Vec::new(), changes: HashMap::new() });
    }
    let manifest = past.manifest();
    let known = manifest.relation(view).and_then(|known| Some((known, known.state.as_ref()?)));
    let (history, state) = known.ok_or("no checkpoint has its state")?;
    is_of_use(state, plan, &manifest, workers)?;
    let operators = read(past, history, state, plan).map_err(|error| error.to_string())?;
    let changes = plan.sources().into_iter().map(|input| {
        let changes =
            changes(past, catalog, &manifest, input, state.epoch).map_err(|error| error.to_string())?;
        Ok((input, changes))
    });
    Ok(Beginning::Resumed { operators, changes: changes.collect::<std::result::Result<_, String>>()? })
}

/// Fails with why state can't be used, be it intact or not.
fn is_of_use(
    state: &StateFiles,
    plan: &ViewPlan,
    manifest: &Manifest,
    workers: usize,
) -> std::result::Result<(), String> {
    if state.workers != workers {
        return Err(format!("its state is that of {} workers, and there are {workers}", state.workers));
    }
    if state.version != FROZEN_VERSION {
        return Err("another version wrote its state".to_owned());
    }
    let covers = |input| manifest.relation(input).is_some_and(|known| known.since <= state.epoch);
    match plan.sources().into_iter().all(covers) {
        true => Ok(()),
        false => Err("what has changed in its inputs since its state was written is not kept".to_owned()),
    }
}

/// What each operator keeps, by worker and operator, one without rows included.
fn read(
    past: &Past,
    history: &RelationHistory,
    state: &StateFiles,
    plan: &ViewPlan,
) -> Result<Vec<OperatorState>> {
    let operators = operators_with_state(&plan.root);
    let mut sections = vec![Vec::<Vec<_>>::new(); state.workers * operators];
    for file in &state.files {
        for part in past.history().read_state(&history.directory, file).map_err(storage_error)? {
            let place = part.worker * operators + part.operator;
            let known = sections.get_mut(place).filter(|_| part.operator < operators);
            let known =
                known.ok_or_else(|| SqlError::internal("state of an operator that is not in the plan"))?;
            known.resize(known.len().max(part.section + 1), Vec::new());
            known[part.section].extend(part.batches);
        }
    }
    let states = sections.into_iter().enumerate();
    let states = states.map(|(place, sections)| OperatorState {
        worker: place / operators,
        operator: place % operators,
        state: Frozen::new(sections),
    });
    Ok(states.collect())
}

/// What the manifest has of the changes of a relation after an epoch.
fn changes(
    past: &Past,
    catalog: &Catalog,
    manifest: &Manifest,
    input: RelationId,
    after: Epoch,
) -> Result<Vec<ZBatch>> {
    let mut deltas = Vec::new();
    if let (Some(known), Some(relation)) = (manifest.relation(input), catalog.by_id(input)) {
        let schema = relation.schema();
        past.read_between(known, after, manifest.epoch, &schema, |piece| deltas.push(piece.delta().clone()))?;
    }
    Ok(deltas)
}

fn rows_after(history: &RelationHistory, epoch: Epoch) -> u64 {
    history.changes(epoch, Epoch::MAX).map(|file| file.rows).sum()
}

fn plan_of(relation: &Relation) -> Option<&ViewPlan> {
    match &relation.kind {
        RelationKind::MaterializedView { plan, .. } => Some(plan),
        _ => None,
    }
}
