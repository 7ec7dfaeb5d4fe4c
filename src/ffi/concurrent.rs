//! Futures for threads.

use super::error::failed;
use super::future::{future, give, loop_future_t, text};
use super::guard::{event_loop, guard, guard_or, store};
use super::task::{loop_task_step_t, to_step};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::memory::copy_text;
use crate::services::concurrent::{self, Concurrent, ConcurrentDoneFn, End};
use crate::services::future::{Failure, Outcome};
use crate::services::task::{Options, Task};
use std::ffi::{c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A future that any thread may wait for: asyncio's concurrent.futures.Future,
/// what run_coroutine_threadsafe returns. Opaque, reference-counted. In a forked
/// child every function but loop_cfuture_unref answers LOOP_EFORKED.
pub struct loop_cfuture_t(#[allow(dead_code)] Concurrent);

/// Starts something on the loop's thread: 0, and maybe a future to wait for in
/// *ret_future, whose reference passes to the library; or a negative code.
pub type loop_submit_callback_t = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut loop_t,
        ret_future: *mut *mut loop_future_t,
        user_data: *mut c_void,
    ) -> c_int,
>;

/// Is told that a thread's future is done: on the thread that ended it, or
/// inside loop_cfuture_add_done_callback.
pub type loop_cfuture_callback_t =
    Option<unsafe extern "C-unwind" fn(cfuture: *mut loop_cfuture_t, user_data: *mut c_void)>;

unsafe fn cfuture(pointer: *const loop_cfuture_t) -> Result<ManuallyDrop<Arc<Concurrent>>> {
    if pointer.is_null() {
        return Err(Error::Invalid("cfuture is NULL"));
    }
    // SAFETY: `loop_cfuture_t` is how C sees a `Concurrent` in an Arc.
    Ok(ManuallyDrop::new(unsafe { Arc::from_raw(pointer.cast::<Concurrent>()) }))
}

unsafe fn give_cfuture(cfuture: Arc<Concurrent>, place: *mut *mut loop_cfuture_t) -> Result<c_int> {
    if !place.is_null() {
        unsafe { store(place, Arc::into_raw(cfuture).cast_mut().cast())? };
    }
    Ok(0)
}

/// Calls `start` on the loop's thread. What it starts ends *ret_cfuture (one
/// reference; NULL: nobody asks), and is cancelled with it. If the loop is
/// closed before, it fails with LOOP_ECLOSED. `destroy` runs exactly once, after
/// `start`, on the loop's thread, or on the one that closes the loop or calls
/// this. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM. [any thread]
/// asyncio: run_coroutine_threadsafe().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_submit_threadsafe(
    r#loop: *mut loop_t,
    start: loop_submit_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_cfuture: *mut *mut loop_cfuture_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let start = start.ok_or(Error::Invalid("start is NULL"))?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let concurrent = concurrent::submit(event_loop, move |event_loop| {
            let raw = std::ptr::from_ref(event_loop).cast_mut().cast();
            let mut future = std::ptr::null_mut();
            // SAFETY: the host's function with the host's data.
            match unsafe { start(raw, &mut future, user_data.get()) } {
                code @ ..0 => Err(failed(code, None)),
                _ if future.is_null() => Ok(None),
                _ => Ok(Some(ManuallyDrop::into_inner(unsafe { self::future(future)? }))),
            }
        })?;
        unsafe { give_cfuture(concurrent, ret_cfuture) }
    })
}

/// The same for a task with this step function, by the rules of
/// loop_create_task. [any thread] asyncio: run_coroutine_threadsafe().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_create_task_threadsafe(
    r#loop: *mut loop_t,
    step: loop_task_step_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_cfuture: *mut *mut loop_cfuture_t,
) -> c_int {
    guard(|| {
        let (step, user_data) = to_step(step, user_data, destroy)?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let concurrent = concurrent::submit(event_loop, move |event_loop| {
            let task = Task::create(event_loop, step, user_data, Options::default())?;
            Ok(Some(task.future().clone()))
        })?;
        unsafe { give_cfuture(concurrent, ret_cfuture) }
    })
}

/// A pending one that the caller ends himself, in *ret_cfuture with one
/// reference. LOOP_EINVAL, -ENOMEM. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_new(ret_cfuture: *mut *mut loop_cfuture_t) -> c_int {
    guard(|| {
        if ret_cfuture.is_null() {
            return Err(Error::Invalid("ret_cfuture is NULL"));
        }
        unsafe { give_cfuture(Concurrent::new()?, ret_cfuture) }
    })
}

/// Takes one more reference; returns `cfuture`. NULL is allowed. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_ref(cfuture: *mut loop_cfuture_t) -> *mut loop_cfuture_t {
    if !cfuture.is_null() {
        unsafe { Arc::increment_strong_count(cfuture.cast::<Concurrent>()) };
    }
    cfuture
}

/// Gives a reference back; what was submitted goes on. NULL is allowed.
/// [any thread], also after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_unref(cfuture: *mut loop_cfuture_t) {
    if !cfuture.is_null() {
        guard(|| {
            drop(unsafe { Arc::from_raw(cfuture.cast::<Concurrent>()) });
            Ok(0)
        });
    }
}

/// 1 if it is done (cancelled, too), 0 if not. LOOP_EINVAL, LOOP_EFORKED.
/// [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_done(cfuture: *mut loop_cfuture_t) -> c_int {
    guard(|| Ok(c_int::from(unsafe { self::cfuture(cfuture)? }.end()?.is_some())))
}

