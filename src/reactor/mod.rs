//! Readiness of descriptors, level-triggered. Registration goes through
//! `polling` on every platform; how to wait is `wait.rs`'s one difference.
//!
//! The reactor returns keys and knows no callbacks.

#[cfg(target_os = "linux")]
mod deadline;
mod wait;

use crate::error::Result;
use crate::fd_table::Interest;
use crate::platform::fd::{AsRawFd, BorrowedFd, RawFd};
use polling::{Event, PollMode, Poller};

/// The key under which the wake-up descriptor is watched.
const WAKE_KEY: usize = usize::MAX - 1;

/// The key of the descriptor that ends precise waits.
#[cfg(target_os = "linux")]
const DEADLINE_KEY: usize = usize::MAX - 2;
/// No watch has a key from here on.
const FIRST_OWN_KEY: usize = usize::MAX - 2;

/// A poller with the loop's wake-up descriptor in it.
pub struct Reactor {
    poller: Poller,
    wake_fd: RawFd,
    buffer: wait::Buffer,
    /// Made for the first precise wait.
    #[cfg(target_os = "linux")]
    deadline: Option<deadline::Deadline>,
}

impl Reactor {
    /// A new poller that watches `wake_fd`.
    pub fn new(wake_fd: RawFd) -> Result<Self> {
        let poller = Poller::new()?;
        let mode = if cfg!(target_os = "linux") { PollMode::Edge } else { PollMode::Level };
        // SAFETY: the loop deletes the reactor before it closes its wake-up descriptor.
        unsafe { poller.add_with_mode(wake_fd, Event::readable(WAKE_KEY), mode)? };
        Ok(Reactor {
            poller,
            wake_fd,
            buffer: wait::Buffer::new(),
            #[cfg(target_os = "linux")]
            deadline: None,
        })
    }

    /// The descriptor an outer loop may wait on.
    pub fn backend_fd(&self) -> RawFd {
        self.poller.as_raw_fd()
    }

    /// Is it one of the loop's descriptors?
    pub fn owns(&self, fd: RawFd) -> bool {
        #[cfg(target_os = "linux")]
        let is_deadline = self.deadline.as_ref().is_some_and(|deadline| deadline.fd() == fd);
        #[cfg(not(target_os = "linux"))]
        let is_deadline = false;
        fd == self.wake_fd || fd == self.backend_fd() || is_deadline
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
    /// `ready(key, interest)` for each event. An error or hang-up counts as both
    /// directions. Returns early, with no event, when woken or interrupted.
    /// `until` is the same limit as a time of `CLOCK_MONOTONIC`, given if the
    /// wait shall end as precisely as the system can.
    pub fn wait(
        &mut self,
        mut timeout_ns: i64,
        until: Option<u64>,
        mut ready: impl FnMut(usize, Interest),
    ) -> Result<()> {
        if until.is_some_and(|until| self.set_deadline(until)) {
            timeout_ns = -1;
        }
        wait::wait(&self.poller, &mut self.buffer, timeout_ns, |key, interest| {
            if key < FIRST_OWN_KEY {
                ready(key, interest)
            }
        })
    }

    /// Will the next wait, ours or that of an outer loop, be woken at this time?
    /// If not, its timeout must do.
    #[cfg(target_os = "linux")]
    pub fn set_deadline(&mut self, until: u64) -> bool {
        if self.deadline.is_none() {
            self.deadline = deadline::Deadline::new().filter(|deadline| {
                let event = Event::readable(DEADLINE_KEY);
                // SAFETY: it is closed only together with the poller.
                unsafe { self.poller.add_with_mode(deadline.fd(), event, PollMode::Edge) }.is_ok()
            });
        }
        self.deadline.as_mut().is_some_and(|deadline| deadline.set(until))
    }

    /// Never on this platform.
    #[cfg(not(target_os = "linux"))]
    pub fn set_deadline(&mut self, _until: u64) -> bool {
        false
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
