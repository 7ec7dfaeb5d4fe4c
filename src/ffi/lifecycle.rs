//! A loop's life: made, run, stopped, closed.

use super::guard::{event_loop, guard, guard_or, kept, sized, store};
use super::types::*;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event_loop::{Backend, EventLoop, LoopRef, Options};
use crate::text::Text;
use std::ffi::{c_char, c_int};

fn to_options(given: *const loop_options_t) -> Result<Options> {
    if given.is_null() {
        return Ok(Options::default());
    }
    let wrong = wrong_size!("loop_options_t");
    // SAFETY: the caller passes a struct whose first field is its size.
    let options = unsafe { sized(given, wrong)? };
    if options.flags != 0 {
        return Err(Error::Invalid("loop_options_t.flags must be 0"));
    }
    Ok(Options {
        backend: match options.backend {
            LOOP_BACKEND_AUTO => Backend::Auto,
            LOOP_BACKEND_EPOLL => Backend::Epoll,
            LOOP_BACKEND_KQUEUE => Backend::Kqueue,
            LOOP_BACKEND_IOCP => Backend::Iocp,
            LOOP_BACKEND_POLL => Backend::Poll,
            _ => return Err(Error::Invalid("this backend is not available")),
        },
        timer_slack_ns: options.timer_slack_ns,
        clock: match options.clock {
            Some(clock) => Clock::Custom(clock, options.clock_data),
            None => Clock::Monotonic,
        },
    })
}

/// A new loop with default options, and one reference to it; NULL on failure
/// (see loop_last_error). Opens no descriptor until the loop has to wait.
/// Any thread. asyncio: new_event_loop().
#[unsafe(no_mangle)]
pub extern "C" fn loop_new() -> *mut loop_t {
    guard_or(std::ptr::null_mut(), || {
        let event_loop = LoopRef::new(EventLoop::new(Options::default())?)?;
        Ok(event_loop.into_raw().cast::<loop_t>().cast_mut())
    })
}

/// A new loop with options (NULL: the defaults) in *ret_loop, with one
/// reference. 0, or LOOP_EINVAL for a wrong size, unknown fields or flags, or a
/// backend that the platform lacks. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_create(
    options: *const loop_options_t,
    ret_loop: *mut *mut loop_t,
) -> c_int {
    guard(|| {
        if ret_loop.is_null() {
            return Err(Error::Invalid("ret_loop is NULL"));
        }
        let event_loop = LoopRef::new(EventLoop::new(to_options(options)?)?)?;
        unsafe { store(ret_loop, event_loop.into_raw().cast::<loop_t>().cast_mut())? };
        Ok(0)
    })
}

/// Takes one more reference; returns `loop`. NULL is allowed. Any thread, also
/// after close and after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_ref(r#loop: *mut loop_t) -> *mut loop_t {
    if !r#loop.is_null() {
        unsafe { LoopRef::another(r#loop.cast()) }.into_raw();
    }
    r#loop
}

