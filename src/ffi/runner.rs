//! Running until something is done, and main tasks.

use super::future::{future, into_raw, loop_future_t, result_of};
use super::guard::{event_loop, guard, guard_or, kept, sized, store};
use super::policy::code as policy_code;
use super::task::{loop_task_step_t, to_step};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::runner::{self, Options, Runner};
use crate::services::finalizers::{self, FinalizerFn};
use crate::services::future::Future;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// Runs the loop until `future` is done: 0 with its result in *ret_result (may
/// be NULL), which stays the future's; the code of its failure, or
/// LOOP_ECANCELLED, with its text in loop_last_error; a positive code of
/// loop_interrupt; LOOP_ESTOPPED "Event loop stopped before Future completed.".
/// At least one turn is run. LOOP_ECLOSED, LOOP_ERUNNING, LOOP_EOTHER_RUNNING,
/// LOOP_EWRONG_LOOP (checked in this order), LOOP_EWRONG_THREAD, LOOP_EFORKED,
/// LOOP_EINVAL. asyncio: loop.run_until_complete().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_run_until_complete(
    r#loop: *mut loop_t,
    future: *mut loop_future_t,
    ret_result: *mut *mut c_void,
) -> c_int {
    guard(|| {
        let event_loop = unsafe { kept(r#loop)? };
        let future = Arc::clone(&*unsafe { self::future(future)? });
        ended(&future, runner::run_until_complete(&event_loop, &future)?, ret_result)
    })
}

/// What a run answers: a code of `interrupt`, or how the future ended.
fn ended(future: &Future, code: i32, ret_result: *mut *mut c_void) -> Result<c_int> {
    if code != 0 {
        return Ok(code);
    }
    let result = result_of(future)?;
    if !ret_result.is_null() {
        // SAFETY: the caller's result pointer.
        unsafe { ret_result.write(result) };
    }
    Ok(0)
}

/// Ends something before the loop ends: 0, and maybe a future to wait for in
/// *ret_future, whose reference passes to the library; or a negative code.
pub type loop_finalizer_t = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut loop_t,
        ret_future: *mut *mut loop_future_t,
        user_data: *mut c_void,
    ) -> c_int,
>;

/// Registers a finalizer for loop_shutdown_asyncgens, and so for loop_run: the
/// generators of a language, for example. *ret_id (may be NULL) is for
/// loop_remove_finalizer. `destroy` runs exactly once: after the finalizer and
/// what it waits for, when it is removed, when the loop is closed, or when this
/// call fails. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD,
/// -ENOMEM. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_add_finalizer(
    r#loop: *mut loop_t,
    finalizer: loop_finalizer_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_id: *mut u64,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let finalizer = finalizer.ok_or(Error::Invalid("finalizer is NULL"))?;
        type Raw =
            unsafe extern "C-unwind" fn(*mut loop_t, *mut *mut loop_future_t, *mut c_void) -> c_int;
        // SAFETY: the two differ in the pointees of pointers only.
        let finalizer = unsafe { std::mem::transmute::<Raw, FinalizerFn>(finalizer) };
        let id = finalizers::add(unsafe { event_loop(r#loop)? }, finalizer, user_data)?;
        if !ret_id.is_null() {
            unsafe { ret_id.write(id) };
        }
        Ok(0)
    })
}

/// Takes a finalizer back without calling it: 1, or 0 if there is none. Errors
/// as loop_add_finalizer. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_remove_finalizer(r#loop: *mut loop_t, id: u64) -> c_int {
    guard(|| Ok(c_int::from(finalizers::remove(unsafe { event_loop(r#loop)? }, id)?)))
}

/// Calls every finalizer once; *ret_future is done when all they wait for is.
/// Failures go to the exception handler. Errors as loop_add_finalizer.
/// [loop thread] asyncio: loop.shutdown_asyncgens().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_shutdown_asyncgens(
    r#loop: *mut loop_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        let future = finalizers::shutdown(&*unsafe { kept(r#loop)? })?;
        unsafe { store(ret_future, into_raw(future))? };
        Ok(0)
    })
}

/// Runs main tasks on a loop of its own: asyncio's Runner. Opaque; belongs to
/// one thread.
pub struct loop_runner_t(#[allow(dead_code)] Runner);

/// How a runner runs. Set `size` to sizeof(loop_runner_options_t), everything
/// else to zero, then what you want to change.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_runner_options_t {
    /// sizeof(loop_runner_options_t).
    pub size: usize,
    /// 0 or LOOP_RUN_SIGINT.
    pub flags: u32,
    /// 0: as it is; 1: debug mode on; -1: off.
    pub debug: i32,
}

/// In the main thread, while SIGINT has its default action: a first SIGINT
/// cancels the main task, a second one ends the run at once. Either makes the
/// run answer -EINTR. Windows: Ctrl-C, in the oldest thread, unless a loop or
/// signal() of the C runtime handles it.
pub const LOOP_RUN_SIGINT: u32 = 1;

unsafe fn to_options(options: *const loop_runner_options_t) -> Result<Options> {
    if options.is_null() {
        return Ok(Options::default());
    }
    let wrong = wrong_size!("loop_runner_options_t");
    let options = unsafe { sized(options, wrong)? };
    if options.flags & !LOOP_RUN_SIGINT != 0 {
        return Err(Error::Invalid("loop_runner_options_t.flags are unknown"));
    }
    Ok(Options {
        debug: match options.debug {
            0 => None,
            debug => Some(debug > 0),
        },
        handle_sigint: options.flags & LOOP_RUN_SIGINT != 0,
    })
}

/// Runs a task with this step function on a new loop until it is done, then
/// ends everything: other tasks are cancelled and awaited, finalizers are
/// called, the default executor is shut down, this thread's loop is set to none,
/// the loop is closed. Answers as loop_run_until_complete; the main task's
/// future goes to *ret_future (may be NULL) with one reference, to read its
/// result; it is written only if the task was started. `options` may be NULL.
/// LOOP_EOTHER_RUNNING "asyncio.run() cannot be called from a running event
/// loop", LOOP_EINVAL, -ENOMEM, or a host policy's code. `destroy` runs exactly
/// once, also then. [any thread] that runs no loop. asyncio: run().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_run(
    options: *const loop_runner_options_t,
    step: loop_task_step_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let (step, user_data) = to_step(step, user_data, destroy)?;
        let runner = match Runner::new(unsafe { to_options(options)? }) {
            Ok(runner) => runner,
            Err(failure) => return Ok(policy_code(failure)),
        };
        let answer = run(&runner, step, user_data, ret_future);
        match runner.close() {
            Ok(()) => answer,
            Err(failure) if answer.is_ok() => Ok(policy_code(failure)),
            Err(_) => answer,
        }
    })
}

