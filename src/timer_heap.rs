//! A 4-ary heap of 16-byte timer entries with their keys inline, so that a sift
//! touches one cache line a level and never the timers themselves.
//!
//! Entries are never removed from the middle: whoever owns the slots cancels
//! lazily and asks for a rebuild when too many entries are stale.
//!
//! Layout: places are counted from the start of the first group, and the root
//! is place 3, so that the four children of place p are exactly group p - 2,
//! one cache line. Unused places of the last group hold `NEVER`: a parent's
//! four children can be compared without asking how many there are.

use crate::error::{Error, Result};
use crate::prefetch::prefetch;

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
    /// Both parts of the order as one number, for comparisons without branches.
    #[inline(always)]
    fn key(&self) -> u128 {
        u128::from(self.when) << 64 | u128::from(self.sequence)
    }
}

const ARITY: usize = 4;
const ROOT: usize = ARITY - 1;
const NEVER: TimerEntry = TimerEntry { when: u64::MAX, sequence: u32::MAX, slot: u32::MAX };

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Group([TimerEntry; ARITY]);

const _: () = assert!(size_of::<Group>() == ARITY * size_of::<TimerEntry>());

/// The heap; its first entry is the earliest.
pub struct TimerHeap {
    groups: Vec<Group>,
    len: usize,
}

fn parent(place: usize) -> usize {
    place / ARITY + 2
}

impl TimerHeap {
    /// An empty heap that owns no memory yet.
    pub const fn new() -> Self {
        TimerHeap { groups: Vec::new(), len: 0 }
    }

    /// How many entries, stale ones included.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Is there nothing?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline(always)]
    fn places(&mut self) -> &mut [TimerEntry] {
        let count = self.groups.len() * ARITY;
        // SAFETY: a group is nothing but its entries, without padding.
        unsafe { std::slice::from_raw_parts_mut(self.groups.as_mut_ptr().cast(), count) }
    }

    /// The earliest entry.
    #[inline(always)]
    pub fn first(&self) -> Option<&TimerEntry> {
        if self.len == 0 { None } else { Some(&self.groups[0].0[ROOT]) }
    }

    /// Slots of which one is probably the next `first` after a `pop`.
    #[inline(always)]
    pub fn next_slots(&self) -> [u32; ARITY] {
        self.groups.get(1).map_or([0; ARITY], |group| group.0.map(|entry| entry.slot))
    }

    /// Makes sure that the next `push` needs no memory.
    #[inline]
    pub fn reserve_one(&mut self) -> Result<()> {
        if self.groups.len() == self.groups.capacity() {
            self.groups.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
        }
        Ok(())
    }

    /// Adds an entry, after `reserve_one`. Its sequence must be the largest so
    /// far, so only the deadlines need comparing.
    #[inline]
    pub fn push(&mut self, entry: TimerEntry) {
        let mut place = ROOT + self.len;
        self.len += 1;
        if place / ARITY >= self.groups.len() {
            self.groups.push(Group([NEVER; ARITY]));
        }
        let places = self.places();
        while place > ROOT && entry.when < places[parent(place)].when {
            places[place] = places[parent(place)];
            place = parent(place);
        }
        places[place] = entry;
    }

    /// Removes the earliest entry.
    pub fn pop(&mut self) -> Option<TimerEntry> {
        let first = *self.first()?;
        let last = self.remove_last();
        if self.len != 0 {
            self.sift_down(ROOT, last);
        }
        Some(first)
    }

    fn remove_last(&mut self) -> TimerEntry {
        self.len -= 1;
        let place = ROOT + self.len;
        let last = std::mem::replace(&mut self.groups[place / ARITY].0[place % ARITY], NEVER);
        if place % ARITY == 0 || self.len == 0 {
            self.groups.truncate(place / ARITY);
        }
        last
    }

    /// Puts `entry` in the place of the earliest one: one sift where pop and
    /// push would be two, and no memory needed.
    pub fn replace_first(&mut self, entry: TimerEntry) {
        self.sift_down(ROOT, entry);
    }

    /// Removes the entry that stands last in the array, if it is this one: a
    /// timer cancelled right after its creation usually does.
    #[inline]
    pub fn pop_if_last(&mut self, slot: u32, sequence: u32) -> bool {
        if self.len == 0 {
            return false;
        }
        let place = ROOT + self.len - 1;
        let last = self.groups[place / ARITY].0[place % ARITY];
        let is_this = last.slot == slot && last.sequence == sequence;
        if is_this {
            self.remove_last();
        }
        is_this
    }

    /// Keeps what `keep` returns, possibly changed, and restores the order.
    pub fn rebuild(&mut self, mut keep: impl FnMut(TimerEntry) -> Option<TimerEntry>) {
        let end = ROOT + self.len;
        let mut kept = ROOT;
        let places = self.places();
        for place in ROOT..end {
            if let Some(entry) = keep(places[place]) {
                places[kept] = entry;
                kept += 1;
            }
        }
        places[kept..].fill(NEVER);
        self.len = kept - ROOT;
        self.groups.truncate(if self.len == 0 { 0 } else { kept.div_ceil(ARITY) });
        if self.len > 1 {
            for place in (ROOT..=parent(kept - 1)).rev() {
                let entry = self.places()[place];
                self.sift_down(place, entry);
            }
        }
    }

    /// Gives every entry a new sequence number, 0 upwards in today's order,
    /// through `assign(entry, new_sequence)`; returns the next free number.
    pub fn renumber(&mut self, mut assign: impl FnMut(TimerEntry, u32)) -> u32 {
        let end = ROOT + self.len;
        if self.len == 0 {
            return 0;
        }
        // Sorted entries are a heap.
        let entries = &mut self.places()[ROOT..end];
        entries.sort_unstable_by_key(TimerEntry::key);
        let mut next = 0;
        for entry in entries {
            assign(*entry, next);
            entry.sequence = next;
            next += 1;
        }
        next
    }

    /// Lets `entry` sink from `place`, whose content is lost.
    #[inline]
    fn sift_down(&mut self, mut place: usize, entry: TimerEntry) {
        let key = entry.key();
        while let Some(&Group(children)) = self.groups.get(place - 2) {
            // The next level's, all four: which one is not known yet.
            for child in 0..ARITY {
                prefetch(&self.groups, (place - 2) * ARITY + child - 2);
            }
            let keys = children.map(|child| child.key());
            let (low, high) = (usize::from(keys[1] < keys[0]), 2 + usize::from(keys[3] < keys[2]));
            let least = if keys[high] < keys[low] { high } else { low };
            if keys[least] >= key {
                break;
            }
            self.groups[place / ARITY].0[place % ARITY] = children[least];
            place = (place - 2) * ARITY + least;
        }
        self.groups[place / ARITY].0[place % ARITY] = entry;
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
        assert!(popped.windows(2).all(|w| w[0].key() < w[1].key()));
    }

    #[test]
    fn renumber_keeps_the_order() {
        let mut heap = TimerHeap::new();
        for entry in scrambled(300) {
            push(&mut heap, TimerEntry { sequence: 1000 + entry.sequence * 3, ..entry });
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
