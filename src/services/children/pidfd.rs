//! Descriptors of processes.

use crate::error::{Error, Result};
use crate::memory::try_arc;
use crate::platform::fd::{AsRawFd, FromRawFd, OwnedFd};
use crate::platform::process;
use std::io;
use std::sync::Arc;

/// Refers to a process and never to another one that gets its number; readable
/// once it has ended.
pub type ProcessFd = OwnedFd;
/// The same, shared.
pub type Pidfd = Arc<ProcessFd>;

/// What waitid calls it.
pub fn wait_id(pidfd: &ProcessFd) -> Option<(libc::idtype_t, libc::id_t)> {
    Some((libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t))
}

/// One for a process, or none where the system has no such thing.
pub fn open(pid: i32) -> Result<Option<Pidfd>> {
    // SAFETY: any number may be asked for; the descriptor is close-on-exec.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd >= 0 {
        // SAFETY: just made, and nobody else's.
        return Ok(Some(try_arc(unsafe { OwnedFd::from_raw_fd(fd as i32) })?));
    }
    match io::Error::last_os_error() {
        // Old kernels; sandboxes.
        error if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            match process::kill(pid, 0) {
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(error.into()),
                _ => Ok(None),
            }
        }
        error => Err(Error::from(error)),
    }
}

/// Sends a signal to a child whose status nobody took.
pub fn send_signal(pid: i32, pidfd: Option<&OwnedFd>, signum: i32) -> Result<()> {
    match pidfd.map(|pidfd| signal_by_pidfd(pidfd, signum)) {
        // The number is still the child's own.
        None | Some(Err(Error::Sys(libc::ENOSYS))) => Ok(process::kill(pid, signum)?),
        Some(result) => result,
    }
}

/// Sends a signal to the very process.
fn signal_by_pidfd(pidfd: &OwnedFd, signum: i32) -> Result<()> {
    let null = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: our own descriptor, no further data.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signum, null, 0) };
    if result == 0 { Ok(()) } else { Err(Error::from(io::Error::last_os_error())) }
}
