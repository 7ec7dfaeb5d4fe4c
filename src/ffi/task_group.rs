//! Task groups.

use super::future::{give, loop_future_t};
use super::guard::{guard, guard_or, store};
use super::task::{into_raw, loop_task_step_t, loop_task_t, task, to_step};
use super::types::*;
use crate::error::{Error, Result};
use crate::services::task::{GroupError, Options, TaskGroup};
use std::ffi::{c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Tasks that end together: asyncio's TaskGroup. Opaque, reference-counted;
/// belongs to its loop's thread.
pub struct loop_task_group_t(#[allow(dead_code)] TaskGroup);

unsafe fn group(pointer: *const loop_task_group_t) -> Result<ManuallyDrop<Arc<TaskGroup>>> {
    if pointer.is_null() {
        return Err(Error::Invalid("group is NULL"));
    }
    // SAFETY: `loop_task_group_t` is how C sees a `TaskGroup` in an Arc.
    Ok(ManuallyDrop::new(unsafe { Arc::from_raw(pointer.cast::<TaskGroup>()) }))
}

/// A group whose body is what `task` does until loop_task_group_exit. When a
/// task of the group fails, the others are cancelled, and so is `task` if it is
/// still in the body. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM.
/// [loop thread] asyncio: TaskGroup.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_group_new(
    task: *mut loop_task_t,
    ret_group: *mut *mut loop_task_group_t,
) -> c_int {
    guard(|| {
        if ret_group.is_null() {
            return Err(Error::Invalid("ret_group is NULL"));
        }
        let group = TaskGroup::new(Arc::clone(&*unsafe { self::task(task)? }))?;
        unsafe { store(ret_group, Arc::into_raw(group).cast_mut().cast())? };
        Ok(0)
    })
}

/// Takes one more reference; returns `group`. NULL is allowed. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_group_ref(
    group: *mut loop_task_group_t,
) -> *mut loop_task_group_t {
    if !group.is_null() {
        unsafe { Arc::increment_strong_count(group.cast::<TaskGroup>()) };
    }
    group
}

/// Gives a reference back. Tasks of the group go on. NULL is allowed.
/// [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_group_unref(group: *mut loop_task_group_t) {
    if !group.is_null() {
        guard(|| {
            drop(unsafe { Arc::from_raw(group.cast::<TaskGroup>()) });
            Ok(0)
        });
    }
}

/// Starts a task in the group, by the rules of loop_create_task.
/// LOOP_EINVALID_STATE once the group is over or shutting down. [loop thread]
/// asyncio: TaskGroup.create_task().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_group_create_task(
    group: *mut loop_task_group_t,
    step: loop_task_step_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_task: *mut *mut loop_task_t,
) -> c_int {
    guard(|| {
        let (step, user_data) = to_step(step, user_data, destroy)?;
        let group = unsafe { self::group(group)? };
        let task = group.create_task(step, user_data, Options::default())?;
        if !ret_task.is_null() {
            unsafe { ret_task.write(into_raw(task)) };
        }
        Ok(0)
    })
}

/// Cancels every task of the group, and the body, but as no failure: what the
/// body awaits ends with LOOP_ECANCELLED, and loop_task_group_exit, which every
/// body calls anyway, takes that request back; its future ends with 0 unless
/// something failed. No task can be added any more. Again, and when the group is
/// over: nothing. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD.
/// [loop thread] asyncio: TaskGroup.cancel().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_group_cancel(group: *mut loop_task_group_t) -> c_int {
    guard(|| {
        let group = Arc::clone(&*unsafe { self::group(group)? });
        group.cancel().map(|()| 0)
    })
}

/// Leaves the body, with how it ended (0, or a negative code: the tasks are
/// cancelled then). *ret_future is what the task has to await: done when every
/// task of the group is; it fails with the first failure's code and "unhandled
/// errors in a TaskGroup (N sub-exceptions)", and is cancelled if the task was
/// cancelled from outside. LOOP_EINVALID_STATE if it was left before, others as
/// loop_task_group_new. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_group_exit(
    group: *mut loop_task_group_t,
    outcome: c_int,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        if outcome > 0 {
            return Err(Error::Invalid("the outcome must be 0 or negative"));
        }
        let group = Arc::clone(&*unsafe { self::group(group)? });
        unsafe { give(group.exit(outcome)?, ret_future) }
    })
}

/// How many tasks of the group failed so far. The code and the text (a copy, by
/// the rules of snprintf) of the one at `index` go to *ret_code and `buffer`, if
/// they are not NULL and it exists. [loop thread]
/// asyncio: the exceptions of the ExceptionGroup.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_group_errors(
    group: *mut loop_task_group_t,
    index: usize,
    ret_code: *mut c_int,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    guard(|| {
        let errors = unsafe { self::group(group)? }.errors()?;
        if let Some(error) = errors.get(index) {
            if !ret_code.is_null() {
                unsafe { ret_code.write(error.code) };
            }
            if !buffer.is_null() && size > 0 {
                let text = error.message().map_or(&b""[..], |text| text.to_bytes());
                let count = text.len().min(size - 1);
                // SAFETY: `size` bytes are there, `count` + 1 of them are used.
                unsafe {
                    std::ptr::copy_nonoverlapping(text.as_ptr().cast(), buffer, count);
                    buffer.add(count).write(0);
                }
            }
        }
        Ok(errors.len() as c_int)
    })
}

/// What loop_task_fail_data attached to the failure of the task at `index`, by the
/// count of loop_task_group_errors; NULL otherwise. Borrowed: valid as long as the
/// group. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_group_error_data(
    group: *mut loop_task_group_t,
    index: usize,
) -> *mut c_void {
    guard_or(std::ptr::null_mut(), || {
        let errors = unsafe { self::group(group)? }.errors()?;
        Ok(errors.get(index).map_or(std::ptr::null_mut(), GroupError::data))
    })
}

/// The destructor that came with that: see loop_future_get_destroy. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_task_group_error_destroy(
    group: *mut loop_task_group_t,
    index: usize,
) -> loop_destroy_t {
    guard_or(None, || {
        let errors = unsafe { self::group(group)? }.errors()?;
        Ok(errors.get(index).and_then(GroupError::destroy_fn))
    })
}

versioned!(
    "loop_task_group_new",
    "loop_task_group_ref",
    "loop_task_group_unref",
    "loop_task_group_create_task",
    "loop_task_group_cancel",
    "loop_task_group_exit",
    "loop_task_group_errors",
    "loop_task_group_error_data",
    "loop_task_group_error_destroy",
);
