//! Tasks, their time limits, sleeping.

use super::future::{future, give, loop_future_t, text};
use super::guard::{event_loop, guard, guard_or, kept, sized, store};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::memory::{copy_text, try_arc};
use crate::services::future::{Failure, Outcome};
use crate::services::task::{self, Options, StepFn, Task, Timeout};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// What runs step by step and waits for futures in between: asyncio's Task.
/// Opaque, reference-counted; belongs to its loop's thread. The loop keeps a task
/// alive until it is done. Closing the loop ends pending tasks with the report
/// "Task was destroyed but it is pending!".
pub struct loop_task_t(#[allow(dead_code)] Task);

/// One step of a task, on the loop's thread. `outcome` is 0 at the start and when
/// what the task awaited ended well; the (negative) code of its failure; or
/// LOOP_ECANCELLED when it or the task was cancelled. The step returns
///
/// - LOOP_TASK_DONE: the task is over (see loop_task_return for a result);
/// - `return loop_task_await(task, future)`: to be called again when it is done;
/// - LOOP_TASK_YIELD: to be called again in the loop's next turn;
/// - `return loop_task_park(task, cancelled, user_data)`: to be called again after
///   loop_task_wake;
/// - a negative code: the task failed. Handing on `outcome`, or the code of a
///   call that has just failed, hands on its text; LOOP_ECANCELLED means that the
///   task was cancelled.
///
/// When `outcome` is negative, loop_last_error has its text.
/// Anything else, also LOOP_TASK_AWAIT without loop_task_await, ends the task with
/// LOOP_EINVAL "Task got bad yield". `user_data` is destroyed when the task is
/// over, or when the loop closes.
pub type loop_task_step_t = Option<
    unsafe extern "C-unwind" fn(
        task: *mut loop_task_t,
        outcome: c_int,
        user_data: *mut c_void,
    ) -> c_int,
>;

/// A step's answer: the task is over.
pub const LOOP_TASK_DONE: c_int = 0;
/// A step's answer: wait, as loop_task_await has said.
pub const LOOP_TASK_AWAIT: c_int = 1;
/// A step's answer: go on in the next turn.
pub const LOOP_TASK_YIELD: c_int = 2;

/// A step's answer: wait for loop_task_wake, as loop_task_park has said.
pub const LOOP_TASK_PARK: c_int = 3;

const _: () = assert!(LOOP_TASK_AWAIT == task::AWAIT && LOOP_TASK_YIELD == task::YIELD);
const _: () = assert!(LOOP_TASK_PARK == task::PARK);

/// loop_create_task_with: run the first step at once, inside the call, as
/// asyncio's eager tasks.
pub const LOOP_TASK_EAGER: u32 = 1;

/// How a task begins. Set `size` to sizeof(loop_task_options_t), everything
/// else to zero, then what you want to change.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_task_options_t {
    /// sizeof(loop_task_options_t).
    pub size: usize,
    /// 0 or LOOP_TASK_EAGER.
    pub flags: u32,
    /// Not 0: `context` is a context to run the steps in; its reference passes
    /// to the loop as with loop_call_soon_context.
    pub has_context: u32,
    /// The context, if there is one.
    pub context: *mut c_void,
    /// The task's name (copied); NULL: Task-N.
    pub name: *const c_char,
}

pub(super) unsafe fn task<'a>(pointer: *const loop_task_t) -> Result<ManuallyDrop<Arc<Task>>> {
    if pointer.is_null() {
        return Err(Error::Invalid("task is NULL"));
    }
    // SAFETY: `loop_task_t` is how C sees a `Task` in an Arc.
    Ok(ManuallyDrop::new(unsafe { Arc::from_raw(pointer.cast::<Task>()) }))
}

pub(super) fn into_raw(task: Arc<Task>) -> *mut loop_task_t {
    Arc::into_raw(task).cast::<loop_task_t>().cast_mut()
}

