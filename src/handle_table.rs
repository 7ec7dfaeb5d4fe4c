//! The loop thread's handles: slots found by an index and checked by a
//! generation, so that a handle kept too long is recognised, never followed.

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::free_slots::FreeSlots;
use crate::prefetch::prefetch;
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
    Free = 0,
    /// Nothing; its last callback was cancelled.
    FreeCancelled = 1,
    /// A callback in the ready queue.
    Ready = 2,
    /// A timer in the heap.
    Timer = 3,
}

/// What a heap entry is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its timer was cancelled, or has another entry by now.
    Stale,
    /// It says the truth.
    True,
    /// Its timer has moved to a later place: deadline and order.
    Moved(u64, u32),
}

/// What cancelling and rebuilding look at, apart from the rest: 8 bytes a slot
/// stay in the cache where the whole table would not.
#[derive(Clone, Copy)]
struct Head {
    /// The generation above; below it `MOVED`, `PLAIN` and the state.
    tag: u32,
    /// Timers: the sequence number of the heap entry that stands for this slot.
    token: u32,
}

const STATE: u32 = 3;
/// The callback has no destructor: to cancel it is to forget it.
const PLAIN: u32 = 4;
/// The timer's `when` and `order` differ from those of its heap entry.
const MOVED: u32 = 8;
const GENERATION_SHIFT: u32 = 4;

impl Head {
    #[inline(always)]
    fn state(self) -> State {
        match self.tag & STATE {
            0 => State::Free,
            1 => State::FreeCancelled,
            2 => State::Ready,
            _ => State::Timer,
        }
    }

    #[inline(always)]
    fn generation(self) -> u32 {
        self.tag >> GENERATION_SHIFT
    }

    #[inline(always)]
    fn is_live(self) -> bool {
        self.tag & STATE >= State::Ready as u32
    }
}

/// The rest of a slot: 36 bytes. `callback` is initialised exactly in `Ready`
/// and `Timer`.
#[repr(C, packed(4))]
struct Body {
    callback: MaybeUninit<Callback>,
    /// Timers: the true deadline.
    when: u64,
    /// Timers: the place among equal deadlines, given at the last scheduling.
    order: u32,
}

/// The table.
pub struct HandleTable {
    heads: Vec<Head>,
    bodies: Vec<Body>,
    free: FreeSlots,
    /// The generation of slots that were never used.
    first_generation: u32,
    live: usize,
    /// How many slots there is memory for.
    room: usize,
}

impl HandleTable {
    /// An empty table that owns no memory yet. Generations begin at `seed`.
    pub const fn new(seed: u32) -> Self {
        HandleTable {
            heads: Vec::new(),
            bodies: Vec::new(),
            free: FreeSlots::new(),
            // As `next` would have it: within its bits, and not 0.
            first_generation: if seed << GENERATION_SHIFT == 0 {
                1
            } else {
                seed << GENERATION_SHIFT >> GENERATION_SHIFT
            },
            live: 0,
            room: 0,
        }
    }

    /// Makes sure that the next `insert` cannot fail.
    #[inline]
    pub fn reserve_one(&mut self) -> Result<()> {
        if self.live == self.room { self.grow() } else { Ok(()) }
    }

    #[cold]
    fn grow(&mut self) -> Result<()> {
        if self.live >= (HandleId::SHARED - 1) as usize {
            return Err(Error::NO_MEMORY);
        }
        self.heads.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
        self.bodies.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
        let room = self.heads.capacity().min(self.bodies.capacity());
        self.free.reserve(room)?;
        self.room = room;
        Ok(())
    }

    /// Stores a callback that waits in the ready queue.
    #[inline(always)]
    pub fn insert_ready(&mut self, callback: Callback) -> HandleId {
        self.insert(callback, State::Ready, 0, 0)
    }

    /// Stores a timer whose heap entry bears `sequence`.
    #[inline(always)]
    pub fn insert_timer(&mut self, callback: Callback, when: u64, sequence: u32) -> HandleId {
        self.insert(callback, State::Timer, when, sequence)
    }

