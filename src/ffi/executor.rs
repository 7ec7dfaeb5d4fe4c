//! Executors.

use super::error::failed;
use super::future::{give, loop_future_t};
use super::guard::{callback, event_loop, guard, kept, sized, store};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::services::executor::{self, Executor, HostFns, HostJob, Job};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Runs blocking jobs: on a pool of threads (loop_executor_new), or wherever the
/// host likes (loop_executor_create). Opaque, reference-counted, and of no loop:
/// any number of loops may share one.
///
/// Threads: every function is for [any thread] if nothing else is said.
///
/// Fork: in a forked child there are none of the threads, and every function
/// returns LOOP_EFORKED, except loop_executor_reinit_after_fork and giving
/// references back. A child's loop makes itself a new default executor.
pub struct loop_executor_t(#[allow(dead_code)] Executor);

/// A job in the hands of a host's executor. Opaque.
pub struct loop_executor_job_t(#[allow(dead_code)] HostJob);

/// A job, called on a thread of the executor. 0 or positive: done, with its
/// result in *ret_result (NULL before). Negative: failed with that code, and
/// with the text of loop_job_fail if there is one;
/// LOOP_ECANCELLED: cancelled.
pub type loop_job_t = Option<
    unsafe extern "C-unwind" fn(user_data: *mut c_void, ret_result: *mut *mut c_void) -> c_int,
>;

/// What a host's executor consists of. The struct is copied. Every function is
/// called with the executor's user data, on whatever thread.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_executor_vtable_t {
    /// sizeof(loop_executor_vtable_t).
    pub size: usize,
    /// Takes charge of a job, which must end with one call of
    /// loop_executor_job_run or loop_executor_job_discard, on any thread, now
    /// or later. 0, or a negative code: refused, the job is not the host's.
    pub submit: Option<
        unsafe extern "C-unwind" fn(job: *mut loop_executor_job_t, user_data: *mut c_void) -> c_int,
    >,
    /// A job of the host's was cancelled and will do nothing. 1: the host gives
    /// it back and forgets it; 0: it keeps it, and ends it as above. NULL: 0.
    /// If `job` may have ended meanwhile, it must be compared only.
    pub cancel: Option<
        unsafe extern "C-unwind" fn(job: *mut loop_executor_job_t, user_data: *mut c_void) -> c_int,
    >,
    /// No more jobs will come. With LOOP_EXECUTOR_WAIT: waits for all that were
    /// taken, -ETIMEDOUT if that takes longer than timeout_ns (negative: no limit);
    /// with LOOP_EXECUTOR_CANCEL_QUEUED: discards what has not begun. May be
    /// called more than once. NULL: there is nothing to do or to wait for.
    pub shutdown: Option<
        unsafe extern "C-unwind" fn(flags: u32, timeout_ns: i64, user_data: *mut c_void) -> c_int,
    >,
}

/// loop_executor_shutdown: wait until all threads have ended.
pub const LOOP_EXECUTOR_WAIT: u32 = 1;
/// loop_executor_shutdown: cancel jobs that have not begun.
pub const LOOP_EXECUTOR_CANCEL_QUEUED: u32 = 2;

/// An executor the caller has a reference to, and one more for the call, in
/// which foreign code may give that back.
unsafe fn executor(pointer: *const loop_executor_t) -> Result<Arc<Executor>> {
    let executor = unsafe { borrowed(pointer) }.ok_or(Error::Invalid("executor is NULL"))?;
    Ok(Arc::clone(&executor))
}

/// The same, or none, without a reference for the call: it must not be touched
/// once foreign code may have run.
unsafe fn borrowed(pointer: *const loop_executor_t) -> Option<ManuallyDrop<Arc<Executor>>> {
    // SAFETY: `loop_executor_t` is how C sees an `Executor` in an Arc.
    (!pointer.is_null())
        .then(|| ManuallyDrop::new(unsafe { Arc::from_raw(pointer.cast::<Executor>()) }))
}

unsafe fn give_executor(
    make: impl FnOnce() -> Result<Arc<Executor>>,
    place: *mut *mut loop_executor_t,
) -> Result<c_int> {
    if place.is_null() {
        return Err(Error::Invalid("ret_executor is NULL"));
    }
    let raw = Arc::into_raw(make()?).cast::<loop_executor_t>().cast_mut();
    unsafe { store(place, raw)? };
    Ok(0)
}

/// A host's code has no message of its own.
fn with_text<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        Error::Failed(code) => failed(code, None),
        error => error,
    })
}