/// A step with its data, which ends here if the step is missing.
pub(super) fn to_step(
    step: loop_task_step_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> Result<(StepFn, UserData)> {
    let user_data = UserData::new(user_data, destroy);
    let step = step.ok_or(Error::Invalid("step is NULL"))?;
    type Raw = unsafe extern "C-unwind" fn(*mut loop_task_t, c_int, *mut c_void) -> c_int;
    // SAFETY: the two differ in the pointee of one pointer only.
    Ok((unsafe { std::mem::transmute::<Raw, StepFn>(step) }, user_data))
}

/// Starts a task on `loop`: its first step runs in the next turn. `destroy` runs
/// exactly once, also when this call fails. `ret_task` may be NULL, otherwise it
/// gets one reference, for loop_task_unref. 0, LOOP_EINVAL, LOOP_ECLOSED,
/// LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
/// asyncio: loop.create_task().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_create_task(
    r#loop: *mut loop_t,
    step: loop_task_step_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_task: *mut *mut loop_task_t,
) -> c_int {
    unsafe { loop_create_task_with(r#loop, std::ptr::null(), step, user_data, destroy, ret_task) }
}

/// What a host's options mean; takes charge of the context in them.
///
/// # Safety
/// `options` is NULL or such a struct.
unsafe fn to_options(
    event_loop: &crate::event_loop::EventLoop,
    options: *const loop_task_options_t,
) -> Result<Options> {
    if options.is_null() {
        return Ok(Options::default());
    }
    let wrong = wrong_size!("loop_task_options_t");
    let options = unsafe { sized(options, wrong)? };
    let context = match options.has_context {
        0 => None,
        _ => Some(event_loop.context(options.context)?),
    };
    if options.flags & !LOOP_TASK_EAGER != 0 {
        return Err(Error::Invalid("loop_task_options_t.flags are unknown"));
    }
    Ok(Options {
        name: unsafe { text(options.name) }.map(copy_text).transpose()?,
        context,
        eager: options.flags & LOOP_TASK_EAGER != 0,
    })
}

/// The same with options (NULL: the defaults).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_create_task_with(
    r#loop: *mut loop_t,
    options: *const loop_task_options_t,
    step: loop_task_step_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_task: *mut *mut loop_task_t,
) -> c_int {
    guard(|| {
        let step = to_step(step, user_data, destroy);
        // The hook for contexts, an eager step and destructors are the host's.
        let event_loop = unsafe { kept(r#loop)? };
        let options = unsafe { to_options(&event_loop, options)? };
        let (step, user_data) = step?;
        let task = Task::create(&event_loop, step, user_data, options)?;
        if !ret_task.is_null() {
            unsafe { ret_task.write(into_raw(task)) };
        }
        Ok(0)
    })
}

/// Takes one more reference; returns `task`. NULL is allowed. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_ref(task: *mut loop_task_t) -> *mut loop_task_t {
    if !task.is_null() {
        unsafe { Arc::increment_strong_count(task.cast::<Task>()) };
    }
    task
}

/// Gives a reference back; the task goes on. NULL is allowed. [any thread], also
/// after close and after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_unref(task: *mut loop_task_t) {
    if !task.is_null() {
        guard(|| {
            drop(unsafe { Arc::from_raw(task.cast::<Task>()) });
            Ok(0)
        });
    }
}

/// The future of the task's result, borrowed: valid as long as the task. Its
/// loop_future_cancel cancels the task. NULL for NULL. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_future(task: *mut loop_task_t) -> *mut loop_future_t {
    guard_or(std::ptr::null_mut(), || {
        Ok(Arc::as_ptr(unsafe { self::task(task)? }.future()).cast_mut().cast())
    })
}

/// For a step: the task waits for `future`, whose reference passes to the task,
/// also when this fails. Returns what the step then returns: LOOP_TASK_AWAIT, or
/// a negative code: LOOP_EINVAL "Task cannot await on itself" or NULL,
/// LOOP_EWRONG_LOOP, LOOP_EINVALID_STATE outside a step. A future that is done
/// already is followed by the next step at once (but see loop_sleep).
/// [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_await(
    task: *mut loop_task_t,
    future: *mut loop_future_t,
) -> c_int {
    guard(|| {
        let future = ManuallyDrop::into_inner(unsafe { self::future(future)? });
        unsafe { self::task(task)? }.wish_await(future)?;
        Ok(LOOP_TASK_AWAIT)
    })
}

