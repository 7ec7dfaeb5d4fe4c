//! A kqueue for a process serves as its descriptor: it is readable once the
//! process has ended, because nobody takes the event out of it.

use super::waitid;
use crate::error::{Error, Result};
use crate::fork_generation;
use crate::memory::try_arc;
use crate::platform::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use crate::platform::process;
use std::io;
use std::sync::Arc;

/// A kqueue that waits for the end of one process.
pub struct ProcessFd {
    queue: Option<OwnedFd>,
    /// The generation it was made in. A child that is forked inherits no kqueue:
    /// there the number is free, or another file's.
    generation: u64,
}

/// The same, shared.
pub type Pidfd = Arc<ProcessFd>;

impl AsRawFd for ProcessFd {
    fn as_raw_fd(&self) -> RawFd {
        self.queue.as_ref().map_or(-1, |queue| queue.as_raw_fd())
    }
}

impl Drop for ProcessFd {
    fn drop(&mut self) {
        if self.generation != fork_generation::current() {
            // Not to be closed.
            let _ = self.queue.take().map(IntoRawFd::into_raw_fd);
        }
    }
}

/// What waitid calls it: only the number.
pub fn wait_id(_: &ProcessFd) -> Option<(libc::idtype_t, libc::id_t)> {
    None
}

/// One for a process; an error if there is none of this number.
pub fn open(pid: i32) -> Result<Option<Pidfd>> {
    // SAFETY: makes a descriptor of our own; macOS cannot mark it at once.
    let queue = unsafe {
        let fd = libc::kqueue();
        if fd < 0 {
            return Err(Error::from(io::Error::last_os_error()));
        }
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        OwnedFd::from_raw_fd(fd)
    };
    match watch_end(&queue, pid) {
        // Some systems do not know a process any more once it has begun to end, even
        // if nobody has taken its status yet; that may be to come, which is waited for.
        Err(Error::Sys(libc::ESRCH)) if waitid::ends_now(pid) => become_readable(&queue)?,
        result => result?,
    }
    let generation = fork_generation::current();
    try_arc(ProcessFd { queue: Some(queue), generation }).map(Some)
}

fn watch_end(queue: &OwnedFd, pid: i32) -> Result<()> {
    // SAFETY: plain data; what is not set below is 0 for every filter.
    let mut change: libc::kevent = unsafe { std::mem::zeroed() };
    change.ident = pid as _;
    change.filter = libc::EVFILT_PROC;
    change.flags = libc::EV_ADD;
    change.fflags = libc::NOTE_EXIT;
    submit(queue, &change)
}

/// By an alarm that has gone off.
fn become_readable(queue: &OwnedFd) -> Result<()> {
    // SAFETY: as above.
    let mut change: libc::kevent = unsafe { std::mem::zeroed() };
    change.ident = 1;
    change.filter = libc::EVFILT_TIMER;
    change.flags = libc::EV_ADD | libc::EV_ONESHOT;
    // A millisecond; some systems refuse nothing at all.
    change.data = 1;
    submit(queue, &change)
}

fn submit(queue: &OwnedFd, change: &libc::kevent) -> Result<()> {
    let nowhere = std::ptr::null_mut();
    // SAFETY: one change, and no room for events, so it does not wait.
    match unsafe { libc::kevent(queue.as_raw_fd(), change, 1, nowhere, 0, std::ptr::null()) } {
        0 => Ok(()),
        _ => Err(Error::from(io::Error::last_os_error())),
    }
}

/// Sends a signal to a child whose status nobody took, so that the number is
/// still its own.
pub fn send_signal(pid: i32, _: Option<&ProcessFd>, signum: i32) -> Result<()> {
    Ok(process::kill(pid, signum)?)
}