fn to_vtable(given: *const loop_executor_vtable_t) -> Result<HostFns> {
    if given.is_null() {
        return Err(Error::Invalid("vtable is NULL"));
    }
    let wrong = wrong_size!("loop_executor_vtable_t");
    // SAFETY: the caller passes a struct whose first field is its size.
    let vtable = unsafe { sized(given, wrong)? };
    type Raw = unsafe extern "C-unwind" fn(*mut loop_executor_job_t, *mut c_void) -> c_int;
    type Own = unsafe extern "C-unwind" fn(*const HostJob, *mut c_void) -> c_int;
    // SAFETY: the two differ in the pointee of one pointer only.
    let own = |raw: Raw| unsafe { std::mem::transmute::<Raw, Own>(raw) };
    Ok(HostFns {
        submit: own(vtable.submit.ok_or(Error::Invalid("submit is NULL"))?),
        cancel: vtable.cancel.map(own),
        shutdown: vtable.shutdown,
    })
}

/// A pool of at most `workers` threads in *ret_executor, with one reference. 0
/// workers: the number of processors plus 4, at most 32. Threads start when jobs
/// come that no idle one can take; they are named coloop-0, coloop-1, ... and
/// have all signals blocked but those of faults. LOOP_EINVAL, -ENOMEM.
/// Python: ThreadPoolExecutor(workers).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_new(
    workers: u32,
    ret_executor: *mut *mut loop_executor_t,
) -> c_int {
    guard(|| unsafe { give_executor(|| Executor::pool(workers as usize), ret_executor) })
}

/// An executor of the host's in *ret_executor, with one reference. `destroy`
/// runs with the last reference, on whatever thread gives that back; futures of
/// jobs that are not done have one each. LOOP_EINVAL for a wrong size, unknown
/// fields or no `submit`, -ENOMEM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_create(
    vtable: *const loop_executor_vtable_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_executor: *mut *mut loop_executor_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let fns = to_vtable(vtable)?;
        unsafe { give_executor(|| Executor::host(fns, user_data), ret_executor) }
    })
}

/// Takes one more reference; returns `executor`. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_ref(executor: *mut loop_executor_t) -> *mut loop_executor_t {
    if !executor.is_null() {
        unsafe { Arc::increment_strong_count(executor.cast::<Executor>()) };
    }
    executor
}

/// Gives a reference back. With the last one a pool's threads do what is queued
/// and end; this never waits for them. In a forked child the child's copy of
/// what was queued is destroyed instead. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_unref(executor: *mut loop_executor_t) {
    if !executor.is_null() {
        guard(|| {
            drop(unsafe { Arc::from_raw(executor.cast::<Executor>()) });
            Ok(0)
        });
    }
}

/// Sets the most threads a pool may have, as in loop_executor_new. More are
/// started if jobs wait, those too many end when they have no job. LOOP_EINVAL,
/// LOOP_ENOTSUP for a host's executor, LOOP_EFORKED, -EAGAIN or -ENOMEM if a
/// thread could not be started (the number is set).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_set_workers(
    executor: *mut loop_executor_t,
    workers: u32,
) -> c_int {
    guard(|| unsafe { self::executor(executor)? }.set_workers(workers as usize).map(|()| 0))
}

/// How many threads a pool has now. LOOP_EINVAL, LOOP_ENOTSUP for a host's
/// executor, LOOP_EFORKED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_threads(executor: *mut loop_executor_t) -> c_int {
    guard(|| Ok(to_int(unsafe { self::executor(executor)? }.counts()?.0)))
}

/// How many jobs wait for a thread of a pool. Errors as loop_executor_threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_queued(executor: *mut loop_executor_t) -> c_int {
    guard(|| Ok(to_int(unsafe { self::executor(executor)? }.counts()?.1)))
}

fn to_int(count: usize) -> c_int {
    c_int::try_from(count).unwrap_or(c_int::MAX)
}

/// Runs `callback` on the executor; nobody waits for it. `destroy` runs after
/// it, on the same thread, or on this one if this call fails. LOOP_EINVAL,
/// LOOP_ESHUTDOWN, LOOP_EFORKED, -ENOMEM, -EAGAIN if there is no thread and none
/// could be started, what a host's submit returns.
/// Python: executor.submit().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_submit(
    executor: *mut loop_executor_t,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let callback = self::callback(callback, user_data, destroy)?;
        let executor = unsafe { borrowed(executor) }.ok_or(Error::Invalid("executor is NULL"))?;
        with_text(executor.submit(Job::Callback(callback))).map(|()| 0)
    })
}

