//! One step of a task, and what its return means.

use super::{State, Task, Wish};
use crate::callback::Callback;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::services::future::{Future, Outcome};
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// A step. It gets 0, or the code of what it awaited or of a cancellation;
/// it returns 0 when the task is over, `AWAIT`, `YIELD`, or a negative code.
pub type StepFn = unsafe extern "C-unwind" fn(*const Task, c_int, *mut c_void) -> c_int;

/// The step wishes to wait for a future.
pub const AWAIT: c_int = 1;
/// The step wishes to go on in the next turn.
pub const YIELD: c_int = 2;

impl Task {
    /// Runs a step in the next turn.
    pub(super) fn run_soon(self: &Arc<Self>, outcome: c_int) -> Result<()> {
        let task = self.clone();
        let callback = Callback::once(move || task.run(outcome))?;
        self.event_loop().call_soon(callback, false).map(drop)
    }

    /// Runs steps until the task has to wait or is over.
    pub(super) fn run(self: &Arc<Self>, outcome: c_int) {
        let mut next = Some(outcome);
        while let Some(outcome) = next {
            next = self.run_once(outcome);
        }
    }

    /// Runs one step. Yields the outcome for the next one, if that is to follow
    /// at once.
    fn run_once(self: &Arc<Self>, outcome: c_int) -> Option<c_int> {
        let hold = self.hold().ok()?;
        let mut outcome = outcome;
        let (step, context) = self.with(&hold, |state| {
            let step = state.step.take()?;
            state.awaited = state.awaiting.take();
            if std::mem::take(&mut state.must_cancel) {
                outcome = Error::Cancelled.code();
            }
            state.running = true;
            state.wish = Wish::Nothing;
            Some((step, state.context.clone()))
        })?;
        drop(hold);
        let (func, data) = (step.0, step.1.get());
        let outer = self.registry.enter(self);
        // SAFETY: the host's function with the host's data, which `step` keeps.
        let call = || unsafe { func(Arc::as_ptr(self), outcome, data) };
        let returned = match &context {
            Some(context) => context.run(call),
            None => call(),
        };
        self.registry.leave(self.event_loop(), outer);
        // A child that was forked inside leaves everything as it is.
        let Ok(hold) = self.hold() else {
            std::mem::forget(step);
            return None;
        };
        let goes_on = matches!(returned, AWAIT | YIELD) && !self.event_loop().is_closed();
        // What stays here is destroyed when all is done.
        let mut step = Some(step);
        let (wish, awaited) = self.with(&hold, |state| {
            state.running = false;
            if goes_on {
                state.step = step.take();
            }
            (std::mem::replace(&mut state.wish, Wish::Nothing), state.awaited.take())
        });
        match (returned, wish) {
            (AWAIT, Wish::Await(future)) => return self.wait_for(future),
            (AWAIT, _) => {
                let words =
                    "Task got bad yield: it returned LOOP_TASK_AWAIT without loop_task_await";
                self.throw(Error::Invalid(words));
            }
            (YIELD, _) => {
                if let Err(error) = self.run_soon(0) {
                    self.end(Outcome::error(error));
                }
            }
            (0.., Wish::Result(result)) => self.end(Outcome::Result(result)),
            (0.., _) => {
                self.end(Outcome::Result(UserData::new(std::ptr::null_mut(), None)));
            }
            (code, wish) => self.end(self.failure(code, wish, awaited, outcome)),
        }
        None
    }

    /// What a negative return means: the failure the step prepared, the one it
    /// was told of and hands on, or the bare code.
    fn failure(
        &self,
        code: c_int,
        wish: Wish,
        awaited: Option<Arc<Future>>,
        told: c_int,
    ) -> Outcome {
        if let Wish::Failure(failure) = wish
            && failure.code() == code
        {
            return failure;
        }
        if code == Error::Cancelled.code() {
            let message = self
                .hold()
                .ok()
                .and_then(|hold| self.with(&hold, |state| state.cancel_message.take()));
            let of_awaited = || {
                let own = awaited.as_ref()?.share_outcome().ok()?;
                own.message().map(Into::into)
            };
            return Outcome::Cancelled(message.or_else(of_awaited));
        }
        if code == told
            && let Some(awaited) = awaited
            && let Ok(outcome) = awaited.share_outcome()
            && outcome.code() == code
        {
            return outcome;
        }
        Outcome::failure(code, None)
    }

    /// Waits for `future`. One that is done already lets the next step follow at
    /// once.
    fn wait_for(self: &Arc<Self>, future: Arc<Future>) -> Option<c_int> {
        let hold = self.hold().ok()?;
        if future.is_done() {
            let code = outcome_code(&future);
            self.with(&hold, |state| state.awaiting = Some(future));
            return Some(code);
        }
        let task = self.clone();
        let registered = future.on_done(move |future| task.run(outcome_code(future)));
        match registered {
            Ok(_) => {
                let cancel = self.with(&hold, |state| {
                    state.awaiting = Some(future.clone());
                    state.must_cancel.then(|| state.cancel_message.clone())
                });
                if let Some(message) = cancel
                    && future.cancel(message.as_deref()).unwrap_or(false)
                {
                    self.with(&hold, |state: &mut State| state.must_cancel = false);
                }
            }
            Err(error) => self.throw(error),
        }
        None
    }

    /// Ends a task that broke the rules.
    fn throw(self: &Arc<Self>, error: Error) {
        self.end(Outcome::error(error));
    }

    fn end(self: &Arc<Self>, outcome: Outcome) {
        self.registry.remove(self);
        let step = match self.hold() {
            Ok(hold) => self.with(&hold, |state| state.step.take()),
            Err(_) => None,
        };
        self.future.finish_if_pending(outcome);
        drop(step);
    }
}

/// What the step is told of what it awaited.
fn outcome_code(future: &Future) -> c_int {
    future.outcome(Outcome::code).unwrap_or_else(Error::code)
}