/// For a step: what the task awaited last, borrowed until the step returns, to
/// read its result. NULL if it awaited nothing. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_awaited(task: *mut loop_task_t) -> *mut loop_future_t {
    guard_or(std::ptr::null_mut(), || {
        let awaited = unsafe { self::task(task)? }.awaited()?;
        Ok(awaited.map_or(std::ptr::null_mut(), |future| Arc::as_ptr(&future).cast_mut().cast()))
    })
}

/// For a step: the task waits for loop_task_wake, which needs no future and no
/// memory. Returns what the step then returns: LOOP_TASK_PARK, or
/// LOOP_EINVALID_STATE outside a step. What is to wake the task, such as a timer
/// or a reader, is the caller's. If the task is cancelled first,
/// `cancelled(user_data)` is called at once (it may be NULL), so that this is
/// undone before loop_task_cancel returns; the next step gets LOOP_ECANCELLED,
/// and no uncancelling changes that. It is not called after loop_task_wake, nor
/// when the loop closes: there the step's own destructor is. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_park(
    task: *mut loop_task_t,
    cancelled: loop_callback_t,
    user_data: *mut c_void,
) -> c_int {
    guard(|| {
        unsafe { self::task(task)? }.wish_park(cancelled, user_data)?;
        Ok(LOOP_TASK_PARK)
    })
}

/// Lets a parked task go on: its step runs in the loop's next turn, or, if there
/// is no memory to note that, as soon as there is. Valid from loop_task_park on,
/// also before that step has returned; again, or after a cancellation, it changes
/// nothing. 0; LOOP_EINVALID_STATE if the task does not park, and nothing is
/// remembered then; LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD.
/// [loop thread]; others use loop_call_soon_threadsafe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_wake(task: *mut loop_task_t) -> c_int {
    guard(|| unsafe { self::task(task)? }.unpark().map(|()| 0))
}

/// loop_task_wake, but the step runs now, before this returns: for callbacks of the
/// loop that have nothing else to do, such as of a reader, so that no turn passes.
/// Where the loop does not run, and inside the step of any task, it is just
/// loop_task_wake. Results and errors are the same. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_wake_now(task: *mut loop_task_t) -> c_int {
    guard(|| unsafe { self::task(task)? }.unpark_now().map(|()| 0))
}

/// For a step: the task's result. Returns what the step then returns:
/// LOOP_TASK_DONE, or LOOP_EINVALID_STATE outside a step. `destroy` as with
/// loop_future_set_result. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_return(
    task: *mut loop_task_t,
    result: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let result = UserData::new(result, destroy);
        unsafe { self::task(task)? }.wish_result(result)?;
        Ok(LOOP_TASK_DONE)
    })
}

/// For a step: the task's failure with a text of its own (copied). Returns what
/// the step then returns: `code`, which must be negative (LOOP_EINVAL), or
/// LOOP_EINVALID_STATE outside a step. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_fail(
    task: *mut loop_task_t,
    code: c_int,
    message: *const c_char,
) -> c_int {
    unsafe { loop_task_fail_data(task, code, message, std::ptr::null_mut(), None) }
}

/// The same with something of the host's own, such as an exception of its
/// language (see loop_future_exception_data), which is destroyed with the
/// failure, or at once if this call fails. A cancellation has none: it is
/// destroyed at once. Errors also -ENOMEM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_fail_data(
    task: *mut loop_task_t,
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
        let message = unsafe { text(message) }.map(copy_text).transpose()?;
        let failure = if code == Error::Cancelled.code() {
            Outcome::Cancelled(message)
        } else {
            Outcome::Failed(try_arc(Failure { code, message, payload })?)
        };
        unsafe { self::task(task)? }.wish_failure(failure)?;
        Ok(code)
    })
}

