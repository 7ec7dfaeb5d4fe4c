//! The end of children.

use super::guard::{guard, guard_or, kept, store};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, Kept};
use crate::running;
use crate::services::children::{self, Watcher};
use std::ffi::{c_char, c_int, c_void};

/// Is told that a child has ended, on the loop's thread. `returncode` is its
/// exit status, or the negative number of the signal that ended it, or 255 if
/// nobody can know: somebody else took the status, or it was no child of this
/// process. Windows: the exit code, all its 32 bits, of whatever process.
pub type loop_child_callback_t =
    Option<unsafe extern "C-unwind" fn(pid: c_int, returncode: c_int, user_data: *mut c_void)>;

/// A child watcher of asyncio: the way in which loops hear of the end of
/// children. One of two constants, nothing to free; belongs to no loop.
pub struct loop_child_watcher_t(#[allow(dead_code)] Watcher);

/// A descriptor for each child, and a thread for each where the system has none.
/// On Windows the system's own threads wait, with either watcher.
pub const LOOP_CHILD_WATCHER_PIDFD: c_int = 0;
/// A thread for each child, as long as it lives.
pub const LOOP_CHILD_WATCHER_THREADED: c_int = 1;

static PIDFD: loop_child_watcher_t = loop_child_watcher_t(Watcher::Pidfd);
static THREADED: loop_child_watcher_t = loop_child_watcher_t(Watcher::Threaded);

unsafe fn watcher(pointer: *const loop_child_watcher_t) -> Result<Watcher> {
    unsafe { pointer.as_ref() }.map(|watcher| watcher.0).ok_or(Error::Invalid("watcher is NULL"))
}

fn add(
    event_loop: &EventLoop,
    pid: c_int,
    callback: loop_child_callback_t,
    user_data: UserData,
) -> Result<c_int> {
    let callback = callback.ok_or(Error::Invalid("callback is NULL"))?;
    children::watch(event_loop, pid, move |pid, code| {
        // SAFETY: the host's function with the host's data, which ends after it.
        unsafe { callback(pid, code, user_data.get()) }
    })
    .map(|()| 0)
}

/// Calls `callback` once, in the loop, when the process `pid` has ended, and
/// takes its exit status from the system. Nothing else may wait for that child,
/// or the status gets lost (see loop_child_callback_t). SIGCHLD is not touched.
/// What this loop watched under this number before is replaced. A process that
/// is no child of this one can be watched, too: 255.
///
/// 0; LOOP_EINVAL (NULL, a number that is not positive), -ESRCH if there is no
/// such process, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE,
/// -ENOMEM, -EAGAIN. Where the system has no descriptors of processes (Linux
/// before 5.3), a thread waits for each child, and a process that is no child
/// counts as ended at once. Windows: any process that may be opened, else -EACCES;
/// others may wait for it as well. Closing the loop ends the watch; so does
/// loop_reinit_after_fork in a forked child, which leaves the parent's alone.
/// [loop thread] asyncio: AbstractChildWatcher.add_child_handler().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_watch_child(
    r#loop: *mut loop_t,
    pid: c_int,
    callback: loop_child_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        add(&*unsafe { kept(r#loop)? }, pid, callback, user_data)
    })
}

/// Ends what loop_watch_child began: 1 if there was a watch, 0 if not (always on
/// a closed loop). The child's status is left to the caller. LOOP_EFORKED,
/// LOOP_EWRONG_THREAD. [loop thread] asyncio: remove_child_handler().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_unwatch_child(r#loop: *mut loop_t, pid: c_int) -> c_int {
    guard(|| children::unwatch(&*unsafe { kept(r#loop)? }, pid).map(c_int::from))
}

/// The child watcher of this kind, LOOP_CHILD_WATCHER_PIDFD or _THREADED; NULL
/// for another. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn loop_child_watcher_get(kind: c_int) -> *const loop_child_watcher_t {
    guard_or(std::ptr::null(), || match kind {
        LOOP_CHILD_WATCHER_PIDFD => Ok(&raw const PIDFD),
        LOOP_CHILD_WATCHER_THREADED => Ok(&raw const THREADED),
        _ => Err(Error::Invalid("unknown kind of child watcher")),
    })
}

/// "PidfdChildWatcher" or "ThreadedChildWatcher"; NULL for NULL. Static.
/// [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_child_watcher_name(
    watcher: *const loop_child_watcher_t,
) -> *const c_char {
    guard_or(std::ptr::null(), || {
        Ok(match unsafe { self::watcher(watcher)? } {
            Watcher::Pidfd => c"PidfdChildWatcher",
            Watcher::Threaded => c"ThreadedChildWatcher",
        }
        .as_ptr())
    })
}

/// Does nothing but check its arguments: no loop has to be attached. `loop` may
/// be NULL. 0, LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED. [any thread]
/// asyncio: watcher.attach_loop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_child_watcher_attach_loop(
    watcher: *const loop_child_watcher_t,
    r#loop: *mut loop_t,
) -> c_int {
    guard(|| {
        unsafe { self::watcher(watcher)? };
        if !r#loop.is_null() {
            unsafe { kept(r#loop)? }.check_open()?;
        }
        Ok(0)
    })
}

/// 1: a watcher always works. LOOP_EINVAL for NULL. [any thread]
/// asyncio: watcher.is_active().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_child_watcher_is_active(
    watcher: *const loop_child_watcher_t,
) -> c_int {
    guard(|| unsafe { self::watcher(watcher) }.map(|_| 1))
}

/// loop_watch_child for the loop that runs in this thread, by the process's
/// watcher, whichever is given. LOOP_ENO_RUNNING; others as there.
/// asyncio: watcher.add_child_handler().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_child_watcher_add_child_handler(
    watcher: *const loop_child_watcher_t,
    pid: c_int,
    callback: loop_child_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        unsafe { self::watcher(watcher)? };
        add(&*running_loop()?, pid, callback, user_data)
    })
}

