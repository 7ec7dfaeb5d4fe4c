//! The loop thread's handles: slots found by an index and checked by a
//! generation, so that a handle kept too long is recognised, never followed.

use crate::callback::Callback;
use crate::error::{Error, Result};
use std::mem::MaybeUninit;

/// A handle as the host sees it: the generation above, the slot below. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleId(pub u64);

impl HandleId {
    /// Marks ids that belong to the inbox's table of shared handles.
    pub const SHARED: u32 = 1 << 31;

    /// Joins the two halves.
    pub fn new(slot: u32, generation: u32) -> Self {
        HandleId(u64::from(generation) << 32 | u64::from(slot))
    }

    /// The slot, with `SHARED` where it applies.
    pub fn slot(self) -> u32 {
        self.0 as u32
    }

    /// The generation.
    pub fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Does the inbox hold it?
    pub fn is_shared(self) -> bool {
        self.slot() & Self::SHARED != 0
    }
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// Nothing; its last callback ran or was dropped with the loop.
    Free,
    /// Nothing; its last callback was cancelled.
    FreeCancelled,
    /// A callback in the ready queue.
    Ready,
    /// A timer in the heap.
    Timer,
}

/// One slot: 48 bytes. `callback` is initialised exactly in `Ready` and `Timer`.
struct Slot {
    callback: MaybeUninit<Callback>,
    /// Timers: the true deadline. Free slots: the next free slot.
    when: u64,
    /// Timers: the sequence number of the heap entry that stands for this slot.
    token: u32,
    /// Timers: the place among equal deadlines, given at the last scheduling.
    order: u32,
    generation: u32,
    state: State,
}

/// The table.
pub struct HandleTable {
    slots: Vec<Slot>,
    first_free: u64,
}

const NO_SLOT: u64 = u64::MAX;

impl HandleTable {
    /// An empty table that owns no memory yet.
    pub const fn new() -> Self {
        HandleTable { slots: Vec::new(), first_free: NO_SLOT }
    }

    /// Makes sure that the next `insert` cannot fail.
    #[inline]
    pub fn reserve_one(&mut self) -> Result<()> {
        if self.first_free == NO_SLOT && self.slots.len() == self.slots.capacity() {
            if self.slots.len() >= (HandleId::SHARED - 1) as usize {
                return Err(Error::NO_MEMORY);
            }
            self.slots.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
        }
        Ok(())
    }

    /// Stores a callback that waits in the ready queue.
    #[inline]
    pub fn insert_ready(&mut self, callback: Callback) -> HandleId {
        self.insert(callback, State::Ready, 0, 0)
    }

    /// Stores a timer whose heap entry bears `sequence`.
    #[inline]
    pub fn insert_timer(&mut self, callback: Callback, when: u64, sequence: u32) -> HandleId {
        self.insert(callback, State::Timer, when, sequence)
    }

    /// `reserve_one` must have succeeded since the last insertion.
    #[inline]
    fn insert(&mut self, callback: Callback, state: State, when: u64, sequence: u32) -> HandleId {
        let callback = MaybeUninit::new(callback);
        if self.first_free == NO_SLOT {
            let index = self.slots.len() as u32;
            let slot =
                Slot { callback, when, token: sequence, order: sequence, generation: 1, state };
            self.slots.push(slot);
            return HandleId::new(index, 1);
        }
        let index = self.first_free as u32;
        let slot = &mut self.slots[index as usize];
        self.first_free = slot.when;
        slot.callback = callback;
        slot.when = when;
        slot.token = sequence;
        slot.order = sequence;
        slot.state = state;
        HandleId::new(index, slot.generation)
    }

    /// The state of a slot that still holds this handle's callback.
    #[inline]
    pub fn state(&self, id: HandleId) -> Result<State> {
        match self.slots.get(id.slot() as usize) {
            Some(slot) if slot.generation == id.generation() => match slot.state {
                State::Free | State::FreeCancelled => Err(Error::Stale),
                state => Ok(state),
            },
            _ => Err(Error::Stale),
        }
    }

    /// Was it cancelled, as far as the table remembers?
    pub fn cancelled(&self, id: HandleId) -> Result<bool> {
        match self.slots.get(id.slot() as usize) {
            Some(slot)
                if slot.state == State::FreeCancelled
                    && previous(slot.generation) == id.generation() =>
            {
                Ok(true)
            }
            _ => self.state(id).map(|_| false),
        }
    }

