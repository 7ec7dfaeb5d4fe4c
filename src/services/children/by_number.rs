//! Where processes have no descriptors, a thread waits for each.

use crate::error::{Error, Result};
use crate::platform::fd::{AsRawFd, OwnedFd, RawFd};
use std::io;
use std::sync::Arc;

/// There is none.
pub struct ProcessFd(OwnedFd);
/// The same, shared.
pub type Pidfd = Arc<ProcessFd>;

impl AsRawFd for ProcessFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// What waitid calls it: only the number.
pub fn wait_id(_: &ProcessFd) -> Option<(libc::idtype_t, libc::id_t)> {
    None
}

/// None; an error if there is no such process.
pub fn open(pid: i32) -> Result<Option<Pidfd>> {
    match signal(pid, 0) {
        Err(Error::Sys(libc::ESRCH)) => Err(Error::Sys(libc::ESRCH)),
        _ => Ok(None),
    }
}

/// Sends a signal to a child whose status nobody took, so that the number is
/// still its own.
pub fn send_signal(pid: i32, _: Option<&ProcessFd>, signum: i32) -> Result<()> {
    signal(pid, signum)
}

fn signal(pid: i32, signum: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    match unsafe { libc::kill(pid, signum) } {
        0 => Ok(()),
        _ => Err(Error::from(io::Error::last_os_error())),
    }
}
