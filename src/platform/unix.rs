//! Linux, the BSDs, macOS.

pub mod clock;
mod error_text;
pub mod file;
mod large_files;
pub mod path;
pub mod process;
mod sendfile;
pub mod sys;
pub mod thread;
mod wake;

pub use error_text::{errno_of, strerror, strerror_into};
pub use std::os::fd;
pub use wake::{FdWake, LoopWake};

use std::ffi::c_int;

/// Are there sockets with paths?
pub const HAS_UNIX_SOCKETS: bool = true;
/// Can a call on a socket be told not to block, whatever the socket was told?
pub const HAS_DONTWAIT: bool = true;
/// The option that lets a server take an address whose last connections are
/// still being closed.
pub const REUSE_ADDRESS: Option<c_int> = Some(libc::SO_REUSEADDR);
/// The option that lets several sockets share a port.
pub const REUSE_PORT: Option<c_int> = Some(libc::SO_REUSEPORT);

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

unsafe fn location() -> *mut c_int {
    #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "dragonfly"))]
    return unsafe { libc::__errno_location() };
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    return unsafe { libc::__error() };
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    return unsafe { libc::__errno() };
}

/// Does the number mean an open file?
pub fn is_open(fd: fd::RawFd) -> bool {
    // SAFETY: asks for a flag; any number may be asked about.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Does it never block?
pub fn is_non_blocking(fd: fd::RawFd) -> Result<bool, c_int> {
    // SAFETY: asks for flags; any number may be asked about.
    match unsafe { libc::fcntl(fd, libc::F_GETFL) } {
        ..0 => Err(errno()),
        flags => Ok(flags & libc::O_NONBLOCK != 0),
    }
}

/// Makes a descriptor non-blocking, or blocking; true if it was not.
pub fn set_non_blocking(fd: fd::RawFd, shall: bool) -> Result<bool, c_int> {
    // SAFETY: plain calls; any number may be asked about.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if flags < 0 {
            return Err(errno());
        }
        let wanted = if shall { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
        if wanted != flags && libc::fcntl(fd, libc::F_SETFL, wanted) < 0 {
            return Err(errno());
        }
        Ok(wanted != flags)
    }
}

/// The type bits of a file's mode.
pub fn file_type(fd: fd::RawFd) -> Result<libc::mode_t, c_int> {
    file_status(fd).map(|status| status.st_mode & libc::S_IFMT)
}

/// What the system knows of an open file.
pub fn file_status(fd: fd::RawFd) -> Result<large_files::stat, c_int> {
    // SAFETY: a plain struct, filled by the call; any number may be asked about.
    unsafe {
        let mut status: large_files::stat = std::mem::zeroed();
        match large_files::fstat(fd, &mut status) {
            0 => Ok(status),
            _ => Err(errno()),
        }
    }
}