    /// Takes the callback out and frees the slot. `state(id)` must be `Ok`.
    #[inline]
    pub fn take(&mut self, id: HandleId, cancelled: bool) -> Callback {
        let index = id.slot() as usize;
        let slot = &mut self.slots[index];
        debug_assert!(matches!(slot.state, State::Ready | State::Timer));
        // SAFETY: initialised in these two states, and the state changes below.
        let callback = unsafe { slot.callback.assume_init_read() };
        slot.state = if cancelled { State::FreeCancelled } else { State::Free };
        slot.generation = next(slot.generation);
        slot.when = self.first_free;
        self.first_free = index as u64;
        callback
    }

    /// Does this heap entry still stand for a live timer? Then its true
    /// deadline and order.
    #[inline]
    pub fn timer_of_entry(&self, slot: u32, sequence: u32) -> Option<(u64, u32)> {
        let slot = &self.slots[slot as usize];
        (slot.state == State::Timer && slot.token == sequence).then_some((slot.when, slot.order))
    }

    /// Where a timer stands: deadline and the sequence of its heap entry.
    #[inline]
    pub fn timer(&self, id: HandleId) -> (u64, u32) {
        let slot = &self.slots[id.slot() as usize];
        (slot.when, slot.token)
    }

    /// Gives a timer a new deadline and order; its heap entry stays.
    #[inline]
    pub fn set_deadline(&mut self, slot: u32, when: u64, order: u32) {
        let slot = &mut self.slots[slot as usize];
        slot.when = when;
        slot.order = order;
    }

    /// Says which heap entry stands for the timer from now on.
    #[inline]
    pub fn set_token(&mut self, slot: u32, sequence: u32) {
        let slot = &mut self.slots[slot as usize];
        slot.token = sequence;
        slot.order = sequence;
    }

    /// A due timer goes to the ready queue: its handle, for the entry there.
    #[inline]
    pub fn timer_to_ready(&mut self, index: u32) -> HandleId {
        let slot = &mut self.slots[index as usize];
        debug_assert_eq!(slot.state, State::Timer);
        slot.state = State::Ready;
        HandleId::new(index, slot.generation)
    }

    /// Takes every callback out, for a loop that closes.
    pub fn into_callbacks(self) -> impl Iterator<Item = Callback> {
        self.slots
            .into_iter()
            .filter(|slot| matches!(slot.state, State::Ready | State::Timer))
            // SAFETY: initialised in these two states, and the slot is gone.
            .map(|slot| unsafe { slot.callback.assume_init() })
    }
}

fn next(generation: u32) -> u32 {
    generation.wrapping_add(1).max(1)
}

fn previous(generation: u32) -> u32 {
    if generation == 1 { u32::MAX } else { generation - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::UserData;
    use std::ffi::c_void;

    unsafe extern "C-unwind" fn nothing(_: *mut c_void) {}

    fn callback() -> Callback {
        Callback::new(nothing, UserData::new(std::ptr::null_mut(), None))
    }

    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot>(), 48);
    }

    #[test]
    fn a_reused_slot_refuses_the_old_handle() {
        let mut table = HandleTable::new();
        table.reserve_one().unwrap();
        let first = table.insert_ready(callback());
        assert_eq!(table.state(first), Ok(State::Ready));
        drop(table.take(first, true));
        assert_eq!(table.state(first), Err(Error::Stale));
        assert_eq!(table.cancelled(first), Ok(true));
        table.reserve_one().unwrap();
        let second = table.insert_timer(callback(), 5, 0);
        assert_eq!(second.slot(), first.slot());
        assert_eq!(table.cancelled(first), Err(Error::Stale));
        assert_eq!(table.cancelled(second), Ok(false));
        drop(table.take(second, false));
        assert_eq!(table.cancelled(second), Err(Error::Stale));
    }

    #[test]
    fn generations_wrap_past_zero() {
        assert_eq!(next(u32::MAX), 1);
        assert_eq!(previous(1), u32::MAX);
        assert_eq!(previous(next(41)), 41);
    }

    #[test]
    fn nonsense_ids_are_stale() {
        let table = HandleTable::new();
        assert_eq!(table.state(HandleId(0)), Err(Error::Stale));
        assert_eq!(table.cancelled(HandleId(u64::MAX)), Err(Error::Stale));
    }
}