/// For a step: the task's failure is that of `failed`, a done future of its loop,
/// with its text and data: an exception that another language raised goes on as
/// what it was. Returns what the step then returns: the code of the failure;
/// LOOP_EINVALID_STATE outside a step or if that has not failed;
/// LOOP_EWRONG_LOOP. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_fail_of(
    task: *mut loop_task_t,
    failed: *mut loop_future_t,
) -> c_int {
    guard(|| {
        let task = unsafe { self::task(task)? };
        let failure = unsafe { super::future::future(failed)? }.share_failure(task.event_loop())?;
        let code = failure.code();
        task.wish_failure(failure)?;
        Ok(code)
    })
}

/// Asks the task to end: what it awaits is cancelled, or its next step gets
/// LOOP_ECANCELLED. It may go on nevertheless. 1, or 0 if it is done. `message`
/// (copied) may be NULL. LOOP_EINVAL, LOOP_EWRONG_THREAD, LOOP_EFORKED.
/// [loop thread] asyncio: task.cancel().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_cancel(task: *mut loop_task_t, message: *const c_char) -> c_int {
    guard(|| {
        let task = Arc::clone(&*unsafe { self::task(task)? });
        task.cancel(unsafe { text(message) }).map(c_int::from)
    })
}

/// Takes one request to cancel back; how many are left. Errors as
/// loop_task_cancel. asyncio: task.uncancel().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_uncancel(task: *mut loop_task_t) -> c_int {
    guard(|| Ok(unsafe { self::task(task)? }.uncancel()? as c_int))
}

/// How many requests to cancel are pending. Errors as loop_task_cancel.
/// asyncio: task.cancelling().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_cancelling(task: *mut loop_task_t) -> c_int {
    guard(|| Ok(unsafe { self::task(task)? }.cancelling()? as c_int))
}

/// Writes the task's name to `buffer` by the rules of snprintf: how long it is,
/// without the NUL. Errors as loop_task_cancel. asyncio: task.get_name().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_get_name(
    task: *mut loop_task_t,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    guard(|| {
        unsafe { self::task(task)? }.name(|name| {
            let bytes = name.to_bytes();
            if !buffer.is_null() && size > 0 {
                let count = bytes.len().min(size - 1);
                // SAFETY: `size` bytes are there, `count` + 1 of them are used.
                unsafe {
                    std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), buffer, count);
                    buffer.add(count).write(0);
                }
            }
            bytes.len() as c_int
        })
    })
}

/// Renames the task (the name is copied). LOOP_EINVAL for NULL, others as
/// loop_task_cancel. asyncio: task.set_name().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_set_name(task: *mut loop_task_t, name: *const c_char) -> c_int {
    guard(|| {
        let name: &CStr = unsafe { text(name) }.ok_or(Error::Invalid("name is NULL"))?;
        unsafe { self::task(task)? }.set_name(copy_text(name)?).map(|()| 0)
    })
}