/// Ends an executor: it takes no more jobs (LOOP_ESHUTDOWN). What is queued is
/// done, or cancelled with LOOP_EXECUTOR_CANCEL_QUEUED: destructors run here,
/// futures are cancelled by their loops. With LOOP_EXECUTOR_WAIT the call
/// returns when all threads have ended; -ETIMEDOUT if that takes longer than
/// timeout_ns (negative: no limit). May be called again. LOOP_EINVAL, LOOP_EFORKED,
/// -EDEADLK if this thread is one of them, what a host's shutdown returns.
/// Python: executor.shutdown().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_shutdown(
    executor: *mut loop_executor_t,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    guard(|| {
        let executor = unsafe { self::executor(executor)? };
        if flags & !(LOOP_EXECUTOR_WAIT | LOOP_EXECUTOR_CANCEL_QUEUED) != 0 {
            return Err(Error::Invalid("unknown flags"));
        }
        with_text(executor.shutdown(flags, timeout_ns)).map(|()| 0)
    })
}

/// In a forked child: makes an inherited executor this process's own. A pool
/// starts anew without threads and jobs; the child's copy of what was queued is
/// destroyed, that of what ran is lost. A host's executor is taken to work in
/// the child. The child must have no other thread that uses it. LOOP_EINVAL,
/// also if it was not inherited, -ENOMEM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_reinit_after_fork(executor: *mut loop_executor_t) -> c_int {
    guard(|| unsafe { self::executor(executor)? }.reinit_after_fork().map(|()| 0))
}

/// For a host's executor: runs a job it took charge of, on this thread, and
/// ends it; does nothing but that if the job was cancelled. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_job_run(job: *mut loop_executor_job_t) {
    if !job.is_null() {
        guard(|| {
            // SAFETY: the reference that `submit` was given.
            unsafe { Arc::from_raw(job.cast::<HostJob>()) }.run();
            Ok(0)
        });
    }
}

/// For a host's executor: ends a job without running it. Its data is destroyed
/// here, its future is cancelled. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_executor_job_discard(job: *mut loop_executor_job_t) {
    if !job.is_null() {
        guard(|| {
            // SAFETY: as above.
            unsafe { Arc::from_raw(job.cast::<HostJob>()) }.discard();
            Ok(0)
        });
    }
}

/// Submits `job` at once, whether the loop runs or not, to `executor` or (NULL)
/// to the loop's default one, which is made when it is first needed: a pool as
/// of loop_executor_new(0). The future in *ret_future ends on the loop's thread
/// with what the job returned.
///
/// `destroy` runs on the job's thread before the future is done, or on this one
/// if this call fails or the job is cancelled before it began. A result that
/// nobody takes, because the future was cancelled or the loop closed meanwhile,
/// ends by `result_destroy` (NULL: it needs none) on whatever thread drops it;
/// so does a result that is not NULL of a job that failed.
///
/// Cancelling the future takes a job out of the queue; one that runs goes on
/// unseen. Closing the loop drops neither. LOOP_EINVAL, LOOP_ECLOSED,
/// LOOP_EFORKED, LOOP_EWRONG_THREAD, others as loop_executor_submit.
/// [loop thread] asyncio: loop.run_in_executor().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_run_in_executor(
    r#loop: *mut loop_t,
    executor: *mut loop_executor_t,
    job: loop_job_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    result_destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let event_loop = unsafe { event_loop(r#loop)? };
        let executor = unsafe { borrowed(executor) };
        let func = job.ok_or(Error::Invalid("job is NULL"))?;
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        let job = Job::Host { func, user_data, result_destroy };
        let future = with_text(executor::run(event_loop, executor.as_deref().map(|e| &**e), job))?;
        unsafe { give(future, ret_future) }
    })
}

/// Inside a job of loop_run_in_executor: its failure with `code`, for the job to
/// return, gets this text (copied; NULL: that of loop_strerror). Returns `code`,
/// also when there is no memory for the text, so that a job may end with
/// `return loop_job_fail(code, "why");`. If the job returns another code the text
/// is dropped; a later call takes its place. LOOP_EINVAL for codes that are not
/// negative, LOOP_EINVALID_STATE outside a job. [any thread] that runs a job, on
/// a host's executor too. Python: raising an exception with a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_job_fail(code: c_int, message: *const c_char) -> c_int {
    unsafe { loop_job_fail_data(code, message, std::ptr::null_mut(), None) }
}

