//! Winsock's errors as the C runtime's errno numbers, with POSIX's meaning.

use super::set_errno;
use std::ffi::c_int;
use windows_sys::Win32::Foundation::{ERROR_INVALID_HANDLE, ERROR_NOT_ENOUGH_MEMORY};
use windows_sys::Win32::Networking::WinSock::*;

/// What errno.h calls an error of the system's. What it has no name for is EIO.
pub fn errno_of(error: i32) -> c_int {
    const OUT_OF_MEMORY: i32 = ERROR_NOT_ENOUGH_MEMORY as i32;
    const INVALID_HANDLE: i32 = ERROR_INVALID_HANDLE as i32;
    match error {
        0 => 0,
        OUT_OF_MEMORY => libc::ENOMEM,
        // What the number means instead, `keep_socket_error` finds out.
        INVALID_HANDLE | WSAEBADF | WSAENOTSOCK => libc::EBADF,
        WSAEINTR => libc::EINTR,
        WSAEACCES => libc::EACCES,
        WSAEFAULT => libc::EFAULT,
        WSAEINVAL => libc::EINVAL,
        WSAEMFILE | WSAEPROCLIM => libc::EMFILE,
        WSAEWOULDBLOCK => libc::EAGAIN,
        WSAEINPROGRESS => libc::EINPROGRESS,
        WSAEALREADY => libc::EALREADY,
        WSAEDESTADDRREQ => libc::EDESTADDRREQ,
        WSAEMSGSIZE => libc::EMSGSIZE,
        WSAEPROTOTYPE => libc::EPROTOTYPE,
        WSAENOPROTOOPT => libc::ENOPROTOOPT,
        WSAEPROTONOSUPPORT | WSAESOCKTNOSUPPORT => libc::EPROTONOSUPPORT,
        WSAEOPNOTSUPP => libc::EOPNOTSUPP,
        WSAEAFNOSUPPORT | WSAEPFNOSUPPORT => libc::EAFNOSUPPORT,
        WSAEADDRINUSE => libc::EADDRINUSE,
        WSAEADDRNOTAVAIL => libc::EADDRNOTAVAIL,
        WSAENETDOWN => libc::ENETDOWN,
        WSAENETUNREACH => libc::ENETUNREACH,
        WSAENETRESET => libc::ENETRESET,
        WSAECONNABORTED => libc::ECONNABORTED,
        WSAECONNRESET | WSAEDISCON => libc::ECONNRESET,
        WSAENOBUFS => libc::ENOBUFS,
        WSAEISCONN => libc::EISCONN,
        WSAENOTCONN => libc::ENOTCONN,
        // The direction was shut down: POSIX's word for that is a broken pipe.
        WSAESHUTDOWN => libc::EPIPE,
        WSAETIMEDOUT => libc::ETIMEDOUT,
        WSAECONNREFUSED => libc::ECONNREFUSED,
        WSAELOOP => libc::ELOOP,
        WSAENAMETOOLONG => libc::ENAMETOOLONG,
        WSAEHOSTDOWN | WSAEHOSTUNREACH => libc::EHOSTUNREACH,
        _ => super::system_errno::errno_of_system(error as u32),
    }
}

/// Keeps what Winsock says of its last call in this thread.
#[cold]
pub(super) fn keep_last_error() {
    // SAFETY: a plain call.
    set_errno(errno_of(unsafe { WSAGetLastError() }));
}
