//! `asyncio.TaskGroup`: tasks that end together. When one fails, the others are
//! cancelled, and so is the parent if it is still busy in the group's body.

use super::members::Members;
use super::{Options, StepFn, Task};
use crate::callback::{Callback, DestroyFn, UserData};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::loop_cell::LoopCell;
use crate::memory::{copy_text, text_of, try_arc, try_box, try_collect};
use crate::services::future::{Failure, Future, Operation, Outcome, report};
use std::ffi::{CStr, CString, c_int, c_void};
use std::sync::{Arc, Weak};

/// A group of tasks.
pub struct TaskGroup {
    parent: Arc<Task>,
    state: LoopCell<State>,
}

struct State {
    tasks: Members,
    errors: Vec<GroupError>,
    aborting: bool,
    /// The group has cancelled its own parent.
    parent_cancelled: bool,
    /// The body was left with this code.
    left: Option<c_int>,
    /// What the parent waits for after the body.
    exit: Option<Arc<Future>>,
    /// Somebody else cancelled the parent, in the body or while it waited, and
    /// the group ends for that reason: with what message.
    cancelled: Option<Option<CString>>,
}

/// How a task of a group failed.
#[derive(Clone)]
pub struct GroupError {
    /// Its code.
    pub code: c_int,
    /// All of it, if there was memory for more than the code.
    failure: Option<Arc<Failure>>,
}

impl GroupError {
    /// Its text.
    pub fn message(&self) -> Option<&CStr> {
        self.failure.as_ref()?.message.as_deref()
    }

    /// What its host attached to it, or null.
    pub fn data(&self) -> *mut c_void {
        self.failure.as_ref().map_or(std::ptr::null_mut(), |failure| failure.payload.get())
    }

    /// How the host destroys that.
    pub fn destroy_fn(&self) -> Option<DestroyFn> {
        self.failure.as_ref()?.payload.destroy_fn()
    }
}

/// Cancelling the wait for a group cancels its tasks; the wait goes on. While
/// there are any, they keep the group.
struct CancelGroup(Weak<TaskGroup>);

impl Operation for CancelGroup {
    fn cancel(&mut self, message: Option<&CStr>) -> Option<bool> {
        let group = self.0.upgrade()?;
        let ends = group.with(|state| {
            let ends = !state.aborting && state.cancelled.is_none();
            if ends {
                state.cancelled = Some(message.and_then(|text| copy_text(text).ok()));
            }
            ends
        });
        if group.hear_if_all_done() || ends != Ok(true) {
            return Some(true);
        }
        // A turn later, when asyncio's parent would wake and do it; until then tasks may
        // still be added, or fail and be the reason.
        let abort = Callback::on(group.clone(), |group| {
            if group.with(|state| state.aborting) == Ok(false) {
                group.abort();
            }
        });
        if group.event_loop().call_soon(abort, false).is_err() {
            group.abort();
        }
        Some(true)
    }
}

impl TaskGroup {
    /// A group whose body `parent` runs.
    pub fn new(parent: Arc<Task>) -> Result<Arc<TaskGroup>> {
        parent.event_loop().check_open()?;
        try_arc(TaskGroup {
            parent,
            state: LoopCell::new(State {
                tasks: Members::default(),
                errors: Vec::new(),
                aborting: false,
                parent_cancelled: false,
                left: None,
                exit: None,
                cancelled: None,
            }),
        })
    }

    fn event_loop(&self) -> &EventLoop {
        self.parent.event_loop()
    }

    fn with<R>(&self, body: impl FnOnce(&mut State) -> R) -> Result<R> {
        let _hold = self.event_loop().hold()?;
        // SAFETY: held; nothing foreign runs in any `body` of this file.
        Ok(unsafe { self.state.with(body) })
    }

    /// Starts a task of the group.
    pub fn create_task(
        self: &Arc<Self>,
        step: StepFn,
        user_data: UserData,
        options: Options,
    ) -> Result<Arc<Task>> {
        let (over, aborting) =
            self.with(|state| (state.left.is_some() && state.tasks.is_empty(), state.aborting))?;
        if over {
            return Err(Error::InvalidState("TaskGroup is finished"));
        }
        if aborting {
            return Err(Error::InvalidState("TaskGroup is shutting down"));
        }
        // Also for its failure, which cannot be refused when it comes.
        self.with(|state| {
            let errors = state.tasks.count() + 1;
            state.errors.try_reserve(errors).map_err(|_| Error::NO_MEMORY)?;
            state.tasks.reserve()
        })??;
        let task = Task::create(self.event_loop(), step, user_data, options)?;
        let group = self.clone();
        let key = self.with(|state| state.tasks.add(task.clone()))?;
        let heard = task.future().on_done(move |_| group.ended(key));
        if let Err(error) = heard {
            let gone = self.with(|state| state.tasks.take(key));
            let _ = task.cancel(None);
            drop(gone);
            return Err(error);
        }
        Ok(task)
    }

