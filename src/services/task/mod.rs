//! Tasks: a step function that runs until it awaits a future, and again when
//! that is done. This is all a coroutine of any language needs to be cancelled,
//! named and listed like any other.
//!
//! A task's state belongs to whoever holds its loop. The loop's registry keeps a
//! pending task alive, so that nobody else has to.

mod group;
mod members;
mod park;
mod registry;
mod sleep;
mod step;
mod timeout;

pub use group::{GroupError, TaskGroup};
pub use park::PARK;
pub use registry::{all_tasks, current_task};
pub use sleep::sleep;
pub use step::{AWAIT, StepFn, YIELD};
pub use timeout::Timeout;

use crate::callback::UserData;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, ExceptionContext, Hold, Late};
use crate::loop_cell::LoopCell;
use crate::memory::{copy_text, try_arc, try_box};
use crate::services::future::{Future, Operation, Outcome, Token, report_record};
use crate::text::Text;
use park::{Parking, copied};
use registry::Registry;
use std::any::Any;
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How a task begins.
#[derive(Default)]
pub struct Options {
    /// Its name; none: Task-N.
    pub name: Option<CString>,
    /// What its steps run in; none: the creator's present context.
    pub context: Option<Context>,
    /// Run the first step at once: asyncio's eager tasks.
    pub eager: bool,
}

/// A task. Shared by reference counts; used by the loop's thread.
pub struct Task {
    future: Arc<Future>,
    registry: Arc<Registry>,
    state: LoopCell<State>,
}

struct State {
    /// What to run; none while it runs and when it is over.
    step: Option<(StepFn, UserData)>,
    context: Option<Arc<Context>>,
    name: Name,
    /// What the task waits for, and how that knows of the task; no token: the
    /// next step is scheduled already.
    awaiting: Option<Arc<Future>>,
    token: Option<Token>,
    /// What it waited for last: the step reads its result.
    awaited: Option<Arc<Future>>,
    /// What the step asked for when it returned.
    wish: Wish,
    /// The next step after a wait is told of a cancellation, with this message.
    must_cancel: bool,
    /// The step after the next one is.
    must_cancel_later: bool,
    cancel_message: Option<CString>,
    /// The message of the cancellation that a step was told of last.
    told_message: Option<CString>,
    cancel_requests: u32,
    /// The number of the call of `cancel` that came here last.
    cancelled_by: u64,
    running: bool,
    /// How it waits, if not for a future.
    parking: Parking,
    /// What comes behind it among those that wait for memory to go on.
    late: Option<Arc<dyn Late>>,
    /// The last step's wish could not be had.
    refused: Option<Error>,
    /// Its place in the registry.
    key: Option<usize>,
}

/// What a task is called. Few are ever asked.
enum Name {
    Given(CString),
    /// Task-N.
    Number(u64),
}

impl Name {
    fn lend<R>(&self, body: impl FnOnce(&CStr) -> R) -> R {
        match self {
            Name::Given(name) => body(name),
            Name::Number(number) => {
                let text = Text::<32>::of(format_args!("Task-{number}"));
                // SAFETY: NUL-terminated, and it does not move meanwhile.
                body(unsafe { CStr::from_ptr(text.as_ptr()) })
            }
        }
    }
}

/// What a step leaves behind for its return.
enum Wish {
    Nothing,
    Await(Arc<Future>),
    Result(UserData),
    Failure(Outcome),
}

/// Cancelling a task's future cancels the task.
struct CancelTask(Arc<Task>);

impl Operation for CancelTask {
    fn cancel(&mut self, message: Option<&CStr>) -> Option<bool> {
        Some(self.0.cancel(message).unwrap_or(false))
    }

    fn refuses_results(&self) -> Option<&'static str> {
        Some("Task does not support set_result operation")
    }

    fn behind(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(self.0.clone())
    }
}

