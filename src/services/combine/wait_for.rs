//! `wait_for`: a future with a time limit, after which it is cancelled.

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::handle_table::HandleId;
use crate::loop_cell::LoopCell;
use crate::memory::{try_arc, try_box};
use crate::services::future::{Future, Operation, Outcome};
use std::ffi::CStr;
use std::sync::Arc;

struct WaitFor {
    inner: Arc<Future>,
    state: LoopCell<State>,
}

struct State {
    timer: Option<HandleId>,
    timed_out: bool,
    /// Somebody else asked as well, which the deadline shall not hide.
    cancelled: bool,
}

/// Cancelling the limited future cancels the one inside, and waits for it.
struct CancelInner(Arc<WaitFor>);

impl Operation for CancelInner {
    fn cancel(&mut self, message: Option<&CStr>) -> Option<bool> {
        let asked = self.0.inner.cancel(message).unwrap_or(false);
        let _ = self.0.with(|state| state.cancelled |= asked);
        Some(asked)
    }

    fn ended(self: Box<Self>) {
        if let Ok(Some(timer)) = self.0.with(|state| state.timer.take()) {
            let _ = self.0.inner.event_loop().handle_cancel(timer);
        }
    }
}

/// A future that ends as `inner` does, or by timeout once `inner`, which is
/// cancelled then, has ended. Without a limit it only follows `inner`.
pub fn wait_for(inner: Arc<Future>, timeout_ns: Option<i64>) -> Result<Arc<Future>> {
    let outer = Future::new(inner.event_loop())?;
    let wait = try_arc(WaitFor {
        inner: inner.clone(),
        state: LoopCell::new(State { timer: None, timed_out: false, cancelled: false }),
    })?;
    if inner.is_done() {
        wait.inner_done(&outer);
        return Ok(outer);
    }
    outer.set_operation(try_box(CancelInner(wait.clone()))?)?;
    if let Some(delay @ 1..) = timeout_ns {
        let callback = Callback::on(wait.clone(), WaitFor::expire);
        let timer = inner.event_loop().call_later(delay, callback)?;
        wait.with(|state| state.timer = Some(timer))?;
    }
    let (target, own) = (outer.clone(), wait.clone());
    inner.on_done(move |_| own.inner_done(&target))?;
    if let Some(..=0) = timeout_ns {
        wait.expire();
    }
    Ok(outer)
}

impl WaitFor {
    fn with<R>(&self, body: impl FnOnce(&mut State) -> R) -> Result<R> {
        let _hold = self.inner.event_loop().hold()?;
        // SAFETY: held; nothing foreign runs in any `body` of this file.
        Ok(unsafe { self.state.with(body) })
    }

    fn expire(self: &Arc<Self>) {
        let _ = self.with(|state| {
            state.timer = None;
            state.timed_out = true;
        });
        let _ = self.inner.cancel(None);
    }

    fn inner_done(&self, outer: &Arc<Future>) {
        let timed_out = self.with(|state| state.timed_out && !state.cancelled);
        match self.inner.share_outcome() {
            Ok(Outcome::Cancelled(_)) if timed_out == Ok(true) => {
                outer.fail(Error::Sys(libc::ETIMEDOUT));
            }
            Ok(outcome) => outer.finish_if_pending(outcome),
            Err(error) => outer.fail(error),
        }
    }
}
