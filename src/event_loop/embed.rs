//! A loop inside another loop: one turn on request, its three steps one by one,
//! and what a host needs in order to wait in our stead.

use super::EventLoop;
use crate::error::{Error, Result};
use crate::inbox::Wake;
use crate::platform::fd::RawFd;
use std::sync::atomic::Ordering::{Relaxed, Release};

impl EventLoop {
    /// One turn: waits at most `timeout_ns` (negative: as long as it takes) for
    /// something to do, and does it. Returns how many callbacks were taken, or
    /// what `interrupt` was given as an error of its own kind.
    pub fn run_once(&self, timeout_ns: i64) -> Result<u64> {
        let run = self.begin_run()?;
        let limit = self.wait_limit()?;
        self.poll(shorter(limit, timeout_ns), run.generation)?;
        self.finish_turn(run.generation)
    }

    /// Prepares for a wait by the host: how long it may wait on `backend_fd`,
    /// in nanoseconds, or -1 for ever. From now on a post makes the descriptor
    /// readable, and so does anything that must happen sooner.
    pub fn prepare(&self) -> Result<i64> {
        self.check()?;
        if self.running.load(Relaxed) {
            return Err(Error::Running);
        }
        let mut access = self.enter()?;
        self.refuse_inside_wait()?;
        self.ensure_reactor()?;
        let mut limit = self.wait_limit()?;
        if limit != 0 && (!self.inbox().prepare_sleep(Wake::Host) || self.wakeup.take_request()) {
            limit = 0;
        }
        if let Some(until) = self.timer_end(limit)
            && let Some(reactor) = &mut access.core().reactor
        {
            // Most hosts count in milliseconds.
            reactor.set_deadline(until);
        }
        let core = access.core();
        core.armed = match limit {
            0 => None,
            1.. => core.next_deadline(),
            _ => Some(u64::MAX),
        };
        Ok(limit)
    }

    /// Collects what is ready, waiting at most `timeout_ns`: how many readers
    /// and writers were queued.
    pub fn poll_once(&self, timeout_ns: i64) -> Result<u64> {
        self.check()?;
        if self.running.load(Relaxed) {
            return Err(Error::Running);
        }
        let mut access = self.enter()?;
        self.refuse_inside_wait()?;
        let before = access.core().ready.len();
        access.core().armed = None;
        self.inbox().awake();
        let limit = self.wait_limit()?;
        self.ensure_reactor()?;
        match shorter(limit, timeout_ns) {
            0 => {
                // Also takes the wake-up's edge, which made the host call.
                self.wakeup.take_request();
                self.gather_events(0, None)?;
                self.wakeup.drain();
            }
            timeout_ns => self.poll(timeout_ns, self.generation.load(Relaxed))?,
        }
        access.core().now_is_fresh = false;
        Ok((access.core().ready.len() - before) as u64)
    }

    /// Queues what was posted and what is due, then runs one generation: how
    /// many callbacks were taken.
    pub fn dispatch(&self) -> Result<u64> {
        let run = self.begin_run()?;
        if !self.core_of_run().timers.is_empty() {
            let now = self.clock.now();
            self.core_of_run().saw(now);
        }
        self.finish_turn(run.generation)
    }

    fn finish_turn(&self, generation: u64) -> Result<u64> {
        self.counters().began_turns(1);
        let mut count = 0;
        // The hook after a wait may have interrupted the turn.
        if self.core_of_run().interrupt == 0 {
            self.collect()?;
            count = self.run_generation(generation)?;
        }
        self.stopping.store(false, Release);
        self.take_interrupt();
        Ok(count)
    }

    /// The descriptor that becomes readable when the loop has something to do.
    pub fn backend_fd(&self) -> Result<RawFd> {
        self.check()?;
        let mut access = self.enter()?;
        self.ensure_reactor()?;
        access.core().reactor.as_ref().ok_or(Error::Internal)?.backend_fd()
    }

    /// The earliest deadline, if there is a timer.
    pub fn next_deadline(&self) -> Result<Option<u64>> {
        self.check()?;
        Ok(self.enter()?.core().next_deadline())
    }
}

/// The shorter of two waits, of which a negative one has no limit.
pub(super) fn shorter(one: i64, other: i64) -> i64 {
    match (one < 0, other < 0) {
        (true, _) => other.max(-1),
        (_, true) => one,
        _ => one.min(other),
    }
}