/// Waits until it is done, at most `timeout_ns` nanoseconds (negative: for
/// ever): 0 with its result in *ret_result (may be NULL), which lives as long as
/// the future; the code of its failure, or LOOP_ECANCELLED; -ETIMEDOUT if it is
/// not done: it goes on, and may be waited for again. LOOP_EINVAL, LOOP_EFORKED.
/// Never call it without limit on the thread of the loop that is to end it.
/// [any thread] asyncio: concurrent.futures.Future.result(timeout).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_result(
    cfuture: *mut loop_cfuture_t,
    timeout_ns: i64,
    ret_result: *mut *mut c_void,
) -> c_int {
    guard(|| {
        let cfuture = Arc::clone(&*unsafe { self::cfuture(cfuture)? });
        let end = cfuture.wait(u64::try_from(timeout_ns).ok())?;
        match &end {
            End::Result(data) => {
                if !ret_result.is_null() {
                    unsafe { ret_result.write(data.get()) };
                }
                Ok(0)
            }
            End::Cancelled(None) => Err(Error::Cancelled),
            end => Err(failed(end.code(), end.message())),
        }
    })
}

/// Cancels it, and on the loop's thread what was submitted: 1, or 0 if it is
/// done. `message` (copied) may be NULL. LOOP_EINVAL, LOOP_EFORKED. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_cancel(
    cfuture: *mut loop_cfuture_t,
    message: *const c_char,
) -> c_int {
    guard(|| {
        let cfuture = Arc::clone(&*unsafe { self::cfuture(cfuture)? });
        cfuture.cancel(unsafe { text(message) }).map(c_int::from)
    })
}

/// Ends it with a result, by the rules of loop_future_set_result. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_set_result(
    cfuture: *mut loop_cfuture_t,
    result: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let result = UserData::new(result, destroy);
        let cfuture = Arc::clone(&*unsafe { self::cfuture(cfuture)? });
        cfuture.finish_with(Outcome::Result(result)).map(|()| 0)
    })
}

/// Ends it with a failure, by the rules of loop_future_set_exception.
/// [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_set_exception(
    cfuture: *mut loop_cfuture_t,
    code: c_int,
    message: *const c_char,
) -> c_int {
    unsafe { loop_cfuture_set_exception_data(cfuture, code, message, std::ptr::null_mut(), None) }
}

/// The same with something of the host's own, by the rules of
/// loop_future_set_exception_data; it is destroyed on whatever thread drops the
/// failure. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_set_exception_data(
    cfuture: *mut loop_cfuture_t,
    code: c_int,
    message: *const c_char,
    data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let payload = UserData::new(data, destroy);
        if code >= 0 || code == Error::Cancelled.code() {
            return Err(Error::Invalid("the code of a failure must be negative"));
        }
        let cfuture = Arc::clone(&*unsafe { self::cfuture(cfuture)? });
        let message = unsafe { text(message) }.map(copy_text).transpose()?;
        let failure = crate::memory::try_arc(Failure { code, message, payload })?;
        cfuture.finish(End::Failed(failure)).map(|()| 0)
    })
}

/// What was attached to the failure, here or to the failure of the loop's future
/// that ended this one; NULL otherwise. Borrowed: valid as long as the future.
/// [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_exception_data(cfuture: *mut loop_cfuture_t) -> *mut c_void {
    guard_or(std::ptr::null_mut(), || {
        Ok(match unsafe { self::cfuture(cfuture)? }.end()? {
            Some(End::Failed(failure)) => failure.payload.get(),
            _ => std::ptr::null_mut(),
        })
    })
}

/// The destructor that came with the result, or with what is attached to the
/// failure: see loop_future_get_destroy. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_get_destroy(cfuture: *mut loop_cfuture_t) -> loop_destroy_t {
    guard_or(None, || {
        Ok(unsafe { self::cfuture(cfuture)? }.end()?.as_ref().and_then(End::destroy_fn))
    })
}

/// Calls `callback` when it is done: now, if it is; else on the thread that ends
/// it. `destroy` runs exactly once, also when this call fails. LOOP_EINVAL,
/// LOOP_EFORKED, -ENOMEM. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_cfuture_add_done_callback(
    cfuture: *mut loop_cfuture_t,
    callback: loop_cfuture_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let callback = callback.ok_or(Error::Invalid("callback is NULL"))?;
        type Raw = unsafe extern "C-unwind" fn(*mut loop_cfuture_t, *mut c_void);
        // SAFETY: the two differ in the pointee of one pointer only.
        let callback = unsafe { std::mem::transmute::<Raw, ConcurrentDoneFn>(callback) };
        let cfuture = Arc::clone(&*unsafe { self::cfuture(cfuture)? });
        cfuture.add_done_callback(callback, user_data).map(|()| 0)
    })
}

/// A future of `loop` in *ret_future that ends as `cfuture` does; cancelling it
/// cancels `cfuture`. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM.
/// [loop thread] asyncio: wrap_future().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_wrap_cfuture(
    r#loop: *mut loop_t,
    cfuture: *mut loop_cfuture_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        let cfuture = Arc::clone(&*unsafe { self::cfuture(cfuture)? });
        let event_loop = unsafe { event_loop(r#loop)? };
        unsafe { give(concurrent::wrap(event_loop, &cfuture)?, ret_future) }
    })
}

versioned!(
    "loop_submit_threadsafe",
    "loop_create_task_threadsafe",
    "loop_cfuture_new",
    "loop_cfuture_ref",
    "loop_cfuture_unref",
    "loop_cfuture_done",
    "loop_cfuture_result",
    "loop_cfuture_cancel",
    "loop_cfuture_set_result",
    "loop_cfuture_set_exception",
    "loop_cfuture_set_exception_data",
    "loop_cfuture_exception_data",
    "loop_cfuture_get_destroy",
    "loop_cfuture_add_done_callback",
    "loop_wrap_cfuture",
);
