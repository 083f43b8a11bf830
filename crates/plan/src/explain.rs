use std::fmt::Write;

use arrow::datatypes::Schema;

use springtide_types::SortColumn;

use crate::{
    Aggregate, AggregateFunction, Join, JoinKind, Node, ScalarExpr, SetOperator, UnnestColumn, ViewPlan,
};

/// What a plan says of one of its nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanLine {
    /// How many nodes are above it.
    pub depth: usize,
    /// What it does.
    pub description: String,
    /// What it relies on, and what one changed row costs it.
    pub annotations: String,
}

impl PlanLine {
    /// What kind of node it is: the first word of what it does.
    pub fn kind(&self) -> &str {
        self.description.split(' ').next().unwrap_or_default()
    }

    /// As EXPLAIN shows it.
    pub fn text(&self) -> String {
        let indent = "  ".repeat(self.depth);
        let arrow = if self.depth == 0 { "" } else { "-> " };
        format!("{indent}{arrow}{}  {}", self.description, self.annotations)
    }
}

/// The plan node by node, depth first.
pub fn lines(plan: &ViewPlan) -> Vec<PlanLine> {
    fn visit(node: &Node, depth: usize, lines: &mut Vec<PlanLine>) {
        lines.push(PlanLine { depth, description: describe(node), annotations: annotations(node) });
        node.inputs().into_iter().for_each(|input| visit(input, depth + 1, lines));
    }
    let mut lines = Vec::new();
    visit(&plan.root, 0, &mut lines);
    lines
}

/// The plan as indented text, one line a node: what it does, what it relies on, and what one changed row
/// costs it.
pub fn explain(plan: &ViewPlan) -> String {
    lines(plan).iter().map(|line| line.text() + "\n").collect()
}

fn describe(node: &Node) -> String {
    match node {
        Node::Source(source) => format!("Source {} [{}]", source.name, all_names(&source.schema)),
        Node::Constant(rows) => format!("Constant ({} rows)", rows.len()),
        Node::Filter(filter) => format!("Filter {}", filter.predicate),
        Node::Project(project) => format!("Project {}", describe_columns(&project.exprs)),
        Node::Expand(expand) => {
            let rows = expand.projections.iter().map(|exprs| format!("({})", describe_columns(exprs)));
            format!("Expand {}", rows.collect::<Vec<_>>().join(", "))
        }
        Node::Unnest(unnest) => {
            let input = unnest.input.schema();
            let elements = unnest.columns.iter().filter_map(|column| match column {
                UnnestColumn::Elements(column) => Some(*column),
                UnnestColumn::Same(_) => None,
            });
            let empty = if unnest.keeps_empty { ", of none NULL" } else { "" };
            format!("Unnest {}{empty}", names(&input, &elements.collect::<Vec<_>>()))
        }
        Node::Join(join) => describe_join(join),
        Node::GroupBy(group_by) => {
            let input = group_by.input.schema();
            let aggregates =
                group_by.aggregates.iter().map(|aggregate| describe_aggregate(aggregate, &input));
            let aggregates = aggregates.collect::<Vec<_>>().join(", ");
            format!("GroupBy [{}] {aggregates}", names(&input, &group_by.keys)).trim_end().to_owned()
        }
        Node::Distinct(_) => "Distinct".to_owned(),
        Node::Union(inputs) => format!("UnionAll ({} inputs)", inputs.len()),
        Node::SetOperation(operation) => match operation.operator {
            SetOperator::IntersectAll => "IntersectAll".to_owned(),
            SetOperator::ExceptAll => "ExceptAll".to_owned(),
        },
        Node::TopK(top_k) => {
            let schema = top_k.input.schema();
            let mut line = format!("TopK {}", top_k.limit);
            if top_k.offset > 0 {
                write!(line, " offset {}", top_k.offset).expect("writing to a String");
            }
            if top_k.ties.is_some() {
                line.push_str(" with ties");
            }
            line.push_str(&groups(&schema, "by", &top_k.group, &top_k.order));
            line + if top_k.with_rank { " with rank" } else { "" }
        }
        Node::Window(window) => {
            let results = &window.schema.fields()[window.input.schema().fields().len()..];
            let functions = results.iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
            let schema = window.input.schema();
            let partitions = groups(&schema, "by", &window.partition, &window.order);
            format!("Window{partitions}: {}", functions.join(", "))
        }
    }
}

