//! Making sockets, and what can be said of them and to them.

// The names are C's, and mean what they mean there.
#![allow(missing_docs)]

use super::address::{sockaddr, socklen_t};
use super::errno::{errno_of, keep_last_error};
use super::fd::{RawFd, socket_of};
use super::set_errno;
use libc::{c_int, c_void};
use std::sync::Once;
use windows_sys::Win32::Foundation::{
    GetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::Networking::WinSock as c;

/// Winsock wants to be started before anything else, and is left so: others in
/// the process may have come to count on it.
pub(super) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        const VERSION_2_2: u16 = 0x0202;
        // SAFETY: there is room for the answer. What fails now fails again with
        // the first call, which reports it.
        unsafe { c::WSAStartup(VERSION_2_2, &mut std::mem::zeroed()) };
    });
}

/// The socket behind a number.
pub(super) fn handle(fd: RawFd) -> c::SOCKET {
    socket_of(fd) as c::SOCKET
}

/// 0, or -1 with errno.
pub(super) fn answer(result: c_int, fd: RawFd) -> c_int {
    if result == c::SOCKET_ERROR {
        keep_socket_error(fd);
        return -1;
    }
    result
}

/// Keeps the error of a call on a socket. Winsock says of closed numbers and of
/// other things' numbers alike that they are no sockets; POSIX tells them apart.
#[cold]
pub(super) fn keep_socket_error(fd: RawFd) {
    keep_last_error();
    if super::errno() == libc::EBADF && is_handle(fd) {
        set_errno(libc::ENOTSOCK);
    }
}

fn is_handle(fd: RawFd) -> bool {
    let mut flags = 0;
    // SAFETY: any number may be asked about.
    unsafe { GetHandleInformation(socket_of(fd) as HANDLE, &mut flags) != 0 }
}

/// A new socket, which no child inherits and which does not block.
pub unsafe fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int {
    start();
    let flags = c::WSA_FLAG_OVERLAPPED | c::WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: plain numbers, and no protocol's description.
    let socket = unsafe { c::WSASocketW(family, kind, protocol, std::ptr::null(), 0, flags) };
    if socket == c::INVALID_SOCKET {
        keep_last_error();
        return -1;
    }
    let fd = socket as RawFd;
    if set_non_blocking(fd, true).is_err() {
        unsafe { close(fd) };
        return -1;
    }
    if kind == c::SOCK_DGRAM {
        report_refusals(fd, false);
    }
    fd
}

/// Shall receiving fail after a datagram was refused by the other side? Unix
/// does that only on sockets that are connected.
fn report_refusals(fd: RawFd, shall: bool) {
    let value = u32::from(shall);
    let place = (&raw const value).cast::<c_void>();
    let mut count = 0;
    let null = std::ptr::null_mut();
    // SAFETY: the place has the size that is said. What is no UDP refuses.
    unsafe {
        let size = size_of::<u32>() as u32;
        let call = c::SIO_UDP_CONNRESET;
        c::WSAIoctl(handle(fd), call, place, size, null, 0, &mut count, null.cast(), None);
    }
}

/// Is it a socket for datagrams?
pub(super) fn is_datagram(fd: RawFd) -> bool {
    kind(fd) == Some(c::SOCK_DGRAM)
}

/// What kind of socket it is; none if it is no socket, and errno says why.
fn kind(fd: RawFd) -> Option<c_int> {
    let mut kind: c_int = 0;
    let mut size = size_of::<c_int>() as socklen_t;
    let place = (&raw mut kind).cast();
    // SAFETY: the place has the size that is said; any number may be asked about.
    let result = unsafe { getsockopt(fd, c::SOL_SOCKET, c::SO_TYPE, place, &mut size) };
    (result == 0).then_some(kind)
}

/// Takes one waiting connection. `flags` say what every socket is.
pub unsafe fn accept4(
    fd: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
    _flags: c_int,
) -> c_int {
    // SAFETY: as the caller promises.
    let socket = unsafe { c::accept(handle(fd), address.cast(), length) };
    if socket == c::INVALID_SOCKET {
        keep_socket_error(fd);
        if super::errno() == libc::ECONNRESET {
            // The one that waited has given up; the listener is as it was.
            set_errno(libc::ECONNABORTED);
        }
        return -1;
    }
    // SAFETY: ours. There is no way to accept without the flag for a moment.
    unsafe { SetHandleInformation(socket as HANDLE, HANDLE_FLAG_INHERIT, 0) };
    let accepted = socket as RawFd;
    if set_non_blocking(accepted, true).is_err() {
        unsafe { close(accepted) };
        return -1;
    }
    accepted
}

