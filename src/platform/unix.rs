//! Linux, the BSDs, macOS.

pub use libc as sys;
pub use std::os::fd;

use std::ffi::c_int;
#[cfg(not(backend = "epoll"))]
use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
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

/// Two ends of a way to wake oneself: what is sent into the second makes the first
/// one readable. Neither blocks, and both are closed by exec. A socket, because a
/// pipe may raise SIGPIPE.
#[cfg(not(backend = "epoll"))]
pub fn wake_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read_end, write_end) = UnixStream::pair()?;
    for end in [&read_end, &write_end] {
        end.set_nonblocking(true)?;
    }
    Ok((read_end.into(), write_end.into()))
}

unsafe fn location() -> *mut c_int {
    #[cfg(any(target_os = "linux", target_os = "emscripten"))]
    return unsafe { libc::__errno_location() };
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    return unsafe { libc::__error() };
}
