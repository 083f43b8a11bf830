//! INTERSECT ALL and EXCEPT ALL.

use springtide_operators::{Input, SetOperationOperator};
use springtide_plan::{SetOperation, SetOperator};

use crate::history::*;

fn expect(operator: SetOperator, left: &Multiset, right: &Multiset) -> Contents {
    let rows = left.iter().map(|(row, left)| {
        let right = right.get(row).copied().unwrap_or(0);
        let weight = match operator {
            SetOperator::IntersectAll => right.min(*left),
            SetOperator::ExceptAll => (left - right).max(0),
        };
        (row.clone(), weight)
    });
    let mut contents = Contents::default();
    contents.add(&batch(&mut fastrand::Rng::with_seed(0), &rows.collect::<Vec<_>>()));
    contents
}

#[test]
fn weights_are_those_of_the_multisets() {
    for operator in [SetOperator::IntersectAll, SetOperator::ExceptAll] {
        let seed = fastrand::u64(..);
        let random = &mut fastrand::Rng::with_seed(seed);
        let plan = SetOperation { operator, left: source(false, vec![]), right: source(false, vec![]) };
        let mut step = SetOperationOperator::new(&plan);
        let (mut sides, mut found) = ([Multiset::new(), Multiset::new()], Contents::default());
        // Rows that occur on one side are likely to come on the other.
        let mut known = Vec::<Row>::new();
        for epoch in 0..60 {
            for (port, side) in sides.iter_mut().enumerate() {
                let mut deltas = random_epoch(random, side, false);
                for row in random.choose_multiple(&known, 2) {
                    add(side, row, 2);
                    deltas.push(batch(random, &[(row.clone(), 2)]));
                }
                for delta in deltas {
                    feed(&mut step, Input::Delta(port, delta), &mut found);
                }
            }
            known = random.choose_multiple(sides[0].keys().chain(sides[1].keys()).cloned(), 5);
            feed(&mut step, Input::EndOfEpoch(epoch), &mut found);
            if random.u8(..) < 30 {
                step = resumed(&step, SetOperationOperator::new(&plan));
            }
            assert_eq!(
                found,
                expect(operator, &sides[0], &sides[1]),
                "{operator:?} seed {seed} epoch {epoch}"
            );
        }
    }
}
