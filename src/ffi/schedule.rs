//! Scheduling: call_soon, its thread-safe form, call_later, call_at, and the same
//! with asyncio's `context=`.

use super::guard::{callback as make_callback, event_loop, guard};
use super::types::*;
use crate::event_loop::EventLoop;
use crate::handle_table::HandleId;
use std::ffi::{c_int, c_void};

/// Stores the handle if it was asked for.
#[inline(always)]
unsafe fn done(ret_handle: *mut loop_handle_t, id: HandleId) -> c_int {
    if !ret_handle.is_null() {
        unsafe { ret_handle.write(id.0) };
    }
    0
}

/// Runs `callback` in the loop's next turn, after everything scheduled before.
/// `destroy` may be NULL; it runs exactly once, also when this call fails.
/// `ret_handle` may be NULL. 0, LOOP_EINVAL (NULL loop or callback),
/// LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM. From a thread that is not the loop's it
/// is queued without waking the loop; in debug mode LOOP_EWRONG_THREAD.
/// asyncio: loop.call_soon().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_soon(
    r#loop: *mut loop_t,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    if let (Some(func), None, true) = (callback, destroy, ret_handle.is_null())
        && let Ok(event_loop) = unsafe { event_loop(r#loop) }
        && event_loop.call_soon_quickly(func, user_data)
    {
        return 0;
    }
    call_soon(r#loop, callback, user_data, destroy, ret_handle)
}

/// `extern "C"` so that the quick way above needs no landing pad for it.
#[inline(never)]
extern "C" fn call_soon(
    r#loop: *mut loop_t,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy)?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.in_present_context(cb)?;
        let id = event_loop.call_soon(cb, !ret_handle.is_null())?;
        Ok(unsafe { done(ret_handle, id) })
    })
}

/// loop_call_soon in a context: asyncio's context=. One reference to
/// `context` passes to the loop, which releases it by the hook of
/// loop_set_context_hooks once the callback has run or was dropped, and also
/// when this call fails. Only if the loop is NULL or has no such hooks the
/// reference stays the caller's: LOOP_EINVAL. All else as loop_call_soon.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_soon_context(
    r#loop: *mut loop_t,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    context: *mut c_void,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy);
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.context(context)?.wrap(cb?)?;
        let id = event_loop.call_soon(cb, !ret_handle.is_null())?;
        Ok(unsafe { done(ret_handle, id) })
    })
}

/// The same from any thread, and wakes the loop: before, during and after a run,
/// never coalesced, in the order of arrival. A handle obtained here may be used
/// from any thread. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM.
/// [any thread], not inside signal handlers (see loop_wakeup).
/// asyncio: loop.call_soon_threadsafe().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_soon_threadsafe(
    r#loop: *mut loop_t,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    if let (Some(func), None, true) = (callback, destroy, ret_handle.is_null())
        && let Ok(event_loop) = unsafe { event_loop(r#loop) }
        && event_loop.post_quickly(func, user_data)
    {
        return 0;
    }
    call_soon_threadsafe(r#loop, callback, user_data, destroy, ret_handle)
}

#[inline(never)]
extern "C" fn call_soon_threadsafe(
    r#loop: *mut loop_t,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy)?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.in_present_context(cb)?;
        let id = event_loop.call_soon_threadsafe(cb, !ret_handle.is_null())?;
        Ok(unsafe { done(ret_handle, id) })
    })
}

/// loop_call_soon_threadsafe in a context: asyncio's context=. One reference to
/// `context` passes to the loop, which releases it by the hook of
/// loop_set_context_hooks once the callback has run or was dropped, and also
/// when this call fails. Only if the loop is NULL or has no such hooks the
/// reference stays the caller's: LOOP_EINVAL. All else as loop_call_soon_threadsafe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_soon_threadsafe_context(
    r#loop: *mut loop_t,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    context: *mut c_void,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy);
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.context(context)?.wrap(cb?)?;
        let id = event_loop.call_soon_threadsafe(cb, !ret_handle.is_null())?;
        Ok(unsafe { done(ret_handle, id) })
    })
}

/// Runs `callback` once `delay_ns` nanoseconds have passed from now, never
/// earlier. Equal deadlines run in the order of scheduling; 0 or less is due in
/// the next turn, behind what is ready. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED,
/// LOOP_EWRONG_THREAD, -ENOMEM. [loop thread] asyncio: loop.call_later().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_later(
    r#loop: *mut loop_t,
    delay_ns: i64,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy)?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.in_present_context(cb)?;
        let id = event_loop.call_later(delay_ns, cb)?;
        Ok(unsafe { done(ret_handle, id) })
    })
}

/// loop_call_later in a context: asyncio's context=. One reference to
/// `context` passes to the loop, which releases it by the hook of
/// loop_set_context_hooks once the callback has run or was dropped, and also
/// when this call fails. Only if the loop is NULL or has no such hooks the
/// reference stays the caller's: LOOP_EINVAL. All else as loop_call_later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_later_context(
    r#loop: *mut loop_t,
    delay_ns: i64,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    context: *mut c_void,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy);
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.context(context)?.wrap(cb?)?;
        let id = event_loop.call_later(delay_ns, cb)?;
        Ok(unsafe { done(ret_handle, id) })
    })
}

/// Runs `callback` at `when_ns` on the clock of loop_time, never earlier.
/// LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
/// [loop thread] asyncio: loop.call_at().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_at(
    r#loop: *mut loop_t,
    when_ns: u64,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy)?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.in_present_context(cb)?;
        let id = event_loop.call_at(when_ns, cb)?;
        Ok(unsafe { done(ret_handle, id) })
    })
}

/// loop_call_at in a context: asyncio's context=. One reference to
/// `context` passes to the loop, which releases it by the hook of
/// loop_set_context_hooks once the callback has run or was dropped, and also
/// when this call fails. Only if the loop is NULL or has no such hooks the
/// reference stays the caller's: LOOP_EINVAL. All else as loop_call_at.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_at_context(
    r#loop: *mut loop_t,
    when_ns: u64,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    context: *mut c_void,
    ret_handle: *mut loop_handle_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy);
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.context(context)?.wrap(cb?)?;
        let id = event_loop.call_at(when_ns, cb)?;
        Ok(unsafe { done(ret_handle, id) })
    })
}

/// Wakes the loop if it sleeps, and runs nothing by itself: for signal handlers
/// that have left their news where something on the loop's thread looks, such as
/// the hook after a wait. The only function that a signal handler may call.
/// LOOP_ECLOSED, LOOP_EFORKED. [any thread] [signal-safe]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_wakeup(r#loop: *mut loop_t) -> c_int {
    // No guard: nothing here can panic, and a signal handler may be the caller.
    match unsafe { event_loop(r#loop) }.and_then(EventLoop::wakeup) {
        Ok(()) => 0,
        Err(error) => error.code(),
    }
}

versioned!(
    "loop_call_soon",
    "loop_call_soon_context",
    "loop_call_soon_threadsafe",
    "loop_call_soon_threadsafe_context",
    "loop_call_later",
    "loop_call_later_context",
    "loop_call_at",
    "loop_call_at_context",
    "loop_wakeup",
);
