//! Where processes have no descriptors, a thread waits for each.

use crate::error::Result;
use crate::platform::fd::{AsRawFd, RawFd};
use crate::platform::process;
use std::sync::Arc;

/// There is none.
pub enum ProcessFd {}
/// The same, shared.
pub type Pidfd = Arc<ProcessFd>;

impl AsRawFd for ProcessFd {
    fn as_raw_fd(&self) -> RawFd {
        match *self {}
    }
}

/// What waitid calls it: only the number.
pub fn wait_id(_: &ProcessFd) -> Option<(libc::idtype_t, libc::id_t)> {
    None
}

/// None; an error if there is no such process.
pub fn open(pid: i32) -> Result<Option<Pidfd>> {
    match process::kill(pid, 0) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(error.into()),
        _ => Ok(None),
    }
}

/// Sends a signal to a child whose status nobody took, so that the number is
/// still its own.
pub fn send_signal(pid: i32, _: Option<&ProcessFd>, signum: i32) -> Result<()> {
    Ok(process::kill(pid, signum)?)
}