/// loop_unwatch_child for the loop that runs in this thread. LOOP_ENO_RUNNING;
/// others as there. asyncio: watcher.remove_child_handler().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_child_watcher_remove_child_handler(
    watcher: *const loop_child_watcher_t,
    pid: c_int,
) -> c_int {
    guard(|| {
        unsafe { self::watcher(watcher)? };
        children::unwatch(&*running_loop()?, pid).map(c_int::from)
    })
}

fn running_loop() -> Result<Kept> {
    let running = running::get().cast::<EventLoop>();
    if running.is_null() {
        return Err(Error::NoRunning);
    }
    // SAFETY: a loop that runs is alive.
    Ok(unsafe { Kept::new(running) })
}

/// The process's child watcher in *ret_watcher. LOOP_EINVAL. [any thread]
/// asyncio: get_child_watcher().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_get_child_watcher(
    ret_watcher: *mut *const loop_child_watcher_t,
) -> c_int {
    guard(|| {
        let present = match children::watcher() {
            Watcher::Pidfd => &raw const PIDFD,
            Watcher::Threaded => &raw const THREADED,
        };
        unsafe { store(ret_watcher, present)? };
        Ok(0)
    })
}

/// Makes `watcher` the process's, for what is watched from now on; NULL: the
/// default, LOOP_CHILD_WATCHER_PIDFD. [any thread] asyncio: set_child_watcher().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_set_child_watcher(watcher: *const loop_child_watcher_t) -> c_int {
    guard(|| {
        children::set_watcher(match watcher.is_null() {
            true => Watcher::Pidfd,
            false => unsafe { self::watcher(watcher)? },
        });
        Ok(0)
    })
}

versioned!(
    "loop_watch_child",
    "loop_unwatch_child",
    "loop_child_watcher_get",
    "loop_child_watcher_name",
    "loop_child_watcher_attach_loop",
    "loop_child_watcher_is_active",
    "loop_child_watcher_add_child_handler",
    "loop_child_watcher_remove_child_handler",
    "policy_get_child_watcher",
    "policy_set_child_watcher",
);
