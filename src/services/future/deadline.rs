//! A time limit for a future.

use super::Future;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::Kept;
use crate::handle_table::HandleId;
use std::sync::Arc;

/// Ends a future with -ETIMEDOUT unless dropped before.
pub struct Deadline {
    event_loop: Kept,
    handle: HandleId,
}

impl Deadline {
    /// So many nanoseconds from now; negative: no limit.
    pub fn set(future: &Arc<Future>, timeout_ns: i64) -> Result<Option<Deadline>> {
        if timeout_ns < 0 {
            return Ok(None);
        }
        let event_loop = future.event_loop().keep();
        let late = future.clone();
        let callback = Callback::once(move || late.fail(Error::Sys(libc::ETIMEDOUT)))?;
        let handle = event_loop.call_later(timeout_ns, callback)?;
        Ok(Some(Deadline { event_loop, handle }))
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let _ = self.event_loop.handle_cancel(self.handle);
    }
}
