//! `shield`: waiting for a future without being able to cancel it.

use crate::error::Result;
use crate::services::future::Future;
use std::sync::Arc;

/// A future that ends as `inner` does. Cancelling it leaves `inner` alone, whose
/// failure is then nobody's.
pub fn shield(inner: &Arc<Future>) -> Result<Arc<Future>> {
    if inner.is_done() {
        return Ok(inner.clone());
    }
    let outer = Future::new(inner.event_loop())?;
    let target = outer.clone();
    inner.on_done(move |inner| {
        if target.is_done() {
            inner.consume();
            return;
        }
        match inner.share_outcome() {
            Ok(outcome) => target.finish_if_pending(outcome),
            Err(error) => target.fail(error),
        }
    })?;
    Ok(outer)
}
