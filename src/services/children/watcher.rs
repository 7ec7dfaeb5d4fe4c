//! asyncio's child watchers, as far as they are left: which way the process
//! hears of the end of children. Nothing has to be attached.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// A way to hear of the end of children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watcher {
    /// A descriptor for each child, watched by the loop; a thread for each where
    /// the system has no such descriptors.
    Pidfd,
    /// A thread for each child.
    Threaded,
}

static PRESENT: AtomicU8 = AtomicU8::new(0);

/// The process's way.
pub fn get() -> Watcher {
    match PRESENT.load(Relaxed) {
        0 => Watcher::Pidfd,
        _ => Watcher::Threaded,
    }
}

/// Changes it for what is watched from now on.
pub fn set(watcher: Watcher) {
    PRESENT.store(u8::from(watcher == Watcher::Threaded), Relaxed);
}
