//! `asyncio.timeout`: a deadline for a part of a task, which is cancelled when
//! it is late, and then told that it was the deadline.

use super::Task;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::handle_table::HandleId;
use crate::loop_cell::LoopCell;
use crate::memory::try_arc;
use std::ffi::c_int;
use std::sync::Arc;

/// A deadline of a task.
pub struct Timeout {
    task: Arc<Task>,
    state: LoopCell<State>,
}

struct State {
    handle: Option<HandleId>,
    expired: bool,
    /// Requests to cancel there were before.
    before: u32,
    left: bool,
}

impl Timeout {
    /// The task has until `when` (on the loop's clock); none: no limit yet.
    pub fn enter(task: Arc<Task>, when: Option<u64>) -> Result<Arc<Timeout>> {
        let before = task.cancelling()?;
        let state = State { handle: None, expired: false, before, left: false };
        let timeout = try_arc(Timeout { task, state: LoopCell::new(state) })?;
        timeout.reschedule(when)?;
        Ok(timeout)
    }

    fn with<R>(&self, body: impl FnOnce(&mut State) -> R) -> Result<R> {
        let _hold = self.task.event_loop().hold()?;
        // SAFETY: held; nothing foreign runs in any `body` of this file.
        Ok(unsafe { self.state.with(body) })
    }

    /// Whose it is.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Moves the deadline.
    pub fn reschedule(self: &Arc<Self>, when: Option<u64>) -> Result<()> {
        let event_loop = self.task.event_loop();
        if self.with(|state| state.expired || state.left)? {
            return Err(Error::InvalidState("Cannot change state of finished Timeout"));
        }
        let handle = match when {
            None => None,
            Some(when) => {
                let callback = Callback::on(self.clone(), Timeout::expire);
                Some(if when <= event_loop.time() {
                    event_loop.call_soon(callback, true)?
                } else {
                    event_loop.call_at(when, callback)?
                })
            }
        };
        // The new one first: where it fails, the old deadline holds.
        let old = self.with(|state| std::mem::replace(&mut state.handle, handle))?;
        if let Some(old) = old {
            let _ = event_loop.handle_cancel(old);
        }
        Ok(())
    }

    fn expire(self: &Arc<Self>) {
        let expires = self.with(|state| {
            state.handle = None;
            !std::mem::replace(&mut state.expired, true) && !state.left
        });
        if expires == Ok(true) {
            let _ = self.task.cancel(None);
        }
    }

    /// Has the deadline passed?
    pub fn expired(&self) -> Result<bool> {
        self.with(|state| state.expired)
    }

    /// The part is over, with `outcome`: hands it on, or the timeout's code if
    /// the cancellation was the deadline's and nobody else's.
    pub fn exit(&self, outcome: c_int) -> Result<c_int> {
        let (handle, expired, before, left) = self.with(|state| {
            let left = std::mem::replace(&mut state.left, true);
            (state.handle.take(), state.expired, state.before, left)
        })?;
        if let Some(handle) = handle {
            let _ = self.task.event_loop().handle_cancel(handle);
        }
        if left || !expired || self.task.future().is_done() {
            return Ok(outcome);
        }
        let requests = self.task.uncancel()?;
        if requests <= before && outcome == Error::Cancelled.code() {
            return Ok(-libc::ETIMEDOUT);
        }
        Ok(outcome)
    }
}