/// Gives one reference back. The last one closes the loop, if nobody did, and
/// frees it. NULL is allowed. Any thread, also after close and after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_unref(r#loop: *mut loop_t) {
    if !r#loop.is_null() {
        guard(|| {
            drop(unsafe { LoopRef::from_raw(r#loop.cast()) });
            Ok(0)
        });
    }
}

/// Closes the loop: queued callbacks are dropped without running, their user
/// data is destroyed, descriptors are closed. Jobs that run on the default
/// executor are not waited for: loop_shutdown_default_executor before does that.
/// Closing again is no error; the
/// reference stays to be given back. LOOP_ERUNNING while the loop runs,
/// LOOP_EWRONG_THREAD while another thread is inside. [loop thread]
/// In a forked child it closes the child's copies and leaves the parent's loop
/// working. asyncio: loop.close().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_close(r#loop: *mut loop_t) -> c_int {
    guard(|| unsafe { kept(r#loop)? }.close().map(|()| 0))
}

/// Runs the loop in this thread until it is stopped: 0. A positive code of
/// loop_interrupt is returned as it is. LOOP_ECLOSED, LOOP_ERUNNING,
/// LOOP_EOTHER_RUNNING (checked in this order), LOOP_EWRONG_THREAD, LOOP_EFORKED
/// (also in a child that returns from a callback in which it was forked), or the
/// negative errno of a wait that failed. asyncio: loop.run_forever().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_run_forever(r#loop: *mut loop_t) -> c_int {
    guard(|| unsafe { kept(r#loop)? }.run_forever())
}

/// Ends the run after the present turn; before a run, that run makes exactly
/// one turn. From another thread only the flag is set, and a sleeping loop does
/// not see it: use loop_stop_threadsafe. A closed loop is no error.
/// asyncio: loop.stop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_stop(r#loop: *mut loop_t) -> c_int {
    guard(|| unsafe { event_loop(r#loop)? }.stop().map(|()| 0))
}

/// Ends the run once everything posted before has run, and wakes the loop.
/// LOOP_ECLOSED, -ENOMEM. [any thread]
/// asyncio: loop.call_soon_threadsafe(loop.stop).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_stop_threadsafe(r#loop: *mut loop_t) -> c_int {
    guard(|| unsafe { event_loop(r#loop)? }.stop_threadsafe().map(|()| 0))
}

/// Inside a callback: leaves the run right after this callback; in a hook of a
/// wait: before anything else runs. What is queued stays queued for the next
/// run. The run returns `code`, which must be positive. LOOP_ENO_RUNNING when the loop does not run. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_interrupt(r#loop: *mut loop_t, code: c_int) -> c_int {
    guard(|| unsafe { event_loop(r#loop)? }.interrupt(code).map(|()| 0))
}

/// 1 while the loop runs, in whatever thread; else 0. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_is_running(r#loop: *const loop_t) -> c_int {
    guard(|| Ok(unsafe { event_loop(r#loop)? }.is_running().into()))
}

/// 1 when the loop is closed, else 0. [any thread], also after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_is_closed(r#loop: *const loop_t) -> c_int {
    guard(|| Ok(unsafe { event_loop(r#loop)? }.is_closed().into()))
}

/// The loop's clock now, in nanoseconds since an arbitrary start; 0 for NULL.
/// [any thread], also after close and after fork. asyncio: loop.time().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_time(r#loop: *const loop_t) -> u64 {
    guard_or(0, || Ok(unsafe { event_loop(r#loop)? }.time()))
}

/// The clock as the loop read it last in this turn: cheaper than loop_time, and
/// older by what callbacks took since. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_time_cached(r#loop: *mut loop_t) -> u64 {
    guard_or(0, || Ok(unsafe { event_loop(r#loop)? }.time_cached()))
}

/// Debug mode: refuses scheduling from wrong threads and reports slow
/// callbacks. [any thread], also after close. asyncio: loop.set_debug().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_set_debug(r#loop: *mut loop_t, enabled: c_int) -> c_int {
    guard(|| unsafe { event_loop(r#loop)? }.set_debug(enabled != 0).map(|()| 0))
}

/// 1 in debug mode, else 0. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_get_debug(r#loop: *const loop_t) -> c_int {
    guard(|| Ok(unsafe { event_loop(r#loop)? }.debug().into()))
}

/// How the loop watches descriptors: "epoll", "kqueue", "poll" or
/// "iocp"; NULL for NULL. Static. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_backend_name(r#loop: *const loop_t) -> *const c_char {
    guard_or(std::ptr::null(), || {
        unsafe { event_loop(r#loop)? };
        Ok(match Backend::Auto.name() {
            "epoll" => c"epoll",
            "kqueue" => c"kqueue",
            "poll" => c"poll",
            _ => c"iocp",
        }
        .as_ptr())
    })
}

/// Writes "<coloop.EventLoop running=False closed=False debug=False>" by
/// snprintf's rules: at most `size` bytes with the final NUL; returns the length
/// of the whole text. `buffer` may be NULL when `size` is 0. [any thread], also
/// after close and after fork. asyncio: repr(loop).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_describe(
    r#loop: *const loop_t,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    guard(|| {
        let text = Text::<128>::of(unsafe { event_loop(r#loop)? });
        let text = text.as_bytes();
        if size != 0 {
            if buffer.is_null() {
                return Err(Error::Invalid("buffer is NULL"));
            }
            let length = text.len().min(size - 1);
            unsafe {
                buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), length);
                buffer.add(length).write(0);
            }
        }
        Ok(text.len() as c_int)
    })
}

/// In a forked child: makes an inherited loop this process's own. Timers stay;
/// `flags` keep more: LOOP_REINIT_KEEP_IO the readers and writers whose
/// descriptors are open, LOOP_REINIT_KEEP_READY what was ready to run. All else
/// is dropped and destroyed. Nothing shared with the parent is touched.
/// LOOP_EINVAL if the loop was not inherited, for unknown flags, or if another
/// thread was inside the loop at the fork; LOOP_ECLOSED; -errno.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_reinit_after_fork(r#loop: *mut loop_t, flags: u32) -> c_int {
    guard(|| unsafe { event_loop(r#loop)? }.reinit_after_fork(flags).map(|()| 0))
}

/// Flag of loop_reinit_after_fork.
pub const LOOP_REINIT_KEEP_IO: u32 = 1;
/// Flag of loop_reinit_after_fork.
pub const LOOP_REINIT_KEEP_READY: u32 = 2;

versioned!(
    "loop_new",
    "loop_create",
    "loop_ref",
    "loop_unref",
    "loop_close",
    "loop_run_forever",
    "loop_stop",
    "loop_stop_threadsafe",
    "loop_interrupt",
    "loop_is_running",
    "loop_is_closed",
    "loop_time",
    "loop_time_cached",
    "loop_set_debug",
    "loop_get_debug",
    "loop_backend_name",
    "loop_describe",
    "loop_reinit_after_fork",
);
