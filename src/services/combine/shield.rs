//! `shield`: waiting for a future without being able to cancel it.

use crate::error::Result;
use crate::memory::try_box;
use crate::services::future::{Future, Operation, Token};
use std::sync::Arc;

/// Once the outer future is done, the inner one has nothing to tell it.
struct StopListening {
    inner: Arc<Future>,
    token: Token,
}

impl Operation for StopListening {
    fn ended(self: Box<Self>) {
        self.inner.forget_callback(self.token);
    }
}

/// A future that ends as `inner` does. Cancelling it leaves `inner` alone, whose
/// failure is then for others to ask for.
pub fn shield(inner: &Arc<Future>) -> Result<Arc<Future>> {
    if inner.is_done() {
        return Ok(inner.clone());
    }
    let outer = Future::new(inner.event_loop())?;
    let target = outer.clone();
    let token = inner.on_done(move |inner| {
        if target.is_done() {
            return;
        }
        match inner.share_outcome() {
            Ok(outcome) => target.finish_if_pending(outcome),
            Err(error) => target.fail(error),
        }
    })?;
    let operation = try_box(StopListening { inner: inner.clone(), token });
    match operation.and_then(|operation| outer.set_operation(operation)) {
        Ok(()) => Ok(outer),
        Err(error) => {
            inner.forget_callback(token);
            Err(error)
        }
    }
}
