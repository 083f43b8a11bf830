//! A directed graph, and the cycles in it.

/// Edges by the node that they lead from, each with what it says.
pub(super) struct Graph {
    edges: Vec<Vec<(usize, &'static str)>>,
}

impl Graph {
    pub(super) fn new(nodes: usize) -> Graph {
        Graph { edges: vec![Vec::new(); nodes] }
    }

    pub(super) fn add_node(&mut self) -> usize {
        self.edges.push(Vec::new());
        self.edges.len() - 1
    }

    pub(super) fn add_edge(&mut self, from: usize, to: usize, why: &'static str) {
        if from != to {
            self.edges[from].push((to, why));
        }
    }

    /// A shortest cycle through some node of a cycle, as its edges; `None` if there is no cycle. O(nodes + edges).
    pub(super) fn cycle(&self) -> Option<Vec<(usize, &'static str)>> {
        let start = self.node_in_cycle()?;
        let mut reached_from = vec![None; self.edges.len()];
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for (to, why) in &self.edges[node] {
                if *to == start {
                    return Some(self.path(start, node, why, &reached_from));
                }
                if reached_from[*to].is_none() {
                    reached_from[*to] = Some((node, *why));
                    queue.push_back(*to);
                }
            }
        }
        None
    }

    /// The edges from `start` to `last`, and the one that closes the cycle.
    fn path(
        &self,
        start: usize,
        last: usize,
        closing: &'static str,
        reached_from: &[Option<(usize, &'static str)>],
    ) -> Vec<(usize, &'static str)> {
        let mut path = vec![(last, closing)];
        let mut node = last;
        while node != start {
            let Some((before, why)) = reached_from[node] else { break };
            path.push((before, why));
            node = before;
        }
        path.reverse();
        path
    }

    /// A node that is in a cycle. A node is left when all that it leads to is done; an edge to one that is not left yet closes a
    /// cycle.
    fn node_in_cycle(&self) -> Option<usize> {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Entered,
            Left,
        }
        let mut states = vec![State::New; self.edges.len()];
        for root in 0..self.edges.len() {
            if states[root] != State::New {
                continue;
            }
            states[root] = State::Entered;
            let mut stack = vec![(root, 0)];
            while let Some((node, next)) = stack.last_mut() {
                let Some((to, _)) = self.edges[*node].get(*next) else {
                    states[*node] = State::Left;
                    stack.pop();
                    continue;
                };
                *next += 1;
                match states[*to] {
                    State::Entered => return Some(*to),
                    State::New => {
                        states[*to] = State::Entered;
                        stack.push((*to, 0));
                    }
                    State::Left => {}
                }
            }
        }
        None
    }
}