pub unsafe fn bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    // SAFETY: as the caller promises.
    answer(unsafe { c::bind(handle(fd), address.cast(), length) }, fd)
}

pub unsafe fn listen(fd: c_int, backlog: c_int) -> c_int {
    // SAFETY: plain numbers.
    answer(unsafe { c::listen(handle(fd), backlog) }, fd)
}

/// Begins to connect; EINPROGRESS if that takes its time.
pub unsafe fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    // SAFETY: as the caller promises.
    let result = answer(unsafe { c::connect(handle(fd), address.cast(), length) }, fd);
    if result == 0 {
        if is_datagram(fd) {
            report_refusals(fd, true);
        }
    } else if super::errno() == libc::EAGAIN {
        set_errno(libc::EINPROGRESS);
    }
    result
}

pub unsafe fn shutdown(fd: c_int, how: c_int) -> c_int {
    // SAFETY: plain numbers.
    answer(unsafe { c::shutdown(handle(fd), how) }, fd)
}

/// Closes a socket.
pub unsafe fn close(fd: c_int) -> c_int {
    // SAFETY: the caller's to close.
    answer(unsafe { c::closesocket(handle(fd)) }, fd)
}

pub unsafe extern "C" fn getsockname(
    fd: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: as the caller promises.
    let result = unsafe { c::getsockname(handle(fd), address.cast(), length) };
    if result != 0 && unsafe { c::WSAGetLastError() } == c::WSAEINVAL {
        return unsafe { no_name_yet(fd, address, length) };
    }
    answer(result, fd)
}

/// A socket that was not bound has no address here; POSIX gives the family's
/// empty one.
unsafe fn no_name_yet(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int {
    // SAFETY: all zeroes are valid for these plain structs; the sizes are said.
    unsafe {
        let mut info: c::WSAPROTOCOL_INFOW = std::mem::zeroed();
        let mut size = size_of::<c::WSAPROTOCOL_INFOW>() as socklen_t;
        let place = (&raw mut info).cast();
        let name = c::SO_PROTOCOL_INFOW;
        if c::getsockopt(handle(fd), c::SOL_SOCKET, name, place, &mut size) != 0 {
            keep_socket_error(fd);
            return -1;
        }
        let room = (*length).max(0).min(info.iMaxSockAddr);
        std::ptr::write_bytes(address.cast::<u8>(), 0, room as usize);
        if room as usize >= size_of::<super::address::sa_family_t>() {
            (&raw mut (*address).sa_family).write(info.iAddressFamily as _);
        }
        *length = info.iMaxSockAddr;
    }
    0
}

pub unsafe extern "C" fn getpeername(
    fd: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: as the caller promises.
    answer(unsafe { c::getpeername(handle(fd), address.cast(), length) }, fd)
}

/// Reads an option. An error that waits in the socket is an errno, too.
pub unsafe fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    place: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: as the caller promises.
    let result = unsafe { c::getsockopt(handle(fd), level, name, place.cast(), length) };
    if result == 0 && level == c::SOL_SOCKET && name == c::SO_ERROR {
        let waiting = place.cast::<c_int>();
        // SAFETY: this option is a number.
        unsafe { waiting.write_unaligned(errno_of(waiting.read_unaligned())) };
    }
    answer(result, fd)
}

pub unsafe fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    // SAFETY: as the caller promises.
    answer(unsafe { c::setsockopt(handle(fd), level, name, value.cast(), length) }, fd)
}

/// Does the number mean an open socket?
pub fn is_open(fd: RawFd) -> bool {
    kind(fd).is_some()
}

/// Does it never block? Windows tells nobody, so it is made so.
pub fn is_non_blocking(fd: RawFd) -> Result<bool, c_int> {
    set_non_blocking(fd, true).map(|_| true)
}

/// Makes a socket non-blocking, or blocking. Whether that changed anything is
/// not to be known: false, so that nobody takes it back.
pub fn set_non_blocking(fd: RawFd, shall: bool) -> Result<bool, c_int> {
    let mut value = u32::from(shall);
    // SAFETY: a plain call with a number.
    match answer(unsafe { c::ioctlsocket(handle(fd), c::FIONBIO, &mut value) }, fd) {
        0 => Ok(false),
        _ => Err(super::errno()),
    }
}

/// What kind of file it is: a socket, or an error. The C runtime's descriptors
/// are not known to those who link another one.
pub fn file_type(fd: RawFd) -> Result<super::sys::mode_t, c_int> {
    if is_open(fd) { Ok(super::sys::S_IFSOCK) } else { Err(super::errno()) }
}
