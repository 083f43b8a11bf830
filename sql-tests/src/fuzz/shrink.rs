use std::time::{Duration, Instant};

use super::case::{Case, Step};
use super::check::run;

/// A smaller case that still fails: steps and statements are dropped one by one, until nothing more can go or
/// the time is up.
pub async fn shrink(mut case: Case, time: Duration) -> Case {
    let deadline = Instant::now() + time;
    if let Err(failure) = run(&case).await {
        case.steps.truncate(failure.step + 1);
    }
    loop {
        let mut smaller = None;
        for candidate in candidates(&case) {
            if Instant::now() > deadline {
                return case;
            }
            if fails_alike(&candidate).await {
                smaller = Some(candidate);
                break;
            }
        }
        match smaller {
            Some(found) => case = found,
            None => return case,
        }
    }
}

/// Whether a case shows a difference between a view and its query. Statements that fail because something
/// that they name was dropped do not count.
async fn fails_alike(case: &Case) -> bool {
    run(case).await.is_err_and(|failure| !failure.message.starts_with("unexpected 42"))
}

/// The case with one step or one statement less, the latest first.
fn candidates(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    for step in (0..case.steps.len()).rev() {
        let mut without = case.clone();
        without.steps.remove(step);
        found.push(without);
        let Step::Transaction { statements, .. } = &case.steps[step] else { continue };
        for statement in (0..statements.len()).filter(|_| statements.len() > 1) {
            let mut without = case.clone();
            if let Step::Transaction { statements, .. } = &mut without.steps[step] {
                statements.remove(statement);
            }
            found.push(without);
        }
    }
    found
}
