//! The system calls of sockets: every socket is non-blocking and close-on-exec
//! from its first moment, no call raises SIGPIPE, and an interrupted one is
//! made again.

use crate::error::{Error, Result};
use crate::platform::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use crate::platform::path;
pub use crate::platform::path::FileId;
use crate::platform::{self, sys};
use crate::socket_address::SocketAddress;
use std::ffi::{CStr, c_int, c_void};

/// The error a failed call left behind.
fn last_error() -> Error {
    Error::Sys(platform::errno())
}

/// Makes a call again while signals interrupt it.
fn retry(mut call: impl FnMut() -> isize) -> Result<usize> {
    loop {
        match call() {
            result @ 0.. => return Ok(result as usize),
            _ => match last_error() {
                Error::Sys(libc::EINTR) => {}
                error => return Err(error),
            },
        }
    }
}

/// A new socket.
pub fn open(family: c_int, kind: c_int, protocol: c_int) -> Result<OwnedFd> {
    // SAFETY: plain numbers; the descriptor is ours.
    unsafe {
        let kind = kind | sys::SOCK_CLOEXEC | sys::SOCK_NONBLOCK;
        match sys::socket(family, kind, protocol) {
            fd @ 0.. => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(last_error()),
        }
    }
}

/// Closes a descriptor whose number the host knows. If the host has closed it
/// already that is no reason to abort, which std may do where it drops one.
pub fn close(fd: OwnedFd) {
    // SAFETY: ours, or nobody's.
    unsafe { sys::close(fd.into_raw_fd()) };
}

/// Gives a socket its own address.
pub fn bind(socket: BorrowedFd<'_>, address: &SocketAddress) -> Result<()> {
    // SAFETY: the address is as long as it says.
    match unsafe { sys::bind(socket.as_raw_fd(), address.as_ptr(), address.len()) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// Makes a socket accept connections, or changes how many may wait.
pub fn listen(socket: BorrowedFd<'_>, backlog: c_int) -> Result<()> {
    // SAFETY: plain numbers.
    match unsafe { sys::listen(socket.as_raw_fd(), backlog) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// Takes one waiting connection.
pub fn accept(socket: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = sys::SOCK_CLOEXEC | sys::SOCK_NONBLOCK;
    let null = std::ptr::null_mut();
    // SAFETY: NULL asks for no address; the new descriptor is ours.
    unsafe {
        let fd = retry(|| sys::accept4(socket.as_raw_fd(), null, null.cast(), flags) as isize)?;
        Ok(OwnedFd::from_raw_fd(fd as c_int))
    }
}

/// Begins to connect. True: it is connected already; otherwise it is once the
/// socket is writable, if `take_error` has nothing to say.
pub fn connect(socket: BorrowedFd<'_>, address: &SocketAddress) -> Result<bool> {
    // SAFETY: the address is as long as it says.
    match unsafe { sys::connect(socket.as_raw_fd(), address.as_ptr(), address.len()) } {
        0 => Ok(true),
        _ => match last_error() {
            // An interrupted connect goes on, and must not be called again.
            Error::Sys(libc::EINPROGRESS | libc::EINTR) => Ok(false),
            error => Err(error),
        },
    }
}

/// Reads a number that is an option of a socket.
pub fn option(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> Result<c_int> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>() as sys::socklen_t;
    let place = (&raw mut value).cast();
    // SAFETY: `length` is that of `value`.
    match unsafe { sys::getsockopt(socket.as_raw_fd(), level, name, place, &mut length) } {
        0 => Ok(value),
        _ => Err(last_error()),
    }
}

/// Sets an option of a socket.
pub fn set_option(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> Result<()> {
    let length = size_of::<c_int>() as sys::socklen_t;
    let value = (&raw const value).cast();
    // SAFETY: `length` is that of `value`.
    match unsafe { sys::setsockopt(socket.as_raw_fd(), level, name, value, length) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// The error that waits in a socket.
pub fn take_error(socket: BorrowedFd<'_>) -> Result<()> {
    match option(socket, sys::SOL_SOCKET, sys::SO_ERROR)? {
        0 => Ok(()),
        errno => Err(Error::Sys(errno)),
    }
}

/// SOCK_STREAM, SOCK_DGRAM, ...; `ENOTSOCK` for what is no socket.
pub fn kind(socket: BorrowedFd<'_>) -> Result<c_int> {
    option(socket, sys::SOL_SOCKET, sys::SO_TYPE)
}

/// A socket's own address.
pub fn own_address(socket: BorrowedFd<'_>) -> Result<SocketAddress> {
    address_by(socket, sys::getsockname)
}

/// The address a socket is connected to.
pub fn peer_address(socket: BorrowedFd<'_>) -> Result<SocketAddress> {
    address_by(socket, sys::getpeername)
}

type AddressCall = unsafe extern "C" fn(c_int, *mut sys::sockaddr, *mut sys::socklen_t) -> c_int;

fn address_by(socket: BorrowedFd<'_>, call: AddressCall) -> Result<SocketAddress> {
    let mut address = SocketAddress::empty();
    let (place, length) = address.as_mut();
    // SAFETY: `length` is the room there is.
    match unsafe { call(socket.as_raw_fd(), place, length) } {
        0 => {
            let length = *length;
            address.set_len(length);
            Ok(address)
        }
        _ => Err(last_error()),
    }
}

/// Sends one datagram: to where the socket is connected, or to an address.
pub fn send_to(
    socket: BorrowedFd<'_>,
    data: &[u8],
    address: Option<&SocketAddress>,
) -> Result<usize> {
    let (place, length) =
        address.map_or((std::ptr::null(), 0), |address| (address.as_ptr(), address.len()));
    let fd = socket.as_raw_fd();
    // SAFETY: data and address are as long as they say.
    retry(|| unsafe {
        sys::sendto(fd, data.as_ptr().cast(), data.len(), sys::MSG_NOSIGNAL, place, length)
    })
}

/// Takes one datagram and where it came from.
pub fn receive_from(socket: BorrowedFd<'_>, room: &mut [u8]) -> Result<(usize, SocketAddress)> {
    let mut address = SocketAddress::empty();
    let (place, length) = address.as_mut();
    let fd = socket.as_raw_fd();
    let whole = *length;
    // SAFETY: both are as long as they say.
    let count = retry(|| unsafe {
        *length = whole;
        sys::recvfrom(fd, room.as_mut_ptr().cast::<c_void>(), room.len(), 0, place, length)
    })?;
    let length = *length;
    address.set_len(length);
    Ok((count, address))
}

/// Makes a descriptor of the host's what ours are from the start.
pub fn make_nonblocking(socket: BorrowedFd<'_>) -> Result<()> {
    platform::set_non_blocking(socket.as_raw_fd(), true).map_err(Error::Sys)?;
    Ok(())
}

/// Which socket a path leads to; none if it is no socket.
pub fn socket_at(path: &CStr) -> Result<Option<FileId>> {
    path::socket_at(path).map_err(Error::Sys)
}

/// Removes a name from the file system.
pub fn unlink(path: &CStr) -> Result<()> {
    path::unlink(path).map_err(Error::Sys)
}
