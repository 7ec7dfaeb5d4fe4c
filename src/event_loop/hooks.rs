//! The host's hooks: around a blocking wait, and when an embedded loop needs
//! its host's attention.

use super::{EventLoop, ExceptionHandler, SlowCallbackHook};
use crate::callback::UserData;
use crate::error::Result;
use crate::inbox::Wake;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A hook's C function; it gets the loop.
pub type LoopHookFn = unsafe extern "C-unwind" fn(*const EventLoop, *mut c_void);

/// One hook with its data.
pub struct LoopHook {
    /// What to call.
    pub func: LoopHookFn,
    /// Passed to it.
    pub user_data: UserData,
}

/// What to call just before and after a wait that may block.
pub struct WaitHooks {
    /// Before; a language runtime lets go of its lock here.
    pub before: Option<LoopHookFn>,
    /// After; it takes the lock again.
    pub after: Option<LoopHookFn>,
    /// Passed to both.
    pub user_data: UserData,
}

// SAFETY: a hook is called on the threads that its registration documents; the
// host gave the pointers for that.
unsafe impl Send for LoopHook {}
unsafe impl Sync for LoopHook {}
unsafe impl Send for WaitHooks {}
unsafe impl Sync for WaitHooks {}

/// All hooks that live in the core.
pub(super) struct Hooks {
    pub wait: Option<Arc<WaitHooks>>,
    pub exception: Option<Arc<ExceptionHandler>>,
    pub slow_callback: Option<Arc<SlowCallbackHook>>,
}

impl Hooks {
    pub const fn new() -> Self {
        Hooks { wait: None, exception: None, slow_callback: None }
    }
}

impl EventLoop {
    /// Sets the hooks around a blocking wait.
    pub fn set_wait_hooks(&self, hooks: Option<Arc<WaitHooks>>) -> Result<()> {
        self.check()?;
        let old = std::mem::replace(&mut self.enter()?.core().hooks.wait, hooks);
        drop(old);
        Ok(())
    }

    /// Sets the hook that calls the host of an embedded loop.
    pub fn set_wake_hook(&self, hook: Option<Arc<LoopHook>>) -> Result<()> {
        self.check()?;
        drop(self.enter()?);
        let old = {
            let mut slot = self.wake_hook.lock().unwrap_or_else(|e| e.into_inner());
            self.has_wake_hook.store(hook.is_some(), Relaxed);
            std::mem::replace(&mut *slot, hook)
        };
        drop(old);
        Ok(())
    }

    /// Wakes a sleeping loop, or the host that waits in its stead.
    #[cold]
    pub(super) fn wake(&self, whom: Wake) {
        if whom == Wake::No {
            return;
        }
        self.wakeup.write();
        if whom == Wake::Host && self.has_wake_hook.load(Relaxed) {
            let hook = self.wake_hook.lock().unwrap_or_else(|e| e.into_inner()).clone();
            if let Some(hook) = hook {
                // SAFETY: the host's function with the host's data.
                unsafe { (hook.func)(self, hook.user_data.get()) }
            }
        }
    }
}
