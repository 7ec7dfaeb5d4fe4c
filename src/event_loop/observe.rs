//! Running callbacks one by one under observation: for debug mode, for the
//! statistics' longest callback, for a monitor in another thread.

use super::exception::Identity;
use super::statistics::{DEBUG, LONGEST, MONITOR};
use super::{Core, EventLoop};
use crate::clock::Clock;
use crate::error::Result;
use crate::fork_generation;
use crate::ready_queue::{Decoded, Entry};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard};

/// Shows another thread which callback runs. A lock, because what is shown is
/// several words; taken for a few instructions by either side.
pub struct Monitor(Mutex<Shown>);

#[derive(Default)]
struct Shown {
    serial: u64,
    executing: Option<Executing>,
}

/// A callback that runs now.
#[derive(Clone, Copy)]
pub struct Executing {
    /// Tells it from all others of this monitor.
    pub serial: u64,
    /// Which it is.
    pub identity: Identity,
    /// When it began, on `CLOCK_MONOTONIC`.
    pub began: u64,
}

// SAFETY: the pointers are identities, which nobody follows.
unsafe impl Send for Shown {}

impl Monitor {
    /// A monitor that has not seen anything.
    pub fn new() -> Self {
        Monitor(Mutex::new(Shown::default()))
    }

    /// What runs at this moment.
    pub fn executing(&self) -> Option<Executing> {
        self.lock().executing
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn begin(&self, identity: Identity, began: u64) {
        let mut shown = self.lock();
        shown.serial += 1;
        shown.executing = Some(Executing { serial: shown.serial, identity, began });
    }

    fn end(&self) {
        self.lock().executing = None;
    }
}

impl Default for Monitor {
    fn default() -> Self {
        Monitor::new()
    }
}

impl EventLoop {
    /// Shows every callback to a monitor, or to none any more, from the next
    /// turn on.
    pub fn set_monitor(&self, monitor: Option<Arc<Monitor>>) -> Result<()> {
        self.check()?;
        let mut access = self.enter()?;
        self.watch(MONITOR, monitor.is_some());
        let old = std::mem::replace(&mut access.core().monitor, monitor);
        drop(access);
        drop(old);
        Ok(())
    }

    /// A callback that `current` describes is about to be called.
    #[inline(always)]
    pub(super) fn about_to_run(&self, core: &mut Core) {
        if self.watching.load(Relaxed) != 0 {
            self.show(core);
        }
    }

    #[cold]
    fn show(&self, core: &mut Core) {
        core.last_run = core.identity();
        if let (Some(monitor), Some(identity)) = (&core.monitor, core.last_run) {
            monitor.begin(identity, core.began);
        }
    }

    /// `run_entry` with an eye on it.
    pub(super) fn run_observed(&self, entry: Entry) {
        let watching = self.watching.load(Relaxed);
        // The loop's clock may be the host's: asked where it was before.
        let by_loop = if watching & DEBUG != 0 { self.clock.now() } else { 0 };
        let began = Clock::Monotonic.now();
        let core = self.core_of_run();
        core.current.callback = None;
        core.last_run = None;
        core.began = began;
        // Who watches a loop that hangs wants to know what waits in it.
        self.counters().began_turns(core.pacer.take_turns());
        self.counters().publish(core);
        if let Decoded::Plain(..) = entry.decode() {
            self.show(core);
        }
        self.run_entry(entry);
        if fork_generation::raw() != self.generation.load(Relaxed) {
            return;
        }
        let core = self.core_of_run();
        if let Some(monitor) = &core.monitor {
            monitor.end();
        }
        let Some(identity) = core.last_run else { return };
        if watching & LONGEST != 0 {
            let duration = Clock::Monotonic.now().saturating_sub(began);
            self.counters().took(identity, duration);
        }
        if watching & DEBUG != 0 {
            self.report_if_slow(identity, self.clock.now().saturating_sub(by_loop));
        }
    }
}