/// The same with something of the host's own, as loop_future_set_exception_data:
/// loop_future_exception_data answers it. It is destroyed with the failure, on
/// whatever thread drops that, or at once if this call fails or another takes its
/// place; without memory for the text there is no data either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_job_fail_data(
    code: c_int,
    message: *const c_char,
    data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let payload = UserData::new(data, destroy);
        if code >= 0 {
            return Err(Error::Invalid("the code of a failure must be negative"));
        }
        let message = unsafe { super::future::text(message) };
        // SAFETY: a static text.
        let own = || unsafe { CStr::from_ptr(super::error::loop_strerror(code)) };
        match executor::say_failure(code, message.unwrap_or_else(own), payload) {
            Ok(()) | Err(Error::NO_MEMORY) => Err(failed(code, message)),
            Err(error) => Err(error),
        }
    })
}

/// Calls `work` on an executor as loop_run_in_executor does, and then `done` on
/// the loop's thread, both with the same user data: what goes from one to the
/// other stands there. There is no future, which makes this the quickest way,
/// and no way to cancel. `done` may be NULL.
///
/// `destroy` runs after `done`; on whatever thread drops the data if the loop is
/// closed meanwhile or the executor discards the job, on this one if this call
/// fails. Errors as loop_run_in_executor. [loop thread] libuv: uv_queue_work().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_call_in_executor(
    r#loop: *mut loop_t,
    executor: *mut loop_executor_t,
    work: loop_callback_t,
    done: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    unsafe extern "C-unwind" fn nothing(_: *mut c_void) {}
    guard(|| {
        let done = callback(done.or(Some(nothing)), user_data, destroy)?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let executor = unsafe { borrowed(executor) };
        let work = work.ok_or(Error::Invalid("work is NULL"))?;
        with_text(executor::call(event_loop, executor.as_deref().map(|e| &**e), work, done))
            .map(|()| 0)
    })
}

/// Makes `executor` the loop's default one, which gets the jobs that name none.
/// The loop takes a reference, and charge: loop_close shuts it down without
/// waiting, whoever else uses it, as asyncio does. The one before is given back.
/// LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
/// [loop thread] asyncio: loop.set_default_executor().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_set_default_executor(
    r#loop: *mut loop_t,
    executor: *mut loop_executor_t,
) -> c_int {
    guard(|| {
        let event_loop = unsafe { kept(r#loop)? };
        let executor = unsafe { self::executor(executor)? };
        executor::set_default_executor(&event_loop, executor).map(|()| 0)
    })
}

/// Ends the default executor: from now on jobs that name none are refused with
/// LOOP_ESHUTDOWN. The future in *ret_future is done when all threads have
/// ended, at once if there are none; it fails with -ETIMEDOUT if that takes
/// longer than timeout_ns (negative: no limit), and the threads end later.
/// LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM,
/// -EAGAIN (a host's executor is waited for in a thread of its own).
/// [loop thread] asyncio: loop.shutdown_default_executor().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_shutdown_default_executor(
    r#loop: *mut loop_t,
    timeout_ns: i64,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let event_loop = unsafe { kept(r#loop)? };
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        let future = with_text(executor::shutdown_default_executor(&event_loop, timeout_ns))?;
        unsafe { give(future, ret_future) }
    })
}

const _: () = assert!(LOOP_EXECUTOR_WAIT == executor::WAIT);
const _: () = assert!(LOOP_EXECUTOR_CANCEL_QUEUED == executor::CANCEL_QUEUED);

versioned!(
    "loop_executor_new",
    "loop_executor_create",
    "loop_executor_ref",
    "loop_executor_unref",
    "loop_executor_set_workers",
    "loop_executor_threads",
    "loop_executor_queued",
    "loop_executor_submit",
    "loop_executor_shutdown",
    "loop_executor_reinit_after_fork",
    "loop_executor_job_run",
    "loop_executor_job_discard",
    "loop_run_in_executor",
    "loop_job_fail",
    "loop_job_fail_data",
    "loop_call_in_executor",
    "loop_set_default_executor",
    "loop_shutdown_default_executor",
);
