//! A thread that tells of callbacks which hold their loop up, while they do.
//!
//! While a watchdog is there, the loop shows what it runs to a `Monitor`. The
//! thread looks at it once in each threshold, and more precisely while something
//! runs: so a callback is reported when it has taken just as long, and a loop
//! that waits never is.
//!
//! Who may touch what: the loop's side (`Watchdog`) is in a `LoopCell`; the
//! thread has its own values and shares `Shared` alone, whose mutex guards the
//! order to stop. The host's data belongs to the loop's side, which gives it up
//! when the thread has ended, or leaves it to the thread where that is the one
//! that closes the loop. A forked child has no such thread and never waits for it.

use crate::callback::{Callback, CallbackFn, UserData};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop, Executing, Kept, Monitor, write_stderr};
use crate::fork_generation;
use crate::loop_cell::LoopCell;
use crate::memory::try_arc;
use crate::platform;
use crate::text::Text;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is known of a callback that takes long; the C struct of the same name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Report {
    /// `sizeof` of this struct, as the library knows it.
    pub size: usize,
    /// The callback.
    pub callback: Option<CallbackFn>,
    /// Its user data: an identity only.
    pub user_data: *mut c_void,
    /// Its handle, or 0.
    pub handle: u64,
    /// The descriptor it was called for, or -1.
    pub fd: c_int,
    /// How many reports of this call came before.
    pub earlier: u32,
    /// How long it has run, in nanoseconds.
    pub duration_ns: u64,
}

/// Whom to tell.
pub type ReportFn = unsafe extern "C-unwind" fn(*const EventLoop, *const Report, *mut c_void);

/// No shorter pauses: a tiny threshold shall not burn a processor.
const SHORTEST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Starts watching; a watchdog from before is replaced.
pub fn start(
    event_loop: &EventLoop,
    threshold_ns: u64,
    report: Option<ReportFn>,
    user_data: UserData,
) -> Result<()> {
    if threshold_ns == 0 {
        return Err(Error::Invalid("threshold_ns must be positive"));
    }
    event_loop.check_open()?;
    let watchdogs = event_loop.attachment(|| {
        Ok(Watchdogs { event_loop: event_loop.keep(), present: LoopCell::new(None) })
    })?;
    let monitor = try_arc(Monitor::new())?;
    let state = State { stop: false, leftover: None };
    let shared = try_arc(Shared { state: Mutex::new(state), changed: Condvar::new() })?;
    let watcher = Watcher {
        event_loop: event_loop.keep(),
        shared: shared.clone(),
        monitor: monitor.clone(),
        threshold_ns,
        report,
        data: user_data.get(),
        generation: fork_generation::current(),
    };
    let builder = std::thread::Builder::new().name("coloop-watchdog".into());
    let thread = platform::thread::spawn(builder, move || watcher.watch())?;
    let new = Watchdog { shared, thread: Some(thread), user_data: Some(user_data) };
    // Before anything ends: the old watchdog's data is the host's.
    let mut new = Some(new);
    event_loop.set_monitor(Some(monitor))?;
    let old = watchdogs.with(|present| std::mem::replace(present, new.take()));
    match old {
        Some(old) => drop(old),
        None => {
            event_loop.set_monitor(None)?;
            return Err(Error::WrongThread);
        }
    }
    Ok(())
}

/// Stops watching: was there a watchdog? In its own report it ends with it.
pub fn stop(event_loop: &EventLoop) -> Result<bool> {
    match event_loop.check_open() {
        Err(Error::Closed) => return Ok(false),
        result => result?,
    }
    if let Some(shared) = own_shared(event_loop) {
        return Ok(stop_inside_report(event_loop, &shared));
    }
    event_loop.set_monitor(None)?;
    let Some(watchdogs) = event_loop.find_attachment::<Watchdogs>() else { return Ok(false) };
    let present = watchdogs.with(|present| present.take()).and_then(|present| present);
    let stopped = present.is_some();
    drop(present);
    Ok(stopped)
}

/// The thread cannot wait for itself: it ends after the report, and the loop
/// clears up when it gets to it.
fn stop_inside_report(event_loop: &EventLoop, shared: &Arc<Shared>) -> bool {
    if std::mem::replace(&mut shared.lock().stop, true) {
        return false;
    }
    let (kept, shared) = (event_loop.keep(), shared.clone());
    let clear_up = Callback::once(move || {
        let Some(watchdogs) = kept.find_attachment::<Watchdogs>() else { return };
        let is_same = |dog: &mut Watchdog| Arc::ptr_eq(&dog.shared, &shared);
        let present = watchdogs.with(|present| present.take_if(is_same)).and_then(|dog| dog);
        if present.is_some() {
            let _ = kept.set_monitor(None);
        }
    });
    if let Ok(clear_up) = clear_up {
        // On failure the next stop or the close clears up.
        let _ = event_loop.call_soon_threadsafe(clear_up, false);
    }
    true
}

/// What a loop keeps: one watchdog at most.
struct Watchdogs {
    event_loop: Kept,
    present: LoopCell<Option<Watchdog>>,
}

