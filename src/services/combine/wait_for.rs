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
    outer: Option<Arc<Future>>,
    timer: Option<HandleId>,
    timed_out: bool,
}

/// Cancelling the limited future cancels the one inside, and waits for it.
struct CancelInner(Arc<WaitFor>);

impl Operation for CancelInner {
    fn cancel(&mut self, message: Option<&CStr>) -> Option<bool> {
        Some(self.0.inner.cancel(message).unwrap_or(false))
    }
}

/// A future that ends as `inner` does, or by timeout once `inner`, which is
/// cancelled then, has ended.
pub fn wait_for(inner: Arc<Future>, timeout_ns: i64) -> Result<Arc<Future>> {
    let event_loop = inner.event_loop();
    let outer = Future::new(event_loop)?;
    let wait = try_arc(WaitFor {
        inner: inner.clone(),
        state: LoopCell::new(State { outer: Some(outer.clone()), timer: None, timed_out: false }),
    })?;
    if inner.is_done() {
        wait.inner_done();
        return Ok(outer);
    }
    outer.set_operation(try_box(CancelInner(wait.clone()))?)?;
    let own = wait.clone();
    inner.on_done(move |_| own.inner_done())?;
    if timeout_ns <= 0 {
        wait.expire();
    } else {
        let timer =
            event_loop.call_later(timeout_ns, Callback::on(wait.clone(), WaitFor::expire))?;
        wait.with(|state| state.timer = Some(timer))?;
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

    fn inner_done(self: &Arc<Self>) {
        let Ok((outer, timer, timed_out)) =
            self.with(|state| (state.outer.take(), state.timer.take(), state.timed_out))
        else {
            return;
        };
        if let Some(timer) = timer {
            let _ = self.inner.event_loop().handle_cancel(timer);
        }
        let Some(outer) = outer else { return };
        match self.inner.share_outcome() {
            Ok(Outcome::Cancelled(_)) if timed_out => outer.fail(Error::Sys(libc::ETIMEDOUT)),
            Ok(outcome) => outer.finish_if_pending(outcome),
            Err(error) => outer.fail(error),
        }
    }
}
