//! `ASOF JOIN`: to each row of the left side, at most one of the right, the nearest in time among those of equal keys.
//!
//! ```text
//! FROM trades t ASOF LEFT JOIN quotes q ON t.symbol = q.symbol AND t.at >= q.at
//!   syntax      ASOF JOIN quotes q MATCH_CONDITION ("$asof_left"()) ON ...      which sqlparser knows
//!   mark        LEFT JOIN quotes q ON "$asof"(t.symbol = q.symbol, t.at >= q.at)   which DataFusion binds, and types
//!   nodes       AsofJoin { on: t.symbol = q.symbol, nearest: t.at >= q.at }     a node of the plan
//!   exec        the right side by symbol and sorted by at, and a binary search for each row of the left
//! ```
//!
//! Of rows on the right that tie, the last in the order of all columns of the right side is taken. What is NULL, key
//! or time, matches nothing. There is no incremental plan for it: views refuse it.

mod candidates;
mod conditions;
mod exec;
mod mark;
mod node;
mod order;
mod planner;
mod push_filter;
mod syntax;

pub(crate) use mark::{functions, mark, says_nearest_in_on};
pub(crate) use node::{as_nodes, is_asof_join};
pub(crate) use planner::AsofQueryPlanner;
pub(crate) use push_filter::FilterLeftOfAsofJoin;
pub(crate) use syntax::{with_match_conditions, without_markers};

/// The function that the parts of a condition of an ASOF JOIN are arguments of until it is bound, and the one whose first
/// argument is that of MATCH_CONDITION.
const ASOF: &str = "$asof";
const ASOF_NEAREST: &str = "$asof_nearest";
/// What MATCH_CONDITION holds of a join that drops rows without a match, and of one that keeps them.
const KINDS: [(&str, bool); 2] = [("$asof_inner", false), ("$asof_left", true)];

/// How an ASOF JOIN is written.
const USAGE: &str = "Write l ASOF [LEFT] JOIN r ON l.key = r.key AND l.time >= r.time.";