    fn ended(&self, key: u64) {
        let Ok(Some(task)) = self.with(|state| state.tasks.take(key)) else { return };
        let error = task.future().outcome(|outcome| match outcome {
            Outcome::Failed(failure) => {
                Some(GroupError { code: failure.code, failure: Some(failure.clone()) })
            }
            Outcome::Code(code) => Some(GroupError { code: *code, failure: None }),
            _ => None,
        });
        if let Ok(Some(error)) = error {
            let first = self.with(|state| {
                state.errors.push(error.clone());
                !std::mem::replace(&mut state.aborting, true)
            });
            if self.parent.future().is_done() {
                let what = c"Task has errored out but its parent task is already completed";
                report(self.event_loop(), what, error.code, error.message());
                return;
            }
            if first == Ok(true) {
                self.abort();
                let in_body = self.with(|state| {
                    state.parent_cancelled = state.left.is_none();
                    state.parent_cancelled
                });
                match in_body {
                    Ok(true) => drop(self.parent.cancel(None)),
                    _ => drop(self.hear_if_all_done()),
                }
            }
        }
        self.finish_if_over();
    }

    /// If every task is done, the parent, which is about to be woken for another
    /// reason, need not wait for the news of that.
    fn hear_if_all_done(&self) -> bool {
        let all = self.with(|state| {
            !state.tasks.is_empty() && state.tasks.iter().all(|(_, task)| task.future().is_done())
        });
        if all != Ok(true) {
            return false;
        }
        while let Ok(Some((key, _task))) = self.with(|state| state.tasks.after(0)) {
            self.ended(key);
        }
        true
    }

    /// Cancels every task.
    fn abort(&self) {
        let all = self.with(|state| {
            state.aborting = true;
            try_collect(state.tasks.iter().map(|(_, task)| task.clone()))
        });
        if let Ok(Ok(tasks)) = all {
            for task in tasks {
                let _ = task.cancel(None);
            }
            return;
        }
        // Without memory one by one. They leave the list by callbacks.
        let mut last = 0;
        while let Ok(Some((key, task))) = self.with(|state| state.tasks.after(last)) {
            let _ = task.cancel(None);
            last = key;
        }
    }

    /// Cancels every task, and the parent if it is in the body; no failure comes
    /// of it. asyncio: `TaskGroup.cancel()`.
    pub fn cancel(&self) -> Result<()> {
        self.event_loop().check_open()?;
        let (over, in_body) = self.with(|state| {
            let over = state.left.is_some() && state.tasks.is_empty();
            let in_body = state.left.is_none() && !state.parent_cancelled;
            state.parent_cancelled |= in_body;
            (over, in_body)
        })?;
        if over {
            return Ok(());
        }
        self.abort();
        if in_body {
            // `exit` takes it back.
            self.parent.cancel(None)?;
        }
        Ok(())
    }

    /// The parent leaves the body, with 0 or a negative code: what it has to
    /// wait for.
    pub fn exit(self: &Arc<Self>, outcome: c_int) -> Result<Arc<Future>> {
        let future = Future::new(self.event_loop())?;
        future.set_operation(try_box(CancelGroup(Arc::downgrade(self)))?)?;
        let exit = future.clone();
        let parent_cancelled = self.with(|state| {
            if state.left.is_some() {
                return Err(Error::InvalidState("TaskGroup has already been left"));
            }
            state.left = Some(outcome);
            state.exit = Some(exit);
            Ok(state.parent_cancelled)
        })??;
        // The group's own request is the reason for nothing.
        let others = !parent_cancelled || self.parent.uncancel()? != 0;
        if outcome == Error::Cancelled.code() && others {
            let message = self.parent.told_message()?;
            self.with(|state| state.cancelled = Some(message))?;
        }
        if outcome != 0 && !self.with(|state| state.aborting)? {
            self.abort();
        }
        self.finish_if_over();
        Ok(future)
    }

    fn finish_if_over(&self) {
        let over = self.with(|state| {
            let exit = if state.tasks.is_empty() { state.exit.take() } else { None };
            let first = state.errors.first().map(|error| error.code);
            let left = state.left.unwrap_or(0);
            Some((exit?, left, first, state.errors.len(), state.cancelled.take()))
        });
        let Ok(Some((exit, left, first, count, cancelled))) = over else { return };
        let body_failed = left != 0 && left != Error::Cancelled.code();
        let outcome = if count != 0 || body_failed {
            let count = count + usize::from(body_failed);
            let plural = if count == 1 { "" } else { "s" };
            if matches!(self.parent.cancelling(), Ok(1..)) {
                // This failure comes first, the cancellation after it.
                let _ = self.parent.cancel_after_step();
            }
            let what = "unhandled errors in a TaskGroup";
            let text = text_of(format_args!("{what} ({count} sub-exception{plural})"));
            Outcome::failure(first.unwrap_or(left), text)
        } else if let Some(message) = cancelled {
            Outcome::Cancelled(message)
        } else {
            Outcome::number(0)
        };
        exit.finish_if_pending(outcome);
    }

    /// The failures of its tasks, in the order of their coming.
    pub fn errors(&self) -> Result<Vec<GroupError>> {
        self.with(|state| try_collect(state.errors.iter().cloned()))?
    }
}
