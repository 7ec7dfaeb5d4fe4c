//! A 4-ary heap of 16-byte timer entries with their keys inline, so that a sift
//! touches one cache line a level and never the timers themselves.
//!
//! Entries are never removed from the middle: whoever owns the slots cancels
//! lazily and asks for a rebuild when too many entries are stale.

use crate::error::{Error, Result};

/// A deadline, its place among equal deadlines, and the slot it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct TimerEntry {
    /// Nanoseconds on the loop's clock.
    pub when: u64,
    /// Order of scheduling; unique among the entries of one heap.
    pub sequence: u32,
    /// Index into the handle table.
    pub slot: u32,
}

impl TimerEntry {
    #[inline(always)]
    fn before(&self, other: &TimerEntry) -> bool {
        (self.when, self.sequence) < (other.when, other.sequence)
    }
}

const ARITY: usize = 4;

/// The heap; its first entry is the earliest.
pub struct TimerHeap {
    entries: Vec<TimerEntry>,
}

impl TimerHeap {
    /// An empty heap that owns no memory yet.
    pub const fn new() -> Self {
        TimerHeap { entries: Vec::new() }
    }

    /// How many entries, stale ones included.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is there nothing?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The earliest entry.
    #[inline(always)]
    pub fn first(&self) -> Option<&TimerEntry> {
        self.entries.first()
    }

    /// Makes sure that the next `push` needs no memory.
    #[inline]
    pub fn reserve_one(&mut self) -> Result<()> {
        if self.entries.len() == self.entries.capacity() {
            self.entries.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
        }
        Ok(())
    }

    /// Adds an entry, after `reserve_one`.
    #[inline]
    pub fn push(&mut self, entry: TimerEntry) {
        debug_assert!(self.entries.len() < self.entries.capacity());
        self.entries.push(entry);
        self.sift_up(self.entries.len() - 1);
    }

    /// Removes and returns the earliest entry.
    pub fn pop(&mut self) -> Option<TimerEntry> {
        let last = self.entries.pop()?;
        if self.entries.is_empty() {
            return Some(last);
        }
        let first = std::mem::replace(&mut self.entries[0], last);
        self.sift_down(0);
        Some(first)
    }

    /// Puts `entry` in the place of the earliest one: one sift where pop and
    /// push would be two, and no memory needed.
    pub fn replace_first(&mut self, entry: TimerEntry) {
        self.entries[0] = entry;
        self.sift_down(0);
    }

    /// Removes the entry that stands last in the array, if it is this one: a
    /// timer cancelled right after its creation usually does.
    #[inline]
    pub fn pop_if_last(&mut self, slot: u32, sequence: u32) -> bool {
        match self.entries.last() {
            Some(last) if last.slot == slot && last.sequence == sequence => {
                self.entries.pop();
                true
            }
            _ => false,
        }
    }

    /// Keeps what `keep` returns, possibly changed, and restores the order.
    pub fn rebuild(&mut self, mut keep: impl FnMut(TimerEntry) -> Option<TimerEntry>) {
        self.entries.retain_mut(|entry| match keep(*entry) {
            Some(kept) => {
                *entry = kept;
                true
            }
            None => false,
        });
        for position in (0..self.entries.len().div_ceil(ARITY)).rev() {
            self.sift_down(position);
        }
    }

    /// Gives every entry a new sequence number, 0 upwards in today's order,
    /// through `assign(entry, new_sequence)`; returns the next free number.
    pub fn renumber(&mut self, mut assign: impl FnMut(TimerEntry, u32)) -> u32 {
        self.entries.sort_unstable_by_key(|entry| (entry.when, entry.sequence));
        let mut next = 0;
        for entry in &mut self.entries {
            assign(*entry, next);
            entry.sequence = next;
            next += 1;
        }
        next
    }

    fn sift_up(&mut self, mut position: usize) {
        let entry = self.entries[position];
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if !entry.before(&self.entries[parent]) {
                break;
            }
            self.entries[position] = self.entries[parent];
            position = parent;
        }
        self.entries[position] = entry;
    }

    fn sift_down(&mut self, mut position: usize) {
        let Some(&entry) = self.entries.get(position) else {
            return;
        };
        loop {
            let first = position * ARITY + 1;
            let end = (first + ARITY).min(self.entries.len());
            if first >= end {
                break;
            }
            let mut least = first;
            for child in first + 1..end {
                if self.entries[child].before(&self.entries[least]) {
                    least = child;
                }
            }
            if !self.entries[least].before(&entry) {
                break;
            }
            self.entries[position] = self.entries[least];
            position = least;
        }
        self.entries[position] = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(heap: &mut TimerHeap, entry: TimerEntry) {
        heap.reserve_one().unwrap();
        heap.push(entry);
    }

    fn drain(heap: &mut TimerHeap) -> Vec<TimerEntry> {
        std::iter::from_fn(|| heap.pop()).collect()
    }

    fn scrambled(count: u32) -> Vec<TimerEntry> {
        let mut state = 12345u64;
        (0..count)
            .map(|sequence| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                TimerEntry { when: state >> 56, sequence, slot: sequence }
            })
            .collect()
    }

    #[test]
    fn pops_in_deadline_then_scheduling_order() {
        let mut heap = TimerHeap::new();
        let mut expected = scrambled(5000);
        for &entry in &expected {
            push(&mut heap, entry);
        }
        expected.sort_by_key(|e| (e.when, e.sequence));
        assert_eq!(drain(&mut heap), expected);
    }

    #[test]
    fn rebuild_drops_and_changes() {
        let mut heap = TimerHeap::new();
        for entry in scrambled(1000) {
            push(&mut heap, entry);
        }
        heap.rebuild(|e| (e.slot % 2 == 0).then_some(TimerEntry { when: e.when + 1, ..e }));
        let popped = drain(&mut heap);
        assert_eq!(popped.len(), 500);
        assert!(popped.windows(2).all(|w| w[0].before(&w[1])));
    }

    #[test]
    fn renumber_keeps_the_order() {
        let mut heap = TimerHeap::new();
        for entry in scrambled(300) {
            push(&mut heap, TimerEntry { sequence: u32::MAX - entry.sequence, ..entry });
        }
        let mut seen = Vec::new();
        assert_eq!(heap.renumber(|e, new| seen.push((e.slot, new))), 300);
        let popped = drain(&mut heap);
        assert_eq!(popped.iter().map(|e| (e.slot, e.sequence)).collect::<Vec<_>>(), seen);
    }

    #[test]
    fn the_last_and_the_first_can_be_taken_cheaply() {
        let mut heap = TimerHeap::new();
        for entry in scrambled(10) {
            push(&mut heap, TimerEntry { when: u64::from(entry.sequence), ..entry });
        }
        assert!(!heap.pop_if_last(3, 3));
        assert!(heap.pop_if_last(9, 9));
        heap.replace_first(TimerEntry { when: 100, sequence: 50, slot: 0 });
        let order: Vec<u32> = drain(&mut heap).iter().map(|e| e.slot).collect();
        assert_eq!(order, [1, 2, 3, 4, 5, 6, 7, 8, 0]);
    }
}
