//! The event loop: asyncio's contract over the leaf structures.
//!
//! Who may touch what:
//! * `core` belongs to the thread whose id stands in `owner`. A run puts its
//!   thread there for its whole length; any other call of a loop that does not
//!   run puts its own there for the call. So two threads never meet in `core`,
//!   and a third one is told `WrongThread` (or, for `call_soon`, queues).
//! * The inbox, the wake-up, the flags and the wake hook may be used by any thread.
//! * No reference into `core` lives while foreign code runs: callbacks, hooks,
//!   destructors, clocks. They may call the loop again.
//! * After a fork the child's copy of `core` may be caught in the middle of
//!   another thread's change. Every entry checks `generation` first; only
//!   `close` and `reinit_after_fork` go on from there, knowing it.

mod access;
mod attach;
mod claims;
mod close;
mod embed;
mod exception;
mod fork;
mod hooks;
mod io_watch;
mod iterate;
mod late;
mod observe;
mod options;
mod post;
mod reference;
mod run;
mod schedule;
mod slow_callback;
mod statistics;
mod timers;

pub use access::Hold;
pub use attach::{Attachment, Detach};
pub use exception::{
    ExceptionContext, ExceptionHandler, Identity, default_exception_handler, write_stderr,
};
pub use fork::{KEEP_IO, KEEP_READY};
pub use hooks::{LoopHook, LoopHookFn, WaitHooks};
pub use late::Late;
pub use observe::{Executing, Monitor};
pub use options::{Backend, Options};
pub use reference::{Kept, LoopRef, Remote};
pub use slow_callback::{SlowCallback, SlowCallbackHook};
pub use statistics::{Longest, Statistics, StatisticsLevel};

use crate::callback::Callback;
use crate::clock::Clock;
use crate::context::ContextHooks;
use crate::error::{Error, Result};
use crate::fd_table::FdTable;
use crate::fork_generation;
use crate::handle_table::HandleTable;
use crate::inbox::Inbox;
use crate::pacer::Pacer;
use crate::reactor::Reactor;
use crate::ready_queue::{Entry, ReadyQueue};
use crate::timer_heap::TimerHeap;
use crate::wakeup::Wakeup;
use statistics::Counters;
use std::cell::UnsafeCell;
use std::fmt;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};
use std::sync::{Arc, Mutex};

/// `generation` of a closed loop; no fork generation ever gets there.
const CLOSED: u64 = u64::MAX;

/// One event loop.
pub struct EventLoop {
    /// How many references the host has.
    references: AtomicUsize,
    /// The fork generation the loop lives in, or `CLOSED`.
    generation: AtomicU64,
    /// The process of that generation.
    pid: AtomicI32,
    /// The thread that may touch `core`; 0 is none.
    owner: AtomicUsize,
    running: AtomicBool,
    /// A wait is under way: no turn may begin inside its hooks.
    waiting: AtomicBool,
    stopping: AtomicBool,
    /// Why callbacks run one by one under observation; see `statistics`.
    watching: AtomicU8,
    slow_callback_ns: AtomicU64,
    wakeup: Wakeup,
    has_wake_hook: AtomicBool,
    wake_hook: Mutex<Option<Arc<LoopHook>>>,
    /// Any thread may schedule in a context.
    has_context_hooks: AtomicBool,
    context_hooks: Mutex<Option<Arc<ContextHooks>>>,
    /// Replaced only by `reinit_after_fork`, while the process has one thread.
    inbox: UnsafeCell<Inbox>,
    clock: Clock,
    timer_slack_ns: u64,
    /// Written by the owner, read by any thread. Replaced only by
    /// `reinit_after_fork`, as the inbox.
    counters: UnsafeCell<Counters>,
    core: UnsafeCell<Core>,
}

// SAFETY: see "who may touch what" above.
unsafe impl Send for EventLoop {}
unsafe impl Sync for EventLoop {}

/// What only the owning thread touches.
struct Core {
    ready: ReadyQueue,
    /// Where this turn ends; `interrupt` moves it to the front.
    turn_end: usize,
    /// The latest reading of the clock anybody has seen: a timer at or before
    /// it is due in the next turn, without another reading.
    now: u64,
    /// Has the clock been read since the last poll?
    now_is_fresh: bool,
    interrupt: i32,
    /// A descriptor was added: poll in the next turn, as asyncio would.
    poll_soon: bool,
    /// An outer loop waits on our behalf until this deadline (embedding).
    armed: Option<u64>,
    current: Current,
    pacer: Pacer,
    handles: HandleTable,
    timers: TimerHeap,
    stale_timers: usize,
    next_sequence: u32,
    fds: FdTable,
    claims: claims::Claims,
    reactor: Option<Reactor>,
    /// The serial of the reader or writer that runs now, 0 if none does, and
    /// its callback if it was removed meanwhile: it must outlive the call.
    running_serial: u32,
    retired: Option<Callback>,
    /// Entries taken from the inbox; empty unless memory ran out.
    taken: Vec<Entry>,
    /// The inbox held more than one post when it was last taken, and the loop
    /// was not idle since.
    took_stream: bool,
    /// Under observation: the callback that ran last, for its report, and when
    /// it began.
    last_run: Option<exception::Identity>,
    began: u64,
    monitor: Option<Arc<Monitor>>,
    /// The position of the ready queue where the statistics began.
    first_counted: usize,
    hooks: hooks::Hooks,
    /// What services keep for this loop.
    attachments: Vec<attach::Attached>,
    /// What is to be scheduled as soon as there is memory.
    late: Option<std::sync::Arc<dyn Late>>,
}

