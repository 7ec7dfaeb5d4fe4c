//! A lock around a value of the process, for short changes, which a forked child
//! finds free whoever held it: it remembers the fork generation of its holder.
//! What the value holds must make sense between any two of its writes.

use crate::fork_generation;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

const FREE: u64 = 0;

/// A value that one thread at a time may change.
pub struct ForkLock<T> {
    /// The generation of the thread that is inside, or `FREE`.
    holder: AtomicU64,
    value: UnsafeCell<T>,
}

// SAFETY: `with` lets one thread of a process in.
unsafe impl<T: Send> Sync for ForkLock<T> {}

impl<T> ForkLock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        ForkLock { holder: AtomicU64::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Runs `body`, which is short and runs no foreign code, on the value.
    pub fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        let me = fork_generation::current();
        let mut seen = FREE;
        while let Err(holder) = self.holder.compare_exchange(seen, me, Acquire, Relaxed) {
            if holder == me {
                seen = FREE;
                std::thread::yield_now();
            } else {
                // Free by now, or held by a thread of the parent that was not
                // copied into this process.
                seen = holder;
            }
        }
        // SAFETY: the holder is this thread.
        let result = body(unsafe { &mut *self.value.get() });
        self.holder.store(FREE, Release);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time() {
        static LOCK: ForkLock<(u32, u32)> = ForkLock::new((0, 0));
        let change = || {
            for _ in 0..1000 {
                LOCK.with(|pair| {
                    pair.0 += 1;
                    assert_eq!(pair.0, pair.1 + 1);
                    pair.1 += 1;
                });
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(change);
            scope.spawn(change);
        });
        assert_eq!(LOCK.with(|pair| *pair), (2000, 2000));
    }

    #[test]
    fn a_child_takes_over_what_its_parent_held() {
        static LOCK: ForkLock<u32> = ForkLock::new(7);
        LOCK.holder.store(fork_generation::current() - 1, Relaxed);
        assert_eq!(LOCK.with(|value| *value), 7);
        assert_eq!(LOCK.holder.load(Relaxed), FREE);
    }
}
