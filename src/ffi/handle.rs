//! Handles: what can be done with something scheduled.

use super::guard::{event_loop, guard, store};
use super::types::*;
use crate::handle_table::HandleId;
use std::ffi::c_int;

/// Cancels: the callback will not start, and its user data is destroyed now, on
/// this thread. 0, also when it was cancelled before and the loop remembers;
/// LOOP_ESTALE when it ran, runs or was forgotten (harmless). Handles of
/// loop_call_soon_threadsafe may be cancelled by any thread; the call waits
/// until a callback that is running has ended (so the caller must hold nothing
/// that it needs), unless that callback makes it. LOOP_ECLOSED, LOOP_EFORKED,
/// LOOP_EWRONG_THREAD. [loop thread] otherwise. asyncio: handle.cancel().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_handle_cancel(r#loop: *mut loop_t, handle: loop_handle_t) -> c_int {
    match unsafe { event_loop(r#loop) } {
        Ok(event_loop) if event_loop.handle_forget(HandleId(handle)) => 0,
        _ => cancel(r#loop, handle),
    }
}

#[inline(never)]
extern "C" fn cancel(r#loop: *mut loop_t, handle: loop_handle_t) -> c_int {
    guard(|| unsafe { event_loop(r#loop)? }.handle_cancel(HandleId(handle)).map(|()| 0))
}

/// 1 if it was cancelled, 0 if it waits to run. A cancelled handle is remembered
/// until the loop reuses its record; then, and once it runs, LOOP_ESTALE.
/// Threads as loop_handle_cancel. asyncio: handle.cancelled().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_handle_cancelled(
    r#loop: *mut loop_t,
    handle: loop_handle_t,
) -> c_int {
    guard(|| {
        let cancelled = unsafe { event_loop(r#loop)? }.handle_cancelled(HandleId(handle))?;
        Ok(cancelled.into())
    })
}

/// When a waiting timer is due, in *ret_when, on the clock of loop_time. 0;
/// LOOP_EINVAL if the handle is no waiting timer, LOOP_ESTALE if it ran, runs
/// or was cancelled, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread] asyncio: handle.when().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_handle_when(
    r#loop: *mut loop_t,
    handle: loop_handle_t,
    ret_when: *mut u64,
) -> c_int {
    guard(|| {
        let when = unsafe { event_loop(r#loop)? }.handle_when(HandleId(handle))?;
        unsafe { store(ret_when, when)? };
        Ok(0)
    })
}

/// Moves a waiting timer to `when_ns`, in place: cheaper than cancelling and
/// scheduling again, and the handle stays. A timer that runs no longer waits: to
/// repeat it, schedule it anew. Among equal deadlines it stands where a new timer
/// would. Errors and threads as loop_handle_when; -ENOMEM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_handle_reschedule(
    r#loop: *mut loop_t,
    handle: loop_handle_t,
    when_ns: u64,
) -> c_int {
    match unsafe { event_loop(r#loop) } {
        Ok(event_loop) if event_loop.handle_postpone(HandleId(handle), when_ns) => 0,
        _ => reschedule(r#loop, handle, when_ns),
    }
}

#[inline(never)]
extern "C" fn reschedule(r#loop: *mut loop_t, handle: loop_handle_t, when_ns: u64) -> c_int {
    guard(|| {
        unsafe { event_loop(r#loop)? }.handle_reschedule(HandleId(handle), when_ns).map(|()| 0)
    })
}

versioned!(
    "loop_handle_cancel",
    "loop_handle_cancelled",
    "loop_handle_when",
    "loop_handle_reschedule",
);
