//! The platform contract: everything that systems do differently, and nothing
//! else knows on which one it runs.
//!
//! | what each platform supplies | Unix | Windows |
//! |---|---|---|
//! | `fd`: numbers of open files, owned and borrowed | the standard library's | numbers of sockets, which have 32 significant bits there |
//! | `sys`: types, constants and calls in POSIX's names | libc; on macOS our own `accept4` and its kin | Winsock in POSIX's shape; errno is the C runtime's |
//! | `LoopWake`: what ends a loop's wait from outside | an eventfd, or a pair of sockets | a post to its completion port |
//! | `FdWake`: the same for a number that is watched like any other | the same | a connection to itself |
//! | `is_open`, `is_non_blocking`, `set_non_blocking`, `file_type`: what can be asked of a number | fcntl, fstat | only sockets have numbers; none is asked whether it blocks, but told not to |
//! | `HAS_DONTWAIT`: a call on a socket can be told not to block | MSG_DONTWAIT | no: sockets are told |
//! | `file`: files to be sent, by their number | sendfile where there is one, pread | ReadFile; the numbers are those of handles, as the C runtime's own mean nothing to a library |
//! | `path`, `HAS_UNIX_SOCKETS`: sockets in the file system | stat, unlink | none |
//! | `REUSE_ADDRESS`, `REUSE_PORT`: options for a server's address | those of that name | the first is not needed, the second not there |
//! | `file_status`: what tells a file from the next one of its number | fstat | nobody asks: the driver tells of a close |
//! | `handle`: duplicates, for files to be sent and the streams of programs | | DuplicateHandle |
//! | `afd`: readiness of sockets, where polling is not used for it | | polls of the sockets' driver, and a completion port |
//! | `errno`, `set_errno`: what the last call of `sys` left behind | libc's variable | a variable of this thread's |
//! | `errno_of`: what the standard library calls the system's error, as an errno | the same | Winsock's and the kernel's numbers translated |
//! | `strerror`, `strerror_into`: what an errno means | the C library's texts | our own |
//! | `clock`: monotonic nanoseconds | `CLOCK_MONOTONIC` | the performance counter |
//! | `thread`: identity, name, is it the first; threads of our own; how many processors | pthreads; no signal comes to ours | the thread block; the oldest thread is the first |
//! | `process`: its number, environment, handlers of fork, standard error, the signals that end one | libc | there is no fork, and the system knows the environment |
//!
//! Beside this table four rooms have files named after what a system has:
//! `reactor` (epoll, kqueue, poll, Windows' AFD), `services::signals` (disposition,
//! console), `services::children` (pidfd, kqueue, by_number, handle) and
//! `services::subprocess` (making_linux, making_posix, create_process). Which
//! backend it is says `cfg(backend)`, from build.rs. `poll` is a Unix that has
//! nothing but POSIX: what other Unixes need in place of Linux's calls runs in
//! that build, too, which Linux can make.

use fd::RawFd;
use std::io;

/// A way to end waits from outside. Neither of its ends blocks or outlives exec.
pub trait Wake {
    /// The end that is watched, and the one to send into; one may be both.
    fn open() -> io::Result<[RawFd; 2]>;
    /// Ends the wait, or the next one; false without memory. Async-signal-safe. If
    /// there is no room, that was done already.
    fn send(fd: RawFd) -> bool;

    /// What was sent shall not end one more wait.
    fn drain(fd: RawFd) {
        let mut buffer = [0u8; 64];
        // SAFETY: the caller's non-blocking descriptor and our own buffer.
        while unsafe { sys::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) } > 0 {}
    }

    /// An end that nobody uses any more.
    fn close(fd: RawFd) {
        // SAFETY: the caller's, who gives it up.
        unsafe { sys::close(fd) };
    }
}

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;