    /// `reserve_one` must have succeeded since the last insertion.
    #[inline(always)]
    fn insert(&mut self, callback: Callback, state: State, when: u64, sequence: u32) -> HandleId {
        let flags = state as u32 | if callback.is_plain() { PLAIN } else { 0 };
        let body = Body { callback: MaybeUninit::new(callback), when, order: sequence };
        self.live += 1;
        match self.free.take() {
            Some(slot) => {
                let head = &mut self.heads[slot];
                let generation = head.generation();
                *head = Head { tag: generation << GENERATION_SHIFT | flags, token: sequence };
                // Field by field: a copy of the whole would wait for its parts
                // to reach memory.
                let place = &mut self.bodies[slot];
                place.callback = body.callback;
                place.when = body.when;
                place.order = body.order;
                HandleId::new(slot as u32, generation)
            }
            None => {
                let slot = self.heads.len();
                let generation = self.first_generation;
                let tag = generation << GENERATION_SHIFT | flags;
                self.heads.push(Head { tag, token: sequence });
                self.bodies.push(body);
                HandleId::new(slot as u32, generation)
            }
        }
    }

    /// The state of a slot that still holds this handle's callback.
    #[inline(always)]
    pub fn state(&self, id: HandleId) -> Result<State> {
        match self.heads.get(id.slot() as usize) {
            Some(head) if head.generation() == id.generation() && head.is_live() => {
                Ok(head.state())
            }
            _ => Err(Error::Stale),
        }
    }

    /// Was it cancelled, as far as the table remembers?
    pub fn cancelled(&self, id: HandleId) -> Result<bool> {
        match self.heads.get(id.slot() as usize) {
            Some(head)
                if head.state() == State::FreeCancelled
                    && previous(head.generation()) == id.generation() =>
            {
                Ok(true)
            }
            _ => self.state(id).map(|_| false),
        }
    }

    /// Takes the callback out to run it, and frees the slot. `state(id)` must
    /// be `Ok`.
    #[inline]
    pub fn take(&mut self, id: HandleId) -> Callback {
        let slot = id.slot() as usize;
        debug_assert!(self.heads[slot].is_live());
        let callback = self.read(slot);
        self.release(slot, State::Free);
        callback
    }

    /// Takes a callback out that will not run, and frees the slot. `state(id)`
    /// must be `Ok`.
    pub fn cancel(&mut self, id: HandleId) -> Callback {
        let slot = id.slot() as usize;
        debug_assert!(self.heads[slot].is_live());
        let callback = self.read(slot);
        self.release(slot, State::FreeCancelled);
        callback
    }

    /// Has the callback no destructor?
    #[inline(always)]
    pub fn is_plain(&self, id: HandleId) -> bool {
        self.heads[id.slot() as usize].tag & PLAIN != 0
    }

    /// `cancel` for a callback without destructor, which nobody has to look at.
    #[inline(always)]
    pub fn forget(&mut self, id: HandleId) {
        debug_assert!(self.state(id).is_ok() && self.is_plain(id));
        self.release(id.slot() as usize, State::FreeCancelled);
    }

    /// The slot's state must change at once: it no longer owns its callback.
    #[inline]
    fn read(&self, slot: usize) -> Callback {
        let place = &raw const self.bodies[slot].callback;
        // SAFETY: live slots are initialised. A packed field may lie unaligned.
        unsafe { place.read_unaligned().assume_init() }
    }

    #[inline(always)]
    fn release(&mut self, slot: usize, state: State) {
        let head = &mut self.heads[slot];
        head.tag = next(head.generation()) << GENERATION_SHIFT | state as u32;
        self.free.give(slot);
        self.live -= 1;
    }

    /// The callback will be wanted soon.
    #[inline(always)]
    pub fn prefetch_body(&self, slot: u32) {
        prefetch(&self.bodies, slot as usize);
    }

    /// The timer's standing will be wanted soon.
    #[inline(always)]
    pub fn prefetch_head(&self, slot: u32) {
        prefetch(&self.heads, slot as usize);
    }

    /// What is a heap entry with this slot and sequence worth?
    #[inline]
    pub fn standing(&self, slot: u32, sequence: u32) -> Standing {
        let head = self.heads[slot as usize];
        if head.state() != State::Timer || head.token != sequence {
            Standing::Stale
        } else if head.tag & MOVED == 0 {
            Standing::True
        } else {
            let body = &self.bodies[slot as usize];
            Standing::Moved(body.when, body.order)
        }
    }

    /// A timer's deadline. `state(id)` must be `Ok`.
    #[inline(always)]
    pub fn when(&self, id: HandleId) -> u64 {
        // SAFETY: `state` has found the head, and there are as many bodies.
        unsafe { self.bodies.get_unchecked(id.slot() as usize).when }
    }

