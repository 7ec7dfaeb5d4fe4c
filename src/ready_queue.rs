//! The ready queue: a growing ring of 16-byte entries, first in, first out.
//!
//! Positions (`head`, `tail`) only ever count up, so "what was ready when the
//! turn began" is simply the tail of that moment.

use crate::callback::CallbackFn;
use crate::error::{Error, Result};
use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::num::NonZeroUsize;

/// One thing to run: a C function with its data or, for callbacks that carry
/// more, a kind and a key into the table that holds them.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Entry {
    /// The function's address, or a `Kind`: never 0, so that `Option<Entry>`
    /// is no larger.
    func: NonZeroUsize,
    data: u64,
}

/// What an entry's key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Kind {
    /// A slot of the loop's handle table.
    Handle = 1,
    /// A slot of the inbox's shared handles.
    Shared = 2,
    /// A `Box<Callback>`.
    Boxed = 3,
    /// A reader registration.
    Reader = 4,
    /// A writer registration.
    Writer = 5,
    /// `loop_stop`, in its place in the queue.
    Stop = 6,
}

/// An entry as the loop handles it.
pub enum Decoded {
    /// A function to call.
    Plain(CallbackFn, *mut c_void),
    /// A key into another table.
    Keyed(Kind, u64),
}

/// No function can live here: the first page is never mapped.
const LAST_KIND: usize = Kind::Stop as usize;

impl Entry {
    /// A bare function with data that nobody has to destroy.
    #[inline(always)]
    pub fn plain(func: CallbackFn, data: *mut c_void) -> Self {
        // SAFETY: a function's address is not 0.
        Entry { func: unsafe { NonZeroUsize::new_unchecked(func as usize) }, data: data as u64 }
    }

    /// A key into the table that `kind` names.
    #[inline]
    pub fn keyed(kind: Kind, key: u64) -> Self {
        // SAFETY: kinds begin with 1.
        Entry { func: unsafe { NonZeroUsize::new_unchecked(kind as usize) }, data: key }
    }

    /// Takes the entry apart.
    #[inline(always)]
    pub fn decode(self) -> Decoded {
        let func = self.func.get();
        if func > LAST_KIND {
            // SAFETY: values above LAST_KIND come from `plain` only.
            let func = unsafe { std::mem::transmute::<usize, CallbackFn>(func) };
            Decoded::Plain(func, self.data as usize as *mut c_void)
        } else {
            // SAFETY: values up to LAST_KIND come from `keyed` only.
            Decoded::Keyed(unsafe { std::mem::transmute::<usize, Kind>(func) }, self.data)
        }
    }
}

/// The ring.
pub struct ReadyQueue {
    buffer: *mut Entry,
    /// Capacity - 1 (a power of two), or 0 while nothing is allocated.
    mask: usize,
    capacity: usize,
    head: usize,
    tail: usize,
}

const FIRST_CAPACITY: usize = 16;
/// A burst may leave this many entries (2 MiB) allocated; `trim` drops more.
const KEPT_CAPACITY: usize = 128 * 1024;

impl ReadyQueue {
    /// An empty queue that owns no memory yet.
    pub const fn new() -> Self {
        ReadyQueue { buffer: std::ptr::null_mut(), mask: 0, capacity: 0, head: 0, tail: 0 }
    }

    /// Appends, or says that memory ran out and changes nothing.
    #[inline(always)]
    pub fn push(&mut self, entry: Entry) -> Result<()> {
        self.reserve_one()?;
        // SAFETY: there is room, so the masked index lies inside the buffer.
        unsafe { self.buffer.add(self.tail & self.mask).write(entry) };
        self.tail = self.tail.wrapping_add(1);
        Ok(())
    }

    /// Appends if that needs no memory: was there room?
    #[inline(always)]
    pub fn push_if_room(&mut self, entry: Entry) -> bool {
        let has_room = self.len() != self.capacity;
        if has_room {
            // SAFETY: as in `push`.
            unsafe { self.buffer.add(self.tail & self.mask).write(entry) };
            self.tail = self.tail.wrapping_add(1);
        }
        has_room
    }

    /// Makes sure that the next `push` cannot fail.
    #[inline(always)]
    pub fn reserve_one(&mut self) -> Result<()> {
        if self.len() == self.capacity { self.reserve(1) } else { Ok(()) }
    }

    /// Takes the oldest entry. The queue must not be empty.
    #[inline(always)]
    pub fn pop(&mut self) -> Entry {
        self.pop_at(self.head)
    }

    /// `pop` for a caller that knows `head` already.
    #[inline(always)]
    pub fn pop_at(&mut self, head: usize) -> Entry {
        debug_assert!(!self.is_empty() && head == self.head);
        // SAFETY: not empty, so this index was written and not yet taken.
        let entry = unsafe { self.buffer.add(head & self.mask).read() };
        self.head = head.wrapping_add(1);
        entry
    }

