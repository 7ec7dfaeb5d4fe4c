//! The exception handler and debug mode's reports.

use super::guard::{event_loop, guard, guard_or};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::{
    ExceptionContext, ExceptionHandler, SlowCallbackHook, default_exception_handler,
};
use crate::memory::try_arc;
use std::ffi::{c_char, c_int, c_void};

unsafe fn record<'a>(context: *const loop_exception_context_t) -> Result<&'a ExceptionContext> {
    // SAFETY: both structs have the same fields in the same order (types.rs).
    match unsafe { context.cast::<ExceptionContext>().as_ref() } {
        Some(record) if record.size == size_of::<ExceptionContext>() => Ok(record),
        Some(_) => Err(Error::Invalid("loop_exception_context_t.size is wrong")),
        None => Err(Error::Invalid("context is NULL")),
    }
}

/// Sets who is told of failures that nobody waits for; NULL restores the
/// default, which prints to stderr. `destroy` runs when the handler is replaced
/// or the loop closes. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED,
/// LOOP_EWRONG_THREAD. [loop thread] asyncio: loop.set_exception_handler().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_set_exception_handler(
    r#loop: *mut loop_t,
    handler: loop_exception_handler_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let handler = handler
            .map(|handler| {
                // SAFETY: the types differ in the pointees' names only (types.rs).
                try_arc(ExceptionHandler {
                    func: unsafe { std::mem::transmute(handler) },
                    user_data,
                })
            })
            .transpose()?;
        unsafe { event_loop(r#loop)? }.set_exception_handler(handler).map(|()| 0)
    })
}

/// Gives a failure to the loop's handler, now. LOOP_EINVAL (NULL, wrong size),
/// LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread]
/// asyncio: loop.call_exception_handler().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_exception_handler(
    r#loop: *mut loop_t,
    context: *const loop_exception_context_t,
) -> c_int {
    guard(|| {
        let event_loop = unsafe { event_loop(r#loop)? };
        event_loop.call_exception_handler(unsafe { record(context)? }).map(|()| 0)
    })
}

/// What happens without a handler: the message, then "key: value" lines, on
/// stderr. LOOP_EINVAL. [any thread] asyncio: loop.default_exception_handler().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_default_exception_handler(
    r#loop: *mut loop_t,
    context: *const loop_exception_context_t,
) -> c_int {
    guard(|| {
        unsafe { event_loop(r#loop)? };
        default_exception_handler(unsafe { record(context)? });
        Ok(0)
    })
}

/// Inside a callback: reports that it failed. The handler gets "Exception in
/// callback" with `code`, the text `exception` (may be NULL) and the callback's
/// identity. LOOP_ENO_RUNNING outside a callback. [loop thread]
/// asyncio: raising in a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_callback_failed(
    r#loop: *mut loop_t,
    code: c_int,
    exception: *const c_char,
) -> c_int {
    guard(|| unsafe { event_loop(r#loop)? }.callback_failed(code, exception).map(|()| 0))
}

/// Sets who is told of slow callbacks in debug mode; NULL restores a line on
/// stderr. Errors and destroy as loop_set_exception_handler. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_set_slow_callback_hook(
    r#loop: *mut loop_t,
    hook: loop_slow_callback_hook_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let hook = hook
            .map(|hook| {
                // SAFETY: the types differ in the pointees' names only (types.rs).
                try_arc(SlowCallbackHook { func: unsafe { std::mem::transmute(hook) }, user_data })
            })
            .transpose()?;
        unsafe { event_loop(r#loop)? }.set_slow_callback_hook(hook).map(|()| 0)
    })
}

/// From how many nanoseconds on debug mode calls a callback slow (at first 100
/// ms). LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED. [any thread]
/// asyncio: loop.slow_callback_duration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_set_slow_callback_duration(
    r#loop: *mut loop_t,
    duration_ns: u64,
) -> c_int {
    guard(|| unsafe { event_loop(r#loop)? }.set_slow_callback_duration(duration_ns).map(|()| 0))
}

/// The present limit in nanoseconds; 0 for NULL. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_get_slow_callback_duration(r#loop: *const loop_t) -> u64 {
    guard_or(0, || Ok(unsafe { event_loop(r#loop)? }.slow_callback_duration()))
}

versioned!(
    "loop_set_exception_handler",
    "loop_call_exception_handler",
    "loop_default_exception_handler",
    "loop_callback_failed",
    "loop_set_slow_callback_hook",
    "loop_set_slow_callback_duration",
    "loop_get_slow_callback_duration",
);
