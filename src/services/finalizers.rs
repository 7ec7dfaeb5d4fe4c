//! What has to end before a loop does: asyncio's `shutdown_asyncgens`. Language
//! bindings register their generators here, C code whatever it likes.

use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop};
use crate::loop_cell::LoopCell;
use crate::memory::{copy_text, try_arc};
use crate::services::future::{Future, Outcome, report};
use std::ffi::{CString, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Ends something: 0 or a negative code, and maybe a future to wait for, as an
/// address from `Arc::into_raw`.
pub type FinalizerFn =
    unsafe extern "C-unwind" fn(*const EventLoop, *mut *const Future, *mut c_void) -> c_int;

/// A loop's finalizers.
struct Finalizers(LoopCell<State>);

#[derive(Default)]
struct State {
    next: u64,
    entries: Vec<(u64, FinalizerFn, UserData)>,
}

impl Attachment for Finalizers {
    fn survives_reinit(&self) -> bool {
        true
    }

    fn detached(&self, _why: Detach) {
        // SAFETY: the loop has let go of this; see `try_with` for forked children.
        let entries = unsafe { self.0.try_with(|state| std::mem::take(&mut state.entries)) };
        drop(entries);
    }
}

fn with<R>(event_loop: &EventLoop, body: impl FnOnce(&mut State) -> R) -> Result<R> {
    let own = event_loop.attachment(|| Ok(Finalizers(LoopCell::new(State::default()))))?;
    let _hold = event_loop.hold()?;
    // SAFETY: held; nothing foreign runs in any `body` of this file.
    Ok(unsafe { own.0.with(body) })
}

/// Registers a finalizer; yields its number.
pub fn add(event_loop: &EventLoop, func: FinalizerFn, user_data: UserData) -> Result<u64> {
    let mut entry = Some((func, user_data));
    with(event_loop, |state| {
        state.entries.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
        state.next += 1;
        if let Some((func, user_data)) = entry.take() {
            state.entries.push((state.next, func, user_data));
        }
        Ok(state.next)
    })?
}

/// Takes a finalizer back without calling it. False if there is none.
pub fn remove(event_loop: &EventLoop, id: u64) -> Result<bool> {
    let removed = with(event_loop, |state| {
        let position = state.entries.iter().position(|entry| entry.0 == id);
        position.map(|position| state.entries.remove(position))
    })?;
    Ok(removed.is_some())
}

/// Calls every finalizer once and yields a future that is done when all of them
/// are. Their failures are reported and end nothing.
pub fn shutdown(event_loop: &EventLoop) -> Result<Arc<Future>> {
    let all = Future::new(event_loop)?;
    let entries = with(event_loop, |state| std::mem::take(&mut state.entries))?;
    // One more than there are, so that nothing ends before all have begun.
    let left = try_arc(AtomicUsize::new(1))?;
    for (_, func, user_data) in entries {
        let mut future = std::ptr::null();
        // SAFETY: the host's function with the host's data.
        let code = unsafe { func(event_loop, &mut future, user_data.get()) };
        if code < 0 {
            complain(event_loop, code, None);
        } else if !future.is_null() {
            // SAFETY: the host hands over its reference.
            let future: Arc<Future> = unsafe { Arc::from_raw(future) };
            if !std::ptr::eq(future.event_loop(), event_loop) {
                complain(event_loop, Error::WrongLoop.code(), None);
                continue;
            }
            left.fetch_add(1, Relaxed);
            let (all, left) = (all.clone(), left.clone());
            future.on_done(move |future| {
                let text = |o: &Outcome| o.message().and_then(|text| copy_text(text).ok());
                let end = future.outcome(|o| (o.code(), text(o)));
                if let Ok((code @ ..0, message)) = end {
                    complain(future.event_loop(), code, message);
                }
                drop(user_data);
                one_less(&left, &all);
            })?;
        }
    }
    one_less(&left, &all);
    Ok(all)
}

fn one_less(left: &AtomicUsize, all: &Arc<Future>) {
    if left.fetch_sub(1, Relaxed) == 1 {
        all.finish_if_pending(Outcome::number(0));
    }
}

fn complain(event_loop: &EventLoop, code: c_int, message: Option<CString>) {
    let what = c"an error occurred during closing of asynchronous generator";
    report(event_loop, what, code, message.as_deref());
}
