use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One operator's share in a total of bytes that is read from other threads.
pub(crate) struct Gauge {
    total: Arc<AtomicUsize>,
    share: usize,
}

impl Gauge {
    /// A share of nothing, so far.
    pub(crate) fn new(total: Arc<AtomicUsize>) -> Gauge {
        Gauge { total, share: 0 }
    }

    /// Replaces the share. Differences wrap, and so add up to the right total in any order.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.total.fetch_add(bytes.wrapping_sub(self.share), Ordering::Relaxed);
        self.share = bytes;
    }
}
