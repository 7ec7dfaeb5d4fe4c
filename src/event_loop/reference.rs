//! References to a loop. The host's are counted: when the last one goes, the
//! loop is closed while its memory is still held, because the destructors that
//! run then may call it. A call that runs foreign code holds the memory, too.

use super::EventLoop;
use crate::error::Result;
use crate::memory::try_arc;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// One of the host's references.
pub struct LoopRef(Arc<EventLoop>);

impl LoopRef {
    /// The first reference to a new loop.
    pub fn new(event_loop: EventLoop) -> Result<Self> {
        Ok(LoopRef(try_arc(event_loop)?))
    }

    /// One more reference.
    ///
    /// # Safety
    /// `raw` came from `into_raw` and its memory is still held.
    pub unsafe fn another(raw: *const EventLoop) -> Self {
        // SAFETY: as promised; every loop with a raw address lives in an Arc.
        unsafe {
            (*raw).references.fetch_add(1, Relaxed);
            Arc::increment_strong_count(raw);
            LoopRef(Arc::from_raw(raw))
        }
    }

    /// The address; the reference stays counted.
    pub fn into_raw(self) -> *const EventLoop {
        let raw = self.as_ptr();
        std::mem::forget(self);
        raw
    }

    /// Takes back what `into_raw` gave.
    ///
    /// # Safety
    /// `raw` came from `into_raw`, and this is the only call for it.
    pub unsafe fn from_raw(raw: *const EventLoop) -> Self {
        LoopRef(unsafe { Arc::from_raw(raw) })
    }

    /// The address, borrowed.
    pub fn as_ptr(&self) -> *const EventLoop {
        Arc::as_ptr(&self.0)
    }
}

impl Drop for LoopRef {
    fn drop(&mut self) {
        if self.0.references.fetch_sub(1, AcqRel) == 1 {
            // Refused while it runs; then the run's `Kept` does it.
            let _ = self.0.close();
        }
    }
}

/// Holds a loop's memory, for the length of a call or of an object's life.
#[derive(Clone)]
pub struct Kept(Arc<EventLoop>);

impl Kept {
    /// Keeps the loop behind an address.
    ///
    /// # Safety
    /// As `LoopRef::another`.
    pub unsafe fn new(raw: *const EventLoop) -> Self {
        // SAFETY: as promised.
        unsafe {
            Arc::increment_strong_count(raw);
            Kept(Arc::from_raw(raw))
        }
    }
}

/// Holds a loop's memory for other threads, which may post to the loop. Unlike a
/// `Kept` it never closes the loop: destructors do not move to such a thread.
#[derive(Clone)]
pub struct Remote(Arc<EventLoop>);

impl Deref for Remote {
    type Target = EventLoop;

    fn deref(&self) -> &EventLoop {
        &self.0
    }
}

impl EventLoop {
    /// Holds this loop's memory for other threads.
    pub fn remote(&self) -> Remote {
        Remote(self.keep().0.clone())
    }

    /// Holds this loop's memory; it does not keep the loop open.
    pub fn keep(&self) -> Kept {
        // SAFETY: every loop that anybody can call lives in an Arc.
        unsafe { Kept::new(self) }
    }
}

impl Deref for Kept {
    type Target = EventLoop;

    fn deref(&self) -> &EventLoop {
        &self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.0.references.load(Acquire) == 0 {
            let _ = self.0.close();
        }
    }
}
