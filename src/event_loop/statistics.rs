//! What a loop counts of itself, for whoever asks, in whatever thread.
//!
//! The thread that owns the loop is the only one that writes; it loads and
//! stores without further order, so counting needs no lock and no instruction
//! that locks the bus. Nothing is counted for each callback: turns and callbacks
//! are known from the pacer's count and from the ready queue's position, which
//! are published whenever the loop polls and when a run ends.

use super::exception::Identity;
use super::{Core, EventLoop};
use crate::callback::CallbackFn;
use crate::clock::Clock;
use crate::error::Result;
use crate::published::Published;
use crate::stopwatch::Stopwatch;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

/// `watching`: debug mode.
pub(super) const DEBUG: u8 = 1;
/// `watching`: every callback's time is measured for the statistics.
pub(super) const LONGEST: u8 = 2;
/// `watching`: every callback is shown to a monitor.
pub(super) const MONITOR: u8 = 4;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum StatisticsLevel {
    /// Only what can be counted for nothing.
    Counts = 0,
    /// Also the time spent waiting and running.
    Times = 1,
    /// Also the time of each callback.
    Callbacks = 2,
}

/// What was counted.
#[derive(Clone, Copy, Default)]
pub struct Statistics {
    /// Turns begun.
    pub turns: u64,
    /// Waits that could block.
    pub waits: u64,
    /// Callbacks taken from the queue to run.
    pub callbacks: u64,
    /// Readers and writers found ready.
    pub io_events: u64,
    /// Timers that came due.
    pub timers: u64,
    /// Callbacks taken that other threads posted.
    pub posts: u64,
    /// Nanoseconds of runs, less those of waits.
    pub busy_ns: u64,
    /// Nanoseconds of waits.
    pub wait_ns: u64,
    /// Callbacks that are ready.
    pub ready_now: u64,
    /// Timers that wait.
    pub timers_now: u64,
    /// Posts that wait.
    pub posts_now: u64,
    /// Descriptors that are watched.
    pub fds_now: u64,
    /// The longest callback.
    pub longest: Option<Longest>,
}

/// The callback that took longest.
#[derive(Clone, Copy)]
pub struct Longest {
    /// How long.
    pub duration_ns: u64,
    /// Which.
    pub identity: Identity,
}

/// The counters of one loop, apart from what other threads read all the time.
#[repr(align(64))]
pub(super) struct Counters {
    turns: AtomicU64,
    waits: AtomicU64,
    callbacks: AtomicU64,
    io_events: AtomicU64,
    timers: AtomicU64,
    posts: AtomicU64,
    ready_now: AtomicU64,
    timers_now: AtomicU64,
    fds_now: AtomicU64,
    running: Stopwatch,
    waiting: Stopwatch,
    level: AtomicU8,
    /// Duration, function, data, handle, descriptor.
    longest: Published<5>,
    /// The longest one is looked for anew.
    forget_longest: AtomicBool,
}

#[inline(always)]
fn add(counter: &AtomicU64, count: usize) {
    counter.store(counter.load(Relaxed).wrapping_add(count as u64), Relaxed);
}

impl Counters {
    pub(super) fn new() -> Self {
        const ZERO: AtomicU64 = AtomicU64::new(0);
        Counters {
            turns: ZERO,
            waits: ZERO,
            callbacks: ZERO,
            io_events: ZERO,
            timers: ZERO,
            posts: ZERO,
            ready_now: ZERO,
            timers_now: ZERO,
            fds_now: ZERO,
            running: Stopwatch::new(),
            waiting: Stopwatch::new(),
            level: AtomicU8::new(StatisticsLevel::Counts as u8),
            longest: Published::new(),
            forget_longest: AtomicBool::new(false),
        }
    }

    #[inline(always)]
    pub(super) fn took_posts(&self, count: usize) {
        add(&self.posts, count);
    }

    #[inline(always)]
    pub(super) fn saw_events(&self, count: usize) {
        add(&self.io_events, count);
    }

    #[inline(always)]
    pub(super) fn moved_timers(&self, count: usize) {
        add(&self.timers, count);
    }

    pub(super) fn began_turns(&self, count: u32) {
        add(&self.turns, count as usize);
    }

    /// Shows other threads how far the queue has come.
    #[inline(always)]
    pub(super) fn publish(&self, core: &Core) {
        let taken = core.ready.head().wrapping_sub(core.first_counted);
        self.callbacks.store(taken as u64, Relaxed);
        self.ready_now.store(core.ready.len() as u64, Relaxed);
        self.timers_now.store((core.timers.len() - core.stale_timers) as u64, Relaxed);
        self.fds_now.store(core.fds.len() as u64, Relaxed);
    }

