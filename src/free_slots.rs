//! Which slots of a table are free: a bitmap with a summary, so that the lowest
//! free slot is found in a few steps. Low slots first keeps a table's live part
//! dense, and makes a burst of insertions walk memory in order.

use crate::error::{Error, Result};

const BITS: usize = u64::BITS as usize;

/// The set of free slots among those given out so far.
pub struct FreeSlots {
    /// One bit a slot.
    words: Vec<u64>,
    /// One bit a word: is any slot of it free?
    summary: Vec<u64>,
    /// No summary word before this one has a bit.
    first: usize,
}

impl FreeSlots {
    /// No slots.
    pub const fn new() -> Self {
        FreeSlots { words: Vec::new(), summary: Vec::new(), first: 0 }
    }

    /// Makes room for slot number `slots`; all below it have room.
    pub fn reserve(&mut self, slots: usize) -> Result<()> {
        while self.words.len() <= slots / BITS {
            self.words.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
            if self.summary.len() <= self.words.len() / BITS {
                self.summary.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
                self.summary.push(0);
            }
            self.words.push(0);
        }
        Ok(())
    }

    /// The lowest free slot, taken.
    #[inline]
    pub fn take(&mut self) -> Option<usize> {
        while *self.summary.get(self.first)? == 0 {
            self.first += 1;
        }
        let word = self.first * BITS + self.summary[self.first].trailing_zeros() as usize;
        let bit = self.words[word].trailing_zeros() as usize;
        self.words[word] &= self.words[word] - 1;
        if self.words[word] == 0 {
            self.summary[self.first] &= self.summary[self.first] - 1;
        }
        Some(word * BITS + bit)
    }

    /// Gives a slot back.
    #[inline]
    pub fn give(&mut self, slot: usize) {
        let word = slot / BITS;
        self.words[word] |= 1 << (slot % BITS);
        self.summary[word / BITS] |= 1 << (word % BITS);
        self.first = self.first.min(word / BITS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_slot_comes_first() {
        let mut free = FreeSlots::new();
        assert_eq!(free.take(), None);
        free.reserve(10_000).unwrap();
        assert_eq!(free.take(), None);
        for slot in [9_999, 64, 4_096, 0, 63, 5_000] {
            free.give(slot);
        }
        assert_eq!(free.take(), Some(0));
        free.give(1);
        let rest: Vec<_> = std::iter::from_fn(|| free.take()).collect();
        assert_eq!(rest, [1, 63, 64, 4_096, 5_000, 9_999]);
        free.give(7);
        assert_eq!(free.take(), Some(7));
        assert_eq!(free.take(), None);
    }
}
