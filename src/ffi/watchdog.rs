//! A watchdog for loops that hang in a callback.

use super::guard::{guard, kept};
use super::types::*;
use crate::callback::UserData;
use crate::services::watchdog::{self, Report};
use std::ffi::{c_int, c_void};

/// What a watchdog knows of a callback that takes long.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_watchdog_report_t {
    /// sizeof(loop_watchdog_report_t), as the library knows it.
    pub size: usize,
    /// The callback.
    pub callback: loop_callback_t,
    /// Its user data: an identity only; it may be in use, or destroyed by now.
    pub user_data: *mut c_void,
    /// Its handle, or 0.
    pub handle: loop_handle_t,
    /// The descriptor it was called for, or -1.
    pub fd: c_int,
    /// How many reports of this very call came before.
    pub earlier: u32,
    /// How long it has run by now, in nanoseconds.
    pub duration_ns: u64,
}

/// Told of a callback that holds its loop up. Runs on the watchdog's thread,
/// while the callback runs on the loop's.
pub type loop_watchdog_callback_t = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut loop_t,
        report: *const loop_watchdog_report_t,
        user_data: *mut c_void,
    ),
>;

// The record is handed over by address, so both sides must agree.
const _: () = assert!(size_of::<loop_watchdog_report_t>() == size_of::<Report>());

/// Starts a thread that calls `callback` when one callback of the loop has run
/// for `threshold_ns` nanoseconds, and again each time that its duration has
/// doubled; NULL: a line on stderr, "Executing <callback ...> is taking longer
/// than 0.100 seconds". A loop that waits is never reported. A watchdog from
/// before is replaced. It begins with the loop's next turn, wakes once in each
/// `threshold_ns`, and costs two readings of the clock and two locks for each
/// callback.
///
/// The thread ends with loop_watchdog_stop and loop_close; both wait for a
/// report that is under way, so a report must not wait for the loop's thread.
/// `destroy` runs once, on the thread that ends it. In a forked child there is
/// no watchdog. LOOP_EINVAL (NULL, 0), LOOP_ECLOSED, LOOP_EFORKED,
/// LOOP_EWRONG_THREAD, -EAGAIN (no more threads), -ENOMEM. [loop thread]
/// asyncio: the slow callbacks of debug mode, while they run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_watchdog_start(
    r#loop: *mut loop_t,
    threshold_ns: u64,
    callback: loop_watchdog_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        // Destructors may give the last reference back.
        let event_loop = unsafe { kept(r#loop)? };
        // SAFETY: the types differ in the pointees' names only.
        let callback = callback.map(|callback| unsafe { std::mem::transmute(callback) });
        watchdog::start(&event_loop, threshold_ns, callback, user_data).map(|()| 0)
    })
}

/// Ends the watchdog: 1 if there was one, 0 if not (always on a closed loop).
/// After it no report comes. Inside a report it returns at once: that report is
/// the last one, and the loop destroys the data when it gets to it. LOOP_EINVAL,
/// LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread], and inside reports.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_watchdog_stop(r#loop: *mut loop_t) -> c_int {
    guard(|| {
        let event_loop = unsafe { kept(r#loop)? };
        watchdog::stop(&event_loop).map(c_int::from)
    })
}

versioned!("loop_watchdog_start", "loop_watchdog_stop");
