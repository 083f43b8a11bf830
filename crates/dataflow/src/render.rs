use std::collections::HashMap;
use std::sync::Arc;

use springtide_operators::{
    DistinctOperator, FilterOperator, GroupByOperator, JoinOperator, Operator, OuterJoinOperator,
    ProjectOperator, SemiJoinOperator, SetOperationOperator, TopKOperator, WindowOperator,
};
use springtide_plan::{Filter, GroupBy, Join, JoinKind, Node, Project, SetOperation, Source, TopK, Window};
use springtide_types::hash::{hash_columns, worker_of};
use springtide_types::{Epoch, ZBatch};
use timely::container::NoopBuilder;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::{OutputBuilderSession, source};
use timely::dataflow::{Scope, Stream};

use crate::adapter::{Kind, OperatorSpec, operate};
use crate::command::Blueprint;
use crate::container::Delta;
use crate::errors::ErrorLog;
use crate::gauge::Gauge;
use crate::hub::Hubs;
use crate::import::{ImportSpec, import};
use crate::partitioning::{
    Partitioning, all_columns, co_locate, gather, gather_rows, grouped, joined, projected, united,
};
use crate::route::Route;
use crate::sink::{OnProgress, Sink, sink};

/// Builds the dataflow of a view on this worker: its plan, from imports to a sink.
pub(crate) fn render(scope: Scope<'_, Epoch>, view: &Blueprint, hubs: &mut Hubs, on_progress: OnProgress) {
    let hub = hubs.add_view(view.view);
    let errors = ErrorLog::default();
    let shared = HashMap::new();
    let mut renderer = Renderer { scope, view, hubs, errors: errors.clone(), sources_rendered: 0, shared };
    let root = &view.plan.root;
    let (rows, partitioning) = renderer.node(root);
    let append_only = root.properties().append_only;
    let route =
        if append_only { Route::Stay } else { gather_rows(&partitioning, root.schema().fields().len()) };
    let contents = view.contents.clone();
    sink(scope, rows, Sink { route, contents, shard: scope.index(), append_only, hub, errors, on_progress });
}

fn has_state(node: &Node) -> bool {
    match node {
        Node::Source(_) | Node::Constant(_) | Node::Filter(_) | Node::Project(_) | Node::Union(_) => false,
        Node::Join(_) | Node::GroupBy(_) | Node::Distinct(_) => true,
        Node::SetOperation(_) | Node::TopK(_) | Node::Window(_) => true,
    }
}

/// How often the plan reads a relation.
fn source_count(node: &Node) -> usize {
    match node {
        Node::Source(_) => 1,
        _ => node.inputs().into_iter().map(source_count).sum(),
    }
}

type Rows<'s> = Stream<'s, Epoch, Delta>;

struct Renderer<'a, 's> {
    scope: Scope<'s, Epoch>,
    view: &'a Blueprint,
    hubs: &'a mut Hubs,
    errors: ErrorLog,
    sources_rendered: usize,
    /// What has been rendered of nodes with state, by all that they say: a query that names a CTE twice
    /// maintains it once.
    shared: HashMap<String, (Rows<'s>, Partitioning)>,
}

impl<'s> Renderer<'_, 's> {
    fn node(&mut self, node: &Node) -> (Rows<'s>, Partitioning) {
        if !has_state(node) {
            return self.render(node);
        }
        let key = format!("{node:?}");
        if let Some(rendered) = self.shared.get(&key) {
            self.sources_rendered += source_count(node);
            return rendered.clone();
        }
        let rendered = self.render(node);
        self.shared.insert(key, rendered.clone());
        rendered
    }

    fn render(&mut self, node: &Node) -> (Rows<'s>, Partitioning) {
        match node {
            Node::Source(source) => self.source(source),
            Node::Constant(rows) => self.constant(rows),
            Node::Filter(filter) => self.filter(filter),
            Node::Project(project) => self.project(project),
            Node::Join(join) => self.join(join),
            Node::GroupBy(group_by) => self.group_by(group_by),
            Node::Distinct(input) => self.distinct(input),
            Node::Union(inputs) => self.union(inputs),
            Node::SetOperation(operation) => self.set_operation(operation),
            Node::TopK(top_k) => self.top_k(top_k),
            Node::Window(window) => self.window(window),
        }
    }

    fn source(&mut self, source: &Source) -> (Rows<'s>, Partitioning) {
        let spec = ImportSpec {
            source: source.clone(),
            snapshot: self.view.snapshots[self.sources_rendered].clone(),
            hydration: self.view.hydration.clone(),
            as_of: self.view.as_of,
            errors: self.errors.clone(),
        };
        self.sources_rendered += 1;
        (import(self.scope, spec, self.hubs), None)
    }

