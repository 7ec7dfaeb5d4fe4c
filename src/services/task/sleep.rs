//! `sleep`: a future that is done by the clock.

use crate::callback::{Callback, UserData};
use crate::error::Result;
use crate::event_loop::{EventLoop, Kept};
use crate::handle_table::HandleId;
use crate::memory::try_box;
use crate::services::future::{Future, Operation, Outcome};
use std::sync::Arc;

/// The timer behind a sleep; cancelling gives it back at once. Once it has
/// fired, its handle is stale.
struct Timer {
    event_loop: Kept,
    handle: HandleId,
}

impl Operation for Timer {
    fn ended(self: Box<Self>) {
        let _ = self.event_loop.handle_cancel(self.handle);
    }
}

/// A future that ends with `result` after `delay_ns`. 0 or less: it is done, but
/// whoever awaits it lets a turn pass.
pub fn sleep(event_loop: &EventLoop, delay_ns: i64, result: UserData) -> Result<Arc<Future>> {
    if delay_ns <= 0 {
        return Future::after_a_turn(event_loop, Outcome::Result(result));
    }
    let future = Future::new(event_loop)?;
    let target = future.clone();
    let callback = Callback::once(move || target.finish_if_pending(Outcome::Result(result)))?;
    let handle = event_loop.call_later(delay_ns, callback)?;
    match try_box(Timer { event_loop: event_loop.keep(), handle }) {
        Ok(timer) => future.set_operation(timer)?,
        Err(error) => {
            let _ = event_loop.handle_cancel(handle);
            return Err(error);
        }
    }
    Ok(future)
}
