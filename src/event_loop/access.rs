//! The right to touch a loop's core, held by one thread at a time.

use super::{Core, EventLoop};
use crate::error::{Error, Result};
use crate::thread_id;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

/// This thread may touch the core while it holds one of these.
pub(super) struct Access<'a> {
    event_loop: &'a EventLoop,
    /// The call claimed the loop itself; otherwise it came from inside a run
    /// (or inside another call of this thread), which keeps the claim.
    pub claimed: bool,
}

/// Proof that this thread has the loop to itself, for what services keep beside
/// it. Foreign code may run meanwhile and take holds of its own.
pub struct Hold<'a>(Access<'a>);

impl Hold<'_> {
    /// As `Access::core`.
    pub(super) fn core(&mut self) -> &mut Core {
        self.0.core()
    }
}

impl EventLoop {
    /// Gets the loop for this thread, or waits for whoever is inside for the
    /// length of a call. Also of a closed loop: what outlives it has an owner, too.
    #[inline]
    pub fn hold(&self) -> Result<Hold<'_>> {
        match self.check() {
            Err(error @ Error::Forked(_)) => return Err(error),
            _ if self.is_owner() => {
                return Ok(Hold(Access { event_loop: self, claimed: false }));
            }
            _ => {}
        }
        self.claim_patiently()
    }

    #[cold]
    fn claim_patiently(&self) -> Result<Hold<'_>> {
        let me = thread_id::current();
        for attempt in 0..PATIENCE {
            if self.owner.compare_exchange(0, me, Acquire, Relaxed).is_ok() {
                return Ok(Hold(Access { event_loop: self, claimed: true }));
            }
            if self.running.load(Relaxed) {
                break;
            }
            pause(attempt);
        }
        Err(Error::WrongThread)
    }

    /// Is the loop open, and this process's own?
    pub fn check_open(&self) -> Result<()> {
        self.check()
    }

    /// Does this thread hold the loop already?
    #[inline(always)]
    pub(super) fn is_owner(&self) -> bool {
        self.owner.load(Relaxed) == thread_id::current()
    }

    /// Gets access, unless another thread has it.
    #[inline(always)]
    pub(super) fn enter(&self) -> Result<Access<'_>> {
        let me = thread_id::current();
        let owner = self.owner.load(Relaxed);
        if owner == me {
            return Ok(Access { event_loop: self, claimed: false });
        }
        if owner == 0 && self.owner.compare_exchange(0, me, Acquire, Relaxed).is_ok() {
            let access = Access { event_loop: self, claimed: true };
            // Another thread may have closed the loop since the caller looked.
            self.check()?;
            return Ok(access);
        }
        Err(Error::WrongThread)
    }

    /// The same for what a thread does rarely and must not fail because another
    /// one schedules something at this very moment.
    pub(super) fn enter_patiently(&self) -> Result<Access<'_>> {
        for attempt in 0..PATIENCE {
            match self.enter() {
                Err(Error::WrongThread) if !self.running.load(Relaxed) => {}
                result => return result,
            }
            pause(attempt);
        }
        Err(Error::WrongThread)
    }
}

/// Single calls last far less than so many yields; but a thread inside one may have
/// lost its processor to others, which a pause gives time.
const PATIENCE: u32 = 2000;

fn pause(attempt: u32) {
    if attempt < PATIENCE / 2 {
        std::thread::yield_now();
    } else {
        std::thread::sleep(Duration::from_micros(100));
    }
}

impl Access<'_> {
    /// The core. The reference must be gone before foreign code runs.
    #[inline(always)]
    pub fn core(&mut self) -> &mut Core {
        // SAFETY: `owner` names this thread, so no other one is here; the
        // borrow of `self` and the rule above keep references of this thread
        // apart.
        unsafe { &mut *self.event_loop.core.get() }
    }
}

impl Drop for Access<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.claimed {
            self.event_loop.owner.store(0, Release);
        }
    }
}
