//! Files of the host's. Their numbers belong to the host's C runtime, of which
//! each module may have its own, so a number says nothing to a library: there
//! are none.

use super::fd::RawFd;
use std::ffi::c_int;

/// Why there is no file.
pub const NO_FILES: &str =
    "files cannot be sent: their numbers mean nothing outside of the caller's C runtime";

/// There is none.
#[derive(Clone, Copy)]
pub struct File(Nothing);

#[derive(Clone, Copy)]
enum Nothing {}

/// There is none.
pub type OwnedFile = File;

impl File {
    /// None.
    pub fn of(_fd: RawFd) -> Option<File> {
        None
    }

    /// Itself.
    pub fn get(&self) -> File {
        *self
    }

    /// A number of our own.
    pub fn duplicate(self) -> Result<OwnedFile, c_int> {
        match self.0 {}
    }

    /// Sends a part of it.
    pub fn send(self, _socket: RawFd, _offset: i64, _count: usize) -> isize {
        match self.0 {}
    }

    /// Reads a part of it.
    ///
    /// # Safety
    /// Nobody can call it.
    pub unsafe fn read_at(self, _place: *mut u8, _length: usize, _offset: i64) -> isize {
        match self.0 {}
    }
}