/// The callback that runs now, for reports.
#[derive(Clone, Copy)]
struct Current {
    entry: Option<Entry>,
    callback: Option<(crate::callback::CallbackFn, *mut std::ffi::c_void)>,
    handle: u64,
    fd: i32,
}

impl Core {
    const fn new(seed: u32) -> Self {
        Core {
            ready: ReadyQueue::new(),
            turn_end: 0,
            now: 0,
            now_is_fresh: false,
            interrupt: 0,
            poll_soon: false,
            armed: None,
            current: Current { entry: None, callback: None, handle: 0, fd: -1 },
            pacer: Pacer::new(),
            handles: HandleTable::new(seed),
            timers: TimerHeap::new(),
            stale_timers: 0,
            next_sequence: 0,
            fds: FdTable::new(),
            claims: claims::Claims::new(),
            reactor: None,
            running_serial: 0,
            retired: None,
            taken: Vec::new(),
            took_stream: false,
            last_run: None,
            began: 0,
            monitor: None,
            first_counted: 0,
            hooks: hooks::Hooks::new(),
            attachments: Vec::new(),
            late: None,
        }
    }
}

/// Where the generations of a loop's handles begin: far from those of other
/// loops, so that a handle given to the wrong loop is stale there.
fn handle_seed() -> u32 {
    static LOOPS: AtomicU32 = AtomicU32::new(0);
    LOOPS.fetch_add(1, Relaxed).wrapping_mul(0x9E37_79B9)
}

impl EventLoop {
    /// A new loop. Kernel objects are made when it first has to wait.
    pub fn new(options: Options) -> Result<Self> {
        if !options.backend.is_supported() {
            return Err(Error::Invalid("this backend is not available on this platform"));
        }
        let generation = fork_generation::current();
        let seed = handle_seed();
        Ok(EventLoop {
            references: AtomicUsize::new(1),
            generation: AtomicU64::new(generation),
            pid: AtomicI32::new(fork_generation::pid()),
            owner: AtomicUsize::new(0),
            running: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            watching: AtomicU8::new(0),
            slow_callback_ns: AtomicU64::new(slow_callback::DEFAULT_DURATION),
            wakeup: Wakeup::new(),
            has_wake_hook: AtomicBool::new(false),
            wake_hook: Mutex::new(None),
            has_context_hooks: AtomicBool::new(false),
            context_hooks: Mutex::new(None),
            inbox: UnsafeCell::new(Inbox::new(seed)),
            clock: options.clock,
            timer_slack_ns: options.timer_slack_ns,
            counters: UnsafeCell::new(Counters::new()),
            core: UnsafeCell::new(Core::new(seed)),
        })
    }

    /// Is the loop open, and this process's own?
    #[inline(always)]
    fn check(&self) -> Result<()> {
        if self.generation.load(Relaxed) == fork_generation::raw() {
            Ok(())
        } else {
            self.why_unusable()
        }
    }

    #[cold]
    fn why_unusable(&self) -> Result<()> {
        match self.generation.load(Relaxed) {
            CLOSED => Err(Error::Closed),
            own if own == fork_generation::current() => Ok(()),
            _ => Err(Error::Forked(self.pid.load(Relaxed))),
        }
    }

    #[inline(always)]
    fn inbox(&self) -> &Inbox {
        // SAFETY: replaced only by reinit_after_fork, see there.
        unsafe { &*self.inbox.get() }
    }

    /// Was the loop inherited through fork (and not closed since)?
    pub fn is_forked(&self) -> bool {
        matches!(self.check(), Err(Error::Forked(_)))
    }

    /// Is the loop closed?
    pub fn is_closed(&self) -> bool {
        self.generation.load(Relaxed) == CLOSED
    }

    /// Does the loop run, in whatever thread? False in a forked child.
    pub fn is_running(&self) -> bool {
        self.running.load(Relaxed) && !self.is_forked()
    }

    /// Switches the checks of debug mode.
    pub fn set_debug(&self, enabled: bool) -> Result<()> {
        match self.check() {
            Err(error @ Error::Forked(_)) => Err(error),
            _ => {
                self.watch(statistics::DEBUG, enabled);
                Ok(())
            }
        }
    }

    /// Is debug mode on?
    pub fn debug(&self) -> bool {
        self.watching.load(Relaxed) & statistics::DEBUG != 0
    }

    /// A fresh reading of the loop's clock, in nanoseconds.
    pub fn time(&self) -> u64 {
        let now = self.clock.now();
        // What the host has seen, the next turn must respect: a timer set to
        // this very time is due then.
        if self.check().is_ok() && self.is_owner() {
            // SAFETY: this thread owns the core, and no foreign code runs here.
            unsafe { (*self.core.get()).saw(now) };
        }
        now
    }

    /// The host's hooks for `context=`.
    pub fn set_context_hooks(&self, hooks: Option<Arc<ContextHooks>>) -> Result<()> {
        self.check()?;
        let access = self.enter()?;
        self.has_context_hooks.store(hooks.is_some(), Relaxed);
        let mut slot = self.context_hooks.lock().unwrap_or_else(|e| e.into_inner());
        let old = std::mem::replace(&mut *slot, hooks);
        drop(slot);
        self.update_runner();
        drop(access);
        drop(old);
        Ok(())
    }
}

impl fmt::Display for EventLoop {
    /// What Python's `repr(loop)` shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let python = |value| if value { "True" } else { "False" };
        write!(
            f,
            "<coloop.EventLoop running={} closed={} debug={}>",
            python(self.is_running()),
            python(self.is_closed()),
            python(self.debug())
        )
    }
}
