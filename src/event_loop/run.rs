//! Running: `run_forever`, and how it is stopped.

use super::{Core, EventLoop};
use crate::error::{Error, Result};
use crate::fork_generation;
use crate::running::{self, Running};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The loop runs in this thread until the guard is dropped.
pub(super) struct Run<'a> {
    event_loop: &'a EventLoop,
    /// The generation the run began in.
    pub generation: u64,
    claimed: bool,
    _running: Running,
}

impl EventLoop {
    /// Runs until stopped: 0, or what `interrupt` was given.
    pub fn run_forever(&self) -> Result<i32> {
        let run = self.begin_run()?;
        self.run_turns(run.generation)?;
        Ok(self.take_interrupt())
    }

    /// Becomes the running loop of this thread, with asyncio's checks in
    /// asyncio's order.
    pub(super) fn begin_run(&self) -> Result<Run<'_>> {
        self.check()?;
        if self.running.load(Relaxed) {
            return Err(Error::Running);
        }
        if !running::get().is_null() {
            return Err(Error::OtherRunning);
        }
        let access = self.enter_patiently()?;
        self.refuse_inside_wait()?;
        let claimed = access.claimed;
        // The run keeps the claim.
        std::mem::forget(access);
        self.running.store(true, Release);
        // An embedding host that waits for us no longer does.
        self.core_of_run().armed = None;
        self.counters().run_begins();
        self.inbox().awake();
        self.update_runner();
        Ok(Run {
            event_loop: self,
            generation: fork_generation::current(),
            claimed,
            _running: running::enter(std::ptr::from_ref(self).cast()),
        })
    }

    /// The core, for code of the thread that runs the loop.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub(super) fn core_of_run(&self) -> &mut Core {
        debug_assert!(self.is_owner());
        // SAFETY: the running thread owns the core, and callers let the
        // reference go before foreign code runs.
        unsafe { &mut *self.core.get() }
    }

    /// Ends the run after the present turn. From another thread only the flag
    /// is set, which a sleeping loop sees when something else wakes it.
    pub fn stop(&self) -> Result<()> {
        match self.check() {
            Err(error @ Error::Forked(_)) => Err(error),
            // asyncio: stopping a closed loop is no error.
            Err(_) => Ok(()),
            Ok(()) => {
                self.stopping.store(true, Release);
                if self.is_owner() {
                    // Also when a hook calls it that runs just before a wait.
                    self.core_of_run().poll_soon = true;
                }
                Ok(())
            }
        }
    }

    /// Ends the run after the present callback; what is queued stays queued.
    pub fn interrupt(&self, code: i32) -> Result<()> {
        self.check()?;
        if code <= 0 {
            return Err(Error::Invalid("the code must be positive"));
        }
        let mut access = self.enter()?;
        if !self.running.load(Acquire) {
            return Err(Error::NoRunning);
        }
        let core = access.core();
        core.interrupt = code;
        // Also when a hook calls it that runs just before a wait.
        core.poll_soon = true;
        core.turn_end = core.ready.head();
        Ok(())
    }

    /// Tells the inbox whose `call_soon` may bypass it: the running thread's,
    /// unless contexts must be captured first.
    pub(super) fn update_runner(&self) {
        let direct = self.running.load(Relaxed) && !self.has_context_hooks.load(Relaxed);
        self.inbox().set_runner(if direct { fork_generation::runner_key() } else { 0 });
    }

    pub(super) fn take_interrupt(&self) -> i32 {
        std::mem::take(&mut self.core_of_run().interrupt)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if fork_generation::raw() != self.generation {
            // The child of a fork inside a callback: this state is a copy of
            // the parent's, or was made anew since.
            return;
        }
        let event_loop = self.event_loop;
        let core = event_loop.core_of_run();
        event_loop.counters().began_turns(core.pacer.take_turns());
        event_loop.counters().publish(core);
        event_loop.counters().run_ends();
        core.current.entry = None;
        core.interrupt = 0;
        event_loop.stopping.store(false, Release);
        event_loop.running.store(false, Release);
        event_loop.update_runner();
        if self.claimed {
            event_loop.owner.store(0, Release);
        }
    }
}
