//! Signals as callbacks of a loop.

use super::guard::{callback as make_callback, guard, kept};
use super::types::*;
use crate::services::signals;
use std::ffi::{c_int, c_void};

/// Calls `callback` in the loop after the signal arrived: once for all arrivals
/// that the loop has not looked at yet. A handler that this loop had for the
/// signal is replaced. Any loop in any thread may have one, several loops for
/// the same signal, too: each is told. What the process did on the signal before
/// comes back when the last loop removes its handler or is closed, unless
/// somebody has set something else meanwhile. System calls that a signal
/// interrupts are restarted. For signals of a fault (SIGSEGV, ...) this is no
/// use: the fault would come again before the loop gets to run.
///
/// 0; LOOP_EINVAL "invalid signal number N" or "sig N cannot be caught" (SIGKILL,
/// SIGSTOP); LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE, -ENOMEM.
/// Fork: in a forked child these signals do nothing until the child sets their
/// dispositions anew, and never reach the parent's loop; loop_reinit_after_fork
/// drops the handlers. Programs started by exec get default dispositions.
/// Windows: SIGINT is Ctrl-C and SIGBREAK (21) Ctrl-Break, of the process's
/// console; LOOP_ENOTSUP for other signals. raise() does not get here, and what
/// was set by signal() or SetConsoleCtrlHandler is not called meanwhile.
/// [loop thread] asyncio: loop.add_signal_handler().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_add_signal_handler(
    r#loop: *mut loop_t,
    signum: c_int,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy)?;
        signals::add(&*unsafe { kept(r#loop)? }, signum, cb).map(|()| 0)
    })
}

/// loop_add_signal_handler in a context; see loop_call_soon_context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_add_signal_handler_context(
    r#loop: *mut loop_t,
    signum: c_int,
    callback: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    context: *mut c_void,
) -> c_int {
    guard(|| {
        let cb = make_callback(callback, user_data, destroy);
        let event_loop = unsafe { kept(r#loop)? };
        let cb = event_loop.context(context)?.wrap(cb?)?;
        signals::add_in_its_context(&event_loop, signum, cb).map(|()| 0)
    })
}

/// Ends what loop_add_signal_handler began, at once: a signal that the loop has
/// not looked at yet is forgotten. 1 if there was a handler, 0 if not (always on
/// a closed loop), LOOP_EINVAL "invalid signal number N", LOOP_EFORKED,
/// LOOP_EWRONG_THREAD. [loop thread] asyncio: loop.remove_signal_handler().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_remove_signal_handler(r#loop: *mut loop_t, signum: c_int) -> c_int {
    guard(|| signals::remove(&*unsafe { kept(r#loop)? }, signum).map(c_int::from))
}

versioned!(
    "loop_add_signal_handler",
    "loop_add_signal_handler_context",
    "loop_remove_signal_handler",
);
