//! Adds up the time of phases that begin and end. One thread runs it; any thread
//! reads it, also in the middle of a phase, and never sees it go back.
//!
//! One word says it all: twice the sum; or, while a phase goes on, twice the sum
//! less its beginning, plus one. A phase ends in three steps: `ending` is set, the
//! clock is read, the word is written. A reader that finds `ending` unset after it
//! has read the clock has read it before the owner did.

use crate::sync::{AtomicBool, AtomicU64, Ordering, fence, yield_now};

/// How often a reader tries; in a forked child `ending` may be set for ever.
const PATIENCE: u32 = 1000;
const SUM: u64 = u64::MAX >> 1;

/// The sum of phases.
pub struct Stopwatch {
    word: AtomicU64,
    ending: AtomicBool,
}

impl Stopwatch {
    /// Nothing yet.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Stopwatch { word: AtomicU64::new(0), ending: AtomicBool::new(false) }
    }

    /// Does a phase go on? For the owner.
    pub fn is_on(&self) -> bool {
        self.word.load(Ordering::Relaxed) & 1 != 0
    }

    /// A phase begins, unless one goes on.
    pub fn start(&self, now: u64) {
        if !self.is_on() {
            let sum = self.word.load(Ordering::Relaxed) >> 1;
            self.word.store(sum.wrapping_sub(now) << 1 | 1, Ordering::Release);
        }
    }

    /// The phase ends, if there is one: the time at which it did.
    pub fn stop(&self, clock: impl Fn() -> u64) -> Option<u64> {
        if !self.is_on() {
            return None;
        }
        self.ending.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let now = clock();
        let begun = self.word.load(Ordering::Relaxed) >> 1;
        self.word.store(begun.wrapping_add(now) << 1, Ordering::Release);
        self.ending.store(false, Ordering::Release);
        Some(now)
    }

    /// The sum so far, with what has passed of the present phase.
    pub fn read(&self, clock: impl Fn() -> u64) -> u64 {
        for _ in 0..PATIENCE {
            let word = self.word.load(Ordering::Acquire);
            if word & 1 == 0 {
                return word >> 1;
            }
            let now = clock();
            fence(Ordering::SeqCst);
            if !self.ending.load(Ordering::Acquire) && self.word.load(Ordering::Relaxed) == word {
                return (word >> 1).wrapping_add(now) & SUM;
            }
            yield_now();
        }
        (self.word.load(Ordering::Relaxed) >> 1).wrapping_add(clock()) & SUM
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn phases_add_up() {
        let watch = Stopwatch::new();
        assert_eq!(watch.read(|| 7), 0);
        watch.start(1000);
        watch.start(5000);
        assert_eq!(watch.stop(|| 1200), Some(1200));
        assert_eq!(watch.stop(|| 9000), None);
        assert_eq!(watch.read(|| 9000), 200);
        watch.start(10_000);
        assert!(watch.is_on());
        assert_eq!(watch.read(|| 10_001), 201);
        watch.stop(|| 10_800);
        assert_eq!(watch.read(|| 20_000), 1000);
    }
}

#[cfg(all(test, loom))]
#[path = "stopwatch_model.rs"]
mod model;
