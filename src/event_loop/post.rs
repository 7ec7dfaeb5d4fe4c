//! Scheduling from any thread, and how the loop takes what was posted.

use super::EventLoop;
use crate::callback::{Callback, CallbackFn};
use crate::context::ContextHooks;
use crate::error::{Error, Result};
use crate::handle_table::HandleId;
use crate::inbox::Wake;
use crate::ready_queue::{Entry, Kind, ReadyQueue};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::schedule::NO_HANDLE;

impl EventLoop {
    /// Runs `callback` in the loop's next turn and wakes the loop for it.
    #[inline]
    pub fn call_soon_threadsafe(&self, callback: Callback, wants_handle: bool) -> Result<HandleId> {
        self.check()?;
        let (id, wake) = self.post(callback, wants_handle, false)?;
        if wake != Wake::No {
            self.wake(wake);
        }
        Ok(id)
    }

    /// `call_soon_threadsafe` as it nearly always is: with data that nobody
    /// destroys, no handle, no context. On false nothing was done, and
    /// `call_soon_threadsafe` finds out why.
    #[inline(always)]
    pub fn post_quickly(&self, func: CallbackFn, data: *mut c_void) -> bool {
        if self.check().is_err() || self.has_context_hooks.load(Relaxed) {
            return false;
        }
        match self.inbox().post(Entry::plain(func, data), false) {
            Ok(Wake::No) => true,
            Ok(wake) => {
                self.wake(wake);
                true
            }
            Err(_) => false,
        }
    }

    /// Queues in the inbox; the caller wakes the loop if it must.
    #[inline]
    pub(super) fn post(
        &self,
        callback: Callback,
        wants_handle: bool,
        quiet: bool,
    ) -> Result<(HandleId, Wake)> {
        let inbox = self.inbox();
        if wants_handle {
            return inbox.post_shared(callback, quiet).map_err(|(error, _callback)| error);
        }
        if callback.is_plain() {
            let (func, data) = callback.parts();
            return Ok((NO_HANDLE, inbox.post(Entry::plain(func, data), quiet)?));
        }
        let raw = callback.into_raw().map_err(|_callback| Error::NO_MEMORY)?;
        match inbox.post(Entry::keyed(Kind::Boxed, raw as usize as u64), quiet) {
            Ok(wake) => Ok((NO_HANDLE, wake)),
            Err(error) => {
                // SAFETY: just made, and the inbox did not take it.
                drop(unsafe { Callback::from_raw(raw) });
                Err(error)
            }
        }
    }

    /// Stops the loop once everything posted before has run.
    pub fn stop_threadsafe(&self) -> Result<()> {
        self.check()?;
        let wake = self.inbox().post(Entry::keyed(Kind::Stop, 0), false)?;
        self.wake(wake);
        Ok(())
    }

    /// Wakes the loop; nothing else. Async-signal-safe.
    pub fn wakeup(&self) -> Result<()> {
        self.check()?;
        self.wakeup.request();
        Ok(())
    }

    /// Moves what was posted to the ready queue, once: what arrives meanwhile
    /// waits for the next time, or a flood of posts would hold the loop here.
    /// Yields how many there were.
    #[inline(never)]
    pub(super) fn take_inbox(
        &self,
        ready: &mut ReadyQueue,
        taken: &mut Vec<Entry>,
    ) -> Result<usize> {
        let mut count = 0;
        // What memory did not suffice for the last time comes first.
        let left = !taken.is_empty();
        for _ in 0..1 + usize::from(left) {
            if taken.is_empty() {
                self.inbox().take(taken);
            }
            if let Err(error) = ready.append(taken) {
                self.inbox().keep_pending();
                return Err(error);
            }
            count += taken.len();
            taken.clear();
        }
        self.counters().took_posts(count);
        Ok(count)
    }

    /// The context hooks, for whatever thread schedules.
    pub(super) fn shared_context_hooks(&self) -> Option<Arc<ContextHooks>> {
        if self.check().is_ok() {
            return self.context_hooks.lock().unwrap_or_else(|e| e.into_inner()).clone();
        }
        // In a forked child a thread of the parent may hold the lock for ever.
        for _ in 0..1000 {
            if let Ok(hooks) = self.context_hooks.try_lock() {
                return hooks.clone();
            }
            std::thread::yield_now();
        }
        None
    }
}
