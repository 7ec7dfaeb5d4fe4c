//! Futures: a result that is not there yet.
//!
//! A future's state belongs to whoever holds its loop, also when the loop is
//! closed. It leaves `Pending` once. Whatever was working on it is told then,
//! at once; done-callbacks are scheduled by `call_soon`, each in its context.

mod cancellable;
mod deadline;
mod done_callback;
mod links;
mod outcome;
mod report;

pub use cancellable::CancelFn;
pub use deadline::Deadline;
pub use done_callback::{DoneCallback, DoneFn, Waiter};
pub use outcome::{Failure, Outcome};
pub use report::{report, report_record};

use crate::callback::DestroyFn;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, ExceptionContext, Hold, Kept, Late};
use crate::loop_cell::LoopCell;
use crate::memory::{copy_text, try_arc, try_box};
use done_callback::Registered;
use std::any::Any;
use std::ffi::{CStr, c_void};
use std::sync::Arc;

/// Where a future is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not done.
    Pending,
    /// Done: cancelled.
    Cancelled,
    /// Done: with a result or a failure.
    Finished,
}

/// What works on a future. It may refer to the future: it is dropped when the
/// future is done.
pub trait Operation {
    /// Somebody cancels the future. None: it becomes cancelled, here and now.
    /// Otherwise the operation has taken the request (Some(true)) or refused it,
    /// and ends the future itself.
    fn cancel(&mut self, _message: Option<&CStr>) -> Option<bool> {
        None
    }

    /// Why nobody but the operation may end the future; asyncio's words.
    fn refuses_results(&self) -> Option<&'static str> {
        None
    }

    /// What stands behind the future, for who knows its type.
    fn behind(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }

    /// The future is done, or is freed undone: let go of everything now, so
    /// that descriptors may be used for other things at once.
    fn ended(self: Box<Self>) {}
}

/// An operation that consists of letting go.
struct OnEnd<F>(F);

impl<F: FnOnce()> Operation for OnEnd<F> {
    fn ended(self: Box<Self>) {
        (self.0)()
    }
}

/// A future. Shared by reference counts; used by the loop's thread.
pub struct Future {
    event_loop: Kept,
    state: LoopCell<State>,
}

struct State {
    phase: Phase,
    outcome: Option<Outcome>,
    callbacks: Vec<Registered>,
    /// What comes behind it among those whose callbacks wait for memory.
    late: Option<Arc<dyn Late>>,
    next_token: u64,
    operation: Option<Box<dyn Operation>>,
    /// The operation is being asked to cancel, and is not in its place.
    cancelling: bool,
    refuses_results: Option<&'static str>,
    /// The loop's end cuts what services wait for here.
    linked: bool,
    /// A task that awaits this goes on in the next turn, though it is done.
    takes_turn: bool,
    /// Did somebody ask how it ended?
    retrieved: bool,
    /// What the reports call it.
    kind: &'static CStr,
}

impl State {
    /// Takes the first callback out of which that is true.
    fn take_where(&mut self, is_it: impl Fn(&Registered) -> bool) -> Option<Registered> {
        let position = self.callbacks.iter().position(is_it)?;
        Some(self.callbacks.remove(position))
    }
}

/// The reference to what was registered last by `on_done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(u64);

impl Future {
    /// A pending future. Without an operation, whoever made it ends it.
    pub fn new(event_loop: &EventLoop) -> Result<Arc<Future>> {
        event_loop.check_open()?;
        try_arc(Future {
            event_loop: event_loop.keep(),
            state: LoopCell::new(State {
                phase: Phase::Pending,
                outcome: None,
                callbacks: Vec::new(),
                late: None,
                next_token: 1,
                operation: None,
                cancelling: false,
                refuses_results: None,
                linked: false,
                takes_turn: false,
                retrieved: false,
                kind: c"Future exception was never retrieved",
            }),
        })
    }

    /// A pending future with a cleanup that runs at once when it is done.
    pub fn with_cleanup(
        event_loop: &EventLoop,
        cleanup: impl FnOnce() + 'static,
    ) -> Result<Arc<Future>> {
        let future = Future::new(event_loop)?;
        future.set_operation(try_box(OnEnd(cleanup))?)?;
        Ok(future)
    }

    /// Its loop. The loop may be closed.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }

