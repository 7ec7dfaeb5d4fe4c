//! Futures.

use super::error::failed;
use super::guard::{event_loop, guard, guard_or, store};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::memory::copy_text;
use crate::services::future::{CancelFn, DoneCallback, DoneFn, Failure, Future, Outcome, Phase};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A result that is not there yet: asyncio's Future. Opaque, reference-counted:
/// whoever gets one in a ret_ argument has one reference, which
/// loop_future_unref gives back. It belongs to one loop and to that loop's
/// thread; only references are counted on any thread. Its loop need not be kept
/// alive for it; when the loop is closed it stays as it is.
///
/// A future is pending, then cancelled or finished with a result or a failure:
/// a negative code with a text. What the code reports stays with the future
/// until its last reference goes, and so does a result with its destructor.
pub struct loop_future_t(#[allow(dead_code)] Future);

/// Is told that a future is done, on the loop's thread. `future` is borrowed
/// for the call.
pub type loop_future_callback_t =
    Option<unsafe extern "C-unwind" fn(future: *mut loop_future_t, user_data: *mut c_void)>;

/// Is asked, on the loop's thread, when somebody cancels a pending future of
/// loop_future_new_cancellable. `future` and `message` (may be NULL) are borrowed
/// for the call. A positive answer: the request is taken, and whoever made the
/// future ends it, now or later, in whatever way; 0: it is refused; negative: the
/// future is cancelled at once. To cancel it in here has no effect.
pub type loop_future_cancel_t = Option<
    unsafe extern "C-unwind" fn(
        future: *mut loop_future_t,
        message: *const c_char,
        user_data: *mut c_void,
    ) -> c_int,
>;

/// A future the caller has a reference to, borrowed for the call.
///
/// # Safety
/// `pointer` is NULL or came from this library and still counts.
pub(super) unsafe fn future(pointer: *const loop_future_t) -> Result<ManuallyDrop<Arc<Future>>> {
    if pointer.is_null() {
        return Err(Error::Invalid("future is NULL"));
    }
    // SAFETY: `loop_future_t` is how C sees a `Future` in an Arc.
    Ok(ManuallyDrop::new(unsafe { Arc::from_raw(pointer.cast::<Future>()) }))
}

/// The same with a reference of its own for the length of a call in which foreign
/// code may give back the caller's.
///
/// # Safety
/// As `future`.
pub(super) unsafe fn kept_future(pointer: *const loop_future_t) -> Result<Arc<Future>> {
    Ok(Arc::clone(&*unsafe { future(pointer)? }))
}

/// Gives a reference to C.
pub(super) fn into_raw(future: Arc<Future>) -> *mut loop_future_t {
    Arc::into_raw(future).cast::<loop_future_t>().cast_mut()
}

/// Gives a reference to C through a result pointer.
///
/// # Safety
/// As `store`.
pub(super) unsafe fn give(future: Arc<Future>, place: *mut *mut loop_future_t) -> Result<c_int> {
    if place.is_null() {
        return Err(Error::Invalid("ret_future is NULL"));
    }
    unsafe { store(place, into_raw(future))? };
    Ok(0)
}

/// Checks early where `give` will put the future.
pub(super) fn future_place(place: *mut *mut loop_future_t) -> Result<()> {
    if place.is_null() { Err(Error::Invalid("ret_future is NULL")) } else { Ok(()) }
}

/// A text of the host's, or none.
///
/// # Safety
/// `text` is NULL or a C string.
pub(super) unsafe fn text<'a>(text: *const c_char) -> Option<&'a CStr> {
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// What `loop_future_result` answers for an ended future.
pub(super) fn result_of(future: &Future) -> Result<*mut c_void> {
    future.outcome(|outcome| match (outcome.code(), outcome.message()) {
        (0, _) => Ok(outcome.result()),
        (code, None) if code == Error::Cancelled.code() => Err(Error::Cancelled),
        (code, message) => Err(failed(code, message)),
    })?
}

/// A pending future of `loop` in *ret_future, with one reference. Whoever made
/// it ends it with loop_future_set_result or _set_exception. 0, LOOP_EINVAL,
/// LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM. [any thread] asyncio: loop.create_future().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_new(
    r#loop: *mut loop_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let event_loop = unsafe { event_loop(r#loop)? };
        unsafe { give(Future::new(event_loop)?, ret_future) }
    })
}

