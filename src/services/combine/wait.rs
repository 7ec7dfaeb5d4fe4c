//! `wait`: some of several futures, by a time limit or by how they end.

use super::check_loops;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::handle_table::HandleId;
use crate::loop_cell::LoopCell;
use crate::memory::{try_arc, try_box};
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
    waiter: Option<Arc<Future>>,
    left: usize,
    timer: Option<HandleId>,
    registered: Vec<(Arc<Future>, Token)>,
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
        let (timer, registered, waiter) = unsafe {
            wait.state.with(|state| {
                let registered = std::mem::take(&mut state.registered);
                (state.timer.take(), registered, state.waiter.take())
            })
        };
        if let Some(timer) = timer {
            let _ = event_loop.handle_cancel(timer);
        }
        for (future, token) in registered {
            future.forget_callback(token);
        }
        drop(waiter);
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
    let pending: Vec<_> = futures.iter().filter(|future| !future.is_done()).cloned().collect();
    let wait = try_arc(Wait {
        when,
        state: LoopCell::new(State {
            waiter: Some(waiter.clone()),
            left: pending.len(),
            timer: None,
            registered: Vec::new(),
        }),
        futures,
    })?;
    let over = pending.is_empty()
        || wait
            .futures
            .iter()
            .filter(|future| future.is_done())
            .any(|future| wait.suffices(future));
    if over {
        wait.finish();
        return Ok(waiter);
    }
    waiter.set_operation(try_box(StopWaiting(wait.clone()))?)?;
    for future in pending {
        let own = wait.clone();
        let token = future.on_done(move |future| own.one_done(future))?;
        // SAFETY: this thread has the loop, as `on_done` found.
        unsafe { wait.state.with(|state| state.registered.push((future, token))) };
    }
    if let Some(timeout) = timeout_ns {
        let timer = event_loop.call_later(timeout, Callback::on(wait.clone(), Wait::finish))?;
        // SAFETY: as above.
        unsafe { wait.state.with(|state| state.timer = Some(timer)) };
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

    fn one_done(self: &Arc<Self>, future: &Future) {
        let Ok(_hold) = future.event_loop().hold() else { return };
        // SAFETY: held; nothing foreign runs in the body.
        let left = unsafe {
            self.state.with(|state| {
                state.left -= 1;
                state.left
            })
        };
        if left == 0 || self.suffices(future) {
            self.finish();
        }
    }

    fn finish(self: &Arc<Self>) {
        // SAFETY: called by the loop's thread only.
        let waiter = unsafe { self.state.with(|state| state.waiter.take()) };
        let Some(waiter) = waiter else { return };
        let (done, pending): (Vec<_>, Vec<_>) =
            self.futures.iter().partition(|future| future.is_done());
        let [done, pending] = [done, pending]
            .map(|list| list.into_iter().map(Arc::as_ptr).collect::<Vec<*const Future>>());
        let waited = try_box(Waited {
            done_count: done.len(),
            done: done.as_ptr(),
            pending_count: pending.len(),
            pending: pending.as_ptr(),
            owned: (done, pending, self.futures.clone()),
        });
        match waited {
            Ok(waited) => waiter.finish_if_pending(Outcome::value(waited)),
            Err(error) => waiter.fail(error),
        }
    }
}
