//! The default policy: a slot for each thread.
//!
//! In LEGACY mode the main thread gets a loop made for it until somebody sets
//! one (or none); in STRICT mode nobody does. In a forked child every slot is
//! fresh: what the parent had set is not the child's.

use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, LoopRef, Options};
use crate::{fork_generation, thread_id};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// May the policy make a loop that nobody asked for?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the main thread, until something was set.
    Legacy,
    /// Never.
    Strict,
}

static STRICT: AtomicBool = AtomicBool::new(false);

/// The present mode.
pub fn mode() -> Mode {
    if STRICT.load(Relaxed) { Mode::Strict } else { Mode::Legacy }
}

/// Changes the mode for the process.
pub fn set_mode(mode: Mode) {
    STRICT.store(mode == Mode::Strict, Relaxed);
}

struct Slot {
    event_loop: ManuallyDrop<Option<LoopRef>>,
    was_set: bool,
    generation: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // The main thread's slot ends before the process's exit handlers, which
        // may still use a loop they borrowed.
        if !thread_id::is_main() {
            // SAFETY: once, here.
            unsafe { ManuallyDrop::drop(&mut self.event_loop) };
        }
    }
}

thread_local! {
    static SLOT: RefCell<Slot> =
        const { RefCell::new(Slot { event_loop: ManuallyDrop::new(None), was_set: false, generation: 0 }) };
}

/// Runs `body` on this thread's slot, fresh after a fork. Loops that leave the
/// slot are returned by `body`, so that they are dropped after the borrow.
fn with_slot<T>(body: impl FnOnce(&mut Slot) -> T) -> Result<T> {
    SLOT.try_with(|slot| {
        let slot = &mut *slot.borrow_mut();
        let generation = fork_generation::current();
        if slot.generation != generation {
            // The parent's loop: its copy here is not ours to close.
            std::mem::forget(slot.event_loop.take());
            slot.was_set = false;
            slot.generation = generation;
        }
        body(slot)
    })
    // The thread is ending and its slot is gone.
    .map_err(|_| Error::NoCurrent)
}

/// This thread's loop, borrowed from its slot.
pub fn get() -> Result<*const EventLoop> {
    let (present, may_create) = with_slot(|slot| {
        (slot.event_loop.as_ref().map(LoopRef::as_ptr), !slot.was_set && slot.event_loop.is_none())
    })?;
    if let Some(event_loop) = present {
        return Ok(event_loop);
    }
    if !may_create || mode() == Mode::Strict || !thread_id::is_main() {
        return Err(Error::NoCurrent);
    }
    set(Some(new()?))?;
    with_slot(|slot| slot.event_loop.as_ref().map(LoopRef::as_ptr))?.ok_or(Error::NoCurrent)
}

/// Fills or empties this thread's slot.
pub fn set(event_loop: Option<LoopRef>) -> Result<()> {
    let old = with_slot(|slot| {
        slot.was_set = true;
        std::mem::replace(&mut *slot.event_loop, event_loop)
    })?;
    drop(old);
    Ok(())
}

/// A new loop with default options.
pub fn new() -> Result<LoopRef> {
    EventLoop::new(Options::default()).and_then(LoopRef::new)
}
