//! Futures for threads: what `run_coroutine_threadsafe` returns. Any thread may
//! wait for one, cancel it, or end one of its own; chains join it to a future of
//! a loop in both directions.
//!
//! State and callbacks are behind one mutex, which is never held while foreign
//! code runs. A copy in a forked child answers `Forked` and is never locked.

mod wrap;

pub use wrap::wrap;

use crate::callback::{Callback, DestroyFn, UserData};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::fork_generation;
use crate::memory::{copy_text, try_arc, try_box};
use crate::services::future::{Failure, Future, Outcome};
use std::ffi::{CStr, CString, c_void};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

/// How it ended; shared with whoever asks.
#[derive(Clone)]
pub enum End {
    /// With a result.
    Result(Arc<UserData>),
    /// With a failure.
    Failed(Arc<Failure>),
    /// With a failure of which there is only the code.
    Code(i32),
    /// Cancelled.
    Cancelled(Option<Arc<CString>>),
}

// SAFETY: what a host puts into a thread's future is meant for other threads.
unsafe impl Send for End {}
unsafe impl Sync for End {}

/// Told on the thread that ends the future, or at once if it is done.
pub type ConcurrentDoneFn = unsafe extern "C-unwind" fn(*const Concurrent, *mut c_void);

pub(super) enum Listener {
    Host(ConcurrentDoneFn, UserData),
    Service(Box<dyn FnOnce(&Arc<Concurrent>) + Send>),
}

// SAFETY: as for `End`.
unsafe impl Send for Listener {}

/// Is told of a cancellation, with its message.
type Canceller = Box<dyn FnOnce(Option<Arc<CString>>) + Send>;

/// A future for threads.
pub struct Concurrent {
    generation: u64,
    pid: i32,
    state: Mutex<State>,
    done: Condvar,
}

struct State {
    end: Option<End>,
    /// How it ends if whoever is to end it lets go of it.
    orphaned: Error,
    listeners: Vec<Listener>,
    /// Cancels what is to end this.
    canceller: Option<Canceller>,
}

impl End {
    /// 0, or the code of a failure or cancellation.
    pub fn code(&self) -> i32 {
        match self {
            End::Result(_) => 0,
            End::Failed(failure) => failure.code,
            End::Code(code) => *code,
            End::Cancelled(_) => Error::Cancelled.code(),
        }
    }

    /// Its text.
    pub fn message(&self) -> Option<&CStr> {
        match self {
            End::Result(_) | End::Code(_) => None,
            End::Failed(failure) => failure.message.as_deref(),
            End::Cancelled(message) => message.as_ref().map(|text| text.as_c_str()),
        }
    }

    /// How the host destroys its part of this: a result, or what it attached to a
    /// failure.
    pub fn destroy_fn(&self) -> Option<DestroyFn> {
        match self {
            End::Result(data) => data.destroy_fn(),
            End::Failed(failure) => failure.payload.destroy_fn(),
            End::Code(_) | End::Cancelled(_) => None,
        }
    }

    fn of(outcome: Outcome) -> Result<End> {
        Ok(match outcome {
            Outcome::Result(data) => End::Result(try_arc(data)?),
            Outcome::Shared(data) => End::Result(data),
            Outcome::Failed(failure) => End::Failed(failure),
            Outcome::Code(code) => End::Code(code),
            // Without memory it is cancelled without a text.
            Outcome::Cancelled(message) => {
                End::Cancelled(message.and_then(|text| try_arc(text).ok()))
            }
        })
    }

    pub(super) fn into_outcome(self) -> Outcome {
        match self {
            End::Result(data) => Outcome::Shared(data),
            End::Failed(failure) => Outcome::Failed(failure),
            End::Code(code) => Outcome::Code(code),
            End::Cancelled(message) => {
                Outcome::Cancelled(message.and_then(|text| copy_text(&text).ok()))
            }
        }
    }
}

impl Concurrent {
    /// A pending one.
    pub fn new() -> Result<Arc<Concurrent>> {
        try_arc(Concurrent {
            generation: fork_generation::current(),
            pid: fork_generation::pid(),
            state: Mutex::new(State {
                end: None,
                orphaned: Error::Closed,
                listeners: Vec::new(),
                canceller: None,
            }),
            done: Condvar::new(),
        })
    }