    fn takes_times(&self) -> bool {
        self.level.load(Relaxed) != StatisticsLevel::Counts as u8
    }

    pub(super) fn run_begins(&self) {
        if self.takes_times() {
            self.running.start(Clock::Monotonic.now());
        }
    }

    pub(super) fn run_ends(&self) {
        self.running.stop(|| Clock::Monotonic.now());
    }

    /// A wait begins. `known` is the time, if the caller has just read it.
    #[inline(always)]
    pub(super) fn wait_begins(&self, known: Option<u64>) {
        add(&self.waits, 1);
        if self.takes_times() {
            let now = known.unwrap_or_else(|| Clock::Monotonic.now());
            // Unless the level was raised in the middle of a run, it is on.
            self.running.start(now);
            self.waiting.start(now);
        }
    }

    /// It has ended: the time, if it was read.
    #[inline(always)]
    pub(super) fn wait_ends(&self) -> Option<u64> {
        let now = self.waiting.stop(|| Clock::Monotonic.now())?;
        if !self.takes_times() {
            self.running.stop(|| Clock::Monotonic.now());
        }
        Some(now)
    }

    /// A callback took that long, by a measured run.
    pub(super) fn took(&self, identity: Identity, duration_ns: u64) {
        let forgotten = self.forget_longest.swap(false, Relaxed);
        // Nobody else writes, so there is always something to read.
        let known = self.longest.read().map_or(0, |words| words[0]);
        if forgotten || known < duration_ns {
            let (func, data, handle, fd) = identity;
            let words = [duration_ns, func as usize as u64, data as u64, handle, fd as u32 as u64];
            self.longest.write(words);
        }
    }

    /// The longest callback, as far as it is known.
    fn longest(&self) -> Option<Longest> {
        let [duration_ns, func, data, handle, fd] = self.longest.read()?;
        if func == 0 || self.forget_longest.load(Relaxed) {
            return None;
        }
        // SAFETY: `took` has written the address of such a function, and the
        // words of one writing are read together.
        let func = unsafe { std::mem::transmute::<usize, CallbackFn>(func as usize) };
        let identity = (func, data as usize as *mut c_void, handle, fd as u32 as i32);
        Some(Longest { duration_ns, identity })
    }

    /// New counters that count as much as these.
    pub(super) fn successor(&self) -> Self {
        Counters { level: AtomicU8::new(self.level.load(Relaxed)), ..Counters::new() }
    }
}

impl EventLoop {
    #[inline(always)]
    pub(super) fn counters(&self) -> &Counters {
        // SAFETY: replaced only by reinit_after_fork, see there.
        unsafe { &*self.counters.get() }
    }

    /// What was counted so far. On the loop's own thread exactly; elsewhere as
    /// of the last poll.
    pub fn statistics(&self) -> Statistics {
        let forked = self.is_forked();
        let closed = self.is_closed();
        if !forked && !closed && self.is_owner() {
            // SAFETY: this thread owns the core, and no foreign code runs here.
            let core = unsafe { &mut *self.core.get() };
            self.counters().began_turns(core.pacer.take_turns());
            self.counters().publish(core);
        }
        let counters = self.counters();
        let wait_ns = counters.waiting.read(|| Clock::Monotonic.now());
        let now = |depth: &AtomicU64| if closed { 0 } else { depth.load(Relaxed) };
        Statistics {
            turns: counters.turns.load(Relaxed),
            waits: counters.waits.load(Relaxed),
            callbacks: counters.callbacks.load(Relaxed),
            io_events: counters.io_events.load(Relaxed),
            timers: counters.timers.load(Relaxed),
            posts: counters.posts.load(Relaxed),
            busy_ns: counters.running.read(|| Clock::Monotonic.now()).saturating_sub(wait_ns),
            wait_ns,
            ready_now: now(&counters.ready_now),
            timers_now: now(&counters.timers_now),
            posts_now: if forked { 0 } else { self.inbox().len() as u64 },
            fds_now: now(&counters.fds_now),
            longest: counters.longest(),
        }
    }

    /// Sets how much is measured from now on; the longest callback is looked
    /// for anew.
    pub fn set_statistics_level(&self, level: StatisticsLevel) -> Result<()> {
        self.check()?;
        self.counters().level.store(level as u8, Relaxed);
        self.watch(LONGEST, level >= StatisticsLevel::Callbacks);
        self.counters().forget_longest.store(true, Relaxed);
        Ok(())
    }

    /// Switches one of the reasons to run callbacks one by one.
    pub(super) fn watch(&self, reason: u8, on: bool) {
        if on {
            self.watching.fetch_or(reason, Relaxed);
        } else {
            self.watching.fetch_and(!reason, Relaxed);
        }
    }
}
