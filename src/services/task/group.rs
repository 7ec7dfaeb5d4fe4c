//! `asyncio.TaskGroup`: tasks that end together. When one fails, the others are
//! cancelled, and so is the parent if it is still busy in the group's body.

use super::{Options, StepFn, Task};
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::loop_cell::LoopCell;
use crate::memory::{try_arc, try_box};
use crate::services::future::{Future, Operation, Outcome};
use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;

/// A group of tasks.
pub struct TaskGroup {
    parent: Arc<Task>,
    state: LoopCell<State>,
}

struct State {
    tasks: Vec<Arc<Task>>,
    errors: Vec<GroupError>,
    aborting: bool,
    /// The group cancelled its own parent.
    parent_cancelled: bool,
    /// The body was left with this code.
    left: Option<c_int>,
    /// What the parent waits for after the body.
    exit: Option<Arc<Future>>,
    /// Somebody else cancelled the parent while it waited.
    cancelled: bool,
}

/// How a task of a group failed.
#[derive(Clone)]
pub struct GroupError {
    /// Its code.
    pub code: c_int,
    /// Its text.
    pub message: Option<CString>,
}

/// Cancelling the wait for a group cancels its tasks; the wait goes on.
struct CancelGroup(Arc<TaskGroup>);

impl Operation for CancelGroup {
    fn cancel(&mut self, _message: Option<&CStr>) -> Option<bool> {
        let _ = self.0.with(|state| state.cancelled = true);
        self.0.abort();
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
                tasks: Vec::new(),
                errors: Vec::new(),
                aborting: false,
                parent_cancelled: false,
                left: None,
                exit: None,
                cancelled: false,
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
        let task = Task::create(self.event_loop(), step, user_data, options)?;
        let (group, own) = (self.clone(), task.clone());
        self.with(|state| state.tasks.push(task.clone()))?;
        task.future().on_done(move |future| group.ended(&own, future))?;
        Ok(task)
    }

    fn ended(self: &Arc<Self>, task: &Arc<Task>, future: &Future) {
        let error = future.outcome(|outcome| match outcome {
            Outcome::Failed(failure) => {
                Some(GroupError { code: failure.code, message: failure.message.clone() })
            }
            _ => None,
        });
        let failed = matches!(error, Ok(Some(_)));
        let gone = self.with(|state| {
            state.errors.extend(error.ok().flatten());
            let position = state.tasks.iter().position(|other| Arc::ptr_eq(other, task));
            position.map(|position| state.tasks.swap_remove(position))
        });
        drop(gone);
        if failed {
            self.abort();
            let in_body = self.with(|state| {
                let in_body = state.left.is_none() && !state.parent_cancelled;
                state.parent_cancelled |= in_body;
                in_body
            });
            if in_body == Ok(true) {
                let _ = self.parent.cancel(None);
            }
        }
        self.finish_if_over();
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
        future.set_operation(try_box(CancelGroup(self.clone()))?)?;
        let exit = future.clone();
        let already = self.with(|state| {
            if state.left.is_some() {
                return true;
            }
            state.left = Some(outcome);
            state.exit = Some(exit);
            false
        })?;
        if already {
            future.abandon();
            return Err(Error::InvalidState("TaskGroup has already been left"));
        }
        if outcome != 0 {
            self.abort();
        }
        self.finish_if_over();
        Ok(future)
    }

    fn finish_if_over(&self) {
        let over = self.with(|state| {
            (state.tasks.is_empty()).then(|| state.exit.take()).flatten().map(|exit| {
                let left = state.left.unwrap_or(0);
                (exit, left, state.errors.clone(), state.cancelled, state.parent_cancelled)
            })
        });
        let Ok(Some((exit, left, errors, cancelled, parent_cancelled))) = over else { return };
        let cancel_code = Error::Cancelled.code();
        let mut left = left;
        let mut cancelled = cancelled;
        if parent_cancelled && self.parent.uncancel() == Ok(0) {
            // It was the group's own request that the body was left with.
            if left == cancel_code {
                left = 0;
            }
        }
        if left == cancel_code {
            cancelled = true;
        }
        let outcome = if !errors.is_empty() || (left != 0 && left != cancel_code) {
            let count = errors.len() + usize::from(left != 0 && left != cancel_code);
            let code = errors.first().map_or(left, |error| error.code);
            let plural = if count == 1 { "" } else { "s" };
            let text = format!("unhandled errors in a TaskGroup ({count} sub-exception{plural})");
            Outcome::failure(code, CString::new(text).ok())
        } else if cancelled {
            Outcome::Cancelled(None)
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
