//! Closing: every queued callback is dropped without running, every destructor
//! runs once, every descriptor of ours goes back.

use super::attach::{Detach, detach};
use super::{CLOSED, Core, EventLoop};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::inbox::{Inbox, SharedCallbacks};
use crate::ready_queue::{Decoded, Entry, Kind, ReadyQueue};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, TryLockError};

impl EventLoop {
    /// Closes the loop. Closing again is no error.
    pub fn close(&self) -> Result<()> {
        match self.check() {
            Err(Error::Closed) => return Ok(()),
            Err(_) => {
                self.close_inherited();
                return Ok(());
            }
            Ok(()) => {}
        }
        if self.running.load(Relaxed) {
            return Err(Error::CloseWhileRunning);
        }
        let mut access = match self.enter_patiently() {
            // Another thread was quicker.
            Err(Error::Closed) => return Ok(()),
            access => access?,
        };
        self.refuse_inside_wait().map_err(|_| Error::CloseWhileRunning)?;
        self.generation.store(CLOSED, Relaxed);
        let (entries, shared) = self.inbox().close();
        let mut core = std::mem::replace(access.core(), Core::new(0));
        self.counters().publish(&core);
        // What ends now may have something to report.
        access.core().hooks.exception = core.hooks.exception.take();
        drop(access);
        detach(std::mem::take(&mut core.attachments), Detach::Closed);
        let hook = self.wake_hook.lock().unwrap_or_else(|e| e.into_inner()).take();
        drop_contents(core, entries, shared);
        self.wakeup.close(false);
        let handler = self.hold().map(|mut hold| hold.core().hooks.exception.take());
        drop((hook, handler));
        Ok(())
    }

    /// Closes a loop that came through fork: our copies of its descriptors go,
    /// and nothing is done to what they share with the parent's.
    fn close_inherited(&self) {
        self.generation.store(CLOSED, Relaxed);
        let whole = self.is_whole();
        // SAFETY: the only thread that could have been inside is this one (see
        // `is_whole`), or none that still exists.
        let core = unsafe { &mut *self.core.get() };
        if let Some(reactor) = core.reactor.take() {
            match self.wakeup.ensure() {
                Ok(fd) => reactor.abandon(fd, whole),
                Err(_) => std::mem::forget(reactor),
            }
        }
        self.wakeup.close(true);
        if whole {
            let mut old = std::mem::replace(core, Core::new(0));
            let (entries, shared) = self.inbox().close();
            let hook = self.wake_hook.try_lock().ok().and_then(|mut hook| hook.take());
            let attachments = std::mem::take(&mut old.attachments);
            detach(attachments, Detach::ClosedInChild);
            old.drain_watches().for_each(drop);
            // A reader that runs at this moment must outlive its call.
            // SAFETY: as above.
            unsafe { (*self.core.get()).retired = old.retired.take() };
            drop_contents(old, entries, shared);
            drop(hook);
        } else {
            // Caught in the middle of another thread's change: leak it.
            std::mem::forget(std::mem::replace(core, Core::new(0)));
            // SAFETY: no other thread uses the loop in this child.
            std::mem::forget(unsafe { std::ptr::replace(self.inbox.get(), Inbox::new(0)) });
            let _ = self.inbox().close();
        }
    }

    /// In a forked child: was nobody else inside the loop at the fork?
    pub(super) fn is_whole(&self) -> bool {
        let owner = self.owner.load(Relaxed);
        (owner == 0 || self.is_owner())
            && self.inbox().is_free()
            && is_free(&self.wake_hook)
            && is_free(&self.context_hooks)
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        // Nobody refers to the loop any more, so nothing can refuse.
        let _ = self.close();
    }
}

impl Core {
    /// Takes all readers and writers out: their callbacks, except one that runs
    /// at this moment, which is left in `retired`.
    pub(super) fn drain_watches(&mut self) -> impl Iterator<Item = Callback> {
        let registrations = self.fds.take_registrations();
        registrations.filter_map(|registration| self.retire(registration))
    }
}

fn is_free<T>(lock: &Mutex<T>) -> bool {
    !matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
}

/// Runs the destructors of everything a loop held.
fn drop_contents(mut core: Core, posted: Vec<Entry>, shared: SharedCallbacks) {
    let taken = std::mem::take(&mut core.taken);
    drop_boxed_in_queue(&mut core.ready);
    for entry in taken.into_iter().chain(posted) {
        drop_boxed(entry);
    }
    shared.for_each(drop);
    super::late::drop_late(core.late.take());
    // Before the wake-up descriptor goes.
    drop(core.reactor.take());
    core.drain_watches().for_each(drop);
    drop(core.retired.take());
    core.handles.into_callbacks().for_each(drop);
}

/// Drops the boxed callbacks of a queue; all others are held by tables.
fn drop_boxed_in_queue(ready: &mut ReadyQueue) {
    while !ready.is_empty() {
        drop_boxed(ready.pop());
    }
}

fn drop_boxed(entry: Entry) {
    if let Decoded::Keyed(Kind::Boxed, raw) = entry.decode() {
        // SAFETY: `post` made it, and an entry leaves its queue once.
        drop(unsafe { Callback::from_raw(raw as usize as *mut Callback) });
    }
}
