//! One turn of the loop, in asyncio's order:
//!
//! 1. wait for I/O: not at all while something is ready (and then not at every
//!    turn, see `pacer`), else until the earliest deadline;
//! 2. queue what other threads posted, then the readers and writers of what is
//!    ready;
//! 3. queue what was posted since, then every timer that is due;
//! 4. run what is queued now; what that schedules belongs to the next turn.

use super::embed::shorter;
use super::late::RETRY;
use super::{Current, EventLoop};
use crate::callback::Callback;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::fork_generation;
use crate::handle_table::HandleId;
use crate::inbox::Wake;
use crate::ready_queue::{Decoded, Entry, Kind};
use std::sync::atomic::Ordering::Relaxed;

/// asyncio's limit to a single wait; it keeps every timeout representable.
const LONGEST_WAIT: u64 = 24 * 3600 * 1_000_000_000;
/// One to two microseconds on present processors.
const GATHERING_SPINS: u32 = 64;
/// Shorter waits end by the system's ordinary timeout, up to 50 µs late: where
/// timers come that densely, one wake-up for several is worth more.
const SHORT_WAIT: i64 = 100_000;

impl EventLoop {
    /// Turns until the loop is stopped. The caller holds the loop.
    pub(super) fn run_turns(&self, generation: u64) -> Result<()> {
        self.core_of_run().pacer = crate::pacer::Pacer::new();
        loop {
            let core = self.core_of_run();
            if core.ready.is_empty() || core.poll_soon || self.stopping.load(Relaxed) {
                if std::mem::take(&mut core.took_stream) {
                    self.let_posts_gather();
                }
                let timeout = self.wait_limit()?;
                self.count_turns(1);
                self.poll(timeout, generation)?;
                self.core_of_run().pacer.polled();
            } else if core.pacer.wants_look() && self.look_at_clock() {
                self.count_turns(0);
                self.core_of_run().pacer.poll_when_due();
                self.poll(0, generation)?;
            }
            // The hook after a wait may have interrupted the run.
            if self.core_of_run().interrupt != 0 {
                return Ok(());
            }
            self.collect()?;
            self.run_generation(generation)?;
            if self.stopping.load(Relaxed) || self.core_of_run().interrupt != 0 {
                return Ok(());
            }
        }
    }

    /// Counts the turns since the last poll, and as many more.
    fn count_turns(&self, more: u32) {
        self.counters().began_turns(self.core_of_run().pacer.take_turns() + more);
    }

    /// In a stream of posts a loop that is quicker than the posters would fight
    /// them for the inbox after every few. It waits a moment, so that each time
    /// there are many. Single posts, such as question and answer, do not wait.
    #[inline(never)]
    fn let_posts_gather(&self) {
        if self.inbox().is_pending() {
            for _ in 0..GATHERING_SPINS {
                std::hint::spin_loop();
            }
        }
    }

    #[cold]
    fn look_at_clock(&self) -> bool {
        let now = self.clock.now();
        self.core_of_run().pacer.is_due(now)
    }

    /// How long step 1 may wait: nanoseconds, or -1 for ever.
    pub(super) fn wait_limit(&self) -> Result<i64> {
        let core = self.core_of_run();
        if !core.ready.is_empty() || self.inbox().is_pending() || self.stopping.load(Relaxed) {
            return Ok(0);
        }
        core.ready.trim();
        self.timer_limit()
    }

    /// How long until the next timer: nanoseconds, or -1 without one.
    fn timer_limit(&self) -> Result<i64> {
        let core = self.core_of_run();
        let is_late = core.late.is_some();
        let Some(deadline) = core.next_deadline() else {
            return Ok(if is_late { RETRY } else { -1 });
        };
        if deadline <= core.now {
            return Ok(0);
        }
        let target = match self.timer_slack_ns {
            0 => deadline,
            // The slack's grid, so that neighbours share one wake-up.
            slack => deadline.div_ceil(slack).saturating_mul(slack),
        };
        let now = self.clock.now();
        self.core_of_run().saw(now);
        let limit = target.saturating_sub(now).min(LONGEST_WAIT) as i64;
        Ok(if is_late { limit.min(RETRY) } else { limit })
    }

