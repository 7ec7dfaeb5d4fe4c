//! `sleep`: a future that is done by the clock.

use crate::callback::{Callback, UserData};
use crate::error::Result;
use crate::event_loop::EventLoop;
use crate::handle_table::HandleId;
use crate::memory::try_box;
use crate::services::future::{Future, Operation, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The timer behind a sleep; cancelling gives it back at once.
struct Timer {
    event_loop: crate::event_loop::Kept,
    /// 0 once it has fired.
    handle: Arc<AtomicU64>,
}

impl Operation for Timer {
    fn ended(self: Box<Self>) {
        let handle = self.handle.swap(0, Relaxed);
        if handle != 0 {
            let _ = self.event_loop.handle_cancel(HandleId(handle));
        }
    }
}

/// A future that ends with `result` after `delay_ns`; 0 or less: in the next turn.
pub fn sleep(event_loop: &EventLoop, delay_ns: i64, result: UserData) -> Result<Arc<Future>> {
    let future = Future::new(event_loop)?;
    let handle = Arc::new(AtomicU64::new(0));
    let (target, own) = (future.clone(), handle.clone());
    let callback = Callback::once(move || {
        own.store(0, Relaxed);
        target.finish_if_pending(Outcome::Result(result));
    })?;
    let id = if delay_ns <= 0 {
        event_loop.call_soon(callback, true)?
    } else {
        event_loop.call_later(delay_ns, callback)?
    };
    handle.store(id.0, Relaxed);
    future.set_operation(try_box(Timer { event_loop: event_loop.keep(), handle })?)?;
    Ok(future)
}
