//! Ends waits: an eventfd where there is one, a pair of sockets elsewhere.

use super::fd::RawFd;
#[cfg(not(backend = "epoll"))]
use super::sys;
use crate::platform::Wake;
use std::io;

#[cfg(backend = "epoll")]
pub use EventFd as LoopWake;
pub use LoopWake as FdWake;
#[cfg(not(backend = "epoll"))]
pub use SelfPipe as LoopWake;

/// An eventfd. A loop watches it edge-triggered: each write is a new edge, so
/// nothing ever needs to read it.
#[cfg(backend = "epoll")]
pub struct EventFd;

#[cfg(backend = "epoll")]
impl Wake for EventFd {
    fn open() -> io::Result<[RawFd; 2]> {
        // SAFETY: creates a descriptor; no memory is involved.
        match unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) } {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok([fd, fd]),
        }
    }

    fn send(fd: RawFd) -> bool {
        let one = 1u64.to_ne_bytes();
        // SAFETY: our own bytes, and the caller's descriptor.
        unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) };
        true
    }

    fn drain(_fd: RawFd) {}
}

/// A pair of sockets, as a write into a pipe may raise SIGPIPE.
#[cfg(not(backend = "epoll"))]
pub struct SelfPipe;

#[cfg(not(backend = "epoll"))]
impl Wake for SelfPipe {
    fn open() -> io::Result<[RawFd; 2]> {
        use std::os::{fd::IntoRawFd, unix::net::UnixStream};
        let (read_end, write_end) = UnixStream::pair()?;
        for end in [&read_end, &write_end] {
            end.set_nonblocking(true)?;
        }
        Ok([read_end.into_raw_fd(), write_end.into_raw_fd()])
    }

    fn send(fd: RawFd) -> bool {
        let byte = 1u8;
        // SAFETY: our own byte, and the caller's descriptor. If it is full, a
        // wake-up waits already.
        unsafe { sys::send(fd, (&raw const byte).cast(), 1, sys::MSG_NOSIGNAL) };
        true
    }
}