/// A pending future of `loop` for work that goes on elsewhere and may need time
/// to end, as a task does: as long as it is pending, loop_future_cancel asks
/// `cancel`, and whoever awaits the future goes on when its maker has ended it. The
/// maker ends it as cancelled by loop_future_cancel, and answers -1. `destroy` runs
/// exactly once, when the future is done or freed, also when this call fails.
/// LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_new_cancellable(
    r#loop: *mut loop_t,
    cancel: loop_future_cancel_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let cancel = cancel.ok_or(Error::Invalid("cancel is NULL"))?;
        future_place(ret_future)?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let future = Future::cancellable(event_loop, cancel_fn(cancel), user_data)?;
        unsafe { give(future, ret_future) }
    })
}

/// Takes one more reference; returns `future`. NULL is allowed. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_ref(future: *mut loop_future_t) -> *mut loop_future_t {
    if !future.is_null() {
        unsafe { Arc::increment_strong_count(future.cast::<Future>()) };
    }
    future
}

/// Gives a reference back. With the last one the result's destructor and those
/// of callbacks that never ran are called; a failure that nobody asked for goes
/// to the exception handler: "Future exception was never retrieved". NULL is
/// allowed. [any thread], also after close and after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_unref(future: *mut loop_future_t) {
    if !future.is_null() {
        guard(|| {
            drop(unsafe { Arc::from_raw(future.cast::<Future>()) });
            Ok(0)
        });
    }
}

/// The future's loop, borrowed: valid as long as the future. [any thread]
/// asyncio: future.get_loop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_get_loop(future: *mut loop_future_t) -> *mut loop_t {
    guard_or(std::ptr::null_mut(), || {
        let future = unsafe { self::future(future)? };
        Ok(std::ptr::from_ref(future.event_loop()).cast_mut().cast())
    })
}

/// 1 if the future is done (cancelled, too), 0 if not. LOOP_EINVAL,
/// LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread] asyncio: future.done().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_done(future: *mut loop_future_t) -> c_int {
    guard(|| Ok(c_int::from(unsafe { self::future(future)? }.phase()? != Phase::Pending)))
}

/// 1 if the future was cancelled, 0 if not. Errors as loop_future_done.
/// asyncio: future.cancelled().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_cancelled(future: *mut loop_future_t) -> c_int {
    guard(|| Ok(c_int::from(unsafe { self::future(future)? }.phase()? == Phase::Cancelled)))
}

/// How the future ended: 0 with its result in *ret_result (may be NULL), which
/// stays the future's; the code of its failure, or LOOP_ECANCELLED, each with
/// its text in loop_last_error; LOOP_EINVALID_STATE "Result is not set." while
/// it is pending. A failure counts as retrieved. Other errors as
/// loop_future_done. asyncio: future.result().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_result(
    future: *mut loop_future_t,
    ret_result: *mut *mut c_void,
) -> c_int {
    guard(|| {
        let future = unsafe { self::future(future)? };
        let result = result_of(&future)?;
        if !ret_result.is_null() {
            unsafe { ret_result.write(result) };
        }
        Ok(0)
    })
}

/// The failure of a done future: 0 and NULL in *ret_message after a result,
/// else 1 with its code in *ret_code and its text in *ret_message, which lives
/// as long as the future (either pointer may be NULL). LOOP_ECANCELLED if it was
/// cancelled, LOOP_EINVALID_STATE "Exception is not set." while it is pending.
/// Other errors as loop_future_done. asyncio: future.exception().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_exception(
    future: *mut loop_future_t,
    ret_code: *mut c_int,
    ret_message: *mut *const c_char,
) -> c_int {
    guard(|| {
        let future = unsafe { self::future(future)? };
        if future.phase()? == Phase::Pending {
            return Err(Error::InvalidState("Exception is not set."));
        }
        if future.phase()? == Phase::Cancelled {
            result_of(&future)?;
        }
        let (code, message) = future.outcome(|outcome| {
            let text = outcome.message().map_or(std::ptr::null(), CStr::as_ptr);
            (outcome.code(), text)
        })?;
        let message = if message.is_null() && code != 0 {
            super::error::loop_strerror(code)
        } else {
            message
        };
        if !ret_code.is_null() {
            unsafe { ret_code.write(code) };
        }
        if !ret_message.is_null() {
            unsafe { ret_message.write(message) };
        }
        Ok(c_int::from(code != 0))
    })
}