    /// Runs `body` on the state. Nothing foreign may run in it.
    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the hold is that of the future's loop.
        unsafe { self.state.with(body) }
    }

    fn hold(&self) -> Result<Hold<'_>> {
        self.event_loop.hold()
    }

    /// Sets what works on it. If the future is done already, that ends at once.
    pub fn set_operation(&self, operation: Box<dyn Operation>) -> Result<()> {
        let hold = self.hold()?;
        let refuses_results = operation.refuses_results();
        let mut operation = Some(operation);
        let old = self.with(&hold, |state| match state.phase {
            Phase::Pending => {
                state.refuses_results = refuses_results;
                std::mem::replace(&mut state.operation, operation.take())
            }
            _ => None,
        });
        if let Some(operation) = operation.or(old) {
            operation.ended();
        }
        Ok(())
    }

    /// Takes away what works on it, unasked: the loop has closed.
    pub fn abandon(&self) {
        let Ok(hold) = self.hold() else { return };
        let operation = self.with(&hold, |state| state.operation.take());
        if let Some(operation) = operation {
            operation.ended();
        }
    }

    /// What stands behind it while it is pending; see `Operation::behind`.
    pub fn behind(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        let hold = self.hold().ok()?;
        self.with(&hold, |state| state.operation.as_ref()?.behind())
    }

    /// Says what the report of a failure that nobody retrieves begins with.
    pub fn set_report(&self, kind: &'static CStr) -> Result<()> {
        let hold = self.hold()?;
        self.with(&hold, |state| state.kind = kind);
        Ok(())
    }

    /// Where it is.
    pub fn phase(&self) -> Result<Phase> {
        let hold = self.hold()?;
        Ok(self.with(&hold, |state| state.phase))
    }

    /// Is it done, in whatever way? A future that cannot be asked is not.
    pub fn is_done(&self) -> bool {
        matches!(self.phase(), Ok(Phase::Cancelled | Phase::Finished))
    }

    /// Ends it. The outcome is dropped where this fails: the future was done
    /// already, or its loop is closed and there are callbacks to schedule.
    pub fn finish(self: &Arc<Self>, outcome: Outcome) -> Result<()> {
        let hold = self.hold()?;
        let open = self.event_loop.check_open();
        let mut outcome = Some(outcome);
        let ended = self.with(&hold, |state| {
            if state.phase != Phase::Pending {
                return Err(Error::InvalidState("invalid state"));
            }
            if !state.callbacks.is_empty() {
                open?;
            }
            state.phase = match outcome {
                Some(Outcome::Cancelled(_)) => Phase::Cancelled,
                _ => Phase::Finished,
            };
            state.outcome = outcome.take();
            Ok((std::mem::take(&mut state.callbacks), state.operation.take()))
        });
        // What is not kept is dropped when nothing is borrowed any more.
        let (callbacks, operation) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                drop(outcome);
                return Err(error);
            }
        };
        self.schedule_all(callbacks);
        if let Some(operation) = operation {
            operation.ended();
        }
        Ok(())
    }

    /// `finish` by the host, who may not end what a task ends.
    pub fn finish_by_host(self: &Arc<Self>, outcome: Outcome) -> Result<()> {
        let hold = self.hold()?;
        match self.with(&hold, |state| state.refuses_results) {
            Some(why) => Err(Error::InvalidState(why)),
            None => self.finish(outcome),
        }
    }

    /// A future that is done, yet a task that awaits it goes on a turn later.
    pub fn after_a_turn(event_loop: &EventLoop, outcome: Outcome) -> Result<Arc<Future>> {
        let future = Future::new(event_loop)?;
        future.finish(outcome)?;
        let hold = future.hold()?;
        future.with(&hold, |state| state.takes_turn = true);
        drop(hold);
        Ok(future)
    }

    /// Has the first task that awaits this to let a turn pass?
    pub fn takes_turn(&self) -> bool {
        let Ok(hold) = self.hold() else { return false };
        self.with(&hold, |state| std::mem::take(&mut state.takes_turn))
    }

    /// `finish` for an operation whose future may have been cancelled meanwhile.
    pub fn finish_if_pending(self: &Arc<Self>, outcome: Outcome) {
        let _ = self.finish(outcome);
    }

    /// Ends it with a result that needs no destructor: a number or a borrowed
    /// pointer.
    pub fn succeed(self: &Arc<Self>, value: usize) {
        self.finish_if_pending(Outcome::number(value));
    }

    /// Ends it with one of our own failures.
    pub fn fail(self: &Arc<Self>, error: Error) {
        self.finish_if_pending(Outcome::error(error));
    }

    /// It is done and cannot be undone: those who cannot be told for lack of
    /// memory are told later. That is better than to call them here, inside of
    /// what ends the future, which nobody expects.
    fn schedule_all(self: &Arc<Self>, mut callbacks: Vec<Registered>) {
        callbacks.reverse();
        while let Some(callback) = callbacks.pop() {
            let Err((Error::NO_MEMORY, Some(unheard))) = self.schedule(callback) else { continue };
            // The list has room for what came from it.
            callbacks.push(unheard);
            callbacks.reverse();
            let Ok(hold) = self.hold() else { return };
            self.with(&hold, |state| state.callbacks = callbacks);
            return self.event_loop.schedule_late(self.clone());
        }
    }

    /// Without memory the callback comes back.
    fn schedule(
        self: &Arc<Self>,
        callback: Registered,
    ) -> std::result::Result<(), (Error, Option<Registered>)> {
        let token = callback.token;
        let callback = callback
            .into_callback(self.clone())
            .map_err(|registered| (Error::NO_MEMORY, Some(registered)))?;
        self.event_loop.call_soon_or_back(callback).map_err(|(error, callback)| {
            let ready = |callback| Registered {
                callback: DoneCallback::Ready(callback),
                context: None,
                token,
            };
            (error, callback.map(ready))
        })
    }

    /// Asks for the end. False if it is done already or the operation refuses.
    /// A task ends some turns later; most others end here.
    pub fn cancel(self: &Arc<Self>, message: Option<&CStr>) -> Result<bool> {
        let hold = self.hold()?;
        let operation = self.with(&hold, |state| {
            if state.phase != Phase::Pending {
                return Err(false);
            }
            if state.cancelling {
                // By the operation itself, or what it called: it knows already.
                return Err(true);
            }
            state.cancelling = state.operation.is_some();
            Ok(state.operation.take())
        });
        let operation = match operation {
            Ok(operation) => operation,
            Err(answer) => return Ok(answer),
        };
        let answer = match operation {
            Some(mut operation) => {
                let answer = operation.cancel(message);
                // It may have ended the future, or have been replaced.
                let mut operation = Some(operation);
                self.with(&hold, |state| {
                    state.cancelling = false;
                    if state.phase == Phase::Pending && state.operation.is_none() {
                        state.operation = operation.take();
                    }
                });
                if let Some(operation) = operation {
                    operation.ended();
                }
                answer
            }
            None => None,
        };
        match answer {
            Some(answer) => Ok(answer),
            None => {
                // Without memory it is cancelled without a text.
                let message = message.and_then(|text| copy_text(text).ok());
                match self.finish(Outcome::Cancelled(message)) {
                    Err(Error::InvalidState(_)) => Ok(false),
                    result => result.map(|()| true),
                }
            }
        }
    }

    /// Calls `callback` once the future is done, in the caller's present context.
    pub fn add_done_callback(self: &Arc<Self>, callback: DoneCallback) -> Result<Token> {
        let context = self.event_loop.present_context();
        self.register(callback, context)
    }

    /// The same in a given context.
    pub fn add_done_callback_in(
        self: &Arc<Self>,
        callback: DoneCallback,
        context: crate::context::Context,
    ) -> Result<Token> {
        self.register(callback, Some(context))
    }

    /// For services: calls `func` by `call_soon` once the future is done, or
    /// drops it when the loop closes. It may refer to the future.
    pub fn on_done(self: &Arc<Self>, func: impl FnOnce(&Arc<Future>) + 'static) -> Result<Token> {
        let hold = self.hold()?;
        let link = |state: &mut State| {
            state.phase == Phase::Pending && !std::mem::replace(&mut state.linked, true)
        };
        if self.with(&hold, link)
            && let Err(error) = links::add(&self.event_loop, self)
        {
            self.with(&hold, |state| state.linked = false);
            return Err(error);
        }
        self.register(DoneCallback::Service(try_box(func)?), None)
    }

    /// Wakes `waiter`, who keeps this future and lets go of it in time.
    pub fn wake_when_done(self: &Arc<Self>, waiter: Arc<dyn Waiter>) -> Result<Token> {
        self.register(DoneCallback::Waiter(waiter), None)
    }

    /// Drops what services wait for here: the loop has closed.
    fn forget_services(&self) {
        let Ok(hold) = self.hold() else { return };
        while let Some(dropped) =
            self.with(&hold, |state| state.take_where(|entry| entry.callback.is_service()))
        {
            drop(dropped);
        }
    }

    fn register(
        self: &Arc<Self>,
        callback: DoneCallback,
        context: Option<crate::context::Context>,
    ) -> Result<Token> {
        let hold = self.hold()?;
        let mut registered = Some(Registered { callback, context, token: Token(0) });
        let pending = self.with(&hold, |state| {
            let token = Token(state.next_token);
            if let Some(registered) = &mut registered {
                registered.token = token;
            }
            if state.phase == Phase::Pending {
                // Nearly always there is one only.
                let reserved = match state.callbacks.capacity() {
                    0 => state.callbacks.try_reserve_exact(1),
                    _ => state.callbacks.try_reserve(1),
                };
                reserved.map_err(|_| Error::NO_MEMORY)?;
                state.callbacks.extend(registered.take());
            }
            state.next_token += 1;
            Ok::<_, Error>(token)
        })?;
        if let Some(registered) = registered {
            self.schedule(registered).map_err(|(error, _refused)| error)?;
        }
        Ok(pending)
    }

    /// Takes back what `on_done` registered, unless it was scheduled already.
    pub fn forget_callback(&self, token: Token) {
        let Ok(hold) = self.hold() else { return };
        let removed = self.with(&hold, |state| state.take_where(|entry| entry.token == token));
        drop(removed);
    }

    /// Takes back every registration of a host's function and data; how many.
    pub fn remove_done_callback(&self, func: DoneFn, data: *mut c_void) -> Result<usize> {
        let hold = self.hold()?;
        let take = |state: &mut State| state.take_where(|entry| entry.callback.is_host(func, data));
        let mut count = 0;
        while let Some(removed) = self.with(&hold, take) {
            drop(removed);
            count += 1;
        }
        Ok(count)
    }

    /// How it ended, lent to `body`; counts as retrieved. `InvalidState` before.
    /// Nothing foreign may run in `body`.
    pub fn outcome<R>(&self, body: impl FnOnce(&Outcome) -> R) -> Result<R> {
        let hold = self.hold()?;
        self.with(&hold, |state| match &state.outcome {
            Some(outcome) => {
                state.retrieved = true;
                Ok(body(outcome))
            }
            None => Err(Error::InvalidState("Result is not set.")),
        })
    }

    /// The code it ended with, without counting as retrieved.
    pub fn peek_code(&self) -> Result<i32> {
        let hold = self.hold()?;
        self.with(&hold, |state| match &state.outcome {
            Some(outcome) => Ok(outcome.code()),
            None => Err(Error::InvalidState("Result is not set.")),
        })
    }

    /// The destructor of what a host has put into the outcome. None before.
    pub fn destroy_fn(&self) -> Result<Option<DestroyFn>> {
        let hold = self.hold()?;
        Ok(self.with(&hold, |state| state.outcome.as_ref().and_then(Outcome::destroy_fn)))
    }

    /// How it ended, for another future; counts as retrieved.
    pub fn share_outcome(&self) -> Result<Outcome> {
        let hold = self.hold()?;
        self.with(&hold, |state| match &mut state.outcome {
            Some(outcome) => {
                state.retrieved = true;
                outcome.share()
            }
            None => Err(Error::InvalidState("Result is not set.")),
        })
    }

    /// The failure it ended with, for another future of its loop or for a task of
    /// it; counts as retrieved.
    pub fn share_failure(&self, event_loop: &EventLoop) -> Result<Outcome> {
        if !std::ptr::eq(self.event_loop(), event_loop) {
            return Err(Error::WrongLoop);
        }
        match self.share_outcome()? {
            failure if failure.is_failure() => Ok(failure),
            _ => Err(Error::InvalidState("the future has not failed")),
        }
    }

    /// The failure of an ended future will not be reported.
    pub fn consume(&self) {
        if let Ok(hold) = self.hold() {
            self.with(&hold, |state| state.retrieved = true);
        }
    }
}

