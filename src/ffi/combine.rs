//! Futures made of futures.

use super::future::{future, give, loop_future_t};
use super::guard::{event_loop, guard};
use super::types::*;
use crate::error::{Error, Result};
use crate::services::combine::{self, Gathered, ReturnWhen, Waited};
use crate::services::future::Future;
use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::sync::Arc;

/// The result of loop_gather's future; belongs to that future.
#[repr(C)]
pub struct loop_gathered_t {
    /// How many futures there were.
    pub count: usize,
    /// Their results in the order in which they were given; NULL where one failed.
    pub results: *const *mut c_void,
    /// Their codes: 0, or how one failed.
    pub codes: *const c_int,
    /// The futures themselves, borrowed; they keep the results alive.
    pub futures: *const *mut loop_future_t,
}

/// The result of loop_wait's future; belongs to that future.
#[repr(C)]
pub struct loop_waited_t {
    /// How many are done.
    pub done_count: usize,
    /// They, borrowed, in the order in which they were given.
    pub done: *const *mut loop_future_t,
    /// How many are not.
    pub pending_count: usize,
    /// They, borrowed.
    pub pending: *const *mut loop_future_t,
}

// Both are read through these types, so the beginnings must agree.
const _: () = assert!(offset_of!(Gathered, futures) == offset_of!(loop_gathered_t, futures));
const _: () = assert!(offset_of!(Waited, pending) == offset_of!(loop_waited_t, pending));

/// loop_gather: failures are results like others, and end nothing.
pub const LOOP_RETURN_EXCEPTIONS: u32 = 1;
/// loop_wait: until all are done.
pub const LOOP_ALL_COMPLETED: c_int = 0;
/// loop_wait: until one is done.
pub const LOOP_FIRST_COMPLETED: c_int = 1;
/// loop_wait: until one failed, or all are done.
pub const LOOP_FIRST_EXCEPTION: c_int = 2;

unsafe fn list(futures: *const *mut loop_future_t, count: usize) -> Result<Vec<Arc<Future>>> {
    if futures.is_null() && count != 0 {
        return Err(Error::Invalid("futures is NULL"));
    }
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| Error::NO_MEMORY)?;
    for index in 0..count {
        // SAFETY: the caller has `count` of them.
        list.push(Arc::clone(&*unsafe { future(*futures.add(index))? }));
    }
    Ok(list)
}

/// A future of the results of `count` futures, in their order, whatever order
/// they end in: a loop_gathered_t. The first failure (or cancellation) ends it;
/// the others go on. With LOOP_RETURN_EXCEPTIONS it waits for all of them and
/// does not fail. Cancelling it cancels them all. It takes references of its
/// own. LOOP_EINVAL, LOOP_EWRONG_LOOP, LOOP_ECLOSED, LOOP_EFORKED,
/// LOOP_EWRONG_THREAD, -ENOMEM. [loop thread] asyncio: gather().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_gather(
    r#loop: *mut loop_t,
    futures: *const *mut loop_future_t,
    count: usize,
    flags: u32,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        if flags & !LOOP_RETURN_EXCEPTIONS != 0 {
            return Err(Error::Invalid("unknown flags"));
        }
        let list = unsafe { list(futures, count)? };
        let event_loop = unsafe { event_loop(r#loop)? };
        unsafe { give(combine::gather(event_loop, list, flags != 0)?, ret_future) }
    })
}

/// A future of which of `count` futures are done: a loop_waited_t, as of the
/// moment when it ends. It ends when `return_when` (LOOP_ALL_COMPLETED, ...) says,
/// at the earliest in the next turn, or after `timeout_ns` nanoseconds (negative:
/// no limit); it cancels none of them, and does not fail.
/// LOOP_EINVAL also for none at all, others as loop_gather. [loop thread]
/// asyncio: wait().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_wait(
    r#loop: *mut loop_t,
    futures: *const *mut loop_future_t,
    count: usize,
    timeout_ns: i64,
    return_when: c_int,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        let when = match return_when {
            LOOP_ALL_COMPLETED => ReturnWhen::AllCompleted,
            LOOP_FIRST_COMPLETED => ReturnWhen::FirstCompleted,
            LOOP_FIRST_EXCEPTION => ReturnWhen::FirstException,
            _ => return Err(Error::Invalid("Invalid return_when value")),
        };
        let timeout = (timeout_ns >= 0).then_some(timeout_ns);
        let list = unsafe { list(futures, count)? };
        let event_loop = unsafe { event_loop(r#loop)? };
        unsafe { give(combine::wait(event_loop, list, timeout, when)?, ret_future) }
    })
}

/// A future that ends as `future` does. If that takes longer than `timeout_ns`
/// nanoseconds (negative: no limit; 0: unless it is done already), `future` is
/// cancelled, and once it is, this one fails with -ETIMEDOUT. Cancelling it
/// cancels `future`. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD,
/// -ENOMEM. [loop thread] asyncio: wait_for().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_wait_for(
    future: *mut loop_future_t,
    timeout_ns: i64,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        let inner = Arc::clone(&*unsafe { self::future(future)? });
        unsafe {
            give(combine::wait_for(inner, (timeout_ns >= 0).then_some(timeout_ns))?, ret_future)
        }
    })
}

/// A future that ends as `future` does; cancelling it leaves `future` alone. If
/// `future` is done, it is that itself. Errors as loop_wait_for. [loop thread] asyncio: shield().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_shield(
    future: *mut loop_future_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        let inner = Arc::clone(&*unsafe { self::future(future)? });
        unsafe { give(combine::shield(&inner)?, ret_future) }
    })
}

versioned!("loop_gather", "loop_wait", "loop_wait_for", "loop_shield");
