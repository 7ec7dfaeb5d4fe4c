//! A loop inside another loop.

use super::guard::{event_loop, guard, kept, store};
use super::types::*;
use crate::error::Error;
use std::ffi::c_int;

fn count(callbacks: u64) -> c_int {
    c_int::try_from(callbacks).unwrap_or(c_int::MAX)
}

/// One turn: waits at most `timeout_ns` nanoseconds (negative: as long as it
/// takes) for something to do, and does it. How many callbacks were taken,
/// cancelled ones included; 0 also when a signal ended the wait. loop_stop and
/// loop_interrupt end this turn as they end a run, and no more: the host decides
/// about the next. The errors of loop_run_forever. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_run_once(r#loop: *mut loop_t, timeout_ns: i64) -> c_int {
    guard(|| unsafe { kept(r#loop)? }.run_once(timeout_ns).map(count))
}

/// A descriptor that becomes readable when the loop has I/O or, after
/// loop_prepare, anything else to do. It stays the loop's: wait on it, never
/// read or close it, and ask again after each turn, since the loop may have to
/// replace it. LOOP_ENOTSUP where the backend has none ("poll", "iocp"),
/// -errno, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_backend_fd(r#loop: *mut loop_t) -> c_int {
    guard(|| unsafe { event_loop(r#loop)? }.backend_fd())
}

/// The earliest deadline in *ret_when and 1, or 0 when no timer waits.
/// LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_next_deadline(r#loop: *mut loop_t, ret_when: *mut u64) -> c_int {
    guard(|| match unsafe { event_loop(r#loop)? }.next_deadline()? {
        Some(when) => {
            unsafe { store(ret_when, when)? };
            Ok(1)
        }
        None => Ok(0),
    })
}

/// Step one of a turn made by a host: how long it may wait on loop_backend_fd,
/// in *ret_timeout_ns: nanoseconds, 0 for not at all, -1 for ever. From then on
/// a post, or a nearer deadline, makes the descriptor readable and calls the
/// wake hook. When the time is over, it is readable as well where the system can
/// do that (not with timer_slack_ns or a clock of the host's): a host that counts
/// in milliseconds, rounded up, is not late then.
/// Errors as loop_run_forever. [loop thread], not inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_prepare(r#loop: *mut loop_t, ret_timeout_ns: *mut i64) -> c_int {
    guard(|| {
        if ret_timeout_ns.is_null() {
            return Err(Error::Invalid("ret_timeout_ns is NULL"));
        }
        unsafe { ret_timeout_ns.write(kept(r#loop)?.prepare()?) };
        Ok(0)
    })
}

/// Step two: collects what is ready, waiting at most `timeout_ns` (negative: as
/// long as it takes; a host that has waited itself passes 0). How many
/// callbacks were queued. Errors and threads as loop_prepare.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_poll(r#loop: *mut loop_t, timeout_ns: i64) -> c_int {
    guard(|| unsafe { kept(r#loop)? }.poll_once(timeout_ns).map(count))
}

/// Step three, always needed: runs what was collected, posted and due. How many
/// callbacks were taken. Errors as loop_run_forever. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_dispatch(r#loop: *mut loop_t) -> c_int {
    guard(|| unsafe { kept(r#loop)? }.dispatch().map(count))
}

versioned!(
    "loop_run_once",
    "loop_backend_fd",
    "loop_next_deadline",
    "loop_prepare",
    "loop_poll",
    "loop_dispatch",
);
