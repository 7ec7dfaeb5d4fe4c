//! The process, its forks and its standard error.

use std::ffi::{c_char, c_int, c_void};
use std::io;

pub use libc::{SIGKILL, SIGTERM};

/// This process's number.
pub fn id() -> c_int {
    // SAFETY: no preconditions. Async-signal-safe.
    unsafe { libc::getpid() }
}

/// Sends a signal; 0 only asks whether there is such a process.
pub fn kill(pid: c_int, signum: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved.
    match unsafe { libc::kill(pid, signum) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The environment of the programs that this one starts.
pub fn environment() -> *const *const c_char {
    #[cfg(target_vendor = "apple")]
    // SAFETY: the C library's own; no host may change it while others read it.
    return unsafe { (*libc::_NSGetEnviron()).cast_const().cast() };
    #[cfg(not(target_vendor = "apple"))]
    {
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        // SAFETY: as above.
        unsafe { environ }
    }
}

/// Before a fork, after it in the parent, and after it in the child.
pub type ForkHandler = Option<unsafe extern "C" fn()>;

/// Has these called around every fork from now on.
pub fn at_fork(before: ForkHandler, in_parent: ForkHandler, in_child: ForkHandler) {
    // SAFETY: plain functions without arguments, which are never unloaded. If
    // there is no memory for them, no fork is noticed by them.
    unsafe { libc::pthread_atfork(before, in_parent, in_child) };
}

/// Writes to standard error by one system call. What cannot be written is lost.
///
/// Without the standard library's lock, which a forked child might find taken
/// for ever.
pub fn write_stderr(bytes: &[u8]) {
    // SAFETY: the caller's own bytes.
    unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast::<c_void>(), bytes.len()) };
}
