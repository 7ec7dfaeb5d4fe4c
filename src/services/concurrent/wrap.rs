//! asyncio's `wrap_future`: a loop's future that ends as a thread's one does.
//!
//! The thread that ends the one knows the other by number only: a reference that
//! travelled with the news might be the last one, and end far from its loop.

use super::{Concurrent, Listener};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop, Kept};
use crate::loop_cell::LoopCell;
use crate::memory::{probe_array, try_box};
use crate::services::future::{Future, Operation};
use slab::Slab;
use std::ffi::CStr;
use std::sync::Arc;

/// A loop's futures that wrap threads' ones.
struct Wrapped(LoopCell<State>);

struct State {
    /// Each with a number that is never used again.
    futures: Slab<(u64, Arc<Future>)>,
    next: u64,
}

/// A future's place and number.
#[derive(Clone, Copy)]
struct Key(usize, u64);

impl Attachment for Wrapped {
    fn survives_reinit(&self) -> bool {
        true
    }

    fn detached(&self, _why: Detach) {
        // SAFETY: the loop has let go of this; a child that was forked in the
        // middle of a change finds it in use and leaves it.
        let futures = unsafe { self.0.try_with(|state| std::mem::take(&mut state.futures)) };
        for (_, (_, future)) in futures.into_iter().flatten() {
            future.abandon();
        }
    }
}

impl Wrapped {
    fn of(event_loop: &EventLoop) -> Result<Arc<Wrapped>> {
        event_loop
            .attachment(|| Ok(Wrapped(LoopCell::new(State { futures: Slab::new(), next: 0 }))))
    }

    fn insert(&self, future: &Arc<Future>) -> Result<Key> {
        let _hold = future.event_loop().hold()?;
        let insert = |state: &mut State| {
            if state.futures.len() == state.futures.capacity() {
                let larger = 2 * state.futures.capacity().max(4);
                probe_array::<(usize, u64, Arc<Future>)>(larger)?;
            }
            state.next += 1;
            let number = state.next;
            Ok(Key(state.futures.insert((number, future.clone())), number))
        };
        // SAFETY: held; nothing foreign runs in the body.
        unsafe { self.0.with(insert) }
    }
}

/// Takes a future out, if it is still there.
fn take(event_loop: &EventLoop, Key(place, number): Key) -> Option<Arc<Future>> {
    let wrapped = event_loop.find_attachment::<Wrapped>()?;
    let _hold = event_loop.hold().ok()?;
    let take = |state: &mut State| match state.futures.get(place) {
        Some((own, _)) if *own == number => state.futures.try_remove(place),
        _ => None,
    };
    // SAFETY: held; nothing foreign runs in the body.
    unsafe { wrapped.0.with(take) }.map(|(_, future)| future)
}

/// Cancelling the loop's future cancels the thread's.
struct CancelConcurrent {
    event_loop: Kept,
    key: Key,
    concurrent: Arc<Concurrent>,
}

impl Operation for CancelConcurrent {
    fn cancel(&mut self, message: Option<&CStr>) -> Option<bool> {
        let _ = self.concurrent.cancel(message);
        None
    }

    fn ended(self: Box<Self>) {
        drop(take(&self.event_loop, self.key));
    }
}

/// A future of `event_loop` that ends as `concurrent` does.
pub fn wrap(event_loop: &EventLoop, concurrent: &Arc<Concurrent>) -> Result<Arc<Future>> {
    concurrent.end()?;
    let future = Future::new(event_loop)?;
    let key = Wrapped::of(event_loop)?.insert(&future)?;
    let operation = try_box(CancelConcurrent {
        event_loop: event_loop.keep(),
        key,
        concurrent: concurrent.clone(),
    });
    let began = operation.and_then(|operation| {
        future.set_operation(operation)?;
        let remote = event_loop.remote();
        concurrent.listen(Listener::Service(try_box(move |concurrent: &Arc<Concurrent>| {
            tell(&remote, key, concurrent.clone());
        })?))
    });
    match began {
        Ok(()) => Ok(future),
        Err(error) => {
            future.abandon();
            drop(take(event_loop, key));
            Err(error)
        }
    }
}

/// On the thread that has ended `concurrent`.
fn tell(event_loop: &EventLoop, key: Key, concurrent: Arc<Concurrent>) {
    let (home, ended) = (event_loop.remote(), concurrent.clone());
    let callback = Callback::once(move || end(&home, key, &ended));
    // A closed loop is told nothing any more.
    let told = callback.and_then(|callback| event_loop.call_soon_threadsafe(callback, false));
    if matches!(told, Err(Error::NO_MEMORY)) {
        // At once, which the loop's own thread may do.
        end(event_loop, key, &concurrent);
    }
}

fn end(event_loop: &EventLoop, key: Key, concurrent: &Concurrent) {
    if let Some(future) = take(event_loop, key)
        && let Ok(Some(end)) = concurrent.end()
    {
        future.finish_if_pending(end.into_outcome());
    }
}
