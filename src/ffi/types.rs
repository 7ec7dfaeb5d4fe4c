//! The types C sees.

use crate::event_loop::{EventLoop, ExceptionContext, SlowCallback};
use std::ffi::{c_int, c_void};

/// An event loop. Opaque and reference-counted: loop_new and its kin give one
/// reference, loop_unref takes it back.
///
/// Threads: a loop belongs to the thread that runs it, or, while it does not
/// run, to one thread at a time. Functions marked [loop thread] return
/// LOOP_EWRONG_THREAD elsewhere; those marked [any thread] may be called from
/// everywhere, those marked [signal-safe] also inside signal handlers.
///
/// Fork: in a forked child every function returns LOOP_EFORKED for a loop of
/// the parent, except where its description says otherwise.
pub struct loop_t(#[allow(dead_code)] EventLoop);

/// A scheduled callback. A plain number, which means something together with its
/// loop only: copy it, forget it, nothing to free. 0 is no handle. A handle kept
/// too long, or given to another loop, is recognised and answered with
/// LOOP_ESTALE (but for one in 268 million).
pub type loop_handle_t = u64;

/// A callback. It runs on the loop's thread. No callback, hook or destructor may
/// leave by longjmp or by ending its thread; a C++ exception that leaves one
/// ends the process with a message.
pub type loop_callback_t = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;

/// Ends the life of user data. Runs exactly once for each call that was given
/// it, on every path: after the callback ran, when it is cancelled or replaced,
/// when the loop is closed, and also when the call itself fails. NULL: nothing
/// to destroy.
pub type loop_destroy_t = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;

/// A hook that is told which loop calls it.
pub type loop_hook_t =
    Option<unsafe extern "C-unwind" fn(r#loop: *mut loop_t, user_data: *mut c_void)>;

/// A clock: nanoseconds that never go back. It is read on the loop's thread and
/// by whoever calls loop_time. Waits end by real time: a clock that jumps needs
/// loop_wakeup.
pub type loop_clock_t = Option<unsafe extern "C-unwind" fn(clock_data: *mut c_void) -> u64>;

/// What loop_create takes. Set `size` to sizeof(loop_options_t) and everything
/// else to zero, then what you want to change.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_options_t {
    /// sizeof(loop_options_t).
    pub size: usize,
    /// LOOP_BACKEND_AUTO, or another LOOP_BACKEND_… that the platform has.
    pub backend: u32,
    /// 0; reserved.
    pub flags: u32,
    /// How late a wait for a timer may end, in nanoseconds, so that timers
    /// share wake-ups. 0: as precise as the system can, except that deadlines
    /// less than 100 µs apart may share one. Never early.
    pub timer_slack_ns: u64,
    /// Where the loop reads the time; NULL is CLOCK_MONOTONIC (Windows: the
    /// performance counter).
    pub clock: loop_clock_t,
    /// Passed to `clock`; must outlive the loop.
    pub clock_data: *mut c_void,
}

/// The platform's best backend.
pub const LOOP_BACKEND_AUTO: u32 = 0;
/// epoll (Linux).
pub const LOOP_BACKEND_EPOLL: u32 = 1;
/// kqueue (BSD, macOS).
pub const LOOP_BACKEND_KQUEUE: u32 = 2;
/// I/O completion ports (Windows).
pub const LOOP_BACKEND_IOCP: u32 = 3;
/// select: known by name, not built.
pub const LOOP_BACKEND_SELECT: u32 = 4;
/// poll (Unix systems with neither epoll nor kqueue).
pub const LOOP_BACKEND_POLL: u32 = 5;
/// io_uring: known by name, not built.
pub const LOOP_BACKEND_IO_URING: u32 = 6;

/// What is known of a failure: asyncio's exception context. The strings and the
/// struct are borrowed for the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_exception_context_t {
    /// sizeof(loop_exception_context_t).
    pub size: usize,
    /// What happened; NULL reads "Unhandled exception in event loop".
    pub message: *const std::ffi::c_char,
    /// The failure's code; 0 if it has none.
    pub code: c_int,
    /// The failure's own text, or NULL.
    pub exception: *const std::ffi::c_char,
    /// The callback that failed, or NULL.
    pub callback: loop_callback_t,
    /// Its user data.
    pub user_data: *mut c_void,
    /// Its handle, or 0.
    pub handle: loop_handle_t,
    /// The descriptor it was called for, or -1.
    pub fd: c_int,
    /// The future it happened in, or NULL: an identity only, it may be ending.
    pub future: *const super::future::loop_future_t,
    /// The transport it happened in, or NULL: an identity only.
    pub transport: *const super::transport::loop_transport_t,
}

/// Handles failures that nobody waits for. Runs on the loop's thread.
pub type loop_exception_handler_t = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut loop_t,
        context: *const loop_exception_context_t,
        user_data: *mut c_void,
    ),
>;

/// What debug mode knows of a callback that took long.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_slow_callback_t {
    /// sizeof(loop_slow_callback_t), as the library knows it.
    pub size: usize,
    /// The callback.
    pub callback: loop_callback_t,
    /// Its user data: an identity only, it may be destroyed by now.
    pub user_data: *mut c_void,
    /// Its handle, or 0.
    pub handle: loop_handle_t,
    /// The descriptor it was called for, or -1.
    pub fd: c_int,
    /// How long it took.
    pub duration_ns: u64,
}

/// Told of slow callbacks in debug mode. Runs on the loop's thread.
pub type loop_slow_callback_hook_t = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut loop_t,
        report: *const loop_slow_callback_t,
        user_data: *mut c_void,
    ),
>;

/// How asyncio's context= is entered and left. Each hook may be NULL. The library
/// never looks at a context: NULL is one like any other, and gets to the hooks.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_context_hooks_t {
    /// sizeof(loop_context_hooks_t).
    pub size: usize,
    /// Yields a reference to the caller's present context, for calls that name
    /// none; runs on the calling thread.
    pub capture: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void) -> *mut c_void>,
    /// Makes a context current, just before its callback runs.
    pub enter: Option<unsafe extern "C-unwind" fn(context: *mut c_void, user_data: *mut c_void)>,
    /// Ends what `enter` began, just after the callback.
    pub exit: Option<unsafe extern "C-unwind" fn(context: *mut c_void, user_data: *mut c_void)>,
    /// Drops one reference to a context.
    pub release: Option<unsafe extern "C-unwind" fn(context: *mut c_void, user_data: *mut c_void)>,
}

// The records are handed over by address, so both sides must agree.
const _: () = assert!(size_of::<loop_exception_context_t>() == size_of::<ExceptionContext>());
const _: () = assert!(size_of::<loop_slow_callback_t>() == size_of::<SlowCallback>());
