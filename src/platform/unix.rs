//! Linux, the BSDs, macOS.

pub use libc as sys;
pub use std::os::fd;

use std::ffi::c_int;
#[cfg(not(backend = "epoll"))]
use std::{
    io,
    os::fd::{FromRawFd, OwnedFd},
};

/// The errno of this thread's last call.
#[inline]
pub fn errno() -> c_int {
    // SAFETY: this thread's own variable.
    unsafe { *location() }
}

/// Puts an errno back. Async-signal-safe, like `errno`.
#[inline]
pub fn set_errno(value: c_int) {
    // SAFETY: as above.
    unsafe { *location() = value };
}

/// A pipe to wake oneself with: what is written to the second end makes the first
/// one readable. Neither blocks, and both are closed by exec.
#[cfg(not(backend = "epoll"))]
pub fn self_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // macOS has no pipe2. A program started in between inherits the ends, and
    // does nothing with them.
    // SAFETY: `ends` has room for two descriptors, which are ours once they are open.
    unsafe {
        if libc::pipe(ends.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        for end in ends {
            libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK);
        }
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

unsafe fn location() -> *mut c_int {
    #[cfg(any(target_os = "linux", target_os = "emscripten"))]
    return unsafe { libc::__errno_location() };
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    return unsafe { libc::__error() };
}