fn describe_columns(exprs: &[ScalarExpr]) -> String {
    let columns = exprs.iter().map(|output| {
        let expr = output.expr.to_string();
        if expr.split('@').next() == Some(&output.name) { expr } else { format!("{expr} AS {}", output.name) }
    });
    columns.collect::<Vec<_>>().join(", ")
}

fn groups(schema: &Schema, by: &str, group: &[usize], order: &[SortColumn]) -> String {
    let order = order.iter().map(|sort| {
        let direction = if sort.descending { " DESC" } else { "" };
        let nulls = match (sort.nulls_first, sort.descending) {
            (true, false) => " NULLS FIRST",
            (false, true) => " NULLS LAST",
            _ => "",
        };
        format!("{}{direction}{nulls}", schema.field(sort.column).name())
    });
    let order = order.collect::<Vec<_>>().join(", ");
    let group = if group.is_empty() { String::new() } else { format!(" {by} [{}]", names(schema, group)) };
    if order.is_empty() { group } else { format!("{group} order [{order}]") }
}

fn describe_join(join: &Join) -> String {
    let (left, right) = (join.left.schema(), join.right.schema());
    let equals = if join.null_equals_null { "IS NOT DISTINCT FROM" } else { "=" };
    let keys = join
        .left_keys
        .iter()
        .zip(&join.right_keys)
        .map(|(l, r)| format!("{} {equals} {}", left.field(*l).name(), right.field(*r).name()));
    let keys = keys.collect::<Vec<_>>().join(" AND ");
    let name = match join.kind {
        JoinKind::Inner if keys.is_empty() => "CrossJoin",
        JoinKind::Inner => "InnerJoin",
        JoinKind::Left => "LeftJoin",
        JoinKind::Right => "RightJoin",
        JoinKind::Full => "FullJoin",
        JoinKind::Semi => "SemiJoin",
        JoinKind::Anti => "AntiJoin",
        JoinKind::Mark => "MarkJoin",
    };
    let mut line = format!("{name} {keys}").trim_end().to_owned();
    if let Some(filter) = &join.filter {
        write!(line, " filter {filter}").expect("writing to a String");
    }
    line
}

fn describe_aggregate(aggregate: &Aggregate, input: &Schema) -> String {
    let distinct = if aggregate.distinct { "distinct " } else { "" };
    let name = |column: &usize| input.field(*column).name().as_str();
    let argument = match (&aggregate.function, &aggregate.argument) {
        (AggregateFunction::Computed(computed), _) => {
            computed.columns.iter().map(name).collect::<Vec<_>>().join(", ")
        }
        (_, argument) => argument.as_ref().map_or("*", name).to_owned(),
    };
    let filter = aggregate.filter.map(|column| format!(" filter {}", input.field(column).name()));
    let order = groups(input, "", &[], &aggregate.order);
    format!("{}({distinct}{argument}{order}){}", aggregate.function, filter.unwrap_or_default())
}

fn annotations(node: &Node) -> String {
    let properties = node.properties();
    let schema = node.schema();
    let mut notes = vec![format!("cost {}", node.cost())];
    if properties.append_only {
        notes.push("append-only".to_owned());
    }
    for key in &properties.unique_keys {
        notes.push(match key.as_slice() {
            [] => "at most one row".to_owned(),
            key => format!("unique ({})", names(&schema, key)),
        });
    }
    format!("({})", notes.join("; "))
}

fn all_names(schema: &Schema) -> String {
    schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
}

fn names(schema: &Schema, columns: &[usize]) -> String {
    columns.iter().map(|column| schema.field(*column).name().as_str()).collect::<Vec<_>>().join(", ")
}
