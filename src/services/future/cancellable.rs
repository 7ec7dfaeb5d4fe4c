//! A future whose maker is asked when somebody cancels it: asyncio's way for
//! what goes on elsewhere and may need time to end, such as another language's
//! task.

use super::{Future, Operation};
use crate::callback::UserData;
use crate::error::Result;
use crate::event_loop::EventLoop;
use crate::memory::try_box;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;

/// A host's answer to a request: positive: it will end the future; 0: it refuses;
/// negative: cancel it at once.
pub type CancelFn = unsafe extern "C-unwind" fn(*const Future, *const c_char, *mut c_void) -> c_int;

/// The host that works on the future.
struct Host {
    /// Not counted: the future has this.
    future: *const Future,
    cancel: CancelFn,
    user_data: UserData,
}

impl Operation for Host {
    fn cancel(&mut self, message: Option<&CStr>) -> Option<bool> {
        let text = message.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: the host's function with the host's data; who cancels keeps
        // the future.
        let answer = unsafe { (self.cancel)(self.future, text, self.user_data.get()) };
        (answer >= 0).then_some(answer > 0)
    }
}

impl Future {
    /// A pending future; `cancel` is asked as long as it is pending.
    pub fn cancellable(
        event_loop: &EventLoop,
        cancel: CancelFn,
        user_data: UserData,
    ) -> Result<Arc<Future>> {
        let future = Future::new(event_loop)?;
        let host = Host { future: Arc::as_ptr(&future), cancel, user_data };
        future.set_operation(try_box(host)?)?;
        Ok(future)
    }
}