/// What loop_future_set_exception_data attached to the failure; NULL otherwise.
/// Borrowed: valid as long as the future. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_exception_data(future: *mut loop_future_t) -> *mut c_void {
    guard_or(std::ptr::null_mut(), || {
        unsafe { self::future(future)? }.outcome(|outcome| match outcome {
            Outcome::Failed(failure) => failure.payload.get(),
            _ => std::ptr::null_mut(),
        })
    })
}

/// The destructor that came with the result, or with what is attached to the
/// failure; NULL if there is none, and before the future is done. By it a host
/// knows what is its own, of a type that it may look into, such as an object of
/// its language. Does not count as retrieved. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_get_destroy(future: *mut loop_future_t) -> loop_destroy_t {
    guard_or(None, || unsafe { self::future(future)? }.destroy_fn())
}

/// How many references there are, those of the library included, such as the one
/// of a task that awaits the future. If the caller has the only one, nobody else
/// can end the future any more: for garbage collectors. Others may change the
/// number at any time. 0 for NULL. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_use_count(future: *mut loop_future_t) -> usize {
    guard_or(0, || Ok(Arc::strong_count(&*unsafe { self::future(future)? })))
}

/// Finishes the future with a result, which it destroys with its last
/// reference, or at once if this call fails. Callbacks are scheduled in the
/// order of their registration. LOOP_EINVALID_STATE if it is done already or a
/// task's,
/// LOOP_ECLOSED if there are callbacks and the loop is closed (it stays
/// pending), others as loop_future_done. asyncio: future.set_result().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_set_result(
    future: *mut loop_future_t,
    result: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let outcome = Outcome::Result(UserData::new(result, destroy));
        unsafe { kept_future(future)? }.finish_by_host(outcome).map(|()| 0)
    })
}

/// Finishes the future with a failure: a negative code and a text, which is
/// copied; NULL: the text of loop_strerror. LOOP_EINVAL also for a code that is
/// not negative; LOOP_ECANCELLED is for loop_future_cancel alone. Others as
/// loop_future_set_result. asyncio: future.set_exception().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_set_exception(
    future: *mut loop_future_t,
    code: c_int,
    message: *const c_char,
) -> c_int {
    unsafe { loop_future_set_exception_data(future, code, message, std::ptr::null_mut(), None) }
}

/// The same with something of the host's own, such as an exception of its
/// language, which is destroyed with the failure, or at once if this call fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_set_exception_data(
    future: *mut loop_future_t,
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
        let message = unsafe { text(message) }.map(copy_text).transpose()?;
        let failure = crate::memory::try_arc(Failure { code, message, payload })?;
        unsafe { kept_future(future)? }.finish_by_host(Outcome::Failed(failure)).map(|()| 0)
    })
}

/// Finishes the future with the failure of `failed`, a done future of the same
/// loop: both have the same text and data then, which end with the last of them.
/// LOOP_EINVALID_STATE also if that has not failed, LOOP_EWRONG_LOOP. Others as
/// loop_future_set_result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_set_exception_of(
    future: *mut loop_future_t,
    failed: *mut loop_future_t,
) -> c_int {
    guard(|| {
        let future = unsafe { kept_future(future)? };
        let failure = unsafe { self::future(failed)? }.share_failure(future.event_loop())?;
        future.finish_by_host(failure).map(|()| 0)
    })
}

