//! The reactor on epoll.

use super::keys::{DEADLINE_KEY, FIRST_OWN_KEY, WAKE_KEY, event};
use super::{deadline, wait};
use crate::error::Result;
use crate::fd_table::Interest;
use crate::platform::fd::{AsRawFd, BorrowedFd, RawFd};
use polling::{Event, PollMode, Poller};

/// A poller with the loop's wake-up descriptor in it.
pub struct Reactor {
    poller: Poller,
    wake_fd: RawFd,
    /// Made for the first precise wait.
    deadline: Option<deadline::Deadline>,
}

impl Reactor {
    /// Can it tell of a descriptor that is not watched any more?
    pub const HAS_STRAYS: bool = true;

    /// A new poller that watches the first of these; both are the loop's own.
    pub fn new([wake_fd, _]: [RawFd; 2]) -> Result<Self> {
        let poller = Poller::new()?;
        // SAFETY: the loop deletes the reactor before it closes its wake-up descriptor.
        unsafe { poller.add_with_mode(wake_fd, Event::readable(WAKE_KEY), PollMode::Edge)? };
        Ok(Reactor { poller, wake_fd, deadline: None })
    }

    /// The descriptor an outer loop may wait on.
    pub fn backend_fd(&self) -> Result<RawFd> {
        Ok(self.poller.as_raw_fd())
    }

    /// Is it one of the loop's descriptors?
    pub fn owns(&self, fd: RawFd) -> bool {
        let is_deadline = self.deadline.as_ref().is_some_and(|deadline| deadline.fd() == fd);
        fd == self.wake_fd || fd == self.poller.as_raw_fd() || is_deadline
    }

    /// Starts watching a descriptor.
    pub fn add(&mut self, fd: RawFd, key: usize, interest: Interest) -> Result<()> {
        // SAFETY: polling asks that the descriptor be deleted before it is
        // closed. Hosts may break that; the kernel then forgets it by itself,
        // and what it may still deliver is recognised by the key's epoch.
        Ok(unsafe { self.poller.add_with_mode(fd, event(key, interest), PollMode::Level) }?)
    }

    /// Changes what a descriptor is watched for.
    pub fn modify(&mut self, fd: RawFd, key: usize, interest: Interest) -> Result<()> {
        // SAFETY: the borrow lasts for this call; a number that means no open
        // file is refused by the kernel.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        Ok(self.poller.modify_with_mode(fd, event(key, interest), PollMode::Level)?)
    }

    /// Stops watching. A descriptor that was closed before is no error.
    pub fn delete(&mut self, fd: RawFd) {
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
        wait::wait(&self.poller, timeout_ns, |key, interest| {
            if key < FIRST_OWN_KEY {
                ready(key, interest)
            }
        })
    }

    /// Will the next wait, ours or that of an outer loop, be woken at this time?
    /// If not, its timeout must do.
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

    /// Lets go in a forked child without touching what the parent still uses:
    /// dropping the poller would take the parent's own descriptors out of the
    /// shared epoll set. Putting another file in the number's place first makes
    /// those calls miss, and closes every private descriptor all the same.
    pub fn abandon(self, harmless_fd: RawFd, _is_whole: bool) {
        let number = self.poller.as_raw_fd();
        // SAFETY: both numbers are ours; a failure leaves the poller as it was.
        if unsafe { libc::dup3(harmless_fd, number, libc::O_CLOEXEC) } < 0 {
            std::mem::forget(self.poller);
        }
    }
}