    fn lock(&self) -> Result<MutexGuard<'_, State>> {
        if self.generation != fork_generation::current() {
            return Err(Error::Forked(self.pid));
        }
        Ok(self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Result<Option<End>> {
        Ok(self.lock()?.end.clone())
    }

    /// Waits for the end, at most `timeout_ns` (none: for ever). A wait that is
    /// over cancels nothing.
    pub fn wait(&self, timeout_ns: Option<u64>) -> Result<End> {
        let mut state = self.lock()?;
        let deadline =
            timeout_ns.and_then(|ns| Instant::now().checked_add(Duration::from_nanos(ns)));
        loop {
            if let Some(end) = &state.end {
                return Ok(end.clone());
            }
            let Some(deadline) = deadline else {
                state = self.done.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Sys(libc::ETIMEDOUT));
            }
            let waited = self.done.wait_timeout(state, left);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    /// Ends it. The end is dropped if it has one already.
    pub fn finish(self: &Arc<Self>, end: End) -> Result<()> {
        match self.end_with(end)? {
            true => Ok(()),
            false => Err(Error::InvalidState("invalid state")),
        }
    }

    /// Ends it as an outcome of a loop's future says.
    pub fn finish_with(self: &Arc<Self>, outcome: Outcome) -> Result<()> {
        self.finish(End::of(outcome)?)
    }

    /// Cancels it, and what it is chained to. False if it is done.
    pub fn cancel(self: &Arc<Self>, message: Option<&CStr>) -> Result<bool> {
        // Without memory it is cancelled without a text.
        let message = message.and_then(|text| try_arc(copy_text(text).ok()?).ok());
        self.end_with(End::Cancelled(message))
    }

    /// False if it has an end already.
    fn end_with(self: &Arc<Self>, end: End) -> Result<bool> {
        let message = match &end {
            End::Cancelled(message) => Some(message.clone()),
            _ => None,
        };
        let mut state = self.lock()?;
        if state.end.is_some() {
            drop(state);
            drop(end);
            return Ok(false);
        }
        state.end = Some(end);
        let listeners = std::mem::take(&mut state.listeners);
        // With the end, so that one of two calls knows of the other.
        let canceller = state.canceller.take();
        drop(state);
        self.done.notify_all();
        match (canceller, message) {
            (Some(canceller), Some(message)) => canceller(message),
            (canceller, _) => drop(canceller),
        }
        for listener in listeners {
            self.tell(listener);
        }
        Ok(true)
    }

    /// False if it has an end already.
    fn set_canceller(&self, canceller: Canceller) -> Result<bool> {
        let mut state = self.lock()?;
        if state.end.is_some() {
            drop(state);
            return Ok(false);
        }
        let old = state.canceller.replace(canceller);
        drop(state);
        drop(old);
        Ok(true)
    }

    /// Tells the host of the end, now or later.
    pub fn add_done_callback(
        self: &Arc<Self>,
        func: ConcurrentDoneFn,
        user_data: UserData,
    ) -> Result<()> {
        self.listen(Listener::Host(func, user_data))
    }

    pub(super) fn listen(self: &Arc<Self>, listener: Listener) -> Result<()> {
        let mut listener = Some(listener);
        let mut state = self.lock()?;
        if state.end.is_none() {
            state.listeners.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
            state.listeners.extend(listener.take());
        }
        drop(state);
        if let Some(listener) = listener {
            self.tell(listener);
        }
        Ok(())
    }

    fn tell(self: &Arc<Self>, listener: Listener) {
        match listener {
            // SAFETY: the host's function with the host's data.
            Listener::Host(func, data) => unsafe { func(Arc::as_ptr(self), data.get()) },
            Listener::Service(func) => func(self),
        }
    }

    /// Says how it ends if whoever is to end it lets go of it.
    fn set_orphaned(&self, error: Error) {
        if let Ok(mut state) = self.lock() {
            state.orphaned = error;
        }
    }

    /// Nobody will end it any more: its loop was closed.
    fn orphaned(self: &Arc<Self>) {
        if let Ok(state) = self.lock() {
            let error = state.orphaned;
            drop(state);
            self.finish_somehow(Ok(Outcome::error(error)));
        }
    }

    /// Ends it as an outcome says; without memory for that, by the code that
    /// says so.
    fn finish_somehow(self: &Arc<Self>, outcome: Result<Outcome>) {
        let end = outcome.and_then(End::of).unwrap_or_else(|error| End::Code(error.code()));
        let _ = self.finish(end);
    }
}

/// Ends a thread's future by `Closed` if it is dropped undone: whatever held it
/// will not run.
struct Promise(Arc<Concurrent>);

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.orphaned();
    }
}

/// Runs `start` on the loop's thread, in the caller's present context; the future
/// it yields (none: done at once) ends the one that is returned here, and is
/// cancelled with it.
pub fn submit(
    event_loop: &EventLoop,
    start: impl FnOnce(&EventLoop) -> Result<Option<Arc<Future>>> + 'static,
) -> Result<Arc<Concurrent>> {
    event_loop.check_open()?;
    let concurrent = Concurrent::new()?;
    let promise = Promise(concurrent.clone());
    let kept = event_loop.remote();
    let callback = Callback::once(move || {
        if promise.0.end().is_ok_and(|end| end.is_some()) {
            // Cancelled before it began.
            return;
        }
        match start(&kept) {
            Ok(Some(future)) => chain(&future, promise),
            Ok(None) => promise.0.finish_somehow(Ok(Outcome::number(0))),
            Err(error) => promise.0.finish_somehow(Ok(Outcome::error(error))),
        }
    })?;
    let callback = event_loop.in_present_context(callback)?;
    event_loop.call_soon_threadsafe(callback, false)?;
    Ok(concurrent)
}

/// Joins a loop's future to a thread's: ends go one way, cancelling the other.
fn chain(future: &Arc<Future>, promise: Promise) {
    let (event_loop, source) = (future.event_loop().remote(), Arc::downgrade(future));
    let canceller = try_box(move |message: Option<Arc<CString>>| {
        cancel_from_outside(&event_loop, source, message);
    });
    let concurrent = promise.0.clone();
    concurrent.set_orphaned(Error::NO_MEMORY);
    let waits = canceller.and_then(|canceller| promise.0.set_canceller(canceller));
    if waits != Ok(true) {
        // Cancelled while it began.
        let _ = future.cancel(None);
        return;
    }
    let heard = future.on_done(move |future| promise.0.finish_somehow(future.share_outcome()));
    match heard {
        Ok(_) => concurrent.set_orphaned(Error::Closed),
        // Nobody would hear of its end.
        Err(_) => drop(future.cancel(None)),
    }
}

fn cancel_from_outside(
    event_loop: &EventLoop,
    source: Weak<Future>,
    message: Option<Arc<CString>>,
) {
    // A weak reference may end on any thread; it is followed on the loop's only.
    let callback = Callback::once(move || {
        if let Some(future) = source.upgrade() {
            let _ = future.cancel(message.as_ref().map(|text| text.as_c_str()));
        }
    });
    if let Ok(callback) = callback {
        // A closed loop cancels nothing any more.
        let _ = event_loop.call_soon_threadsafe(callback, false);
    }
}
