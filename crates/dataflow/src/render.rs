use std::collections::{HashMap, HashSet};

use springtide_operators::{
    DistinctOperator, ExpandOperator, FilterOperator, GroupByOperator, JoinOperator, Operator,
    OuterJoinOperator, ProjectOperator, SemiJoinOperator, SetOperationOperator, TopKOperator, UnnestOperator,
    WindowOperator,
};
use springtide_plan::{GroupBy, Join, JoinKind, Node, SetOperation, Source};
use springtide_types::hash::{hash_columns, worker_of};
use springtide_types::{Epoch, ZBatch};
use timely::container::NoopBuilder;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::{OutputBuilderSession, source};
use timely::dataflow::{Scope, Stream};
use timely::scheduling::Activator;

use crate::adapter::{Kind, OperatorSpec, operate};
use crate::command::Blueprint;
use crate::container::Delta;
use crate::errors::ErrorLog;
use crate::freeze::Participant;
use crate::guard::guarded;
use crate::hub::Hubs;
use crate::import::{ImportSpec, import};
use crate::meters::node_count;
use crate::partitioning::{all_columns, co_locate, gather, partitioning, sink_route};
use crate::route::Route;
use crate::sink::{OnProgress, Sink, sink};

/// Builds the dataflow of a view on this worker: its plan, from imports to a sink. Returns what wakes the operators that
/// keep state.
pub(crate) fn render(
    scope: Scope<'_, Epoch>,
    view: &Blueprint,
    hubs: &mut Hubs,
    on_progress: OnProgress,
) -> Vec<Activator> {
    let hub = hubs.add_view(view.view);
    let errors = ErrorLog::default();
    let mut renderer = Renderer {
        scope,
        view,
        hubs,
        errors: errors.clone(),
        sources_rendered: 0,
        nodes_met: 0,
        position: 0,
        shared: HashMap::new(),
        operators: Vec::new(),
    };
    let root = &view.plan.root;
    let rows = renderer.node(root);
    let operators = renderer.operators;
    let contents = view.contents.clone();
    let sink_spec = Sink {
        route: sink_route(root),
        contents,
        loaded: view.is_loaded.then_some(view.as_of),
        shard: scope.index(),
        consolidated: root.is_consolidated(),
        hub,
        errors,
        on_progress,
    };
    sink(scope, rows, sink_spec);
    operators
}

/// Whether a node becomes an operator that keeps something from one epoch to the next.
fn has_state(node: &Node) -> bool {
    match node {
        Node::Source(_) | Node::Constant(_) | Node::Filter(_) | Node::Project(_) => false,
        Node::Expand(_) | Node::Unnest(_) | Node::Union(_) => false,
        Node::Join(_) | Node::GroupBy(_) | Node::Distinct(_) => true,
        Node::SetOperation(_) | Node::TopK(_) | Node::Window(_) => true,
    }
}

/// What tells a node with state from others, all that it says: it is rendered once, however often it is in a plan.
fn identity(node: &Node) -> Option<String> {
    has_state(node).then(|| format!("{node:?}"))
}

/// How many operators of a plan keep state: for so many, on each worker, there is one in a cut.
pub fn operators_with_state(root: &Node) -> usize {
    fn visit(node: &Node, seen: &mut HashSet<String>) -> usize {
        if identity(node).is_some_and(|identity| !seen.insert(identity)) {
            return 0;
        }
        let below = node.inputs().into_iter().map(|input| visit(input, seen)).sum::<usize>();
        below + usize::from(has_state(node))
    }
    visit(root, &mut HashSet::new())
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
    /// How many nodes come before the next one, depth first.
    nodes_met: usize,
    /// That of the node that is being rendered.
    position: usize,
    /// What has been rendered of nodes with state, by their identity: a query that names a CTE twice maintains it once.
    shared: HashMap<String, Rows<'s>>,
    /// Wake the operators with state, in the order of rendering.
    operators: Vec<Activator>,
}

