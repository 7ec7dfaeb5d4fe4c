//! Debug mode's report of callbacks that hold the loop up.

use super::EventLoop;
use super::exception::{Identity, write_stderr};
use crate::callback::{CallbackFn, UserData};
use crate::error::Result;
use crate::text::Text;
use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// asyncio's `slow_callback_duration`.
pub(super) const DEFAULT_DURATION: u64 = 100_000_000;

/// What is known of a slow callback; the C struct of the same name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SlowCallback {
    /// `sizeof` of this struct, as the library knows it.
    pub size: usize,
    /// The callback.
    pub callback: Option<CallbackFn>,
    /// Its user data, which may be destroyed by now: an identity only.
    pub user_data: *mut c_void,
    /// Its handle, or 0.
    pub handle: u64,
    /// The descriptor it was called for, or -1.
    pub fd: c_int,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
}

/// A host's hook for such reports.
pub struct SlowCallbackHook {
    /// What to call.
    pub func: unsafe extern "C-unwind" fn(*const EventLoop, *const SlowCallback, *mut c_void),
    /// Passed to it.
    pub user_data: UserData,
}

// SAFETY: called on the loop's thread only.
unsafe impl Send for SlowCallbackHook {}
unsafe impl Sync for SlowCallbackHook {}

impl EventLoop {
    /// Sets the hook; none means a line on stderr.
    pub fn set_slow_callback_hook(&self, hook: Option<Arc<SlowCallbackHook>>) -> Result<()> {
        self.check()?;
        let old = std::mem::replace(&mut self.enter()?.core().hooks.slow_callback, hook);
        drop(old);
        Ok(())
    }

    /// How long a callback may take before debug mode reports it.
    pub fn set_slow_callback_duration(&self, nanoseconds: u64) -> Result<()> {
        self.check()?;
        self.slow_callback_ns.store(nanoseconds, Relaxed);
        Ok(())
    }

    /// The present limit.
    pub fn slow_callback_duration(&self) -> u64 {
        self.slow_callback_ns.load(Relaxed)
    }

    /// Debug mode: reports a callback that has run too long.
    pub(super) fn report_if_slow(&self, identity: Identity, duration_ns: u64) {
        if duration_ns < self.slow_callback_duration() {
            return;
        }
        let core = self.core_of_run();
        let (func, data, handle, fd) = identity;
        let record = SlowCallback {
            size: size_of::<SlowCallback>(),
            callback: Some(func),
            user_data: data,
            handle,
            fd,
            duration_ns,
        };
        match core.hooks.slow_callback.clone() {
            // SAFETY: the host's function with the host's data.
            Some(hook) => unsafe { (hook.func)(self, &record, hook.user_data.get()) },
            None => write_stderr(Text::of(format_args!(
                "Executing <callback {:p} user_data={:p} handle={:#x} fd={}> took {:.3} seconds",
                func as *const (),
                data,
                handle,
                fd,
                duration_ns as f64 / 1e9
            ))),
        }
    }
}
