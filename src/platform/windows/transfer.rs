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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::errno;
    use std::os::windows::io::AsRawSocket;

    #[test]
    fn a_datagram_that_does_not_fit_is_cut_off() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let fd = socket.as_raw_socket() as c_int;
        socket.send_to(b"hello", socket.local_addr().unwrap()).unwrap();
        let mut bytes = [0u8; 2];
        // SAFETY: an address of our own, and so much room.
        let (count, length) = unsafe {
            let mut from: super::super::address::sockaddr_storage = std::mem::zeroed();
            let mut length = size_of_val(&from) as socklen_t;
            let address = (&raw mut from).cast();
            let count = recvfrom(fd, bytes.as_mut_ptr().cast(), 2, 0, address, &mut length);
            (count, length)
        };
        assert_eq!((count, &bytes, length), (2, b"he", 16));
    }

    #[test]
    fn pieces_are_sent_in_order_and_closed_numbers_are_told_from_others() {
        use crate::platform::{FdWake, Wake};
        let [read_end, write_end] = FdWake::open().unwrap();
        let mut text = *b"abcdef";
        let place = text.as_mut_ptr().cast::<c_void>();
        let pieces: Vec<_> = [(0, 1), (1, 0), (1, 2), (3, 3)]
            .map(|(from, length)| iovec {
                iov_base: place.wrapping_byte_add(from),
                iov_len: length,
            })
            .into();
        let mut bytes = [0u8; 8];
        // SAFETY: the pieces are of `text`; there is room for eight bytes.
        unsafe {
            assert_eq!(writev(write_end, pieces.as_ptr(), pieces.len() as c_int), 6);
            let count = std::iter::repeat_with(|| read(read_end, bytes.as_mut_ptr().cast(), 8))
                .find(|count| *count >= 0);
            assert_eq!((count, &bytes[..6]), (Some(6), &b"abcdef"[..]));
            assert_eq!((read(read_end, place, 1), errno()), (-1, libc::EAGAIN));
            // No handle has so high a number.
            assert_eq!((read(c_int::MAX - 3, place, 1), errno()), (-1, libc::EBADF));
        }
        // A thread is open, and no socket.
        let thread = std::thread::spawn(|| {});
        let other = std::os::windows::io::AsRawHandle::as_raw_handle(&thread) as usize as c_int;
        // SAFETY: any number may be asked about.
        assert_eq!((unsafe { read(other, place, 1) }, errno()), (-1, libc::ENOTSOCK));
        thread.join().unwrap();
        FdWake::close(read_end);
        FdWake::close(write_end);
    }
}
