//! `gather`: the results of several futures, in the order in which they were
//! given.

use super::check_loops;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::loop_cell::LoopCell;
use crate::memory::{copy_text, try_arc, try_box, try_collect};
use crate::services::future::{Future, Operation, Outcome};
use std::ffi::{CStr, c_int, c_void};
use std::sync::Arc;

/// What `gather` yields; the futures keep the results alive.
#[repr(C)]
pub struct Gathered {
    /// How many there are.
    pub count: usize,
    /// Each one's result, null where it failed.
    pub results: *const *mut c_void,
    /// Each one's code: 0, or how it failed.
    pub codes: *const c_int,
    /// The futures, borrowed.
    pub futures: *const *const Future,
    owned: (Vec<*mut c_void>, Vec<c_int>, Vec<*const Future>, Vec<Arc<Future>>),
}

struct Gather {
    children: Vec<Arc<Future>>,
    returns_failures: bool,
    state: LoopCell<State>,
}

struct State {
    left: usize,
    cancel_requested: bool,
}

/// Cancelling the whole cancels each part.
struct CancelAll(Arc<Gather>);

impl Operation for CancelAll {
    fn cancel(&mut self, message: Option<&CStr>) -> Option<bool> {
        let mut any = false;
        for child in &self.0.children {
            any |= child.cancel(message).unwrap_or(false);
        }
        if any {
            // SAFETY: whoever cancels holds the loop.
            unsafe { self.0.state.with(|state| state.cancel_requested = true) };
        }
        Some(any)
    }
}

/// A future of the results of `children`. The first failure ends it, unless
/// failures are to be returned like results.
pub fn gather(
    event_loop: &EventLoop,
    children: Vec<Arc<Future>>,
    returns_failures: bool,
) -> Result<Arc<Future>> {
    check_loops(event_loop, &children)?;
    let outer = Future::new(event_loop)?;
    if children.is_empty() {
        outer.finish(Outcome::value(Gathered::of(&[])?))?;
        return Ok(outer);
    }
    let gather = try_arc(Gather {
        returns_failures,
        state: LoopCell::new(State { left: children.len(), cancel_requested: false }),
        children,
    })?;
    let whole = outer;
    whole.set_operation(try_box(CancelAll(gather.clone()))?)?;
    for child in &gather.children {
        let (gather, outer) = (gather.clone(), whole.clone());
        let heard = child.on_done(move |child| gather.one_done(child, &outer));
        if let Err(error) = heard {
            // Those that were registered have nobody to tell.
            whole.abandon();
            whole.succeed(0);
            return Err(error);
        }
    }
    Ok(whole)
}

impl Gather {
    fn one_done(&self, child: &Arc<Future>, outer: &Arc<Future>) {
        let Ok(_hold) = child.event_loop().hold() else { return };
        // SAFETY: held; nothing foreign runs in the body.
        let (left, requested) = unsafe {
            self.state.with(|state| {
                state.left -= 1;
                (state.left, state.cancel_requested)
            })
        };
        child.consume();
        if outer.is_done() {
            return;
        }
        let code = child.outcome(Outcome::code).unwrap_or(0);
        let outcome = if code != 0 && !self.returns_failures {
            child.share_outcome()
        } else if left != 0 {
            return;
        } else if requested {
            let message = child.outcome(|outcome| match outcome {
                Outcome::Cancelled(message) => {
                    message.as_deref().and_then(|text| copy_text(text).ok())
                }
                _ => None,
            });
            message.map(Outcome::Cancelled)
        } else {
            Gathered::of(&self.children).map(Outcome::value)
        };
        match outcome {
            Ok(outcome) => outer.finish_if_pending(outcome),
            Err(error) => outer.fail(error),
        }
    }
}

impl Gathered {
    fn of(children: &[Arc<Future>]) -> Result<Box<Gathered>> {
        let result =
            |child: &Arc<Future>| child.outcome(Outcome::result).unwrap_or(std::ptr::null_mut());
        let code = |child: &Arc<Future>| child.outcome(Outcome::code).unwrap_or_else(Error::code);
        let results = try_collect(children.iter().map(result))?;
        let codes = try_collect(children.iter().map(code))?;
        let futures = try_collect(children.iter().map(Arc::as_ptr))?;
        try_box(Gathered {
            count: children.len(),
            results: results.as_ptr(),
            codes: codes.as_ptr(),
            futures: futures.as_ptr(),
            owned: (results, codes, futures, try_collect(children.iter().cloned())?),
        })
    }

    /// How many futures it keeps alive.
    pub fn len(&self) -> usize {
        self.owned.3.len()
    }

    /// Is it of nothing?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
