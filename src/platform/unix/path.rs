//! The names of UNIX sockets in the file system.

use super::{errno, large_files};
use std::ffi::{CStr, c_int};

/// Which file this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId(libc::dev_t, u64);

/// Which socket a path leads to; none if it is no socket.
pub fn socket_at(path: &CStr) -> Result<Option<FileId>, c_int> {
    // SAFETY: all zero is a valid stat; the path is a C string.
    unsafe {
        let mut stat: large_files::stat = std::mem::zeroed();
        if large_files::stat(path.as_ptr(), &mut stat) != 0 {
            return Err(errno());
        }
        let is_socket = stat.st_mode & libc::S_IFMT == libc::S_IFSOCK;
        Ok(is_socket.then_some(FileId(stat.st_dev, stat.st_ino)))
    }
}

/// Removes a name from the file system.
pub fn unlink(path: &CStr) -> Result<(), c_int> {
    // SAFETY: the path is a C string.
    match unsafe { libc::unlink(path.as_ptr()) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}
