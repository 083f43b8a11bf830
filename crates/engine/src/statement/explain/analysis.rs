//! What EXPLAIN ANALYZE shows.

use std::fmt::Write;
use std::time::Duration;

use springtide_catalog::system::OperatorFacts;
use springtide_plan::PlanLine;
use springtide_sql::{Analysis, AnalyzedNode};

use super::Options;

/// As text, a node and its inputs below it, or as JSON.
pub(super) fn shown(analysis: &Analysis, options: &Options) -> String {
    let times = [("Planning Time", analysis.planning), ("Execution Time", analysis.execution)];
    let times = times.iter().filter(|_| options.summary);
    if options.json {
        let mut members = vec![("Plan", node_json(&analysis.root, options))];
        members.extend(times.map(|(name, time)| (*name, milliseconds(*time))));
        return format!("[\n{}\n]", indented(&object(members)));
    }
    let mut text = node_text(&analysis.root, 0, options);
    times.for_each(|(name, time)| text.push_str(&format!("{name}: {} ms\n", milliseconds(*time))));
    text
}

/// The plan of a view, each line with what its operator has done on all workers since it was started.
pub(super) fn of_view(lines: &[PlanLine], operators: &[OperatorFacts], contents: usize) -> String {
    let mut text = String::new();
    for (position, line) in lines.iter().enumerate() {
        text.push_str(&line.text());
        let parts = || operators.iter().filter(|operator| operator.line == position + 1);
        if parts().next().is_some() {
            let rows_in = parts().map(|part| part.rows_in).sum::<u64>();
            let rows_out = parts().map(|part| part.rows_out).sum::<u64>();
            let bytes = parts().map(|part| part.bytes).sum::<usize>();
            text.push_str(&format!("  (actual rows in={rows_in} out={rows_out} bytes={bytes})"));
        }
        text.push('\n');
    }
    text + &format!("Contents: {contents} bytes\n")
}

fn node_text(node: &AnalyzedNode, depth: usize, options: &Options) -> String {
    let arrow = if depth == 0 { String::new() } else { format!("{}->  ", "      ".repeat(depth - 1) + "  ") };
    let time = options.timing.then(|| format!("time={}", milliseconds(node.time)));
    let rows = node.rows.map(|rows| format!("rows={rows}"));
    let actual = time.into_iter().chain(rows).collect::<Vec<_>>().join(" ");
    let mut text = format!("{arrow}{}  (actual {actual})\n", node.description);
    node.inputs.iter().for_each(|input| text.push_str(&node_text(input, depth + 1, options)));
    text
}

fn node_json(node: &AnalyzedNode, options: &Options) -> String {
    let mut members = vec![("Node Type", quoted(&node.name)), ("Description", quoted(&node.description))];
    if options.timing {
        members.push(("Actual Total Time", milliseconds(node.time)));
    }
    members.extend(node.rows.map(|rows| ("Actual Rows", rows.to_string())));
    if !node.inputs.is_empty() {
        let inputs = node.inputs.iter().map(|input| indented(&node_json(input, options)));
        members.push(("Plans", format!("[\n{}\n]", inputs.collect::<Vec<_>>().join(",\n"))));
    }
    object(members)
}

fn object(members: Vec<(&str, String)>) -> String {
    let members = members.iter().map(|(name, value)| indented(&format!("{}: {value}", quoted(name))));
    format!("{{\n{}\n}}", members.collect::<Vec<_>>().join(",\n"))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// A text as JSON writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => write!(quoted, "\\u{:04x}", u32::from(c)).expect("a text takes more text"),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// To the microsecond.
fn milliseconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_as_text_and_json() {
        let node = |name: &str, rows, inputs| AnalyzedNode {
            name: name.to_owned(),
            description: format!("{name}: \"x\""),
            rows,
            time: Duration::from_micros(1500),
            inputs,
        };
        let root = node("A", Some(2), vec![node("B", None, vec![node("C", Some(0), Vec::new())])]);
        let analysis = Analysis { root, planning: Duration::ZERO, execution: Duration::from_millis(3) };
        let text = Options { analyze: true, json: false, timing: true, summary: true };
        assert_eq!(
            shown(&analysis, &text),
            "A: \"x\"  (actual time=1.500 rows=2)\n  ->  B: \"x\"  (actual time=1.500)\n        ->  C: \"x\"  \
             (actual time=1.500 rows=0)\nPlanning Time: 0.000 ms\nExecution Time: 3.000 ms\n"
        );
        let json = Options { json: true, timing: false, summary: false, ..text };
        assert!(shown(&analysis, &json).starts_with(
            "[\n  {\n    \"Plan\": {\n      \"Node Type\": \"A\",\n      \"Description\": \"A: \\\"x\\\"\",\n      \
             \"Actual Rows\": 2,\n      \"Plans\": [\n        {\n"
        ));
    }
}