    /// The sequence of a timer's heap entry.
    #[inline]
    pub fn token(&self, id: HandleId) -> u32 {
        self.heads[id.slot() as usize].token
    }

    /// Gives a timer a later deadline and a new order; its heap entry stays.
    #[inline(always)]
    pub fn move_later(&mut self, slot: u32, when: u64, order: u32) {
        self.heads[slot as usize].tag |= MOVED;
        // SAFETY: as in `when`.
        let body = unsafe { self.bodies.get_unchecked_mut(slot as usize) };
        body.when = when;
        body.order = order;
    }

    /// Says which heap entry stands for a timer from now on; its deadline is
    /// the timer's.
    #[inline]
    pub fn set_entry(&mut self, slot: u32, when: u64, sequence: u32) {
        let head = &mut self.heads[slot as usize];
        head.tag &= !MOVED;
        head.token = sequence;
        let body = &mut self.bodies[slot as usize];
        body.when = when;
        body.order = sequence;
    }

    /// A due timer goes to the ready queue: its handle, for the entry there.
    #[inline]
    pub fn timer_to_ready(&mut self, slot: u32) -> HandleId {
        let head = &mut self.heads[slot as usize];
        debug_assert_eq!(head.state(), State::Timer);
        head.tag = head.tag & !(STATE | MOVED) | State::Ready as u32;
        HandleId::new(slot, head.generation())
    }

    /// Takes every callback out, for a loop that closes.
    pub fn into_callbacks(self) -> impl Iterator<Item = Callback> {
        self.heads.into_iter().zip(self.bodies).filter(|(head, _)| head.is_live()).map(
            // SAFETY: live slots are initialised, and the table is gone.
            |(_, body)| unsafe { { body.callback }.assume_init() },
        )
    }
}

/// Generations fill what the flags leave of 32 bits, without 0.
fn next(generation: u32) -> u32 {
    (generation + 1 & u32::MAX >> GENERATION_SHIFT).max(1)
}

fn previous(generation: u32) -> u32 {
    if generation == 1 { u32::MAX >> GENERATION_SHIFT } else { generation.wrapping_sub(1) }
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
        let expected = if size_of::<usize>() == 8 { 44 } else { 32 };
        assert_eq!(size_of::<Head>() + size_of::<Body>(), expected);
    }

    #[test]
    fn a_reused_slot_refuses_the_old_handle() {
        let mut table = HandleTable::new(1);
        table.reserve_one().unwrap();
        let first = table.insert_ready(callback());
        assert_eq!(table.state(first), Ok(State::Ready));
        table.forget(first);
        assert_eq!(table.state(first), Err(Error::Stale));
        assert_eq!(table.cancelled(first), Ok(true));
        table.reserve_one().unwrap();
        let second = table.insert_timer(callback(), 5, 0);
        assert_eq!(second.slot(), first.slot());
        assert_eq!(table.cancelled(first), Err(Error::Stale));
        assert_eq!(table.cancelled(second), Ok(false));
        drop(table.take(second));
        assert_eq!(table.cancelled(second), Err(Error::Stale));
    }

    #[test]
    fn a_moved_timer_says_so_until_it_ends() {
        let mut table = HandleTable::new(1);
        table.reserve_one().unwrap();
        let data = UserData::new(std::ptr::null_mut(), Some(nothing));
        let id = table.insert_timer(Callback::new(nothing, data), 5, 3);
        assert_eq!(table.standing(id.slot(), 3), Standing::True);
        table.move_later(id.slot(), 9, 4);
        assert_eq!(table.standing(id.slot(), 3), Standing::Moved(9, 4));
        assert_eq!(table.standing(id.slot(), 4), Standing::Stale);
        assert!(!table.is_plain(id));
        drop(table.cancel(id));
        assert_eq!(table.standing(id.slot(), 3), Standing::Stale);
    }

    #[test]
    fn generations_wrap_past_zero() {
        let last = previous(1);
        assert_eq!(last, (1 << 28) - 1);
        assert_eq!(next(last), 1);
        assert_eq!(previous(next(41)), 41);
    }

    #[test]
    fn nonsense_ids_are_stale() {
        let table = HandleTable::new(1);
        assert_eq!(table.state(HandleId(0)), Err(Error::Stale));
        assert_eq!(table.cancelled(HandleId(u64::MAX)), Err(Error::Stale));
    }
}