/// Cancels the future: 1 if it is or will be cancelled, 0 if it is done already
/// or refuses. `message` (copied) may be NULL. What worked on it lets go before
/// this returns: descriptors are unregistered, queued jobs are dropped. A task
/// is told at its next step instead. Errors as loop_future_set_result.
/// asyncio: future.cancel().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_cancel(
    future: *mut loop_future_t,
    message: *const c_char,
) -> c_int {
    guard(|| {
        let future = unsafe { kept_future(future)? };
        future.cancel(unsafe { text(message) }).map(c_int::from)
    })
}

fn cancel_fn(
    cancel: unsafe extern "C-unwind" fn(*mut loop_future_t, *const c_char, *mut c_void) -> c_int,
) -> CancelFn {
    // SAFETY: the two differ in the pointee of one pointer only.
    unsafe {
        std::mem::transmute::<
            unsafe extern "C-unwind" fn(*mut loop_future_t, *const c_char, *mut c_void) -> c_int,
            CancelFn,
        >(cancel)
    }
}

fn done_callback(
    callback: loop_future_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> Result<DoneCallback> {
    let user_data = UserData::new(user_data, destroy);
    let callback = callback.ok_or(Error::Invalid("callback is NULL"))?;
    Ok(DoneCallback::Host(done_fn(callback), user_data))
}

fn done_fn(callback: unsafe extern "C-unwind" fn(*mut loop_future_t, *mut c_void)) -> DoneFn {
    // SAFETY: the two differ in the pointee of one pointer only.
    unsafe {
        std::mem::transmute::<unsafe extern "C-unwind" fn(*mut loop_future_t, *mut c_void), DoneFn>(
            callback,
        )
    }
}

/// Schedules `callback` by loop_call_soon once the future is done, which may be
/// now; never called from inside this function. Callbacks run in the order of
/// their registration, in the context of the caller if the loop has context
/// hooks, and keep the future alive until they ran. `destroy` runs exactly once,
/// also when this call fails. LOOP_EINVAL, LOOP_EWRONG_THREAD, LOOP_EFORKED,
/// LOOP_ECLOSED (if it is done and the loop is closed), -ENOMEM. [loop thread]
/// asyncio: future.add_done_callback().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_add_done_callback(
    future: *mut loop_future_t,
    callback: loop_future_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let callback = done_callback(callback, user_data, destroy)?;
        unsafe { kept_future(future)? }.add_done_callback(callback).map(|_| 0)
    })
}

/// The same in a context, by the rules of loop_call_soon_context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_add_done_callback_context(
    future: *mut loop_future_t,
    callback: loop_future_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    context: *mut c_void,
) -> c_int {
    guard(|| {
        let callback = done_callback(callback, user_data, destroy);
        let future = unsafe { kept_future(future)? };
        let context = future.event_loop().context(context)?;
        future.add_done_callback_in(callback?, context).map(|_| 0)
    })
}

/// Takes back every registration of this function with this user data that was
/// not scheduled yet, and destroys its data: how many there were. Errors as
/// loop_future_done. asyncio: future.remove_done_callback().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_future_remove_done_callback(
    future: *mut loop_future_t,
    callback: loop_future_callback_t,
    user_data: *mut c_void,
) -> c_int {
    guard(|| {
        let callback = callback.ok_or(Error::Invalid("callback is NULL"))?;
        let future = unsafe { kept_future(future)? };
        Ok(future.remove_done_callback(done_fn(callback), user_data)? as c_int)
    })
}

versioned!(
    "loop_future_new",
    "loop_future_new_cancellable",
    "loop_future_ref",
    "loop_future_unref",
    "loop_future_get_loop",
    "loop_future_done",
    "loop_future_cancelled",
    "loop_future_result",
    "loop_future_exception",
    "loop_future_exception_data",
    "loop_future_get_destroy",
    "loop_future_use_count",
    "loop_future_set_result",
    "loop_future_set_exception",
    "loop_future_set_exception_data",
    "loop_future_set_exception_of",
    "loop_future_cancel",
    "loop_future_add_done_callback",
    "loop_future_add_done_callback_context",
    "loop_future_remove_done_callback",
);
