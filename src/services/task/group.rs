//! `asyncio.TaskGroup`: tasks that end together. When one fails, the others are
//! cancelled, and so is the parent if it is still busy in the group's body.

use super::{Options, StepFn, Task};
use crate::callback::{Callback, UserData};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::loop_cell::LoopCell;
use crate::memory::{try_arc, try_box};
use crate::services::future::{Future, Operation, Outcome, report};
use std::ffi::{CStr, CString, c_int};
use std::sync::{Arc, Weak};

/// A group of tasks.
pub struct TaskGroup {
    parent: Arc<Task>,
    state: LoopCell<State>,
}

struct State {
    tasks: Vec<Arc<Task>>,
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
    /// Its text.
    pub message: Option<CString>,
}

/// Cancelling the wait for a group cancels its tasks; the wait goes on. While
/// there are any, they keep the group.
struct CancelGroup(Weak<TaskGroup>);

impl Operation for CancelGroup {
    fn cancel(&mut self, message: Option<&CStr>) -> Option<bool> {
        let group = self.0.upgrade()?;
        let ends = group.with(|state| {
            let ends = !std::mem::replace(&mut state.aborting, true);
            if ends {
                state.cancelled = Some(message.map(CString::from));
            }
            ends
        });
        if group.hear_if_all_done() || ends != Ok(true) {
            return Some(true);
        }
        // A turn later, when asyncio's parent would wake and do it.
        let abort = Callback::on(group.clone(), |group| group.abort());
        if group.event_loop().call_soon(abort, false).is_err() {
            group.abort();
        }
        Some(true)
    }
}

impl State {
    fn take(&mut self, task: &Arc<Task>) -> Option<Arc<Task>> {
        let position = self.tasks.iter().position(|other| Arc::ptr_eq(other, task));
        position.map(|position| self.tasks.remove(position))
    }
}

impl TaskGroup {
    /// A group whose body `parent` runs.
    pub fn new(parent: Arc<Task>) -> Result<Arc<TaskGroup>> {
        parent.event_loop().check_open()?;
        try_arc(TaskGroup {
            parent,
            state: LoopCell::new(State {
                tasks: Vec::new(),
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
        self.with(|state| state.tasks.try_reserve(1))?.map_err(|_| Error::NO_MEMORY)?;
        let task = Task::create(self.event_loop(), step, user_data, options)?;
        let (group, own) = (self.clone(), task.clone());
        self.with(|state| state.tasks.push(task.clone()))?;
        let heard = task.future().on_done(move |_| group.ended(&own));
        if let Err(error) = heard {
            let gone = self.with(|state| state.take(&task));
            let _ = task.cancel(None);
            drop(gone);
            return Err(error);
        }
        Ok(task)
    }

    fn ended(&self, task: &Arc<Task>) {
        let Ok(Some(_gone)) = self.with(|state| state.take(task)) else { return };
        let error = task.future().outcome(|outcome| match outcome {
            Outcome::Failed(failure) => {
                Some(GroupError { code: failure.code, message: failure.message.clone() })
            }
            _ => None,
        });
        if let Ok(Some(error)) = error {
            let first = self.with(|state| {
                state.errors.push(error.clone());
                !std::mem::replace(&mut state.aborting, true)
            });
            if self.parent.future().is_done() {
                let what = c"Task has errored out but its parent task is already completed";
                report(self.event_loop(), what, error.code, error.message.as_deref());
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
        let tasks = self.with(|state| state.tasks.clone()).unwrap_or_default();
        let all = !tasks.is_empty() && tasks.iter().all(|task| task.future().is_done());
        if all {
            tasks.iter().for_each(|task| self.ended(task));
        }
        all
    }

    /// Cancels every task.
    fn abort(&self) {
        let tasks = self.with(|state| {
            state.aborting = true;
            state.tasks.clone()
        });
        for task in tasks.unwrap_or_default() {
            let _ = task.cancel(None);
        }
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
            Some((exit?, state.left.unwrap_or(0), state.errors.clone(), state.cancelled.take()))
        });
        let Ok(Some((exit, left, errors, cancelled))) = over else { return };
        let body_failed = left != 0 && left != Error::Cancelled.code();
        let outcome = if !errors.is_empty() || body_failed {
            let count = errors.len() + usize::from(body_failed);
            let code = errors.first().map_or(left, |error| error.code);
            let plural = if count == 1 { "" } else { "s" };
            let text = format!("unhandled errors in a TaskGroup ({count} sub-exception{plural})");
            if matches!(self.parent.cancelling(), Ok(1..)) {
                // This failure comes first, the cancellation after it.
                let _ = self.parent.cancel_after_step();
            }
            Outcome::failure(code, CString::new(text).ok())
        } else if let Some(message) = cancelled {
            Outcome::Cancelled(message)
        } else {
            Outcome::number(0)
        };
        exit.finish_if_pending(outcome);
    }

    /// The failures of its tasks, in the order of their coming.
    pub fn errors(&self) -> Result<Vec<GroupError>> {
        self.with(|state| state.errors.clone())
    }
}
