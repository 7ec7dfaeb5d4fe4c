//! The running loop of the calling thread.

use super::guard::{guard, store};
use super::types::loop_t;
use crate::error::Error;
use crate::running;
use std::ffi::c_int;

/// The loop that runs in this thread, in *ret_loop, borrowed: it lives at least
/// until the run ends. LOOP_ENO_RUNNING if there is none, also in a child forked
/// inside a callback. [any thread] asyncio: get_running_loop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_get_running(ret_loop: *mut *mut loop_t) -> c_int {
    guard(|| {
        let running = running::get();
        if running.is_null() {
            return Err(Error::NoRunning);
        }
        unsafe { store(ret_loop, running.cast_mut().cast())? };
        Ok(0)
    })
}

versioned!("loop_get_running");
