//! The host's hooks.

use super::guard::{event_loop, guard};
use super::types::*;
use crate::callback::UserData;
use crate::context::ContextHooks;
use crate::error::Error;
use crate::event_loop::{LoopHook, LoopHookFn, WaitHooks};
use crate::memory::try_arc;
use std::ffi::{c_int, c_void};

type RawHook = unsafe extern "C-unwind" fn(*mut loop_t, *mut c_void);

fn hook_fn(hook: RawHook) -> LoopHookFn {
    // SAFETY: the two differ in the pointee of one pointer only.
    unsafe { std::mem::transmute::<RawHook, LoopHookFn>(hook) }
}

/// Calls `before_wait` just before and `after_wait` just after every wait that
/// may block, on the loop's thread: a language runtime lets go of its lock
/// there. Each may be NULL; both NULL ends it. `destroy` runs when the hooks are
/// replaced or the loop closes. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED,
/// LOOP_EWRONG_THREAD. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_set_wait_hooks(
    r#loop: *mut loop_t,
    before_wait: loop_hook_t,
    after_wait: loop_hook_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let hooks = (before_wait.is_some() || after_wait.is_some()).then_some(WaitHooks {
            before: before_wait.map(hook_fn),
            after: after_wait.map(hook_fn),
            user_data,
        });
        unsafe { event_loop(r#loop)? }.set_wait_hooks(hooks.map(try_arc).transpose()?).map(|()| 0)
    })
}

/// For a loop that a host drives by loop_prepare: calls `hook` when, after it,
/// somebody posts (on the poster's thread) or a deadline comes nearer than the
/// host was told (on the loop's thread). At most once for each loop_prepare.
/// loop_wakeup, which signal handlers call, does not call it.
/// NULL ends it. Errors as loop_set_wait_hooks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_set_wake_hook(
    r#loop: *mut loop_t,
    hook: loop_hook_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let hook =
            hook.map(|hook| try_arc(LoopHook { func: hook_fn(hook), user_data })).transpose()?;
        unsafe { event_loop(r#loop)? }.set_wake_hook(hook).map(|()| 0)
    })
}

/// Sets how contexts are captured, entered, left and released (copied); NULL
/// ends it for callbacks scheduled from then on. Callbacks that wait keep the
/// hooks they were scheduled with. `destroy` runs when the hooks are replaced
/// or the loop is freed (not yet when it closes: contexts may still come and
/// must be released), and nothing waits with them any more. LOOP_EINVAL also
/// for a wrong size. [loop thread]
/// asyncio: the context= of the scheduling functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_set_context_hooks(
    r#loop: *mut loop_t,
    hooks: *const loop_context_hooks_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let hooks = match unsafe { hooks.as_ref() } {
            None => None,
            Some(hooks) if hooks.size != size_of::<loop_context_hooks_t>() => {
                return Err(Error::Invalid("loop_context_hooks_t.size is wrong"));
            }
            Some(hooks) => Some(try_arc(ContextHooks {
                capture: hooks.capture,
                enter: hooks.enter,
                exit: hooks.exit,
                release: hooks.release,
                user_data,
            })?),
        };
        unsafe { event_loop(r#loop)? }.set_context_hooks(hooks).map(|()| 0)
    })
}

versioned!("loop_set_wait_hooks", "loop_set_wake_hook", "loop_set_context_hooks");
