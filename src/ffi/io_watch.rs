//! Readers and writers of descriptors.

use super::guard::{callback as make_callback, event_loop, guard};
use super::types::*;
use crate::fd_table::Direction;
use std::ffi::{c_int, c_void};

/// Calls `callback` in every turn in which `fd` is readable, at its end, hung up or broken
/// (level-triggered), until loop_remove_reader. A reader registered before is
/// cancelled and replaced; the other direction is not touched. 0, LOOP_EINVAL
/// (NULL, negative fd), -EBADF (closed), -EBUSY (a transport has it), -EPERM (a plain file), LOOP_ECLOSED,
/// LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE, -ENOMEM. Remove before closing the
/// descriptor. If you cannot: once the number is added again, nothing of its
/// predecessor is delivered any more; until then, events of the old file go on as
/// long as a duplicate keeps that file open. (Windows does not tell of a socket
/// that is closed between its event and the loop's next wait, such as in its own
/// callback: there a reader or writer that you did not remove is its successor's.)
/// What a callback removes or replaces while it runs, itself, is destroyed when it
/// returns.
/// [loop thread] asyncio: loop.add_reader().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_add_reader(
    r#loop: *mut loop_t,
    fd: c_int,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy)?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.in_present_context(cb)?;
        event_loop.refuse_claimed(fd)?;
        event_loop.add_watch(fd, Direction::Read, cb).map(|()| 0)
    })
}

/// loop_add_reader in a context; see loop_call_soon_context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_add_reader_context(
    r#loop: *mut loop_t,
    fd: c_int,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    context: *mut c_void,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy);
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.context(context)?.wrap(cb?)?;
        event_loop.refuse_claimed(fd)?;
        event_loop.add_watch(fd, Direction::Read, cb).map(|()| 0)
    })
}

/// Ends what loop_add_reader began, at once: an event already queued is not
/// delivered. 1 if there was a reader, 0 if not (always on a closed loop),
/// -EBUSY (a transport has it), LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread] asyncio: loop.remove_reader().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_remove_reader(r#loop: *mut loop_t, fd: c_int) -> c_int {
    guard(|| {
        let event_loop = unsafe { event_loop(r#loop)? };
        if !event_loop.is_closed() {
            event_loop.refuse_claimed(fd)?;
        }
        let removed = event_loop.remove_watch(fd, Direction::Read)?;
        Ok(removed.into())
    })
}

/// Calls `callback` in every turn in which `fd` is writable, hung up or broken
/// (level-triggered), until loop_remove_writer. A writer registered before is
/// cancelled and replaced; the other direction is not touched. 0, LOOP_EINVAL
/// (NULL, negative fd), -EBADF (closed), -EBUSY (a transport has it), -EPERM (a plain file), LOOP_ECLOSED,
/// LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE, -ENOMEM. Remove before closing the
/// descriptor. If you cannot: once the number is added again, nothing of its
/// predecessor is delivered any more; until then, events of the old file go on as
/// long as a duplicate keeps that file open. (Windows does not tell of a socket
/// that is closed between its event and the loop's next wait, such as in its own
/// callback: there a reader or writer that you did not remove is its successor's.)
/// What a callback removes or replaces while it runs, itself, is destroyed when it
/// returns.
/// [loop thread] asyncio: loop.add_writer().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_add_writer(
    r#loop: *mut loop_t,
    fd: c_int,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy)?;
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.in_present_context(cb)?;
        event_loop.refuse_claimed(fd)?;
        event_loop.add_watch(fd, Direction::Write, cb).map(|()| 0)
    })
}

/// loop_add_writer in a context; see loop_call_soon_context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_add_writer_context(
    r#loop: *mut loop_t,
    fd: c_int,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    context: *mut c_void,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy);
        let event_loop = unsafe { event_loop(r#loop)? };
        let cb = event_loop.context(context)?.wrap(cb?)?;
        event_loop.refuse_claimed(fd)?;
        event_loop.add_watch(fd, Direction::Write, cb).map(|()| 0)
    })
}

/// Ends what loop_add_writer began, at once: an event already queued is not
/// delivered. 1 if there was a writer, 0 if not (always on a closed loop),
/// -EBUSY (a transport has it), LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread] asyncio: loop.remove_writer().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_remove_writer(r#loop: *mut loop_t, fd: c_int) -> c_int {
    guard(|| {
        let event_loop = unsafe { event_loop(r#loop)? };
        if !event_loop.is_closed() {
            event_loop.refuse_claimed(fd)?;
        }
        let removed = event_loop.remove_watch(fd, Direction::Write)?;
        Ok(removed.into())
    })
}

versioned!(
    "loop_add_reader",
    "loop_add_reader_context",
    "loop_remove_reader",
    "loop_add_writer",
    "loop_add_writer_context",
    "loop_remove_writer",
);