fn run(
    runner: &Runner,
    step: crate::services::task::StepFn,
    user_data: UserData,
    ret_future: *mut *mut loop_future_t,
) -> Result<c_int> {
    let (main, code) = runner.run(step, user_data)?;
    if !ret_future.is_null() {
        // SAFETY: the caller's result pointer.
        unsafe { ret_future.write(into_raw(main.clone())) };
    }
    ended(&main, code?, std::ptr::null_mut())
}

/// A runner in *ret_runner, for loop_runner_close. Its loop is new and becomes
/// this thread's. Errors as loop_run. asyncio: Runner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_runner_new(
    options: *const loop_runner_options_t,
    ret_runner: *mut *mut loop_runner_t,
) -> c_int {
    guard(|| {
        if ret_runner.is_null() {
            return Err(Error::Invalid("ret_runner is NULL"));
        }
        match Runner::new(unsafe { to_options(options)? }) {
            Ok(runner) => {
                let runner = crate::memory::try_box(runner)?;
                unsafe { store(ret_runner, Box::into_raw(runner).cast())? };
                Ok(0)
            }
            Err(failure) => Ok(policy_code(failure)),
        }
    })
}

unsafe fn runner_of<'a>(pointer: *mut loop_runner_t) -> Result<&'a Runner> {
    // SAFETY: `loop_runner_t` is how C sees a `Runner` in a Box.
    unsafe { pointer.cast::<Runner>().as_ref() }.ok_or(Error::Invalid("runner is NULL"))
}

/// The runner's loop, borrowed; NULL for NULL. asyncio: runner.get_loop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_runner_get_loop(runner: *mut loop_runner_t) -> *mut loop_t {
    guard_or(std::ptr::null_mut(), || {
        let event_loop: *const EventLoop = unsafe { runner_of(runner)? }.event_loop();
        Ok(event_loop.cast_mut().cast())
    })
}

/// Runs one main task to its end, as loop_run does; may be called again and
/// again. asyncio: runner.run().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_runner_run(
    runner: *mut loop_runner_t,
    step: loop_task_step_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let (step, user_data) = to_step(step, user_data, destroy)?;
        run(unsafe { runner_of(runner)? }, step, user_data, ret_future)
    })
}

/// Ends everything as loop_run does at its end, and frees the runner, also if
/// that fails. NULL is allowed. LOOP_ERUNNING while it runs (then it stays).
/// asyncio: runner.close().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_runner_close(runner: *mut loop_runner_t) -> c_int {
    guard(|| {
        if runner.is_null() {
            return Ok(0);
        }
        let open = unsafe { runner_of(runner)? };
        if open.is_busy() || open.event_loop().is_running() {
            return Err(Error::Running);
        }
        let answer = open.close().map_or_else(policy_code, |()| 0);
        drop(unsafe { Box::from_raw(runner.cast::<Runner>()) });
        Ok(answer)
    })
}

versioned!(
    "loop_run_until_complete",
    "loop_add_finalizer",
    "loop_remove_finalizer",
    "loop_shutdown_asyncgens",
    "loop_run",
    "loop_runner_new",
    "loop_runner_get_loop",
    "loop_runner_run",
    "loop_runner_close",
);
