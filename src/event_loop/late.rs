//! What must be scheduled but could not, because there was no memory: the end of
//! a future cannot be taken back, so those who wait for it must be told. They
//! wait in a chain, which needs no memory of its own, and each turn tries again.

use super::EventLoop;
use std::sync::Arc;

/// While something waits for memory, no wait of the loop is longer than this.
pub(super) const RETRY: i64 = 1_000_000;

/// Something that is to be scheduled as soon as there is memory.
pub trait Late: Send + Sync {
    /// What comes behind it in the chain, exchanged for `next`.
    fn chain(&self, next: Option<Arc<dyn Late>>) -> Option<Arc<dyn Late>>;
    /// Tries again; may chain itself anew.
    fn again(self: Arc<Self>);
    /// The loop has closed.
    fn never(self: Arc<Self>);
}

impl EventLoop {
    /// Chains something; it must not be in the chain. The caller holds the loop.
    pub fn schedule_late(&self, late: Arc<dyn Late>) {
        let Ok(mut access) = self.enter() else { return };
        let before = access.core().late.take();
        late.chain(before);
        access.core().late = Some(late);
    }

    /// Tries again, in the order in which they came.
    #[cold]
    pub(super) fn try_late(&self) {
        let mut chained = self.core_of_run().late.take();
        let mut ordered = None;
        while let Some(late) = chained {
            chained = late.chain(ordered.take());
            ordered = Some(late);
        }
        while let Some(late) = ordered {
            ordered = late.chain(None);
            late.again();
        }
    }
}

/// Ends a chain whose loop has closed.
pub(super) fn drop_late(mut chained: Option<Arc<dyn Late>>) {
    while let Some(late) = chained {
        chained = late.chain(None);
        late.never();
    }
}
