//! Ends a wait at a deadline more precisely than its own timeout can: the kernel
//! lets timeouts run late by the thread's timer slack (50 µs unless the host
//! changed it), but not a timerfd.
//!
//! The descriptor is watched edge-triggered, so nobody reads it: each expiry is
//! an edge, and setting it anew forgets one that nobody saw.

use crate::platform::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A timerfd, set to the deadline that was asked for last.
pub struct Deadline {
    fd: OwnedFd,
    set_to: u64,
}

impl Deadline {
    /// None if the system has no more descriptors, or refuses this kind.
    pub fn new() -> Option<Self> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: creates a descriptor; no memory is involved.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
        // SAFETY: just made, and nobody else's.
        (fd >= 0).then(|| Deadline { fd: unsafe { OwnedFd::from_raw_fd(fd) }, set_to: 0 })
    }

    /// What to watch.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The descriptor will have an event at `when` nanoseconds of
    /// `CLOCK_MONOTONIC`, which must lie ahead. False if that failed.
    pub fn set(&mut self, when: u64) -> bool {
        if self.set_to == when {
            return true;
        }
        let value = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec {
                tv_sec: (when / 1_000_000_000) as _,
                tv_nsec: (when % 1_000_000_000) as libc::c_long,
            },
        };
        // SAFETY: our own descriptor; the old setting is not asked for.
        let result = unsafe {
            libc::timerfd_settime(self.fd(), libc::TFD_TIMER_ABSTIME, &value, std::ptr::null_mut())
        };
        self.set_to = if result == 0 { when } else { 0 };
        result == 0
    }
}
