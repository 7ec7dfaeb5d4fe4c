//! The system calls of sockets: every socket is non-blocking and close-on-exec
//! from its first moment, no call raises SIGPIPE, and an interrupted one is
//! made again.

use crate::error::{Error, Result};
use crate::platform::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use crate::socket_address::SocketAddress;
use std::ffi::{CStr, c_int, c_void};

/// The error a failed call left behind.
fn last_error() -> Error {
    Error::Sys(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
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
        let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        match libc::socket(family, kind, protocol) {
            fd @ 0.. => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(last_error()),
        }
    }
}

/// Closes a descriptor whose number the host knows. If the host has closed it
/// already that is no reason to abort, which std may do where it drops one.
pub fn close(fd: OwnedFd) {
    // SAFETY: ours, or nobody's.
    unsafe { libc::close(fd.into_raw_fd()) };
}

/// Gives a socket its own address.
pub fn bind(socket: BorrowedFd<'_>, address: &SocketAddress) -> Result<()> {
    // SAFETY: the address is as long as it says.
    match unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr(), address.len()) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// Makes a socket accept connections, or changes how many may wait.
pub fn listen(socket: BorrowedFd<'_>, backlog: c_int) -> Result<()> {
    // SAFETY: plain numbers.
    match unsafe { libc::listen(socket.as_raw_fd(), backlog) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// Takes one waiting connection.
pub fn accept(socket: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let null = std::ptr::null_mut();
    // SAFETY: NULL asks for no address; the new descriptor is ours.
    unsafe {
        let fd = retry(|| libc::accept4(socket.as_raw_fd(), null, null.cast(), flags) as isize)?;
        Ok(OwnedFd::from_raw_fd(fd as c_int))
    }
}

/// Begins to connect. True: it is connected already; otherwise it is once the
/// socket is writable, if `take_error` has nothing to say.
pub fn connect(socket: BorrowedFd<'_>, address: &SocketAddress) -> Result<bool> {
    // SAFETY: the address is as long as it says.
    match unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr(), address.len()) } {
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
    let mut length = size_of::<c_int>() as libc::socklen_t;
    let place = (&raw mut value).cast();
    // SAFETY: `length` is that of `value`.
    match unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, place, &mut length) } {
        0 => Ok(value),
        _ => Err(last_error()),
    }
}

/// Sets an option of a socket.
pub fn set_option(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> Result<()> {
    let length = size_of::<c_int>() as libc::socklen_t;
    let value = (&raw const value).cast();
    // SAFETY: `length` is that of `value`.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value, length) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// The error that waits in a socket.
pub fn take_error(socket: BorrowedFd<'_>) -> Result<()> {
    match option(socket, libc::SOL_SOCKET, libc::SO_ERROR)? {
        0 => Ok(()),
        errno => Err(Error::Sys(errno)),
    }
}

/// SOCK_STREAM, SOCK_DGRAM, ...; `ENOTSOCK` for what is no socket.
pub fn kind(socket: BorrowedFd<'_>) -> Result<c_int> {
    option(socket, libc::SOL_SOCKET, libc::SO_TYPE)
}

/// A socket's own address.
pub fn own_address(socket: BorrowedFd<'_>) -> Result<SocketAddress> {
    address_by(socket, libc::getsockname)
}

/// The address a socket is connected to.
pub fn peer_address(socket: BorrowedFd<'_>) -> Result<SocketAddress> {
    address_by(socket, libc::getpeername)
}

type AddressCall = unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int;

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
        libc::sendto(fd, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL, place, length)
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
        libc::recvfrom(fd, room.as_mut_ptr().cast::<c_void>(), room.len(), 0, place, length)
    })?;
    let length = *length;
    address.set_len(length);
    Ok((count, address))
}

/// Makes a descriptor of the host's what ours are from the start.
pub fn make_nonblocking(socket: BorrowedFd<'_>) -> Result<()> {
    let fd = socket.as_raw_fd();
    // SAFETY: plain numbers.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if flags < 0 || libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) < 0 {
            return Err(last_error());
        }
    }
    Ok(())
}

/// Which file this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId(libc::dev_t, libc::ino_t);

/// Which socket a path leads to; none if it is no socket.
pub fn socket_at(path: &CStr) -> Result<Option<FileId>> {
    // SAFETY: all zero is a valid stat; the path is a C string.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        if libc::stat(path.as_ptr(), &mut stat) != 0 {
            return Err(last_error());
        }
        let is_socket = stat.st_mode & libc::S_IFMT == libc::S_IFSOCK;
        Ok(is_socket.then_some(FileId(stat.st_dev, stat.st_ino)))
    }
}

/// Removes a name from the file system.
pub fn unlink(path: &CStr) -> Result<()> {
    // SAFETY: the path is a C string.
    match unsafe { libc::unlink(path.as_ptr()) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}