    /// Step 1 and 2.
    #[inline(never)]
    pub(super) fn poll(&self, timeout_ns: i64, generation: u64) -> Result<()> {
        let core = self.core_of_run();
        core.poll_soon = false;
        core.now_is_fresh = false;
        self.counters().publish(core);
        let mut knows_time = false;
        if timeout_ns != 0 {
            knows_time = self.wait_blocking(timeout_ns, generation)?;
        } else if core.fds.len() != 0 {
            self.gather_events(0, None)?;
        }
        if !knows_time && !self.core_of_run().timers.is_empty() {
            let now = self.clock.now();
            self.core_of_run().saw(now);
        }
        Ok(())
    }

    /// Yields whether the clock was read after it.
    fn wait_blocking(&self, timeout_ns: i64, generation: u64) -> Result<bool> {
        self.ensure_reactor()?;
        if !self.inbox().prepare_sleep(Wake::Loop) {
            self.inbox().awake();
            return self.gather_events(0, None).map(|()| false);
        }
        // Woken before it sleeps: it does not, but the hooks look what it was woken for.
        let mut timeout_ns = if self.wakeup.take_request() { 0 } else { timeout_ns };
        let hooks = self.core_of_run().hooks.wait.clone();
        let call = |hook: Option<super::LoopHookFn>| {
            if let (Some(hook), Some(hooks)) = (hook, &hooks) {
                // SAFETY: the host's function with the host's data.
                unsafe { hook(self, hooks.user_data.get()) }
            }
        };
        self.waiting.store(true, Relaxed);
        if let Some(before) = hooks.as_ref().and_then(|hooks| hooks.before) {
            call(Some(before));
            self.check_generation(generation)?;
            // The hook may have given the loop something to do.
            let core = self.core_of_run();
            let has_work = core.poll_soon || !core.ready.is_empty();
            let limit = if has_work { 0 } else { self.timer_limit()? };
            timeout_ns = shorter(limit, timeout_ns);
        }
        // `timer_limit` has just read the clock, and the next turn needs it again.
        let is_plain = hooks.is_none() && matches!(self.clock, Clock::Monotonic);
        let core = self.core_of_run();
        let known = (is_plain && !core.timers.is_empty()).then_some(core.now);
        self.counters().wait_begins(known);
        let result = self.gather_events(timeout_ns, self.precise_end(timeout_ns));
        let ended = self.counters().wait_ends().filter(|_| is_plain);
        // A signal handler may have forked as well.
        self.check_generation(generation)?;
        self.inbox().awake();
        self.wakeup.drain();
        // Before the hook looks for news: what comes while it looks, or later, is a
        // wish of its own, for the next wait.
        self.wakeup.take_request();
        call(hooks.as_ref().and_then(|hooks| hooks.after));
        drop(hooks);
        self.check_generation(generation)?;
        self.waiting.store(false, Relaxed);
        if let Some(now) = ended {
            self.core_of_run().saw(now);
        }
        result.map(|()| ended.is_some())
    }

    /// When the wait must end on `CLOCK_MONOTONIC`, if the next timer limits it
    /// and no slack was allowed.
    fn precise_end(&self, timeout_ns: i64) -> Option<u64> {
        if timeout_ns < SHORT_WAIT { None } else { self.timer_end(timeout_ns) }
    }

    /// The same, however short the wait is.
    pub(super) fn timer_end(&self, timeout_ns: i64) -> Option<u64> {
        let may_slip = self.timer_slack_ns != 0 || timeout_ns <= 0;
        if may_slip || !matches!(self.clock, Clock::Monotonic) {
            return None;
        }
        let core = self.core_of_run();
        let deadline = core.timers.first()?.when;
        // `wait_limit` has made this equal if the timeout comes from there.
        (deadline.wrapping_sub(core.now) as i64 == timeout_ns).then_some(deadline)
    }

    /// Does a wait go on, in one of whose hooks we are?
    pub(super) fn refuse_inside_wait(&self) -> Result<()> {
        if self.waiting.load(Relaxed) { Err(Error::Running) } else { Ok(()) }
    }

