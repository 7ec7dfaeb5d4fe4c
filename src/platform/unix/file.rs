//! Files of the host's that are to be sent.

use super::sendfile::sendfile;
use super::{errno, large_files};
use std::ffi::c_int;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The number of a file that somebody else owns.
#[derive(Clone, Copy)]
pub struct File(RawFd);

/// A file that is closed when this is dropped.
pub struct OwnedFile(OwnedFd);

impl OwnedFile {
    /// Its number.
    pub fn get(&self) -> File {
        File(self.0.as_raw_fd())
    }
}

impl File {
    /// The file behind a number of the host's.
    pub fn of(fd: RawFd) -> File {
        File(fd)
    }

    /// A number of our own for the same file; or an errno.
    pub fn duplicate(self) -> Result<OwnedFile, c_int> {
        // SAFETY: a new descriptor, and nobody else's.
        unsafe {
            match libc::fcntl(self.0, libc::F_DUPFD_CLOEXEC, 0) {
                ..0 => Err(errno()),
                fd => Ok(OwnedFile(OwnedFd::from_raw_fd(fd))),
            }
        }
    }

    /// Sends a part of it by the kernel alone: how many bytes, or -1 with errno.
    /// SIGPIPE may be raised.
    pub fn send(self, socket: RawFd, offset: i64, count: usize) -> isize {
        sendfile(socket, self.0, offset, count)
    }

    /// Reads a part of it without moving its position: how many bytes, or -1 with
    /// errno.
    ///
    /// # Safety
    /// There are `length` bytes at `place`.
    pub unsafe fn read_at(self, place: *mut u8, length: usize, offset: i64) -> isize {
        // SAFETY: as promised.
        unsafe { large_files::pread(self.0, place.cast(), length, offset as large_files::off_t) }
    }
}
