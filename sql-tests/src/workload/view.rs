use fastrand::Rng;

/// A materialized view of a session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    pub(super) query: String,
    /// The tables and views that it names.
    pub(super) reads: Vec<String>,
}

impl View {
    /// A view over one or two of these relations; like them it has the columns `k`, `g` and `v`.
    pub(super) fn random(rng: &mut Rng, relations: &[&String]) -> View {
        let x = relations[rng.usize(..relations.len())].clone();
        let y = relations[rng.usize(..relations.len())].clone();
        let bound = rng.i32(-20..20);
        let (query, reads) = match rng.u8(..9) {
            0 => (
                format!("SELECT g AS k, count(*)::int AS g, sum(v)::bigint AS v FROM {x} GROUP BY g"),
                vec![x],
            ),
            1 => (format!("SELECT k, g, v FROM {x} WHERE v > {bound}"), vec![x]),
            2 => (format!("SELECT a.k, b.g, a.v FROM {x} a LEFT JOIN {y} b ON a.k = b.g"), vec![x, y]),
            3 => (format!("SELECT g AS k, max(k) AS g, min(v) AS v FROM {x} GROUP BY g"), vec![x]),
            // Fails while there is a row with g = 0.
            4 => (format!("SELECT k, g, (100 / g)::bigint AS v FROM {x}"), vec![x]),
            5 => (format!("SELECT DISTINCT g AS k, g, v FROM {x}"), vec![x]),
            6 => (format!("SELECT k, g, v FROM {x} ORDER BY v DESC, k, g LIMIT 3"), vec![x]),
            7 => (format!("SELECT k, g, v FROM {x} UNION ALL SELECT g, k, v FROM {y}"), vec![x, y]),
            _ => (
                format!("SELECT k, g, v FROM {x} a WHERE NOT EXISTS (SELECT 1 FROM {y} b WHERE b.g = a.k)"),
                vec![x, y],
            ),
        };
        View { query, reads }
    }
}