/// The task whose step runs now on this loop, borrowed for that step; NULL
/// outside any. [loop thread] asyncio: current_task().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_current_task(r#loop: *mut loop_t) -> *mut loop_task_t {
    guard_or(std::ptr::null_mut(), || {
        let task = task::current_task(unsafe { event_loop(r#loop)? })?;
        Ok(task.map_or(std::ptr::null_mut(), |task| Arc::as_ptr(&task).cast_mut().cast()))
    })
}

/// The loop's tasks that are not done: how many there are. The first `capacity`
/// of them are written to `tasks` (may be NULL), each with a reference for the
/// caller. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD.
/// [loop thread] asyncio: all_tasks().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_all_tasks(
    r#loop: *mut loop_t,
    tasks: *mut *mut loop_task_t,
    capacity: usize,
) -> c_int {
    guard(|| {
        let all = task::all_tasks(unsafe { event_loop(r#loop)? })?;
        let count = all.len();
        if !tasks.is_null() {
            for (place, task) in all.into_iter().take(capacity).enumerate() {
                // SAFETY: the caller has room for `capacity`.
                unsafe { tasks.add(place).write(into_raw(task)) };
            }
        }
        Ok(count as c_int)
    })
}

/// A future that ends with `result` after `delay_ns` nanoseconds. 0 or less: it
/// is done already, but the task that awaits it goes on in the next turn.
/// `destroy` (may be NULL) ends the result's life, exactly once.
/// LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
/// [loop thread] asyncio: sleep().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sleep(
    r#loop: *mut loop_t,
    delay_ns: i64,
    result: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let result = UserData::new(result, destroy);
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        unsafe { give(task::sleep(event_loop(r#loop)?, delay_ns, result)?, ret_future) }
    })
}

/// A deadline for a part of a task: asyncio.timeout. Opaque.
pub struct loop_timeout_t(#[allow(dead_code)] Timeout);

/// From now on `task` has `delay_ns` nanoseconds (negative: no limit yet) until
/// loop_timeout_exit; then it is cancelled. *ret_timeout is to be given to
/// loop_timeout_exit exactly once. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED,
/// LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_timeout_enter(
    task: *mut loop_task_t,
    delay_ns: i64,
    ret_timeout: *mut *mut loop_timeout_t,
) -> c_int {
    guard(|| {
        if ret_timeout.is_null() {
            return Err(Error::Invalid("ret_timeout is NULL"));
        }
        let task = Arc::clone(&*unsafe { self::task(task)? });
        let when = deadline(&task, delay_ns);
        let timeout = Timeout::enter(task, when)?;
        unsafe { store(ret_timeout, Arc::into_raw(timeout).cast_mut().cast())? };
        Ok(0)
    })
}

fn deadline(task: &Task, delay_ns: i64) -> Option<u64> {
    let delay = u64::try_from(delay_ns).ok()?;
    Some(task.event_loop().time().saturating_add(delay))
}

unsafe fn timeout(pointer: *const loop_timeout_t) -> Result<ManuallyDrop<Arc<Timeout>>> {
    if pointer.is_null() {
        return Err(Error::Invalid("timeout is NULL"));
    }
    // SAFETY: `loop_timeout_t` is how C sees a `Timeout` in an Arc.
    Ok(ManuallyDrop::new(unsafe { Arc::from_raw(pointer.cast::<Timeout>()) }))
}

/// Moves the deadline to `delay_ns` from now (negative: no limit).
/// LOOP_EINVALID_STATE once it has passed, others as loop_timeout_enter.
/// [loop thread] asyncio: timeout.reschedule().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_timeout_reschedule(
    timeout: *mut loop_timeout_t,
    delay_ns: i64,
) -> c_int {
    guard(|| {
        let timeout = unsafe { self::timeout(timeout)? };
        timeout.reschedule(deadline(timeout.task(), delay_ns)).map(|()| 0)
    })
}

/// Ends the part and frees `timeout`. `outcome` is how the part ended: returned
/// as it is, or as -ETIMEDOUT if it was LOOP_ECANCELLED because of the deadline
/// and of nothing else. LOOP_EWRONG_THREAD and LOOP_EFORKED free nothing.
/// [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_timeout_exit(timeout: *mut loop_timeout_t, outcome: c_int) -> c_int {
    guard(|| {
        let timeout = unsafe { self::timeout(timeout)? };
        let code = timeout.exit(outcome)?;
        drop(ManuallyDrop::into_inner(timeout));
        if code == outcome { Ok(code) } else { Err(Error::Sys(libc::ETIMEDOUT)) }
    })
}

versioned!(
    "loop_create_task",
    "loop_create_task_with",
    "loop_task_ref",
    "loop_task_unref",
    "loop_task_future",
    "loop_task_await",
    "loop_task_awaited",
    "loop_task_park",
    "loop_task_wake",
    "loop_task_wake_now",
    "loop_task_return",
    "loop_task_fail",
    "loop_task_fail_data",
    "loop_task_fail_of",
    "loop_task_cancel",
    "loop_task_uncancel",
    "loop_task_cancelling",
    "loop_task_get_name",
    "loop_task_set_name",
    "loop_current_task",
    "loop_all_tasks",
    "loop_sleep",
    "loop_timeout_enter",
    "loop_timeout_reschedule",
    "loop_timeout_exit",
);
