//! `wait`: some of several futures, by a time limit or by how they end.

use super::check_loops;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::handle_table::HandleId;
use crate::loop_cell::LoopCell;
use crate::memory::{try_arc, try_box, try_collect};
use crate::services::future::{Future, Operation, Outcome, Phase, Token};
use std::sync::Arc;

/// When to stop waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When all are done.
    AllCompleted,
    /// When one is done.
    FirstCompleted,
    /// When one failed, or all are done.
    FirstException,
}

/// What `wait` yields.
#[repr(C)]
pub struct Waited {
    /// How many are done.
    pub done_count: usize,
    /// They, in the order in which they were given; borrowed.
    pub done: *const *const Future,
    /// How many are not.
    pub pending_count: usize,
    /// They; borrowed.
    pub pending: *const *const Future,
    #[allow(dead_code)]
    owned: (Vec<*const Future>, Vec<*const Future>, Vec<Arc<Future>>),
}

struct Wait {
    futures: Vec<Arc<Future>>,
    when: ReturnWhen,
    state: LoopCell<State>,
}

struct State {
    left: usize,
    timer: Option<HandleId>,
    /// For each of the futures.
    tokens: Vec<Token>,
}

/// However the waiting ends, its timer and registrations go.
struct StopWaiting(Arc<Wait>);

impl Operation for StopWaiting {
    fn ended(self: Box<Self>) {
        let wait = &self.0;
        let Some(first) = wait.futures.first() else { return };
        let event_loop = first.event_loop();
        let Ok(_hold) = event_loop.hold() else { return };
        // SAFETY: held; nothing foreign runs in the body.
        let (timer, tokens) = unsafe {
            wait.state.with(|state| (state.timer.take(), std::mem::take(&mut state.tokens)))
        };
        if let Some(timer) = timer {
            let _ = event_loop.handle_cancel(timer);
        }
        for (future, token) in wait.futures.iter().zip(tokens) {
            future.forget_callback(token);
        }
    }
}

/// A future of which `futures` are done when `when` says, or when `timeout_ns`
/// is over (none: no limit). Cancels nothing.
pub fn wait(
    event_loop: &EventLoop,
    futures: Vec<Arc<Future>>,
    timeout_ns: Option<i64>,
    when: ReturnWhen,
) -> Result<Arc<Future>> {
    check_loops(event_loop, &futures)?;
    if futures.is_empty() {
        return Err(Error::Invalid("Set of Tasks/Futures is empty."));
    }
    let waiter = Future::new(event_loop)?;
    let wait = try_arc(Wait {
        when,
        state: LoopCell::new(State { left: futures.len(), timer: None, tokens: Vec::new() }),
        futures,
    })?;
    let _hold = event_loop.hold()?;
    // SAFETY: held; nothing foreign runs in this body and those below.
    unsafe { wait.state.with(|state| state.tokens.try_reserve_exact(wait.futures.len())) }
        .map_err(|_| Error::NO_MEMORY)?;
    waiter.set_operation(try_box(StopWaiting(wait.clone()))?)?;
    if let Some(timeout) = timeout_ns {
        let (own, target) = (wait.clone(), waiter.clone());
        let callback = Callback::once(move || own.finish(&target))?;
        let timer = event_loop.call_later(timeout, callback)?;
        // SAFETY: as above.
        unsafe { wait.state.with(|state| state.timer = Some(timer)) };
    }
    for future in &wait.futures {
        let (own, target) = (wait.clone(), waiter.clone());
        let registered = future.on_done(move |future| own.one_done(future, &target));
        match registered {
            // SAFETY: as above.
            Ok(token) => unsafe { wait.state.with(|state| state.tokens.push(token)) },
            Err(error) => {
                // Lets go of the timer and the futures before.
                let _ = waiter.cancel(None);
                return Err(error);
            }
        }
    }
    Ok(waiter)
}

impl Wait {
    /// Is this end alone enough?
    fn suffices(&self, future: &Future) -> bool {
        match self.when {
            ReturnWhen::AllCompleted => false,
            ReturnWhen::FirstCompleted => true,
            // Asking for the phase first: a failure stays unretrieved.
            ReturnWhen::FirstException => {
                future.phase() == Ok(Phase::Finished) && future.peek_code() != Ok(0)
            }
        }
    }

    fn one_done(&self, future: &Future, waiter: &Arc<Future>) {
        let Ok(_hold) = future.event_loop().hold() else { return };
        // SAFETY: held; nothing foreign runs in the body.
        let left = unsafe {
            self.state.with(|state| {
                state.left -= 1;
                state.left
            })
        };
        if left == 0 || self.suffices(future) {
            self.finish(waiter);
        }
    }

    fn waited(&self) -> Result<Box<Waited>> {
        let those = |done| self.futures.iter().filter(move |future| future.is_done() == done);
        let done = try_collect(those(true).map(Arc::as_ptr))?;
        let pending = try_collect(those(false).map(Arc::as_ptr))?;
        try_box(Waited {
            done_count: done.len(),
            done: done.as_ptr(),
            pending_count: pending.len(),
            pending: pending.as_ptr(),
            owned: (done, pending, try_collect(self.futures.iter().cloned())?),
        })
    }

    fn finish(&self, waiter: &Arc<Future>) {
        if waiter.is_done() {
            return;
        }
        match self.waited() {
            Ok(waited) => waiter.finish_if_pending(Outcome::value(waited)),
            Err(error) => waiter.fail(error),
        }
    }
}