impl<'s> Renderer<'_, 's> {
    fn node(&mut self, node: &Node) -> Rows<'s> {
        let Some(identity) = identity(node) else { return self.render_at_position(node) };
        if let Some(rendered) = self.shared.get(&identity) {
            self.sources_rendered += source_count(node);
            self.nodes_met += node_count(node);
            return rendered.clone();
        }
        let rendered = self.render_at_position(node);
        self.shared.insert(identity, rendered.clone());
        rendered
    }

    fn render_at_position(&mut self, node: &Node) -> Rows<'s> {
        let outer = std::mem::replace(&mut self.position, self.nodes_met);
        self.nodes_met += 1;
        let rendered = self.render(node);
        self.position = outer;
        rendered
    }

    fn render(&mut self, node: &Node) -> Rows<'s> {
        match node {
            Node::Source(source) => self.source(source),
            Node::Constant(rows) => self.constant(rows),
            Node::Filter(filter) => self.stateless("Filter", FilterOperator::new(filter), &filter.input),
            Node::Project(project) => {
                self.stateless("Project", ProjectOperator::new(project), &project.input)
            }
            Node::Expand(expand) => self.stateless("Expand", ExpandOperator::new(expand), &expand.input),
            Node::Unnest(unnest) => self.stateless("Unnest", UnnestOperator::new(unnest), &unnest.input),
            Node::Join(join) => self.join(join),
            Node::GroupBy(group_by) => self.group_by(group_by),
            Node::Distinct(input) => {
                self.gathered("Distinct", DistinctOperator::new(input), input, &all_columns(input))
            }
            Node::Union(inputs) => {
                let streams = inputs.iter().map(|input| self.node(input)).collect::<Vec<_>>();
                self.scope.concatenate(streams)
            }
            Node::SetOperation(operation) => self.set_operation(operation),
            Node::TopK(top_k) => self.gathered("TopK", TopKOperator::new(top_k), &top_k.input, &top_k.group),
            Node::Window(window) => {
                self.gathered("Window", WindowOperator::new(window), &window.input, &window.partition)
            }
        }
    }

    fn source(&mut self, source: &Source) -> Rows<'s> {
        let spec = ImportSpec {
            source: source.clone(),
            snapshot: self.view.snapshots[self.sources_rendered].clone(),
            hydration: self.view.hydration.clone(),
            as_of: self.view.as_of,
            errors: self.errors.clone(),
        };
        self.sources_rendered += 1;
        import(self.scope, spec, self.hubs)
    }

    /// The first worker emits the rows, once; operators that go on from state have had them.
    fn constant(&mut self, rows: &ZBatch) -> Rows<'s> {
        let is_due = self.scope.index() == 0 && self.view.states.is_none();
        let mut rows = is_due.then(|| rows.clone());
        let as_of = self.view.as_of;
        source(self.scope, "Constant", |capability, _info| {
            let mut capability = Some(capability.delayed(&as_of));
            move |output: &mut OutputBuilderSession<'_, Epoch, NoopBuilder<Delta>>| {
                if let (Some(capability), Some(rows)) = (capability.take(), rows.take()) {
                    output.session_with_builder(&capability).give_container(&mut Delta::from(rows));
                }
            }
        })
    }

    fn join(&mut self, join: &Join) -> Rows<'s> {
        let operator: Box<dyn Operator> = match join.kind {
            JoinKind::Inner => Box::new(JoinOperator::new(join)),
            kind if kind.is_existence() && join.filter.is_none() => Box::new(SemiJoinOperator::new(join)),
            _ => Box::new(OuterJoinOperator::new(join)),
        };
        let inputs = [(&join.left, &join.left_keys), (&join.right, &join.right_keys)];
        self.co_located("Join", operator, inputs.map(|(input, keys)| (input, keys.as_slice())))
    }

    /// Without keys there is one group, and its one row belongs to the worker that all rows hash to.
    fn group_by(&mut self, group_by: &GroupBy) -> Rows<'s> {
        let owner = worker_of(hash_columns(&[], 1)[0], self.scope.peers());
        let operator = GroupByOperator::new(group_by, owner == self.scope.index());
        self.gathered("GroupBy", operator, &group_by.input, &group_by.keys)
    }

    fn set_operation(&mut self, operation: &SetOperation) -> Rows<'s> {
        let columns = all_columns(&operation.left);
        let inputs = [(&operation.left, columns.as_slice()), (&operation.right, columns.as_slice())];
        self.co_located("SetOperation", Box::new(SetOperationOperator::new(operation)), inputs)
    }

    fn stateless(&mut self, name: &'static str, operator: impl Operator + 'static, input: &Node) -> Rows<'s> {
        let rows = self.node(input);
        let spec = self.spec(name, Kind::Stateless, Box::new(operator));
        operate(self.scope, vec![(rows, Route::Stay)], spec).0
    }

    /// An operator that needs rows with equal `keys` on one worker.
    fn gathered(
        &mut self,
        name: &'static str,
        operator: impl Operator + 'static,
        input: &Node,
        keys: &[usize],
    ) -> Rows<'s> {
        let inputs = vec![(self.node(input), gather(&partitioning(input), keys).0)];
        self.stateful(name, Box::new(operator), inputs)
    }

    /// An operator that needs rows of both inputs with equal keys on one worker.
    fn co_located(
        &mut self,
        name: &'static str,
        operator: Box<dyn Operator>,
        inputs: [(&Node, &[usize]); 2],
    ) -> Rows<'s> {
        let inputs = inputs.map(|(input, keys)| (self.node(input), co_locate(&partitioning(input), keys)));
        self.stateful(name, operator, inputs.into())
    }

    fn stateful(
        &mut self,
        name: &'static str,
        mut operator: Box<dyn Operator>,
        inputs: Vec<(Rows<'s>, Route)>,
    ) -> Rows<'s> {
        let worker = self.scope.index();
        if let Some(states) = &self.view.states {
            let mut state = states[worker].lock().pop_front().unwrap_or_default();
            if let Err(error) = guarded(|| operator.restore(&mut state)) {
                self.errors.poison(self.view.as_of + 1, error);
            }
        }
        let mut spec = self.spec(name, Kind::Stateful, operator);
        spec.participant = Some(Participant::new(self.view.freezer.clone(), worker, self.operators.len()));
        let (rows, activator) = operate(self.scope, inputs, spec);
        self.operators.push(activator);
        rows
    }

    fn spec(&self, name: &'static str, kind: Kind, operator: Box<dyn Operator>) -> OperatorSpec {
        let meter = self.view.meters.place(self.scope.index(), self.position);
        let (as_of, errors) = (self.view.as_of, self.errors.clone());
        OperatorSpec { name, operator, kind, as_of, errors, meter, participant: None }
    }
}
