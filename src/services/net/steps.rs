//! Work in several steps as what works on a future: an asynchronous block that
//! is polled on the loop's thread. When the future is cancelled the block is
//! dropped, and with it everything it holds: watches, timers, sockets, the
//! host's data.

use super::registry::{EndsWithLoop, Key, Registry};
use crate::context::Context as HostContext;
use crate::error::Result;
use crate::event_loop::{Detach, EventLoop, Hold, Kept};
use crate::loop_cell::LoopCell;
use crate::memory::{try_arc, try_box};
use crate::services::future::{Future, Operation, Outcome};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

type Block = Pin<Box<dyn std::future::Future<Output = Outcome>>>;

/// A block, and the host's context in which it goes on, if there is any.
struct InContext {
    block: Block,
    context: Option<HostContext>,
}

impl InContext {
    /// The first step is taken by the caller, who is in that context already.
    fn poll(&mut self, is_first: bool, waker: &mut Context<'_>) -> Poll<Outcome> {
        match &self.context {
            Some(context) if !is_first => context.run(|| self.block.as_mut().poll(waker)),
            _ => self.block.as_mut().poll(waker),
        }
    }
}

/// A block and the future it works on.
struct Steps {
    event_loop: Kept,
    state: LoopCell<State>,
}

struct State {
    /// None while it is polled and once it is over.
    block: Option<InContext>,
    /// Kept until the end, though nobody else may refer to it.
    future: Option<Arc<Future>>,
    polling: bool,
    /// Something happened while it was polled.
    again: bool,
    key: Option<Key>,
}

/// Begins the work, at once; it ends the future that is returned.
pub fn begin(
    event_loop: &EventLoop,
    block: impl std::future::Future<Output = Outcome> + 'static,
) -> Result<Arc<Future>> {
    let registry = Registry::of(event_loop)?;
    let block: Block = Pin::from(try_box(block)? as Box<dyn std::future::Future<Output = Outcome>>);
    let context = event_loop.present_context();
    let future = Future::new(event_loop)?;
    let state = State {
        block: Some(InContext { block, context }),
        future: Some(future.clone()),
        polling: false,
        again: false,
        key: None,
    };
    let steps = try_arc(Steps { event_loop: event_loop.keep(), state: LoopCell::new(state) })?;
    let hold = event_loop.hold()?;
    let key = registry.add(steps.clone())?;
    steps.with(&hold, |state| state.key = Some(key));
    match try_box(Working(steps.clone())) {
        Ok(working) => future.set_operation(working)?,
        Err(error) => {
            steps.let_go();
            return Err(error);
        }
    }
    steps.poll(true);
    Ok(future)
}

/// The operation of such a future.
struct Working(Arc<Steps>);

impl Operation for Working {
    fn ended(self: Box<Self>) {
        self.0.let_go();
    }
}

impl Steps {
    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the loop is held.
        unsafe { self.state.with(body) }
    }

    /// Goes on as far as possible.
    fn poll(self: &Arc<Self>, is_first: bool) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let taken = self.with(&hold, |state| {
            state.again = state.polling;
            let block = state.block.take();
            state.polling |= block.is_some();
            block
        });
        let Some(mut block) = taken else { return };
        let waker = Waker::from(self.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = block.poll(is_first, &mut context) {
                let (future, key) = self.with(&hold, |state| {
                    state.polling = false;
                    (state.future.take(), state.key.take())
                });
                drop(block);
                self.leave(key);
                if let Some(future) = future {
                    future.finish_if_pending(outcome);
                }
                return;
            }
            let mut waiting = Some(block);
            let over = self.with(&hold, |state| {
                let over = state.future.is_none();
                if over || !std::mem::take(&mut state.again) {
                    state.polling = false;
                    if !over {
                        state.block = waiting.take();
                    }
                }
                over
            });
            match waiting {
                Some(again) if !over => block = again,
                over => return drop(over),
            }
        }
    }

    /// Drops the block, wherever it is.
    fn let_go(&self) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let (block, future, key) =
            self.with(&hold, |state| (state.block.take(), state.future.take(), state.key.take()));
        drop(block);
        self.leave(key);
        drop(future);
    }

    fn leave(&self, key: Option<Key>) {
        if let Some(key) = key {
            Registry::remove(&self.event_loop, key);
        }
    }
}

impl Wake for Steps {
    fn wake(self: Arc<Self>) {
        self.poll(false);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.poll(false);
    }
}

impl EndsWithLoop for Steps {
    fn loop_ended(self: Arc<Self>, why: Detach) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let future = self.with(&hold, |state| {
            state.key = None;
            state.future.clone()
        });
        self.let_go();
        // A closed loop's futures stay as they are.
        if let (Some(future), Detach::Reinit) = (future, why) {
            let _ = future.cancel(None);
        }
    }
}
