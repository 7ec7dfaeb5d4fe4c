//! A value that belongs to whoever holds a loop. The hold proves that no other
//! thread is here; the cell itself refuses a second borrow by the same thread.

use std::cell::{RefCell, RefMut};

/// A value beside a loop.
pub struct LoopCell<T>(RefCell<T>);

// SAFETY: only `with` and `get_mut` reach the value, and the callers of `with`
// hold the loop that the value belongs to, which one thread does at a time.
unsafe impl<T> Send for LoopCell<T> {}
unsafe impl<T> Sync for LoopCell<T> {}

impl<T> LoopCell<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        LoopCell(RefCell::new(value))
    }

    /// Runs `body` on the value. No foreign code may run in it: callbacks,
    /// hooks, destructors come back here.
    ///
    /// # Safety
    /// The caller holds the loop that the value belongs to, or is alone with
    /// the value.
    #[inline]
    pub unsafe fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        body(&mut self.0.borrow_mut())
    }

    /// The same, or nothing if the value is in use: for a forked child, which
    /// may have been made in the middle of another thread's `with`.
    ///
    /// # Safety
    /// As `with`.
    pub unsafe fn try_with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_borrow_mut().ok().map(|mut value: RefMut<'_, T>| body(&mut value))
    }

    /// The value, for its only owner.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}
