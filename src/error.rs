//! What can go wrong, as one value: its public code and asyncio's own words.

use crate::platform;
use crate::text::Text;
use std::ffi::{CStr, c_char};
use std::{fmt, io};

/// Every failure a loop operation can report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The loop was closed.
    Closed,
    /// The loop runs already.
    Running,
    /// The loop cannot be closed while it runs.
    CloseWhileRunning,
    /// Another loop runs in this thread.
    OtherRunning,
    /// `run` inside a run.
    RunInsideRun,
    /// No loop runs in this thread.
    NoRunning,
    /// This thread has no current loop.
    NoCurrent,
    /// The call belongs to the loop's own thread.
    WrongThread,
    /// The object belongs to another loop.
    WrongLoop,
    /// The loop was inherited through fork; it belongs to this process id.
    Forked(i32),
    /// The handle has run or was forgotten.
    Stale,
    /// An argument cannot be used; the text says which.
    Invalid(&'static str),
    /// A number that cannot be a descriptor.
    BadDescriptor(i32),
    /// Something else waits for this direction of the descriptor.
    InUse(i32),
    /// A number that no signal has.
    BadSignal(i32),
    /// A signal that nobody can catch.
    UncatchableSignal(i32),
    /// The descriptor belongs to a transport.
    UsedByTransport(i32),
    /// This build or platform cannot do it.
    Unsupported(&'static str),
    /// A future is not in the state for this; asyncio's words.
    InvalidState(&'static str),
    /// What was awaited was cancelled.
    Cancelled,
    /// The loop was stopped before the future it ran for was done.
    Stopped,
    /// The executor accepts no more jobs.
    Shutdown,
    /// A future failed with this code; its message was kept for this thread.
    Failed(i32),
    /// A defect inside the library was caught at its boundary.
    Internal,
    /// The operating system refused, with this errno.
    Sys(i32),
}

/// The result of a loop operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Out of memory.
    pub const NO_MEMORY: Error = Error::Sys(libc::ENOMEM);

    /// The public code: `-errno` for the system's errors, below -1000 for ours.
    pub fn code(self) -> i32 {
        match self {
            Error::Closed => -1001,
            Error::Running | Error::CloseWhileRunning => -1002,
            Error::OtherRunning | Error::RunInsideRun => -1003,
            Error::NoRunning => -1004,
            Error::NoCurrent => -1005,
            Error::WrongThread => -1006,
            Error::WrongLoop => -1007,
            Error::Forked(_) => -1008,
            Error::Stale => -1009,
            Error::Invalid(_)
            | Error::BadDescriptor(_)
            | Error::BadSignal(_)
            | Error::UncatchableSignal(_) => -1010,
            Error::Unsupported(_) => -1011,
            Error::Internal => -1012,
            Error::InvalidState(_) => -1013,
            Error::Cancelled => -1014,
            Error::Stopped => -1015,
            Error::Shutdown => -1016,
            Error::Failed(code) => code,
            Error::InUse(_) => -libc::EBUSY,
            Error::UsedByTransport(_) => -libc::EBUSY,
            Error::Sys(errno) => -errno,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(error) => Error::Sys(platform::errno_of(error)),
            None if error.kind() == io::ErrorKind::OutOfMemory => Error::NO_MEMORY,
            None if error.kind() == io::ErrorKind::Unsupported => Error::Unsupported("unsupported"),
            None => Error::Sys(libc::EIO),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Closed => f.write_str("Event loop is closed"),
            Error::Running => f.write_str("This event loop is already running"),
            Error::CloseWhileRunning => f.write_str("Cannot close a running event loop"),
            Error::OtherRunning => {
                f.write_str("Cannot run the event loop while another loop is running")
            }
            Error::RunInsideRun => {
                f.write_str("asyncio.run() cannot be called from a running event loop")
            }
            Error::NoRunning => f.write_str("no running event loop"),
            Error::NoCurrent => write!(
                f,
                "There is no current event loop in thread '{}'.",
                crate::thread_id::current_name()
            ),
            Error::WrongThread => f.write_str(
                "Non-thread-safe operation invoked on an event loop other than the current one",
            ),
            Error::WrongLoop => f.write_str(
                "The future belongs to a different loop than the one specified as the loop argument",
            ),
            Error::Forked(pid) => {
                write!(f, "loop belongs to pid {pid}; it was inherited through fork")
            }
            Error::Stale => f.write_str("the handle has already run or was forgotten"),
            Error::Invalid(what) | Error::Unsupported(what) | Error::InvalidState(what) => {
                f.write_str(what)
            }
            Error::Cancelled => f.write_str("the future was cancelled"),
            Error::Stopped => f.write_str("Event loop stopped before Future completed."),
            Error::Shutdown => f.write_str("Executor shutdown has been called"),
            Error::Failed(code) => write!(f, "failed with code {code}"),
            Error::BadDescriptor(fd) => write!(f, "Invalid file descriptor: {fd}"),
            Error::InUse(fd) => write!(f, "File descriptor {fd} is used by another operation"),
            Error::BadSignal(signum) => write!(f, "invalid signal number {signum}"),
            Error::UncatchableSignal(signum) => write!(f, "sig {signum} cannot be caught"),
            Error::UsedByTransport(fd) => write!(f, "File descriptor {fd} is used by transport"),
            Error::Internal => f.write_str("internal error in coloop"),
            Error::Sys(errno) => {
                let mut buffer = [0 as c_char; 128];
                platform::strerror_into(*errno, &mut buffer);
                // SAFETY: it ends with NUL, and lives here.
                write!(f, "{}", Text::<128>::of_c_str(unsafe { CStr::from_ptr(buffer.as_ptr()) }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_keep_their_errno() {
        assert_eq!(Error::Sys(libc::EBADF).code(), -libc::EBADF);
        #[cfg(unix)]
        let too_many = libc::EMFILE;
        #[cfg(windows)]
        let too_many = windows_sys::Win32::Networking::WinSock::WSAEMFILE;
        assert_eq!(Error::from(io::Error::from_raw_os_error(too_many)).code(), -libc::EMFILE);
    }

    #[test]
    fn own_codes_stay_clear_of_errno() {
        assert!(Error::Closed.code() < -1000 && Error::Internal.code() < -1000);
        assert_eq!(Error::Closed.to_string(), "Event loop is closed");
    }
}