    /// Is this still the process in which the run began? A child that was
    /// forked meanwhile must leave everything to the parent.
    #[inline(always)]
    fn check_generation(&self, generation: u64) -> Result<()> {
        if fork_generation::raw() == generation {
            Ok(())
        } else {
            Err(Error::Forked(self.pid.load(Relaxed)))
        }
    }

    /// Step 3.
    #[inline(always)]
    pub(super) fn collect(&self) -> Result<()> {
        let core = self.core_of_run();
        if self.inbox().is_pending() {
            let count = self.take_inbox(&mut core.ready, &mut core.taken)?;
            core.took_stream = count > 1;
        }
        if core.timers.first().is_some_and(|first| first.when <= core.now) {
            let before = core.ready.len();
            let moved = core.move_due_timers(core.now);
            self.counters().moved_timers(core.ready.len() - before);
            moved?;
        }
        if self.core_of_run().late.is_some() {
            self.try_late();
        }
        Ok(())
    }

    /// Step 4. Returns how many entries were taken.
    #[inline]
    pub(super) fn run_generation(&self, generation: u64) -> Result<u64> {
        if self.watching.load(Relaxed) != 0 {
            self.run_generation_observed(generation)
        } else {
            self.run_entries(generation, |event_loop, entry| event_loop.run_entry(entry))
        }
    }

    #[cold]
    fn run_generation_observed(&self, generation: u64) -> Result<u64> {
        self.run_entries(generation, |event_loop, entry| event_loop.run_observed(entry))
    }

    #[inline(always)]
    fn run_entries(&self, generation: u64, run: impl Fn(&Self, Entry)) -> Result<u64> {
        let core = self.core_of_run();
        core.turn_end = core.ready.tail();
        // Nobody else pops, so this stays equal to `ready.head()`.
        let first = core.ready.head();
        let mut position = first;
        loop {
            let core = self.core_of_run();
            if position == core.turn_end {
                core.current.entry = None;
                return Ok(position.wrapping_sub(first) as u64);
            }
            let entry = core.ready.pop_at(position);
            position = position.wrapping_add(1);
            core.current.entry = Some(entry);
            run(self, entry);
            if let Err(forked) = self.check_generation(generation) {
                // SAFETY: as in `core_of_run`: the child's own copy.
                unsafe { (*self.core.get()).current.entry = None };
                return Err(forked);
            }
        }
    }

    #[inline(always)]
    pub(super) fn run_entry(&self, entry: Entry) {
        match entry.decode() {
            // SAFETY: the host promised that the function may be called with its data.
            Decoded::Plain(func, data) => unsafe { func(data) },
            Decoded::Keyed(kind, key) => self.run_keyed(kind, key),
        }
    }

    #[inline(never)]
    fn run_keyed(&self, kind: Kind, key: u64) {
        match kind {
            Kind::Handle => {
                let id = HandleId(key);
                let core = self.core_of_run();
                if core.handles.state(id).is_ok() {
                    let callback = core.handles.take(id);
                    self.run_callback(callback, key);
                }
            }
            Kind::Shared => {
                let id = HandleId(key);
                if let Some(callback) = self.inbox().begin(id) {
                    self.run_callback(callback, key);
                    if !self.is_forked() {
                        self.inbox().end(id);
                    }
                }
            }
            // SAFETY: `post` made it, and an entry is popped once.
            Kind::Boxed => {
                self.run_callback(unsafe { Callback::from_raw(key as usize as *mut Callback) }, 0)
            }
            Kind::Reader | Kind::Writer => self.run_watch(kind, key),
            Kind::Stop => self.stopping.store(true, Relaxed),
        }
    }

    #[inline]
    fn run_callback(&self, callback: Callback, handle: u64) {
        self.core_of_run().current = Current {
            callback: Some(callback.parts()),
            handle,
            fd: -1,
            ..self.core_of_run().current
        };
        self.about_to_run(self.core_of_run());
        callback.call();
        // SAFETY: as in `core_of_run`; also in a child that was forked inside.
        unsafe { (*self.core.get()).current.callback = None };
        drop(callback);
    }
}
