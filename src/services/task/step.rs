//! One step of a task, and what its return means.

use super::park::{PARK, Parking, copied as copy};
use super::{State, Task, Wish};
use crate::callback::{Callback, UserData};
use crate::error::{Error, Result};
use crate::event_loop::Hold;
use crate::last_error;
use crate::memory::copy_text;
use crate::services::future::{Future, Outcome, Waiter};
use std::ffi::{CStr, CString, c_int, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A step. It gets 0, or the code of what it awaited or of a cancellation;
/// it returns 0 when the task is over, `AWAIT`, `YIELD`, `PARK`, or a negative code.
pub type StepFn = unsafe extern "C-unwind" fn(*const Task, c_int, *mut c_void) -> c_int;

/// The step wishes to wait for a future.
pub const AWAIT: c_int = 1;
/// The step wishes to go on in the next turn.
pub const YIELD: c_int = 2;

impl Waiter for Task {
    fn wake(self: Arc<Self>) -> Callback {
        self.next_step()
    }
}

/// The loop's registry keeps a task that is to run; so its entry in the queue
/// needs no reference, and the loop no handle for it.
unsafe extern "C-unwind" fn run(task: *mut c_void) {
    // SAFETY: alive, as above, until its step has ended it.
    let task = ManuallyDrop::new(unsafe { Arc::from_raw(task.cast::<Task>().cast_const()) });
    task.run();
}

impl Task {
    /// Runs a step in the next turn.
    pub(super) fn run_soon(self: &Arc<Self>) -> Result<()> {
        if self.event_loop().call_soon_quickly(run, Arc::as_ptr(self).cast_mut().cast()) {
            return Ok(());
        }
        self.event_loop().call_soon(self.next_step(), false).map(drop)
    }

    fn next_step(self: &Arc<Self>) -> Callback {
        Callback::new(run, UserData::new(Arc::as_ptr(self).cast_mut().cast(), None))
    }

    /// Runs steps until the task has to wait or is over.
    pub(super) fn run(self: &Arc<Self>) {
        let mut waited = true;
        while self.run_once(waited) {
            waited = false;
        }
    }

    /// Runs one step. True if the next one is to follow at once. Only a step
    /// after a wait is told of a request to cancel.
    fn run_once(self: &Arc<Self>, waited: bool) -> bool {
        let Ok(hold) = self.hold() else { return false };
        let mut refused = None;
        let (step, awaited, context, told) = self.with(&hold, |state| {
            state.token = None;
            refused = state.refused.take();
            let parking = std::mem::replace(&mut state.parking, Parking::No);
            let told = (waited && std::mem::take(&mut state.must_cancel))
                | matches!(parking, Parking::Cancelled);
            state.must_cancel |= std::mem::take(&mut state.must_cancel_later);
            state.running = state.step.is_some();
            (state.step.take(), state.awaiting.take(), state.context.clone(), told)
        });
        let Some(step) = step else { return false };
        let mut outcome = 0;
        if told || awaited.is_some() {
            outcome = self.outcome_of_wait(&hold, awaited, told);
        }
        if let Some(error) = refused {
            outcome = error.code();
        }
        let (func, data) = (step.0, step.1.get());
        let outer = self.registry.enter(self, &hold);
        drop(hold);
        self.announce(outcome);
        // SAFETY: the host's function with the host's data, which `step` keeps.
        let call = || unsafe { func(Arc::as_ptr(self), outcome, data) };
        let returned = match &context {
            Some(context) => context.run(call),
            None => call(),
        };
        // What the registry has let go of in this step lives to the end of this.
        let _own = self.registry.leave(self.event_loop(), outer);
        let Ok(hold) = self.hold() else {
            // A child that was forked inside: for it the task ends here.
            // SAFETY: the child's only thread, whose own copy of the state is whole.
            let left = unsafe {
                self.state.try_with(|state| {
                    (std::mem::replace(&mut state.wish, Wish::Nothing), state.awaited.take())
                })
            };
            drop((left, step));
            return false;
        };
        let wants_more = matches!(returned, AWAIT | YIELD | PARK);
        let closed = self.event_loop().is_closed();
        // What stays here is destroyed when all is done.
        let mut step = Some(step);
        let (wish, awaited, must_cancel) = self.with(&hold, |state| {
            state.running = false;
            if returned != PARK || closed {
                state.parking = Parking::No;
            }
            if wants_more && !closed {
                state.step = step.take();
            }
            let wish = std::mem::replace(&mut state.wish, Wish::Nothing);
            (wish, state.awaited.take(), state.must_cancel)
        });
        match (returned, wish) {
            // The step has closed the loop, which has let go of the task.
            (AWAIT | YIELD | PARK, _wish) if closed => {}
            (AWAIT, Wish::Await(future)) => return self.wait_for(future),
            (YIELD, _) => {
                if let Err(error) = self.run_soon() {
                    return self.refuse(error);
                }
            }
            (PARK, _) if self.stay_parked(&hold) => {}
            // Cancelled in its last step, too late to be told.
            (0, _) if must_cancel => {
                let message = self.with(&hold, |state| state.cancel_message.take());
                self.end(Outcome::Cancelled(message));
            }
            (0, Wish::Result(result)) => self.end(Outcome::Result(result)),
            (0, _) => self.end(Outcome::number(0)),
            (0.., _) => self.end(Outcome::error(Error::Invalid("Task got bad yield"))),
            (code, wish) => self.end(self.failure(code, wish, awaited, outcome)),
        }
        false
    }

    /// What the next step is told, and what it may look at meanwhile.
    fn outcome_of_wait(
        &self,
        hold: &Hold<'_>,
        awaited: Option<Arc<Future>>,
        must_cancel: bool,
    ) -> c_int {
        let cancelled = Error::Cancelled.code();
        let mut outcome = awaited.as_deref().map_or(0, outcome_code);
        let of_awaited = match &awaited {
            Some(future) if outcome == cancelled => Some(message_of(future)),
            _ => None,
        };
        if must_cancel {
            outcome = cancelled;
        }
        let old = self.with(hold, |state| {
            let own = if must_cancel { Some(state.cancel_message.take()) } else { None };
            if let Some(message) = of_awaited.or(own) {
                state.told_message = message;
            }
            std::mem::replace(&mut state.awaited, awaited)
        });
        drop(old);
        outcome
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
                .and_then(|hold| self.with(&hold, |state| copy(state.told_message.as_deref())));
            return Outcome::Cancelled(message);
        }
        if code == told
            && let Some(awaited) = awaited
            && let Ok(outcome) = awaited.share_outcome()
            && outcome.code() == code
        {
            return outcome;
        }
        // The step hands on the code of a call that failed.
        let text = if last_error::code() == code { last_error::text() } else { None };
        Outcome::failure(code, text.and_then(|text| copy_text(text.as_c_str()).ok()))
    }

    /// The thread's last error is what the step is told, so that it may ask for
    /// the text.
    fn announce(&self, outcome: c_int) {
        if outcome == 0 {
            last_error::clear();
            return;
        }
        let of_code = || match outcome {
            code if code == Error::Cancelled.code() => Error::Cancelled,
            code if code > -1000 => Error::Sys(-code),
            code => Error::Failed(code),
        };
        let words = |text: Option<&CStr>| {
            text.map_or_else(of_code, |text| last_error::failed(outcome, text))
        };
        let Ok(hold) = self.hold() else { return };
        let awaited = self.with(&hold, |state| state.awaited.clone());
        let error = match awaited {
            Some(awaited) if outcome != Error::Cancelled.code() => {
                awaited.outcome(|end| words(end.message())).unwrap_or_else(|_| of_code())
            }
            _ => self.with(&hold, |state| words(state.told_message.as_deref())),
        };
        last_error::set(error);
    }

    /// Waits for `future`. True if that is done already and the next step shall
    /// follow at once.
    fn wait_for(self: &Arc<Self>, future: Arc<Future>) -> bool {
        let Ok(hold) = self.hold() else { return false };
        if future.is_done() {
            let takes_turn = future.takes_turn();
            self.with(&hold, |state| state.awaiting = Some(future));
            if !takes_turn {
                return true;
            }
            return match self.run_soon() {
                Ok(()) => false,
                Err(error) => self.refuse(error),
            };
        }
        match future.wake_when_done(self.clone()) {
            Ok(token) => {
                let cancel = self.with(&hold, |state| {
                    state.awaiting = Some(future.clone());
                    state.token = Some(token);
                    state.must_cancel.then(|| copy(state.cancel_message.as_deref()))
                });
                if let Some(message) = cancel
                    && future.cancel(message.as_deref()).unwrap_or(false)
                {
                    self.with(&hold, |state: &mut State| state.must_cancel = false);
                }
            }
            Err(error) => return self.refuse(error),
        }
        false
    }

    /// What the step wished for cannot be had. Without memory the next step
    /// follows at once and is told so, and may put things in order; True then.
    fn refuse(self: &Arc<Self>, error: Error) -> bool {
        if error == Error::NO_MEMORY
            && let Ok(hold) = self.hold()
        {
            self.with(&hold, |state| {
                state.awaiting = None;
                state.refused = Some(error);
            });
            return true;
        }
        self.end(Outcome::error(error));
        false
    }

    fn end(self: &Arc<Self>, outcome: Outcome) {
        self.registry.remove(self);
        let (step, awaiting) = match self.hold() {
            Ok(hold) => self.with(&hold, |state| (state.step.take(), state.awaiting.take())),
            Err(_) => (None, None),
        };
        self.future.finish_if_pending(outcome);
        drop((step, awaiting));
    }
}

/// What the step is told of what it awaited.
fn outcome_code(future: &Future) -> c_int {
    future.outcome(Outcome::code).unwrap_or_else(Error::code)
}

fn message_of(future: &Future) -> Option<CString> {
    future.outcome(|outcome| copy(outcome.message())).ok().flatten()
}
