//! Readiness of descriptors, level-triggered. Registration goes through
//! `polling` on every platform; how to wait is `wait.rs`'s one difference.
//!
//! The reactor returns keys and knows no callbacks.

mod wait;

use crate::error::Result;
use crate::fd_table::Interest;
use polling::{Event, PollMode, Poller};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// The key under which the wake-up descriptor is watched.
const WAKE_KEY: usize = usize::MAX - 1;

/// A poller with the loop's wake-up descriptor in it.
pub struct Reactor {
    poller: Poller,
    buffer: wait::Buffer,
}

impl Reactor {
    /// A new poller that watches `wake_fd`.
    pub fn new(wake_fd: RawFd) -> Result<Self> {
        let poller = Poller::new()?;
        let mode = if cfg!(target_os = "linux") { PollMode::Edge } else { PollMode::Level };
        // SAFETY: the loop deletes the reactor before it closes its wake-up descriptor.
        unsafe { poller.add_with_mode(wake_fd, Event::readable(WAKE_KEY), mode)? };
        Ok(Reactor { poller, buffer: wait::Buffer::new() })
    }

    /// The descriptor an outer loop may wait on.
    pub fn backend_fd(&self) -> RawFd {
        self.poller.as_raw_fd()
    }

    /// Starts watching a descriptor.
    pub fn add(&self, fd: RawFd, key: usize, interest: Interest) -> Result<()> {
        // SAFETY: polling asks that the descriptor be deleted before it is
        // closed. Hosts may break that; the kernel then forgets it by itself,
        // and what it may still deliver is recognised by the key's epoch.
        Ok(unsafe { self.poller.add_with_mode(fd, event(key, interest), PollMode::Level) }?)
    }

    /// Changes what a descriptor is watched for.
    pub fn modify(&self, fd: RawFd, key: usize, interest: Interest) -> Result<()> {
        // SAFETY: the borrow lasts for this call; a number that means no open
        // file is refused by the kernel.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        Ok(self.poller.modify_with_mode(fd, event(key, interest), PollMode::Level)?)
    }

    /// Stops watching. A descriptor that was closed before is no error.
    pub fn delete(&self, fd: RawFd) {
        // SAFETY: as in `modify`.
        let _ = self.poller.delete(unsafe { BorrowedFd::borrow_raw(fd) });
    }

    /// Waits at most `timeout_ns` (negative: without limit), then calls
    /// `ready(key, readable, writable)` for each event. An error or hang-up
    /// counts as both. Returns early, with no event, when woken or interrupted.
    pub fn wait(&mut self, timeout_ns: i64, mut ready: impl FnMut(usize, Interest)) -> Result<()> {
        wait::wait(&self.poller, &mut self.buffer, timeout_ns, |key, interest| {
            if key != WAKE_KEY {
                ready(key, interest)
            }
        })
    }

    /// Lets go in a forked child without touching what the parent still uses:
    /// dropping the poller would take the parent's own descriptors out of the
    /// shared epoll set. Putting another file in the number's place first makes
    /// those calls miss, and closes every private descriptor all the same.
    pub fn abandon(self, harmless_fd: RawFd) {
        #[cfg(target_os = "linux")]
        // SAFETY: both numbers are ours; a failure leaves the poller as it was.
        let replaced = unsafe { libc::dup3(harmless_fd, self.backend_fd(), libc::O_CLOEXEC) } >= 0;
        // A kqueue is not inherited at all: its number means nothing here.
        #[cfg(not(target_os = "linux"))]
        let replaced = {
            let _ = harmless_fd;
            false
        };
        if !replaced {
            std::mem::forget(self.poller);
        }
    }
}

fn event(key: usize, interest: Interest) -> Event {
    Event::new(key, interest.readable, interest.writable)
}