impl Watchdogs {
    /// Runs `body` on the slot, if the loop can be held. Nothing foreign may run
    /// in it.
    fn with<R>(&self, body: impl FnOnce(&mut Option<Watchdog>) -> R) -> Option<R> {
        let _hold = self.event_loop.hold().ok()?;
        // SAFETY: the loop is held.
        Some(unsafe { self.present.with(body) })
    }
}

impl Attachment for Watchdogs {
    fn detached(&self, why: Detach) {
        let Some(Some(mut watchdog)) = self.with(|present| present.take()) else { return };
        if why != Detach::Closed {
            // The thread is the parent's. Its handle means nothing here.
            std::mem::forget(watchdog.thread.take());
        }
        drop(watchdog);
    }
}

/// A watchdog as its loop knows it. Dropped, it ends.
struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    user_data: Option<UserData>,
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.lock().stop = true;
        if is_own(&self.shared) {
            // Inside its own report: what that uses must outlive it.
            self.shared.lock().leftover = self.user_data.take();
        } else {
            self.shared.changed.notify_all();
            let _ = thread.join();
        }
    }
}

/// What both sides use.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    stop: bool,
    /// What the thread has to destroy at its end.
    leftover: Option<UserData>,
}

// SAFETY: the host's data, which it gave for use by the watchdog's thread.
unsafe impl Send for State {}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

thread_local! {
    /// In a watchdog's thread: what it shares with its loop, and the loop.
    static OWN: Cell<Option<(*const Shared, *const EventLoop)>> = const { Cell::new(None) };
}

fn is_own(shared: &Arc<Shared>) -> bool {
    OWN.get().is_some_and(|(own, _)| own == Arc::as_ptr(shared))
}

/// In the thread of this loop's watchdog: what it shares.
fn own_shared(event_loop: &EventLoop) -> Option<Arc<Shared>> {
    let (shared, own) = OWN.get()?;
    if !std::ptr::eq(own, event_loop) {
        return None;
    }
    // SAFETY: the thread holds it as long as `OWN` says so.
    unsafe {
        Arc::increment_strong_count(shared);
        Some(Arc::from_raw(shared))
    }
}

/// The thread's own values.
struct Watcher {
    event_loop: Kept,
    shared: Arc<Shared>,
    monitor: Arc<Monitor>,
    threshold_ns: u64,
    report: Option<ReportFn>,
    data: *mut c_void,
    generation: u64,
}

// SAFETY: the host gave function and data for use in this thread; the rest may
// be used by any.
unsafe impl Send for Watcher {}

/// The call that was reported last.
struct Reported {
    serial: u64,
    times: u32,
    next_ns: u64,
}

impl Watcher {
    fn watch(self) {
        OWN.set(Some((Arc::as_ptr(&self.shared), &raw const *self.event_loop)));
        let mut reported = Reported { serial: 0, times: 0, next_ns: 0 };
        let mut state = self.shared.lock();
        while !state.stop {
            let mut pause_ns = self.threshold_ns;
            if let Some(executing) = self.monitor.executing() {
                if executing.serial != reported.serial {
                    let serial = executing.serial;
                    reported = Reported { serial, times: 0, next_ns: self.threshold_ns };
                }
                let duration_ns = Clock::Monotonic.now().saturating_sub(executing.began);
                if duration_ns >= reported.next_ns {
                    drop(state);
                    self.tell(&executing, duration_ns, reported.times);
                    if fork_generation::raw() != self.generation {
                        // A child forked in the report: all of this is a copy.
                        std::mem::forget(self);
                        return;
                    }
                    reported.times = reported.times.saturating_add(1);
                    while reported.next_ns <= duration_ns {
                        reported.next_ns = reported.next_ns.saturating_mul(2);
                    }
                    state = self.shared.lock();
                    continue;
                }
                pause_ns = reported.next_ns - duration_ns;
            }
            let pause = Duration::from_nanos(pause_ns).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            state =
                self.shared.changed.wait_timeout(state, pause).unwrap_or_else(|e| e.into_inner()).0;
        }
        let leftover = state.leftover.take();
        drop(state);
        OWN.set(None);
        drop(leftover);
    }

    fn tell(&self, executing: &Executing, duration_ns: u64, earlier: u32) {
        let (callback, user_data, handle, fd) = executing.identity;
        let size = size_of::<Report>();
        let callback_of = Some(callback);
        let report =
            Report { size, callback: callback_of, user_data, handle, fd, earlier, duration_ns };
        match self.report {
            // SAFETY: the host's function with the host's data, which outlives
            // this thread's reports.
            Some(func) => unsafe { func(&*self.event_loop, &report, self.data) },
            None => write_stderr(Text::of(format_args!(
                "Executing <callback {:p} user_data={:p} handle={:#x} fd={}> is taking longer than {:.3} seconds",
                callback as *const (),
                user_data,
                handle,
                fd,
                duration_ns as f64 / 1e9
            ))),
        }
    }
}
