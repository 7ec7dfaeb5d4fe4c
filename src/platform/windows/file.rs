//! Files of the host's that are to be sent. Their numbers are those of handles,
//! as sockets' are: the C runtime's own numbers mean nothing to a library, which
//! may be linked with another one.

use super::errno::errno_of;
use super::fd::{RawFd, socket_of};
use super::handle::duplicate;
use super::set_errno;
use std::ffi::c_int;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{
    ERROR_HANDLE_EOF, ERROR_INVALID_HANDLE, ERROR_IO_PENDING, GetLastError, HANDLE,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_BEGIN, FILE_CURRENT, FILE_TYPE_DISK, FILE_TYPE_UNKNOWN, GetFileType, ReadFile,
    SetFilePointerEx,
};
use windows_sys::Win32::System::IO::{GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::CreateEventW;

/// A file that somebody else owns.
#[derive(Clone, Copy)]
pub struct File(HANDLE);

/// A file that is closed when this is dropped.
pub struct OwnedFile(OwnedHandle);

impl OwnedFile {
    /// The file.
    pub fn get(&self) -> File {
        File(self.0.as_raw_handle())
    }
}

impl File {
    /// The file behind a number of the host's.
    pub fn of(fd: RawFd) -> File {
        File(socket_of(fd) as HANDLE)
    }

    /// A handle of our own for the same file; or an errno.
    pub fn duplicate(self) -> Result<OwnedFile, c_int> {
        duplicate(self.0, false).map(OwnedFile)
    }

    /// Not by the kernel alone: that would need a thread, or requests that end
    /// some time.
    pub fn send(self, _socket: RawFd, _offset: i64, _count: usize) -> isize {
        set_errno(libc::ENOSYS);
        -1
    }

    /// Reads a part of it without moving its position: how many bytes, or -1 with
    /// errno.
    ///
    /// # Safety
    /// There are `length` bytes at `place`.
    pub unsafe fn read_at(self, place: *mut u8, length: usize, offset: i64) -> isize {
        // SAFETY: as promised; all else lives until the read has ended.
        unsafe {
            // Reading from a socket or a pipe would wait.
            match GetFileType(self.0) {
                FILE_TYPE_DISK => {}
                FILE_TYPE_UNKNOWN => return failed(ERROR_INVALID_HANDLE),
                _ => {
                    set_errno(libc::ESPIPE);
                    return -1;
                }
            }
            // Windows moves it, if there is one: a handle that does not wait has none.
            let mut position = 0;
            let moves = SetFilePointerEx(self.0, 0, &mut position, FILE_CURRENT) != 0;
            // A handle of that kind tells by this event.
            let event = CreateEventW(null(), 1, 0, null());
            if event.is_null() {
                return failed(GetLastError());
            }
            let event = OwnedHandle::from_raw_handle(event);
            let mut request: OVERLAPPED = std::mem::zeroed();
            request.Anonymous.Anonymous.Offset = offset as u32;
            request.Anonymous.Anonymous.OffsetHigh = (offset >> 32) as u32;
            // With this bit nothing is told to a port that the host has given it.
            request.hEvent = event.as_raw_handle().map_addr(|address| address | 1);
            let length = length.min(i32::MAX as usize) as u32;
            let mut count = 0;
            let mut done = ReadFile(self.0, place, length, &mut count, &mut request);
            if done == 0 && GetLastError() == ERROR_IO_PENDING {
                done = GetOverlappedResult(self.0, &request, &mut count, 1);
            }
            let result = match done {
                0 if GetLastError() == ERROR_HANDLE_EOF => 0,
                0 => failed(GetLastError()),
                _ => count as isize,
            };
            if moves {
                SetFilePointerEx(self.0, position, null_mut(), FILE_BEGIN);
            }
            result
        }
    }
}

fn failed(error: u32) -> isize {
    set_errno(errno_of(error as i32));
    -1
}