impl Late for Future {
    fn chain(&self, next: Option<Arc<dyn Late>>) -> Option<Arc<dyn Late>> {
        // SAFETY: the loop chains, which is held; or it has let go of all.
        let before =
            unsafe { self.state.try_with(|state| std::mem::replace(&mut state.late, next)) };
        before.flatten()
    }

    fn again(self: Arc<Self>) {
        let Ok(hold) = self.hold() else { return };
        let callbacks = self.with(&hold, |state| std::mem::take(&mut state.callbacks));
        self.schedule_all(callbacks);
    }

    fn never(self: Arc<Self>) {
        // SAFETY: the loop has let go of it.
        let callbacks =
            unsafe { self.state.try_with(|state| std::mem::take(&mut state.callbacks)) };
        drop(callbacks);
    }
}

impl Drop for Future {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let operation = state.operation.take();
        let kind = state.kind;
        let callbacks = std::mem::take(&mut state.callbacks);
        let unheard = match &state.outcome {
            Some(outcome) if outcome.is_failure() && !state.retrieved => state.outcome.take(),
            _ => None,
        };
        if let Some(operation) = operation {
            operation.ended();
        }
        drop(callbacks);
        if let Some(outcome) = unheard {
            report_record(
                &self.event_loop,
                &ExceptionContext {
                    code: outcome.code(),
                    exception: outcome.message().map_or(std::ptr::null(), CStr::as_ptr),
                    future: std::ptr::from_ref(self).cast(),
                    ..ExceptionContext::new(kind)
                },
            );
        }
    }
}
