//! A few words that one thread writes and any thread reads whole, without a
//! lock: the version is odd while they change, and whoever saw it change reads
//! again.

use crate::sync::{AtomicU64, Ordering, fence};

/// How often a reader tries. In a forked child it may be in vain: the thread that
/// was changing the words is not there.
const PATIENCE: u32 = if cfg!(loom) { 4 } else { 1000 };

/// `N` words that belong together.
pub struct Published<const N: usize> {
    version: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Published<N> {
    /// All zero.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Published { version: AtomicU64::new(0), words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Changes them. One thread at a time.
    pub fn write(&self, words: [u64; N]) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        // Who reads a new word must then see that the version has changed.
        fence(Ordering::Release);
        for (place, word) in self.words.iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// The words as one writing left them; none if they change all the time.
    pub fn read(&self) -> Option<[u64; N]> {
        for _ in 0..PATIENCE {
            let before = self.version.load(Ordering::Acquire);
            let words = std::array::from_fn(|index| self.words[index].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.version.load(Ordering::Relaxed) == before {
                return Some(words);
            }
            crate::sync::spin_loop();
        }
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_was_written_together() {
        let published = Published::<3>::new();
        assert_eq!(published.read(), Some([0, 0, 0]));
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (1..100_000).for_each(|i| published.write([i, i, i])));
            while !writer.is_finished() {
                if let Some([a, b, c]) = published.read() {
                    assert!(a == b && b == c);
                }
            }
        });
        assert_eq!(published.read(), Some([99_999; 3]));
    }
}

#[cfg(all(test, loom))]
#[path = "published_model.rs"]
mod model;