    /// The first worker emits the rows, once.
    fn constant(&mut self, rows: &ZBatch) -> (Rows<'s>, Partitioning) {
        let mut rows = (self.scope.index() == 0).then(|| rows.clone());
        let as_of = self.view.as_of;
        let stream = source(self.scope, "Constant", |capability, _info| {
            let mut capability = Some(capability.delayed(&as_of));
            move |output: &mut OutputBuilderSession<'_, Epoch, NoopBuilder<Delta>>| {
                if let (Some(capability), Some(rows)) = (capability.take(), rows.take()) {
                    output.session_with_builder(&capability).give_container(&mut Delta::from(rows));
                }
            }
        });
        (stream, None)
    }

    fn filter(&mut self, filter: &Filter) -> (Rows<'s>, Partitioning) {
        let (input, partitioning) = self.node(&filter.input);
        let operator = Box::new(FilterOperator::new(filter));
        (self.operate("Filter", Kind::Stateless, operator, vec![(input, Route::Stay)]), partitioning)
    }

    fn project(&mut self, project: &Project) -> (Rows<'s>, Partitioning) {
        let (input, partitioning) = self.node(&project.input);
        let operator = Box::new(ProjectOperator::new(project));
        let rows = self.operate("Project", Kind::Stateless, operator, vec![(input, Route::Stay)]);
        (rows, projected(&partitioning, project))
    }

    fn join(&mut self, join: &Join) -> (Rows<'s>, Partitioning) {
        let (left, left_partitioning) = self.node(&join.left);
        let (right, right_partitioning) = self.node(&join.right);
        let inputs = vec![
            (left, co_locate(&left_partitioning, &join.left_keys)),
            (right, co_locate(&right_partitioning, &join.right_keys)),
        ];
        let operator: Box<dyn Operator> = match join.kind {
            JoinKind::Inner => Box::new(JoinOperator::new(join)),
            kind if kind.is_existence() && join.filter.is_none() => Box::new(SemiJoinOperator::new(join)),
            _ => Box::new(OuterJoinOperator::new(join)),
        };
        (self.operate("Join", Kind::Stateful, operator, inputs), joined(join))
    }

    /// Without keys there is one group, and its one row belongs to the worker that all rows hash to.
    fn group_by(&mut self, group_by: &GroupBy) -> (Rows<'s>, Partitioning) {
        let (input, partitioning) = self.node(&group_by.input);
        let (route, partitioning) = gather(&partitioning, &group_by.keys);
        let owner = worker_of(hash_columns(&[], 1)[0], self.scope.peers());
        let operator = Box::new(GroupByOperator::new(group_by, owner == self.scope.index()));
        let rows = self.operate("GroupBy", Kind::Stateful, operator, vec![(input, route)]);
        (rows, grouped(&partitioning, &group_by.keys))
    }

    fn distinct(&mut self, input: &Node) -> (Rows<'s>, Partitioning) {
        let (rows, partitioning) = self.node(input);
        let (route, partitioning) = gather(&partitioning, &all_columns(input));
        let operator = Box::new(DistinctOperator::new(input));
        (self.operate("Distinct", Kind::Stateful, operator, vec![(rows, route)]), partitioning)
    }

    fn union(&mut self, inputs: &[Node]) -> (Rows<'s>, Partitioning) {
        let (streams, partitionings): (Vec<_>, Vec<_>) = inputs.iter().map(|input| self.node(input)).unzip();
        (self.scope.concatenate(streams), united(partitionings))
    }

    fn top_k(&mut self, top_k: &TopK) -> (Rows<'s>, Partitioning) {
        let (rows, partitioning) = self.node(&top_k.input);
        let (route, partitioning) = gather(&partitioning, &top_k.group);
        let operator = Box::new(TopKOperator::new(top_k));
        (self.operate("TopK", Kind::Stateful, operator, vec![(rows, route)]), partitioning)
    }

    fn window(&mut self, window: &Window) -> (Rows<'s>, Partitioning) {
        let (rows, partitioning) = self.node(&window.input);
        let (route, partitioning) = gather(&partitioning, &window.partition);
        let operator = Box::new(WindowOperator::new(window));
        (self.operate("Window", Kind::Stateful, operator, vec![(rows, route)]), partitioning)
    }

    fn set_operation(&mut self, operation: &SetOperation) -> (Rows<'s>, Partitioning) {
        let columns = all_columns(&operation.left);
        let inputs = [&operation.left, &operation.right].map(|input| {
            let (rows, partitioning) = self.node(input);
            (rows, co_locate(&partitioning, &columns))
        });
        let operator = Box::new(SetOperationOperator::new(operation));
        (self.operate("SetOperation", Kind::Stateful, operator, inputs.into()), Some(columns))
    }

    fn operate(
        &self,
        name: &'static str,
        kind: Kind,
        operator: Box<dyn Operator>,
        inputs: Vec<(Rows<'s>, Route)>,
    ) -> Rows<'s> {
        let gauge = Gauge::new(Arc::clone(&self.view.state_bytes));
        let errors = self.errors.clone();
        operate(
            self.scope,
            inputs,
            OperatorSpec { name, operator, kind, as_of: self.view.as_of, errors, gauge },
        )
    }
}