    /// Appends all of `entries`, or none.
    pub fn append(&mut self, entries: &[Entry]) -> Result<()> {
        self.reserve(entries.len())?;
        for &entry in entries {
            self.push(entry)?;
        }
        Ok(())
    }

    /// Makes room for `additional` more entries.
    #[cold]
    pub fn reserve(&mut self, additional: usize) -> Result<()> {
        let needed = self.len().checked_add(additional).ok_or(Error::NO_MEMORY)?;
        if needed <= self.capacity {
            return Ok(());
        }
        let capacity = needed.checked_next_power_of_two().ok_or(Error::NO_MEMORY)?;
        self.resize(capacity.max(FIRST_CAPACITY))
    }

    fn resize(&mut self, capacity: usize) -> Result<()> {
        let layout = Layout::array::<Entry>(capacity).map_err(|_| Error::NO_MEMORY)?;
        // SAFETY: the layout is not zero-sized.
        let buffer = unsafe { alloc(layout) }.cast::<Entry>();
        if buffer.is_null() {
            return Err(Error::NO_MEMORY);
        }
        let mut position = self.head;
        while position != self.tail {
            // SAFETY: positions head..tail are initialised in the old buffer,
            // and at most `capacity` of them go to distinct places in the new.
            unsafe {
                let entry = self.buffer.add(position & self.mask).read();
                buffer.add(position & (capacity - 1)).write(entry);
            }
            position = position.wrapping_add(1);
        }
        self.release();
        self.buffer = buffer;
        self.capacity = capacity;
        self.mask = capacity - 1;
        Ok(())
    }

    /// Gives back what a burst left allocated, once the queue is empty.
    pub fn trim(&mut self) {
        if self.capacity > KEPT_CAPACITY && self.is_empty() {
            self.release();
        }
    }

    fn release(&mut self) {
        if self.capacity != 0 {
            // SAFETY: allocated by `resize` with this very layout.
            unsafe { dealloc(self.buffer.cast(), Layout::array::<Entry>(self.capacity).unwrap()) };
        }
        self.buffer = std::ptr::null_mut();
        self.capacity = 0;
        self.mask = 0;
    }

    /// How many entries wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.tail.wrapping_sub(self.head)
    }

    /// Does nothing wait?
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.head == self.tail
    }

    /// The position of the oldest entry.
    #[inline(always)]
    pub fn head(&self) -> usize {
        self.head
    }

    /// The position the next entry will get.
    #[inline(always)]
    pub fn tail(&self) -> usize {
        self.tail
    }
}

impl Drop for ReadyQueue {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(queue: &mut ReadyQueue) -> Vec<u64> {
        let mut keys = Vec::new();
        while !queue.is_empty() {
            match queue.pop().decode() {
                Decoded::Keyed(Kind::Handle, key) => keys.push(key),
                _ => panic!("a kind that was never pushed"),
            }
        }
        keys
    }

    #[test]
    fn order_survives_growth_across_the_wrap() {
        let mut queue = ReadyQueue::new();
        for key in 0..12 {
            queue.push(Entry::keyed(Kind::Handle, key)).unwrap();
        }
        for _ in 0..10 {
            queue.pop();
        }
        for key in 12..200 {
            queue.push(Entry::keyed(Kind::Handle, key)).unwrap();
        }
        assert_eq!(keys(&mut queue), (10..200).collect::<Vec<_>>());
    }

    #[test]
    fn append_keeps_order_and_trim_gives_memory_back() {
        let mut queue = ReadyQueue::new();
        let many: Vec<Entry> =
            (0..KEPT_CAPACITY as u64 * 2).map(|k| Entry::keyed(Kind::Handle, k)).collect();
        queue.append(&many).unwrap();
        assert_eq!(queue.len(), many.len());
        assert_eq!(keys(&mut queue).len(), many.len());
        queue.trim();
        assert_eq!(queue.capacity, 0);
        queue.push(Entry::keyed(Kind::Handle, 7)).unwrap();
        assert_eq!(keys(&mut queue), [7]);
    }

    #[test]
    fn an_impossible_size_is_refused() {
        let mut queue = ReadyQueue::new();
        queue.push(Entry::keyed(Kind::Handle, 1)).unwrap();
        assert_eq!(queue.reserve(usize::MAX).unwrap_err(), Error::NO_MEMORY);
        assert_eq!(queue.reserve(usize::MAX / size_of::<Entry>()).unwrap_err(), Error::NO_MEMORY);
        assert_eq!(keys(&mut queue), [1]);
    }
}
