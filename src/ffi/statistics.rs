//! What a loop counts of itself.

use super::guard::{event_loop, guard};
use super::types::*;
use crate::error::{Error, Result};
use crate::event_loop::{Statistics, StatisticsLevel};
use std::ffi::{c_int, c_void};

/// What a loop has counted since it was made, or since loop_reinit_after_fork;
/// and, in the fields that end with _now, what waits in it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_stats_t {
    /// sizeof(loop_stats_t), set by the caller.
    pub size: usize,
    /// Turns begun.
    pub turns: u64,
    /// Waits that could block.
    pub waits: u64,
    /// Callbacks taken from the queue to run, cancelled ones included.
    pub callbacks: u64,
    /// Readers and writers found ready.
    pub io_events: u64,
    /// Timers that came due.
    pub timers: u64,
    /// Callbacks taken over from other threads.
    pub posts: u64,
    /// From LOOP_STATS_TIMES on: nanoseconds the loop has run, less those it has
    /// waited.
    pub busy_ns: u64,
    /// From LOOP_STATS_TIMES on: nanoseconds it has waited for something to do.
    pub wait_ns: u64,
    /// Callbacks that are ready.
    pub ready_now: u64,
    /// Timers that wait.
    pub timers_now: u64,
    /// Callbacks from other threads that the loop has not taken over yet.
    pub posts_now: u64,
    /// Descriptors with a reader or writer.
    pub fds_now: u64,
    /// With LOOP_STATS_CALLBACKS: how long the longest callback took, with its
    /// destructor, in nanoseconds; 0 if none is known.
    pub longest_ns: u64,
    /// Which one it was; NULL if none is known.
    pub longest_callback: loop_callback_t,
    /// Its user data: an identity only, it may be destroyed by now.
    pub longest_user_data: *mut c_void,
    /// Its handle, or 0.
    pub longest_handle: loop_handle_t,
    /// The descriptor it was called for, or -1.
    pub longest_fd: c_int,
}

/// The least level of loop_set_stats_level, at first: what can be counted for
/// nothing.
pub const LOOP_STATS_COUNTS: u32 = 0;
/// Also busy_ns and wait_ns: two readings of the clock for each wait and each
/// run.
pub const LOOP_STATS_TIMES: u32 = 1;
/// Also the longest callback: two readings for each callback.
pub const LOOP_STATS_CALLBACKS: u32 = 2;

fn to_c(statistics: Statistics, size: usize) -> loop_stats_t {
    let longest = statistics.longest;
    let (callback, user_data, handle, fd) = match longest.map(|longest| longest.identity) {
        Some((callback, user_data, handle, fd)) => (Some(callback), user_data, handle, fd),
        None => (None, std::ptr::null_mut(), 0, -1),
    };
    loop_stats_t {
        size,
        turns: statistics.turns,
        waits: statistics.waits,
        callbacks: statistics.callbacks,
        io_events: statistics.io_events,
        timers: statistics.timers,
        posts: statistics.posts,
        busy_ns: statistics.busy_ns,
        wait_ns: statistics.wait_ns,
        ready_now: statistics.ready_now,
        timers_now: statistics.timers_now,
        posts_now: statistics.posts_now,
        fds_now: statistics.fds_now,
        longest_ns: longest.map_or(0, |longest| longest.duration_ns),
        longest_callback: callback,
        longest_user_data: user_data,
        longest_handle: handle,
        longest_fd: fd,
    }
}

/// Writes what the loop has counted to *ret_stats, whose `size` says how much
/// of it there is; what this version does not know is set to 0. Inside the
/// loop's own callbacks the numbers are exact. Elsewhere they are those of the
/// loop's last poll, at most 64 turns ago, or of the end of its last run (with
/// LOOP_STATS_CALLBACKS, a watchdog or debug mode, of the callback that runs);
/// times and posts_now are always those of this moment. Numbers that belong together
/// may be a moment apart. The loop is never stopped for it; only posts_now is
/// read under the lock of those who post. LOOP_EINVAL (NULL, wrong size).
/// [any thread], also after close (nothing waits in it then) and after fork (as
/// of the fork, posts_now 0).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_get_stats(
    r#loop: *const loop_t,
    ret_stats: *mut loop_stats_t,
) -> c_int {
    guard(|| {
        let event_loop = unsafe { event_loop(r#loop)? };
        if ret_stats.is_null() {
            return Err(Error::Invalid("ret_stats is NULL"));
        }
        let known = size_of::<loop_stats_t>();
        // SAFETY: the caller passes a struct whose first field is its size.
        let size = unsafe { ret_stats.cast::<usize>().read() };
        if size < size_of::<usize>() || size > 4096 {
            return Err(Error::Invalid("loop_stats_t.size is wrong"));
        }
        let stats = to_c(event_loop.statistics(), size);
        // SAFETY: as above; only so much is written as both sides know.
        unsafe {
            let place = ret_stats.cast::<u8>();
            place.write_bytes(0, size);
            place.copy_from_nonoverlapping((&raw const stats).cast(), size.min(known));
        }
        Ok(0)
    })
}

fn level(level: u32) -> Result<StatisticsLevel> {
    Ok(match level {
        LOOP_STATS_COUNTS => StatisticsLevel::Counts,
        LOOP_STATS_TIMES => StatisticsLevel::Times,
        LOOP_STATS_CALLBACKS => StatisticsLevel::Callbacks,
        _ => return Err(Error::Invalid("unknown level of statistics")),
    })
}

/// Sets how much is measured from now on (a LOOP_STATS_ level; each contains
/// those before) and forgets the longest callback. What was added up stays. In
/// the middle of a run times begin with the next wait, callbacks with the next
/// turn. LOOP_EINVAL (NULL, unknown), LOOP_ECLOSED, LOOP_EFORKED. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_set_stats_level(r#loop: *mut loop_t, level: u32) -> c_int {
    guard(|| {
        let event_loop = unsafe { event_loop(r#loop)? };
        event_loop.set_statistics_level(self::level(level)?).map(|()| 0)
    })
}

versioned!("loop_get_stats", "loop_set_stats_level");
