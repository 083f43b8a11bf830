//! Who may commit. Transactions commit side by side, whoever comes first overtaking the others; one that has been
//! overtaken takes a turn alone, so that it is not overtaken for ever (a fair lock: the "lock-based fallback" of
//! optimistic concurrency control, Kung and Robinson 1981, section 3).

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How often a transaction runs beside others before it takes a turn alone.
const TOGETHER: usize = 2;

/// See the module.
#[derive(Default)]
pub(crate) struct Turns(RwLock<()>);

/// How a transaction runs.
pub(crate) enum Turn<'a> {
    /// Beside others, which may overtake it.
    Together(&'a Turns),
    /// Nobody else commits until this is dropped.
    Alone(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'a, ()>),
}

impl Turns {
    /// The turn of a transaction that has been overtaken so many times.
    pub(crate) async fn take(&self, overtaken: usize) -> Turn<'_> {
        if overtaken < TOGETHER { Turn::Together(self) } else { Turn::Alone(self.0.write().await) }
    }

    /// Held, on a thread of its own, while a commit that takes no notice of others is sent.
    pub(crate) fn enter_blocking(&self) -> RwLockReadGuard<'_, ()> {
        self.0.blocking_read()
    }

    /// The turn of a transaction that takes no notice of others.
    pub(crate) fn together(&self) -> Turn<'_> {
        Turn::Together(self)
    }
}

impl Turn<'_> {
    /// Held while the transaction commits.
    pub(crate) async fn enter(&self) -> Option<RwLockReadGuard<'_, ()>> {
        match self {
            Turn::Together(turns) => Some(turns.0.read().await),
            Turn::Alone(_) => None,
        }
    }

    /// Whether nobody can overtake.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self, Turn::Alone(_))
    }
}
