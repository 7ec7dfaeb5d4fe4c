//! Between a signal handler, in whatever thread, and one loop: which signals the
//! loop wants, which arrived, and whether a handler is at work here right now.
//!
//! Who may touch what: `deliver` is async-signal-safe. `open`, `shut`, `take`
//! and `renew` belong to one thread at a time. `shut` returns when no handler
//! that saw the signal as wanted is inside any more, so what was shut is over.
//!
//! A handler first counts itself in, then asks what is wanted; who shuts first
//! takes the wish away, then asks who is in. All four are read-modify-write
//! operations, so at least one side sees the other.

use crate::sync::{AtomicU64, Ordering::AcqRel, Ordering::Acquire};

/// The meeting place of handlers and a loop. A set of signals is 64 bits.
pub struct Gate {
    wanted: AtomicU64,
    arrived: AtomicU64,
    inside: AtomicU64,
}

impl Gate {
    /// Nothing is wanted.
    pub fn new() -> Self {
        Gate { wanted: AtomicU64::new(0), arrived: AtomicU64::new(0), inside: AtomicU64::new(0) }
    }

    /// One signal arrived. If it is wanted, it is noted, then `wake` is called.
    pub fn deliver(&self, bit: u64, wake: impl FnOnce()) {
        self.inside.fetch_add(1, AcqRel);
        if self.wanted.fetch_or(0, AcqRel) & bit != 0 {
            self.arrived.fetch_or(bit, AcqRel);
            wake();
        }
        // Not below 0: another handler may have interrupted this one and forked,
        // and the child may have renewed the gate.
        let _ = self.inside.fetch_update(AcqRel, Acquire, |inside| inside.checked_sub(1));
    }

    /// These are wanted, too.
    pub fn open(&self, bits: u64) {
        self.wanted.fetch_or(bits, AcqRel);
    }

    /// These are not wanted any more, and those that arrived are forgotten.
    pub fn shut(&self, bits: u64) {
        self.wanted.fetch_and(!bits, AcqRel);
        while self.inside.fetch_or(0, AcqRel) != 0 {
            yield_now();
        }
        self.arrived.fetch_and(!bits, AcqRel);
    }

    /// What is wanted now?
    pub fn wanted(&self) -> u64 {
        self.wanted.fetch_or(0, AcqRel)
    }

    /// What arrived since the last call.
    pub fn take(&self) -> u64 {
        self.arrived.swap(0, AcqRel)
    }

    /// In a forked child, where the parent's handlers do not exist: empty.
    pub fn renew(&self) {
        for word in [&self.wanted, &self.arrived, &self.inside] {
            word.swap(0, AcqRel);
        }
    }
}

fn yield_now() {
    #[cfg(loom)]
    loom::thread::yield_now();
    #[cfg(not(loom))]
    std::thread::yield_now();
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use loom::thread;

    #[test]
    fn after_shut_no_handler_notes_or_wakes() {
        loom::model(|| {
            let shared = Arc::new((Gate::new(), AtomicBool::new(false)));
            shared.0.open(0b11);
            let handler = shared.clone();
            let handler = thread::spawn(move || {
                let (gate, closed) = &*handler;
                gate.deliver(1, || assert!(!closed.load(SeqCst)));
            });
            let (gate, closed) = &*shared;
            gate.shut(0b11);
            closed.store(true, SeqCst);
            assert_eq!(gate.take(), 0);
            handler.join().unwrap();
            assert_eq!(gate.take(), 0);
        });
    }

    #[test]
    fn what_arrives_is_taken_or_wakes_after_the_take() {
        loom::model(|| {
            let shared = Arc::new((Gate::new(), AtomicBool::new(false)));
            shared.0.open(1);
            let handler = shared.clone();
            let handler = thread::spawn(move || {
                let (gate, readable) = &*handler;
                gate.deliver(1, || readable.store(true, SeqCst));
            });
            let (gate, readable) = &*shared;
            // The loop: empty the descriptor, then take.
            readable.swap(false, SeqCst);
            let mut taken = gate.take();
            handler.join().unwrap();
            if readable.load(SeqCst) {
                taken |= gate.take();
            }
            assert_eq!(taken, 1);
        });
    }
}
