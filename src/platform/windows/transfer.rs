//! Sending and receiving.

// The names are C's, and mean what they mean there.
#![allow(missing_docs)]

use super::address::{sockaddr, socklen_t};
use super::set_errno;
use super::socket::{handle, is_datagram, keep_socket_error};
use libc::{c_int, c_void, ssize_t};
use windows_sys::Win32::Networking::WinSock as c;

/// A piece of memory.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iovec {
    pub iov_base: *mut c_void,
    pub iov_len: usize,
}

/// What `sendmsg` sends.
#[repr(C)]
pub struct msghdr {
    pub msg_name: *mut c_void,
    pub msg_namelen: socklen_t,
    pub msg_iov: *mut iovec,
    pub msg_iovlen: usize,
}

/// Winsock counts bytes in an `int`.
const LARGEST: usize = c_int::MAX as usize;

/// So many pieces go out in one call; what is left over, a stream sends later.
const MOST_PIECES: usize = 64;

fn count(result: c_int, fd: c_int) -> ssize_t {
    if result == c::SOCKET_ERROR {
        keep_socket_error(fd);
        return -1;
    }
    result as ssize_t
}

/// What receiving has come to. A datagram that did not fit was cut off, which
/// POSIX does not call an error; and what Windows calls a reset on a socket for
/// datagrams is a refusal.
fn received(result: c_int, fd: c_int, length: usize) -> ssize_t {
    let result = count(result, fd);
    if result < 0 {
        match super::errno() {
            libc::EMSGSIZE => return length as ssize_t,
            libc::ECONNRESET if is_datagram(fd) => set_errno(libc::ECONNREFUSED),
            _ => {}
        }
    }
    result
}

pub unsafe fn recv(fd: c_int, place: *mut c_void, length: usize, flags: c_int) -> ssize_t {
    let length = length.min(LARGEST);
    // SAFETY: as the caller promises.
    let result = unsafe { c::recv(handle(fd), place.cast(), length as c_int, flags) };
    received(result, fd, length)
}

pub unsafe fn recvfrom(
    fd: c_int,
    place: *mut c_void,
    length: usize,
    flags: c_int,
    address: *mut sockaddr,
    address_length: *mut socklen_t,
) -> ssize_t {
    let length = length.min(LARGEST);
    // SAFETY: as the caller promises.
    let result = unsafe {
        (&raw mut (*address).sa_family).write(0);
        let size = length as c_int;
        c::recvfrom(handle(fd), place.cast(), size, flags, address.cast(), address_length)
    };
    // A stream leaves the address alone, and the length would lie.
    unsafe {
        if (&raw const (*address).sa_family).read() == 0 {
            *address_length = 0;
        }
    }
    received(result, fd, length)
}

pub unsafe fn send(fd: c_int, bytes: *const c_void, length: usize, flags: c_int) -> ssize_t {
    // SAFETY: as the caller promises.
    count(unsafe { c::send(handle(fd), bytes.cast(), length.min(LARGEST) as c_int, flags) }, fd)
}

pub unsafe fn sendto(
    fd: c_int,
    bytes: *const c_void,
    length: usize,
    flags: c_int,
    address: *const sockaddr,
    address_length: socklen_t,
) -> ssize_t {
    if address.is_null() {
        // SAFETY: as the caller promises.
        return unsafe { send(fd, bytes, length, flags) };
    }
    let length = length.min(LARGEST) as c_int;
    // SAFETY: as the caller promises.
    let result = unsafe {
        c::sendto(handle(fd), bytes.cast(), length, flags, address.cast(), address_length)
    };
    count(result, fd)
}

/// Sends pieces to the peer of a stream.
pub unsafe fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    let mut pieces = [c::WSABUF { len: 0, buf: std::ptr::null_mut() }; MOST_PIECES];
    // SAFETY: as the caller promises.
    let parts = unsafe { std::slice::from_raw_parts((*message).msg_iov, (*message).msg_iovlen) };
    let mut used = 0;
    let mut room = LARGEST;
    for (piece, part) in pieces.iter_mut().zip(parts) {
        let length = part.iov_len.min(room);
        *piece = c::WSABUF { len: length as u32, buf: part.iov_base.cast() };
        used += 1;
        room -= length;
        if length < part.iov_len {
            break;
        }
    }
    let mut sent = 0;
    let null = std::ptr::null_mut();
    // SAFETY: the pieces are the caller's, who promises that they may be read.
    let result = unsafe {
        c::WSASend(handle(fd), pieces.as_ptr(), used, &mut sent, flags as u32, null, None)
    };
    if count(result, fd) < 0 { -1 } else { sent as ssize_t }
}

/// Of a socket, the only descriptor there is.
pub unsafe fn read(fd: c_int, place: *mut c_void, length: usize) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe { recv(fd, place, length, 0) }
}

/// To a socket, the only descriptor there is.
pub unsafe fn write(fd: c_int, bytes: *const c_void, length: usize) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe { send(fd, bytes, length, 0) }
}

/// The same with pieces.
pub unsafe fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    let message = msghdr {
        msg_name: std::ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: pieces.cast_mut(),
        msg_iovlen: count as usize,
    };
    // SAFETY: as the caller promises.
    unsafe { sendmsg(fd, &message, 0) }
}