impl Task {
    /// A task whose first step runs in the next turn.
    pub fn create(
        event_loop: &EventLoop,
        step: StepFn,
        user_data: UserData,
        options: Options,
    ) -> Result<Arc<Task>> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let registry = registry::of(event_loop)?;
        let context = match options.context {
            Some(context) => Some(context),
            None => event_loop.present_context(),
        };
        let name = match options.name {
            Some(name) => Name::Given(name),
            None => Name::Number(NUMBER.fetch_add(1, Relaxed) + 1),
        };
        let future = Future::new(event_loop)?;
        future.set_report(c"Task exception was never retrieved")?;
        let task = try_arc(Task {
            future,
            registry,
            state: LoopCell::new(State {
                step: Some((step, user_data)),
                context: context.map(try_arc).transpose()?,
                name,
                awaiting: None,
                token: None,
                awaited: None,
                wish: Wish::Nothing,
                must_cancel: false,
                must_cancel_later: false,
                cancel_message: None,
                told_message: None,
                cancel_requests: 0,
                cancelled_by: 0,
                running: false,
                parking: Parking::No,
                late: None,
                refused: None,
                key: None,
            }),
        })?;
        task.future.set_operation(try_box(CancelTask(task.clone()))?)?;
        let started = task.registry.add(&task).and_then(|()| {
            if options.eager {
                task.run();
                Ok(())
            } else {
                task.run_soon()
            }
        });
        if let Err(error) = started {
            task.registry.remove(&task);
            task.abandon(false);
            return Err(error);
        }
        Ok(task)
    }

    /// Where its result will be.
    pub fn future(&self) -> &Arc<Future> {
        &self.future
    }

    /// Its loop.
    pub fn event_loop(&self) -> &EventLoop {
        self.future.event_loop()
    }

    fn hold(&self) -> Result<Hold<'_>> {
        self.event_loop().hold()
    }

    /// Runs `body` on the state. Nothing foreign may run in it.
    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the hold is that of the task's loop.
        unsafe { self.state.with(body) }
    }

    /// Asks the task to end: its next step is told, or what it awaits. False if
    /// it is done.
    pub fn cancel(self: &Arc<Self>, message: Option<&CStr>) -> Result<bool> {
        let hold = self.hold()?;
        if self.future.is_done() {
            return Ok(false);
        }
        // A task that awaits a task that awaits a task: one after the other,
        // because there may be more of them than the stack can bear.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed) + 1;
        let mut task = self.clone();
        loop {
            let (awaiting, earlier) = task.with(&hold, |state| {
                state.cancel_requests = state.cancel_requests.saturating_add(1);
                (state.awaiting.clone(), std::mem::replace(&mut state.cancelled_by, number))
            });
            if earlier == number {
                task.wait_no_more(&hold);
                task.run_soon()?;
                break;
            }
            if task.is_parked(&hold) {
                task.cancel_parked(&hold, copied(message));
                return Ok(true);
            }
            let Some(future) = awaiting else { break };
            if let Some(Ok(inner)) = future.behind().map(Arc::downcast::<Task>) {
                task = inner;
                continue;
            }
            if future.cancel(message)? {
                return Ok(true);
            }
            break;
        }
        // Without memory it is cancelled without a text.
        let message = copied(message);
        task.with(&hold, |state| {
            state.must_cancel = true;
            // What it waited for was cancelled before, with a message of its own.
            if !matches!(state.parking, Parking::Cancelled) {
                state.cancel_message = message;
            }
        });
        Ok(true)
    }

    /// A request to cancel is pending, of which the task shall be told when it
    /// waits again after its next step, or after the one that runs now.
    fn cancel_after_step(&self) -> Result<()> {
        let hold = self.hold()?;
        self.with(&hold, |state| match state.running {
            true => state.must_cancel = true,
            false => state.must_cancel_later = true,
        });
        Ok(())
    }

    /// The message of the cancellation that its step was told of last.
    fn told_message(&self) -> Result<Option<CString>> {
        let hold = self.hold()?;
        Ok(self.with(&hold, |state| {
            state.told_message.as_deref().and_then(|text| copy_text(text).ok())
        }))
    }

    /// Tasks await each other in a circle, which this one leaves.
    fn wait_no_more(&self, hold: &Hold<'_>) {
        let (awaiting, token) =
            self.with(hold, |state| (state.awaiting.take(), state.token.take()));
        if let (Some(future), Some(token)) = (&awaiting, token) {
            future.forget_callback(token);
        }
    }

    /// Takes one request to cancel back; how many are left.
    pub fn uncancel(&self) -> Result<u32> {
        let hold = self.hold()?;
        Ok(self.with(&hold, |state| {
            state.cancel_requests = state.cancel_requests.saturating_sub(1);
            if state.cancel_requests == 0 {
                state.must_cancel = false;
                state.must_cancel_later = false;
            }
            state.cancel_requests
        }))
    }

    /// How many requests to cancel are pending.
    pub fn cancelling(&self) -> Result<u32> {
        let hold = self.hold()?;
        Ok(self.with(&hold, |state| state.cancel_requests))
    }

    /// Lends the name to `body`.
    pub fn name<R>(&self, body: impl FnOnce(&CStr) -> R) -> Result<R> {
        let hold = self.hold()?;
        Ok(self.with(&hold, |state| state.name.lend(body)))
    }

    /// Renames the task.
    pub fn set_name(&self, name: CString) -> Result<()> {
        let hold = self.hold()?;
        let old = self.with(&hold, |state| std::mem::replace(&mut state.name, Name::Given(name)));
        drop(old);
        Ok(())
    }

    /// What the task awaited last, for its step.
    pub fn awaited(&self) -> Result<Option<Arc<Future>>> {
        let hold = self.hold()?;
        Ok(self.with(&hold, |state| state.awaited.clone()))
    }

    /// The step wishes to wait for `future`. A failure is what it then ends with,
    /// in these words, if it returns the code.
    pub fn wish_await(&self, future: Arc<Future>) -> Result<()> {
        let error = if Arc::ptr_eq(&future, &self.future) {
            Error::Invalid("Task cannot await on itself")
        } else if !std::ptr::eq(future.event_loop(), self.event_loop()) {
            Error::WrongLoop
        } else {
            return self.set_wish(Wish::Await(future));
        };
        drop(future);
        let _ = self.set_wish(Wish::Failure(Outcome::error(error)));
        Err(error)
    }

    /// The step is about to return this result.
    pub fn wish_result(&self, result: UserData) -> Result<()> {
        self.set_wish(Wish::Result(result))
    }

    /// The step is about to return this failure.
    pub fn wish_failure(&self, failure: Outcome) -> Result<()> {
        self.set_wish(Wish::Failure(failure))
    }

    fn set_wish(&self, wish: Wish) -> Result<()> {
        let hold = self.hold()?;
        let old = self.with(&hold, |state| {
            if !state.running {
                return Err(wish);
            }
            Ok(std::mem::replace(&mut state.wish, wish))
        });
        match old {
            Ok(old) => {
                drop(old);
                Ok(())
            }
            Err(_refused) => Err(Error::InvalidState("only the task's running step may do this")),
        }
    }

    /// The loop has closed, or the task never began: ends it without a result.
    /// What a running step was told of stays until it returns.
    fn abandon(&self, report: bool) {
        let Ok(hold) = self.hold() else { return };
        let (step, name) = self.with(&hold, |state| {
            state.key = None;
            state.parking = Parking::No;
            (state.step.take(), report.then(|| state.name.lend(copy_text).ok()).flatten())
        });
        if report && !self.future.is_done() {
            report_record(
                self.event_loop(),
                &ExceptionContext {
                    exception: name.as_deref().map_or(std::ptr::null(), CStr::as_ptr),
                    future: Arc::as_ptr(&self.future).cast(),
                    ..ExceptionContext::new(c"Task was destroyed but it is pending!")
                },
            );
        }
        self.future.abandon();
        self.wait_no_more(&hold);
        drop(step);
    }
}
