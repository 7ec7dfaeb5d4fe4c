//! Files sent by the kernel alone: how many bytes, or -1 with errno. SIGPIPE may
//! be raised.

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::large_files;
use std::ffi::c_int;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn sendfile(socket: c_int, file: c_int, offset: i64, count: usize) -> isize {
    let mut offset = offset as large_files::off_t;
    // SAFETY: the offset lives for the call.
    unsafe { large_files::sendfile(socket, file, &mut offset, count) }
}

/// Says by itself how much it has sent, also where it could not send all.
#[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
pub fn sendfile(socket: c_int, file: c_int, offset: i64, count: usize) -> isize {
    let mut sent: libc::off_t = 0;
    let no_headers = std::ptr::null_mut();
    // SAFETY: the number lives for the call.
    let result = unsafe {
        libc::sendfile(file, socket, offset as libc::off_t, count, no_headers, &mut sent, 0)
    };
    outcome(result, sent)
}

#[cfg(target_vendor = "apple")]
pub fn sendfile(socket: c_int, file: c_int, offset: i64, count: usize) -> isize {
    let mut length = count as libc::off_t;
    let no_headers = std::ptr::null_mut();
    // SAFETY: the number lives for the call.
    let result =
        unsafe { libc::sendfile(file, socket, offset as libc::off_t, &mut length, no_headers, 0) };
    outcome(result, length)
}

#[cfg(any(target_os = "freebsd", target_os = "dragonfly", target_vendor = "apple"))]
fn outcome(result: c_int, sent: libc::off_t) -> isize {
    use crate::platform::{errno, set_errno};
    if sent > 0 || result == 0 {
        return sent as isize;
    }
    // What is no socket can be written to all the same.
    if [libc::ENOTSOCK, libc::ENOTSUP, libc::EOPNOTSUPP].contains(&errno()) {
        set_errno(libc::ENOSYS);
    }
    -1
}

/// There is no such call: what was asked to send it reads it instead.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_vendor = "apple"
)))]
pub fn sendfile(_socket: c_int, _file: c_int, _offset: i64, _count: usize) -> isize {
    crate::platform::set_errno(libc::ENOSYS);
    -1
}
